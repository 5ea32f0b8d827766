/* SPDX-License-Identifier: MIT */
/* Escaping into the running scope. */
#include "config.h"

#include <spout/web.h>

#include "base/text.h"

char *
spout_html_escape(const char *text)
{
	size_t len = strlen(text), need = spout__html_escaped_len(text, len);
	char *escaped = spout_alloc(need + 1);

	escaped[spout__html_escape(text, len, escaped)] = '\0';
	return escaped;
}

char *
spout_url_escape(const char *text)
{
	size_t len = strlen(text);
	char *escaped = spout_alloc(3 * len + 1);

	escaped[spout__percent_encode(text, len, escaped)] = '\0';
	return escaped;
}
