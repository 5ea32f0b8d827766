/* SPDX-License-Identifier: MIT */
/*
 * The pool of connections under stress: cancelled queries, a server that stops, dies, hangs
 * or refuses, too few connections; what goes back to the pool is always whole.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <spout/spout.h>

#include "async/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "pg_help.h"

static uint64_t
counter(enum spout__counter id)
{
	return atomic_load(&spout__stats->counters[id]);
}

static void
query(void *sql)
{
	spout_pg_query_with(sql, NULL, 0);
}

/* Every connection of the pool works, and works at the same time as the others. */
static void
check_whole(unsigned threads)
{
	struct spout_future *futures[16];
	unsigned i;

	for (i = 0; i < threads; i++)
		futures[i] =
		    spout_pg_query_async("SELECT $1::int AS n, pg_sleep(0.02)", i);
	for (i = 0; i < threads; i++)
		CU_ASSERT_EQUAL(spout_row_int(spout_future_rows(futures[i]), 0, "n"), i);
	CU_ASSERT(sessions("%") <= (int)threads);
	CU_ASSERT_EQUAL(sessions("idle in transaction%"), 0);
	CU_ASSERT_EQUAL(sessions("active"), 0);
}

/* --- cancelling ------------------------------------------------------------------- */

static void
deadline(void *arg)
{
	struct ending ending;
	int n;

	(void)arg;
	check_whole(4);
	n = sessions("%");
	start(query, "SELECT pg_sleep(30)", 100, &ending);
	wait_until(ending.left);
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	CU_ASSERT(ending.left_after_ms >= 100 && ending.left_after_ms < 10000);
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(sessions("active"), 0);
	CU_ASSERT_EQUAL(sessions("idle"), n);
	check_whole(4);
}

static void
a_query_past_its_deadline_is_cancelled_on_the_server(void)
{
	with_pool(&(struct setup){ .threads = 4 }, deadline);
}

static void
client_gone(void *arg)
{
	struct ending endings[8];
	struct spout_coroutine *co[8];
	int round, i, n;

	(void)arg;
	for (round = 0; round < 25; round++) {
		/* More than there are threads: some are cancelled in the queue. */
		n = round % 8 + 1;
		for (i = 0; i < n; i++)
			co[i] = start(query, "SELECT pg_sleep(30)", 0, &endings[i]);
		if (round % 3 == 0)
			wait_until(sessions("active") == (n < 4 ? n : 4));
		else if (round % 3 == 1)
			spout_yield();
		else
			spout_sleep((uint64_t)round % 5);
		for (i = 0; i < n; i++)
			spout__coroutine_cancel(co[i], -ECANCELED, "client gone");
		for (i = 0; i < n; i++) {
			wait_until(endings[i].gone);
			CU_ASSERT_EQUAL(endings[i].error, -ECANCELED);
		}
		CU_ASSERT_EQUAL(sessions("active"), 0);
	}
	check_whole(4);
}

static void
cancelled_queries_leave_the_pool_whole(void)
{
	with_pool(&(struct setup){ .threads = 4 }, client_gone);
}

static int
sleeps_long(PGconn *conn, void *arg)
{
	(void)arg;
	PQclear(PQexec(conn, "SELECT pg_sleep(30)"));
	return 0;
}

/* Waits as libpq does, blind to everything else, and does not give up. */
static int
stubborn(PGconn *conn, void *arg)
{
	atomic_int *statements = arg;
	PGresult *result;

	while (PQstatus(conn) == CONNECTION_OK) {
		result = PQexec(conn, "SELECT pg_sleep(0.01)");
		atomic_fetch_add(statements, 1);
		PQclear(result);
	}
	return 0;
}

/* Begins its statement when the first cancel request has found nothing to cancel. */
static int
sleeps_late(PGconn *conn, void *arg)
{
	uint64_t cancels = counter(SPOUT__C_PG_CANCELS);

	atomic_store((atomic_int *)arg, 1);
	while (!spout_job_cancelled() || counter(SPOUT__C_PG_CANCELS) == cancels)
		poll(NULL, 0, 1);
	return sleeps_long(conn, NULL);
}

static void
run_sleeps_late(void *arg)
{
	spout_pg_run(sleeps_late, arg);
}

