/* SPDX-License-Identifier: MIT */
/* Opening below a root: see open_beneath.h. */
#include "config.h"

#include "base/open_beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A rename in the tree may disturb the walk: it is tried again. */
#define ATTEMPTS 8

/* Open one name in a directory that is not `root` any more; takes that directory. */
static int
step(int root, int at, const char *name, size_t len, int flags)
{
	char text[NAME_MAX + 1];
	int fd = -1;

	if (len == 0 || len > NAME_MAX) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
	} else if (len == 2 && memcmp(name, "..", 2) == 0) {
		errno = EXDEV;
	} else {
		memcpy(text, name, len);
		text[len] = '\0';
		fd = openat(at, text, flags | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		fd = -errno;
	if (at != root)
		close(at);
	return fd;
}

int
spout__open_stepwise(int root, const char *path, int flags)
{
	int at = root;

	for (;;) {
		size_t len, slashes;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		slashes = strspn(path + len, "/");
		if (path[len + slashes] == '\0')
			return step(root, at, path, len, flags);
		at = step(root, at, path, len, O_PATH | O_DIRECTORY);
		if (at < 0)
			return at;
		path += len + slashes;
	}
}

int
spout__open_beneath(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	static atomic_bool unknown; /* the call, to this kernel */
	long fd;
	int i;

	if (atomic_load_explicit(&unknown, memory_order_relaxed))
		return spout__open_stepwise(root, path, flags);
	for (i = 0; i < ATTEMPTS; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	/* A kernel before 5.6, or a sandbox that does not know the call. */
	if (errno == ENOSYS)
		atomic_store_explicit(&unknown, true, memory_order_relaxed);
	if (errno == ENOSYS || errno == EPERM)
		return spout__open_stepwise(root, path, flags);
	return -errno;
}
