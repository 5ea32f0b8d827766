/* SPDX-License-Identifier: MIT */
/*
 * What the strict layer (lib/http: head, body) makes of a stream of bytes, as text: what
 * a connection does with it, without a connection. One line per request,
 *
 *     accept METHOD PATH query=… host=… body=… [close] [continue] [upgrade]
 *
 * then, if the stream does not end behind a request, "reject STATUS word" or "more".
 * Bytes behind a request that closes the connection are not looked at. Every byte that is
 * handed to the library lies in a block of its exact size, and every slice that comes
 * back is checked to lie in it; a slice that does not aborts.
 */
#ifndef SPOUT_TESTS_STREAM_H
#define SPOUT_TESTS_STREAM_H

#include "http/body.h"

#define STREAM_WHOLE 0u
#define STREAM_BYTES 1u

struct stream_options {
	struct spout__http_limits limits;
	uint64_t max_body;
	/* How the bytes arrive: all at once, one by one, or in sizes drawn from this
	 * seed. */
	unsigned split;
	/* A whole request was accepted: its bytes, and what became of them. */
	void (*on_request)(const char *data, size_t len,
	    const struct spout__http_head *head, const char *body, size_t body_len);
};

/** The limits of a server that is not told otherwise. */
void stream_options_init(struct stream_options *options);
/** Returns the text, to be freed. */
char *stream_read(const char *data, size_t len, const struct stream_options *options);
/** The bytes of a slice as printable text: \r \n \t \0 \\ \xHH. To be freed. */
char *stream_escape(const char *data, size_t len);

#endif
