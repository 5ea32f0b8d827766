/* SPDX-License-Identifier: MIT */
/*
 * A blog with one author, on PostgreSQL: entries, an archive, an Atom feed, a login.
 *
 *     DATABASE_URL=postgresql:///blog SPOUT_COOKIE_SECRET=$(openssl rand -hex 32) \
 *         blog --listen 127.0.0.1:8888
 *
 * The tables come from migrations/, which every worker runs when it starts. Who logs in
 * first becomes the author: do so before others can.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <spout/spout.h>

#define COOKIE "blog_author"
#define MAX_TITLE 200 /* characters; the same in migrations/ */
#define MAX_BODY 100000
#define ENTRIES_ON_FRONT_PAGE 5
#define ENTRIES_IN_FEED 20
#define ENTRIES_IN_ARCHIVE 10000

#define ISO(column) \
	"to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
#define SELECT_ENTRIES \
	"SELECT slug, title, body, authors.name AS author_name," \
	" to_char(published, 'FMDD FMMonth YYYY') AS day," \
	" " ISO("published") " AS published_at, " ISO("updated") " AS updated_at" \
	" FROM entries JOIN authors ON authors.id = author_id "

/* --- pages ------------------------------------------------------------------------ */

/* A row as an object of texts, for a template. */
static json_t *
row_object(struct spout_rows *rows, size_t row)
{
	json_t *object = json_object();

	for (size_t i = 0; i < spout_rows_columns(rows); i++) {
		struct spout_slice value = spout_rows_value(rows, row, i);

		json_object_set_new(object, spout_rows_name(rows, i),
		    value.data != NULL ? json_stringn(value.data, value.len)
				       : json_null());
	}
	return object;
}

static json_t *
row_list(struct spout_rows *rows)
{
	json_t *list = json_array();

	for (size_t i = 0; i < spout_rows_count(rows); i++)
		json_array_append_new(list, row_object(rows, i));
	return list;
}

/* Who has logged in: the name of the author. */
static const void *
current_user(struct spout_request *req)
{
	const char *id = spout_signed_cookie(req, COOKIE);
	struct spout_rows *rows;

	if (id == NULL)
		return NULL;
	rows = spout_pg_query("SELECT name FROM authors WHERE id = $1", id);
	return spout_rows_count(rows) > 0 ? spout_row_text(rows, 0, "name") : NULL;
}

/* For the head of every page. Ask for the author before: what waits may leave, and lose
 * the values that have been made. */
static json_t *
author_value(const char *author)
{
	return author != NULL ? json_string(author) : json_null();
}

static struct spout_rows *
latest(int count)
{
	return spout_pg_query(
	    SELECT_ENTRIES "ORDER BY published DESC, entries.id DESC LIMIT $1", count);
}

/* Of that name, or 404. */
static struct spout_rows *
entry_named(struct spout_request *req, const char *slug)
{
	struct spout_rows *rows =
	    spout_pg_query(SELECT_ENTRIES "WHERE slug = $1", slug);

	if (spout_rows_count(rows) == 0)
		spout_fail(req, 404, "there is no such entry");
	return rows;
}

static void
list(struct spout_request *req, const char *page, int count)
{
	const char *author = spout_current_user(req);
	struct spout_rows *rows = latest(count);

	spout_render(req, page,
	    json_pack("{s:o,s:o}", "author", author_value(author), "entries",
		row_list(rows)));
}

static void
front_page(struct spout_request *req)
{
	list(req, "index.html", ENTRIES_ON_FRONT_PAGE);
}

static void
archive(struct spout_request *req)
{
	list(req, "archive.html", ENTRIES_IN_ARCHIVE);
}

static void
entry(struct spout_request *req)
{
	const char *author = spout_current_user(req);
	struct spout_rows *rows = entry_named(req, spout_path(req, "slug"));

	spout_render(req, "entry.html",
	    json_pack("{s:o,s:o}", "author", author_value(author), "entry",
		row_object(rows, 0)));
}

static void
feed(struct spout_request *req)
{
	struct spout_rows *rows = latest(ENTRIES_IN_FEED),
			  *when = spout_pg_query("SELECT " ISO(
			      "coalesce(max(updated), 'epoch')") " AS at FROM entries");
	const char *base = spout_sprintf("%s://%s",
	    spout_request_secure(req) ? "https" : "http", spout_request_host(req));

	spout_set_header(req, "Content-Type", "application/atom+xml; charset=UTF-8");
	spout_render(req, "feed.xml",
	    json_pack("{s:s,s:s,s:o}", "base", base, "updated",
		spout_row_text(when, 0, "at"), "entries", row_list(rows)));
}

/* --- writing ---------------------------------------------------------------------- */

/* An empty form, or that of an entry. */
static void
compose_page(struct spout_request *req)
{
	const char *author = spout_current_user(req), *slug = spout_arg(req, "slug");
	struct spout_rows *rows = slug != NULL ? entry_named(req, slug) : NULL;

	spout_render(req, "compose.html",
	    json_pack("{s:s,s:s,s:o}", "author", author, "heading",
		rows != NULL ? "Edit" : "New entry", "entry",
		rows != NULL ? row_object(rows, 0)
			     : json_pack("{s:s,s:s,s:s}", "slug", "", "title", "",
				   "body", "")));
}

/* "Hello, World!" becomes "hello-world". */
static char *
slug_of(const char *title)
{
	char *slug = spout_alloc(strlen(title) + sizeof("entry")), *end = slug;

	for (; *title != '\0'; title++) {
		char c = *title >= 'A' && *title <= 'Z' ? (char)(*title + 32) : *title;

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			*end++ = c;
		else if (end > slug && end[-1] != '-')
			*end++ = '-';
	}
	while (end > slug && end[-1] == '-')
		end--;
	if (end == slug)
		end = stpcpy(slug, "entry");
	*end = '\0';
	return slug;
}

