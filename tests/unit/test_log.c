/* SPDX-License-Identifier: MIT */
/* The log: form of a line, escaping, order, drops, fork, stop, bug. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

/* ThreadSanitizer refuses threads in the child of a process that has some. */
const char *__tsan_default_options(void) __attribute__((visibility("default")));
const char *
__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static int pipe_fds[2];
static struct spout__log_options before;

/* Log into a pipe whose reading end is ours. */
static void
log_into_pipe(enum spout__log_format format)
{
	struct spout__log_options o = {
		.level = SPOUT_LOG_INFO, .format = format, .process = "worker 0"
	};

	CU_ASSERT_EQUAL_FATAL(pipe2(pipe_fds, O_CLOEXEC), 0);
	before = *spout__log_current();
	o.fd = pipe_fds[1];
	spout__log_configure(&o);
}

/* Everything written, up to the closing of the writing end; the log is as before. */
static char *
log_collected(size_t *ret_len)
{
	size_t len = 0, cap = 1 << 22;
	char *text = malloc(cap);
	ssize_t n;

	spout__log_configure(&before);
	close(pipe_fds[1]);
	while ((n = read(pipe_fds[0], text + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(pipe_fds[0]);
	if (ret_len != NULL)
		*ret_len = len;
	return text;
}

static bool
matches(const char *text, const char *pattern)
{
	regex_t re;
	bool ok;

	CU_ASSERT_EQUAL_FATAL(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ok = regexec(&re, text, 0, NULL, 0) == 0;
	if (!ok)
		fprintf(stderr, "\"%s\" does not match %s\n", text, pattern);
	regfree(&re);
	return ok;
}

#define STAMP "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9](:[0-5][0-9]){2}\\.[0-9]{3}Z"

static void
text_line_has_time_level_process_and_request(void)
{
	char *text;

	log_into_pipe(SPOUT__LOG_TEXT);
	spout_debug("not shown");
	spout_info("hello %d", 7);
	spout__log_request_id = "5f1c";
	errno = ENOENT;
	spout_warning("inside");
	CU_ASSERT_EQUAL(errno, ENOENT);
	spout__log_request_id = NULL;
	text = log_collected(NULL);
	CU_ASSERT(matches(text,
	    "^" STAMP " INFO worker 0\\[[0-9]+\\]: hello 7\n" STAMP
	    " WARNING worker 0\\[[0-9]+\\] req=5f1c: inside\n$"));
	free(text);
}

static void
time_stamp_agrees_with_gmtime(void)
{
	char *text, want[64];
	time_t now = time(NULL), after;
	struct tm tm;

	do { /* both within one second */
		now = time(NULL);
		log_into_pipe(SPOUT__LOG_TEXT);
		spout_info("x");
		text = log_collected(NULL);
		after = time(NULL);
	} while (now != after && (free(text), true));
	gmtime_r(&now, &tm);
	strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.", &tm);
	CU_ASSERT_EQUAL(strncmp(text, want, strlen(want)), 0);
	free(text);
}

static void
control_bytes_cannot_forge_a_line(void)
{
	char *text;

	log_into_pipe(SPOUT__LOG_TEXT);
	spout_info("a\n2026 INFO b\r\x1b[2J\x7f\xc2\x85z\xff caf\xc3\xa9");
	text = log_collected(NULL);
	CU_ASSERT(
	    matches(text, ": a\\\\n2026 INFO b\\\\r\\\\x1b\\[2J\\\\x7f\\\\x85z\\\\xff"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\\xff caf\xc3\xa9\n"));
	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
}

static void
json_line_parses_and_keeps_the_message(void)
{
	static const char nasty[] =
	    "quote \" back \\ nl \n bell \a c1 \xc2\x9f caf\xc3\xa9";
	json_t *line;
	char *text;

	log_into_pipe(SPOUT__LOG_JSON);
	spout__log_request_id = "id\"\n";
	spout_error_log("%s", nasty);
	spout__log_request_id = NULL;
	text = log_collected(NULL);
	line = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(line, "message")), nasty);
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(line, "request")), "id\"\n");
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(line, "level")), "error");
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(line, "process")), "worker 0");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(line, "pid")), getpid());
	json_decref(line);
	free(text);
}

static void
json_line_of_invalid_utf8_parses(void)
{
	/* lone continuation, overlong, surrogate, past the last code point, cut sequence
	 */
	static const char *const bad[] = { "a\x80", "\xc0\xaf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "end\xe2\x82" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *line;
		char *text;

		log_into_pipe(SPOUT__LOG_JSON);
		spout_info("%s", bad[i]);
		text = log_collected(NULL);
		line = json_loads(text, 0, NULL);
		CU_ASSERT_PTR_NOT_NULL(line);
		json_decref(line);
		free(text);
	}
}

