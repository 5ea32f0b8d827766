/* SPDX-License-Identifier: MIT */
/*
 * The plural rule of a catalogue: "nplurals=2; plural=n != 1;" where the rule is an
 * expression of C in n (gettext manual 11.2.6). It is short, so it is read each time.
 * Pure, any thread.
 */
#ifndef SPOUT_WEB_PLURAL_H
#define SPOUT_WEB_PLURAL_H

#include <spout/types.h>

#define SPOUT__PLURALS_MAX 16u

struct spout__plural {
	unsigned n;              /* how many forms there are */
	struct spout_slice rule; /* in the header; data NULL: n != 1 */
};

/**
 * Read the rule from the value of Plural-Forms (borrowed). 0 or -EBADMSG: malformed, or
 * gives a form that there is not for one of the first thousand numbers.
 */
int spout__plural_init(struct spout__plural *plural, struct spout_slice value);
/** Which form is for this number. */
unsigned spout__plural_form(const struct spout__plural *plural, uint64_t n);

#endif
