# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/accept.c %D%/accept.h \
	%D%/connect.c \
	%D%/costream.c %D%/costream.h \
	%D%/costream_read.c \
	%D%/costream_tls.c \
	%D%/process.c %D%/process.h \
	%D%/process_run.c %D%/process_spawn.c \
	%D%/proxy.c %D%/proxy.h %D%/proxy_gate.c \
	%D%/stream.c %D%/stream.h \
	%D%/tcp_server.c \
	%D%/tls.c %D%/tls.h \
	%D%/tls_context.c \
	%D%/tls_error.c \
	%D%/tls_peer.c \
	%D%/tls_tickets.c %D%/tls_tickets.h
spoutinclude_HEADERS += lib/include/spout/process.h lib/include/spout/stream.h \
	lib/include/spout/tcp.h lib/include/spout/tls.h
