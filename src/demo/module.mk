# SPDX-License-Identifier: MIT
bin_PROGRAMS += src/spout-demo
src_spout_demo_SOURCES = \
	%D%/assets.c \
	%D%/basics.c \
	%D%/bodies.c \
	%D%/demo.h \
	%D%/events.c \
	%D%/faults.c \
	%D%/fetch.c \
	%D%/fortunes.c \
	%D%/login.c \
	%D%/main.c \
	%D%/page.c \
	%D%/tables.c \
	%D%/websocket.c \
	%D%/worlds.c
nodist_src_spout_demo_SOURCES = %D%/templates.c
src_spout_demo_CPPFLAGS = $(AM_CPPFLAGS) \
	-DDEMO_LOGIN_FILE='"$(top_srcdir)/%D%/login.html"' \
	-DDEMO_PAGE_FILE='"$(top_srcdir)/%D%/page.html"'
src_spout_demo_LDADD = lib/libspout.la $(JANSSON_LIBS)
EXTRA_DIST += %D%/login.html %D%/page.html

# The static files stand beside the program in the build tree, too.
demostaticdir = $(datadir)/spout-demo/static
dist_demostatic_DATA = %D%/static/index.html %D%/static/spout.css %D%/static/spout.svg
noinst_DATA += %D%/static.stamp
CLEANFILES += %D%/static.stamp
%D%/static.stamp: $(dist_demostatic_DATA)
	$(AM_V_GEN)$(MKDIR_P) %D%/static && \
	if test "$$(cd $(srcdir) && pwd)" != "$$(pwd)"; then \
		for f in $(dist_demostatic_DATA); do \
			cp "$(srcdir)/$${f#$(srcdir)/}" %D%/static/ || exit 1; \
		done; \
	fi && touch $@
clean-demo-static:
	test "$$(cd $(srcdir) && pwd)" = "$$(pwd)" || rm -rf %D%/static
clean-local: clean-demo-static
.PHONY: clean-demo-static

# The pages are part of these objects.
%D%/spout_demo-login.$(OBJEXT): $(srcdir)/%D%/login.html
%D%/spout_demo-page.$(OBJEXT): $(srcdir)/%D%/page.html

# The templates are compiled into the program, too.
EXTRA_DIST += %D%/templates/fortunes.html
CLEANFILES += %D%/templates.c
%D%/templates.c: src/spoutc/spoutc$(EXEEXT) $(srcdir)/%D%/templates/fortunes.html
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    src/spoutc/spoutc --output $@ --name demo_templates $(srcdir)/%D%/templates
