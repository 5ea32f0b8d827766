/* SPDX-License-Identifier: MIT */
/* Why a fetch failed: libcurl's codes as errors of ours, in a phase, with words. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "client/client.h"

static const char *const phase_names[] = {
	[SPOUT_FETCH_PREPARE] = "prepare",
	[SPOUT_FETCH_QUEUE] = "queue",
	[SPOUT_FETCH_RESOLVE] = "resolve",
	[SPOUT_FETCH_CONNECT] = "connect",
	[SPOUT_FETCH_TLS] = "tls",
	[SPOUT_FETCH_SEND] = "send",
	[SPOUT_FETCH_FIRST_BYTE] = "first byte",
	[SPOUT_FETCH_BODY] = "body",
	[SPOUT_FETCH_REDIRECT] = "redirect",
};

const char *
spout_fetch_phase_name(enum spout_fetch_phase phase)
{
	return (unsigned)phase < sizeof(phase_names) / sizeof(*phase_names)
	    ? phase_names[phase]
	    : "unknown";
}

int
spout__failure_note(struct spout__fetch *fetch, enum spout_fetch_phase phase, int error,
    const char *fmt, ...)
{
	struct spout_fetch_failure *failure = &fetch->failure;
	const size_t size = sizeof(failure->reason);
	va_list ap;
	int n;

	if (failure->error != 0)
		return failure->error;
	failure->error = error;
	failure->phase = phase;
	n = snprintf(failure->reason, size, "fetch from %.60s%s%.80s%s%s: %s: ",
	    fetch->scheme != NULL ? fetch->scheme : "a URL",
	    fetch->scheme != NULL ? "://" : "", fetch->host != NULL ? fetch->host : "",
	    fetch->port != NULL ? ":" : "", fetch->port != NULL ? fetch->port : "",
	    spout_fetch_phase_name(phase));
	va_start(ap, fmt);
	vsnprintf(failure->reason + n, size - (size_t)n, fmt, ap);
	va_end(ap);
	return error;
}

/* What libcurl says; `phase` -1: that in which the transfer is. */
static const struct {
	CURLcode code;
	int error, phase;
} codes[] = {
	{ CURLE_OUT_OF_MEMORY, ENOMEM, -1 },
	{ CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, -1 },
	{ CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, SPOUT_FETCH_RESOLVE },
	{ CURLE_COULDNT_RESOLVE_PROXY, EHOSTUNREACH, SPOUT_FETCH_RESOLVE },
	{ CURLE_INTERFACE_FAILED, EADDRNOTAVAIL, SPOUT_FETCH_CONNECT },
	{ CURLE_PROXY, EPROTO, SPOUT_FETCH_CONNECT },
	{ CURLE_PEER_FAILED_VERIFICATION, EKEYREJECTED, SPOUT_FETCH_TLS },
	{ CURLE_SSL_CONNECT_ERROR, EPROTO, SPOUT_FETCH_TLS },
	{ CURLE_SSL_CERTPROBLEM, EINVAL, SPOUT_FETCH_TLS },
	{ CURLE_SSL_CACERT_BADFILE, EINVAL, SPOUT_FETCH_TLS },
	{ CURLE_SEND_ERROR, ECONNRESET, -1 },
	{ CURLE_RECV_ERROR, ECONNRESET, -1 },
	{ CURLE_GOT_NOTHING, ECONNRESET, -1 },
	{ CURLE_SEND_FAIL_REWIND, ECONNRESET, -1 },
	{ CURLE_PARTIAL_FILE, ECONNRESET, SPOUT_FETCH_BODY },
};

/* The connection could not be made: the kernel knows why. */
static int
connect_error(CURL *curl)
{
	long os_error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	return os_error > 0 ? -(int)os_error : -ECONNREFUSED;
}

int
spout__failure_of_code(struct spout__fetch *fetch, CURLcode code)
{
	enum spout_fetch_phase phase = spout__transfer_phase(fetch);
	const char *text = fetch->error_text[0] != '\0' ? fetch->error_text
							: curl_easy_strerror(code);
	int error = -EPROTO;

	if (code == CURLE_COULDNT_CONNECT) {
		phase = SPOUT_FETCH_CONNECT;
		error = connect_error(fetch->easy->curl);
	}
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (codes[i].code != code)
			continue;
		error = -codes[i].error;
		if (codes[i].phase >= 0)
			phase = (enum spout_fetch_phase)codes[i].phase;
	}
	return spout__failure_note(fetch, phase, error, "%s", text);
}
