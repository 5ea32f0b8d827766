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

check_PROGRAMS += %D%/replay_multipart
%C%_replay_multipart_SOURCES = %D%/replay.c %D%/fuzz_multipart.c %D%/fuzz.h
%C%_replay_multipart_LDADD = lib/libspout-all.la
FUZZ_TEMPLATE_SOURCES = tests/fuzz/fuzz_template.c tests/fuzz/fuzz.h
check_PROGRAMS += %D%/replay_template
%C%_replay_template_SOURCES = %D%/replay.c $(FUZZ_TEMPLATE_SOURCES)
%C%_replay_template_LDADD = lib/libspout-all.la $(JANSSON_LIBS)

FUZZ_LINKS_SOURCES = tests/fuzz/fuzz_links.c tests/fuzz/fuzz.h \
	src/examples/links.c src/examples/links.h
check_PROGRAMS += %D%/replay_links
%C%_replay_links_SOURCES = %D%/replay.c $(FUZZ_LINKS_SOURCES)
%C%_replay_links_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src
FUZZ_COOKIE_SOURCES = tests/fuzz/fuzz_cookie.c tests/fuzz/fuzz.h
check_PROGRAMS += %D%/replay_cookie
%C%_replay_cookie_SOURCES = %D%/replay.c $(FUZZ_COOKIE_SOURCES)
%C%_replay_cookie_LDADD = $(FUZZ_LIBS)

FUZZ_ANSWER_SOURCES = tests/fuzz/fuzz_answer.c tests/fuzz/fuzz.h
check_PROGRAMS += %D%/replay_answer
%C%_replay_answer_SOURCES = %D%/replay.c $(FUZZ_ANSWER_SOURCES)
%C%_replay_answer_LDADD = $(FUZZ_LIBS)

FUZZ_FORWARDED_SOURCES = tests/fuzz/fuzz_forwarded.c tests/fuzz/fuzz.h
check_PROGRAMS += %D%/replay_forwarded
%C%_replay_forwarded_SOURCES = %D%/replay.c $(FUZZ_FORWARDED_SOURCES)
%C%_replay_forwarded_LDADD = $(FUZZ_LIBS)

FUZZ_PROXY_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/fuzz.h
check_PROGRAMS += %D%/replay_proxy
%C%_replay_proxy_SOURCES = %D%/replay.c $(FUZZ_PROXY_SOURCES)
%C%_replay_proxy_LDADD = $(FUZZ_LIBS)

FUZZ_TOPIC_SOURCES = tests/fuzz/fuzz_topic.c tests/fuzz/fuzz.h
check_PROGRAMS += %D%/replay_topic
%C%_replay_topic_SOURCES = %D%/replay.c $(FUZZ_TOPIC_SOURCES)
%C%_replay_topic_LDADD = $(FUZZ_LIBS)

if FUZZ
noinst_PROGRAMS += %D%/fuzz_topic
%C%_fuzz_topic_SOURCES = $(FUZZ_TOPIC_SOURCES)
%C%_fuzz_topic_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_topic_LDADD = $(FUZZ_LIBS)
noinst_PROGRAMS += %D%/fuzz_proxy
%C%_fuzz_proxy_SOURCES = $(FUZZ_PROXY_SOURCES)
%C%_fuzz_proxy_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_proxy_LDADD = $(FUZZ_LIBS)
noinst_PROGRAMS += %D%/fuzz_answer
%C%_fuzz_answer_SOURCES = $(FUZZ_ANSWER_SOURCES)
%C%_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_answer_LDADD = $(FUZZ_LIBS)

noinst_PROGRAMS += %D%/fuzz_forwarded
%C%_fuzz_forwarded_SOURCES = $(FUZZ_FORWARDED_SOURCES)
%C%_fuzz_forwarded_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_forwarded_LDADD = $(FUZZ_LIBS)

noinst_PROGRAMS += %D%/fuzz_cookie
%C%_fuzz_cookie_SOURCES = $(FUZZ_COOKIE_SOURCES)
%C%_fuzz_cookie_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_cookie_LDADD = $(FUZZ_LIBS)

noinst_PROGRAMS += %D%/fuzz_request
%C%_fuzz_request_SOURCES = $(FUZZ_REQUEST_SOURCES)
%C%_fuzz_request_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_fuzz_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_request_LDADD = $(FUZZ_LIBS)

noinst_PROGRAMS += %D%/fuzz_template
%C%_fuzz_template_SOURCES = $(FUZZ_TEMPLATE_SOURCES)
%C%_fuzz_template_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_template_LDADD = lib/libspout-all.la $(JANSSON_LIBS)
endif

check_PROGRAMS += %D%/replay_condition
%C%_replay_condition_SOURCES = %D%/replay.c %D%/fuzz_condition.c %D%/fuzz.h
%C%_replay_condition_LDADD = lib/libspout-all.la

if FUZZ
noinst_PROGRAMS += %D%/fuzz_condition
%C%_fuzz_condition_SOURCES = %D%/fuzz_condition.c %D%/fuzz.h
%C%_fuzz_condition_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_condition_LDADD = lib/libspout-all.la
endif

if FUZZ
noinst_PROGRAMS += %D%/fuzz_multipart
%C%_fuzz_multipart_SOURCES = %D%/fuzz_multipart.c %D%/fuzz.h
%C%_fuzz_multipart_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_multipart_LDADD = lib/libspout-all.la
endif

if FUZZ
noinst_PROGRAMS += %D%/fuzz_links
%C%_fuzz_links_SOURCES = $(FUZZ_LINKS_SOURCES)
%C%_fuzz_links_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src
%C%_fuzz_links_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

EXTRA_DIST += %D%/README.md %D%/corpus %D%/regressions \
	%D%/answer.dict \
	%D%/condition.dict \
	%D%/cookie.dict \
	%D%/deflate.dict \
	%D%/forwarded.dict \
	%D%/frames.dict \
	%D%/links.dict \
	%D%/multipart.dict \
	%D%/proxy.dict \
	%D%/request.dict \
	%D%/template.dict

FUZZ_FRAMES_SOURCES = tests/fuzz/fuzz_frames.c tests/fuzz/fuzz.h $(FRAMES_SOURCES)
check_PROGRAMS += %D%/replay_frames
%C%_replay_frames_SOURCES = %D%/replay.c $(FUZZ_FRAMES_SOURCES)
%C%_replay_frames_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_replay_frames_LDADD = $(FUZZ_LIBS)

if FUZZ
noinst_PROGRAMS += %D%/fuzz_frames
%C%_fuzz_frames_SOURCES = $(FUZZ_FRAMES_SOURCES)
%C%_fuzz_frames_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_fuzz_frames_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_frames_LDADD = $(FUZZ_LIBS)
endif

FUZZ_DEFLATE_SOURCES = tests/fuzz/fuzz_deflate.c tests/fuzz/fuzz.h $(FRAMES_SOURCES)
check_PROGRAMS += %D%/replay_deflate
%C%_replay_deflate_SOURCES = %D%/replay.c $(FUZZ_DEFLATE_SOURCES)
%C%_replay_deflate_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_replay_deflate_LDADD = $(FUZZ_LIBS)

if FUZZ
noinst_PROGRAMS += %D%/fuzz_deflate
%C%_fuzz_deflate_SOURCES = $(FUZZ_DEFLATE_SOURCES)
%C%_fuzz_deflate_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_fuzz_deflate_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_deflate_LDADD = $(FUZZ_LIBS)
endif
