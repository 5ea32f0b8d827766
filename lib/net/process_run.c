/* SPDX-License-Identifier: MIT */
/*
 * Run a program to its end: one coroutine feeds it, two collect what it says, all three
 * and the process in a scope that ends with the call.
 */
#include "config.h"

#include "net/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/costream.h"

#define MAX_OUTPUT_BYTES (1u << 20)
#define GRACE_MS 2000u
#define LAST_LINE_BYTES 160 /* of stderr that a message shows */

struct run {
	const char *const *argv;
	const struct spout_process_run_options *options;
	struct spout_scope *scope; /* of the caller: what is collected goes there */
	struct spout_process_result *result;
	struct spout_process *process;
	size_t max_output;
};

/* --- feeding and collecting --------------------------------------------------------- */

static void
feed(void *arg)
{
	const struct run *run = *(struct run **)arg;
	struct spout_stream *in = spout_process_in(run->process);
	int r = spout_try_stream_write(in, run->options->input, run->options->input_len);

	if (r == 0)
		r = spout_try_stream_shutdown(in);
	if (r == -EPIPE)
		r = 0; /* it does not want more */
	spout__net_leave_if(r);
}

static void
collect(const struct run *run, struct spout_stream *from, const char *what,
    struct spout_slice *ret)
{
	struct spout_slice seen;
	int r = spout_try_stream_read_all(from, run->max_output, &seen);
	char *copy;

	if (r == -EMSGSIZE)
		spout__co_leave(r, 0, "%s: more than %zu bytes of %s", run->argv[0],
		    run->max_output, what);
	spout__net_leave_if(r);
	copy = spout_alloc_in(run->scope, seen.len + 1);
	if (copy == NULL)
		spout__co_leave(
		    -ENOMEM, 0, "%s: out of memory for its %s", run->argv[0], what);
	memcpy(copy, seen.data, seen.len);
	copy[seen.len] = '\0';
	*ret = spout_slice_of(copy, seen.len);
}

static void
collect_output(void *arg)
{
	const struct run *run = *(struct run **)arg;

	collect(run, spout_process_out(run->process), "output", &run->result->output);
}

static void
collect_errors(void *arg)
{
	const struct run *run = *(struct run **)arg;

	collect(run, spout_process_err(run->process), "errors", &run->result->errors);
}

/* --- running ------------------------------------------------------------------------ */

static struct spout_process *
start(const struct run *run)
{
	const struct spout_process_run_options *o = run->options;
	struct spout_process_options options = {
		.size = sizeof(options),
		.in = o->input_len > 0 ? SPOUT_PROCESS_PIPE : SPOUT_PROCESS_NULL,
		.out = SPOUT_PROCESS_PIPE,
		.err = o->err_to_out ? SPOUT_PROCESS_STDOUT : SPOUT_PROCESS_PIPE,
		.environment = o->environment,
		.directory = o->directory,
		.timeout_ms = o->timeout_ms,
		.grace_ms = o->grace_ms,
		.stream.max_buffer_bytes = run->max_output,
	};

	return spout_process_start_with(run->argv, &options);
}

/* The last line of what it said on stderr, for a message. */
static struct spout_slice
last_line(struct spout_slice text)
{
	const char *end = text.data + text.len, *from;

	while (end > text.data && end[-1] == '\n')
		end--;
	from = end;
	while (from > text.data && from[-1] != '\n' && end - from < LAST_LINE_BYTES)
		from--;
	return spout_slice_of(from, (size_t)(end - from));
}

static void
check(const struct run *run)
{
	const struct spout_process_exit *how = &run->result->exit;
	struct spout_slice line = last_line(run->result->errors);
	char what[48];

	if (how->status == 0 || run->options->any_status)
		return;
	if (how->signal != 0)
		snprintf(what, sizeof(what), "ended by signal %d", how->signal);
	else
		snprintf(what, sizeof(what), "exit status %d", how->status);
	spout__co_leave(-ECHILD, 0, "%s: %s%s%.*s", run->argv[0], what,
	    line.len > 0 ? ": " : "", (int)line.len, line.data);
}

static void
run_all(void *arg)
{
	struct run *run = arg;
	const struct spout_process_run_options *o = run->options;
	uint64_t grace_ms = o->grace_ms ? o->grace_ms : GRACE_MS;
	struct spout_group *group = spout_group_new(.quiet = true);

	if (o->timeout_ms > 0)
		spout_set_deadline_ms(o->timeout_ms + grace_ms);
	run->process = start(run);
	if (spout_process_in(run->process) != NULL)
		spout_group_spawn(group, feed, &run, sizeof(run));
	spout_group_spawn(group, collect_output, &run, sizeof(run));
	if (spout_process_err(run->process) != NULL)
		spout_group_spawn(group, collect_errors, &run, sizeof(run));
	spout_group_wait(group);
	run->result->exit = spout_process_wait(run->process);
	check(run);
}

int
spout_try_process_run_with(const char *const *argv,
    const struct spout_process_run_options *options,
    struct spout_process_result **ret_result)
{
	struct run run = {
		.argv = argv, .options = options, .scope = spout_scope_current()
	};
	struct spout_process_result *result = spout_alloc_in(run.scope, sizeof(*result));
	int r;

	if (result == NULL)
		return spout__co_error(-ENOMEM, "spout_process_run: out of memory");
	*result = (struct spout_process_result){ .output = spout_slice(""),
		.errors = spout_slice("") };
	run.result = result;
	run.max_output = options->max_output_bytes ? options->max_output_bytes
						   : MAX_OUTPUT_BYTES;
	r = spout_try_scope_run(run_all, &run);
	if (r == 0)
		*ret_result = result;
	return r;
}

struct spout_process_result *
spout_process_run_with(
    const char *const *argv, const struct spout_process_run_options *options)
{
	struct spout_process_result *result = NULL;

	spout__net_leave_if(spout_try_process_run_with(argv, options, &result));
	return result;
}
