/* SPDX-License-Identifier: MIT */
/*
 * The log: what a line looks like, and where it goes (see log.h, log_ring.h).
 *
 *     2026-11-21T07:11:05.123Z INFO worker 0[4711] req=5f1c: the message
 *     {"time":"…","level":"info","process":"worker 0","pid":4711,"message":"…"}
 *
 * Control bytes and invalid UTF-8 are escaped: what a client sends cannot end a line or
 * steer a terminal. Composing takes no lock, so that spout__bug() can use it too.
 */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log_ring.h"

#define MESSAGE_MAX 2048
#define LINE_MAX_TEXT 4096
#define NAME_MAX_TEXT 128
/* How long a line written directly (no log thread) waits for a reader that hangs. */
#define DIRECT_PATIENCE_MS 200
#define STAMP_LEN 19 /* 2026-11-21T07:11:05 */
#define LEVEL_FATAL (SPOUT_LOG_ERROR + 1)

__thread const char *spout__log_request_id __attribute__((tls_model("initial-exec")));

static struct spout__log_options current = {
	.level = SPOUT_LOG_INFO, .fd = 2, .process = "spout"
};
static _Atomic int level_now = SPOUT_LOG_INFO; /* that of `current`, or another */

/* Per thread, off the stack: coroutines have small ones and every page counts. */
static __thread struct {
	time_t second;
	char stamp[STAMP_LEN + 1];
	char message[MESSAGE_MAX];
	char line[LINE_MAX_TEXT];
} scratch;

/* --- escaping -------------------------------------------------------------------- */

/* Appends what fits; `end` leaves room for the end of the line. */
struct text {
	char *at, *end;
	bool cut;
};

static void
put_bytes(struct text *t, const char *data, size_t len)
{
	if (t->cut || len > (size_t)(t->end - t->at)) {
		t->cut = true;
		return;
	}
	memcpy(t->at, data, len);
	t->at += len;
}

static void
put(struct text *t, const char *s)
{
	put_bytes(t, s, strlen(s));
}

/* Length of the well-formed UTF-8 sequence at `p` (RFC 3629), 0 if there is none. */
static size_t
utf8_len(const unsigned char *p)
{
	size_t n, i;
	uint32_t c;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	c = p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) /* a NUL too: never reads past the end */
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static bool
is_control(const unsigned char *p)
{
	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

static void
put_escape(struct text *t, const unsigned char *p, size_t n, bool json)
{
	char esc[16];

	if (n == 0 && json)
		put(t, "\\ufffd");
	else if (json) {
		snprintf(esc, sizeof(esc), "\\u%04x", p[n - 1]); /* U+0000 to U+009F */
		put(t, esc);
	} else {
		snprintf(esc, sizeof(esc), "\\x%02x", n == 2 ? p[1] : p[0]);
		put(t, esc);
	}
}

static void
put_escaped(struct text *t, const char *s, bool json)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p != '\0' && !t->cut) {
		size_t n = utf8_len(p);

		if (json && (*p == '"' || *p == '\\')) {
			put_bytes(t, (const char[]){ '\\', (char)*p }, 2);
		} else if (*p == '\n' || *p == '\r' || *p == '\t') {
			put(t, *p == '\n' ? "\\n" : *p == '\r' ? "\\r" : "\\t");
		} else if (n == 0 || is_control(p)) {
			put_escape(t, p, n, json);
		} else {
			put_bytes(t, (const char *)p, n);
		}
		p += n == 0 ? 1 : n;
	}
}

/* A name inside the head of a line: bounded, so that the message keeps its room. */
static void
put_name(struct text *t, const char *s, bool json)
{
	struct text name = { .at = t->at, .end = t->at + NAME_MAX_TEXT };

	put_escaped(&name, s, json);
	t->at = name.at;
}

/* --- composing ------------------------------------------------------------------- */

/* The civil date of a day since 1970: Howard Hinnant's civil_from_days. */
static void
stamp_second(time_t when, char ret_stamp[STAMP_LEN + 1])
{
	unsigned second = (unsigned)(when % 86400);
	unsigned z = (unsigned)(when / 86400) + 719468, era = z / 146097,
		 doe = z % 146097;
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;

	snprintf(ret_stamp, STAMP_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02u",
	    (yoe + era * 400 + (month <= 2)) % 10000u, month % 100u,
	    (doy - (153 * mp + 2) / 5 + 1) % 100u, second / 3600 % 100u, second / 60 % 60,
	    second % 60);
}

static void
put_time(struct text *t)
{
	struct timespec now;
	char ms[8];

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != scratch.second) {
		stamp_second(now.tv_sec, scratch.stamp);
		scratch.second = now.tv_sec;
	}
	put(t, scratch.stamp);
	snprintf(ms, sizeof(ms), ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000u);
	put(t, ms);
}

