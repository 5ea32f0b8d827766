# SPDX-License-Identifier: MIT
# Programs that the integration tests run besides those of src/.
noinst_PROGRAMS += %D%/children
%C%_children_SOURCES = %D%/children.c
%C%_children_LDADD = lib/libspout.la
