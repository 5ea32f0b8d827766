# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/authority.c %D%/authority.h \
	%D%/body.c %D%/body.h \
	%D%/chars.c %D%/chars.h \
	%D%/conn.c %D%/conn.h \
	%D%/conn_end.c \
	%D%/conn_time.c \
	%D%/exchange.c \
	%D%/fault.c %D%/fault.h \
	%D%/head.c %D%/head.h \
	%D%/judge.c %D%/judge.h \
	%D%/lex.c %D%/lex.h \
	%D%/reason.c %D%/reason.h \
	%D%/response.c \
	%D%/response_fields.c \
	%D%/rules.c %D%/rules.h \
	%D%/send_file.c \
	%D%/server.c %D%/server.h
