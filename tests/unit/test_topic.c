/* SPDX-License-Identifier: MIT */
/* Topics in one worker: publishing, subscribing, coming again, presence. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "co_help.h"
#include "topic/topics.h"

static const struct spout__publisher other = { 0x77, 9, 1 };

static struct spout__topics *
topics(void)
{
	return spout__topics_of(spout_loop_current());
}

/* --- ids, positions, frames ------------------------------------------------------- */

static void
ids_are_read_as_they_are_written(void)
{
	const struct spout__publisher origin = { UINT64_MAX, UINT32_MAX, 0xabc };
	static const char *const bad[] = { "", "-1", "1.2-3", "1.2.3-", "1.2.3",
		"g.1.1-1", "10000000000000000.1.1-1", "1.100000000.1-1",
		"1.1.1-18446744073709551616" };
	struct spout__publisher read;
	char text[SPOUT__TOPIC_ID_SIZE];
	const char *end;
	uint64_t n;

	CU_ASSERT_EQUAL(spout__topic_id_put(text, &origin, UINT64_MAX), strlen(text));
	CU_ASSERT(strlen(text) < sizeof(text));
	end = spout__topic_id_parse(text, &read, &n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(end);
	CU_ASSERT_EQUAL(*end, '\0');
	CU_ASSERT(spout__publisher_equal(&origin, &read) && n == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_PTR_NULL(spout__topic_id_parse(bad[i], &read, &n));
}

static void
positions_are_read_as_they_are_written(void)
{
	static const char *const bad[] = { ",", "1.2.3-4 ", "1.2.3-4;1.2.4-5", "x" };
	char text[SPOUT__POSITION_TEXT];
	struct spout__position p = { 0 };

	CU_ASSERT_EQUAL(spout__position_parse("1.2.3-4,5.6.7-8,1.2.3-9", &p), 0);
	CU_ASSERT_EQUAL(p.len, 2);
	spout__position_text(&p, text);
	CU_ASSERT_STRING_EQUAL(text, "5.6.7-8,1.2.3-9");
	spout__position_release(&p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(spout__position_parse(bad[i], &p), -EBADMSG);
		CU_ASSERT_EQUAL(p.len, 0);
	}
}

static void
a_position_forgets_the_oldest_origin(void)
{
	char text[SPOUT__POSITION_TEXT];
	struct spout__position p = { 0 };
	struct spout__publisher origin = { UINT64_MAX, 0, UINT32_MAX };

	for (origin.birth = 0; origin.birth <= SPOUT__POSITION_MAX; origin.birth++)
		CU_ASSERT_EQUAL(spout__position_set(&p, &origin, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(p.len, SPOUT__POSITION_MAX);
	origin.birth = 0;
	CU_ASSERT_PTR_NULL(spout__position_find(&p, &origin));
	origin.birth = SPOUT__POSITION_MAX;
	CU_ASSERT_PTR_NOT_NULL(spout__position_find(&p, &origin));
	spout__position_text(&p, text);
	CU_ASSERT(strlen(text) < sizeof(text));
	spout__position_release(&p);
}

static void
frames_are_read_as_they_are_written(void)
{
	struct spout__topic_frame frame = { .kind = SPOUT__WIRE_MESSAGE,
		.flag = true,
		.origin = other,
		.n = UINT64_MAX,
		.prev = 5,
		.topic = spout_slice("room"),
		.data = spout_slice("hello") },
				  read = { 0 };
	char bytes[100];
	size_t len = spout__wire_size(&frame);

	CU_ASSERT_FATAL(len < sizeof(bytes));
	spout__wire_put(bytes, &frame);
	for (size_t i = 0; i < len; i++)
		CU_ASSERT_EQUAL(spout__wire_get(bytes, i, &read), 0);
	CU_ASSERT_EQUAL(spout__wire_get(bytes, len, &read), (long)len);
	CU_ASSERT(read.kind == frame.kind && read.flag && read.n == frame.n &&
	    read.prev == 5 && spout__publisher_equal(&read.origin, &other) &&
	    spout_slice_equal(read.topic, "room") &&
	    spout_slice_equal(read.data, "hello"));
}

/* Each breaks one rule of a frame that is right. */
static void
frames_that_make_no_sense_are_refused(void)
{
	static const struct {
		unsigned at;
		unsigned char value;
	} bad[] = { { 0, 3 }, { 3, 1 }, { 4, 0 }, { 4, 99 }, { 4, SPOUT__WIRE_WANT },
		{ 4, SPOUT__WIRE_RESET }, { 6, 0 }, { 6, 250 }, { 32, 4 }, { 40, 0 } };
	struct spout__topic_frame frame = { .kind = SPOUT__WIRE_MESSAGE,
		.n = 4,
		.prev = 3,
		.topic = spout_slice("room"),
		.data = spout_slice("hello") },
				  read;
	char bytes[100];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		spout__wire_put(bytes, &frame);
		bytes[bad[i].at] = (char)bad[i].value;
		CU_ASSERT_EQUAL(spout__wire_get(bytes, sizeof(bytes), &read), -EBADMSG);
	}
}

/* --- the history ------------------------------------------------------------------ */

static bool
merge(struct spout__history *history, uint32_t birth, uint64_t n)
{
	struct spout__publisher origin = { 1, birth, 0 };
	struct spout__topic_message *m =
	    spout__topic_message_new(spout_slice("t"), &origin, n, 0, spout_slice(""));
	bool done;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	done = spout__history_merge(history, m);
	spout__topic_message_unref(m);
	return done;
}

static void
what_was_kept_elsewhere_is_put_in_order(void)
{
	struct spout__history history;
	char order[64] = "";

	spout__history_init(&history, 4);
	CU_ASSERT(merge(&history, 1, 5));
	CU_ASSERT(merge(&history, 2, 7));
	CU_ASSERT(merge(&history, 1, 6));
	CU_ASSERT(!merge(&history, 1, 5));
	CU_ASSERT(merge(&history, 2, 6));
	CU_ASSERT(!merge(&history, 1, 4)); /* older than all of a full one */
	CU_ASSERT(merge(&history, 2, 8));
	for (unsigned i = 0; i < history.len; i++)
		snprintf(order + strlen(order), sizeof(order) - strlen(order), "%u:%u ",
		    (unsigned)spout__history_at(&history, i)->origin.birth,
		    (unsigned)spout__history_at(&history, i)->n);
	CU_ASSERT_STRING_EQUAL(order, "2:6 2:7 1:6 2:8 ");
	spout__history_clear(&history);
	CU_ASSERT_EQUAL(history.bytes, 0);
}

/* --- publishing and subscribing --------------------------------------------------- */

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

static void
publishes_and_subscribes(void *arg)
{
	struct spout_subscription *a, *b, *elsewhere;

	(void)arg;
	publish_all("x");
	a = spout_topic_subscribe("room");
	elsewhere = spout_topic_subscribe("other");
	publish_all("ab");
	b = spout_topic_subscribe("room");
	publish_all("c");
	CU_ASSERT_STRING_EQUAL(drain(a), "a b c ");
	CU_ASSERT_STRING_EQUAL(drain(b), "c ");
	CU_ASSERT_STRING_EQUAL(drain(elsewhere), "");
	spout_topic_unsubscribe(a);
	publish_all("d");
	CU_ASSERT_PTR_NULL(spout_try_topic_next(a, 0));
	CU_ASSERT_EQUAL(errno, ECANCELED);
	CU_ASSERT_STRING_EQUAL(drain(b), "d ");
}

static void
every_subscriber_gets_every_message_in_order(void)
{
	co_run(publishes_and_subscribes, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
publish_later(void *arg)
{
	publish_all(arg);
}

static void
waits(void *arg)
{
	struct spout_subscription *sub = spout_topic_subscribe("room");

	(void)arg;
	co_later(5, publish_later, (void *)(uintptr_t) "w");
	CU_ASSERT_STRING_EQUAL(spout_topic_next(sub)->data, "w");
	CU_ASSERT_PTR_NULL(spout_try_topic_next(sub, 2));
	CU_ASSERT_EQUAL(errno, ETIMEDOUT);
}

static void
a_subscriber_waits_for_the_next_message(void)
{
	co_run(waits, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
refuses(void *arg)
{
	char name[SPOUT_TOPIC_NAME_MAX + 2];
	static char big[SPOUT__TOPIC_DATA_MAX + 1];

	(void)arg;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_EQUAL(spout_topic_publish(name, "", 0), -EINVAL);
	CU_ASSERT_EQUAL(spout_topic_publish("", "", 0), -EINVAL);
	CU_ASSERT_EQUAL(spout_topic_publish("\xff", "", 0), -EINVAL);
	CU_ASSERT_PTR_NULL(spout_try_topic_subscribe(name));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(spout_try_topic_subscribe("room", .person = ""));
	CU_ASSERT_EQUAL(errno, EINVAL);
	name[SPOUT_TOPIC_NAME_MAX] = '\0';
	CU_ASSERT_EQUAL(spout_topic_publish(name, big, sizeof(big)), -EMSGSIZE);
	CU_ASSERT_EQUAL(spout_topic_publish(name, big, sizeof(big) - 1), 0);
}

static void
names_and_sizes_have_limits(void)
{
	co_run(refuses, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_EQUAL(spout_topic_publish("room", "", 0), -EINVAL); /* no loop */
}

static void
is_slow(void *arg)
{
	struct spout_subscription *few = spout_topic_subscribe("room", .max_events = 3),
				  *small = spout_topic_subscribe("room", .max_bytes = 2);

	(void)arg;
	publish_all("abc");
	CU_ASSERT_STRING_EQUAL(drain(few), "a b c ");
	CU_ASSERT_STRING_EQUAL(drain(small), "GAP b c ");
	publish_all("abcd");
	CU_ASSERT_STRING_EQUAL(drain(few), "GAP b c d ");
	CU_ASSERT_EQUAL(spout_topic_publish("room", "long", 4), 0);
	CU_ASSERT_STRING_EQUAL(drain(small), "GAP long ");
}

static void
a_slow_subscriber_loses_the_oldest_and_is_told(void)
{
	co_run(is_slow, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
comes_again(void *arg)
{
	struct spout_subscription *sub = spout_topic_subscribe("room");
	char *early, *late;

	(void)arg;
	publish_all("abc");
	early = spout_strdup(spout_topic_position(sub));
	(void)spout_topic_next(sub);
	(void)spout_topic_next(sub);
	late = spout_strdup(spout_topic_position(sub));
	spout_topic_unsubscribe(sub);
	publish_all("d");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = late)), "c d ");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = early)), "a b c d ");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .history = 2)), "c d ");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .history = 99)), "a b c d ");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = "1.1.1-1")), "GAP a b c d ");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = "what?")), "GAP a b c d ");
	topics()->max_history_bytes = 0;
	publish_all("e");
	CU_ASSERT_EQUAL(topics()->history_bytes, 0);
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = late)), "GAP ");
}

