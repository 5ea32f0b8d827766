/* SPDX-License-Identifier: MIT */
/* LISTEN and NOTIFY: subscriptions, their queues, and a connection that gets lost. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spout/spout.h>

#include "async/async.h"
#include "pg/listen.h"
#include "pg_help.h"

#define LONG_MS 20000 /* a hang guard */

/* Patient: the machine may have much else to do. */
static const struct setup usual = { .threads = 2,
	.options = { .acquire_ms = 30000, .connect_ms = 30000 } };

#define LISTEN_TEST(name, body) \
	static void name(void) \
	{ \
		with_pool(&usual, body); \
	}

static struct spout__pg_listener *
listener(void)
{
	return spout__pg_of(loop)->listener;
}

/* The next event, which has to be of that kind. */
static const struct spout_pg_event *
expect(struct spout_pg_subscription *s, enum spout_pg_event_kind kind)
{
	static const struct spout_pg_event none = { .channel = "", .payload = "none" };
	const struct spout_pg_event *event = spout_try_pg_next_event(s, LONG_MS);

	CU_ASSERT_PTR_NOT_NULL(event);
	if (event == NULL)
		return &none;
	CU_ASSERT_EQUAL(event->kind, kind);
	if (event->kind != kind)
		fprintf(stderr, "event %d instead of %d: %s\n", event->kind, kind,
		    event->payload);
	return event;
}

static void
expect_payload(struct spout_pg_subscription *s, const char *payload)
{
	CU_ASSERT_STRING_EQUAL(expect(s, SPOUT_PG_NOTIFICATION)->payload, payload);
}

static struct spout_pg_subscription *
heard(const char *channel)
{
	struct spout_pg_subscription *s = spout_pg_listen(channel);

	CU_ASSERT_STRING_EQUAL(expect(s, SPOUT_PG_LISTENING)->channel, channel);
	return s;
}

/* --- notifications ---------------------------------------------------------------- */

static void
plain(void *arg)
{
	struct spout_pg_subscription *s = spout_pg_listen("plain");
	const struct spout_pg_event *event;
	int pid;

	(void)arg;
	event = expect(s, SPOUT_PG_LISTENING);
	CU_ASSERT_STRING_EQUAL(event->channel, "plain");
	CU_ASSERT_STRING_EQUAL(event->payload, "");
	CU_ASSERT_EQUAL(event->pid, 0);
	spout_pg_notify("plain", "one");
	spout_pg_notify("other", "not for us");
	spout_pg_notify("plain", NULL);
	event = expect(s, SPOUT_PG_NOTIFICATION);
	CU_ASSERT_STRING_EQUAL(event->channel, "plain");
	CU_ASSERT_STRING_EQUAL(event->payload, "one");
	CU_ASSERT_EQUAL(event->len, 3);
	CU_ASSERT_TRUE(event->own);
	CU_ASSERT(event->pid > 0);
	expect_payload(s, "");
	pid = observe("SELECT pg_backend_pid() FROM pg_notify('plain', 'x')");
	event = expect(s, SPOUT_PG_NOTIFICATION);
	CU_ASSERT_FALSE(event->own);
	CU_ASSERT_EQUAL(event->pid, pid);
	CU_ASSERT_PTR_NULL(spout_try_pg_next_event(s, 0));
	CU_ASSERT_EQUAL(errno, ETIMEDOUT);
	CU_ASSERT_PTR_NULL(spout_try_pg_next_event(s, 5));
	CU_ASSERT_EQUAL(errno, ETIMEDOUT);
}
LISTEN_TEST(a_notification_reaches_who_listens, plain)

