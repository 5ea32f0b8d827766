# SPDX-License-Identifier: MIT
# libspout: one convenience library of everything (the unit tests link it and see
# hidden symbols), and the installed library made from it.
noinst_LTLIBRARIES += lib/libspout-all.la
lib_LTLIBRARIES += lib/libspout.la

lib_libspout_all_la_SOURCES =
lib_libspout_all_la_LIBADD = $(EVENT_LIBS) $(HTTP_PARSER_LIBS) $(JANSSON_LIBS) \
	$(CRYPTO_LIBS) $(PQ_LIBS) $(CURL_LIBS) $(BROTLIENC_LIBS) $(CRYPT_LIBS) \
	$(PCRE2_LIBS) $(HIREDIS_LIBS) -lpthread -lm

lib_libspout_la_SOURCES =
lib_libspout_la_LIBADD = lib/libspout-all.la
lib_libspout_la_LDFLAGS = $(AM_LDFLAGS) -release $(PACKAGE_VERSION) -no-undefined

spoutincludedir = $(includedir)/spout
spoutinclude_HEADERS =
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = lib/spout.pc

include lib/base/module.mk
include lib/loop/module.mk
include lib/async/module.mk
include lib/executor/module.mk
include lib/net/module.mk
include lib/http/module.mk
include lib/client/module.mk
include lib/template/module.mk
include lib/topic/module.mk
include lib/web/module.mk
include lib/websocket/module.mk
include lib/pg/module.mk
include lib/supervisor/module.mk
include lib/app/module.mk
include lib/testing/module.mk
