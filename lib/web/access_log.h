/* SPDX-License-Identifier: MIT */
/*
 * Access log: one line per response, in the combined format of Apache with the duration
 * in microseconds and the request id behind it, or one JSON object:
 *
 *   192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "GET / HTTP/1.1" 200 13 "-" "curl/7" 85 id
 *
 * What a client sent is escaped and cut to a bound, so that it can forge no line and
 * flood nothing. Formatting is pure; lines go to the log's ring and never wait.
 */
#ifndef SPOUT_WEB_ACCESS_LOG_H
#define SPOUT_WEB_ACCESS_LOG_H

#include <spout/types.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

struct spout__access_entry {
	const struct sockaddr *peer;
	const char *method;           /* NULL: there was no valid request */
	struct spout_slice target, referer, user_agent;
	unsigned minor;               /* HTTP/1.minor */
	int status;
	uint64_t bytes, duration_us;
	const char *request_id;       /* NULL: none */
	bool cut;                     /* the response is not whole */
};

/* Everything in a line has a bound of its own; together they stay below this. */
#define SPOUT__ACCESS_LINE_MAX 24576u

struct spout__access_log {
	int fd;                       /* -1: off */
	bool json;
	size_t len;                   /* of the line below */
	time_t second;                /* that `date` stands for */
	char date[32];
	char line[SPOUT__ACCESS_LINE_MAX];
};

void spout__access_log_init(struct spout__access_log *log, int fd, bool json);
/** Write a line. */
void spout__access_log_add(struct spout__access_log *log,
    const struct spout__access_entry *entry);
/** Compose the line of that moment in log->line. */
void spout__access_log_format(struct spout__access_log *log,
    const struct spout__access_entry *entry, time_t now);

/** Room for spout__peer_text(). */
#define SPOUT__PEER_SIZE INET6_ADDRSTRLEN
/** The address of a peer as text: "192.0.2.1", "2001:db8::1", "unix". */
void spout__peer_text(const struct sockaddr *peer, char text[SPOUT__PEER_SIZE]);

#endif
