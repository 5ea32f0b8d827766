# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/bridge.c \
	%D%/deliver.c \
	%D%/history.c %D%/history.h \
	%D%/mesh.c \
	%D%/message.c %D%/message.h \
	%D%/peer.h \
	%D%/presence.c \
	%D%/subscription.c \
	%D%/topics.c %D%/topics.h \
	%D%/wire.c %D%/wire.h
spoutinclude_HEADERS += lib/include/spout/topic.h
