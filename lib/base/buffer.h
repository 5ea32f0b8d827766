/* SPDX-License-Identifier: MIT */
/*
 * Growable byte buffer with a maximum, filled at the end and consumed at the front:
 *
 *     data [ consumed | start .. start+len | free ] cap
 *
 * The first SPOUT__BUFFER_SMALL bytes of memory come from a free list of the thread,
 * so that filling and releasing small buffers calls no malloc in the steady state.
 * An empty buffer holds no memory after spout__buffer_release(). One thread at a time.
 */
#ifndef SPOUT_BASE_BUFFER_H
#define SPOUT_BASE_BUFFER_H

#include <spout/types.h>

#define SPOUT__BUFFER_SMALL 4096u

struct spout__buffer {
	char *data;
	size_t start, len, cap;
	size_t max; /* most bytes it may hold */
};

void spout__buffer_init(struct spout__buffer *b, size_t max);
/** Free the memory; the buffer is empty and usable again. */
void spout__buffer_release(struct spout__buffer *b);
/**
 * Room for `n` more bytes: returns where to write them, NULL with errno EMSGSIZE (past
 * the maximum) or ENOMEM. Call spout__buffer_commit() with what was written.
 */
char *spout__buffer_reserve(struct spout__buffer *b, size_t n);
/** Append a copy. Returns 0, -EMSGSIZE or -ENOMEM. */
int spout__buffer_append(struct spout__buffer *b, const void *data, size_t n);
/** Append formatted text. Returns 0, -EMSGSIZE or -ENOMEM. */
int spout__buffer_vprintf(struct spout__buffer *b, const char *fmt, va_list ap);
int spout__buffer_printf(struct spout__buffer *b, const char *fmt, ...)
    SPOUT_PRINTF(2, 3);
/** Give the thread's free memory back to malloc. */
void spout__buffer_trim(void);

static inline void
spout__buffer_commit(struct spout__buffer *b, size_t n)
{
	b->len += n;
}

static inline char *
spout__buffer_at(const struct spout__buffer *b)
{
	return b->data + b->start;
}

/** Drop `n` bytes at the front. */
static inline void
spout__buffer_consume(struct spout__buffer *b, size_t n)
{
	b->len -= n;
	b->start = b->len == 0 ? 0 : b->start + n;
}

/** Drop everything, keep the memory. */
static inline void
spout__buffer_clear(struct spout__buffer *b)
{
	b->start = b->len = 0;
}

#endif
