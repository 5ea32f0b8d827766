/* SPDX-License-Identifier: MIT */
/* GET /fortunes: rows, one more of our own, sorted by their text, on fortunes.html. */
#include "config.h"

#include "demo.h"

#include <stdlib.h>

#include <jansson.h>

struct fortune {
	int64_t id;
	const char *message;
};

static int
fortune_compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct fortune *)a)->message, ((const struct fortune *)b)->message);
}

static json_t *
fortunes_json(const struct fortune *fortunes, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
		    json_pack("{s:I,s:s}", "id", (json_int_t)fortunes[i].id, "message",
			fortunes[i].message));
	return list;
}

void
fortunes_get(struct spout_request *req)
{
	struct spout_rows *rows;
	struct fortune *fortunes;
	size_t n;

	if (!tables_need(req))
		return;
	rows = spout_pg_query("SELECT id, message FROM fortune");
	n = spout_rows_count(rows);
	fortunes = spout_zalloc(n + 1, sizeof(*fortunes));
	for (size_t i = 0; i < n; i++)
		fortunes[i] = (struct fortune){ spout_row_int(rows, i, "id"),
			spout_row_text(rows, i, "message") };
	fortunes[n++] =
	    (struct fortune){ 0, "Additional fortune added at request time." };
	qsort(fortunes, n, sizeof(*fortunes), fortune_compare);
	spout_set_header(req, "Content-Type", "text/html; charset=utf-8");
	spout_render_pack(
	    req, "fortunes.html", "{s:o}", "fortunes", fortunes_json(fortunes, n));
}
