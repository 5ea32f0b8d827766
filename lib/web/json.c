/* SPDX-License-Identifier: MIT */
/*
 * JSON in and out, by jansson. Nothing here waits while jansson is on the stack or holds
 * what a coroutine that leaves would leak.
 */
#include "config.h"

#include <errno.h>

#include <jansson.h>

#include "base/text.h"
#include "web/json_dump.h"
#include "web/request.h"

#define SMALL_BYTES 1024u

/* --- out ------------------------------------------------------------------------ */

/* The text of a value in the scope; NULL with an error text. Drops the reference. */
static char *
dump(struct json_t *value, char *small, size_t *ret_len)
{
	size_t len = spout__json_dump(value, small, SMALL_BYTES);
	char *text = small;

	if (len > SMALL_BYTES) {
		text = spout_alloc_in(spout_scope_current(), len);
		if (text != NULL)
			len = spout__json_dump(value, text, len);
	}
	json_decref(value);
	*ret_len = len;
	return len > 0 ? text : NULL;
}

void
spout_json(struct spout_request *req, struct json_t *value)
{
	char small[SMALL_BYTES];
	size_t len;
	char *text;

	if (value == NULL)
		spout__co_leave(-EINVAL, 0, "spout_json: no value");
	text = dump(value, small, &len);
	if (text == NULL)
		spout__co_leave(-ENOMEM, 0, "spout_json: the value cannot be encoded");
	spout__response_type(req, SPOUT__LITERAL("application/json; charset=UTF-8"));
	spout_write(req, text, len);
}

void
spout_json_pack(struct spout_request *req, const char *fmt, ...)
{
	json_error_t error;
	json_t *value;
	va_list ap;

	va_start(ap, fmt);
	value = json_vpack_ex(&error, 0, fmt, ap);
	va_end(ap);
	if (value == NULL)
		spout__co_leave(-EINVAL, 0, "spout_json_pack: %s", error.text);
	spout_json(req, value);
}

/* --- in ------------------------------------------------------------------------- */

static void
drop(void *value)
{
	json_decref(value);
}

struct json_t *
spout_body_json(struct spout_request *req)
{
	struct spout_slice body = spout_body(req);
	json_error_t error;
	json_t *value;

	if (!spout__json_depth_ok(body))
		spout_fail(
		    req, 400, "body: JSON nested deeper than %u", SPOUT__JSON_MAX_DEPTH);
	value = json_loadb(
	    body.data, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value == NULL)
		spout_fail(req, 400, "body: malformed JSON: line %d, column %d: %s",
		    error.line, error.column, error.text);
	spout_defer(drop, value);
	return value;
}
