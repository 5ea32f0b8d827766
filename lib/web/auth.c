/* SPDX-License-Identifier: MIT */
/* The field Authorization: basic (RFC 7617) and bearer (RFC 6750). */
#include "config.h"

#include <strings.h>

#include <spout/crypto.h>

#include "base/text.h"
#include "web/guard.h"

/* What follows the scheme, if it is that one (RFC 9110 11.4: in any case); else NULL. */
static const char *
credentials(struct spout_request *req, const char *scheme)
{
	const char *value = spout_header(req, "Authorization");
	size_t len = strlen(scheme);

	if (value == NULL || strncasecmp(value, scheme, len) != 0 || value[len] != ' ')
		return NULL;
	return value + len + strspn(value + len, " ");
}

bool
spout_basic_auth(
    struct spout_request *req, const char **ret_user, const char **ret_password)
{
	const char *text = credentials(req, "Basic");
	char *both, *colon;
	long n, i;

	if (text == NULL)
		return false;
	both = spout_alloc(SPOUT_BASE64_ROOM(strlen(text)) + 1);
	n = spout_base64_decode(text, strlen(text), both);
	if (n < 0 || !spout__utf8_valid(both, (size_t)n))
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)both[i] < 0x20 || both[i] == 0x7f)
			return false;
	both[n] = '\0';
	colon = strchr(both, ':');
	if (colon == NULL)
		return false;
	*colon = '\0';
	*ret_user = both;
	*ret_password = colon + 1;
	return true;
}

const char *
spout_bearer_token(struct spout_request *req)
{
	static const char b64token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789-._~+/";
	const char *token = credentials(req, "Bearer");
	size_t n;

	if (token == NULL)
		return NULL;
	n = strspn(token, b64token);
	return n > 0 && token[n + strspn(token + n, "=")] == '\0' ? token : NULL;
}

void
spout_fail_unauthorized(struct spout_request *req, const char *challenge)
{
	spout__guarded(req)->challenge = spout_strdup(challenge);
	spout_fail(req, 401, "log in to see this");
}

void
spout_require_basic_auth(struct spout_request *req, const char *realm,
    const char **ret_user, const char **ret_password)
{
	if (!spout_basic_auth(req, ret_user, ret_password))
		spout_fail_unauthorized(
		    req, spout_sprintf("Basic realm=\"%s\", charset=\"UTF-8\"", realm));
}
