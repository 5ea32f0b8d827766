/* SPDX-License-Identifier: MIT */
/* Router, the matching half: see router.h; the tree is built in router_build.c. */
#include "config.h"

#include "web/router_tree.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

/* A path, split at its slashes, each segment decoded. */
struct split {
	unsigned n;
	struct spout_slice segments[SPOUT__PATH_MAX_SEGMENTS];
};

struct search {
	const struct split *split;
	enum spout__http_method method;
	struct spout__match *match;
	bool bad_rest;
};

/* Decode what `at` begins with up to the next slash; moves `at` behind it. */
static int
next_segment(struct spout_slice *at, char **scratch, struct spout_slice *ret_segment)
{
	const char *slash = memchr(at->data, '/', at->len);
	size_t raw = slash != NULL ? (size_t)(slash - at->data) : at->len;

	*ret_segment = spout_slice_of(at->data, raw);
	if (*scratch != NULL) {
		long len = spout__percent_decode(at->data, raw, false, *scratch);

		if (len < 0)
			return (int)len;
		*ret_segment = spout_slice_of(*scratch, (size_t)len);
		*scratch += len;
		/* Decoded segments stand as a path, for a rest. */
		if (slash != NULL)
			*(*scratch)++ = '/';
	}
	at->data += slash != NULL ? raw + 1 : raw;
	at->len -= slash != NULL ? raw + 1 : raw;
	return slash != NULL;
}

/* Returns 0, -EBADMSG, or -ENOENT when there are too many segments. */
static int
path_split(struct spout_slice path, char *scratch, struct split *split)
{
	struct spout_slice at = spout_slice_of(path.data + 1, path.len - 1);
	int more;

	split->n = 0;
	do {
		if (split->n == SPOUT__PATH_MAX_SEGMENTS)
			return -ENOENT;
		more = next_segment(&at, &scratch, &split->segments[split->n++]);
	} while (more > 0);
	return more;
}

static const struct spout__route_node *
find_fixed(const struct spout__route_node *node, struct spout_slice segment)
{
	unsigned low = 0, high = node->n_fixed;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct spout__route_node *child = node->fixed[middle];
		int order = spout__segment_compare(segment, child->segment);

		if (order == 0)
			return child;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The path ends at this node: is there a row for the method? */
static bool
node_takes(const struct spout__route_node *node, struct search *search)
{
	search->match->allow |= node->allow;
	search->match->endpoint = node->endpoints[search->method];
	return search->match->endpoint != NULL;
}

/* The segments from the i-th on, as one text. */
static bool
push_rest(struct search *search, unsigned i)
{
	const struct split *split = search->split;
	const char *begin = split->segments[i].data;
	const struct spout_slice *last = &split->segments[split->n - 1];
	unsigned k;

	for (k = i; k < split->n; k++) {
		const struct spout_slice *s = &split->segments[k];

		if (spout_slice_equal(*s, "..") || memchr(s->data, '/', s->len) != NULL)
			return false;
	}
	search->match->params[search->match->n_params++] =
	    spout_slice_of(begin, (size_t)(last->data + last->len - begin));
	return true;
}

static bool
node_match(const struct spout__route_node *node, unsigned i, struct search *search)
{
	const struct split *split = search->split;
	const struct spout__route_node *child;

	if (i == split->n)
		return node_takes(node, search);
	child = find_fixed(node, split->segments[i]);
	if (child != NULL && node_match(child, i + 1, search))
		return true;
	if (node->param != NULL && split->segments[i].len > 0) {
		search->match->params[search->match->n_params++] = split->segments[i];
		if (node_match(node->param, i + 1, search))
			return true;
		search->match->n_params--;
	}
	if (node->rest == NULL || !node_takes(node->rest, search))
		return false;
	search->bad_rest = !push_rest(search, i);
	return true;
}

static int
check_schemas(struct spout__match *match)
{
	const struct spout__endpoint *endpoint = match->endpoint;
	unsigned i;

	for (i = 0; i < endpoint->n_params; i++) {
		if (endpoint->schemas[i] == NULL ||
		    spout__schema_fits(endpoint->schemas[i], match->params[i]))
			continue;
		match->endpoint = NULL;
		match->allow = 0;
		return -ENOENT;
	}
	return 0;
}

int
spout__router_match(const struct spout__router *router, enum spout__http_method method,
    struct spout_slice path, char *scratch, struct spout__match *ret_match)
{
	struct split split;
	struct search search = { .split = &split, .method = method, .match = ret_match };
	int rc;

	ret_match->endpoint = NULL;
	ret_match->allow = 0;
	ret_match->n_params = 0;
	if (path.len == 0 || path.data[0] != '/')
		return -ENOENT;
	rc = path_split(path, scratch, &split);
	if (rc < 0)
		return rc;
	if (node_match(&router->root, 0, &search)) {
		if (!search.bad_rest)
			return check_schemas(ret_match);
		/* Its handler must not run: the rest is no parameter. */
		ret_match->endpoint = NULL;
		return -EBADMSG;
	}
	return ret_match->allow != 0 ? -EPERM : -ENOENT;
}

const struct spout__endpoint *
spout__router_named(const struct spout__router *router, const char *name)
{
	const struct spout__endpoint_block *block;

	for (block = router->blocks; block != NULL; block = block->next) {
		const struct spout_route *route = block->endpoint.route;

		if (route != NULL && route->name != NULL &&
		    strcmp(route->name, name) == 0)
			return &block->endpoint;
	}
	return NULL;
}

/* Length, ends and middle tell the paths of one application apart well enough. */
static unsigned
known_slot(enum spout__http_method method, struct spout_slice path)
{
	const unsigned char *p = (const unsigned char *)path.data;
	unsigned h = (unsigned)path.len * 31u + (unsigned)method;

	h = h * 31u + p[path.len - 1];
	h = h * 31u + p[path.len / 2];
	h = h * 31u + p[path.len > 1];
	return h % SPOUT__KNOWN_PATHS;
}

const struct spout__endpoint *
spout__router_known(const struct spout__router *router, enum spout__http_method method,
    struct spout_slice path)
{
	const struct spout__known_path *known;

	if (path.len == 0)
		return NULL;
	known = &router->known[known_slot(method, path)];
	if (known->endpoint == NULL || known->method != method ||
	    known->len != path.len ||
	    memcmp(known->endpoint->route->pattern, path.data, path.len) != 0)
		return NULL;
	return known->endpoint;
}

void
spout__router_remember(struct spout__router *router, enum spout__http_method method,
    struct spout_slice path, const struct spout__match *match)
{
	if (match->endpoint->n_params == 0 && path.len > 0 &&
	    spout_slice_equal(path, match->endpoint->route->pattern))
		router->known[known_slot(method, path)] =
		    (struct spout__known_path){ match->endpoint, path.len, method };
}

size_t
spout__router_allow(unsigned methods, char text[SPOUT__ALLOW_SIZE])
{
	size_t len = 0;
	unsigned m;

	text[0] = '\0';
	for (m = 0; m < SPOUT__HTTP_N_METHODS; m++)
		if (methods & 1u << m)
			len += (size_t)snprintf(text + len, SPOUT__ALLOW_SIZE - len,
			    "%s%s", len > 0 ? ", " : "", spout__http_method_name(m));
	return len;
}
