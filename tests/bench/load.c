/* SPDX-License-Identifier: MIT */
/*
 * A load generator for GET requests that counts every failure and every latency.
 *
 *     load PORT PATH [--rate N] [--connections N] [--seconds S] [--once]
 *
 * Without --rate each connection asks again when it has its answer (closed loop). With it
 * requests are due at fixed times whatever the server does, and a latency counts from the
 * time at which the request was due, so that a stall is not hidden by the waiting client.
 * --once opens a connection for each request. Prints one line of JSON; latencies in ms.
 * Exit status 0 when no request failed. One thread, epoll, HTTP/1.1 with Content-Length.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_LATENCIES (1u << 24)

struct conn {
	int fd;          /* -1: not connected */
	bool busy;
	uint64_t due_ns; /* when the request in flight was due */
	size_t got, need; /* need: length of the whole answer, 0 until the head is read */
	int status;
	bool close_after;
	char buffer[8192];
};

static struct {
	struct sockaddr_in addr;
	char request[1024];
	size_t request_len;
	unsigned connections;
	double rate, seconds;
	bool once;
} options;

static struct {
	uint64_t sent, ok, bad_status, resets, refused, late;
	float *latencies;
	size_t n_latencies;
	int last_errno, last_status;
} result;

static int epfd;

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool
conn_open(struct conn *conn)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
	int one = 1;

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&options.addr,
	        sizeof(options.addr)) < 0) {
		result.refused++;
		result.last_errno = errno;
		if (conn->fd >= 0)
			close(conn->fd);
		conn->fd = -1;
		return false;
	}
	fcntl(conn->fd, F_SETFL, O_NONBLOCK);
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(epfd, EPOLL_CTL_ADD, conn->fd, &event);
	return true;
}

static void
conn_close(struct conn *conn)
{
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
	conn->busy = false;
}

static void
conn_failed(struct conn *conn, int error)
{
	if (conn->busy) {
		result.resets++;
		result.last_errno = error;
	}
	conn_close(conn);
}

static void
conn_ask(struct conn *conn, uint64_t due_ns)
{
	if (conn->fd < 0 && !conn_open(conn))
		return;
	conn->busy = true;
	conn->due_ns = due_ns;
	conn->got = conn->need = 0;
	result.sent++;
	if (send(conn->fd, options.request, options.request_len, MSG_NOSIGNAL) !=
	    (ssize_t)options.request_len)
		conn_failed(conn, errno);
}

static void
conn_answered(struct conn *conn)
{
	if (conn->status >= 200 && conn->status < 300) {
		result.ok++;
		if (result.n_latencies < MAX_LATENCIES)
			result.latencies[result.n_latencies++] =
			    (float)((double)(now_ns() - conn->due_ns) / 1e6);
	} else {
		result.bad_status++;
		result.last_status = conn->status;
	}
	conn->busy = false;
	if (options.once || conn->close_after)
		conn_close(conn);
}

static void
read_head(struct conn *conn)
{
	char *end, *field;

	conn->buffer[conn->got] = '\0';
	end = strstr(conn->buffer, "\r\n\r\n");
	if (end == NULL)
		return;
	conn->status = atoi(conn->buffer + 9);
	conn->close_after = strcasestr(conn->buffer, "\r\nConnection: close") != NULL;
	field = strcasestr(conn->buffer, "\r\nContent-Length:");
	conn->need = (size_t)(end + 4 - conn->buffer) +
	    (field != NULL && field < end ? strtoul(field + 17, NULL, 10) : 0);
}

static void
conn_readable(struct conn *conn)
{
	char *to = conn->buffer;
	size_t room = sizeof(conn->buffer) - 1;
	ssize_t n;

	if (conn->need == 0) {
		to += conn->got;
		room -= conn->got;
	}
	n = recv(conn->fd, to, room, 0);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		conn_failed(conn, n < 0 ? errno : 0);
		return;
	}
	conn->got += (size_t)n;
	if (conn->need == 0)
		read_head(conn);
	if (conn->need > 0 && conn->got >= conn->need)
		conn_answered(conn);
}

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static double
percentile(double p)
{
	size_t i = (size_t)(p * (double)result.n_latencies);

	if (result.n_latencies == 0)
		return 0;
	return result.latencies[i < result.n_latencies ? i : result.n_latencies - 1];
}

