/* SPDX-License-Identifier: MIT */
/*
 * A catalogue of messages in the format of gettext's .mo files (gettext manual 10.3),
 * either byte order. Everything is checked when it is opened, so that a look-up trusts
 * it. Read-only afterwards, any thread.
 */
#ifndef SPOUT_WEB_CATALOGUE_H
#define SPOUT_WEB_CATALOGUE_H

#include "web/plural.h"

struct spout__catalogue {
	const char *data; /* borrowed */
	size_t len;
	bool swapped;     /* the file has the other byte order */
	uint32_t n, originals, translations; /* messages; offsets of the two tables */
	struct spout__plural plural;
};

/**
 * Look through the bytes of a file, which must stay. 0, or -EBADMSG: not of this format,
 * a text that does not end within the file or is not UTF-8, messages out of order,
 * another charset, a plural rule that is malformed.
 */
int spout__catalogue_open(struct spout__catalogue *c, const char *data, size_t len);
/**
 * The translation of a message, in a context unless that is NULL: all forms, each ended
 * by a NUL. data NULL: there is none.
 */
struct spout_slice spout__catalogue_find(const struct spout__catalogue *c,
    const char *context, const char *message);

#endif
