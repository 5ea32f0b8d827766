/* SPDX-License-Identifier: MIT */
/*
 * The lines of a stretch of the log, and whether they are those that were expected. They
 * are collected in a file in memory, which any thread may write.
 */
#include "config.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing/run.h"

struct expected {
	struct expected *next;
	regex_t regex;
	bool came;
	char text[];
};

static struct spout__log_options before;
static int log_fd = -1;
static char *lines; /* what was collected: a text, or NULL */
static struct expected *expected;
static char wrong[1024];

void
spout_test_log_begin(void)
{
	struct spout__log_options options = { .level = SPOUT_LOG_INFO,
		.process = "test" };

	if (log_fd >= 0)
		(void)spout_test_log_end();
	free(lines);
	lines = NULL;
	log_fd = memfd_create("log", MFD_CLOEXEC);
	if (log_fd < 0) {
		perror("spout_test_log_begin");
		abort();
	}
	before = *spout__seam()->log_current();
	options.fd = log_fd;
	spout__seam()->log_configure(&options);
}

int
spout_test_log_expect(const char *regex)
{
	size_t size = strlen(regex) + 1;
	struct expected *it = malloc(sizeof(*it) + size);

	if (it == NULL)
		return -ENOMEM;
	if (regcomp(&it->regex, regex, REG_EXTENDED | REG_NOSUB) != 0) {
		free(it);
		return -EINVAL;
	}
	memcpy(it->text, regex, size);
	it->came = false;
	it->next = expected;
	expected = it;
	return 0;
}

const char *
spout_test_log_text(void)
{
	struct stat status;
	ssize_t n;

	if (log_fd < 0)
		return lines != NULL ? lines : "";
	free(lines);
	lines = NULL;
	if (fstat(log_fd, &status) < 0)
		return "";
	lines = malloc((size_t)status.st_size + 1);
	if (lines == NULL)
		return "";
	n = pread(log_fd, lines, (size_t)status.st_size, 0);
	lines[n > 0 ? n : 0] = '\0';
	return lines;
}

unsigned
spout_test_log_count(const char *text)
{
	const char *at = spout_test_log_text();
	unsigned n = 0;

	while ((at = strstr(at, text)) != NULL) {
		n++;
		at += strlen(text);
	}
	return n;
}

/* Is it a warning or worse? The level follows the time: "2026-…T07:11:05.123Z ERROR". */
static bool
is_bad(const char *line)
{
	const char *level = strchr(line, ' ');

	return level != NULL &&
	    (strncmp(level, " WARNING ", 9) == 0 || strncmp(level, " ERROR ", 7) == 0);
}

static bool
is_expected(const char *line)
{
	struct expected *it;
	bool found = false;

	for (it = expected; it != NULL; it = it->next)
		if (regexec(&it->regex, line, 0, NULL, 0) == 0)
			it->came = found = true;
	return found;
}

/* Look at each line; the first that is wrong goes into `wrong`. */
static void
check_lines(const char *text)
{
	struct expected *it;

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		char line[4096];

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		if (!is_expected(line) && is_bad(line) && wrong[0] == '\0')
			snprintf(wrong, sizeof(wrong), "unexpected: %.900s", line);
		text += len + (text[len] != '\0');
	}
	for (it = expected; it != NULL; it = it->next)
		if (!it->came && wrong[0] == '\0')
			snprintf(wrong, sizeof(wrong), "no line matches: %.900s",
			    it->text);
}

static void
forget_expected(void)
{
	struct expected *it;

	while ((it = expected) != NULL) {
		expected = it->next;
		regfree(&it->regex);
		free(it);
	}
}

const char *
spout_test_log_end(void)
{
	if (log_fd < 0)
		return "no stretch of the log was begun";
	wrong[0] = '\0';
	check_lines(spout_test_log_text());
	forget_expected();
	spout__seam()->log_configure(&before);
	close(log_fd);
	log_fd = -1;
	return wrong[0] != '\0' ? wrong : NULL;
}
