/* SPDX-License-Identifier: MIT */
/* Signed and encrypted values: see signed_value.h. Pure. */
#include "config.h"

#include "web/signed_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/crypto.h>

#define SIGNATURE_LEN (2u * SPOUT_SHA256_SIZE)

size_t
spout__signed_room(const char *name, size_t len)
{
	return strlen(name) + SPOUT_BASE64_SIZE(len) + SPOUT__SIGNED_EXTRA;
}

static int
sign(const struct spout__key *key, const char *text, size_t len,
    char ret_hex[SIGNATURE_LEN + 1])
{
	unsigned char digest[SPOUT_SHA256_SIZE];
	int rc = spout_hmac_sha256(key->secret.data, key->secret.len, text, len, digest);

	spout_hex(digest, sizeof(digest), ret_hex);
	return rc;
}

long
spout__signed_make(const struct spout__keyring *keys, const char *name,
    struct spout_slice value, int64_t now, char *to)
{
	const struct spout__key *key = &keys->keys[0];
	char version[16], when[24];
	size_t n;
	int rc;

	if (strlen(name) > SPOUT__SIGNED_NAME_MAX)
		return -EMSGSIZE;
	snprintf(version, sizeof(version), "%" PRIu32, key->version);
	snprintf(when, sizeof(when), "%" PRId64, now);
	n = (size_t)sprintf(to, "2|%zu:%s|%zu:%s|%zu:%s|%zu:", strlen(version), version,
	    strlen(when), when, strlen(name), name, SPOUT_BASE64_SIZE(value.len));
	n += spout_base64(value.data, value.len, to + n);
	to[n++] = '|';
	rc = sign(key, to, n, to + n);
	return rc != 0 ? rc : (long)(n + SIGNATURE_LEN);
}

/* --- reading ------------------------------------------------------------------------ */

/* Digits at the front, at most 18, no needless zero; moves on. -1: there are none. */
static int64_t
take_number(struct spout_slice *rest)
{
	int64_t value = 0;
	size_t n = 0;

	while (n < rest->len && n < 18 && rest->data[n] >= '0' && rest->data[n] <= '9')
		value = value * 10 + (rest->data[n++] - '0');
	if (n == 0 || (n > 1 && rest->data[0] == '0'))
		return -1;
	*rest = spout_slice_of(rest->data + n, rest->len - n);
	return value;
}

static bool
take_char(struct spout_slice *rest, char c)
{
	if (rest->len == 0 || rest->data[0] != c)
		return false;
	*rest = spout_slice_of(rest->data + 1, rest->len - 1);
	return true;
}

/* "LEN:bytes|" */
static bool
take_field(struct spout_slice *rest, struct spout_slice *ret_field)
{
	int64_t len = take_number(rest);

	if (len < 0 || !take_char(rest, ':') || (uint64_t)len > rest->len)
		return false;
	*ret_field = spout_slice_of(rest->data, (size_t)len);
	*rest = spout_slice_of(rest->data + len, rest->len - (size_t)len);
	return take_char(rest, '|');
}

/* A field that is a number and nothing else; -1 if it is not. */
static int64_t
whole_number(struct spout_slice field)
{
	int64_t value = take_number(&field);

	return field.len == 0 ? value : -1;
}

struct parsed {
	int64_t version, when;
	struct spout_slice name, value, signature;
	size_t signed_len;
};

static bool
parse(struct spout_slice text, struct parsed *ret)
{
	struct spout_slice rest = text, version, when;

	if (!take_char(&rest, '2') || !take_char(&rest, '|') ||
	    !take_field(&rest, &version) || !take_field(&rest, &when) ||
	    !take_field(&rest, &ret->name) || !take_field(&rest, &ret->value))
		return false;
	ret->version = whole_number(version);
	ret->when = whole_number(when);
	ret->signature = rest;
	ret->signed_len = text.len - rest.len;
	return ret->version >= 0 && ret->when >= 0 && rest.len == SIGNATURE_LEN;
}

/* Written so that no time can overflow. */
static bool
too_old(int64_t when, int64_t now, int64_t max_age_s)
{
	return when < now && now - when > max_age_s;
}

long
spout__signed_read(const struct spout__keyring *keys, const char *name,
    struct spout_slice text, int64_t now, int64_t max_age_s, char *to)
{
	char expected[SIGNATURE_LEN + 1];
	const struct spout__key *key;
	struct parsed p;

