/* SPDX-License-Identifier: MIT */
/* The table of rate limits. */
#include "config.h"

#include "unit.h"

#include <stdio.h>

#include "web/rate.h"

static int64_t
take(struct spout__rates *rates, const struct spout_rate_limit *limit, const char *key,
    int64_t now_us)
{
	return spout__rates_take(rates, limit, spout_slice(key), now_us);
}

static void
requests_of_a_key_come_in_bursts_and_then_by_the_clock(void)
{
	static const struct spout_rate_limit limit = { "a", 2, 1, 3 };
	static const struct spout_rate_limit other = { "b", 1, 60, 0 };
	struct spout__rates *rates = spout__rates_new();
	const int64_t now = 1000000000;

	CU_ASSERT_PTR_NOT_NULL_FATAL(rates);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(take(rates, &limit, "ann", now), 0);
	CU_ASSERT_EQUAL(take(rates, &limit, "ann", now), 500000);
	CU_ASSERT_EQUAL(take(rates, &limit, "ann", now + 499999), 1);
	CU_ASSERT_EQUAL(take(rates, &limit, "ann", now + 500000), 0);
	CU_ASSERT_EQUAL(take(rates, &limit, "ann", now + 500000), 500000);
	/* Others are not concerned, nor is another limit. */
	CU_ASSERT_EQUAL(take(rates, &limit, "bob", now), 0);
	CU_ASSERT_EQUAL(take(rates, &other, "ann", now), 0);
	CU_ASSERT_EQUAL(take(rates, &other, "ann", now), 60000000);
	/* After a rest, as many as at first and no more. */
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(take(rates, &limit, "ann", 10 * now), 0);
	CU_ASSERT_EQUAL(take(rates, &limit, "ann", 10 * now), 500000);
	spout__rates_free(rates);
}

static void
a_flood_of_keys_does_not_free_who_is_held_back(void)
{
	static const struct spout_rate_limit limit = { "a", 60, 60, 10 };
	struct spout__rates *rates = spout__rates_new();
	const unsigned n = unit_scaled(3 * SPOUT__RATE_SETS * SPOUT__RATE_WAYS);
	const int64_t now = 1000000000;
	char key[32];

	CU_ASSERT_PTR_NOT_NULL_FATAL(rates);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(take(rates, &limit, "ann", now), 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "flood%u", i);
		CU_ASSERT_EQUAL(take(rates, &limit, key, now), 0);
	}
	CU_ASSERT_EQUAL(take(rates, &limit, "ann", now), 1000000);
	spout__rates_free(rates);
}

static const struct unit_test tests[] = {
	UNIT_TEST(requests_of_a_key_come_in_bursts_and_then_by_the_clock),
	UNIT_TEST(a_flood_of_keys_does_not_free_who_is_held_back),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "rate limits", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
