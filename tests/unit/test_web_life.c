/* SPDX-License-Identifier: MIT */
/* What stands around handlers: middleware, finishers, tables, hosts, redirects. */
#include "config.h"

#include "unit.h"
#include "web_client.h"

#include <errno.h>
#include <stdio.h>

static char trace[512];

static void
note(const char *text)
{
	strncat(trace, text, sizeof(trace) - strlen(trace) - 1);
}

/* --- middleware --------------------------------------------------------------------- */

static void
outer(struct spout_request *req)
{
	note("<outer ");
	spout_set_header(req, "X-Outer", "was here");
	spout_next(req);
	note("outer> ");
}

static void
inner(struct spout_request *req)
{
	note("<inner ");
	spout_next(req);
	note("inner> ");
}

static void
guard(struct spout_request *req)
{
	if (spout_arg(req, "key") == NULL)
		spout_fail(req, 403, "no key");
	spout_next(req);
	spout_next(req); /* once too often: a warning */
}

static void
handler(struct spout_request *req)
{
	note("handler ");
	spout_plain(req, "handled");
}

static void
where(struct spout_request *req)
{
	spout_printf(req, "%s", (const char *)spout_route_data(req));
}

static void
reverse(struct spout_request *req)
{
	const char *which = spout_arg(req, "which");

	if (strcmp(which, "user") == 0)
		spout_plain(req, spout_reverse_url(req, "user", "a b/c"));
	else if (strcmp(which, "file") == 0)
		spout_plain(req, spout_reverse_url(req, "file", "a b/c.txt"));
	else if (strcmp(which, "few") == 0)
		spout_plain(req, spout_reverse_url(req, "user"));
	else if (strcmp(which, "many") == 0)
		spout_plain(req, spout_reverse_url(req, "user", "1", "2"));
	else
		spout_plain(req, spout_reverse_url(req, which));
}

static void
path_of(struct spout_request *req)
{
	spout_plain(req, spout_path(req, "id"));
}

static void
remember(struct spout_request *req, const struct spout_finish *how, void *arg)
{
	char text[64];

	(void)req;
	snprintf(text, sizeof(text), "%s:%d%s ", (const char *)arg, how->status,
	    how->cut ? " cut" : "");
	note(text);
}

static void
finished(struct spout_request *req)
{
	spout_on_finish(req, remember, "first");
	spout_on_finish(req, remember, "second");
	if (spout_arg(req, "cut") != NULL)
		spout_flush(req);
	if (spout_arg(req, "fail") != NULL)
		spout_fail(req, 503, "failed");
	spout_plain(req, "fine");
}

static void
app_finished(struct spout_request *req, const struct spout_finish *how)
{
	CU_ASSERT(how->cut || how->bytes > 0);
	remember(req, how, "app");
}

static const spout_handler_fn guards[] = { guard, NULL };
static const spout_handler_fn inners[] = { inner, NULL };
static const spout_handler_fn outers[] = { outer, NULL };

static const struct spout_route deep[] = {
	SPOUT_GET("", where, .data = "deep", .name = "deep"),
	SPOUT_GET("/users/{id}", path_of, .name = "user", .middleware = guards),
	SPOUT_END,
};

static const struct spout_route admin[] = {
	SPOUT_GET("/", where, .data = "admin"),
	SPOUT_GET("/handled", handler),
	SPOUT_MOUNT("/deep", deep),
	SPOUT_END,
};

static const struct spout_route routes[] = {
	SPOUT_GET("/", where, .data = "root"),
	SPOUT_GET("/guarded", handler, .middleware = guards),
	SPOUT_GET("/finished", finished),
	SPOUT_GET("/reverse", reverse),
	SPOUT_GET("/f\xc3\xa9/{path...}", handler, .name = "file"),
	SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_POST, "/noslash", handler),
	SPOUT_GET("/slash/", handler),
	SPOUT_REDIRECT("/u/{id}", "/users/{id}"),
	SPOUT_REDIRECT("/old/{name}", "/{name}"),
	SPOUT_REDIRECT("/moved/{rest...}", "/{rest}"),
	SPOUT_REDIRECT_FOUND("/away/{p...}", "https://example.org/x?a=1&{p}{none}"),
	SPOUT_MOUNT("/admin", admin, .middleware = inners),
	SPOUT_END,
};

static void
start(struct spout_app *app)
{
	trace[0] = '\0';
	begin(app, NO_ACCESS_LOG);
}

static void
middleware_wraps_from_the_outside_in(void)
{
	struct spout_app app = { .name = "t", .routes = routes, .middleware = outers };

	start(&app);
	get("/admin/handled");
	CU_ASSERT(has("X-Outer: was here") && has("handled"));
	CU_ASSERT_STRING_EQUAL(trace, "<outer <inner handler inner> outer> ");
	trace[0] = '\0';
	get("/healthz");
	CU_ASSERT(status_is(200));
	CU_ASSERT_STRING_EQUAL(trace, "");
	end();
}

