/* SPDX-License-Identifier: MIT */
/* Sec-WebSocket-Extensions: see extension.h. */
#include "config.h"

#include "websocket/extension.h"

#include <errno.h>
#include <stdio.h>

#include "http/chars.h"

#define BITS_MAX 15
#define BITS_MIN 9 /* that zlib can compress with */

/* The parameters of permessage-deflate. */
enum parameter {
	SERVER_NO_CONTEXT,
	CLIENT_NO_CONTEXT,
	SERVER_BITS,
	CLIENT_BITS,
	N_PARAMETERS,
};
static const char *const names[N_PARAMETERS] = { "server_no_context_takeover",
	"client_no_context_takeover", "server_max_window_bits",
	"client_max_window_bits" };

#define ABSENT (-1)
#define NO_VALUE 0

/* One element of the list. */
struct extension {
	bool deflate; /* it is permessage-deflate … */
	bool bad;     /* … with something that it may not have */
	int value[N_PARAMETERS];
};

/* --- the grammar ------------------------------------------------------------------ */

static void
skip_blanks(struct spout_slice *in)
{
	while (in->len > 0 && spout__http_is_ows(in->data[0])) {
		in->data++;
		in->len--;
	}
}

static bool
take_char(struct spout_slice *in, char c)
{
	skip_blanks(in);
	if (in->len == 0 || in->data[0] != c)
		return false;
	in->data++;
	in->len--;
	skip_blanks(in);
	return true;
}

static bool
take_token(struct spout_slice *in, struct spout_slice *ret)
{
	size_t n = 0;

	while (n < in->len && spout__http_char_is(in->data[n], SPOUT__CHAR_TOKEN))
		n++;
	*ret = spout_slice_of(in->data, n);
	in->data += n;
	in->len -= n;
	return n > 0;
}

/* A token, perhaps between quotes: nothing else may stand there (RFC 6455 9.1). */
static bool
take_value(struct spout_slice *in, struct spout_slice *ret)
{
	bool quoted = in->len > 0 && in->data[0] == '"';

	if (quoted) {
		in->data++;
		in->len--;
	}
	if (!take_token(in, ret))
		return false;
	if (!quoted)
		return true;
	if (in->len == 0 || in->data[0] != '"')
		return false;
	in->data++;
	in->len--;
	return true;
}

/* 8 to 15, without a leading zero; else -1. */
static int
bits_of(struct spout_slice text)
{
	if (text.len == 1 && (text.data[0] == '8' || text.data[0] == '9'))
		return text.data[0] - '0';
	if (text.len == 2 && text.data[0] == '1' && text.data[1] >= '0' &&
	    text.data[1] <= '5')
		return 10 + text.data[1] - '0';
	return -1;
}

static void
note_parameter(struct extension *extension, struct spout_slice name, bool has_value,
    struct spout_slice value)
{
	int number = has_value ? bits_of(value) : NO_VALUE;
	unsigned i = 0;

	while (i < N_PARAMETERS && !spout_slice_equal(name, names[i]))
		i++;
	/* Unknown, twice, with a value that it may not have, or without one that it must
	 * have (7.1). */
	if (i == N_PARAMETERS || extension->value[i] != ABSENT || number < 0 ||
	    (i < SERVER_BITS && has_value) || (i == SERVER_BITS && !has_value))
		extension->bad = true;
	else
		extension->value[i] = number;
}

/* The next element. Returns 1, 0 at the end, or -EBADMSG. */
static int
take_extension(struct spout_slice *in, struct extension *ret)
{
	struct spout_slice name, value = { NULL, 0 };
	bool has_value;

	while (take_char(in, ','))
		;
	skip_blanks(in);
	if (in->len == 0)
		return 0;
	if (!take_token(in, &name))
		return -EBADMSG;
	*ret = (struct extension){ .deflate = spout_slice_equal(name,
					"permessage-deflate"),
		.value = { ABSENT, ABSENT, ABSENT, ABSENT } };
	while (take_char(in, ';')) {
		if (!take_token(in, &name))
			return -EBADMSG;
		has_value = take_char(in, '=');
		if (has_value && !take_value(in, &value))
			return -EBADMSG;
		note_parameter(ret, name, has_value, value);
	}
	return in->len == 0 || in->data[0] == ',' ? 1 : -EBADMSG;
}

/* --- what is wanted --------------------------------------------------------------- */

static int
bits_or(unsigned bits)
{
	if (bits == 0 || bits > BITS_MAX)
		return BITS_MAX;
	return bits < BITS_MIN ? BITS_MIN : (int)bits;
}

static int
smaller(int a, int b)
{
	return a < b ? a : b;
}

/* How many more bytes were written to `to`. */
static size_t
add(char *to, size_t at, const char *name, int value)
{
	int n = value == NO_VALUE ?
	    snprintf(to + at, SPOUT__WS_EXTENSION_SIZE - at, "; %s", name) :
	    snprintf(to + at, SPOUT__WS_EXTENSION_SIZE - at, "; %s=%d", name, value);

	return at + (size_t)n;
}

static void
write_down(char *to, const int value[N_PARAMETERS])
{
	size_t at = (size_t)snprintf(to, SPOUT__WS_EXTENSION_SIZE, "permessage-deflate");
	unsigned i;

	for (i = 0; i < N_PARAMETERS; i++)
		if (value[i] != ABSENT)
			at = add(to, at, names[i], value[i]);
}

