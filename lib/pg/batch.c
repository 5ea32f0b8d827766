/* SPDX-License-Identifier: MIT */
/*
 * Batches (spout/pg_batch.h): an array of steps, run in one round. Loop thread.
 *
 * A statement that failed only because what the connection had prepared is out of date
 * was undone by its Sync, and runs again; in one transaction all of them do.
 */
#include "config.h"

#include <spout/pg_batch.h>

#include <errno.h>

#include "pg/round.h"

#define MAX_STATEMENTS 10000u
#define FIRST_ROOM 8u
#define MAX_TRIES 3u

struct spout_pg_batch {
	struct spout_scope *scope;
	struct spout__pg_step *steps;
	size_t n, room;
	bool transaction, ran;
	int error;          /* of all, when the connection was lost */
	const char *reason; /* of that; in the scope */
};

/* --- filling it ------------------------------------------------------------------- */

struct spout_pg_batch *
spout_pg_batch_new_with(const struct spout_pg_batch_options *given)
{
	struct spout_pg_batch *batch = spout_zalloc(1, sizeof(*batch));
	struct spout_pg_batch_options options = { 0 };

	memcpy(&options, given,
	    given->size < sizeof(options) ? given->size : sizeof(options));
	batch->scope = spout_scope_current();
	batch->transaction = options.transaction;
	return batch;
}

/* Twice the room, with that for what a transaction sends before. */
static int
grow(struct spout_pg_batch *batch)
{
	size_t room = batch->room > 0 ? 2 * batch->room : FIRST_ROOM;
	struct spout__pg_step *steps =
	    spout_alloc_in(batch->scope, (room + SPOUT__TX_ROOM) * sizeof(*steps));

	if (steps == NULL)
		return spout__co_error(-ENOMEM, "out of memory (batch)");
	if (batch->n > 0)
		memcpy(steps, batch->steps, batch->n * sizeof(*steps));
	batch->steps = steps;
	batch->room = room;
	return 0;
}

size_t
spout_pg_batch_add_with(struct spout_pg_batch *batch, const char *sql,
    const struct spout_pg_param *params, size_t n_params)
{
	struct spout__pg_step step = { 0 };
	int r = 0;

	if (batch->ran)
		r = spout__co_error(-EINVAL, "the batch has run");
	else if (batch->n >= MAX_STATEMENTS)
		r = spout__co_error(
		    -ENOBUFS, "a batch has at most %u statements", MAX_STATEMENTS);
	else if (batch->n == batch->room)
		r = grow(batch);
	if (r == 0)
		r = spout__step_set(batch->scope, &step, sql, params, n_params, true);
	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
	batch->steps[batch->n] = step;
	return batch->n++;
}

/* --- running it ------------------------------------------------------------------- */

static bool
out_of_date(const struct spout__pg_step *step)
{
	return step->error == -EAGAIN &&
	    (strcmp(step->sqlstate, "26000") == 0 ||
		strcmp(step->sqlstate, "0A000") == 0 ||
		strcmp(step->sqlstate, "42P05") == 0);
}

static void
reset(struct spout__pg_step *steps, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		steps[i].error = 0;
		steps[i].skipped = false;
		steps[i].sqlstate[0] = '\0';
	}
}

/* Run what has to run again. Returns 0, or -errno when the connection is lost. */
static int
run_again(struct spout_pg_batch *batch, struct spout__pg_lease *lease)
{
	size_t i, n = batch->transaction ? batch->n : 1;
	unsigned tries;
	int r = 0;

	for (i = 0; i < batch->n && r == 0; i++)
		for (tries = 1; tries < MAX_TRIES && r == 0 &&
		     out_of_date(&batch->steps[i]);
		     tries++) {
			reset(batch->transaction ? batch->steps : &batch->steps[i], n);
			r = spout__round_run(lease,
			    batch->transaction ? batch->steps : &batch->steps[i],
			    (unsigned)n);
		}
	return r;
}

/* The first statement that failed, or NULL. */
static struct spout__pg_step *
first_failed(struct spout_pg_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->n; i++)
		if (batch->steps[i].error != 0)
			return &batch->steps[i];
	return NULL;
}

static void
note_canceled(struct spout__pg_step *step, const char *reason)
{
	PQclear(step->rows->result);
	step->rows->result = NULL;
	step->error = -ECANCELED;
	step->reason = reason;
}

