/* SPDX-License-Identifier: MIT */
/* Secrets from text: see keyring.h. Pure. */
#include "config.h"

#include "web/keyring.h"

#include <errno.h>

/* Split a line into version and secret; one word alone is a secret. */
static const char *
parse_line(struct spout_slice line, struct spout__key *ret_key, bool *ret_alone)
{
	uint64_t version = 0;
	size_t i = 0;

	while (i < line.len && line.data[i] != ' ' && line.data[i] != '\t')
		i++;
	*ret_alone = i == line.len;
	if (*ret_alone) {
		*ret_key = (struct spout__key){ 0, line };
		return NULL;
	}
	for (size_t k = 0; k < i; k++) {
		if (line.data[k] < '0' || line.data[k] > '9')
			return "a line is not \"VERSION SECRET\"";
		version = version * 10 + (uint64_t)(line.data[k] - '0');
		if (version > UINT32_MAX)
			return "a version is too large";
	}
	while (i < line.len && (line.data[i] == ' ' || line.data[i] == '\t'))
		i++;
	*ret_key = (struct spout__key){ (uint32_t)version,
		spout_slice_of(line.data + i, line.len - i) };
	if (memchr(ret_key->secret.data, ' ', ret_key->secret.len) != NULL)
		return "a secret has a space in it";
	return NULL;
}

static const char *
add(struct spout__keyring *keys, struct spout_slice line, bool *alone)
{
	struct spout__key key;
	const char *why = parse_line(line, &key, alone);

	if (why != NULL)
		return why;
	if (key.secret.len < SPOUT__SECRET_MIN)
		return "a secret is shorter than 16 characters";
	if (key.secret.len > SPOUT__SECRET_MAX)
		return "a secret is longer than 512 characters";
	if (spout__keyring_find(keys, key.version) != NULL)
		return *alone ? "of several secrets each needs a version before it"
			      : "a version stands there twice";
	if (keys->n == SPOUT__KEYS_MAX)
		return "there are more than 16 secrets";
	keys->keys[keys->n++] = key;
	return NULL;
}

int
spout__keyring_parse(
    const char *text, struct spout__keyring *ret_keys, const char **ret_why)
{
	struct spout__keyring keys = { 0 };
	bool alone = false, any_alone = false;

	*ret_why = NULL;
	while (*text != '\0' && *ret_why == NULL) {
		size_t len = strcspn(text, "\n"), skip = strspn(text, " \t"), end = len;

		while (end > skip && strchr(" \t\r", text[end - 1]) != NULL)
			end--;
		if (end > skip && text[skip] != '#') {
			*ret_why =
			    add(&keys, spout_slice_of(text + skip, end - skip), &alone);
			any_alone = any_alone || alone;
		}
		text += len + (text[len] == '\n');
	}
	if (*ret_why == NULL && keys.n == 0)
		*ret_why = "there is no secret in it";
	if (*ret_why == NULL && any_alone && keys.n > 1)
		*ret_why = "of several secrets each needs a version before it";
	if (*ret_why != NULL)
		return -EINVAL;
	*ret_keys = keys;
	return 0;
}

const struct spout__key *
spout__keyring_find(const struct spout__keyring *keys, uint64_t version)
{
	unsigned i;

	for (i = 0; i < keys->n; i++)
		if (keys->keys[i].version == version)
			return &keys->keys[i];
	return NULL;
}
