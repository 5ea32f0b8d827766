/* SPDX-License-Identifier: MIT */
/*
 * A worker: builds its parts, runs the loop, takes the parts down again. The picture is
 * in worker.h; stop.c holds the way from the order to stop to the end of the loop.
 */
#include "config.h"

#include "app/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/session_store.h"
#include "app/spread.h"
#include "base/clock.h"
#include "base/log.h"
#include "executor/executor.h"
#include "net/tls.h"
#include "net/process.h"
#include "pg/pg.h"

#define HEARTBEAT_MS 250
#define CERTIFICATES_MS 10000
#define VITALS_BEATS 4 /* once a second */

static const struct spout__life *running;

unsigned
spout_worker_number(void)
{
	return running ? running->worker->slot : 0;
}

bool
spout_has_database(void)
{
	return running && running->program->settings.database != NULL;
}

/* A part could not be made: tell the supervisor, end with status 1. */
static int
boot_failed(struct spout__life *life, const char *what, int error)
{
	spout__worker_boot_failed(life->worker, "%s: %s", what, strerror(-error));
	life->failed_start = true;
	return error;
}

/*
 * Look whether the files of the certificates have changed. A worker that may not read
 * them, having become somebody else, keeps those that it was born with.
 */
static void
refresh_certificates(void *arg)
{
	struct spout__life *life = arg;
	char why[SPOUT__WHY];
	int r = spout__tls_refresh(life->program->tls, why);

	if (r > 0)
		spout_info("TLS: the certificates were read again");
	else if (r < 0)
		spout_warning(
		    "TLS: the old certificates stay, the new ones do not work: %s", why);
}

static void
on_heartbeat(void *arg)
{
	static unsigned beats;
	struct spout__life *life = arg;

	spout__gauge_set(SPOUT__G_HEARTBEAT_MS, spout__clock_ms());
	spout__database_follow(&life->database, life->worker->board);
	spout__spread_look(life);
	if (life->agent != NULL)
		spout__agent_beat(life->agent);
	spout__scoreboard_follow_log_level(life->worker->board);
	if (beats++ % VITALS_BEATS == 0)
		spout__vitals_take(&life->vitals, life->worker,
		    spout__loop_take_max_turn_us(life->loop));
}

/* The access log's descriptor keeps its number: whoever writes next writes there. */
static void
take_log(const struct spout__life *life, const struct spout__control_message *message)
{
	int fd = life->program->access_log_fd;

	if (fd >= 0 && message->fd >= 0 && dup3(message->fd, fd, O_CLOEXEC) < 0)
		spout_warning("access log: %s", strerror(errno));
}

/* A stream to another worker of this host. */
static void
take_peer(struct spout__life *life, const struct spout__control_message *message)
{
	const struct spout__publisher peer = { .host = life->worker->host,
		.birth = (uint32_t)(message->value >> 32),
		.slot = (uint32_t)message->value };
	int error;

	if (message->fd < 0)
		return;
	error = spout__topics_add_peer(life->topics, message->fd, &peer);
	if (error)
		spout_warning("topics are not shared with worker %u: %s", peer.slot,
		    strerror(-error));
}

static void
obey(struct spout__life *life, const struct spout__control_message *message)
{
	switch (message->kind) {
	case SPOUT__CONTROL_UNREADY:
		spout__life_turn_away(life);
		break;
	case SPOUT__CONTROL_DRAIN:
		spout__life_drain(life, message->value);
		break;
	case SPOUT__CONTROL_RETIRE:
		spout__topics_resign(life->topics);
		spout__life_retire(life, message->value);
		break;
	case SPOUT__CONTROL_STOP:
		spout__life_cut(life, message->value);
		break;
	case SPOUT__CONTROL_LOG:
		take_log(life, message);
		break;
	case SPOUT__CONTROL_PEER:
		take_peer(life, message);
		return; /* the descriptor is theirs */
	case SPOUT__CONTROL_PEERED:
		spout__topics_set_joining(life->topics, false);
		break;
	default:
		break;
	}
	if (message->fd >= 0)
		close(message->fd);
}

static void
on_control(int fd, unsigned events, void *arg)
{
	struct spout__life *life = arg;
	struct spout__control_message message;
	int got;

	(void)events;
	while ((got = spout__control_receive(fd, &message)) > 0)
		obey(life, &message);
	if (got == -EAGAIN)
		return;
	spout_error_log("the supervisor is gone");
	spout_loop_remove_handler(life->control);
	life->control = NULL;
	life->status = 1;
	spout__life_end(life);
}

