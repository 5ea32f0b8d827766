/* SPDX-License-Identifier: MIT */
/*
 * Directories of static files: which file a path means, redirects, URLs with a version.
 * What is sent, and how, is in send_file.c.
 */
#include "config.h"

#include "web/static.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"
#include "web/send_file.h"

#define FOREVER "public, max-age=31536000, immutable"

/* --- paths ------------------------------------------------------------------------ */

/*
 * Is this a path to look for? No empty segments, no "." and "..", no hidden names unless
 * they are wanted; a slash at the end is a directory.
 */
static bool
path_sane(struct spout_slice path, bool hidden)
{
	const char *at = path.data, *end = path.data + path.len;

	if (path.len > SPOUT__FILE_PATH_MAX)
		return false;
	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t len = (size_t)((slash != NULL ? slash : end) - at);

		if (len == 0 || (at[0] == '.' && !hidden) || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at += len + 1;
	}
	return true;
}

static bool
is_directory_path(struct spout_slice path)
{
	return path.len == 0 || path.data[path.len - 1] == '/';
}

static const char *
index_of(const struct spout_static *s)
{
	return s->index != NULL ? s->index : "index.html";
}

static struct spout__file *
look_up(struct spout_request *req, const struct spout_static *s, struct spout_slice path,
    int *ret_error)
{
	struct spout__file_key key = { .root = s->directory,
		.path = path,
		.index = index_of(s),
		.siblings = !s->no_siblings };

	*ret_error = -ENOENT;
	if (!path_sane(path, s->hidden_files) ||
	    (is_directory_path(path) && key.index[0] == '\0'))
		return NULL;
	return spout__file_cache_get(spout__files_of(req), &key, ret_error);
}

/* --- answers ---------------------------------------------------------------------- */

/* To the same path with a slash: as it was sent, with its query. */
static void
redirect_to_directory(struct spout_request *req)
{
	const struct spout__http_head *head = req->head;

	spout_redirect(req, spout_sprintf("%.*s/%s%.*s", (int)head->path.len,
				head->path.data, head->query.len > 0 ? "?" : "",
				(int)head->query.len, head->query.data), 301);
}

static bool
names_version(struct spout_slice query, const struct spout__file *file)
{
	struct spout_slice version = spout__file_version(file);

	return query.len == version.len + 2 && memcmp(query.data, "v=", 2) == 0 &&
	    memcmp(query.data + 2, version.data, version.len) == 0;
}

static void
serve(struct spout_request *req, const struct spout_static *s, struct spout_slice path)
{
	int error;
	struct spout__file *file = look_up(req, s, path, &error);

	if (file != NULL)
		spout__file_answer(req, file, spout_slice(NULL),
		    names_version(req->head->query, file) ? FOREVER : s->cache_control);
	else if (error == -EISDIR && !is_directory_path(path) && *index_of(s) != '\0')
		redirect_to_directory(req);
	else
		spout__file_refuse(req, error);
}

void
spout_static_handler(struct spout_request *req)
{
	serve(req, req->route->data, req->match.params[req->match.n_params - 1]);
}

/* "/favicon.ico" and the like: the pattern names the file. */
static void
serve_named(struct spout_request *req)
{
	serve(req, req->route->data, spout_slice(req->route->pattern + 1));
}

/* --- the routes of an application ------------------------------------------------- */

void
spout__static_init(struct spout__static *own, const struct spout_app *app)
{
	const struct spout_route *route;

	memset(own, 0, sizeof(*own));
	for (route = app->routes; route != NULL && route->pattern != NULL; route++)
		if (route->handler == spout_static_handler && own->main == NULL)
			own->main = route->data;
	if (app->static_path == NULL)
		return;
	own->files = (struct spout_static){ .prefix = "/static/",
		.directory = app->static_path };
	own->main = &own->files;
	own->routes[0] = (struct spout_route)SPOUT_GET("/static/{path...}",
	    spout_static_handler, .timeout_ms = SPOUT_FOREVER, .data = &own->files);
	own->routes[1] = (struct spout_route)SPOUT_GET(
	    "/favicon.ico", serve_named, .data = &own->files);
	own->routes[2] = (struct spout_route)SPOUT_GET(
	    "/robots.txt", serve_named, .data = &own->files);
}

static int
check_directory(const char *directory, char why[SPOUT__ROUTER_WHY_SIZE])
{
	struct stat st;

	if (stat(directory, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		errno = ENOTDIR;
	}
	snprintf(why, SPOUT__ROUTER_WHY_SIZE, "static files: %.160s: %s", directory,
	    strerror(errno));
	return -EINVAL;
}

static int
check_table(const struct spout_route *route, char why[SPOUT__ROUTER_WHY_SIZE])
{
	int rc = 0;

	for (; rc == 0 && route != NULL && route->pattern != NULL; route++)
		if (route->mount != NULL)
			rc = check_table(route->mount, why);
		else if (route->handler == spout_static_handler)
			rc = check_directory(
			    ((const struct spout_static *)route->data)->directory, why);
	return rc;
}

int
spout__static_check(const struct spout_app *app, char why[SPOUT__ROUTER_WHY_SIZE])
{
	const struct spout_host *host = app->hosts;
	int rc = check_table(app->routes, why);

	for (; rc == 0 && host != NULL && host->name != NULL; host++)
		rc = check_table(host->routes, why);
	if (rc == 0 && app->static_path != NULL)
		rc = check_directory(app->static_path, why);
	return rc;
}

/* --- URLs ------------------------------------------------------------------------- */

const char *
spout_static_url(struct spout_request *req, const char *path)
{
	const struct spout_static *s = req->web->statics.main;
	size_t len = strlen(path), n = 0;
	struct spout_slice version;
	struct spout__file *file;
	char *escaped;
	int error;

	if (s == NULL)
		spout__co_leave(-EINVAL, 0, "spout_static_url: no static files");
	escaped = spout_alloc(3 * len + 1);
	while (*path != '\0') {
		size_t segment = strcspn(path, "/");

		n += spout__percent_encode(path, segment, escaped + n);
		path += segment;
		if (*path == '/')
			escaped[n++] = *path++;
	}
	escaped[n] = '\0';
	file = look_up(req, s, spout_slice_of(path - len, len), &error);
	if (file == NULL)
		return spout_sprintf("%s%s", s->prefix, escaped);
	version = spout__file_version(file);
	return spout_sprintf("%s%s?v=%.*s", s->prefix, escaped, (int)version.len,
	    version.data);
}
