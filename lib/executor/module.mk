# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/addresses.c \
	%D%/executor.h \
	%D%/job.c \
	%D%/pool.c %D%/pool.h \
	%D%/resolve.c %D%/resolve.h \
	%D%/run.c \
	%D%/thread.c
spoutinclude_HEADERS += lib/include/spout/executor.h
