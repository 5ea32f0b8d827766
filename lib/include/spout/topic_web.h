/* SPDX-License-Identifier: MIT */
/*
 * Topics (spout/topic.h) for browsers without WebSockets: as a stream of server-sent
 * events, or by long polls. Loop thread, inside a handler.
 *
 *     static void
 *     room_events(struct spout_request *req)
 *     {
 *             spout_sse_topic(req, "room:1", .history = 20);
 *     }
 *
 *     static void
 *     room_poll(struct spout_request *req)
 *     {
 *             spout_poll_topic(req, "room:1", 25000, .history = 20);
 *     }
 */
#ifndef SPOUT_TOPIC_WEB_H
#define SPOUT_TOPIC_WEB_H

#include <spout/topic.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_request;

/**
 * Send what comes to a topic, as JSON (spout_topic_json()), until the client is gone:
 * does not return. The id of each event is the position behind it, so a browser that
 * connects again goes on where it was; .since counts only when it says nothing.
 */
#define spout_sse_topic(req, topic, ...) \
	spout_sse_topic_with((req), (topic), SPOUT_TOPIC_OPTIONS_(__VA_ARGS__))
SPOUT_API SPOUT_NORETURN void spout_sse_topic_with(struct spout_request *req,
    const char *topic, const struct spout_topic_options *options);

/**
 * Answer {"position": TEXT, "events": […]}. With an argument "since", the position of the
 * answer before, waits until there is something, at most `ms`: less than the time-out of
 * the request. Without, answers at once, with the history that is asked for.
 */
#define spout_poll_topic(req, topic, ms, ...) \
	spout_poll_topic_with((req), (topic), (ms), SPOUT_TOPIC_OPTIONS_(__VA_ARGS__))
SPOUT_API void spout_poll_topic_with(struct spout_request *req, const char *topic,
    uint64_t ms, const struct spout_topic_options *options);

#ifdef __cplusplus
}
#endif

#endif
