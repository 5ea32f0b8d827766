/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets: opened once, before the fork, and kept by the supervisor for the
 * life of their slot, so that what is queued on them outlives any worker.
 *
 *   REUSEPORT  one SO_REUSEPORT socket per worker slot, one port; the kernel spreads
 *   SHARED     one socket that all workers watch; unix and inherited sockets always
 *   PORTS      one socket per slot, on port + slot
 *
 * Options that accepted sockets inherit (NODELAY, KEEPALIVE, USER_TIMEOUT, NOTSENT_LOWAT)
 * are set here. All descriptors are non-blocking and close-on-exec. For start-up, on the
 * main thread.
 */
#ifndef SPOUT_SUPERVISOR_LISTENERS_H
#define SPOUT_SUPERVISOR_LISTENERS_H

#include <spout/types.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/address.h"

#define SPOUT__LISTEN_BACKLOG 4096

enum spout__listen_mode {
	SPOUT__LISTEN_REUSEPORT,
	SPOUT__LISTEN_SHARED,
	SPOUT__LISTEN_PORTS,
};

/** One thing to listen on; members that are 0 mean the default. */
struct spout__listen_spec {
	const char *text;             /* as for spout__listen_parse(); borrowed */
	enum spout__listen_mode mode; /* for TCP; unix sockets are always shared */
	unsigned unix_mode;           /* permissions of the socket file [0666] */
	const char *announce;         /* what is printed before the address when ready
	                               * ["listening on http://"]; borrowed */
	bool to_the_end;              /* serve during a graceful stop, too */
};

/** The sockets of one spec. */
struct spout__listener {
	enum spout__listen_mode mode;
	unsigned n_fds; /* 1 if shared, else one per slot */
	int *fds;       /* -1: closed here, belongs to a sibling */
	const char *announce;
	bool inherited; /* from systemd, which goes on listening */
	unsigned n_adopted; /* the first of them were open when this process began */
	bool to_the_end;
	uint16_t asked_port; /* 0: any */
	bool owns_path; /* a unix socket file that we made */
	dev_t path_dev;
	ino_t path_ino;
	struct spout__listen_address address; /* with the port that was chosen */
};

struct spout__listeners {
	unsigned n, n_slots;
	bool borrowed; /* another process listens on them, too, and stays responsible */
	struct spout__listener *items;
};

/**
 * Open everything for `n_slots` workers, then whatever systemd handed over (LISTEN_FDS).
 * Sockets of the process before, see inherit.h, are taken where the address is the same;
 * if it had more workers, listeners->n_slots is their number. All or nothing. Returns 0,
 * or -errno with one line in `ret_why`.
 */
int spout__listeners_open(struct spout__listeners *listeners,
    const struct spout__listen_spec *specs, unsigned n_specs, unsigned n_slots,
    char ret_why[SPOUT__WHY]);
/** How many sockets of its own systemd offers to this process. */
unsigned spout__listeners_inherited(void);
/** Close all; remove the socket files we made. */
void spout__listeners_close(struct spout__listeners *listeners);
/** Another process is responsible from now on: leave socket files and queues to it. */
void spout__listeners_give_up(struct spout__listeners *listeners);
/** This process is, from now on, and alone. */
void spout__listeners_take_over(struct spout__listeners *listeners);
/**
 * The final stop begins: let no new connection come in, while those that are queued can
 * be accepted. Their SYN is dropped; the client's kernel sends it again after a second
 * and is refused, once the sockets are closed. Not for inherited sockets and those
 * `to_the_end`, and not if they are borrowed.
 */
void spout__listeners_hold_off(struct spout__listeners *listeners);
/** Nobody accepts from them any more: close those that spout__listeners_hold_off() meant.
 */
void spout__listeners_shut(struct spout__listeners *listeners);
/**
 * One slot more: open its sockets. They get no connection before spout__listeners_steer()
 * counts them in (without BPF they do, and it waits there). All or nothing. Returns 0, or
 * -errno with one line in `ret_why`.
 */
int spout__listeners_grow(struct spout__listeners *listeners, char ret_why[SPOUT__WHY]);
/**
 * From now on only slots 0 to n - 1 get new connections. For the others SYNs are dropped
 * where connections cannot be steered; the client's kernel sends them again.
 */
void spout__listeners_steer(struct spout__listeners *listeners, unsigned n);
/** Whether connections wait on the sockets that the last slot has for itself. */
bool spout__listeners_last_has_queue(const struct spout__listeners *listeners);
/** Close the sockets of the last slot, which nobody accepts from any more. */
void spout__listeners_shrink(struct spout__listeners *listeners);
/** In the worker: close what belongs to the siblings of `slot`. */
void spout__listeners_keep(struct spout__listeners *listeners, unsigned slot);
/** Remove the socket file, if it is one that we made. */
void spout__listener_unlink(struct spout__listener *listener);
/** The socket that worker `slot` accepts on. */
int spout__listener_fd(const struct spout__listener *listener, unsigned slot);
/** Write a line per address ("listening on http://127.0.0.1:8888") to stderr. */
void spout__listeners_announce(const struct spout__listeners *listeners);

#endif
