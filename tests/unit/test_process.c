/* SPDX-License-Identifier: MIT */
/* Other programs run from coroutines: what they get, say and may say. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <spout/executor.h>

#include "net/process.h"
#include "process_help.h"
#include "unit.h"

/* --- talking ------------------------------------------------------------------------ */

static void
co_round_trip(void *arg)
{
	struct spout_process *process = spout_process_start(
	    SPOUT_ARGV("cat"), .in = SPOUT_PROCESS_PIPE, .out = SPOUT_PROCESS_PIPE);
	struct spout_process_exit how;

	(void)arg;
	CU_ASSERT_TRUE(process_is_alive(spout_process_pid(process)));
	CU_ASSERT_PTR_NULL(spout_process_err(process));
	spout_stream_write(spout_process_in(process), "hello\n", 6);
	ASSERT_SLICE(spout_stream_read_bytes(spout_process_out(process), 6), "hello\n");
	spout_stream_write(spout_process_in(process), "rest", 4);
	spout_stream_shutdown(spout_process_in(process));
	ASSERT_SLICE(spout_stream_read_all(spout_process_out(process), 10), "rest");
	how = spout_process_wait(process);
	CU_ASSERT_TRUE(how.status == 0 && how.signal == 0 && !how.core_dumped);
	how = spout_process_wait(process); /* as often as one likes */
	CU_ASSERT_EQUAL(how.status, 0);
	CU_ASSERT_EQUAL(spout_process_kill(process, SIGTERM), -ESRCH);
}

static void
what_is_written_to_cat_comes_back(void)
{
	process_run(co_round_trip);
}

#define MUCH (4u << 20)

static void
co_slow_reader(void *arg)
{
	struct spout_process *process = spout_process_start(
	    SPOUT_ARGV("head", "-c", "4194304", "/dev/zero"), .out = SPOUT_PROCESS_PIPE);
	struct spout_stream *out = spout_process_out(process);
	size_t total = 0;

	(void)arg;
	while (spout_stream_buffered(out) < 65536)
		spout_sleep(1);
	spout_sleep(20);
	CU_ASSERT_TRUE(spout_stream_buffered(out) <= 2 * 65536);
	CU_ASSERT_TRUE(process_is_alive(spout_process_pid(process)));
	for (;;) {
		struct spout_slice slice = spout_stream_read_some(out);

		if (slice.len == 0)
			break;
		total += slice.len;
	}
	CU_ASSERT_EQUAL(total, MUCH);
	CU_ASSERT_EQUAL(spout_process_wait(process).status, 0);
}

static void
a_slow_reader_makes_the_child_wait(void)
{
	process_run(co_slow_reader);
}

static void
co_slow_child(void *arg)
{
	struct spout_process *process =
	    spout_process_start(IDLE, .in = SPOUT_PROCESS_PIPE, .stream.timeout_ms = 5);
	struct spout_stream *in = spout_process_in(process);
	char *much = spout_zalloc(1, 1 << 20);

	(void)arg;
	CU_ASSERT_EQUAL(spout_try_stream_write(in, much, 1 << 20), -ETIMEDOUT);
	CU_ASSERT_TRUE(spout_stream_unsent(in) <= 256u << 10);
}

static void
a_child_that_does_not_read_makes_the_writer_wait(void)
{
	process_run(co_slow_child);
}

static void
co_both_pipes(void *arg)
{
	size_t n = 1 << 20;
	char *input = spout_alloc(n);
	struct spout_process_result *result;

	(void)arg;
	for (size_t i = 0; i < n; i++)
		input[i] = (char)(i % 251);
	result = spout_process_run(
	    SPOUT_ARGV("tee", "/dev/stderr"), .input = input, .input_len = n);
	CU_ASSERT_EQUAL_FATAL(result->output.len, n);
	CU_ASSERT_EQUAL_FATAL(result->errors.len, n);
	CU_ASSERT_EQUAL(memcmp(result->output.data, input, n), 0);
	CU_ASSERT_EQUAL(memcmp(result->errors.data, input, n), 0);
}

static void
three_full_pipes_at_once_do_not_lock_up(void)
{
	process_run(co_both_pipes);
}

/* --- what the child gets ------------------------------------------------------------ */

