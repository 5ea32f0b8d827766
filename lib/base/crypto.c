/* SPDX-License-Identifier: MIT */
/* Digests over OpenSSL's EVP: the one place that knows OpenSSL's digest calls. */
#include "config.h"

#include <spout/crypto.h>

#include <errno.h>
#include <stdlib.h>

#include <openssl/evp.h>

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
