/* SPDX-License-Identifier: MIT */
/* Addresses and listening sockets of the supervisor. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/inherit.h"

static void
addresses_that_are_understood(void)
{
	static const char *const table[][2] = {
		{ "127.0.0.1:8888", "127.0.0.1:8888" },
		{ "8080", "127.0.0.1:8080" },
		{ "0", "127.0.0.1:0" },
		{ "0.0.0.0:65535", "0.0.0.0:65535" },
		{ "*:80", "0.0.0.0:80" },
		{ "localhost:0", "127.0.0.1:0" },
		{ "[::1]:443", "[::1]:443" },
		{ "[::]:1", "[::]:1" },
		{ "[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1" },
		{ "[::1%lo]:5", "[::1%lo]:5" },
		{ "unix:/run/x.sock", "unix:/run/x.sock" },
		{ "unix:relative:1", "unix:relative:1" },
	};
	char why[SPOUT__WHY], text[SPOUT__LISTEN_TEXT];
	struct spout__listen_address a;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(spout__listen_parse(table[i][0], &a, why), 0);
		spout__listen_print(&a.addr, a.len, text);
		CU_ASSERT_STRING_EQUAL(text, table[i][1]);
	}
}

static void
addresses_that_are_refused_with_a_reason(void)
{
	static const char *const table[][2] = {
		{ "", "not ADDR:PORT" },
		{ "abc", "not ADDR:PORT" },
		{ "127.0.0.1", "not ADDR:PORT" },
		{ ":80", "address missing" },
		{ "127.0.0.1:", "port must be" },
		{ "127.0.0.1:65536", "port must be" },
		{ "127.0.0.1:99999999999", "port must be" },
		{ "127.0.0.1:-1", "port must be" },
		{ "127.0.0.1:+1", "port must be" },
		{ "127.0.0.1: 80", "port must be" },
		{ "127.0.0.1:80 ", "port must be" },
		{ "127.0.0.1:0x50", "port must be" },
		{ "127.0.0.1:http", "port must be" },
		{ "127.1:80", "not a numeric" },
		{ "256.0.0.1:80", "not a numeric" },
		{ "example.org:80", "not a numeric" },
		{ " 127.0.0.1:80", "not a numeric" },
		{ "[127.0.0.1]:80", "not an IPv6" },
		{ "[]:80", "not an IPv6" },
		{ "[:80", "not a numeric" },
		{ "[::1%nosuchif]:80", "not an IPv6" },
		{ "[::1]", "port must be" },
		{ "::1:80", "in brackets" },
		{ "unix:", "path missing" },
		{ "unix:/"
		  "0123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456",
		    "path too long" },
		{ "[000000000000000000000000000000000000000000000000000000000000000000000"
		  "00000"
		  "0000000000000::1]:80",
		    "address missing" },
	};
	char why[SPOUT__WHY];
	struct spout__listen_address a;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CU_ASSERT_EQUAL(spout__listen_parse(table[i][0], &a, why), -EINVAL);
		if (strstr(why, table[i][1]) == NULL)
			fprintf(stderr, "%s: %s\n", table[i][0], why);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, table[i][1]));
	}
}

/* --- sockets --------------------------------------------------------------------- */

static int
open_one(struct spout__listeners *ls, const char *text, enum spout__listen_mode mode,
    unsigned n_slots, char why[SPOUT__WHY])
{
	const struct spout__listen_spec spec = { .text = text, .mode = mode };

	return spout__listeners_open(ls, &spec, 1, n_slots, why);
}

static unsigned
port_of_fd(int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	return ntohs(sin.sin_port);
}

