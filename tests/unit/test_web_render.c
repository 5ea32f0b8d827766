/* SPDX-License-Identifier: MIT */
/* Pages from templates in a web application. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <spout/template.h>

#include "executor/executor.h"
#include "web_client.h"

static unsigned cleanups;
static char folder[] = "/tmp/spout-render-XXXXXX";

static void
file_write(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_TRUE(fputs(text, f) >= 0);
	CU_ASSERT_EQUAL(fclose(f), 0);
}

static void
folder_make(void)
{
	memcpy(strrchr(folder, '-'), "-XXXXXX", 8);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	file_write("page.html", "<p>{{ x }}</p>{{ request.path }} {{ request.method }}");
	file_write("_part.html", "part");
	file_write("fails.html", "lost\n{{ nobody }}");
	file_write("large.html", "{% for i in range(20000) %}0123456789{% end %}");
	file_write("calls.html", "{{ path_of('a') }}");
	file_write("leaves.html", "{{ [1, 'a'] + '' if 0 else leaves('a') }}");
	file_write("urls.html",
	    "<a href='{{ reverse_url(\"named\") }}?{{ "
	    "reverse_url('item', 'a b', 7) }}'>");
	file_write("form.html",
	    "{{ xsrf_form_html() }}|{{ xsrf_token|length > 20 }}|"
	    "<p lang='{{ locale.code }}'>{{ _('<hi>') }}"
	    "{{ _('a day', 'days', 2) }}|"
	    "{{ format_date(0, full=true, shorter=true) }}");
	file_write("names.html",
	    "{{ static_url('style.css') }}|{{ static_url('x.js', include_host=true) }}|"
	    "{{ pgettext('month', 'May') }}|{% if current_user %}"
	    "{{ current_user.name }}{% else %}nobody{% end %}");
	file_write("user.html", "{{ current_user }}");
	file_write("no_context.html", "{{ pgettext('May') }}");
	file_write("no_file.html", "{{ static_url() }}");
	file_write("no_count.html", "{{ _('a', 'b', 'c') }}");
	file_write("no_date.html", "{{ format_date('x') }}");
	file_write("no_url.html", "{{ reverse_url('nobody') }}");
}

static void
folder_remove(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* --- handlers ----------------------------------------------------------------------- */

static void
page(struct spout_request *req)
{
	spout_render_pack(req, "page.html", "{s:s}", "x", "<&>");
}

static void
named(struct spout_request *req)
{
	spout_render(req, spout_require_arg(req, "name"), json_object());
}

static void
string(struct spout_request *req)
{
	char *text = spout_render_string(req, "page.html", json_pack("{s:i}", "x", 7));

	spout_printf(req, "%zu:%s", strlen(text), text);
}

static void
list(struct spout_request *req)
{
	spout_render(req, "page.html", json_array());
}

static void
mispacked(struct spout_request *req)
{
	spout_render_pack(req, "page.html", "{s:s", "x", "y");
}

static void
nothing(struct spout_request *req)
{
	spout_set_header(req, "Content-Type", "text/plain");
	spout_render(req, "large.html", NULL);
}

static void
cleaned(void *arg)
{
	(void)arg;
	cleanups++;
}

/* A function that leaves: nothing of the rendering stays behind (LeakSanitizer). */
static int
leaves(struct spout_template_call *call)
{
	CU_ASSERT_PTR_NOT_NULL(spout_template_arg(call, 0));
	spout_defer(cleaned, NULL);
	spout_fail(spout_template_subject(call), 409, "left");
}

static const struct spout_route routes[] = { SPOUT_GET("/page", page),
	SPOUT_GET("/named", named, .name = "named"),
	SPOUT_GET("/item/{a}/{b}", page, .name = "item"), SPOUT_GET("/string", string),
	SPOUT_GET("/list", list), SPOUT_GET("/mispacked", mispacked),
	SPOUT_GET("/nothing", nothing), SPOUT_END };

