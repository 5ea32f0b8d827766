/* SPDX-License-Identifier: MIT */
/*
 * TLS for streams, TCP clients and servers, by OpenSSL: versions 1.2 and 1.3, forward
 * secret ciphers only, no renegotiation. (Tornado: ssl_options, SSLIOStream)
 *
 * A context (struct spout_tls) holds what connections have in common: certificates,
 * whom to trust, the rules. It is made once and given to spout_tcp_listen() and
 * spout_tcp_connect() as `.tls`, or to spout_stream_start_tls(). A stream over TLS is
 * used like any other; what is different:
 *
 *   - spout_stream_shutdown() and spout_stream_close() tell the peer that this is the end
 *     (close_notify, RFC 8446 6.1). A stream that ends with its scope does not, so that
 *     the peer can tell a failure from an end.
 *   - Input that ends without that message is cut off, perhaps by a third party: reads
 *     give -ECONNRESET, not the end of input.
 *
 * Errors besides those of spout/stream.h; spout_error() says which check failed:
 *
 *   -EKEYREJECTED the certificate of the peer: unknown authority, other host, revoked …
 *   -EKEYEXPIRED  the same: it has expired, or is not valid yet
 *   -EPROTO       the peer speaks no TLS, too old a version, or sent an alert
 *   -ETIMEDOUT    the handshake was not done in time
 *
 * Loop thread, or before the fork.
 */
#ifndef SPOUT_TLS_H
#define SPOUT_TLS_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_tls;
struct spout_stream;

/* --- contexts -------------------------------------------------------------------- */

/** Most certificates of one context. */
#define SPOUT_TLS_CERTIFICATES_MAX 32

/** A chain of certificates, the own one first, and its key, in PEM. */
struct spout_tls_certificate {
	const char *cert_file;
	const char *key_file; /* NULL: in cert_file, too */
};

enum spout_tls_version {
	SPOUT_TLS_1_2, /* the default */
	SPOUT_TLS_1_3,
};

struct spout_tls_options {
	size_t size; /* sizeof this struct, set by the macro */
	/* Ended by { NULL, NULL }. A server needs one and chooses by the name that the
	 * client asks for (SNI), exact names before wildcards, else the first. A client
	 * shows the first if it is asked. */
	const struct spout_tls_certificate *certificates;
	/* Authorities, PEM. Server: those of client certificates [no client is asked].
	 * Client: those of servers [the system's, SSL_CERT_FILE and SSL_CERT_DIR]. */
	const char *ca_file;
	bool client_optional; /* server with ca_file: a client may have no certificate */
	const char *server_name; /* client: who the server must be [the host given] */
	bool insecure;           /* client: believe anybody. For tests only */
	enum spout_tls_version min_version;
	const char *alpn; /* protocols, best first, "http/1.1,x" (RFC 7301) [none] */
	uint64_t handshake_timeout_ms; /* [10000] */
};

/**
 * A context for servers, or clients. Reads the files now; copies `options`. Returns
 * owned. Leaves, or returns -EINVAL (a file, a key that does not fit …), -E2BIG (too
 * many certificates), -ENOMEM, with spout_error(). Inside a coroutine.
 *
 *     static const struct spout_tls_certificate own[] = { { "a.pem", "a.key" }, { 0 } };
 *     struct spout_tls *tls = spout_tls_server_new(.certificates = own);
 */
#define SPOUT_TLS_OPTIONS_(...) \
	(&(struct spout_tls_options){ \
	    .size = sizeof(struct spout_tls_options), __VA_ARGS__ })
#define spout_tls_server_new(...) \
	spout_tls_server_new_with(SPOUT_TLS_OPTIONS_(__VA_ARGS__))
#define spout_try_tls_server_new(ret_tls, ...) \
	spout_try_tls_server_new_with(SPOUT_TLS_OPTIONS_(__VA_ARGS__), (ret_tls))
#define spout_tls_client_new(...) \
	spout_tls_client_new_with(SPOUT_TLS_OPTIONS_(__VA_ARGS__))
#define spout_try_tls_client_new(ret_tls, ...) \
	spout_try_tls_client_new_with(SPOUT_TLS_OPTIONS_(__VA_ARGS__), (ret_tls))
SPOUT_API struct spout_tls *spout_tls_server_new_with(
    const struct spout_tls_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_tls_server_new_with(
    const struct spout_tls_options *options, struct spout_tls **ret_tls);
SPOUT_API struct spout_tls *spout_tls_client_new_with(
    const struct spout_tls_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_tls_client_new_with(
    const struct spout_tls_options *options, struct spout_tls **ret_tls);
/**
 * The context of clients that want nothing special: it trusts the system's authorities
 * and checks the host. Never NULL: leaves when out of memory. Lent by the loop.
 */
SPOUT_API struct spout_tls *spout_tls_default(void);
/**
 * Give the context back; connections keep what they need, listening servers must be
 * gone. NULL is fine. Takes void * to fit spout_defer().
 */
SPOUT_API void spout_tls_free(void *tls);

/* --- streams --------------------------------------------------------------------- */

/**
 * Go on over TLS, when both sides have agreed to (STARTTLS): as server or client, as the
 * context says. `host` is whom a client expects, a name or numeric address (borrowed;
 * NULL: `server_name` of the context); for a server NULL. Flushes, then waits for the
 * handshake. Bytes of the peer that came ahead of it and were not read are refused,
 * -EBADMSG: somebody may have put them there. -EALREADY: runs over TLS.
 */
SPOUT_API void spout_stream_start_tls(
    struct spout_stream *stream, struct spout_tls *tls, const char *host);
SPOUT_API SPOUT_MUST_CHECK int spout_try_stream_start_tls(
    struct spout_stream *stream, struct spout_tls *tls, const char *host);
/** "TLSv1.3", or NULL for a stream in the clear. Static text. */
SPOUT_API const char *spout_stream_tls_version(const struct spout_stream *stream);
/** What ALPN has agreed on, "" for nothing. Copied into the running scope. */
SPOUT_API const char *spout_stream_alpn(const struct spout_stream *stream);

/** What a certificate says, in the memory of the scope that asked. */
struct spout_certificate {
	const char *subject; /* "CN=alice,O=Example" (RFC 2253) */
	const char *issuer;
	const char *serial; /* hexadecimal */
	const char *names; /* alternative names, "DNS:a.example, IP Address:::1", or "";
			    * for people: a name may hold a comma */
	int64_t not_before, not_after; /* seconds since 1970 */
	char sha256[65];               /* fingerprint, hexadecimal */
};

/**
 * The certificate that the peer has proved to own; NULL when it showed none, or one with
 * a text of more than 4096 bytes. It was verified, unless the context is insecure.
 */
SPOUT_API const struct spout_certificate *spout_stream_peer_certificate(
    const struct spout_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
