/* SPDX-License-Identifier: MIT */
/* Frames of the WebSocket protocol: see frame.h. */
#include "config.h"

#include "websocket/frame.h"

#include <errno.h>

#include "base/text.h"

#define FIN 0x80u
#define RESERVED 0x70u
#define MASKED 0x80u

/* --- masks ------------------------------------------------------------------------ */

void
spout__ws_unmask(char *to, const char *from, size_t len, const unsigned char mask[4])
{
	unsigned char twice[8];
	uint64_t word, by;
	size_t i = 0;

	memcpy(twice, mask, 4);
	memcpy(twice + 4, mask, 4);
	memcpy(&by, twice, sizeof(by));
	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, from + i, sizeof(word));
		word ^= by;
		memcpy(to + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		to[i] = (char)(from[i] ^ (char)mask[i & 3]);
}

/* The mask as it goes on behind `n` bytes. */
static void
turn_mask(unsigned char mask[4], size_t n)
{
	unsigned char old[4];
	unsigned i;

	memcpy(old, mask, sizeof(old));
	for (i = 0; i < 4; i++)
		mask[i] = old[(i + n) & 3];
}

/* --- the head of a frame ---------------------------------------------------------- */

struct head {
	unsigned opcode;
	bool fin, packed;
	size_t size; /* of the head, with the mask */
	uint64_t len;
	unsigned char mask[4];
};

static bool
is_control(unsigned opcode)
{
	return opcode >= SPOUT__WS_CLOSE;
}

/* RSV1 may be set where a message begins, if that was agreed on (RFC 7692 6). */
static bool
may_reserve(const struct spout__ws_reader *reader, unsigned first)
{
	unsigned opcode = first & 15u;

	return (first & RESERVED) == 0 ||
	    ((first & RESERVED) == SPOUT__WS_PACKED && reader->may_pack &&
		(opcode == SPOUT__WS_TEXT || opcode == SPOUT__WS_BINARY));
}

/* Its first two bytes alone may be wrong. Returns 0 or a close code. */
static int
check_start(const struct spout__ws_reader *reader, unsigned first, unsigned second)
{
	unsigned opcode = first & 15u;

	if (!may_reserve(reader, first) || ((second & MASKED) == 0) != reader->client)
		return SPOUT__WS_PROTOCOL_ERROR;
	if (is_control(opcode))
		return opcode > SPOUT__WS_PONG || (first & FIN) == 0 ||
		    (second & ~MASKED) > SPOUT__WS_CONTROL_MAX ?
		    SPOUT__WS_PROTOCOL_ERROR : 0;
	if (opcode > SPOUT__WS_BINARY)
		return SPOUT__WS_PROTOCOL_ERROR;
	/* A message goes on if it has begun, and only then. */
	return (opcode == SPOUT__WS_CONTINUATION) != (reader->opcode != 0) ?
	    SPOUT__WS_PROTOCOL_ERROR : 0;
}

static uint64_t
big_endian(const unsigned char *p, unsigned n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | *p++;
	return value;
}

/* Parse a head. Returns 0, -EAGAIN when more bytes are needed, or a close code. */
static int
parse_head(const struct spout__ws_reader *reader, const char *data, size_t len,
    struct head *ret)
{
	const unsigned char *p = (const unsigned char *)data;
	unsigned more;
	int r;

	if (len < 2)
		return -EAGAIN;
	r = check_start(reader, p[0], p[1]);
	if (r != 0)
		return r;
	ret->opcode = p[0] & 15u;
	ret->fin = (p[0] & FIN) != 0;
	ret->packed = (p[0] & SPOUT__WS_PACKED) != 0;
	ret->len = p[1] & ~MASKED;
	more = ret->len == 126 ? 2 : ret->len == 127 ? 8 : 0;
	ret->size = 2 + more + (reader->client ? 0 : 4);
	if (len < ret->size)
		return -EAGAIN;
	if (more != 0) {
		ret->len = big_endian(p + 2, more);
		/* In as few bytes as it takes, and below 2^63 (RFC 6455 5.2). */
		if (ret->len < (more == 2 ? 126u : 65536u) || ret->len > INT64_MAX)
			return SPOUT__WS_PROTOCOL_ERROR;
	}
	memset(ret->mask, 0, 4);
	if (!reader->client)
		memcpy(ret->mask, p + 2 + more, 4);
	return 0;
}

/* --- control frames --------------------------------------------------------------- */

