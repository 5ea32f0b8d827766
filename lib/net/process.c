/* SPDX-License-Identifier: MIT */
/*
 * Processes for coroutines: starting, waiting, stopping, reaping. The states are in
 * process.h. Loop thread.
 */
#include "config.h"

#include "net/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include <spout/executor.h>

#include "base/cpus.h"
#include "net/costream.h"

#define GRACE_MS 2000u
#define KILL_WAIT_MS 1000u /* how long a killed process may take to go, where we block */

/* Of a future made by spout_process_wait_async(). */
struct exit_future {
	struct spout_future future; /* first: see spout__future_alloc() */
	struct spout__list link;    /* in process->futures */
	struct spout_process_exit exit;
};

static const char exit_type[] = "process";

/* Those of a loop that run. */
struct processes {
	struct spout__list list;
};

/* What ends with the loop: nobody is left who could wait for them. */
static void
processes_end(void *object)
{
	struct processes *processes = object;

	if (!spout__list_empty(&processes->list)) {
		struct spout_process *first =
		    spout__container_of(processes->list.next, struct spout_process, link);

		spout__processes_stop(first->loop, 0);
	}
	free(processes);
}

static struct processes *
processes_of(struct spout_loop *loop)
{
	struct processes *processes = spout__loop_slot(loop, SPOUT__SLOT_PROCESS);

	if (processes != NULL)
		return processes;
	processes = calloc(1, sizeof(*processes));
	if (processes == NULL)
		return NULL;
	spout__list_init(&processes->list);
	spout__loop_set_slot(loop, SPOUT__SLOT_PROCESS, processes, processes_end);
	return processes;
}

/* --- how it ends -------------------------------------------------------------------- */

static void
free_now(struct spout__ready *ready)
{
	free(spout__container_of(ready, struct spout_process, free_later));
}

static void
free_soon(struct spout_process *process)
{
	spout__loop_defer_free(process->loop, &process->free_later);
}

static bool
runs(const struct spout_process *process)
{
	return process->state > SPOUT__PROCESS_NEW &&
	    process->state < SPOUT__PROCESS_EXITED;
}

static void
complete(struct spout_process *process, struct exit_future *waiting)
{
	char reason[128];

	spout__list_remove(&waiting->link);
	waiting->exit = process->exit;
	if (!process->timed_out) {
		spout__future_complete(&waiting->future, 0, &waiting->exit, NULL);
		return;
	}
	snprintf(reason, sizeof(reason), "%s: stopped after %llu ms", process->name,
	    (unsigned long long)process->timeout_ms);
	spout__future_complete(&waiting->future, -ETIMEDOUT, NULL, reason);
}

static void
tell_waiters(struct spout_process *process)
{
	while (!spout__list_empty(&process->futures))
		complete(process,
		    spout__container_of(process->futures.next, struct exit_future, link));
	while (spout__line_grant(&process->waiters))
		;
}

static void
set_exit(struct spout_process *process, const siginfo_t *info)
{
	struct spout_process_exit *to = &process->exit;

	to->status = info->si_code == CLD_EXITED ? info->si_status : -1;
	to->signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
	to->core_dumped = info->si_code == CLD_DUMPED;
}

/* Reap it if it has ended. Returns whether it has. */
static bool
reap(struct spout_process *process)
{
	siginfo_t info = { .si_pid = 0 };

	/* While it is not reaped its number is nobody else's: the group may be killed. */
	if (process->state != SPOUT__PROCESS_RUNNING)
		kill(-process->pid, SIGKILL);
	if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) < 0)
		process->exit.status = -1; /* somebody else has reaped it */
	else if (info.si_pid == 0)
		return false;
	else
		set_exit(process, &info);
	if (process->watched)
		event_del(&process->event);
	close(process->pidfd);
	spout__timer_stop(&process->timer);
	spout__list_remove(&process->link);
	process->state = SPOUT__PROCESS_EXITED;
	tell_waiters(process);
	if (!process->owned)
		free_soon(process);
	return true;
}

/* For where we cannot wait in the loop: it was killed and goes at once. */
static void
reap_blocking(struct spout_process *process, uint64_t ms)
{
	struct pollfd pollfd = { .fd = process->pidfd, .events = POLLIN };

	if (poll(&pollfd, 1, (int)ms) > 0)
		(void)reap(process);
}

static void
on_pidfd(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)reap(arg);
}

/* --- stopping ----------------------------------------------------------------------- */

static int
signal_group(struct spout_process *process, int signo)
{
	if (kill(-process->pid, signo) == 0)
		return 0;
	return errno == ESRCH && kill(process->pid, signo) == 0 ? 0 : -errno;
}

static void
kill_group(struct spout_process *process)
{
	process->state = SPOUT__PROCESS_KILLED;
	(void)signal_group(process, SIGKILL);
}

