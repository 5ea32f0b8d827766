/* SPDX-License-Identifier: MIT */
/*
 * The response, as a handler writes it: thin over lib/http, which owns buffering and
 * framing. Here: plain forms that leave.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "web/request.h"
#include "web/status.h"

/* Log a mistake in the program once per place, and return -EINVAL. */
#define misuse(...) \
	({ \
		static bool said; \
		if (!said) \
			spout_warning(__VA_ARGS__); \
		said = true; \
		-EINVAL; \
	})

/* 0 when the handler of this request may write; aborts in a job. */
static int
check_writing(const struct spout_request *req, const char *what)
{
	spout__co_must(what);
	if (req->finished)
		return misuse("%s was called after its handler had ended", what);
	return 0;
}

static void SPOUT_NORETURN
leave_writing(int error)
{
	/* That a client goes away is no failure: nothing to log for a child that
	 * wrote. */
	spout__co_leave(error == -EPIPE ? -ECANCELED : error, 0,
	    "writing the response: %s", strerror(-error));
}

/* --- the head ------------------------------------------------------------------- */

int
spout_set_status(struct spout_request *req, int status)
{
	int rc = check_writing(req, "spout_set_status");

	if (rc != 0)
		return rc;
	if (status < 200 || status > 599)
		return misuse(
		    "spout_set_status: %d is not a status from 200 to 599", status);
	if (spout__http_set_status(req->ex, status) != 0)
		return misuse("spout_set_status was called after the head was sent");
	return 0;
}

typedef int (*put_header_fn)(
    struct spout__http_exchange *ex, struct spout_slice name, struct spout_slice value);

static int
put_header(struct spout_request *req, const char *name, const char *value,
    put_header_fn put, const char *what)
{
	int rc = check_writing(req, what);

	if (rc != 0)
		return rc;
	rc = put(req->ex, spout_slice(name), spout_slice(value));
	if (rc == -EALREADY)
		return misuse("%s: %s was set after the head was sent", what, name);
	if (rc == -EINVAL)
		spout__co_leave(-EINVAL, 0,
		    "%s: the field \"%s\" or its value is not allowed", what, name);
	if (rc != 0)
		spout__co_leave(rc, 0, "%s: %s", what, strerror(-rc));
	return 0;
}

int
spout_set_header(struct spout_request *req, const char *name, const char *value)
{
	return put_header(req, name, value, spout__http_set_header, "spout_set_header");
}

int
spout_add_header(struct spout_request *req, const char *name, const char *value)
{
	return put_header(req, name, value, spout__http_add_header, "spout_add_header");
}

int
spout_status(const struct spout_request *req)
{
	return spout__http_status(req->ex);
}

int
spout_clear_header(struct spout_request *req, const char *name)
{
	int rc = check_writing(req, "spout_clear_header");

	if (rc == 0 && spout__http_clear_header(req->ex, spout_slice(name)) != 0)
		return misuse("spout_clear_header was called after the head was sent");
	return rc;
}

int
spout_clear(struct spout_request *req)
{
	int rc = check_writing(req, "spout_clear");

	if (rc == 0 && spout__http_reset(req->ex) != 0)
		return misuse("spout_clear was called after the head was sent");
	return rc;
}

void
spout__response_type(struct spout_request *req, struct spout_slice type)
{
	if (check_writing(req, "Content-Type") == 0 &&
	    spout__http_set_content_type(req->ex, type) != 0)
		misuse("Content-Type was set after the head was sent");
}

/* --- the body ------------------------------------------------------------------- */

int
spout_try_write(struct spout_request *req, const void *data, size_t len)
{
	int rc = check_writing(req, "spout_write");

	if (rc != 0)
		return rc;
	rc = spout__http_write(req->ex, data, len);
	return rc == 0 ? 0
		       : spout__co_error(rc, "writing the response: %s", strerror(-rc));
}

void
spout_write(struct spout_request *req, const void *data, size_t len)
{
	int rc = spout_try_write(req, data, len);

	if (rc != 0 && rc != -EINVAL)
		leave_writing(rc);
}

void
spout_write_text(struct spout_request *req, const char *text)
{
	spout_write(req, text, strlen(text));
}

void
spout_printf(struct spout_request *req, const char *fmt, ...)
{
	char small[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		spout__co_leave(-EINVAL, 0, "spout_printf: bad format: %s", fmt);
	if ((size_t)n < sizeof(small)) {
		spout_write(req, small, (size_t)n);
	} else {
		char *text;

		va_start(ap, fmt);
		text = spout_vsprintf(fmt, ap);
		va_end(ap);
		spout_write(req, text, (size_t)n);
	}
}

void
spout_write_escaped(struct spout_request *req, const char *text)
{
	char small[512];
	size_t len = strlen(text), need = spout__html_escaped_len(text, len);
	char *to = need <= sizeof(small) ? small : spout_alloc(need);

	spout_write(req, to, spout__html_escape(text, len, to));
}

void
spout_flush(struct spout_request *req)
{
	int rc = check_writing(req, "spout_flush");

	if (rc != 0)
		return;
	rc = spout__http_flush(req->ex);
	if (rc != 0)
		leave_writing(rc);
}

void
spout_plain(struct spout_request *req, const char *text)
{
	spout__response_type(req, SPOUT__LITERAL("text/plain; charset=UTF-8"));
	spout_write(req, text, strlen(text));
}

/* --- answers of their own kind -------------------------------------------------- */

/* A URL or a path: printable ASCII without space and quotes, not empty. */
static bool
location_valid(const char *url)
{
	const char *at;

	for (at = url; *at > 0x20 && *at < 0x7f && *at != '"' && *at != '<' && *at != '>';
	     at++)
		;
	return *url != '\0' && *at == '\0';
}

void
spout_redirect(struct spout_request *req, const char *url, int status)
{
	if (status == 0)
		status = 302;
	if (status != 301 && status != 302 && status != 303 && status != 307 &&
	    status != 308)
		spout__co_leave(
		    -EINVAL, 0, "spout_redirect: %d is not a redirect", status);
	if (!location_valid(url))
		spout__co_leave(
		    -EINVAL, 0, "spout_redirect: not a valid URL: %.100s", url);
	if (spout_set_status(req, status) == 0)
		spout_set_header(req, "Location", url);
}

/* For the web layer it has returned: it has to do what comes behind a handler. */
void
spout_leave(struct spout_request *req)
{
	check_writing(req, "spout_leave");
	spout__after_handler(req);
	spout__co_leave(0, 0, "left");
}

void
spout_fail_at(
    struct spout_request *req, const char *where, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (req->finished)
		misuse("spout_fail was called after its handler had ended");
	if (status < 400 || status > 599) {
		misuse("spout_fail: %d is not a status from 400 to 599", status);
		status = 500;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	req->failed_at = where;
	req->has_failed_at = true;
	spout__co_leave(SPOUT__ERROR_OF_STATUS(status), status, "%s", text);
}
