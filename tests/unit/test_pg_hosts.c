/* SPDX-License-Identifier: MIT */
/*
 * Where the server is and what it takes to get in: several hosts, dead ones, names that
 * nobody resolves, kinds of servers, passwords. (A server that is demoted:
 * test_database_hosts.py.)
 */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spout/spout.h>

#include "base/clock.h"
#include "black_hole.h"
#include "fake_resolver.h"
#include "pg/pool.h"
#include "pg_help.h"

static char password[200], port[8];

/* The password and the port of the cluster. */
static void
learn(void)
{
	const char *at = strchr(strstr(cluster_tcp_url, "://") + 3, ':') + 1;
	const char *end = strchr(at, '@');

	snprintf(password, sizeof(password), "%.*s", (int)(end - at), at);
	at = strchr(end, ':') + 1;
	snprintf(port, sizeof(port), "%.*s", (int)strcspn(at, "/"), at);
}

static const char *
url(const char *hosts, const char *ports, const char *word, const char *more)
{
	static char text[700];

	snprintf(text, sizeof(text),
	    "host=%s port=%s user=spout dbname=spout sslmode=disable %s%s %s", hosts,
	    ports, word != NULL ? "password=" : "", word != NULL ? word : "", more);
	return text;
}

/* --- the list --------------------------------------------------------------------- */

static void
a_url_is_taken_apart_into_hosts(void)
{
	static const struct {
		const char *url;
		unsigned n;
		const char *last_name, *last_addr, *last_port;
	} cases[] = {
		{ "postgresql://a,b:2,c:3/x", 3, "c", NULL, "3" },
		{ "host=a,b,c port=7", 3, "c", NULL, "7" },
		{ "host=a,b hostaddr=10.0.0.1,10.0.0.2", 2, "b", "10.0.0.2", NULL },
		{ "hostaddr=10.0.0.1,10.0.0.2 port=1,2", 2, NULL, "10.0.0.2", "2" },
		{ "host=/run/a,/run/b", 2, "/run/b", NULL, NULL },
		{ "host=a,b port=1,2,3", 0, NULL, NULL, NULL },
		{ "host=a,b hostaddr=10.0.0.1", 0, NULL, NULL, NULL },
		{ "dbname=x", 0, NULL, NULL, NULL },
		{ "host=a service=s", 0, NULL, NULL, NULL },
		{ "host=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 16, "16", NULL, NULL },
		{ "host=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 0, NULL, NULL, NULL },
	};
	struct spout__pg_hosts hosts;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct spout__pg_host *last;

		memset(&hosts, 0, sizeof(hosts));
		CU_ASSERT_EQUAL(spout__pg_hosts_init(&hosts, cases[i].url), 0);
		CU_ASSERT_EQUAL(hosts.n, cases[i].n);
		last = hosts.n > 0 ? &hosts.at[hosts.n - 1] : NULL;
		if (last != NULL && cases[i].last_name != NULL)
			CU_ASSERT_STRING_EQUAL(last->name, cases[i].last_name);
		if (last != NULL && cases[i].last_addr != NULL)
			CU_ASSERT_STRING_EQUAL(last->addr, cases[i].last_addr);
		if (last != NULL && cases[i].last_port != NULL)
			CU_ASSERT_STRING_EQUAL(last->port, cases[i].last_port);
		spout__pg_hosts_release(&hosts);
	}
}

static void
a_host_elsewhere_without_sslmode_is_exposed(void)
{
	static const struct {
		const char *url;
		bool exposed;
	} cases[] = {
		{ "postgresql://db.example/x", true },
		{ "postgresql://db.example/x?sslmode=prefer", false },
		{ "postgresql://db.example/x?sslmode=verify-full", false },
		{ "postgresql://localhost/x", false },
		{ "postgresql://127.0.0.1/x", false },
		{ "postgresql:///x?host=/run/postgresql", false },
		{ "postgresql://localhost,10.1.2.3/x", true },
	};
	struct spout__pg_hosts hosts;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&hosts, 0, sizeof(hosts));
		CU_ASSERT_EQUAL(spout__pg_hosts_init(&hosts, cases[i].url), 0);
		CU_ASSERT_EQUAL(spout__pg_hosts_exposed(&hosts), cases[i].exposed);
		spout__pg_hosts_release(&hosts);
	}
}

/* A log-in under valgrind takes its time. */
static unsigned
slowness(void)
{
	return getenv("SPOUT_TEST_SCALE") != NULL ? 10 : 1;
}

/* --- hosts that are dead ---------------------------------------------------------- */

