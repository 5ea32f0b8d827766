/* SPDX-License-Identifier: MIT */
/* A .mo file, checked and searched: see catalogue.h. */
#include "config.h"

#include "web/catalogue.h"

#include <errno.h>
#include <strings.h>

#include "base/text.h"

#define MAGIC 0x950412deu
#define HEADER_SIZE 28u
#define CONTEXT_END '\4' /* between a context and its message */

static uint32_t
word_at(const struct spout__catalogue *c, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, c->data + offset, sizeof(word));
	return c->swapped ? __builtin_bswap32(word) : word;
}

/* The i-th text of a table, with the NUL at its end; data NULL: not within the file. */
static struct spout_slice
text_at(const struct spout__catalogue *c, uint32_t table, uint32_t i)
{
	uint32_t len = word_at(c, table + 8 * i), at = word_at(c, table + 8 * i + 4);

	if (at >= c->len || len >= c->len - at || c->data[at + len] != '\0')
		return (struct spout_slice){ NULL, 0 };
	return spout_slice_of(c->data + at, len + 1);
}

static bool
table_fits(const struct spout__catalogue *c, uint32_t table)
{
	return table % 4 == 0 && table <= c->len && c->n <= (c->len - table) / 8;
}

/* --- its own header: the translation of "" ------------------------------------------ */

/* The value of a line "Name: value", or data NULL. */
static struct spout_slice
header_value(struct spout_slice header, const char *name)
{
	const char *at = header.data, *end = header.data + header.len - 1;
	size_t len = strlen(name);

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (stop == NULL)
			stop = end;
		if ((size_t)(stop - at) > len && strncasecmp(at, name, len) == 0 &&
		    at[len] == ':')
			return spout_slice_of(
			    at + len + 1, (size_t)(stop - at) - len - 1);
		at = stop + 1;
	}
	return (struct spout_slice){ NULL, 0 };
}

static bool
says_utf8(struct spout_slice type)
{
	static const char charset[] = "charset=";
	const char *at = memmem(type.data, type.len, charset, sizeof(charset) - 1);
	size_t left;

	if (at == NULL)
		return false;
	at += sizeof(charset) - 1;
	left = (size_t)(type.data + type.len - at);
	return (left >= 5 && strncasecmp(at, "utf-8", 5) == 0) ||
	    (left >= 4 && strncasecmp(at, "utf8", 4) == 0);
}

static int
read_header(struct spout__catalogue *c)
{
	struct spout_slice header = spout__catalogue_find(c, NULL, ""), value;

	if (header.data == NULL)
		return -EBADMSG;
	value = header_value(header, "Content-Type");
	if (value.data == NULL || !says_utf8(value))
		return -EBADMSG;
	value = header_value(header, "Plural-Forms");
	c->plural = (struct spout__plural){ .n = 2 };
	return value.data == NULL ? 0 : spout__plural_init(&c->plural, value);
}

/* --- the whole --------------------------------------------------------------------- */

static int
check_texts(const struct spout__catalogue *c)
{
	struct spout_slice message, translation, before = { NULL, 0 };
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		message = text_at(c, c->originals, i);
		translation = text_at(c, c->translations, i);
		if (message.data == NULL || translation.data == NULL ||
		    !spout__utf8_valid(message.data, message.len) ||
		    !spout__utf8_valid(translation.data, translation.len))
			return -EBADMSG;
		if (before.data != NULL && strcmp(before.data, message.data) >= 0)
			return -EBADMSG;
		before = message;
	}
	return 0;
}

int
spout__catalogue_open(struct spout__catalogue *c, const char *data, size_t len)
{
	int rc;

	*c = (struct spout__catalogue){ .data = data, .len = len };
	if (len < HEADER_SIZE || len > UINT32_MAX)
		return -EBADMSG;
	c->swapped = word_at(c, 0) == __builtin_bswap32(MAGIC);
	if (word_at(c, 0) != MAGIC || word_at(c, 4) >> 16 > 1)
		return -EBADMSG;
	c->n = word_at(c, 8);
	c->originals = word_at(c, 12);
	c->translations = word_at(c, 16);
	if (!table_fits(c, c->originals) || !table_fits(c, c->translations))
		return -EBADMSG;
	rc = check_texts(c);
	return rc != 0 ? rc : read_header(c);
}

/* The order of "context EOT message", without composing it. */
static int
compare(const char *context, const char *message, const char *text)
{
	if (context == NULL)
		return strcmp(message, text);
	while (*context != '\0' && *context == *text) {
		context++;
		text++;
	}
	if (*context != '\0')
		return (unsigned char)*context - (unsigned char)*text;
	if (*text != CONTEXT_END)
		return CONTEXT_END - (unsigned char)*text;
	return strcmp(message, text + 1);
}

struct spout_slice
spout__catalogue_find(const struct spout__catalogue *c, const char *context,
    const char *message)
{
	uint32_t low = 0, high = c->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(
		    context, message, text_at(c, c->originals, middle).data);

		if (order == 0)
			return text_at(c, c->translations, middle);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return (struct spout_slice){ NULL, 0 };
}
