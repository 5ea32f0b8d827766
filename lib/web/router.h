/* SPDX-License-Identifier: MIT */
/*
 * Router: from method and path to a row of the application's table. Made once when the
 * program starts; matching allocates nothing. The tree is read-only once made; beside it
 * the fixed paths found last are remembered.
 *
 * The tree has one level per segment. A node holds its fixed children in order, at most
 * one child for a parameter and one for a rest, and per method the row that ends here.
 * Matching tries fixed, parameter, rest, and steps back when one leads nowhere: a row
 * that can be reached is found, and each node is looked at at most once per path.
 */
#ifndef SPOUT_WEB_ROUTER_H
#define SPOUT_WEB_ROUTER_H

#include <spout/web.h>

#include "base/stats.h"
#include "http/head.h"
#include "web/schema.h"

/** Parameters of one pattern, and segments of a path (longer ones are not found). */
#define SPOUT__ROUTE_MAX_PARAMS 8
#define SPOUT__PATH_MAX_SEGMENTS 64

/** Room for the text that says what is wrong with a table, or for an Allow header. */
#define SPOUT__ROUTER_WHY_SIZE 256
#define SPOUT__ALLOW_SIZE 64
#define SPOUT__ROUTE_WHAT_SIZE 88

struct spout__router;

/** A row, compiled. */
struct spout__endpoint {
	const struct spout_route *route; /* of a mounted table: with its whole pattern */
	const spout_handler_fn *chain;   /* guard, middleware, the handler, then NULL; or
	                                  * NULL: the handler alone */
	size_t what_len;
	char what[SPOUT__ROUTE_WHAT_SIZE]; /* "GET /users/{id}", perhaps cut, for
					    * reports */
	struct spout__route_figures *figures; /* where its requests are counted */
	unsigned n_params;
	struct spout_slice names[SPOUT__ROUTE_MAX_PARAMS]; /* in the pattern */
	struct spout__schema *schemas[SPOUT__ROUTE_MAX_PARAMS]; /* NULL: anything */
};

struct spout__match {
	const struct spout__endpoint *endpoint; /* NULL unless found */
	unsigned allow;  /* with -EPERM: methods that the path knows */
	unsigned n_params;
	struct spout_slice params[SPOUT__ROUTE_MAX_PARAMS]; /* decoded */
};

/** An empty router, or NULL. */
struct spout__router *spout__router_new(void);
void spout__router_free(struct spout__router *router);
/** A table and what goes for all of its rows. */
struct spout__route_table {
	const struct spout_route *routes;
	const spout_handler_fn *middleware; /* ended by NULL, or NULL */
	bool yield; /* skip a row whose method and pattern are there already */
	const struct spout_app *app; /* whose security guards them; NULL: nobody's */
};

/**
 * Add the rows of a table, which is borrowed, and of those mounted in it. Returns 0,
 * -EINVAL or -EEXIST with `why` filled, or -ENOMEM.
 */
int spout__router_add(struct spout__router *router,
    const struct spout__route_table *table, char why[SPOUT__ROUTER_WHY_SIZE]);
/** The row of that name, or NULL. */
const struct spout__endpoint *spout__router_named(const struct spout__router *router,
    const char *name);
/**
 * Find the row for a path as sent. `scratch` has room for path.len bytes, which the
 * parameters may point into; it may be NULL when there is no '%' in the path.
 * Returns 0, -ENOENT (no such path, or a parameter does not fit its schema), -EPERM (no
 * such method) or -EBADMSG (bad escape, bad UTF-8, a rest with ".." or an encoded
 * slash).
 */
int spout__router_match(const struct spout__router *router,
    enum spout__http_method method, struct spout_slice path, char *scratch,
    struct spout__match *ret_match);
/**
 * The row of a fixed pattern if this very path found it lately, else NULL: saves the walk
 * down the tree for the paths that are asked for most. Loop thread.
 */
const struct spout__endpoint *spout__router_known(const struct spout__router *router,
    enum spout__http_method method, struct spout_slice path);
/** Remember what a match has found, if it is that of a fixed pattern. */
void spout__router_remember(struct spout__router *router, enum spout__http_method method,
    struct spout_slice path, const struct spout__match *match);
/** "GET, HEAD" … of method bits. Returns the length. */
size_t spout__router_allow(unsigned methods, char text[SPOUT__ALLOW_SIZE]);

#endif
