/* SPDX-License-Identifier: MIT */
/* HTTP dates, without the locale that strftime() would use. */
#include "config.h"

#include "base/clock.h"

#include <stdio.h>

void
spout__http_date(time_t when, char ret_text[SPOUT__HTTP_DATE_LEN + 1])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
		"Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm = { 0 };

	gmtime_r(&when, &tm);
	snprintf(ret_text, SPOUT__HTTP_DATE_LEN + 1,
	    "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday],
	    (unsigned)tm.tm_mday % 100u, months[tm.tm_mon],
	    (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)tm.tm_hour % 100u,
	    (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
}
