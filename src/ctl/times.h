/* SPDX-License-Identifier: MIT */
/* Times for people, and what a histogram of the server says. */
#ifndef SPOUT_CTL_TIMES_H
#define SPOUT_CTL_TIMES_H

#include <stddef.h>

#include <jansson.h>

#define TEXT_SIZE 32

/** "37 us", "1.2 ms", "3.4 s", "5 min 2 s", "3 h 1 min", "12 d 4 h". Returns `text`. */
const char *time_text(double seconds, char text[TEXT_SIZE]);
/** "512", "1.5k", "2.3M" … with a unit behind. Returns `text`. */
const char *size_text(double n, char text[TEXT_SIZE]);

#define TIMES_BUCKETS 64

/** A histogram: bucket i holds the times below 2^i microseconds. */
struct times {
	size_t n;
	double count, sum; /* seconds */
	double buckets[TIMES_BUCKETS];
};

/** Read it; subtract what it was before unless NULL. */
void times_read(struct times *times, const json_t *now, const json_t *before);
/** The time that a share of them stays below, in seconds; 0 without any. */
double times_quantile(const struct times *times, double share);
double times_mean(const struct times *times);

#endif
