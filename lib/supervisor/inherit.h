/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that come from the process before, by the protocol of
 * sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. Some were opened by systemd
 * for its own reasons; ours carry a name that says what they are, whether an upgrade or
 * systemd's store of descriptors has kept them. At the start, before any thread.
 */
#ifndef SPOUT_SUPERVISOR_INHERIT_H
#define SPOUT_SUPERVISOR_INHERIT_H

#include "supervisor/listeners.h"

#define SPOUT__LISTEN_FDS_START 3
#define SPOUT__LISTEN_FDS_MAX 1024u
#define SPOUT__FD_NAME 200 /* room for the name of one, 255 at most by the protocol */

struct spout__inherited {
	int fd; /* -1: taken */
	bool ours;
	enum spout__listen_mode mode; /* if ours */
	unsigned slot;                /* if ours: the worker's */
	struct spout__listen_address address;
	char name[SPOUT__FD_NAME];
};

struct spout__inheritance {
	unsigned n;
	struct spout__inherited *items;
};

/**
 * Look at what was handed to this process. Descriptors become non-blocking and
 * close-on-exec. Returns 0, or -errno with one line in `ret_why`.
 */
int spout__inherit_read(struct spout__inheritance *ret, char ret_why[SPOUT__WHY]);
/** Close those of ours that nobody took, let systemd forget them, free. */
void spout__inherit_release(struct spout__inheritance *inheritance);
/** They are not for the programs we start. */
void spout__inherit_forget(void);
/** Take the socket of a slot for `address` (port 0: any); its descriptor, or -1. */
int spout__inherit_take(struct spout__inheritance *inheritance,
    enum spout__listen_mode mode, unsigned slot,
    const struct spout__listen_address *address);
/** Workers that the sockets of ours were opened for; 0: none are there. */
unsigned spout__inherit_slots(const struct spout__inheritance *inheritance);
/** The name of the socket of a slot. */
void spout__inherit_name(const struct spout__listener *listener, unsigned slot,
    char ret_name[SPOUT__FD_NAME]);

#endif