static void
run_stubborn(void *arg)
{
	spout_pg_run(stubborn, arg);
}

static void
run_sleeps_long(void *arg)
{
	(void)arg;
	spout_pg_run(sleeps_long, NULL);
}

static void
functions_end(void *arg)
{
	struct spout_coroutine *co;
	struct ending ending;
	atomic_int statements = 0;

	(void)arg;
	co = start(run_sleeps_long, NULL, 0, &ending);
	wait_until(sessions("active") == 1);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(sessions("idle"), 1);
	co = start(run_sleeps_late, &statements, 0, &ending);
	wait_until(atomic_load(&statements) == 1);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(sessions("idle"), 1);
	co = start(run_stubborn, &statements, 0, &ending);
	wait_until(atomic_load(&statements) > 4);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.left);
	CU_ASSERT_FALSE(ending.gone);
	wait_until(ending.gone);
	check_whole(2);
}

static void
functions_are_interrupted_and_at_last_cut(void)
{
	with_pool(&(struct setup){ .threads = 2 }, functions_end);
}

static void
stop_while_running(void *arg)
{
	static struct ending ending;

	(void)arg;
	start(query, "SELECT pg_sleep(30)", 0, &ending);
	wait_until(sessions("active") == 1);
	CU_ASSERT_EQUAL(spout__pg_stop(loop, 3000), 0);
	CU_ASSERT_EQUAL(sessions("active"), 0);
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -ECANCELED);
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
}

static void
whole(void *arg)
{
	(void)arg;
	check_whole(2);
}

static void
freeing_the_loop_ends_the_pool(void)
{
	with_pool(&(struct setup){ .threads = 2, .unstopped = true }, whole);
}

static void
stopping_cancels_what_runs(void)
{
	with_pool(&(struct setup){ .threads = 2 }, stop_while_running);
}

/* --- limits ----------------------------------------------------------------------- */

static void
exhausted(void *arg)
{
	struct spout_future *a = spout_pg_query_async("SELECT pg_sleep(1.5)");
	struct spout_future *b = spout_pg_query_async("SELECT pg_sleep(1.5)");
	uint64_t start_ms = spout__clock_ms(), took_ms;

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
	took_ms = spout__clock_ms() - start_ms;
	CU_ASSERT_EQUAL(errno, ENOBUFS);
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "no database connection became free within 100 ms");
	CU_ASSERT(took_ms >= 100 && took_ms < 1400);
	CU_ASSERT_PTR_NOT_NULL(spout_future_rows(a));
	CU_ASSERT_PTR_NOT_NULL(spout_future_rows(b));
	check_whole(2);
}

static void
waiting_for_a_connection_has_an_end(void)
{
	struct setup setup = { .threads = 2, .options.acquire_ms = 100 };

	with_pool(&setup, exhausted);
}

static void
hurried(void *arg)
{
	struct ending endings[3];
	int i;

	(void)arg;
	for (i = 0; i < 3; i++)
		start(query, "SELECT pg_sleep(1)", 100, &endings[i]);
	for (i = 0; i < 3; i++) {
		wait_until(endings[i].gone);
		CU_ASSERT_EQUAL(endings[i].error, -ETIMEDOUT);
	}
}

static void
a_deadline_in_the_queue_is_a_deadline(void)
{
	with_pool(&(struct setup){ .threads = 1 }, hurried);
}

static void
shielded_query(void *arg)
{
	spout_sleep(30);
	*(bool *)arg = spout_rows_count(spout_pg_query("SELECT pg_sleep(0.2)")) == 1;
}

static void
shield_query(void *arg)
{
	spout_shield(shielded_query, arg);
}

static void
shield(void *arg)
{
	struct ending ending;
	bool finished = false;

	(void)arg;
	start(shield_query, &finished, 20, &ending);
	wait_until(ending.gone);
	CU_ASSERT(finished);
}

static void
a_shielded_query_outlives_the_deadline(void)
{
	with_pool(&(struct setup){ .threads = 1 }, shield);
}

/* --- life of connections ---------------------------------------------------------- */

static int
backend(void)
{
	return (int)spout_row_int(
	    spout_pg_query("SELECT pg_backend_pid() AS pid"), 0, "pid");
}

