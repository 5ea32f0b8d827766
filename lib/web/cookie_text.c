/* SPDX-License-Identifier: MIT */
/* Cookies from text and to text: see cookie.h. Pure. */
#include "config.h"

#include "web/cookie.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/chars.h"

/* --- reading ------------------------------------------------------------------------ */

static struct spout_slice
trimmed(const char *from, const char *to)
{
	while (from < to && spout__http_is_ows(*from))
		from++;
	while (from < to && spout__http_is_ows(to[-1]))
		to--;
	return spout_slice_of(from, (size_t)(to - from));
}

static bool
is_token(struct spout_slice text)
{
	size_t i = 0;

	while (i < text.len && spout__http_char_is(text.data[i], SPOUT__CHAR_TOKEN))
		i++;
	return text.len > 0 && i == text.len;
}

bool
spout__cookie_next(struct spout_slice *rest, unsigned *left, struct spout_slice *ret_name,
    struct spout_slice *ret_value)
{
	while (rest->len > 0 && *left > 0) {
		const char *at = rest->data, *end = at + rest->len;
		const char *stop = memchr(at, ';', rest->len), *equals;

		if (stop == NULL)
			stop = end;
		*rest = spout_slice_of(stop < end ? stop + 1 : end,
		    stop < end ? (size_t)(end - stop - 1) : 0);
		--*left;
		equals = memchr(at, '=', (size_t)(stop - at));
		if (equals == NULL)
			continue;
		*ret_name = trimmed(at, equals);
		*ret_value = trimmed(equals + 1, stop);
		if (is_token(*ret_name))
			return true;
	}
	return false;
}

/* "\ooo" is a character by its number, as Python writes it; up to two bytes of UTF-8. */
static size_t
put_octal(const char *digits, char *to)
{
	unsigned c = (unsigned)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 |
	    (digits[2] - '0'));

	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	to[0] = (char)(0xc0 | c >> 6);
	to[1] = (char)(0x80 | (c & 0x3f));
	return 2;
}

static bool
is_octal(const char *at, const char *end)
{
	return end - at >= 3 && at[0] >= '0' && at[0] <= '3' && at[1] >= '0' &&
	    at[1] <= '7' && at[2] >= '0' && at[2] <= '7';
}

static size_t
unescape(const char *at, const char *end, char *to)
{
	size_t n = 0;

	while (at < end) {
		if (*at != '\\' || at + 1 == end) {
			to[n++] = *at++;
		} else if (is_octal(at + 1, end)) {
			n += put_octal(at + 1, to + n);
			at += 4;
		} else {
			to[n++] = at[1];
			at += 2;
		}
	}
	return n;
}