/* --- building ---------------------------------------------------------------------- */

static int
open_pools(struct spout__life *life)
{
	const struct spout__settings *s = &life->program->settings;
	struct spout__executor_options executor = {
		.cpu_threads = s->cpu_threads,
		.blocking_min = s->threads_min,
		.blocking_max = s->threads_max,
		.db_threads = s->database ? (unsigned)s->db_connections : 0,
	};
	struct spout__pg_options pg = {
		.url = s->database,
		.password_file = s->db_password_file,
		.password_fn = life->program->app.database_password,
		.connect_ms = (unsigned)s->db_connect_timeout_ms,
		.acquire_ms = (unsigned)s->db_acquire_timeout_ms,
		.idle_ms = (unsigned)s->db_idle_timeout_ms,
		.lifetime_ms = (unsigned)s->db_max_lifetime_ms,
		.pooler = s->db_pooler == 1,
		.min_conns = (unsigned)s->db_min_connections,
		.statement_ms = (unsigned)s->db_statement_timeout_ms,
		.lock_ms = (unsigned)s->db_lock_timeout_ms,
		.idle_transaction_ms = (unsigned)s->db_transaction_timeout_ms,
		.slow_ms = (unsigned)s->db_slow_query_ms,
		.leak_ms = (unsigned)s->db_leak_report_ms,
		.name = life->program->app.name,
		.slot = life->worker->slot,
	};
	int error = spout__executor_start(life->loop, &executor);

	if (error)
		return boot_failed(life, "cannot start the thread pools", error);
	error = spout__pg_start(life->loop, &pg);
	return error ? boot_failed(life, "cannot set up the database", error) : 0;
}

/* Known only behind the pools and the topics. */
static int
open_bridge(struct spout__life *life)
{
	const char *url = life->program->settings.topic_url;

	if (url == NULL)
		return 0;
	life->bridge = spout__bridge_new(life->topics,
	    strcmp(url, "database") == 0 ? &spout__bridge_pg : &spout__bridge_redis, url);
	return life->bridge ? 0 : boot_failed(life, "cannot share topics", -ENOMEM);
}

static int
open_topics(struct spout__life *life)
{
	const struct spout__worker *worker = life->worker;
	const struct spout__publisher self = {
		.host = worker->host, .birth = worker->birth, .slot = worker->slot
	};

	life->topics = spout__topics_of(life->loop);
	if (life->topics == NULL)
		return boot_failed(life, "cannot make the topics", -ENOMEM);
	spout__topics_set_self(life->topics, &self);
	spout__topics_set_joining(life->topics, true);
	return 0;
}

static void
database_check(void *arg)
{
	(void)arg;
	spout_pg_query("SELECT 1");
}

/* The operator may take us out of the rotation; everything else goes on. */
static void
set_aside_check(void *arg)
{
	const struct spout__worker *worker = arg;

	if (atomic_load(&worker->board->set_aside))
		spout_fail_with(-EBUSY, "set aside by order");
}

static int
add_set_aside_check(struct spout__life *life, struct spout__web *web)
{
	return spout__web_add_check(
	    web, "operator", set_aside_check, (void *)life->worker);
}

static int
open_web(struct spout__life *life)
{
	struct spout__program *program = life->program;
	struct spout__web_options options = {
		.access_log_fd = program->access_log_fd,
		.access_log_json = program->settings.log_format == SPOUT__LOG_JSON,
		.trust = &program->settings.trust,
	};
	int error = 0;

	life->web = spout__web_new(life->loop, &program->app, &options);
	if (life->web == NULL)
		return boot_failed(life, "cannot make the application", -errno);
	if (program->settings.database)
		spout__web_set_session_store(life->web, &spout__session_store_pg);
	if (program->settings.database)
		error = spout__web_add_check(life->web, "database", database_check, NULL);
	if (error == 0)
		error = add_set_aside_check(life, life->web);
	return error ? boot_failed(life, "cannot make the application", error) : 0;
}