/* The subject of a call is the request. */
static int
path_of(struct spout_template_call *call)
{
	const char *path = spout_request_path(spout_template_subject(call));

	return spout_template_return_text(call, path, strlen(path));
}

static const struct spout_template_function functions[] = {
	{ .name = "path_of", .fn = path_of },
	{ .name = "leaves", .fn = leaves },
	{ .name = NULL },
};

static struct spout_app app = { .name = "test",
	.routes = routes,
	.template_path = folder,
	.template_functions = functions };

/* --- tests ------------------------------------------------------------------------ */

static void
a_handler_answers_with_a_page(void)
{
	folder_make();
	begin(&app, NO_ACCESS_LOG);
	get("/page");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_TRUE(has("Content-Type: text/html; charset=UTF-8\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "<p>&lt;&amp;&gt;</p>/page GET");
	get("/string");
	CU_ASSERT_STRING_EQUAL(body(), "19:<p>7</p>/string GET");
	get("/named?name=calls.html");
	CU_ASSERT_STRING_EQUAL(body(), "/named");
	get("/nothing");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_TRUE(has("Content-Type: text/plain\r\n"));
	CU_ASSERT_TRUE(got_len > 200000);
	end();
	folder_remove();
}

static void
errors_of_a_page_are_logged_with_their_line(void)
{
	static const struct {
		const char *target, *words;
	} rows[] = {
		{ "/named?name=fails.html", "fails.html:2: no value named \"nobody\"" },
		{ "/named?name=none.html", "none.html: there is no such template" },
		{ "/named?name=_part.html", "_part.html: there is no such template" },
		{ "/named?name=../x", "../x: there is no such template" },
		{ "/list", "page.html: values are no object" },
		{ "/mispacked", "spout_render_pack: " },
	};

	folder_make();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&app, NO_ACCESS_LOG);
		get(rows[i].target);
		CU_ASSERT_TRUE(status_is(500));
		CU_ASSERT_TRUE(lacks("lost"));
		CU_ASSERT_TRUE(lacks("nobody"));
		end();
		CU_ASSERT_PTR_NOT_NULL(strstr(logged, rows[i].words));
	}
	folder_remove();
}

static void
a_function_may_leave(void)
{
	folder_make();
	begin(&app, NO_ACCESS_LOG);
	cleanups = 0;
	get("/named?name=leaves.html");
	CU_ASSERT_TRUE(status_is(409));
	CU_ASSERT_TRUE(has("left"));
	CU_ASSERT_EQUAL(cleanups, 1);
	get("/named?name=urls.html");
	CU_ASSERT_STRING_EQUAL(body(), "<a href='/named?%2Fitem%2Fa%2520b%2F7'>");
	get("/named?name=no_url.html");
	CU_ASSERT_TRUE(status_is(500));
	end();
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no route has the name \"nobody\""));
	folder_remove();
}

static void
pages_have_tokens_and_languages(void)
{
	folder_make();
	begin(&app, NO_ACCESS_LOG);
	get("/named?name=form.html");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_TRUE(has("<input type=\"hidden\" name=\"_xsrf\" value=\"2|"));
	CU_ASSERT_TRUE(has("|true|<p lang='en_US'>&lt;hi&gt;days|January 1, 1970"));
	CU_ASSERT_TRUE(has("Set-Cookie: _xsrf="));
	get("/named?name=no_count.html");
	CU_ASSERT_TRUE(status_is(500));
	get("/named?name=no_date.html");
	CU_ASSERT_TRUE(status_is(500));
	end();
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no_count.html:1: _() needs"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no_date.html:1: format_date() needs"));
	folder_remove();
}

static const char *user;

static const void *
look_up_user(struct spout_request *req)
{
	(void)req;
	return user;
}

static struct json_t *
describe(struct spout_request *req, const void *of)
{
	CU_ASSERT_PTR_NOT_NULL(spout_request_id(req));
	return json_pack("{s:s}", "name", of);
}

