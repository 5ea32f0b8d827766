/* SPDX-License-Identifier: MIT */
/*
 * Fetching without a loop: the same fetch, driven by the thread that wants it. Each
 * thread has a client of its own, which keeps its connections until the thread ends.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "base/log.h"
#include "client/client.h"

/* Without a wait in it something is wrong: look at the time-outs now and then. */
#define LOOK_MS 1000u

static pthread_key_t key;
static bool key_ok;

/* With it goes what answers have left in the thread's stores of memory. */
static void
end_client(void *client)
{
	spout__client_free(client);
	spout__arena_trim();
	spout__buffer_trim();
}

static void
make_key(void)
{
	key_ok = pthread_key_create(&key, end_client) == 0;
}

static struct spout__client *
client_of_thread(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct spout__client *client;

	pthread_once(&once, make_key);
	if (!key_ok)
		return NULL;
	client = pthread_getspecific(key);
	if (client != NULL)
		return client;
	client = spout__client_new(NULL);
	if (client != NULL && pthread_setspecific(key, client) != 0) {
		spout__client_free(client);
		client = NULL;
	}
	return client;
}

void
spout_fetch_sync_close(void)
{
	if (!key_ok)
		return;
	end_client(pthread_getspecific(key));
	pthread_setspecific(key, NULL);
}

static void
notice(struct spout__fetch *fetch, enum spout__fetch_event event)
{
	if (event == SPOUT__FETCH_OVER)
		*(struct spout__fetch **)fetch->owner = NULL;
}

/* One wait. The fetch may be over, and gone, at any of these calls. */
static void
step(struct spout__client *client, struct spout__fetch *const *fetch)
{
	uint64_t now = spout__client_now_us(client) / 1000, ms = LOOK_MS;
	uint64_t at = (*fetch)->timer_at_ms;
	int running;

	if (at != 0)
		ms = at <= now ? 0 : at - now < LOOK_MS ? at - now : LOOK_MS;
	if ((*fetch)->resume_wanted)
		ms = 0;
	curl_multi_poll(client->multi, NULL, 0, (int)ms, NULL);
	curl_multi_perform(client->multi, &running);
	spout__client_reap(client);
	if (*fetch != NULL && (*fetch)->resume_wanted)
		spout__fetch_resumed(*fetch);
	now = spout__client_now_us(client) / 1000;
	if (*fetch != NULL && (*fetch)->timer_at_ms != 0 && now >= (*fetch)->timer_at_ms)
		spout__deadline_check(*fetch);
}

static int
run(struct spout__client *client, const char *url,
    const struct spout_fetch_options *options, struct spout_response *response)
{
	struct spout__fetch *fetch = spout__fetch_new(client, url, options, response);
	int r;

	if (fetch == NULL)
		return response->failure.error ? response->failure.error : -ENOMEM;
	fetch->owner = &fetch;
	fetch->notify = notice;
	r = spout__fetch_start(fetch);
	if (r < 0) {
		response->failure = fetch->failure;
		spout__fetch_drop(fetch);
		return r;
	}
	while (fetch != NULL)
		step(client, &fetch);
	return response->failure.error;
}

static struct spout_response *
refuse(struct spout_response *response, struct spout_fetch_failure *ret_failure,
    int error, const char *why)
{
	struct spout_fetch_failure failure = { .error = error };

	snprintf(failure.reason, sizeof(failure.reason), "%s", why);
	if (response != NULL && response->failure.error != 0)
		failure = response->failure;
	if (ret_failure != NULL)
		*ret_failure = failure;
	spout__response_release(response);
	errno = -error;
	return NULL;
}

struct spout_response *
spout_fetch_sync_with(const char *url, struct spout_fetch_failure *ret_failure,
    const struct spout_fetch_options *options)
{
	struct spout__client *client = client_of_thread();
	struct spout_response *response;
	int r;

	if (options->stream || options->upload)
		return refuse(NULL, ret_failure, -EINVAL,
		    "spout_fetch_sync: .stream and .upload wait for a coroutine");
	if (client == NULL)
		return refuse(NULL, ret_failure, -ENOMEM, "out of memory");
	if (client->stats.running > 0)
		return refuse(NULL, ret_failure, -EBUSY,
		    "spout_fetch_sync: called from inside of another one");
	response = spout__response_new();
	if (response == NULL)
		return refuse(NULL, ret_failure, -ENOMEM, "out of memory");
	r = run(client, url, options, response);
	return r < 0 ? refuse(response, ret_failure, r, strerror(-r)) : response;
}
