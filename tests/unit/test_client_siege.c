/* SPDX-License-Identifier: MIT */
/*
 * Every fault of the world at once, round after round, against one loop: each is a typed
 * error within its time-out, a timer in the same loop goes on ticking, and the process
 * does not grow. With SPOUT_TEST_STRICT in the environment (for a machine that does
 * nothing else) limits of time are what they ought to be and the bomb has its 10 GB.
 */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <spout/client.h>
#include <spout/loop.h>
#include <spout/testing.h>
#include <spout/tls.h>

#include "async/sanitizer.h"
#include "black_hole.h"
#include "fake_resolver.h"
#include "tls_help.h"
#include "unit.h"
#include "upstream.h"

#define TIMEOUT_MS 400
#define ROUNDS 6
#define STALL_US 5000
#define MIB (UINT64_C(1) << 20)

static bool
is_strict(void)
{
	return getenv("SPOUT_TEST_STRICT") != NULL;
}

/* Sanitizers and valgrind (which scale) have a time and a memory of their own. */
static bool
is_plain(void)
{
	return !SPOUT__SANITIZED && unit_scaled(100) == 100;
}

/* Long enough for who is slow to come to the phase that it is about. */
static uint64_t
timeout_ms(void)
{
	return is_plain() ? TIMEOUT_MS : 10 * TIMEOUT_MS;
}

/* --- the upstream ---------------------------------------- */

static unsigned char packed[8192]; /* 1 MiB of zeros */
static size_t packed_len;
static uint64_t bomb_mib;

static void
pack(void)
{
	static char zeros[MIB];
	z_stream z = { .next_in = (Bytef *)zeros,
		.avail_in = sizeof(zeros),
		.next_out = packed,
		.avail_out = sizeof(packed) };

	CU_ASSERT_EQUAL(
	    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	CU_ASSERT_EQUAL(deflate(&z, Z_FULL_FLUSH), Z_OK);
	packed_len = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
}

/* A gzip file without an end: 1 KB of it becomes 1 MB. */
static void
bomb(struct spout_stream *stream, const char *head)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
	    "\x1f\x8b\x08\0\0\0\0\0\0\0";

	(void)head;
	spout_stream_write(stream, text, sizeof(text) - 1);
	for (uint64_t i = 0; i < bomb_mib; i++)
		spout_stream_write(stream, packed, packed_len);
}

static void
byte_by_byte(struct spout_stream *stream, const char *head)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";

	struct spout_slice ignored;

	(void)head;
	spout_stream_set_timeout(stream, 1000);
	spout_stream_write(stream, text, strlen(text));
	do {
		spout_stream_write(stream, "x", 1);
	} while (spout_try_stream_read_bytes(stream, 1, &ignored) == -ETIMEDOUT);
}

static const struct upstream_route routes[] = {
	{ .path = "/bomb", .serve = bomb },
	{ .path = "/drip", .serve = byte_by_byte },
	{ .path = "/loop",
	    .answer = "HTTP/1.1 302 Go\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n" },
	{ .path = NULL },
};

/* --- a timer that ticks ---------------------------------------- */

static struct {
	struct spout_timer *timer;
	uint64_t wall_us, cpu_us;           /* at the last tick */
	uint64_t most_wall_us, most_cpu_us; /* between two */
	unsigned n;
} ticks;

static uint64_t
clock_us(clockid_t id)
{
	struct timespec at;

	clock_gettime(id, &at);
	return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

static void
tick(void *arg)
{
	uint64_t wall = clock_us(CLOCK_MONOTONIC);
	uint64_t cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);

	(void)arg;
	if (ticks.n++ > 0 && wall - ticks.wall_us > ticks.most_wall_us)
		ticks.most_wall_us = wall - ticks.wall_us;
	if (ticks.n > 1 && cpu - ticks.cpu_us > ticks.most_cpu_us)
		ticks.most_cpu_us = cpu - ticks.cpu_us;
	ticks.wall_us = wall;
	ticks.cpu_us = cpu;
	ticks.timer = spout_loop_call_later(spout_loop_current(), 1, tick, NULL);
}

