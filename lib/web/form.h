/* SPDX-License-Identifier: MIT */
/* The form of a request, of either type, parsed when it is first asked for. */
#ifndef SPOUT_WEB_FORM_H
#define SPOUT_WEB_FORM_H

#include <spout/form.h>

#include "web/args.h"
#include "web/multipart.h"

/** Most parts of a form, most bytes of the head of one (ParseMultipartConfig). */
#define SPOUT__PARTS_MAX 100u
#define SPOUT__PART_HEAD_MAX 10240u

struct spout_request;

/** Fields and files of the buffered body; empty if it is no form. Leaves with 400. */
const struct spout__args *spout__form_args(struct spout_request *req);
/** Arguments of urlencoded text; `what` it is. Leaves with 400. */
struct spout__args *spout__args_of(struct spout_request *req, const char *what,
    struct spout_slice text);
/** Begin with the boundary that the request names. Leaves with 400. */
void spout__form_multipart(struct spout_request *req, struct spout__multipart *parser);
/** Leave with 400 or, for -EMSGSIZE, what the limit was. */
void spout__form_refuse(struct spout_request *req, int error) SPOUT_NORETURN;
/** A copy as text in the scope; leaves with 400 if it is not UTF-8 or has a NUL. */
const char *spout__form_text(struct spout_request *req, const char *what,
    struct spout_slice text);

#endif