static void
first_is_dead(void *arg)
{
	uint64_t start_ms = spout__clock_ms();

	CU_ASSERT_PTR_NOT_NULL(spout_try_pg_query("SELECT 1"));
	CU_ASSERT(spout__clock_ms() - start_ms >= 500);
	/* The one that answered comes first from now on. */
	CU_ASSERT_EQUAL(atomic_load(&spout__pg_of(loop)->hosts.last), 1);
	check_whole(3);
	CU_ASSERT_EQUAL(counter(SPOUT__C_PG_CONNECT_FAILURES), *(uint64_t *)arg);
}

static void
a_dead_first_host_does_not_use_up_the_time(void)
{
	uint64_t failures = counter(SPOUT__C_PG_CONNECT_FAILURES);
	struct setup setup = { .threads = 3,
		.options.connect_ms = 1200 * slowness(),
		.options.acquire_ms = 2000 * slowness() };
	char ports[20];

	snprintf(ports, sizeof(ports), "%u,%s", black_hole_dig(), port);
	setup.url = url("127.0.0.1,127.0.0.1", ports, password, "");
	setup.arg = &failures;
	with_pool(&setup, first_is_dead);
	black_hole_fill();
}

static void
nobody_answers(void *arg)
{
	uint64_t start_ms = spout__clock_ms();

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT(spout__clock_ms() - start_ms < 4000);
}

static void
all_hosts_together_have_the_time_of_one(void)
{
	struct setup setup = { .threads = 1, .options.connect_ms = 400 };
	char ports[20];
	unsigned hole = black_hole_dig();

	snprintf(ports, sizeof(ports), "%u,%u,1", hole, hole);
	setup.url = url("127.0.0.1,127.0.0.1,127.0.0.1", ports, password, "");
	with_pool(&setup, nobody_answers);
	black_hole_fill();
}

/* --- names ------------------------------------------------------------------------ */

static void
works_once(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NOT_NULL(spout_try_pg_query("SELECT 1"));
}

static void
names_are_looked_up_on_a_thread_of_their_own(void)
{
	unsigned calls = atomic_load(&fake_resolver_calls);
	/* One at a time: glibc's own look at the interfaces is no pleasure to tsan. */
	struct setup setup = { .threads = 1,
		.options.connect_ms = 3000 * slowness(),
		.options.acquire_ms = 2000 * slowness() };

	setup.url = url("none.test,one.test", port, password, "");
	with_pool(&setup, works_once);
	CU_ASSERT_EQUAL(atomic_load(&fake_resolver_calls), calls + 2);
	CU_ASSERT_EQUAL(atomic_load(&fake_resolver_elsewhere), 0);
}

static void
hangs(void *arg)
{
	uint64_t start_ms = spout__clock_ms();

	(void)arg;
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_STRING_EQUAL(spout_error(), "looking up hung.test took too long");
	CU_ASSERT(spout__clock_ms() - start_ms < 4000);
	CU_ASSERT_EQUAL(atomic_load(&fake_resolver_hanging), 1);
}

static void
a_dead_resolver_holds_no_thread_of_the_pool(void)
{
	struct setup setup = { .threads = 1, .options.connect_ms = 200 };

	setup.url = url("hung.test", port, password, "");
	/* Its end waits for every thread of the pool. */
	with_pool(&setup, hangs);
	fake_resolver_release();
}

static void
another_host_is_tried_when_a_name_hangs(void)
{
	struct setup setup = { .threads = 1,
		.options.connect_ms = 1200 * slowness(),
		.options.acquire_ms = 2000 * slowness() };

	setup.url = url("hung.test,127.0.0.1", port, password, "");
	with_pool(&setup, works_once);
	fake_resolver_release();
}

static void
cancelled_while_looking_up(void *arg)
{
	struct spout_coroutine *co;
	struct ending ending;

	(void)arg;
	co = start(query, "SELECT 1", 0, &ending);
	wait_until(atomic_load(&fake_resolver_hanging) == 1);
	spout__coroutine_cancel(co, -ECANCELED, "client gone");
	wait_until(ending.gone);
}

static void
looking_up_can_be_cancelled(void)
{
	struct setup setup = { .threads = 1, .options.connect_ms = 60000 };

	setup.url = url("hung.test", port, password, "");
	with_pool(&setup, cancelled_while_looking_up);
	fake_resolver_release();
}

/* --- kinds of servers ------------------------------------------------------------- */

static void
is_refused(void *arg)
{
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 1"));
	CU_ASSERT_EQUAL(errno, EHOSTDOWN);
	CU_ASSERT_PTR_NOT_NULL(strstr(spout_error(), arg));
}

