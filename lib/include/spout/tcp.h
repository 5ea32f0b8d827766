/* SPDX-License-Identifier: MIT */
/*
 * Raw TCP and unix sockets for coroutines: connecting (Tornado: TCPClient), and serving
 * with one coroutine per connection (TCPServer). Loop thread.
 */
#ifndef SPOUT_TCP_H
#define SPOUT_TCP_H

#include <spout/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_tls;

/* --- client ---------------------------------------------------------------------- */

struct spout_connect_options {
	size_t size;         /* sizeof this struct, set by the macro */
	uint64_t timeout_ms; /* for name, connection and TLS together [10000] */
	const char *source;  /* numeric address to connect from [any] */
	int family;          /* AF_INET or AF_INET6 only [both] */
	struct spout_tls *tls; /* speak TLS (spout/tls.h); borrowed [no] */
	struct spout_stream_options stream; /* its size is filled in */
};

/**
 * Connect to a host, by name or numeric address. The name is looked up on a thread of
 * the loop's resolver; addresses are tried as RFC 8305 says, families in turn, the
 * next one after 250 ms or as soon as one fails; the first connection wins. Leaves, or
 * returns -errno: -EHOSTUNREACH (no such name, or no route), -ECONNREFUSED,
 * -ETIMEDOUT, …, and with TLS what spout/tls.h names; the certificate must be that of
 * `host`.
 *
 *     struct spout_stream *stream = spout_tcp_connect(
 *         "localhost", 25, .timeout_ms = 2000);
 */
#define SPOUT_CONNECT_OPTIONS_(...) \
	(&(struct spout_connect_options){ .size = sizeof(struct spout_connect_options), \
	    __VA_ARGS__ })
#define spout_tcp_connect(host, port, ...) \
	spout_tcp_connect_with((host), (port), SPOUT_CONNECT_OPTIONS_(__VA_ARGS__))
#define spout_try_tcp_connect(host, port, ret_stream, ...) \
	spout_try_tcp_connect_with((host), (port), SPOUT_CONNECT_OPTIONS_(__VA_ARGS__), \
	    (ret_stream))
SPOUT_API struct spout_stream *spout_tcp_connect_with(const char *host, uint16_t port,
    const struct spout_connect_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_tcp_connect_with(const char *host, uint16_t port,
    const struct spout_connect_options *options, struct spout_stream **ret_stream);
/**
 * Connect to a unix socket; -ENOENT and -ECONNREFUSED besides. With TLS the context
 * has to say whom it expects.
 */
#define spout_unix_connect(path, ...) \
	spout_unix_connect_with((path), SPOUT_CONNECT_OPTIONS_(__VA_ARGS__))
#define spout_try_unix_connect(path, ret_stream, ...) \
	spout_try_unix_connect_with((path), SPOUT_CONNECT_OPTIONS_(__VA_ARGS__), \
	    (ret_stream))
SPOUT_API struct spout_stream *spout_unix_connect_with(const char *path,
    const struct spout_connect_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_unix_connect_with(const char *path,
    const struct spout_connect_options *options, struct spout_stream **ret_stream);

/* --- server ---------------------------------------------------------------------- */

struct spout_tcp_server;

/**
 * Serves one connection, as a coroutine with a scope of its own, which owns the
 * stream. When it returns, what it wrote is flushed and the connection closed; when it
 * fails, the reason is logged, unless it is that the client went away.
 */
typedef void (*spout_tcp_handler_fn)(struct spout_stream *stream, void *arg);

struct spout_tcp_server_options {
	size_t size;              /* sizeof this struct, set by the macro */
	unsigned max_connections; /* more wait in the kernel's queue [1000] */
	int backlog;              /* length of that queue [1024] */
	bool reuseport;           /* SO_REUSEPORT: each worker listens on the same port */
	/* Speak TLS by this context of a server (spout/tls.h): handlers start after the
	 * handshake. Borrowed until the server is drained or freed [no]. */
	struct spout_tls *tls;
	struct spout_stream_options stream; /* its size is filled in */
};

/**
 * Listen on `address`: `127.0.0.1:80`, `[::1]:80`, `*:80` (all IPv4), port 0 for any,
 * or `unix:PATH`, where a socket file that nobody serves any more is replaced. Returns
 * owned, or NULL with errno.
 */
#define spout_tcp_listen(address, handler, arg, ...) \
	spout_tcp_listen_with((address), (handler), (arg), \
	    &(struct spout_tcp_server_options){ \
	    .size = sizeof(struct spout_tcp_server_options), __VA_ARGS__ })
SPOUT_API struct spout_tcp_server *spout_tcp_listen_with(const char *address,
    spout_tcp_handler_fn handler, void *arg,
    const struct spout_tcp_server_options *options);
/** The port; 0 for a unix socket. */
SPOUT_API uint16_t spout_tcp_server_port(const struct spout_tcp_server *server);
/** Connections whose handlers have not ended. */
SPOUT_API unsigned spout_tcp_server_connections(const struct spout_tcp_server *server);
/**
 * Accept what is queued, close the listening socket, wait at most `ms` until every
 * handler has ended. Returns 0, or -ETIMEDOUT: they go on. Inside a coroutine.
 */
SPOUT_API SPOUT_MUST_CHECK int spout_tcp_server_drain(struct spout_tcp_server *server,
    uint64_t ms);
/** Stop listening, cancel the handlers that run, free. Not from a handler. */
SPOUT_API void spout_tcp_server_free(struct spout_tcp_server *server);

#ifdef __cplusplus
}
#endif

#endif