static void
middleware_may_answer_instead(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	start(&app);
	get("/guarded");
	CU_ASSERT(status_is(403));
	CU_ASSERT_STRING_EQUAL(trace, "");
	get("/guarded?key=1");
	CU_ASSERT(status_is(200));
	CU_ASSERT_STRING_EQUAL(trace, "handler ");
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "spout_next() was called again"));
	end();
}

static void
the_application_s_middleware_sees_what_is_not_found(void)
{
	struct spout_app app = { .name = "t", .routes = routes, .middleware = outers };

	start(&app);
	get("/nowhere");
	CU_ASSERT(status_is(404));
	CU_ASSERT_STRING_EQUAL(trace, "<outer ");
	request("OPTIONS /guarded", "", NULL);
	CU_ASSERT(status_is(204) && has("X-Outer: was here") && has("Allow: GET"));
	end();
}

static void
path_handler(struct spout_request *req)
{
	note(spout_path(req, "path"));
}

static void
a_handler_never_runs_for_a_malformed_path(void)
{
	static const struct spout_route rest[] = {
		SPOUT_GET("/files/{path...}", path_handler), SPOUT_END };
	struct spout_app app = { .name = "t", .routes = rest, .middleware = outers };

	start(&app);
	get("/files/../x");
	CU_ASSERT(status_is(400));
	get("/files/a%2fb");
	CU_ASSERT(status_is(400));
	get("/files/%ff");
	CU_ASSERT(status_is(400));
	CU_ASSERT_STRING_EQUAL(trace, "<outer <outer <outer ");
	get("/files/x");
	CU_ASSERT_STRING_EQUAL(trace, "<outer <outer <outer <outer xouter> ");
	end();
}

static void
finishers_run_whatever_happened(void)
{
	struct spout_app app = { .name = "t",
		.routes = routes,
		.on_finish = app_finished };

	start(&app);
	get("/finished");
	CU_ASSERT_STRING_EQUAL(trace, "second:200 first:200 app:200 ");
	trace[0] = '\0';
	get("/finished?fail=1");
	CU_ASSERT_STRING_EQUAL(trace, "second:503 first:503 app:503 ");
	trace[0] = '\0';
	get("/finished?fail=1&cut=1");
	CU_ASSERT_STRING_EQUAL(trace, "second:200 cut first:200 cut app:200 cut ");
	trace[0] = '\0';
	get("/nowhere");
	CU_ASSERT_STRING_EQUAL(trace, "app:404 ");
	end();
}

/* --- tables --------------------------------------------------------------------- */

static void
mounted_tables_are_found_below_their_path(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	start(&app);
	get("/admin/");
	CU_ASSERT_STRING_EQUAL(body(), "admin");
	get("/admin/deep");
	CU_ASSERT_STRING_EQUAL(body(), "deep");
	get("/admin/deep/users/7?key=1");
	CU_ASSERT_STRING_EQUAL(body(), "7");
	get("/admin/deep/users/7");
	CU_ASSERT(status_is(403));
	get("/deep");
	CU_ASSERT(status_is(404));
	end();
}

static void
named_rows_give_their_path(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	start(&app);
	get("/reverse?which=deep");
	CU_ASSERT_STRING_EQUAL(body(), "/admin/deep");
	get("/reverse?which=user");
	CU_ASSERT_STRING_EQUAL(body(), "/admin/deep/users/a%20b%2Fc");
	get("/reverse?which=file");
	CU_ASSERT_STRING_EQUAL(body(), "/f%C3%A9/a%20b/c.txt");
	get("/reverse?which=nobody");
	CU_ASSERT(status_is(500));
	get("/reverse?which=few");
	CU_ASSERT(status_is(500));
	get("/reverse?which=many");
	CU_ASSERT(status_is(500));
	end();
}

static void
check(const struct spout_route *table, int error, const char *words)
{
	struct spout_app app = { .name = "t", .routes = table };
	char why[SPOUT__ROUTER_WHY_SIZE] = "";

	CU_ASSERT_EQUAL(spout__web_check(&app, why), error);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, words));
}

#define ROWS(...) ((const struct spout_route[]){ __VA_ARGS__, SPOUT_END })

static void
bad_mounts_and_names_are_refused(void)
{
	static struct spout_route endless[] = { SPOUT_MOUNT("/again", endless),
		SPOUT_END };

	check(ROWS(SPOUT_MOUNT("/x/", admin)), -EINVAL, "ends without");
	check(ROWS(SPOUT_MOUNT("x", admin)), -EINVAL, "begins with '/'");
	check(ROWS(SPOUT_MOUNT("", admin)), -EINVAL, "begins with '/'");
	check(ROWS(SPOUT_MOUNT("/x", admin, .methods = SPOUT_METHOD_GET)), -EINVAL,
	    "no handler or method");
	check(endless, -EINVAL, "too deep");
	check(ROWS(SPOUT_MOUNT("/x", admin), SPOUT_GET("/x/", handler)), -EEXIST,
	    "the same as");
	check(ROWS(SPOUT_GET("/a", handler, .name = "n"),
		  SPOUT_GET("/b", handler, .name = "n")),
	    -EEXIST, "its name \"n\" is that of /a");
	check(ROWS(SPOUT_GET("/a", handler, .name = "n"),
		  SPOUT_POST("/a", handler, .name = "n")),
	    0, "");
}

