/* SPDX-License-Identifier: MIT */
/*
 * Body framing: see body.h. One state per place in the chunked coding; every step looks
 * at one byte, but body bytes, extensions and trailer values are taken in runs.
 *
 *   SIZE: hex digits      -> ';' EXT | CR SIZE_LF
 *   EXT                   -> CR SIZE_LF
 *   SIZE_LF: LF           -> DATA, or LINE_START behind the last chunk
 *   DATA                  -> DATA_CR -> DATA_LF -> SIZE
 *   LINE_START            -> CR END_LF -> DONE | NAME
 *   NAME: token           -> ':' VALUE
 *   VALUE                 -> CR VALUE_LF -> LINE_START
 */
#include "config.h"

#include "http/body.h"

#include "http/chars.h"

#define MAX_SIZE_DIGITS 16 /* fits uint64_t */

enum state {
	DONE,
	LENGTH,
	SIZE,
	EXT,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	LINE_START,
	NAME,
	VALUE,
	VALUE_LF,
	END_LF,
};

/*
 * Fields that would change framing or routing may not come late (RFC 9110 6.5.1). Bit n
 * of flags is set while the bytes of the trailer's name are those of the n-th.
 */
static const char *const forbidden_trailers[] = {
	"content-length",
	"transfer-encoding",
	"host",
};
#define N_FORBIDDEN (sizeof(forbidden_trailers) / sizeof(forbidden_trailers[0]))
#define ALL_FORBIDDEN ((1u << N_FORBIDDEN) - 1)

int
spout__http_body_begin(
    struct spout__http_body *body, const struct spout__http_head *head, uint64_t max)
{
	memset(body, 0, sizeof(*body));
	body->max = max;
	if (head->framing == SPOUT__HTTP_CHUNKED) {
		body->state = SIZE;
	} else if (head->framing == SPOUT__HTTP_LENGTH) {
		if (head->content_length > max)
			return -SPOUT__FAULT_BODY_TOO_LARGE;
		body->left = head->content_length;
		body->state = body->left > 0 ? LENGTH : DONE;
	}
	return 0;
}

bool
spout__http_body_done(const struct spout__http_body *body)
{
	return body->state == DONE;
}

/* --- single bytes ------------------------------------------------------------------ */

/* A byte where a line end or nothing was allowed. */
static int
refuse(char c, enum spout__http_fault otherwise)
{
	return c == '\n' ? -SPOUT__FAULT_BARE_LF : -(int)otherwise;
}

/* LF behind CR, or else. */
static int
expect_lf(struct spout__http_body *body, char c, enum state next)
{
	if (c != '\n')
		return -SPOUT__FAULT_BARE_CR;
	body->state = (unsigned char)next;
	body->line_bytes = 0;
	return 0;
}

static unsigned
hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* chunk-size, up to the byte behind it. `line_bytes` counts its digits. */
static int
take_size(struct spout__http_body *body, char c)
{
	if (spout__http_char_is(c, SPOUT__CHAR_HEX)) {
		if (++body->line_bytes > MAX_SIZE_DIGITS)
			return -SPOUT__FAULT_BAD_CHUNK;
		body->left = body->left << 4 | hex_value(c);
		return 0;
	}
	if (body->line_bytes == 0 || (c != ';' && c != '\r'))
		return refuse(c, SPOUT__FAULT_BAD_CHUNK);
	if (body->left > body->max - body->total)
		return -SPOUT__FAULT_BODY_TOO_LARGE;
	body->state = c == ';' ? EXT : SIZE_LF;
	return 0;
}

/* The CRLF behind the data of a chunk: nothing else may end it. */
static int
take_data_end(struct spout__http_body *body, char c)
{
	if (body->state == DATA_LF)
		return expect_lf(body, c, SIZE);
	if (c != '\r')
		return refuse(c, SPOUT__FAULT_BAD_CHUNK);
	body->state = DATA_LF;
	return 0;
}

/* One byte of a trailer's name, or its colon. `line_bytes` counts the name. */
static int
take_name(struct spout__http_body *body, char c)
{
	unsigned i, place = body->line_bytes;

	if (c == ':' && place > 0) {
		for (i = 0; i < N_FORBIDDEN; i++)
			if ((body->flags & 1u << i) &&
			    forbidden_trailers[i][place] == '\0')
				return -SPOUT__FAULT_BAD_TRAILER;
		body->state = VALUE;
		return 0;
	}
	if (!spout__http_char_is(c, SPOUT__CHAR_TOKEN))
		return refuse(c, SPOUT__FAULT_BAD_TRAILER);
	for (i = 0; i < N_FORBIDDEN; i++)
		if ((body->flags & 1u << i) &&
		    forbidden_trailers[i][place] != spout__http_lower(c))
			body->flags &= (unsigned char)~(1u << i);
	body->line_bytes++;
	return 0;
}

