/* SPDX-License-Identifier: MIT */
/*
 * jansson's values as text, byte for byte what json_dumps(JSON_COMPACT | JSON_ENCODE_ANY)
 * gives, at a fraction of its cost: it goes through stdio for each number and escapes
 * character by character. Pure, any thread.
 */
#ifndef SPOUT_WEB_JSON_DUMP_H
#define SPOUT_WEB_JSON_DUMP_H

#include <stddef.h>

struct json_t;

/* Arrays and objects inside each other: it recurses, on the stack of a coroutine. */
#define SPOUT__JSON_DUMP_DEPTH 256u

/**
 * Write the text of a value, at most `size` bytes of it. Returns its length, which may be
 * larger, or 0 if it has none: nested too deeply (or in itself), or a text in it is not
 * UTF-8. Writes no NUL.
 */
size_t spout__json_dump(const struct json_t *value, char *to, size_t size);

#endif
