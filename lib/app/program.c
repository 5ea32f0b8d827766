/* SPDX-License-Identifier: MIT */
/* What settings mean for the program, at its start and after a reload: see program.h. */
#include "config.h"

#include "app/program.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

bool
spout__option_given(const struct spout__options *options, const char *name)
{
	int i = spout__options_find(options, name, strlen(name));

	return i >= 0 && options->values[i].origin > SPOUT__FROM_DEFAULT;
}

void
spout__program_apply_asked(const struct spout__program *program,
    struct spout__settings *s, const struct spout__options *options)
{
	if (program->asked.request_timeout_ms > 0 &&
	    !spout__option_given(options, "request-timeout"))
		s->request_timeout_ms = program->asked.request_timeout_ms;
	if (program->asked.max_body_bytes > 0 &&
	    !spout__option_given(options, "max-body"))
		s->max_body_bytes = program->asked.max_body_bytes;
}

void
spout__program_apply_secret(struct spout__program *program)
{
	program->app.cookie_secret = program->settings.cookie_secret[0] != '\0'
	    ? program->settings.cookie_secret
	    : program->asked.cookie_secret;
}

void
spout__program_configure_log(const struct spout__program *program)
{
	struct spout__log_options log = *spout__log_current();

	log.level = (enum spout_log_level)program->settings.log_level;
	log.format = (enum spout__log_format)program->settings.log_format;
	log.fd = STDERR_FILENO;
	log.process = "supervisor";
	spout__log_configure(&log);
}

int
spout__program_open_access_log(const struct spout__program *program)
{
	const char *path = program->settings.access_log;
	int fd = strcmp(path, "-") == 0
	    ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
	    : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	return fd < 0 ? -errno : fd;
}

void
spout__program_before_exec(void *arg)
{
	const struct spout__program *program = arg;

	spout__secret_pass_on(
	    program->settings.cookie_secret_file, program->settings.cookie_secret);
}
