/* SPDX-License-Identifier: MIT */
/*
 * What a client can do wrong: one row per fault gives the status that answers it, a word
 * for the log and the counter, and the RFC section that says so. A fault is never an
 * assert and never logged above debug level.
 */
#ifndef SPOUT_HTTP_FAULT_H
#define SPOUT_HTTP_FAULT_H

/* id, status, word, section */
#define SPOUT__HTTP_FAULTS(X) \
	X(NONE, 0, "none", "") \
	X(BARE_LF, 400, "bare-lf", "RFC 9112 2.2") \
	X(BARE_CR, 400, "bare-cr", "RFC 9112 2.2") \
	X(BAD_BYTE, 400, "bad-byte", "RFC 9110 5.5") \
	X(OBS_FOLD, 400, "obs-fold", "RFC 9112 5.2") \
	X(BAD_REQUEST_LINE, 400, "bad-request-line", "RFC 9112 3") \
	X(BAD_TARGET, 400, "bad-target", "RFC 9112 3.2") \
	X(BAD_FIELD, 400, "bad-field", "RFC 9112 5.1") \
	X(BAD_HOST, 400, "bad-host", "RFC 9112 3.2") \
	X(BAD_LENGTH, 400, "bad-content-length", "RFC 9110 8.6") \
	X(BAD_FRAMING, 400, "bad-framing", "RFC 9112 6.3") \
	X(BAD_CHUNK, 400, "bad-chunk", "RFC 9112 7.1") \
	X(BAD_TRAILER, 400, "bad-trailer", "RFC 9112 7.1.2") \
	X(TARGET_TOO_LONG, 414, "target-too-long", "RFC 9110 15.5.15") \
	X(HEAD_TOO_LARGE, 431, "head-too-large", "RFC 6585 5") \
	X(TOO_MANY_FIELDS, 431, "too-many-fields", "RFC 6585 5") \
	X(CHUNK_EXT_TOO_LARGE, 400, "chunk-extensions-too-large", "RFC 9112 7.1.1") \
	X(TRAILER_TOO_LARGE, 431, "trailer-too-large", "RFC 6585 5") \
	X(BODY_TOO_LARGE, 413, "body-too-large", "RFC 9110 15.5.14") \
	X(UNKNOWN_METHOD, 501, "unknown-method", "RFC 9110 15.6.2") \
	X(UNKNOWN_CODING, 501, "unknown-transfer-coding", "RFC 9112 6.1") \
	X(BAD_EXPECT, 417, "bad-expect", "RFC 9110 10.1.1") \
	X(BAD_VERSION, 505, "bad-version", "RFC 9110 15.6.6") \
	X(HEAD_TIMEOUT, 408, "head-timeout", "RFC 9110 15.5.9") \
	X(BODY_TIMEOUT, 408, "body-timeout", "RFC 9110 15.5.9")

#define SPOUT__FAULT_ID(id, status, word, section) SPOUT__FAULT_##id,
enum spout__http_fault { SPOUT__HTTP_FAULTS(SPOUT__FAULT_ID) SPOUT__N_FAULTS };
#undef SPOUT__FAULT_ID

struct spout__http_fault_row {
	int status;
	const char *word, *section;
};
extern const struct spout__http_fault_row spout__http_faults[SPOUT__N_FAULTS];

#endif