static void
names(void *arg)
{
	static const char *const good[] = { "a\"b", "\"", "UPPER", "lower", "sp ace; --",
		"'", "\xe2\x82\xac", "1", "back\\slash", "$1",
		"123456789012345678901234567890123456789012345678901234567890123" };
	static const char *const bad[] = { "", "\xff", "a\xc3",
		"1234567890123456789012345678901234567890123456789012345678901234" };
	struct spout_pg_subscription *s;
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		s = heard(good[i]);
		spout_pg_notify(good[i], good[i]);
		expect_payload(s, good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_PTR_NULL(spout_try_pg_listen(bad[i]));
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_PTR_NULL(spout_pg_listen_callback(bad[i], NULL, NULL));
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_EQUAL(spout_try_pg_notify(bad[i], "x"), -EINVAL);
	}
	CU_ASSERT_PTR_NULL(spout_try_pg_listen(NULL));
	CU_ASSERT_EQUAL(spout_try_pg_notify(NULL, "x"), -EINVAL);
}
LISTEN_TEST(any_name_of_63_bytes_is_a_channel, names)

static void
payloads(void *arg)
{
	struct spout_pg_subscription *s = heard("payloads");
	char text[8001];

	(void)arg;
	memset(text, 'x', sizeof(text));
	text[8000] = '\0';
	CU_ASSERT_EQUAL(spout_try_pg_notify("payloads", text), -EMSGSIZE);
	text[7999] = '\0';
	CU_ASSERT_EQUAL(spout_try_pg_notify("payloads", text), 0);
	CU_ASSERT_EQUAL(expect(s, SPOUT_PG_NOTIFICATION)->len, 7999);
	CU_ASSERT_EQUAL(spout_try_pg_notify("payloads", "\xe2\x82\xac \" ' \n"), 0);
	expect_payload(s, "\xe2\x82\xac \" ' \n");
}
LISTEN_TEST(a_payload_has_up_to_7999_bytes, payloads)

static void
many(void *arg)
{
	struct spout_pg_subscription *s[100];
	char name[30];
	int i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "channel %d", i);
		s[i] = spout_pg_listen(name);
	}
	for (i = 0; i < 100; i++)
		expect(s[i], SPOUT_PG_LISTENING);
	for (i = 0; i < 100; i += 2)
		spout_pg_unlisten(s[i]);
	wait_until(spout__list_empty(&listener()->asked) &&
	    spout__list_empty(&listener()->due) && !listener()->running);
	CU_ASSERT_EQUAL(listener()->n_subscriptions, 50);
	CU_ASSERT_EQUAL(
	    observe("SELECT count(pg_notify('channel ' || i, 'to ' || i)) "
		    "FROM generate_series(0, 99) i"),
	    100);
	for (i = 1; i < 100; i += 2) {
		snprintf(name, sizeof(name), "to %d", i);
		expect_payload(s[i], name);
	}
	CU_ASSERT_PTR_NULL(spout_try_pg_next_event(s[0], LONG_MS));
	CU_ASSERT_EQUAL(errno, ECANCELED);
	/* One that was left and is wanted again, at once and later. */
	spout_pg_unlisten(s[1]);
	s[1] = heard("channel 1");
	s[0] = heard("channel 0");
	spout_pg_notify("channel 0", "again");
	spout_pg_notify("channel 1", "again");
	expect_payload(s[0], "again");
	expect_payload(s[1], "again");
}
LISTEN_TEST(many_channels_share_one_connection, many)

static void
several(void *arg)
{
	struct spout_pg_subscription *a = heard("several"), *b = heard("several");

	(void)arg;
	spout_pg_notify("several", "both");
	expect_payload(a, "both");
	expect_payload(b, "both");
	spout_pg_unlisten(a);
	spout_pg_unlisten(a);
	spout_pg_notify("several", "b");
	expect_payload(b, "b");
}
LISTEN_TEST(several_subscriptions_share_a_channel, several)

/* --- queues ----------------------------------------------------------------------- */

