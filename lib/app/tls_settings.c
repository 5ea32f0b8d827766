/* SPDX-License-Identifier: MIT */
/* The options of TLS: see tls_settings.h. */
#include "config.h"

#include "app/tls_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/tls.h"

/* Cut a suffix off the first `*len` bytes; was it there? */
static bool
cut_suffix(const char *text, size_t *len, const char *suffix)
{
	size_t tail = strlen(suffix);

	if (*len <= tail || memcmp(text + *len - tail, suffix, tail) != 0)
		return false;
	*len -= tail;
	return true;
}

unsigned
spout__listen_split(const char *text, char ret_bare[SPOUT__LISTEN_TEXT])
{
	size_t len = strlen(text);
	unsigned how = 0;

	if (cut_suffix(text, &len, ",tls"))
		how |= SPOUT__LISTEN_TLS;
	if (cut_suffix(text, &len, ",proxy"))
		how |= SPOUT__LISTEN_PROXY;
	if ((how & SPOUT__LISTEN_TLS) == 0 && cut_suffix(text, &len, ",tls"))
		how |= SPOUT__LISTEN_TLS;
	snprintf(ret_bare, SPOUT__LISTEN_TEXT, "%.*s", (int)len, text);
	return how;
}

static int
add_file(const char **files, unsigned *n, const char *text, bool first, char *why)
{
	if (first)
		*n = 0;
	if (*text == '\0' && first)
		return 0; /* none */
	if (*n == SPOUT__TLS_FILES_MAX) {
		snprintf(why, SPOUT_OPTION_WHY_SIZE,
		    "is one file too many (the limit is %d)", SPOUT__TLS_FILES_MAX);
		return -EINVAL;
	}
	files[(*n)++] = text;
	return 0;
}

int
spout__tls_parse_cert(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	struct spout__settings *s = option->into;

	return add_file(s->tls_certs, &s->n_tls_certs, text, first, why);
}

int
spout__tls_parse_key(const struct spout_option *option, const char *text, bool first,
    char why[SPOUT_OPTION_WHY_SIZE])
{
	struct spout__settings *s = option->into;

	return add_file(s->tls_keys, &s->n_tls_keys, text, first, why);
}

/* The first address that asks for TLS, or NULL. */
static const char *
wants_tls(const struct spout__settings *s)
{
	char bare[SPOUT__LISTEN_TEXT];

	for (unsigned i = 0; i < s->n_listens; i++) {
		if (spout__listen_split(s->listens[i], bare) & SPOUT__LISTEN_TLS)
			return s->listens[i];
	}
	return s->admin != NULL &&
		(spout__listen_split(s->admin, bare) & SPOUT__LISTEN_TLS)
	    ? s->admin
	    : NULL;
}

int
spout__tls_settings_check(struct spout__settings *s, struct spout__options *options)
{
	const char *address = wants_tls(s);

	if (address != NULL && s->n_tls_certs == 0)
		return spout__options_fail(
		    options, "'%s' asks for TLS, which needs --tls-cert", address);
	if (address == NULL && s->n_tls_certs > 0)
		return spout__options_fail(options,
		    "--tls-cert: no address asks for TLS (--listen ADDR:PORT,tls)");
	if (s->n_tls_certs == 0 && s->n_tls_keys > 0)
		return spout__options_fail(options, "--tls-key needs --tls-cert");
	if (s->n_tls_certs == 0 && s->tls_client_ca != NULL)
		return spout__options_fail(options, "--tls-client-ca needs --tls-cert");
	if (s->n_tls_keys > 0 && s->n_tls_keys != s->n_tls_certs)
		return spout__options_fail(options,
		    "%u of --tls-cert and %u of --tls-key: each certificate has its key",
		    s->n_tls_certs, s->n_tls_keys);
	return 0;
}

int
spout__tls_settings_load(
    const struct spout__settings *s, struct spout_tls **ret_tls, char ret_why[SPOUT__WHY])
{
	struct spout_tls_certificate certificates[SPOUT__TLS_FILES_MAX + 1] = { 0 };
	struct spout_tls_options options = { .size = sizeof(options),
		.certificates = certificates,
		.ca_file = s->tls_client_ca,
		.client_optional = s->tls_client == 1,
		.min_version = (enum spout_tls_version)s->tls_min_version,
		.alpn = "http/1.1,http/1.0" };

	*ret_tls = NULL;
	if (s->n_tls_certs == 0)
		return 0;
	for (unsigned i = 0; i < s->n_tls_certs; i++) {
		certificates[i].cert_file = s->tls_certs[i];
		certificates[i].key_file = s->n_tls_keys > 0 ? s->tls_keys[i] : NULL;
	}
	return spout__tls_new(&options, true, ret_tls, ret_why);
}
