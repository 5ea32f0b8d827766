/* SPDX-License-Identifier: MIT */
/*
 * Streams between the workers: whenever a process is born, one to each other that lives,
 * made after the fork, so that nobody inherits what is not his, and passed to both. The
 * supervisor keeps none: when a worker is gone, the others see the end of its streams.
 */
#include "config.h"

#include "supervisor/slots.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

static int
pass(const struct spout__slot *to, const struct spout__slot *peer, int fd)
{
	return spout__control_send_fd(to->control, SPOUT__CONTROL_PEER,
	    spout__peer_value(peer->index, peer->birth), fd);
}

static void
link_both(const struct spout__slot *a, const struct spout__slot *b)
{
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		spout_warning("workers %u and %u have no link: %s", a->index, b->index,
		    strerror(errno));
		return;
	}
	r = pass(a, b, fds[0]);
	if (r == 0)
		r = pass(b, a, fds[1]);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) /* dying, perhaps */
		spout_warning("workers %u and %u have no link: %s", a->index, b->index,
		    strerror(-r));
	close(fds[0]);
	close(fds[1]);
}

void
spout__peers_link(struct spout__supervisor *sup, const struct spout__slot *slot)
{
	unsigned i;

	if (!sup->o.peers)
		return;
	if (slot->index >= SPOUT__PEERED_MAX)
		spout_warning("worker %u shares no topics: it is one too many",
		    slot->index);
	for (i = 0; i <= sup->o.max_workers && slot->index < SPOUT__PEERED_MAX; i++) {
		const struct spout__slot *peer = &sup->slots[i];

		if (peer != slot && peer->pid != 0 && peer->control >= 0 &&
		    peer->index < SPOUT__PEERED_MAX)
			link_both(slot, peer);
	}
	if (spout__control_send(slot->control, SPOUT__CONTROL_PEERED, 0, NULL) < 0)
		spout_debug("worker %u does not hear of its peers", slot->index);
}
