# SPDX-License-Identifier: MIT
# Readable pairs of input bytes and expected outcome, over the strict layer.
STREAM_SOURCES = tests/conformance/stream.c tests/conformance/stream.h

check_PROGRAMS += %D%/conformance
%C%_conformance_SOURCES = %D%/conformance.c %D%/vectors.c %D%/vectors.h $(STREAM_SOURCES)
%C%_conformance_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D%
%C%_conformance_LDADD = lib/libspout-all.la

FRAMES_SOURCES = tests/conformance/frames.c tests/conformance/frames.h \
	$(STREAM_SOURCES)
check_PROGRAMS += %D%/websocket-vectors
%C%_websocket_vectors_SOURCES = %D%/websocket.c %D%/vectors.c %D%/vectors.h \
	$(FRAMES_SOURCES)
%C%_websocket_vectors_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D%
%C%_websocket_vectors_LDADD = lib/libspout-all.la

EXTRA_DIST += \
	%D%/websocket \
	%D%/README.md \
	%D%/rfc6585-limits.txt \
	%D%/rfc9110-10-expect.txt \
	%D%/rfc9110-5-field-values.txt \
	%D%/rfc9110-7-host.txt \
	%D%/rfc9110-9-methods.txt \
	%D%/rfc9112-2-message.txt \
	%D%/rfc9112-3-request-line.txt \
	%D%/rfc9112-5-fields.txt \
	%D%/rfc9112-6-framing.txt \
	%D%/rfc9112-7-chunked.txt \
	%D%/rfc9112-9-connection.txt \
	%D%/xss.json
