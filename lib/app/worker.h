/* SPDX-License-Identifier: MIT */
/*
 * The life of a worker process: from the fork to its exit status. Its main thread.
 *
 *   STARTING --on_worker_start returned--> SERVING --DRAIN--> DRAINING --last request
 *      |  \                                   |                  |        answered--+
 *      |   \--it failed--> (exit 1)           |                  |                  v
 *      |                                      |  STOP, or        +----deadline--> TASKS
 *      +--STOP, deadline-> ENDING             +--deadline: what runs is cut---^     |
 *                            ^                                                      |
 *                            |                                           last task ended
 *                            +-----on_worker_stop returned----- STOPPING <----------+
 */
#ifndef SPOUT_APP_WORKER_H
#define SPOUT_APP_WORKER_H

#include "app/admin.h"
#include "app/agent.h"
#include "app/hook.h"
#include "app/periodic.h"
#include "app/database.h"
#include "app/program.h"
#include "app/topic_bridge.h"
#include "app/vitals.h"
#include "app/watchdog.h"
#include "http/server.h"
#include "loop/loop.h"
#include "supervisor/supervisor.h"
#include "topic/topics.h"
#include "web/web.h"

enum spout__life_phase {
	SPOUT__LIFE_STARTING,
	SPOUT__LIFE_SERVING,
	SPOUT__LIFE_DRAINING, /* requests */
	SPOUT__LIFE_TASKS,    /* background tasks */
	SPOUT__LIFE_STOPPING, /* the stop hook */
	SPOUT__LIFE_ENDING,
};

struct spout__life {
	const struct spout__worker *worker;
	struct spout__program *program;
	struct spout_loop *loop;
	struct spout__topics *topics;
	struct spout__bridge *bridge; /* of topics to other hosts, or NULL */
	struct spout__web *web;
	struct spout__http_server *server;
	struct spout__admin *admin; /* NULL: no admin listener */
	struct spout__agent *agent; /* NULL: no --agent-check */
	struct spout_periodic *heartbeat, *certificates;
	struct spout__database_orders database;
	struct spout__vitals vitals;
	struct spout__watchdog *watchdog; /* NULL: nobody watches */
	struct spout_fd_handler *control;
	struct spout__periodic_tasks *periodic;
	struct spout__hook start, stop;
	struct spout__timer deadline; /* of the requests, then of each later phase */
	struct spout__timer poll;     /* looks whether the last task has ended */
	enum spout__life_phase phase;
	uint64_t kill_at_ms; /* when SIGKILL comes, loop time */
	int status;          /* exit status */
	bool failed_start;
	bool drain_when_started;
	uint64_t spread_ms; /* when connections were last spread anew */
	uint64_t spread_accepted; /* how many this worker had had by then */
	bool spread_off;    /* it is not possible here */
	bool retiring; /* a new worker serves in its place */
	unsigned to_drain; /* servers: that of the clients and, retiring, the admin's */
};

/** The worker's main function, for the supervisor; its argument is the program. */
int spout__worker_main(const struct spout__worker *worker);

/* stop.c */

/** What the supervisor sent: a stop is near, load balancers shall see it. */
void spout__life_turn_away(struct spout__life *life);
/** What the supervisor sent: begin to stop, or stop faster. */
void spout__life_drain(struct spout__life *life, uint64_t kill_in_ms);
/** The same when a new worker has taken our place: nobody is turned away by it. */
void spout__life_retire(struct spout__life *life, uint64_t kill_in_ms);
void spout__life_cut(struct spout__life *life, uint64_t kill_in_ms);
/** Leave the loop. */
void spout__life_end(struct spout__life *life);
/** Milliseconds until SIGKILL, at least 1. */
uint64_t spout__life_left_ms(const struct spout__life *life);

#endif
