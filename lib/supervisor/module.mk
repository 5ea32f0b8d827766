# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/control.c %D%/control.h \
	%D%/identity.c %D%/identity.h \
	%D%/inherit.c %D%/inherit.h \
	%D%/listeners.c %D%/listeners.h \
	%D%/listeners_door.c \
	%D%/peers.c \
	%D%/notify.c %D%/notify.h \
	%D%/pidfile.c %D%/pidfile.h \
	%D%/recycle.c \
	%D%/reload.c \
	%D%/scale.c \
	%D%/scoreboard.c %D%/scoreboard.h \
	%D%/slots.c %D%/slots.h \
	%D%/spawn.c \
	%D%/steer.c %D%/steer.h \
	%D%/supervisor.c %D%/supervisor.h \
	%D%/upgrade.c
