/* SPDX-License-Identifier: MIT */
/*
 * The rules around the parser: which targets, which Host, how the body is framed, what
 * Connection and Expect say. They take a lexed head, have it judged by http-parser, and
 * fill in the rest.
 */
#ifndef SPOUT_HTTP_RULES_H
#define SPOUT_HTTP_RULES_H

#include "http/head.h"

/** `data`: the first byte of the head. Returns 0 or -fault. */
int spout__http_rules_apply(struct spout__http_head *head, const char *data);

#endif
