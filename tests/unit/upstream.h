/* SPDX-License-Identifier: MIT */
/*
 * A server for the tests of the HTTP client, in the loop of the test: sends what it is
 * told, byte for byte, and notes what it was asked. It belongs to the running scope.
 */
#ifndef SPOUT_TESTS_UPSTREAM_H
#define SPOUT_TESTS_UPSTREAM_H

#include <spout/client.h>
#include <spout/tcp.h>

/** What is sent for a path: bytes, or what a function sends; else the connection ends. */
struct upstream_route {
	const char *path; /* NULL ends the table */
	const char *answer;
	void (*serve)(struct spout_stream *stream, const char *head);
};

/** Since upstream_start(): connections accepted, requests read, and their heads (and
 * bodies with a Content-Length), one behind the other. */
extern unsigned upstream_connections, upstream_requests;
extern char upstream_heads[65536];

/** Serve on a free port of 127.0.0.1 (`tls`: NULL for none) and return the port. */
uint16_t upstream_start(const struct upstream_route *routes, struct spout_tls *tls);
/** Forget what was noted. */
void upstream_forget(void);
/** How often this is in the heads. */
unsigned upstream_saw(const char *text);
/** "http://127.0.0.1:PORT" and the path, in the running scope. */
const char *upstream_url(uint16_t port, const char *path);

#define OK(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " body_len "\r\n\r\n" body

/** The failure of the last fetch: error and phase. */
#define ASSERT_FAILED(expected_error, expected_phase) \
	do { \
		CU_ASSERT_EQUAL(errno, -(expected_error)); \
		CU_ASSERT_EQUAL(spout_fetch_failure()->error, (expected_error)); \
		CU_ASSERT_EQUAL(spout_fetch_failure()->phase, (expected_phase)); \
		if (spout_fetch_failure()->error != (expected_error) || \
		    spout_fetch_failure()->phase != (expected_phase)) \
			fprintf(stderr, "%s:%d: failed with %d: %s\n", __FILE__, \
			    __LINE__, spout_fetch_failure()->error, spout_error()); \
	} while (0)

#endif
