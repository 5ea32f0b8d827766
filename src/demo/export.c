/* SPDX-License-Identifier: MIT */
/*
 * Data of any size from the database, in a memory that does not grow with it: the server
 * makes the rows as they are sent, and waits while the client is slow.
 */
#include "config.h"

#include "demo.h"

#define MAX_ROWS 100000000

static const char rows_sql[] =
    "SELECT n, md5(n::text) AS digest, 'row number ' || n || ', made for you' AS text"
    " FROM (SELECT generate_series(1, %lld) AS n) AS numbers";

/* COPY makes CSV by itself; a statement of its kind takes no parameters. */
static void
export_csv(struct spout_request *req, const char *select)
{
	struct spout_pg_copy *copy = spout_pg_copy_out(
	    spout_sprintf("COPY (%s) TO STDOUT (FORMAT csv, HEADER)", select));
	struct spout_slice part;

	spout_set_header(req, "Content-Type", "text/csv; charset=utf-8");
	spout_set_header(
	    req, "Content-Disposition", "attachment; filename=\"export.csv\"");
	while ((part = spout_pg_copy_read(copy)).len > 0)
		spout_write(req, part.data, part.len);
}

/* An object in each line. What is in these rows needs no escapes. */
static void
export_json(struct spout_request *req, const char *select)
{
	struct spout_pg_stream *stream = spout_pg_stream(select);
	struct spout_rows *row;

	spout_set_header(req, "Content-Type", "application/jsonl");
	while ((row = spout_pg_stream_next(stream)) != NULL)
		spout_printf(req, "{\"n\": %s, \"digest\": \"%s\", \"text\": \"%s\"}\n",
		    spout_row_text(row, 0, "n"), spout_row_text(row, 0, "digest"),
		    spout_row_text(row, 0, "text"));
}

void
export_get(struct spout_request *req)
{
	int64_t n = spout_arg_int(req, "n", .max = MAX_ROWS, .otherwise = 1000);
	const char *as = spout_arg(req, "as");
	const char *select = spout_sprintf(rows_sql, (long long)n);

	if (as == NULL || strcmp(as, "csv") == 0)
		export_csv(req, select);
	else if (strcmp(as, "json") == 0)
		export_json(req, select);
	else
		spout_fail(req, 400, "as: csv or json");
}
