/* SPDX-License-Identifier: MIT */
/* What all bridges between hosts have in common: see topic_bridge.h. */
#include "config.h"

#include "app/topic_bridge.h"

#include <errno.h>
#include <stdlib.h>

#include "async/async.h"
#include "base/log.h"
#include "base/stats.h"

#define QUEUE_BYTES ((size_t)8 << 20)
#define PRESENCE_MS 5000u
#define PAUSE_MS 500u

static struct spout_loop *
loop_of(const struct spout__bridge *bridge)
{
	return bridge->topics->loop;
}

/* --- sending ---------------------------------------------------------------------- */

struct batch {
	struct spout__bridge *bridge;
	size_t len;
};

static void
send_batch(void *arg)
{
	const struct batch *batch = arg;
	struct spout__bridge *bridge = batch->bridge;
	char *frames = spout_alloc(batch->len); /* the queue moves while it grows */

	memcpy(frames, spout__buffer_at(&bridge->out), batch->len);
	bridge->way->send(bridge, frames, batch->len);
}

/* As many whole frames as go together; at least one. */
static size_t
batch_len(const struct spout__bridge *bridge)
{
	const char *at = spout__buffer_at(&bridge->out);
	struct spout__topic_frame frame;
	size_t len = 0;
	long n;

	while ((n = spout__wire_get(at + len, bridge->out.len - len, &frame)) > 0 &&
	    (len == 0 || len + (size_t)n <= bridge->way->max_bytes))
		len += (size_t)n;
	return len;
}

static void
sender_gone(void *arg)
{
	struct spout__bridge *bridge = *(struct spout__bridge **)arg;

	bridge->sending = false;
}

static void
sender(void *arg)
{
	struct spout__bridge *bridge = *(struct spout__bridge **)arg;

	spout_defer(sender_gone, arg);
	while (bridge->out.len > 0) {
		struct batch batch = { bridge, batch_len(bridge) };
		int r = spout_try_scope_run(send_batch, &batch);

		if (r == 0) {
			spout__buffer_consume(&bridge->out, batch.len);
			continue;
		}
		if (bridge->stopping)
			return;
		spout_debug("topics: not sent to other hosts: %s", spout_error());
		spout_sleep(PAUSE_MS);
	}
	spout__buffer_release(&bridge->out);
}

static void
start_sender(struct spout__bridge *bridge)
{
	if (!bridge->sending && bridge->out.len > 0 &&
	    spout_spawn(sender, &bridge, sizeof(bridge)) == 0)
		bridge->sending = true;
}

static void
put(struct spout__bridge *bridge, const struct spout__topic_frame *frame)
{
	size_t size = spout__wire_size(frame);
	char *to = spout__buffer_reserve(&bridge->out, size);

	if (to == NULL) {
		spout__count(SPOUT__C_TOPIC_DROPPED, 1);
		bridge->lost = true;
		return;
	}
	spout__wire_put(to, frame);
	spout__buffer_commit(&bridge->out, size);
}

static void
on_frame(struct spout__topic_bridge *topic, const struct spout__topic_frame *frame)
{
	struct spout__bridge *bridge =
	    spout__container_of(topic, struct spout__bridge, topic);

	if (bridge->lost && bridge->out.len < QUEUE_BYTES / 2) {
		bridge->lost = false;
		put(bridge, &(struct spout__topic_frame){ .kind = SPOUT__WIRE_GAP });
	}
	put(bridge, frame);
	start_sender(bridge);
}

static void
on_beat(struct spout__timer *timer)
{
	struct spout__bridge *bridge =
	    spout__container_of(timer, struct spout__bridge, beat);

	if (!bridge->leading)
		return;
	spout__topics_tell_bridge(bridge->topics);
	start_sender(bridge); /* if there was no memory for one */
	spout__timer_start_at(
	    loop_of(bridge), timer, spout__loop_after_ms(loop_of(bridge), PRESENCE_MS));
}

/* --- receiving -------------------------------------------------------------------- */

static void
receive(void *arg)
{
	struct spout__bridge *bridge = arg;

	bridge->way->receive(bridge);
}

