/* SPDX-License-Identifier: MIT */
/*
 * One worker more, one less (SIGTTIN, SIGTTOU), with real processes and clients; and the
 * steering of connections that it stands on.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/steer.h"
#include "base/stats.h"
#include "supervisor_help.h"

/* --- steering -------------------------------------------------------------------- */

#define GROUP 4
#define CLIENTS 40

static struct spout__listeners group;

static void
open_group(void)
{
	const struct spout__listen_spec spec = { .text = "127.0.0.1:0" };
	char why[SPOUT__WHY];

	CU_ASSERT_EQUAL_FATAL(spout__listeners_open(&group, &spec, 1, GROUP, why), 0);
}

/* Connect CLIENTS times; how many each member got. */
static void
spread(unsigned got[GROUP + 1])
{
	struct spout__listen_address *to = &group.items->address;
	unsigned i;

	memset(got, 0, (GROUP + 1) * sizeof(got[0]));
	for (i = 0; i < CLIENTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&to->addr, to->len), 0);
		close(fd);
	}
	for (i = 0; i < group.items->n_fds; i++) {
		int fd;

		while ((fd = accept4(group.items->fds[i], NULL, NULL, SOCK_CLOEXEC)) >=
		    0) {
			close(fd);
			got[i]++;
		}
	}
}

static void
steered_connections_reach_the_members_named(void)
{
	const uint16_t some[] = { 1, 3 }, one[] = { 2 };
	unsigned got[GROUP + 1];

	open_group();
	CU_ASSERT_EQUAL(spout__steer(group.items->fds[0], some, 2), 0);
	spread(got);
	CU_ASSERT_EQUAL(got[1] + got[3], CLIENTS);
	CU_ASSERT(got[1] > 0 && got[3] > 0);
	CU_ASSERT_EQUAL(spout__steer(group.items->fds[3], one, 1), 0);
	spread(got);
	CU_ASSERT_EQUAL(got[2], CLIENTS);
	CU_ASSERT_EQUAL(spout__steer_first(group.items->fds[1], 2), 0);
	spread(got);
	CU_ASSERT_EQUAL(got[0] + got[1], CLIENTS);
	CU_ASSERT(got[0] > 0 && got[1] > 0);
	spout__listeners_close(&group);
}

static void
steering_has_its_limits(void)
{
	uint16_t members[SPOUT__STEER_MAX + 1] = { 0 };
	int fd;

	open_group();
	fd = group.items->fds[0];
	CU_ASSERT_EQUAL(spout__steer(fd, members, 0), -EINVAL);
	CU_ASSERT_EQUAL(spout__steer(fd, members, SPOUT__STEER_MAX), 0);
	CU_ASSERT_EQUAL(spout__steer(fd, members, SPOUT__STEER_MAX + 1), -EINVAL);
	CU_ASSERT_EQUAL(spout__steer_first(fd, 0), -EINVAL);
	spout__listeners_close(&group);
}

static void
group_grows_by_a_socket_that_waits_for_its_turn(void)
{
	unsigned got[GROUP + 1];
	char why[SPOUT__WHY];

	open_group();
	CU_ASSERT_EQUAL_FATAL(spout__listeners_grow(&group, why), 0);
	CU_ASSERT_EQUAL(group.items->n_fds, GROUP + 1);
	spread(got);
	CU_ASSERT_EQUAL(got[GROUP], 0);
	spout__listeners_steer(&group, GROUP + 1);
	spread(got);
	CU_ASSERT_EQUAL(
	    got[0] + got[1] + got[2] + got[3] + got[GROUP], CLIENTS);
	spout__listeners_steer(&group, GROUP);
	CU_ASSERT_FALSE(spout__listeners_last_has_queue(&group));
	spout__listeners_shrink(&group);
	spread(got);
	CU_ASSERT_EQUAL(got[0] + got[1] + got[2] + got[3], CLIENTS);
	spout__listeners_close(&group);
}

