/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server on a real loop with a small delegate of its own, and a client that
 * speaks raw bytes to it over a socket pair: for the tests of lib/http.
 */
#ifndef SPOUT_TESTS_HTTP_CLIENT_H
#define SPOUT_TESTS_HTTP_CLIENT_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async/async.h"
#include "base/buffer.h"
#include "http/server.h"

/** What the server serves: rows ended by a NULL path. Any other path aborts. */
struct http_route {
	const char *path;
	void (*run)(struct spout__http_exchange *ex, void *arg);
	bool stream, half_close;
};
extern const struct http_route *http_routes;

extern struct spout_loop *loop;
extern struct spout__http_server *server;
extern struct spout__http_options options; /* of the servers that are begun */
extern int client;
extern char got[4 << 20]; /* what the server sent */
extern size_t got_len;
extern bool got_eof, got_reset;
extern char events[256]; /* what the delegate saw: "gone", "finish" */

/** For handlers. */
void write_text(struct spout__http_exchange *ex, const char *text);

/* Handlers. */
void hello(struct spout__http_exchange *ex, void *arg);  /* says so */
void length(struct spout__http_exchange *ex, void *arg); /* of the buffered body */
void echo(struct spout__http_exchange *ex, void *arg);   /* the streamed body */
void nap(struct spout__http_exchange *ex, void *arg);    /* for 20 ms, says "woke" */

/** Start a server with one connection; end it, closing the connection before. */
void begin(void);
void end(void);
/** Watch what the server sends (begin() does); or not, as a slow client; be gone. */
void client_listen(void);
void client_ignore(void);
void client_vanish(void);
void say_text(const char *text);
void say(const char *bytes, size_t len);
/** Run the loop until `n` bytes have come (0: until the end). */
void await_bytes(size_t n);
void run_for(uint64_t ms);
/** One conversation: send, wait for the end of the connection, leave the answer
 * in got[]. */
void talk(const char *bytes);
/** How often `needle` stands in what came. */
unsigned count(const char *needle);

#define PATIENCE_MS 60000

/** Turn the loop until `cond` holds. */
#define run_until(cond) \
	do { \
		uint64_t until_ = spout_loop_now_ms(loop) + PATIENCE_MS; \
		while (!(cond) && spout_loop_now_ms(loop) < until_) \
			run_for(1); \
		CU_ASSERT(cond); \
	} while (0)

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define STARTS(text) CU_ASSERT_EQUAL(strncmp(got, (text), strlen(text)), 0)
#define HAS(text) CU_ASSERT_PTR_NOT_NULL(strstr(got, (text)))
#define HAS_NOT(text) CU_ASSERT_PTR_NULL(strstr(got, (text)))

#endif
