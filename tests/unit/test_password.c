/* SPDX-License-Identifier: MIT */
/* Hashes of passwords: our own, those of other programs, on the pool. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor_help.h"
#include "web/password.h"

static char hash[SPOUT_PASSWORD_HASH_SIZE], other[SPOUT_PASSWORD_HASH_SIZE];

static void
a_password_matches_its_hash_and_no_other(void)
{
	CU_ASSERT_EQUAL(spout__password_make("waterspout", 1, hash), 0);
	CU_ASSERT_EQUAL(spout__password_make("waterspout", 1, other), 0);
	CU_ASSERT_STRING_NOT_EQUAL(hash, other);
	CU_ASSERT_EQUAL(strncmp(hash, "$y$", 3), 0);
	CU_ASSERT_EQUAL(spout_password_matches("waterspout", hash), 1);
	CU_ASSERT_EQUAL(spout_password_matches("waterspout", other), 1);
	CU_ASSERT_EQUAL(spout_password_matches("Waterspout", hash), 0);
	CU_ASSERT_EQUAL(spout_password_matches("", hash), 0);
	hash[strlen(hash) - 1] ^= 1;
	CU_ASSERT_EQUAL(spout_password_matches("waterspout", hash), 0);
	hash[strlen(hash) - 1] = '\0';
	CU_ASSERT_EQUAL(spout_password_matches("waterspout", hash), 0);
}

static void
what_is_no_hash_matches_nothing(void)
{
	static const char *const bad[] = { "", "*", "*0", "x", "$", "$y$", "$y$j9T$",
		"$z$1", "waterspout" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(spout_password_matches("waterspout", bad[i]), 0);
		CU_ASSERT_EQUAL(spout_password_matches("", bad[i]), 0);
	}
}

static void
hashes_of_other_programs_match_but_want_a_new_one(void)
{
	/* Of the test vectors of bcrypt and SHA-512 crypt. */
	static const char bcrypt[] =
	    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
	static const char sha512[] =
	    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
	    "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";

	CU_ASSERT_EQUAL(spout_password_matches("U*U", bcrypt), 1);
	CU_ASSERT_EQUAL(spout_password_matches("U*V", bcrypt), 0);
	CU_ASSERT_EQUAL(spout_password_matches("Hello world!", sha512), 1);
	CU_ASSERT_TRUE(spout_password_needs_rehash(bcrypt));
	CU_ASSERT_TRUE(spout_password_needs_rehash(sha512));
	CU_ASSERT_EQUAL(spout__password_make("x", 1, hash), 0);
	CU_ASSERT_TRUE(spout_password_needs_rehash(hash));
	CU_ASSERT_FALSE(spout_password_needs_rehash("$y$j9T$abc$def"));
}

static void
passwords_have_a_bound(void)
{
	char password[SPOUT_PASSWORD_MAX + 2];

	memset(password, 'p', sizeof(password));
	password[SPOUT_PASSWORD_MAX] = '\0';
	CU_ASSERT_EQUAL(spout__password_make(password, 1, hash), 0);
	CU_ASSERT_EQUAL(spout_password_matches(password, hash), 1);
	password[SPOUT_PASSWORD_MAX - 1] = 'q';
	CU_ASSERT_EQUAL(spout_password_matches(password, hash), 0);
	password[SPOUT_PASSWORD_MAX] = 'p';
	password[SPOUT_PASSWORD_MAX + 1] = '\0';
	CU_ASSERT_EQUAL(spout__password_make(password, 1, hash), -EMSGSIZE);
	CU_ASSERT_EQUAL(spout_password_matches(password, hash), 0);
}

/* --- on the pool -------------------------------------------------------------------- */

static void
hash_and_verify(void *arg)
{
	struct spout_pool *cpu = spout_pool_new("cpu");
	char *made;

	(void)arg;
	CU_ASSERT_PTR_NOT_NULL_FATAL(cpu);
	made = spout_password_hash("waterspout");
	CU_ASSERT_EQUAL(strncmp(made, "$y$j9T$", 7), 0);
	CU_ASSERT_FALSE(spout_password_needs_rehash(made));
	CU_ASSERT_TRUE(spout_password_verify("waterspout", made));
	CU_ASSERT_FALSE(spout_password_verify("water spout", made));
	CU_ASSERT_FALSE(spout_password_verify("waterspout", NULL));
	CU_ASSERT_EQUAL(spout_pool_close(cpu, 10000), 0);
}

static void
hash_too_much(void *arg)
{
	char password[SPOUT_PASSWORD_MAX + 2];

	(void)arg;
	memset(password, 'p', sizeof(password));
	password[SPOUT_PASSWORD_MAX + 1] = '\0';
	spout_password_hash(password);
}

static void
hashing_runs_beside_the_loop(void)
{
	run_test_whole(hash_and_verify);
	CU_ASSERT_EQUAL(run_test(hash_too_much).error, -EMSGSIZE);
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_password_matches_its_hash_and_no_other),
	UNIT_TEST(what_is_no_hash_matches_nothing),
	UNIT_TEST(hashes_of_other_programs_match_but_want_a_new_one),
	UNIT_TEST(passwords_have_a_bound),
	UNIT_TEST(hashing_runs_beside_the_loop),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "passwords", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
