/* SPDX-License-Identifier: MIT */
/* Router: patterns, precedence, decoding, methods, mistakes in tables. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "web/router.h"

static void
h(struct spout_request *req)
{
	(void)req;
}

/* What a path leads to, as text: the pattern and its parameters, or the error. */
static char found[512];

static const char *
find_in(
    const struct spout__router *router, enum spout__http_method method, const char *path)
{
	struct spout__match match;
	/* As long as the path, so that AddressSanitizer sees one byte too many. */
	size_t path_len = strlen(path), len;
	char *scratch = strchr(path, '%') != NULL ? malloc(path_len) : NULL;
	char *copy = malloc(path_len + 1), allow[SPOUT__ALLOW_SIZE];
	unsigned i;
	int rc;

	memcpy(copy, path, path_len);
	rc = spout__router_match(
	    router, method, spout_slice_of(copy, path_len), scratch, &match);
	if (rc == -EPERM) {
		spout__router_allow(match.allow, allow);
		snprintf(found, sizeof(found), "allow %s", allow);
	} else if (rc != 0) {
		CU_ASSERT_TRUE(rc == -ENOENT || rc == -EBADMSG);
		snprintf(found, sizeof(found), "%s", rc == -ENOENT ? "none" : "bad");
	} else {
		len = (size_t)snprintf(
		    found, sizeof(found), "%s", match.endpoint->route->pattern);
		CU_ASSERT_EQUAL(match.n_params, match.endpoint->n_params);
		for (i = 0; i < match.n_params; i++)
			len += (size_t)snprintf(found + len, sizeof(found) - len,
			    " %.*s=%.*s", (int)match.endpoint->names[i].len,
			    match.endpoint->names[i].data, (int)match.params[i].len,
			    match.params[i].data);
	}
	free(scratch);
	free(copy);
	return found;
}

static const struct spout_route table[] = { SPOUT_GET("/", h), SPOUT_GET("/users", h),
	SPOUT_POST("/users", h), SPOUT_GET("/users/{id}", h),
	SPOUT_DELETE("/users/{id}", h), SPOUT_GET("/users/me", h),
	SPOUT_GET("/users/{id}/posts/{post}", h), SPOUT_GET("/users/me/mail", h),
	SPOUT_GET("/files/{path...}", h), SPOUT_GET("/files/index", h),
	SPOUT_GET("/slash/", h), SPOUT_GET("/caf\xc3\xa9", h),
	SPOUT_ROUTE(SPOUT_METHOD_HEAD | SPOUT_METHOD_OPTIONS, "/users", h), SPOUT_END };

static struct spout__router *router;

static const char *
find(enum spout__http_method method, const char *path)
{
	return find_in(router, method, path);
}

static const char *
get(const char *path)
{
	return find(SPOUT__HTTP_GET, path);
}

static int
add(struct spout__router *to, const struct spout_route *routes, bool yield, char *why)
{
	struct spout__route_table table_of = { .routes = routes, .yield = yield };

	return spout__router_add(to, &table_of, why);
}

static void
setup(const struct spout_route *routes)
{
	char why[SPOUT__ROUTER_WHY_SIZE] = "";

	router = spout__router_new();
	CU_ASSERT_EQUAL_FATAL(add(router, routes, false, why), 0);
}

static void
teardown(void)
{
	spout__router_free(router);
	router = NULL;
}

static void
fixed_paths_match_exactly(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(get("/"), "/");
	CU_ASSERT_STRING_EQUAL(get("/users"), "/users");
	CU_ASSERT_STRING_EQUAL(get("/slash/"), "/slash/");
	CU_ASSERT_STRING_EQUAL(get("/slash"), "none");
	CU_ASSERT_STRING_EQUAL(get("/users/"), "none");
	CU_ASSERT_STRING_EQUAL(get("//"), "none");
	CU_ASSERT_STRING_EQUAL(get("/user"), "none");
	CU_ASSERT_STRING_EQUAL(get("/usersx"), "none");
	CU_ASSERT_STRING_EQUAL(get(""), "none");
	CU_ASSERT_STRING_EQUAL(get("*"), "none");
	teardown();
}

