/* SPDX-License-Identifier: MIT */
/* Passwords at a given cost, for tests. See spout/password.h. */
#ifndef SPOUT_WEB_PASSWORD_H
#define SPOUT_WEB_PASSWORD_H

#include <spout/password.h>

/** yescrypt's cost: 5 is 16 MiB, each step doubles it; 1 is the least. */
#define SPOUT__PASSWORD_COST 5u

int spout__password_make(const char *password, unsigned cost,
    char ret_hash[SPOUT_PASSWORD_HASH_SIZE]);

#endif