static void
ticks_begin(void)
{
	memset(&ticks, 0, sizeof(ticks));
	tick(NULL);
}

/* What the loop itself did between two ticks, and what others made it wait. */
static void
ticks_end(const char *what, bool checked)
{
	uint64_t limit = is_strict() ? STALL_US : 4 * STALL_US;

	spout_loop_remove_timeout(ticks.timer);
	printf("[%s: %u ticks, at most %.1f ms apart, %.1f ms of them ours] ", what,
	    ticks.n, (double)ticks.most_wall_us / 1000, (double)ticks.most_cpu_us / 1000);
	if (checked && is_plain())
		CU_ASSERT_TRUE(ticks.most_cpu_us <= limit);
}

/* --- the faults ---------------------------------------- */

static char *site, *secure_site, *hole_url;

struct fault {
	const char *name;
	char **base;
	const char *path;
	struct spout_fetch_options options;
	int error;
	enum spout_fetch_phase phase;
	uint64_t most_ms; /* that it has taken */
};

static struct fault faults[] = {
	{ "hung resolver", NULL, "http://hung.test/", { .size = 0 }, -ETIMEDOUT,
	    SPOUT_FETCH_RESOLVE, 0 },
	{ "black hole", &hole_url, "", { .size = 0 }, -ETIMEDOUT, SPOUT_FETCH_CONNECT,
	    0 },
	{ "1 byte a second", &site, "/drip", { .size = 0 }, -ETIMEDOUT, SPOUT_FETCH_BODY,
	    0 },
	{ "1 byte a second, limited", &site, "/drip",
	    { .low_speed_ms = 100, .low_speed_bytes = 100 }, -ETIMEDOUT, SPOUT_FETCH_BODY,
	    0 },
	{ "gzip bomb", &site, "/bomb", { .timeout_ms = 20000 }, -EMSGSIZE,
	    SPOUT_FETCH_BODY, 0 },
	{ "redirect loop", &site, "/loop", { .timeout_ms = 20000 }, -ELOOP,
	    SPOUT_FETCH_REDIRECT, 0 },
	{ "another host", &secure_site, "/", { .timeout_ms = 20000 }, -EKEYREJECTED,
	    SPOUT_FETCH_TLS, 0 },
};

#define N_FAULTS (sizeof(faults) / sizeof(*faults))

static void
suffer(void *arg)
{
	struct fault *fault = *(struct fault **)arg;
	struct spout_fetch_options options = fault->options;
	uint64_t began = clock_us(CLOCK_MONOTONIC), ms;
	const char *url =
	    spout_sprintf("%s%s", fault->base != NULL ? *fault->base : "", fault->path);

	options.size = sizeof(options);
	options.ca_file = tls_file("ca");
	if (options.timeout_ms == 0)
		options.timeout_ms = timeout_ms();
	CU_ASSERT_PTR_NULL(spout_try_fetch_with(url, &options));
	ASSERT_FAILED(fault->error, fault->phase);
	ms = (clock_us(CLOCK_MONOTONIC) - began) / 1000;
	fault->most_ms = ms > fault->most_ms ? ms : fault->most_ms;
	CU_ASSERT_TRUE(ms <= options.timeout_ms + (is_strict() ? 20 : 5000));
}

static void
one_round(void *arg)
{
	struct spout_group *group = spout_group_new();

	(void)arg;
	for (size_t i = 0; i < N_FAULTS; i++) {
		struct fault *fault = &faults[i];

		spout_group_spawn(group, suffer, &fault, sizeof(fault));
	}
	spout_group_wait(group);
}

