/* SPDX-License-Identifier: MIT */
/* Digests, base64, sealing: against the vectors of FIPS 180-4, RFC 4231 and RFC 4648. */
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

static void
hmac_of_known_texts_is_known(void)
{
	static const struct {
		const char *key, *text, *digest;
	} cases[] = {
		{ "Jefe", "what do ya want for nothing?",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
		  "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
		    "Hi There",
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	};
	unsigned char digest[SPOUT_SHA256_SIZE];
	char hex[2 * SPOUT_SHA256_SIZE + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL(spout_hmac_sha256(cases[i].key, strlen(cases[i].key),
				    cases[i].text, strlen(cases[i].text), digest),
		    0);
		spout_hex(digest, sizeof(digest), hex);
		CU_ASSERT_STRING_EQUAL(hex, cases[i].digest);
	}
}

static void
secrets_are_compared_to_their_last_byte(void)
{
	CU_ASSERT_TRUE(spout_equal_secret("abcd", "abcd", 4));
	CU_ASSERT_FALSE(spout_equal_secret("abcd", "abce", 4));
	CU_ASSERT_FALSE(spout_equal_secret("abcd", "bbcd", 4));
	CU_ASSERT_TRUE(spout_equal_secret("a", "b", 0));
}

static void
hexadecimal_is_read_in_either_case(void)
{
	unsigned char bytes[4];

	CU_ASSERT_EQUAL(spout_hex_decode("00fFaB10", 8, bytes), 0);
	CU_ASSERT_EQUAL(memcmp(bytes, "\0\xff\xab\x10", 4), 0);
	CU_ASSERT_EQUAL(spout_hex_decode("", 0, bytes), 0);
	CU_ASSERT_EQUAL(spout_hex_decode("abc", 3, bytes), -EBADMSG);
	CU_ASSERT_EQUAL(spout_hex_decode("ag", 2, bytes), -EBADMSG);
	CU_ASSERT_EQUAL(spout_hex_decode("@1", 2, bytes), -EBADMSG);
}

static void
base64_of_known_texts_is_known(void)
{
	static const char *const texts[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	char text[16], back[16];

	for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
		CU_ASSERT_EQUAL(spout_base64("foobar", n, text), strlen(texts[n]));
		CU_ASSERT_STRING_EQUAL(text, texts[n]);
		CU_ASSERT_EQUAL(spout_base64_decode(text, strlen(text), back), (long)n);
		CU_ASSERT_EQUAL(memcmp(back, "foobar", n), 0);
	}
	CU_ASSERT_EQUAL(spout_base64("\xfb\xff\xbf", 3, text), 4);
	CU_ASSERT_STRING_EQUAL(text, "+/+/");
	CU_ASSERT_EQUAL(spout_base64_decode("+/+/", 4, back), 3);
	CU_ASSERT_EQUAL(memcmp(back, "\xfb\xff\xbf", 3), 0);
}

static void
base64_has_one_text_for_each_value(void)
{
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm8=Zm8=", "Zm 9",
		"Zm9v\n", "Zm-_", "=m9v", "Zm=v" };
	char back[16];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(
		    spout_base64_decode(bad[i], strlen(bad[i]), back), -EBADMSG);
}

#define SEALED (9 + SPOUT_SEAL_SIZE)

static void
what_was_sealed_is_opened_with_key_and_bound_text_only(void)
{
	unsigned char key[SPOUT_SEAL_KEY_SIZE], other[SPOUT_SEAL_KEY_SIZE], box[SEALED];
	struct spout_slice bound = spout_slice("user|7");
	char back[16];

	spout_random(key, sizeof(key));
	memcpy(other, key, sizeof(key));
	other[31] ^= 1;
	CU_ASSERT_EQUAL(spout_seal(key, bound, "my secret", 9, box), 0);
	CU_ASSERT_PTR_NULL(memmem(box, sizeof(box), "secret", 6));
	CU_ASSERT_EQUAL(spout_unseal(key, bound, box, sizeof(box), back), 0);
	CU_ASSERT_EQUAL(memcmp(back, "my secret", 9), 0);
	CU_ASSERT_EQUAL(spout_unseal(other, bound, box, sizeof(box), back), -EBADMSG);
	CU_ASSERT_EQUAL(
	    spout_unseal(key, spout_slice("user|8"), box, sizeof(box), back), -EBADMSG);
	for (size_t i = 0; i < sizeof(box); i++) {
		box[i] ^= 4;
		CU_ASSERT_EQUAL(
		    spout_unseal(key, bound, box, sizeof(box), back), -EBADMSG);
		box[i] ^= 4;
	}
	for (size_t len = 0; len < sizeof(box); len++)
		CU_ASSERT_EQUAL(spout_unseal(key, bound, box, len, back), -EBADMSG);
}

static void
nothing_can_be_sealed_and_no_seal_is_like_another(void)
{
	unsigned char key[SPOUT_SEAL_KEY_SIZE] = { 1 }, one[SPOUT_SEAL_SIZE],
		      two[SPOUT_SEAL_SIZE];

	CU_ASSERT_EQUAL(spout_seal(key, spout_slice(""), "", 0, one), 0);
	CU_ASSERT_EQUAL(spout_seal(key, spout_slice(""), "", 0, two), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(one, two, sizeof(one)), 0);
	CU_ASSERT_EQUAL(spout_unseal(key, spout_slice(""), one, sizeof(one), two), 0);
}

static const struct unit_test crypto_tests[] = {
	UNIT_TEST(sha256_of_known_texts_is_known),
	UNIT_TEST(sha256_of_a_million_bytes_is_known),
	UNIT_TEST(hmac_of_known_texts_is_known),
	UNIT_TEST(secrets_are_compared_to_their_last_byte),
	UNIT_TEST(hexadecimal_is_read_in_either_case),
	UNIT_TEST(base64_of_known_texts_is_known),
	UNIT_TEST(base64_has_one_text_for_each_value),
	UNIT_TEST(what_was_sealed_is_opened_with_key_and_bound_text_only),
	UNIT_TEST(nothing_can_be_sealed_and_no_seal_is_like_another),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "crypto", crypto_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