static void
stop(struct spout_process *process)
{
	if (process->state != SPOUT__PROCESS_RUNNING)
		return;
	spout__timer_stop(&process->timer);
	process->state = SPOUT__PROCESS_STOPPING;
	(void)signal_group(process, SIGTERM);
	(void)signal_group(process, SIGCONT);
	spout__timer_start_at(process->loop, &process->timer,
	    spout__loop_after_ms(process->loop, process->grace_ms));
}

static void
on_timer(struct spout__timer *timer)
{
	struct spout_process *process =
	    spout__container_of(timer, struct spout_process, timer);

	if (process->state == SPOUT__PROCESS_RUNNING) {
		process->timed_out = true;
		stop(process);
	} else {
		kill_group(process);
	}
}

static uint64_t
now_ms(struct spout_loop *loop)
{
	return spout__loop_clock_ns(loop) / 1000000;
}

void
spout__processes_stop(struct spout_loop *loop, uint64_t grace_ms)
{
	struct processes *processes = spout__loop_slot(loop, SPOUT__SLOT_PROCESS);
	uint64_t now = now_ms(loop), end = now + grace_ms;
	struct spout__list *node, *next;

	if (processes == NULL)
		return;
	if (grace_ms > 0)
		spout__list_for_each(node, &processes->list)
			stop(spout__container_of(node, struct spout_process, link));
	spout__list_for_each_safe(node, next, &processes->list) {
		struct spout_process *process =
		    spout__container_of(node, struct spout_process, link);

		now = now_ms(loop);
		reap_blocking(process, now < end ? end - now : 0);
	}
	spout__list_for_each(node, &processes->list)
		kill_group(spout__container_of(node, struct spout_process, link));
	spout__list_for_each_safe(node, next, &processes->list)
		reap_blocking(
		    spout__container_of(node, struct spout_process, link), KILL_WAIT_MS);
}

/* --- life --------------------------------------------------------------------------- */

/* Its number is known: from here on it is reaped, whatever happens. 0 or -errno. */
static int
watch(struct spout_process *process)
{
	process->state = SPOUT__PROCESS_RUNNING;
	spout__list_push(&processes_of(process->loop)->list, &process->link);
	if (event_assign(&process->event, spout_loop_event_base(process->loop),
		process->pidfd, EV_READ | EV_PERSIST, on_pidfd, process) < 0 ||
	    event_add(&process->event, NULL) < 0)
		return -ENOMEM;
	process->watched = true;
	if (process->timeout_ms > 0)
		spout__timer_start_at(process->loop, &process->timer,
		    spout__loop_after_ms(process->loop, process->timeout_ms));
	return 0;
}

/* Its owner wants no more of it. Streams are gone already, or belong to the scope. */
static void
process_end(struct spout_process *process)
{
	spout__process_close_fds(process->ours);
	spout__process_close_fds(process->childs);
	spout__line_end(&process->waiters, -EPIPE);
	while (!spout__list_empty(&process->futures))
		spout_cancel(
		    &spout__container_of(process->futures.next, struct exit_future, link)
			 ->future);
	/* Left while it was being spawned? */
	if (process->state == SPOUT__PROCESS_NEW && process->pid != 0)
		(void)watch(process);
	process->owned = false;
	if (!runs(process)) {
		free_soon(process);
	} else if (process->watched) {
		stop(process);
	} else {
		kill_group(process);
		reap_blocking(process, KILL_WAIT_MS);
	}
}

static void
scope_ends(struct spout__hold *hold)
{
	process_end(spout__container_of(hold, struct spout_process, hold));
}

void
spout_process_close(struct spout_process *process)
{
	spout__list_remove(&process->hold.link);
	for (int i = 0; i < 3; i++) {
		struct spout_stream *stream = process->streams[i];

		process->streams[i] = NULL;
		if (stream == NULL)
			continue;
		stream->pinned = false; /* closed before or not, now it is freed */
		spout_stream_close(stream);
	}
	process_end(process);
}

/* --- starting ----------------------------------------------------------------------- */

static struct spout_process *
process_new(const char *program, const struct spout_process_options *options)
{
	struct spout_scope *scope = spout_scope_current();
	struct spout_process *process = calloc(1, sizeof(*process));
	const char *slash = strrchr(program, '/');

	if (process == NULL)
		return NULL;
	process->loop = scope->loop;
	process->timeout_ms = options->timeout_ms;
	process->grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
	process->pidfd = -1;
	process->owned = true;
	for (int i = 0; i < 3; i++)
		process->ours[i] = process->childs[i] = -1;
	spout__list_init(&process->link);
	spout__list_init(&process->futures);
	spout__line_init(&process->waiters, NULL);
	spout__timer_init(&process->timer, on_timer);
	spout__ready_init(&process->free_later, free_now);
	snprintf(process->name, sizeof(process->name), "%s",
	    slash != NULL ? slash + 1 : program);
	process->hold.release = scope_ends;
	spout__list_push_front(&scope->holds, &process->hold.link);
	return process;
}

