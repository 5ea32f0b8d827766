# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/answer.c %D%/answer.h \
	%D%/callback.c \
	%D%/client.c %D%/client.h \
	%D%/connect.c \
	%D%/deflate.c %D%/deflate.h \
	%D%/extension.c %D%/extension.h \
	%D%/frame.c %D%/frame.h \
	%D%/handshake.c %D%/handshake.h \
	%D%/message.c %D%/message.h \
	%D%/output.c \
	%D%/receive.c \
	%D%/send.c \
	%D%/socket.c %D%/socket.h \
	%D%/subscribe.c \
	%D%/timer.c
spoutinclude_HEADERS += lib/include/spout/websocket.h
