/* SPDX-License-Identifier: MIT */
/* The opening handshake: see handshake.h. */
#include "config.h"

#include "websocket/handshake.h"

#include <openssl/evp.h>

#include <spout/crypto.h>

#include "http/authority.h"
#include "http/chars.h"

#define KEY_LEN 24 /* base64 of 16 bytes */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* --- lists of tokens -------------------------------------------------------------- */

static struct spout_slice
trim(struct spout_slice s)
{
	while (s.len > 0 && spout__http_is_ows(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && spout__http_is_ows(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Is it an element of this list? Names of protocols differ by case, others do not. */
static bool
list_has(struct spout_slice list, const char *name, bool any_case)
{
	struct spout_slice item;
	const char *comma;

	while (list.len > 0) {
		comma = memchr(list.data, ',', list.len);
		item.data = list.data;
		item.len = comma != NULL ? (size_t)(comma - list.data) : list.len;
		list.data += item.len + (comma != NULL);
		list.len -= item.len + (comma != NULL);
		item = trim(item);
		if (any_case ? spout__http_same(item, spout_slice(name)) :
		               spout_slice_equal(item, name))
			return true;
	}
	return false;
}

/* The same for all the fields of that name. */
bool
spout__ws_fields_have(const struct spout__http_head *head, const char *field,
    const char *name, bool any_case)
{
	unsigned i;

	for (i = 0; i < head->n_fields; i++)
		if (spout__http_same(head->fields[i].name, spout_slice(field)) &&
		    list_has(head->fields[i].value, name, any_case))
			return true;
	return false;
}

unsigned
spout__ws_count_fields(const struct spout__http_head *head, const char *name)
{
	unsigned i, n = 0;

	for (i = 0; i < head->n_fields; i++)
		n += spout__http_same(head->fields[i].name, spout_slice(name));
	return n;
}

/* --- the handshake ---------------------------------------------------------------- */

/* RFC 6455 4.2.2: base64 of SHA-1 of the key and that text. */
bool
spout__ws_accept_key(struct spout_slice key, char ret[SPOUT__WS_ACCEPT_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE], raw[SPOUT_BASE64_ROOM(KEY_LEN)];
	char text[KEY_LEN + sizeof(guid)];
	unsigned len = 0;

	if (key.len != KEY_LEN || spout_base64_decode(key.data, key.len, raw) != 16)
		return false;
	memcpy(text, key.data, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid));
	if (EVP_Digest(text, KEY_LEN + sizeof(guid) - 1, digest, &len, EVP_sha1(),
	        NULL) != 1)
		return false;
	spout_base64(digest, len, ret);
	return true;
}

static int
refuse(int status, const char *why, const char **ret_why)
{
	*ret_why = why;
	return status;
}

int
spout__ws_handshake(const struct spout__http_head *head,
    const char *const *subprotocols, const struct spout_websocket_compress *compress,
    struct spout__ws_handshake *ret, const char **ret_why)
{
	if (!head->upgrade || !spout__ws_fields_have(head, "Upgrade", "websocket", true))
		return refuse(426, "this is a WebSocket: upgrade to it", ret_why);
	if (head->method != SPOUT__HTTP_GET || head->minor == 0 ||
	    (head->framing != SPOUT__HTTP_NO_BODY && head->content_length != 0) ||
	    head->framing == SPOUT__HTTP_CHUNKED)
		return refuse(
		    400, "a WebSocket begins with GET, HTTP/1.1 and no body", ret_why);
	if (spout__ws_count_fields(head, "Sec-WebSocket-Version") != 1 ||
	    !spout_slice_equal(spout__http_head_get(head, "Sec-WebSocket-Version"), "13"))
		return refuse(426, "version 13 of WebSocket only", ret_why);
	if (spout__ws_count_fields(head, "Sec-WebSocket-Key") != 1 ||
	    !spout__ws_accept_key(
		spout__http_head_get(head, "Sec-WebSocket-Key"), ret->accept))
		return refuse(400, "Sec-WebSocket-Key is not one of 16 bytes", ret_why);
	if (spout__ws_accept_offer(head, compress, &ret->deflate, ret->extension) < 0)
		return refuse(400, "Sec-WebSocket-Extensions is malformed", ret_why);
	while (subprotocols != NULL && *subprotocols != NULL &&
	    !spout__ws_fields_have(head, "Sec-WebSocket-Protocol", *subprotocols, false))
		subprotocols++;
	ret->subprotocol = subprotocols != NULL ? *subprotocols : NULL;
	return 0;
}

/* --- origins ---------------------------------------------------------------------- */

/* "https://example.org:8443" (RFC 6454 7): its host is that of the request. */
static bool
same_host(const struct spout__http_head *head, struct spout_slice origin)
{
	const char *mark = memmem(origin.data, origin.len, "://", 3), *port;
	struct spout_slice scheme, host;

	if (mark == NULL)
		return false;
	scheme = spout_slice_of(origin.data, (size_t)(mark - origin.data));
	if (spout__http_same(scheme, spout_slice("https")))
		port = "443";
	else if (spout__http_same(scheme, spout_slice("http")))
		port = "80";
	else
		return false;
	host = spout_slice_of(mark + 3, origin.len - scheme.len - 3);
	return spout__http_authority_valid(host) &&
	    spout__http_authority_same(host, head->host, port);
}

bool
spout__ws_origin_allowed(const struct spout__http_head *head,
    struct spout_slice origin, const char *const *origins)
{
	for (; origins != NULL && *origins != NULL; origins++)
		if (strcmp(*origins, "*") == 0 ||
		    spout__http_same(origin, spout_slice(*origins)))
			return true;
	return same_host(head, origin);
}
