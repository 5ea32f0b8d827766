/* SPDX-License-Identifier: MIT */
/* A bare mutex + condition + eventfd ping-pong: see pingpong.h. */
#include "config.h"

#include "pingpong.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

struct ping {
	struct ping *next;
	uint64_t sent_ns;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct ping *first, **end;
	bool closed;
};

struct pingpong {
	struct queue there, back;
	int event_fd, epoll_fd;
};

static void
queue_init(struct queue *queue)
{
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	queue->first = NULL;
	queue->end = &queue->first;
	queue->closed = false;
}

static void
queue_put(struct queue *queue, struct ping *ping)
{
	ping->next = NULL;
	pthread_mutex_lock(&queue->lock);
	*queue->end = ping;
	queue->end = &ping->next;
	pthread_mutex_unlock(&queue->lock);
}

/* Everything that is there, maybe nothing. */
static struct ping *
queue_take_all(struct queue *queue)
{
	struct ping *first;

	pthread_mutex_lock(&queue->lock);
	first = queue->first;
	queue->first = NULL;
	queue->end = &queue->first;
	pthread_mutex_unlock(&queue->lock);
	return first;
}

/* Waits; NULL: closed. */
static struct ping *
queue_take(struct queue *queue)
{
	struct ping *ping;

	pthread_mutex_lock(&queue->lock);
	while (queue->first == NULL && !queue->closed)
		pthread_cond_wait(&queue->filled, &queue->lock);
	ping = queue->first;
	if (ping != NULL) {
		queue->first = ping->next;
		if (queue->first == NULL)
			queue->end = &queue->first;
	}
	pthread_mutex_unlock(&queue->lock);
	return ping;
}

static void *
pong(void *arg)
{
	struct pingpong *p = arg;
	const uint64_t one = 1;
	struct ping *ping;

	while ((ping = queue_take(&p->there)) != NULL) {
		queue_put(&p->back, ping);
		if (write(p->event_fd, &one, sizeof(one)) < 0)
			abort();
	}
	return NULL;
}

static void
ping_send(struct pingpong *p, struct ping *ping)
{
	ping->sent_ns = spout__clock_ns();
	queue_put(&p->there, ping);
	pthread_cond_signal(&p->there.filled);
}

static void
ping_loop(struct pingpong *p, struct ping *pings, size_t outstanding, size_t n,
    uint64_t *ret_ns)
{
	struct ping *ping, *next;
	struct epoll_event event;
	size_t sent, done = 0;
	uint64_t count;

	for (sent = 0; sent < outstanding && sent < n; sent++)
		ping_send(p, &pings[sent]);
	while (done < n) {
		if (epoll_wait(p->epoll_fd, &event, 1, -1) < 0 && errno != EINTR)
			abort();
		if (read(p->event_fd, &count, sizeof(count)) < 0)
			continue;
		for (ping = queue_take_all(&p->back); ping != NULL; ping = next) {
			next = ping->next;
			ret_ns[done++] = spout__clock_ns() - ping->sent_ns;
			if (sent < n) {
				sent++;
				ping_send(p, ping);
			}
		}
	}
}

int
pingpong_run(size_t outstanding, size_t n, uint64_t *ret_ns)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pingpong p = { .event_fd = eventfd(0, EFD_NONBLOCK),
		.epoll_fd = epoll_create1(0) };
	struct ping *pings = calloc(outstanding, sizeof(*pings));
	pthread_t thread;

	queue_init(&p.there);
	queue_init(&p.back);
	if (p.event_fd < 0 || p.epoll_fd < 0 || pings == NULL ||
	    epoll_ctl(p.epoll_fd, EPOLL_CTL_ADD, p.event_fd, &event) < 0 ||
	    pthread_create(&thread, NULL, pong, &p) != 0)
		return -errno;
	ping_loop(&p, pings, outstanding, n, ret_ns);
	pthread_mutex_lock(&p.there.lock);
	p.there.closed = true;
	pthread_cond_signal(&p.there.filled);
	pthread_mutex_unlock(&p.there.lock);
	pthread_join(thread, NULL);
	close(p.event_fd);
	close(p.epoll_fd);
	free(pings);
	return 0;
}
