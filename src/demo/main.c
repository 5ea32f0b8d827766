/* SPDX-License-Identifier: MIT */
/* spout-demo: its routes, its options, its life cycle. */
#include "config.h"

#include "demo.h"
#include "features/features.h"

#define MAX_UPLOAD_BYTES ((uint64_t)8 << 30)
#define TABLES_EVERY_MS 500

bool demo_fault_routes, demo_fetch_allow;

static const struct spout_route routes[] = { SPOUT_GET("/", page_get),
	SPOUT_GET("/plaintext", plaintext_get, .no_compress = true),
	SPOUT_GET("/json", json_get, .no_compress = true),
	SPOUT_GET("/events", events_get),
	/* For programs: no browser's cookie decides here. */
	SPOUT_POST("/echo", echo_post, .stream_body = true, .xsrf_exempt = true,
	    .decompress_body = true),
	SPOUT_POST("/upload", upload_post, .stream_body = true, .xsrf_exempt = true,
	    .max_body_bytes = MAX_UPLOAD_BYTES, .timeout_ms = 600000),
	SPOUT_GET("/sleep", sleep_get, .timeout_ms = 90000),
	SPOUT_GET("/cpu", cpu_get, .timeout_ms = 90000),
	SPOUT_GET("/fetch", fetch_get), SPOUT_GET("/db", db_get),
	SPOUT_GET("/queries", queries_get), SPOUT_GET("/fortunes", fortunes_get),
	SPOUT_GET("/updates", updates_get),
	SPOUT_GET("/cached-queries", cached_queries_get),
	SPOUT_GET("/db/sleep", db_sleep_get, .timeout_ms = 90000),
	SPOUT_GET("/export", export_get, .timeout_ms = 600000, .no_compress = true),
	SPOUT_GET("/login", login_get), SPOUT_POST("/login", login_post),
	SPOUT_POST("/logout", logout_post),
	SPOUT_GET("/account", account_get, .login_required = true),
	SPOUT_GET("/session", session_get),
	SPOUT_WEBSOCKET("/ws/echo", &websocket_echo),
	ROOM_ROUTES,
	SPOUT_GET("/features", features_get),
	SPOUT_GET("/features/page.css", features_css_get),
	SPOUT_GET("/features/page.js", features_js_get),
	SPOUT_MOUNT("/features", features_arguments),
	SPOUT_MOUNT("/features", features_auth),
	SPOUT_MOUNT("/features", features_compression),
	SPOUT_MOUNT("/features", features_cookies),
	SPOUT_MOUNT("/features", features_cors),
	SPOUT_MOUNT("/features", features_errors),
	SPOUT_MOUNT("/features", features_files),
	SPOUT_MOUNT("/features", features_form),
	SPOUT_MOUNT("/features", features_json),
	SPOUT_MOUNT("/features", features_languages),
	SPOUT_MOUNT("/features", features_middleware),
	SPOUT_MOUNT("/features", features_rate),
	SPOUT_MOUNT("/features", features_routes),
	SPOUT_MOUNT("/features", features_stream),
	SPOUT_MOUNT("/features", features_template),
	SPOUT_MOUNT("/features", features_together),
	SPOUT_MOUNT("/features", features_unchanged),
	SPOUT_MOUNT("/features", features_upload), SPOUT_END };

static const struct spout_route fault_routes[] = { SPOUT_GET(
						       "/fault/spin", fault_spin_get),
	SPOUT_GET("/fault/crash", fault_crash_get),
	SPOUT_GET("/fault/leak", fault_leak_get),
	SPOUT_GET("/fault/abort-db", fault_abort_db_get), SPOUT_END };

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

static const struct spout_option options[] = {
	{ .name = "fetch-allow",
	    .type = SPOUT_OPTION_FLAG,
	    .into = &demo_fetch_allow,
	    .otherwise = "no",
	    .group = "Demo:",
	    .help = "Let /fetch ask other servers on the loopback of this machine" },
	{ .name = "fault-routes",
	    .type = SPOUT_OPTION_FLAG,
	    .into = &demo_fault_routes,
	    .otherwise = "no",
	    .help =
		"Serve /fault/spin, /fault/crash, /fault/leak and /fault/abort-db, which "
		"break the server on purpose" },
	SPOUT_OPTIONS_END,
};

static const struct spout_periodic_task tasks[] = {
	{ .name = "demo-tables",
	    .run = tables_round,
	    .every_ms = TABLES_EVERY_MS,
	    .jitter = 0.2 },
	{ .name = NULL },
};

/* The options are known here, the server is not yet made: choose the routes. */
static int
preload(struct spout_app *app)
{
	static char secret[2 * 32 + 1];
	static struct spout_route
	    all[N_ROUTES + sizeof(fault_routes) / sizeof(fault_routes[0])];
	static char files[DEMO_PATH_SIZE];
	char path[DEMO_PATH_SIZE];
	const char *locales = demo_folder("locale", path);

	if (app->cookie_secret == NULL) { /* logins then end with the program */
		unsigned char random[32];

		spout_random(random, sizeof(random));
		spout_hex(random, sizeof(random), secret);
		app->cookie_secret = secret;
	}
	memcpy(all, routes, sizeof(routes));
	if (demo_fault_routes) /* over the end mark of the first table */
		memcpy(all + N_ROUTES - 1, fault_routes, sizeof(fault_routes));
	app->routes = all;
	app->static_path = demo_folder("static", files);
	app->locales = locales != NULL ? spout_locales_load(locales, "spout-demo") : NULL;
	return 0;
}

static void
on_worker_start(struct spout_app *app)
{
	(void)app;
	tables_start();
	room_start();
	fetch_start();
}

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){
		.name = "spout-demo",
		.version = PACKAGE_VERSION,
		.description = "Shows what Spout can do, on http://127.0.0.1:8888.",
		.options = options,
		.periodic_tasks = tasks,
		.template_programs = demo_templates,
		.template_functions = demo_template_functions,
		.get_user_locale = features_locale,
		.cors = &features_cors_rules,
		.preload = preload,
		.on_worker_start = on_worker_start,
		.compress = true,
		.xsrf_cookies = true,
		.current_user = login_user,
		.sessions = &(const struct spout_sessions){ .idle_s = 3600 },
	    });
}
