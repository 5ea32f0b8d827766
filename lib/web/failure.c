/* SPDX-License-Identifier: MIT */
/*
 * When a handler has failed: its status, the page that answers it, the line in the log.
 * Runs on the leaving coroutine's stack: nothing here may wait or fail.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "client/decode.h"
#include "web/accept.h"
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

static void
log_failure(
    const struct spout_request *req, int status, const struct spout__outcome *outcome)
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

void
spout__failure_answer(struct spout_request *req, const struct spout__outcome *outcome)
{
	struct spout__page page = { .status = status_of(outcome), .request_id = req->id };
	int rc;

	req->cut = spout__http_head_sent(req->ex);
	log_failure(req, page.status, outcome);
	if (req->cut || req->client_gone)
		return;
	page.message = page.status < 500 ? outcome->reason
					 : spout__status_advice(page.status);
	page.json = spout__accept_prefers_json(spout__http_head_get(req->head, "Accept"));
	rc = spout__http_reset(req->ex);
	if (rc == 0)
		rc = write_head(req, &page);
	if (rc == 0)
		rc = write_page(req, &page);
	if (rc != 0)
		spout__http_close_after(req->ex);
}
