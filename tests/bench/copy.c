/* SPDX-License-Identifier: MIT */
/*
 * COPY between a file and a table through the library, timed by tests/bench/pg_stream:
 *
 *     copy URL in|rows|out TABLE FILE
 *
 * in: the file as it is; rows: its lines "number<TAB>text", value by value; out: into
 * the file. Prints how many rows, the seconds it took, and those on a processor.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spout/spout.h>

#include "async/async.h"
#include "executor/executor.h"
#include "pg/pg.h"

#define PIECE_BYTES 65536

struct task {
	const char *verb, *table;
	FILE *file;
	uint64_t rows;
	int status;
};

static double
seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
copy_in(struct task *task)
{
	struct spout_pg_copy *copy =
	    spout_pg_copy_in(spout_sprintf("COPY %s FROM STDIN", task->table));
	char *piece = spout_alloc(PIECE_BYTES);
	size_t n;

	while ((n = fread(piece, 1, PIECE_BYTES, task->file)) > 0)
		spout_pg_copy_write(copy, piece, n);
	task->rows = spout_pg_copy_end(copy);
}

static void
copy_rows(struct task *task)
{
	struct spout_pg_copy *copy =
	    spout_pg_copy_in(spout_sprintf("COPY %s FROM STDIN", task->table));
	char line[1000], *text;

	while (fgets(line, sizeof(line), task->file) != NULL) {
		text = strchr(line, '\t') + 1;
		text[strcspn(text, "\n")] = '\0';
		spout_pg_copy_row(copy, atol(line), text);
	}
	task->rows = spout_pg_copy_end(copy);
}

static void
copy_out(struct task *task)
{
	struct spout_pg_copy *copy =
	    spout_pg_copy_out(spout_sprintf("COPY %s TO STDOUT", task->table));
	struct spout_slice part;
	const char *at;

	while ((part = spout_pg_copy_read(copy)).len > 0) {
		fwrite(part.data, 1, part.len, task->file);
		for (at = part.data; (at = memchr(at, '\n',
					  (size_t)(part.data + part.len - at))) != NULL;
		     at++)
			task->rows++;
	}
}

static void
run(void *arg)
{
	struct task *task = arg;
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

	if (strcmp(task->verb, "in") == 0)
		copy_in(task);
	else if (strcmp(task->verb, "rows") == 0)
		copy_rows(task);
	else
		copy_out(task);
	fflush(task->file);
	printf("%llu %.3f %.3f\n", (unsigned long long)task->rows,
	    seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	task->status = 0;
}

static void
stop(void *loop)
{
	spout_loop_stop(loop);
}

int
main(int argc, char **argv)
{
	const struct spout__executor_options executor = { .db_threads = 1 };
	struct spout__pg_options options = { .name = "copy" };
	struct task task = { .status = 1 };
	struct spout_loop *loop = spout_loop_new();
	struct spout_coroutine *co;

	if (argc != 5 || loop == NULL || spout__executor_start(loop, &executor) != 0)
		return 2;
	options.url = argv[1];
	task.verb = argv[2];
	task.table = argv[3];
	task.file = fopen(argv[4], strcmp(argv[2], "out") == 0 ? "we" : "re");
	if (task.file == NULL || spout__pg_start(loop, &options) != 0)
		return 2;
	co = spout__coroutine_new(loop);
	spout__coroutine_start(co,
	    &(struct spout__coroutine_options){ .fn = run, .arg = &task, .on_gone = stop,
		.on_gone_arg = loop, .where = "copy" });
	spout_loop_run(loop);
	fclose(task.file);
	spout__pg_stop(loop, 5000);
	spout__executor_stop(loop, 5000);
	spout_loop_free(loop);
	return task.status;
}
