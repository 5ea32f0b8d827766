/* SPDX-License-Identifier: MIT */
/* The pid file: see pidfile.h. */
#include "config.h"

#include "supervisor/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"

static int
write_pid(int fd, pid_t pid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)pid);

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

static int
lock_and_write(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EEXIST : -errno;
	return write_pid(fd, getpid());
}

int
spout__pidfile_open(const char *path, char ret_why[SPOUT__WHY])
{
	int rc, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	rc = fd < 0 ? -errno : lock_and_write(fd);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	snprintf(ret_why, SPOUT__WHY, "pid file %.128s: %s", path,
	    rc == -EEXIST ? "belongs to a process that is running" : strerror(-rc));
	return rc;
}

void
spout__pidfile_write(int fd, pid_t pid)
{
	int rc = write_pid(fd, pid);

	if (rc < 0)
		spout_error_log("pid file: %s", strerror(-rc));
}

void
spout__pidfile_close(const char *path, int fd)
{
	unlink(path);
	close(fd);
}