static bool
has_control(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

long
spout__cookie_unquote(struct spout_slice value, char *to)
{
	size_t len = value.len;

	if (len >= 2 && value.data[0] == '"' && value.data[len - 1] == '"')
		len = unescape(value.data + 1, value.data + len - 1, to);
	else if (len > 0)
		memcpy(to, value.data, len);
	if (has_control(to, len) || !spout__utf8_valid(to, len))
		return -EBADMSG;
	return (long)len;
}

/* --- composing ---------------------------------------------------------------------- */

/* cookie-octet (RFC 6265 4.1.1): what needs no quotes. */
static bool
needs_no_quotes(char c)
{
	return c > 0x20 && c < 0x7f && strchr("\",;\\", c) == NULL;
}

/* Returns the length of the value in `to`, or -EINVAL: no cookie can say it. */
static int
put_value(const char *value, char *to, size_t room)
{
	size_t n = 0;
	bool quoted = false;
	const char *at;

	for (at = value; *at != '\0'; at++)
		quoted = quoted || !needs_no_quotes(*at);
	if (quoted)
		to[n++] = '"';
	for (at = value; *at != '\0'; at++) {
		if (n + 6 > room || *at < 0x20 || *at == 0x7f)
			return -EINVAL; /* a negative char is not ASCII */
		if (*at == '"' || *at == '\\')
			n += (size_t)sprintf(to + n, "\\%c", *at);
		else if (*at == ',' || *at == ';')
			n += (size_t)sprintf(to + n, "\\%03o", (unsigned char)*at);
		else
			to[n++] = *at;
	}
	if (quoted)
		to[n++] = '"';
	return (int)n;
}

static bool
path_valid(const char *path)
{
	const char *at = path;

	while (*at > 0x20 && *at < 0x7f && *at != ';')
		at++;
	return path[0] == '/' && *at == '\0' &&
	    (size_t)(at - path) <= SPOUT__COOKIE_ATTRIBUTE_MAX;
}

/* Labels of letters, digits and hyphens; a dot before them is an old custom. */
static bool
domain_valid(const char *domain)
{
	const char *at = domain + (domain[0] == '.');
	size_t label = 0;

	if (strlen(domain) > 253)
		return false;
	for (; *at != '\0'; at++) {
		char lower = spout__http_lower(*at);

		if (*at == '.' && label == 0)
			return false;
		if (*at != '.' && *at != '-' && !(*at >= '0' && *at <= '9') &&
		    !(lower >= 'a' && lower <= 'z'))
			return false;
		label = *at == '.' ? 0 : label + 1;
	}
	return label > 0;
}

static const char *
check(const char *name, const struct spout_cookie_options *o, bool host_only)
{
	if (!is_token(spout_slice(name)))
		return "its name is no token";
	if (o->path != NULL && !path_valid(o->path))
		return "its path is not valid";
	if (o->domain != NULL && !domain_valid(o->domain))
		return "its domain is not valid";
	if (o->same_site < SPOUT_SAME_SITE_LAX || o->same_site > SPOUT_SAME_SITE_NONE)
		return "its same_site is none that is known";
	if (o->expires < 0 || o->expires > INT64_C(253402300799))
		return "its time to expire is not in the years 1970 to 9999";
	if (host_only && o->domain != NULL)
		return "__Host- goes with no domain";
	if (host_only && o->path != NULL && strcmp(o->path, "/") != 0)
		return "__Host- goes with the path \"/\" only";
	return NULL;
}

static size_t
put_attributes(const struct spout_cookie_options *o, bool secure, char *to, size_t room)
{
	static const char *const sites[] = { "Lax", "Strict", "None" };
	char date[SPOUT__HTTP_DATE_LEN + 1];
	int n = 0;

	if (o->expires > 0) {
		spout__http_date((time_t)o->expires, date);
		n += snprintf(to, room, "; Expires=%s", date);
	} else if (o->max_age_s > 0) {
		n += snprintf(to, room, "; Max-Age=%" PRId64, o->max_age_s);
	}
	if (o->domain != NULL)
		n += snprintf(to + n, room - (size_t)n, "; Domain=%s", o->domain);
	n += snprintf(to + n, room - (size_t)n, "; Path=%s%s%s; SameSite=%s%s",
	    o->path != NULL ? o->path : "/", secure ? "; Secure" : "",
	    o->scripts ? "" : "; HttpOnly", sites[o->same_site],
	    o->partitioned ? "; Partitioned" : "");
	return (size_t)n;
}

int
spout__cookie_compose(const char *name, const char *value,
    const struct spout_cookie_options *o, char to[SPOUT__COOKIE_ROOM],
    const char **ret_why)
{
	bool host_only = strncasecmp(name, "__Host-", 7) == 0;
	bool secure = o->secure || o->partitioned || host_only ||
	    o->same_site == SPOUT_SAME_SITE_NONE ||
	    strncasecmp(name, "__Secure-", 9) == 0;
	size_t len = strlen(name);
	int n;

	*ret_why = check(name, o, host_only);
	if (*ret_why == NULL && len > SPOUT__COOKIE_MAX_BYTES)
		*ret_why = "it is longer than 4096 bytes";
	if (*ret_why != NULL)
		return -EINVAL;
	memcpy(to, name, len);
	to[len++] = '=';
	n = put_value(value, to + len, SPOUT__COOKIE_ROOM - len);
	if (n < 0 || len - 1 + (size_t)n > SPOUT__COOKIE_MAX_BYTES) {
		*ret_why = n < 0 && strlen(value) <= SPOUT__COOKIE_MAX_BYTES
		    ? "its value is not printable ASCII"
		    : "it is longer than 4096 bytes";
		return -EINVAL;
	}
	len += (size_t)n;
	return (int)(len + put_attributes(o, secure, to + len, SPOUT__COOKIE_ROOM - len));
}