static void
co_descriptors(void *arg)
{
	int leak = dup(STDERR_FILENO); /* not close-on-exec */
	struct spout_process_result *result;

	(void)arg;
	CU_ASSERT_TRUE_FATAL(leak > 2);
	result = spout_process_run(SPOUT_ARGV("ls", "/proc/self/fd"), .input = "x",
	    .input_len = 1);
	close(leak);
	/* 3 is the directory that ls reads. */
	ASSERT_SLICE(result->output, "0\n1\n2\n3\n");
}

static void
no_descriptor_leaks_into_a_child(void)
{
	process_run(co_descriptors);
}

static void
co_signals(void *arg)
{
	struct spout_process_result *result = spout_process_run(
	    SPOUT_ARGV("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"));
	unsigned long long bits;
	const char *line = result->output.data;
	unsigned lines = 0;

	(void)arg;
	while (sscanf(line, "%*s %llx", &bits) == 1) {
		CU_ASSERT_EQUAL(bits & 0x7fffffff, 0);
		line = strchr(line, '\n') + 1;
		lines++;
	}
	CU_ASSERT_EQUAL(lines, 2);
}

static void
signals_are_at_their_default_in_a_child(void)
{
	sigset_t some, before;

	sigemptyset(&some);
	sigaddset(&some, SIGTERM);
	sigaddset(&some, SIGUSR1);
	signal(SIGHUP, SIG_IGN); /* and SIGPIPE: see main() */
	sigprocmask(SIG_BLOCK, &some, &before);
	process_run(co_signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGHUP, SIG_DFL);
}

static void
co_surroundings(void *arg)
{
	static const char *const environment[] = { "COLOUR=blue", NULL };
	struct spout_process_result *result;

	(void)arg;
	result = spout_process_run(SPOUT_ARGV("env"), .environment = environment);
	ASSERT_SLICE(result->output, "COLOUR=blue\n");
	result = spout_process_run(SPOUT_ARGV("pwd"), .directory = "/usr");
	ASSERT_SLICE(result->output, "/usr\n");
	result = spout_process_run(SH("echo one; echo two >&2; cat"), .err_to_out = true);
	ASSERT_SLICE(result->output, "one\ntwo\n");
	ASSERT_SLICE(result->errors, "");
	result = spout_process_run(SH("test $$ = `cut -d\" \" -f5 /proc/$$/stat`"));
	CU_ASSERT_EQUAL(result->exit.status, 0);
}

static void
environment_directory_and_group_are_its_own(void)
{
	process_run(co_surroundings);
}

static void
co_given_descriptors(void *arg)
{
	struct spout_process *process;
	char text[16] = "";
	int fds[2];

	(void)arg;
	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	process = spout_process_start(SH("cat; echo out; echo err >&2"),
	    .in = SPOUT_PROCESS_NULL, .out = fds[1], .err = SPOUT_PROCESS_STDOUT);
	CU_ASSERT_EQUAL(spout_process_wait(process).status, 0);
	CU_ASSERT_EQUAL(read(fds[0], text, sizeof(text)), 8);
	CU_ASSERT_STRING_EQUAL(text, "out\nerr\n");
	CU_ASSERT_EQUAL(fcntl(fds[1], F_GETFD), FD_CLOEXEC); /* it stays ours */
	process = spout_process_start(SH("echo x >&2"), .out = SPOUT_PROCESS_NULL,
	    .err = fds[1]);
	CU_ASSERT_EQUAL(spout_process_wait(process).status, 0);
	CU_ASSERT_EQUAL(read(fds[0], text, sizeof(text)), 2);
	close(fds[0]);
	close(fds[1]);
	CU_ASSERT_EQUAL(spout_try_process_start(SPOUT_ARGV("true"), &process,
	    .out = fds[1]), -EBADF);
	CU_ASSERT_EQUAL(spout_try_process_start(SPOUT_ARGV("true"), &process,
	    .out = SPOUT_PROCESS_STDOUT), -EINVAL);
}

static void
descriptors_null_and_stdout_are_passed_on(void)
{
	process_run(co_given_descriptors);
}

/* --- limits ------------------------------------------------------------------------- */