/* --- a server --------------------------------------------------------------------- */

/* RFC 7692 7.1: may we take this offer? If so, what do we say? */
static bool
accept_one(const struct extension *offer, const struct spout_websocket_compress *options,
    struct spout__ws_deflate *ret, char *answer)
{
	int own = bits_or(options->window_bits), peer = BITS_MAX;
	int value[N_PARAMETERS] = { ABSENT, ABSENT, ABSENT, ABSENT };
	bool keeps = options->keep_context;

	if (!offer->deflate || offer->bad || offer->value[SERVER_BITS] == 8)
		return false;
	if (offer->value[SERVER_BITS] != ABSENT)
		own = smaller(own, offer->value[SERVER_BITS]);
	if (own < BITS_MAX || offer->value[SERVER_BITS] != ABSENT)
		value[SERVER_BITS] = own;
	if (offer->value[CLIENT_BITS] != ABSENT) {
		peer = bits_or(options->peer_window_bits);
		if (offer->value[CLIENT_BITS] != NO_VALUE)
			peer = smaller(peer, offer->value[CLIENT_BITS]);
		if (peer < BITS_MAX)
			value[CLIENT_BITS] = peer;
	}
	ret->own_bits = (unsigned char)own;
	ret->peer_bits = (unsigned char)peer;
	ret->own_keeps = keeps && offer->value[SERVER_NO_CONTEXT] == ABSENT;
	ret->peer_keeps = keeps && offer->value[CLIENT_NO_CONTEXT] == ABSENT;
	if (!ret->own_keeps)
		value[SERVER_NO_CONTEXT] = NO_VALUE;
	if (!ret->peer_keeps)
		value[CLIENT_NO_CONTEXT] = NO_VALUE;
	write_down(answer, value);
	return true;
}

int
spout__ws_accept_offer(const struct spout__http_head *head,
    const struct spout_websocket_compress *options, struct spout__ws_deflate *ret,
    char answer[SPOUT__WS_EXTENSION_SIZE])
{
	struct extension offer;
	struct spout_slice in;
	unsigned i;
	int r = 0;

	*ret = (struct spout__ws_deflate){ 0 };
	for (i = 0; i < head->n_fields; i++) {
		if (!spout__http_same(head->fields[i].name,
			spout_slice("Sec-WebSocket-Extensions")))
			continue;
		in = head->fields[i].value;
		while ((r = take_extension(&in, &offer)) > 0)
			if (options->on && ret->own_bits == 0)
				accept_one(&offer, options, ret, answer);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- a client --------------------------------------------------------------------- */

static void
wish(const struct spout_websocket_compress *options, int value[N_PARAMETERS])
{
	int own = bits_or(options->window_bits);
	int peer = bits_or(options->peer_window_bits);

	value[SERVER_NO_CONTEXT] = options->keep_context ? ABSENT : NO_VALUE;
	value[CLIENT_NO_CONTEXT] = options->keep_context ? ABSENT : NO_VALUE;
	value[SERVER_BITS] = peer < BITS_MAX ? peer : ABSENT;
	value[CLIENT_BITS] = own < BITS_MAX ? own : NO_VALUE;
}

void
spout__ws_offer(const struct spout_websocket_compress *options,
    char offer[SPOUT__WS_EXTENSION_SIZE])
{
	int value[N_PARAMETERS];

	wish(options, value);
	write_down(offer, value);
}

/* Does the answer keep what was asked for (RFC 7692 7.1.1.1, 7.1.2.1)? */
static bool
keeps_to(const int answer[N_PARAMETERS], const int wanted[N_PARAMETERS])
{
	if (wanted[SERVER_NO_CONTEXT] != ABSENT && answer[SERVER_NO_CONTEXT] == ABSENT)
		return false;
	if (wanted[SERVER_BITS] != ABSENT && (answer[SERVER_BITS] == ABSENT ||
		answer[SERVER_BITS] > wanted[SERVER_BITS]))
		return false;
	return answer[CLIENT_BITS] != NO_VALUE;
}

int
spout__ws_take_answer(struct spout_slice answer,
    const struct spout_websocket_compress *options, struct spout__ws_deflate *ret)
{
	int wanted[N_PARAMETERS];
	struct extension taken, more;
	int r;

	*ret = (struct spout__ws_deflate){ 0 };
	r = take_extension(&answer, &taken);
	if (r <= 0)
		return r;
	wish(options, wanted);
	if (take_extension(&answer, &more) != 0 || !options->on || !taken.deflate ||
	    taken.bad || !keeps_to(taken.value, wanted))
		return -EBADMSG; /* RFC 6455 9.1: never more than was offered */
	ret->own_bits = (unsigned char)bits_or(options->window_bits);
	if (taken.value[CLIENT_BITS] != ABSENT)
		ret->own_bits =
		    (unsigned char)smaller(ret->own_bits, taken.value[CLIENT_BITS]);
	ret->peer_bits = taken.value[SERVER_BITS] != ABSENT ?
	    (unsigned char)taken.value[SERVER_BITS] : BITS_MAX;
	ret->own_keeps =
	    options->keep_context && taken.value[CLIENT_NO_CONTEXT] == ABSENT;
	ret->peer_keeps = taken.value[SERVER_NO_CONTEXT] == ABSENT;
	return 0;
}