/* Give those that were not run, or undone, an error. Returns the first one's. */
static int
finish(struct spout_pg_batch *batch, bool undone)
{
	struct spout__pg_step *failed = first_failed(batch), *step;

	if (failed == NULL)
		return 0;
	for (step = batch->steps; step < batch->steps + batch->n; step++) {
		if (step->skipped || (step->error == 0 && step->rows->result == NULL))
			note_canceled(step, "not run: a statement before it failed");
		else if (undone && step < failed)
			note_canceled(step, "undone: a statement behind it failed");
	}
	return spout__co_error(failed->error, "%s", failed->reason);
}

/* The connection is lost, or there was none. */
static int
fail_all(struct spout_pg_batch *batch, int error)
{
	batch->error = error;
	batch->reason = spout_strdup_in(batch->scope, spout_error());
	if (batch->reason == NULL)
		batch->reason = "the batch failed";
	return error;
}

/* May it run? Returns 0 or -errno. */
static int
begin(struct spout_pg_batch *batch)
{
	(void)spout__co_checkpoint("spout_pg_batch_run");
	if (batch->ran)
		return spout__co_error(-EINVAL, "the batch has run");
	batch->ran = true;
	return 0;
}

int
spout_try_pg_batch_run(struct spout_pg_batch *batch)
{
	struct spout__pg_lease *lease;
	int r = begin(batch);
	size_t i;

	if (r < 0 || batch->n == 0)
		return r;
	for (i = 0; i < batch->n; i++)
		batch->steps[i].sync = !batch->transaction;
	lease = spout_alloc_in(batch->scope, sizeof(*lease));
	r = lease == NULL ? spout__co_error(-ENOMEM, "out of memory (batch)")
			  : spout__lease_take(lease, "spout_pg_batch_run");
	if (r == 0)
		r = spout__round_run(lease, batch->steps, (unsigned)batch->n);
	if (r == 0)
		r = run_again(batch, lease);
	if (lease != NULL)
		spout__lease_give(lease);
	return r < 0 ? fail_all(batch, r) : finish(batch, batch->transaction);
}

int
spout_try_pg_batch_run_in(struct spout_pg_batch *batch, struct spout_pg_tx *tx)
{
	struct spout__pg_step *steps;
	size_t size = batch->n * sizeof(*steps);
	int r = begin(batch);

	if (r < 0 || batch->n == 0)
		return r;
	steps = spout_alloc_in(batch->scope, size);
	if (steps == NULL)
		return fail_all(batch, spout__co_error(-ENOMEM, "out of memory (batch)"));
	memcpy(steps, batch->steps, size);
	r = spout__tx_run(tx, steps, (unsigned)batch->n, batch->steps);
	if (r < 0 && first_failed(batch) == NULL)
		return fail_all(batch, r);
	return finish(batch, false);
}

void
spout_pg_batch_run(struct spout_pg_batch *batch)
{
	int r = spout_try_pg_batch_run(batch);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

void
spout_pg_batch_run_in(struct spout_pg_batch *batch, struct spout_pg_tx *tx)
{
	int r = spout_try_pg_batch_run_in(batch, tx);

	if (r < 0)
		spout__co_leave(r, 0, "%s", spout_error());
}

/* --- its results ------------------------------------------------------------------ */

size_t
spout_pg_batch_count(const struct spout_pg_batch *batch)
{
	return batch->n;
}

struct spout_rows *
spout_try_pg_batch_rows(struct spout_pg_batch *batch, size_t i)
{
	const struct spout__pg_step *step = &batch->steps[i];
	int r = 0;

	if (!batch->ran)
		r = spout__co_error(-EINVAL, "the batch has not run");
	else if (i >= batch->n)
		r = spout__co_error(-EINVAL, "the batch has no statement %zu", i);
	else if (batch->error != 0)
		r = spout__co_error(batch->error, "%s", batch->reason);
	else if (step->error != 0)
		r = spout__co_error(step->error, "%s", step->reason);
	errno = -r;
	return r == 0 ? step->rows : NULL;
}

struct spout_rows *
spout_pg_batch_rows(struct spout_pg_batch *batch, size_t i)
{
	struct spout_rows *rows = spout_try_pg_batch_rows(batch, i);

	if (rows == NULL)
		spout__co_leave(-errno, 0, "%s", spout_error());
	return rows;
}
