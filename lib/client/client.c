/* SPDX-License-Identifier: MIT */
/*
 * The client of a loop: libcurl's multi handle with its sockets and its timer in our
 * loop, the queue, the handles. A client without a loop is driven by sync.c.
 *
 * A socket callback that fails would end every transfer of the multi handle; when there
 * is no memory to watch a socket only the fetch it belongs to fails.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stats.h"
#include "client/client.h"

#define MAX_CLIENTS 100u
#define MAX_QUEUED 1000u
#define MAX_IDLE 100u
#define UNUSED_EASIES_MAX 64u

/* --- handles ---------------------------------------- */

static void
easy_free(struct spout__easy *easy)
{
	curl_easy_cleanup(easy->curl);
	curl_share_cleanup(easy->names);
	free(easy->named);
	free(easy);
}

static struct spout__easy *
easy_new(void)
{
	struct spout__easy *easy = calloc(1, sizeof(*easy));

	if (easy == NULL)
		return NULL;
	spout__list_init(&easy->link);
	easy->curl = curl_easy_init();
	easy->names = curl_share_init();
	if (easy->curl != NULL && easy->names != NULL &&
	    curl_share_setopt(easy->names, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ==
		CURLSHE_OK &&
	    curl_easy_setopt(easy->curl, CURLOPT_SHARE, easy->names) == CURLE_OK)
		return easy;
	easy_free(easy);
	return NULL;
}

struct spout__easy *
spout__easy_get(struct spout__client *client)
{
	struct spout__list *node = spout__list_pop(&client->easies);

	if (node == NULL)
		return easy_new();
	client->unused_easies--;
	return spout__container_of(node, struct spout__easy, link);
}

void
spout__easy_put(struct spout__client *client, struct spout__easy *easy)
{
	if (client->unused_easies >= UNUSED_EASIES_MAX) {
		easy_free(easy);
		return;
	}
	/* The share and its names stay. */
	curl_easy_reset(easy->curl);
	spout__list_push_front(&client->easies, &easy->link);
	client->unused_easies++;
}

/* --- libcurl in the loop ---------------------------------------- */

static struct spout__fetch *
fetch_of(CURL *curl)
{
	char *fetch = NULL;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, &fetch);
	return (struct spout__fetch *)(void *)fetch;
}

void
spout__client_reap(struct spout__client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			spout__transfer_done(
			    fetch_of(message->easy_handle), message->data.result);
}

static void
unwatch(struct spout__socket *at)
{
	spout_loop_remove_handler(at->handler);
	at->handler = NULL;
}

/*
 * What comes on an idle connection is its end, or an answer that nobody has asked for
 * and the next request would take for its own. Without a byte to read and with its end
 * seen libcurl does not use it again; more than a little that comes is a reset.
 */
static void
spoke_unasked(struct spout__socket *at, int fd)
{
	char ignored[4096];

	unwatch(at);
	shutdown(fd, SHUT_RDWR);
	for (int i = 0; i < 16; i++)
		if (recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT) <= 0)
			break;
}

static void
on_fd(int fd, unsigned events, void *arg)
{
	struct spout__client *client = arg;
	int what = 0, running;

	if (client->sockets[fd].idle) {
		spoke_unasked(&client->sockets[fd], fd);
		return;
	}
	if (events & SPOUT_READ)
		what |= CURL_CSELECT_IN;
	if (events & SPOUT_WRITE)
		what |= CURL_CSELECT_OUT;
	curl_multi_socket_action(client->multi, fd, what, &running);
	spout__client_reap(client);
}

/* Where the socket is noted, or NULL when there is no memory for that. */
static struct spout__socket *
socket_at(struct spout__client *client, curl_socket_t fd)
{
	struct spout__socket *more;
	unsigned n = (unsigned)fd + 64;

	if ((unsigned)fd < client->n_sockets)
		return &client->sockets[fd];
	more = realloc(client->sockets, n * sizeof(*more));
	if (more == NULL)
		return NULL;
	memset(more + client->n_sockets, 0, (n - client->n_sockets) * sizeof(*more));
	client->sockets = more;
	client->n_sockets = n;
	return &more[fd];
}

static int
watch(struct spout__client *client, curl_socket_t fd, unsigned events)
{
	struct spout__socket *at = socket_at(client, fd);

	if (at == NULL)
		return -ENOMEM;
	at->idle = false;
	if (at->handler != NULL)
		return spout_loop_update_handler(at->handler, events);
	at->handler = spout_loop_add_handler(client->loop, fd, events, on_fd, client);
	return at->handler != NULL ? 0 : -errno;
}

