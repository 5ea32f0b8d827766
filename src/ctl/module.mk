# SPDX-License-Identifier: MIT
# Talks to the admin listener; libcurl for HTTP over TCP, TLS and unix sockets.
bin_PROGRAMS += src/spoutctl
src_spoutctl_SOURCES = \
	%D%/connect.c \
	%D%/ctl.h \
	%D%/main.c \
	%D%/orders.c \
	%D%/show.c \
	%D%/times.c %D%/times.h \
	%D%/top.c
src_spoutctl_LDADD = $(CURL_LIBS) $(JANSSON_LIBS)
dist_man_MANS += %D%/spoutctl.1
EXTRA_DIST += %D%/spoutctl.bash
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = %D%/spoutctl.bash