static void
growing_that_fails_changes_nothing(void)
{
	const struct spout__listen_spec specs[] = { { .text = "127.0.0.1:0" },
		{ .text = "127.0.0.1:65534", .mode = SPOUT__LISTEN_PORTS } };
	struct spout__listeners ls;
	char why[SPOUT__WHY];

	if (spout__listeners_open(&ls, specs, 2, 2, why) < 0)
		return; /* somebody has one of the two ports */
	CU_ASSERT_EQUAL(spout__listeners_grow(&ls, why), -ERANGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "past 65535"));
	CU_ASSERT_EQUAL(ls.n_slots, 2);
	CU_ASSERT_EQUAL(ls.items[0].n_fds, 2);
	CU_ASSERT_EQUAL(ls.items[1].n_fds, 2);
	spout__listeners_close(&ls);
}

static const struct unit_test steer_tests[] = {
	UNIT_TEST(steered_connections_reach_the_members_named),
	UNIT_TEST(steering_has_its_limits),
	UNIT_TEST(group_grows_by_a_socket_that_waits_for_its_turn),
	UNIT_TEST(growing_that_fails_changes_nothing),
	UNIT_END,
};

/* --- scaling --------------------------------------------------------------------- */

static void
start_scalable(int (*worker)(const struct spout__worker *), unsigned n)
{
	start((struct spout__supervisor_options){ .worker_main = worker,
	    .n_workers = n,
	    .max_workers = 4,
	    .steer_ms = 50 });
	CU_ASSERT_FATAL(eventually(board->serving));
}

/* Ask until this slot answers: connections are spread by chance. */
static bool
is_reached(int slot)
{
	uint64_t until = spout__clock_ms() + PATIENCE_MS;

	while (spout__clock_ms() < until)
		if (answer(connect_and_ask()) == slot)
			return true;
	return false;
}

