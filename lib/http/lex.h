/* SPDX-License-Identifier: MIT */
/*
 * Cuts a complete head into target and fields, and checks it strictly on the way: every
 * byte, every line end, the shape of the request line and of each field line, the
 * version, the number of fields. Debian's http-parser is built lenient and would take
 * bare LF, folds, spaces around names, HTTP/9.9 and more.
 */
#ifndef SPOUT_HTTP_LEX_H
#define SPOUT_HTTP_LEX_H

#include "http/head.h"

/**
 * Lex a head of `len` bytes, its empty line included: sets minor, the target and the
 * fields, whose values are trimmed. Returns 0 or -fault.
 */
int spout__http_lex(
    const char *data, size_t len, unsigned max_fields, struct spout__http_head *head);

#endif
