/* SPDX-License-Identifier: MIT */
/* See secret.h. */
#include "config.h"

#include "app/secret.h"

#include <spout/option.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "web/keyring.h"

#define ENVIRONMENT "SPOUT_COOKIE_SECRET"

static int
refuse(char *why, const char *what, const char *reason)
{
	snprintf(why, SPOUT_OPTION_WHY_SIZE, "%s: %s", what, reason);
	return -EINVAL;
}

/* The whole file as text. */
static int
read_file(const char *path, char to[SPOUT__SECRET_ROOM], char *why)
{
	FILE *file = fopen(path, "re");
	size_t n = file != NULL ? fread(to, 1, SPOUT__SECRET_ROOM, file) : 0;
	int rc = 0;

	if (file == NULL || ferror(file))
		rc = refuse(why, "cannot be read", strerror(errno));
	else if (n == SPOUT__SECRET_ROOM || memchr(to, '\0', n) != NULL)
		rc = refuse(why, "holds no secret", "it is too long, or no text");
	to[rc == 0 ? n : 0] = '\0';
	if (file != NULL)
		fclose(file);
	return rc;
}

static int
read_environment(char to[SPOUT__SECRET_ROOM], char *why)
{
	const char *text = getenv(ENVIRONMENT);
	size_t len = text != NULL ? strlen(text) : 0;

	if (len >= SPOUT__SECRET_ROOM)
		return refuse(why, "holds no secret", "it is too long");
	if (text != NULL)
		memcpy(to, text, len);
	to[len] = '\0';
	return 0;
}

int
spout__secret_read(const char *path, char to[SPOUT__SECRET_ROOM], char *why)
{
	struct spout__keyring keys;
	const char *reason;
	int rc = path != NULL ? read_file(path, to, why) : read_environment(to, why);

	unsetenv(ENVIRONMENT);
	if (rc != 0 || (path == NULL && to[0] == '\0'))
		return rc;
	rc = spout__keyring_parse(to, &keys, &reason);
	return rc != 0 ? refuse(why, "holds no secret", reason) : 0;
}

void
spout__secret_pass_on(const char *path, const char secret[SPOUT__SECRET_ROOM])
{
	if (path == NULL && secret[0] != '\0' && setenv(ENVIRONMENT, secret, 1) < 0)
		spout_warning("the secret of the cookies is not passed on");
}
