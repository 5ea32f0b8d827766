/* SPDX-License-Identifier: MIT */
/* Arguments and values from text: see args.h. Pure. */
#include "config.h"

#include "web/args.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/text.h"

size_t
spout__args_count(struct spout_slice text)
{
	size_t i, n = text.len > 0;

	for (i = 0; i < text.len; i++)
		n += text.data[i] == '&';
	return n;
}

/* Decode a piece to `*room`, NUL-terminated, and move it on. NULL if it is malformed. */
static const char *
decode(struct spout_slice piece, char **room)
{
	long len = spout__percent_decode(piece.data, piece.len, true, *room);
	char *text = *room;

	if (len < 0)
		return NULL;
	text[len] = '\0';
	*room += len + 1;
	return text;
}

int
spout__args_parse(struct spout_slice text, char *room, struct spout__args *args,
    struct spout_slice *ret_bad)
{
	const char *at = text.data, *end = at + text.len;

	args->n = args->n_files = 0;
	args->files = NULL;
	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		const char *equals;
		struct spout__arg arg;

		if (stop == NULL)
			stop = end;
		equals = memchr(at, '=', (size_t)(stop - at));
		arg.name = decode(
		    spout_slice_of(at, (size_t)((equals != NULL ? equals : stop) - at)),
		    &room);
		arg.value = "";
		if (equals != NULL)
			arg.value = decode(spout_slice_of(equals + 1,
			    (size_t)(stop - equals - 1)), &room);
		if (arg.name == NULL || arg.value == NULL) {
			*ret_bad = spout_slice_of(at, (size_t)(stop - at));
			return -EBADMSG;
		}
		if (stop > at)
			args->list[args->n++] = arg;
		at = stop + 1;
	}
	return 0;
}

const char *
spout__args_get(const struct spout__args *args, const char *name)
{
	unsigned i;

	for (i = args->n; i-- > 0;)
		if (strcmp(args->list[i].name, name) == 0)
			return args->list[i].value;
	return NULL;
}

/* --- values --------------------------------------------------------------------- */

int
spout__parse_int(const char *text, int64_t *ret_value)
{
	bool negative = text[0] == '-';
	const char *at = text + negative;
	int64_t value = 0;

	if (*at == '\0')
		return -EBADMSG;
	for (; *at != '\0'; at++) {
		int digit = *at - '0';

		if (digit < 0 || digit > 9)
			return -EBADMSG;
		if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
		    __builtin_sub_overflow(value, (int64_t)digit, &value))
			return -ERANGE;
	}
	/* Counted downwards: there is one more negative number than positive ones. */
	if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int
spout__parse_double(const char *text, double *ret_value)
{
	static locale_t c_locale;
	char *end;
	double value;

	if (c_locale == (locale_t)0)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c_locale == (locale_t)0)
		return -ENOMEM;
	/* No white space, "inf", "nan" or hexadecimal. */
	if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
		return -EBADMSG;
	value = strtod_l(text, &end, c_locale);
	if (*end != '\0' || !isfinite(value))
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

int
spout__parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes",
		"off", "on" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcasecmp(text, words[i]) != 0)
			continue;
		*ret_value = i % 2 == 1;
		return 0;
	}
	return -EBADMSG;
}

bool
spout__media_type_is(struct spout_slice content_type, const char *type)
{
	size_t len = strlen(type);

	return content_type.data != NULL && content_type.len >= len &&
	    strncasecmp(content_type.data, type, len) == 0 &&
	    (content_type.len == len ||
	        strchr("; \t", content_type.data[len]) != NULL);
}
