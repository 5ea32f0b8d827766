# SPDX-License-Identifier: MIT
# Readable pairs of input bytes and expected outcome, over the strict layer.
STREAM_SOURCES = tests/conformance/stream.c tests/conformance/stream.h

check_PROGRAMS += %D%/conformance
%C%_conformance_SOURCES = %D%/conformance.c %D%/vectors.c %D%/vectors.h $(STREAM_SOURCES)
%C%_conformance_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D%
%C%_conformance_LDADD = lib/libspout-all.la

# The vectors and their README.
EXTRA_DIST += tests/conformance
