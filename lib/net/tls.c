/* SPDX-License-Identifier: MIT */
/* TLS below a stream: see tls.h. */
#include "config.h"

#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/stats.h"

/*
 * The loop's scratch memory: records are read into its front and opened into the rest.
 * SSL may have kept the better part of one record from before: it fits, too.
 */
#define RECORDS_ROOM 24576u
#define PLAIN_ROOM (SPOUT__LOOP_SCRATCH - RECORDS_ROOM)

/* How much is sealed at a time; what else the protocol may have to say meanwhile. */
#define SEAL_BYTES 65536u
#define SEALED_MAX (SEAL_BYTES + 65536u)
#define RECORD_BYTES 16384u

/* --- a BIO over our memory ------------------------------------------------------- */

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int
bio_read(BIO *bio, char *to, int size)
{
	struct spout__tls *tls = BIO_get_data(bio);
	size_t n = tls->in_len < (size_t)size ? tls->in_len : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, tls->in, n);
	tls->in += n;
	tls->in_len -= n;
	return (int)n;
}

static int
bio_write(BIO *bio, const char *from, int len)
{
	struct spout__tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return spout__buffer_append(&tls->sealed, from, (size_t)len) == 0 ? len : -1;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *arg)
{
	(void)bio;
	(void)number;
	(void)arg;
	return command == BIO_CTRL_FLUSH;
}

static void
bio_method_make(void)
{
	BIO_METHOD *method =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "spout");

	if (method == NULL)
		return;
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	bio_method = method;
}

static bool
bio_attach(struct spout__tls *tls)
{
	BIO *bio;

	pthread_once(&bio_once, bio_method_make);
	bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
	if (bio == NULL)
		return false;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	return true;
}

/* --- failing --------------------------------------------------------------------- */

/* Is TLS still below the stream? Its owner may have closed it in a callback. */
static bool
stands(const struct spout__stream *stream)
{
	return stream->tls != NULL && !stream->failed;
}

