/* SPDX-License-Identifier: MIT */
/*
 * What systemd is told (sd_notify(3)): datagrams of lines NAME=VALUE to the socket that
 * NOTIFY_SOCKET names, sometimes with a descriptor for its store. The protocol is small
 * and promised to stay, so there is no need of libsystemd. Without the variable nothing
 * happens; what cannot be sent is left out, the service goes on. The supervisor alone.
 */
#ifndef SPOUT_SUPERVISOR_NOTIFY_H
#define SPOUT_SUPERVISOR_NOTIFY_H

#include "supervisor/listeners.h"

/** Send lines, such as "READY=1\nSTATUS=Serving". */
void spout__notify(const char *fmt, ...) SPOUT_PRINTF(1, 2);
/** The same for the beginning of a reload, with the time that has to come along. */
void spout__notify_reloading(void);
/** Nobody that we start shall speak for us. */
void spout__notify_forget(void);
/**
 * Keep these sockets even when this process dies: the next one finds them by name, see
 * inherit.h. Those that systemd has opened itself are left out, and those that it has
 * already are kept once.
 */
void spout__notify_store(const struct spout__listeners *listeners);
/** Do not keep the sockets of the last slot any more. */
void spout__notify_unstore_last(const struct spout__listeners *listeners);
/** Do not keep the socket of this name any more. */
void spout__notify_unstore(const char *name);
/** How often WATCHDOG=1 is wanted, half of what is allowed; 0: never. */
uint64_t spout__notify_watchdog_ms(void);

#endif
