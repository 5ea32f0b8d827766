/* SPDX-License-Identifier: MIT */
/*
 * The links of a worker to others, and its bridge to other hosts: the other worker is a
 * socket that the test writes frames into.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "co_help.h"
#include "topic/topics.h"

static struct spout__publisher other = { 0x77, 9, 1 };

static struct spout__topics *
topics(void)
{
	return spout__topics_of(spout_loop_current());
}

static char got[512];

static void
note(const struct spout_topic_event *event)
{
	static const char *const kinds[] = { "", "GAP", "+", "-" };

	CU_ASSERT_PTR_NOT_NULL_FATAL(event);
	snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s ",
	    kinds[event->kind], event->data);
	CU_ASSERT_EQUAL(strlen(event->data), event->len);
	CU_ASSERT_EQUAL(event->kind == SPOUT_TOPIC_MESSAGE, *event->id != '\0');
}

/* Everything that waits. */
static const char *
drain(struct spout_subscription *sub)
{
	const struct spout_topic_event *event;

	got[0] = '\0';
	while ((event = spout_try_topic_next(sub, 0)) != NULL)
		note(event);
	CU_ASSERT_EQUAL(errno, ETIMEDOUT);
	return got;
}

static void
publish_all(const char *letters)
{
	for (; *letters != '\0'; letters++)
		CU_ASSERT_EQUAL(spout_topic_publishf("room", "%c", *letters), 0);
}

static const char *
present(void)
{
	static char text[256];
	const char *const *names;
	size_t n;

	text[0] = '\0';
	names = spout_topic_present("room", &n);
	for (size_t i = 0; i < n; i++) {
		strcat(text, names[i]);
		strcat(text, " ");
	}
	CU_ASSERT_PTR_NULL(names[n]);
	return text;
}

/* --- another worker --------------------------------------------------------------- */

static int far; /* our end of the link to it */

static void
link_up(uint32_t birth)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	other.birth = birth;
	topics()->self = (struct spout__publisher){ other.host, 5, 0 };
	far = fds[0];
	CU_ASSERT_EQUAL(spout__topics_add_peer(topics(), fds[1], &other), 0);
}

static void
say(enum spout__topic_wire kind, bool flag, uint64_t n, uint64_t prev, const char *topic,
    const char *data)
{
	struct spout__topic_frame frame = { .kind = kind,
		.flag = flag,
		.origin = other,
		.n = n,
		.prev = prev,
		.topic = spout_slice(topic),
		.data = spout_slice(data) };
	char bytes[200];

	CU_ASSERT_FATAL(spout__wire_size(&frame) <= sizeof(bytes));
	spout__wire_put(bytes, &frame);
	CU_ASSERT_EQUAL(send(far, bytes, spout__wire_size(&frame), 0),
	    (ssize_t)spout__wire_size(&frame));
}

static char heard_bytes[65536];
static size_t heard_len;

/* Wait for the next frame from the worker. */
static struct spout__topic_frame
hear(void)
{
	static char kept[65536];
	struct spout__topic_frame frame = { 0 };
	long used;

	for (unsigned i = 0; i < 10000; i++) {
		ssize_t n;

		memcpy(kept, heard_bytes, heard_len);
		used = spout__wire_get(kept, heard_len, &frame);
		CU_ASSERT_FATAL(used >= 0);
		if (used > 0) {
			heard_len -= (size_t)used;
			memmove(heard_bytes, heard_bytes + used, heard_len);
			return frame;
		}
		spout_sleep(1);
		n = recv(
		    far, heard_bytes + heard_len, sizeof(heard_bytes) - heard_len, 0);
		if (n > 0)
			heard_len += (size_t)n;
	}
	CU_FAIL_FATAL("the other worker was told nothing");
	return frame;
}

/* Wait until everything that was said has been heard. */
static void
settle(struct spout_subscription *sub, const char *expected)
{
	got[0] = '\0';
	while (strlen(got) < strlen(expected)) {
		const struct spout_topic_event *event = spout_try_topic_next(sub, 20000);

		if (event == NULL)
			break;
		note(event);
	}
	CU_ASSERT_STRING_EQUAL(got, expected);
}

static void
hands_over(void *arg)
{
	const char *topic = arg;

	say(SPOUT__WIRE_KEPT, false, 3, 2, topic, "c");
	say(SPOUT__WIRE_KEPT, false, 4, 3, topic, "d");
	say(SPOUT__WIRE_PRESENT, true, 0, 0, topic, "ann");
	say(SPOUT__WIRE_KEPT_END, false, 0, 0, topic, "");
}

