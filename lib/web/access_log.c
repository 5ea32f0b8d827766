/* SPDX-License-Identifier: MIT */
/* The access log: see access_log.h. */
#include "config.h"

#include "web/access_log.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/text.h"

#define LINE_MAX_BYTES 16384u

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
	spout__buffer_init(&log->line, LINE_MAX_BYTES);
}

void
spout__access_log_release(struct spout__access_log *log)
{
	spout__buffer_release(&log->line);
}

void
spout__peer_text(const struct sockaddr *peer, char text[SPOUT__PEER_SIZE])
{
	const struct sockaddr_in *v4 = (const void *)peer;
	const struct sockaddr_in6 *v6 = (const void *)peer;

	if (peer->sa_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, text, SPOUT__PEER_SIZE);
	else if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, SPOUT__PEER_SIZE);
	else if (peer->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, text, SPOUT__PEER_SIZE);
	else
		memcpy(text, "unix", sizeof("unix"));
}

/* --- the combined format -------------------------------------------------------- */

/* Apache's way of escaping. */
static int
append_escaped(struct spout__buffer *to, struct spout_slice s, size_t max)
{
	size_t i, from = 0, len = s.len < max ? s.len : max;
	int rc = 0;

	for (i = 0; i < len && rc == 0; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			continue;
		rc = spout__buffer_append(to, s.data + from, i - from);
		if (rc == 0)
			rc = spout__buffer_printf(to, "\\x%02x", c);
		from = i + 1;
	}
	if (rc == 0)
		rc = spout__buffer_append(to, s.data + from, len - from);
	return rc == 0 && s.len > max ? spout__buffer_append(to, "...", 3) : rc;
}

/* A field in quotes; "-" for none. */
static int
append_quoted(struct spout__buffer *to, struct spout_slice s)
{
	int rc = spout__buffer_append(to, "\"", 1);

	if (rc == 0)
		rc = append_escaped(to, s.data != NULL ? s : spout_slice("-"), FIELD_MAX);
	return rc != 0 ? rc : spout__buffer_append(to, "\" ", 2);
}

static int
append_request_line(struct spout__buffer *to, const struct spout__access_entry *e)
{
	int rc;

	if (e->method == NULL)
		return spout__buffer_append(to, "\"-\"", 3);
	rc = spout__buffer_printf(to, "\"%s ", e->method);
	if (rc == 0)
		rc = append_escaped(to, e->target, TARGET_MAX);
	return rc != 0 ? rc : spout__buffer_printf(to, " HTTP/1.%u\"", e->minor);
}

static int
format_combined(const struct spout__access_log *log, struct spout__buffer *to,
    const struct spout__access_entry *e)
{
	char peer[SPOUT__PEER_SIZE];
	int rc;

	spout__peer_text(e->peer, peer);
	rc = spout__buffer_printf(to, "%s - - [%s] ", peer, log->date);
	if (rc == 0)
		rc = append_request_line(to, e);
	if (rc == 0)
		rc = spout__buffer_printf(to, " %d %" PRIu64 " ", e->status, e->bytes);
	if (rc == 0)
		rc = append_quoted(to, e->referer);
	if (rc == 0)
		rc = append_quoted(to, e->user_agent);
	return rc != 0
	    ? rc
	    : spout__buffer_printf(to, "%" PRIu64 " %s%s", e->duration_us,
		  e->request_id != NULL ? e->request_id : "-", e->cut ? " cut" : "");
}

/* --- JSON ----------------------------------------------------------------------- */

/* ,"name":"text"; nothing for none. */
static int
append_member(
    struct spout__buffer *to, const char *name, struct spout_slice s, size_t max)
{
	int rc;

	if (s.data == NULL)
		return 0;
	rc = spout__buffer_printf(to, ",\"%s\":\"", name);
	if (rc == 0)
		rc = spout__json_escape(to, s.data, s.len < max ? s.len : max);
	if (rc == 0 && s.len > max)
		rc = spout__buffer_append(to, "...", 3);
	return rc != 0 ? rc : spout__buffer_append(to, "\"", 1);
}

static int
format_json(const struct spout__access_log *log, struct spout__buffer *to,
    const struct spout__access_entry *e)
{
	char peer[SPOUT__PEER_SIZE];
	int rc;

	spout__peer_text(e->peer, peer);
	rc = spout__buffer_printf(to,
	    "{\"time\":\"%s\",\"peer\":\"%s\",\"status\":%d,\"bytes\":%" PRIu64
	    ",\"duration_us\":%" PRIu64,
	    log->date, peer, e->status, e->bytes, e->duration_us);
	if (rc == 0 && e->method != NULL)
		rc = spout__buffer_printf(
		    to, ",\"method\":\"%s\",\"version\":\"1.%u\"", e->method, e->minor);
	if (rc == 0 && e->method != NULL)
		rc = append_member(to, "target", e->target, TARGET_MAX);
	if (rc == 0)
		rc = append_member(to, "referer", e->referer, FIELD_MAX);
	if (rc == 0)
		rc = append_member(to, "user_agent", e->user_agent, FIELD_MAX);
	if (rc == 0)
		rc = append_member(
		    to, "request_id", spout_slice(e->request_id), FIELD_MAX);
	return rc != 0 ? rc
		       : spout__buffer_printf(to, "%s}", e->cut ? ",\"cut\":true" : "");
}

/* --- lines ---------------------------------------------------------------------- */

int
spout__access_log_format(
    struct spout__access_log *log, const struct spout__access_entry *entry, time_t now)
{
	struct tm tm;

	if (now != log->second && gmtime_r(&now, &tm) != NULL) {
		strftime(log->date, sizeof(log->date),
		    log->json ? "%Y-%m-%dT%H:%M:%SZ" : "%d/%b/%Y:%H:%M:%S +0000", &tm);
		log->second = now;
	}
	spout__buffer_clear(&log->line);
	return log->json ? format_json(log, &log->line, entry)
			 : format_combined(log, &log->line, entry);
}

void
spout__access_log_add(
    struct spout__access_log *log, const struct spout__access_entry *entry)
{
	if (log->fd >= 0 && spout__access_log_format(log, entry, time(NULL)) == 0)
		spout__log_raw(log->fd, spout__buffer_at(&log->line), log->line.len);
}
