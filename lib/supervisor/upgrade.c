/* SPDX-License-Identifier: MIT */
/*
 * SIGUSR2: the program on disk takes the place of the one that runs. The old supervisor
 * starts it with the same command line and with every listening socket (inherit.h):
 *
 *     old                                  new, the heir
 *      | fork, exec --------------------->  |  starts workers on the same sockets
 *      | serves on                          |
 *      |   <---------- READY -------------  |  all of them serve
 *      | pid file, TAKE_OVER ------------>  |  is responsible for sockets and files
 *      | its workers drain, it ends         |
 *
 * If the heir ends, or is not ready in time, nothing has changed: the old one goes on and
 * says why. What the new one is told stands in SPOUT_UPGRADE.
 */
#include "config.h"

#include "supervisor/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/inherit.h"
#include "supervisor/notify.h"
#include "supervisor/pidfile.h"

#define VARIABLE "SPOUT_UPGRADE"

/* --- the child that becomes the new program --------------------------------------- */

struct luggage {
	unsigned n;
	int fds[SPOUT__LISTEN_FDS_MAX];
	char names[SPOUT__LISTEN_FDS_MAX * 64];
	size_t len;
};

static int
pack(struct luggage *to, int fd, const char *name)
{
	int n = snprintf(to->names + to->len, sizeof(to->names) - to->len, "%s%s",
	    to->n > 0 ? ":" : "", name);

	if (to->n == SPOUT__LISTEN_FDS_MAX || (size_t)n >= sizeof(to->names) - to->len)
		return -ENOBUFS;
	to->len += (size_t)n;
	to->fds[to->n++] = fd;
	return 0;
}

static int
pack_all(struct luggage *to, const struct spout__listeners *ls)
{
	char name[SPOUT__FD_NAME];
	unsigned i, k;
	int rc = 0;

	for (i = 0; i < ls->n; i++)
		for (k = 0; k < ls->items[i].n_fds && rc == 0; k++) {
			spout__inherit_name(&ls->items[i], k, name);
			rc = pack(to, ls->items[i].fds[k],
			    ls->items[i].inherited ? "systemd" : name);
		}
	return rc;
}

/* A copy above all numbers that the protocol uses; -errno. */
static int
lift(int fd, unsigned n)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, SPOUT__LISTEN_FDS_START + (int)n);

	return high < 0 ? -errno : high;
}

/* The sockets get numbers from 3 on, and live through the exec. */
static int
put_down(struct luggage *from)
{
	unsigned i;

	for (i = 0; i < from->n; i++) {
		from->fds[i] = lift(from->fds[i], from->n);
		if (from->fds[i] < 0)
			return from->fds[i];
	}
	for (i = 0; i < from->n; i++)
		if (dup2(from->fds[i], SPOUT__LISTEN_FDS_START + (int)i) < 0)
			return -errno;
	return 0;
}

/* One that lives through the exec; -1 for none. */
static int
keep(int fd, unsigned n)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD, SPOUT__LISTEN_FDS_START + (int)n);
}

static int
set_number(const char *name, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	return setenv(name, text, 1) < 0 ? -errno : 0;
}

static int
tell(const struct spout__supervisor *sup, const struct luggage *luggage, int control,
    int pid_fd)
{
	char text[80];
	int rc = set_number("LISTEN_PID", (unsigned long)getpid());

	snprintf(text, sizeof(text), "%d:%d:%u:%u", control, pid_fd, sup->o.n_workers,
	    sup->n_wanted);
	if (rc == 0)
		rc = set_number("LISTEN_FDS", luggage->n);
	if (rc == 0 && getenv("WATCHDOG_PID") != NULL)
		rc = set_number("WATCHDOG_PID", (unsigned long)getpid());
	if (rc == 0 && (setenv("LISTEN_FDNAMES", luggage->names, 1) < 0 ||
			   setenv(VARIABLE, text, 1) < 0))
		rc = -errno;
	return rc;
}

