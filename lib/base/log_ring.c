/* SPDX-License-Identifier: MIT */
/*
 * The ring of the log: see log_ring.h.
 *
 * A producer reserves room by moving `head`, copies, and publishes by storing the length.
 * The consumer copies out, clears the bytes (a length of 0 means "not yet") and moves
 * `tail`. Consumer is the log thread or, when it is gone or stuck, who holds `consuming`.
 * Lines are written in pieces of whole lines of at most PIPE_BUF bytes, so that the lines
 * of several workers do not mix in a pipe.
 */
#include "config.h"

#include "base/log_ring.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stats.h"

#define RING_MASK (SPOUT__LOG_RING_BYTES - 1)
#define STOP_PATIENCE_MS 1000
#define RESCUE_PATIENCE_MS 200
/* The writer rests this long after a batch: bounds how often producers must wake it. */
#define NAP_MS 2

struct record {
	_Atomic uint32_t len; /* 0: reserved or free */
	int32_t fd;
};

static _Alignas(8) char ring[SPOUT__LOG_RING_BYTES];
static _Atomic uint64_t head, tail; /* bytes ever reserved, ever consumed */
static _Atomic uint64_t dropped, dropped_told;
static atomic_bool running, stopping, consuming;
static _Atomic uint32_t asleep;     /* futex word: the writer waits for lines */
static _Atomic uint64_t give_up_ms; /* the writer stops waiting for a reader then */
static pthread_t writer;
static int report_fd;
static spout__log_dropped_fn report_compose;

/* What the consumer is about to write; guarded by `consuming`. */
static struct {
	int fd;
	unsigned lines;
	size_t len;
	char data[SPOUT__LOG_LINE_MAX];
} batch;

static void
futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void
spout__log_count_dropped(uint64_t n)
{
	atomic_fetch_add_explicit(&dropped, n, memory_order_relaxed);
	spout__count_shared(SPOUT__C_LOG_DROPPED, n);
}

/* --- producers ------------------------------------------------------------------- */

static uint64_t
record_size(size_t len)
{
	return (sizeof(struct record) + len + 7) & ~(uint64_t)7;
}

static struct record *
record_at(uint64_t at)
{
	return (struct record *)(void *)(ring + (at & RING_MASK));
}

static void
copy_in(uint64_t at, const char *data, size_t len)
{
	size_t offset = at & RING_MASK, first = SPOUT__LOG_RING_BYTES - offset;

	if (first > len)
		first = len;
	memcpy(ring + offset, data, first);
	memcpy(ring, data + first, len - first);
}

/* The tail is read first: a stale one only makes the ring look fuller than it is. */
static bool
reserve(uint64_t need, uint64_t *ret_at)
{
	uint64_t end, at;

	do {
		end = atomic_load_explicit(&tail, memory_order_acquire) +
		    SPOUT__LOG_RING_BYTES;
		at = atomic_load_explicit(&head, memory_order_acquire);
		if (at + need > end)
			return false;
	} while (!atomic_compare_exchange_weak(&head, &at, at + need));
	*ret_at = at;
	return true;
}

bool
spout__log_ring_put(int fd, const char *line, size_t len)
{
	struct record *r;
	uint64_t at;

	if (!atomic_load_explicit(&running, memory_order_acquire))
		return false;
	if (!reserve(record_size(len), &at)) {
		spout__log_count_dropped(1);
		return true;
	}
	r = record_at(at);
	r->fd = fd;
	copy_in(at + sizeof(*r), line, len);
	atomic_store_explicit(&r->len, (uint32_t)len, memory_order_release);
	/* Either the writer sees `head` moved before it sleeps, or we see it sleep (both
	 * in sequentially consistent order). */
	if (atomic_load(&asleep) != 0 && atomic_exchange(&asleep, 0) != 0)
		futex(&asleep, FUTEX_WAKE, 1);
	return true;
}

/* --- the consumer ---------------------------------------------------------------- */