static void
added_worker_gets_connections(void)
{
	start_scalable(serve, 1);
	kill(supervisor, SIGTTIN);
	CU_ASSERT_FATAL(eventually(says("scale: 2 workers now")));
	CU_ASSERT(is_reached(1));
	CU_ASSERT(is_reached(0));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static int
last_boots_when_told(const struct spout__worker *w)
{
	shared->n_starts++;
	while (w->slot == 1 && !shared->go)
		poll(NULL, 0, 2);
	return serve(w);
}

static void
added_worker_gets_none_while_it_boots(void)
{
	int i;

	start_scalable(last_boots_when_told, 1);
	kill(supervisor, SIGTTIN);
	CU_ASSERT_FATAL(eventually(shared->n_starts == 2));
	for (i = 0; i < CLIENTS; i++)
		CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	shared->go = 1;
	CU_ASSERT(is_reached(1));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
worker_leaves_without_losing_a_client(void)
{
	uint64_t until = spout__clock_ms() + PATIENCE_MS;
	int i;

	start_scalable(serve, 3);
	kill(supervisor, SIGTTOU);
	kill(supervisor, SIGTTOU); /* may fold into one signal */
	while (!says("scale: 2 workers now") && spout__clock_ms() < until)
		CU_ASSERT(answer(connect_and_ask()) >= 0);
	CU_ASSERT(eventually(board->n_workers <= 2));
	for (i = 0; i < CLIENTS; i++)
		CU_ASSERT(answer(connect_and_ask()) < 2);
	CU_ASSERT_EQUAL(board->slots[2].state, SPOUT__WORKER_STOPPED);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

/* Accepts nothing before it is told to leave: all its clients are in the queue then. */
static int
answer_at_the_end(const struct spout__worker *w)
{
	struct spout__control_message m;

	if (w->slot == 0 || w->generation > 1)
		return serve(w);
	spout__worker_ready(w);
	while (spout__control_receive(w->control, &m) != 1) {
		spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
		poll(NULL, 0, 5);
	}
	if (shared->go)
		return 7; /* the next one answers */
	accept_queued(w);
	return 0;
}

static void
queue_of_the_one_that_leaves_is_answered(uint32_t dies)
{
	int fds[CLIENTS], i, of_the_last = 0;

	start_scalable(answer_at_the_end, 2);
	shared->go = dies;
	for (i = 0; i < CLIENTS; i++)
		fds[i] = connect_and_ask();
	kill(supervisor, SIGTTOU);
	for (i = 0; i < CLIENTS; i++) {
		int from = answer(fds[i]);

		CU_ASSERT(from >= 0);
		of_the_last += from == 1;
	}
	CU_ASSERT(of_the_last > 0);
	CU_ASSERT(eventually(says("scale: 1 workers now")));
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
worker_that_leaves_answers_its_queue(void)
{
	queue_of_the_one_that_leaves_is_answered(0);
}

static void
worker_that_dies_while_it_leaves_is_replaced_for_its_queue(void)
{
	queue_of_the_one_that_leaves_is_answered(1);
}

static void
number_of_workers_has_its_limits(void)
{
	start_scalable(serve, 1);
	kill(supervisor, SIGTTOU);
	CU_ASSERT(eventually(says("scale: 0 workers are not possible, but 1 to 4")));
	for (int n = 2; n <= 5; n++) {
		kill(supervisor, SIGTTIN);
		CU_ASSERT(eventually(board->n_workers == (unsigned)n ||
		    says("scale: 5 workers are not possible")));
	}
	CU_ASSERT(answer(connect_and_ask()) >= 0);
	CU_ASSERT_EQUAL(board->n_workers, 4);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static int
second_cannot_start(const struct spout__worker *w)
{
	if (w->slot == 1) {
		spout__worker_boot_failed(w, "no room");
		return 1;
	}
	return serve(w);
}

static void
worker_that_cannot_start_is_given_up(void)
{
	int i;

	start_scalable(second_cannot_start, 1);
	kill(supervisor, SIGTTIN);
	CU_ASSERT(eventually(says("scale: 1 workers go on: the new one could not start: "
				  "no room")));
	for (i = 0; i < CLIENTS; i++)
		CU_ASSERT_EQUAL(answer(connect_and_ask()), 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static int
ask_for_three(const struct spout__worker *w)
{
	if (w->slot == 0 && w->generation == 1)
		CU_ASSERT_EQUAL(spout__worker_ask_scale(w, 3), 0);
	return serve(w);
}

static void
worker_asks_for_a_number_and_a_reload_replaces_them_all(void)
{
	start_scalable(ask_for_three, 1);
	CU_ASSERT_FATAL(eventually(says("scale: 3 workers now")));
	kill(supervisor, SIGHUP);
	kill(supervisor, SIGTTOU); /* after it, or before it */
	CU_ASSERT(eventually(says("reload: done") && board->n_workers == 2));
	CU_ASSERT(ready(0, 2) && ready(1, 2));
	CU_ASSERT(answer(connect_and_ask()) >= 0);
	CU_ASSERT_EQUAL(stop_and_finish(), 0);
}

static void
stop_while_scaling_wins(void)
{
	start_scalable(last_boots_when_told, 1);
	kill(supervisor, SIGTTIN);
	CU_ASSERT_FATAL(eventually(shared->n_starts == 2));
	kill(supervisor, SIGTERM);
	CU_ASSERT(eventually(board->stopping));
	shared->go = 1;
	CU_ASSERT_EQUAL(finish(), 0);
	CU_ASSERT_EQUAL(strstr(log_text, "workers now"), NULL);
}

static const struct unit_test scale_tests[] = {
	UNIT_TEST(added_worker_gets_connections),
	UNIT_TEST(added_worker_gets_none_while_it_boots),
	UNIT_TEST(worker_leaves_without_losing_a_client),
	UNIT_TEST(worker_that_leaves_answers_its_queue),
	UNIT_TEST(worker_that_dies_while_it_leaves_is_replaced_for_its_queue),
	UNIT_TEST(number_of_workers_has_its_limits),
	UNIT_TEST(worker_that_cannot_start_is_given_up),
	UNIT_TEST(worker_asks_for_a_number_and_a_reload_replaces_them_all),
	UNIT_TEST(stop_while_scaling_wins),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "steering", steer_tests },
		{ "supervisor scale", scale_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
