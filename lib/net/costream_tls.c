/* SPDX-License-Identifier: MIT */
/* TLS for coroutines: contexts, and streams that go on over TLS. */
#include "config.h"

#include <errno.h>

#include "net/costream.h"
#include "net/tls.h"

/* --- contexts -------------------------------------------------------------------- */

static int
context_new(
    const struct spout_tls_options *options, bool server, struct spout_tls **ret_tls)
{
	char why[SPOUT__WHY];
	int r = spout__tls_new(options, server, ret_tls, why);

	return r < 0 ? spout__co_error(r, "TLS: %s", why) : 0;
}

int
spout_try_tls_server_new_with(
    const struct spout_tls_options *options, struct spout_tls **ret_tls)
{
	return context_new(options, true, ret_tls);
}

struct spout_tls *
spout_tls_server_new_with(const struct spout_tls_options *options)
{
	struct spout_tls *tls = NULL;

	spout__net_leave_if(context_new(options, true, &tls));
	return tls;
}

int
spout_try_tls_client_new_with(
    const struct spout_tls_options *options, struct spout_tls **ret_tls)
{
	return context_new(options, false, ret_tls);
}

struct spout_tls *
spout_tls_client_new_with(const struct spout_tls_options *options)
{
	struct spout_tls *tls = NULL;

	spout__net_leave_if(context_new(options, false, &tls));
	return tls;
}

struct spout_tls *
spout_tls_default(void)
{
	struct spout_loop *loop = spout_scope_current()->loop;
	struct spout_tls *tls = spout__loop_slot(loop, SPOUT__SLOT_NET);

	if (tls == NULL) {
		tls = spout_tls_client_new();
		spout__loop_set_slot(loop, SPOUT__SLOT_NET, tls, spout_tls_free);
	}
	return tls;
}

/* --- streams --------------------------------------------------------------------- */

void
spout__costream_on_secure(struct spout__stream *base)
{
	struct spout_stream *stream =
	    spout__container_of(base, struct spout_stream, base);

	while (spout__line_grant(&stream->readers))
		;
}

int
spout__costream_start_tls(
    struct spout_stream *stream, struct spout_tls *tls, const char *host)
{
	int r =
	    spout__stream_start_tls(&stream->base, tls, host, spout__costream_on_secure);

	if (r == -EINVAL)
		return spout__co_error(r, "TLS: a client needs the name of its server");
	return r < 0 ? spout__co_error(r, "TLS: out of memory") : 0;
}

int
spout__costream_handshake(struct spout_stream *stream)
{
	while (stream->error == 0 && !spout__stream_secure(&stream->base)) {
		int r = spout__costream_wait(stream, &stream->readers, "TLS handshake");

		if (r < 0)
			return r;
	}
	return stream->error != 0 ? spout__costream_error(stream) : 0;
}

int
spout_try_stream_start_tls(
    struct spout_stream *stream, struct spout_tls *tls, const char *host)
{
	int r = spout_try_stream_flush(stream);

	if (r < 0)
		return r;
	if (stream->base.tls != NULL)
		return spout__co_error(-EALREADY, "TLS: runs already");
	if (stream->base.pipe)
		return spout__co_error(-EINVAL, "TLS: not over a pipe");
	if (spout_stream_buffered(stream) > 0)
		return spout__co_error(-EBADMSG, "TLS: %zu bytes came ahead of it",
		    spout_stream_buffered(stream));
	if (stream->base.eof)
		return spout__co_error(-EPIPE, "TLS: the peer has closed");
	r = spout__costream_start_tls(stream, tls, host);
	return r < 0 ? r : spout__costream_handshake(stream);
}

void
spout_stream_start_tls(
    struct spout_stream *stream, struct spout_tls *tls, const char *host)
{
	spout__net_leave_if(spout_try_stream_start_tls(stream, tls, host));
}

/* --- about it -------------------------------------------------------------------- */

const char *
spout_stream_tls_version(const struct spout_stream *stream)
{
	return spout__stream_secure(&stream->base)
	    ? SSL_get_version(stream->base.tls->ssl)
	    : NULL;
}

const char *
spout_stream_alpn(const struct spout_stream *stream)
{
	const unsigned char *data = NULL;
	unsigned len = 0;
	char *text;

	if (spout__stream_secure(&stream->base))
		SSL_get0_alpn_selected(stream->base.tls->ssl, &data, &len);
	text = spout_alloc(len + 1);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

const struct spout_certificate *
spout_stream_peer_certificate(const struct spout_stream *stream)
{
	return spout__tls_peer(&stream->base, spout_scope_current());
}