bool
spout__log_write(int fd, const char *data, size_t len, uint64_t patience_ms)
{
	uint64_t until = spout__clock_ms() + patience_ms;

	while (len > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&p, 1, 50) == 0 || (p.revents & (POLLOUT | POLLERR)) == 0) {
			if (spout__clock_ms() >= until || (p.revents & POLLNVAL) != 0)
				return false;
			continue;
		}
		n = write(fd, data, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* The log thread waits for a slow reader as long as the process lives. */
static bool
write_patiently(int fd, const char *data, size_t len)
{
	for (;;) {
		uint64_t limit = atomic_load_explicit(&give_up_ms, memory_order_relaxed);
		bool late = limit != 0 && spout__clock_ms() >= limit;
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (poll(&p, 1, late ? 0 : 50) > 0)
			return spout__log_write(fd, data, len, STOP_PATIENCE_MS);
		if (late)
			return false;
	}
}

static void
batch_flush(void)
{
	if (batch.len > 0 && !write_patiently(batch.fd, batch.data, batch.len))
		spout__log_count_dropped(batch.lines);
	batch.len = batch.lines = 0;
}

static void
batch_add(int fd, uint64_t at, size_t len)
{
	size_t offset = at & RING_MASK, first = SPOUT__LOG_RING_BYTES - offset;

	if (batch.len > 0 && (fd != batch.fd || batch.len + len > PIPE_BUF))
		batch_flush();
	if (first > len)
		first = len;
	memcpy(batch.data + batch.len, ring + offset, first);
	memcpy(batch.data + batch.len + first, ring, len - first);
	batch.fd = fd;
	batch.len += len;
	batch.lines++;
}

static void
clear(uint64_t at, uint64_t size)
{
	size_t offset = at & RING_MASK, first = SPOUT__LOG_RING_BYTES - offset;

	if (first > size)
		first = size;
	memset(ring + offset, 0, first);
	memset(ring, 0, size - first);
}

static void
tell_dropped(void)
{
	uint64_t n = atomic_load_explicit(&dropped, memory_order_relaxed);
	uint64_t told = atomic_load_explicit(&dropped_told, memory_order_relaxed);
	char line[512];

	if (n == told)
		return;
	if (write_patiently(
		report_fd, line, report_compose(line, sizeof(line), n - told)))
		atomic_store_explicit(&dropped_told, n, memory_order_relaxed);
}

static uint32_t
len_at(uint64_t at)
{
	return atomic_load_explicit(&record_at(at)->len, memory_order_acquire);
}

/* Write what is queued. The caller holds `consuming`. Returns whether there was any. */
static bool
consume(void)
{
	uint64_t at = atomic_load_explicit(&tail, memory_order_relaxed), start = at;
	uint32_t len;

	while ((len = len_at(at)) != 0) {
		batch_add(record_at(at)->fd, at + sizeof(struct record), len);
		clear(at, record_size(len));
		at += record_size(len);
		atomic_store_explicit(&tail, at, memory_order_release);
	}
	batch_flush();
	tell_dropped();
	return at != start;
}

static bool
consume_exclusively(void)
{
	bool any = false;

	if (!atomic_exchange_explicit(&consuming, true, memory_order_acquire)) {
		any = consume();
		atomic_store_explicit(&consuming, false, memory_order_release);
	}
	return any;
}

static bool
lines_wait(void)
{
	return atomic_load(&head) != atomic_load_explicit(&tail, memory_order_relaxed);
}

static void
nap(void)
{
	const struct timespec ts = { .tv_nsec = NAP_MS * 1000000L };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void *
writer_main(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stopping, memory_order_acquire)) {
		if (consume_exclusively() || lines_wait()) {
			nap();
			continue;
		}
		atomic_store(&asleep, 1);
		if (!lines_wait() && !atomic_load(&stopping))
			futex(&asleep, FUTEX_WAIT, 1);
		atomic_store(&asleep, 0);
	}
	consume_exclusively();
	return NULL;
}

/* --- life cycle ------------------------------------------------------------------ */

/* A forked child has no writer: it writes directly until it starts its own. */
static void
after_fork(void)
{
	atomic_store(&running, false);
	atomic_store(&consuming, false);
	atomic_store(&tail, atomic_load(&head));
	atomic_store(&dropped_told, atomic_load(&dropped));
	batch.len = batch.lines = 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
register_after_fork(void)
{
	pthread_atfork(NULL, NULL, after_fork);
}

int
spout__log_ring_start(int fd, spout__log_dropped_fn compose)
{
	sigset_t all, old;
	int rc;

	if (atomic_load(&running))
		return -EALREADY;
	pthread_once(&once, register_after_fork);
	report_fd = fd;
	report_compose = compose;
	memset(ring, 0, sizeof(ring));
	atomic_store(&head, 0);
	atomic_store(&tail, 0);
	atomic_store(&stopping, false);
	atomic_store(&give_up_ms, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&writer, NULL, writer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return -rc;
	pthread_setname_np(writer, "spout-log");
	atomic_store_explicit(&running, true, memory_order_release);
	return 0;
}

void
spout__log_ring_stop(void)
{
	struct timespec until;

	if (!atomic_exchange(&running, false))
		return;
	atomic_store(&give_up_ms, spout__clock_ms() + STOP_PATIENCE_MS);
	atomic_store(&stopping, true);
	atomic_store(&asleep, 0);
	futex(&asleep, FUTEX_WAKE, 1);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2 * STOP_PATIENCE_MS / 1000;
	/* A writer stuck inside write() cannot be helped: leave it to the end of the
	 * process. */
	if (pthread_timedjoin_np(writer, NULL, &until) != 0) {
		pthread_detach(writer);
		return;
	}
	consume_exclusively(); /* a line that was being copied while we stopped */
}

void
spout__log_ring_rescue(void)
{
	uint64_t until = spout__clock_ms() + RESCUE_PATIENCE_MS;

	if (!atomic_load(&running))
		return;
	atomic_store(&give_up_ms, until);
	while (lines_wait() && spout__clock_ms() < until)
		if (!consume_exclusively())
			nap();
}
