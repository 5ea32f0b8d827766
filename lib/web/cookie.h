/* SPDX-License-Identifier: MIT */
/* Cookies as text: reading the field Cookie, composing Set-Cookie. Pure. */
#ifndef SPOUT_WEB_COOKIE_H
#define SPOUT_WEB_COOKIE_H

#include <spout/cookie.h>

/** Cookies of a request that are looked at. */
#define SPOUT__COOKIES_MAX 256u
/** A name and its value, as sent; more is dropped by browsers. */
#define SPOUT__COOKIE_MAX_BYTES 4096u
/** Room for a composed cookie: attributes are at most 1024 bytes each. */
#define SPOUT__COOKIE_ROOM (SPOUT__COOKIE_MAX_BYTES + 2400u)
#define SPOUT__COOKIE_ATTRIBUTE_MAX 1024u

/**
 * The next pair with a valid name in what is left of a Cookie field, and move on; the
 * value as sent. `*left` counts down the pairs to look at. False at the end.
 */
bool spout__cookie_next(struct spout_slice *rest, unsigned *left,
    struct spout_slice *ret_name, struct spout_slice *ret_value);
/**
 * Undo the quotes of a value into `to`, 2 * value.len bytes of room. Returns the length,
 * or -EBADMSG if the result is not UTF-8 or holds a control character.
 */
long spout__cookie_unquote(struct spout_slice value, char *to);
/**
 * Compose the value of Set-Cookie. Returns its length, or -EINVAL with `*ret_why`, a
 * constant, saying what is wrong.
 */
int spout__cookie_compose(const char *name, const char *value,
    const struct spout_cookie_options *options, char to[SPOUT__COOKIE_ROOM],
    const char **ret_why);

#endif
