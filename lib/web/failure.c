/* SPDX-License-Identifier: MIT */
/*
 * When a handler has failed: its status, the page that answers it, the line in the log.
 *
 * The program's write_error runs first, as the end of the handler; if there is none, or
 * it writes nothing, or fails, the page is ours, written on the leaving coroutine's
 * stack: there nothing may wait or fail.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "client/decode.h"
#include "web/accept.h"
#include "web/debug_page.h"
#include "web/guard.h"
#include "web/page.h"
#include "web/request.h"
#include "web/status.h"

#define LOGGED_TARGET_MAX 256

static int
status_of(const struct spout__outcome *outcome)
{
	if (outcome->status >= 400 && outcome->status <= 599)
		return outcome->status;
	return spout__status_of_error(outcome->error);
}

static int
set_text(struct spout_request *req, const char *name, const char *value)
{
	return spout__http_set_header(req->ex, spout_slice(name), spout_slice(value));
}

/* --- the head ----------------------------------------------------------------------- */

/* Status and fields of an error page. */
static int
write_head(struct spout_request *req, const struct spout__page *page)
{
	char allow[SPOUT__ALLOW_SIZE], seconds[24];
	int rc = spout__http_set_status(req->ex, page->status);

	if (rc == 0)
		rc = set_text(req, "Content-Type", spout__page_content_type(page));
	if (rc == 0)
		rc = set_text(req, "X-Request-Id", req->id);
	if (rc == 0)
		rc = spout__guard_fields(req);
	if (rc == 0 && page->status == 401 && req->guarded != NULL &&
	    req->guarded->challenge != NULL)
		rc = set_text(req, "WWW-Authenticate", req->guarded->challenge);
	if (rc == 0 && page->status == 429 && req->guarded != NULL &&
	    req->guarded->retry_after_s > 0) {
		snprintf(seconds, sizeof(seconds), "%" PRIu64,
		    req->guarded->retry_after_s);
		rc = set_text(req, "Retry-After", seconds);
	}
	if (rc == 0 && page->status == 415 && req->inflater != NULL)
		rc = set_text(req, "Accept-Encoding", SPOUT__DECODER_CODINGS);
	if (rc == 0 && page->status == 503)
		rc = set_text(req, "Retry-After", SPOUT__RETRY_AFTER);
	if (rc == 0 && page->status == 405 && req->match.endpoint == NULL) {
		spout__router_allow(req->match.allow, allow);
		rc = set_text(req, "Allow", allow);
	}
	return rc;
}

/* --- what is logged ----------------------------------------------------------------- */

static void
log_failure(struct spout_request *req, int status, const struct spout__outcome *outcome)
{
	static struct spout__log_kind kinds[600 - 500];
	enum spout_log_level level = SPOUT_LOG_DEBUG;
	const struct spout_slice *target = &req->head->target;

	if (!req->client_gone && status >= 500)
		level = status == 500 ? SPOUT_LOG_ERROR : SPOUT_LOG_WARNING;
	if (spout_log_enabled(level) && (level == SPOUT_LOG_DEBUG ||
		spout__log_admit(&kinds[status - 500], level)))
		spout_log(level, "%s %.*s: %d%s: %s", spout_request_method(req),
		    target->len > LOGGED_TARGET_MAX ? LOGGED_TARGET_MAX
						    : (int)target->len,
		    target->data, status, req->cut ? ", connection cut" : "",
		    outcome->reason);
}

/* --- the program's page ------------------------------------------------------------- */

static spout_error_fn
writer_of(const struct spout_request *req)
{
	return req->route != NULL && req->route->write_error != NULL
	    ? req->route->write_error
	    : req->web->app->write_error;
}

static bool
prefers_json(const struct spout_request *req)
{
	return spout__accept_prefers_json(spout__http_head_get(req->head, "Accept"));
}

static struct spout__page
page_of(const struct spout_request *req, const struct spout__outcome *outcome)
{
	struct spout__page page = { .status = status_of(outcome), .request_id = req->id };

	page.message = page.status < 500 ? outcome->reason
					 : spout__status_advice(page.status);
	page.json = prefers_json(req);
	return page;
}

void
spout__failure_write(struct spout_request *req, const struct spout__outcome *outcome)
{
	spout_error_fn write_error = writer_of(req);
	bool has_failed_at = req->has_failed_at;
	struct spout__page page;

	if (write_error == NULL)
		return;
	page = page_of(req, outcome);
	log_failure(req, page.status, outcome);
	if (spout__http_reset(req->ex) != 0 || write_head(req, &page) != 0)
		return;
	req->has_failed_at = false; /* what fails from now on is another place */
	write_error(req,
	    &(struct spout_failure){ .status = page.status,
		.reason = spout__status_reason(page.status),
		.message = page.message,
		.cause = outcome->reason,
		.json = page.json });
	req->has_failed_at = has_failed_at;
	req->failure_logged = true;
	req->answered = spout__http_written(req->ex) > 0;
}

/* --- ours --------------------------------------------------------------------------- */

static int
write_page(struct spout_request *req, const struct spout__page *page)
{
	struct spout__buffer text;
	int rc;

	spout__buffer_init(&text, SPOUT__PAGE_MAX_BYTES);
	rc = spout__page_write(page, &text);
	if (rc == 0)
		rc = spout__http_write(req->ex, spout__buffer_at(&text), text.len);
	spout__buffer_release(&text);
	return rc;
}

/* Without the rest if it does not fit, or memory is short. */
static int
write_debug_page(struct spout_request *req, struct spout__page *page,
    const struct spout__outcome *outcome)
{
	struct spout__debug *debug = spout__debug_new(req, outcome);
	int rc = -ENOMEM;

	page->debug = debug;
	if (debug != NULL)
		rc = write_page(req, page);
	free(debug);
	page->debug = NULL;
	return rc == 0 ? 0 : write_page(req, page);
}

void
spout__failure_answer(struct spout_request *req, const struct spout__outcome *outcome)
{
	struct spout__page page = page_of(req, outcome);
	int rc;

	req->cut = spout__http_head_sent(req->ex);
	if (!req->failure_logged || req->cut)
		log_failure(req, page.status, outcome);
	if (req->cut || req->client_gone || req->answered)
		return;
	rc = spout__http_reset(req->ex);
	if (rc == 0)
		rc = write_head(req, &page);
	if (rc == 0)
		rc = req->web->app->debug ? write_debug_page(req, &page, outcome)
					  : write_page(req, &page);
	if (rc != 0)
		spout__http_close_after(req->ex);
}
