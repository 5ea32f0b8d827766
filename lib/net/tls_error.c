/* SPDX-License-Identifier: MIT */
/* What OpenSSL says went wrong, as an errno and one line. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls.h"

const char *
spout__tls_queue_text(void)
{
	unsigned long code = ERR_peek_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (code != 0 && ERR_GET_LIB(code) == ERR_LIB_SYS)
		return strerror(ERR_GET_REASON(code));
	return text != NULL ? text : "unknown error";
}

static int
explain_verification(long result, const char *host, char *ret_why)
{
	bool time = result == X509_V_ERR_CERT_HAS_EXPIRED ||
	    result == X509_V_ERR_CERT_NOT_YET_VALID;
	const char *text = X509_verify_cert_error_string(result);

	if (host != NULL)
		snprintf(ret_why, SPOUT__WHY,
		    "TLS: the certificate of %.100s is refused: %s", host, text);
	else
		snprintf(ret_why, SPOUT__WHY,
		    "TLS: the certificate of the peer is refused: %s", text);
	return time ? -EKEYEXPIRED : -EKEYREJECTED;
}

int
spout__tls_explain(SSL *ssl, int error, const char *host, char ret_why[SPOUT__WHY])
{
	unsigned long code = ERR_peek_error();
	long result = SSL_get_verify_result(ssl);

	if (result != X509_V_OK &&
	    ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return explain_verification(result, host, ret_why);
	if (ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		snprintf(ret_why, SPOUT__WHY, "TLS: the peer has shown no certificate");
		return -EKEYREJECTED;
	}
	if (error == SSL_ERROR_SSL && ERR_GET_REASON(code) != ERR_R_MALLOC_FAILURE) {
		snprintf(ret_why, SPOUT__WHY, "TLS: %s", spout__tls_queue_text());
		return -EPROTO;
	}
	snprintf(ret_why, SPOUT__WHY, "TLS: out of memory");
	return -ENOMEM;
}
