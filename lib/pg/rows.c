/* SPDX-License-Identifier: MIT */
/*
 * Looking at rows. On the loop inside a coroutine, or on a db thread for the rows of
 * spout_pg_exec(): there a mistake cannot leave, so it is kept in the connection and the
 * function's call fails when the function has returned.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

/* Decoded bytes that live as long as the rows. */
struct spout__pg_bytes {
	struct spout__pg_bytes *next;
	unsigned char *data;
};

void
spout__pg_rows_release(struct spout_rows *rows)
{
	struct spout__pg_bytes *bytes;

	while ((bytes = rows->decoded) != NULL) {
		rows->decoded = bytes->next;
		PQfreemem(bytes->data);
		free(bytes);
	}
	PQclear(rows->result);
	rows->result = NULL;
}

/* The caller's mistake. Returns only inside a job. */
#define misuse(rows, code, ...) \
	do { \
		if ((rows)->conn == NULL) \
			spout_fail_with((code), __VA_ARGS__); \
		if ((rows)->conn->misuse.error == 0) \
			spout__pg_fail(&(rows)->conn->misuse, (code), __VA_ARGS__); \
	} while (0)

/* --- where a value is ------------------------------------------------------------- */

size_t
spout_rows_count(const struct spout_rows *rows)
{
	return (size_t)PQntuples(rows->result);
}

size_t
spout_rows_columns(const struct spout_rows *rows)
{
	return (size_t)PQnfields(rows->result);
}

uint64_t
spout_rows_affected(const struct spout_rows *rows)
{
	return strtoull(PQcmdTuples(rows->result), NULL, 10);
}

int
spout_rows_column(const struct spout_rows *rows, const char *name)
{
	int i, n = PQnfields(rows->result);

	/* Not PQfnumber(): that folds case, and finds no "userId" by its name. */
	for (i = 0; i < n; i++)
		if (strcmp(PQfname(rows->result, i), name) == 0)
			return i;
	return -ENOENT;
}

static bool
has_column(struct spout_rows *rows, size_t column)
{
	if (column < spout_rows_columns(rows))
		return true;
	misuse(rows, -EINVAL, "there is no column %zu: the result has %zu", column,
	    spout_rows_columns(rows));
	return false;
}

static bool
has_row(struct spout_rows *rows, size_t row)
{
	if (row < spout_rows_count(rows))
		return true;
	misuse(rows, -EINVAL, "there is no row %zu: the result has %zu", row,
	    spout_rows_count(rows));
	return false;
}

/* The number of a column in a row that is there, or -1 after a misuse. */
static int
locate(struct spout_rows *rows, size_t row, const char *name)
{
	int column = spout_rows_column(rows, name);

	if (column < 0) {
		misuse(rows, -EINVAL, "the result has no column \"%s\"", name);
		return -1;
	}
	return has_row(rows, row) ? column : -1;
}

/* --- values by name --------------------------------------------------------------- */

bool
spout_row_is_null(struct spout_rows *rows, size_t row, const char *column)
{
	int i = locate(rows, row, column);

	return i < 0 || PQgetisnull(rows->result, (int)row, i);
}

const char *
spout_row_text(struct spout_rows *rows, size_t row, const char *column)
{
	int i = locate(rows, row, column);

	if (i < 0 || PQgetisnull(rows->result, (int)row, i))
		return NULL;
	return PQgetvalue(rows->result, (int)row, i);
}

/* The text of a value that may not be NULL; NULL after a misuse. */
static const char *
must_have(struct spout_rows *rows, size_t row, const char *column, const char *wanted)
{
	int i = locate(rows, row, column);

	if (i < 0)
		return NULL;
	if (!PQgetisnull(rows->result, (int)row, i))
		return PQgetvalue(rows->result, (int)row, i);
	misuse(rows, -EINVAL, "column \"%s\" is NULL, %s was asked for", column, wanted);
	return NULL;
}

