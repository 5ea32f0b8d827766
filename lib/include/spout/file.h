/* SPDX-License-Identifier: MIT */
/*
 * Files as responses: directories of static files, single files, URLs with a version.
 *
 * A file is opened and read on the blocking pool, never on the loop. Small ones (8 KiB)
 * are kept in memory and looked at again at most once a second; larger ones are sent by
 * the kernel from their descriptor. Every answer has an ETag (of the content up to 1 MiB,
 * above that of time and size) and Last-Modified; If-None-Match, If-Modified-Since,
 * If-Match, If-Unmodified-Since, Range (one range) and If-Range work for GET and HEAD
 * (RFC 9110 13 and 14). The type comes from the end of the name.
 *
 * A sibling `name.br` or `name.gz` that is not older than `name` is sent in its place to
 * clients that take it, with Content-Encoding and Vary.
 */
#ifndef SPOUT_FILE_H
#define SPOUT_FILE_H

#include <spout/web.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A directory of static files. (Tornado: StaticFileHandler) */
struct spout_static {
	const char *prefix;        /* of the paths: "/static/" */
	const char *directory;     /* nothing outside of it is served, by no link
				    * either */
	const char *index;         /* for paths ending with a slash ["index.html"]; "" */
	const char *cache_control; /* value of Cache-Control; NULL: none */
	bool hidden_files;         /* serve names that begin with a dot */
	bool no_siblings;          /* do not look for name.br and name.gz */
};

/*
 * SPOUT_STATIC("/static/", "/srv/app/static")
 * SPOUT_STATIC("/docs/", "/srv/docs", .cache_control = "max-age=3600")
 *
 * A row of a table of routes, at file scope. Prefix and directory are literals; the
 * prefix begins and ends with a slash. 404 for what is not there, for empty segments
 * ("a//b") and hidden names; 403 for what leads out of the directory, is no regular file
 * or may not be read; a directory without its slash is redirected, one without an index
 * is 404. A request for "?v=VERSION" that names the version of the file gets "public,
 * max-age=31536000, immutable".
 */
#define SPOUT_STATIC(path_prefix, path_of_directory, ...) \
	{ .methods = SPOUT_METHOD_GET, \
		.pattern = path_prefix "{path...}", \
		.handler = spout_static_handler, \
		.timeout_ms = SPOUT_FOREVER, \
		.data = &(const struct spout_static){ .prefix = path_prefix, \
		    .directory = path_of_directory, ##__VA_ARGS__ } }

/** The handler of such a row. A slow client is bound by the time-out of writing only. */
SPOUT_API void spout_static_handler(struct spout_request *req);

/**
 * The URL of a static file with its version: "/static/site.css?v=5f1c…", without one if
 * there is no such file. `path` is below the app's .static_path, else below its first
 * SPOUT_STATIC. In the running scope. May suspend; leaves with -EINVAL if the app has no
 * static files. (Tornado: static_url)
 */
SPOUT_API const char *spout_static_url(struct spout_request *req, const char *path);

struct spout_file_options {
	size_t size;               /* sizeof this struct, set by the macro */
	const char *root;          /* for a path that comes from a client: nothing outside
				    * of this directory (static text). NULL: trusted */
	const char *content_type;  /* [by the name] */
	const char *download_name; /* the client is to save it under this name */
	const char *cache_control; /* value of Cache-Control; NULL: none */
};

/**
 * Answer with a file, as the static files are answered; 404, 403 … if it cannot be. Sets
 * status, fields and body: only header fields and cookies may have been set before.
 * Suspends.
 *
 *     spout_send_file(req, "/srv/reports/7.pdf", .download_name = "report.pdf");
 */
#define spout_send_file(req, path, ...) \
	spout_send_file_with((req), (path), &(struct spout_file_options){ \
	    .size = sizeof(struct spout_file_options), ##__VA_ARGS__ })
SPOUT_API void spout_send_file_with(struct spout_request *req, const char *path,
    const struct spout_file_options *options);
/**
 * The same for an open regular file, which is borrowed (close it with spout_defer()). Its
 * tag is made of time and size; .root does not count.
 */
#define spout_send_fd(req, fd, ...) \
	spout_send_fd_with((req), (fd), &(struct spout_file_options){ \
	    .size = sizeof(struct spout_file_options), ##__VA_ARGS__ })
SPOUT_API void spout_send_fd_with(
    struct spout_request *req, int fd, const struct spout_file_options *options);

#ifdef __cplusplus
}
#endif

#endif
