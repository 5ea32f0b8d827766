/* SPDX-License-Identifier: MIT */
/* Arena, buffer, list, clock, figures, processors, requests in flight. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <sched.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/cpus.h"
#include "base/inflight.h"
#include "base/list.h"
#include "base/stats.h"

static void
arena_memory_is_aligned_and_separate(void)
{
	struct spout__arena a;
	char *p[100];
	int i;

	spout__arena_init(&a, 1 << 20);
	for (i = 0; i < 100; i++) {
		p[i] = spout__arena_alloc(&a, (size_t)i * 7 + 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p[i]);
		CU_ASSERT_EQUAL((uintptr_t)p[i] % 16, 0);
		memset(p[i], i, (size_t)i * 7 + 1);
	}
	for (i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(p[i][i * 7], (char)i);
	spout__arena_release(&a);
	spout__arena_trim();
}

static void
arena_refuses_more_than_its_maximum(void)
{
	struct spout__arena a;

	spout__arena_init(&a, 10000);
	CU_ASSERT_PTR_NOT_NULL(spout__arena_alloc(&a, 9984));
	CU_ASSERT_PTR_NULL(spout__arena_alloc(&a, 17));
	CU_ASSERT_PTR_NOT_NULL(spout__arena_alloc(&a, 16));
	CU_ASSERT_PTR_NULL(spout__arena_alloc(&a, 1));
	CU_ASSERT_PTR_NULL(spout__arena_alloc(&a, SIZE_MAX));
	CU_ASSERT_PTR_NULL(spout__arena_alloc(&a, SIZE_MAX - 15));
	spout__arena_release(&a);
	CU_ASSERT_PTR_NOT_NULL(spout__arena_alloc(&a, 100));
	spout__arena_release(&a);
	spout__arena_trim();
}

static void
buffer_is_a_queue_of_bytes(void)
{
	struct spout__buffer b;
	size_t taken = 0, put = 0;
	int round;

	spout__buffer_init(&b, 1 << 20);
	for (round = 0; round < 2000; round++) {
		unsigned char byte = (unsigned char)put;

		for (size_t i = 0; i < (size_t)(round % 37); i++, put++, byte++)
			CU_ASSERT_EQUAL_FATAL(spout__buffer_append(&b, &byte, 1), 0);
		for (size_t i = 0; i < (size_t)(round % 31) && b.len > 0; i++, taken++) {
			CU_ASSERT_EQUAL_FATAL(
			    (unsigned char)*spout__buffer_at(&b), (unsigned char)taken);
			spout__buffer_consume(&b, 1);
		}
	}
	CU_ASSERT_EQUAL(put - taken, b.len);
	spout__buffer_release(&b);
	spout__buffer_trim();
}

static void
buffer_refuses_more_than_its_maximum(void)
{
	struct spout__buffer b;

	spout__buffer_init(&b, 5000);
	CU_ASSERT_PTR_NOT_NULL(spout__buffer_reserve(&b, 5000));
	CU_ASSERT_PTR_NULL(spout__buffer_reserve(&b, 5001));
	CU_ASSERT_EQUAL(errno, EMSGSIZE);
	CU_ASSERT_EQUAL(spout__buffer_printf(&b, "%04999d", 7), 0);
	CU_ASSERT_EQUAL(b.len, 4999);
	CU_ASSERT_EQUAL(spout__buffer_append(&b, "x", 1), 0);
	CU_ASSERT_EQUAL(spout__buffer_append(&b, "x", 1), -EMSGSIZE);
	spout__buffer_release(&b);
	spout__buffer_trim();
}

struct item {
	struct spout__list link;
	int n;
};

static void
list_keeps_order_and_removes_twice(void)
{
	struct spout__list head, *it;
	struct item items[5];
	int i, seen = 0;

	spout__list_init(&head);
	for (i = 0; i < 5; i++) {
		items[i].n = i;
		spout__list_push(&head, &items[i].link);
	}
	spout__list_remove(&items[2].link);
	spout__list_remove(&items[2].link);
	spout__list_for_each(it, &head)
		seen = seen * 10 + spout__container_of(it, struct item, link)->n;
	CU_ASSERT_EQUAL(seen, 134);
	CU_ASSERT_PTR_EQUAL(spout__list_pop(&head), &items[0].link);
}

static void
http_date_is_an_imf_fixdate(void)
{
	char text[SPOUT__HTTP_DATE_LEN + 1];

	spout__http_date(784111777, text);
	CU_ASSERT_STRING_EQUAL(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void
histogram_buckets_are_powers_of_two(void)
{
	CU_ASSERT_EQUAL(spout__bucket_of_us(0, 28), 0);
	CU_ASSERT_EQUAL(spout__bucket_of_us(1, 28), 1);
	CU_ASSERT_EQUAL(spout__bucket_of_us(1023, 28), 10);
	CU_ASSERT_EQUAL(spout__bucket_of_us(1024, 28), 11);
	CU_ASSERT_EQUAL(spout__bucket_of_us(UINT64_MAX, 28), 27);
}

static void
cpu_max_is_rounded_up_to_whole_processors(void)
{
	CU_ASSERT_EQUAL(spout__cpu_max_parse("max 100000\n"), 0);
	CU_ASSERT_EQUAL(spout__cpu_max_parse("200000 100000\n"), 2);
	CU_ASSERT_EQUAL(spout__cpu_max_parse("150000 100000\n"), 2);
	CU_ASSERT_EQUAL(spout__cpu_max_parse("10000 100000\n"), 1);
	CU_ASSERT_EQUAL(spout__cpu_max_parse(""), 0);
	CU_ASSERT_EQUAL(spout__cpu_max_parse("5"), 0);
	CU_ASSERT_EQUAL(spout__cpu_max_parse("5 0"), 0);
	CU_ASSERT_EQUAL(spout__cpu_max_parse("18446744073709551615 2"), 0);
}

static void
cpu_count_follows_the_affinity_mask(void)
{
	cpu_set_t all, one;

	CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(all), &all), 0);
	CU_ASSERT(spout__cpu_count() >= 1);
	CU_ASSERT(spout__cpu_count() <= (unsigned)CPU_COUNT(&all));
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(one), &one), 0);
	CU_ASSERT_EQUAL(spout__cpu_count(), 1);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(all), &all), 0);
}

static struct spout__inflight inflight_table[SPOUT__INFLIGHT_MAX];

static void
inflight_records_are_read_back_and_reused(void)
{
	struct spout__inflight r;
	uint32_t a, b;

	memset(inflight_table, 0, sizeof(inflight_table));
	spout__inflight_use(inflight_table);
	a = spout__inflight_claim(spout_slice("id"), spout_slice("GET /a"), 7);
	b = spout__inflight_claim(spout_slice("an id that is longer than its place"),
	    spout_slice_of(inflight_table, 200), 8);
	CU_ASSERT_EQUAL(spout__inflight_read(&inflight_table[a], &r), 1);
	CU_ASSERT_STRING_EQUAL(r.id, "id");
	CU_ASSERT_STRING_EQUAL(r.what, "GET /a");
	CU_ASSERT_EQUAL(r.started_ms, 7);
	CU_ASSERT_EQUAL(spout__inflight_read(&inflight_table[b], &r), 1);
	CU_ASSERT_STRING_EQUAL(r.id, "an id that is longer th");
	spout__inflight_release(a);
	CU_ASSERT_EQUAL(spout__inflight_read(&inflight_table[a], &r), 0);
	CU_ASSERT_EQUAL(spout__inflight_claim(spout_slice(""), spout_slice(""), 0), a);
	inflight_table[a].seq++; /* as if the owner died while writing */
	CU_ASSERT_EQUAL(spout__inflight_read(&inflight_table[a], &r), -EAGAIN);
	spout__inflight_use(NULL);
}

