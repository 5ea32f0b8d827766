/* SPDX-License-Identifier: MIT */
/* Drives the strict layer over a stream: see stream.h. */
#include "config.h"

#include "stream.h"

#include <stdio.h>
#include <stdlib.h>

struct stream {
	const struct stream_options *options;
	const char *data;
	size_t len;
	size_t arrived; /* of len */
	size_t start;   /* where the current request begins */
	size_t pos;     /* what has been taken of it */
	uint32_t random;
	FILE *out;
};

/* The request that is being read. */
struct request {
	char *block; /* its head, in a block of its own */
	struct spout__http_head head;
	char *body;
	size_t body_len;
};

void
stream_options_init(struct stream_options *options)
{
	*options = (struct stream_options){
		.limits = { .max_head_bytes = 16384,
		    .max_line_bytes = 8192,
		    .max_fields = 100 },
		.max_body = 1 << 20,
		.split = STREAM_WHOLE,
	};
}

char *
stream_escape(const char *data, size_t len)
{
	static const char named[] = "\r\n\t\\", letters[] = "rnt\\";
	char *text = malloc(len * 4 + 1), *p = text;
	const char *name;
	size_t i;

	for (i = 0; i < len; i++) {
		name = data[i] != '\0' ? strchr(named, data[i]) : NULL;
		if (data[i] == '\0')
			p += sprintf(p, "\\0");
		else if (name != NULL)
			p += sprintf(p, "\\%c", letters[name - named]);
		else if (data[i] > ' ' && data[i] < 0x7f)
			*p++ = data[i];
		else
			p += sprintf(p, "\\x%02x", (unsigned char)data[i]);
	}
	*p = '\0';
	return text;
}

/* --- input ------------------------------------------------------------------------- */

/* More bytes arrive. Returns false at the end of the stream. */
static bool
arrive(struct stream *s)
{
	size_t n = s->len - s->arrived, step = n;

	if (s->options->split == STREAM_BYTES) {
		step = 1;
	} else if (s->options->split != STREAM_WHOLE) {
		s->random = s->random * 1664525u + 1013904223u;
		step = 1 + (s->random >> 16) % 37;
	}
	s->arrived += step < n ? step : n;
	return n > 0;
}

/* A copy of what has arrived and not been taken, in a block without a byte to spare. */
static char *
window(const struct stream *s)
{
	size_t n = s->arrived - s->pos;
	char *block = malloc(n > 0 ? n : 1);

	memcpy(block, s->data + s->pos, n);
	return block;
}

static void
must_lie_in(struct spout_slice slice, const char *block, size_t len)
{
	if (slice.data < block || slice.data > block + len ||
	    slice.len > (size_t)(block + len - slice.data))
		abort();
}

/* --- requests ---------------------------------------------------------------------- */

static void
check_slices(const struct spout__http_head *head, const char *block, size_t len)
{
	unsigned i;

	must_lie_in(head->target, block, len);
	must_lie_in(head->path, block, len);
	must_lie_in(head->query, block, len);
	must_lie_in(head->host, block, len);
	for (i = 0; i < head->n_fields; i++) {
		must_lie_in(head->fields[i].name, block, len);
		must_lie_in(head->fields[i].value, block, len);
	}
}

/* Returns the length of the head, taken; 0 at the end of the stream; or -fault. */
static int
read_head(struct stream *s, struct request *r)
{
	size_t from = 0, skip, n;
	char *block;
	int rc;

	for (;;) {
		n = s->arrived - s->pos;
		block = window(s);
		skip = spout__http_skip_empty(block, n);
		rc = spout__http_head_find(
		    block + skip, n - skip, &from, &s->options->limits);
		if (rc != 0)
			break;
		free(block);
		if (!arrive(s)) {
			/* Nothing but empty lines is no request. */
			s->start = s->pos + skip;
			return 0;
		}
	}
	if (rc > 0) {
		s->start = s->pos + skip;
		s->pos = s->start + (size_t)rc;
		r->block = malloc((size_t)rc);
		memcpy(r->block, block + skip, (size_t)rc);
		n = (size_t)rc;
		rc = spout__http_head_parse(r->block, n, &s->options->limits, &r->head);
		if (rc == 0) {
			check_slices(&r->head, r->block, n);
			rc = (int)n;
		}
	}
	free(block);
	return rc;
}