static void
parameters_take_one_segment_that_is_not_empty(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(get("/users/7"), "/users/{id} id=7");
	CU_ASSERT_STRING_EQUAL(
	    get("/users/7/posts/8"), "/users/{id}/posts/{post} id=7 post=8");
	CU_ASSERT_STRING_EQUAL(get("/users/7/posts/"), "none");
	CU_ASSERT_STRING_EQUAL(get("/users//posts/8"), "none");
	CU_ASSERT_STRING_EQUAL(get("/users/7/posts"), "none");
	teardown();
}

static void
fixed_segments_win_and_a_dead_end_steps_back(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(get("/users/me"), "/users/me");
	CU_ASSERT_STRING_EQUAL(get("/users/me/mail"), "/users/me/mail");
	CU_ASSERT_STRING_EQUAL(
	    get("/users/me/posts/1"), "/users/{id}/posts/{post} id=me post=1");
	CU_ASSERT_STRING_EQUAL(
	    find(SPOUT__HTTP_DELETE, "/users/me"), "/users/{id} id=me");
	teardown();
}

static void
a_rest_takes_all_that_is_left(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(get("/files/a"), "/files/{path...} path=a");
	CU_ASSERT_STRING_EQUAL(get("/files/a/b//c"), "/files/{path...} path=a/b//c");
	CU_ASSERT_STRING_EQUAL(
	    get("/files/a%20b/c%C3%A9"), "/files/{path...} path=a b/c\xc3\xa9");
	CU_ASSERT_STRING_EQUAL(get("/files/"), "/files/{path...} path=");
	CU_ASSERT_STRING_EQUAL(get("/files"), "none");
	CU_ASSERT_STRING_EQUAL(get("/files/index"), "/files/index");
	CU_ASSERT_STRING_EQUAL(get("/files/index/x"), "/files/{path...} path=index/x");
	teardown();
}

static void
a_rest_refuses_what_would_leave_its_folder(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(get("/files/../etc"), "bad");
	CU_ASSERT_STRING_EQUAL(get("/files/a/%2e%2E"), "bad");
	CU_ASSERT_STRING_EQUAL(get("/files/a%2Fb"), "bad");
	CU_ASSERT_STRING_EQUAL(get("/files/..a/b.."), "/files/{path...} path=..a/b..");
	teardown();
}

static void
segments_are_decoded_once_after_the_split(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(get("/users/a%2Fb"), "/users/{id} id=a/b");
	CU_ASSERT_STRING_EQUAL(get("/users/a%252Fb"), "/users/{id} id=a%2Fb");
	CU_ASSERT_STRING_EQUAL(get("/users/a+b"), "/users/{id} id=a+b");
	CU_ASSERT_STRING_EQUAL(get("/%75sers/%6D%65"), "/users/me");
	CU_ASSERT_STRING_EQUAL(get("/caf%C3%A9"), "/caf\xc3\xa9");
	CU_ASSERT_STRING_EQUAL(
	    get("/users/7/posts/%38"), "/users/{id}/posts/{post} id=7 post=8");
	teardown();
}

static void
malformed_encoding_is_refused(void)
{
	static const char *const bad[] = { "/users/%", "/users/%4", "/users/%4g",
		"/users/%g4", "/users/%00", "/users/%FF", "/users/%C3", "/users/%C0%80",
		"/users/%ED%A0%80", "/users/%F4%90%80%80", "/users/%E2%82", "/nowhere/%",
		"/users/%C3/%A9" };
	size_t i;

	setup(table);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_STRING_EQUAL(get(bad[i]), "bad");
	teardown();
}

