/* SPDX-License-Identifier: MIT */
/*
 * Queries on connections that the loop owns, in libpq's pipeline mode. Loop thread, but
 * where it is said.
 *
 * A query is of one of three classes (classify.c). Those that are no plain statement are
 * jobs (query.c, job.c). The others wait in one of two lanes until the end of the turn:
 *
 *   fast    plain reads that have proved to be short: those of a turn go out together,
 *           with one Sync, on a few connections that others may be under way on
 *   alone   everything else: one at a time on a connection
 *
 * so that what may take long never stands before something short.
 *
 * The places of the pool are shared between the driver and the jobs. One that is in use
 * is a unit: pg->n_conns of them at most, n_held with the driver, n_jobs with jobs. Who
 * finds none waits in line; a unit that becomes free goes to who has waited longest,
 * be it a query or a job. While the fast lane is in use, it keeps one connection.
 *
 *            +---------------- idle for a while, or a job needs it -----------+
 *            v                                                                |
 *   (pool's idle, empty) --needed--> TAKING --logged in--> RESTING --query--> ALONE
 *            ^                                                | ^              |
 *            |                                                v +---- over ----+
 *            +--- lost, expired, cancel unsettled --------- FAST
 *
 * A RESTING one can also go to a coroutine that wants it for itself: lease.h.
 */
#ifndef SPOUT_PG_DRIVER_H
#define SPOUT_PG_DRIVER_H

#include "base/clock.h"
#include "pg/pool.h"

/* --- classify.c ------------------------------------------------------------------- */

enum spout__pg_class {
	SPOUT__PG_JOB,    /* needs a session, or is not known: on a thread */
	SPOUT__PG_ALONE,  /* in a transaction of its own */
	SPOUT__PG_SHARED, /* a plain read: may share one */
};

/** Any thread. */
enum spout__pg_class spout__pg_classify(const char *sql);

/** Does it leave something behind in the session, or need what one before it left? By its
 * words: what a function that it calls does is not known. Any thread. */
bool spout__pg_changes_session(const char *sql);

/* --- plan.c ----------------------------------------------------------------------- */

#define SPOUT__PG_PLANS 256u
/* "spout_", 16 digits, the end. */
#define SPOUT__PG_NAME 23u

struct spout__pg_plan {
	struct spout__list link; /* in plans->used */
	struct spout__pg_plan *next;
	uint64_t hash;    /* odd; its name on the server is made of it */
	uint64_t cost_us; /* what it took of late */
	unsigned runs, place;
	unsigned queries; /* that point here: not to be forgotten */
	enum spout__pg_class class;
	bool leased; /* came on a leased connection before */
	char name[SPOUT__PG_NAME];
	char sql[];
};

struct spout__pg_plans {
	struct spout__list used; /* the last one first */
	uint64_t fast_us;        /* one that takes no longer may use the fast lane */
	bool unnamed;     /* nothing is prepared on the server */
	unsigned n;
	struct spout__pg_plan *buckets[SPOUT__PG_PLANS];
};

void spout__pg_plans_init(struct spout__pg_plans *plans, uint64_t fast_us);
void spout__pg_plans_release(struct spout__pg_plans *plans);
/** The plan of a statement, or NULL: too long, no memory, no place. */
struct spout__pg_plan *spout__pg_plan_of(struct spout__pg_plans *plans, const char *sql);
/** The name on the server of the statement with a hash, valid or not. */
void spout__pg_plan_name(uint64_t hash, char ret_name[SPOUT__PG_NAME]);
/** It took so long; `suspect`: after it was sent with others, and that went wrong. */
void spout__pg_plan_took(struct spout__pg_plans *plans, struct spout__pg_plan *plan,
    uint64_t us, bool suspect);
bool spout__pg_plan_fast(
    const struct spout__pg_plans *plans, const struct spout__pg_plan *plan);

/* --- a query ---------------------------------------------------------------------- */

struct spout__pg_query {
	struct spout_future future; /* first: see spout__future_alloc() */
	struct spout__list link;    /* in a lane, or in pipe->sent */
	struct spout__pg_driver *driver;
	struct spout__pg_pipe *pipe; /* sent there; NULL: it waits */
	struct spout__pg_plan *plan;
	struct spout__pg_lease *lease; /* it wants a connection and is no statement */
	struct spout__pg_statement statement;
	struct spout_rows rows;
	uint64_t sequence, queued_ms, queued_us, sent_us, deadline_ms;
	unsigned commands; /* of libpq whose results have not been read */
	unsigned tries;
	bool alone;      /* not to share a transaction (any more) */
	bool suspect;    /* it was in one that failed, or took too long */
	bool ends;       /* a Sync follows it */
	bool reused;     /* it ran with what was prepared before */
	bool unprepared; /* it failed when it was prepared */
	bool clearing;   /* what was sent is the DEALLOCATE that has to come first */
	bool asked;      /* to stop */
	bool exposed;    /* to a cancel request that was meant for another */
};

