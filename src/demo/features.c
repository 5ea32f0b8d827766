/* SPDX-License-Identifier: MIT */
/*
 * GET /features: every feature, a live part of it, and beside that the source that serves
 * it. The page is templates/features.html, the sources are in the program (sources.c).
 */
#include "config.h"

#include "demo.h"
#include "embed.h"

DEMO_EMBED(features_css, "features.css");
DEMO_EMBED(features_js, "features.js");

/* Nothing from elsewhere and nothing inline; "localhost" is another origin for CORS. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self' http://localhost:* https://localhost:* http://127.0.0.1:* "
    "https://127.0.0.1:*; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#define MAX_NAMES 4

/* source("events.c", "events_get") for templates: a file, or functions of it. */
static int
source(struct spout_template_call *call)
{
	size_t n = spout_template_arg_count(call);
	const char *texts[1 + MAX_NAMES], *html;

	if (n < 1 || n > 1 + MAX_NAMES)
		return spout_template_fail(call, "source(file, function, …)");
	for (size_t i = 0; i < n; i++) {
		struct spout_slice text = spout_template_arg_text(call, i);

		texts[i] = spout_sprintf("%.*s", (int)text.len, text.data);
	}
	html = sources_html(texts[0], texts + 1, n - 1);
	if (html == NULL)
		return spout_template_fail(call, "no such source in %s", texts[0]);
	return spout_template_return_html(call, html, strlen(html));
}

const struct spout_template_function demo_template_functions[] = {
	{ .name = "source", .fn = source },
	{ .name = NULL },
};

void
features_get(struct spout_request *req)
{
	spout_set_header(req, "Content-Security-Policy", policy);
	spout_set_header(req, "X-Content-Type-Options", "nosniff");
	spout_set_header(req, "Cache-Control", "no-store"); /* tokens, and a name */
	spout_render_pack(req, "features.html", "{s:b, s:b, s:s?}", "database",
	    spout_has_database(), "fetch", demo_fetch_allow, "user", login_user(req));
}

static void
asset(struct spout_request *req, const char *type, const char *text)
{
	spout_set_header(req, "Content-Type", type);
	spout_set_header(req, "Cache-Control", "no-cache");
	spout_write_text(req, text);
}

void
features_css_get(struct spout_request *req)
{
	asset(req, "text/css; charset=UTF-8", features_css);
}

void
features_js_get(struct spout_request *req)
{
	asset(req, "text/javascript; charset=UTF-8", features_js);
}
