/* SPDX-License-Identifier: MIT */
/*
 * The pool of connections and a server that stops, refuses, hangs, or is none.
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
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

/* The server takes no more connections, but the pool has one. */
static void
crowded(void *arg)
{
	PGconn *others[64];
	struct ending busy, waiting;
	struct spout_coroutine *co;
	int n = 0, i;

	(void)arg;
	co = start(query, "SELECT pg_sleep(60)", 0, &busy);
	wait_until(sessions("active") == 1);
	do
		others[n] = PQconnectdb(cluster_url);
	while (PQstatus(others[n++]) == CONNECTION_OK && n < 64);
	start(query, "SELECT 1", 0, &waiting);
	spout_sleep(200);
	CU_ASSERT_FALSE(waiting.gone);
	for (i = 0; i < n; i++)
		PQfinish(others[i]);
	wait_until(waiting.gone);
	CU_ASSERT_EQUAL(waiting.error, 0);
	CU_ASSERT_FALSE(busy.gone);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(busy.gone);
	check_whole(3);
}

static void
a_query_outlasts_a_server_that_is_full(void)
{
	with_pool(&(struct setup){ .threads = 3, .options.acquire_ms = 10000 }, crowded);
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
	static const struct unit_test away[] = {
		UNIT_TEST(a_restart_of_the_server_is_survived),
		UNIT_TEST(a_query_outlasts_a_server_that_is_full),
		UNIT_TEST(a_wrong_password_is_logged_once_and_not_tried_again),
		UNIT_TEST(a_server_that_does_not_answer_is_given_up),
		UNIT_TEST(connecting_can_be_cancelled),
		UNIT_TEST(a_server_that_hangs_is_given_up_after_its_grace),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "the database away", away },
		{ NULL, NULL },
	};
	int status = cluster_start();

	return status != 0 ? status : unit_run(argc, argv, suites);
}