static void
methods_decide_405_head_and_options(void)
{
	setup(table);
	CU_ASSERT_STRING_EQUAL(
	    find(SPOUT__HTTP_PUT, "/users/7"), "allow GET, HEAD, DELETE, OPTIONS");
	CU_ASSERT_STRING_EQUAL(
	    find(SPOUT__HTTP_POST, "/users/me"), "allow GET, HEAD, DELETE, OPTIONS");
	CU_ASSERT_STRING_EQUAL(
	    find(SPOUT__HTTP_OPTIONS, "/users/7"), "allow GET, HEAD, DELETE, OPTIONS");
	CU_ASSERT_STRING_EQUAL(find(SPOUT__HTTP_HEAD, "/users/7"), "/users/{id} id=7");
	CU_ASSERT_STRING_EQUAL(find(SPOUT__HTTP_POST, "/users"), "/users");
	CU_ASSERT_STRING_EQUAL(find(SPOUT__HTTP_OPTIONS, "/users"), "/users");
	CU_ASSERT_STRING_EQUAL(find(SPOUT__HTTP_POST, "/nowhere"), "none");
	teardown();
}

static void
a_head_row_goes_before_the_get_row(void)
{
	struct spout__match match;
	static const struct spout_route rows[] = { SPOUT_GET("/x", h),
		SPOUT_ROUTE(SPOUT_METHOD_HEAD, "/x", h), SPOUT_END };

	setup(rows);
	CU_ASSERT_EQUAL(spout__router_match(
			    router, SPOUT__HTTP_HEAD, spout_slice("/x"), NULL, &match),
	    0);
	CU_ASSERT_PTR_EQUAL(match.endpoint->route, &rows[1]);
	teardown();
}

static void
a_path_of_too_many_segments_is_not_found(void)
{
	char path[2 * SPOUT__PATH_MAX_SEGMENTS + 16] = "/files";
	unsigned i;

	setup(table);
	for (i = 1; i < SPOUT__PATH_MAX_SEGMENTS; i++)
		strcat(path, "/a");
	CU_ASSERT_PTR_NOT_NULL(strstr(get(path), "/files/{path...}"));
	strcat(path, "/a");
	CU_ASSERT_STRING_EQUAL(get(path), "none");
	teardown();
}

/* The text for a table that must be refused. */
static const char *
why_refused(const struct spout_route *routes, int error)
{
	static char why[SPOUT__ROUTER_WHY_SIZE];
	struct spout__router *r = spout__router_new();

	why[0] = '\0';
	CU_ASSERT_EQUAL(add(r, routes, false, why), error);
	spout__router_free(r);
	return why;
}

#define ROWS(...) ((const struct spout_route[]){ __VA_ARGS__, SPOUT_END })

static void
mistakes_in_a_table_are_named(void)
{
	static const char *const patterns[] = { "users", "", "/{}", "/{id", "/id}",
		"/a{id}", "/{id}.json", "/{1d}", "/{i d}", "/{a...}/b", "/{...}",
		"/{a}/{a}", "/a%20b", "/a?b", "/a#b", "/\xff",
		"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}" };
	size_t i;

	for (i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		const char *why = why_refused(ROWS(SPOUT_GET(patterns[i], h)), -EINVAL);

		CU_ASSERT_PTR_NOT_NULL(strstr(why, "route GET"));
	}
	CU_ASSERT_STRING_EQUAL(why_refused(ROWS(SPOUT_GET("/x", NULL)), -EINVAL),
	    "route GET /x: no handler");
	CU_ASSERT_STRING_EQUAL(why_refused(ROWS(SPOUT_ROUTE(0, "/x", h)), -EINVAL),
	    "route  /x: no method, or an unknown one");
	CU_ASSERT_STRING_EQUAL(
	    why_refused(ROWS(SPOUT_ROUTE(SPOUT_METHOD_GET | 1 << 20, "/x", h)), -EINVAL),
	    "route GET /x: no method, or an unknown one");
}

static void
two_rows_for_the_same_are_refused(void)
{
	CU_ASSERT_STRING_EQUAL(
	    why_refused(ROWS(SPOUT_GET("/a/{x}", h), SPOUT_GET("/a/{y}", h)), -EEXIST),
	    "route GET /a/{y}: the same as /a/{x}");
	CU_ASSERT_STRING_EQUAL(
	    why_refused(ROWS(SPOUT_GET("/{x...}", h), SPOUT_GET("/{y...}", h)), -EEXIST),
	    "route GET /{y...}: the same as /{x...}");
	setup(ROWS(SPOUT_GET("/a/{x}", h), SPOUT_POST("/a/{y}", h)));
	CU_ASSERT_STRING_EQUAL(find(SPOUT__HTTP_POST, "/a/1"), "/a/{y} y=1");
	teardown();
}

