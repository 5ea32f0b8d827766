/* SPDX-License-Identifier: MIT */
/* The secret that signs cookies: from its file or the environment. Before the fork. */
#ifndef SPOUT_APP_SECRET_H
#define SPOUT_APP_SECRET_H

/** Longest text with secrets, with its NUL. */
#define SPOUT__SECRET_ROOM 16384

/**
 * Read the text of the secrets: from the file, or from SPOUT_COOKIE_SECRET if `path` is
 * NULL; "" if that is not set. It is checked, and the variable removed, so that no child
 * gets it. Returns 0, or -EINVAL with `why` (SPOUT_OPTION_WHY_SIZE bytes), to follow what
 * it was read from.
 */
int spout__secret_read(const char *path, char to[SPOUT__SECRET_ROOM], char *why);

/** Put what came from the environment back there, for the next program. */
void spout__secret_pass_on(const char *path, const char secret[SPOUT__SECRET_ROOM]);

#endif
