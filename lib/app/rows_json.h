/* SPDX-License-Identifier: MIT */
/* Rows of a query as jansson values; spout/app.h has what answers with them. */
#ifndef SPOUT_APP_ROWS_JSON_H
#define SPOUT_APP_ROWS_JSON_H

#include <spout/pg.h>

#include <jansson.h>

/**
 * One row as an object. Returns owned. Leaves with -EINVAL for a row that is not there,
 * -ENOMEM. Inside a coroutine.
 */
json_t *spout__row_json(struct spout_rows *rows, size_t row);

#endif
