/* SPDX-License-Identifier: MIT */
/* Status codes and their reason phrases: see reason.h. Loop thread. */
#include "config.h"

#include "http/reason.h"

#include <stdio.h>

static const char *const reasons[600] = {
	[100] = "Continue", [101] = "Switching Protocols", [103] = "Early Hints",
	[200] = "OK", [201] = "Created", [202] = "Accepted",
	[203] = "Non-Authoritative Information", [204] = "No Content",
	[205] = "Reset Content", [206] = "Partial Content", [207] = "Multi-Status",
	[300] = "Multiple Choices", [301] = "Moved Permanently", [302] = "Found",
	[303] = "See Other", [304] = "Not Modified", [307] = "Temporary Redirect",
	[308] = "Permanent Redirect",
	[400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required",
	[403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
	[406] = "Not Acceptable", [407] = "Proxy Authentication Required",
	[408] = "Request Timeout", [409] = "Conflict", [410] = "Gone",
	[411] = "Length Required", [412] = "Precondition Failed",
	[413] = "Content Too Large", [414] = "URI Too Long",
	[415] = "Unsupported Media Type", [416] = "Range Not Satisfiable",
	[417] = "Expectation Failed", [421] = "Misdirected Request",
	[422] = "Unprocessable Content", [423] = "Locked", [424] = "Failed Dependency",
	[425] = "Too Early", [426] = "Upgrade Required", [428] = "Precondition Required",
	[429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
	[451] = "Unavailable For Legal Reasons",
	[500] = "Internal Server Error", [501] = "Not Implemented", [502] = "Bad Gateway",
	[503] = "Service Unavailable", [504] = "Gateway Timeout",
	[505] = "HTTP Version Not Supported", [507] = "Insufficient Storage",
	[511] = "Network Authentication Required",
};

const char *
spout__http_reason(int status)
{
	if (status < 100 || status > 599 || reasons[status] == NULL)
		return "Unknown";
	return reasons[status];
}

struct spout_slice
spout__http_status_line(int status)
{
	/* A page of 64 bytes per code, filled when first used. */
	static char lines[500][64];
	static unsigned char lengths[500];
	unsigned i = status < 100 || status > 599 ? 400u : (unsigned)status - 100u;

	if (lengths[i] == 0)
		lengths[i] = (unsigned char)snprintf(lines[i], sizeof(lines[i]),
		    "HTTP/1.1 %u %s\r\n", i + 100u, spout__http_reason((int)i + 100));
	return spout_slice_of(lines[i], lengths[i]);
}
