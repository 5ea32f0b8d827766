# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/accept.c %D%/accept.h \
	%D%/stream.c %D%/stream.h
