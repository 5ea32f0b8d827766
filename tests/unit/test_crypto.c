/* SPDX-License-Identifier: MIT */
/* Digests against the vectors of FIPS 180-4. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <spout/crypto.h>

/* The digest of `text`, added in pieces of `piece` bytes. */
static void
digest_of(const char *text, size_t len, size_t piece, char ret[2 * SPOUT_SHA256_SIZE + 1])
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char digest[SPOUT_SHA256_SIZE];

	CU_ASSERT_PTR_NOT_NULL_FATAL(sha256);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		CU_ASSERT_EQUAL(spout_sha256_update(sha256, text + at, n), 0);
	}
	CU_ASSERT_EQUAL(spout_sha256_final(sha256, digest), 0);
	CU_ASSERT_EQUAL(spout_sha256_final(sha256, digest), -EINVAL);
	CU_ASSERT_EQUAL(spout_sha256_update(sha256, text, 0), -EINVAL);
	spout_sha256_free(sha256);
	spout_hex(digest, sizeof(digest), ret);
}

static void
sha256_of_known_texts_is_known(void)
{
	static const struct {
		const char *text, *digest;
	} cases[] = {
		{ "",
		    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc",
		    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[2 * SPOUT_SHA256_SIZE + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece < 70; piece += 23) {
			digest_of(cases[i].text, strlen(cases[i].text), piece, hex);
			CU_ASSERT_STRING_EQUAL(hex, cases[i].digest);
		}
	}
}

static void
sha256_of_a_million_bytes_is_known(void)
{
	size_t len = 1000000;
	char *text = malloc(len), hex[2 * SPOUT_SHA256_SIZE + 1];

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, 'a', len);
	digest_of(text, len, 65536, hex);
	CU_ASSERT_STRING_EQUAL(
	    hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(text);
}

static const struct unit_test crypto_tests[] = { UNIT_TEST(
						     sha256_of_known_texts_is_known),
	UNIT_TEST(sha256_of_a_million_bytes_is_known), UNIT_END };

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "crypto", crypto_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
