/* SPDX-License-Identifier: MIT */
/*
 * The functions that are running on this stack, with the lines of their source. For
 * development: looking them up reads files, takes tens of milliseconds and some KiB of
 * stack.
 *
 * Names and lines come from libdw, which is loaded when first needed; without it, or
 * without debugging information in the program, there are names of exported functions, or
 * offsets into the file of the program. Any thread.
 */
#ifndef SPOUT_BASE_BACKTRACE_H
#define SPOUT_BASE_BACKTRACE_H

#include <stdbool.h>

#define SPOUT__FRAMES_MAX 40
#define SPOUT__FRAME_FILE_SIZE 256

struct spout__frame {
	char function[96]; /* "show_user", or "program+0x12ab"; never empty */
	char file[SPOUT__FRAME_FILE_SIZE]; /* "" if not known */
	unsigned line;
	bool library;      /* of libspout */
};

/**
 * The running functions, the innermost first, from the caller of this one on. Returns how
 * many.
 */
unsigned spout__backtrace(struct spout__frame frames[SPOUT__FRAMES_MAX]);
/** The same of return addresses of this process, found by whatever means. */
unsigned spout__frames_name(void *const *addresses, unsigned n,
    struct spout__frame frames[SPOUT__FRAMES_MAX]);

#endif