/* The first byte of a trailer line. */
static int
take_line_start(struct spout__http_body *body, char c)
{
	if (c == '\r') {
		body->state = END_LF;
		return 0;
	}
	if (spout__http_is_ows(c))
		return -SPOUT__FAULT_OBS_FOLD;
	body->state = NAME;
	body->flags = ALL_FORBIDDEN;
	return take_name(body, c);
}

/* The CR behind an extension or a trailer value: all else there is text. */
static int
take_text_end(struct spout__http_body *body, char c)
{
	bool ext = body->state == EXT;

	if (c != '\r')
		return refuse(c, ext ? SPOUT__FAULT_BAD_CHUNK : SPOUT__FAULT_BAD_TRAILER);
	body->state = ext ? SIZE_LF : VALUE_LF;
	return 0;
}

static int
take_byte(struct spout__http_body *body, char c)
{
	switch ((enum state)body->state) {
	case SIZE:
		return take_size(body, c);
	case SIZE_LF:
		return expect_lf(body, c, body->left > 0 ? DATA : LINE_START);
	case DATA_CR:
	case DATA_LF:
		return take_data_end(body, c);
	case LINE_START:
		return take_line_start(body, c);
	case NAME:
		return take_name(body, c);
	case EXT:
	case VALUE:
		return take_text_end(body, c);
	case VALUE_LF:
		return expect_lf(body, c, LINE_START);
	case END_LF:
		return expect_lf(body, c, DONE);
	default: /* body bytes: take_data() */
		return -SPOUT__FAULT_BAD_CHUNK;
	}
}

/* --- runs --------------------------------------------------------------------------- */

/* How many bytes of text there are, looking no further than the budget reaches. */
static size_t
text_run(const char *p, size_t len)
{
	size_t n = 0;

	if (len > SPOUT__HTTP_MAX_CHUNK_EXT)
		len = SPOUT__HTTP_MAX_CHUNK_EXT;
	while (n < len && spout__http_char_is(p[n], SPOUT__CHAR_VALUE))
		n++;
	return n;
}

/* Everything but body bytes. Returns how many were taken, or -fault. */
static int
take_framing(struct spout__http_body *body, const char *p, size_t len)
{
	size_t n = body->state == EXT || body->state == VALUE ? text_run(p, len) : 0;
	int rc;

	if (body->state == EXT)
		body->ext_bytes += (uint32_t)n;
	else if (body->state >= LINE_START)
		body->trailer_bytes += n > 0 ? (uint32_t)n : 1;
	if (body->ext_bytes > SPOUT__HTTP_MAX_CHUNK_EXT)
		return -SPOUT__FAULT_CHUNK_EXT_TOO_LARGE;
	if (body->trailer_bytes > SPOUT__HTTP_MAX_TRAILER)
		return -SPOUT__FAULT_TRAILER_TOO_LARGE;
	if (n > 0)
		return (int)n;
	rc = take_byte(body, *p);
	return rc < 0 ? rc : 1;
}

/* Body bytes, as many as there are and belong to it. */
static size_t
take_data(struct spout__http_body *body, size_t len)
{
	size_t n = len < body->left ? len : (size_t)body->left;

	body->left -= n;
	body->total += n;
	if (body->left == 0)
		body->state = body->state == LENGTH ? DONE : DATA_CR;
	return n;
}

int
spout__http_body_feed(struct spout__http_body *body, const char *data, size_t len,
    size_t *ret_used, struct spout_slice *ret_piece)
{
	size_t pos = 0, n = 0;
	int rc;

	while (pos < len && body->state != DONE) {
		if (body->state == LENGTH || body->state == DATA) {
			n = take_data(body, len - pos);
			break;
		}
		rc = take_framing(body, data + pos, len - pos);
		if (rc < 0)
			return rc;
		pos += (size_t)rc;
	}
	*ret_used = pos + n;
	*ret_piece = spout_slice_of(data + pos, n);
	return 0;
}