/* In the child, alone. Returns only if it cannot: -errno. */
static int
become_new(struct spout__supervisor *sup, int control)
{
	static struct luggage luggage;
	int pid_fd, rc = 0;

	if (sup->o.listeners != NULL)
		rc = pack_all(&luggage, sup->o.listeners);
	control = lift(control, luggage.n);
	if (rc == 0)
		rc = control < 0 ? control : 0;
	pid_fd = sup->pid_fd >= 0 ? lift(sup->pid_fd, luggage.n) : -1;
	if (rc == 0)
		rc = put_down(&luggage);
	if (rc == 0)
		rc = tell(sup, &luggage, keep(control, luggage.n),
		    keep(pid_fd, luggage.n));
	if (rc < 0)
		return rc;
	if (sup->o.on_exec != NULL)
		sup->o.on_exec(sup->o.arg);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
	execvp(sup->o.argv[0], sup->o.argv);
	return -errno;
}

/* --- the old program -------------------------------------------------------------- */

void
spout__upgrade_ask(struct spout__supervisor *sup)
{
	if (sup->phase == SPOUT__PHASE_STOPPING)
		return;
	if (sup->pid == 1)
		spout_error_log("upgrade: refused, process 1 of a container cannot hand "
				"over: start another container");
	else if (sup->heir != 0)
		spout_info("upgrade: one is going on");
	else
		sup->upgrade_wanted = true;
}

static void
begin(struct spout__supervisor *sup)
{
	int fds[2], rc = spout__control_pair(fds);
	pid_t pid;

	sup->upgrade_wanted = false;
	if (rc < 0) {
		spout_error_log("upgrade: %s", strerror(-rc));
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		rc = become_new(sup, fds[1]);
		spout__control_send(fds[1], SPOUT__CONTROL_BOOT_FAILED, 0, strerror(-rc));
		_exit(127);
	}
	close(fds[1]);
	if (pid < 0) {
		spout_error_log("upgrade: cannot fork: %s", strerror(errno));
		close(fds[0]);
		return;
	}
	spout_info("upgrade: starting %s as pid %d", sup->o.argv[0], (int)pid);
	sup->heir = pid;
	sup->kin = fds[0];
	sup->upgrade_until_ms = sup->now_ms + sup->o.boot_timeout_ms;
	sup->upgrade_why[0] = '\0';
}

static void
close_kin(struct spout__supervisor *sup)
{
	close(sup->kin);
	sup->kin = -1;
}

/* The new program is ready: it has everything from here on. */
static void
hand_over(struct spout__supervisor *sup, bool keeps_pid_file)
{
	spout__notify("MAINPID=%d", (int)sup->heir);
	spout__notify_forget(); /* it speaks for the service from here on */
	sup->watchdog_ms = 0;
	if (sup->pid_fd >= 0 && keeps_pid_file) {
		spout__pidfile_write(sup->pid_fd, sup->heir);
		close(sup->pid_fd);
	} else if (sup->pid_fd >= 0)
		spout__pidfile_close(sup->o.pid_file, sup->pid_fd);
	sup->pid_fd = -1;
	if (sup->o.listeners != NULL)
		spout__listeners_give_up(sup->o.listeners);
	if (spout__control_send(sup->kin, SPOUT__CONTROL_TAKE_OVER, 0, NULL) < 0)
		spout_debug("the new program does not hear that it is alone");
	spout_info("upgrade: pid %d has taken over, the workers of pid %d drain",
	    (int)sup->heir, (int)sup->pid);
	close_kin(sup);
	sup->heir = 0;
	sup->handed_over = true;
	spout__supervisor_stop(sup, 0);
}

void
spout__upgrade_reaped(struct spout__supervisor *sup, int status)
{
	char why[80];

	sup->heir_dead = true;
	spout__upgrade_read(sup); /* it may have said why it could not start */
	sup->heir_dead = false;
	if (sup->heir == 0)
		return;
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "was killed (signal %d: %s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "ended with status %d", WEXITSTATUS(status));
	if (sup->phase != SPOUT__PHASE_STOPPING)
		spout_error_log("upgrade: the old program goes on: the new one %s%s%s",
		    why, sup->upgrade_why[0] != '\0' ? ": " : "", sup->upgrade_why);
	sup->heir = 0;
	if (sup->kin >= 0)
		close_kin(sup);
}

