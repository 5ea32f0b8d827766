/* SPDX-License-Identifier: MIT */
/* The tree of the router, shared by router.c (matching) and router_build.c. */
#ifndef SPOUT_WEB_ROUTER_TREE_H
#define SPOUT_WEB_ROUTER_TREE_H

#include "web/router.h"

struct spout__route_node {
	struct spout_slice segment;       /* of a fixed one, in the pattern */
	struct spout__route_node **fixed; /* ordered by spout__segment_compare() */
	unsigned n_fixed;
	struct spout__route_node *param, *rest;
	unsigned allow;                   /* methods answered here, SPOUT_METHOD_… */
	const struct spout__endpoint *endpoints[SPOUT__HTTP_N_METHODS];
};

struct spout__endpoint_block {
	struct spout__endpoint_block *next;
	struct spout__endpoint endpoint;
	struct spout_route mounted; /* the row with its whole pattern */
	char pattern[];
};

#define SPOUT__KNOWN_PATHS 64u

/* A fixed pattern that was asked for as it is written. */
struct spout__known_path {
	const struct spout__endpoint *endpoint; /* NULL: none yet */
	size_t len;
	enum spout__http_method method;
};

struct spout__router {
	struct spout__route_node root;
	/* By hash; the last one wins. */
	struct spout__known_path known[SPOUT__KNOWN_PATHS];
	struct spout__endpoint_block *blocks; /* every endpoint, to free them */
};

/* By length first: most comparisons end there. */
static inline int
spout__segment_compare(struct spout_slice a, struct spout_slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.data, b.data, a.len);
}

#endif
