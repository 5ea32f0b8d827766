/* SPDX-License-Identifier: MIT */
/* Dates, lists and numbers for people, in the words of a language: see spout/locale.h. */
#include "config.h"

#include <spout/async.h>
#include <spout/locale.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char *const months[] = { "January", "February", "March", "April", "May",
	"June", "July", "August", "September", "October", "November", "December" };
static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday",
	"Thursday", "Friday", "Saturday" };

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static bool
is_english(const struct spout_locale *locale)
{
	return strncmp(spout_locale_code(locale), "en", 2) == 0;
}

/* --- texts with places in braces --------------------------------------------------- */

struct place {
	const char *name, *value;
};

/* A message with each "{name}" replaced; what is no place stays as it is. */
static const char *
fill(const char *format, const struct place *places, size_t n)
{
	size_t size = strlen(format) + 1, i;
	const char *at;
	char *text, *to;

	for (i = 0; i < n; i++)
		size += strlen(places[i].value) * (strlen(format) / 3 + 1);
	text = to = spout_alloc(size);
	for (at = format; *at != '\0';) {
		size_t len = *at == '{' ? strcspn(at, "}") : 0;

		for (i = 0; len > 0 && i < n; i++)
			if (strlen(places[i].name) == len - 1 &&
			    memcmp(places[i].name, at + 1, len - 1) == 0)
				break;
		if (len == 0 || i == n || at[len] != '}') {
			*to++ = *at++;
			continue;
		}
		to = stpcpy(to, places[i].value);
		at += len + 1;
	}
	*to = '\0';
	return text;
}

#define FILL(format, ...) \
	fill((format), (const struct place[]){ __VA_ARGS__ }, \
	    sizeof((const struct place[]){ __VA_ARGS__ }) / sizeof(struct place))

/* --- dates ------------------------------------------------------------------------- */

static const char *
ago(const struct spout_locale *locale, int64_t seconds)
{
	static const struct unit {
		int64_t length;
		const char *one, *many;
	} units[] = {
		{ HOUR, "1 hour ago", "{n} hours ago" },
		{ MINUTE, "1 minute ago", "{n} minutes ago" },
		{ 1, "1 second ago", "{n} seconds ago" },
	};
	const struct unit *unit = units;
	uint64_t n;

	/* 50 seconds are nearly a minute, 50 minutes nearly an hour. */
	while (seconds < unit->length * 5 / 6 && unit->length > 1)
		unit++;
	n = (uint64_t)((seconds + unit->length / 2) / unit->length);
	return FILL(spout_translate_plural(locale, unit->one, unit->many, n),
	    { "n", spout_sprintf("%" PRIu64, n) });
}

/* 12 hours in English, 24 elsewhere. */
static const char *
clock_text(const struct spout_locale *locale, const struct tm *tm)
{
	int hour = tm->tm_hour % 12;

	if (!is_english(locale))
		return spout_sprintf("%d:%02d", tm->tm_hour, tm->tm_min);
	return spout_sprintf("%d:%02d %s", hour == 0 ? 12 : hour, tm->tm_min,
	    tm->tm_hour < 12 ? "am" : "pm");
}

/* How much of the date somebody needs who reads it at `now`. */
static const char *
date_format(const struct spout_date_format *f, int64_t day, int64_t today, int64_t age)
{
	if (f->full)
		return f->shorter ? "{month} {day}, {year}"
				  : "{month} {day}, {year} at {time}";
	if (day == today)
		return "{time}";
	if (day == today - 1 && f->relative)
		return f->shorter ? "yesterday" : "yesterday at {time}";
	if (age >= 0 && age < 5 * (int64_t)DAY)
		return f->shorter ? "{weekday}" : "{weekday} at {time}";
	if (age >= 0 && age < 334 * (int64_t)DAY)
		return f->shorter ? "{month} {day}" : "{month} {day} at {time}";
	return f->shorter ? "{month} {day}, {year}" : "{month} {day}, {year} at {time}";
}

static int64_t
day_of(int64_t seconds)
{
	return seconds >= 0 ? seconds / DAY : (seconds - DAY + 1) / DAY;
}

static bool
split_time(int64_t local, struct tm *ret)
{
	time_t t = (time_t)local;

	return gmtime_r(&t, ret) != NULL;
}

const char *
spout_format_date_with(const struct spout_locale *locale, int64_t when,
    const struct spout_date_format *f)
{
	int64_t now = f->now != 0 ? f->now : (int64_t)time(NULL), age = now - when;
	int64_t local = when + (int64_t)f->offset_minutes * MINUTE;
	int64_t local_now = now + (int64_t)f->offset_minutes * MINUTE;
	struct tm tm;

	/* Clocks differ a little: what is just about to be has just been. */
	if (age < 0 && age > -MINUTE && f->relative)
		age = 0;
	if (f->relative && !f->full && age >= 0 && age < DAY)
		return ago(locale, age);
	if (!split_time(local, &tm))
		return spout_sprintf("%" PRId64, when);
	return FILL(spout_translate(locale,
			date_format(f, day_of(local), day_of(local_now), age)),
	    { "month", spout_translate(locale, months[tm.tm_mon]) },
	    { "weekday", spout_translate(locale, weekdays[tm.tm_wday]) },
	    { "day", spout_sprintf("%d", tm.tm_mday) },
	    { "year", spout_sprintf("%d", tm.tm_year + 1900) },
	    { "time", clock_text(locale, &tm) });
}

const char *
spout_format_day(const struct spout_locale *locale, int64_t when, int offset_minutes)
{
	struct tm tm;

	if (!split_time(when + (int64_t)offset_minutes * MINUTE, &tm))
		return spout_sprintf("%" PRId64, when);
	return FILL(spout_translate(locale, "{weekday}, {month} {day}"),
	    { "month", spout_translate(locale, months[tm.tm_mon]) },
	    { "weekday", spout_translate(locale, weekdays[tm.tm_wday]) },
	    { "day", spout_sprintf("%d", tm.tm_mday) });
}

/* --- lists and numbers ------------------------------------------------------------- */

const char *
spout_format_list(const struct spout_locale *locale, const char *const *texts, size_t n)
{
	size_t size = 1, i;
	char *all, *to;

	if (n == 0)
		return "";
	if (n == 1)
		return texts[0];
	for (i = 0; i + 1 < n; i++)
		size += strlen(texts[i]) + 2;
	all = to = spout_alloc(size);
	for (i = 0; i + 1 < n; i++)
		to = stpcpy(stpcpy(to, i > 0 ? ", " : ""), texts[i]);
	return FILL(spout_translate(locale, "{commas} and {last}"), { "commas", all },
	    { "last", texts[n - 1] });
}

const char *
spout_format_number(const struct spout_locale *locale, int64_t n)
{
	char digits[24], *text = spout_alloc(32), *to = text;
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n), i;

	for (i = 0; i < len; i++) {
		*to++ = digits[i];
		if (is_english(locale) && digits[i] != '-' && i + 1 < len &&
		    (len - 1 - i) % 3 == 0)
			*to++ = ',';
	}
	*to = '\0';
	return text;
}
