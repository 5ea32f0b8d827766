/* SPDX-License-Identifier: MIT */
/* Files of templates: see set.h. Everything here may block on the disk. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "template/compile.h"
#include "template/set.h"

#define FOLDERS_MAX 16 /* inside of each other */

/*
 * Where there is no openat2(2), before Linux 5.6 or under a tool that does not know it:
 * folder by folder, without following any link. There is no ".." in names of templates.
 */
static int
open_by_segment(int dir, const char *name, int flags)
{
	char segment[SPOUT__TEMPLATE_NAME_MAX + 1];
	int at = dir, next;

	for (;;) {
		size_t len = strcspn(name, "/");
		bool last = name[len] == '\0';

		if (len >= sizeof(segment)) {
			errno = ENOENT;
			next = -1;
		} else {
			memcpy(segment, name, len);
			segment[len] = '\0';
			next = openat(at, segment,
			    last ? flags | O_CLOEXEC | O_NOFOLLOW
				 : O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		}
		if (at != dir) {
			int error = errno;

			close(at);
			errno = error;
		}
		if (next < 0 || last)
			return next;
		at = next;
		name += len + 1;
	}
}

/* Below `dir` in any case: openat2(2) refuses links and ".." that lead out. */
static int
open_below(int dir, const char *name, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int fd;

	if (dir < 0) {
		errno = ENOENT;
		return -1;
	}
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS)
		fd = open_by_segment(dir, name, flags);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP || errno == ENOTDIR))
		errno = ENOENT;
	return fd;
}

static uint64_t
mix(uint64_t seen, uint64_t more)
{
	return (seen ^ more) * 0x9e3779b97f4a7c15u + (seen >> 32);
}

static uint64_t
mix_stat(uint64_t seen, const struct stat *st)
{
	seen = mix(seen, st->st_ino);
	seen = mix(seen, (uint64_t)st->st_size);
	seen = mix(seen, (uint64_t)st->st_mtim.tv_sec);
	return mix(seen, (uint64_t)st->st_mtim.tv_nsec);
}

void
spout__template_file_seen(int dir, const char *name, uint64_t *seen)
{
	struct stat st = { 0 };
	int fd = open_below(dir, name, O_PATH);

	if (fd >= 0 && fstat(fd, &st) != 0)
		memset(&st, 0, sizeof(st));
	if (fd >= 0)
		close(fd);
	*seen = mix_stat(*seen, &st);
}

static int
read_whole(int fd, size_t size, struct spout__arena *arena, struct spout_slice *ret)
{
	char *data = spout__arena_alloc(arena, size + 1);
	size_t len = 0;

	if (data == NULL)
		return -ENOMEM;
	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = spout_slice_of(data, len);
	return spout__utf8_valid(data, len) ? 0 : -EILSEQ;
}

int
spout__template_file_read(int dir, const char *name, struct spout__arena *arena,
    struct spout_slice *ret, uint64_t *seen)
{
	int fd = open_below(dir, name, O_RDONLY | O_NONBLOCK), error = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode))
		error = -ENOENT;
	else if (st.st_size > SPOUT__TEMPLATE_SOURCE_MAX)
		error = -EMSGSIZE;
	if (error == 0) {
		*seen = mix_stat(*seen, &st);
		error = read_whole(fd, (size_t)st.st_size, arena, ret);
	}
	close(fd);
	return error;
}

/* --- all files -------------------------------------------------------------------- */

struct walk {
	int dir;
	int (*each)(void *arg, const char *name, char why[SPOUT_TEMPLATE_WHY_SIZE]);
	void *arg;
	char *why;
};

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_candidate(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && entry->d_name[n - 1] != '~';
}

static int walk_folder(struct walk *w, const char *path, unsigned depth);

static int
walk_entry(struct walk *w, const char *folder, const char *name, unsigned depth)
{
	char path[SPOUT__TEMPLATE_NAME_MAX + 1];
	struct stat st;
	int n = snprintf(
	    path, sizeof(path), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path)) {
		snprintf(w->why, SPOUT_TEMPLATE_WHY_SIZE, "%s/%.60s: name too long",
		    folder, name);
		return -ENAMETOOLONG;
	}
	fd = open_below(w->dir, path, O_PATH);
	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(
		    w->why, SPOUT_TEMPLATE_WHY_SIZE, "%s: %s", path, strerror(errno));
		n = -errno;
		if (fd >= 0)
			close(fd);
		return n;
	}
	close(fd);
	if (S_ISDIR(st.st_mode))
		return walk_folder(w, path, depth + 1);
	return S_ISREG(st.st_mode) && name[0] != '_' ? w->each(w->arg, path, w->why) : 0;
}

static int
walk_folder(struct walk *w, const char *path, unsigned depth)
{
	int fd = open_below(w->dir, path[0] != '\0' ? path : ".", O_RDONLY | O_DIRECTORY);
	struct dirent **entries;
	int n = -1, i, error = 0;

	if (depth > FOLDERS_MAX)
		errno = ELOOP;
	else if (fd >= 0)
		n = scandirat(fd, ".", &entries, is_candidate, by_name);
	if (n < 0) {
		error = -errno;
		snprintf(w->why, SPOUT_TEMPLATE_WHY_SIZE, "%s: %s",
		    path[0] != '\0' ? path : "templates", strerror(-error));
	}
	if (fd >= 0)
		close(fd);
	for (i = 0; i < n; i++) {
		if (error == 0)
			error = walk_entry(w, path, entries[i]->d_name, depth);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return error;
}

int
spout__template_files(int dir,
    int (*each)(void *arg, const char *name, char why[SPOUT_TEMPLATE_WHY_SIZE]),
    void *arg, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	struct walk w = { .dir = dir, .each = each, .arg = arg, .why = why };

	return walk_folder(&w, "", 0);
}
