# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/async.h \
	%D%/census.c \
	%D%/context.c %D%/context.h \
	%D%/coroutine.c %D%/coroutine.h \
	%D%/event.c \
	%D%/future.c \
	%D%/group.c \
	%D%/iterator.c \
	%D%/line.c %D%/line.h \
	%D%/local.c \
	%D%/locks.c \
	%D%/object.c %D%/object.h \
	%D%/overflow.c \
	%D%/queue.c \
	%D%/sanitizer.h \
	%D%/scope.c \
	%D%/stack.c %D%/stack.h \
	%D%/task.c \
	%D%/wait.c %D%/waiter.h
if SWITCH_X86_64
lib_libspout_all_la_SOURCES += %D%/switch_x86_64.S
endif
if SWITCH_AARCH64
lib_libspout_all_la_SOURCES += %D%/switch_aarch64.S
endif
EXTRA_DIST += %D%/switch_x86_64.S %D%/switch_aarch64.S
spoutinclude_HEADERS += lib/include/spout/async.h lib/include/spout/locks.h \
	lib/include/spout/queue.h
