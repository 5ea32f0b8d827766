/* SPDX-License-Identifier: MIT */
/*
 * The options of TLS: from texts to a context for the listeners. Before the fork, but for
 * spout__tls_refresh() of lib/net, which workers call.
 */
#ifndef SPOUT_APP_TLS_SETTINGS_H
#define SPOUT_APP_TLS_SETTINGS_H

#include "app/settings.h"

/** What may stand behind an address: ",tls", ",proxy", or both. */
enum { SPOUT__LISTEN_TLS = 1, SPOUT__LISTEN_PROXY = 2 };
/** Which of them does; `ret_bare` is the address alone. */
unsigned spout__listen_split(const char *text, char ret_bare[SPOUT__LISTEN_TEXT]);

/** For the rows "tls-cert" and "tls-key". */
int spout__tls_parse_cert(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE]);
int spout__tls_parse_key(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE]);

/** Do they fit together? Returns 0, or -EINVAL with options->error. */
int spout__tls_settings_check(struct spout__settings *s, struct spout__options *options);
/**
 * Read the files. *ret_tls is NULL when no address asks for TLS. Returns 0, or -errno
 * with one line in `ret_why`.
 */
int spout__tls_settings_load(const struct spout__settings *s, struct spout_tls **ret_tls,
    char ret_why[SPOUT__WHY]);

#endif
