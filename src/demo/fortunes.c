/* SPDX-License-Identifier: MIT */
/* GET /fortunes: rows, one more of our own, sorted by their text, as an HTML table. */
#include "config.h"

#include "demo.h"

#include <stdlib.h>

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

static void
fortunes_write(struct spout_request *req, const struct fortune *fortunes, size_t n)
{
	spout_set_header(req, "Content-Type", "text/html; charset=utf-8");
	spout_write_text(req,
	    "<!DOCTYPE html><html><head><title>Fortunes</title></head>"
	    "<body><table><tr><th>id</th><th>message</th></tr>");
	for (size_t i = 0; i < n; i++) {
		spout_printf(req, "<tr><td>%lld</td><td>", (long long)fortunes[i].id);
		spout_write_escaped(req, fortunes[i].message);
		spout_write_text(req, "</td></tr>");
	}
	spout_write_text(req, "</table></body></html>");
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
	fortunes_write(req, fortunes, n);
}