static void
who_comes_again_gets_what_was_missed(void)
{
	co_run(comes_again, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
keeps_few(void *arg)
{
	struct spout_subscription *sub;
	char *at_b;

	(void)arg;
	topics()->history = 2;
	sub = spout_topic_subscribe("room");
	publish_all("ab");
	(void)drain(sub);
	at_b = spout_strdup(spout_topic_position(sub));
	publish_all("cd");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = at_b)), "c d ");
	publish_all("e");
	CU_ASSERT_STRING_EQUAL(
	    drain(spout_topic_subscribe("room", .since = at_b)), "GAP d e ");
}

static void
what_is_not_kept_any_more_is_a_gap(void)
{
	co_run(keeps_few, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
is_left_alone(void *arg)
{
	(void)arg;
	topics()->keep_ms = 1;
	spout_topic_unsubscribe(spout_topic_subscribe("room"));
	publish_all("a");
	CU_ASSERT_EQUAL(topics()->n_topics, 1);
	while (topics()->n_topics > 0)
		spout_sleep(50);
	CU_ASSERT_EQUAL(topics()->history_bytes, 0);
}

static void
a_topic_that_nobody_needs_is_forgotten(void)
{
	co_run(is_left_alone, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
becomes_json(void *arg)
{
	struct spout_subscription *sub = spout_topic_subscribe("a\"b");
	char expected[200];

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_topic_json(sub));
	CU_ASSERT_EQUAL(spout_topic_publish("a\"b", "x\ny", 3), 0);
	snprintf(expected, sizeof(expected),
	    "{\"topic\":\"a\\u0022b\",\"id\":\"%s\",\"data\":\"x\\u000ay\"}",
	    spout_topic_next(sub)->id);
	CU_ASSERT_STRING_EQUAL(spout_topic_json(sub), expected);
	spout_topic_unsubscribe(spout_topic_subscribe("a\"b", .person = "Zoë"));
	(void)spout_topic_next(sub);
	CU_ASSERT_STRING_EQUAL(
	    spout_topic_json(sub), "{\"topic\":\"a\\u0022b\",\"join\":\"Zoë\"}");
	(void)spout_topic_next(sub);
	CU_ASSERT_STRING_EQUAL(
	    spout_topic_json(sub), "{\"topic\":\"a\\u0022b\",\"leave\":\"Zoë\"}");
	spout__topics_gap(topics(), &(struct spout__publisher){ 0 });
	(void)spout_topic_next(sub);
	CU_ASSERT_STRING_EQUAL(
	    spout_topic_json(sub), "{\"topic\":\"a\\u0022b\",\"gap\":true}");
}

static void
events_are_told_as_json(void)
{
	co_run(becomes_json, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

/* --- presence --------------------------------------------------------------------- */

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

static void
comes_and_goes(void *arg)
{
	struct spout_subscription *watch = spout_topic_subscribe("room"), *bob, *ann,
				  *bob2;

	(void)arg;
	CU_ASSERT_STRING_EQUAL(present(), "");
	bob = spout_topic_subscribe("room", .person = "bob");
	bob2 = spout_topic_subscribe("room", .person = "bob");
	ann = spout_topic_subscribe("room", .person = "ann");
	CU_ASSERT_STRING_EQUAL(present(), "ann bob ");
	CU_ASSERT_STRING_EQUAL(drain(watch), "+bob +ann ");
	spout_topic_unsubscribe(bob);
	CU_ASSERT_STRING_EQUAL(drain(watch), "");
	spout_topic_unsubscribe(bob2);
	spout_topic_unsubscribe(ann);
	CU_ASSERT_STRING_EQUAL(drain(watch), "-bob -ann ");
	CU_ASSERT_STRING_EQUAL(present(), "");
}

static void
who_is_present_is_known_and_told(void)
{
	co_run(comes_and_goes, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

int
main(int argc, char **argv)
{
	static const struct unit_test parts[] = {
		UNIT_TEST(ids_are_read_as_they_are_written),
		UNIT_TEST(positions_are_read_as_they_are_written),
		UNIT_TEST(a_position_forgets_the_oldest_origin),
		UNIT_TEST(frames_are_read_as_they_are_written),
		UNIT_TEST(frames_that_make_no_sense_are_refused),
		UNIT_TEST(what_was_kept_elsewhere_is_put_in_order),
		UNIT_END,
	};
	static const struct unit_test local[] = {
		UNIT_TEST(every_subscriber_gets_every_message_in_order),
		UNIT_TEST(a_subscriber_waits_for_the_next_message),
		UNIT_TEST(names_and_sizes_have_limits),
		UNIT_TEST(a_slow_subscriber_loses_the_oldest_and_is_told),
		UNIT_TEST(who_comes_again_gets_what_was_missed),
		UNIT_TEST(what_is_not_kept_any_more_is_a_gap),
		UNIT_TEST(a_topic_that_nobody_needs_is_forgotten),
		UNIT_TEST(events_are_told_as_json),
		UNIT_TEST(who_is_present_is_known_and_told),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "parts", parts },
		{ "local", local },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
