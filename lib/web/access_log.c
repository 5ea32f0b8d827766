/* SPDX-License-Identifier: MIT */
/* The access log: see access_log.h. */
#include "config.h"

#include "web/access_log.h"

#include <arpa/inet.h>

#include "base/log.h"
#include "base/text.h"

/* Most bytes, as sent, of a target and of a header field. */
#define TARGET_MAX 2048u
#define FIELD_MAX 512u

void
spout__access_log_init(struct spout__access_log *log, int fd, bool json)
{
	memset(log, 0, sizeof(*log));
	log->fd = fd;
	log->json = json;
	log->second = -1;
}

/* --- small parts ---------------------------------------------------------------- */

static char *
put_text(char *to, const char *text)
{
	return spout__put(to, text, strlen(text));
}

static void
put_ipv4(char *to, const void *address)
{
	const unsigned char *byte = address;
	int i;

	for (i = 0; i < 4; i++) {
		to = spout__put_number(to, byte[i]);
		*to++ = i < 3 ? '.' : '\0';
	}
}

void
spout__peer_text(const struct sockaddr *peer, char text[SPOUT__PEER_SIZE])
{
	const struct sockaddr_in *v4 = (const void *)peer;
	const struct sockaddr_in6 *v6 = (const void *)peer;

	if (peer->sa_family == AF_INET)
		put_ipv4(text, &v4->sin_addr);
	else if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		put_ipv4(text, v6->sin6_addr.s6_addr + 12);
	else if (peer->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, text, SPOUT__PEER_SIZE);
	else
		memcpy(text, "unix", sizeof("unix"));
}

static char *
put_peer(char *to, const struct sockaddr *peer)
{
	spout__peer_text(peer, to);
	return to + strlen(to);
}

/*
 * Text as a client sent it: what is not printable ASCII, a quote or a backslash becomes a
 * prefix and two hexadecimal digits: "\x0a", or "\u000a" in JSON.
 */
static char *
put_escaped(char *to, struct spout_slice s, size_t max, const char *prefix)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, len = s.len < max ? s.len : max;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			*to++ = (char)c;
			continue;
		}
		to = put_text(to, prefix);
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return s.len > max ? SPOUT__PUT(to, "...") : to;
}

/* --- the combined format -------------------------------------------------------- */

/* A field in quotes; "-" for none. */
static char *
put_quoted(char *to, struct spout_slice s)
{
	*to++ = '"';
	to = put_escaped(to, s.data != NULL ? s : spout_slice("-"), FIELD_MAX, "\\x");
	return SPOUT__PUT(to, "\" ");
}

static char *
put_request_line(char *to, const struct spout__access_entry *e)
{
	if (e->method == NULL)
		return SPOUT__PUT(to, "\"-\" ");
	*to++ = '"';
	to = put_text(to, e->method);
	*to++ = ' ';
	to = put_escaped(to, e->target, TARGET_MAX, "\\x");
	to = SPOUT__PUT(to, " HTTP/1.");
	*to++ = (char)('0' + e->minor);
	return SPOUT__PUT(to, "\" ");
}

static char *
put_combined(char *to, const char *date, const struct spout__access_entry *e)
{
	to = put_peer(to, e->peer);
	to = SPOUT__PUT(to, " - - [");
	to = put_text(to, date);
	to = SPOUT__PUT(to, "] ");
	to = put_request_line(to, e);
	to = spout__put_number(to, (unsigned)e->status);
	*to++ = ' ';
	to = spout__put_number(to, e->bytes);
	*to++ = ' ';
	to = put_quoted(to, e->referer);
	to = put_quoted(to, e->user_agent);
	to = spout__put_number(to, e->duration_us);
	*to++ = ' ';
	to = put_text(to, e->request_id != NULL ? e->request_id : "-");
	return e->cut ? SPOUT__PUT(to, " cut") : to;
}

/* --- JSON ----------------------------------------------------------------------- */

/* ,"name":"text"; nothing for none. Bytes that are not ASCII are taken for Latin-1. */
static char *
put_member(char *to, const char *name, struct spout_slice s, size_t max)
{
	if (s.data == NULL)
		return to;
	to = SPOUT__PUT(to, ",\"");
	to = put_text(to, name);
	to = SPOUT__PUT(to, "\":\"");
	to = put_escaped(to, s, max, "\\u00");
	*to++ = '"';
	return to;
}

static char *
put_json(char *to, const char *date, const struct spout__access_entry *e)
{
	to = SPOUT__PUT(to, "{\"time\":\"");
	to = put_text(to, date);
	to = SPOUT__PUT(to, "\",\"peer\":\"");
	to = put_peer(to, e->peer);
	to = SPOUT__PUT(to, "\",\"status\":");
	to = spout__put_number(to, (unsigned)e->status);
	to = SPOUT__PUT(to, ",\"bytes\":");
	to = spout__put_number(to, e->bytes);
	to = SPOUT__PUT(to, ",\"duration_us\":");
	to = spout__put_number(to, e->duration_us);
	if (e->method != NULL) {
		to = put_member(to, "method", spout_slice(e->method), FIELD_MAX);
		to = SPOUT__PUT(to, ",\"version\":\"1.");
		*to++ = (char)('0' + e->minor);
		*to++ = '"';
		to = put_member(to, "target", e->target, TARGET_MAX);
	}
	to = put_member(to, "referer", e->referer, FIELD_MAX);
	to = put_member(to, "user_agent", e->user_agent, FIELD_MAX);
	to = put_member(to, "request_id", spout_slice(e->request_id), FIELD_MAX);
	return e->cut ? SPOUT__PUT(to, ",\"cut\":true}") : SPOUT__PUT(to, "}");
}

/* --- lines ---------------------------------------------------------------------- */

_Static_assert(SPOUT__ACCESS_LINE_MAX > 6 * (TARGET_MAX + 2 * FIELD_MAX + 64) + 1024,
    "the longest line has room");

void
spout__access_log_format(
    struct spout__access_log *log, const struct spout__access_entry *entry, time_t now)
{
	struct tm tm;
	char *end;

	if (now != log->second && gmtime_r(&now, &tm) != NULL) {
		strftime(log->date, sizeof(log->date),
		    log->json ? "%Y-%m-%dT%H:%M:%SZ" : "%d/%b/%Y:%H:%M:%S +0000", &tm);
		log->second = now;
	}
	end = log->json ? put_json(log->line, log->date, entry)
			: put_combined(log->line, log->date, entry);
	log->len = (size_t)(end - log->line);
}

void
spout__access_log_add(
    struct spout__access_log *log, const struct spout__access_entry *entry)
{
	if (log->fd < 0)
		return;
	spout__access_log_format(log, entry, time(NULL));
	spout__log_raw(log->fd, log->line, log->len);
}
