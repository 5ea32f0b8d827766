/* SPDX-License-Identifier: MIT */
/*
 * The admin listener (--admin): /metrics, /healthz and /readyz on an address of their
 * own. A small web application beside the user's one; every worker serves it, any can
 * answer for all, since the figures are in shared memory. Loop thread.
 */
#ifndef SPOUT_APP_ADMIN_H
#define SPOUT_APP_ADMIN_H

#include "app/program.h"
#include "loop/loop.h"
#include "supervisor/supervisor.h"
#include "web/web.h"

struct spout__admin;

/** Serve on `fd` (borrowed), over TLS unless `tls` is NULL. Returns owned, or NULL with
 * errno. */
struct spout__admin *spout__admin_new(struct spout_loop *loop,
    const struct spout__worker *worker, int fd, struct spout_tls *tls);
/** Its web layer, for readiness. */
struct spout__web *spout__admin_web(struct spout__admin *admin);
/** Another worker serves the address: as spout__http_server_drain(). */
void spout__admin_retire(struct spout__admin *admin, spout_callback_fn done, void *arg);
/** As spout__http_server_set_drain_idle(). */
void spout__admin_set_drain_idle(struct spout__admin *admin, uint64_t ms);
/** Close its connections, free it. NULL is fine. */
void spout__admin_free(struct spout__admin *admin);

#endif
