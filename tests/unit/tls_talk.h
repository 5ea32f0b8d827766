/* SPDX-License-Identifier: MIT */
/*
 * For tests of TLS in coroutines: the certificates that they use, contexts and servers
 * that end with the coroutine's scope.
 */
#ifndef SPOUT_TESTS_TLS_TALK_H
#define SPOUT_TESTS_TLS_TALK_H

#include <spout/tcp.h>
#include <spout/tls.h>

#include "co_help.h"
#include "tls_help.h"
#include "unit.h"

#define ASSERT_SLICE(slice, text) CU_ASSERT_TRUE(spout_slice_equal((slice), (text)))
#define HAS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr((text), (part)))
#define CERTIFICATES(...) \
	((struct spout_tls_certificate[]){ __VA_ARGS__, { NULL, NULL } })

/** Make the certificates: before anything else. */
void tls_make_all(void);
/** Contexts: a server that shows this certificate, a client that trusts "ca". */
struct spout_tls *tls_server(const char *name);
struct spout_tls *tls_client(void);
/** Serve on a free port of 127.0.0.1; over TLS unless `tls` is NULL. */
uint16_t tls_serve(struct spout_tls *tls, spout_tcp_handler_fn handler, void *arg);
/** Fits spout_defer(). */
void tls_free_server(void *server);
/** A handler that sends every line back; say a line to it. */
void tls_echo(struct spout_stream *stream, void *arg);
void tls_say(struct spout_stream *stream, const char *line);
/** A handler that says OK to the first line and goes on over TLS, as `tls` says. */
void tls_upgrade(struct spout_stream *stream, void *tls);
/** Run fn as a coroutine, which must not fail. */
void tls_run(spout_fn fn);

#endif
