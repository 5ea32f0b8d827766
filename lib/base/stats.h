/* SPDX-License-Identifier: MIT */
/*
 * Figures of a worker: counters, gauges and histograms with fixed ids, which every layer
 * increments. They live in memory that the supervisor shares with the worker (its slot of
 * the scoreboard), or in private memory when there is no supervisor.
 *
 * Each word has one writer at a time: relaxed 64-bit atomics, no lock. Counters and
 * histograms carry on over the death of a worker; gauges are cleared by the supervisor.
 * Only the loop's thread writes, except words marked (any thread), which use an atomic
 * add.
 */
#ifndef SPOUT_BASE_STATS_H
#define SPOUT_BASE_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <spout/types.h>

/* id, name in /metrics, help */
#define SPOUT__COUNTERS(X) \
	X(LOOP_TURNS, "spout_loop_turns_total", "Turns of the event loop.") \
	X(CONNECTIONS, "spout_connections_total", "Connections accepted.") \
	X(ACCEPT_ERRORS, "spout_accept_errors_total", \
	    "Failed accept calls (descriptors, memory).") \
	X(REQUESTS, "spout_requests_total", "Requests whose handling has begun.") \
	X(REQUESTS_REJECTED, "spout_requests_rejected_total", \
	    "Requests refused by the strict HTTP layer.") \
	X(REQUESTS_CANCELLED, "spout_requests_cancelled_total", \
	    "Requests whose client went away.") \
	X(REQUESTS_TIMED_OUT, "spout_requests_timed_out_total", \
	    "Requests that passed their deadline.") \
	X(BYTES_IN, "spout_bytes_received_total", "Bytes read from clients.") \
	X(BYTES_OUT, "spout_bytes_sent_total", "Bytes written to clients.") \
	X(CONN_TIMEOUTS, "spout_connection_timeouts_total", \
	    "Connections closed by a time-out.") \
	X(TLS_HANDSHAKES, "spout_tls_handshakes_total", "TLS handshakes completed.") \
	X(TLS_RESUMED, "spout_tls_resumed_total", \
	    "TLS handshakes that resumed a session.") \
	X(TLS_FAILURES, "spout_tls_failures_total", "TLS handshakes that failed.") \
	X(LOOP_STALLS, "spout_loop_stalls_total", \
	    "Turns of the loop beyond --stall-threshold (any thread).") \
	X(COROUTINES, "spout_coroutines_total", "Coroutines started.") \
	X(TASK_FAILURES, "spout_task_failures_total", "Background tasks that failed.") \
	X(JOBS_SUBMITTED, "spout_jobs_submitted_total", "Jobs handed to thread pools.") \
	X(JOBS_COMPLETED, "spout_jobs_completed_total", "Jobs that ran to their end.") \
	X(JOBS_REFUSED, "spout_jobs_refused_total", \
	    "Jobs refused by a full or late queue.") \
	X(JOBS_EXPIRED, "spout_jobs_expired_total", \
	    "Jobs dropped unrun after their deadline.") \
	X(JOBS_CANCELLED, "spout_jobs_cancelled_total", \
	    "Jobs dropped unrun by cancellation.") \
	X(FETCHES, "spout_fetches_total", "Fetches of the HTTP client begun.") \
	X(FETCH_FAILURES, "spout_fetch_failures_total", \
	    "Fetches that ended without an answer.") \
	X(FETCH_CONNECTIONS, "spout_fetch_connections_total", \
	    "Connections that the HTTP client opened.") \
	X(PG_QUERIES, "spout_pg_queries_total", "PostgreSQL queries sent.") \
	X(PG_ERRORS, "spout_pg_errors_total", "PostgreSQL queries that failed.") \
	X(PG_ERRORS_DOWN, "spout_pg_errors_down_total", \
	    "… because the database was down or the connection lost.") \
	X(PG_ERRORS_BUSY, "spout_pg_errors_busy_total", \
	    "… because no connection was free, or the server out of resources.") \
	X(PG_ERRORS_CONFLICT, "spout_pg_errors_conflict_total", \
	    "… because of a conflict with other transactions, or a lock.") \
	X(PG_ERRORS_TIMEOUT, "spout_pg_errors_timeout_total", \
	    "… because their deadline passed.") \
	X(PG_ERRORS_CANCELLED, "spout_pg_errors_cancelled_total", \
	    "… because nobody wanted them any more.") \
	X(PG_ERRORS_REFUSED, "spout_pg_errors_refused_total", \
	    "… because the server refused the statement.") \
	X(PG_ACQUIRES, "spout_pg_acquires_total", \
	    "PostgreSQL connections, or shares of one, that were had.") \
	X(PG_CLOSED_OLD, "spout_pg_closed_old_total", \
	    "PostgreSQL connections closed for their age, or to be replaced.") \
	X(PG_CLOSED_LOST, "spout_pg_closed_lost_total", \
	    "PostgreSQL connections that were lost or in doubt.") \
	X(PG_CLOSED_UNUSED, "spout_pg_closed_unused_total", \
	    "PostgreSQL connections closed for want of work, or at the end.") \
	X(PG_CONNECTS, "spout_pg_connects_total", "PostgreSQL connections opened.") \
	X(PG_CONNECT_FAILURES, "spout_pg_connect_failures_total", \
	    "PostgreSQL connection attempts that failed.") \
	X(PG_CANCELS, "spout_pg_cancels_total", "PostgreSQL cancel requests sent.") \
	X(PG_ACQUIRE_TIMEOUTS, "spout_pg_acquire_timeouts_total", \
	    "Waits for a PostgreSQL connection that ran out of time.") \
	X(PG_NOTIFICATIONS, "spout_pg_notifications_total", \
	    "PostgreSQL notifications received.") \
	X(PG_LISTEN_LOSSES, "spout_pg_listen_losses_total", \
	    "Losses of the connection that listens to notifications.") \
	X(CPU_US, "spout_process_cpu_seconds_total", \
	    "CPU time of the process, all of its threads.") \
	X(TOPIC_MESSAGES, "spout_topic_messages_total", \
	    "Messages published to topics.") \
	X(TOPIC_DELIVERIES, "spout_topic_deliveries_total", \
	    "Messages handed to subscribers of topics.") \
	X(TOPIC_DROPPED, "spout_topic_dropped_total", \
	    "Messages of topics dropped for a slow subscriber or worker.") \
	X(TOPIC_LATE, "spout_topic_late_total", \
	    "Waits for the history of a topic that ran out of time.") \
	X(WEBSOCKETS, "spout_websockets_total", "WebSockets opened by clients.") \
	X(WS_MESSAGES_IN, "spout_websocket_messages_received_total", \
	    "Messages that WebSocket clients sent.") \
	X(WS_MESSAGES_OUT, "spout_websocket_messages_sent_total", \
	    "Messages sent to WebSocket clients.") \
	X(WS_BYTES_IN, "spout_websocket_bytes_received_total", \
	    "Bytes of those messages, decompressed.") \
	X(WS_BYTES_OUT, "spout_websocket_bytes_sent_total", \
	    "Bytes of those messages, before compression.") \
	X(WS_CLOSED_1000, "spout_websockets_closed_1000_total", \
	    "WebSockets closed with code 1000: normal.") \
	X(WS_CLOSED_1001, "spout_websockets_closed_1001_total", \
	    "WebSockets closed with code 1001: going away.") \
	X(WS_CLOSED_1002, "spout_websockets_closed_1002_total", \
	    "WebSockets closed with code 1002: protocol error.") \
	X(WS_CLOSED_1005, "spout_websockets_closed_1005_total", \
	    "WebSockets closed without a code.") \
	X(WS_CLOSED_1006, "spout_websockets_closed_1006_total", \
	    "WebSockets whose connection was lost.") \
	X(WS_CLOSED_1007, "spout_websockets_closed_1007_total", \
	    "WebSockets closed with code 1007: not UTF-8, or not compressed.") \
	X(WS_CLOSED_1008, "spout_websockets_closed_1008_total", \
	    "WebSockets closed with code 1008: too slow, or too many messages.") \
	X(WS_CLOSED_1009, "spout_websockets_closed_1009_total", \
	    "WebSockets closed with code 1009: too big a message.") \
	X(WS_CLOSED_1011, "spout_websockets_closed_1011_total", \
	    "WebSockets closed with code 1011: a callback failed.") \
	X(WS_CLOSED_1012, "spout_websockets_closed_1012_total", \
	    "WebSockets closed with code 1012: the server was replaced.") \
	X(WS_CLOSED_OTHER, "spout_websockets_closed_other_total", \
	    "WebSockets closed with another code.") \
	X(LOG_DROPPED, "spout_log_lines_dropped_total", \
	    "Log lines dropped because the ring was full (any thread).")

