/* SPDX-License-Identifier: MIT */
/*
 * From typed C values to what libpq sends. Any thread.
 *
 * Numbers and bool go as text without a type, as a quoted literal would: the server gives
 * them the type that the statement wants. Bytes go in binary format, which for text, json
 * and bytea is the bytes themselves. One piece of memory holds it all:
 *
 *   values[n] | lengths[n] | formats[n] | text of numbers, copies of text and bytes, SQL
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define MAX_PARAMS 65535u

static size_t
text_bytes(const struct spout_pg_param *param, bool copy)
{
	switch (param->kind) {
	case SPOUT_PG_INT:
	case SPOUT_PG_UINT:
	case SPOUT_PG_DOUBLE:
		return SPOUT__PG_NUMBER_BYTES;
	case SPOUT_PG_TEXT:
		return copy && param->value.text != NULL ? strlen(param->value.text) + 1
							 : 0;
	case SPOUT_PG_BYTES:
		return copy ? param->value.bytes.len : 0;
	default:
		return 0;
	}
}

size_t
spout__pg_encoded_size(
    const char *sql, const struct spout_pg_param *params, size_t n, bool copy)
{
	size_t size = n * (sizeof(char *) + 2 * sizeof(int)), i;

	if (n > MAX_PARAMS)
		return SIZE_MAX;
	for (i = 0; i < n; i++)
		size += text_bytes(&params[i], copy);
	return copy ? size + strlen(sql) + 1 : size;
}

static const char *
copy_bytes(char **at, const void *data, size_t len)
{
	char *copy = *at;

	if (len > 0)
		memcpy(copy, data, len);
	*at += len;
	return copy;
}

static const char *
encode_integer(char **at, uint64_t value, bool negative)
{
	char digits[20], *text = *at;
	size_t n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	if (negative)
		*(*at)++ = '-';
	while (n > 0)
		*(*at)++ = digits[--n];
	*(*at)++ = '\0';
	return text;
}

static const char *
encode_double(char **at, double value)
{
	char *text = *at, *comma;

	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "Infinity" : "-Infinity";
	*at += (size_t)snprintf(text, SPOUT__PG_NUMBER_BYTES, "%.17g", value) + 1;
	/* The application's locale may write a comma. */
	comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '.';
	return text;
}

static const char *
encode_bytes(char **at, struct spout_slice bytes, bool copy)
{
	if (bytes.data == NULL)
		return NULL;
	return copy ? copy_bytes(at, bytes.data, bytes.len) : bytes.data;
}

/* The value as libpq wants it; NULL is SQL NULL. */
static const char *
encode(const struct spout_pg_param *param, char **at, bool copy)
{
	const char *text = *at;

	switch (param->kind) {
	case SPOUT_PG_INT:
		return encode_integer(at,
		    param->value.i < 0 ? -(uint64_t)param->value.i
				       : (uint64_t)param->value.i,
		    param->value.i < 0);
	case SPOUT_PG_UINT:
		return encode_integer(at, param->value.u, false);
	case SPOUT_PG_DOUBLE:
		return encode_double(at, param->value.d);
	case SPOUT_PG_BOOL:
		return param->value.b ? "t" : "f";
	case SPOUT_PG_TEXT:
		text = param->value.text;
		return text != NULL && copy ? copy_bytes(at, text, strlen(text) + 1)
					    : text;
	case SPOUT_PG_BYTES:
		return encode_bytes(at, param->value.bytes, copy);
	default:
		return NULL;
	}
}

int
spout__pg_encode(const char *sql, const struct spout_pg_param *params, size_t n,
    bool copy, void *memory, struct spout__pg_statement *ret_statement)
{
	const char **values = memory;
	int *lengths = (int *)(values + n), *formats = lengths + n;
	char *at = (char *)(formats + n);
	size_t i;

	for (i = 0; i < n; i++) {
		if (params[i].kind == SPOUT_PG_POINTER && params[i].value.pointer != NULL)
			return -EINVAL;
		if (params[i].kind == SPOUT_PG_BYTES &&
		    params[i].value.bytes.len > INT32_MAX)
			return -EINVAL;
		values[i] = encode(&params[i], &at, copy);
		formats[i] = params[i].kind == SPOUT_PG_BYTES;
		lengths[i] = formats[i] ? (int)params[i].value.bytes.len : 0;
	}
	*ret_statement = (struct spout__pg_statement){ .sql = sql,
		.n_params = (int)n,
		.values = values,
		.lengths = lengths,
		.formats = formats };
	if (copy)
		ret_statement->sql = copy_bytes(&at, sql, strlen(sql) + 1);
	return 0;
}

const char *
spout__pg_encode_one(
    const struct spout_pg_param *value, char memory[SPOUT__PG_NUMBER_BYTES])
{
	return encode(value, &memory, false);
}
