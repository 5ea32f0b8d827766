/* SPDX-License-Identifier: MIT */
/*
 * The rules above the parser: which targets, which Host, how the body is framed, what
 * Connection and Expect say. They work on a head whose method, minor, target and fields
 * are known, and fill in the rest.
 */
#ifndef SPOUT_HTTP_RULES_H
#define SPOUT_HTTP_RULES_H

#include "http/head.h"

/** Returns 0 or -fault. */
int spout__http_rules_apply(struct spout__http_head *head);

#endif
