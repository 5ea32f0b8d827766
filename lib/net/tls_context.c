/* SPDX-License-Identifier: MIT */
/* Contexts of TLS: certificates and rules, from files to SSL_CTX. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "net/tls.h"
#include "net/tls_tickets.h"

#define HANDSHAKE_TIMEOUT_MS 10000u

/* TLS 1.2: forward secret and authenticated ciphers only; 1.3 has no others. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK:!SRP"

/* --- what was loaded ------------------------------------------------------------- */

struct spout__tls_loaded *
spout__tls_loaded_ref(struct spout__tls_loaded *loaded)
{
	loaded->refs++;
	return loaded;
}

void
spout__tls_loaded_unref(struct spout__tls_loaded *loaded)
{
	if (loaded == NULL || --loaded->refs > 0)
		return;
	for (unsigned i = 0; i < loaded->n; i++)
		SSL_CTX_free(loaded->ctx[i]);
	free(loaded);
}

/* --- choosing a certificate (RFC 6066 3) ----------------------------------------- */

static SSL_CTX *
find_certificate(const struct spout__tls_loaded *loaded, const char *name, unsigned flags)
{
	for (unsigned i = 0; i < loaded->n; i++) {
		X509 *leaf = SSL_CTX_get0_certificate(loaded->ctx[i]);

		if (X509_check_host(leaf, name, 0, flags, NULL) == 1)
			return loaded->ctx[i];
	}
	return NULL;
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct spout__tls_loaded *loaded = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx;

	(void)alert;
	if (name == NULL || loaded->n == 1)
		return SSL_TLSEXT_ERR_OK;
	ctx = find_certificate(loaded, name, X509_CHECK_FLAG_NO_WILDCARDS);
	if (ctx == NULL)
		ctx =
		    find_certificate(loaded, name, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (ctx != NULL && SSL_set_SSL_CTX(ssl, ctx) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* --- ALPN (RFC 7301) ------------------------------------------------------------- */

/* "http/1.1,x" as OpenSSL wants it: each with its length before it. */
static int
pack_alpn(struct spout__tls_loaded *loaded, const char *list, char *ret_why)
{
	const char *at = list;

	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, ",");

		if (len == 0 || loaded->alpn_len + 1 + len > sizeof(loaded->alpn)) {
			snprintf(ret_why, SPOUT__WHY, "'%.100s' is no list of protocols",
			    list);
			return -EINVAL;
		}
		loaded->alpn[loaded->alpn_len] = (unsigned char)len;
		memcpy(loaded->alpn + loaded->alpn_len + 1, at, len);
		loaded->alpn_len += 1 + (unsigned)len;
		at += len + (at[len] == ',');
	}
	return 0;
}

static int
on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
    const unsigned char *offered, unsigned offered_len, void *arg)
{
	const struct spout__tls_loaded *loaded = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, ret_len, loaded->alpn, loaded->alpn_len,
		offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
set_alpn(struct spout__tls_loaded *loaded, bool server, SSL_CTX *ctx)
{
	if (loaded->alpn_len == 0)
		return 0;
	if (server)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, loaded);
	else if (SSL_CTX_set_alpn_protos(ctx, loaded->alpn, loaded->alpn_len) != 0)
		return -ENOMEM;
	return 0;
}

/* --- certificates ---------------------------------------------------------------- */

/* A key that has a passphrase is refused, not asked for on the terminal. */
static int
no_passphrase(char *to, int size, int writing, void *arg)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

static int
refuse_file(const char *what, const char *file, char *ret_why)
{
	snprintf(
	    ret_why, SPOUT__WHY, "%s %.150s: %s", what, file, spout__tls_queue_text());
	return -EINVAL;
}

static int
load_certificate(SSL_CTX *ctx, const struct spout_tls_certificate *from, char *ret_why)
{
	const char *key = from->key_file != NULL ? from->key_file : from->cert_file;

	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, from->cert_file) != 1)
		return refuse_file("certificate", from->cert_file, ret_why);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return refuse_file("key", key, ret_why);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return refuse_file("key", key, ret_why);
	return 0;
}

/* --- whom to trust --------------------------------------------------------------- */