/* A new one, under a name that is still free. */
static const char *
publish(struct spout_request *req, const char *title, const char *body)
{
	const char *first = slug_of(title), *slug = first;

	for (int n = 2; n < 1000; n++) {
		struct spout_rows *rows = spout_pg_query(
		    "INSERT INTO entries (author_id, slug, title, body)"
		    " VALUES ($1, $2, $3, $4) ON CONFLICT (slug) DO NOTHING RETURNING id",
		    spout_signed_cookie(req, COOKIE), slug, title, body);

		if (spout_rows_count(rows) > 0)
			return slug;
		slug = spout_sprintf("%s-%d", first, n);
	}
	spout_fail(req, 409, "too many entries have this title");
}

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void
compose(struct spout_request *req)
{
	const char *title = spout_require_arg(req, "title"),
		   *body = spout_require_arg(req, "body"), *slug = spout_arg(req, "slug");

	if (title[0] == '\0' || body[0] == '\0' || characters(title) > MAX_TITLE ||
	    characters(body) > MAX_BODY)
		spout_fail(req, 400, "an entry has a title and a text, of %d and %d "
		    "characters at most", MAX_TITLE, MAX_BODY);
	if (slug == NULL || slug[0] == '\0')
		slug = publish(req, title, body);
	else if (spout_rows_affected(spout_pg_query(
		     "UPDATE entries SET title = $2, body = $3, updated = now()"
		     " WHERE slug = $1", slug, title, body)) == 0)
		spout_fail(req, 404, "there is no such entry");
	spout_redirect(req, spout_sprintf("/entry/%s", spout_url_escape(slug)), 303);
}

/* --- the author ------------------------------------------------------------------- */

static struct spout_rows *
authors(void)
{
	return spout_pg_query("SELECT id, name, password_hash FROM authors");
}

static void
show_login(struct spout_request *req, const char *name, const char *message)
{
	const char *author = spout_current_user(req);
	bool first = spout_rows_count(authors()) == 0;

	spout_render(req, "login.html",
	    json_pack("{s:o,s:s,s:b,s:s,s:s,s:s?}", "author", author_value(author),
		"heading", first ? "Begin" : "Log in", "first", first, "name", name,
		"next", spout_next_path(req, "/"), "message", message));
}

static void
login_page(struct spout_request *req)
{
	show_login(req, "", NULL);
}

/* The one who comes first. Two at once: one of them has to log in. */
static bool
become_author(struct spout_request *req, const char *name, const char *password)
{
	if (name[0] == '\0' || characters(name) > 40 || strlen(password) < 8)
		spout_fail(req, 400, "a name and a password of at least 8 characters");
	return spout_rows_count(spout_pg_query(
		   "INSERT INTO authors (id, name, password_hash) VALUES (1, $1, $2)"
		   " ON CONFLICT DO NOTHING RETURNING id", name,
		   spout_password_hash(password))) > 0;
}

static bool
is_author(struct spout_rows *rows, const char *name, const char *password)
{
	bool known = spout_rows_count(rows) > 0 &&
	    strcmp(spout_row_text(rows, 0, "name"), name) == 0;

	/* Without a hash it takes as long. */
	return spout_password_verify(
	    password, known ? spout_row_text(rows, 0, "password_hash") : NULL);
}

static void
log_in(struct spout_request *req)
{
	const char *name = spout_require_arg(req, "name"),
		   *password = spout_require_arg(req, "password");
	struct spout_rows *rows = authors();

	if (spout_rows_count(rows) == 0 ? !become_author(req, name, password)
					: !is_author(rows, name, password)) {
		spout_set_status(req, 403);
		show_login(req, name, "Wrong name or password.");
		return;
	}
	spout_set_signed_cookie(req, COOKIE, "1");
	spout_redirect(req, spout_next_path(req, "/"), 303);
}

static void
log_out(struct spout_request *req)
{
	spout_clear_cookie(req, COOKIE);
	spout_redirect(req, "/", 303);
}

/* --- the program ------------------------------------------------------------------ */

static void
start(struct spout_app *app)
{
	int n = spout_pg_migrate(BLOG_FOLDER "/migrations");

	if (n > 0)
		spout_info("%s: %d migrations have run", app->name, n);
}

static const struct spout_rate_limit attempts = { "log in", .requests = 20, .per_s = 60 };

static const struct spout_route routes[] = {
	SPOUT_GET("/", front_page),
	SPOUT_GET("/archive", archive),
	SPOUT_GET("/feed", feed),
	SPOUT_GET("/entry/{slug}", entry),
	SPOUT_GET("/compose", compose_page, .login_required = true),
	SPOUT_POST("/compose", compose, .login_required = true),
	SPOUT_GET("/login", login_page),
	SPOUT_POST("/login", log_in, .rate_limit = &attempts),
	SPOUT_POST("/logout", log_out),
	SPOUT_STATIC("/static/", BLOG_FOLDER "/static", .cache_control = "max-age=300"),
	SPOUT_END,
};

int
main(int argc, char **argv)
{
	static const struct spout_security_headers security = {
		.content_security_policy = "default-src 'self'",
	};

	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "blog",
		.description = "A blog with one author.",
		.routes = routes,
		.on_worker_start = start,
		.template_path = BLOG_FOLDER "/templates",
		.current_user = current_user,
		.xsrf_cookies = true,
		.security_headers = &security });
}
