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

/* --- times ------------------------------------------------------------------------- */

/* Exactly `n` digits at `*at`, which is moved; -1: not so. */
static int
digits(const char **at, int n)
{
	int value = 0;

	while (n-- > 0) {
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + (*(*at)++ - '0');
	}
	return value;
}

static bool
skip_char(const char **at, char c)
{
	if (**at != c)
		return false;
	++*at;
	return true;
}

static int
days_of_month(int year, int month)
{
	static const signed char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* "2026-11-21" as days since 1970; -1: malformed, or no such day. */
static bool
take_date(const char **at, int64_t *ret_days)
{
	int year = digits(at, 4), month = -1, day = -1;
	int64_t years, days;

	if (year > 0 && skip_char(at, '-'))
		month = digits(at, 2);
	if (month >= 1 && month <= 12 && skip_char(at, '-'))
		day = digits(at, 2);
	if (day < 1 || day > days_of_month(year, month))
		return false;
	years = year - 1;
	days = years * 365 + years / 4 - years / 100 + years / 400;
	while (--month > 0)
		days += days_of_month(year, month);
	*ret_days = days + day - 1 - 719162; /* 1970-01-01 in that count */
	return true;
}

/* "10:30", "10:30:59.5"; a leap second is the one before it. */
static bool
take_clock(const char **at, int64_t *ret_seconds)
{
	int hour = digits(at, 2), minute = -1, second = 0;

	if (hour >= 0 && hour < 24 && skip_char(at, ':'))
		minute = digits(at, 2);
	if (minute < 0 || minute > 59)
		return false;
	if (skip_char(at, ':')) {
		second = digits(at, 2);
		if (second < 0 || second > 60)
			return false;
		if (skip_char(at, '.')) {
			if (digits(at, 1) < 0)
				return false;
			*at += strspn(*at, "0123456789");
		}
	}
	*ret_seconds = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
	return true;
}

/* "Z", "+01:00", or nothing: seconds east of UTC. */
static bool
take_offset(const char **at, int64_t *ret_seconds)
{
	int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0, hour, minute = -1;

	*ret_seconds = 0;
	if (sign == 0) {
		if (**at == 'Z' || **at == 'z')
			++*at;
		return true;
	}
	++*at;
	hour = digits(at, 2);
	if (hour >= 0 && hour < 24 && skip_char(at, ':'))
		minute = digits(at, 2);
	if (minute < 0 || minute > 59)
		return false;
	*ret_seconds = sign * (hour * 3600 + minute * 60);
	return true;
}

int
spout__parse_time(const char *text, int64_t *ret_seconds)
{
	int64_t days, clock = 0, offset = 0;

	if (!take_date(&text, &days))
		return -EBADMSG;
	if (*text == 'T' || *text == 't' || *text == ' ') {
		text++;
		if (!take_clock(&text, &clock) || !take_offset(&text, &offset))
			return -EBADMSG;
	}
	if (*text != '\0')
		return -EBADMSG;
	*ret_seconds = days * 86400 + clock - offset;
	return 0;
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