static void
same_backend(void *arg)
{
	int first = backend();

	(void)arg;
	CU_ASSERT_EQUAL(backend(), first);
	wait_until(sessions("%") == 1); /* those of the last test may be ending */
}

static void
a_connection_is_used_again(void)
{
	with_pool(&(struct setup){ .threads = 4 }, same_backend);
}

static void
short_lives(void *arg)
{
	int first = backend();

	(void)arg;
	spout_sleep(5);
	CU_ASSERT_NOT_EQUAL(backend(), first);
	CU_ASSERT(sessions("%") <= 1);
}

static void
an_old_connection_is_replaced(void)
{
	with_pool(&(struct setup){ .threads = 1, .options.lifetime_ms = 2 }, short_lives);
}

static void
unused(void *arg)
{
	(void)arg;
	check_whole(4);
	wait_until(sessions("%") == 0);
	CU_ASSERT_EQUAL(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_OPEN]), 0);
	check_whole(4);
}

static void
unused_connections_are_closed(void)
{
	with_pool(&(struct setup){ .threads = 4, .options.idle_ms = 200 }, unused);
}

static void
startup(void *arg)
{
	struct spout_rows *rows = spout_pg_query(
	    "SELECT "
	    "current_setting('client_connection_check_interval') AS a, "
	    "current_setting('lock_timeout') AS b, "
	    "current_setting('work_mem') AS c, "
	    "current_setting('application_name') AS d");

	(void)arg;
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "a"), "1s");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "b"), "7s");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "c"), "5MB");
	CU_ASSERT_STRING_EQUAL(spout_row_text(rows, 0, "d"), "test/w3");
}

static void
options_of_the_url_go_with_ours(void)
{
	struct setup setup = { .threads = 1, .options.slot = 3 };
	char url[700];

	snprintf(url, sizeof(url),
	    "%s&options=-c%%20lock_timeout%%3D7s%%20-c%%20work_mem%%3D5MB", cluster_url);
	setup.url = url;
	with_pool(&setup, startup);
}

static void
terminated(void *arg)
{
	struct ending ending;

	(void)arg;
	check_whole(4);
	CU_ASSERT(
	    observe("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
		    "WHERE application_name = 'test/w0'") >= 1);
	/* Idle ones are found dead before anything is sent: nobody notices. */
	check_whole(4);
	start(query, "SELECT pg_sleep(30)", 0, &ending);
	wait_until(sessions("active") == 1);
	observe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE application_name = 'test/w0' AND state = 'active'");
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -EHOSTDOWN);
	CU_ASSERT_PTR_NOT_NULL(strstr(ending.reason, "SQLSTATE 57P01"));
	check_whole(4);
}

static void
terminated_backends_are_replaced(void)
{
	with_pool(&(struct setup){ .threads = 4 }, terminated);
}

/* --- the database away ------------------------------------------------------------ */

static void
restart(void *arg)
{
	uint64_t start_ms, failures, slowest_ms = 0;
	struct ending ending;
	int i, down = 0;

	(void)arg;
	check_whole(4);
	start(query, "SELECT pg_sleep(30)", 0, &ending);
	wait_until(sessions("active") == 1);
	cluster_down();
	wait_until(ending.gone);
	CU_ASSERT_EQUAL(ending.error, -EHOSTDOWN);
	failures = counter(SPOUT__C_PG_CONNECT_FAILURES);
	for (i = 0; i < 200; i++) {
		start_ms = spout__clock_ms();
		if (spout_try_pg_query("SELECT 1") == NULL && errno == EHOSTDOWN)
			down++;
		if (spout__clock_ms() - start_ms > slowest_ms)
			slowest_ms = spout__clock_ms() - start_ms;
		spout_sleep(2);
	}
	CU_ASSERT_EQUAL(down, 200);
	CU_ASSERT(slowest_ms < 3000);
	/* At 100, 200, 400 … ms: not with every request. */
	CU_ASSERT(counter(SPOUT__C_PG_CONNECT_FAILURES) - failures <= 8);
	cluster_up();
	start_ms = spout__clock_ms();
	while (spout_try_pg_query("SELECT 1") == NULL &&
	    spout__clock_ms() - start_ms < 10000)
		spout_sleep(5);
	CU_ASSERT(spout__clock_ms() - start_ms < 5000);
	check_whole(4);
}

