/* SPDX-License-Identifier: MIT */
/*
 * From fork to the worker's main function: what the child inherits and must not keep.
 *
 * It closes the sockets of its siblings at once (a socket that a dead sibling shared with
 * a living one would swallow connections), dies with its parent, and leaves signals to
 * the control socket: Ctrl-C and systemd signal the whole group, the supervisor decides.
 */
#include "config.h"

#include "supervisor/slots.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/notify.h"

#define STACK_DEPTH 64

/*
 * A worker that is ended by a fault of its own, or aborted because it hangs, shows where
 * it was and leaves a note in shared memory of the request that was running.
 */
static void
on_fatal(int signo)
{
	static const char head[] = "aborted; stack of the running thread:\n";
	void *frames[STACK_DEPTH];
	int n = backtrace(frames, STACK_DEPTH);

	spout__inflight_blame(spout__log_request_id);
	if (write(2, head, sizeof(head) - 1) > 0)
		backtrace_symbols_fd(frames, n, 2);
	raise(signo); /* SA_RESETHAND: the default action once this handler returns */
}

static void
set_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGTTIN, SIGTTOU, SIGPIPE };
	static const int fatal[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	void *frame;
	sigset_t none;
	size_t i;
	int signo;

	for (signo = 1; signo < NSIG; signo++)
		sigaction(signo, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &sa, NULL);
	backtrace(&frame, 1); /* loads the unwinder now, not in the handler */
	sa.sa_handler = on_fatal;
	sa.sa_flags = SA_RESETHAND | SA_ONSTACK; /* a stack may have overflowed */
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The kernel forgets this whenever the user changes. */
static void
die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
}

static void
close_inherited(struct spout__supervisor *sup, unsigned own)
{
	unsigned i;

	for (i = 0; i <= sup->o.max_workers; i++)
		if (sup->slots[i].control >= 0)
			close(sup->slots[i].control);
	close(sup->signal_fd);
	if (sup->pid_fd >= 0)
		close(sup->pid_fd);
	if (sup->kin >= 0)
		close(sup->kin);
	if (sup->o.listeners != NULL)
		spout__listeners_keep(sup->o.listeners, own);
}

static void
set_log_name(unsigned slot)
{
	static char name[32];
	struct spout__log_options log = *spout__log_current();

	snprintf(name, sizeof(name), "worker %u", slot);
	log.process = name;
	spout__log_configure(&log);
}

static int
child_main(struct spout__supervisor *sup, struct spout__slot *slot, int control)
{
	struct spout__scoreboard_slot *score = &sup->o.board->slots[slot->place];
	struct spout__worker w = { .slot = slot->index,
		.place = slot->place,
		.generation = slot->generation,
		.birth = slot->birth,
		.host = sup->host,
		.control = control,
		.listeners = sup->o.listeners,
		.board = sup->o.board,
		.arg = sup->o.arg };
	int rc;

	set_signals();
	die_with_parent(sup->pid);
	close_inherited(sup, slot->index);
	set_log_name(slot->index);
	spout__notify_forget();
	spout__stats = &score->stats;
	spout__inflight_use(score->requests);
	spout__quarantine = &sup->o.board->quarantine;
	if (sup->o.run_as != NULL) {
		rc = spout__identity_assume(sup->o.run_as);
		if (rc < 0) {
			spout__worker_boot_failed(&w, "cannot become user %u: %s",
			    (unsigned)sup->o.run_as->uid, strerror(-rc));
			return 1;
		}
		die_with_parent(sup->pid);
	}
	rc = spout__log_start();
	if (rc < 0) {
		spout__worker_boot_failed(&w, "cannot start the log: %s", strerror(-rc));
		return 1;
	}
	rc = sup->o.worker_main(&w);
	spout__log_stop();
	return rc;
}

int
spout__spawn(struct spout__supervisor *sup, struct spout__slot *slot)
{
	int fds[2], rc = spout__control_pair(fds);
	pid_t pid;

	if (rc < 0)
		return rc;
	fflush(NULL); /* or both would write what is buffered */
	pid = fork();
	if (pid < 0) {
		rc = -errno;
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (pid == 0) {
		close(fds[0]);
		exit(child_main(sup, slot, fds[1]));
	}
	close(fds[1]);
	slot->pid = pid;
	slot->control = fds[0];
	return 0;
}

int
spout__worker_ready(const struct spout__worker *worker)
{
	return spout__control_send(worker->control, SPOUT__CONTROL_READY, 0, NULL);
}

int
spout__worker_ask_scale(const struct spout__worker *worker, unsigned n)
{
	return spout__control_send(worker->control, SPOUT__CONTROL_SCALE, n, NULL);
}

int
spout__worker_ask_signal(const struct spout__worker *worker, int signo)
{
	return spout__control_send(
	    worker->control, SPOUT__CONTROL_SIGNAL, (uint64_t)signo, NULL);
}

void
spout__worker_accepted(const struct spout__worker *worker)
{
	spout__listeners_shut(worker->listeners);
	if (spout__control_send(worker->control, SPOUT__CONTROL_ACCEPTED, 0, NULL) < 0)
		spout_debug("the supervisor does not hear that the queue is empty");
}

void
spout__worker_boot_failed(const struct spout__worker *worker, const char *fmt, ...)
{
	char text[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (spout__control_send(worker->control, SPOUT__CONTROL_BOOT_FAILED, 0, text) < 0)
		spout_error_log("cannot start: %s", text);
}