static void
the_kind_of_server_is_asked_for(void)
{
	struct setup setup = { .threads = 1 };

	setup.url = url("127.0.0.1", port, password, "target_session_attrs=read-write");
	with_pool(&setup, works_once);
	setup.url = url("127.0.0.1,127.0.0.1", port, password,
	    "target_session_attrs=prefer-standby");
	with_pool(&setup, works_once);
	setup.url = url("127.0.0.1,127.0.0.1", port, password,
	    "target_session_attrs=standby");
	setup.arg = (void *)"server is not in hot standby mode";
	with_pool(&setup, is_refused);
}

/* --- passwords -------------------------------------------------------------------- */

static void
a_password_is_read_from_a_file(void)
{
	char path[] = "/tmp/spout-test-password-XXXXXX";
	struct setup setup = { .threads = 1, .options.password_file = path };
	int fd = mkstemp(path);

	setup.url = url("127.0.0.1", port, NULL, "");
	CU_ASSERT_EQUAL(
	    write(fd, password, strlen(password)), (ssize_t)strlen(password));
	with_pool(&setup, works_once);
	CU_ASSERT_EQUAL(write(fd, "\nnot this\n", 10), 10);
	with_pool(&setup, works_once);
	CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
	setup.arg = (void *)"No data available";
	with_pool(&setup, is_refused);
	CU_ASSERT_EQUAL(ftruncate(fd, SPOUT__PG_PASSWORD_SIZE), 0);
	setup.arg = (void *)"Message too long";
	with_pool(&setup, is_refused);
	unlink(path);
	close(fd);
	setup.arg = (void *)"No such file";
	with_pool(&setup, is_refused);
}

static _Atomic int asked;

static int
right_at_first(char *ret, size_t size)
{
	return atomic_fetch_add(&asked, 1) > 0 ? -EACCES
					       : snprintf(ret, size, "%s", password);
}

static void
asks_again(void *arg)
{
	(void)arg;
	CU_ASSERT_PTR_NOT_NULL(spout_try_pg_query("SELECT 1"));
	CU_ASSERT_PTR_NOT_NULL(spout_try_pg_query("SELECT 2"));
	CU_ASSERT_EQUAL(atomic_load(&asked), 1);
	CU_ASSERT_EQUAL(observe("SELECT count(pg_terminate_backend(pid, 5000)) FROM "
				"pg_stat_activity WHERE application_name = 'test/w0'"),
	    1);
	CU_ASSERT_PTR_NULL(spout_try_pg_query("SELECT 3"));
	CU_ASSERT_STRING_EQUAL(
	    spout_error(), "no password for the database: Permission denied");
	CU_ASSERT_EQUAL(atomic_load(&asked), 2);
}

static void
a_password_of_the_application_is_asked_for_with_each_log_in(void)
{
	struct setup setup = { .threads = 1, .options.password_fn = right_at_first };

	atomic_store(&asked, 0);
	setup.url = url("127.0.0.1", port, NULL, "");
	with_pool(&setup, asks_again);
}

int
main(int argc, char **argv)
{
	static const struct unit_test lists[] = {
		UNIT_TEST(a_url_is_taken_apart_into_hosts),
		UNIT_TEST(a_host_elsewhere_without_sslmode_is_exposed),
		UNIT_END,
	};
	static const struct unit_test dead[] = {
		UNIT_TEST(a_dead_first_host_does_not_use_up_the_time),
		UNIT_TEST(all_hosts_together_have_the_time_of_one),
		UNIT_END,
	};
	static const struct unit_test names[] = {
		UNIT_TEST(names_are_looked_up_on_a_thread_of_their_own),
		UNIT_TEST(a_dead_resolver_holds_no_thread_of_the_pool),
		UNIT_TEST(another_host_is_tried_when_a_name_hangs),
		UNIT_TEST(looking_up_can_be_cancelled),
		UNIT_END,
	};
	static const struct unit_test getting_in[] = {
		UNIT_TEST(the_kind_of_server_is_asked_for),
		UNIT_TEST(a_password_is_read_from_a_file),
		UNIT_TEST(a_password_of_the_application_is_asked_for_with_each_log_in),
		UNIT_END,
	};
	static const struct unit_suite suites[] = {
		{ "lists of hosts", lists },
		{ "dead hosts", dead },
		{ "names", names },
		{ "getting in", getting_in },
		{ NULL, NULL },
	};
	int status = cluster_start();

	if (status != 0)
		return status;
	learn();
	return unit_run(argc, argv, suites);
}
