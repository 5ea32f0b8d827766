/* SPDX-License-Identifier: MIT */
/* Digests over OpenSSL, random bytes, comparing secrets, hexadecimal. */
#include "config.h"

#include <spout/crypto.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct spout_sha256 {
	EVP_MD_CTX *ctx;
	bool ended;
};

struct spout_sha256 *
spout_sha256_new(void)
{
	struct spout_sha256 *sha256 = calloc(1, sizeof(*sha256));

	if (sha256 == NULL)
		return NULL;
	sha256->ctx = EVP_MD_CTX_new();
	if (sha256->ctx == NULL ||
	    EVP_DigestInit_ex(sha256->ctx, EVP_sha256(), NULL) != 1) {
		spout_sha256_free(sha256);
		return NULL;
	}
	return sha256;
}

int
spout_sha256_update(struct spout_sha256 *sha256, const void *data, size_t len)
{
	if (sha256->ended || EVP_DigestUpdate(sha256->ctx, data, len) != 1)
		return -EINVAL;
	return 0;
}

int
spout_sha256_final(
    struct spout_sha256 *sha256, unsigned char ret_digest[SPOUT_SHA256_SIZE])
{
	if (sha256->ended)
		return -EINVAL;
	sha256->ended = true;
	return EVP_DigestFinal_ex(sha256->ctx, ret_digest, NULL) == 1 ? 0 : -EINVAL;
}

void
spout_sha256_free(void *arg)
{
	struct spout_sha256 *sha256 = arg;

	if (sha256 == NULL)
		return;
	EVP_MD_CTX_free(sha256->ctx);
	free(sha256);
}

int
spout_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char ret_digest[SPOUT_SHA256_SIZE])
{
	return HMAC(EVP_sha256(), key, (int)key_len, data, len, ret_digest, NULL) != NULL
	    ? 0
	    : -ENOMEM;
}

bool
spout_equal_secret(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
spout_random(void *ret_data, size_t len)
{
	char *to = ret_data;

	while (len > 0) {
		ssize_t n = getrandom(to, len, 0);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			to += n;
			len -= (size_t)n;
		}
	}
}

void
spout_hex(const void *data, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * len] = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
spout_hex_decode(const char *text, size_t len, unsigned char *ret_data)
{
	if (len % 2 != 0)
		return -EBADMSG;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		ret_data[i / 2] = (unsigned char)(high << 4 | low);
	}
	return 0;
}
