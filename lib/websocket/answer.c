/* SPDX-License-Identifier: MIT */
/* URLs, and the answer to a handshake: see answer.h. */
#include "config.h"

#include "websocket/answer.h"

#include <errno.h>
#include <stdlib.h>

#include "http/authority.h"
#include "http/chars.h"

/* --- URLs ------------------------------------------------------------------------- */

/* "[::1]:80" and the like to host and port; it is valid already. */
static int
split_authority(struct spout_slice authority, struct spout__ws_url *ret)
{
	const char *end = authority.data + authority.len, *colon = end, *p;
	size_t len;

	for (p = end; p > authority.data && p[-1] != ']'; p--)
		if (p[-1] == ':')
			colon = p - 1;
	if (colon + 1 < end)
		ret->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	p = authority.data + (authority.data[0] == '[');
	len = (size_t)(colon - p) - (authority.data[0] == '[');
	if (len == 0 || len >= sizeof(ret->host) || ret->port == 0)
		return -EINVAL;
	memcpy(ret->host, p, len);
	ret->host[len] = '\0';
	return 0;
}

int
spout__ws_parse_url(const char *url, struct spout__ws_url *ret)
{
	size_t n;

	ret->secure = strncasecmp(url, "wss://", 6) == 0;
	if (!ret->secure && strncasecmp(url, "ws://", 5) != 0)
		return -EINVAL;
	ret->port = ret->secure ? 443 : 80;
	url += ret->secure ? 6 : 5;
	n = strcspn(url, "/?#");
	ret->authority = spout_slice_of(url, n);
	if (!spout__http_authority_valid(ret->authority))
		return -EINVAL;
	url += n;
	n = strlen(url);
	if (*spout__http_skip(url, SPOUT__CHAR_TARGET) != '\0')
		return -EINVAL; /* no fragment either (RFC 6455 3) */
	ret->target = spout_slice_of(url, n);
	ret->no_path = *url != '/';
	return split_authority(ret->authority, ret);
}

/* --- the head --------------------------------------------------------------------- */

static bool
take_line(struct spout_slice *in, struct spout_slice *ret)
{
	const char *end = memmem(in->data, in->len, "\r\n", 2);

	if (end == NULL)
		return false;
	*ret = spout_slice_of(in->data, (size_t)(end - in->data));
	in->len -= ret->len + 2;
	in->data += ret->len + 2;
	return true;
}

static bool
all_of(struct spout_slice text, unsigned classes)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (!spout__http_char_is(text.data[i], classes))
			return false;
	return true;
}

/* "HTTP/1.1 101 Switching Protocols" (RFC 9112 4) */
static int
status_of(struct spout_slice line)
{
	const char *p = line.data + 9;

	if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 ||
	    (line.data[7] != '0' && line.data[7] != '1') || line.data[8] != ' ' ||
	    (line.len > 12 && line.data[12] != ' ') ||
	    !all_of(spout_slice_of(p, 3), SPOUT__CHAR_DIGIT) || p[0] < '1' ||
	    !all_of(spout_slice_of(p + 3, line.len - 12), SPOUT__CHAR_VALUE))
		return -EBADMSG;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';
}

static bool
take_field(struct spout_slice line, struct spout__http_head *head)
{
	const char *colon = memchr(line.data, ':', line.len);
	struct spout__http_field *field = &head->fields[head->n_fields];
	struct spout_slice value;

	if (colon == NULL || head->n_fields == SPOUT__HTTP_MAX_FIELDS)
		return false;
	field->name = spout_slice_of(line.data, (size_t)(colon - line.data));
	value = spout_slice_of(colon + 1, line.len - field->name.len - 1);
	while (value.len > 0 && spout__http_is_ows(value.data[0])) {
		value.data++;
		value.len--;
	}
	while (value.len > 0 && spout__http_is_ows(value.data[value.len - 1]))
		value.len--;
	field->value = value;
	head->n_fields++;
	return field->name.len > 0 && all_of(field->name, SPOUT__CHAR_TOKEN) &&
	    all_of(value, SPOUT__CHAR_VALUE);
}

/* How long the body of an answer is: a length, chunks, or NO_BODY for all there is. */
static void
frame_body(struct spout__http_head *head)
{
	struct spout_slice length = spout__http_head_get(head, "Content-Length");

	head->framing = SPOUT__HTTP_NO_BODY;
	head->content_length = 0;
	if (spout__ws_fields_have(head, "Transfer-Encoding", "chunked", true)) {
		head->framing = SPOUT__HTTP_CHUNKED;
	} else if (length.len > 0 && length.len < 19 &&
	    all_of(length, SPOUT__CHAR_DIGIT)) {
		head->framing = SPOUT__HTTP_LENGTH;
		for (; length.len > 0; length.data++, length.len--)
			head->content_length =
			    head->content_length * 10 + (uint64_t)(*length.data - '0');
	}
}

int
spout__ws_parse_answer(const char *data, size_t len, struct spout__ws_answer *ret)
{
	struct spout_slice in = spout_slice_of(data, len), line;

	ret->head.n_fields = 0;
	if (!take_line(&in, &line))
		return -EBADMSG;
	ret->status = status_of(line);
	if (ret->status < 0)
		return -EBADMSG;
	while (take_line(&in, &line)) {
		if (line.len == 0) {
			frame_body(&ret->head);
			return 0;
		}
		if (!take_field(line, &ret->head))
			return -EBADMSG;
	}
	return -EBADMSG;
}

/* --- what it says ----------------------------------------------------------------- */

static int
wrong(const char *why, const char **ret_why)
{
	*ret_why = why;
	return -EBADMSG;
}

/* The subprotocol must be one that we offered, and none need be. */
static int
take_subprotocol(const struct spout__http_head *head, const char *const *subprotocols,
    const char **ret)
{
	struct spout_slice said = spout__http_head_get(head, "Sec-WebSocket-Protocol");
	unsigned n = spout__ws_count_fields(head, "Sec-WebSocket-Protocol");

	*ret = NULL;
	if (n == 0)
		return 0;
	while (n == 1 && subprotocols != NULL && *subprotocols != NULL) {
		if (spout_slice_equal(said, *subprotocols)) {
			*ret = *subprotocols;
			return 0;
		}
		subprotocols++;
	}
	return -EBADMSG;
}

int
spout__ws_check_answer(const struct spout__ws_answer *answer, const char *accept,
    const char *const *subprotocols, const struct spout_websocket_compress *compress,
    struct spout__ws_handshake *ret, const char **ret_why)
{
	const struct spout__http_head *head = &answer->head;

	if (!spout__ws_fields_have(head, "Upgrade", "websocket", true) ||
	    !spout__ws_fields_have(head, "Connection", "upgrade", true))
		return wrong("the server does not upgrade to a WebSocket", ret_why);
	if (spout__ws_count_fields(head, "Sec-WebSocket-Accept") != 1 ||
	    !spout_slice_equal(
		spout__http_head_get(head, "Sec-WebSocket-Accept"), accept))
		return wrong("Sec-WebSocket-Accept is wrong", ret_why);
	if (take_subprotocol(head, subprotocols, &ret->subprotocol) < 0)
		return wrong("a subprotocol that was not offered", ret_why);
	if (spout__ws_count_fields(head, "Sec-WebSocket-Extensions") > 1 ||
	    spout__ws_take_answer(spout__http_head_get(head, "Sec-WebSocket-Extensions"),
		compress, &ret->deflate) < 0)
		return wrong("an extension that was not offered", ret_why);
	return 0;
}