/* --- pipe.c: one connection ------------------------------------------------------- */

enum spout__pipe_state {
	SPOUT__PIPE_OUT, /* not the driver's */
	SPOUT__PIPE_TAKING,
	SPOUT__PIPE_RESTING,
	SPOUT__PIPE_ALONE,
	SPOUT__PIPE_FAST,
	SPOUT__PIPE_LEASED,   /* lease.c */
	SPOUT__PIPE_CLEANING, /* cleanse.c */
};

struct spout__pg_pipe {
	struct spout__pg_driver *driver;
	struct spout__pg_conn *conn;
	struct spout__list link; /* in the driver's list of its state */
	enum spout__pipe_state state;
	struct spout_fd_handler *handler;
	struct spout__timer
	    timer;               /* of a cancel, or to look whether the first is stuck */
	struct spout__job job;   /* while TAKING or CLEANING */
	bool dropped;            /* nobody wants what is being taken */
	struct spout__list sent; /* queries whose end has not been read, in order */
	unsigned n_sent;
	uint64_t load_us;  /* what they may take */
	uint64_t since_us; /* the server works on the first of them, at the earliest */
	uint64_t used_ms, cancelled_ms;
	uint64_t leased_ms;              /* since when it is LEASED */
	bool told;                       /* that it is leased for long */
	struct spout__pg_query *reading; /* whose result comes next; NULL: a Sync */
	struct spout__pg_query *culprit; /* whose error ended the transaction */
	struct spout__pg_lease *lease;   /* while LEASED */
	unsigned syncs;                  /* then: sent, and not answered yet */
	uint64_t waiting_bytes;          /* read of a result that is not whole yet */
	bool fed;                        /* something was sent, and perhaps not flushed */
	bool busy;                       /* counted as such */
	bool got;                        /* a result of `reading` came, its end did not */
	bool stuffed;                    /* the socket takes no more for now */
	bool open;                       /* the last one has no Sync yet */
	bool broken;     /* to be closed as soon as the stack is unwound */
	bool wanted;     /* not to be fed: somebody waits for it */
	bool cancelling; /* not to be fed: a cancel request is or was under way */
	unsigned login;  /* that `prepared` is of */
	uint64_t prepared[SPOUT__PG_PLANS]; /* hash by place; 0: none; even: not valid */
};

/** From plain to pipeline mode, with nothing under way. */
bool spout__pipe_mode(PGconn *pq);
/** The driver takes a connection: pipeline mode, events. False: close it. */
bool spout__pipe_open(struct spout__pg_pipe *pipe);
/** The driver lets it go: plain mode, no events. False if it must be closed. */
bool spout__pipe_close(struct spout__pg_pipe *pipe);
/** The loop hears nothing of its socket any more. */
void spout__pipe_let_go(struct spout__pg_pipe *pipe);
/** Still good for a statement? Looks at the socket if nothing is under way. */
bool spout__pipe_sound(struct spout__pg_pipe *pipe);
/** Send one; alone, or behind others with one Sync for all. May break the pipe. */
void spout__pipe_send(
    struct spout__pg_pipe *pipe, struct spout__pg_query *query, bool share);
/** Send the Sync that is due, and what libpq holds back. May break the pipe. */
void spout__pipe_flush(struct spout__pg_pipe *pipe);
/** Have a query that was sent cancelled. */
void spout__pipe_ask(struct spout__pg_pipe *pipe, struct spout__pg_query *query);
/** The connection is of no use any more: what is under way fails, the place is empty. */
void spout__pipe_lose(struct spout__pg_pipe *pipe);
/** Read until nothing is under way, or `until_ms`. Blocks: for the end of the pool. */
void spout__pipe_drain(struct spout__pg_pipe *pipe, uint64_t until_ms);
/** Why a query that was asked to stop did. */
void spout__pipe_fail_asked(
    struct spout__pg_query *query, struct spout__pg_failure *ret_failure);
/** The queries of a segment are dealt with. */
void spout__pipe_segment_over(struct spout__pg_pipe *pipe);

static inline uint64_t
spout__pipe_now_us(void)
{
	return spout__clock_ns() / 1000;
}

static inline struct spout__pg_query *
spout__pg_query_of(struct spout__list *node)
{
	return spout__container_of(node, struct spout__pg_query, link);
}

/** Nothing is under way. */
static inline bool
spout__pipe_idle(const struct spout__pg_pipe *pipe)
{
	return spout__list_empty(&pipe->sent);
}

/* --- answers.c: what comes in ----------------------------------------------------- */

