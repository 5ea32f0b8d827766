/* SPDX-License-Identifier: MIT */
/* HTTP dates, read in each of their three forms (RFC 9110 5.6.7): see clock.h. Pure. */
#include "config.h"

#include "base/clock.h"

#include <string.h>
#include <strings.h>

struct date {
	unsigned year, month, day, hour, minute, second; /* month from 0 */
};

/* Takes `n` digits; a blank may stand for the first of two. Moves *at. */
static bool
take_digits(const char **at, unsigned n, unsigned *ret)
{
	unsigned value = 0, i;

	for (i = 0; i < n; i++) {
		char c = (*at)[i];

		if (c == ' ' && i == 0 && n == 2)
			c = '0';
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (unsigned)(c - '0');
	}
	*at += n;
	*ret = value;
	return true;
}

static bool
take_text(const char **at, const char *text)
{
	size_t len = strlen(text);

	if (strncasecmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool
take_month(const char **at, unsigned *ret)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned i;

	for (i = 0; i < 12; i++)
		if (strncasecmp(*at, names + 3 * (size_t)i, 3) == 0) {
			*at += 3;
			*ret = i;
			return true;
		}
	return false;
}

static bool
take_time(const char **at, struct date *d)
{
	return take_digits(at, 2, &d->hour) && take_text(at, ":") &&
	    take_digits(at, 2, &d->minute) && take_text(at, ":") &&
	    take_digits(at, 2, &d->second);
}

/* "06 Nov 1994 08:49:37 GMT" */
static bool
take_fixdate(const char *at, struct date *d)
{
	return take_digits(&at, 2, &d->day) && take_text(&at, " ") &&
	    take_month(&at, &d->month) && take_text(&at, " ") &&
	    take_digits(&at, 4, &d->year) && take_text(&at, " ") && take_time(&at, d) &&
	    take_text(&at, " GMT") && *at == '\0';
}

/* "06-Nov-94 08:49:37 GMT"; a year of two digits is never far in the future. */
static bool
take_rfc850(const char *at, struct date *d)
{
	if (!take_digits(&at, 2, &d->day) || !take_text(&at, "-") ||
	    !take_month(&at, &d->month) || !take_text(&at, "-") ||
	    !take_digits(&at, 2, &d->year) || !take_text(&at, " ") ||
	    !take_time(&at, d) || !take_text(&at, " GMT") || *at != '\0')
		return false;
	d->year += d->year < 70 ? 2000 : 1900;
	return true;
}

/* "Nov  6 08:49:37 1994" */
static bool
take_asctime(const char *at, struct date *d)
{
	return take_month(&at, &d->month) && take_text(&at, " ") &&
	    take_digits(&at, 2, &d->day) && take_text(&at, " ") && take_time(&at, d) &&
	    take_text(&at, " ") && take_digits(&at, 4, &d->year) && *at == '\0';
}

/* Days since 1970 of a civil date: Howard Hinnant's days_from_civil. */
static int64_t
days_of(const struct date *d)
{
	int64_t y = (int64_t)d->year - (d->month < 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned mp = (d->month + 10) % 12;
	unsigned doy = (153 * mp + 2) / 5 + d->day - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static bool
is_date(const struct date *d)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);

	return d->year >= 1970 && d->day >= 1 &&
	    d->day <= days[d->month] + (unsigned)(d->month == 1 && leap) &&
	    d->hour < 24 && d->minute < 60 && d->second <= 60;
}

int64_t
spout__http_date_parse(const char *text, size_t len)
{
	char copy[SPOUT__HTTP_DATE_LEN + 12];
	const char *rest;
	struct date d;

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	rest = strchr(copy, ' ');
	if (rest == NULL || rest - copy < 3)
		return -1;
	if (rest[-1] != ',') {
		if (!take_asctime(rest + 1, &d))
			return -1;
	} else if (!take_fixdate(rest + 1, &d) && !take_rfc850(rest + 1, &d)) {
		return -1;
	}
	if (!is_date(&d))
		return -1;
	return days_of(&d) * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
}