static void
overflow(void *arg)
{
	struct spout_pg_subscription *s = spout_pg_listen("full", .max_events = 3),
				     *last = heard("full");
	char big[1000];
	int i;

	(void)arg;
	expect(s, SPOUT_PG_LISTENING);
	for (i = 0; i < 10; i++)
		spout_pg_notify("full", i % 2 == 0 ? "even" : "odd");
	for (i = 0; i < 10; i++)
		expect(last, SPOUT_PG_NOTIFICATION);
	expect_payload(s, "even");
	/* There is room, but nothing overtakes what was lost. */
	spout_pg_notify("full", "dropped");
	expect_payload(last, "dropped");
	expect_payload(s, "odd");
	expect_payload(s, "even");
	CU_ASSERT_EQUAL(expect(s, SPOUT_PG_OVERFLOW)->lost, 8);
	spout_pg_notify("full", "after");
	expect_payload(s, "after");
	spout_pg_unlisten(s);

	s = spout_pg_listen("full", .max_bytes = 1000);
	expect(s, SPOUT_PG_LISTENING);
	memset(big, 'x', sizeof(big));
	big[999] = '\0';
	spout_pg_notify("full", big);
	spout_pg_notify("full", "1");
	spout_pg_notify("full", "");
	CU_ASSERT_EQUAL(expect(s, SPOUT_PG_NOTIFICATION)->len, 999);
	expect_payload(s, "1");
	expect_payload(s, "");
	spout_pg_notify("full", big);
	spout_pg_notify("full", "12");
	for (i = 0; i < 6; i++)
		expect(last, SPOUT_PG_NOTIFICATION);
	CU_ASSERT_EQUAL(expect(s, SPOUT_PG_NOTIFICATION)->len, 999);
	CU_ASSERT_EQUAL(expect(s, SPOUT_PG_OVERFLOW)->lost, 1);
}
LISTEN_TEST(a_full_queue_says_how_much_was_lost, overflow)

static void
wait_for_ever(void *arg)
{
	struct spout_pg_subscription *s = spout_pg_listen("for ever");

	(void)arg;
	for (;;)
		spout_pg_next_event(s);
}

static void
cancelled(void *arg)
{
	struct ending ending, other;
	struct spout_coroutine *co = start(wait_for_ever, NULL, 0, &ending);

	(void)arg;
	wait_until(listener() != NULL && listener()->n_subscriptions == 1);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(listener()->n_subscriptions, 0);
	wait_until(spout__list_empty(&listener()->channels));
	start(wait_for_ever, NULL, 0, &ending);
	start(wait_for_ever, NULL, 30, &other);
	wait_until(other.gone);
	CU_ASSERT_EQUAL(other.error, -ETIMEDOUT);
	/* The end of the pool sends the other one off. */
	CU_ASSERT_EQUAL(spout__pg_stop(loop, 5000), 0);
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -ECANCELED);
	CU_ASSERT_PTR_NULL(spout_try_pg_listen("too late"));
	CU_ASSERT_EQUAL(errno, ECANCELED);
}
LISTEN_TEST(who_waits_for_events_can_be_cancelled, cancelled)

/* --- callbacks -------------------------------------------------------------------- */

static struct {
	struct spout_pg_subscription *a, *b, *c, *d;
	int n_a, n_b, n_c, n_d, n_gaps;
} called;

static void
on_event_d(const struct spout_pg_event *event, void *arg)
{
	(void)arg;
	called.n_d++;
	called.n_gaps += event->kind == SPOUT_PG_GAP;
}

/* Ends itself and its neighbour, and makes a new one. */
static void
on_event_a(const struct spout_pg_event *event, void *arg)
{
	CU_ASSERT_PTR_EQUAL(arg, &called);
	called.n_a++;
	if (event->kind != SPOUT_PG_NOTIFICATION)
		return;
	spout_pg_unlisten(called.a);
	spout_pg_unlisten(called.b);
	called.d = spout_pg_listen_callback("called", on_event_d, NULL);
	CU_ASSERT_STRING_EQUAL(event->payload, "go");
}

static void
on_event_b(const struct spout_pg_event *event, void *arg)
{
	(void)event;
	(void)arg;
	called.n_b++;
}

static void
on_event_c(const struct spout_pg_event *event, void *arg)
{
	(void)arg;
	called.n_c += event->kind == SPOUT_PG_NOTIFICATION;
}