/* On the pool, so that the loop does not stand still; a loop without one has to. */
static int
spawn(struct spout_process *process, const char *const *argv,
    const struct spout_process_options *options)
{
	struct spout__process_spawn arg = { process, argv, options };
	struct spout_pool *pool = SPOUT_POOL_BLOCKING;
	int r;

	if (processes_of(process->loop) == NULL)
		return -ENOMEM;
	if (pool != NULL)
		r = spout_try_run_on_at(pool, spout__process_spawn, &arg, "posix_spawn");
	else
		r = spout__process_spawn(&arg);
	spout__process_close_fds(process->childs);
	return r < 0 ? r : watch(process);
}

static int
make_streams(struct spout_process *process, const struct spout_process_options *options)
{
	struct spout_scope *scope = spout_scope_current();

	for (int i = 0; i < 3; i++) {
		int fd = process->ours[i], r;

		if (fd < 0)
			continue;
		process->ours[i] = -1;
		r = spout__costream_new(scope, fd,
		    i == 0 ? SPOUT__STREAM_PIPE_OUT : SPOUT__STREAM_PIPE_IN,
		    &options->stream, &process->streams[i]);
		if (r < 0)
			return r;
		process->streams[i]->pinned = true; /* for spout_process_close() */
	}
	return 0;
}

int
spout_try_process_start_with(const char *const *argv,
    const struct spout_process_options *options, struct spout_process **ret_process)
{
	struct spout_process *process;
	int r;

	(void)spout__co_checkpoint("spout_process_start");
	if (argv == NULL || argv[0] == NULL)
		return spout__co_error(-EINVAL, "spout_process_start: no program");
	process = process_new(argv[0], options);
	if (process == NULL)
		return spout__co_error(-ENOMEM, "%s: out of memory", argv[0]);
	r = spout__process_open(process, options);
	if (r == 0)
		r = spawn(process, argv, options);
	if (r == 0)
		r = make_streams(process, options);
	if (r < 0) {
		spout_process_close(process);
		return spout__co_error(r, "cannot run %s: %s", argv[0], strerror(-r));
	}
	*ret_process = process;
	return 0;
}

struct spout_process *
spout_process_start_with(
    const char *const *argv, const struct spout_process_options *options)
{
	struct spout_process *process = NULL;

	spout__net_leave_if(spout_try_process_start_with(argv, options, &process));
	return process;
}

/* --- waiting ------------------------------------------------------------------------ */

int
spout_try_process_wait(struct spout_process *process, struct spout_process_exit *ret_exit)
{
	(void)spout__co_checkpoint("spout_process_wait");
	if (process->state != SPOUT__PROCESS_EXITED &&
	    spout__line_wait(&process->waiters, SPOUT_FOREVER, "spout_process_wait") < 0)
		return spout__co_error(-EPIPE, "spout_process_wait: it was closed");
	if (process->timed_out)
		return spout__co_error(-ETIMEDOUT, "%s: stopped after %llu ms",
		    process->name, (unsigned long long)process->timeout_ms);
	*ret_exit = process->exit;
	return 0;
}

struct spout_process_exit
spout_process_wait(struct spout_process *process)
{
	struct spout_process_exit how = { .status = -1 };

	spout__net_leave_if(spout_try_process_wait(process, &how));
	return how;
}

static void
future_on_cancel(struct spout_future *future)
{
	struct exit_future *waiting =
	    spout__container_of(future, struct exit_future, future);

	spout__list_remove(&waiting->link);
	spout__future_complete(future, -ECANCELED, NULL, "cancelled");
}

struct spout_future *
spout_process_wait_async(struct spout_process *process)
{
	struct exit_future *waiting = spout__future_alloc(
	    spout_scope_current(), sizeof(*waiting), future_on_cancel);

	if (waiting == NULL)
		spout__co_leave(-ENOMEM, 0, "spout_process_wait_async: out of memory");
	waiting->future.type = exit_type;
	spout__list_init(&waiting->link);
	spout__list_push(&process->futures, &waiting->link);
	if (process->state == SPOUT__PROCESS_EXITED)
		complete(process, waiting);
	return &waiting->future;
}

const struct spout_process_exit *
spout_future_process_exit(struct spout_future *future)
{
	return future->type == exit_type ? spout_future_result(future) : NULL;
}

/* --- about it ----------------------------------------------------------------------- */

int
spout_process_kill(struct spout_process *process, int signo)
{
	return runs(process) ? signal_group(process, signo) : -ESRCH;
}

int
spout_process_pid(const struct spout_process *process)
{
	return process->pid;
}

struct spout_stream *
spout_process_in(const struct spout_process *process)
{
	return process->streams[0];
}

struct spout_stream *
spout_process_out(const struct spout_process *process)
{
	return process->streams[1];
}

struct spout_stream *
spout_process_err(const struct spout_process *process)
{
	return process->streams[2];
}

unsigned
spout_cpu_count(void)
{
	return spout__cpu_count();
}
