/* SPDX-License-Identifier: MIT */
/*
 * A table served as JSON: start with --database URL.
 *
 *     CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email text);
 */
#include <spout/spout.h>

static void
list_users(struct spout_request *req)
{
	int64_t page = spout_arg_int(req, "page", .min = 1, .max = 1000, .otherwise = 1);

	spout_json_rows(req,
	    spout_pg_query("SELECT id, name FROM users ORDER BY id LIMIT 20 OFFSET $1",
		(page - 1) * 20));
}

static void
show_user(struct spout_request *req)
{
	struct spout_rows *rows = spout_pg_query(
	    "SELECT name, email FROM users WHERE id = $1", spout_path_int(req, "id"));

	if (spout_rows_count(rows) == 0)
		spout_fail(req, 404, "no such user");
	spout_json_row(req, rows, 0);
}

static void
add_user(struct spout_request *req)
{
	struct spout_rows *rows =
	    spout_pg_query("INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id",
		spout_require_arg(req, "name"), spout_arg(req, "email"));

	spout_set_status(req, 201);
	spout_json_row(req, rows, 0);
}

static const struct spout_route routes[] = { SPOUT_GET("/users", list_users),
	SPOUT_GET("/users/{id}", show_user, .timeout_ms = 2000),
	SPOUT_POST("/users", add_user), SPOUT_END };

int
main(int argc, char **argv)
{
	return spout_main(
	    argc, argv, &(struct spout_app){ .name = "users", .routes = routes });
}
