/* SPDX-License-Identifier: MIT */
/*
 * Allocation torture of the loop, coroutines, the executor, HTTP connections and options:
 * whichever allocation fails, nothing crashes, hangs or leaks. See torture.h.
 */
#include "config.h"

#include "torture.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spout/spout.h>

#include "app/settings.h"
#include "async/async.h"
#include "base/buffer.h"
#include "executor/executor.h"
#include "http/server.h"

static struct spout_loop *loop;
static unsigned done; /* steps of the scenario that were taken */

static void
stop(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

/* --- the loop --------------------------------------------------------------------- */

static int pipe_fds[2];

static void
on_pipe(int fd, unsigned events, void *arg)
{
	char byte;

	(void)events;
	(void)arg;
	done += read(fd, &byte, 1) == 1;
	spout_loop_stop(loop);
}

static void
write_byte(void *arg)
{
	(void)arg;
	done += write(pipe_fds[1], "x", 1) == 1;
}

static bool
loop_steps(void)
{
	struct spout_periodic *periodic;
	struct spout_fd_handler *handler;
	struct spout_signal *signal;
	bool whole;

	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	handler = spout_loop_add_handler(loop, pipe_fds[0], SPOUT_READ, on_pipe, NULL);
	signal = spout_loop_add_signal(loop, SIGUSR2, stop, NULL);
	periodic = spout_periodic_start(loop, 1000, 0.1, stop, NULL);
	whole = handler != NULL && signal != NULL && periodic != NULL &&
	    spout_loop_post(loop, write_byte, NULL) == 0 &&
	    spout_loop_call_later(loop, 20000, stop, NULL) != NULL;
	if (whole)
		whole = spout_loop_run(loop) == 0 && done == 2;
	spout_loop_remove_handler(handler);
	spout_loop_remove_signal(signal);
	spout_periodic_stop(periodic);
	spout_loop_free(loop);
	return whole;
}

static bool
run_loop(void)
{
	bool whole;

	done = 0;
	if (pipe(pipe_fds) < 0)
		return false;
	whole = loop_steps();
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return whole;
}

/* --- coroutines ------------------------------------------------------------------- */

static unsigned cleaned;

static void
clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void
gone(void *arg)
{
	(void)arg;
	spout_loop_stop(loop);
}

/* Let the loop turn a little more; whatever fails, this does not. */
static void
run_for_ms(uint64_t ms)
{
	torture_pause();
	CU_ASSERT_PTR_NOT_NULL(spout_loop_call_later(loop, ms, stop, NULL));
	torture_resume();
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
}

/* Run fn in a coroutine on a loop of its own; false if that could not be. */
static bool
run_coroutine(spout_fn fn)
{
	struct spout_coroutine *co = NULL;

	done = cleaned = 0;
	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	co = spout__coroutine_new(loop);
	if (co != NULL) {
		spout__coroutine_start(co, &(struct spout__coroutine_options){ .fn = fn,
		    .on_gone = gone, .where = "torture" });
		CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
		spout__tasks_cancel(loop);
		while (spout__coroutines_alive(loop) > 0)
			run_for_ms(1);
	}
	spout_loop_free(loop);
	return co != NULL;
}

static void
nap(void *arg)
{
	(void)arg;
	spout_defer(clean, NULL);
	spout_sleep(1);
	done++;
}

static void
task(void *arg)
{
	CU_ASSERT_STRING_EQUAL((char *)arg, "copied");
	nap(NULL);
}

static void
note_result(struct spout_future *future, void *arg)
{
	(void)arg;
	done += spout_future_result(future) == &done;
}

static void
complete_it(void *future)
{
	spout_future_set_result(future, &done);
}

static void
wait_in_many_ways(void *arg)
{
	struct spout_future *a, *b;

	(void)arg;
	spout_defer(clean, NULL);
	nap(NULL);
	if (spout_spawn(task, "copied", 7) < 0)
		spout_fail_with(-ENOMEM, "no task");
	a = spout_future_new();
	b = spout_future_new();
	if (spout_future_add_done_callback(a, note_result, NULL) < 0 ||
	    spout_loop_call_later(loop, 1, complete_it, a) == NULL)
		spout_fail_with(-ENOMEM, "no callback");
	if (spout_try_with_timeout(1, b) != -ETIMEDOUT)
		spout_fail_with(-EIO, "completed by itself");
	done += strstr(spout_error(), "not complete") != NULL;
	spout_await(a);
	spout_future_set_error(b, -EIO, "%s", spout_sprintf("%0400d", 7));
	done += spout_try_await(b) == -EIO && strlen(spout_future_reason(b)) > 200;
	spout_scope_run(nap, NULL);
	spout_yield();
	memset(spout_alloc(100000), 1, 100000);
	spout_sleep(2);
	done++;
}

static bool
run_coroutines(void)
{
	return run_coroutine(wait_in_many_ways) && done == 7 && cleaned == 4;
}

/* --- the executor ----------------------------------------------------------------- */

static int
add(void *arg)
{
	return ++*(int *)arg;
}

static void
close_pool(void *pool)
{
	spout_pool_close(pool, SPOUT_FOREVER);
}

static void
use_pools(void *arg)
{
	struct spout_pool *pool = spout_pool_new(
	    "torture", .min_threads = 1, .max_threads = 2, .max_queued = 2);
	int one = 1, two = 2;
	struct spout_future *future;

	(void)arg;
	if (pool == NULL)
		spout_fail_with(-errno, "no pool");
	spout_defer(close_pool, pool);
	done += spout_run_on(pool, add, &one) == 2;
	future = spout_run_on_async(pool, add, &two);
	spout_await(future);
	done += spout_future_int(future) == 3;
}

static bool
run_executor(void)
{
	return run_coroutine(use_pools) && done == 2;
}

static bool
run_default_pools(void)
{
	const struct spout__executor_options options = {
		.cpu_threads = 1, .blocking_min = 1, .blocking_max = 4, .db_threads = 1
	};
	int r;

	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	r = spout__executor_start(loop, &options);
	if (r == 0)
		r = spout__executor_stop(loop, SPOUT_FOREVER);
	spout_loop_free(loop);
	return r == 0;
}

/* --- connections ------------------------------------------------------------------ */

static struct spout_fd_handler *client_handler;
static char got[400000];
static size_t got_len;
static bool got_end;

static void
on_client(int fd, unsigned events, void *arg)
{
	ssize_t n = read(fd, got + got_len, sizeof(got) - 1 - got_len);

	(void)events;
	(void)arg;
	if (n > 0) {
		got_len += (size_t)n;
		return;
	}
	got_end = true;
	spout_loop_stop(loop);
}

static void
gave_up(void *arg)
{
	(void)arg;
	CU_FAIL("the connection neither answered nor closed");
	spout_loop_stop(loop);
}

static void
echo(struct spout__http_exchange *ex, void *arg)
{
	struct spout_slice piece;

	(void)arg;
	while ((piece = spout__http_body_read(ex)).len > 0)
		if (spout__http_write(ex, piece.data, piece.len) < 0)
			spout_fail_with(-ENOMEM, "no memory for the answer");
}

static void
answer(struct spout__http_exchange *ex, void *arg)
{
	const struct spout_slice name = spout_slice("X-Torture");
	struct spout_slice body = spout__http_body_buffered(ex);

	(void)arg;
	spout_sleep(1);
	if (spout__http_add_header(ex, name, spout_slice("yes")) < 0 ||
	    spout__http_write(ex, "hello", 5) < 0 ||
	    spout__http_write(ex, body.data, body.len) < 0)
		spout_fail_with(-ENOMEM, "no memory for the answer");
}

static void
on_head(void *ctx, struct spout__http_exchange *ex, const struct spout__http_head *head,
    struct spout__http_plan *plan)
{
	(void)ctx;
	(void)ex;
	plan->stream_body = spout_slice_equal(head->path, "/echo");
	plan->run = plan->stream_body ? echo : answer;
}

static void
on_exit_ex(void *ctx, struct spout__http_exchange *ex,
    const struct spout__outcome *outcome, bool client_gone)
{
	(void)ctx;
	if (client_gone || outcome->error == 0 || spout__http_reset(ex) < 0)
		return;
	if (spout__http_set_status(ex, 503) < 0 || spout__http_write(ex, "no", 2) < 0)
		spout__http_close_after(ex);
}

static void
on_finish(void *ctx, struct spout__http_exchange *ex)
{
	(void)ctx;
	(void)ex;
	done++;
}

static void
on_fault(void *ctx, enum spout__http_fault fault, const struct sockaddr *peer,
    struct spout__buffer *body)
{
	(void)ctx;
	(void)fault;
	(void)peer;
	if (spout__buffer_append(body, "fault", 5) == 0)
		done++;
}

static char conversation[140000];

static void
write_conversation(void)
{
	size_t n;

	strcpy(conversation, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
	    "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 6000\r\n\r\n");
	n = strlen(conversation);
	memset(conversation + n, 'b', 6000);
	strcpy(conversation + n + 6000, "POST /echo HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 120000\r\n\r\n");
	n = strlen(conversation);
	memset(conversation + n, 'e', 120000);
	strcpy(conversation + n + 120000, "GET /c HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /d HTTP/1.1\r\n\r\n"); /* no Host: the last answer is a 400 */
}

/* The client's part: what it needs of the loop is not what is tortured. */
static void
client_talk(int fd)
{
	struct spout_timer *limit;
	size_t len = strlen(conversation);

	got_len = 0;
	got_end = false;
	CU_ASSERT_EQUAL(send(fd, conversation, len, MSG_NOSIGNAL), (ssize_t)len);
	shutdown(fd, SHUT_WR);
	torture_pause();
	client_handler = spout_loop_add_handler(loop, fd, SPOUT_READ, on_client, NULL);
	limit = spout_loop_call_later(loop, 20000, gave_up, NULL);
	torture_resume();
	CU_ASSERT_EQUAL(spout_loop_run(loop), 0);
	got[got_len] = '\0';
	if (got_end)
		spout_loop_remove_timeout(limit);
	spout_loop_remove_handler(client_handler);
}

static bool
serve(int client, int served)
{
	const struct spout__http_delegate delegate = { .on_head = on_head,
		.on_exit = on_exit_ex,
		.on_finish = on_finish,
		.on_fault = on_fault };
	const struct sockaddr unknown = { .sa_family = AF_UNIX };
	struct spout__http_options options;
	struct spout__http_server *server;
	bool whole = false;

	spout__http_options_init(&options);
	server = spout__http_server_new(loop, &options, &delegate);
	if (server == NULL || spout__http_server_adopt(server, served, &unknown,
	    sizeof(unknown)) < 0) {
		close(served);
	} else {
		client_talk(client);
		whole = strstr(got, "HTTP/1.1 400 ") != NULL && done == 5;
	}
	close(client);
	spout__http_server_free(server);
	while (spout__coroutines_alive(loop) > 0)
		run_for_ms(1);
	return whole;
}

static bool
run_connection(void)
{
	int fds[2];
	bool whole;

	done = 0;
	loop = spout_loop_new();
	if (loop == NULL)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	whole = serve(fds[0], fds[1]);
	spout_loop_free(loop);
	return whole;
}

/* --- options ---------------------------------------------------------------------- */

static char options_path[] = "/tmp/spout-torture-XXXXXX";

static bool
run_options(void)
{
	static struct spout__settings settings;
	static struct spout__options options;
	char *argv[] = { (char *)"torture", (char *)"--config", options_path,
		(char *)"--listen", (char *)"127.0.0.1:1234", (char *)"--processes=3",
		(char *)"--database", (char *)"postgresql://a:b@c/d", NULL };
	char *envp[] = { (char *)"SPOUT_LOG_LEVEL=debug", NULL };
	int r;

	memset(&settings, 0, sizeof(settings));
	spout__options_init(&options, "torture", "Is tortured.");
	r = spout__settings_add(&settings, &options);
	if (r == 0)
		r = spout__options_parse(&options, 8, argv, envp);
	if (r == 0)
		r = spout__settings_check(&settings, &options);
	if (r < 0)
		CU_ASSERT_NOT_EQUAL(options.error[0], '\0');
	spout__options_release(&options);
	return r == 0 && settings.processes == 3 && settings.n_listens == 1;
}

static void
write_options_file(void)
{
	static const char text[] = "# torture\nrequest-timeout = 5s\nmax-body = 2m\n";
	int fd = mkstemp(options_path);

	CU_ASSERT_EQUAL_FATAL(
	    write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	close(fd);
}

/* --- the tests -------------------------------------------------------------------- */

static void
the_loop_survives_every_failed_allocation(void)
{
	torture("the loop", run_loop);
}

static void
coroutines_survive_every_failed_allocation(void)
{
	torture("coroutines", run_coroutines);
}

static void
the_executor_survives_every_failed_allocation(void)
{
	torture("the executor", run_executor);
	torture("the default pools", run_default_pools);
}

static void
connections_survive_every_failed_allocation(void)
{
	write_conversation();
	torture("a connection", run_connection);
}

static void
options_survive_every_failed_allocation(void)
{
	write_options_file();
	torture("options", run_options);
	unlink(options_path);
}

static const struct unit_test torture_tests[] = {
	UNIT_TEST(the_loop_survives_every_failed_allocation),
	UNIT_TEST(coroutines_survive_every_failed_allocation),
	UNIT_TEST(the_executor_survives_every_failed_allocation),
	UNIT_TEST(connections_survive_every_failed_allocation),
	UNIT_TEST(options_survive_every_failed_allocation),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "torture", torture_tests },
		{ NULL, NULL } };

	spout__log_configure(
	    &(struct spout__log_options){ .level = SPOUT_LOG_ERROR, .fd = 2 });
	torture_init();
	return unit_run(argc, argv, suites);
}