static void
pages_have_the_names_of_tornado(void)
{
	const struct spout__executor_options pools = {
		.cpu_threads = 1, .blocking_min = 1, .blocking_max = 1, .db_threads = 1
	};
	struct spout_app site = app;

	folder_make();
	site.static_path = folder;
	site.current_user = look_up_user;
	site.describe_user = describe;
	file_write("style.css", "p { }");
	begin(&site, NO_ACCESS_LOG);
	CU_ASSERT_EQUAL_FATAL(spout__executor_start(loop, &pools), 0);
	user = NULL;
	get("/named?name=names.html");
	CU_ASSERT_TRUE(has("\r\n\r\n/static/style.css?v="));
	CU_ASSERT_TRUE(has("|http://example.org/static/x.js|May|nobody"));
	user = "<Ann>";
	get("/named?name=names.html");
	CU_ASSERT_TRUE(has("|May|&lt;Ann&gt;"));
	get("/named?name=no_context.html");
	CU_ASSERT_TRUE(status_is(500));
	get("/named?name=no_file.html");
	CU_ASSERT_TRUE(status_is(500));
	CU_ASSERT_EQUAL(spout__executor_stop(loop, 5000), 0);
	end();
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no_context.html:1: pgettext() needs"));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no_file.html:1: static_url() needs"));
	site.describe_user = NULL;
	begin(&site, NO_ACCESS_LOG);
	get("/named?name=user.html");
	CU_ASSERT_STRING_EQUAL(body(), "true");
	end();
	folder_remove();
}

static void
files_are_read_again_only_when_told_so(void)
{
	struct spout_app reloading = app;

	folder_make();
	reloading.template_reload = true;
	begin(&app, NO_ACCESS_LOG);
	file_write("page.html", "other");
	get("/page");
	CU_ASSERT_STRING_EQUAL(body(), "<p>&lt;&amp;&gt;</p>/page GET");
	end();
	begin(&reloading, NO_ACCESS_LOG);
	get("/page");
	CU_ASSERT_STRING_EQUAL(body(), "other");
	file_write("page.html", "another");
	get("/page");
	CU_ASSERT_STRING_EQUAL(body(), "another");
	file_write("page.html", "{{ broken");
	get("/page");
	CU_ASSERT_TRUE(status_is(500));
	end();
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "page.html:1: {{ without }}"));
	folder_remove();
}

static void
templates_are_checked_before_the_start(void)
{
	struct spout_app other = app;
	char why[SPOUT_TEMPLATE_WHY_SIZE];

	folder_make();
	CU_ASSERT_EQUAL(spout__web_check_templates(&app, why), 0);
	file_write("page.html", "\n{% if x %}");
	CU_ASSERT_TRUE(spout__web_check_templates(&app, why) < 0);
	CU_ASSERT_STRING_EQUAL(why, "page.html:2: {% if %} without {% end %}");
	file_write("page.html", "fine");
	other.template_functions = NULL;
	CU_ASSERT_TRUE(spout__web_check_templates(&other, why) < 0);
	CU_ASSERT_STRING_EQUAL(why, "calls.html:1: there is no function \"path_of\"");
	other.template_path = "/nonexistent";
	CU_ASSERT_TRUE(spout__web_check_templates(&other, why) < 0);
	CU_ASSERT_STRING_EQUAL(why, "/nonexistent: No such file or directory");
	folder_remove();
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_handler_answers_with_a_page),
	UNIT_TEST(errors_of_a_page_are_logged_with_their_line),
	UNIT_TEST(a_function_may_leave),
	UNIT_TEST(pages_have_tokens_and_languages),
	UNIT_TEST(pages_have_the_names_of_tornado),
	UNIT_TEST(files_are_read_again_only_when_told_so),
	UNIT_TEST(templates_are_checked_before_the_start),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "pages", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
