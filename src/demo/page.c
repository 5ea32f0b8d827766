/* SPDX-License-Identifier: MIT */
/* GET /: page.html, which the assembler puts into the program as it is. */
#include "config.h"

#include "demo.h"
#include "embed.h"

DEMO_EMBED(demo_page_html, "page.html");

static const char faults_mark[] = "<!--faults-->";
static const char faults_rows[] =
    "<tr><td><span class=\"method\">GET</span>/fault/spin?ms=</td>"
    "<td>Blocks the loop that long.</td></tr>\n"
    "<tr><td><span class=\"method\">GET</span>/fault/crash</td>"
    "<td>Kills the worker; another takes its place.</td></tr>\n"
    "<tr><td><span class=\"method\">GET</span>/fault/leak?kib=</td>"
    "<td>Leaks memory.</td></tr>\n"
    "<tr><td><span class=\"method\">GET</span>/fault/abort-db?how=</td>"
    "<td>how=backend loses its session, how=transaction fails in one.</td></tr>\n";

void
page_get(struct spout_request *req)
{
	const char *mark = strstr(demo_page_html, faults_mark);

	spout_write(req, demo_page_html, (size_t)(mark - demo_page_html));
	if (demo_fault_routes)
		spout_write_text(req, faults_rows);
	mark += sizeof(faults_mark) - 1;
	spout_write_text(req, mark);
}
