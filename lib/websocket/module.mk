# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/frame.c %D%/frame.h
