# SPDX-License-Identifier: MIT
# The test kit: a library of its own. Of libspout it uses the table in seam.c.
lib_libspout_all_la_SOURCES += %D%/seam.c %D%/seam.h

noinst_LTLIBRARIES += lib/libspout-testing-all.la
lib_libspout_testing_all_la_SOURCES = \
	%D%/fetch.c \
	%D%/leftovers.c \
	%D%/log.c \
	%D%/run.c %D%/run.h \
	%D%/server.c %D%/server.h \
	%D%/sweep.c

lib_LTLIBRARIES += lib/libspout-testing.la
lib_libspout_testing_la_SOURCES =
lib_libspout_testing_la_LIBADD = lib/libspout-testing-all.la lib/libspout.la \
	$(HTTP_PARSER_LIBS)
lib_libspout_testing_la_LDFLAGS = $(AM_LDFLAGS) -release $(PACKAGE_VERSION) -no-undefined
pkgconfig_DATA += lib/spout-testing.pc
spoutinclude_HEADERS += lib/include/spout/testing.h
