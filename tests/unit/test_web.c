/* SPDX-License-Identifier: MIT */
/* The web layer: routes, arguments, bodies, ids: what a handler may ask. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "web_client.h"

static void
hello(struct spout_request *req)
{
	spout_plain(req, "Hello, World!");
}

static void
show_user(struct spout_request *req)
{
	spout_printf(req, "id=%lld text=%s data=%s app=%s",
	    (long long)spout_path_int(req, "id"), spout_path(req, "id"),
	    (const char *)spout_route_data(req), (const char *)spout_app_data(req));
}

static void
show_args(struct spout_request *req)
{
	const char *const *tags = spout_args(req, "tag");
	const char *q = spout_arg(req, "q");

	spout_printf(req, "page=%lld ",
	    (long long)spout_arg_int(req, "page", .min = 1, .max = 9, .otherwise = 1));
	spout_printf(req, "ratio=%g ",
	    spout_arg_double(req, "ratio", .min = -1, .max = 1, .otherwise = 0.5));
	spout_printf(req, "flag=%d ", spout_arg_bool(req, "flag", true));
	spout_printf(req, "q=%s query=%s form=%s", q != NULL ? q : "-",
	    spout_query_arg(req, "q") != NULL ? spout_query_arg(req, "q") : "-",
	    spout_form_arg(req, "q") != NULL ? spout_form_arg(req, "q") : "-");
	for (; *tags != NULL; tags++)
		spout_printf(req, " tag=%s", *tags);
}

static void
require(struct spout_request *req)
{
	spout_printf(req, "%s", spout_require_arg(req, "name"));
	spout_printf(req, " %lld", (long long)spout_require_arg_int(req, "n"));
	spout_printf(req, " %g", spout_require_arg_double(req, "x"));
	spout_printf(req, " %d", spout_require_arg_bool(req, "b"));
}

static void
show_request(struct spout_request *req)
{
	struct spout_slice name, value;
	const char *x = spout_header(req, "x-test");

	spout_printf(req, "%s %s %s?%s host=%s from=%s x=%s id=%s now=%d",
	    spout_request_method(req), spout_request_target(req), spout_request_path(req),
	    spout_request_query(req), spout_request_host(req), spout_remote_addr(req),
	    x != NULL ? x : "-", spout_request_id(req), spout_now() > 1700000000);
	if (spout_header_at(req, 0, &name, &value))
		spout_printf(req, " first=%.*s:%.*s", (int)name.len, name.data,
		    (int)value.len, value.data);
	CU_ASSERT_FALSE(spout_header_at(req, 100, &name, &value));
}

static void
rest(struct spout_request *req)
{
	spout_write_escaped(req, spout_path(req, "path"));
}

static void
echo(struct spout_request *req)
{
	struct spout_slice piece;

	spout_set_header(req, "Content-Type", "application/octet-stream");
	while ((piece = spout_body_read(req)).len > 0)
		spout_write(req, piece.data, piece.len);
}

static void
json_echo(struct spout_request *req)
{
	json_t *value = spout_body_json(req);

	spout_json_pack(req, "{s:O}", "got", value);
}

static void
json_big(struct spout_request *req)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < 2000; i++)
		json_array_append_new(list, json_integer(i));
	spout_json(req, list);
}

static void
json_broken(struct spout_request *req)
{
	spout_json(req, NULL);
}

static void
log_line(struct spout_request *req)
{
	spout_info("a line of the handler");
	spout_write_text(req, "logged");
}

static const struct spout_route routes[] = {
	SPOUT_GET("/hello", hello),
	SPOUT_GET("/users/{id}", show_user, .data = "route data"),
	SPOUT_ROUTE(SPOUT_METHOD_GET | SPOUT_METHOD_POST, "/args", show_args),
	SPOUT_GET("/require", require),
	SPOUT_GET("/request", show_request),
	SPOUT_GET("/rest/{path...}", rest),
	SPOUT_POST("/echo", echo, .stream_body = true, .max_body_bytes = 100000),
	SPOUT_POST("/echo-buffered", echo, .max_body_bytes = 10),
	SPOUT_POST("/json", json_echo),
	SPOUT_GET("/json-big", json_big),
	SPOUT_GET("/json-broken", json_broken),
	SPOUT_GET("/log", log_line),
	SPOUT_END,
};

static struct spout_app app = { .name = "test", .data = "app data", .routes = routes };

static void
a_plain_answer_is_small(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/hello");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_TRUE(has("\r\nContent-Type: text/plain; charset=UTF-8\r\n"));
	CU_ASSERT_TRUE(has("\r\nServer: Spout/" PACKAGE_VERSION "\r\n"));
	CU_ASSERT_TRUE(has("\r\nContent-Length: 13\r\n"));
	CU_ASSERT_TRUE(lacks("X-Request-Id"));
	CU_ASSERT_STRING_EQUAL(body(), "Hello, World!");
	end();
}

static void
unknown_paths_are_404_and_malformed_ones_400(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/nowhere");
	CU_ASSERT_TRUE(status_is(404) && has("404: Not Found") && has("no such page"));
	get("/users/%zz");
	CU_ASSERT_TRUE(status_is(400) && has("malformed path"));
	get("/rest/a/..");
	CU_ASSERT_TRUE(status_is(400));
	get("/rest/a%20%3Cb%3E/c");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_STRING_EQUAL(body(), "a &lt;b&gt;/c");
	end();
}

static void
methods_are_answered_for(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("DELETE /args", "", NULL);
	CU_ASSERT_TRUE(status_is(405) && has("\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
	request("OPTIONS /users/1", "", NULL);
	CU_ASSERT_TRUE(status_is(204) && has("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	CU_ASSERT_TRUE(lacks("Content-Type") && lacks("Content-Length"));
	request("OPTIONS *", "", NULL);
	CU_ASSERT_TRUE(status_is(204) && has("PATCH, DELETE, OPTIONS\r\n"));
	request("OPTIONS /nowhere", "", NULL);
	CU_ASSERT_TRUE(status_is(404));
	request("HEAD /hello", "", NULL);
	CU_ASSERT_TRUE(status_is(200) && has("\r\nContent-Length: 13\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "");
	request("HEAD /nowhere", "", NULL);
	CU_ASSERT_TRUE(status_is(404));
	CU_ASSERT_STRING_EQUAL(body(), "");
	end();
}

static void
a_body_for_nobody_is_not_waited_for(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("POST /nowhere", "Expect: 100-continue\r\nContent-Length: 5\r\n", NULL);
	CU_ASSERT_TRUE(status_is(404) && lacks("100 Continue"));
	end();
}

static void
path_parameters_are_typed(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/users/7");
	CU_ASSERT_STRING_EQUAL(body(), "id=7 text=7 data=route data app=app data");
	get("/users/seven");
	CU_ASSERT_TRUE(status_is(400));
	CU_ASSERT_TRUE(
	    has("parameter &quot;id&quot; must be a whole number of at least 0"));
	get("/users/-7");
	CU_ASSERT_TRUE(status_is(400));
	end();
}

static void
arguments_come_from_query_and_form(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/args");
	CU_ASSERT_STRING_EQUAL(body(), "page=1 ratio=0.5 flag=1 q=- query=- form=-");
	get("/args?page=3&ratio=-.5&flag=no&q=a+b%26c&tag=1&tag=%C3%A9");
	CU_ASSERT_STRING_EQUAL(body(),
	    "page=3 ratio=-0.5 flag=0 q=a b&c query=a b&c form=- tag=1 tag=\xc3\xa9");
	get("/args?page=&ratio=&flag=");
	CU_ASSERT_STRING_EQUAL(body(), "page=1 ratio=0.5 flag=1 q=- query=- form=-");
	request("POST /args?q=1&tag=x",
	    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n",
	    "q=2&tag=y&page=5");
	CU_ASSERT_STRING_EQUAL(
	    body(), "page=5 ratio=0.5 flag=1 q=2 query=1 form=2 tag=x tag=y");
	request("POST /args", "Content-Type: text/plain\r\n", "q=2");
	CU_ASSERT_STRING_EQUAL(body(), "page=1 ratio=0.5 flag=1 q=- query=- form=-");
	end();
}

static void
bad_arguments_are_400_with_their_name(void)
{
	begin(&app, NO_ACCESS_LOG);
	get("/args?page=0");
	CU_ASSERT_TRUE(status_is(400));
	CU_ASSERT_TRUE(
	    has("argument &quot;page&quot; must be a whole number from 1 to 9"));
	get("/args?page=10");
	CU_ASSERT_TRUE(status_is(400));
	get("/args?ratio=2");
	CU_ASSERT_TRUE(
	    status_is(400) && has("&quot;ratio&quot; must be a number from -1 to 1"));
	get("/args?flag=maybe");
	CU_ASSERT_TRUE(status_is(400) && has("&quot;flag&quot; must be true or false"));
	get("/args?x=%zz");
	CU_ASSERT_TRUE(
	    status_is(400) && has("malformed argument in the query: &quot;x=%zz&quot;"));
	get("/require");
	CU_ASSERT_TRUE(status_is(400) && has("missing argument &quot;name&quot;"));
	get("/require?name=a&n=&x=1&b=1");
	CU_ASSERT_TRUE(status_is(400) && has("&quot;n&quot; must be a whole number"));
	get("/require?name=a&n=4&x=-1&b=1");
	CU_ASSERT_TRUE(
	    status_is(400) && has("&quot;x&quot; must be a number of at least 0"));
	get("/require?name=a&n=4&x=1.5&b=on");
	CU_ASSERT_STRING_EQUAL(body(), "a 4 1.5 1");
	end();
}

static void
too_many_arguments_are_400(void)
{
	char target[1100] = "/args?";

	begin(&app, NO_ACCESS_LOG);
	memset(target + 6, '&', 1000);
	get(target);
	CU_ASSERT_TRUE(status_is(400) && has("more than 1000 arguments"));
	end();
}

static void
a_request_tells_what_was_sent(void)
{
	begin(&app, NO_ACCESS_LOG);
	request(
	    "GET /request?a=%20b", "X-Test: value\r\nX-Request-Id: my.id-1\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(),
	    "GET /request?a=%20b /request?a=%20b host=example.org from=unix x=value "
	    "id=my.id-1 now=1 first=Host:example.org");
	CU_ASSERT_TRUE(has("\r\nX-Request-Id: my.id-1\r\n"));
	end();
}

/* The request id in the last body. */
static const char *
shown_id(void)
{
	static char id[80];
	const char *at = strstr(body(), "id=");

	sscanf(at != NULL ? at : "id=?", "id=%79s", id);
	return id;
}