/*
 * Is this the connection that the fetch had? libcurl tells of the others, those to
 * addresses that were slower, when their descriptors are closed and perhaps in use again;
 * and of a transfer that is paused.
 */
static bool
is_connection_of(const struct spout__fetch *fetch, curl_socket_t fd)
{
	struct sockaddr_storage local = { 0 };
	socklen_t len = sizeof(local);
	in_port_t port;

	if (fetch == NULL || fetch->connects == 0 || fetch->receive_paused ||
	    fetch->send_paused || getsockname(fd, (struct sockaddr *)&local, &len) < 0)
		return false;
	port = local.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&local)->sin6_port
					   : ((struct sockaddr_in *)&local)->sin_port;
	return ntohs(port) == fetch->local_port;
}

/* libcurl does not need it now; it may be about to close it. */
static void
watch_idle(
    struct spout__client *client, const struct spout__fetch *fetch, curl_socket_t fd)
{
	struct spout__socket *at = socket_at(client, fd);

	if (at == NULL || at->handler == NULL)
		return;
	at->idle = is_connection_of(fetch, fd);
	if (!at->idle || spout_loop_update_handler(at->handler, SPOUT_READ) < 0)
		unwatch(at);
}

int
spout__client_close_socket(void *arg, curl_socket_t fd)
{
	struct spout__client *client = arg;

	if ((unsigned)fd < client->n_sockets && client->sockets[fd].handler != NULL)
		unwatch(&client->sockets[fd]);
	return close(fd);
}

static int
on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct spout__fetch *fetch = fetch_of(curl);
	unsigned events = 0;
	int r;

	(void)socket_arg;
	if (what == CURL_POLL_REMOVE) {
		watch_idle(arg, fetch, fd);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= SPOUT_READ;
	if (what & CURL_POLL_OUT)
		events |= SPOUT_WRITE;
	r = watch(arg, fd, events);
	if (fetch != NULL)
		spout__transfer_watched(fetch, events);
	if (fetch != NULL && r < 0) {
		spout__failure_note(fetch, SPOUT_FETCH_CONNECT, r, "%s", strerror(-r));
		spout__fetch_resume(fetch);
	}
	return 0;
}

static void
kick(struct spout__ready *ready)
{
	struct spout__client *client =
	    spout__container_of(ready, struct spout__client, kick);
	int running;

	client->in_kick = true;
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	client->in_kick = false;
	spout__client_reap(client);
}

static void
on_timer(struct spout__timer *timer)
{
	kick(&spout__container_of(timer, struct spout__client, timer)->kick);
}

static int
on_set_timer(CURLM *multi, long ms, void *arg)
{
	struct spout__client *client = arg;

	(void)multi;
	spout__timer_stop(&client->timer);
	/* At once, but not from inside libcurl, nor for ever in one turn. */
	if (ms == 0 && !client->in_kick)
		spout__loop_ready(client->loop, &client->kick);
	else if (ms >= 0)
		spout__timer_start_at(client->loop, &client->timer,
		    spout__loop_after_ms(client->loop, (uint64_t)ms));
	return 0;
}

/* --- the queue ---------------------------------------- */

/* The figures of the process are written by any thread that fetches. */
void
spout__client_moved(struct spout__client *client, int running, int queued)
{
	client->stats.running += (unsigned)running;
	client->stats.queued += (unsigned)queued;
	spout__gauge_add_shared(SPOUT__G_FETCHES_RUNNING, running);
	spout__gauge_add_shared(SPOUT__G_FETCHES_QUEUED, queued);
}

static void
run_queue(struct spout__ready *ready)
{
	struct spout__client *client =
	    spout__container_of(ready, struct spout__client, pump);
	struct spout__list *node;

	while (client->stats.running < client->options.max_clients &&
	    (node = spout__list_pop(&client->queue)) != NULL) {
		spout__client_moved(client, 1, -1);
		spout__list_push(&client->running, node);
		spout__fetch_run(spout__container_of(node, struct spout__fetch, link));
	}
}

void
spout__client_pump(struct spout__client *client)
{
	if (spout__list_empty(&client->queue))
		return;
	if (client->loop != NULL)
		spout__loop_ready(client->loop, &client->pump);
	else
		run_queue(&client->pump);
}

uint64_t
spout__client_now_us(const struct spout__client *client)
{
	return client->loop != NULL ? spout__loop_now_us(client->loop)
				    : spout__clock_ns() / 1000;
}