static void
inflight_table_that_is_full_tracks_no_more(void)
{
	uint32_t i;

	memset(inflight_table, 0, sizeof(inflight_table));
	spout__inflight_use(inflight_table);
	for (i = 0; i < SPOUT__INFLIGHT_MAX; i++)
		CU_ASSERT_EQUAL(
		    spout__inflight_claim(spout_slice("i"), spout_slice("w"), 0), i);
	CU_ASSERT_EQUAL(spout__inflight_claim(spout_slice("i"), spout_slice("w"), 0),
	    SPOUT__INFLIGHT_NONE);
	spout__inflight_release(SPOUT__INFLIGHT_NONE);
	spout__inflight_release(5);
	CU_ASSERT_EQUAL(spout__inflight_claim(spout_slice("i"), spout_slice("w"), 0), 5);
	spout__inflight_use(NULL);
	CU_ASSERT_EQUAL(spout__inflight_claim(spout_slice("i"), spout_slice("w"), 0),
	    SPOUT__INFLIGHT_NONE);
}

static const struct unit_test base_tests[] = {
	UNIT_TEST(arena_memory_is_aligned_and_separate),
	UNIT_TEST(arena_refuses_more_than_its_maximum),
	UNIT_TEST(buffer_is_a_queue_of_bytes),
	UNIT_TEST(buffer_refuses_more_than_its_maximum),
	UNIT_TEST(list_keeps_order_and_removes_twice),
	UNIT_TEST(http_date_is_an_imf_fixdate),
	UNIT_TEST(histogram_buckets_are_powers_of_two),
	UNIT_TEST(cpu_max_is_rounded_up_to_whole_processors),
	UNIT_TEST(cpu_count_follows_the_affinity_mask),
	UNIT_TEST(inflight_records_are_read_back_and_reused),
	UNIT_TEST(inflight_table_that_is_full_tracks_no_more),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "base", base_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
