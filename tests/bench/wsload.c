/* SPDX-License-Identifier: MIT */
/*
 * Clients of a WebSocket that echoes, many of them in one process.
 *
 *     wsload PORT PATH [--connections N] [--in-flight K] [--size BYTES] [--seconds S]
 *     wsload PORT PATH --fan [--connections N] [--size BYTES] [--seconds S]
 *     wsload PORT PATH --idle [--connections N] [--source K]
 *
 * The first keeps K messages on their way on each connection and prints how many came
 * back, as a line of JSON. The second talks to a server that sends each message to all:
 * when all have got one, the first connection sends the next. The third opens its
 * connections, from the K-th address of 127.0.0.0/8 because one has no more than 64,000
 * ports, and prints "open N"; at each line on its input every connection sends one
 * message, and "answered N" is printed when all have come back. It ends with its input.
 * One thread, epoll.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define DIALING 200u /* at once */

struct conn {
	int fd;
	bool open;
	unsigned got; /* bytes of the frame, or of the head, that have come */
};

static struct {
	unsigned port, connections, in_flight, size, source;
	double seconds;
	bool idle, fan;
	const char *path;
} options = { .connections = 64, .in_flight = 1, .size = 20, .seconds = 3 };

static struct conn *conns;
static int epfd;
static unsigned n_open, n_dialed;
static uint64_t n_echoes;
static char *frames; /* in_flight of them, masked */
static size_t frame_len, answer_len;
static bool talking;

static void
die(const char *what)
{
	fprintf(stderr, "wsload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
make_frames(void)
{
	static const unsigned char mask[4] = { 0x12, 0x34, 0x56, 0x78 };
	unsigned head = options.size < 126 ? 2 : 4, i, k;

	answer_len = head + options.size;
	frame_len = answer_len + 4;
	frames = calloc(options.in_flight, frame_len);
	for (k = 0; k < options.in_flight; k++) {
		unsigned char *p = (unsigned char *)frames + k * frame_len;

		p[0] = 0x81;
		p[1] = (unsigned char)(0x80 | (head == 2 ? options.size : 126));
		if (head == 4) {
			p[2] = (unsigned char)(options.size >> 8);
			p[3] = (unsigned char)options.size;
		}
		memcpy(p + head, mask, 4);
		for (i = 0; i < options.size; i++)
			p[head + 4 + i] = (unsigned char)('a' + i % 26) ^ mask[i & 3];
	}
}

static void
say(struct conn *conn, unsigned n)
{
	size_t len = n * frame_len;

	if (send(conn->fd, frames, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

/* --- opening ------------------------------------------------------------------------ */

static void
dial(unsigned i)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = from;
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
	char text[512];
	int n;

	if (fd < 0)
		die("socket");
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + options.source);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)options.port);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (options.source > 0 &&
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conns[i].fd = fd;
	n = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", options.path);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void
dial_more(void)
{
	while (n_dialed < options.connections && n_dialed < n_open + DIALING)
		dial(n_dialed++);
}

/* Returns how long the head is. */
static size_t
on_head(struct conn *conn, const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	if (len < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0 || end == NULL) {
		fprintf(stderr, "wsload: refused: %.*s\n", (int)len, data);
		exit(1);
	}
	conn->open = true;
	n_open++;
	return (size_t)(end + 4 - data);
}

/* The head, pings and short messages, which come whole. */
static void
on_bytes(struct conn *conn, const char *data, size_t len)
{
	size_t n;

	for (; len > 0; data += n, len -= n) {
		if (!conn->open) {
			n = on_head(conn, data, len);
			continue;
		}
		n = 2 + (unsigned char)data[1];
		if (len < 2 || n > len) {
			fprintf(stderr, "wsload: a frame was cut\n");
			exit(1);
		}
		if (data[0] == (char)0x89 &&
		    send(conn->fd, "\x8a\x80\0\0\0\0", 6, MSG_NOSIGNAL) != 6)
			die("send");
		n_echoes += data[0] == (char)0x81;
	}
}

/* --- talking ------------------------------------------------------------------------ */

static void
on_readable(struct conn *conn)
{
	static char buffer[BUFFER];
	ssize_t n = recv(conn->fd, buffer, sizeof(buffer), 0);
	unsigned whole;

	if (n <= 0)
		die("recv");
	if (!conn->open || options.idle) {
		on_bytes(conn, buffer, (size_t)n);
		return;
	}
	conn->got += (unsigned)n;
	whole = conn->got / (unsigned)answer_len;
	conn->got -= whole * (unsigned)answer_len;
	n_echoes += whole;
	if (talking && whole > 0)
		say(conn, whole);
}

static void
turn(int ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(epfd, events, 256, ms), i;

	for (i = 0; i < n; i++)
		on_readable(&conns[events[i].data.u32]);
}

static void
run_load(void)
{
	double began = now(), end;
	uint64_t before;
	unsigned i;

	talking = true;
	for (i = 0; i < options.connections; i++)
		say(&conns[i], options.in_flight);
	end = began + options.seconds;
	before = n_echoes;
	while (now() < end)
		turn(100);
	printf("{\"messages\": %llu, \"seconds\": %.3f}\n",
	    (unsigned long long)(n_echoes - before), now() - began);
}

/* One message at a time, which comes to all. */
static void
run_fan(void)
{
	double began = now();
	uint64_t rounds = 0;

	n_echoes = 0;
	while (now() < began + options.seconds) {
		say(&conns[0], 1);
		rounds++;
		while (n_echoes < rounds * options.connections)
			turn(100);
	}
	printf("{\"messages\": %llu, \"seconds\": %.3f}\n",
	    (unsigned long long)n_echoes, now() - began);
}

static void
run_idle(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char line[16];
	unsigned i;

	printf("open %u\n", n_open);
	fflush(stdout);
	for (;;) {
		turn(100);
		if (poll(&input, 1, 0) == 0)
			continue;
		if (fgets(line, sizeof(line), stdin) == NULL)
			return;
		n_echoes = 0;
		for (i = 0; i < options.connections; i++) {
			say(&conns[i], 1);
			if (i % 256 == 0)
				turn(0);
		}
		while (n_echoes < options.connections)
			turn(100);
		printf("answered %llu\n", (unsigned long long)n_echoes);
		fflush(stdout);
	}
}

static void
parse(int argc, char **argv)
{
	for (int i = 3; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";

		if (strcmp(argv[i], "--idle") == 0 || strcmp(argv[i], "--fan") == 0) {
			options.idle |= argv[i][2] == 'i';
			options.fan |= argv[i][2] == 'f';
			continue;
		}
		if (strcmp(argv[i], "--connections") == 0)
			options.connections = (unsigned)atoi(value);
		else if (strcmp(argv[i], "--in-flight") == 0)
			options.in_flight = (unsigned)atoi(value);
		else if (strcmp(argv[i], "--size") == 0)
			options.size = (unsigned)atoi(value);
		else if (strcmp(argv[i], "--source") == 0)
			options.source = (unsigned)atoi(value);
		else if (strcmp(argv[i], "--seconds") == 0)
			options.seconds = atof(value);
		i++;
	}
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 3)
		return 2;
	options.port = (unsigned)atoi(argv[1]);
	options.path = argv[2];
	parse(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_frames();
	conns = calloc(options.connections, sizeof(*conns));
	epfd = epoll_create1(0);
	while (n_open < options.connections) {
		dial_more();
		turn(100);
	}
	if (options.idle)
		run_idle();
	else if (options.fan)
		run_fan();
	else
		run_load();
	return 0;
}
