/* SPDX-License-Identifier: MIT */
/* The stall watchdog: see watchdog.h. */
#include "config.h"

#include "app/watchdog.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/backtrace.h"
#include "base/clock.h"
#include "base/inflight.h"
#include "base/log.h"
#include "base/stats.h"

#define MS UINT64_C(1000000) /* nanoseconds */
#define TICK_MAX_MS 40u
#define TICKS_PER_THRESHOLD 4u
#define ANSWER_MS 1000u  /* for the loop's thread to take the signal */
#define SHOWN_FRAMES 12u
#define SIGNAL (SIGRTMIN + 5)

struct spout__watchdog {
	struct spout_loop *loop;
	uint64_t threshold_ns, tick_ns;
	pthread_t thread, loop_thread;
	char schedstat[64]; /* proc(5): of the loop's thread */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
	/* Its own: */
	uint64_t began_ns; /* of the turn that was seen last; 0: none */
	uint64_t waited_ns; /* of the loop's thread for a CPU, when it was seen first */
	bool reported;
	bool owed; /* the loop's thread has not answered the last question yet */
};

/* What the handler of the signal notes. */
static struct {
	sem_t done;
	void *frames[SPOUT__FRAMES_MAX];
	int n;
	char id[sizeof(((struct spout__inflight *)0)->id)];
	char what[SPOUT__INFLIGHT_WHAT];
} note;

static void
copy(char *to, size_t cap, const char *text)
{
	size_t i = 0;

	for (; text != NULL && text[i] != '\0' && i + 1 < cap; i++)
		to[i] = text[i];
	to[i] = '\0';
}

/* On the loop's thread, in the middle of whatever it does. */
static void
on_signal(int signo)
{
	int saved = errno;

	(void)signo;
	note.n = backtrace(note.frames, SPOUT__FRAMES_MAX);
	copy(note.id, sizeof(note.id), spout__log_request_id);
	copy(note.what, sizeof(note.what), spout__inflight_what(spout__log_request_id));
	sem_post(&note.done);
	errno = saved;
}

/* How long the loop's thread has been ready to run and got no CPU: not a handler's fault.
 * The second number of the file. */
