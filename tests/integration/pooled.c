/* SPDX-License-Identifier: MIT */
/*
 * Asks the database, in all the ways there are, and says which server answered:
 *
 *   /read       a query            /write?bytes=N   a query that writes
 *   /function   spout_pg_run()     /transaction
 *   /sort       more than the server may put into temporary files
 */
#include <stdlib.h>

#include <libpq-fe.h>
#include <spout/spout.h>

static const char read_sql[] = "SELECT current_setting('port') AS port, "
			       "(SELECT count(*) FROM notes) AS notes";
static const char write_sql[] = "INSERT INTO notes (text) VALUES (repeat('x', $1)) "
				"RETURNING current_setting('port') AS port, id";

static void
read_get(struct spout_request *req)
{
	spout_json_row(req, spout_pg_query(read_sql), 0);
}

static void
write_get(struct spout_request *req)
{
	const char *bytes = spout_query_arg(req, "bytes");

	spout_json_row(
	    req, spout_pg_query(write_sql, bytes != NULL ? atoi(bytes) : 1), 0);
}

static void
sort_get(struct spout_request *req)
{
	spout_json_row(req,
	    spout_pg_query("SELECT max(a) AS port FROM (SELECT row_number() OVER "
			   "(ORDER BY md5(g::text)) AS a "
			   "FROM generate_series(1, 40000) AS g) AS sorted"),
	    0);
}

static int
write_on(struct pg_conn *conn, void *arg)
{
	struct spout_rows *rows = spout_pg_exec(conn, write_sql, 1);

	if (rows == NULL)
		return spout_pg_exec_error(conn);
	*(int64_t *)arg = spout_row_int(rows, 0, "port");
	return 0;
}

static void
function_get(struct spout_request *req)
{
	int64_t port;

	spout_pg_run(write_on, &port);
	spout_printf(req, "{\"port\":\"%lld\"}", (long long)port);
}

static void
transaction_get(struct spout_request *req)
{
	int64_t port;

	spout_pg_transaction(write_on, &port);
	spout_printf(req, "{\"port\":\"%lld\"}", (long long)port);
}

static const struct spout_route routes[] = {
	SPOUT_GET("/read", read_get),
	SPOUT_GET("/write", write_get),
	SPOUT_GET("/sort", sort_get),
	SPOUT_GET("/function", function_get),
	SPOUT_GET("/transaction", transaction_get),
	SPOUT_END
};

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "pooled", .routes = routes });
}
