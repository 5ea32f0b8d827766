/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* "waterspout": a table of users would hold this. */
static const char hash[] =
    "$y$j9T$6nur01oggU6iQmeoDeKQw0$wCU711/JnnT9/rKmzt.AWSHS/F2sTSG.ZIXG4Q01IhC";

/* The hash is checked on the cpu pool; without a user it takes as long as with one. */
static void
auth_get(struct spout_request *req)
{
	const char *user, *password;
	bool known;

	if (!spout_basic_auth(req, &user, &password))
		spout_fail_unauthorized(req, "Bearer realm=\"demo\"");
	known = strcmp(user, "ann") == 0;
	if (!spout_password_verify(password, known ? hash : NULL))
		spout_fail(req, 403, "wrong name or password");
	spout_json_pack(req, "{s:s}", "hello", user);
}

const struct spout_route features_auth[] = {
	SPOUT_GET("/auth", auth_get),
	SPOUT_END,
};
