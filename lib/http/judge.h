/* SPDX-License-Identifier: MIT */
/*
 * http-parser as the judge of a lexed head: method, form of the target, framing. It gets
 * what it has an opinion on: the request line, but for what a path holds behind its first
 * byte, and the framing fields. All else it would only hand back, at some 30 instructions
 * a byte and 50 for each of a target. The fuzzer sees to it that it would say the same of
 * the whole head.
 */
#ifndef SPOUT_HTTP_JUDGE_H
#define SPOUT_HTTP_JUDGE_H

#include "http/head.h"

/**
 * Sets method, framing and content_length of a lexed head whose first byte is at `data`.
 * `length` and `coding` are its framing fields, NULL if there is none; their values may
 * not be empty. Returns 0 or -fault.
 */
int spout__http_judge(struct spout__http_head *head, const char *data,
    const struct spout__http_field *length, const struct spout__http_field *coding);

#endif
