/* SPDX-License-Identifier: MIT */
/*
 * TLS below a struct spout__stream, and the contexts that it is made from. Loop thread.
 *
 *   socket --read--> scratch of the loop --records--> SSL --> on_data()
 *   stream->out --SSL--> sealed --send--> socket
 *
 * The queue of the stream stays in the clear; up to 64 KiB of it are sealed at a time,
 * and leave the queue when the last of their records has left, so that the queue says
 * how much is unsent as it does without TLS. Between two events nothing is held but
 * the SSL object: it reads from and writes to our memory by a BIO of our own, and
 * gives its buffers back.
 *
 *   HANDSHAKE --done--> secure --close_notify, or the end of input--> as without TLS
 *       \--time-out, alert, end of input--> failed
 */
#ifndef SPOUT_NET_TLS_H
#define SPOUT_NET_TLS_H

#include <openssl/ssl.h>

#include <spout/tls.h>

#include "base/address.h"
#include "net/stream.h"

/* --- contexts (tls_context.c) ---------------------------------------------------- */

/** What was read from the files. Connections keep it when the context gets a newer. */
struct spout__tls_loaded {
	unsigned refs, n;
	SSL_CTX *ctx[SPOUT_TLS_CERTIFICATES_MAX]; /* one per certificate; at least one */
	unsigned char alpn[64];                   /* as OpenSSL wants it */
	unsigned alpn_len;
};

struct spout_tls {
	bool server;
	uint64_t files_seen; /* a sum over what stat() said of the files */
	struct spout__tls_loaded *loaded;
	struct spout_tls_options
	    options; /* its texts are ours; `certificates` is not used */
	struct spout_tls_certificate certificates[SPOUT_TLS_CERTIFICATES_MAX + 1];
};

/** Make a context; 0, or -errno with one line in `ret_why`. Anywhere. */
int spout__tls_new(const struct spout_tls_options *options, bool server,
    struct spout_tls **ret_tls, char ret_why[SPOUT__WHY]);
/**
 * Read the files again if any has changed: connections that come from now on get the new
 * ones. Returns 1 when they do, 0 when nothing has changed or that cannot be seen, -errno
 * with one line when the new ones do not work; those before stay.
 */
int spout__tls_refresh(struct spout_tls *tls, char ret_why[SPOUT__WHY]);
struct spout__tls_loaded *spout__tls_loaded_ref(struct spout__tls_loaded *loaded);
void spout__tls_loaded_unref(struct spout__tls_loaded *loaded);

/* --- why something failed (tls_error.c) ------------------------------------------ */

/** The oldest error of OpenSSL's queue as text. */
const char *spout__tls_queue_text(void);
/** What has just failed on a connection: -errno, with one line in `ret_why`. `host`: who
 * the peer should have been, or NULL. `error` is that of SSL_get_error(). */
int spout__tls_explain(SSL *ssl, int error, const char *host, char ret_why[SPOUT__WHY]);

/* --- connections (tls.c) --------------------------------------------------------- */

struct spout__tls {
	struct spout__stream *stream;
	SSL *ssl;
	struct spout__tls_loaded *loaded;
	struct spout__buffer sealed; /* records that the kernel has not taken */
	size_t covered;              /* bytes of stream->out that they carry */
	const char *in; /* records just read, and how many bytes of them are left */
	size_t in_len;
	struct spout__timer timer; /* of the handshake */
	uint64_t timeout_ms;
	struct spout__ready begin;
	void (*on_secure)(struct spout__stream *stream);
	char *host;       /* whom a client expects; NULL: nobody, or a server */
	char *reason;     /* of the failure, or NULL */
	bool secure;      /* the handshake is done */
	bool fin_pending; /* FIN when `sealed` has left */
};

/**
 * Put TLS below the stream from now on; its queue must be empty. Reading is on until
 * `on_secure` (may be NULL) is called, once; failing goes the stream's way, on_error().
 * Returns 0, -EINVAL (a client needs to know whom it expects) or -ENOMEM.
 */
int spout__stream_start_tls(struct spout__stream *stream, struct spout_tls *tls,
    const char *host, void (*on_secure)(struct spout__stream *stream));
/** Tell the peer that nothing follows, if TLS can and all was sent. Before a close. */
void spout__stream_farewell(struct spout__stream *stream);
/** Why the stream has failed, in words, or NULL for the text of the errno. */
const char *spout__stream_reason(const struct spout__stream *stream);

static inline bool
spout__stream_secure(const struct spout__stream *stream)
{
	return stream->tls != NULL && stream->tls->secure;
}

struct spout_scope;
/** What the certificate of the peer says, in `scope`; NULL for none, or no memory. */
struct spout_certificate *spout__tls_peer(
    const struct spout__stream *stream, struct spout_scope *scope);

/* For stream.c, which has found the stream to be over TLS. */
void spout__tls_readable(struct spout__stream *stream);
void spout__tls_flush(struct spout__stream *stream);
void spout__tls_shutdown(struct spout__stream *stream);
void spout__tls_free(struct spout__stream *stream);

#endif