static int
trust_clients(const struct spout_tls *tls, SSL_CTX *ctx, char *ret_why)
{
	const char *file = tls->options.ca_file;
	STACK_OF(X509_NAME) * names;
	int mode = SSL_VERIFY_PEER;

	if (file == NULL)
		return 0;
	names =
	    SSL_load_client_CA_file(file); /* told to the client, which then may choose */
	if (names == NULL || SSL_CTX_load_verify_file(ctx, file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return refuse_file("authorities", file, ret_why);
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	if (!tls->options.client_optional)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	return 0;
}

static int
trust_servers(const struct spout_tls *tls, SSL_CTX *ctx, char *ret_why)
{
	const char *file = tls->options.ca_file;

	if (tls->options.insecure)
		return 0;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (file == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return -ENOMEM;
	if (file != NULL && SSL_CTX_load_verify_file(ctx, file) != 1)
		return refuse_file("authorities", file, ret_why);
	return 0;
}

/* --- one SSL_CTX ----------------------------------------------------------------- */

static int
set_rules(const struct spout_tls *tls, SSL_CTX *ctx)
{
	int min = tls->options.min_version == SPOUT_TLS_1_3 ? TLS1_3_VERSION
							    : TLS1_2_VERSION;

	if (SSL_CTX_set_min_proto_version(ctx, min) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1)
		return -ENOMEM;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return 0;
}

/* Add the context of one certificate; a client may have none. */
static int
load_one(const struct spout_tls *tls, const struct spout_tls_certificate *certificate,
    struct spout__tls_loaded *loaded, char *ret_why)
{
	SSL_CTX *ctx =
	    SSL_CTX_new(tls->server ? TLS_server_method() : TLS_client_method());
	int r;

	if (ctx == NULL)
		return -ENOMEM;
	r = set_rules(tls, ctx);
	if (r == 0)
		r = set_alpn(loaded, tls->server, ctx);
	if (r == 0 && certificate->cert_file != NULL)
		r = load_certificate(ctx, certificate, ret_why);
	if (r == 0)
		r = tls->server ? trust_clients(tls, ctx, ret_why)
				: trust_servers(tls, ctx, ret_why);
	if (r < 0)
		SSL_CTX_free(ctx);
	else
		loaded->ctx[loaded->n++] = ctx;
	return r;
}

static bool
digest_certificate(EVP_MD_CTX *md, const X509 *certificate)
{
	unsigned char one[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	return X509_digest(certificate, EVP_sha256(), one, &len) == 1 &&
	    EVP_DigestUpdate(md, one, len) == 1;
}

/* The authorities themselves, for the file may have others tomorrow. */
static bool
digest_trusted(EVP_MD_CTX *md, const SSL_CTX *ctx)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	bool good = true;

	for (int i = 0; i < sk_X509_OBJECT_num(all) && good; i++) {
		const X509 *one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		good = one == NULL || digest_certificate(md, one); /* NULL: a CRL */
	}
	return good;
}

/*
 * A ticket is good where the certificates and the rules for clients are those that it
 * was made under, and nowhere else: their digest says so.
 */
static bool
digest_rules(const struct spout_tls *tls, const struct spout__tls_loaded *loaded,
    unsigned char *ret, unsigned *ret_len)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (unsigned i = 0; i < loaded->n && good; i++)
		good = digest_certificate(md, SSL_CTX_get0_certificate(loaded->ctx[i]));
	/* How many there were, so that an authority is not taken for one of them. */
	good = good && EVP_DigestUpdate(md, &loaded->n, sizeof(loaded->n)) == 1 &&
	    digest_trusted(md, loaded->ctx[0]) &&
	    EVP_DigestUpdate(md, &tls->options.client_optional, sizeof(bool)) == 1 &&
	    EVP_DigestFinal_ex(md, ret, ret_len) == 1;
	EVP_MD_CTX_free(md);
	return good;
}

static int
make_server(struct spout_tls *tls, struct spout__tls_loaded *loaded)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	int r = spout__tickets_open();

	if (r < 0)
		return r;
	if (!digest_rules(tls, loaded, id, &len))
		return -ENOMEM;
	for (unsigned i = 0; i < loaded->n; i++) {
		if (SSL_CTX_set_session_id_context(loaded->ctx[i], id, len) != 1)
			return -ENOMEM;
		spout__tickets_use(loaded->ctx[i]);
	}
	SSL_CTX_set_tlsext_servername_callback(loaded->ctx[0], on_server_name);
	SSL_CTX_set_tlsext_servername_arg(loaded->ctx[0], loaded);
	return 0;
}

static int
load_all(struct spout_tls *tls, struct spout__tls_loaded **ret_loaded, char *ret_why)
{
	struct spout__tls_loaded *loaded = calloc(1, sizeof(*loaded));
	const struct spout_tls_certificate *at = tls->certificates;
	int r;

	if (loaded == NULL)
		return -ENOMEM;
	loaded->refs = 1;
	ERR_clear_error();
	r = pack_alpn(loaded, tls->options.alpn, ret_why);
	if (r == 0)
		r = load_one(tls, at, loaded, ret_why);
	while (r == 0 && tls->server && (++at)->cert_file != NULL)
		r = load_one(tls, at, loaded, ret_why);
	if (r == 0 && tls->server)
		r = make_server(tls, loaded);
	ERR_clear_error();
	if (r < 0)
		spout__tls_loaded_unref(loaded);
	else
		*ret_loaded = loaded;
	return r;
}

/* --- life ------------------------------------------------------------------------ */

/* Add what a change of the file would change. */
static bool
look_at(const char *file, uint64_t *sum)
{
	struct stat st;

	if (file == NULL)
		return true;
	if (stat(file, &st) < 0)
		return false;
	*sum = *sum * 31 + (uint64_t)st.st_mtim.tv_sec;
	*sum = *sum * 31 + (uint64_t)st.st_mtim.tv_nsec;
	*sum = *sum * 31 + (uint64_t)st.st_ino;
	*sum = *sum * 31 + (uint64_t)st.st_size;
	return true;
}

static bool
look_at_files(const struct spout_tls *tls, uint64_t *ret_sum)
{
	const struct spout_tls_certificate *at = tls->certificates;
	bool good = look_at(tls->options.ca_file, ret_sum);

	for (; at->cert_file != NULL && good; at++)
		good = look_at(at->cert_file, ret_sum) && look_at(at->key_file, ret_sum);
	return good;
}

int
spout__tls_refresh(struct spout_tls *tls, char ret_why[SPOUT__WHY])
{
	struct spout__tls_loaded *loaded;
	uint64_t sum = 0;
	int r;

	if (!look_at_files(tls, &sum) || sum == tls->files_seen)
		return 0;
	tls->files_seen = sum; /* what does not work is told once */
	snprintf(ret_why, SPOUT__WHY, "out of memory");
	r = load_all(tls, &loaded, ret_why);
	if (r < 0)
		return r;
	spout__tls_loaded_unref(tls->loaded);
	tls->loaded = loaded;
	return 1;
}

static bool
copy_text(const char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return *to != NULL || from == NULL;
}

static int
copy_certificates(struct spout_tls *tls, const struct spout_tls_certificate *from)
{
	for (unsigned i = 0; from != NULL && from[i].cert_file != NULL; i++) {
		struct spout_tls_certificate *to = &tls->certificates[i];

		if (i == SPOUT_TLS_CERTIFICATES_MAX)
			return -E2BIG;
		if (!copy_text(&to->cert_file, from[i].cert_file) ||
		    !copy_text(&to->key_file, from[i].key_file))
			return -ENOMEM;
	}
	return 0;
}

static int
copy_options(struct spout_tls *tls, const struct spout_tls_options *from)
{
	struct spout_tls_options *to = &tls->options;

	to->client_optional = from->client_optional;
	to->insecure = from->insecure;
	to->min_version = from->min_version;
	to->handshake_timeout_ms = from->handshake_timeout_ms ? from->handshake_timeout_ms
							      : HANDSHAKE_TIMEOUT_MS;
	if (!copy_text(&to->ca_file, from->ca_file) ||
	    !copy_text(&to->server_name, from->server_name) ||
	    !copy_text(&to->alpn, from->alpn))
		return -ENOMEM;
	return copy_certificates(tls, from->certificates);
}

int
spout__tls_new(const struct spout_tls_options *options, bool server,
    struct spout_tls **ret_tls, char ret_why[SPOUT__WHY])
{
	struct spout_tls *tls = calloc(1, sizeof(*tls));
	int r;

	snprintf(ret_why, SPOUT__WHY, "out of memory");
	if (tls == NULL)
		return -ENOMEM;
	tls->server = server;
	r = copy_options(tls, options);
	if (r == -E2BIG)
		snprintf(ret_why, SPOUT__WHY, "more than %d certificates",
		    SPOUT_TLS_CERTIFICATES_MAX);
	if (r == 0 && server && tls->certificates[0].cert_file == NULL) {
		snprintf(ret_why, SPOUT__WHY, "a server needs a certificate");
		r = -EINVAL;
	}
	if (r == 0) {
		(void)look_at_files(tls, &tls->files_seen);
		r = load_all(tls, &tls->loaded, ret_why);
	}
	if (r < 0)
		spout_tls_free(tls);
	else
		*ret_tls = tls;
	return r;
}

void
spout_tls_free(void *arg)
{
	struct spout_tls *tls = arg;

	if (tls == NULL)
		return;
	spout__tls_loaded_unref(tls->loaded);
	for (unsigned i = 0; i < SPOUT_TLS_CERTIFICATES_MAX; i++) {
		free((char *)tls->certificates[i].cert_file);
		free((char *)tls->certificates[i].key_file);
	}
	free((char *)tls->options.alpn);
	free((char *)tls->options.ca_file);
	free((char *)tls->options.server_name);
	free(tls);
}
