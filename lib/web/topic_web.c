/* SPDX-License-Identifier: MIT */
/* Topics as server-sent events and by long polls: see spout/topic_web.h. */
#include "config.h"

#include <spout/topic_web.h>

#include <errno.h>

#include <spout/sse.h>

#include "web/request.h"

/* Enough of one answer: the rest comes with the next. */
#define POLL_BYTES (256u << 10)

static struct spout_topic_options
options_since(const struct spout_topic_options *options, const char *since)
{
	struct spout_topic_options known = { 0 };

	memcpy(&known, options,
	    options->size < sizeof(known) ? options->size : sizeof(known));
	known.size = sizeof(known);
	if (since != NULL && *since != '\0')
		known.since = since;
	return known;
}

static const char *
json_must(struct spout_subscription *sub)
{
	const char *json = spout_topic_json(sub);

	if (json == NULL)
		spout__co_leave(-ENOMEM, 0, "out of memory");
	return json;
}

void
spout_sse_topic_with(struct spout_request *req, const char *topic,
    const struct spout_topic_options *options)
{
	struct spout_topic_options known =
	    options_since(options, spout_sse_last_event_id(req));
	struct spout_subscription *sub = spout_topic_subscribe_with(topic, &known);
	struct spout_sse *sse = spout_sse_open(req);

	spout_sse_send(sse, NULL, NULL, spout_topic_position(sub));
	for (;;) {
		(void)spout_topic_next(sub);
		spout_sse_send(sse, NULL, json_must(sub), spout_topic_position(sub));
	}
}

void
spout_poll_topic_with(struct spout_request *req, const char *topic, uint64_t ms,
    const struct spout_topic_options *options)
{
	const char *since = spout_query_arg(req, "since"), *between = "";
	struct spout_topic_options known = options_since(options, since);
	struct spout_subscription *sub = spout_topic_subscribe_with(topic, &known);
	const struct spout_topic_event *event =
	    spout_try_topic_next(sub, known.since != NULL ? ms : 0);
	size_t sent = 0;

	spout__response_type(req, SPOUT__LITERAL("application/json; charset=UTF-8"));
	spout_set_header(req, "Cache-Control", "no-store");
	spout_write_text(req, "{\"events\":[");
	for (; event != NULL; event = spout_try_topic_next(sub, 0)) {
		const char *json = json_must(sub);

		spout_write_text(req, between);
		spout_write_text(req, json);
		between = ",";
		sent += strlen(json);
		if (sent > POLL_BYTES)
			break;
	}
	/* Letters, digits, and no quotes. */
	spout_printf(req, "],\"position\":\"%s\"}\n", spout_topic_position(sub));
}
