/* SPDX-License-Identifier: MIT */
/* The monotonic clock and the text of an HTTP date. Any thread. */
#ifndef SPOUT_BASE_CLOCK_H
#define SPOUT_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** Length of an IMF-fixdate (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
#define SPOUT__HTTP_DATE_LEN 29

static inline uint64_t
spout__clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t
spout__clock_ms(void)
{
	return spout__clock_ns() / 1000000u;
}

/**
 * Read an HTTP date in any of its three forms (RFC 9110 5.6.7); the name of the day is
 * not looked at. Seconds since 1970, or -1 for what is no date, or one before 1970.
 */
int64_t spout__http_date_parse(const char *text, size_t len);
/** Write the IMF-fixdate of `when` and a NUL. */
void spout__http_date(time_t when, char ret_text[SPOUT__HTTP_DATE_LEN + 1]);

#endif
