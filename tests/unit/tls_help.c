/* SPDX-License-Identifier: MIT */
/* Certificates for tests: see tls_help.h. */
#include "config.h"

#include "tls_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define MADE_MAX 32

static struct made {
	char file[80];
	char name[32];
	X509 *cert;
	EVP_PKEY *key;
} all_made[MADE_MAX];
static unsigned n_made;
static char folder[] = "/tmp/spout-tls-XXXXXX";
static pid_t owner;

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "certificates for tests: %s failed\n", what);
	abort();
}

static void
remove_all(void)
{
	for (unsigned i = 0; i < n_made; i++) {
		if (getpid() == owner)
			unlink(all_made[i].file);
		X509_free(all_made[i].cert);
		EVP_PKEY_free(all_made[i].key);
	}
	if (getpid() == owner)
		rmdir(folder);
}

static struct made *
find(const char *name)
{
	for (unsigned i = 0; i < n_made; i++)
		if (strcmp(all_made[i].name, name) == 0)
			return &all_made[i];
	must(false, name);
	return NULL;
}

static void
extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(extension != NULL && X509_add_ext(cert, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static void
name_it(X509 *cert, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
		 (const unsigned char *)name, -1, -1, 0) == 1 &&
		X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
		    (const unsigned char *)"Spout", -1, -1, 0) == 1,
	    "the name");
}

static void
save(const struct made *made)
{
	FILE *file = fopen(made->file, "w");

	must(file != NULL && PEM_write_X509(file, made->cert) == 1 &&
		PEM_write_PrivateKey(file, made->key, NULL, NULL, 0, NULL, NULL) == 1,
	    made->file);
	fclose(file);
}

void
tls_make(const struct tls_wish *wish)
{
	struct made *made = &all_made[n_made], *signer;

	if (n_made == 0) {
		must(mkdtemp(folder) != NULL, "mkdtemp");
		owner = getpid();
		atexit(remove_all);
	}
	must(n_made < MADE_MAX, "room for another");
	snprintf(made->file, sizeof(made->file), "%s/%s.pem", folder, wish->name);
	snprintf(made->name, sizeof(made->name), "%s", wish->name);
	n_made++;
	made->cert = X509_new();
	made->key = EVP_EC_gen("P-256");
	must(made->cert != NULL && made->key != NULL, "a key");
	signer = wish->signer != NULL ? find(wish->signer) : made;
	X509_set_version(made->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made->cert), 4000 + (long)n_made);
	X509_gmtime_adj(X509_getm_notBefore(made->cert), wish->from_days * 86400L - 60);
	X509_gmtime_adj(
	    X509_getm_notAfter(made->cert), (wish->to_days ? wish->to_days : 1) * 86400L);
	name_it(made->cert, wish->name);
	X509_set_issuer_name(made->cert, X509_get_subject_name(signer->cert));
	X509_set_pubkey(made->cert, made->key);
	if (wish->authority)
		extend(made->cert, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->names != NULL)
		extend(made->cert, NID_subject_alt_name, wish->names);
	must(X509_sign(made->cert, signer->key, EVP_sha256()) > 0, "signing");
	save(made);
}

const char *
tls_file(const char *name)
{
	return find(name)->file;
}