static void
meets_another(void *arg)
{
	struct spout_subscription *sub;
	struct spout__topic_frame frame;

	(void)arg;
	heard_len = 0;
	link_up(3);
	co_later(5, hands_over, (void *)(uintptr_t) "room");
	sub = spout_topic_subscribe("room", .history = 9);
	CU_ASSERT_STRING_EQUAL(drain(sub), "c d ");
	CU_ASSERT_STRING_EQUAL(present(), "ann ");
	frame = hear();
	CU_ASSERT(frame.kind == SPOUT__WIRE_WANT && frame.flag &&
	    spout_slice_equal(frame.topic, "room"));
	say(SPOUT__WIRE_MESSAGE, false, 4, 3, "room", "again");
	say(SPOUT__WIRE_MESSAGE, false, 7, 4, "room", "e");
	say(SPOUT__WIRE_MESSAGE, false, 9, 8, "room", "g");
	settle(sub, "e GAP g ");
	/* Only who wants it gets it. */
	publish_all("x");
	say(SPOUT__WIRE_WANT, true, 0, 0, "room", "");
	frame = hear();
	CU_ASSERT(frame.kind == SPOUT__WIRE_KEPT && frame.n == 3);
	while (frame.kind == SPOUT__WIRE_KEPT)
		frame = hear();
	CU_ASSERT_EQUAL(frame.kind, SPOUT__WIRE_KEPT_END);
	publish_all("y");
	frame = hear();
	CU_ASSERT(frame.kind == SPOUT__WIRE_MESSAGE &&
	    spout_slice_equal(frame.data, "y") && frame.prev != 0);
	(void)drain(sub);
	close(far);
	settle(sub, "-ann ");
	CU_ASSERT_STRING_EQUAL(present(), "");
	CU_ASSERT_EQUAL(topics()->peer_bits, 0);
}