/* Feed what has arrived. Returns 0 or -fault. */
static int
feed_body(struct stream *s, struct spout__http_body *body, struct request *r)
{
	size_t n = s->arrived - s->pos, taken = 0, used;
	char *block = window(s);
	struct spout_slice piece;
	int rc;

	do {
		rc = spout__http_body_feed(body, block + taken, n - taken, &used, &piece);
		if (rc != 0)
			break;
		if (used > n - taken)
			abort();
		must_lie_in(piece, block + taken, used);
		r->body = realloc(r->body, r->body_len + piece.len + 1);
		memcpy(r->body + r->body_len, piece.data, piece.len);
		r->body_len += piece.len;
		taken += used;
	} while (used > 0 && !spout__http_body_done(body));
	s->pos += taken;
	free(block);
	return rc;
}

/* Returns 1 when the body is whole, 0 at the end of the stream, or -fault. */
static int
read_body(struct stream *s, struct request *r)
{
	struct spout__http_body body;
	int rc = spout__http_body_begin(&body, &r->head, s->options->max_body);

	while (rc == 0 && !spout__http_body_done(&body)) {
		rc = feed_body(s, &body, r);
		if (rc == 0 && !spout__http_body_done(&body) && !arrive(s))
			return 0;
	}
	if (r->body_len > s->options->max_body || r->body_len != body.total)
		abort();
	if (rc == 0 && r->head.framing != SPOUT__HTTP_CHUNKED &&
	    r->body_len != r->head.content_length)
		abort();
	return rc == 0 ? 1 : rc;
}

static void
print_slice(FILE *out, const char *label, struct spout_slice slice)
{
	char *text = stream_escape(slice.data, slice.len);

	fprintf(out, " %s%s", label, text);
	free(text);
}

static void
print_request(FILE *out, const struct request *r)
{
	fprintf(out, "accept %s", spout__http_method_name(r->head.method));
	print_slice(out, "", r->head.path);
	print_slice(out, "query=", r->head.query);
	print_slice(out, "host=", r->head.host);
	print_slice(out, "body=", spout_slice_of(r->body, r->body_len));
	fprintf(out, "%s%s%s\n", r->head.keep_alive ? "" : " close",
	    r->head.expect_continue ? " continue" : "",
	    r->head.upgrade ? " upgrade" : "");
}

/* One request. Returns true if another may follow. */
static bool
read_request(struct stream *s)
{
	struct request r = { .body = calloc(1, 1) };
	int rc = read_head(s, &r);
	bool more = false;

	if (rc > 0)
		rc = read_body(s, &r);
	if (rc > 0) {
		if (s->options->on_request != NULL)
			s->options->on_request(s->data + s->start, s->pos - s->start,
			    &r.head, r.body, r.body_len);
		print_request(s->out, &r);
		more = r.head.keep_alive;
	} else if (rc < 0) {
		fprintf(s->out, "reject %d %s\n", spout__http_faults[-rc].status,
		    spout__http_faults[-rc].word);
	} else if (s->start < s->len) {
		fprintf(s->out, "more\n");
	}
	free(r.block);
	free(r.body);
	return more;
}

char *
stream_read(const char *data, size_t len, const struct stream_options *options)
{
	struct stream s = {
		.options = options, .data = data, .len = len, .random = options->split
	};
	char *text = NULL;
	size_t text_len = 0;

	s.out = open_memstream(&text, &text_len);
	while (read_request(&s))
		;
	fclose(s.out);
	return text;
}
