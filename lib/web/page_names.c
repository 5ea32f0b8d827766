/* SPDX-License-Identifier: MIT */
/* What the pages of an application have beside the language: spout-template(7). */
#include "config.h"

#include <jansson.h>

#include <spout/file.h>
#include <spout/locale.h>
#include <spout/security.h>

#include "web/render.h"

/* --- arguments and results -------------------------------------------------------- */

/* An argument as a C string in the scope. */
static const char *
text_arg(struct spout_template_call *call, size_t i)
{
	struct spout_slice text = spout_template_arg_text(call, i);
	char *copy = spout_alloc(text.len + 1);

	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

static int
return_text(struct spout_template_call *call, const char *text)
{
	return spout_template_return_text(call, text, strlen(text));
}

static bool
flag_named(struct spout_template_call *call, const char *name)
{
	return json_is_true(spout_template_arg_named(call, name));
}

/* --- the request ------------------------------------------------------------------ */

static int
fn_request(struct spout_template_call *call)
{
	struct spout_request *req = spout_template_subject(call);

	return spout_template_return_json(call,
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "method",
		spout_request_method(req), "uri", spout_request_target(req), "path",
		spout_request_path(req), "query", spout_request_query(req), "host",
		spout_request_host(req), "remote_ip", spout_remote_addr(req), "id",
		spout_request_id(req)));
}

/* reverse_url("name", parameter, …) */
static int
fn_reverse_url(struct spout_template_call *call)
{
	size_t n = spout_template_arg_count(call), i;
	const char **all = spout_alloc((n + 2) * sizeof(*all)), *url;

	for (i = 0; i < n; i++)
		all[i] = text_arg(call, i);
	all[n] = NULL;
	if (n == 0)
		return spout_template_fail(
		    call, "reverse_url() needs the name of a route");
	url = spout_reverse_url_of(spout_template_subject(call), all);
	return return_text(call, url);
}

/* What the program says of who has logged in; without its saying so only that. */
static int
fn_current_user(struct spout_template_call *call)
{
	struct spout_request *req = spout_template_subject(call);
	const struct spout_app *app = spout_request_app(req);
	const void *user = spout_current_user(req);

	if (user == NULL)
		return spout_template_return_json(call, json_null());
	return spout_template_return_json(call,
	    app->describe_user != NULL ? app->describe_user(req, user) : json_true());
}

/* static_url("style.css", include_host=true) */
static int
fn_static_url(struct spout_template_call *call)
{
	struct spout_request *req = spout_template_subject(call);
	const char *url;

	if (spout_template_arg_count(call) != 1)
		return spout_template_fail(call, "static_url() needs the name of a file");
	url = spout_static_url(req, text_arg(call, 0));
	if (flag_named(call, "include_host"))
		url = spout_sprintf("%s://%s%s",
		    spout_request_secure(req) ? "https" : "http",
		    spout_request_host(req), url);
	return return_text(call, url);
}

static int
fn_xsrf_token(struct spout_template_call *call)
{
	return return_text(call, spout_xsrf_token(spout_template_subject(call)));
}

static int
fn_xsrf_form_html(struct spout_template_call *call)
{
	const char *html = spout_xsrf_form_html(spout_template_subject(call));

	return spout_template_return_html(call, html, strlen(html));
}

/* --- the language ------------------------------------------------------------------- */

static const struct spout_locale *
locale_of(struct spout_template_call *call)
{
	return spout_locale(spout_template_subject(call));
}

static int
fn_locale(struct spout_template_call *call)
{
	return spout_template_return_json(
	    call, json_pack("{s:s}", "code", spout_locale_code(locale_of(call))));
}

/* _("message") or _("message", "plural", count) */
static int
fn_translate(struct spout_template_call *call)
{
	size_t n = spout_template_arg_count(call);
	json_int_t count;

	if (n == 1)
		return return_text(
		    call, spout_translate(locale_of(call), text_arg(call, 0)));
	if (n != 3 || !json_is_integer(spout_template_arg(call, 2)))
		return spout_template_fail(
		    call, "_() needs a message, or a message, its plural and a count");
	count = json_integer_value(spout_template_arg(call, 2));
	return return_text(call,
	    spout_translate_plural(locale_of(call), text_arg(call, 0), text_arg(call, 1),
		(uint64_t)(count < 0 ? -count : count)));
}

/* pgettext("context", "message") */
static int
fn_pgettext(struct spout_template_call *call)
{
	if (spout_template_arg_count(call) != 2)
		return spout_template_fail(
		    call, "pgettext() needs a context and a message");
	return return_text(call,
	    spout_translate_in(locale_of(call), text_arg(call, 0), text_arg(call, 1)));
}

/* format_date(seconds, relative=true, shorter=…, full=…) */
static int
fn_format_date(struct spout_template_call *call)
{
	const struct spout_date_format format = {
		.relative = flag_named(call, "relative"),
		.shorter = flag_named(call, "shorter"),
		.full = flag_named(call, "full"),
	};
	struct json_t *when = spout_template_arg(call, 0);

	if (!json_is_number(when))
		return spout_template_fail(
		    call, "format_date() needs a time in seconds since 1970");
	return return_text(call,
	    spout_format_date_with(
		locale_of(call), (int64_t)json_number_value(when), &format));
}

const struct spout_template_function spout__page_functions[] = {
	{ .name = "_", .fn = fn_translate },
	{ .name = "current_user", .fn = fn_current_user, .value = true },
	{ .name = "format_date", .fn = fn_format_date },
	{ .name = "locale", .fn = fn_locale, .value = true },
	{ .name = "pgettext", .fn = fn_pgettext },
	{ .name = "request", .fn = fn_request, .value = true },
	{ .name = "reverse_url", .fn = fn_reverse_url },
	{ .name = "static_url", .fn = fn_static_url },
	{ .name = "xsrf_form_html", .fn = fn_xsrf_form_html },
	{ .name = "xsrf_token", .fn = fn_xsrf_token, .value = true },
	{ .name = NULL },
};
