/* SPDX-License-Identifier: MIT */
/* Sessions in PostgreSQL: the table spout_sessions. */
#ifndef SPOUT_APP_SESSION_STORE_H
#define SPOUT_APP_SESSION_STORE_H

#include "web/session.h"

extern const struct spout__session_store spout__session_store_pg;

#endif
