# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/cancel.c \
	%D%/connect.c \
	%D%/exec.c \
	%D%/failure.c \
	%D%/job.c \
	%D%/params.c \
	%D%/pg.h \
	%D%/pool.c %D%/pool.h \
	%D%/query.c \
	%D%/rows.c \
	%D%/run.c \
	%D%/start.c
spoutinclude_HEADERS += lib/include/spout/pg.h
