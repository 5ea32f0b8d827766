/* SPDX-License-Identifier: MIT */
/*
 * Tokens against forged requests, in Tornado's version 2 format:
 *
 *     2|MASK|TOKEN xor MASK|SECONDS      in hexadecimal, but for the time
 *
 * The cookie and what the request carries hold the same token under different masks.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <spout/cookie.h>
#include <spout/crypto.h>

#include "web/guard.h"

#define MASK_SIZE 4u
#define MADE_FOR_S (30 * 86400)

static void
mask_bytes(unsigned char *bytes, const unsigned char mask[MASK_SIZE])
{
	unsigned i;

	for (i = 0; i < SPOUT__XSRF_TOKEN_SIZE; i++)
		bytes[i] ^= mask[i % MASK_SIZE];
}

void
spout__xsrf_compose(const unsigned char token[SPOUT__XSRF_TOKEN_SIZE],
    const unsigned char mask[MASK_SIZE], int64_t when, char to[SPOUT__XSRF_TEXT_ROOM])
{
	unsigned char masked[SPOUT__XSRF_TOKEN_SIZE];
	char mask_hex[2 * MASK_SIZE + 1], masked_hex[2 * SPOUT__XSRF_TOKEN_SIZE + 1];

	memcpy(masked, token, sizeof(masked));
	mask_bytes(masked, mask);
	spout_hex(mask, MASK_SIZE, mask_hex);
	spout_hex(masked, sizeof(masked), masked_hex);
	snprintf(
	    to, SPOUT__XSRF_TEXT_ROOM, "2|%s|%s|%" PRId64, mask_hex, masked_hex, when);
}

int
spout__xsrf_parse(
    struct spout_slice text, unsigned char ret_token[SPOUT__XSRF_TOKEN_SIZE])
{
	const size_t mask_at = 2, masked_at = mask_at + 2 * MASK_SIZE + 1,
		     end = masked_at + 2 * SPOUT__XSRF_TOKEN_SIZE;
	unsigned char mask[MASK_SIZE];

	if (text.len < end + 2 || text.len > SPOUT__XSRF_TEXT_ROOM ||
	    memcmp(text.data, "2|", 2) != 0 || text.data[masked_at - 1] != '|' ||
	    text.data[end] != '|' ||
	    spout_hex_decode(text.data + mask_at, 2 * MASK_SIZE, mask) != 0 ||
	    spout_hex_decode(
		text.data + masked_at, 2 * SPOUT__XSRF_TOKEN_SIZE, ret_token) != 0)
		return -EBADMSG;
	mask_bytes(ret_token, mask);
	return 0;
}

/* --- of a request ------------------------------------------------------------------- */

static const char *
cookie_name(const struct spout_request *req)
{
	const char *name = req->web->app->xsrf_cookie_name;

	return name != NULL ? name : "_xsrf";
}

/* The token that the browser has; false if it has none. */
static bool
known_token(struct spout_request *req)
{
	struct spout__guarded *guarded = spout__guarded(req);
	const char *cookie;

	if (!guarded->xsrf_known) {
		cookie = spout_cookie(req, cookie_name(req));
		guarded->xsrf_known = cookie != NULL &&
		    spout__xsrf_parse(spout_slice(cookie), guarded->xsrf) == 0;
	}
	return guarded->xsrf_known;
}

const char *
spout_xsrf_token(struct spout_request *req)
{
	struct spout__guarded *guarded = spout__guarded(req);
	char *text = spout_alloc(SPOUT__XSRF_TEXT_ROOM);
	unsigned char mask[MASK_SIZE];
	bool fresh = !known_token(req);

	spout_random(mask, sizeof(mask));
	if (fresh)
		spout_random(guarded->xsrf, sizeof(guarded->xsrf));
	guarded->xsrf_known = true;
	spout__xsrf_compose(guarded->xsrf, mask, spout_now(), text);
	if (fresh)
		spout_set_cookie(req, cookie_name(req), text, .scripts = true,
		    .max_age_s = spout_current_user(req) != NULL ? MADE_FOR_S : 0);
	return text;
}

const char *
spout_xsrf_form_html(struct spout_request *req)
{
	return spout_sprintf(
	    "<input type=\"hidden\" name=\"_xsrf\" value=\"%s\">", spout_xsrf_token(req));
}

void
spout_check_xsrf(struct spout_request *req)
{
	unsigned char given[SPOUT__XSRF_TOKEN_SIZE];
	const char *text = spout_form_arg(req, "_xsrf");

	if (text == NULL)
		text = spout_header(req, "X-XSRFToken");
	if (text == NULL)
		text = spout_header(req, "X-CSRFToken");
	if (text == NULL)
		spout_fail(req, 403, "the request has no \"_xsrf\"");
	if (!known_token(req) || spout__xsrf_parse(spout_slice(text), given) != 0 ||
	    !spout_equal_secret(given, spout__guarded(req)->xsrf, sizeof(given)))
		spout_fail(req, 403, "\"_xsrf\" and the cookie do not go together");
}
