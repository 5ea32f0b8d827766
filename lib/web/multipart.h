/* SPDX-License-Identifier: MIT */
/*
 * multipart/form-data (RFC 7578, 2046 5.1), piece by piece. Pure: no request, no memory
 * of its own; what it hands out lies in the input, in the room for the head of a part, or
 * in the delimiter.
 *
 *     PREAMBLE ──delimiter──> AFTER ──CRLF──> HEAD ──empty line──> BODY ──delimiter──┐
 *                               ▲ └──"--"──> EPILOGUE                              │
 *                               └────────────────────────────────────────────────────┘
 *
 * Strict where leniency would let two readers disagree: nothing but empty lines before
 * the first boundary, no white space behind one, no folded lines, every part named once.
 */
#ifndef SPOUT_WEB_MULTIPART_H
#define SPOUT_WEB_MULTIPART_H

#include <spout/types.h>

#define SPOUT__BOUNDARY_MAX 70u /* RFC 2046 5.1.1 */

enum spout__multipart_state {
	SPOUT__MULTIPART_PREAMBLE,
	SPOUT__MULTIPART_AFTER,
	SPOUT__MULTIPART_HEAD,
	SPOUT__MULTIPART_BODY,
	SPOUT__MULTIPART_EPILOGUE,
};

enum spout__multipart_event {
	SPOUT__MULTIPART_MORE,     /* all input is used up */
	SPOUT__MULTIPART_PART,     /* a part begins: spout__multipart_part() */
	SPOUT__MULTIPART_DATA,     /* some of its data */
	SPOUT__MULTIPART_PART_END, /* the part is whole */
	SPOUT__MULTIPART_END,      /* so is the body; what follows is ignored */
};

struct spout__multipart {
	enum spout__multipart_state state;
	size_t matched;            /* bytes of the delimiter, or of what follows it */
	size_t delimiter_len;
	char *head;                /* room for the head of a part */
	size_t head_len, head_max;
	char delimiter[4 + SPOUT__BOUNDARY_MAX];
};

struct spout__part {
	struct spout_slice name;
	struct spout_slice filename;     /* data is NULL: a field, no file */
	struct spout_slice content_type; /* data is NULL: none was sent */
};

/** Is this Content-Type multipart/form-data? */
bool spout__multipart_is(struct spout_slice content_type);
/**
 * Begin, with the boundary of this Content-Type. `head` has `head_max` bytes: the most
 * that the head of a part may be long. 0, or -EBADMSG: no boundary, or a malformed one.
 */
int spout__multipart_init(struct spout__multipart *mp, struct spout_slice content_type,
    char *head, size_t head_max);
/**
 * Take what makes one event from the front of `*input`. DATA sets `*ret_data`, which is
 * valid as long as the input is. Returns an event, -EBADMSG, or -EMSGSIZE: the head of a
 * part is too long.
 */
int spout__multipart_next(struct spout__multipart *mp, struct spout_slice *input,
    struct spout_slice *ret_data);
/**
 * What the head of the part says, after PART and before the next call; unescaped in
 * place. `filename` is without folders. 0 or -EBADMSG.
 */
int spout__multipart_part(struct spout__multipart *mp, struct spout__part *ret_part);

#endif
