# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/loop.c %D%/loop.h %D%/loop_private.h \
	%D%/post.c \
	%D%/timer.c \
	%D%/virtual.c \
	%D%/watch.c \
	%D%/wheel.c %D%/wheel.h
spoutinclude_HEADERS += lib/include/spout/loop.h