static void
tls_fail(struct spout__stream *stream, int error, const char *reason)
{
	struct spout__tls *tls = stream->tls;

	if (stream->failed)
		return;
	if (!tls->secure)
		spout__count(SPOUT__C_TLS_FAILURES, 1);
	/* An alert for the peer is worth one attempt. */
	if (tls->sealed.len > 0 &&
	    send(stream->fd, spout__buffer_at(&tls->sealed), tls->sealed.len,
		MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		spout__buffer_release(&tls->sealed);
	spout__timer_stop(&tls->timer);
	tls->reason = reason != NULL ? strdup(reason) : NULL;
	spout__stream_fail(stream, error);
}

/* What SSL has just refused to do. Before any other call into OpenSSL. */
static void
tls_fail_with(struct spout__stream *stream, int error)
{
	char why[SPOUT__WHY];
	int r = spout__tls_explain(stream->tls->ssl, error, stream->tls->host, why);

	ERR_clear_error();
	tls_fail(stream, r, why);
}

static void
on_timeout(struct spout__timer *timer)
{
	struct spout__tls *tls = spout__container_of(timer, struct spout__tls, timer);
	char why[SPOUT__WHY];

	spout__count(SPOUT__C_CONN_TIMEOUTS, 1);
	snprintf(why, sizeof(why), "TLS: the handshake was not done within %llu ms",
	    (unsigned long long)tls->timeout_ms);
	tls_fail(tls->stream, -ETIMEDOUT, why);
}

const char *
spout__stream_reason(const struct spout__stream *stream)
{
	return stream->tls != NULL ? stream->tls->reason : NULL;
}

/* --- writing --------------------------------------------------------------------- */

/* Seal what is queued, up to SEAL_BYTES. False if it failed. */
static bool
seal(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;
	size_t end = stream->out.len < SEAL_BYTES ? stream->out.len : SEAL_BYTES;

	if (!tls->secure)
		return true;
	while (tls->covered < end) {
		size_t n = end - tls->covered < RECORD_BYTES ? end - tls->covered
							     : RECORD_BYTES;
		int r;

		ERR_clear_error();
		r = SSL_write(
		    tls->ssl, spout__buffer_at(&stream->out) + tls->covered, (int)n);
		if (r <= 0) {
			tls_fail_with(stream, SSL_get_error(tls->ssl, r));
			return false;
		}
		tls->covered += (size_t)r;
	}
	return true;
}

/* Send what is sealed. Returns how much has left, or -errno. */
static ssize_t
send_sealed(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;
	ssize_t n = send(
	    stream->fd, spout__buffer_at(&tls->sealed), tls->sealed.len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	spout__count(SPOUT__C_BYTES_OUT, (uint64_t)n);
	spout__buffer_consume(&tls->sealed, (size_t)n);
	if (tls->sealed.len > 0)
		return n;
	spout__buffer_release(&tls->sealed);
	spout__buffer_consume(&stream->out, tls->covered);
	tls->covered = 0;
	return n;
}

void
spout__tls_flush(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;
	ssize_t n = 0, total = 0;

	if (stream->fd < 0 || stream->failed)
		return;
	do {
		if (tls->sealed.len == 0 && !seal(stream))
			return;
		n = tls->sealed.len > 0 ? send_sealed(stream) : 0;
		if (n < 0) {
			tls_fail(stream, (int)n, NULL);
			return;
		}
		total += n;
	} while (n > 0 && tls->sealed.len == 0 && stream->out.len > 0);
	if (stream->out.len == 0)
		spout__buffer_release(&stream->out);
	stream->blocked = tls->sealed.len > 0;
	if (tls->fin_pending && !stream->blocked) {
		tls->fin_pending = false;
		shutdown(stream->fd, SHUT_WR);
	}
	spout__stream_rearm(stream);
	if (total > 0 && tls->secure && !stream->failed)
		stream->ops->on_sent(stream);
}

/* close_notify (RFC 8446 6.1): no answer is waited for. */
void
spout__stream_farewell(struct spout__stream *stream)
{
	if (stream->fd < 0 || stream->failed || !spout__stream_secure(stream) ||
	    stream->out.len > 0 ||
	    (SSL_get_shutdown(stream->tls->ssl) & SSL_SENT_SHUTDOWN))
		return;
	ERR_clear_error();
	SSL_shutdown(stream->tls->ssl);
	ERR_clear_error();
	spout__tls_flush(stream);
}

void
spout__tls_shutdown(struct spout__stream *stream)
{
	stream->tls->fin_pending = true;
	spout__stream_farewell(stream);
	if (stands(stream) && stream->tls->fin_pending)
		spout__tls_flush(stream);
}

/* --- handshake ------------------------------------------------------------------- */

static void
became_secure(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;

	tls->secure = true;
	spout__timer_stop(&tls->timer);
	spout__count(SPOUT__C_TLS_HANDSHAKES, 1);
	if (SSL_session_reused(tls->ssl))
		spout__count(SPOUT__C_TLS_RESUMED, 1);
	spout__tls_flush(stream);
	if (stands(stream) && tls->on_secure != NULL)
		tls->on_secure(stream);
}

static void
handshake(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(tls->ssl);
	if (r == 1) {
		became_secure(stream);
		return;
	}
	error = SSL_get_error(tls->ssl, r);
	if (error == SSL_ERROR_WANT_READ)
		spout__tls_flush(stream);
	else
		tls_fail_with(stream, error);
}

static void
on_begin(struct spout__ready *ready)
{
	struct spout__tls *tls = spout__container_of(ready, struct spout__tls, begin);

	if (!tls->secure && stands(tls->stream))
		handshake(tls->stream);
}

/* --- reading --------------------------------------------------------------------- */

/* Open the records that are here; *ret_n bytes are at `to`. Returns what SSL wants. */
static int
open_records(struct spout__tls *tls, char *to, size_t *ret_n)
{
	size_t n = 0;
	int r = 1;

	ERR_clear_error();
	while (n < PLAIN_ROOM && r > 0) {
		r = SSL_read(tls->ssl, to + n, (int)(PLAIN_ROOM - n));
		n += r > 0 ? (size_t)r : 0;
	}
	*ret_n = n;
	return r > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, r);
}

static void
take_records(struct spout__stream *stream, char *to)
{
	struct spout__tls *tls = stream->tls;
	char why[SPOUT__WHY];
	int want, failure = 0;
	size_t n;

	do {
		want = open_records(tls, to, &n);
		if (want != SSL_ERROR_NONE && want != SSL_ERROR_WANT_READ &&
		    want != SSL_ERROR_ZERO_RETURN)
			failure = spout__tls_explain(tls->ssl, want, tls->host, why);
		ERR_clear_error();
		if (n > 0)
			stream->ops->on_data(stream, to, n);
		if (!stands(stream))
			return;
	} while (want == SSL_ERROR_NONE);
	if (failure != 0) {
		tls_fail(stream, failure, why);
		return;
	}
	if (tls->sealed.len > 0)
		spout__tls_flush(stream);
	if (want == SSL_ERROR_ZERO_RETURN && stands(stream))
		spout__stream_saw_eof(stream);
}

/* FIN without a close_notify before it: anybody may have sent that (RFC 8446 6.1). */
static void
cut_off(struct spout__stream *stream)
{
	if (stream->tls->secure)
		tls_fail(stream, -ECONNRESET,
		    "TLS: the input was cut off, it ended without close_notify");
	else
		tls_fail(
		    stream, -ECONNRESET, "TLS: the peer has closed during the handshake");
}

void
spout__tls_readable(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;
	char *scratch = spout__loop_scratch(stream->loop);
	ssize_t n;

	if (scratch == NULL) {
		tls_fail(stream, -ENOMEM, NULL);
		return;
	}
	n = read(stream->fd, scratch, RECORDS_ROOM);
	if (n == 0)
		cut_off(stream);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		tls_fail(stream, -errno, NULL);
	if (n <= 0)
		return;
	spout__count(SPOUT__C_BYTES_IN, (uint64_t)n);
	tls->in = scratch;
	tls->in_len = (size_t)n;
	if (!tls->secure)
		handshake(stream);
	if (spout__stream_secure(stream) && !stream->failed)
		take_records(stream, scratch + RECORDS_ROOM);
	if (stream->tls != NULL)
		tls->in_len = 0;
}

/* --- life ------------------------------------------------------------------------ */

static bool
is_address(const char *host)
{
	unsigned char to[16];

	return inet_pton(AF_INET, host, to) == 1 || inet_pton(AF_INET6, host, to) == 1;
}

/* Whom a client expects: the alternative names of its certificate must say so (RFC 9525;
 * the common name does not count); a name is sent, too (SNI). */
static int
expect(struct spout__tls *tls, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);

	tls->host = strdup(host);
	if (tls->host == NULL)
		return -ENOMEM;
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : -ENOMEM;
	if (SSL_set1_host(tls->ssl, host) != 1 ||
	    SSL_set_tlsext_host_name(tls->ssl, host) != 1)
		return -EINVAL;
	return 0;
}

static int
set_up(struct spout__tls *tls, const struct spout_tls *context, const char *host)
{
	tls->ssl = SSL_new(context->loaded->ctx[0]);
	if (tls->ssl == NULL || !bio_attach(tls))
		return -ENOMEM;
	if (context->server) {
		SSL_set_accept_state(tls->ssl);
		return 0;
	}
	SSL_set_connect_state(tls->ssl);
	if (context->options.server_name != NULL)
		host = context->options.server_name;
	if (host == NULL)
		return context->options.insecure ? 0 : -EINVAL;
	return expect(tls, host);
}

int
spout__stream_start_tls(struct spout__stream *stream, struct spout_tls *context,
    const char *host, void (*on_secure)(struct spout__stream *stream))
{
	struct spout__tls *tls = calloc(1, sizeof(*tls));
	int r;

	if (tls == NULL)
		return -ENOMEM;
	tls->stream = stream;
	tls->on_secure = on_secure;
	tls->loaded = spout__tls_loaded_ref(context->loaded);
	tls->timeout_ms = context->options.handshake_timeout_ms;
	spout__buffer_init(&tls->sealed, SEALED_MAX);
	spout__timer_init(&tls->timer, on_timeout);
	spout__ready_init(&tls->begin, on_begin);
	stream->tls = tls;
	ERR_clear_error();
	r = set_up(tls, context, host);
	ERR_clear_error();
	if (r < 0) {
		spout__tls_free(stream);
		return r;
	}
	spout__timer_start_at(stream->loop, &tls->timer,
	    spout__loop_after_ms(stream->loop, tls->timeout_ms));
	spout__stream_set_reading(stream, true);
	if (!context->server) /* on the loop's stack, which is large */
		spout__loop_ready(stream->loop, &tls->begin);
	return 0;
}

void
spout__tls_free(struct spout__stream *stream)
{
	struct spout__tls *tls = stream->tls;

	stream->tls = NULL;
	spout__timer_stop(&tls->timer);
	spout__list_remove(&tls->begin.link);
	SSL_free(tls->ssl);
	spout__tls_loaded_unref(tls->loaded);
	spout__buffer_release(&tls->sealed);
	free(tls->host);
	free(tls->reason);
	free(tls);
}
