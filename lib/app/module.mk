# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/address.c %D%/address.h \
	%D%/option_argv.c \
	%D%/option_env.c \
	%D%/option_file.c \
	%D%/option_value.c \
	%D%/options.c %D%/options.h \
	%D%/settings.c %D%/settings.h
spoutinclude_HEADERS += lib/include/spout/option.h