static void
long_message_is_cut_and_stays_one_valid_line(void)
{
	char huge[8192], *text;
	json_t *line;
	size_t len;

	memset(huge, '\x01', sizeof(huge) - 1); /* each becomes six bytes */
	huge[sizeof(huge) - 1] = '\0';
	log_into_pipe(SPOUT__LOG_JSON);
	spout_info("%s", huge);
	text = log_collected(&len);
	CU_ASSERT(len <= 4096);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "...\"}\n"));
	line = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL(line);
	json_decref(line);
	free(text);
}

static void
raw_line_goes_out_as_it_is(void)
{
	static char big[20000];
	size_t len;
	char *text;

	memset(big, 'b', sizeof(big));
	log_into_pipe(SPOUT__LOG_TEXT);
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	spout__log_raw(pipe_fds[1], "GET /", 5);
	spout__log_raw(pipe_fds[1], big, sizeof(big)); /* cut to the longest line */
	spout__log_stop();
	text = log_collected(&len);
	CU_ASSERT_EQUAL(len, 6 + 16384);
	CU_ASSERT_EQUAL(strncmp(text, "GET /\nbbb", 9), 0);
	CU_ASSERT_EQUAL(text[len - 1], '\n');
	free(text);
}

#define THREADS 4
#define LINES 300

static void *
log_many(void *arg)
{
	int i, who = *(int *)arg;

	for (i = 0; i < LINES; i++)
		spout_info("t%d n%d", who, i);
	return NULL;
}