#define SPOUT__GAUGES(X) \
	X(HEARTBEAT_MS, "spout_heartbeat_seconds", \
	    "Monotonic time of the loop's last heartbeat.") \
	X(CONNECTIONS_OPEN, "spout_connections_open", "Open client connections.") \
	X(WEBSOCKETS_OPEN, "spout_websockets_open", "Open WebSockets.") \
	X(REQUESTS_RUNNING, "spout_requests_running", "Requests in flight.") \
	X(COROUTINES_ALIVE, "spout_coroutines_alive", "Coroutines that have not ended.") \
	X(JOBS_QUEUED, "spout_jobs_queued", "Jobs waiting for a thread (all pools).") \
	X(JOBS_RUNNING, "spout_jobs_running", \
	    "Jobs on a thread (all pools; any thread).") \
	X(FETCHES_RUNNING, "spout_fetches_running", "Fetches that run.") \
	X(FETCHES_QUEUED, "spout_fetches_queued", "Fetches that wait for others.") \
	X(PG_CONNECTIONS_OPEN, "spout_pg_connections_open", \
	    "Open PostgreSQL connections (any thread).") \
	X(PG_CONNECTIONS_BUSY, "spout_pg_connections_busy", \
	    "PostgreSQL connections in use (any thread).") \
	X(PG_WAITING, "spout_pg_waiting", \
	    "Queries and jobs that wait for a PostgreSQL connection.") \
	X(LOOP_LAG_US, "spout_loop_lag_seconds", \
	    "Longest turn of the loop in the last second.") \
	X(LOOP_BUSY_PPM, "spout_loop_busy_ratio", \
	    "Share of the last second that the loop did not wait.") \
	X(ACCEPT_QUEUE, "spout_accept_queue_length", \
	    "Connections that wait to be accepted.") \
	X(RESIDENT_BYTES, "spout_process_resident_memory_bytes", \
	    "Resident memory of the process.") \
	X(TOPIC_SUBSCRIBERS, "spout_topic_subscribers", "Subscribers of topics.") \
	X(TOPIC_PEERS, "spout_topic_peers", "Workers that topics are shared with.")