static void
a_worker_shares_topics_with_another(void)
{
	co_run(meets_another, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
meets_a_successor(void *arg)
{
	struct spout__topic_frame frame;

	(void)arg;
	heard_len = 0;
	publish_all("ab");
	spout_topic_unsubscribe(spout_topic_subscribe("room"));
	link_up(9);
	frame = hear();
	CU_ASSERT(frame.kind == SPOUT__WIRE_WANT && !frame.flag);
	frame = hear();
	CU_ASSERT(frame.kind == SPOUT__WIRE_KEPT && frame.flag &&
	    spout_slice_equal(frame.data, "a"));
	(void)hear();
	publish_all("c");
	frame = hear();
	CU_ASSERT(
	    frame.kind == SPOUT__WIRE_MESSAGE && spout_slice_equal(frame.data, "c"));
	close(far);
}

static void
a_new_worker_is_given_what_is_kept(void)
{
	co_run(meets_a_successor, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
is_a_successor(void *arg)
{
	struct spout_subscription *sub;
	struct spout__topic_frame frame;

	(void)arg;
	heard_len = 0;
	link_up(3);
	say(SPOUT__WIRE_KEPT, true, 3, 2, "room", "c");
	frame = hear();
	CU_ASSERT(frame.kind == SPOUT__WIRE_WANT && !frame.flag);
	say(SPOUT__WIRE_MESSAGE, false, 4, 3, "room", "d");
	say(SPOUT__WIRE_WANT, true, 0, 0, "nothing", "");
	frame = hear();
	CU_ASSERT_EQUAL(frame.kind, SPOUT__WIRE_KEPT_END);
	sub = spout_topic_subscribe("room", .since = "77.1.3-3"); /* asks nobody */
	CU_ASSERT_STRING_EQUAL(drain(sub), "d ");
	close(far);
}

static void
a_worker_keeps_what_it_is_given(void)
{
	co_run(is_a_successor, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
meets_a_silent_one(void *arg)
{
	struct spout__topic_frame frame = { 0 };
	static char big[100000];
	unsigned messages = 0;

	(void)arg;
	heard_len = 0;
	link_up(3);
	say(SPOUT__WIRE_WANT, true, 0, 0, "room", "");
	frame = hear();
	CU_ASSERT_EQUAL(frame.kind, SPOUT__WIRE_KEPT_END);
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(spout_topic_publish("room", big, 50000), 0);
	spout_sleep(1);
	publish_all("z"); /* dropped, too: there is no room yet */
	while (frame.kind != SPOUT__WIRE_GAP) {
		frame = hear();
		messages += frame.kind == SPOUT__WIRE_MESSAGE;
	}
	CU_ASSERT(messages > 70 && messages < 100);
	publish_all("w");
	CU_ASSERT(spout_slice_equal(hear().data, "w"));
	close(far);
}

static void
a_worker_that_does_not_read_loses_messages_and_is_told(void)
{
	co_run(meets_a_silent_one, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
meets_a_mad_one(void *arg)
{
	struct spout_subscription *sub = spout_topic_subscribe("room");
	const char *lines;

	(void)arg;
	link_up(3);
	say(SPOUT__WIRE_PRESENT, true, 0, 0, "room", "ann");
	settle(sub, "+ann ");
	co_log_begin();
	CU_ASSERT_EQUAL(send(far, "\1\0\0\0mad!", 8, 0), 8);
	settle(sub, "-ann ");
	lines = co_log_end();
	CU_ASSERT_EQUAL(co_count(lines, "it makes no sense"), 1);
	close(far);
}

static void
a_link_that_makes_no_sense_is_cut(void)
{
	co_run(meets_a_mad_one, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

/* --- the bridge ------------------------------------------------------------------- */

static char carried[256];
static int leads = -1;

static void
on_lead(struct spout__topic_bridge *bridge, bool leading)
{
	(void)bridge;
	leads = leading;
}

static void
on_frame(struct spout__topic_bridge *bridge, const struct spout__topic_frame *frame)
{
	(void)bridge;
	snprintf(carried + strlen(carried), sizeof(carried) - strlen(carried), "%s%.*s ",
	    frame->kind == SPOUT__WIRE_MESSAGE ? ""
		: frame->flag                  ? "+"
					       : "-",
	    (int)frame->data.len, frame->data.data);
}

static void
inject(enum spout__topic_wire kind, uint64_t host, uint64_t n, uint64_t prev,
    const char *data)
{
	spout__topics_inject(topics(),
	    &(struct spout__topic_frame){ .kind = kind,
		.flag = true,
		.origin = { host, 1, 0 },
		.n = n,
		.prev = prev,
		.topic = spout_slice("room"),
		.data = spout_slice(data) });
}

static void
has_a_bridge(void *arg)
{
	struct spout__topic_bridge bridge = { on_lead, on_frame };
	struct spout_subscription *sub = spout_topic_subscribe("room", .person = "ann");
	struct spout__topic_frame frame;

	(void)arg;
	heard_len = 0;
	carried[0] = '\0';
	spout__topics_set_bridge(topics(), &bridge);
	CU_ASSERT_EQUAL(leads, 1);
	publish_all("a");
	spout__topics_tell_bridge(topics());
	CU_ASSERT_STRING_EQUAL(carried, "a +ann ");
	inject(SPOUT__WIRE_MESSAGE, topics()->self.host, 99, 98, "mine");
	inject(SPOUT__WIRE_MESSAGE, 1, 5, 4, "far");
	inject(SPOUT__WIRE_MESSAGE, 1, 5, 4, "far");
	inject(SPOUT__WIRE_PRESENT, 1, 0, 0, "eve");
	CU_ASSERT_STRING_EQUAL(drain(sub), "a far +eve ");
	CU_ASSERT_STRING_EQUAL(carried, "a +ann ");
	inject(SPOUT__WIRE_GAP, 1, 0, 0, "");
	CU_ASSERT_STRING_EQUAL(drain(sub), "GAP ");
	/* An older worker leads. */
	link_up(3);
	CU_ASSERT_EQUAL(leads, 0);
	publish_all("b");
	do
		frame = hear();
	while (frame.kind != SPOUT__WIRE_MESSAGE);
	CU_ASSERT(spout_slice_equal(frame.data, "b"));
	say(SPOUT__WIRE_RESIGN, false, 0, 0, "", "");
	while (leads == 0)
		spout_sleep(1);
	/* This one stops, but nobody is there to take over. */
	spout__topics_resign(topics());
	CU_ASSERT_EQUAL(leads, 1);
	say(SPOUT__WIRE_WANT, false, 0, 0, "", "");
	while (leads == 1)
		spout_sleep(1);
	spout__topics_set_bridge(topics(), NULL);
	close(far);
}

static void
one_worker_carries_topics_to_other_hosts(void)
{
	co_run(has_a_bridge, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

int
main(int argc, char **argv)
{
	static const struct unit_test shared[] = {
		UNIT_TEST(a_worker_shares_topics_with_another),
		UNIT_TEST(a_new_worker_is_given_what_is_kept),
		UNIT_TEST(a_worker_keeps_what_it_is_given),
		UNIT_TEST(a_worker_that_does_not_read_loses_messages_and_is_told),
		UNIT_TEST(a_link_that_makes_no_sense_is_cut),
		UNIT_TEST(one_worker_carries_topics_to_other_hosts),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "mesh", shared },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