static uint64_t
waited_ns(const struct spout__watchdog *w)
{
	char text[96], *end;
	int fd = open(w->schedstat, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	strtoull(text, &end, 10);
	return strtoull(end, NULL, 10);
}

/* --- the report ------------------------------------------------------------------ */

/* "handler (file.c:12) < run_handler (web.c:40) < …", from the interrupted function on:
 * before it are the handler and what the kernel has it return to. */
static void
stack_text(char *text, size_t cap)
{
	static struct spout__frame frames[SPOUT__FRAMES_MAX];
	size_t len = 0;
	int skip = note.n > 2 ? 2 : 0;
	unsigned n = note.n > skip ? (unsigned)(note.n - skip) : 0;

	n = spout__frames_name(note.frames + skip, n, frames);
	text[0] = '\0';
	for (unsigned i = 0; i < n && i < SHOWN_FRAMES && len < cap; i++) {
		const char *slash = strrchr(frames[i].file, '/');
		int r = snprintf(text + len, cap - len, "%s%s", i > 0 ? " < " : "",
		    frames[i].function);

		len += r > 0 ? (size_t)r : 0;
		if (frames[i].line > 0 && len < cap) {
			r = snprintf(text + len, cap - len, " (%s:%u)",
			    slash != NULL ? slash + 1 : frames[i].file, frames[i].line);
			len += r > 0 ? (size_t)r : 0;
		}
	}
}

static bool
ask_loop_thread(struct spout__watchdog *w)
{
	struct timespec until;

	/* One at a time: an answer that comes late writes where the next one does. */
	if (w->owed && sem_trywait(&note.done) != 0)
		return false;
	w->owed = true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ANSWER_MS / 1000;
	if (pthread_kill(w->loop_thread, SIGNAL) != 0)
		return false;
	while (sem_timedwait(&note.done, &until) != 0)
		if (errno != EINTR)
			return false;
	w->owed = false;
	return true;
}

static void
report(struct spout__watchdog *w, uint64_t lasted_ns)
{
	char stack[1536];

	spout__count_shared(SPOUT__C_LOOP_STALLS, 1);
	if (!ask_loop_thread(w)) {
		spout_warning("the loop stands still for %" PRIu64
			      " ms, in the kernel: it does not take a signal",
		    lasted_ns / MS);
		return;
	}
	stack_text(stack, sizeof(stack));
	spout_warning("the loop stands still for %" PRIu64 " ms, in %s%s%s%s: %s",
	    lasted_ns / MS, *note.what != '\0' ? note.what : "no request",
	    *note.id != '\0' ? " (request " : "", note.id, *note.id != '\0' ? ")" : "",
	    stack);
}

/* --- the thread ------------------------------------------------------------------ */

static void
look(struct spout__watchdog *w, uint64_t now_ns)
{
	uint64_t began_ns = spout__loop_turn_began_ns(w->loop);

	if (began_ns != w->began_ns) {
		if (w->reported)
			spout_warning(
			    "the loop turns again, after %" PRIu64 " ms at most",
			    (now_ns - w->began_ns) / MS);
		w->reported = false;
		w->began_ns = began_ns;
		if (began_ns != 0)
			w->waited_ns = waited_ns(w);
		return;
	}
	if (began_ns == 0 || w->reported || now_ns - began_ns < w->threshold_ns)
		return;
	if (now_ns - began_ns - (waited_ns(w) - w->waited_ns) < w->threshold_ns)
		return;
	w->reported = true;
	report(w, now_ns - began_ns);
}

/* The next look; false: end. */
static bool
rest(struct spout__watchdog *w, uint64_t now_ns)
{
	uint64_t at = now_ns + w->tick_ns;
	struct timespec until = { (time_t)(at / (1000 * MS)), (long)(at % (1000 * MS)) };
	bool ending;

	pthread_mutex_lock(&w->lock);
	if (!w->ending)
		pthread_cond_timedwait(&w->wake, &w->lock, &until);
	ending = w->ending;
	pthread_mutex_unlock(&w->lock);
	return !ending;
}

static void *
thread_main(void *arg)
{
	struct spout__watchdog *w = arg;
	uint64_t now_ns = spout__clock_ns(), then_ns;

	pthread_setname_np(pthread_self(), "spout-watchdog");
	while (rest(w, now_ns)) {
		then_ns = now_ns;
		now_ns = spout__clock_ns();
		/* All of us were stopped, or this thread got no CPU: begin anew. */
		if (now_ns - then_ns > w->tick_ns + w->threshold_ns) {
			w->began_ns = 0;
			w->reported = false;
		}
		look(w, now_ns);
		now_ns = spout__clock_ns(); /* a report takes its time */
	}
	return NULL;
}

/* --- made and freed -------------------------------------------------------------- */

static int
start_thread(struct spout__watchdog *w)
{
	struct sigaction sa = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART | SA_ONSTACK };
	pthread_condattr_t attr;
	sigset_t all, old;
	int error;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&w->lock, NULL);
	sem_init(&note.done, 0, 0);
	sigaction(SIGNAL, &sa, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

struct spout__watchdog *
spout__watchdog_start(struct spout_loop *loop, uint64_t threshold_ms)
{
	struct spout__watchdog *w = calloc(1, sizeof(*w));
	uint64_t tick_ms = threshold_ms / TICKS_PER_THRESHOLD;
	int error;

	if (w == NULL)
		return NULL;
	w->loop = loop;
	w->loop_thread = pthread_self();
	w->threshold_ns = threshold_ms * MS;
	if (tick_ms > TICK_MAX_MS)
		tick_ms = TICK_MAX_MS;
	w->tick_ns = (tick_ms > 0 ? tick_ms : 1) * MS;
	snprintf(w->schedstat, sizeof(w->schedstat), "/proc/self/task/%ld/schedstat",
	    (long)syscall(SYS_gettid));
	error = start_thread(w);
	if (error == 0)
		return w;
	free(w);
	errno = error;
	return NULL;
}

void
spout__watchdog_stop(struct spout__watchdog *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	signal(SIGNAL, SIG_IGN);
	sem_destroy(&note.done);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w);
}
