/* SPDX-License-Identifier: MIT */
/*
 * A scenario with each of its waiting points cancelled in turn. The library calls us at
 * the start of every wait; the n-th of a round is the one that is hit.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "testing/run.h"

#define MAX_ROUNDS 10000u
#define SETTLE_MS 500u /* how long threads of the first round may take to end */

/* Present in programs that have a leak checker. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* One sweep at a time. */
static struct {
	struct spout_test_sweep_options options;
	spout_fn fn;
	void *arg;
	const char *where;
	enum spout_test_moment moment;
	unsigned waits, cancel_at;
	struct spout_coroutine *hit;
	struct spout_test_mark mark;
	long count;
	struct spout_test_sweep result;
} sweep;

/* --- the waiting point ---------------------------------------------------------- */

static void
cancel_hit(void)
{
	spout__seam()->coroutine_cancel(sweep.hit, sweep.options.error, "swept");
}

static void
soon(spout_callback_fn fn)
{
	if (spout_loop_add_callback(spout_loop_current(), fn, NULL) != 0)
		cancel_hit(); /* out of memory: now, then */
}

static void
when_asleep(void *arg)
{
	(void)arg;
	if (spout__seam()->coroutine_is_alive(spout_loop_current(), sweep.hit))
		cancel_hit();
}

static void
when_woken(void *arg)
{
	(void)arg;
	if (!spout__seam()->coroutine_is_alive(spout_loop_current(), sweep.hit))
		return;
	if (spout__seam()->coroutine_is_woken(sweep.hit))
		cancel_hit();
	else
		soon(when_woken);
}

static void
on_wait(struct spout_coroutine *co, const char *what)
{
	(void)what;
	if (++sweep.waits != sweep.cancel_at)
		return;
	sweep.hit = co;
	if (sweep.moment == SPOUT_TEST_BEFORE)
		cancel_hit();
	else
		soon(sweep.moment == SPOUT_TEST_ASLEEP ? when_asleep : when_woken);
}

/* --- one round ------------------------------------------------------------------ */

static void SPOUT_PRINTF(2, 3)
sweep_fail(int error, const char *fmt, ...)
{
	static const char *const moments[] = { "before it", "asleep", "woken" };
	size_t size = sizeof(sweep.result.reason);
	va_list ap;
	int n = 0;

	if (sweep.result.error != 0)
		return;
	sweep.result.error = error;
	if (sweep.cancel_at > 0)
		n = snprintf(sweep.result.reason, size, "wait %u cancelled (%s): ",
		    sweep.cancel_at, moments[sweep.moment]);
	va_start(ap, fmt);
	vsnprintf(sweep.result.reason + n, size - (size_t)n, fmt, ap);
	va_end(ap);
}

static long
count_now(void)
{
	spout__seam()->arena_trim();
	spout__seam()->buffer_trim();
	return sweep.options.count != NULL ? sweep.options.count(sweep.arg) : 0;
}

/* The first round sets the measure: what is made once and kept was made in it. */
static void
take_measure(void)
{
	unsigned threads = sweep.mark.threads, waited_ms = 0;

	/* Nobody joins the threads that look up names; they free what they have. */
	do {
		spout_test_mark(&sweep.mark);
	} while (sweep.mark.threads > threads && waited_ms++ < SETTLE_MS &&
	    poll(NULL, 0, 1) == 0);
	sweep.count = count_now();
}

/* What another round must not leave behind. */
static void
check_leftovers(void)
{
	const char *left = spout_test_leftovers(&sweep.mark);
	long count;

	if (left != NULL)
		sweep_fail(-ENOTEMPTY, "left behind: %s", left);
	count = count_now();
	if (count != sweep.count)
		sweep_fail(-ENOTEMPTY, "left behind: count %ld -> %ld", sweep.count,
		    count);
}

/* Run the scenario with that wait cancelled (0: none). True if there was such a wait. */
static bool
sweep_round(unsigned cancel_at)
{
	struct spout_test_sweep_options *options = &sweep.options;
	struct spout_test_result result;
	bool touched;

	sweep.cancel_at = cancel_at;
	sweep.waits = 0;
	sweep.hit = NULL;
	if (options->before != NULL)
		options->before(sweep.arg);
	*spout__seam()->on_wait = on_wait;
	result = spout_test_run_at(sweep.fn, sweep.arg, &options->run, sweep.where);
	*spout__seam()->on_wait = NULL;
	if (options->after != NULL)
		options->after(sweep.arg, &result);
	touched = sweep.hit != NULL;
	if (result.timed_out || (result.error != 0 && !touched))
		sweep_fail(result.error, "%s", result.reason);
	if (sweep.result.rounds++ > 0)
		check_leftovers();
	else
		take_measure();
	return touched;
}

/* --- all of them ---------------------------------------------------------------- */

static void
sweep_moment(enum spout_test_moment moment)
{
	unsigned n;

	sweep.moment = moment;
	for (n = 1; sweep.result.error == 0 && sweep_round(n); n += sweep.options.step)
		if (n >= sweep.options.max_rounds)
			sweep_fail(-E2BIG, "more than %u waiting points",
			    sweep.options.max_rounds);
}

static void
check_leaks(void)
{
	sweep.cancel_at = 0;
	if (sweep.result.error == 0 && __lsan_do_recoverable_leak_check != NULL &&
	    __lsan_do_recoverable_leak_check() != 0)
		sweep_fail(-ENOTEMPTY, "memory was leaked in one of %u rounds",
		    sweep.result.rounds);
}

struct spout_test_sweep
spout_test_sweep_at(spout_fn fn, void *arg, const struct spout_test_sweep_options *given,
    const char *where)
{
	struct spout_test_sweep_options *options = &sweep.options;
	int moment;

	memset(&sweep, 0, sizeof(sweep));
	spout__test_options_copy(options, sizeof(*options), given, given->size);
	options->run.size = sizeof(options->run);
	options->step = options->step > 0 ? options->step : 1;
	options->max_rounds = options->max_rounds > 0 ? options->max_rounds : MAX_ROUNDS;
	options->error = options->error != 0 ? options->error : -ECANCELED;
	sweep.fn = fn;
	sweep.arg = arg;
	sweep.where = where;
	spout_test_mark(&sweep.mark);
	sweep_round(0);
	sweep.result.waits = sweep.waits;
	for (moment = 0; moment < SPOUT_TEST_MOMENTS; moment++)
		if (moment != SPOUT_TEST_WOKEN || !options->run.virtual_clock)
			sweep_moment((enum spout_test_moment)moment);
	check_leaks();
	return sweep.result;
}