	if (!parse(text, &p))
		return -EBADMSG;
	key = spout__keyring_find(keys, (uint64_t)p.version);
	if (key == NULL)
		return -EBADMSG;
	if (sign(key, text.data, p.signed_len, expected) != 0)
		return -ENOMEM;
	if (!spout_equal_secret(expected, p.signature.data, SIGNATURE_LEN) ||
	    !spout_slice_equal(p.name, name))
		return -EBADMSG;
	if (too_old(p.when, now, max_age_s))
		return -ETIMEDOUT;
	return spout_base64_decode(p.value.data, p.value.len, to);
}

int64_t
spout__signed_key_version(struct spout_slice text)
{
	struct parsed p;

	return parse(text, &p) ? p.version : -EBADMSG;
}

/* --- encrypted ---------------------------------------------------------------------- */

static int
sealing_key(const struct spout__key *key, unsigned char ret_key[SPOUT_SEAL_KEY_SIZE])
{
	static const char label[] = "spout encrypted value 1";

	return spout_hmac_sha256(
	    key->secret.data, key->secret.len, label, sizeof(label) - 1, ret_key);
}

/* "e1|KEY|TIME|", which the text begins with, and the name behind it: what is bound. */
#define BOUND_ROOM (64u + SPOUT__SIGNED_NAME_MAX)

static size_t
put_bound(uint64_t version, int64_t when, const char *name, char to[BOUND_ROOM])
{
	return (size_t)snprintf(
	    to, BOUND_ROOM, "e1|%" PRIu64 "|%" PRId64 "|%s", version, when, name);
}

long
spout__sealed_make(const struct spout__keyring *keys, const char *name,
    struct spout_slice value, int64_t now, char *to)
{
	unsigned char own[SPOUT_SEAL_KEY_SIZE], *sealed;
	size_t name_len = strlen(name), bound_len,
	       sealed_len = value.len + SPOUT_SEAL_SIZE;
	char bound[BOUND_ROOM];
	int rc;

	if (name_len > SPOUT__SIGNED_NAME_MAX)
		return -EMSGSIZE;
	sealed = malloc(sealed_len);
	if (sealed == NULL)
		return -ENOMEM;
	bound_len = put_bound(keys->keys[0].version, now, name, bound);
	rc = sealing_key(&keys->keys[0], own);
	if (rc == 0)
		rc = spout_seal(
		    own, spout_slice_of(bound, bound_len), value.data, value.len, sealed);
	if (rc == 0) {
		memcpy(to, bound, bound_len - name_len);
		to += bound_len - name_len;
		rc = (int)(bound_len - name_len + spout_base64(sealed, sealed_len, to));
	}
	explicit_bzero(own, sizeof(own));
	free(sealed);
	return rc;
}

/* Decode, then decrypt what was decoded, in `to`. */
static long
unseal(const struct spout__key *key, struct spout_slice bound, struct spout_slice text,
    char *to)
{
	unsigned char own[SPOUT_SEAL_KEY_SIZE], *sealed = malloc(text.len + 1);
	long len, rc;

	if (sealed == NULL)
		return -ENOMEM;
	len = spout_base64_decode(text.data, text.len, sealed);
	rc = len < 0 ? len : sealing_key(key, own);
	if (rc == 0)
		rc = spout_unseal(own, bound, sealed, (size_t)len, to);
	explicit_bzero(own, sizeof(own));
	free(sealed);
	return rc != 0 ? rc : len - SPOUT_SEAL_SIZE;
}

long
spout__sealed_read(const struct spout__keyring *keys, const char *name,
    struct spout_slice text, int64_t now, int64_t max_age_s, char *to)
{
	const struct spout__key *key;
	char bound[BOUND_ROOM];
	int64_t version, when;
	size_t bound_len;
	long len;

	if (strlen(name) > SPOUT__SIGNED_NAME_MAX || !take_char(&text, 'e') ||
	    !take_char(&text, '1') || !take_char(&text, '|'))
		return -EBADMSG;
	version = take_number(&text);
	if (version < 0 || !take_char(&text, '|'))
		return -EBADMSG;
	when = take_number(&text);
	key = spout__keyring_find(keys, (uint64_t)version);
	if (when < 0 || !take_char(&text, '|') || key == NULL)
		return -EBADMSG;
	bound_len = put_bound((uint64_t)version, when, name, bound);
	len = unseal(key, spout_slice_of(bound, bound_len), text, to);
	return len >= 0 && too_old(when, now, max_age_s) ? -ETIMEDOUT : len;
}
