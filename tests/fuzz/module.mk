# SPDX-License-Identifier: MIT
# Fuzz targets. Each is built twice: as a replay program that make check runs over the
# stored inputs, and with --enable-fuzz against libFuzzer. README.md tells how to run
# them.
FUZZ_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/conformance
FUZZ_REQUEST_SOURCES = tests/fuzz/fuzz_request.c tests/fuzz/fuzz.h $(STREAM_SOURCES)
FUZZ_LIBS = lib/libspout-all.la $(HTTP_PARSER_LIBS)

check_PROGRAMS += %D%/replay_request
%C%_replay_request_SOURCES = %D%/replay.c $(FUZZ_REQUEST_SOURCES)
%C%_replay_request_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_replay_request_LDADD = $(FUZZ_LIBS)

if FUZZ
noinst_PROGRAMS += %D%/fuzz_request
%C%_fuzz_request_SOURCES = $(FUZZ_REQUEST_SOURCES)
%C%_fuzz_request_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_fuzz_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_request_LDADD = $(FUZZ_LIBS)
endif

EXTRA_DIST += %D%/README.md %D%/request.dict %D%/corpus %D%/regressions