static int
connect_to(const struct spout__listener *l)
{
	int fd = socket(l->address.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&l->address.addr, l->address.len) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
reuseport_gives_each_slot_its_socket_on_one_port(void)
{
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	int clients[200], got[4] = { 0 }, total = 0, i, k;

	CU_ASSERT_EQUAL_FATAL(
	    open_one(&ls, "127.0.0.1:0", SPOUT__LISTEN_REUSEPORT, 4, why), 0);
	for (i = 1; i < 4; i++) {
		CU_ASSERT_NOT_EQUAL(spout__listener_fd(ls.items, i), ls.items->fds[0]);
		CU_ASSERT_EQUAL(
		    port_of_fd(ls.items->fds[i]), port_of_fd(ls.items->fds[0]));
	}
	for (i = 0; i < 200; i++)
		clients[i] = connect_to(ls.items);
	for (i = 0; i < 4; i++)
		while ((k = accept4(ls.items->fds[i], NULL, NULL, SOCK_CLOEXEC)) >= 0) {
			got[i]++;
			total++;
			close(k);
		}
	CU_ASSERT_EQUAL(total, 200);
	for (i = 0; i < 4; i++)
		CU_ASSERT(got[i] > 0); /* all four take part */
	for (i = 0; i < 200; i++)
		close(clients[i]);
	spout__listeners_close(&ls);
}

static void
second_instance_is_told_address_in_use(void)
{
	static const enum spout__listen_mode modes[] = { SPOUT__LISTEN_REUSEPORT,
		SPOUT__LISTEN_SHARED, SPOUT__LISTEN_PORTS };
	struct spout__listeners first, second;
	char why[SPOUT__WHY], text[32];
	unsigned a, b;

	for (a = 0; a < 3; a++)
		for (b = 0; b < 3; b++) {
			CU_ASSERT_EQUAL_FATAL(
			    open_one(&first, "127.0.0.1:0", modes[a], 2, why), 0);
			snprintf(text, sizeof(text), "127.0.0.1:%u",
			    port_of_fd(first.items->fds[0]));
			CU_ASSERT_EQUAL(
			    open_one(&second, text, modes[b], 2, why), -EADDRINUSE);
			CU_ASSERT_PTR_NOT_NULL(strstr(why, "address in use"));
			CU_ASSERT_PTR_NOT_NULL(strstr(why, text));
			spout__listeners_close(&first);
		}
}

static void
address_is_free_again_after_close_with_connections(void)
{
	struct spout__listeners ls;
	char why[SPOUT__WHY], text[32];
	int client, server;

	CU_ASSERT_EQUAL_FATAL(
	    open_one(&ls, "127.0.0.1:0", SPOUT__LISTEN_REUSEPORT, 1, why), 0);
	client = connect_to(ls.items);
	server = accept4(ls.items->fds[0], NULL, NULL, SOCK_CLOEXEC);
	close(server); /* this side closes first: TIME_WAIT is here */
	close(client);
	snprintf(text, sizeof(text), "127.0.0.1:%u", port_of_fd(ls.items->fds[0]));
	spout__listeners_close(&ls);
	CU_ASSERT_EQUAL(open_one(&ls, text, SPOUT__LISTEN_REUSEPORT, 2, why), 0);
	spout__listeners_close(&ls);
}

/*
 * Open with the slots on ports that follow each other; the first port. Below the range
 * that the kernel hands out, where the ends of connections wait on every second port
 * while a load test runs.
 */
static unsigned
open_neighbours(struct spout__listeners *ls, unsigned n_slots)
{
	char why[SPOUT__WHY], text[32];
	unsigned tries, base;

	for (tries = 0; tries < 200; tries++) {
		base = 10000 + ((unsigned)getpid() * 31 + tries * 97) % 20000;
		snprintf(text, sizeof(text), "127.0.0.1:%u", base);
		if (open_one(ls, text, SPOUT__LISTEN_PORTS, n_slots, why) == 0)
			return base;
	}
	CU_FAIL_FATAL("no neighbouring ports are free");
	return 0;
}

static void
ports_mode_adds_the_slot_to_the_port(void)
{
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	unsigned base = open_neighbours(&ls, 3), i;

	for (i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(port_of_fd(spout__listener_fd(ls.items, i)), base + i);
	spout__listeners_close(&ls);
	CU_ASSERT_EQUAL(
	    open_one(&ls, "127.0.0.1:65534", SPOUT__LISTEN_PORTS, 3, why), -ERANGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "past 65535"));
}

static void
failure_of_one_listener_closes_all(void)
{
	const struct spout__listen_spec specs[] = { { .text = "127.0.0.1:0" },
		{ .text = "192.0.2.1:1" } };
	struct spout__listeners ls;
	char why[SPOUT__WHY];

	CU_ASSERT_EQUAL(spout__listeners_open(&ls, specs, 2, 2, why), -EADDRNOTAVAIL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot listen on 192.0.2.1:1: "));
	CU_ASSERT_EQUAL(ls.n, 0); /* the suite checks that no descriptor is left */
}

static int
int_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	CU_ASSERT_EQUAL(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
accepted_sockets_inherit_the_options(void)
{
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	int client, server;

	CU_ASSERT_EQUAL_FATAL(
	    open_one(&ls, "127.0.0.1:0", SPOUT__LISTEN_REUSEPORT, 1, why), 0);
	CU_ASSERT(fcntl(ls.items->fds[0], F_GETFD) & FD_CLOEXEC);
	CU_ASSERT(fcntl(ls.items->fds[0], F_GETFL) & O_NONBLOCK);
	client = connect_to(ls.items);
	server = accept4(ls.items->fds[0], NULL, NULL, SOCK_CLOEXEC);
	CU_ASSERT_EQUAL(int_option(server, IPPROTO_TCP, TCP_NODELAY), 1);
	CU_ASSERT_EQUAL(int_option(server, SOL_SOCKET, SO_KEEPALIVE), 1);
	CU_ASSERT_EQUAL(int_option(server, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
	CU_ASSERT_EQUAL(int_option(server, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 128 * 1024);
	close(client);
	close(server);
	spout__listeners_close(&ls);
}

static void
worker_keeps_its_own_socket_only(void)
{
	const struct spout__listen_spec specs[] = { { .text = "127.0.0.1:0" },
		{ .text = "127.0.0.1:0", .mode = SPOUT__LISTEN_SHARED } };
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	int sibling;

	CU_ASSERT_EQUAL_FATAL(spout__listeners_open(&ls, specs, 2, 2, why), 0);
	sibling = ls.items[0].fds[0];
	spout__listeners_keep(&ls, 1);
	CU_ASSERT_EQUAL(fcntl(sibling, F_GETFD), -1);
	CU_ASSERT_EQUAL(
	    int_option(spout__listener_fd(&ls.items[0], 1), SOL_SOCKET, SO_ACCEPTCONN),
	    1);
	CU_ASSERT_EQUAL(
	    int_option(spout__listener_fd(&ls.items[1], 1), SOL_SOCKET, SO_ACCEPTCONN),
	    1);
	spout__listeners_close(&ls);
}

/* --- unix sockets ---------------------------------------------------------------- */

static char dir[64], path[128], listen_text[160];

static void
make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/spout-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	snprintf(listen_text, sizeof(listen_text), "unix:%s", path);
}

static void
unix_socket_has_its_mode_and_is_removed(void)
{
	const mode_t mask = umask(077);
	struct spout__listen_spec spec = { .text = listen_text, .unix_mode = 0660 };
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	struct stat st;
	int fd;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(spout__listeners_open(&ls, &spec, 1, 4, why), 0);
	CU_ASSERT_EQUAL(ls.items->mode, SPOUT__LISTEN_SHARED);
	CU_ASSERT_EQUAL(spout__listener_fd(ls.items, 3), ls.items->fds[0]);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0660);
	fd = connect_to(ls.items);
	CU_ASSERT(fd >= 0);
	close(fd);
	spout__listeners_close(&ls);
	CU_ASSERT_EQUAL(stat(path, &st), -1);
	umask(mask);
	rmdir(dir);
}

static void
unix_socket_in_use_is_refused_and_kept(void)
{
	struct spout__listeners first, second;
	char why[SPOUT__WHY];
	int fd;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(
	    open_one(&first, listen_text, SPOUT__LISTEN_REUSEPORT, 1, why), 0);
	CU_ASSERT_EQUAL(
	    open_one(&second, listen_text, SPOUT__LISTEN_REUSEPORT, 1, why), -EADDRINUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "address in use"));
	fd = connect_to(first.items);
	CU_ASSERT(fd >= 0);
	close(fd);
	spout__listeners_close(&first);
	rmdir(dir);
}

static void
stale_unix_socket_is_replaced_a_file_never(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	struct stat st;
	int fd;

	make_dir();
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd); /* leaves the file behind, as a crash does */
	CU_ASSERT_EQUAL(open_one(&ls, listen_text, SPOUT__LISTEN_SHARED, 1, why), 0);
	spout__listeners_close(&ls);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_EQUAL(
	    open_one(&ls, listen_text, SPOUT__LISTEN_SHARED, 1, why), -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "exists and is not a socket"));
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	unlink(path);
	rmdir(dir);
}

static void
socket_file_of_another_is_not_removed_at_close(void)
{
	struct spout__listeners first, second;
	char why[SPOUT__WHY];
	struct stat st;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(
	    open_one(&first, listen_text, SPOUT__LISTEN_SHARED, 1, why), 0);
	unlink(path); /* somebody cleaned up, and a new instance took the path */
	CU_ASSERT_EQUAL_FATAL(
	    open_one(&second, listen_text, SPOUT__LISTEN_SHARED, 1, why), 0);
	spout__listeners_close(&first);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	spout__listeners_close(&second);
	CU_ASSERT_EQUAL(stat(path, &st), -1);
	rmdir(dir);
}

/* --- LISTEN_FDS ------------------------------------------------------------------ */

/* In a child whose descriptor 3 is `fd`: 0 when everything is as it must be. */
static int
inherit_in_child(int fd, bool is_listener, struct spout__listeners *ls)
{
	char why[SPOUT__WHY], pid[16];

	if (fd != 3 && dup2(fd, 3) != 3)
		return 1;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	if (spout__listeners_inherited() != 1)
		return 2;
	if (spout__listeners_open(ls, NULL, 0, 4, why) < 0)
		return strstr(why, "not a listening socket") != NULL && !is_listener ? 0
										     : 3;
	if (!is_listener)
		return 4;
	if (ls->n != 1 || ls->items->mode != SPOUT__LISTEN_SHARED ||
	    spout__listener_fd(ls->items, 3) != 3 || getenv("LISTEN_FDS") != NULL)
		return 5;
	if (!(fcntl(3, F_GETFD) & FD_CLOEXEC) || !(fcntl(3, F_GETFL) & O_NONBLOCK))
		return 6;
	return int_option(3, IPPROTO_TCP, TCP_NODELAY) == 1 ? 0 : 7;
}

static int
status_of_inheriting(int fd, bool is_listener)
{
	int status = -1;
	pid_t pid = unit_fork();

	if (pid == 0) {
		struct spout__listeners ls = { 0 };

		status = inherit_in_child(fd, is_listener, &ls);
		spout__listeners_close(&ls);
		_exit(status);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return status;
}

static void
inherited_sockets_become_shared_listeners(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), other;

	CU_ASSERT_EQUAL(listen(fd, 5), 0); /* binds to a port of the kernel's choice */
	CU_ASSERT_EQUAL(status_of_inheriting(fd, true), 0);
	other = open("/dev/null", O_RDONLY);
	CU_ASSERT_EQUAL(status_of_inheriting(other, false), 0);
	close(other);
	close(fd);
}

/* The sockets of `ls`, and their names, as those that the next program would get. */
static unsigned
hand_on(const struct spout__listeners *ls, char names[1024])
{
	char name[SPOUT__FD_NAME];
	unsigned i, k, n = 0;
	int high[8];

	names[0] = '\0';
	for (i = 0; i < ls->n; i++)
		for (k = 0; k < ls->items[i].n_fds; k++) {
			spout__inherit_name(&ls->items[i], k, name);
			snprintf(names + strlen(names), 1024 - strlen(names), "%s%s",
			    n > 0 ? ":" : "", name);
			high[n++] = fcntl(ls->items[i].fds[k], F_DUPFD_CLOEXEC, 50);
		}
	for (i = 0; i < n; i++)
		dup2(high[i], 3 + (int)i);
	return n;
}

/* In a child: what the next program makes of the sockets of this one. */
static int
take_from(const struct spout__listeners *ls, const struct spout__listen_spec *specs)
{
	struct spout__listeners next;
	char names[1024], text[16], why[SPOUT__WHY];
	unsigned n = hand_on(ls, names);

	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%u", n);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	if (spout__listeners_inherited() != 0)
		return 1; /* none of them is systemd's */
	if (spout__listeners_open(&next, specs, 2, 2, why) < 0)
		return 2;
	if (next.n != 2 || next.n_slots != 3 || next.items[0].n_adopted != 3 ||
	    next.items[1].n_adopted != 1 || next.items[1].owns_path)
		return 3;
	if (next.items[0].fds[2] != 5 || next.items[1].fds[0] != 6 ||
	    port_of_fd(next.items[0].fds[2]) != port_of_fd(ls->items[0].fds[0]))
		return 4;
	if (fcntl(7, F_GETFD) != -1 || getenv("LISTEN_FDNAMES") != NULL)
		return 5; /* the third address is not among those of the new program */
	spout__listeners_take_over(&next);
	return next.items[1].owns_path ? 0 : 6;
}

static void
sockets_of_the_program_before_are_taken_by_address(void)
{
	struct spout__listen_spec specs[] = { { .text = "127.0.0.1:0" },
		{ .text = listen_text },
		{ .text = "127.0.0.1:0", .mode = SPOUT__LISTEN_SHARED } };
	struct spout__listeners ls;
	char why[SPOUT__WHY];
	int status = -1;
	pid_t pid;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(spout__listeners_open(&ls, specs, 3, 3, why), 0);
	pid = unit_fork();
	if (pid == 0)
		_exit(take_from(&ls, specs));
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	spout__listeners_give_up(&ls);
	spout__listeners_close(&ls);
	CU_ASSERT_EQUAL(unlink(path), 0); /* it was left to the other */
	rmdir(dir);
}

static void
sockets_for_another_process_are_left_alone(void)
{
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	CU_ASSERT_EQUAL(spout__listeners_inherited(), 0);
	unsetenv("LISTEN_PID");
	CU_ASSERT_EQUAL(spout__listeners_inherited(), 0);
	unsetenv("LISTEN_FDS");
}

static const struct unit_test listener_tests[] = {
	UNIT_TEST(addresses_that_are_understood),
	UNIT_TEST(addresses_that_are_refused_with_a_reason),
	UNIT_TEST(reuseport_gives_each_slot_its_socket_on_one_port),
	UNIT_TEST(second_instance_is_told_address_in_use),
	UNIT_TEST(address_is_free_again_after_close_with_connections),
	UNIT_TEST(ports_mode_adds_the_slot_to_the_port),
	UNIT_TEST(failure_of_one_listener_closes_all),
	UNIT_TEST(accepted_sockets_inherit_the_options),
	UNIT_TEST(worker_keeps_its_own_socket_only),
	UNIT_TEST(unix_socket_has_its_mode_and_is_removed),
	UNIT_TEST(unix_socket_in_use_is_refused_and_kept),
	UNIT_TEST(stale_unix_socket_is_replaced_a_file_never),
	UNIT_TEST(socket_file_of_another_is_not_removed_at_close),
	UNIT_TEST(inherited_sockets_become_shared_listeners),
	UNIT_TEST(sockets_of_the_program_before_are_taken_by_address),
	UNIT_TEST(sockets_for_another_process_are_left_alone),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "listeners", listener_tests },
		{ NULL, NULL } };

	return unit_run(argc, argv, suites);
}
