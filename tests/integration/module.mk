# SPDX-License-Identifier: MIT
# Programs that the integration tests run besides those of src/.
noinst_PROGRAMS += %D%/children %D%/site
%C%_children_SOURCES = %D%/children.c
%C%_children_LDADD = lib/libspout.la
%C%_site_SOURCES = %D%/site.c
%C%_site_LDADD = lib/libspout.la

noinst_PROGRAMS += %D%/signed_values
%C%_signed_values_SOURCES = %D%/signed_values.c
%C%_signed_values_LDADD = lib/libspout-all.la
