/* SPDX-License-Identifier: MIT */
/* The streams that the supervisor makes between its workers. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/loop.h>

#include "base/clock.h"
#include "base/stats.h"
#include "supervisor_help.h"

#define PEERS_MAX 8

/* A worker writes its birth into each stream as it comes, and adds up what it reads:
 * in its count of requests what was read, in that of connections how many are open. */
struct peers {
	int fds[PEERS_MAX];
	unsigned n;
	bool peered;
};

static void
read_peers(struct peers *peers)
{
	unsigned char birth;

	for (unsigned i = 0; i < peers->n; i++) {
		ssize_t n = peers->fds[i] < 0 ? -1 : read(peers->fds[i], &birth, 1);

		if (n == 1)
			spout__count(SPOUT__C_REQUESTS, birth);
		if (n != 0)
			continue;
		close(peers->fds[i]);
		peers->fds[i] = -1;
		spout__gauge_add(SPOUT__G_CONNECTIONS_OPEN, -1);
	}
}

/* 0: told to end. */
static int
obey(const struct spout__worker *w, struct peers *peers)
{
	struct spout__control_message m;
	unsigned char birth = (unsigned char)w->birth;

	while (spout__control_receive(w->control, &m) == 1) {
		if (m.kind == SPOUT__CONTROL_PEERED) {
			peers->peered = true;
			spout__worker_ready(w);
		} else if (m.kind == SPOUT__CONTROL_DRAIN ||
		    m.kind == SPOUT__CONTROL_STOP || m.kind == SPOUT__CONTROL_RETIRE) {
			return 0;
		} else if (m.kind == SPOUT__CONTROL_PEER && m.fd >= 0 &&
		    peers->n < PEERS_MAX && write(m.fd, &birth, 1) == 1) {
			peers->fds[peers->n++] = m.fd;
			spout__gauge_add(SPOUT__G_CONNECTIONS_OPEN, 1);
		}
	}
	return 1;
}

static int
chat(const struct spout__worker *w)
{
	struct peers peers = { .n = 0 };

	note_start(w);
	while (obey(w, &peers) != 0) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		read_peers(&peers);
		poll(NULL, 0, 5);
	}
	return 0;
}

/* Do the figures of all places say so? Any order, for places change. */
static bool
figures_are(const unsigned heard[4], uint64_t open)
{
	uint64_t sum = 0, expected = 0, links = 0;

	for (unsigned i = 0; i < 4; i++) {
		sum += board->slots[i].stats.counters[SPOUT__C_REQUESTS];
		links += board->slots[i].stats.gauges[SPOUT__G_CONNECTIONS_OPEN];
		expected += heard[i];
	}
	return sum == expected && links == open;
}

static void
start_chatting(void)
{
	start((struct spout__supervisor_options){
	    .n_workers = 3, .worker_main = chat, .peers = true, .backoff_min_ms = 1 });
	CU_ASSERT_FATAL(eventually(board->serving));
	CU_ASSERT_FATAL(eventually(figures_are((unsigned[]){ 5, 4, 3, 0 }, 6)));
}

static void
each_worker_has_a_stream_to_each_other(void)
{
	start_chatting();
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
a_worker_that_is_replaced_gets_new_ones(void)
{
	start_chatting();
	kill((pid_t)board->slots[1].pid, SIGKILL);
	CU_ASSERT_FATAL(eventually(ready(1, 2)));
	/* The new one, the fourth, hears 1 and 3, and both hear 4. */
	CU_ASSERT(eventually(figures_are((unsigned[]){ 5 + 4, 4 + 4, 3 + 4, 0 }, 6)));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
in_a_reload_the_old_and_the_new_are_connected(void)
{
	start_chatting();
	kill(supervisor, SIGHUP);
	CU_ASSERT_FATAL(eventually(says("reload: done")));
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(ready(i, 2));
	CU_ASSERT(eventually(board->slots[0].stats.gauges[SPOUT__G_CONNECTIONS_OPEN] +
		board->slots[1].stats.gauges[SPOUT__G_CONNECTIONS_OPEN] +
		board->slots[2].stats.gauges[SPOUT__G_CONNECTIONS_OPEN] +
		board->slots[3].stats.gauges[SPOUT__G_CONNECTIONS_OPEN] == 6));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

int
main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(each_worker_has_a_stream_to_each_other),
		UNIT_TEST(a_worker_that_is_replaced_gets_new_ones),
		UNIT_TEST(in_a_reload_the_old_and_the_new_are_connected),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "peers", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
