/* SPDX-License-Identifier: MIT */
/*
 * GET /fetch?url=: ask another server on this machine and pass its answer on. With sync=1
 * the worker's loop stands still meanwhile: for comparison.
 */
#include "config.h"

#include "demo.h"

#include <errno.h>

#define FETCH_TIMEOUT_MS 10000
#define MAX_CLIENTS 1000

/* Loopback only, whatever the URL says, wherever it redirects to. */
#define FETCH_OPTIONS .timeout_ms = FETCH_TIMEOUT_MS, .allow = spout_fetch_allow_loopback

void
fetch_start(void)
{
	if (demo_fetch_allow &&
	    spout_client_configure(.max_clients = MAX_CLIENTS, .max_idle = MAX_CLIENTS) <
		0)
		spout_fail_with(-ENOMEM, "no memory for the HTTP client");
}

/* What a failure is to the client. */
static SPOUT_NORETURN void
look_at(struct spout_request *req, const struct spout_fetch_failure *failure)
{
	if (failure->error == -EACCES)
		spout_fail(req, 403, "url: not on the loopback of this machine");
	if (failure->error == -EINVAL)
		spout_fail(req, 400, "url: %s", failure->reason);
	spout_fail_with(failure->error, "%s", failure->reason);
}

static struct spout_response *
fetch_blocking(struct spout_request *req, const char *url)
{
	struct spout_fetch_failure failure;
	struct spout_response *response = spout_fetch_sync(url, &failure, FETCH_OPTIONS);

	if (response == NULL)
		look_at(req, &failure);
	spout_defer(spout_response_free, response);
	return response;
}

static struct spout_response *
fetch_waiting(struct spout_request *req, const char *url)
{
	struct spout_response *response = spout_try_fetch(url, FETCH_OPTIONS);

	if (response == NULL)
		look_at(req, spout_fetch_failure());
	return response;
}

void
fetch_get(struct spout_request *req)
{
	const char *url = spout_require_arg(req, "url"), *type;
	bool sync = spout_arg_bool(req, "sync", false);
	struct spout_response *response;
	struct spout_slice body;

	if (!demo_fetch_allow)
		spout_fail(req, 403, "start spout-demo with --fetch-allow for this");
	response = sync ? fetch_blocking(req, url) : fetch_waiting(req, url);
	type = spout_response_header(response, "Content-Type");
	spout_set_status(req, spout_response_status(response));
	spout_set_header(req, "Content-Type", type ? type : "application/octet-stream");
	body = spout_response_body(response);
	spout_write(req, body.data, body.len);
}