static void
redirects_carry_parameters_and_query(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	start(&app);
	get("/u/a%20b?x=1&y=%20");
	CU_ASSERT(status_is(301) && has("Location: /users/a%20b?x=1&y=%20\r\n"));
	get("/away/a/b?x=1");
	CU_ASSERT(status_is(302) &&
	    has("Location: https://example.org/x?a=1&a/b{none}&x=1\r\n"));
	get("/u/%0d%0aSet-Cookie:%20a=b");
	CU_ASSERT(has("Location: /users/%0D%0ASet-Cookie%3A%20a%3Db\r\n"));
	/* A parameter is one segment, and no path is that of another host. */
	get("/old/%2Fevil.example");
	CU_ASSERT(has("Location: /%2Fevil.example\r\n"));
	get("/old/%2e%2e");
	CU_ASSERT(!has("Location: /..\r\n"));
	get("/moved//evil.example");
	CU_ASSERT(has("Location: /%2Fevil.example\r\n"));
	get("/moved/a/b");
	CU_ASSERT(has("Location: /a/b\r\n"));
	end();
}

/* --- slashes and hosts ---------------------------------------------------------- */

static void
slashes_at_the_end_follow_the_policy(void)
{
	struct spout_app app = { .name = "t", .routes = routes };

	start(&app);
	get("/noslash/");
	CU_ASSERT(status_is(404));
	end();
	app.slash = SPOUT_SLASH_SAME;
	start(&app);
	get("/noslash/");
	CU_ASSERT(status_is(200));
	get("/slash");
	CU_ASSERT(status_is(200));
	get("/neither/");
	CU_ASSERT(status_is(404));
	end();
}

static void
slashes_may_redirect_but_never_to_another_host(void)
{
	static const struct spout_route any[] = { SPOUT_GET("/{a}/{b}/{rest...}", where),
		SPOUT_GET("/x", handler), SPOUT_END };
	struct spout_app app = { .name = "t", .routes = routes };

	app.slash = SPOUT_SLASH_REDIRECT;
	start(&app);
	get("/noslash/?a=1");
	CU_ASSERT(status_is(301) && has("Location: /noslash?a=1\r\n"));
	get("/slash");
	CU_ASSERT(status_is(301) && has("Location: /slash/\r\n"));
	request("POST /noslash/", "", "x");
	CU_ASSERT(status_is(308));
	get("/");
	CU_ASSERT(status_is(200));
	end();
	app.routes = any;
	start(&app);
	get("//evil.example");
	CU_ASSERT(status_is(404));
	get("//x");
	CU_ASSERT(status_is(404));
	end();
}

static const char *
of_host(const char *host)
{
	char text[256];

	say(text, (size_t)snprintf(text, sizeof(text),
	    "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host));
	return body();
}

static void
hosts_have_their_own_tables(void)
{
	static const struct spout_route one[] = {
		SPOUT_GET("/", where, .data = "one"), SPOUT_END };
	static const struct spout_route many[] = {
		SPOUT_GET("/", where, .data = "many"), SPOUT_END };
	static const struct spout_host hosts[] = { { "one.example", one },
		{ "*.many.example", many }, { NULL, NULL } };
	static const struct spout_route bad[] = { SPOUT_GET("x", where), SPOUT_END };
	static const struct spout_host broken[] = { { "x", bad }, { NULL, NULL } };
	struct spout_app app = { .name = "t", .routes = routes, .hosts = hosts };
	char why[SPOUT__ROUTER_WHY_SIZE];

	start(&app);
	CU_ASSERT_STRING_EQUAL(of_host("one.example"), "one");
	CU_ASSERT_STRING_EQUAL(of_host("ONE.example:8888"), "one");
	CU_ASSERT_STRING_EQUAL(of_host("a.b.many.example"), "many");
	CU_ASSERT_STRING_EQUAL(of_host("many.example"), "root");
	CU_ASSERT_STRING_EQUAL(of_host("xone.example"), "root");
	CU_ASSERT_STRING_EQUAL(of_host("[::1]:80"), "root");
	end();
	app.hosts = broken;
	CU_ASSERT_EQUAL(spout__web_check(&app, why), -EINVAL);
}

static const struct unit_test web_life_tests[] = {
	UNIT_TEST(middleware_wraps_from_the_outside_in),
	UNIT_TEST(middleware_may_answer_instead),
	UNIT_TEST(the_application_s_middleware_sees_what_is_not_found),
	UNIT_TEST(a_handler_never_runs_for_a_malformed_path),
	UNIT_TEST(finishers_run_whatever_happened),
	UNIT_TEST(mounted_tables_are_found_below_their_path),
	UNIT_TEST(named_rows_give_their_path),
	UNIT_TEST(bad_mounts_and_names_are_refused),
	UNIT_TEST(redirects_carry_parameters_and_query),
	UNIT_TEST(slashes_at_the_end_follow_the_policy),
	UNIT_TEST(slashes_may_redirect_but_never_to_another_host),
	UNIT_TEST(hosts_have_their_own_tables),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "web_life", web_life_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