static void
report(double seconds)
{
	qsort(result.latencies, result.n_latencies, sizeof(float), compare);
	printf(
	    "{\"sent\": %llu, \"ok\": %llu, \"bad_status\": %llu, \"last_status\": %d, "
	    "\"resets\": %llu, \"refused\": %llu, \"last_errno\": %d, \"late\": %llu, "
	    "\"rate\": %.1f, \"p50\": %.3f, "
	    "\"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}\n",
	    (unsigned long long)result.sent, (unsigned long long)result.ok,
	    (unsigned long long)result.bad_status, result.last_status,
	    (unsigned long long)result.resets, (unsigned long long)result.refused,
	    result.last_errno, (unsigned long long)result.late,
	    (double)result.ok / seconds, percentile(0.5), percentile(0.9),
	    percentile(0.99), percentile(1));
}

/* The next connection that is free, or NULL. */
static struct conn *
free_conn(struct conn *conns)
{
	static unsigned next;
	unsigned i;

	for (i = 0; i < options.connections; i++, next++) {
		struct conn *conn = &conns[next % options.connections];

		if (!conn->busy) {
			next++;
			return conn;
		}
	}
	return NULL;
}

static unsigned
count_busy(const struct conn *conns)
{
	unsigned i, n = 0;

	for (i = 0; i < options.connections; i++)
		n += conns[i].busy;
	return n;
}

static void
ask_what_is_due(struct conn *conns, uint64_t *due_ns, uint64_t interval_ns)
{
	uint64_t now = now_ns();
	struct conn *conn;

	if (interval_ns == 0) {
		while ((conn = free_conn(conns)) != NULL) {
			conn_ask(conn, now_ns());
			if (!conn->busy)
				return; /* refused: not in a hot loop */
		}
		return;
	}
	while (*due_ns <= now) {
		conn = free_conn(conns);
		if (conn == NULL) {
			result.late++; /* it stays due; its latency grows */
			return;
		}
		conn_ask(conn, *due_ns);
		*due_ns += interval_ns;
	}
}

static void
run(struct conn *conns)
{
	uint64_t began = now_ns(), due = began, end, interval = 0;
	struct epoll_event events[256];
	bool asking = true;
	int i, n;

	end = began + (uint64_t)(options.seconds * 1e9);
	if (options.rate > 0)
		interval = (uint64_t)(1e9 / options.rate);
	while (asking || (count_busy(conns) > 0 && now_ns() < end + 40000000000u)) {
		asking = now_ns() < end;
		if (asking)
			ask_what_is_due(conns, &due, interval);
		n = epoll_wait(epfd, events, 256, interval > 0 && asking ? 0 : 10);
		for (i = 0; i < n; i++)
			conn_readable(events[i].data.ptr);
	}
	result.resets += count_busy(conns);
	report((double)(now_ns() - began) / 1e9);
}

static int
parse(int argc, char **argv)
{
	int i;

	if (argc < 3)
		return -1;
	options.connections = 64;
	options.seconds = 5;
	options.addr.sin_family = AF_INET;
	options.addr.sin_port = htons((uint16_t)atoi(argv[1]));
	options.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 3; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0)
			options.once = true;
		else if (i + 1 < argc && strcmp(argv[i], "--rate") == 0)
			options.rate = atof(argv[++i]);
		else if (i + 1 < argc && strcmp(argv[i], "--connections") == 0)
			options.connections = (unsigned)atoi(argv[++i]);
		else if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
			options.seconds = atof(argv[++i]);
		else
			return -1;
	}
	options.request_len = (size_t)snprintf(options.request, sizeof(options.request),
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", argv[2],
	    options.once ? "Connection: close\r\n" : "");
	return options.connections > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct conn *conns;
	unsigned i;

	if (parse(argc, argv) < 0) {
		fprintf(stderr, "usage: load PORT PATH [--rate N] [--connections N] "
				"[--seconds S] [--once]\n");
		return 2;
	}
	epfd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(options.connections, sizeof(*conns));
	result.latencies = malloc(MAX_LATENCIES * sizeof(float));
	if (epfd < 0 || conns == NULL || result.latencies == NULL) {
		perror("load");
		return 1;
	}
	for (i = 0; i < options.connections; i++)
		conns[i].fd = -1;
	run(conns);
	for (i = 0; i < options.connections; i++)
		conn_close(&conns[i]);
	free(conns);
	free(result.latencies);
	close(epfd);
	return result.bad_status + result.resets + result.refused > 0;
}
