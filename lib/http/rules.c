/* SPDX-License-Identifier: MIT */
/*
 * The rules around the parser: see rules.h. The lexer has been through the bytes, so a
 * name is a token and a value is trimmed and holds no control character.
 */
#include "config.h"

#include "http/rules.h"

#include "http/authority.h"
#include "http/chars.h"
#include "http/judge.h"

#define MAX_LENGTH_DIGITS 19 /* fits uint64_t */

/* The fields that decide something. */
struct decisive {
	const struct spout_slice *host;
	const struct spout__http_field *length, *coding;
	bool close, keep_alive, upgrade_option, upgrade_field, expect;
};

/* In any case; quickest in the case of `text`, which is a literal. */
#define is(s, text) spout__http_same(s, spout_slice_of(text, sizeof(text) - 1))

/* --- lists (RFC 9110 5.6.1) -------------------------------------------------------- */

/* The next element of a comma-separated list; false at its end. Elements may be empty. */
static bool
list_next(struct spout_slice *rest, struct spout_slice *ret_element)
{
	const char *p = rest->data, *end, *comma, *stop;

	if (p == NULL)
		return false;
	end = p + rest->len;
	comma = memchr(p, ',', rest->len);
	stop = comma != NULL ? comma : end;
	*rest = comma != NULL ? spout_slice_of(comma + 1, (size_t)(end - comma - 1))
	                      : spout_slice_of(NULL, 0);
	while (p < stop && spout__http_is_ows(*p))
		p++;
	while (p < stop && spout__http_is_ows(stop[-1]))
		stop--;
	*ret_element = spout_slice_of(p, (size_t)(stop - p));
	return true;
}

static void
take_connection(struct decisive *d, struct spout_slice value)
{
	struct spout_slice option;

	while (list_next(&value, &option)) {
		if (is(option, "close"))
			d->close = true;
		else if (is(option, "keep-alive"))
			d->keep_alive = true;
		else if (is(option, "upgrade"))
			d->upgrade_option = true;
	}
}

/*
 * Transfer-Encoding must be "chunked" and nothing else. Without chunked at its end, or
 * with chunked twice, nobody can tell where the body ends; any other coding before it is
 * one that we do not know.
 */
static int
check_coding(struct spout_slice value)
{
	struct spout_slice coding = { NULL, 0 };
	unsigned n = 0, n_chunked = 0;

	while (list_next(&value, &coding)) {
		n++;
		n_chunked += is(coding, "chunked");
	}
	if (!is(coding, "chunked") || n_chunked != 1)
		return -SPOUT__FAULT_BAD_FRAMING;
	return n == 1 ? 0 : -SPOUT__FAULT_UNKNOWN_CODING;
}

/* --- fields ------------------------------------------------------------------------ */

static int
take_field(struct decisive *d, const struct spout__http_field *field)
{
	const struct spout_slice name = field->name, *value = &field->value;

	switch (name.len) {
	case 4:
		if (is(name, "Host")) {
			if (d->host != NULL)
				return -SPOUT__FAULT_BAD_HOST;
			d->host = value;
		}
		break;
	case 6:
		if (is(name, "Expect")) {
			if (!is(*value, "100-continue"))
				return -SPOUT__FAULT_BAD_EXPECT;
			d->expect = true;
		}
		break;
	case 7:
		if (is(name, "Upgrade"))
			d->upgrade_field = true;
		break;
	case 10:
		if (is(name, "Connection"))
			take_connection(d, *value);
		break;
	case 14:
		if (is(name, "Content-Length")) {
			if (d->length != NULL)
				return -SPOUT__FAULT_BAD_LENGTH;
			d->length = field;
		}
		break;
	case 17:
		if (is(name, "Transfer-Encoding")) {
			if (d->coding != NULL)
				return -SPOUT__FAULT_BAD_FRAMING;
			d->coding = field;
		}
		break;
	}
	return 0;
}

static int
check_length(struct spout_slice value)
{
	size_t i;

	if (value.len == 0 || value.len > MAX_LENGTH_DIGITS)
		return -SPOUT__FAULT_BAD_LENGTH;
	for (i = 0; i < value.len; i++)
		if (!spout__http_char_is(value.data[i], SPOUT__CHAR_DIGIT))
			return -SPOUT__FAULT_BAD_LENGTH;
	return 0;
}

