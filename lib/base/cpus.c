/* SPDX-License-Identifier: MIT */
/* Counting processors: see cpus.h. */
#include "config.h"

#include "base/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The beginning of a small file as text; false if it cannot be read. */
static int
read_text(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, to, cap - 1);
	close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static unsigned
affinity_count(void)
{
	cpu_set_t set;
	long n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than the set holds */
	return n > 0 ? (unsigned)n : 1;
}

unsigned
spout__cpu_max_parse(const char *text)
{
	unsigned long long quota, period;

	if (sscanf(text, "%llu %llu", &quota, &period) != 2 || quota == 0 ||
	    period == 0 || quota > ULLONG_MAX - period)
		return 0;
	quota = (quota + period - 1) / period;
	return quota > UINT_MAX ? 0 : (unsigned)quota;
}

/* The smallest cpu.max from the cgroup `path` up to the root; 0 for none. */
static unsigned
cgroup_limit(char *path)
{
	unsigned least = 0, n;
	char file[PATH_MAX], text[64], *slash;

	for (;;) {
		snprintf(file, sizeof(file), "/sys/fs/cgroup%s/cpu.max", path);
		n = read_text(file, text, sizeof(text)) ? spout__cpu_max_parse(text) : 0;
		if (n > 0 && (least == 0 || n < least))
			least = n;
		slash = strrchr(path, '/');
		if (slash == NULL)
			return least;
		*slash = '\0';
	}
}

unsigned
spout__cpu_count(void)
{
	unsigned n = affinity_count(), limit = 0;
	char text[PATH_MAX], *own;

	if (read_text("/proc/self/cgroup", text, sizeof(text))) {
		own = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
		if (own != NULL) {
			own = strchr(own, '/');
			if (own != NULL) {
				own[strcspn(own, "\n")] = '\0';
				limit = cgroup_limit(own);
			}
		}
	}
	if (limit > 0 && limit < n)
		n = limit;
	return n > 0 ? n : 1;
}