/* --- life ---------------------------------------- */

static bool global_ok;
static const char *ca_path;

/* OpenSSL finds certificates in a folder by names such as 02265526.0. */
static bool
is_hash(const struct dirent *entry)
{
	return strlen(entry->d_name) == 10 && strcmp(entry->d_name + 8, ".0") == 0;
}

static void
find_ca_path(void)
{
	const char *path = curl_version_info(CURLVERSION_NOW)->capath;
	struct dirent *entry;
	DIR *dir = path != NULL ? opendir(path) : NULL;

	if (dir == NULL)
		return;
	while (ca_path == NULL && (entry = readdir(dir)) != NULL)
		if (is_hash(entry))
			ca_path = path;
	closedir(dir);
}

static void
global_init(void)
{
	global_ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	find_ca_path();
}

const char *
spout__client_ca_path(void)
{
	return ca_path;
}

static int
multi_init(struct spout__client *client)
{
	CURLM *multi = client->multi = curl_multi_init();

	if (multi == NULL)
		return -ENOMEM;
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->options.max_idle);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	if (client->loop == NULL)
		return 0;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
	return 0;
}

struct spout__client *
spout__client_new(struct spout_loop *loop)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct spout__client *client = calloc(1, sizeof(*client));

	/* There may be threads by now, which libcurl from 7.84 on does not mind. */
	pthread_once(&once, global_init);
	if (client == NULL || !global_ok) {
		free(client);
		return NULL;
	}
	client->loop = loop;
	client->options = (struct spout_client_options){ .size = sizeof(client->options),
		.max_clients = MAX_CLIENTS,
		.max_queued = MAX_QUEUED,
		.max_idle = MAX_IDLE };
	spout__list_init(&client->queue);
	spout__list_init(&client->running);
	spout__list_init(&client->easies);
	spout__ready_init(&client->pump, run_queue);
	spout__ready_init(&client->kick, kick);
	spout__timer_init(&client->timer, on_timer);
	if (multi_init(client) == 0)
		return client;
	free(client);
	return NULL;
}

static void
end_all(struct spout__list *list)
{
	while (!spout__list_empty(list))
		spout__fetch_end(
		    spout__container_of(list->next, struct spout__fetch, link),
		    SPOUT_FETCH_QUEUE, -ECANCELED, "its client ends");
}

void
spout__client_free(void *arg)
{
	struct spout__client *client = arg;
	struct spout__list *node;

	if (client == NULL)
		return;
	end_all(&client->queue);
	end_all(&client->running);
	while ((node = spout__list_pop(&client->easies)) != NULL)
		easy_free(spout__container_of(node, struct spout__easy, link));
	curl_multi_cleanup(client->multi);
	free(client->sockets);
	spout__timer_stop(&client->timer);
	spout__list_remove(&client->pump.link);
	spout__list_remove(&client->kick.link);
	free(client);
}

struct spout__client *
spout__client_of(struct spout_loop *loop)
{
	struct spout__client *client = spout__loop_slot(loop, SPOUT__SLOT_CLIENT);

	if (client != NULL)
		return client;
	client = spout__client_new(loop);
	if (client != NULL)
		spout__loop_set_slot(
		    loop, SPOUT__SLOT_CLIENT, client, spout__client_free);
	return client;
}

/* --- settings and figures ---------------------------------------- */

int
spout_client_configure_with(const struct spout_client_options *options)
{
	struct spout__client *client = spout__client_of(spout_loop_current());
	struct spout_client_options given = { .size = sizeof(given) };

	if (client == NULL)
		return -ENOMEM;
	memcpy(&given, options,
	    options->size < sizeof(given) ? options->size : sizeof(given));
	client->options.max_clients = given.max_clients ? given.max_clients : MAX_CLIENTS;
	client->options.max_queued = given.max_queued ? given.max_queued : MAX_QUEUED;
	client->options.max_idle = given.max_idle ? given.max_idle : MAX_IDLE;
	curl_multi_setopt(
	    client->multi, CURLMOPT_MAXCONNECTS, (long)client->options.max_idle);
	spout__client_pump(client);
	return 0;
}

void
spout_client_get_stats(struct spout_client_stats *ret)
{
	const struct spout__client *client =
	    spout__loop_slot(spout_loop_current(), SPOUT__SLOT_CLIENT);

	memset(ret, 0, sizeof(*ret));
	if (client != NULL)
		*ret = client->stats;
}
