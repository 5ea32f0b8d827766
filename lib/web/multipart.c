/* SPDX-License-Identifier: MIT */
/* The body of a multipart form, cut into parts: see multipart.h. */
#include "config.h"

#include "web/multipart.h"

#include <errno.h>
#include <strings.h>

#include "web/args.h"

/* --- the boundary ----------------------------------------------------------------- */

static bool
has_prefix(struct spout_slice text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && strncasecmp(text.data, prefix, len) == 0;
}

static struct spout_slice
skip(struct spout_slice text, size_t n)
{
	return spout_slice_of(text.data + n, text.len - n);
}

static struct spout_slice
skip_white(struct spout_slice text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = skip(text, 1);
	return text;
}

bool
spout__multipart_is(struct spout_slice content_type)
{
	return spout__media_type_is(content_type, "multipart/form-data");
}

/* RFC 2046 5.1.1 bchars, without the space. */
static bool
is_boundary(struct spout_slice text)
{
	static const char others[] = "'()+_,-./:=?";
	size_t i;

	for (i = 0; i < text.len; i++) {
		char c = text.data[i], letter = (char)(c | 0x20);

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return text.len > 0 && text.len <= SPOUT__BOUNDARY_MAX;
}

/*
 * Take `; name=value` from the front of `*text`, the value a token or quoted; it is left
 * escaped. 1, 0 at the end, or -EBADMSG.
 */
static int
next_parameter(struct spout_slice *text, struct spout_slice *ret_name,
    struct spout_slice *ret_value)
{
	struct spout_slice at = skip_white(*text);
	size_t n;

	if (at.len == 0)
		return 0;
	if (at.data[0] != ';')
		return -EBADMSG;
	at = skip_white(skip(at, 1));
	for (n = 0; n < at.len && strchr("=;\" \t", at.data[n]) == NULL; n++)
		;
	if (n == 0 || n + 1 >= at.len || at.data[n] != '=')
		return -EBADMSG;
	*ret_name = spout_slice_of(at.data, n);
	at = skip(at, n + 1);
	if (at.data[0] != '"') {
		for (n = 0; n < at.len && strchr(";\" \t", at.data[n]) == NULL; n++)
			;
		*ret_value = spout_slice_of(at.data, n);
		*text = skip(at, n);
		return n > 0 ? 1 : -EBADMSG;
	}
	for (n = 1; n < at.len && at.data[n] != '"'; n++)
		n += at.data[n] == '\\' && n + 1 < at.len &&
		    (at.data[n + 1] == '"' || at.data[n + 1] == '\\');
	if (n >= at.len)
		return -EBADMSG;
	*ret_value = spout_slice_of(at.data + 1, n - 1);
	*text = skip(at, n + 1);
	return 1;
}

static bool
is_name(struct spout_slice name, const char *wanted)
{
	return name.len == strlen(wanted) && has_prefix(name, wanted);
}

int
spout__multipart_init(struct spout__multipart *mp, struct spout_slice content_type,
    char *head, size_t head_max)
{
	struct spout_slice rest, name, value, boundary = { NULL, 0 };
	int more;

	if (!spout__multipart_is(content_type))
		return -EBADMSG;
	rest = skip(content_type, strlen("multipart/form-data"));
	while ((more = next_parameter(&rest, &name, &value)) > 0) {
		if (!is_name(name, "boundary"))
			continue;
		if (boundary.data != NULL)
			return -EBADMSG;
		boundary = value;
	}
	if (more < 0 || boundary.data == NULL || !is_boundary(boundary))
		return -EBADMSG;
	memcpy(mp->delimiter, "\r\n--", 4);
	memcpy(mp->delimiter + 4, boundary.data, boundary.len);
	mp->delimiter_len = 4 + boundary.len;
	mp->state = SPOUT__MULTIPART_PREAMBLE;
	mp->matched = 2; /* as if a line had just ended */
	mp->head = head;
	mp->head_len = 0;
	mp->head_max = head_max;
	return 0;
}

/* --- the body ----------------------------------------------------------------------- */

/* One byte of the first delimiter; empty lines before it are let through. */
static int
preamble(struct spout__multipart *mp, char c)
{
	if (c != mp->delimiter[mp->matched]) {
		if (mp->matched != 2 || c != '\r')
			return -EBADMSG;
		mp->matched = 0;
	}
	if (++mp->matched == mp->delimiter_len) {
		mp->state = SPOUT__MULTIPART_AFTER;
		mp->matched = 0;
	}
	return 0;
}

/* One byte behind a delimiter: CRLF or "--". */
static int
after(struct spout__multipart *mp, char c)
{
	if (mp->matched == 0 && (c == '\r' || c == '-')) {
		mp->matched = (unsigned char)c;
		return SPOUT__MULTIPART_MORE;
	}
	if (mp->matched == '-' && c == '-') {
		mp->state = SPOUT__MULTIPART_EPILOGUE;
		return SPOUT__MULTIPART_END;
	}
	if (mp->matched == '\r' && c == '\n') {
		mp->state = SPOUT__MULTIPART_HEAD;
		mp->matched = 0;
		mp->head_len = 0;
		return SPOUT__MULTIPART_MORE;
	}
	return -EBADMSG;
}

static int
head(struct spout__multipart *mp, char c)
{
	if (mp->head_len == mp->head_max)
		return -EMSGSIZE;
	mp->head[mp->head_len++] = c;
	if (mp->head_len < 4 ||
	    memcmp(mp->head + mp->head_len - 4, "\r\n\r\n", 4) != 0)
		return SPOUT__MULTIPART_MORE;
	mp->state = SPOUT__MULTIPART_BODY;
	return SPOUT__MULTIPART_PART;
}

/*
 * Data up to where a delimiter may begin. The only CR of a delimiter is its first byte,
 * so where a match breaks off, what had matched is data and the search begins anew.
 */
static int
body(struct spout__multipart *mp, struct spout_slice *input, struct spout_slice *ret_data)
{
	const char *cr;
	size_t n = 0;

	if (mp->matched == 0) {
		cr = memchr(input->data, '\r', input->len);
		n = cr != NULL ? (size_t)(cr - input->data) : input->len;
		*ret_data = spout_slice_of(input->data, n);
		*input = skip(*input, n);
		if (n > 0)
			return SPOUT__MULTIPART_DATA;
	}
	while (n < input->len && mp->matched < mp->delimiter_len &&
	    input->data[n] == mp->delimiter[mp->matched]) {
		n++;
		mp->matched++;
	}
	*input = skip(*input, n);
	if (mp->matched == mp->delimiter_len) {
		mp->state = SPOUT__MULTIPART_AFTER;
		mp->matched = 0;
		return SPOUT__MULTIPART_PART_END;
	}
	if (input->len == 0)
		return SPOUT__MULTIPART_MORE;
	*ret_data = spout_slice_of(mp->delimiter, mp->matched);
	mp->matched = 0;
	return SPOUT__MULTIPART_DATA;
}

int
spout__multipart_next(struct spout__multipart *mp, struct spout_slice *input,
    struct spout_slice *ret_data)
{
	int event = SPOUT__MULTIPART_MORE;

	while (event == SPOUT__MULTIPART_MORE && input->len > 0) {
		char c = input->data[0];

		if (mp->state == SPOUT__MULTIPART_BODY)
			return body(mp, input, ret_data);
		*input = skip(*input, 1);
		switch (mp->state) {
		case SPOUT__MULTIPART_PREAMBLE:
			event = preamble(mp, c);
			break;
		case SPOUT__MULTIPART_AFTER:
			event = after(mp, c);
			break;
		case SPOUT__MULTIPART_HEAD:
			event = head(mp, c);
			break;
		default:
			*input = skip(*input, input->len);
			break;
		}
	}
	return event;
}

/* --- the head of a part ----------------------------------------------------------- */

/* Without the backslash before a quote or a backslash, in place. */
static struct spout_slice
unescape(struct spout__multipart *mp, struct spout_slice text)
{
	char *to = mp->head + (text.data - mp->head);
	size_t i, n = 0;

	for (i = 0; i < text.len; i++) {
		if (to[i] == '\\' && i + 1 < text.len &&
		    (to[i + 1] == '"' || to[i + 1] == '\\'))
			i++;
		to[n++] = to[i];
	}
	return spout_slice_of(to, n);
}

/* What some clients send is a path: the name of the file in it. */
static struct spout_slice
base_name(struct spout_slice path)
{
	size_t i;

	for (i = path.len; i > 0; i--)
		if (path.data[i - 1] == '/' || path.data[i - 1] == '\\')
			break;
	return skip(path, i);
}

static int
disposition(
    struct spout__multipart *mp, struct spout_slice value, struct spout__part *part)
{
	static const char form_data[] = "form-data";
	struct spout_slice rest, name, text;
	int more;

	if (part->name.data != NULL || !has_prefix(value, form_data))
		return -EBADMSG;
	rest = skip(value, sizeof(form_data) - 1);
	while ((more = next_parameter(&rest, &name, &text)) > 0) {
		struct spout_slice *to = is_name(name, "name") ? &part->name
		    : is_name(name, "filename") ? &part->filename : NULL;

		if (to == NULL)
			continue;
		if (to->data != NULL)
			return -EBADMSG;
		*to = unescape(mp, text);
	}
	if (part->filename.data != NULL)
		part->filename = base_name(part->filename);
	return more < 0 || part->name.data == NULL ? -EBADMSG : 0;
}

/* The encodings that leave the data as it is; RFC 7578 4.7 forbids the others. */
static bool
plain_encoding(struct spout_slice value)
{
	return is_name(value, "binary") || is_name(value, "8bit") ||
	    is_name(value, "7bit");
}

static int
field(struct spout__multipart *mp, struct spout_slice line, struct spout__part *part)
{
	const char *colon = memchr(line.data, ':', line.len);
	struct spout_slice name, value;
	size_t i;

	if (colon == NULL || colon == line.data)
		return -EBADMSG;
	for (i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f ||
		    (line.data + i < colon && c <= ' '))
			return -EBADMSG;
	}
	name = spout_slice_of(line.data, (size_t)(colon - line.data));
	value = skip_white(skip(line, name.len + 1));
	while (value.len > 0 && strchr(" \t", value.data[value.len - 1]) != NULL)
		value.len--;
	if (is_name(name, "Content-Disposition"))
		return disposition(mp, value, part);
	if (is_name(name, "Content-Transfer-Encoding") && !plain_encoding(value))
		return -EBADMSG;
	if (is_name(name, "Content-Type")) {
		if (part->content_type.data != NULL)
			return -EBADMSG;
		part->content_type = value;
	}
	return 0;
}

int
spout__multipart_part(struct spout__multipart *mp, struct spout__part *ret_part)
{
	struct spout__part part = { .name = { NULL, 0 } };
	const char *at = mp->head, *end = mp->head + mp->head_len - 2;

	while (at < end) {
		const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
		int rc = field(mp, spout_slice_of(at, (size_t)(stop - at)), &part);

		if (rc != 0)
			return rc;
		at = stop + 2;
	}
	if (part.name.data == NULL)
		return -EBADMSG;
	*ret_part = part;
	return 0;
}
