/* SPDX-License-Identifier: MIT */
/*
 * Authenticated encryption: AES-256-GCM (NIST SP 800-38D) with a key of its own for each
 * message, HMAC-SHA256(key, salt), so that random nonces cannot run out.
 *
 *     salt (16) | nonce (12) | ciphertext | tag (16)
 */
#include "config.h"

#include <spout/crypto.h>

#include <errno.h>
#include <limits.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define SALT_SIZE 16
#define NONCE_SIZE 12
#define TAG_SIZE 16

_Static_assert(
    SALT_SIZE + NONCE_SIZE + TAG_SIZE == SPOUT_SEAL_SIZE, "the header says so");

/* A context that has its key, nonce and bound text; NULL if that failed. */
static EVP_CIPHER_CTX *
gcm_begin(const unsigned char *key, const unsigned char *head, struct spout_slice bound,
    bool encrypt)
{
	unsigned char own[SPOUT_SHA256_SIZE];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool fine = ctx != NULL && bound.len <= INT_MAX;
	int n;

	fine = fine &&
	    spout_hmac_sha256(key, SPOUT_SEAL_KEY_SIZE, head, SALT_SIZE, own) == 0 &&
	    EVP_CipherInit_ex(
		ctx, EVP_aes_256_gcm(), NULL, own, head + SALT_SIZE, encrypt) == 1 &&
	    EVP_CipherUpdate(
		ctx, NULL, &n, (const unsigned char *)bound.data, (int)bound.len) == 1;
	OPENSSL_cleanse(own, sizeof(own));
	if (fine)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

int
spout_seal(const unsigned char key[SPOUT_SEAL_KEY_SIZE], struct spout_slice bound,
    const void *data, size_t len, unsigned char *ret_sealed)
{
	unsigned char *body = ret_sealed + SALT_SIZE + NONCE_SIZE;
	EVP_CIPHER_CTX *ctx;
	bool fine;
	int n = 0;

	if (len > INT_MAX)
		return -ENOMEM;
	spout_random(ret_sealed, SALT_SIZE + NONCE_SIZE);
	ctx = gcm_begin(key, ret_sealed, bound, true);
	fine = ctx != NULL && EVP_EncryptUpdate(ctx, body, &n, data, (int)len) == 1 &&
	    EVP_EncryptFinal_ex(ctx, body + n, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, body + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return fine ? 0 : -ENOMEM;
}

int
spout_unseal(const unsigned char key[SPOUT_SEAL_KEY_SIZE], struct spout_slice bound,
    const unsigned char *sealed, size_t len, void *ret_data)
{
	const unsigned char *body = sealed + SALT_SIZE + NONCE_SIZE;
	unsigned char tag[TAG_SIZE], *to = ret_data;
	EVP_CIPHER_CTX *ctx;
	int n = 0, rc = -ENOMEM;

	if (len < SPOUT_SEAL_SIZE || len > INT_MAX)
		return -EBADMSG;
	len -= SPOUT_SEAL_SIZE;
	memcpy(tag, body + len, TAG_SIZE);
	ctx = gcm_begin(key, sealed, bound, false);
	if (ctx != NULL && EVP_DecryptUpdate(ctx, to, &n, body, (int)len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1)
		rc = EVP_DecryptFinal_ex(ctx, to + n, &n) == 1 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	if (rc != 0)
		OPENSSL_cleanse(ret_data, len);
	return rc;
}
