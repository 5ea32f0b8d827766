/* SPDX-License-Identifier: MIT */
/*
 * The fields of a response: checked as they come (RFC 9110 5), kept as text in the scope.
 */
#include "config.h"

#include <errno.h>
#include <strings.h>

#include "base/text.h"
#include "http/chars.h"
#include "http/conn.h"

enum field {
	FIELD_PLAIN,
	FIELD_OURS, /* Connection, Transfer-Encoding, Date, Server */
	FIELD_LENGTH,
	FIELD_TYPE,
};

static enum field
field_of_name(struct spout_slice name)
{
	switch (name.len) {
	case 4:
		return strncasecmp(name.data, "date", 4) == 0 ? FIELD_OURS : FIELD_PLAIN;
	case 6:
		return strncasecmp(name.data, "server", 6) == 0
		    ? FIELD_OURS : FIELD_PLAIN;
	case 10:
		return strncasecmp(name.data, "connection", 10) == 0 ? FIELD_OURS :
		                                                       FIELD_PLAIN;
	case 12:
		return strncasecmp(name.data, "content-type", 12) == 0 ? FIELD_TYPE :
		                                                         FIELD_PLAIN;
	case 14:
		return strncasecmp(name.data, "content-length", 14) == 0 ? FIELD_LENGTH :
		                                                           FIELD_PLAIN;
	case 17:
		return strncasecmp(name.data, "transfer-encoding", 17) == 0 ? FIELD_OURS :
		                                                              FIELD_PLAIN;
	default:
		return FIELD_PLAIN;
	}
}

static bool
field_valid(struct spout_slice name, struct spout_slice value)
{
	size_t i;

	if (name.len == 0)
		return false;
	for (i = 0; i < name.len; i++)
		if (!spout__http_char_is(name.data[i], SPOUT__CHAR_TOKEN))
			return false;
	for (i = 0; i < value.len; i++)
		if (!spout__http_char_is(value.data[i], SPOUT__CHAR_VALUE))
			return false;
	return true;
}

static int
set_promise(struct spout__http_exchange *ex, struct spout_slice value)
{
	int64_t n = 0;
	size_t i;

	if (value.len == 0 || value.len > 18)
		return -EINVAL;
	for (i = 0; i < value.len; i++) {
		if (!spout__http_char_is(value.data[i], SPOUT__CHAR_DIGIT))
			return -EINVAL;
		n = n * 10 + (value.data[i] - '0');
	}
	if ((uint64_t)n < ex->written)
		return -EINVAL; /* what goes beyond it would be taken for the next
				 * response */
	ex->promised = n;
	return 0;
}

static char *
room_for_field(struct spout__http_exchange *ex, size_t need)
{
	size_t cap = ex->fields_cap ? ex->fields_cap : 256;
	char *fields;

	if (need <= ex->fields_cap - ex->fields_len)
		return ex->fields + ex->fields_len;
	while (cap - ex->fields_len < need)
		cap *= 2;
	fields = spout_alloc_in(spout__http_scope(ex), cap);
	if (fields == NULL)
		return NULL;
	if (ex->fields_len > 0)
		memcpy(fields, ex->fields, ex->fields_len);
	ex->fields = fields;
	ex->fields_cap = cap;
	return fields + ex->fields_len;
}

static int
add_plain(struct spout__http_exchange *ex, struct spout_slice name,
    struct spout_slice value)
{
	size_t need = name.len + value.len + 4;
	char *to = room_for_field(ex, need);

	if (to == NULL)
		return -ENOMEM;
	to = spout__put(to, name.data, name.len);
	to = SPOUT__PUT(to, ": ");
	to = spout__put(to, value.data, value.len);
	SPOUT__PUT(to, "\r\n");
	ex->fields_len += need;
	return 0;
}

static int
copy_type(struct spout__http_exchange *ex, struct spout_slice value)
{
	char *copy = spout_alloc_in(spout__http_scope(ex), value.len + 1);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, value.data, value.len);
	ex->content_type = spout_slice_of(copy, value.len);
	return 0;
}

int
spout__http_add_header(struct spout__http_exchange *ex, struct spout_slice name,
    struct spout_slice value)
{
	if (ex->head_sent)
		return -EALREADY;
	if (!field_valid(name, value))
		return -EINVAL;
	switch (field_of_name(name)) {
	case FIELD_OURS:
		return -EINVAL;
	case FIELD_LENGTH:
		return set_promise(ex, value);
	case FIELD_TYPE:
		return copy_type(ex, value);
	case FIELD_PLAIN:
		break;
	}
	return add_plain(ex, name, value);
}

int
spout__http_set_content_type(struct spout__http_exchange *ex, struct spout_slice type)
{
	if (ex->head_sent)
		return -EALREADY;
	ex->content_type = type;
	return 0;
}

/* Is the line from `line` to `next` a field of that name? */
static bool
line_is(const char *line, const char *next, struct spout_slice name)
{
	const char *colon = memchr(line, ':', (size_t)(next - line));

	return spout__http_same(spout_slice_of(line, (size_t)(colon - line)), name);
}

struct spout_slice
spout__http_field(const struct spout__http_exchange *ex, struct spout_slice name)
{
	const char *line = ex->fields, *end = ex->fields + ex->fields_len, *next;

	for (; line < end; line = next) {
		next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		if (line_is(line, next, name)) /* "name: value\r\n" */
			return spout_slice_of(line + name.len + 2,
			    (size_t)(next - line) - name.len - 4);
	}
	return spout_slice_of(NULL, 0);
}

static void
remove_fields(struct spout__http_exchange *ex, struct spout_slice name)
{
	char *line = ex->fields, *end = ex->fields + ex->fields_len, *next;

	while (line < end) {
		next = (char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		if (line_is(line, next, name)) {
			memmove(line, next, (size_t)(end - next));
			end -= next - line;
		} else {
			line = next;
		}
	}
	ex->fields_len = (size_t)(end - ex->fields);
}

int
spout__http_set_header(struct spout__http_exchange *ex, struct spout_slice name,
    struct spout_slice value)
{
	if (!ex->head_sent && ex->fields_len > 0)
		remove_fields(ex, name);
	return spout__http_add_header(ex, name, value);
}

int
spout__http_clear_header(struct spout__http_exchange *ex, struct spout_slice name)
{
	if (ex->head_sent)
		return -EALREADY;
	remove_fields(ex, name);
	return 0;
}

int
spout__http_add_fields(struct spout__http_exchange *ex, const char *lines, size_t len)
{
	char *to;

	if (ex->head_sent)
		return -EALREADY;
	to = room_for_field(ex, len);
	if (to == NULL)
		return -ENOMEM;
	memcpy(to, lines, len);
	ex->fields_len += len;
	return 0;
}

int
spout__http_promise(struct spout__http_exchange *ex, uint64_t length)
{
	if (ex->head_sent)
		return -EALREADY;
	if (length > INT64_MAX || length < ex->written)
		return -EINVAL;
	ex->promised = (int64_t)length;
	return 0;
}