static int
open_server(struct spout__life *life)
{
	const struct spout__settings *s = &life->program->settings;
	struct spout__http_delegate delegate = spout__web_delegate(life->web);
	struct spout__http_options options;

	spout__http_options_init(&options);
	options.idle_timeout_ms = s->idle_timeout_ms;
	options.no_keep_alive = s->no_keep_alive;
	options.request_timeout_ms = s->request_timeout_ms;
	options.max_body_bytes = s->max_body_bytes;
	options.max_connections = (unsigned)s->max_connections;
	life->server = spout__http_server_new(life->loop, &options, &delegate);
	return life->server ? 0 : boot_failed(life, "cannot make the server", -ENOMEM);
}

static int
open_admin(struct spout__life *life)
{
	const struct spout__worker *worker = life->worker;
	int index = life->program->admin_listener;

	if (index < 0)
		return 0;
	life->admin = spout__admin_new(life->loop, worker,
	    spout__listener_fd(&worker->listeners->items[index], worker->slot),
	    spout__program_tls(life->program, (unsigned)index));
	if (life->admin != NULL &&
	    add_set_aside_check(life, spout__admin_web(life->admin)) == 0)
		return 0;
	return boot_failed(life, "cannot serve the admin address", -errno);
}

static int
open_agent(struct spout__life *life)
{
	const struct spout__worker *worker = life->worker;
	int index = life->program->agent_listener;

	if (index < 0)
		return 0;
	life->agent = spout__agent_new(life->loop, worker,
	    spout__listener_fd(&worker->listeners->items[index], worker->slot));
	return life->agent ? 0 : boot_failed(life, "cannot answer agent checks", -errno);
}

static int
open_certificates(struct spout__life *life)
{
	if (life->program->tls == NULL)
		return 0;
	refresh_certificates(life); /* the supervisor has read them long ago, perhaps */
	life->certificates = spout_periodic_start(
	    life->loop, CERTIFICATES_MS, 0, refresh_certificates, life);
	return life->certificates
	    ? 0
	    : boot_failed(life, "cannot watch the certificates", -errno);
}

static int
open_watches(struct spout__life *life)
{
	spout__database_begin(&life->database, life->worker->board);
	on_heartbeat(life);
	life->heartbeat =
	    spout_periodic_start(life->loop, HEARTBEAT_MS, 0, on_heartbeat, life);
	if (life->heartbeat == NULL)
		return boot_failed(life, "cannot start the heartbeat", -errno);
	if (life->program->settings.stall_threshold_ms > 0) {
		life->watchdog = spout__watchdog_start(
		    life->loop, life->program->settings.stall_threshold_ms);
		if (life->watchdog == NULL)
			return boot_failed(life, "cannot start the watchdog", -errno);
	}
	life->control = spout_loop_add_handler(
	    life->loop, life->worker->control, SPOUT_READ, on_control, life);
	return life->control ? 0
			     : boot_failed(life, "cannot watch the supervisor", -errno);
}

/* --- serving ----------------------------------------------------------------------- */

static bool (*how_to_accept(const struct spout__listener *listener))(void *)
{
	if (listener->mode == SPOUT__LISTEN_SHARED)
		return spout__spread_has_few;
	return listener->mode == SPOUT__LISTEN_REUSEPORT ? spout__spread_accepts : NULL;
}

static int
listen_all(struct spout__life *life)
{
	const struct spout__listeners *listeners = life->worker->listeners;
	const struct spout__trust *trust = &life->program->settings.trust;

	for (unsigned i = 0; i < listeners->n; i++) {
		bool shared = listeners->items[i].mode == SPOUT__LISTEN_SHARED;
		int error;

		if ((int)i == life->program->admin_listener ||
		    (int)i == life->program->agent_listener)
			continue;
		error = spout__http_server_listen(life->server,
		    &(struct spout__http_listen){
			.fd = spout__listener_fd(
			    &listeners->items[i], life->worker->slot),
			.tls = spout__program_tls(life->program, i),
			.shared = shared,
			.may_accept = how_to_accept(&listeners->items[i]),
			.ctx = life,
			.proxies = trust->networks,
			.n_proxies = spout__program_proxied(life->program, i)
			    ? trust->n
			    : 0 });
		if (error)
			return boot_failed(life, "cannot accept connections", error);
	}
	return 0;
}

