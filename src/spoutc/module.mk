# SPDX-License-Identifier: MIT
bin_PROGRAMS += src/spoutc/spoutc
src_spoutc_spoutc_SOURCES = %D%/main.c
src_spoutc_spoutc_LDADD = lib/libspout.la
dist_man_MANS += %D%/spoutc.1
