/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the links of an HTML page. Each that is found is a URL in its normal form,
 * so that resolving it again changes nothing, and begins with its origin.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/links.h"

static void
on_link(const char *url, void *arg)
{
	char again[LINKS_URL_BYTES];
	size_t len = strlen(url), origin = links_origin_len(url);

	if (arg == NULL && len < LINKS_URL_BYTES && origin > strlen("http://") &&
	    origin < len && url[origin] == '/' && links_resolve(NULL, url, len, again) &&
	    strcmp(again, url) == 0)
		return;
	fprintf(stderr, "finding: %s\n", url);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	links_find((const char *)data, len, "http://site.example:8080/dir/page?query",
	    on_link, NULL);
	return 0;
}