bool
spout__ws_code_valid(int code)
{
	if (code >= 3000)
		return code <= 4999;
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/* RFC 6455 5.5.1, 7.4 */
static int
take_close(struct spout__ws_item *item)
{
	const unsigned char *p = (const unsigned char *)item->control;

	item->code = SPOUT__WS_NO_STATUS;
	if (item->len == 0)
		return 0;
	if (item->len == 1)
		return SPOUT__WS_PROTOCOL_ERROR;
	item->code = p[0] << 8 | p[1];
	if (!spout__ws_code_valid(item->code))
		return SPOUT__WS_PROTOCOL_ERROR;
	item->len -= 2;
	memmove(item->control, item->control + 2, item->len);
	return spout__utf8_valid(item->control, item->len) ? 0 : SPOUT__WS_BAD_DATA;
}

static int
take_control(const struct head *head, const char *payload, struct spout__ws_item *item)
{
	item->opcode = (enum spout__ws_opcode)head->opcode;
	item->len = (size_t)head->len;
	spout__ws_unmask(item->control, payload, item->len, head->mask);
	return head->opcode == SPOUT__WS_CLOSE ? take_close(item) : 0;
}

/* --- messages --------------------------------------------------------------------- */

static int
begin_frame(struct spout__ws_reader *reader, const struct head *head,
    const struct spout__buffer *message)
{
	size_t max;

	if (head->opcode != SPOUT__WS_CONTINUATION) {
		reader->opcode = (unsigned char)head->opcode;
		reader->packed = head->packed;
		reader->checked = 0;
	}
	max = reader->packed ? spout__ws_packed_max(reader->max) : reader->max;
	if (head->len > max - message->len)
		return SPOUT__WS_TOO_BIG;
	reader->fin = head->fin;
	reader->left = head->len;
	reader->in_frame = true;
	memcpy(reader->mask, head->mask, sizeof(reader->mask));
	return 0;
}

/* Is what has come of a text UTF-8 so far (RFC 6455 8.1), and whole at its end? */
static int
check_text(struct spout__ws_reader *reader, const struct spout__buffer *message,
    bool ended)
{
	size_t left = message->len - reader->checked;
	long n;

	if (left == 0)
		return 0;
	n = spout__utf8_prefix(spout__buffer_at(message) + reader->checked, left);
	if (n < 0 || (ended && (size_t)n < left))
		return SPOUT__WS_BAD_DATA;
	reader->checked += (size_t)n;
	return 0;
}

/* Take payload of the frame of data. Returns 0 or a close code. */
static int
take_data(struct spout__ws_reader *reader, const char *data, size_t len,
    struct spout__buffer *message, struct spout__ws_item *item)
{
	bool ended = len == reader->left && reader->fin;
	char *to;

	if (len > 0) {
		to = spout__buffer_reserve(message, len);
		if (to == NULL)
			return SPOUT__WS_INTERNAL_ERROR;
		spout__ws_unmask(to, data, len, reader->mask);
		spout__buffer_commit(message, len);
		turn_mask(reader->mask, len);
		reader->left -= len;
	}
	if (reader->opcode == SPOUT__WS_TEXT && !reader->packed &&
	    check_text(reader, message, ended) != 0)
		return SPOUT__WS_BAD_DATA;
	if (reader->left == 0)
		reader->in_frame = false;
	if (ended) {
		item->opcode = (enum spout__ws_opcode)reader->opcode;
		item->packed = reader->packed;
		reader->opcode = 0;
	}
	return 0;
}

void
spout__ws_reader_init(struct spout__ws_reader *reader, size_t max)
{
	*reader = (struct spout__ws_reader){ .max = max };
}

/* One step: a head with what it is the head of, or payload. *ret_used 0: needs more. */
static int
step(struct spout__ws_reader *reader, const char *data, size_t len,
    struct spout__buffer *message, size_t *ret_used, struct spout__ws_item *item)
{
	struct head head;
	int r;

	*ret_used = 0;
	if (reader->in_frame) {
		*ret_used = len < reader->left ? len : (size_t)reader->left;
		return take_data(reader, data, *ret_used, message, item);
	}
	r = parse_head(reader, data, len, &head);
	if (r != 0)
		return r == -EAGAIN ? 0 : r;
	if (is_control(head.opcode)) {
		if (len - head.size < head.len)
			return 0;
		*ret_used = head.size + (size_t)head.len;
		return take_control(&head, data + head.size, item);
	}
	*ret_used = head.size;
	r = begin_frame(reader, &head, message);
	return r == 0 && head.len == 0 ? take_data(reader, "", 0, message, item) : r;
}

int
spout__ws_read(struct spout__ws_reader *reader, const char *data, size_t len,
    struct spout__buffer *message, size_t *ret_used, struct spout__ws_item *ret_item)
{
	size_t used, total = 0;
	int r = 0;

	ret_item->opcode = SPOUT__WS_MORE;
	ret_item->packed = false;
	do {
		used = 0;
		if (total < len)
			r = step(reader, data + total, len - total, message, &used,
			    ret_item);
		total += used;
	} while (r == 0 && used > 0 && ret_item->opcode == SPOUT__WS_MORE);
	*ret_used = total;
	return r;
}

/* --- writing ---------------------------------------------------------------------- */

size_t
spout__ws_put_head(char to[SPOUT__WS_HEAD_MAX], unsigned opcode, uint64_t len,
    const unsigned char *mask)
{
	unsigned char *p = (unsigned char *)to;
	unsigned more = len < 126 ? 0 : len < 65536 ? 2 : 8, i;

	p[0] = (unsigned char)(FIN | opcode);
	p[1] = (unsigned char)(more == 0 ? len : more == 2 ? 126 : 127);
	for (i = 0; i < more; i++)
		p[2 + i] = (unsigned char)(len >> 8 * (more - 1 - i));
	if (mask == NULL)
		return 2 + more;
	p[1] |= MASKED;
	memcpy(p + 2 + more, mask, 4);
	return 2 + more + 4;
}
