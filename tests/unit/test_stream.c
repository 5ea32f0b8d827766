/* SPDX-License-Identifier: MIT */
/* Streams for coroutines: reads, writes, their errors, who waits when it ends. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/stream.h>

#include "base/stats.h"
#include "co_help.h"
#include "unit.h"

static int far_end = -1; /* the other end of the stream under test: blocking, raw */

static struct spout_stream *
open_pair(void)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	far_end = fds[1];
	return spout_stream_new(fds[0]);
}

static void
far_write(const void *data, size_t len)
{
	CU_ASSERT_EQUAL(send(far_end, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
far_close(void *arg)
{
	(void)arg;
	close(far_end);
	far_end = -1;
}

static void
far_send_later(void *text)
{
	far_write(text, strlen(text));
}

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))

static void
co_reads(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_slice slice;
	char into[6] = "";

	(void)arg;
	far_write("abcdefline one\r\nline two\r\nrest", 30);
	ASSERT_SLICE(spout_stream_read_bytes(stream, 3), "abc");
	CU_ASSERT_EQUAL(spout_stream_buffered(stream), 27);
	spout_stream_read_into(stream, into, 3);
	CU_ASSERT_STRING_EQUAL(into, "def");
	ASSERT_SLICE(spout_stream_read_until(stream, "\r\n", 100), "line one\r\n");
	ASSERT_SLICE(spout_stream_read_until(stream, "\r\n", 10), "line two\r\n");
	ASSERT_SLICE(spout_stream_read_some(stream), "rest");
	co_later(5, far_send_later, "later");
	ASSERT_SLICE(spout_stream_read_some(stream), "later");
	co_later(5, far_send_later, "last");
	co_later(10, far_close, NULL);
	ASSERT_SLICE(spout_stream_read_all(stream, 100), "last");
	ASSERT_SLICE(spout_stream_read_some(stream), "");
	CU_ASSERT_EQUAL(spout_try_stream_read_bytes(stream, 1, &slice), -EPIPE);
	ASSERT_SLICE(spout_stream_read_bytes(stream, 0), "");
}

static void
every_read_takes_what_it_asks_for(void)
{
	co_run(co_reads, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static const char split_text[] = "0123456789\r\n\r\nabc";

static void
co_splits(void *arg)
{
	(void)arg;
	for (size_t i = 1; i < sizeof(split_text) - 1; i++) {
		struct spout_stream *stream = open_pair();

		far_write(split_text, i);
		co_later(1, far_send_later, (void *)(split_text + i));
		ASSERT_SLICE(spout_stream_read_until(stream, "\r\n\r\n", 14),
		    "0123456789\r\n\r\n");
		ASSERT_SLICE(spout_stream_read_bytes(stream, 3), "abc");
		spout_stream_close(stream);
		far_close(NULL);
	}
}

static void
a_delimiter_is_found_wherever_the_bytes_are_split(void)
{
	co_run(co_splits, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_lent(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_slice slice;
	static char big[40000];

	(void)arg;
	memset(big, 'x', sizeof(big));
	far_write("hello", 5);
	slice = spout_stream_read_bytes(stream, 5);
	far_write(big, sizeof(big));
	spout_sleep(5); /* they arrive while the slice is in use */
	ASSERT_SLICE(slice, "hello");
	CU_ASSERT_EQUAL(spout_stream_buffered(stream), sizeof(big));
	slice = spout_stream_read_bytes(stream, sizeof(big));
	CU_ASSERT_EQUAL(memcmp(slice.data, big, sizeof(big)), 0);
	far_close(NULL);
}

static void
lent_bytes_stay_while_more_arrive(void)
{
	co_run(co_lent, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_limits(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_slice slice;

	(void)arg;
	far_write("no delimiter in sight\n", 22);
	CU_ASSERT_EQUAL(spout_try_stream_read_until(stream, "\n", 21, &slice), -EMSGSIZE);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), "within 21 bytes"));
	CU_ASSERT_EQUAL(spout_try_stream_read_all(stream, 21, &slice), -EMSGSIZE);
	CU_ASSERT_EQUAL(
	    spout_try_stream_read_bytes(stream, (1u << 20) + 1, &slice), -EMSGSIZE);
	CU_ASSERT_EQUAL(spout_try_stream_read_until(stream, "", 21, &slice), -EINVAL);
	ASSERT_SLICE(
	    spout_stream_read_until(stream, "\n", 22), "no delimiter in sight\n");
	far_close(NULL);
	spout_stream_read_bytes(stream, 1);
}

static void
limits_are_typed_errors_and_keep_the_bytes(void)
{
	co_run(co_limits, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -EPIPE);
	CU_ASSERT_PTR_NOT_NULL(strstr(co_reason, "the peer has closed"));
}

static void
co_times_out(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_slice slice;

	(void)arg;
	spout_stream_set_timeout(stream, 5);
	CU_ASSERT_EQUAL(spout_try_stream_read_bytes(stream, 1, &slice), -ETIMEDOUT);
	co_later(1, far_send_later, "x");
	ASSERT_SLICE(spout_stream_read_some(stream), "x");
	spout_stream_set_timeout(stream, SPOUT_FOREVER);
	spout_set_deadline_ms(5);
	spout_stream_read_bytes(stream, 1);
	CU_FAIL("the deadline ends it");
}

static void
time_outs_and_deadlines_bound_a_read(void)
{
	co_run(co_times_out, NULL);
	far_close(NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -ETIMEDOUT);
}

#define MUCH (3u << 20)

static void
child_reads_slowly(void *arg)
{
	size_t *total = *(size_t **)arg;
	struct spout_stream *stream = spout_stream_new(dup(far_end));

	while (*total < MUCH) {
		struct spout_slice slice = spout_stream_read_some(stream);

		for (size_t i = 0; i < slice.len; i++)
			if (slice.data[i] != (char)((*total + i) % 251))
				CU_FAIL_FATAL("wrong byte");
		*total += slice.len;
	}
}

static void
co_back_pressure(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_group *group = spout_group_new();
	char *much = spout_alloc(MUCH);
	size_t got = 0, *total = &got;

	(void)arg;
	for (size_t i = 0; i < MUCH; i++)
		much[i] = (char)(i % 251);
	spout_stream_set_timeout(stream, 5);
	CU_ASSERT_EQUAL(spout_try_stream_write(stream, much, 100000), 0);
	CU_ASSERT_EQUAL(spout_try_stream_write(stream, much + 100000, MUCH - 100000),
	    -ETIMEDOUT);
	CU_ASSERT_TRUE(spout_stream_unsent(stream) <= 256u << 10);
	CU_ASSERT_EQUAL(spout_try_stream_flush(stream), -ETIMEDOUT);
	spout_stream_close(stream);
	far_close(NULL);

	stream = open_pair();
	spout_group_spawn(group, child_reads_slowly, &total, sizeof(total));
	spout_stream_write(stream, much, MUCH);
	spout_stream_flush(stream);
	CU_ASSERT_EQUAL(spout_stream_unsent(stream), 0);
	spout_group_wait(group);
	CU_ASSERT_EQUAL(got, MUCH);
	far_close(NULL);
}

static void
a_slow_reader_suspends_the_writer(void)
{
	co_run(co_back_pressure, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_reading_stops(void *arg)
{
	struct spout_stream *stream = open_pair();
	char piece[65536];
	size_t sent = 0;
	ssize_t n;

	(void)arg;
	memset(piece, 'y', sizeof(piece));
	CU_ASSERT_EQUAL(fcntl(far_end, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 20; i++) {
		while ((n = send(far_end, piece, sizeof(piece), MSG_NOSIGNAL)) > 0)
			sent += (size_t)n;
		spout_sleep(1);
	}
	CU_ASSERT_TRUE(spout_stream_buffered(stream) <= 2 * 65536);
	CU_ASSERT_TRUE(sent < 2u << 20);
	far_close(NULL);
	CU_ASSERT_EQUAL(spout_stream_read_bytes(stream, sent).len, sent);
	ASSERT_SLICE(spout_stream_read_some(stream), "");
}

static void
reading_ahead_has_a_bound(void)
{
	co_run(co_reading_stops, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_peer_gone(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_slice slice;

	(void)arg;
	far_write("bye", 3);
	far_close(NULL);
	CU_ASSERT_EQUAL(spout_try_stream_write(stream, "x", 1), 0);
	CU_ASSERT_EQUAL(spout_try_stream_flush(stream), -EPIPE);
	CU_ASSERT_EQUAL(spout_try_stream_write(stream, "x", 1), -EPIPE);
	CU_ASSERT_TRUE(spout_try_stream_read_bytes(stream, 4, &slice) < 0);
}

static void
writing_to_a_closed_peer_is_epipe(void)
{
	co_run(co_peer_gone, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
child_waits(void *arg)
{
	struct spout_stream *stream = *(struct spout_stream **)arg;
	struct spout_slice slice;

	CU_ASSERT_EQUAL(spout_try_stream_read_bytes(stream, 1, &slice), -EPIPE);
	co_note("r");
}

static void
child_is_granted(void *arg)
{
	struct spout_stream *stream = *(struct spout_stream **)arg;
	struct spout_slice slice;

	CU_ASSERT_EQUAL(spout_try_stream_read_bytes(stream, 1, &slice), -EPIPE);
	co_note("g");
}

static void
co_close_under_reader(void *arg)
{
	struct spout_stream *stream = open_pair();
	struct spout_group *group = spout_group_new();

	(void)arg;
	spout_group_spawn(group, child_waits, &stream, sizeof(stream));
	spout_sleep(2);
	spout_stream_close(stream);
	spout_group_wait(group);
	far_close(NULL);

	group = spout_group_new();
	stream = open_pair();
	spout_group_spawn(group, child_is_granted, &stream, sizeof(stream));
	spout_yield();
	spout_stream_close(stream);
	spout_group_wait(group);
	far_close(NULL);
}

static void
closing_sends_off_who_waits(void)
{
	co_run(co_close_under_reader, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	CU_ASSERT_STRING_EQUAL(co_trace, "rg");
}

static void
co_close_sends(void *arg)
{
	struct spout_stream *stream = open_pair();
	char text[8] = "";

	(void)arg;
	spout_stream_write(stream, "last", 4);
	spout_stream_close(stream);
	CU_ASSERT_EQUAL(read(far_end, text, sizeof(text)), 4);
	CU_ASSERT_EQUAL(read(far_end, text, sizeof(text)), 0);
	far_close(NULL);
	stream = open_pair();
	spout_stream_write(stream, "fin", 3);
	spout_stream_shutdown(stream);
	CU_ASSERT_EQUAL(read(far_end, text, sizeof(text)), 3);
	CU_ASSERT_EQUAL(read(far_end, text, sizeof(text)), 0);
	far_write("back", 4);
	ASSERT_SLICE(spout_stream_read_bytes(stream, 4), "back");
	far_close(NULL);
}

static void
what_was_written_leaves_before_the_end(void)
{
	co_run(co_close_sends, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_pipes(void *arg)
{
	struct spout_stream *in, *out;
	struct spout_slice slice;
	int fds[2];

	(void)arg;
	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	in = spout_stream_new(fds[0]);
	out = spout_stream_new(fds[1]);
	CU_ASSERT_STRING_EQUAL(spout_stream_peer(in), "");
	spout_stream_write(out, "through", 7);
	ASSERT_SLICE(spout_stream_read_bytes(in, 7), "through");
	CU_ASSERT_EQUAL(spout_try_stream_read_bytes(out, 1, &slice), -EPIPE);
	spout_stream_write(out, "end", 3);
	spout_stream_shutdown(out);
	ASSERT_SLICE(spout_stream_read_all(in, 100), "end");

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	out = spout_stream_new(fds[1]);
	close(fds[0]);
	spout_stream_write(out, "x", 1);
	CU_ASSERT_EQUAL(spout_try_stream_flush(out), -EPIPE);
}

static void
both_ends_of_a_pipe_are_streams(void)
{
	co_run(co_pipes, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_full_pipe_hangs_up(void *arg)
{
	static char much[300000];
	struct spout_stream *in;
	uint64_t turns;
	int fds[2];

	(void)arg;
	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	CU_ASSERT_TRUE(fcntl(fds[1], F_SETPIPE_SZ, 1 << 19) >= 300000);
	CU_ASSERT_EQUAL(write(fds[1], much, sizeof(much)), sizeof(much));
	close(fds[1]);
	in = spout_stream_new(fds[0]);
	spout_sleep(5); /* read ahead to the bound; the hang-up waits behind it */
	turns = atomic_load(&spout__stats->counters[SPOUT__C_LOOP_TURNS]);
	spout_sleep(20);
	turns = atomic_load(&spout__stats->counters[SPOUT__C_LOOP_TURNS]) - turns;
	CU_ASSERT_TRUE(turns < 10);
	CU_ASSERT_EQUAL(spout_stream_read_all(in, 1 << 20).len, sizeof(much));
}

static void
a_hang_up_behind_unread_bytes_does_not_spin_the_loop(void)
{
	co_run(co_full_pipe_hangs_up, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, 0);
}

static void
co_no_descriptor(void *arg)
{
	struct spout_stream *stream = NULL;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_stream_new(-1, &stream), -EBADF);
	/* Not to be watched. */
	CU_ASSERT_EQUAL(spout_try_stream_new(fd, &stream), -EPERM);
	CU_ASSERT_PTR_NULL(stream);
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
	spout_stream_new(-1);
}

static void
a_descriptor_that_is_no_stream_is_refused_and_closed(void)
{
	co_run(co_no_descriptor, NULL);
	CU_ASSERT_EQUAL(co_outcome.error, -EBADF);
}

/* --- each wait cancelled in turn ------------------------------------------------ */

static void
co_sweep(void *arg)
{
	struct spout_stream *stream = open_pair();
	char *much = spout_alloc(1 << 20);

	(void)arg;
	co_loop = spout_loop_current();
	spout_defer(far_close, NULL);
	memset(much, 0, 1 << 20);
	co_later(1, far_send_later, "one");
	ASSERT_SLICE(spout_stream_read_bytes(stream, 3), "one");
	co_later(1, far_send_later, "two\n");
	ASSERT_SLICE(spout_stream_read_until(stream, "\n", 10), "two\n");
	spout_stream_set_timeout(stream, 5);
	CU_ASSERT_TRUE(spout_try_stream_write(stream, much, 1 << 20) < 0);
	CU_ASSERT_TRUE(spout_try_stream_flush(stream) < 0);
}

static void
cancelling_at_each_wait_leaks_nothing(void)
{
	SPOUT_TEST_SWEEP(co_sweep, NULL, .run.no_threads = true);
}

static const struct unit_test tests[] = {
	UNIT_TEST(every_read_takes_what_it_asks_for),
	UNIT_TEST(a_delimiter_is_found_wherever_the_bytes_are_split),
	UNIT_TEST(lent_bytes_stay_while_more_arrive),
	UNIT_TEST(limits_are_typed_errors_and_keep_the_bytes),
	UNIT_TEST(time_outs_and_deadlines_bound_a_read),
	UNIT_TEST(a_slow_reader_suspends_the_writer),
	UNIT_TEST(reading_ahead_has_a_bound),
	UNIT_TEST(writing_to_a_closed_peer_is_epipe),
	UNIT_TEST(closing_sends_off_who_waits),
	UNIT_TEST(what_was_written_leaves_before_the_end),
	UNIT_TEST(both_ends_of_a_pipe_are_streams),
	UNIT_TEST(a_hang_up_behind_unread_bytes_does_not_spin_the_loop),
	UNIT_TEST(a_descriptor_that_is_no_stream_is_refused_and_closed),
	UNIT_TEST(cancelling_at_each_wait_leaks_nothing),
	UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "stream", tests }, { NULL, NULL } };

	signal(SIGPIPE, SIG_IGN); /* as in every worker */
	return unit_run(argc, argv, suites);
}
