/* SPDX-License-Identifier: MIT */
/* Who gets new connections, until nobody does: see listeners.h. */
#include "config.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/listeners.h"
#include "supervisor/steer.h"

/* --- the final stop -------------------------------------------------------------- */

/* Drop segments with SYN and without ACK; the filter sees them from the TCP header on. */
static void
drop_syn(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]),
		.filter = code };

	/* Without it a connection that comes now may be reset: worse, but no failure. */
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		spout_debug("cannot hold off connections: %s", strerror(errno));
}

static bool
ends_early(const struct spout__listener *l)
{
	return !l->inherited && !l->to_the_end;
}

void
spout__listeners_hold_off(struct spout__listeners *ls)
{
	unsigned i, k;

	for (i = 0; i < ls->n && !ls->borrowed; i++) {
		struct spout__listener *l = &ls->items[i];

		if (!ends_early(l))
			continue;
		spout__listener_unlink(l);
		for (k = 0; k < l->n_fds && l->address.addr.ss_family != AF_UNIX; k++)
			if (l->fds[k] >= 0)
				drop_syn(l->fds[k]);
	}
}

void
spout__listeners_shut(struct spout__listeners *ls)
{
	unsigned i, k;

	for (i = 0; i < ls->n; i++) {
		struct spout__listener *l = &ls->items[i];

		for (k = 0; k < l->n_fds && ends_early(l); k++) {
			if (l->fds[k] >= 0)
				close(l->fds[k]);
			l->fds[k] = -1;
		}
	}
}

/* --- some of the slots ----------------------------------------------------------- */

void
spout__listeners_steer(struct spout__listeners *ls, unsigned n)
{
	unsigned i, k;

	for (i = 0; i < ls->n; i++) {
		struct spout__listener *l = &ls->items[i];
		int rc = l->mode == SPOUT__LISTEN_REUSEPORT
		    ? spout__steer_first(l->fds[0], n)
		    : 0;

		if (rc < 0)
			spout_debug("cannot steer connections: %s", strerror(-rc));
		for (k = n; k < l->n_fds && (rc < 0 || l->mode == SPOUT__LISTEN_PORTS);
		     k++)
			drop_syn(l->fds[k]);
	}
}

bool
spout__listeners_last_has_queue(const struct spout__listeners *ls)
{
	unsigned i;

	for (i = 0; i < ls->n; i++) {
		const struct spout__listener *l = &ls->items[i];
		struct pollfd p = { .events = POLLIN };

		if (l->mode == SPOUT__LISTEN_SHARED)
			continue;
		p.fd = l->fds[l->n_fds - 1];
		if (poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0)
			return true;
	}
	return false;
}
