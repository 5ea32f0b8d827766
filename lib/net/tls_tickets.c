/* SPDX-License-Identifier: MIT */
/* Keys of session tickets: see tls_tickets.h. */
#include "config.h"

#include "net/tls_tickets.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/clock.h"

#define NAME_SIZE 16

struct spout__tickets *spout__tickets;

struct keys {
	unsigned char name[SPOUT__TICKETS_SECRET]; /* the first NAME_SIZE bytes count */
	unsigned char cipher[SPOUT__TICKETS_SECRET];
	unsigned char mac[SPOUT__TICKETS_SECRET];
};

static bool
derive(const unsigned char *secret, const char *what, unsigned char *ret)
{
	unsigned len = SPOUT__TICKETS_SECRET;

	return HMAC(EVP_sha256(), secret, SPOUT__TICKETS_SECRET,
		   (const unsigned char *)what, strlen(what), ret, &len) != NULL;
}

/* --- secrets --------------------------------------------------------------------- */

static uint64_t
number_now(void)
{
	return (spout__clock_ms() - spout__tickets->began_ms) / SPOUT__TICKETS_PERIOD_MS +
	    1;
}

static void
publish(uint64_t number, const unsigned char *secret)
{
	unsigned i = number % SPOUT__TICKETS_SLOTS;

	memcpy(spout__tickets->slots[i].secret, secret, SPOUT__TICKETS_SECRET);
	atomic_store(&spout__tickets->slots[i].number, number);
}

static bool
secret_of(uint64_t number, unsigned char *ret)
{
	unsigned i = number % SPOUT__TICKETS_SLOTS;

	if (atomic_load(&spout__tickets->slots[i].number) != number)
		return false;
	memcpy(ret, spout__tickets->slots[i].secret, SPOUT__TICKETS_SECRET);
	return atomic_load(&spout__tickets->slots[i].number) == number;
}

/* The newest period of which there is a secret. */
static uint64_t
newest(void)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < SPOUT__TICKETS_SLOTS; i++) {
		uint64_t number = atomic_load(&spout__tickets->slots[i].number);

		if (number > found)
			found = number;
	}
	return found;
}

/* Go on to the present period. Returns its number, 0 on failure. */
static uint64_t
advance(void)
{
	uint64_t now = number_now(), at = newest();
	unsigned char secret[SPOUT__TICKETS_SECRET], next[SPOUT__TICKETS_SECRET];
	bool good = at >= now || secret_of(at, secret);

	for (; good && at < now; at++) {
		good = derive(secret, "next", next);
		memcpy(secret, next, sizeof(secret));
		if (good)
			publish(at + 1, secret);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(next, sizeof(next));
	return good ? at : 0;
}

static bool
keys_of(uint64_t number, struct keys *ret)
{
	unsigned char secret[SPOUT__TICKETS_SECRET];
	bool good = secret_of(number, secret) && derive(secret, "name", ret->name) &&
	    derive(secret, "cipher", ret->cipher) && derive(secret, "mac", ret->mac);

	OPENSSL_cleanse(secret, sizeof(secret));
	return good;
}

/* --- what OpenSSL asks for ------------------------------------------------------- */

static bool
set_mac_key(EVP_MAC_CTX *mac, struct keys *keys)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, keys->mac, sizeof(keys->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int
seal(uint64_t now, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, struct keys *keys)
{
	if (!keys_of(now, keys) || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
		return -1;
	memcpy(name, keys->name, NAME_SIZE);
	if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher, iv) != 1)
		return -1;
	return set_mac_key(mac, keys) ? 1 : -1;
}

/* 0: not one of ours, a whole handshake follows; 2: good, and to be renewed. */
static int
unseal(uint64_t now, const unsigned char *name, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, struct keys *keys)
{
	uint64_t oldest = now > SPOUT__TICKETS_OLD ? now - SPOUT__TICKETS_OLD : 1, at;

	for (at = now; at >= oldest; at--) {
		if (keys_of(at, keys) && CRYPTO_memcmp(name, keys->name, NAME_SIZE) == 0)
			break;
	}
	if (at < oldest)
		return 0;
	if (!set_mac_key(mac, keys) ||
	    EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher, iv) != 1)
		return -1;
	return at == now ? 1 : 2;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int sealing)
{
	uint64_t now = advance();
	struct keys keys;
	int r;

	(void)ssl;
	if (now == 0)
		return sealing ? -1 : 0;
	if (sealing)
		r = seal(now, name, iv, cipher, mac, &keys);
	else
		r = unseal(now, name, iv, cipher, mac, &keys);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return r;
}

/* --- life ------------------------------------------------------------------------ */

int
spout__tickets_open(void)
{
	unsigned char secret[SPOUT__TICKETS_SECRET];
	struct spout__tickets *tickets;

	if (spout__tickets != NULL)
		return 0;
	if (RAND_bytes(secret, sizeof(secret)) != 1)
		return -ENOMEM;
	tickets = mmap(NULL, sizeof(*tickets), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tickets == MAP_FAILED)
		return -ENOMEM;
	(void)madvise(tickets, sizeof(*tickets), MADV_DONTDUMP);
	tickets->began_ms = spout__clock_ms();
	spout__tickets = tickets;
	publish(1, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	return 0;
}

void
spout__tickets_use(SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_timeout(ctx, SPOUT__TICKETS_PERIOD_MS / 1000);
}
