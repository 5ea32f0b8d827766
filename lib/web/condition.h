/* SPDX-License-Identifier: MIT */
/*
 * Conditional requests and ranges (RFC 9110 13 and 14): whether a client has what it asks
 * for already, and which part of it is wanted. Pure.
 */
#ifndef SPOUT_WEB_CONDITION_H
#define SPOUT_WEB_CONDITION_H

#include "http/head.h"

/** The fields of a request that count, empty where the client sent none. */
struct spout__conditions {
	struct spout_slice if_match, if_none_match;
	struct spout_slice if_modified_since, if_unmodified_since;
	struct spout_slice range, if_range;
	struct spout_slice accept_encoding;
};

/** What is known of the representation that would be sent. */
struct spout__validators {
	struct spout_slice etag; /* in its quotes, without W/; empty: none */
	int64_t modified;        /* seconds since 1970; -1: not known */
	bool weak;               /* the tag is a weak one */
};

enum spout__verdict {
	SPOUT__SEND,
	SPOUT__NOT_MODIFIED,        /* 304 */
	SPOUT__PRECONDITION_FAILED, /* 412 */
};

enum spout__range_kind {
	SPOUT__RANGE_WHOLE,
	SPOUT__RANGE_PART,
	SPOUT__RANGE_NONE, /* nothing of it is there: 416 */
};

struct spout__range {
	enum spout__range_kind kind;
	uint64_t first, len; /* of a part */
};

/** Look for the fields in a head. */
void spout__conditions_find(
    const struct spout__http_head *head, struct spout__conditions *ret);
/** Weigh the conditions of a GET or HEAD in the order of RFC 9110 13.2.2. */
enum spout__verdict spout__conditions_judge(
    const struct spout__conditions *c, const struct spout__validators *v);
/**
 * The part that Range and If-Range ask for of `size` bytes. Several ranges, another unit
 * or a malformed one are the whole, and so is a range that covers all of it.
 */
struct spout__range spout__conditions_range(const struct spout__conditions *c,
    const struct spout__validators *v, uint64_t size);

#endif
