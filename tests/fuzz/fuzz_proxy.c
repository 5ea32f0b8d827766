/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: headers of the PROXY protocol, both versions. What must hold:
 *
 *   - a header lies in what was given, is at most as long as it may be, and what follows
 *     it does not matter;
 *   - the start of a header is "more bytes are needed", and nonsense begins with none.
 */
#include "config.h"

#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/proxy.h"

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

/* In a block of its own, so that a byte behind it is noticed. */
static int
parse(const uint8_t *data, size_t len, struct sockaddr_storage *ret)
{
	char *copy = malloc(len + 1);
	int n;

	memcpy(copy, data, len);
	copy[len] = (char)0xff;
	n = spout__proxy_parse(copy, len, ret);
	free(copy);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sockaddr_storage whole, part;
	int n = parse(data, len, &whole);

	must(n == -EBADMSG || (n >= 0 && (size_t)n <= len && n <= (int)SPOUT__PROXY_MAX),
	    "a header beside the input");
	must(n != 0 || len < SPOUT__PROXY_MAX, "a header without end");
	for (size_t i = 0; i <= len && i <= SPOUT__PROXY_MAX; i++) {
		int m = parse(data, i, &part);

		if (n > 0 && i < (size_t)n)
			must(m == 0, "the start of a header is refused or taken");
		if (n > 0 && i >= (size_t)n)
			must(m == n && part.ss_family == whole.ss_family,
			    "what follows a header changes it");
		if (n == 0)
			must(m == 0, "a shorter start of a header is refused or taken");
		if (n < 0)
			must(m <= 0, "nonsense begins with a header");
	}
	return 0;
}