static size_t
resident_kib(void)
{
	unsigned long total = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	if (file != NULL)
		fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void
open_sites(uint16_t hole)
{
	const struct spout_tls_certificate own[] = { { tls_file("else"), NULL },
		{ NULL, NULL } };
	struct spout_tls *tls = spout_tls_server_new(.certificates = own);

	spout_defer(spout_tls_free, tls);
	site = spout_strdup(upstream_url(upstream_start(routes, NULL), ""));
	secure_site = spout_sprintf("https://127.0.0.1:%u", upstream_start(routes, tls));
	hole_url = spout_sprintf("http://127.0.0.1:%u/", hole);
}

static void
co_siege(void *arg)
{
	size_t heap = 0, resident = 0;

	open_sites(*(uint16_t *)arg);
	ticks_begin();
	spout_sleep(TIMEOUT_MS);
	ticks_end("idle", false);
	for (unsigned round = 0; round < (is_plain() ? ROUNDS : 3); round++) {
		if (round == 2) { /* the first ones fill the stores of memory */
			heap = mallinfo2().uordblks;
			resident = resident_kib();
			ticks_begin();
		}
		spout_scope_run(one_round, NULL);
	}
	ticks_end("besieged", true);
	printf("[heap %zu -> %zu bytes, resident %zu -> %zu KiB] ", heap,
	    mallinfo2().uordblks, resident, resident_kib());
	if (is_plain()) {
		CU_ASSERT_TRUE(mallinfo2().uordblks <= heap + (1 << 20));
		CU_ASSERT_TRUE(resident_kib() <= resident + 2048);
	}
}

static void
all_faults_at_once_are_typed_errors_in_time(void)
{
	uint16_t hole = black_hole_dig();

	tls_make(&(struct tls_wish){ .name = "ca", .authority = true, .to_days = 2 });
	tls_make(&(struct tls_wish){
	    .name = "else", .signer = "ca", .names = "DNS:else.example", .to_days = 2 });
	pack();
	bomb_mib = 10240;
	SPOUT_TEST_RUN(co_siege, &hole, .timeout_ms = 60000);
	fake_resolver_release();
	black_hole_fill();
	for (size_t i = 0; i < N_FAULTS; i++)
		printf("[%s: %llu ms] ", faults[i].name,
		    (unsigned long long)faults[i].most_ms);
	CU_ASSERT_EQUAL(fake_resolver_elsewhere, 0);
}

/* --- the bomb, to its end ---------------------------------------- */

static void
co_bomb(void *arg)
{
	size_t resident = resident_kib(), most = 0;
	struct spout_response *r;
	struct spout_slice piece;
	uint64_t n = 0;
	int error;

	(void)arg;
	site = spout_strdup(upstream_url(upstream_start(routes, NULL), "/bomb"));
	ticks_begin();
	r = spout_fetch_stream(
	    site, .max_body_bytes = bomb_mib * MIB - 1, .timeout_ms = SPOUT_NO_TIMEOUT);
	do {
		piece.len = 0;
		error = spout_try_response_read(r, &piece);
		n += piece.len;
		if (n % (4 * MIB) < piece.len && resident_kib() > most)
			most = resident_kib();
	} while (error == 0 && piece.len > 0);
	errno = -error;
	ticks_end("bomb", true);
	/* All but the step in which the limit was passed. */
	ASSERT_FAILED(-EMSGSIZE, SPOUT_FETCH_BODY);
	CU_ASSERT_TRUE(n < bomb_mib * MIB && n + (64 << 10) >= bomb_mib * MIB);
	printf("[%llu MB, resident %zu -> %zu KiB] ", (unsigned long long)(n / MIB),
	    resident, most);
	if (is_plain())
		CU_ASSERT_TRUE(most <= resident + 4096);
}

static void
a_bomb_that_goes_off_piece_by_piece_takes_no_memory(void)
{
	pack();
	bomb_mib = is_strict() ? 10240 : unit_scaled(100);
	SPOUT_TEST_RUN(co_bomb, NULL, .timeout_ms = 300000);
}

static const struct unit_test tests[] = {
	UNIT_TEST(all_faults_at_once_are_typed_errors_in_time),
	UNIT_TEST(a_bomb_that_goes_off_piece_by_piece_takes_no_memory), UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "client siege", tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
