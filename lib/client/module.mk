# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/allow.c \
	%D%/await.c \
	%D%/body.c \
	%D%/client.c %D%/client.h \
	%D%/deadline.c \
	%D%/decode.c %D%/decode.h \
	%D%/failure.c \
	%D%/fetch.c \
	%D%/request.c \
	%D%/response.c \
	%D%/sync.c \
	%D%/transfer.c \
	%D%/url.c
spoutinclude_HEADERS += lib/include/spout/client.h
