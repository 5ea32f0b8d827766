/* SPDX-License-Identifier: MIT */
/* Messages, their ids and their JSON: see message.h. */
#include "config.h"

#include "topic/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

struct spout__topic_message *
spout__topic_message_new(struct spout_slice topic, const struct spout__publisher *origin,
    uint64_t n, uint64_t prev, struct spout_slice data)
{
	struct spout__topic_message *m =
	    malloc(sizeof(*m) + topic.len + 1 + data.len + 1);
	char *at;

	if (m == NULL)
		return NULL;
	*m = (struct spout__topic_message){
		.refs = 1, .origin = *origin, .n = n, .prev = prev, .len = data.len
	};
	at = spout__put(m->topic, topic.data, topic.len);
	*at++ = '\0';
	m->data = at;
	if (data.len > 0)
		at = spout__put(at, data.data, data.len);
	*at = '\0';
	return m;
}

struct spout__topic_message *
spout__topic_event_new(const char *topic, enum spout_topic_kind kind, const char *name)
{
	struct spout__topic_message *m = spout__topic_message_new(
	    spout_slice(topic), &(struct spout__publisher){ 0 }, 0, 0, spout_slice(name));

	if (m != NULL)
		m->kind = kind;
	return m;
}

struct spout__topic_message *
spout__topic_message_ref(struct spout__topic_message *m)
{
	m->refs++;
	return m;
}

void
spout__topic_message_unref(struct spout__topic_message *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	for (unsigned i = 0; i < SPOUT__N_TOPIC_FORMS; i++)
		if (m->forms[i].made != NULL)
			m->forms[i].free_fn(m->forms[i].made);
	free(m);
}

/* --- ids -------------------------------------------------------------------------- */

size_t
spout__topic_id_put(
    char to[SPOUT__TOPIC_ID_SIZE], const struct spout__publisher *origin, uint64_t n)
{
	return (size_t)snprintf(to, SPOUT__TOPIC_ID_SIZE,
	    "%" PRIx64 ".%" PRIx32 ".%" PRIx32 "-%" PRIu64, origin->host, origin->slot,
	    origin->birth, n);
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* A number of at least one digit, at most `max`, and the character behind it. */
static const char *
number(const char *text, int base, uint64_t max, char end, uint64_t *ret)
{
	uint64_t n = 0;
	const char *at = text;

	for (; digit(*at) < base; at++) {
		uint64_t d = (uint64_t)digit(*at);

		if (n > (max - d) / (uint64_t)base)
			return NULL;
		n = n * (uint64_t)base + d;
	}
	if (at == text || (end != '\0' && *at++ != end))
		return NULL;
	*ret = n;
	return at;
}

const char *
spout__topic_id_parse(
    const char *text, struct spout__publisher *ret_origin, uint64_t *ret_n)
{
	uint64_t host, slot, birth, n;

	text = number(text, 16, UINT64_MAX, '.', &host);
	if (text != NULL)
		text = number(text, 16, UINT32_MAX, '.', &slot);
	if (text != NULL)
		text = number(text, 16, UINT32_MAX, '-', &birth);
	if (text != NULL)
		text = number(text, 10, UINT64_MAX, '\0', &n);
	if (text == NULL)
		return NULL;
	*ret_origin = (struct spout__publisher){ host, (uint32_t)birth, (uint32_t)slot };
	*ret_n = n;
	return text;
}

/* --- JSON ------------------------------------------------------------------------- */

int
spout__topic_put_string(
    struct spout__buffer *to, const char *name, const char *value, size_t len)
{
	int r = spout__buffer_printf(to, "\"%s\":\"", name);

	if (r == 0)
		r = spout__json_escape(to, value, len);
	return r == 0 ? spout__buffer_append(to, "\"", 1) : r;
}

/* What it is, but for the topic. */
static int
put_content(struct spout__buffer *to, const struct spout__topic_message *m)
{
	char id[SPOUT__TOPIC_ID_SIZE];
	int r;

	switch (m->kind) {
	case SPOUT_TOPIC_GAP:
		return spout__buffer_printf(to, "\"gap\":true");
	case SPOUT_TOPIC_JOIN:
		return spout__topic_put_string(to, "join", m->data, m->len);
	case SPOUT_TOPIC_LEAVE:
		return spout__topic_put_string(to, "leave", m->data, m->len);
	default:
		r = spout__topic_put_string(
		    to, "id", id, spout__topic_id_put(id, &m->origin, m->n));
		if (r == 0)
			r = spout__buffer_append(to, ",", 1);
		return r == 0 ? spout__topic_put_string(to, "data", m->data, m->len) : r;
	}
}

static int
message_json(struct spout__buffer *to, const struct spout__topic_message *m)
{
	int r = spout__buffer_append(to, "{", 1);

	if (r == 0)
		r = spout__topic_put_string(to, "topic", m->topic, strlen(m->topic));
	if (r == 0)
		r = spout__buffer_append(to, ",", 1);
	if (r == 0)
		r = put_content(to, m);
	return r == 0 ? spout__buffer_append(to, "}", 2) : r; /* with its NUL */
}

const char *
spout__topic_message_json(struct spout__topic_message *m)
{
	struct spout__buffer text;

	if (m->forms[SPOUT__TOPIC_JSON].made != NULL)
		return m->forms[SPOUT__TOPIC_JSON].made;
	spout__buffer_init(&text, SIZE_MAX / 2);
	if (message_json(&text, m) == 0) {
		m->forms[SPOUT__TOPIC_JSON].made = strdup(spout__buffer_at(&text));
		m->forms[SPOUT__TOPIC_JSON].free_fn = free;
	}
	spout__buffer_release(&text);
	return m->forms[SPOUT__TOPIC_JSON].made;
}
