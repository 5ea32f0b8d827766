/* SPDX-License-Identifier: MIT */
/* Passwords over crypt(3) of libxcrypt: see spout/password.h. */
#include "config.h"

#include "web/password.h"

#include <errno.h>
#include <stdlib.h>

#include <crypt.h>

#include <spout/crypto.h>
#include <spout/executor.h>

#include "async/async.h"

_Static_assert(SPOUT_PASSWORD_HASH_SIZE >= CRYPT_OUTPUT_SIZE, "room for any hash");
_Static_assert(SPOUT_PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "what crypt() takes");

/* What spout_password_hash() makes begins so: yescrypt, N = 4096, r = 32. */
#define CURRENT "$y$j9T$"
/* For users who are not there: the same method and cost. */
#define NOBODY CURRENT "F5Jx5fExrKuPp53xLKQ..1$"

/* crypt() with its large scratch on the heap. Returns 0, -EINVAL or -ENOMEM. */
static int
crypt_into(const char *password, const char *setting, char to[SPOUT_PASSWORD_HASH_SIZE])
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *hash;
	int rc = 0;

	if (data == NULL)
		return -ENOMEM;
	errno = 0;
	hash = crypt_rn(password, setting, data, sizeof(*data));
	if (hash == NULL)
		rc = errno == ENOMEM ? -ENOMEM : -EINVAL;
	else
		strcpy(to, hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return rc;
}

int
spout__password_make(
    const char *password, unsigned cost, char ret_hash[SPOUT_PASSWORD_HASH_SIZE])
{
	char random[16], setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (strlen(password) > SPOUT_PASSWORD_MAX)
		return -EMSGSIZE;
	spout_random(random, sizeof(random));
	if (crypt_gensalt_rn(
		"$y$", cost, random, sizeof(random), setting, sizeof(setting)) == NULL)
		return -EINVAL;
	return crypt_into(password, setting, ret_hash);
}

int
spout_password_make(const char *password, char ret_hash[SPOUT_PASSWORD_HASH_SIZE])
{
	return spout__password_make(password, SPOUT__PASSWORD_COST, ret_hash);
}

int
spout_password_matches(const char *password, const char *hash)
{
	char made[SPOUT_PASSWORD_HASH_SIZE];
	bool known = hash != NULL;
	int rc;

	if (strlen(password) > SPOUT_PASSWORD_MAX)
		return 0;
	rc = crypt_into(password, known ? hash : NOBODY, made);
	if (rc != 0)
		return rc == -ENOMEM ? rc : 0;
	rc = known && strlen(made) == strlen(hash) &&
	    spout_equal_secret(made, hash, strlen(hash));
	explicit_bzero(made, sizeof(made));
	return rc;
}

bool
spout_password_needs_rehash(const char *hash)
{
	return strncmp(hash, CURRENT, strlen(CURRENT)) != 0;
}

/* --- on the pool -------------------------------------------------------------------- */

struct job {
	const char *password, *hash;
	char made[SPOUT_PASSWORD_HASH_SIZE];
};

static int
make_job(void *arg)
{
	struct job *job = arg;

	return spout_password_make(job->password, job->made);
}

static int
match_job(void *arg)
{
	struct job *job = arg;

	return spout_password_matches(job->password, job->hash);
}

/* In the scope: the pool may still hold it when the coroutine has left. */
static struct job *
new_job(const char *password, const char *hash)
{
	struct job *job = spout_zalloc(1, sizeof(*job));

	job->password = spout_strdup(password);
	job->hash = hash != NULL ? spout_strdup(hash) : NULL;
	return job;
}

char *
spout_password_hash(const char *password)
{
	struct job *job;

	if (strlen(password) > SPOUT_PASSWORD_MAX)
		spout__co_leave(-EMSGSIZE, 400, "the password is longer than %d bytes",
		    SPOUT_PASSWORD_MAX);
	job = new_job(password, NULL);
	spout_run_on(SPOUT_POOL_CPU, make_job, job);
	return job->made;
}

bool
spout_password_verify(const char *password, const char *hash)
{
	return spout_run_on(SPOUT_POOL_CPU, match_job, new_job(password, hash)) == 1;
}
