/* SPDX-License-Identifier: MIT */
/* The types of option values: text in, checked value out, or the reason why not. */
#include "config.h"

#include "app/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "b", 1 },
	{ "k", 1u << 10 },
	{ "kb", 1u << 10 },
	{ "kib", 1u << 10 },
	{ "m", 1u << 20 },
	{ "mb", 1u << 20 },
	{ "mib", 1u << 20 },
	{ "g", 1u << 30 },
	{ "gb", 1u << 30 },
	{ "gib", 1u << 30 },
	{ NULL, 0 },
};

static const struct unit duration_units[] = {
	{ "", 1000 },
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60000 },
	{ "min", 60000 },
	{ "h", 3600000 },
	{ NULL, 0 },
};

int
spout__parse_number(const char *text, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]) ||
		    __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return -EINVAL;
	}
	*ret = n;
	return 0;
}

static int
parse_with_unit(const char *text, const struct unit *units, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	if (spout__parse_number(text, digits, &n) != 0)
		return -EINVAL;
	for (; units->name; units++) {
		if (strcasecmp(text + digits, units->name) == 0)
			return __builtin_mul_overflow(n, units->factor, ret) ? -EINVAL
									     : 0;
	}
	return -EINVAL;
}

int
spout__parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, size_units, ret_bytes);
}

int
spout__parse_duration(const char *text, uint64_t *ret_ms)
{
	return parse_with_unit(text, duration_units, ret_ms);
}

static int
parse_flag(const struct spout_option *row, const char *text, char *why)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*(bool *)row->into = strcasecmp(text, yes[i]) == 0;
			return 0;
		}
	}
	snprintf(why, SPOUT_OPTION_WHY_SIZE, "is neither yes nor no");
	return -EINVAL;
}

static int
parse_choice(const struct spout_option *row, const char *text, char *why)
{
	const char *at = row->choices;
	size_t len = strlen(text);

	for (unsigned index = 0; at && *at; index++) {
		size_t n = strcspn(at, "|");

		if (n == len && strncmp(at, text, n) == 0) {
			*(unsigned *)row->into = index;
			return 0;
		}
		at += n + (at[n] == '|');
	}
	snprintf(why, SPOUT_OPTION_WHY_SIZE, "is not one of %s", row->choices);
	return -EINVAL;
}

/* A bound as the user would write it: "64k", "30s". */
static void
bound_print(enum spout_option_type type, uint64_t n, char *ret, size_t size)
{
	const struct unit *units = type == SPOUT_OPTION_SIZE ? size_units
	    : type == SPOUT_OPTION_DURATION                  ? duration_units
							     : NULL;
	const struct unit *best = NULL;

	for (; units && units->name; units++) {
		if (units->name[0] != '\0' && n != 0 && n % units->factor == 0 &&
		    (best == NULL || units->factor > best->factor))
			best = units;
	}
	if (best && type == SPOUT_OPTION_SIZE && best->factor == 1)
		best = NULL;
	if (best)
		snprintf(ret, size, "%" PRIu64 "%s", n / best->factor, best->name);
	else
		snprintf(ret, size, "%" PRIu64, n);
}

static int
check_bounds(const struct spout_option *row, uint64_t n, char *why)
{
	char min[32], max[32];

	if (n >= row->min && (row->max == 0 || n <= row->max)) {
		*(uint64_t *)row->into = n;
		return 0;
	}
	bound_print(row->type, row->min, min, sizeof(min));
	bound_print(row->type, row->max, max, sizeof(max));
	if (row->max == 0)
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "is less than %s", min);
	else
		snprintf(
		    why, SPOUT_OPTION_WHY_SIZE, "is not between %s and %s", min, max);
	return -EINVAL;
}

static int
parse_quantity(const struct spout_option *row, const char *text, char *why)
{
	uint64_t n;

	switch (row->type) {
	case SPOUT_OPTION_SIZE:
		if (spout__parse_size(text, &n) == 0)
			return check_bounds(row, n, why);
		snprintf(
		    why, SPOUT_OPTION_WHY_SIZE, "is not a size such as 512, 64k or 10m");
		return -EINVAL;
	case SPOUT_OPTION_DURATION:
		if (spout__parse_duration(text, &n) == 0)
			return check_bounds(row, n, why);
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is not a duration such as 250ms, 30s or 5m");
		return -EINVAL;
	default:
		if (spout__parse_number(text, strlen(text), &n) == 0)
			return check_bounds(row, n, why);
		snprintf(why, SPOUT_OPTION_WHY_SIZE, "is not a number");
		return -EINVAL;
	}
}

int
spout__option_parse(const struct spout_option *row, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	switch (row->type) {
	case SPOUT_OPTION_FLAG:
		return parse_flag(row, text, why);
	case SPOUT_OPTION_CHOICE:
		return parse_choice(row, text, why);
	case SPOUT_OPTION_TEXT:
	case SPOUT_OPTION_URL:
		*(const char **)row->into = text;
		return 0;
	case SPOUT_OPTION_NUMBER:
	case SPOUT_OPTION_SIZE:
	case SPOUT_OPTION_DURATION:
		return parse_quantity(row, text, why);
	case SPOUT_OPTION_OTHER:
		return row->parse(row, text, first, why);
	}
	snprintf(why, SPOUT_OPTION_WHY_SIZE, "belongs to an option without a type");
	return -EINVAL;
}

/* Length of the password that starts at `at`, given what may end it. */
static size_t
password_len(const char *at, bool conninfo)
{
	size_t n = 0;

	if (!conninfo)
		return strcspn(at, "&#");
	if (at[0] != '\'')
		return strcspn(at, " \t");
	for (n = 1; at[n] != '\0' && at[n] != '\''; n++) {
		if (at[n] == '\\' && at[n + 1] != '\0')
			n++;
	}
	return n + (at[n] == '\'');
}

/* Where the password of `user:password@` lies, NULL for none. */
static const char *
userinfo_password(const char *url, size_t *ret_len)
{
	const char *start = strstr(url, "://"), *end, *colon;

	if (start == NULL)
		return NULL;
	start += 3;
	/* The last '@' before the path: people leave '@' and '/' of a password unescaped.
	 */
	end = memchr(start, '?', strlen(start));
	end = memrchr(start, '@', end ? (size_t)(end - start) : strlen(start));
	if (end == NULL)
		return NULL;
	colon = memchr(start, ':', (size_t)(end - start));
	if (colon == NULL)
		return NULL;
	*ret_len = (size_t)(end - colon - 1);
	return colon + 1;
}

static const char *
next_password(const char *url, const char *at, size_t *ret_len)
{
	static const char key[] = "password";
	bool conninfo = strstr(url, "://") == NULL;

	while ((at = strcasestr(at, key)) != NULL) {
		const char *value = at + sizeof(key) - 1;

		if (conninfo)
			value += strspn(value, " \t");
		if (*value == '=') {
			value++;
			if (conninfo)
				value += strspn(value, " \t");
			*ret_len = password_len(value, conninfo);
			return value;
		}
		at = value;
	}
	return NULL;
}

void
spout__mask_password(const char *url, char *ret, size_t size)
{
	size_t len = 0, used = 0;
	const char *at = url, *secret = userinfo_password(url, &len);

	if (secret == NULL)
		secret = next_password(url, at, &len);
	while (secret && used < size) {
		used += (size_t)snprintf(
		    ret + used, size - used, "%.*s***", (int)(secret - at), at);
		at = secret + len;
		secret = next_password(url, at, &len);
	}
	if (used < size)
		snprintf(ret + used, size - used, "%s", at);
}
