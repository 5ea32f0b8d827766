/* SPDX-License-Identifier: MIT */
/* Who has asked how often: see rate.h. */
#include "config.h"

#include "web/rate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/crypto.h>

#include "base/clock.h"
#include "web/guard.h"

#define KEY_MAX 256

struct entry {
	unsigned char tag[16];
	int64_t used_until_us;
};

struct spout__rates {
	unsigned char secret[32];
	struct entry sets[SPOUT__RATE_SETS][SPOUT__RATE_WAYS];
};

struct spout__rates *
spout__rates_new(void)
{
	struct spout__rates *rates = calloc(1, sizeof(*rates));

	if (rates != NULL)
		spout_random(rates->secret, sizeof(rates->secret));
	return rates;
}

void
spout__rates_free(struct spout__rates *rates)
{
	free(rates);
}

/* The entry of that tag, or the one to use for it: it counts as free. */
static struct entry *
find(struct entry set[SPOUT__RATE_WAYS], const unsigned char tag[16])
{
	struct entry *soonest = &set[0];
	unsigned i;

	for (i = 0; i < SPOUT__RATE_WAYS; i++) {
		if (memcmp(set[i].tag, tag, sizeof(set[i].tag)) == 0)
			return &set[i];
		if (set[i].used_until_us < soonest->used_until_us)
			soonest = &set[i];
	}
	memcpy(soonest->tag, tag, sizeof(soonest->tag));
	soonest->used_until_us = 0;
	return soonest;
}

static struct entry *
entry_of(struct spout__rates *rates, const struct spout_rate_limit *limit,
    struct spout_slice key)
{
	unsigned char digest[SPOUT_SHA256_SIZE];
	char text[KEY_MAX + 128];
	size_t len = (size_t)snprintf(text, 128, "%.100s", limit->name) + 1;
	uint16_t place;

	if (key.len > KEY_MAX)
		key = spout_slice_of(key.data, KEY_MAX);
	memcpy(text + len, key.data, key.len);
	if (spout_hmac_sha256(
		rates->secret, sizeof(rates->secret), text, len + key.len, digest) != 0)
		return NULL;
	memcpy(&place, digest + 16, sizeof(place));
	return find(rates->sets[place % SPOUT__RATE_SETS], digest);
}

int64_t
spout__rates_take(struct spout__rates *rates, const struct spout_rate_limit *limit,
    struct spout_slice key, int64_t now_us)
{
	int64_t each_us = (int64_t)limit->per_s * 1000000 / limit->requests, until, over;
	unsigned burst = limit->burst != 0 ? limit->burst : limit->requests;
	struct entry *entry = entry_of(rates, limit, key);

	if (entry == NULL)
		return -ENOMEM;
	until = (entry->used_until_us > now_us ? entry->used_until_us : now_us) + each_us;
	over = until - now_us - each_us * burst;
	if (over > 0)
		return over;
	entry->used_until_us = until;
	return 0;
}

/* --- of a request ------------------------------------------------------------------- */

static struct spout__rates *
need_table(struct spout_request *req)
{
	if (req->web->rates == NULL)
		req->web->rates = spout__rates_new();
	if (req->web->rates == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory (rate limits)");
	return req->web->rates;
}

uint64_t
spout_try_rate_limit(
    struct spout_request *req, const struct spout_rate_limit *limit, const char *key)
{
	int64_t wait_us;

	if (limit->name == NULL || limit->requests == 0 || limit->per_s == 0)
		spout__co_leave(-EINVAL, 0, "a rate limit without name or numbers");
	wait_us = spout__rates_take(need_table(req), limit, spout_slice(key),
	    (int64_t)(spout__clock_ns() / 1000));
	if (wait_us < 0)
		spout__co_leave((int)wait_us, 0, "out of memory (rate limits)");
	return ((uint64_t)wait_us + 999) / 1000;
}

void
spout_rate_limit(
    struct spout_request *req, const struct spout_rate_limit *limit, const char *key)
{
	uint64_t wait_ms = spout_try_rate_limit(req, limit, key);

	if (wait_ms == 0)
		return;
	spout__guarded(req)->retry_after_s = (wait_ms + 999) / 1000;
	spout_fail(req, 429, "too many requests; try again in %llu s",
	    (unsigned long long)spout__guarded(req)->retry_after_s);
}

/* Addresses of IPv6 come 2^64 at a time: they count together. */
const char *
spout__rate_key_of_client(struct spout_request *req)
{
	struct spout__client client;
	char *text = spout_alloc(1 + 2 * 8 + 1);

	spout__request_client(req, &client);
	text[0] = client.ip.family == AF_INET6 ? '6' : '4';
	spout_hex(client.ip.bytes, 8, text + 1);
	return text;
}
