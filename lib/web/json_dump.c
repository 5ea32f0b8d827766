/* SPDX-License-Identifier: MIT */
/* jansson's values as text: see json_dump.h. */
#include "config.h"

#include "web/json_dump.h"

#include <string.h>

#include <jansson.h>

#include "base/text.h"

/* A double with 17 digits, sign, point, exponent. */
#define REAL_BYTES 40u

struct out {
	char *to;
	size_t size, len; /* len may be larger: what does not fit is only counted */
};

static void
put(struct out *out, const char *data, size_t len)
{
	size_t room = out->len < out->size ? out->size - out->len : 0;

	if (room > 0)
		memcpy(out->to + out->len, data, len < room ? len : room);
	out->len += len;
}

static void
put_char(struct out *out, char c)
{
	if (out->len < out->size)
		out->to[out->len] = c;
	out->len++;
}

static void
put_escaped(struct out *out, unsigned char c)
{
	static const char letters[] = "btnvfr", hex[] = "0123456789ABCDEF";
	char text[6] = { '\\', 'u', '0', '0' };

	if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v')) {
		text[1] = c == '"' || c == '\\' ? (char)c : letters[c - '\b'];
		put(out, text, 2);
		return;
	}
	text[4] = hex[c >> 4];
	text[5] = hex[c & 15];
	put(out, text, sizeof(text));
}

static bool
put_string(struct out *out, const char *data, size_t len)
{
	const unsigned char *at = (const unsigned char *)data, *end = at + len;
	const unsigned char *from = at;
	bool ascii = true;

	put_char(out, '"');
	for (; at < end; at++) {
		ascii = ascii && *at < 0x80;
		if (*at >= 0x20 && *at != '"' && *at != '\\')
			continue;
		put(out, (const char *)from, (size_t)(at - from));
		put_escaped(out, *at);
		from = at + 1;
	}
	put(out, (const char *)from, (size_t)(end - from));
	put_char(out, '"');
	return ascii || spout__utf8_valid(data, len);
}

static void
put_integer(struct out *out, json_int_t n)
{
	char text[24], *end = text;

	if (n < 0)
		*end++ = '-';
	end = spout__put_number(end, n < 0 ? -(uint64_t)n : (uint64_t)n);
	put(out, text, (size_t)(end - text));
}

/* Its digits are jansson's business. */
static bool
put_real(struct out *out, const json_t *value)
{
	char text[REAL_BYTES];
	size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY);

	if (len == 0 || len > sizeof(text))
		return false;
	put(out, text, len);
	return true;
}

static bool put_value(struct out *out, const json_t *value, unsigned depth);

static bool
put_array(struct out *out, const json_t *array, unsigned depth)
{
	size_t i, n = json_array_size(array);
	bool ok = true;

	put_char(out, '[');
	for (i = 0; i < n && ok; i++) {
		if (i > 0)
			put_char(out, ',');
		ok = put_value(out, json_array_get(array, i), depth + 1);
	}
	put_char(out, ']');
	return ok;
}

/* From jansson 2.14 on a key may contain NUL. */
static size_t
key_len(void *it, const char *key)
{
#if JANSSON_VERSION_HEX >= 0x020e00
	(void)key;
	return json_object_iter_key_len(it);
#else
	(void)it;
	return strlen(key);
#endif
}

static bool
put_object(struct out *out, const json_t *value, unsigned depth)
{
	json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators want it so */
	void *it = json_object_iter(object), *first = it;
	bool ok = true;

	put_char(out, '{');
	for (; it != NULL && ok; it = json_object_iter_next(object, it)) {
		const char *key = json_object_iter_key(it);

		if (it != first)
			put_char(out, ',');
		ok = put_string(out, key, key_len(it, key));
		put_char(out, ':');
		ok = ok && put_value(out, json_object_iter_value(it), depth + 1);
	}
	put_char(out, '}');
	return ok;
}

static bool
put_value(struct out *out, const json_t *value, unsigned depth)
{
	if (value == NULL || depth > SPOUT__JSON_DUMP_DEPTH)
		return false;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(out, value, depth);
	case JSON_ARRAY:
		return put_array(out, value, depth);
	case JSON_STRING:
		return put_string(
		    out, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		put_integer(out, json_integer_value(value));
		return true;
	case JSON_REAL:
		return put_real(out, value);
	case JSON_TRUE:
		put(out, "true", 4);
		return true;
	case JSON_FALSE:
		put(out, "false", 5);
		return true;
	default:
		put(out, "null", 4);
		return true;
	}
}

size_t
spout__json_dump(const struct json_t *value, char *to, size_t size)
{
	struct out out = { .to = to, .size = size };

	return put_value(&out, value, 0) ? out.len : 0;
}
