/* SPDX-License-Identifier: MIT */
/* Headers of the PROXY protocol: see proxy.h. Pure. */
#include "config.h"

#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>

/* --- version 1: a line of text ------------------------------------------------------ */

#define V1_MAX 107u /* with its CRLF */

/* The next word, which ends at one space or at the end; false if there is none. */
static bool
next_word(struct spout_slice *rest, struct spout_slice *ret_word)
{
	const char *space = memchr(rest->data, ' ', rest->len);
	size_t n = space != NULL ? (size_t)(space - rest->data) : rest->len;

	*ret_word = spout_slice_of(rest->data, n);
	*rest = space != NULL ? spout_slice_of(space + 1, rest->len - n - 1)
			      : spout_slice_of("", 0);
	return n > 0;
}

/* 0 to 65535, without needless zeros; -1 if it is none. */
static int
parse_port(struct spout_slice word)
{
	int port = 0;
	size_t i;

	if (word.len == 0 || word.len > 5 || (word.len > 1 && word.data[0] == '0'))
		return -1;
	for (i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return -1;
		port = port * 10 + (word.data[i] - '0');
	}
	return port <= 65535 ? port : -1;
}

static int
parse_address(struct spout_slice word, int family, struct sockaddr_storage *ret)
{
	char text[INET6_ADDRSTRLEN];
	void *into = family == AF_INET ? (void *)&((struct sockaddr_in *)ret)->sin_addr
				       : (void *)&((struct sockaddr_in6 *)ret)->sin6_addr;

	if (word.len >= sizeof(text) || memchr(word.data, '\0', word.len) != NULL)
		return -EBADMSG;
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)family;
	return inet_pton(family, text, into) == 1 ? 0 : -EBADMSG;
}

static void
set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
}

/* "TCP4 source destination port port" */
static int
parse_line(struct spout_slice line, struct sockaddr_storage *ret)
{
	struct spout_slice family, source, destination, ports[2];
	struct sockaddr_storage client, other;
	int number, port;

	memset(ret, 0, sizeof(*ret));
	if (line.len == 0 || line.data[line.len - 1] == ' ' ||
	    !next_word(&line, &family))
		return -EBADMSG;
	if (spout_slice_equal(family, "UNKNOWN"))
		return 0;
	if (!spout_slice_equal(family, "TCP4") && !spout_slice_equal(family, "TCP6"))
		return -EBADMSG;
	number = family.data[3] == '4' ? AF_INET : AF_INET6;
	if (!next_word(&line, &source) || !next_word(&line, &destination) ||
	    !next_word(&line, &ports[0]) || !next_word(&line, &ports[1]) || line.len > 0)
		return -EBADMSG;
	port = parse_port(ports[0]);
	if (port < 0 || parse_port(ports[1]) < 0 ||
	    parse_address(source, number, &client) != 0 ||
	    parse_address(destination, number, &other) != 0)
		return -EBADMSG;
	set_port(&client, (uint16_t)port);
	*ret = client;
	return 0;
}

static int
parse_v1(const char *data, size_t len, struct sockaddr_storage *ret)
{
	static const char start[] = "PROXY ";
	size_t n = sizeof(start) - 1;
	const char *end;

	if (memcmp(data, start, len < n ? len : n) != 0)
		return -EBADMSG;
	end = memchr(data, '\r', len < V1_MAX - 1 ? len : V1_MAX - 1);
	if (end == NULL)
		return len >= V1_MAX - 1 ? -EBADMSG : 0;
	if (end + 1 == data + len)
		return 0;
	if (end[1] != '\n' || (size_t)(end - data) < n ||
	    parse_line(spout_slice_of(data + n, (size_t)(end - data) - n), ret) != 0)
		return -EBADMSG;
	return (int)(end + 2 - data);
}

/* --- version 2: binary -------------------------------------------------------------- */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
#define V2_HEAD 16u

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static int
parse_v2_addresses(
    unsigned family, const char *at, size_t len, struct sockaddr_storage *ret)
{
	switch (family) {
	case V2_UNSPEC:
		return 0;
	case V2_UNIX:
		return len >= 216 ? 0 : -EBADMSG;
	case V2_TCP4:
		if (len < 12)
			return -EBADMSG;
		ret->ss_family = AF_INET;
		memcpy(&((struct sockaddr_in *)ret)->sin_addr, at, 4);
		memcpy(&((struct sockaddr_in *)ret)->sin_port, at + 8, 2);
		return 0;
	case V2_TCP6:
		if (len < 36)
			return -EBADMSG;
		ret->ss_family = AF_INET6;
		memcpy(&((struct sockaddr_in6 *)ret)->sin6_addr, at, 16);
		memcpy(&((struct sockaddr_in6 *)ret)->sin6_port, at + 32, 2);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int
parse_v2(const char *data, size_t len, struct sockaddr_storage *ret)
{
	const unsigned char *bytes = (const unsigned char *)data;
	size_t n = sizeof(signature), rest;

	if (memcmp(data, signature, len < n ? len : n) != 0)
		return -EBADMSG;
	if (len < V2_HEAD)
		return 0;
	rest = (size_t)bytes[14] << 8 | bytes[15];
	if ((bytes[12] != V2_LOCAL && bytes[12] != V2_PROXY) ||
	    rest > SPOUT__PROXY_MAX - V2_HEAD)
		return -EBADMSG;
	if (len < V2_HEAD + rest)
		return 0;
	memset(ret, 0, sizeof(*ret));
	if (bytes[12] == V2_PROXY &&
	    parse_v2_addresses(bytes[13], data + V2_HEAD, rest, ret) != 0)
		return -EBADMSG;
	return (int)(V2_HEAD + rest);
}

int
spout__proxy_parse(const char *data, size_t len, struct sockaddr_storage *ret_client)
{
	if (len == 0)
		return 0;
	return data[0] == signature[0] ? parse_v2(data, len, ret_client)
				       : parse_v1(data, len, ret_client);
}
