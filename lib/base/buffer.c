/* SPDX-License-Identifier: MIT */
/* Growable byte buffer: see buffer.h. */
#include "config.h"

#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FREE_MAX 256u
#define BIG (256u << 10)

static __thread void *free_small;
static __thread unsigned free_count;

void
spout__buffer_init(struct spout__buffer *b, size_t max)
{
	*b = (struct spout__buffer){ .max = max };
}

static char *
memory_new(size_t cap)
{
	void *p = free_small;

	if (cap != SPOUT__BUFFER_SMALL || p == NULL)
		return malloc(cap);
	memcpy(&free_small, p, sizeof(free_small));
	free_count--;
	return p;
}

static void
memory_free(char *p, size_t cap)
{
	if (p != NULL && cap == SPOUT__BUFFER_SMALL && free_count < FREE_MAX) {
		memcpy(p, &free_small, sizeof(free_small));
		free_small = p;
		free_count++;
		return;
	}
	free(p);
}

void
spout__buffer_release(struct spout__buffer *b)
{
	memory_free(b->data, b->cap);
	spout__buffer_init(b, b->max);
}

/* Bigger memory with the same bytes at its begin, or NULL: nothing has changed. */
static char *
memory_bigger(struct spout__buffer *b, size_t cap)
{
	char *data;

	/* The kernel moves the pages of what is big, without copying them. */
	if (b->cap >= BIG && b->start == 0)
		return realloc(b->data, cap);
	data = memory_new(cap);
	if (data == NULL)
		return NULL;
	if (b->len > 0)
		memcpy(data, spout__buffer_at(b), b->len);
	memory_free(b->data, b->cap);
	return data;
}

static int
grow(struct spout__buffer *b, size_t need)
{
	size_t cap = b->cap ? b->cap : SPOUT__BUFFER_SMALL;
	char *data;

	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	data = memory_bigger(b, cap);
	if (data == NULL)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	b->start = 0;
	return 0;
}

char *
spout__buffer_reserve(struct spout__buffer *b, size_t n)
{
	if (n > b->max - b->len) {
		errno = EMSGSIZE;
		return NULL;
	}
	if (b->data == NULL || n > b->cap - b->start - b->len) {
		if (b->data != NULL && n <= b->cap - b->len && b->len <= b->cap / 2) {
			memmove(b->data, spout__buffer_at(b), b->len);
			b->start = 0;
		} else if (grow(b, b->len + n) < 0) {
			errno = ENOMEM;
			return NULL;
		}
	}
	return b->data + b->start + b->len;
}

int
spout__buffer_append(struct spout__buffer *b, const void *data, size_t n)
{
	char *to = spout__buffer_reserve(b, n);

	if (to == NULL)
		return -errno;
	if (n > 0)
		memcpy(to, data, n);
	b->len += n;
	return 0;
}

int
spout__buffer_vprintf(struct spout__buffer *b, const char *fmt, va_list ap)
{
	va_list copy;
	char *to;
	int n;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (n < 0)
		return -EINVAL;
	to = spout__buffer_reserve(b, (size_t)n + 1);
	if (to == NULL)
		return -errno;
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int
spout__buffer_printf(struct spout__buffer *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = spout__buffer_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

void
spout__buffer_trim(void)
{
	void *p;

	while ((p = free_small) != NULL) {
		memcpy(&free_small, p, sizeof(free_small));
		free(p);
	}
	free_count = 0;
}
