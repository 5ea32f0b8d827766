/* SPDX-License-Identifier: MIT */
/*
 * Certificates for tests: authorities and what they sign, made anew in a folder below
 * /tmp that is removed at exit. Each is one PEM file with certificate and key.
 */
#ifndef SPOUT_TESTS_TLS_HELP_H
#define SPOUT_TESTS_TLS_HELP_H

#include <stdbool.h>

struct tls_wish {
	const char *name;   /* of the file, and the common name */
	const char *signer; /* name of an authority made before; NULL: itself */
	const char *names;  /* "DNS:a.example,IP:127.0.0.1", or NULL */
	bool authority;
	int from_days, to_days; /* validity, from now */
};

/** Make one; aborts when that fails. */
void tls_make(const struct tls_wish *wish);
/** Its file, in a buffer that stays. */
const char *tls_file(const char *name);

#endif
