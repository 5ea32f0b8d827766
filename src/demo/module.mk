# SPDX-License-Identifier: MIT
bin_PROGRAMS += src/spout-demo
src_spout_demo_SOURCES = \
	%D%/assets.c \
	%D%/basics.c \
	%D%/bodies.c \
	%D%/demo.h \
	%D%/embed.h \
	%D%/events.c \
	%D%/export.c \
	%D%/faults.c \
	%D%/features.c \
	%D%/features/arguments.c \
	%D%/features/auth.c \
	%D%/features/compression.c \
	%D%/features/cookies.c \
	%D%/features/cors.c \
	%D%/features/errors.c \
	%D%/features/features.h \
	%D%/features/files.c \
	%D%/features/form.c \
	%D%/features/json.c \
	%D%/features/languages.c \
	%D%/features/middleware.c \
	%D%/features/rate.c \
	%D%/features/routes.c \
	%D%/features/stream.c \
	%D%/features/template.c \
	%D%/features/together.c \
	%D%/features/unchanged.c \
	%D%/features/upload.c \
	%D%/fetch.c \
	%D%/fortunes.c \
	%D%/highlight.c \
	%D%/login.c \
	%D%/main.c \
	%D%/page.c \
	%D%/sources.c \
	%D%/tables.c \
	%D%/websocket.c \
	%D%/worlds.c
# The chat room is that of the example.
src_spout_demo_SOURCES += src/examples/chat/room.c src/examples/chat/room.h
nodist_src_spout_demo_SOURCES = %D%/templates.c
src_spout_demo_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/%D% -I$(top_srcdir)/src \
	-DDEMO_FOLDER='"$(top_srcdir)/%D%"'
src_spout_demo_LDADD = lib/libspout.la $(JANSSON_LIBS)
EXTRA_DIST += %D%/features.css %D%/features.js %D%/login.html %D%/page.html

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

# The catalogues, likewise.
demodedir = $(datadir)/spout-demo/locale/de/LC_MESSAGES
demofrdir = $(datadir)/spout-demo/locale/fr/LC_MESSAGES
nodist_demode_DATA = %D%/locale/de/LC_MESSAGES/spout-demo.mo
nodist_demofr_DATA = %D%/locale/fr/LC_MESSAGES/spout-demo.mo
EXTRA_DIST += %D%/locale/de.po %D%/locale/fr.po
CLEANFILES += $(nodist_demode_DATA) $(nodist_demofr_DATA)
%D%/locale/de/LC_MESSAGES/spout-demo.mo: $(srcdir)/%D%/locale/de.po
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	    $(MSGFMT) --output-file=$@ $(srcdir)/%D%/locale/de.po
%D%/locale/fr/LC_MESSAGES/spout-demo.mo: $(srcdir)/%D%/locale/fr.po
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	    $(MSGFMT) --output-file=$@ $(srcdir)/%D%/locale/fr.po

# The pages, and the sources that one of them shows, are part of these objects.
%D%/spout_demo-features.$(OBJEXT): $(srcdir)/%D%/features.css $(srcdir)/%D%/features.js
%D%/spout_demo-sources.$(OBJEXT): $(src_spout_demo_SOURCES) \
	$(srcdir)/%D%/templates/greeting.html
%D%/spout_demo-login.$(OBJEXT): $(srcdir)/%D%/login.html
%D%/spout_demo-page.$(OBJEXT): $(srcdir)/%D%/page.html

# The templates are compiled into the program, too.
demo_templates = %D%/templates/features.html %D%/templates/fortunes.html \
	%D%/templates/greeting.html
EXTRA_DIST += $(demo_templates)
CLEANFILES += %D%/templates.c
demo_room = $(srcdir)/src/examples/chat/templates/room.html
%D%/templates.c: src/spoutc/spoutc$(EXEEXT) $(demo_templates) $(demo_room)
	$(AM_V_GEN)rm -rf %D%/pages && $(MKDIR_P) %D%/pages && \
	    cp $(srcdir)/%D%/templates/*.html $(demo_room) %D%/pages && \
	    src/spoutc/spoutc --output $@ --name demo_templates %D%/pages
clean-demo-pages:
	rm -rf %D%/pages
clean-local: clean-demo-pages
.PHONY: clean-demo-pages