static int
serve(struct spout__life *life)
{
	int error = listen_all(life);

	if (error)
		return error;
	life->periodic = spout__periodic_tasks_start(life->loop, &life->program->app);
	if (life->periodic == NULL)
		return boot_failed(life, "cannot start the periodic tasks", -errno);
	life->phase = SPOUT__LIFE_SERVING;
	spout__web_set_unready(life->web, NULL);
	if (life->admin)
		spout__web_set_unready(spout__admin_web(life->admin), NULL);
	error = spout__worker_ready(life->worker);
	return error ? boot_failed(life, "cannot reach the supervisor", error) : 0;
}

/* The start hook has ended: serve, unless it failed or a stop came first. */
static void
on_started(struct spout__hook *hook)
{
	struct spout__life *life = spout__container_of(hook, struct spout__life, start);

	if (life->phase == SPOUT__LIFE_ENDING)
		spout_loop_stop(life->loop);
	else if (hook->error) {
		spout__worker_boot_failed(
		    life->worker, "%s: %s", hook->name, hook->reason);
		life->failed_start = true;
		spout__life_end(life);
	} else if (serve(life) != 0)
		spout__life_end(life);
	else if (life->drain_when_started)
		spout__life_drain(life, spout__life_left_ms(life));
}

static void
no_hook(struct spout_app *app)
{
	(void)app;
}

static int
start(struct spout__life *life)
{
	struct spout_app *app = &life->program->app;
	int error;

	life->start = (struct spout__hook){ .app = app,
		.name = "on_worker_start",
		.fn = app->on_worker_start ? app->on_worker_start : no_hook,
		.on_end = on_started };
	error = spout__hook_start(&life->start, life->loop);
	return error ? boot_failed(life, "cannot start", error) : 0;
}

static int
build(struct spout__life *life)
{
	static int (*const steps[])(struct spout__life *) = {
		open_pools,
		open_topics,
		open_bridge,
		open_web,
		open_certificates,
		open_server,
		open_admin,
		open_agent,
		open_watches,
		start,
	};
	int error = 0;

	spout__async_set_stack_kib((unsigned)life->program->settings.stack_kib);
	life->loop = spout_loop_new();
	if (life->loop == NULL)
		return boot_failed(life, "cannot make the event loop", -errno);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && error == 0; i++)
		error = steps[i](life);
	return error;
}

/* --- taking down ----------------------------------------------------------------------
 */

static void
close_parts(struct spout__life *life)
{
	spout__timer_stop(&life->deadline);
	spout__timer_stop(&life->poll);
	spout__watchdog_stop(life->watchdog);
	if (life->heartbeat)
		spout_periodic_stop(life->heartbeat);
	if (life->certificates)
		spout_periodic_stop(life->certificates);
	if (life->control)
		spout_loop_remove_handler(life->control);
	if (life->server)
		spout__http_server_free(life->server);
	spout__admin_free(life->admin);
	spout__agent_free(life->agent);
	spout__bridge_stop(life->bridge, 0);
}

/*
 * A job that does not end, or a coroutine that waits for one, still uses the memory of
 * this process: nothing may be freed then, not even by exit().
 */
static void
leave_at_once(struct spout__life *life, const char *what)
{
	spout_warning("stopping although %s", what);
	spout__log_stop();
	_exit(life->status);
}

static void
take_down(struct spout__life *life)
{
	uint64_t ms = spout__life_left_ms(life) / 2;

	close_parts(life);
	spout__processes_stop(life->loop, ms / 4);
	if (spout__pg_stop(life->loop, ms / 2) != 0)
		leave_at_once(life, "a database job has not ended");
	if (spout__executor_stop(life->loop, ms / 2) != 0)
		leave_at_once(life, "a job has not ended");
	if (spout__coroutines_alive(life->loop) > 0)
		leave_at_once(life, "a task has not ended");
	spout__bridge_free(life->bridge);
	spout__periodic_tasks_free(life->periodic);
	if (life->web)
		spout__web_free(life->web);
	spout_loop_free(life->loop);
}

int
spout__worker_main(const struct spout__worker *worker)
{
	struct spout__life life = { .worker = worker, .program = worker->arg };
	int error;

	running = &life;
	spout__timer_init(&life.deadline, NULL);
	spout__timer_init(&life.poll, NULL);
	error = build(&life);
	if (error == 0)
		error = spout_loop_run(life.loop);
	if (error && !life.failed_start)
		spout_error_log("event loop: %s", strerror(-error));
	if (error || life.failed_start)
		life.status = 1;
	if (life.loop)
		take_down(&life);
	running = NULL;
	return life.status;
}
