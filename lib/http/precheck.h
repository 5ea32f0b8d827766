/* SPDX-License-Identifier: MIT */
/*
 * The strict check of a complete head, before http-parser sees it: every byte, every line
 * end, the shape of the request line and of each field line, the version, the number of
 * fields. Debian's http-parser is built lenient: without this it takes bare LF, folds,
 * spaces around names, HTTP/9.9 and more.
 */
#ifndef SPOUT_HTTP_PRECHECK_H
#define SPOUT_HTTP_PRECHECK_H

#include <spout/types.h>

/**
 * Check a head of `len` bytes, its empty line included. Returns 0 or -fault.
 * `*ret_blank_ends`: some field value has spaces or tabs behind it.
 */
int spout__http_precheck(const char *data, size_t len, unsigned max_fields,
    bool *ret_blank_ends);

#endif
