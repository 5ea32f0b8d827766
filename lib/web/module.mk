# SPDX-License-Identifier: MIT
lib_libspout_all_la_SOURCES += \
	%D%/accept.c %D%/accept.h \
	%D%/access_log.c %D%/access_log.h \
	%D%/args.c %D%/args.h \
	%D%/args_parse.c \
	%D%/auth.c \
	%D%/catalogue.c %D%/catalogue.h \
	%D%/chain.c \
	%D%/compress.c %D%/compress.h \
	%D%/condition.c %D%/condition.h \
	%D%/cookie.c %D%/cookie.h \
	%D%/cookie_text.c \
	%D%/cors.c \
	%D%/dates.c \
	%D%/debug_page.c %D%/debug_page.h \
	%D%/entity.c \
	%D%/escape.c \
	%D%/failure.c \
	%D%/file.c %D%/file.h \
	%D%/file_cache.c %D%/file_cache.h \
	%D%/find.c \
	%D%/form.c %D%/form.h \
	%D%/forwarded.c %D%/forwarded.h \
	%D%/guard.c %D%/guard.h \
	%D%/health.c \
	%D%/inflate.c %D%/inflate.h \
	%D%/json.c \
	%D%/json_dump.c %D%/json_dump.h \
	%D%/keyring.c %D%/keyring.h \
	%D%/locale.c \
	%D%/media_type.c %D%/media_type.h \
	%D%/multipart.c %D%/multipart.h \
	%D%/page.c %D%/page.h \
	%D%/page_names.c \
	%D%/password.c %D%/password.h \
	%D%/plural.c %D%/plural.h \
	%D%/rate.c %D%/rate.h \
	%D%/render.c %D%/render.h \
	%D%/request.c %D%/request.h \
	%D%/response.c \
	%D%/reverse.c \
	%D%/router.c %D%/router.h \
	%D%/router_build.c \
	%D%/router_tree.h \
	%D%/send_file.c %D%/send_file.h \
	%D%/session.c %D%/session.h \
	%D%/schema.c %D%/schema.h \
	%D%/signed_value.c %D%/signed_value.h \
	%D%/sse.c \
	%D%/static.c %D%/static.h \
	%D%/status.c %D%/status.h \
	%D%/topic_web.c \
	%D%/transform.c %D%/transform.h \
	%D%/upload.c \
	%D%/web.c %D%/web.h \
	%D%/xsrf.c
spoutinclude_HEADERS += \
	lib/include/spout/cookie.h \
	lib/include/spout/file.h \
	lib/include/spout/form.h \
	lib/include/spout/locale.h \
	lib/include/spout/password.h \
	lib/include/spout/security.h \
	lib/include/spout/session.h \
	lib/include/spout/sse.h \
	lib/include/spout/topic_web.h \
	lib/include/spout/web.h
