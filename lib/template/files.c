/* SPDX-License-Identifier: MIT */
/* Files of templates: see set.h. Everything here may block on the disk. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/open_beneath.h"
#include "base/text.h"
#include "template/compile.h"
#include "template/set.h"

#define FOLDERS_MAX 16 /* inside of each other */

/* What leads out of the folder is not there, for a template. -errno. */
static int
open_below(int dir, const char *name, int flags)
{
	int fd = dir >= 0 ? spout__open_beneath(dir, name, flags) : -ENOENT;

	return fd == -EXDEV || fd == -ELOOP || fd == -ENOTDIR ? -ENOENT : fd;
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
		return fd;
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
	n = fd < 0 ? fd : fstat(fd, &st) != 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (n != 0) {
		snprintf(w->why, SPOUT_TEMPLATE_WHY_SIZE, "%s: %s", path, strerror(-n));
		return n;
	}
	if (S_ISDIR(st.st_mode))
		return walk_folder(w, path, depth + 1);
	return S_ISREG(st.st_mode) && name[0] != '_' ? w->each(w->arg, path, w->why) : 0;
}

static int
walk_folder(struct walk *w, const char *path, unsigned depth)
{
	int fd = open_below(w->dir, path[0] != '\0' ? path : ".", O_RDONLY | O_DIRECTORY);
	struct dirent **entries;
	int n = -1, i, error = fd < 0 ? fd : 0;

	if (depth > FOLDERS_MAX)
		error = -ELOOP;
	if (error == 0) {
		n = scandirat(fd, ".", &entries, is_candidate, by_name);
		error = n < 0 ? -errno : 0;
	}
	if (error != 0) {
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