/** The socket is readable. May break the pipe. */
void spout__pipe_read(struct spout__pg_pipe *pipe);
/** Read what is there into libpq, and measure a result that is not whole. */
static inline bool
spout__pipe_consume(struct spout__pg_pipe *pipe)
{
	return spout__pg_consume(pipe->conn->pq, &pipe->waiting_bytes);
}

/** Take the results that are there. May break the pipe. */
void spout__pipe_take_results(struct spout__pg_pipe *pipe);
/** Take one, owned. */
void spout__pipe_take_result(struct spout__pg_pipe *pipe, PGresult *result);

/* --- hold.c: places in and out ---------------------------------------------------- */

/** Take a place, without waiting: RESTING, else NULL (one may be TAKING from now on). */
struct spout__pg_pipe *spout__hold_take(struct spout__pg_driver *driver, unsigned spare);
/** Give a RESTING one back to the pool. */
void spout__hold_give(struct spout__pg_pipe *pipe);
/** The place of a connection that was closed. */
void spout__hold_drop(struct spout__pg_pipe *pipe);
/** One that was CLEANING: it is clean, or to be closed. */
void spout__hold_cleansed(struct spout__pg_pipe *pipe, bool clean);
/** Log in, for want of work, as long as fewer than min_conns are open. */
void spout__hold_warm(struct spout__pg_driver *driver);
/** Call off what is TAKING. */
void spout__hold_trim(struct spout__pg_driver *driver);

/* --- driver.c: lanes -------------------------------------------------------------- */

struct spout__pg_driver {
	struct spout__pg *pg;
	struct spout__pg_plans plans;
	struct spout__list fast, alone; /* queries that wait, the oldest first */
	struct spout__list jobs;        /* struct spout__pg_job.link */
	struct spout__list taking, resting, running, sharing, leased; /* pipes by state */
	unsigned n_waiting, n_waiting_jobs, n_taking, n_sharing;
	unsigned n_held, n_jobs;      /* units */
	uint64_t sequence, shared_ms; /* when the fast lane was used last; 0: never */
	struct spout__ready feed;
	struct spout__timer patience, sweep;
	bool stopping;
	bool paused; /* nothing more is sent */
	struct spout__pg_pipe pipes[]; /* by the number of the place */
};

struct spout__pg_driver *spout__driver_new(struct spout__pg *pg);
/** Cancel everything; blocks until the server has noticed, or `until_ms`. */
void spout__driver_stop(struct spout__pg_driver *driver, uint64_t until_ms);
/** Close what it holds; no thread may use the pool any more. */
void spout__driver_close(struct spout__pg_driver *driver);
void spout__driver_free(struct spout__pg_driver *driver);

/** Queue a query that is encoded. When that is not possible it is complete at return. */
void spout__driver_submit(struct spout__pg_query *query);
/** The on_cancel of its future. */
void spout__driver_on_cancel(struct spout_future *future);
/** It did not run, or was undone: it waits again, before all others. */
void spout__driver_again(struct spout__pg_query *query);
/** It is over; `failure` NULL: its rows are there. */
void spout__driver_over(
    struct spout__pg_query *query, const struct spout__pg_failure *failure);
/** It does not wait any longer. */
void spout__driver_unqueue(struct spout__pg_query *query);
/** One that waited has a connection, or a share of one. */
void spout__driver_acquired(struct spout__pg_driver *driver, uint64_t queued_us);
/** The first that waits there, or NULL. */
static inline struct spout__pg_query *
spout__driver_first(struct spout__list *queue)
{
	return spout__list_empty(queue) ? NULL : spout__pg_query_of(queue->next);
}

/** How many connections belong to the fast lane and nobody else. */
unsigned spout__driver_reserved(struct spout__pg_driver *driver);
/** Put a pipe into the list of a state. */
void spout__driver_move(struct spout__pg_pipe *pipe, enum spout__pipe_state state);
/** Something changed: look at the end of the turn who can go on. */
void spout__driver_kick(struct spout__pg_driver *driver);
/** Fail all that wait. */
void spout__driver_fail_all(
    struct spout__pg_driver *driver, const struct spout__pg_failure *failure);
/** A connection could not be had. */
void spout__driver_refuse(
    struct spout__pg_driver *driver, const struct spout__pg_failure *failure);

/** A job waits in line for a unit; spout__pg_job_enter() follows. False: too many. */
bool spout__driver_admit_job(struct spout__pg_driver *driver, struct spout__pg_job *job);
/** A job is in line no longer. */
void spout__driver_forget_job(struct spout__pg_driver *driver, struct spout__pg_job *job);
/** A job that had a unit is over. */
void spout__driver_job_over(struct spout__pg_driver *driver);

/* --- tend.c: timers --------------------------------------------------------------- */

void spout__tend_init(struct spout__pg_driver *driver);
/** Start those that are needed. */
void spout__tend_start(struct spout__pg_driver *driver);

#endif