static void
put_head(struct text *t, int level, bool json)
{
	static const char *const names[][2] = { { "DEBUG", "debug" }, { "INFO", "info" },
		{ "WARNING", "warning" }, { "ERROR", "error" }, { "FATAL", "fatal" } };
	char pid[16];

	put(t, json ? "{\"time\":\"" : "");
	put_time(t);
	put(t, json ? "\",\"level\":\"" : " ");
	put(t, names[level][json]);
	put(t, json ? "\",\"process\":\"" : " ");
	put_name(t, current.process, json);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	put(t, json ? "\",\"pid\":" : "[");
	put(t, pid);
	if (spout__log_request_id != NULL) {
		put(t, json ? ",\"request\":\"" : "] req=");
		put_name(t, spout__log_request_id, json);
		put(t, json ? "\",\"message\":\"" : ": ");
	} else {
		put(t, json ? ",\"message\":\"" : "]: ");
	}
}

/* A whole line with its newline; returns its length. `cap` at least 512. */
static size_t
compose(char *to, size_t cap, int level, const char *message)
{
	bool json = current.format == SPOUT__LOG_JSON;
	struct text t = { .at = to, .end = to + cap - sizeof("...\"}\n") };

	put_head(&t, level, json);
	put_escaped(&t, message, json);
	t.end = to + cap;
	if (t.cut) {
		t.cut = false;
		put(&t, "...");
	}
	put(&t, json ? "\"}\n" : "\n");
	return (size_t)(t.at - to);
}

static size_t
compose_dropped(char *to, size_t cap, uint64_t n)
{
	char message[64];

	snprintf(
	    message, sizeof(message), "%llu log lines dropped", (unsigned long long)n);
	return compose(to, cap, SPOUT_LOG_WARNING, message);
}

static void
emit(int fd, const char *line, size_t len)
{
	if (!spout__log_ring_put(fd, line, len) &&
	    !spout__log_write(fd, line, len, DIRECT_PATIENCE_MS))
		spout__log_count_dropped(1);
}

/* --- interface ------------------------------------------------------------------- */

void
spout__log_configure(const struct spout__log_options *options)
{
	current = *options;
	spout__log_set_level((int)options->level);
}

void
spout__log_set_level(int level)
{
	atomic_store_explicit(
	    &level_now, level < 0 ? (int)current.level : level, memory_order_relaxed);
}

const struct spout__log_options *
spout__log_current(void)
{
	return &current;
}

int
spout__log_start(void)
{
	return spout__log_ring_start(current.fd, compose_dropped);
}

void
spout__log_stop(void)
{
	spout__log_ring_stop();
}

bool
spout_log_enabled(enum spout_log_level level)
{
	return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

static void
log_line(enum spout_log_level level, const char *fmt, va_list ap)
{
	int n, saved = errno;

	n = vsnprintf(scratch.message, MESSAGE_MAX, fmt, ap);
	if (n >= MESSAGE_MAX)
		memcpy(scratch.message + MESSAGE_MAX - 4, "...", 4);
	if (n >= 0)
		emit(current.fd, scratch.line,
		    compose(scratch.line, LINE_MAX_TEXT, (int)level, scratch.message));
	errno = saved;
}

void
spout_vlog(enum spout_log_level level, const char *fmt, va_list ap)
{
	if (spout_log_enabled(level) && level <= SPOUT_LOG_ERROR)
		log_line(level, fmt, ap);
}

void
spout__log_notice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(SPOUT_LOG_INFO, fmt, ap);
	va_end(ap);
}

void
spout_log(enum spout_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	spout_vlog(level, fmt, ap);
	va_end(ap);
}

/* A window: the second of the monotonic clock above, the number of its lines below. */
#define WINDOW_BITS 32

bool
spout__log_admit(struct spout__log_kind *kind, enum spout_log_level level)
{
	struct timespec now;
	uint64_t window, lines, left_out;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	window = atomic_load_explicit(&kind->window, memory_order_relaxed);
	if (window >> WINDOW_BITS != (uint64_t)now.tv_sec &&
	    atomic_compare_exchange_strong(
		&kind->window, &window, (uint64_t)now.tv_sec << WINDOW_BITS)) {
		left_out = atomic_exchange(&kind->left_out, 0);
		if (left_out > 0)
			spout_log(level, "%llu lines like the next one were left out",
			    (unsigned long long)left_out);
	}
	lines = atomic_fetch_add(&kind->window, 1) & (((uint64_t)1 << WINDOW_BITS) - 1);
	if (lines < SPOUT__LOG_BURST)
		return true;
	atomic_fetch_add(&kind->left_out, 1);
	return false;
}

static void
emit_raw(int fd, char *to, const char *line, size_t len)
{
	memcpy(to, line, len);
	to[len] = '\n';
	emit(fd, to, len + 1);
}

/* Not inlined: only the rare long line shall touch that much stack. */
static void __attribute__((noinline)) emit_long(int fd, const char *line, size_t len)
{
	char to[SPOUT__LOG_LINE_MAX];

	emit_raw(fd, to, line, len < sizeof(to) ? len : sizeof(to) - 1);
}

void
spout__log_raw(int fd, const char *line, size_t len)
{
	int saved = errno;

	if (len < LINE_MAX_TEXT)
		emit_raw(fd, scratch.line, line, len);
	else
		emit_long(fd, line, len);
	errno = saved;
}

void
spout__bug(const char *fmt, ...)
{
	char message[1024], line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	spout__log_ring_rescue();
	spout__log_write(current.fd, line,
	    compose(line, sizeof(line), LEVEL_FATAL, message), DIRECT_PATIENCE_MS);
	abort();
}