static void
receiver_gone(void *arg)
{
	struct spout__bridge *bridge = *(struct spout__bridge **)arg;

	bridge->receiving = false;
}

static void
receiver(void *arg)
{
	struct spout__bridge *bridge = *(struct spout__bridge **)arg;

	spout_defer(receiver_gone, arg);
	while (spout__bridge_receives(bridge)) {
		if (spout_try_scope_run(receive, bridge) < 0 &&
		    spout__bridge_receives(bridge))
			spout_warning("topics of other hosts: %s", spout_error());
		if (spout__bridge_receives(bridge))
			spout_sleep(PAUSE_MS);
	}
}

void
spout__bridge_up(struct spout__bridge *bridge, bool gap)
{
	if (gap)
		spout__topics_inject(bridge->topics,
		    &(struct spout__topic_frame){ .kind = SPOUT__WIRE_GAP });
	spout__topics_bridge_up(bridge->topics);
	put(bridge,
	    &(struct spout__topic_frame){
		.kind = SPOUT__WIRE_WANT, .origin = bridge->topics->self });
	spout__topics_tell_bridge(bridge->topics);
	start_sender(bridge);
}

void
spout__bridge_came(struct spout__bridge *bridge, const char *frames, size_t len)
{
	struct spout__topic_frame frame;
	long n;

	for (; (n = spout__wire_get(frames, len, &frame)) > 0; len -= (size_t)n) {
		spout__topics_inject(bridge->topics, &frame);
		frames += n;
	}
	if (len > 0)
		spout_debug("topics: %zu bytes of another host make no sense", len);
}

/* --- life ------------------------------------------------------------------------- */

static void
on_lead(struct spout__topic_bridge *topic, bool leading)
{
	struct spout__bridge *bridge =
	    spout__container_of(topic, struct spout__bridge, topic);

	bridge->leading = leading;
	if (!leading) {
		bridge->way->stop(bridge);
		return;
	}
	spout_info("topics: this worker carries them to other hosts");
	if (!bridge->receiving && spout_spawn(receiver, &bridge, sizeof(bridge)) == 0)
		bridge->receiving = true;
	on_beat(&bridge->beat);
}

/*
 * What other workers of this host still publish is sent until the end, unless another
 * one of them leads by then; what comes in is nobody's here.
 */
static void
stop_now(struct spout__bridge *bridge)
{
	bridge->stopping = true;
	spout__topics_resign(bridge->topics);
	bridge->way->stop(bridge);
}

static void
on_end(struct spout__timer *timer)
{
	stop_now(spout__container_of(timer, struct spout__bridge, end));
}

struct spout__bridge *
spout__bridge_new(
    struct spout__topics *topics, const struct spout__bridge_way *way, const char *url)
{
	struct spout__bridge *bridge = calloc(1, sizeof(*bridge));

	if (bridge == NULL)
		return NULL;
	bridge->topic = (struct spout__topic_bridge){ on_lead, on_frame };
	bridge->topics = topics;
	bridge->way = way;
	bridge->url = url;
	spout__buffer_init(&bridge->out, QUEUE_BYTES);
	spout__timer_init(&bridge->beat, on_beat);
	spout__timer_init(&bridge->end, on_end);
	spout__topics_set_bridge(topics, &bridge->topic);
	return bridge;
}

void
spout__bridge_stop(struct spout__bridge *bridge, uint64_t ms)
{
	if (bridge == NULL || bridge->stopping)
		return;
	if (!bridge->leading || ms == 0)
		stop_now(bridge);
	else
		spout__timer_start_at(loop_of(bridge), &bridge->end,
		    spout__loop_after_ms(loop_of(bridge), ms));
}

void
spout__bridge_free(struct spout__bridge *bridge)
{
	if (bridge == NULL)
		return;
	spout__topics_set_bridge(bridge->topics, NULL);
	spout__timer_stop(&bridge->beat);
	spout__timer_stop(&bridge->end);
	spout__buffer_release(&bridge->out);
	free(bridge);
}
