/* SPDX-License-Identifier: MIT */
/* The routes of the admin listener; its application has a struct spout__worker. */
#ifndef SPOUT_APP_ADMIN_ROUTES_H
#define SPOUT_APP_ADMIN_ROUTES_H

#include <spout/web.h>

extern const struct spout_route spout__admin_routes[];
/** Middleware for all of them: who may not read. */
void spout__admin_refuse_rebinding(struct spout_request *req);

#endif