/* --- the new program -------------------------------------------------------------- */

/* Is this the file at `path`? */
static bool
is_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino;
}

void
spout__upgrade_begin(struct spout__supervisor *sup)
{
	const char *text = getenv(VARIABLE);
	unsigned had, wanted;
	int pid_fd;

	if (text == NULL ||
	    sscanf(text, "%d:%d:%u:%u", &sup->kin, &pid_fd, &had, &wanted) != 4 ||
	    fcntl(sup->kin, F_SETFD, FD_CLOEXEC) < 0) {
		sup->kin = -1;
		if (sup->o.listeners != NULL)
			spout__listeners_take_over(sup->o.listeners);
		return;
	}
	unsetenv(VARIABLE);
	if (sup->o.listeners != NULL)
		sup->o.listeners->borrowed = true;
	if (had == sup->o.n_workers && wanted <= sup->o.max_workers)
		sup->n_wanted = wanted; /* scaled by hand, and nobody changed his mind */
	if (pid_fd < 0)
		return;
	fcntl(pid_fd, F_SETFD, FD_CLOEXEC);
	if (sup->o.pid_file != NULL && is_file(pid_fd, sup->o.pid_file))
		sup->pid_fd = pid_fd;
	else
		close(pid_fd);
}

void
spout__upgrade_serving(struct spout__supervisor *sup)
{
	if (sup->kin >= 0 && sup->heir == 0 &&
	    spout__control_send(
		sup->kin, SPOUT__CONTROL_READY, sup->pid_fd >= 0, NULL) < 0)
		spout_debug("the old program does not hear that we serve");
}

/* Also when the old one was killed: somebody has to. */
static void
take_over(struct spout__supervisor *sup)
{
	if (sup->o.listeners != NULL)
		spout__listeners_take_over(sup->o.listeners);
	if (sup->pid_fd >= 0)
		spout__pidfile_write(sup->pid_fd, sup->pid);
	close_kin(sup);
	if (sup->o.listeners != NULL)
		spout__notify_store(sup->o.listeners);
	spout__supervisor_tell_ready(sup);
	spout_info("upgrade: taken over");
}

/* --- both ------------------------------------------------------------------------- */

void
spout__upgrade_read(struct spout__supervisor *sup)
{
	struct spout__control_message m;
	int rc;

	while (sup->kin >= 0 && (rc = spout__control_receive(sup->kin, &m)) != -EAGAIN) {
		if (rc > 0 && m.fd >= 0)
			close(m.fd);
		if (sup->heir == 0) {
			if (rc <= 0 || m.kind == SPOUT__CONTROL_TAKE_OVER)
				take_over(sup);
		} else if (rc <= 0) {
			close_kin(sup); /* SIGCHLD tells the rest */
		} else if (m.kind == SPOUT__CONTROL_READY) {
			if (!sup->heir_dead)
				hand_over(sup, m.value != 0);
		} else if (m.kind == SPOUT__CONTROL_BOOT_FAILED) {
			memcpy(sup->upgrade_why, m.text, sizeof(sup->upgrade_why));
		}
	}
}

uint64_t
spout__upgrade_wakes_ms(const struct spout__supervisor *sup)
{
	if (sup->heir != 0)
		return sup->upgrade_until_ms;
	return sup->upgrade_wanted && spout__supervisor_is_calm(sup) ? sup->now_ms
								      : SPOUT__NEVER;
}

void
spout__upgrade_round(struct spout__supervisor *sup)
{
	if (sup->upgrade_wanted && spout__supervisor_is_calm(sup))
		begin(sup);
	if (sup->heir == 0 || sup->now_ms < sup->upgrade_until_ms)
		return;
	spout_error_log("upgrade: pid %d is not ready after %llu ms: killing it",
	    (int)sup->heir, (unsigned long long)sup->o.boot_timeout_ms);
	kill(sup->heir, SIGKILL);
	sup->upgrade_until_ms = SPOUT__NEVER;
}

void
spout__upgrade_stop(struct spout__supervisor *sup)
{
	sup->upgrade_wanted = false;
	if (sup->heir != 0)
		kill(sup->heir, SIGTERM);
}
