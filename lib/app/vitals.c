/* SPDX-License-Identifier: MIT */
/* Vital signs of a worker: see vitals.h. */
#include "config.h"

#include "app/vitals.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stats.h"

#define PARTS_PER_MILLION 1000000u

static uint64_t
cpu_time_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* proc(5): the second number of statm is the resident set, in pages. */
static uint64_t
resident_bytes(void)
{
	char text[128], *end;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	strtoull(text, &end, 10);
	return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Of a listening socket tcpi_unacked is the length of its queue, as tcp_diag
 * says, too. */
static uint64_t
accept_queue(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0; /* not TCP */
	return info.tcpi_unacked;
}

static uint64_t
all_accept_queues(const struct spout__worker *worker)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < worker->listeners->n; i++)
		sum += accept_queue(
		    spout__listener_fd(&worker->listeners->items[i], worker->slot));
	return sum;
}

static uint64_t
loop_busy_us(void)
{
	return atomic_load_explicit(
	    &spout__stats->histograms[SPOUT__H_LOOP_TURN_US].sum, memory_order_relaxed);
}

void
spout__vitals_take(
    struct spout__vitals *vitals, const struct spout__worker *worker, uint64_t lag_us)
{
	struct spout__vitals now = { .at_us = spout__clock_ns() / 1000u,
		.busy_us = loop_busy_us(),
		.cpu_us = cpu_time_us() };

	spout__gauge_set(SPOUT__G_LOOP_LAG_US, lag_us);
	spout__gauge_set(SPOUT__G_RESIDENT_BYTES, resident_bytes());
	spout__gauge_set(SPOUT__G_ACCEPT_QUEUE, all_accept_queues(worker));
	spout__count(SPOUT__C_CPU_US, now.cpu_us - vitals->cpu_us);
	if (vitals->at_us != 0 && now.at_us > vitals->at_us)
		spout__gauge_set(SPOUT__G_LOOP_BUSY_PPM,
		    (now.busy_us - vitals->busy_us) * PARTS_PER_MILLION /
			(now.at_us - vitals->at_us));
	*vitals = now;
}