/* RFC 9112 6.3, without its lenient alternatives. */
static int
decide_framing(struct spout__http_head *head, const char *data, const struct decisive *d)
{
	int rc = 0;

	if (d->length != NULL)
		rc = check_length(d->length->value);
	if (rc == 0 && d->coding != NULL)
		rc = d->length == NULL ? check_coding(d->coding->value)
		                       : -SPOUT__FAULT_BAD_FRAMING;
	if (rc == 0)
		rc = spout__http_judge(head, data, d->length, d->coding);
	if (rc == 0 && d->coding != NULL && head->minor == 0)
		rc = -SPOUT__FAULT_BAD_FRAMING;
	return rc;
}

/* --- target and Host --------------------------------------------------------------- */

/* Split at '?'. */
static void
set_path(struct spout__http_head *head, const char *path, const char *end)
{
	const char *mark = memchr(path, '?', (size_t)(end - path));

	if (mark == NULL) {
		head->path = spout_slice_of(path, (size_t)(end - path));
		head->query = spout_slice_of(end, 0);
	} else {
		head->path = spout_slice_of(path, (size_t)(mark - path));
		head->query = spout_slice_of(mark + 1, (size_t)(end - mark - 1));
	}
}

/*
 * http://authority/path (RFC 9112 3.2.2). A Host field must name the same authority: a
 * client has to send it so, and two answers to "which host" are one too many.
 */
static int
absolute_target(struct spout__http_head *head, bool tls, const struct spout_slice *host)
{
	const char *end = head->target.data + head->target.len;
	const char *start = head->target.data + (tls ? 8 : 7), *p = start;
	struct spout_slice authority;

	while (p < end && *p != '/' && *p != '?')
		p++;
	authority = spout_slice_of(start, (size_t)(p - start));
	if (!spout__http_authority_valid(authority))
		return -SPOUT__FAULT_BAD_TARGET;
	if (host != NULL &&
	    !spout__http_authority_same(authority, *host, tls ? "443" : "80"))
		return -SPOUT__FAULT_BAD_HOST;
	head->host = authority;
	set_path(head, p, end);
	/* An empty path means "/": the one before the authority will do. */
	if (head->path.len == 0)
		head->path = spout_slice_of(start - 1, 1);
	return 0;
}

#define begins_with(s, text) \
	((s).len >= sizeof(text) - 1 && \
	    is(spout_slice_of((s).data, sizeof(text) - 1), text))

static int
decide_target(struct spout__http_head *head, const struct spout_slice *host)
{
	struct spout_slice target = head->target;

	if (host == NULL && head->minor > 0)
		return -SPOUT__FAULT_BAD_HOST;
	if (host != NULL && !spout__http_authority_valid(*host))
		return -SPOUT__FAULT_BAD_HOST;
	head->host = host != NULL ? *host : spout_slice_of(target.data, 0);
	if (target.data[0] == '/' ||
	    (spout_slice_equal(target, "*") && head->method == SPOUT__HTTP_OPTIONS)) {
		set_path(head, target.data, target.data + target.len);
		return 0;
	}
	if (begins_with(target, "http://"))
		return absolute_target(head, false, host);
	if (begins_with(target, "https://"))
		return absolute_target(head, true, host);
	return -SPOUT__FAULT_BAD_TARGET;
}

int
spout__http_rules_apply(struct spout__http_head *head, const char *data)
{
	struct decisive d = { 0 };
	unsigned i;
	int rc;

	for (i = 0; i < head->n_fields; i++) {
		rc = take_field(&d, &head->fields[i]);
		if (rc != 0)
			return rc;
	}
	rc = decide_framing(head, data, &d);
	if (rc == 0)
		rc = decide_target(head, d.host);
	if (rc != 0)
		return rc;
	head->keep_alive = !d.close && (head->minor > 0 || d.keep_alive);
	/* HTTP/1.0 knows neither (RFC 9110 7.8, 10.1.1). */
	head->upgrade = head->minor > 0 && d.upgrade_option && d.upgrade_field;
	head->expect_continue =
	    head->minor > 0 && d.expect &&
	    (head->framing == SPOUT__HTTP_CHUNKED || head->content_length > 0);
	return 0;
}
