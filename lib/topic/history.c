/* SPDX-License-Identifier: MIT */
/* Kept messages and positions: see history.h. */
#include "config.h"

#include "topic/history.h"

#include <errno.h>
#include <stdlib.h>

/* The text of a position that knows of no origin. */
#define NOWHERE "-"

/* --- positions -------------------------------------------------------------------- */

void
spout__position_release(struct spout__position *position)
{
	free(position->marks);
	*position = (struct spout__position){ 0 };
}

const struct spout__mark *
spout__position_find(
    const struct spout__position *position, const struct spout__publisher *origin)
{
	for (unsigned i = position->len; i-- > 0;)
		if (spout__publisher_equal(&position->marks[i].origin, origin))
			return &position->marks[i];
	return NULL;
}

/* Room for one more at the end. */
static int
make_room(struct spout__position *position)
{
	unsigned cap = position->cap == 0 ? 4 : position->cap * 2;
	struct spout__mark *marks;

	if (position->len < position->cap)
		return 0;
	if (position->len == SPOUT__POSITION_MAX) {
		position->len--;
		memmove(
		    position->marks, position->marks + 1, position->len * sizeof(*marks));
		return 0;
	}
	marks = realloc(position->marks, cap * sizeof(*marks));
	if (marks == NULL)
		return -ENOMEM;
	position->marks = marks;
	position->cap = cap;
	return 0;
}

int
spout__position_set(
    struct spout__position *position, const struct spout__publisher *origin, uint64_t n)
{
	struct spout__mark *old =
	    (struct spout__mark *)(uintptr_t)spout__position_find(position, origin);
	struct spout__mark *end;

	if (old != NULL) {
		end = position->marks + position->len - 1;
		memmove(old, old + 1, (size_t)((char *)end - (char *)old));
		*end = (struct spout__mark){ *origin, n };
		return 0;
	}
	if (make_room(position) < 0)
		return -ENOMEM;
	position->marks[position->len++] = (struct spout__mark){ *origin, n };
	return 0;
}

int
spout__position_parse(const char *text, struct spout__position *position)
{
	struct spout__publisher origin;
	uint64_t n;
	int r = 0;

	if (strcmp(text, NOWHERE) == 0)
		return 0;
	while (r == 0 && *text != '\0') {
		text = spout__topic_id_parse(text, &origin, &n);
		if (text == NULL || position->len == SPOUT__POSITION_MAX ||
		    (*text != ',' && *text != '\0'))
			r = -EBADMSG;
		else
			r = spout__position_set(position, &origin, n);
		if (r == 0 && *text == ',')
			text++;
	}
	if (r < 0)
		spout__position_release(position);
	return r;
}

void
spout__position_text(
    const struct spout__position *position, char to[SPOUT__POSITION_TEXT])
{
	memcpy(to, NOWHERE, sizeof(NOWHERE));
	for (unsigned i = 0; i < position->len; i++) {
		if (i > 0)
			*to++ = ',';
		to += spout__topic_id_put(
		    to, &position->marks[i].origin, position->marks[i].n);
	}
}

/* --- messages --------------------------------------------------------------------- */

static size_t
weight(const struct spout__topic_message *m)
{
	return sizeof(*m) + m->len;
}

void
spout__history_init(struct spout__history *history, unsigned cap)
{
	*history = (struct spout__history){ .cap = cap };
}

void
spout__history_drop(struct spout__history *history)
{
	struct spout__topic_message *m = spout__history_at(history, 0);

	history->bytes -= weight(m);
	history->first = (history->first + 1) % history->cap;
	history->len--;
	spout__topic_message_unref(m);
}

void
spout__history_clear(struct spout__history *history)
{
	while (history->len > 0)
		spout__history_drop(history);
	free(history->ring);
	spout__history_init(history, history->cap);
}

static bool
has_ring(struct spout__history *history)
{
	if (history->ring == NULL && history->cap > 0)
		history->ring =
		    calloc(history->cap, sizeof(struct spout__topic_message *));
	return history->ring != NULL;
}

/* Put `m` at place i, those from there on one further; there is room. */
static void
insert(struct spout__history *history, unsigned i, struct spout__topic_message *m)
{
	for (unsigned k = history->len; k > i; k--)
		history->ring[(history->first + k) % history->cap] =
		    spout__history_at(history, k - 1);
	history->ring[(history->first + i) % history->cap] = spout__topic_message_ref(m);
	history->bytes += weight(m);
	history->len++;
}

void
spout__history_push(struct spout__history *history, struct spout__topic_message *m)
{
	if (!has_ring(history))
		return;
	if (history->len == history->cap)
		spout__history_drop(history);
	insert(history, history->len, m);
}

bool
spout__history_merge(struct spout__history *history, struct spout__topic_message *m)
{
	unsigned at;

	if (!has_ring(history))
		return false;
	for (at = 0; at < history->len; at++) {
		const struct spout__topic_message *other = spout__history_at(history, at);

		if (!spout__publisher_equal(&other->origin, &m->origin) ||
		    other->n < m->n)
			continue;
		if (other->n == m->n)
			return false;
		break;
	}
	if (history->len == history->cap) {
		if (at == 0)
			return false;
		spout__history_drop(history);
		at--;
	}
	insert(history, at, m);
	return true;
}