static void
rows_that_yield_are_skipped_when_taken(void)
{
	static const struct spout_route ours[] = { SPOUT_GET("/healthz", h), SPOUT_END };
	static const struct spout_route more[] = { SPOUT_GET("/healthz", h),
		SPOUT_GET("/readyz", h), SPOUT_END };
	struct spout__match match;
	char why[SPOUT__ROUTER_WHY_SIZE];

	setup(ours);
	CU_ASSERT_EQUAL(add(router, more, true, why), 0);
	CU_ASSERT_EQUAL(spout__router_match(router, SPOUT__HTTP_GET,
	                    spout_slice("/healthz"), NULL, &match),
	    0);
	CU_ASSERT_PTR_EQUAL(match.endpoint->route, &ours[0]);
	CU_ASSERT_STRING_EQUAL(get("/readyz"), "/readyz");
	teardown();
}

static void
many_fixed_children_are_all_found(void)
{
	struct spout_route rows[201];
	char patterns[200][16];
	unsigned i;

	memset(rows, 0, sizeof(rows));
	for (i = 0; i < 200; i++) {
		snprintf(patterns[i], sizeof(patterns[i]), "/r%u", i * 7919 % 200);
		rows[i] = (struct spout_route)SPOUT_GET(patterns[i], h);
	}
	setup(rows);
	for (i = 0; i < 200; i++)
		CU_ASSERT_STRING_EQUAL(get(patterns[i]), patterns[i]);
	CU_ASSERT_STRING_EQUAL(get("/r200"), "none");
	teardown();
}

static void
a_path_that_was_found_is_known_for_its_method_only(void)
{
	static const char *const paths[] = { "/", "/users", "/users/me", "/users/7",
		"/slash/", "/files/index", "/files/a", "/caf\xc3\xa9", "/us%65rs" };
	static const bool fixed[] = { true, true, true, false, true, true, false, true,
		false };
	struct spout__match match;
	char scratch[64];
	size_t i, j;

	setup(table);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct spout_slice path = spout_slice(paths[i]);

		CU_ASSERT_PTR_NULL(spout__router_known(router, SPOUT__HTTP_GET, path));
		CU_ASSERT_EQUAL_FATAL(spout__router_match(router, SPOUT__HTTP_GET, path,
			scratch, &match), 0);
		spout__router_remember(router, SPOUT__HTTP_GET, path, &match);
		CU_ASSERT_PTR_EQUAL(spout__router_known(router, SPOUT__HTTP_GET, path),
		    fixed[i] ? match.endpoint : NULL);
		CU_ASSERT_PTR_NULL(spout__router_known(router, SPOUT__HTTP_POST, path));
		for (j = 1; j < path.len; j++)
			CU_ASSERT_PTR_NOT_EQUAL(match.endpoint,
			    spout__router_known(
				router, SPOUT__HTTP_GET, spout_slice_of(paths[i], j)));
	}
	teardown();
}

static const struct unit_test router_tests[] = {
	UNIT_TEST(fixed_paths_match_exactly),
	UNIT_TEST(a_path_that_was_found_is_known_for_its_method_only),
	UNIT_TEST(parameters_take_one_segment_that_is_not_empty),
	UNIT_TEST(fixed_segments_win_and_a_dead_end_steps_back),
	UNIT_TEST(a_rest_takes_all_that_is_left),
	UNIT_TEST(a_rest_refuses_what_would_leave_its_folder),
	UNIT_TEST(segments_are_decoded_once_after_the_split),
	UNIT_TEST(malformed_encoding_is_refused),
	UNIT_TEST(methods_decide_405_head_and_options),
	UNIT_TEST(a_head_row_goes_before_the_get_row),
	UNIT_TEST(a_path_of_too_many_segments_is_not_found),
	UNIT_TEST(mistakes_in_a_table_are_named),
	UNIT_TEST(two_rows_for_the_same_are_refused),
	UNIT_TEST(rows_that_yield_are_skipped_when_taken),
	UNIT_TEST(many_fixed_children_are_all_found),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "router", router_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