static void
callbacks(void *arg)
{
	(void)arg;
	memset(&called, 0, sizeof(called));
	called.a = spout_pg_listen_callback("called", on_event_a, &called);
	called.b = spout_pg_listen_callback("called", on_event_b, NULL);
	called.c = spout_pg_listen_callback("called", on_event_c, NULL);
	CU_ASSERT_EQUAL(called.n_a, 0);
	wait_until(called.n_a == 1 && called.n_b == 1);
	spout_pg_notify("called", "go");
	wait_until(called.n_c == 1 && called.n_d == 1);
	CU_ASSERT_EQUAL(called.n_a, 2);
	CU_ASSERT_EQUAL(called.n_b, 1);
	spout_pg_notify("called", "more");
	wait_until(called.n_c == 2 && called.n_d == 2);
	spout_pg_unlisten(called.c);
	spout_pg_unlisten(called.d);
	spout_pg_unlisten(NULL);
	/* The only one of its channel ends itself. */
	called.b = spout_pg_listen_callback("alone", on_event_b, NULL);
	called.a = spout_pg_listen_callback("alone", on_event_a, &called);
	wait_until(called.n_a == 3);
	spout_pg_notify("alone", "go");
	wait_until(called.n_a == 4 && called.n_d == 3);
	/* `d` is left to the end of the pool. */
}
LISTEN_TEST(callbacks_come_and_go_while_they_are_called, callbacks)

/* --- a connection that is lost ---------------------------------------------------- */

static void
terminate(int pid)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)::int", pid);
	CU_ASSERT_EQUAL(observe(sql), 1);
}

static void
terminated(void *arg)
{
	struct spout_pg_subscription *a = heard("a"), *b = heard("b"), *late;
	uint64_t losses = counter(SPOUT__C_PG_LISTEN_LOSSES), i;

	(void)arg;
	for (i = 1; i <= 3; i++) {
		terminate(listener()->conn.backend_pid);
		expect(a, SPOUT_PG_GAP);
		expect(b, SPOUT_PG_GAP);
		CU_ASSERT_EQUAL(counter(SPOUT__C_PG_LISTEN_LOSSES) - losses, i);
		spout_pg_notify("a", "again");
		expect_payload(a, "again");
	}
	/* Who comes while it is lost has missed nothing. */
	terminate(listener()->conn.backend_pid);
	wait_until(listener()->state != SPOUT__LISTENER_READY);
	late = spout_pg_listen("b");
	expect(late, SPOUT_PG_LISTENING);
	expect(b, SPOUT_PG_GAP);
	/* And who leaves meanwhile is forgotten. */
	terminate(listener()->conn.backend_pid);
	wait_until(listener()->state != SPOUT__LISTENER_READY);
	spout_pg_unlisten(a);
	spout_pg_unlisten(late);
	expect(b, SPOUT_PG_GAP);
	CU_ASSERT_EQUAL(listener()->n_subscriptions, 1);
	spout_pg_notify("b", "still");
	expect_payload(b, "still");
}
LISTEN_TEST(a_lost_connection_comes_back_with_a_gap, terminated)

/* On a slow machine the connection may be given up again meanwhile. */
static void
until_notified(struct spout_pg_subscription *s, const char *channel)
{
	const struct spout_pg_event *event;
	int tries = 0;

	do {
		event = NULL;
		if (spout_try_pg_notify(channel, "x") == 0)
			event = spout_try_pg_next_event(s, 200);
		else
			spout_sleep(100);
	} while ((event == NULL || event->kind != SPOUT_PG_NOTIFICATION) &&
	    ++tries < 100);
	CU_ASSERT(tries < 100);
}

static void
restart(void *arg)
{
	struct spout_pg_subscription *s = heard("restart");

	(void)arg;
	cluster_down();
	wait_until(listener()->state != SPOUT__LISTENER_READY);
	CU_ASSERT_PTR_NULL(spout_try_pg_next_event(s, 50));
	cluster_up();
	expect(s, SPOUT_PG_GAP);
	until_notified(s, "restart");
}
LISTEN_TEST(a_restart_of_the_server_is_a_gap, restart)

/* A server that is there, but says nothing. */
static void
frozen(void *arg)
{
	struct spout_pg_subscription *s = heard("frozen");
	int pid = listener()->conn.backend_pid;

	(void)arg;
	CU_ASSERT_EQUAL(kill(pid, SIGSTOP), 0);
	expect(s, SPOUT_PG_GAP);
	CU_ASSERT_NOT_EQUAL(listener()->conn.backend_pid, pid);
	CU_ASSERT_EQUAL(kill(pid, SIGCONT), 0);
	until_notified(s, "frozen");
}

