/* SPDX-License-Identifier: MIT */
/*
 * What a parameter of a route must look like: "{id:int}", "{id:int(1..1000)}",
 * "{id:uuid}", "{slug:[a-z0-9-]+}" (PCRE2, the whole value). Compiled when the table is
 * read; a path with another value is another path: 404. Read-only afterwards.
 */
#ifndef SPOUT_WEB_SCHEMA_H
#define SPOUT_WEB_SCHEMA_H

#include <spout/types.h>

struct spout__schema;

#define SPOUT__SCHEMA_WHY_SIZE 160

/**
 * Compile the text behind the colon. 0 and an owned schema; -EINVAL with `why`, or
 * -ENOMEM.
 */
int spout__schema_new(struct spout_slice text, struct spout__schema **ret_schema,
    char why[SPOUT__SCHEMA_WHY_SIZE]);
void spout__schema_free(struct spout__schema *schema);
/** Does the value, decoded, fit? A pattern that takes too long does not. */
bool spout__schema_fits(const struct spout__schema *schema, struct spout_slice value);

#endif
