/* SPDX-License-Identifier: MIT */
/*
 * Error pages: a small page of HTML, or JSON for a client that prefers it. All text is
 * escaped here. In debug mode it says more (web/debug_page.h).
 */
#ifndef SPOUT_WEB_PAGE_H
#define SPOUT_WEB_PAGE_H

#include <spout/types.h>

#include "base/buffer.h"

struct spout__debug;

/** Most bytes of an error page; more are not buffered, and it goes out as one. */
#define SPOUT__PAGE_MAX_BYTES 65536u

struct spout__page {
	int status;
	const char *message;    /* for the client; "" or NULL: the status says it all */
	const char *request_id; /* NULL: none */
	bool json;
	const struct spout__debug *debug; /* in debug mode; else NULL */
};

/** Append the page. Returns 0, -EMSGSIZE or -ENOMEM. */
int spout__page_write(const struct spout__page *page, struct spout__buffer *to);
const char *spout__page_content_type(const struct spout__page *page);
/** Append text, escaped. Returns as above. */
int spout__page_html(struct spout__buffer *to, const char *text, size_t len);

#endif
