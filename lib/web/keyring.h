/* SPDX-License-Identifier: MIT */
/*
 * The secrets that sign and encrypt: a ring of keys, each with its version. The first one
 * makes, all of them read: to rotate, put a new one before the others, and drop the old
 * ones when what they signed is too old. Read-only once made.
 */
#ifndef SPOUT_WEB_KEYRING_H
#define SPOUT_WEB_KEYRING_H

#include <spout/types.h>

#define SPOUT__KEYS_MAX 16u
#define SPOUT__SECRET_MIN 16u
#define SPOUT__SECRET_MAX 512u

struct spout__key {
	uint32_t version;
	struct spout_slice secret;
};

struct spout__keyring {
	unsigned n; /* 0: there are no secrets */
	struct spout__key keys[SPOUT__KEYS_MAX];
};

/**
 * Read a ring from text, which is borrowed: one secret (version 0), or a line
 * "VERSION SECRET" for each. Empty lines and those that begin with '#' do not count.
 * Returns 0, or -EINVAL with `*ret_why`, a constant.
 */
int spout__keyring_parse(const char *text, struct spout__keyring *ret_keys,
    const char **ret_why);
/** The key of that version, or NULL. */
const struct spout__key *spout__keyring_find(const struct spout__keyring *keys,
    uint64_t version);

#endif
