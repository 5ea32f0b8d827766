/* SPDX-License-Identifier: MIT */
/*
 * The links of an HTML page, as a crawler wants them: absolute, normalised, without the
 * part behind "#". No HTML parser: it finds <a href> and <area href> in anything, and
 * takes rubbish for what it is. Reads each byte a bounded number of times, allocates
 * nothing, changes nothing, any thread.
 */
#ifndef SPOUT_EXAMPLES_LINKS_H
#define SPOUT_EXAMPLES_LINKS_H

#include <stdbool.h>
#include <stddef.h>

/** Longer URLs are no links. With the NUL behind it. */
#define LINKS_URL_BYTES 2048

/**
 * Call fn(url, arg) for every link of a page, as often as it occurs; `url` is valid
 * during the call. `base` is the URL of the page, as links_resolve() made it.
 */
void links_find(const char *html, size_t len, const char *base,
    void (*fn)(const char *url, void *arg), void *arg);

/**
 * What a reference means on a page (RFC 3986 5.2), normalised (6.2): scheme and host in
 * lower case, no default port, no dot segments, at least "/" for a path; blanks and bytes
 * that may not be in a URL are percent-encoded. `base` NULL: it must be absolute.
 * False if it is no http or https URL, has user and password, or is too long.
 */
bool links_resolve(
    const char *base, const char *reference, size_t len, char url[LINKS_URL_BYTES]);

/** Length of the origin of a normalised URL: "http://host:port". */
size_t links_origin_len(const char *url);

#endif
