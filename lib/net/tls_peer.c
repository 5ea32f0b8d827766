/* SPDX-License-Identifier: MIT */
/* What the certificate of a peer says. */
#include "config.h"

#include <spout/async.h>
#include <spout/crypto.h>

#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls.h"

/*
 * A certificate with a longer text counts as none: cut in the middle, a name might be
 * that of somebody else.
 */
#define TEXT_MAX 4096

/* What a BIO in memory holds, copied; frees it. NULL for one that could not be filled. */
static char *
take_text(struct spout_scope *scope, BIO *bio, bool good)
{
	char *data = NULL, *text = NULL;
	long len = bio != NULL ? BIO_get_mem_data(bio, &data) : 0;

	if (good && len <= TEXT_MAX)
		text = spout_alloc_in(scope, (size_t)len + 1);
	if (text != NULL) {
		if (len > 0)
			memcpy(text, data, (size_t)len);
		text[len] = '\0';
	}
	BIO_free(bio);
	return text;
}

static char *
name_text(struct spout_scope *scope, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool good = bio != NULL &&
	    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >=
		0;

	return take_text(scope, bio, good);
}

static char *
serial_text(struct spout_scope *scope, const X509 *x509)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool good = bio != NULL &&
	    i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(x509)) > 0;

	return take_text(scope, bio, good);
}

static char *
names_text(struct spout_scope *scope, const X509 *x509)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int at = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
	X509_EXTENSION *extension = at >= 0 ? X509_get_ext(x509, at) : NULL;
	bool good = bio != NULL &&
	    (extension == NULL || X509V3_EXT_print(bio, extension, 0, 0) == 1);

	return take_text(scope, bio, good);
}

static int64_t
seconds_of(const ASN1_TIME *at)
{
	struct tm tm;

	return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static bool
describe(struct spout_scope *scope, const X509 *x509, struct spout_certificate *ret)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	ret->subject = name_text(scope, X509_get_subject_name(x509));
	ret->issuer = name_text(scope, X509_get_issuer_name(x509));
	ret->serial = serial_text(scope, x509);
	ret->names = names_text(scope, x509);
	ret->not_before = seconds_of(X509_get0_notBefore(x509));
	ret->not_after = seconds_of(X509_get0_notAfter(x509));
	if (X509_digest(x509, EVP_sha256(), digest, &len) != 1)
		return false;
	spout_hex(digest, len, ret->sha256);
	return ret->subject != NULL && ret->issuer != NULL && ret->serial != NULL &&
	    ret->names != NULL;
}

struct spout_certificate *
spout__tls_peer(const struct spout__stream *stream, struct spout_scope *scope)
{
	struct spout_certificate *certificate;
	X509 *x509;

	if (!spout__stream_secure(stream))
		return NULL;
	x509 = SSL_get0_peer_certificate(stream->tls->ssl);
	if (x509 == NULL)
		return NULL;
	certificate = spout_alloc_in(scope, sizeof(*certificate));
	if (certificate != NULL && !describe(scope, x509, certificate))
		certificate = NULL;
	ERR_clear_error();
	return certificate;
}