static void
lines_of_each_thread_keep_their_order(void)
{
	int who[THREADS], next[THREADS] = { 0 }, i, total = 0;
	pthread_t threads[THREADS];
	char *text, *at;

	log_into_pipe(SPOUT__LOG_TEXT);
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	CU_ASSERT_EQUAL(spout__log_start(), -EALREADY);
	for (i = 0; i < THREADS; i++) {
		who[i] = i;
		pthread_create(&threads[i], NULL, log_many, &who[i]);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	spout__log_stop();
	text = log_collected(NULL);
	for (at = text; (at = strstr(at, ": t")) != NULL; at++, total++) {
		int t = -1, n = -1;

		CU_ASSERT_EQUAL_FATAL(sscanf(at, ": t%d n%d", &t, &n), 2);
		CU_ASSERT_EQUAL(n, next[t]);
		next[t]++;
	}
	CU_ASSERT_EQUAL(total, THREADS * LINES);
	free(text);
}

static void
idle_writer_is_woken_by_a_line(void)
{
	int i;

	log_into_pipe(SPOUT__LOG_TEXT);
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	for (i = 0; i < 20; i++) {
		struct pollfd p = { .fd = pipe_fds[0], .events = POLLIN };
		char text[256];

		poll(NULL, 0, i); /* from awake to fast asleep */
		spout_info("wake %d", i);
		CU_ASSERT_EQUAL_FATAL(poll(&p, 1, 5000), 1);
		CU_ASSERT(read(pipe_fds[0], text, sizeof(text)) > 0);
	}
	spout__log_stop();
	free(log_collected(NULL));
}

static uint64_t
dropped_count(void)
{
	return spout__stats->counters[SPOUT__C_LOG_DROPPED];
}

struct reader {
	pthread_t thread;
	char *text;
};

static void *
read_all(void *arg)
{
	struct reader *r = arg;
	size_t len = 0, cap = 1 << 22;
	ssize_t n;

	r->text = malloc(cap);
	while ((n = read(pipe_fds[0], r->text + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	r->text[len] = '\0';
	return NULL;
}

static void
full_ring_drops_counts_and_tells(void)
{
	const unsigned sent = 20000;
	uint64_t counted = dropped_count();
	unsigned kept = 0, told = 0, n, last = 0;
	struct reader r;
	char *at;

	log_into_pipe(SPOUT__LOG_TEXT);
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	for (n = 1; n <= sent; n++)
		spout_info("line %u.", n); /* nobody reads: does not block */
	counted = dropped_count() - counted;
	CU_ASSERT(counted > 1000);
	pthread_create(&r.thread, NULL, read_all, &r);
	spout__log_stop();
	spout__log_configure(&before);
	close(pipe_fds[1]);
	pthread_join(r.thread, NULL);
	close(pipe_fds[0]);
	for (at = r.text; (at = strstr(at, "]: ")) != NULL; at++) {
		if (sscanf(at, "]: line %u.", &n) == 1) {
			CU_ASSERT(n > last);
			last = n;
			kept++;
		} else if (sscanf(at, "]: %u log lines dropped", &n) == 1) {
			told += n;
		}
	}
	CU_ASSERT_EQUAL(kept + counted, sent);
	CU_ASSERT_EQUAL(told, counted);
	CU_ASSERT(kept > 1000);
	free(r.text);
}

static void
stop_is_bounded_when_nobody_reads(void)
{
	uint64_t start;
	unsigned n;

	log_into_pipe(SPOUT__LOG_TEXT);
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	for (n = 0; n < 2000; n++)
		spout_info("filling the pipe and then the ring %u", n);
	start = spout__clock_ms();
	spout__log_stop();
	CU_ASSERT(spout__clock_ms() - start < 10000);
	free(log_collected(NULL));
}

static void
closed_reader_does_not_kill_or_block(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	uint64_t counted = dropped_count();

	sigaction(SIGPIPE, &ignore, &old);
	log_into_pipe(SPOUT__LOG_TEXT);
	close(pipe_fds[0]);
	pipe_fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	spout_info("nobody is there");
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	spout_info("still nobody");
	spout__log_stop();
	CU_ASSERT_EQUAL(dropped_count() - counted, 2);
	free(log_collected(NULL));
	sigaction(SIGPIPE, &old, NULL);
}

static void
forked_child_logs_directly_then_by_its_own_thread(void)
{
	char *text;
	pid_t pid;
	int status;

	log_into_pipe(SPOUT__LOG_TEXT);
	CU_ASSERT_EQUAL(spout__log_start(), 0);
	spout_info("parent");
	pid = unit_fork();
	if (pid == 0) {
		spout_info("child directly");
		if (spout__log_start() != 0)
			_exit(1);
		spout_info("child ring");
		spout__log_stop();
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	spout__log_stop();
	text = log_collected(NULL);
	CU_ASSERT(matches(text, "\\]: parent\n"));
	CU_ASSERT(matches(text, "\\]: child directly\n(.*\n)?.*\\]: child ring\n"));
	free(text);
}

static void
bug_writes_what_is_queued_then_its_own_line(void)
{
	char *text;
	pid_t pid;
	int status;

	log_into_pipe(SPOUT__LOG_TEXT);
	pid = unit_fork();
	if (pid == 0) {
		spout__log_start();
		spout_info("just before");
		spout__assert(1 + 1 == 3);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	text = log_collected(NULL);
	CU_ASSERT(matches(
	    text, "\\]: just before\n.*FATAL.*assertion failed: 1 \\+ 1 == 3\n$"));
	free(text);
}

/* Two windows: what the first one has too much is reported when the second begins. */
static void
a_flood_of_one_kind_is_cut_and_counted(void)
{
	struct spout__log_kind kind = { 0 };
	unsigned i, admitted = 0;
	char *text;

	log_into_pipe(SPOUT__LOG_TEXT);
	/* A second that is over, with one line short of the burst, then five too many. */
	kind.window = 1;
	CU_ASSERT_TRUE(spout__log_admit(&kind, SPOUT_LOG_WARNING));
	for (i = 0; i < SPOUT__LOG_BURST + 4; i++)
		admitted += spout__log_admit(&kind, SPOUT_LOG_WARNING);
	/* The clock may have passed into the next second meanwhile: then all are in. */
	if (kind.left_out == 5)
		CU_ASSERT_EQUAL(admitted, SPOUT__LOG_BURST - 1);
	kind.left_out = 5;
	kind.window = (uint64_t)1 << 32 | 25;
	CU_ASSERT_TRUE(spout__log_admit(&kind, SPOUT_LOG_WARNING));
	CU_ASSERT_EQUAL(kind.left_out, 0);
	text = log_collected(NULL);
	CU_ASSERT_TRUE(matches(
	    text, " WARNING worker 0.*: 5 lines like the next one were left out\n$"));
	free(text);
}

static const struct unit_test log_tests[] = {
	UNIT_TEST(a_flood_of_one_kind_is_cut_and_counted),
	UNIT_TEST(text_line_has_time_level_process_and_request),
	UNIT_TEST(time_stamp_agrees_with_gmtime),
	UNIT_TEST(control_bytes_cannot_forge_a_line),
	UNIT_TEST(json_line_parses_and_keeps_the_message),
	UNIT_TEST(json_line_of_invalid_utf8_parses),
	UNIT_TEST(long_message_is_cut_and_stays_one_valid_line),
	UNIT_TEST(raw_line_goes_out_as_it_is),
	UNIT_TEST(lines_of_each_thread_keep_their_order),
	UNIT_TEST(idle_writer_is_woken_by_a_line),
	UNIT_TEST(full_ring_drops_counts_and_tells),
	UNIT_TEST(stop_is_bounded_when_nobody_reads),
	UNIT_TEST(closed_reader_does_not_kill_or_block),
	UNIT_TEST(forked_child_logs_directly_then_by_its_own_thread),
	UNIT_TEST(bug_writes_what_is_queued_then_its_own_line),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "log", log_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
