# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/address.c %D%/address.h \
	%D%/arena.c %D%/arena.h \
	%D%/backtrace.c %D%/backtrace.h \
	%D%/base64.c \
	%D%/buffer.c %D%/buffer.h \
	%D%/clock.c %D%/clock.h \
	%D%/crypto.c \
	%D%/cpus.c %D%/cpus.h \
	%D%/http_date.c \
	%D%/inflight.c %D%/inflight.h \
	%D%/list.h \
	%D%/log.c %D%/log.h \
	%D%/log_ring.c %D%/log_ring.h \
	%D%/network.c %D%/network.h \
	%D%/open_beneath.c %D%/open_beneath.h \
	%D%/quarantine.c %D%/quarantine.h \
	%D%/seal.c \
	%D%/stats.c %D%/stats.h \
	%D%/text.c %D%/text.h
spoutinclude_HEADERS += lib/include/spout/spout.h lib/include/spout/types.h
spoutinclude_HEADERS += lib/include/spout/log.h lib/include/spout/crypto.h