int64_t
spout_row_int(struct spout_rows *rows, size_t row, const char *column)
{
	const char *text = must_have(rows, row, column, "a whole number");
	long long value;
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0)
		return value;
	misuse(rows, -EINVAL, "column \"%s\" holds \"%.40s\", no whole number of 64 bits",
	    column, text);
	return 0;
}

double
spout_row_double(struct spout_rows *rows, size_t row, const char *column)
{
	const char *text = must_have(rows, row, column, "a number");
	double value;
	char *end;

	if (text == NULL)
		return 0;
	/* Not in the application's locale, whose numbers may have a comma. */
	value = strtod_l(text, &end, newlocale(LC_ALL_MASK, "C", NULL));
	if (end != text && *end == '\0')
		return value;
	misuse(rows, -EINVAL, "column \"%s\" holds \"%.40s\", no number", column, text);
	return 0;
}

bool
spout_row_bool(struct spout_rows *rows, size_t row, const char *column)
{
	const char *text = must_have(rows, row, column, "a truth value");

	if (text == NULL)
		return false;
	if (strcmp(text, "t") != 0 && strcmp(text, "f") != 0)
		misuse(rows, -EINVAL, "column \"%s\" holds \"%.40s\", no boolean", column,
		    text);
	return text[0] == 't' && text[1] == '\0';
}

/* --- bytes ------------------------------------------------------------------------ */

/* From PostgreSQL's pg_type.dat: these numbers are part of its protocol. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_OID = 26,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802,
};

static struct spout_slice
decode_bytea(struct spout_rows *rows, const char *text)
{
	struct spout__pg_bytes *bytes = malloc(sizeof(*bytes));
	size_t len = 0;

	if (bytes != NULL)
		bytes->data = PQunescapeBytea((const unsigned char *)text, &len);
	if (bytes == NULL || bytes->data == NULL) {
		free(bytes);
		misuse(rows, -ENOMEM, "out of memory (bytea value)");
		return spout_slice_of(NULL, 0);
	}
	bytes->next = rows->decoded;
	rows->decoded = bytes;
	return spout_slice_of(bytes->data, len);
}

struct spout_slice
spout_row_bytes(struct spout_rows *rows, size_t row, const char *column)
{
	int i = locate(rows, row, column);

	if (i < 0 || PQgetisnull(rows->result, (int)row, i))
		return spout_slice_of(NULL, 0);
	if (PQftype(rows->result, i) == OID_BYTEA)
		return decode_bytea(rows, PQgetvalue(rows->result, (int)row, i));
	return spout_rows_value(rows, row, (size_t)i);
}

/* --- columns by number ------------------------------------------------------------ */

const char *
spout_rows_name(struct spout_rows *rows, size_t column)
{
	return has_column(rows, column) ? PQfname(rows->result, (int)column) : "";
}

uint32_t
spout_rows_type(struct spout_rows *rows, size_t column)
{
	return has_column(rows, column) ? PQftype(rows->result, (int)column) : 0;
}

enum spout_column_kind
spout_rows_kind(struct spout_rows *rows, size_t column)
{
	switch (spout_rows_type(rows, column)) {
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_OID:
		return SPOUT_COLUMN_INT;
	case OID_FLOAT4:
	case OID_FLOAT8:
	case OID_NUMERIC:
		return SPOUT_COLUMN_NUMBER;
	case OID_BOOL:
		return SPOUT_COLUMN_BOOL;
	case OID_JSON:
	case OID_JSONB:
		return SPOUT_COLUMN_JSON;
	case OID_BYTEA:
		return SPOUT_COLUMN_BYTES;
	default:
		return SPOUT_COLUMN_TEXT;
	}
}

struct spout_slice
spout_rows_value(struct spout_rows *rows, size_t row, size_t column)
{
	if (!has_column(rows, column) || !has_row(rows, row) ||
	    PQgetisnull(rows->result, (int)row, (int)column))
		return spout_slice_of(NULL, 0);
	return spout_slice_of(PQgetvalue(rows->result, (int)row, (int)column),
	    (size_t)PQgetlength(rows->result, (int)row, (int)column));
}
