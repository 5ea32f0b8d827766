/* SPDX-License-Identifier: MIT */
/* Answers to agent checks: see agent.h. */
#include "config.h"

#include "app/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/accept.h"

#define GUESTS_MAX 32     /* that have their answer and have not closed */
#define GUEST_BEATS 8     /* how long they may take */
#define LEAST_WEIGHT 5.0  /* per cent: nobody is left without any work */
#define MEMORY_US 2e6     /* how far back the mean reaches */

struct guest {
	int fd;
	unsigned beats;
	struct spout_fd_handler *handler; /* NULL: free */
};

struct spout__agent {
	struct spout_loop *loop;
	const struct spout__worker *worker;
	struct spout__acceptor *acceptor;
	struct guest guests[GUESTS_MAX];
	uint64_t busy_us, at_us; /* the last sample: of all workers together, and when */
	double load;             /* 0 to 1, smoothed */
};

/* --- the load --------------------------------------------------------------------- */

static uint64_t
busy_of_all(const struct spout__scoreboard *board, unsigned *ret_serving)
{
	uint64_t sum = 0;

	*ret_serving = 0;
	for (unsigned k = 0; k <= board->n_slots; k++) {
		const struct spout__scoreboard_slot *place = &board->slots[k];

		if (atomic_load(&place->used) == 0)
			continue;
		sum += atomic_load_explicit(
		    &place->stats.histograms[SPOUT__H_LOOP_TURN_US].sum,
		    memory_order_relaxed);
		*ret_serving += atomic_load(&place->serving) != 0;
	}
	return sum;
}

static void
sample(struct spout__agent *agent)
{
	unsigned serving;
	uint64_t now = spout__clock_ns() / 1000;
	uint64_t busy = busy_of_all(agent->worker->board, &serving);
	double passed = (double)(now - agent->at_us), load = 0;

	if (agent->at_us != 0 && passed > 0 && serving > 0) {
		load = (double)(busy - agent->busy_us) / (passed * serving);
		agent->load += ((load < 1 ? load : 1) - agent->load) * passed /
		    (passed + MEMORY_US);
	}
	agent->busy_us = busy;
	agent->at_us = now;
}

static int
answer_write(const struct spout__agent *agent, char *to, size_t size)
{
	double weight = 100 * (1 - agent->load);

	if (atomic_load(&agent->worker->board->stopping) != 0)
		return snprintf(to, size, "drain\n");
	return snprintf(to, size, "up ready %.0f%%\n",
	    weight > LEAST_WEIGHT ? weight : LEAST_WEIGHT);
}

/* --- guests ----------------------------------------------------------------------- */

static void
guest_close(struct guest *guest)
{
	spout_loop_remove_handler(guest->handler);
	guest->handler = NULL;
	close(guest->fd);
}

/* What it sends is of no interest, but closing with some of it unread would reset. */
static void
on_guest(int fd, unsigned events, void *arg)
{
	char bytes[256];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		guest_close(arg);
}

static void
on_accept(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct spout__agent *agent = ctx;
	struct guest *guest = NULL;
	char text[40];
	int len = answer_write(agent, text, sizeof(text));

	(void)peer;
	(void)peer_len;
	for (unsigned i = 0; i < GUESTS_MAX && guest == NULL; i++)
		if (agent->guests[i].handler == NULL)
			guest = &agent->guests[i];
	if (send(fd, text, (size_t)len, MSG_NOSIGNAL) == len && guest != NULL &&
	    shutdown(fd, SHUT_WR) == 0) {
		*guest = (struct guest){ .fd = fd };
		guest->handler = spout_loop_add_handler(
		    agent->loop, fd, SPOUT_READ, on_guest, guest);
		if (guest->handler != NULL)
			return;
	}
	close(fd);
}

/* --- life cycle ------------------------------------------------------------------- */

struct spout__agent *
spout__agent_new(struct spout_loop *loop, const struct spout__worker *worker, int fd)
{
	struct spout__agent *agent = calloc(1, sizeof(*agent));
	const struct spout__acceptor_options options = {
		.burst = 1, .on_accept = on_accept, .ctx = agent
	};

	if (agent == NULL)
		return NULL;
	agent->loop = loop;
	agent->worker = worker;
	agent->acceptor = spout__acceptor_new(loop, fd, &options);
	if (agent->acceptor == NULL) {
		free(agent);
		return NULL;
	}
	sample(agent);
	return agent;
}

void
spout__agent_beat(struct spout__agent *agent)
{
	sample(agent);
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		if (agent->guests[i].handler != NULL &&
		    ++agent->guests[i].beats > GUEST_BEATS)
			guest_close(&agent->guests[i]);
}

void
spout__agent_stop(struct spout__agent *agent)
{
	spout__acceptor_stop(agent->acceptor);
}

void
spout__agent_free(struct spout__agent *agent)
{
	if (agent == NULL)
		return;
	spout__acceptor_free(agent->acceptor);
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		if (agent->guests[i].handler != NULL)
			guest_close(&agent->guests[i]);
	free(agent);
}
