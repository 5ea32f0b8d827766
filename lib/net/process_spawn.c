/* SPDX-License-Identifier: MIT */
/*
 * From the options of a process to a running child: its descriptors, posix_spawn(), its
 * pidfd. The child shares no descriptor with us that is not one of its three.
 */
#include "config.h"

#include "net/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FIRST_FD 3 /* below it are those that the child gets */

void
spout__process_close_fds(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* --- descriptors -------------------------------------------------------------------- */

/* Takes a descriptor; returns it, or a copy that is not a standard one, or -errno. */
static int
above_standard(int fd)
{
	int copy;

	if (fd >= FIRST_FD)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
	if (copy < 0)
		copy = -errno;
	close(fd);
	return copy;
}

/* A pipe for the child's descriptor number `i`; our end does not block. */
static int
open_pipe(struct spout_process *process, int i)
{
	int fds[2], mine = i == 0 ? 1 : 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	process->ours[i] = fds[mine];
	process->childs[i] = above_standard(fds[!mine]);
	if (process->childs[i] < 0)
		return process->childs[i];
	return fcntl(fds[mine], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int
open_one(struct spout_process *process, int i, int what)
{
	if (what == SPOUT_PROCESS_PIPE)
		return open_pipe(process, i);
	if (what == SPOUT_PROCESS_INHERIT || what == SPOUT_PROCESS_NULL ||
	    (what == SPOUT_PROCESS_STDOUT && i == STDERR_FILENO))
		return 0;
	if (what < 0)
		return -EINVAL;
	process->childs[i] = fcntl(what, F_DUPFD_CLOEXEC, FIRST_FD);
	return process->childs[i] < 0 ? -errno : 0;
}

int
spout__process_open(
    struct spout_process *process, const struct spout_process_options *options)
{
	int r = open_one(process, STDIN_FILENO, options->in);

	if (r == 0)
		r = open_one(process, STDOUT_FILENO, options->out);
	if (r == 0)
		r = open_one(process, STDERR_FILENO, options->err);
	return r;
}

/* --- spawning ----------------------------------------------------------------------- */

static int
add_one(posix_spawn_file_actions_t *actions, const struct spout_process *process, int i,
    int what)
{
	if (process->childs[i] >= 0)
		return posix_spawn_file_actions_adddup2(actions, process->childs[i], i);
	if (what == SPOUT_PROCESS_NULL)
		return posix_spawn_file_actions_addopen(
		    actions, i, "/dev/null", O_RDWR, 0);
	if (what == SPOUT_PROCESS_STDOUT)
		return posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, i);
	return 0;
}

/* What the child does with descriptors and directory. Returns 0 or an errno. */
static int
set_actions(posix_spawn_file_actions_t *actions, const struct spout__process_spawn *spawn)
{
	const struct spout_process_options *o = spawn->options;
	int error = add_one(actions, spawn->process, STDIN_FILENO, o->in);

	if (error == 0)
		error = add_one(actions, spawn->process, STDOUT_FILENO, o->out);
	if (error == 0)
		error = add_one(actions, spawn->process, STDERR_FILENO, o->err);
	if (error == 0 && o->directory != NULL)
		error = posix_spawn_file_actions_addchdir_np(actions, o->directory);
	/* Ours are close-on-exec; those that another library opened may not be. */
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FD);
	return error;
}

/* A group of its own, no signal blocked, ignored or handled. Returns 0 or an errno. */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	error = posix_spawnattr_setsigmask(attributes, &signals);
	sigfillset(&signals);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &signals);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (error == 0)
		error = posix_spawnattr_setflags(attributes,
		    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
			POSIX_SPAWN_SETSIGDEF);
	return error;
}

static int
run_program(const struct spout__process_spawn *spawn, pid_t *ret_pid)
{
	const struct spout_process_options *o = spawn->options;
	char *const *argv = (char *const *)(uintptr_t)spawn->argv;
	char *const *env =
	    o->environment != NULL ? (char *const *)(uintptr_t)o->environment : environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return -error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = set_actions(&actions, spawn);
		if (error == 0)
			error = set_attributes(&attributes);
		if (error == 0)
			error = posix_spawnp(
			    ret_pid, argv[0], &actions, &attributes, argv, env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

int
spout__process_spawn(void *arg)
{
	struct spout__process_spawn *spawn = arg;
	pid_t pid;
	int r = run_program(spawn, &pid);

	if (r < 0)
		return r;
	spawn->process->pidfd = pidfd_open(pid, 0);
	if (spawn->process->pidfd < 0) {
		r = -errno;
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	spawn->process->pid = pid;
	return 0;
}