static void
a_restart_of_the_server_is_survived(void)
{
	with_pool(&(struct setup){ .threads = 4 }, restart);
}

/* Lines that the log holds about the database. */
static int
count_lines(int fd, const char *what)
{
	char text[8192];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const char *at = text;
	int lines = 0;

	text[n > 0 ? n : 0] = '\0';
	while ((at = strstr(at, what)) != NULL) {
		lines++;
		at++;
	}
	return lines;
}

static void
refused(void *arg)
{
	uint64_t failures = counter(SPOUT__C_PG_CONNECT_FAILURES);
	int i;

	(void)arg;
	for (i = 0; i < (int)unit_scaled(100); i++) {
		CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
		CU_ASSERT_EQUAL(errno, EHOSTDOWN);
		spout_sleep(5);
	}
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_CONNECT_FAILURES) - failures, 1);
	CU_ASSERT_STRING_EQUAL(spout_pg_sqlstate(), "28P01");
}

static void
a_wrong_password_is_logged_once_and_not_tried_again(void)
{
	struct spout__log_options log = *spout__log_current(), old = log;
	char url[512], *password;
	FILE *file = tmpfile();

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	snprintf(url, sizeof(url), "%s", cluster_tcp_url);
	password = strchr(strchr(url, ':') + 1, ':');
	password[1] = password[1] == 'x' ? 'y' : 'x';
	log.fd = fileno(file);
	spout__log_configure(&log);
	with_pool(&(struct setup){ .threads = 2, .url = url }, refused);
	spout__log_configure(&old);
	CU_ASSERT_EQUAL(count_lines(fileno(file), "the database is down"), 1);
	CU_ASSERT_EQUAL(count_lines(fileno(file), "password authentication failed"), 1);
	*strchr(password, '@') = '\0';
	CU_ASSERT_EQUAL(count_lines(fileno(file), password + 1), 0);
	fclose(file);
}

/* --- servers that are none -------------------------------------------------------- */

/* A socket on loopback that listens; returns its port. */
static int
listen_somewhere(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 64), 0);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void
silent(void *arg)
{
	struct ending first, hurried_one, others[20];
	uint64_t failures = counter(SPOUT__C_PG_CONNECT_FAILURES);
	int i;

	(void)arg;
	/* Giving up because of a deadline says little about the database. */
	start(query, "SELECT 1", 50, &hurried_one);
	wait_until(hurried_one.gone);
	CU_ASSERT_EQUAL(hurried_one.error, -ETIMEDOUT);
	start(query, "SELECT 1", 0, &first);
	wait_until(first.gone);
	CU_ASSERT_EQUAL(first.error, -EHOSTDOWN);
	CU_ASSERT(first.left_after_ms >= 300 && first.left_after_ms < 2900);
	for (i = 0; i < 20; i++)
		start(query, "SELECT 1", 0, &others[i]);
	for (i = 0; i < 20; i++) {
		wait_until(others[i].gone);
		CU_ASSERT_EQUAL(others[i].error, -EHOSTDOWN);
		CU_ASSERT(others[i].left_after_ms < 5000);
	}
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_CONNECT_FAILURES) - failures, 2);
}

static void
a_server_that_does_not_answer_is_given_up(void)
{
	struct setup setup = { .threads = 2, .options.connect_ms = 300 };
	char url[100];
	int port, fd = listen_somewhere(&port);

	snprintf(url, sizeof(url), "postgresql://127.0.0.1:%d/x?sslmode=disable", port);
	setup.url = url;
	with_pool(&setup, silent);
	close(fd);
}

static void
cancel_connecting(void *arg)
{
	struct spout_coroutine *co;
	struct ending ending;

	(void)arg;
	co = start(query, "SELECT 1", 0, &ending);
	spout_sleep(20);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
}

static void
connecting_can_be_cancelled(void)
{
	struct setup setup = { .threads = 1, .options.connect_ms = 20000 };
	char url[100];
	int port, fd = listen_somewhere(&port);

	snprintf(url, sizeof(url), "postgresql://127.0.0.1:%d/x?sslmode=disable", port);
	setup.url = url;
	with_pool(&setup, cancel_connecting);
	close(fd);
}

