/* SPDX-License-Identifier: MIT */
/*
 * A chat: rooms in all workers and on all hosts, who is there, messages that survive a
 * reload, by WebSocket or by long polls.
 *
 *     SPOUT_COOKIE_SECRET=$(openssl rand -hex 32) chat --listen 127.0.0.1:8888
 *
 * With DATABASE_URL=… what is said is kept. Log in with any name; the password is
 * "waterspout".
 */
#include <string.h>

#include "examples/chat/room.h"

#define COOKIE "chat_user"
#define MAX_NAME 40

/* "waterspout": what a table of users would hold. */
static const char password_hash[] =
    "$y$j9T$6nur01oggU6iQmeoDeKQw0$wCU711/JnnT9/rKmzt.AWSHS/F2sTSG.ZIXG4Q01IhC";

static const void *
current_user(struct spout_request *req)
{
	return spout_signed_cookie(req, COOKIE);
}

static void
show_form(struct spout_request *req, const char *name, const char *message)
{
	spout_render_pack(req, "login.html", "{s:s, s:s, s:s?}", "name", name, "next",
	    spout_next_path(req, "/chat"), "message", message);
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

	if (*name == '\0' || strlen(name) > MAX_NAME ||
	    !spout_password_verify(spout_require_arg(req, "password"), password_hash)) {
		spout_set_status(req, 403);
		show_form(req, name, "Wrong name or password.");
		return;
	}
	spout_set_signed_cookie(req, COOKIE, name);
	spout_redirect(req, spout_next_path(req, "/chat"), 303);
}

static void
log_out(struct spout_request *req)
{
	spout_clear_cookie(req, COOKIE);
	spout_redirect(req, "/login", 303);
}

static void
start(struct spout_app *app)
{
	(void)app;
	room_start();
}

static const struct spout_rate_limit attempts = { "log in", .requests = 20, .per_s = 60 };

static const struct spout_route routes[] = {
	SPOUT_REDIRECT("/", "/chat"),
	ROOM_ROUTES,
	SPOUT_GET("/login", login_page),
	SPOUT_POST("/login", log_in, .rate_limit = &attempts),
	SPOUT_POST("/logout", log_out),
	SPOUT_END,
};

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "chat",
		.description = "Rooms where people talk.",
		.routes = routes,
		.on_worker_start = start,
		.template_path = CHAT_FOLDER "/templates",
		.current_user = current_user,
		.xsrf_cookies = true });
}