static void
request_ids_are_ours_unless_sane(void)
{
	static const char *const insane[] = { "", "a b", "a\"b", "<x>", "a/b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	char field[200], first[80];
	size_t i;

	begin(&app, NO_ACCESS_LOG);
	get("/request");
	snprintf(first, sizeof(first), "%s", shown_id());
	CU_ASSERT_EQUAL(strlen(first), 23);
	get("/request");
	CU_ASSERT_EQUAL(strncmp(first, shown_id(), 22), 0);
	CU_ASSERT_EQUAL(first[22] + 1, shown_id()[22]);
	for (i = 0; i < sizeof(insane) / sizeof(*insane); i++) {
		snprintf(field, sizeof(field), "X-Request-Id: %s\r\n", insane[i]);
		request("GET /request", field, NULL);
		CU_ASSERT_EQUAL(strncmp(first, shown_id(), 12), 0);
		CU_ASSERT_TRUE(lacks("X-Request-Id"));
	}
	for (i = 0; i < 12; i++)
		get("/hello");
	get("/request");
	CU_ASSERT_STRING_EQUAL(shown_id() + 13, "0000000021");
	end();
}

static void
bodies_are_read_in_pieces_or_whole(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("POST /echo", "", "hello");
	CU_ASSERT_TRUE(
	    status_is(200) && has("Content-Type: application/octet-stream\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "hello");
	request("POST /echo-buffered", "", "hello");
	CU_ASSERT_STRING_EQUAL(body(), "hello");
	request("POST /echo-buffered", "", "hello hello");
	CU_ASSERT_TRUE(status_is(413) && has("body-too-large"));
	request(
	    "POST /echo", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "hello");
	request("POST /echo", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", NULL);
	CU_ASSERT_TRUE(status_is(400) && has("bad-chunk"));
	end();
}

static void
json_goes_in_and_out(void)
{
	char deep[300];

	begin(&app, NO_ACCESS_LOG);
	request("POST /json", "", " {\"a\": [1, null, \"\\u00e9\"]} ");
	CU_ASSERT_TRUE(has("\r\nContent-Type: application/json; charset=UTF-8\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "{\"got\":{\"a\":[1,null,\"\xc3\xa9\"]}}");
	request("POST /json", "", "{\"a\": 1,}");
	CU_ASSERT_TRUE(status_is(400) && has("malformed JSON: line 1"));
	request("POST /json", "", "{\"a\": 1, \"a\": 2}");
	CU_ASSERT_TRUE(status_is(400));
	request("POST /json", "", NULL);
	CU_ASSERT_TRUE(status_is(400));
	memset(deep, '[', 200);
	deep[200] = '\0';
	request("POST /json", "", deep);
	CU_ASSERT_TRUE(status_is(400) && has("nested deeper"));
	get("/json-big");
	CU_ASSERT_TRUE(status_is(200) && has("[0,1,2,3") && has(",1999]"));
	get("/json-broken");
	CU_ASSERT_TRUE(status_is(500) && lacks("no value"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "spout_json: no value"));
	end();
}

static void
log_lines_carry_the_request_id(void)
{
	begin(&app, NO_ACCESS_LOG);
	request("GET /log", "X-Request-Id: find-me\r\n", NULL);
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "find-me"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "a line of the handler"));
	end();
}

static void
a_bad_table_is_told_before_the_start(void)
{
	static const struct spout_route bad[] = { SPOUT_GET("/a", hello),
		SPOUT_GET("/a", hello), SPOUT_END };
	struct spout_app broken = { .name = "broken", .routes = bad };
	struct spout_app own = { .name = "own",
		.routes = (const struct spout_route[]){
		    SPOUT_GET("/healthz", hello), SPOUT_END } };
	struct spout_app empty = { .name = "empty" };
	char why[SPOUT__ROUTER_WHY_SIZE];

	CU_ASSERT_EQUAL(spout__web_check(&broken, why), -EEXIST);
	CU_ASSERT_STRING_EQUAL(why, "route GET /a: the same as /a");
	CU_ASSERT_EQUAL(spout__web_check(&own, why), 0);
	CU_ASSERT_EQUAL(spout__web_check(&empty, why), 0);
	CU_ASSERT_EQUAL(spout__web_check(&app, why), 0);
}

static const struct unit_test web_requests_tests[] = {
	UNIT_TEST(a_plain_answer_is_small),
	UNIT_TEST(unknown_paths_are_404_and_malformed_ones_400),
	UNIT_TEST(methods_are_answered_for),
	UNIT_TEST(a_body_for_nobody_is_not_waited_for),
	UNIT_TEST(path_parameters_are_typed),
	UNIT_TEST(arguments_come_from_query_and_form),
	UNIT_TEST(bad_arguments_are_400_with_their_name),
	UNIT_TEST(too_many_arguments_are_400),
	UNIT_TEST(a_request_tells_what_was_sent),
	UNIT_TEST(request_ids_are_ours_unless_sane),
	UNIT_TEST(bodies_are_read_in_pieces_or_whole),
	UNIT_TEST(json_goes_in_and_out),
	UNIT_TEST(log_lines_carry_the_request_id),
	UNIT_TEST(a_bad_table_is_told_before_the_start),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "web_requests", web_requests_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