#define SPOUT__HISTOGRAMS(X) \
	X(PG_WAIT_US, "spout_pg_wait_seconds", \
	    "Wait of a query or a job for its PostgreSQL connection.") \
	X(PG_QUERY_US, "spout_pg_query_seconds", \
	    "PostgreSQL query that succeeded, from sending it to its end.") \
	X(LOOP_TURN_US, "spout_loop_turn_seconds", \
	    "Time of one turn of the loop, waiting not included.")

#define SPOUT__HISTOGRAM_BUCKETS 28

/* Figures by name: what has no room takes part in the first, which has no name. */
#define SPOUT__ROUTE_FIGURES 256
#define SPOUT__POOL_FIGURES 16
#define SPOUT__FIGURE_NAME 88
#define SPOUT__STATUS_CLASSES 5

#define SPOUT__ID(id, name, help) SPOUT__C_##id,
enum spout__counter { SPOUT__COUNTERS(SPOUT__ID) SPOUT__N_COUNTERS };
#undef SPOUT__ID
#define SPOUT__ID(id, name, help) SPOUT__G_##id,
enum spout__gauge { SPOUT__GAUGES(SPOUT__ID) SPOUT__N_GAUGES };
#undef SPOUT__ID
#define SPOUT__ID(id, name, help) SPOUT__H_##id,
enum spout__histogram { SPOUT__HISTOGRAMS(SPOUT__ID) SPOUT__N_HISTOGRAMS };
#undef SPOUT__ID

/** A histogram of microseconds: bucket i counts values < 2^i us, the last one all
 * others. */
