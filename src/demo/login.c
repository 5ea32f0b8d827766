/* SPDX-License-Identifier: MIT */
/*
 * Logging in: a form with a token against forged requests, a password checked on the cpu
 * pool, a signed cookie, and a page for those who have it. login.html is the frame.
 */
#include "config.h"

#include "demo.h"
#include "embed.h"

#include <stdlib.h>

DEMO_EMBED(demo_login_html, "login.html");

#define COOKIE "spout_demo_user"
#define SESSION_S 86400

/* "waterspout": what a table of users would hold. */
static const char password_hash[] =
    "$y$j9T$6nur01oggU6iQmeoDeKQw0$wCU711/JnnT9/rKmzt.AWSHS/F2sTSG.ZIXG4Q01IhC";

const void *
login_user(struct spout_request *req)
{
	return spout_signed_cookie(req, COOKIE, .max_age_s = SESSION_S);
}

static const char mark[] = "<!--content-->";

static void
begin_page(struct spout_request *req)
{
	spout_set_header(req, "Cache-Control", "no-store");
	spout_write(req, demo_login_html,
	    (size_t)(strstr(demo_login_html, mark) - demo_login_html));
}

static void
end_page(struct spout_request *req)
{
	spout_write_text(req, strstr(demo_login_html, mark) + sizeof(mark) - 1);
}

static void
write_form(struct spout_request *req, const char *message)
{
	const char *next = spout_next_path(req, "/account"),
		   *name = spout_arg(req, "name");

	begin_page(req);
	spout_write_text(req,
	    "<h1>Log in</h1>\n"
	    "<p>Any name; the password is <code>waterspout</code>.</p>\n");
	if (message != NULL)
		spout_printf(req, "<p role=\"alert\">%s</p>\n", message);
	spout_printf(req,
	    "<form method=\"post\" action=\"/login\">%s"
	    "<input type=\"hidden\" name=\"next\" value=\"%s\">\n"
	    "<label>Name<input name=\"name\" value=\"%s\" maxlength=\"40\" required "
	    "autofocus autocomplete=\"username\"></label>\n"
	    "<label>Password<input name=\"password\" type=\"password\" maxlength=\"200\" "
	    "required autocomplete=\"current-password\"></label>\n"
	    "<button>Log in</button></form>\n",
	    spout_xsrf_form_html(req), spout_html_escape(next),
	    spout_html_escape(name != NULL ? name : ""));
	end_page(req);
}

void
login_get(struct spout_request *req)
{
	if (spout_current_user(req) != NULL)
		spout_redirect(req, spout_next_path(req, "/account"), 303);
	else
		write_form(req, NULL);
}

void
login_post(struct spout_request *req)
{
	const char *name = spout_require_arg(req, "name");
	const char *password = spout_require_arg(req, "password");

	if (name[0] == '\0' || strlen(name) > 160 ||
	    !spout_password_verify(password, password_hash)) {
		spout_set_status(req, 403);
		write_form(req, "Wrong name or password.");
		return;
	}
	spout_set_signed_cookie(req, COOKIE, name, .max_age_s = SESSION_S);
	spout_redirect(req, spout_next_path(req, "/account"), 303);
}

void
logout_post(struct spout_request *req)
{
	spout_clear_cookie(req, COOKIE);
	spout_redirect(req, "/login", 303);
}

/* Counts the visits of one browser: in the database if there is one. */
void
session_get(struct spout_request *req)
{
	const char *before = spout_session_get(req, "visits");
	long visits = before != NULL ? atol(before) + 1 : 1;

	spout_session_set(req, "visits", spout_sprintf("%ld", visits));
	spout_json_pack(req, "{s:i}", "visits", (int)visits);
}

void
account_get(struct spout_request *req)
{
	begin_page(req);
	spout_printf(req,
	    "<h1>Hello, %s</h1>\n"
	    "<p>Your name is in a signed cookie: you can read it, but not change it. "
	    "It is good for a day, at every worker.</p>\n"
	    "<form method=\"post\" action=\"/logout\">%s"
	    "<button>Log out</button></form>\n",
	    spout_html_escape(spout_current_user(req)), spout_xsrf_form_html(req));
	end_page(req);
}
