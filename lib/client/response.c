/* SPDX-License-Identifier: MIT */
/* Answers: reading the lines of a head, and what is asked of them. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include <jansson.h>

#include "base/text.h"
#include "client/client.h"

#define FIELDS_AT_FIRST 16u

struct spout_response *
spout__response_new(void)
{
	struct spout_response *response = calloc(1, sizeof(*response));

	if (response == NULL)
		return NULL;
	spout__arena_init(&response->arena, SIZE_MAX);
	/* How much it takes is counted by who fills it. */
	spout__buffer_init(&response->body, SIZE_MAX / 2);
	spout__buffer_init(&response->piece, SIZE_MAX / 2);
	return response;
}

void
spout__response_reset(struct spout_response *response)
{
	spout__arena_release(&response->arena);
	spout__buffer_release(&response->body);
	response->status = 0;
	response->reason = "";
	response->fields = NULL;
	response->n_fields = response->fields_room = 0;
	response->last_value = NULL;
}

void
spout__response_release(struct spout_response *response)
{
	if (response == NULL)
		return;
	json_decref(response->json);
	spout__response_reset(response);
	spout__buffer_release(&response->piece);
	free(response->url);
	free(response);
}

/* --- the head ---------------------------------------- */

static char *
copy(struct spout_response *response, const char *text, size_t len)
{
	char *to = spout__arena_alloc(&response->arena, len + 1);

	if (to == NULL)
		return NULL;
	memcpy(to, text, len);
	to[len] = '\0';
	return to;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK": another message begins, the last one was an interim answer. */
static int
take_status(struct spout_response *response, const char *line, size_t len)
{
	const char *at = memchr(line, ' ', len), *end = line + len;

	spout__response_reset(response);
	if (at == NULL || end - at < 4 || !is_digit(at[1]) || !is_digit(at[2]) ||
	    !is_digit(at[3]))
		return -EPROTO;
	response->status = (at[1] - '0') * 100 + (at[2] - '0') * 10 + at[3] - '0';
	at += 4;
	if (at < end && *at == ' ')
		at++;
	response->reason = copy(response, at, (size_t)(end - at));
	if (response->reason == NULL) {
		response->reason = "";
		return -ENOMEM;
	}
	return 0;
}

static int
make_room(struct spout_response *response)
{
	size_t room = response->fields_room ? 2 * response->fields_room : FIELDS_AT_FIRST;
	struct spout_field *fields;

	if (response->n_fields + 1 < response->fields_room)
		return 0;
	fields = spout__arena_alloc(&response->arena, room * sizeof(*fields));
	if (fields == NULL)
		return -ENOMEM;
	if (response->n_fields > 0)
		memcpy(fields, response->fields, response->n_fields * sizeof(*fields));
	response->fields = fields;
	response->fields_room = room;
	return 0;
}

/*
 * RFC 9112 5.2: a field continued on another line, by senders of long ago. Its room is
 * doubled, or a head of nothing else would take the square of its length.
 */
static int
take_fold(struct spout_response *response, const char *line, size_t len)
{
	size_t need = response->last_len + 1 + len + 1;
	char *value = response->last_value;

	if (value == NULL)
		return -EPROTO;
	if (need > response->last_room) {
		value = spout__arena_alloc(&response->arena, 2 * need);
		if (value == NULL)
			return -ENOMEM;
		memcpy(value, response->last_value, response->last_len);
		response->last_value = value;
		response->last_room = 2 * need;
	}
	value[response->last_len++] = ' ';
	memcpy(value + response->last_len, line, len);
	response->last_len += len;
	value[response->last_len] = '\0';
	response->fields[response->n_fields - 1].value = value;
	return 0;
}

static int
take_field(struct spout_response *response, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value;
	struct spout_field *field;

	if (colon == NULL || colon == line || memchr(line, '\0', len) != NULL)
		return -EPROTO;
	if (make_room(response) < 0)
		return -ENOMEM;
	for (value = colon + 1; value < line + len && (*value == ' ' || *value == '\t');)
		value++;
	field = &response->fields[response->n_fields];
	response->last_len = (size_t)(line + len - value);
	response->last_room = response->last_len + 1;
	response->last_value = copy(response, value, response->last_len);
	field->name = copy(response, line, (size_t)(colon - line));
	field->value = response->last_value;
	if (field->name == NULL || field->value == NULL)
		return -ENOMEM;
	response->n_fields++;
	response->fields[response->n_fields] = (struct spout_field){ NULL, NULL };
	return 0;
}

int
spout__response_line(struct spout_response *response, const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len == 0)
		return response->status != 0 ? 1 : -EPROTO;
	if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
		return take_status(response, line, len);
	if (line[0] == ' ' || line[0] == '\t') {
		while (len > 0 && (*line == ' ' || *line == '\t')) {
			line++;
			len--;
		}
		return take_fold(response, line, len);
	}
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	return take_field(response, line, len);
}

/* RFC 9110 8.6 and RFC 9112 6.3. */
bool
spout__response_length_ok(const struct spout_response *response)
{
	const char *first = spout_response_header(response, "Content-Length");

	for (size_t i = 0; first != NULL && i < response->n_fields; i++) {
		const struct spout_field *field = &response->fields[i];

		if (strcasecmp(field->name, "Content-Length") == 0 &&
		    (strcmp(field->value, first) != 0 || *first == '\0' ||
			first[strspn(first, "0123456789")] != '\0'))
			return false;
	}
	return true;
}

/* --- what is asked of it ---------------------------------------- */

int
spout_response_status(const struct spout_response *response)
{
	return response->status;
}

const char *
spout_response_reason(const struct spout_response *response)
{
	return response->reason;
}

const char *
spout_response_header(const struct spout_response *response, const char *name)
{
	for (size_t i = 0; i < response->n_fields; i++)
		if (strcasecmp(response->fields[i].name, name) == 0)
			return response->fields[i].value;
	return NULL;
}

const struct spout_field *
spout_response_field(const struct spout_response *response, size_t i)
{
	return i < response->n_fields ? &response->fields[i] : NULL;
}

struct spout_slice
spout_response_body(const struct spout_response *response)
{
	if (response->streamed || response->body.len == 0)
		return spout_slice_of("", 0);
	return spout_slice_of(spout__buffer_at(&response->body), response->body.len);
}

const struct json_t *
spout_response_json(struct spout_response *response)
{
	struct spout_slice body = spout_response_body(response);

	if (response->json == NULL && spout__json_depth_ok(body))
		response->json = json_loadb(
		    body.data, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	return response->json;
}

const char *
spout_response_url(const struct spout_response *response)
{
	return response->url;
}

const struct spout_fetch_timings *
spout_response_timings(const struct spout_response *response)
{
	return &response->timings;
}
