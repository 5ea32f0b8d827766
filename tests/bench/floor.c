/* SPDX-License-Identifier: MIT */
/*
 * The floor of the HTTP benchmark: a bare libevent loop that answers a fixed reply to
 * every empty line it reads. No parsing, no limits, no time-outs: what the kernel and the
 * loop cost by themselves. Usage: floor PORT [DELAY_MS]
 *
 * With a delay it is the slow upstream of the benchmark of fetching: one request of a
 * connection at a time, answered that much later, and closed after it if it was HTTP/1.0.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

static const char reply[] = "HTTP/1.1 200 OK\r\n"
			    "Date: Sat, 21 Nov 2026 00:00:00 GMT\r\n"
			    "Content-Type: text/plain; charset=UTF-8\r\n"
			    "Server: floor/0.1.0\r\n"
			    "Content-Length: 13\r\n\r\nHello, World!";

#define REPLY_LEN (sizeof(reply) - 1)
#define MAX_BATCH 128

static struct event_base *base;
static struct timeval delay;
static char in[65536], out[MAX_BATCH * REPLY_LEN];

struct conn {
	struct event event, timer;
	int fd;
	int once; /* asked in HTTP/1.0: close after the answer */
};

static void
conn_close(struct conn *conn)
{
	event_del(&conn->event);
	event_del(&conn->timer);
	close(conn->fd);
	free(conn);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (send(conn->fd, reply, REPLY_LEN, MSG_NOSIGNAL) < 0 || conn->once)
		conn_close(conn);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	ssize_t n = read(fd, in, sizeof(in) - 1);
	size_t replies = 0;
	const char *at = in;

	(void)what;
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			conn_close(conn);
		return;
	}
	in[n] = '\0';
	if (evutil_timerisset(&delay)) {
		conn->once = strstr(in, " HTTP/1.0\r\n") != NULL;
		event_add(&conn->timer, &delay);
		return;
	}
	while (replies < MAX_BATCH && (at = strstr(at, "\r\n\r\n")) != NULL) {
		memcpy(out + replies++ * REPLY_LEN, reply, REPLY_LEN);
		at += 4;
	}
	if (replies > 0 && send(fd, out, replies * REPLY_LEN, MSG_NOSIGNAL) < 0)
		conn_close(conn);
}

static void
on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn;
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	(void)arg;
	if (client < 0)
		return;
	conn = malloc(sizeof(*conn));
	if (conn == NULL) {
		close(client);
		return;
	}
	conn->fd = client;
	event_assign(&conn->event, base, client, EV_READ | EV_PERSIST, on_readable, conn);
	event_assign(&conn->timer, base, -1, 0, on_due, conn);
	event_add(&conn->event, NULL);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	struct event_config *config;
	struct event listener;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: floor PORT [DELAY_MS]\n");
		return 2;
	}
	if (argc == 3)
		delay = (struct timeval){ atoi(argv[2]) / 1000,
			atoi(argv[2]) % 1000 * 1000 };
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 4096) < 0) {
		perror("floor");
		return 1;
	}
	config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_assign(&listener, base, fd, EV_READ | EV_PERSIST, on_connection, NULL);
	event_add(&listener, NULL);
	return event_base_dispatch(base) < 0;
}
