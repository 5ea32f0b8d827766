/* SPDX-License-Identifier: MIT */
/* Requests that end their worker again and again. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/quarantine.h"

#define WHAT "GET /crash"
#define MINUTE 60000u

static struct spout__quarantine q;

static void
begin(void)
{
	memset(&q, 0, sizeof(q));
	spout__quarantine = &q;
}

static uint64_t
left(const char *what, uint64_t now_ms)
{
	return spout__quarantine_left_ms(spout_slice(what), now_ms);
}

static void
the_third_death_in_a_minute_holds_such_requests_off(void)
{
	begin();
	CU_ASSERT_EQUAL(spout__quarantine_blame(&q, WHAT, 1000), 0);
	CU_ASSERT_EQUAL(spout__quarantine_blame(&q, WHAT, 1000 + MINUTE), 0);
	CU_ASSERT_FALSE(spout__quarantine_any(1000 + MINUTE));
	CU_ASSERT_EQUAL(
	    spout__quarantine_blame(&q, WHAT, 2000 + MINUTE), SPOUT__QUARANTINE_MS);
	CU_ASSERT_TRUE(spout__quarantine_any(2001 + MINUTE));
	CU_ASSERT_EQUAL(left(WHAT, 2001 + MINUTE), SPOUT__QUARANTINE_MS - 1);
	CU_ASSERT_EQUAL(left("GET /", 2001 + MINUTE), 0);
	CU_ASSERT_EQUAL(left(WHAT, 2000 + MINUTE + SPOUT__QUARANTINE_MS), 0);
	CU_ASSERT_FALSE(spout__quarantine_any(2000 + MINUTE + SPOUT__QUARANTINE_MS));
}

static void
deaths_further_apart_are_forgotten(void)
{
	begin();
	for (uint64_t at = 1000; at < 100 * MINUTE; at += MINUTE + 1)
		CU_ASSERT_EQUAL(spout__quarantine_blame(&q, WHAT, at), 0);
	CU_ASSERT_FALSE(spout__quarantine_any(0));
}

static void
each_further_death_doubles_the_time_up_to_a_limit(void)
{
	uint64_t now = 1000, expected = SPOUT__QUARANTINE_MS;

	begin();
	spout__quarantine_blame(&q, WHAT, now);
	spout__quarantine_blame(&q, WHAT, now);
	for (unsigned i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(spout__quarantine_blame(&q, WHAT, now), expected);
		now += expected + MINUTE; /* the one that was let through, just in time */
		expected = expected * 2 > SPOUT__QUARANTINE_MAX_MS
		    ? SPOUT__QUARANTINE_MAX_MS
		    : expected * 2;
	}
	now += expected + 2 * MINUTE;
	CU_ASSERT_EQUAL(spout__quarantine_blame(&q, WHAT, now), 0);
}

static void
a_full_table_forgets_the_one_that_is_quiet_for_longest(void)
{
	char what[32];

	begin();
	for (unsigned i = 0; i < SPOUT__QUARANTINE_ROUTES; i++) {
		snprintf(what, sizeof(what), "GET /%u", i);
		for (unsigned k = 0; k < SPOUT__QUARANTINE_DEATHS; k++)
			spout__quarantine_blame(&q, what, 1000 + i);
	}
	CU_ASSERT_TRUE(left("GET /0", 2000) > 0);
	spout__quarantine_blame(&q, WHAT, 2000);
	CU_ASSERT_EQUAL(left("GET /0", 2000), 0);
	CU_ASSERT_TRUE(left("GET /1", 2000) > 0);
	CU_ASSERT_STRING_EQUAL(q.rows[0].what, WHAT);
	CU_ASSERT_EQUAL(q.rows[0].deaths, 1);
}

static void
names_are_cut_to_fit(void)
{
	char what[200];

	begin();
	memset(what, 'x', sizeof(what) - 1);
	what[sizeof(what) - 1] = '\0';
	for (unsigned k = 0; k < SPOUT__QUARANTINE_DEATHS; k++)
		spout__quarantine_blame(&q, what, 1000);
	what[SPOUT__INFLIGHT_WHAT - 1] = '\0';
	CU_ASSERT_TRUE(left(what, 1000) > 0);
}

/* --- who is blamed ------------------------------------------------------------------ */

static void
the_request_that_ran_is_marked(void)
{
	static struct spout__inflight table[SPOUT__INFLIGHT_MAX];
	static const char first[] = "a", second[] = "a"; /* clients may give one twice */
	struct spout__inflight r;

	spout__inflight_use(table);
	spout__inflight_claim(spout_slice(first), spout_slice("GET /a"), 1);
	spout__inflight_claim(spout_slice(second), spout_slice("GET /b"), 2);
	spout__inflight_blame(NULL);
	spout__inflight_blame(second + 1);
	CU_ASSERT_EQUAL(spout__inflight_read(&table[1], &r), 1);
	CU_ASSERT_EQUAL(r.busy, SPOUT__INFLIGHT_BUSY);
	CU_ASSERT_STRING_EQUAL(spout__inflight_what(second), "GET /b");
	spout__inflight_blame(second);
	CU_ASSERT_EQUAL(spout__inflight_read(&table[0], &r), 1);
	CU_ASSERT_EQUAL(r.busy, SPOUT__INFLIGHT_BUSY);
	CU_ASSERT_EQUAL(spout__inflight_read(&table[1], &r), 1);
	CU_ASSERT_EQUAL(r.busy, SPOUT__INFLIGHT_BLAMED);
	spout__inflight_use(NULL);
	spout__inflight_blame(second);
}

static const struct unit_test quarantine_tests[] = {
	UNIT_TEST(the_third_death_in_a_minute_holds_such_requests_off),
	UNIT_TEST(deaths_further_apart_are_forgotten),
	UNIT_TEST(each_further_death_doubles_the_time_up_to_a_limit),
	UNIT_TEST(a_full_table_forgets_the_one_that_is_quiet_for_longest),
	UNIT_TEST(names_are_cut_to_fit), UNIT_TEST(the_request_that_ran_is_marked),
	UNIT_END
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "quarantine", quarantine_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