static void
co_output_limit(void *arg)
{
	struct spout_process_result *result = NULL;

	(void)arg;
	result = spout_process_run(SH("head -c 1000 /dev/zero | tee /dev/stderr"),
	    .max_output_bytes = 1000);
	CU_ASSERT_TRUE(result->output.len == 1000 && result->errors.len == 1000);
	CU_ASSERT_EQUAL(result->output.data[1000], '\0');
	CU_ASSERT_EQUAL(spout_try_process_run(SH("head -c 1001 /dev/zero"), &result,
	    .max_output_bytes = 1000), -EMSGSIZE);
	CU_ASSERT_STRING_EQUAL(spout_error(), "sh: more than 1000 bytes of output");
	CU_ASSERT_EQUAL(spout_try_process_run(SH("head -c 1001 /dev/zero >&2"), &result,
	    .max_output_bytes = 1000), -EMSGSIZE);
	CU_ASSERT_EQUAL(spout_try_process_run(SPOUT_ARGV("cat", "/dev/zero"), &result),
	    -EMSGSIZE);
	process_wait_none_left();
}

static void
collected_output_has_a_limit(void)
{
	process_run(co_output_limit);
}

static void
co_unread_input(void *arg)
{
	char *input = spout_zalloc(1, 1 << 20);

	(void)arg;
	CU_ASSERT_EQUAL(spout_process_run(SPOUT_ARGV("true"), .input = input,
	    .input_len = 1 << 20)->exit.status, 0);
}

static void
input_that_nobody_reads_is_no_error(void)
{
	process_run(co_unread_input);
}

static void
child_runs(void *arg)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "number %u", *(unsigned *)arg);
	struct spout_process_result *result = spout_process_run(
	    SPOUT_ARGV("cat"), .input = text, .input_len = (size_t)n);

	CU_ASSERT_STRING_EQUAL(result->output.data, text);
}

static void
co_many(void *arg)
{
	struct spout_group *group = spout_group_new();
	unsigned n = unit_scaled(200);

	(void)arg;
	for (unsigned i = 0; i < n; i++)
		spout_group_spawn(group, child_runs, &i, sizeof(i));
	CU_ASSERT_EQUAL(spout_group_count(group), n);
	spout_group_wait(group);
	CU_ASSERT_TRUE(process_none_left());
}

static void
two_hundred_run_at_once(void)
{
	process_run(co_many);
}

/* --- with a pool -------------------------------------------------------------------- */

static void
co_pool(void *arg)
{
	struct spout_pool *pool = process_pool();
	struct spout_process_result *result = NULL;
	struct spout_pool_stats stats;

	(void)arg;
	ASSERT_SLICE(spout_process_run(SPOUT_ARGV("echo", "x"))->output, "x\n");
	CU_ASSERT_EQUAL(
	    spout_try_process_run(SPOUT_ARGV("no-such-program"), &result), -ENOENT);
	spout_pool_get_stats(pool, &stats);
	CU_ASSERT_EQUAL(stats.completed, 2);
}

static void
a_loop_with_a_pool_does_not_stand_still_while_it_starts_one(void)
{
	process_run(co_pool);
}

static void
there_is_at_least_one_processor(void)
{
	CU_ASSERT_TRUE(spout_cpu_count() >= 1);
}

static const struct unit_test tests[] = {
	UNIT_TEST(what_is_written_to_cat_comes_back),
	UNIT_TEST(a_slow_reader_makes_the_child_wait),
	UNIT_TEST(a_child_that_does_not_read_makes_the_writer_wait),
	UNIT_TEST(three_full_pipes_at_once_do_not_lock_up),
	UNIT_TEST(no_descriptor_leaks_into_a_child),
	UNIT_TEST(signals_are_at_their_default_in_a_child),
	UNIT_TEST(environment_directory_and_group_are_its_own),
	UNIT_TEST(descriptors_null_and_stdout_are_passed_on),
	UNIT_TEST(collected_output_has_a_limit),
	UNIT_TEST(input_that_nobody_reads_is_no_error),
	UNIT_TEST(two_hundred_run_at_once),
	UNIT_TEST(a_loop_with_a_pool_does_not_stand_still_while_it_starts_one),
	UNIT_TEST(there_is_at_least_one_processor),
	UNIT_END
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "process", tests }, { NULL, NULL } };

	if (!unit_has_pidfd())
		return UNIT_SKIP;
	signal(SIGPIPE, SIG_IGN); /* as in every worker */
	return unit_run(argc, argv, suites);
}
