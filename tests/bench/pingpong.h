/* SPDX-License-Identifier: MIT */
/*
 * The peer of the executor's benchmark: what anybody would write by hand. One thread
 * takes pings from a queue (mutex, condition), puts them on another (mutex) and writes an
 * eventfd for each; the other side waits in epoll, reads the eventfd, takes what is
 * there.
 */
#ifndef SPOUT_TESTS_BENCH_PINGPONG_H
#define SPOUT_TESTS_BENCH_PINGPONG_H

#include <stddef.h>
#include <stdint.h>

/* Keep `outstanding` pings under way until `n` are done; the time of each in `ret_ns`. */
int pingpong_run(size_t outstanding, size_t n, uint64_t *ret_ns);

#endif
