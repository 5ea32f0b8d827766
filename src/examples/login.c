/* SPDX-License-Identifier: MIT */
/*
 * Logging in: a page from a template, a form that others cannot forge, a password checked
 * off the loop, a signed cookie that says who it is.
 *
 *     SPOUT_COOKIE_SECRET=$(openssl rand -hex 32) login --listen 127.0.0.1:8888
 *
 * User "ann", password "waterspout".
 */
#include <string.h>

#include <spout/spout.h>

#define COOKIE "login_user"

/* What a table of users would hold. */
static const struct user {
	const char *name, *hash;
} users[] = {
	{ "ann",
	    "$y$j9T$6nur01oggU6iQmeoDeKQw0$"
	    "wCU711/JnnT9/rKmzt.AWSHS/F2sTSG.ZIXG4Q01IhC" },
};

static const struct user *
user_named(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(users) / sizeof(users[0]); i++)
		if (strcmp(users[i].name, name) == 0)
			return &users[i];
	return NULL;
}

static const void *
current_user(struct spout_request *req)
{
	return user_named(spout_signed_cookie(req, COOKIE));
}

/* For .login_required: whoever comes here has a user. */
static void
front_page(struct spout_request *req)
{
	const struct user *user = spout_current_user(req);

	spout_render_pack(req, "page.html", "{s:s,s:s}", "title",
	    spout_sprintf("Hello, %s", user->name), "user", user->name);
}

static void
show_form(struct spout_request *req, const char *name, const char *message)
{
	spout_render_pack(req, "page.html", "{s:s,s:n,s:s,s:s,s:s?}", "title", "Log in",
	    "user", "name", name, "next", spout_next_path(req, "/"), "message", message);
}

static void
login_page(struct spout_request *req)
{
	show_form(req, "", NULL);
}

static void
log_in(struct spout_request *req)
{
	const char *name = spout_require_arg(req, "name");
	const struct user *user = user_named(name);

	/* Without a user it takes as long. */
	if (!spout_password_verify(
		spout_require_arg(req, "password"), user != NULL ? user->hash : NULL)) {
		spout_set_status(req, 403);
		show_form(req, name, "Wrong name or password.");
		return;
	}
	spout_set_signed_cookie(req, COOKIE, name);
	spout_redirect(req, spout_next_path(req, "/"), 303);
}

static void
log_out(struct spout_request *req)
{
	spout_clear_cookie(req, COOKIE);
	spout_redirect(req, "/login", 303);
}

static const struct spout_rate_limit attempts = { "log in", .requests = 20, .per_s = 60 };

static const struct spout_route routes[] = {
	SPOUT_GET("/", front_page, .login_required = true),
	SPOUT_GET("/login", login_page),
	SPOUT_POST("/login", log_in, .rate_limit = &attempts),
	SPOUT_POST("/logout", log_out),
	SPOUT_END,
};

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "login",
		.description = "Shows who has logged in.",
		.routes = routes,
		.template_path = EXAMPLES_FOLDER "/login",
		.current_user = current_user,
		.xsrf_cookies = true });
}
