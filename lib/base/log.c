/* SPDX-License-Identifier: MIT */
/* The log: see log.h. */
#include "config.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__thread const char *spout__log_request_id __attribute__((tls_model("initial-exec")));

static struct spout__log_options current = { .level = SPOUT_LOG_INFO, .fd = 2,
	.process = "spout" };

void
spout__log_configure(const struct spout__log_options *options)
{
	current = *options;
}

const struct spout__log_options *
spout__log_current(void)
{
	return &current;
}

bool
spout_log_enabled(enum spout_log_level level)
{
	return level >= current.level;
}

void
spout_vlog(enum spout_log_level level, const char *fmt, va_list ap)
{
	char line[2048];
	int n;

	if (level < current.level)
		return;
	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n < 0)
		return;
	dprintf(current.fd, "%s\n", line);
}

void
spout_log(enum spout_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	spout_vlog(level, fmt, ap);
	va_end(ap);
}

void
spout__bug(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (write(2, line, (size_t)n) < 0) { /* nothing is left to tell it to */
	}
	abort();
}
