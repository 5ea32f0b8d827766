# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/assemble.c \
	%D%/call.c \
	%D%/compile.c %D%/compile.h \
	%D%/expression.c \
	%D%/files.c \
	%D%/functions.c \
	%D%/generate.c \
	%D%/generate_loop.c \
	%D%/html.c %D%/html.h \
	%D%/html_place.c \
	%D%/html_script.c \
	%D%/html_style.c \
	%D%/operate.c \
	%D%/parse.c \
	%D%/print.c \
	%D%/program.h \
	%D%/render.c %D%/render.h \
	%D%/set.c %D%/set.h \
	%D%/token.c %D%/token.h \
	%D%/value.c %D%/value.h
spoutinclude_HEADERS += lib/include/spout/template.h
dist_man_MANS += %D%/spout-template.7
