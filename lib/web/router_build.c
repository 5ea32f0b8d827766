/* SPDX-License-Identifier: MIT */
/*
 * Router, the building half: checks each row of a table and hangs it into the tree. Runs
 * when the program starts; every mistake in a table is a text that names the row.
 */
#include "config.h"

#include "web/router_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "web/guard.h"
#include "web/transform.h"

#define ALL_METHODS ((1u << SPOUT__HTTP_N_METHODS) - 1)

_Static_assert(SPOUT_METHOD_GET == 1 << SPOUT__HTTP_GET &&
	SPOUT_METHOD_HEAD == 1 << SPOUT__HTTP_HEAD &&
	SPOUT_METHOD_POST == 1 << SPOUT__HTTP_POST &&
	SPOUT_METHOD_PUT == 1 << SPOUT__HTTP_PUT &&
	SPOUT_METHOD_PATCH == 1 << SPOUT__HTTP_PATCH &&
	SPOUT_METHOD_DELETE == 1 << SPOUT__HTTP_DELETE &&
	SPOUT_METHOD_OPTIONS == 1 << SPOUT__HTTP_OPTIONS,
    "method bits and method numbers go together");

enum segment_kind { FIXED, PARAM, REST, MALFORMED };

#define PATTERN_SIZE 512 /* of one mounted, with what stands before it */
#define MAX_MOUNTS 8     /* tables within tables */

/* The tables around a row, from the inside out. */
struct frame {
	const struct frame *outer;
	const spout_handler_fn *middleware;
	const char *prefix;
	unsigned depth;
	struct spout_route asks; /* what all of its rows inherit */
};

struct builder {
	struct spout__router *router;
	const struct spout_route *route;
	char *why;
	bool yield;
	const struct spout_app *app;
};

static int SPOUT_PRINTF(3, 4)
refuse(struct builder *b, int error, const char *fmt, ...)
{
	char methods[SPOUT__ALLOW_SIZE];
	va_list ap;
	int n;

	spout__router_allow(b->route->methods & ALL_METHODS, methods);
	n = snprintf(
	    b->why, SPOUT__ROUTER_WHY_SIZE, "route %s %s: ", methods, b->route->pattern);
	if (n < 0 || n >= SPOUT__ROUTER_WHY_SIZE)
		return error;
	va_start(ap, fmt);
	vsnprintf(b->why + n, SPOUT__ROUTER_WHY_SIZE - (size_t)n, fmt, ap);
	va_end(ap);
	return error;
}

/* --- patterns ----------------------------------------------------------------------- */

