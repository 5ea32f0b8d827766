# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/copy.c \
	%D%/measure.c \
	%D%/row_stream.c \
	%D%/talk.c %D%/talk.h
spoutinclude_HEADERS += lib/include/spout/pg_stream.h
lib_libspout_all_la_SOURCES += \
	%D%/answers.c \
	%D%/batch.c \
	%D%/cancel.c \
	%D%/classify.c \
	%D%/cleanse.c \
	%D%/connect.c \
	%D%/driver.c %D%/driver.h \
	%D%/exec.c \
	%D%/failure.c \
	%D%/figures.c \
	%D%/hold.c \
	%D%/hosts.c \
	%D%/job.c \
	%D%/lease.c %D%/lease.h \
	%D%/listen.c %D%/listen.h \
	%D%/listener.c \
	%D%/lock.c \
	%D%/migrate.c \
	%D%/names.c \
	%D%/params.c \
	%D%/password.c \
	%D%/pause.c \
	%D%/pg.h \
	%D%/pipe.c \
	%D%/plan.c \
	%D%/pooler.c \
	%D%/pool.c %D%/pool.h \
	%D%/query.c \
	%D%/round.c %D%/round.h \
	%D%/rows.c \
	%D%/run.c \
	%D%/start.c \
	%D%/tend.c \
	%D%/transaction.c
spoutinclude_HEADERS += lib/include/spout/pg.h lib/include/spout/pg_batch.h \
	lib/include/spout/pg_listen.h lib/include/spout/pg_lock.h \
	lib/include/spout/pg_pool.h \
	lib/include/spout/pg_transaction.h
