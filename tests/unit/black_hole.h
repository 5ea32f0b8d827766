/* SPDX-License-Identifier: MIT */
/* The black hole of the loopback: a port that answers no attempt to connect. */
#ifndef SPOUT_TESTS_BLACK_HOLE_H
#define SPOUT_TESTS_BLACK_HOLE_H

#include <stdint.h>

/** Make one, on 127.0.0.1, and return its port. One at a time. */
uint16_t black_hole_dig(void);
void black_hole_fill(void);

#endif