static bool
name_valid(struct spout_slice name)
{
	size_t i;

	for (i = 0; i < name.len; i++) {
		char c = name.data[i], letter = (char)(c | 0x20);

		if (!(letter >= 'a' && letter <= 'z') && c != '_' &&
		    !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return name.len > 0;
}

/*
 * What a segment of a pattern is; `*ret_name` is the name of a parameter or a rest,
 * `*ret_schema` what stands behind its colon (data NULL: nothing).
 */
static enum segment_kind
segment_kind(
    struct spout_slice s, struct spout_slice *ret_name, struct spout_slice *ret_schema)
{
	enum segment_kind kind = PARAM;
	const char *colon;

	if (memchr(s.data, '{', s.len) == NULL && memchr(s.data, '}', s.len) == NULL)
		return FIXED;
	if (s.len < 3 || s.data[0] != '{' || s.data[s.len - 1] != '}')
		return MALFORMED;
	*ret_name = spout_slice_of(s.data + 1, s.len - 2);
	*ret_schema = (struct spout_slice){ NULL, 0 };
	colon = memchr(ret_name->data, ':', ret_name->len);
	if (colon != NULL) {
		size_t len = (size_t)(colon - ret_name->data);

		*ret_schema = spout_slice_of(colon + 1, ret_name->len - len - 1);
		ret_name->len = len;
	}
	if (colon == NULL && ret_name->len > 3 &&
	    memcmp(ret_name->data + ret_name->len - 3, "...", 3) == 0) {
		ret_name->len -= 3;
		kind = REST;
	}
	return name_valid(*ret_name) ? kind : MALFORMED;
}

static bool
has_outside_braces(const char *pattern, const char *any)
{
	int depth = 0;

	for (; *pattern != '\0'; pattern++) {
		depth += (*pattern == '{') - (*pattern == '}');
		if (depth == 0 && strchr(any, *pattern) != NULL)
			return true;
	}
	return false;
}

static int
check_row(struct builder *b)
{
	const struct spout_route *route = b->route;
	size_t len = strlen(route->pattern);

	if (route->pattern[0] != '/')
		return refuse(b, -EINVAL, "a pattern begins with '/'");
	if (route->handler == NULL)
		return refuse(b, -EINVAL, "no handler");
	if (route->methods == 0 || (route->methods & ~ALL_METHODS) != 0)
		return refuse(b, -EINVAL, "no method, or an unknown one");
	if (has_outside_braces(route->pattern, "%?#") ||
	    !spout__utf8_valid(route->pattern, len))
		return refuse(
		    b, -EINVAL, "a pattern is a decoded path: no '%%', '?' or '#'");
	return 0;
}

/* A name stands for one pattern, whatever its methods are. */
static int
check_row_name(struct builder *b)
{
	const struct spout__endpoint *there = NULL;

	if (b->route->name != NULL)
		there = spout__router_named(b->router, b->route->name);
	if (there == NULL || strcmp(there->route->pattern, b->route->pattern) == 0)
		return 0;
	return refuse(b, -EEXIST, "its name \"%s\" is that of %s", b->route->name,
	    there->route->pattern);
}

static int
add_name(struct builder *b, struct spout__endpoint *endpoint, struct spout_slice name,
    struct spout_slice schema)
{
	char why[SPOUT__SCHEMA_WHY_SIZE];
	unsigned i;
	int rc;

	if (endpoint->n_params == SPOUT__ROUTE_MAX_PARAMS)
		return refuse(
		    b, -EINVAL, "more than %d parameters", SPOUT__ROUTE_MAX_PARAMS);
	for (i = 0; i < endpoint->n_params; i++)
		if (spout__segment_compare(endpoint->names[i], name) == 0)
			return refuse(b, -EINVAL, "two parameters named \"%.*s\"",
			    (int)name.len, name.data);
	endpoint->names[endpoint->n_params++] = name;
	if (schema.data == NULL)
		return 0;
	rc = spout__schema_new(schema, &endpoint->schemas[endpoint->n_params - 1], why);
	return rc == -EINVAL ? refuse(b, rc, "{%.*s}: %s", (int)name.len, name.data, why)
			     : rc;
}

static void
name_endpoint(struct spout__endpoint *endpoint, const struct spout_route *route)
{
	unsigned m =
	    (unsigned)__builtin_ctz(route->methods | 1u << SPOUT__HTTP_N_METHODS);
	int n = snprintf(endpoint->what, sizeof(endpoint->what), "%s %s",
	    m < SPOUT__HTTP_N_METHODS ? spout__http_method_name(m) : "?", route->pattern);

	endpoint->what_len = n < 0 ? 0 : (size_t)n;
	if (endpoint->what_len >= sizeof(endpoint->what))
		endpoint->what_len = sizeof(endpoint->what) - 1;
	endpoint->figures = spout__route_figures(
	    spout_slice_of(endpoint->what, endpoint->what_len));
}

/* --- the tree ------------------------------------------------------------------- */

static struct spout__route_node *
only_child(struct spout__route_node **slot)
{
	if (*slot == NULL)
		*slot = calloc(1, sizeof(**slot));
	return *slot;
}

/* The fixed child of that name, made in its place if it is not there; NULL: no memory. */
static struct spout__route_node *
fixed_child(struct spout__route_node *node, struct spout_slice segment)
{
	struct spout__route_node **grown, *child;
	unsigned at;

	for (at = 0; at < node->n_fixed; at++) {
		int order = spout__segment_compare(segment, node->fixed[at]->segment);

		if (order == 0)
			return node->fixed[at];
		if (order < 0)
			break;
	}
	grown = realloc(
	    node->fixed, (node->n_fixed + 1) * sizeof(struct spout__route_node *));
	if (grown == NULL)
		return NULL;
	node->fixed = grown;
	child = calloc(1, sizeof(*child));
	if (child == NULL)
		return NULL;
	child->segment = segment;
	memmove(grown + at + 1, grown + at,
	    (node->n_fixed - at) * sizeof(struct spout__route_node *));
	grown[at] = child;
	node->n_fixed++;
	return child;
}

/* One step down the tree; `*node` is moved. */
static int
descend(struct builder *b, struct spout__endpoint *endpoint, struct spout_slice segment,
    bool last, struct spout__route_node **node)
{
	struct spout_slice name, schema;
	enum segment_kind kind = segment_kind(segment, &name, &schema);
	int rc = 0;

	if (kind == MALFORMED)
		return refuse(b, -EINVAL,
		    "\"%.*s\" is neither a fixed segment nor {name} nor {name...}",
		    (int)segment.len, segment.data);
	if (kind == REST && !last)
		return refuse(b, -EINVAL, "{%.*s...} is not the last segment",
		    (int)name.len, name.data);
	if (kind == FIXED) {
		*node = fixed_child(*node, segment);
	} else {
		rc = add_name(b, endpoint, name, schema);
		*node = only_child(kind == PARAM ? &(*node)->param : &(*node)->rest);
	}
	return rc != 0 ? rc : *node == NULL ? -ENOMEM : 0;
}

/* Walk the pattern; the node where it ends. */
static int
walk(struct builder *b, struct spout__endpoint *endpoint,
    struct spout__route_node **ret_node)
{
	struct spout__route_node *node = &b->router->root;
	const char *at = b->route->pattern + 1;
	unsigned depth = 0;

	for (;;) {
		size_t len = strcspn(at, "/");
		int rc =
		    descend(b, endpoint, spout_slice_of(at, len), at[len] == '\0', &node);

		if (rc != 0)
			return rc;
		if (++depth > SPOUT__PATH_MAX_SEGMENTS)
			return refuse(b, -EINVAL, "too many segments");
		if (at[len] == '\0')
			break;
		at += len + 1;
	}
	*ret_node = node;
	return 0;
}

/* Hang the row into its node, for each of its methods. */
static int
hang(struct builder *b, struct spout__route_node *node,
    const struct spout__endpoint *endpoint)
{
	unsigned m, methods = b->route->methods;

	for (m = 0; m < SPOUT__HTTP_N_METHODS; m++) {
		const struct spout__endpoint *there = node->endpoints[m];

		if ((methods & 1u << m) == 0)
			continue;
		/* HEAD served by a GET row makes room for a HEAD row. */
		if (there != NULL && (there->route->methods & 1u << m) != 0) {
			if (b->yield)
				continue;
			return refuse(
			    b, -EEXIST, "the same as %s", there->route->pattern);
		}
		node->endpoints[m] = endpoint;
		node->allow |= 1u << m;
	}
	if (node->endpoints[SPOUT__HTTP_HEAD] == NULL)
		node->endpoints[SPOUT__HTTP_HEAD] = node->endpoints[SPOUT__HTTP_GET];
	if (node->endpoints[SPOUT__HTTP_HEAD] != NULL)
		node->allow |= SPOUT_METHOD_HEAD;
	node->allow |= SPOUT_METHOD_OPTIONS;
	return 0;
}

static size_t
middleware_count(const spout_handler_fn *middleware)
{
	size_t n = 0;

	while (middleware != NULL && middleware[n] != NULL)
		n++;
	return n;
}

/* The chain of a row, filled from its end: handler, its own middleware, the tables'. */
static int
make_chain(
    struct builder *b, struct spout__endpoint *endpoint, const struct frame *inner)
{
	const struct spout_route *route = endpoint->route;
	bool guard = b->app != NULL && spout__guard_needed(b->app, route);
	bool transform = b->app != NULL && spout__transform_needed(b->app, route);
	size_t n = transform + guard + middleware_count(route->middleware), each;
	const struct frame *f;
	spout_handler_fn *chain;

	for (f = inner; f != NULL; f = f->outer)
		n += middleware_count(f->middleware);
	if (n == 0)
		return 0;
	chain = calloc(n + 2, sizeof(*chain));
	if (chain == NULL)
		return -ENOMEM;
	endpoint->chain = chain;
	chain[n] = route->handler;
	for (each = middleware_count(route->middleware); each > 0;)
		chain[--n] = route->middleware[--each];
	for (f = inner; f != NULL; f = f->outer)
		for (each = middleware_count(f->middleware); each > 0;)
			chain[--n] = f->middleware[--each];
	if (guard)
		chain[--n] = spout__guard_run;
	if (transform)
		chain[--n] = spout__transform_run;
	return 0;
}

/* What a mount asks for, its rows ask for, too. */
static void
inherit(struct spout_route *row, const struct spout_route *mount)
{
	row->login_required = row->login_required || mount->login_required;
	row->xsrf_exempt = row->xsrf_exempt || mount->xsrf_exempt;
	row->decompress_body = row->decompress_body || mount->decompress_body;
	row->no_compress = row->no_compress || mount->no_compress;
	if (row->rate_limit == NULL)
		row->rate_limit = mount->rate_limit;
	if (row->write_error == NULL)
		row->write_error = mount->write_error;
}

/* A block for the row, in the router's list; with a pattern of its own if mounted. */
static struct spout__endpoint_block *
make_block(struct builder *b, const struct frame *frame)
{
	size_t size = strlen(frame->prefix) + strlen(b->route->pattern) + 1;
	struct spout__endpoint_block *block = calloc(1, sizeof(*block) + size);

	if (block == NULL)
		return NULL;
	block->next = b->router->blocks;
	b->router->blocks = block;
	if (frame->prefix[0] != '\0') {
		snprintf(block->pattern, size, "%s%s", frame->prefix, b->route->pattern);
		block->mounted = *b->route;
		block->mounted.pattern = block->pattern;
		inherit(&block->mounted, &frame->asks);
		b->route = &block->mounted;
	}
	return block;
}

static int
add_row(struct builder *b, const struct frame *frame)
{
	struct spout__endpoint_block *block = make_block(b, frame);
	struct spout__route_node *node = NULL;
	int rc;

	if (block == NULL)
		return -ENOMEM;
	rc = check_row(b);
	if (rc == 0)
		rc = check_row_name(b);
	if (rc != 0)
		return rc;
	block->endpoint.route = b->route;
	name_endpoint(&block->endpoint, b->route);
	rc = make_chain(b, &block->endpoint, frame);
	if (rc == 0)
		rc = walk(b, &block->endpoint, &node);
	return rc != 0 ? rc : hang(b, node, &block->endpoint);
}

static int add_rows(struct builder *b, const struct spout_route *routes,
    const struct frame *frame);

static int
add_mount(struct builder *b, const struct frame *outer)
{
	const struct spout_route *row = b->route;
	size_t len = strlen(row->pattern);
	char prefix[PATTERN_SIZE];
	struct frame frame = { outer, row->middleware, prefix, outer->depth + 1, *row };
	int n = snprintf(prefix, sizeof(prefix), "%s%s", outer->prefix, row->pattern);

	inherit(&frame.asks, &outer->asks);
	if (row->handler != NULL || row->methods != 0)
		return refuse(b, -EINVAL, "a mounted table has no handler or method");
	if (row->pattern[0] != '/' || len < 2 || row->pattern[len - 1] == '/')
		return refuse(b, -EINVAL, "a mount begins with '/' and ends without");
	if (n < 0 || n >= PATTERN_SIZE || frame.depth > MAX_MOUNTS)
		return refuse(b, -EINVAL, "tables mounted too deep");
	return add_rows(b, row->mount, &frame);
}

static int
add_rows(struct builder *b, const struct spout_route *routes, const struct frame *frame)
{
	int rc = 0;

	for (; rc == 0 && routes != NULL && routes->pattern != NULL; routes++) {
		b->route = routes;
		rc = routes->mount != NULL ? add_mount(b, frame) : add_row(b, frame);
	}
	return rc;
}

struct spout__router *
spout__router_new(void)
{
	return calloc(1, sizeof(struct spout__router));
}

int
spout__router_add(struct spout__router *router, const struct spout__route_table *table,
    char why[SPOUT__ROUTER_WHY_SIZE])
{
	struct builder b = { .router = router,
		.why = why,
		.yield = table->yield,
		.app = table->app };
	struct frame frame = { .middleware = table->middleware, .prefix = "" };
	int rc = add_rows(&b, table->routes, &frame);

	if (rc == -ENOMEM)
		snprintf(why, SPOUT__ROUTER_WHY_SIZE, "out of memory");
	return rc;
}

static void
release_node(struct spout__route_node *node)
{
	unsigned i;

	for (i = 0; i < node->n_fixed; i++) {
		release_node(node->fixed[i]);
		free(node->fixed[i]);
	}
	free(node->fixed);
	if (node->param != NULL)
		release_node(node->param);
	if (node->rest != NULL)
		release_node(node->rest);
	free(node->param);
	free(node->rest);
}

void
spout__router_free(struct spout__router *router)
{
	struct spout__endpoint_block *block;
	unsigned i;

	if (router == NULL)
		return;
	while ((block = router->blocks) != NULL) {
		router->blocks = block->next;
		free((void *)block->endpoint.chain);
		for (i = 0; i < SPOUT__ROUTE_MAX_PARAMS; i++)
			spout__schema_free(block->endpoint.schemas[i]);
		free(block);
	}
	release_node(&router->root);
	free(router);
}
