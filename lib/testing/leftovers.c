/* SPDX-License-Identifier: MIT */
/* What the process holds, and what was left behind since. Any thread. */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "testing/run.h"

#define LISTED_FOR_MS 10000u /* a joined thread may be so long, on a busy machine */

/* Entries of a directory: open descriptors, threads. */
static unsigned
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Children of one thread, zombies too. */
static unsigned
count_children_of(const char *tid)
{
	char path[64];
	unsigned n = 0;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/children", tid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (fscanf(file, "%d", &pid) == 1)
		n++;
	fclose(file);
	return n;
}

static unsigned
count_children(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			n += count_children_of(entry->d_name);
	closedir(dir);
	return n;
}

static uint64_t
gauge(enum spout__gauge id)
{
	struct spout__stats *stats = spout__seam()->stats();

	return atomic_load_explicit(&stats->gauges[id], memory_order_relaxed);
}

void
spout_test_mark(struct spout_test_mark *ret)
{
	*ret = (struct spout_test_mark){
		.descriptors = count_entries("/proc/self/fd"),
		.threads = count_entries("/proc/self/task"),
		.children = count_children(),
		.connections = gauge(SPOUT__G_CONNECTIONS_OPEN),
		.coroutines = gauge(SPOUT__G_COROUTINES_ALIVE),
		.jobs = gauge(SPOUT__G_JOBS_QUEUED) + gauge(SPOUT__G_JOBS_RUNNING),
	};
}

static bool
same(const struct spout_test_mark *now, const struct spout_test_mark *then)
{
	return now->descriptors == then->descriptors && now->threads <= then->threads &&
	    now->children <= then->children && now->connections == then->connections &&
	    now->coroutines == then->coroutines && now->jobs == then->jobs;
}

/* Append "descriptors 5 -> 6", if they differ. */
static void
tell(char *text, size_t size, const char *what, uint64_t then, uint64_t now)
{
	size_t len = strlen(text);

	if (now != then)
		snprintf(text + len, size - len, "%s%s %llu -> %llu", len > 0 ? ", " : "",
		    what, (unsigned long long)then, (unsigned long long)now);
}

/* What each open descriptor is. */
static void
tell_descriptors(char *text, size_t size)
{
	char path[64], what[64];
	size_t len;
	ssize_t n;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, what, sizeof(what));
		len = strlen(text);
		if (n > 0)
			snprintf(text + len, size - len, "\n%d is %.*s", fd, (int)n,
			    what);
	}
}

const char *
spout_test_leftovers(const struct spout_test_mark *then)
{
	static char text[2048];
	struct spout_test_mark now;
	unsigned waited_ms = 0;

	spout_test_mark(&now);
	while (now.threads > then->threads && waited_ms < LISTED_FOR_MS) {
		poll(NULL, 0, 5);
		waited_ms += 5;
		spout_test_mark(&now);
	}
	if (same(&now, then))
		return NULL;
	text[0] = '\0';
	tell(text, sizeof(text), "descriptors", then->descriptors, now.descriptors);
	tell(text, sizeof(text), "threads", then->threads, now.threads);
	tell(text, sizeof(text), "children", then->children, now.children);
	tell(text, sizeof(text), "connections", then->connections, now.connections);
	tell(text, sizeof(text), "coroutines", then->coroutines, now.coroutines);
	tell(text, sizeof(text), "jobs", then->jobs, now.jobs);
	if (now.descriptors != then->descriptors)
		tell_descriptors(text, sizeof(text));
	return text;
}
