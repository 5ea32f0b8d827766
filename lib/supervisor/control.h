/* SPDX-License-Identifier: MIT */
/*
 * The control socketpair between the supervisor and one worker: small messages of one
 * size over SOCK_SEQPACKET, so that each arrives whole and may carry descriptors. Both
 * ends are non-blocking. End of file means that the other side is gone.
 */
#ifndef SPOUT_SUPERVISOR_CONTROL_H
#define SPOUT_SUPERVISOR_CONTROL_H

#include <spout/types.h>

enum spout__control_kind {
	/* worker to supervisor */
	SPOUT__CONTROL_READY = 1,   /* serving */
	SPOUT__CONTROL_BOOT_FAILED, /* text: why; the worker exits after it */
	SPOUT__CONTROL_ACCEPTED, /* draining, it has accepted what was queued and closed
	                          * its sockets */
	SPOUT__CONTROL_SCALE, /* somebody wants `value` workers */
	SPOUT__CONTROL_SIGNAL, /* do what this signal (`value`) would have you do */
	/* supervisor to worker */
	SPOUT__CONTROL_UNREADY, /* a DRAIN will follow: say so to load balancers */
	SPOUT__CONTROL_DRAIN, /* accept what is queued, answer what runs, exit with 0;
	                       * value: milliseconds until SIGKILL */
	SPOUT__CONTROL_STOP,  /* the same at once: cancel what runs; value as above */
	SPOUT__CONTROL_RETIRE, /* as DRAIN, but a new worker serves the same sockets:
	                        * readiness stays, clients may move in peace */
	/* between the supervisors of two programs, in an upgrade */
	SPOUT__CONTROL_TAKE_OVER, /* the new one is responsible now */
	/* supervisor to worker */
	SPOUT__CONTROL_LOG, /* with a descriptor: the access log goes there from now on */
	SPOUT__CONTROL_PEER, /* with a descriptor: a stream to another worker, value as
	                      * spout__peer_value() */
	SPOUT__CONTROL_PEERED, /* those are all that live; more come as they are born */
};

struct spout__control_message {
	uint32_t kind; /* enum spout__control_kind; unknown ones are to be ignored */
	int32_t fd; /* received with it, close-on-exec, yours to close; -1: none */
	uint64_t value;
	char text[240]; /* NUL-terminated */
};

/** Which worker a PEER leads to. */
static inline uint64_t
spout__peer_value(uint32_t slot, uint32_t birth)
{
	return (uint64_t)birth << 32 | slot;
}

/** A socketpair: ret_fds[0] is the supervisor's end. Returns 0 or -errno. */
int spout__control_pair(int ret_fds[2]);
/** Send; `text` is cut to fit, may be NULL. Returns 0 or -errno (-EAGAIN: queue full). */
int spout__control_send(
    int fd, enum spout__control_kind kind, uint64_t value, const char *text);
/** The same with a descriptor, which stays the caller's, and no text. */
int spout__control_send_fd(
    int fd, enum spout__control_kind kind, uint64_t value, int passed);
/** Receive one. Returns 1, 0 at the end of file, or -errno (-EAGAIN: none now). */
int spout__control_receive(int fd, struct spout__control_message *ret_message);

#endif