struct spout__cells {
	_Atomic uint64_t sum;
	_Atomic uint64_t buckets[SPOUT__HISTOGRAM_BUCKETS];
};

/** Figures of one route; loop thread. The first is for answers of no route. */
struct spout__route_figures {
	char name[SPOUT__FIGURE_NAME]; /* "GET /users/{id}"; empty: free */
	_Atomic uint64_t responses[SPOUT__STATUS_CLASSES]; /* 1xx to 5xx */
	struct spout__cells duration; /* from the head to the end of the handler */
};

/** Figures of one thread pool; written under the lock of the pool. */
struct spout__pool_figures {
	char name[SPOUT__FIGURE_NAME]; /* empty: free */
	_Atomic uint64_t threads, max_threads, queued, running; /* gauges */
	_Atomic uint64_t refused;
	struct spout__cells wait, run; /* of a job: in the queue, on a thread */
};

struct spout__stats {
	_Atomic uint64_t counters[SPOUT__N_COUNTERS];
	_Atomic uint64_t gauges[SPOUT__N_GAUGES];
	struct spout__cells histograms[SPOUT__N_HISTOGRAMS];
	struct spout__route_figures routes[SPOUT__ROUTE_FIGURES];
	struct spout__pool_figures pools[SPOUT__POOL_FIGURES];
};

/** The figures of this process. Never NULL. Set once after the fork, before threads. */
extern struct spout__stats *spout__stats;

struct spout__stats_name {
	const char *name, *help;
};
extern const struct spout__stats_name spout__counter_names[SPOUT__N_COUNTERS];
extern const struct spout__stats_name spout__gauge_names[SPOUT__N_GAUGES];
extern const struct spout__stats_name spout__histogram_names[SPOUT__N_HISTOGRAMS];

/**
 * The figures of a route or a pool of this process: those that bear the name already,
 * else free ones, else the first. Names are cut to fit. When a program starts; never
 * NULL.
 */
struct spout__route_figures *spout__route_figures(struct spout_slice name);
struct spout__pool_figures *spout__pool_figures(const char *name);
/** The owner is dead: what was true of it only while it lived. */
void spout__stats_clear_gauges(struct spout__stats *stats);

static inline void
spout__relaxed_add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/** Count; loop thread only. */
static inline void
spout__count(enum spout__counter id, uint64_t n)
{
	spout__relaxed_add(&spout__stats->counters[id], n);
}

/** Count; for words written by any thread. */
static inline void
spout__count_shared(enum spout__counter id, uint64_t n)
{
	atomic_fetch_add_explicit(&spout__stats->counters[id], n, memory_order_relaxed);
}

static inline void
spout__gauge_set(enum spout__gauge id, uint64_t value)
{
	atomic_store_explicit(&spout__stats->gauges[id], value, memory_order_relaxed);
}

/** Move a gauge by `n` (may be negative); loop thread only. */
static inline void
spout__gauge_add(enum spout__gauge id, int64_t n)
{
	spout__relaxed_add(&spout__stats->gauges[id], (uint64_t)n);
}

static inline void
spout__gauge_add_shared(enum spout__gauge id, int64_t n)
{
	atomic_fetch_add_explicit(
	    &spout__stats->gauges[id], (uint64_t)n, memory_order_relaxed);
}

static inline unsigned
spout__bucket_of_us(uint64_t us, unsigned n_buckets)
{
	unsigned b = us == 0 ? 0 : 64u - (unsigned)__builtin_clzll(us);

	return b < n_buckets ? b : n_buckets - 1;
}

/** Note a value of a histogram; one writer at a time. */
static inline void
spout__cells_observe(struct spout__cells *cells, uint64_t us)
{
	spout__relaxed_add(&cells->sum, us);
	spout__relaxed_add(
	    &cells->buckets[spout__bucket_of_us(us, SPOUT__HISTOGRAM_BUCKETS)], 1);
}

static inline void
spout__observe_us(enum spout__histogram id, uint64_t us)
{
	spout__cells_observe(&spout__stats->histograms[id], us);
}

/** Count an answer with this status. */
static inline void
spout__count_response(struct spout__route_figures *route, int status)
{
	spout__relaxed_add(&route->responses[status / 100 - 1], 1);
}

#endif