static void
a_server_that_does_not_answer_is_left(void)
{
	with_pool(
	    &(struct setup){ .threads = 2, .options.listen_check_ms = 50 }, frozen);
}

/* Nobody listens: the connection goes, and comes again. */
static void
unused(void *arg)
{
	struct spout_pg_subscription *s = heard("unused");

	(void)arg;
	spout_pg_unlisten(s);
	wait_until(listener()->state == SPOUT__LISTENER_OFF);
	CU_ASSERT_PTR_NULL(listener()->conn.pq);
	s = heard("unused");
	until_notified(s, "unused");
}

static void
a_connection_that_nobody_needs_is_closed(void)
{
	with_pool(
	    &(struct setup){ .threads = 2, .options.listen_check_ms = 50 }, unused);
}

/* --- servers that refuse ---------------------------------------------------------- */

/* This database has no such character. */
static void
refused(void *arg)
{
	struct spout_pg_subscription *euro, *plain_one;

	(void)arg;
	euro = spout_pg_listen("\xe6\x97\xa5");
	plain_one = heard("plain");
	wait_until(!listener()->running);
	spout_pg_notify("plain", "x");
	expect_payload(plain_one, "x");
	CU_ASSERT_PTR_NULL(spout_try_pg_next_event(euro, 0));
}

static void
a_channel_that_is_refused_harms_no_other(void)
{
	char url[600];

	CU_ASSERT_EQUAL(observe("SELECT count(*) FROM pg_database "
				"WHERE datname = 'latin1'"),
	    0);
	(void)observe("CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' "
		      "TEMPLATE template0");
	snprintf(url, sizeof(url), "%s&dbname=latin1", cluster_url);
	with_pool(&(struct setup){ .threads = 2, .url = url }, refused);
}

static void
nowhere(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_listen("x"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_PTR_NULL(spout_pg_listen_callback("x", on_event_b, NULL));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_EQUAL(spout_try_pg_notify("x", "y"), -EHOSTDOWN);
}

static void
without_a_database_listening_says_so(void)
{
	with_pool(&(struct setup){ .threads = 2, .url = "" }, nowhere);
}

/* Nothing answers at that address: stopping waits for no log-in. */
static void
hopeless(void *arg)
{
	struct spout_pg_subscription *s = spout_pg_listen("x");

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_next_event(s, 300));
	CU_ASSERT_NOT_EQUAL(listener()->state, SPOUT__LISTENER_READY);
}

static void
a_database_that_is_down_is_waited_for(void)
{
	with_pool(&(struct setup){ .threads = 2,
		      .url = "postgresql://spout@127.0.0.1:1/spout" },
	    hopeless);
}

static const struct unit_test notification_tests[] = {
	UNIT_TEST(a_notification_reaches_who_listens),
	UNIT_TEST(any_name_of_63_bytes_is_a_channel),
	UNIT_TEST(a_payload_has_up_to_7999_bytes),
	UNIT_TEST(many_channels_share_one_connection),
	UNIT_TEST(several_subscriptions_share_a_channel),
	UNIT_TEST(a_full_queue_says_how_much_was_lost),
	UNIT_TEST(who_waits_for_events_can_be_cancelled),
	UNIT_TEST(callbacks_come_and_go_while_they_are_called),
	UNIT_END,
};

static const struct unit_test loss_tests[] = {
	UNIT_TEST(a_lost_connection_comes_back_with_a_gap),
	UNIT_TEST(a_server_that_does_not_answer_is_left),
	UNIT_TEST(a_connection_that_nobody_needs_is_closed),
	UNIT_TEST(a_channel_that_is_refused_harms_no_other),
	UNIT_TEST(without_a_database_listening_says_so),
	UNIT_TEST(a_database_that_is_down_is_waited_for),
	UNIT_TEST(a_restart_of_the_server_is_a_gap),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "notifications", notification_tests },
		{ "losses", loss_tests }, { NULL, NULL } };
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
