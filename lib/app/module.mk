# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/admin.c %D%/admin.h \
	%D%/database.c %D%/database.h \
	%D%/agent.c %D%/agent.h \
	%D%/admin_routes.c %D%/admin_routes.h \
	%D%/hook.c %D%/hook.h \
	%D%/main.c \
	%D%/metrics.c %D%/metrics.h \
	%D%/metrics_pools.c \
	%D%/metrics_routes.c \
	%D%/metrics_workers.c \
	%D%/metrics_text.c %D%/metrics_text.h \
	%D%/option_argv.c \
	%D%/option_env.c \
	%D%/option_file.c \
	%D%/option_value.c \
	%D%/options.c %D%/options.h \
	%D%/periodic.c %D%/periodic.h \
	%D%/program.c %D%/program.h \
	%D%/rebuilt.c %D%/rebuilt.h \
	%D%/reload.c \
	%D%/rows_json.c %D%/rows_json.h \
	%D%/secret.c %D%/secret.h \
	%D%/session_store.c %D%/session_store.h \
	%D%/settings.c %D%/settings.h \
	%D%/status.c %D%/status.h \
	%D%/stop.c \
	%D%/spread.c %D%/spread.h \
	%D%/tls_settings.c %D%/tls_settings.h \
	%D%/vitals.c %D%/vitals.h \
	%D%/watchdog.c %D%/watchdog.h \
	%D%/worker.c %D%/worker.h
spoutinclude_HEADERS += lib/include/spout/app.h lib/include/spout/option.h
lib_libspout_all_la_SOURCES += %D%/topic_bridge.c %D%/topic_bridge.h \
	%D%/topic_pg.c %D%/topic_redis.c
