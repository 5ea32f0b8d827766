/* SPDX-License-Identifier: MIT */
/* The program built anew: see rebuilt.h. */
#include "config.h"

#include "app/rebuilt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define QUIET_MS 150   /* without another change: then it is whole */
#define CHECK_LIMIT_S 60

/* The file that we run, as it was called when we started. */
static char path[PATH_MAX];

static const char *
file_name(void)
{
	return strrchr(path, '/') + 1;
}

/* What was taken out of the environment at the start. */
static void
restore_environment(const struct spout__program *program)
{
	if (program->settings.cookie_secret_file == NULL &&
	    program->settings.cookie_secret[0] != '\0')
		setenv("SPOUT_COOKIE_SECRET", program->settings.cookie_secret, 1);
}

/* --- the watcher -------------------------------------------------------------------- */

static void
die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(0);
}

/* Is our file among those that have changed? */
static bool
read_changes(int inotify)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(inotify, events, sizeof(events)), at = 0;
	bool ours = false;

	while (at < n) {
		const struct inotify_event *event = (const void *)(events + at);

		ours = ours || (event->len > 0 && strcmp(event->name, file_name()) == 0);
		at += (ssize_t)sizeof(*event) + event->len;
	}
	return ours;
}

/* Until the file has changed, and then not again for a while; false: nobody asks. */
static bool
wait_for_change(int inotify, int to)
{
	bool changed = false;

	for (;;) {
		struct pollfd fds[] = { { .fd = inotify, .events = POLLIN },
			{ .fd = to } };
		int n = poll(fds, 2, changed ? QUIET_MS : -1);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0 && fds[1].revents != 0)
			return false;
		if (n == 0)
			return true;
		if (n > 0 && read_changes(inotify))
			changed = true;
	}
}

static void SPOUT_NORETURN
execute_check(const struct spout__program *program, pid_t parent)
{
	char **argv = calloc((size_t)program->argc + 2, sizeof(*argv));

	die_with(parent);
	if (argv == NULL)
		_exit(1);
	memcpy(argv, program->argv, (size_t)program->argc * sizeof(*argv));
	argv[program->argc] = (char *)"--check";
	restore_environment(program);
	alarm(CHECK_LIMIT_S);
	execv(path, argv);
	spout_warning("debug: %s: %s", path, strerror(errno));
	_exit(1);
}

/* It says itself what is wrong with it. */
static bool
check(const struct spout__program *program)
{
	pid_t self = getpid(), pid = fork();
	int status = -1;

	if (pid == 0)
		execute_check(program, self);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return true;
	spout_warning("debug: the new %s does not work, the old one goes on", path);
	return false;
}

static void SPOUT_NORETURN
watch(const struct spout__program *program, int inotify, int to)
{
	while (wait_for_change(inotify, to))
		if (check(program))
			_exit(write(to, "", 1) == 1 ? 0 : 1);
	_exit(0);
}

/* --- the supervisor ----------------------------------------------------------------- */

static int
open_inotify(void)
{
	char folder[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd, error;

	if (n <= 0 || path[0] != '/')
		return n < 0 ? -errno : -ENOENT;
	path[n] = '\0';
	snprintf(folder, sizeof(folder), "%.*s", (int)(file_name() - path), path);
	fd = inotify_init1(IN_CLOEXEC);
	if (fd >= 0 && inotify_add_watch(fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO) >= 0)
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

int
spout__rebuilt_watch(const struct spout__program *program)
{
	int inotify = open_inotify(), ends[2], error = 0;
	pid_t self = getpid(), pid;

	if (inotify < 0)
		return inotify;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		error = -errno;
		close(inotify);
		return error;
	}
	pid = fork();
	if (pid == 0) {
		die_with(self);
		close(ends[0]);
		watch(program, inotify, ends[1]);
	}
	if (pid < 0)
		error = -errno;
	close(inotify);
	close(ends[1]);
	if (error != 0)
		close(ends[0]);
	return error != 0 ? error : ends[0];
}

bool
spout__rebuilt_is_there(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

int
spout__rebuilt_execute(const struct spout__program *program)
{
	restore_environment(program);
	execv(path, program->argv);
	return -errno;
}
