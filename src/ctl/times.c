/* SPDX-License-Identifier: MIT */
/* Times for people, and what a histogram of the server says: see times.h. */
#include "config.h"

#include "times.h"

#include <stdio.h>

const char *
time_text(double s, char text[TEXT_SIZE])
{
	long whole = (long)s;

	if (s < 1e-3)
		snprintf(text, TEXT_SIZE, "%.0f us", s * 1e6);
	else if (s < 1)
		snprintf(text, TEXT_SIZE, s < 0.01 ? "%.1f ms" : "%.0f ms", s * 1e3);
	else if (s < 60)
		snprintf(text, TEXT_SIZE, s < 10 ? "%.1f s" : "%.0f s", s);
	else if (s < 3600)
		snprintf(text, TEXT_SIZE, "%ld min %ld s", whole / 60, whole % 60);
	else if (s < 86400)
		snprintf(text, TEXT_SIZE, "%ld h %ld min", whole / 3600, whole / 60 % 60);
	else
		snprintf(
		    text, TEXT_SIZE, "%ld d %ld h", whole / 86400, whole / 3600 % 24);
	return text;
}

const char *
size_text(double n, char text[TEXT_SIZE])
{
	static const char units[] = " kMGT";
	size_t u = 0;

	for (; n >= 1000 && u + 2 < sizeof(units); u++)
		n /= 1000;
	if (u == 0)
		snprintf(text, TEXT_SIZE, "%.0f", n);
	else
		snprintf(text, TEXT_SIZE, n < 10 ? "%.1f%c" : "%.0f%c", n, units[u]);
	return text;
}

void
times_read(struct times *times, const json_t *now, const json_t *before)
{
	const json_t *buckets = json_object_get(now, "buckets");
	const json_t *old = json_object_get(before, "buckets");

	*times = (struct times){ .n = json_array_size(buckets) };
	if (times->n > TIMES_BUCKETS)
		times->n = TIMES_BUCKETS;
	times->sum = json_number_value(json_object_get(now, "sum")) -
	    json_number_value(json_object_get(before, "sum"));
	for (size_t i = 0; i < times->n; i++) {
		times->buckets[i] = json_number_value(json_array_get(buckets, i)) -
		    json_number_value(json_array_get(old, i));
		times->count += times->buckets[i];
	}
}

double
times_quantile(const struct times *times, double share)
{
	double wanted = times->count * share, low = 0;

	for (size_t i = 0; i < times->n && times->count > 0; i++) {
		double high = (double)(1ull << i) / 1e6;

		/* As if those of a bucket were spread evenly over it. */
		if (times->buckets[i] > 0 && wanted <= times->buckets[i])
			return low + (high - low) * wanted / times->buckets[i];
		wanted -= times->buckets[i];
		low = high;
	}
	return 0;
}

double
times_mean(const struct times *times)
{
	return times->count > 0 ? times->sum / times->count : 0;
}
