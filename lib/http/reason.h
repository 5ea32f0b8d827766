/* SPDX-License-Identifier: MIT */
/* Status codes and their reason phrases (RFC 9110 15, RFC 6585). */
#ifndef SPOUT_HTTP_REASON_H
#define SPOUT_HTTP_REASON_H

#include <spout/types.h>

/** "Not Found"; "Unknown" for a code without a name. */
const char *spout__http_reason(int status);
/** "HTTP/1.1 404 Not Found\r\n" for a status of 100 to 599; made once per code. */
struct spout_slice spout__http_status_line(int status);

#endif
