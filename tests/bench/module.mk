# SPDX-License-Identifier: MIT
# Benchmarks: built with everything, never run by make check.
dist_noinst_SCRIPTS += %D%/operations

noinst_PROGRAMS += tests/bench/executor
tests_bench_executor_SOURCES = %D%/bench.c %D%/bench.h %D%/executor.c \
	%D%/pingpong.c %D%/pingpong.h
tests_bench_executor_LDADD = lib/libspout-all.la

noinst_PROGRAMS += tests/bench/floor tests/bench/load
tests_bench_floor_SOURCES = %D%/floor.c
tests_bench_floor_LDADD = $(EVENT_LIBS)
tests_bench_load_SOURCES = %D%/load.c
noinst_PROGRAMS += tests/bench/copy
tests_bench_copy_SOURCES = %D%/copy.c
tests_bench_copy_LDADD = lib/libspout-all.la
dist_noinst_SCRIPTS += %D%/pg_stream
dist_noinst_SCRIPTS += %D%/http %D%/fetch %D%/latency %D%/pg
dist_noinst_SCRIPTS += %D%/http %D%/latency %D%/pg
noinst_PROGRAMS += tests/bench/render
tests_bench_render_SOURCES = %D%/render.c %D%/bench.c %D%/bench.h
tests_bench_render_LDADD = lib/libspout-all.la $(JANSSON_LIBS)
dist_noinst_SCRIPTS += %D%/template
dist_noinst_SCRIPTS += %D%/http %D%/latency
dist_noinst_SCRIPTS += %D%/http %D%/latency %D%/pg %D%/static
EXTRA_DIST += %D%/peers.py
noinst_PROGRAMS += tests/bench/wsload
tests_bench_wsload_SOURCES = %D%/wsload.c
dist_noinst_SCRIPTS += %D%/websocket
noinst_PROGRAMS += tests/bench/wsfan
tests_bench_wsfan_SOURCES = %D%/wsfan.c
tests_bench_wsfan_LDADD = lib/libspout-all.la