/* Logs one client in, then neither answers it nor any cancel request. */
struct hung_server {
	int listener;
	pthread_t thread;
	atomic_bool stop;
};

static void *
hung_server_main(void *arg)
{
	static const char hello[] = "R\0\0\0\x08\0\0\0\0"
				    "K\0\0\0\x0c\0\0\0\x01\0\0\0\x02"
				    "Z\0\0\0\x05I";
	struct hung_server *server = arg;
	struct pollfd ready = { .fd = server->listener, .events = POLLIN };
	int clients[16], n = 0;
	char buffer[1000];

	while (!atomic_load(&server->stop) && n < 16) {
		if (poll(&ready, 1, 20) <= 0)
			continue;
		clients[n] = accept(server->listener, NULL, NULL);
		if (n++ == 0 && recv(clients[0], buffer, sizeof(buffer), 0) > 0)
			(void)!write(clients[0], hello, sizeof(hello) - 1);
	}
	while (n > 0)
		close(clients[--n]);
	return NULL;
}

static struct hung_server hung;

static void
hanging(void *arg)
{
	struct ending ending;

	(void)arg;
	start(query, "SELECT 1", 200, &ending);
	wait_until(ending.left);
	CU_ASSERT_EQUAL(ending.error, -ETIMEDOUT);
	CU_ASSERT(ending.left_after_ms < 1900);
	wait_until(ending.gone);
	CU_ASSERT(spout__clock_ms() - ending.started_ms < 10000);
	CU_ASSERT_EQUAL(
	    atomic_load(&spout__stats->gauges[SPOUT__G_PG_CONNECTIONS_OPEN]), 0);
	/* The cancel request hangs until the server lets it go; nothing else does. */
	atomic_store(&hung.stop, true);
}

static void
a_server_that_hangs_is_given_up_after_its_grace(void)
{
	struct setup setup = { .threads = 1 };
	char url[100];
	int port;

	hung.listener = listen_somewhere(&port);
	atomic_store(&hung.stop, false);
	CU_ASSERT_EQUAL(pthread_create(&hung.thread, NULL, hung_server_main, &hung), 0);
	snprintf(url, sizeof(url), "postgresql://127.0.0.1:%d/x?sslmode=disable", port);
	setup.url = url;
	with_pool(&setup, hanging);
	pthread_join(hung.thread, NULL);
	close(hung.listener);
}

int
main(int argc, char **argv)
{
	static const struct unit_test cancelling[] = {
		UNIT_TEST(a_query_past_its_deadline_is_cancelled_on_the_server),
		UNIT_TEST(cancelled_queries_leave_the_pool_whole),
		UNIT_TEST(functions_are_interrupted_and_at_last_cut),
		UNIT_TEST(stopping_cancels_what_runs),
		UNIT_TEST(freeing_the_loop_ends_the_pool),
		UNIT_END,
	};
	static const struct unit_test limits[] = {
		UNIT_TEST(waiting_for_a_connection_has_an_end),
		UNIT_TEST(a_deadline_in_the_queue_is_a_deadline),
		UNIT_TEST(a_shielded_query_outlives_the_deadline),
		UNIT_END,
	};
	static const struct unit_test life[] = {
		UNIT_TEST(a_connection_is_used_again),
		UNIT_TEST(an_old_connection_is_replaced),
		UNIT_TEST(unused_connections_are_closed),
		UNIT_TEST(options_of_the_url_go_with_ours),
		UNIT_TEST(terminated_backends_are_replaced),
		UNIT_END,
	};
	static const struct unit_test away[] = {
		UNIT_TEST(a_restart_of_the_server_is_survived),
		UNIT_TEST(a_wrong_password_is_logged_once_and_not_tried_again),
		UNIT_TEST(a_server_that_does_not_answer_is_given_up),
		UNIT_TEST(connecting_can_be_cancelled),
		UNIT_TEST(a_server_that_hangs_is_given_up_after_its_grace),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "cancelling", cancelling },
		{ "limits", limits },
		{ "life of connections", life },
		{ "the database away", away },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
