/* SPDX-License-Identifier: MIT */
/* Errors to statuses to words: see status.h. */
#include "config.h"

#include "web/status.h"

#include <errno.h>
#include <stddef.h>

/*
 *   503  we are out of something, or stopping: come back (Retry-After)
 *   504  the deadline passed
 *   502  what we asked for the answer did not give it
 *   500  anything else
 */
static const struct {
	int error, status;
} map[] = {
	{ ENOBUFS, 503 }, /* queue or pool full */
	{ EAGAIN, 503 },
	{ EBUSY, 503 },
	{ ENOMEM, 503 },
	{ EMFILE, 503 },
	{ ENFILE, 503 },
	{ ENOTCONN, 503 }, /* the database is down */
	{ EHOSTDOWN, 503 },
	{ ESHUTDOWN, 503 },
	{ ECANCELED, 503 }, /* the worker stops */
	{ ETIMEDOUT, 504 },
	{ EREMOTEIO, 502 }, /* the upstream answered with a failure */
	{ EPROTO, 502 },    /* … or with nonsense */
	{ EKEYREJECTED, 502 }, /* … or is not who it should be */
	{ EKEYEXPIRED, 502 },
	{ ECONNREFUSED, 502 },
	{ ECONNRESET, 502 },
	{ ECONNABORTED, 502 },
	{ EHOSTUNREACH, 502 },
	{ ENETUNREACH, 502 },
	{ ELOOP, 502 },     /* its redirects have no end */
	{ EMSGSIZE, 502 },  /* it answered with more than we take */
};

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 425, "Too Early" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

int
spout__status_of_error(int error)
{
	int chosen = -error - 100000;
	size_t i;

	if (chosen >= 400 && chosen <= 599)
		return chosen;
	for (i = 0; i < sizeof(map) / sizeof(*map); i++)
		if (map[i].error == -error)
			return map[i].status;
	return 500;
}

const char *
spout__status_reason(int status)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

const char *
spout__status_advice(int status)
{
	switch (status) {
	case 502:
		return "A service that this page depends on has failed.";
	case 503:
		return "The service is busy or not available. Try again in a moment.";
	case 504:
		return "The answer took too long.";
	default:
		return status >= 500 ? "The server has failed to answer this request."
				     : "";
	}
}
