/* SPDX-License-Identifier: MIT */
/* Addresses to listen on, as text: see address.h. Resolves no names. */
#include "config.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

static int
refuse(char ret_why[SPOUT__WHY], const char *text, const char *why)
{
	snprintf(ret_why, SPOUT__WHY, "'%.128s': %s", text, why);
	return -EINVAL;
}

/* One to five digits, 0 to 65535, nothing else. */
static bool
parse_port(const char *text, in_port_t *ret_port)
{
	unsigned port = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9' && p - text < 5; p++)
		port = port * 10 + (unsigned)(*p - '0');
	if (p == text || *p != '\0' || port > 65535)
		return false;
	*ret_port = htons((uint16_t)port);
	return true;
}

static bool
parse_v4(const char *host, struct sockaddr_in *sin)
{
	sin->sin_family = AF_INET;
	if (strcmp(host, "*") == 0)
		host = "0.0.0.0";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1;
}

/* With an interface for link-local addresses: fe80::1%eth0. */
static bool
parse_v6(char *host, struct sockaddr_in6 *sin6)
{
	char *scope = strchr(host, '%');

	sin6->sin6_family = AF_INET6;
	if (scope != NULL) {
		*scope++ = '\0';
		sin6->sin6_scope_id = if_nametoindex(scope);
		if (sin6->sin6_scope_id == 0)
			return false;
	}
	return inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1;
}

static int
parse_unix(const char *text, struct spout__listen_address *a, char ret_why[SPOUT__WHY])
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->addr;
	const char *path = text + strlen("unix:");

	if (*path == '\0')
		return refuse(ret_why, text, "path missing after unix:");
	if (strlen(path) >= sizeof(un->sun_path))
		return refuse(
		    ret_why, text, "path too long for a unix socket (107 bytes)");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	a->len = (socklen_t)sizeof(*un);
	return 0;
}

static int
parse_tcp(const char *text, struct spout__listen_address *a, char ret_why[SPOUT__WHY])
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&a->addr;
	struct sockaddr_in *sin = (struct sockaddr_in *)&a->addr;
	const char *colon = strrchr(text, ':');
	size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;
	char host[80] = "127.0.0.1";
	in_port_t port;

	if (!parse_port(colon != NULL ? colon + 1 : text, &port))
		return refuse(ret_why, text,
		    colon != NULL ? "port must be 0 to 65535"
				  : "not ADDR:PORT, [IPv6]:PORT, PORT or unix:PATH");
	if (host_len >= sizeof(host) || (colon != NULL && host_len == 0))
		return refuse(ret_why, text, "address missing before the port");
	if (colon != NULL)
		snprintf(host, sizeof(host), "%.*s", (int)host_len, text);
	if (host[0] == '[' && host[host_len - 1] == ']') {
		host[host_len - 1] = '\0';
		if (!parse_v6(host + 1, sin6))
			return refuse(ret_why, text, "not an IPv6 address");
		sin6->sin6_port = port;
		a->len = (socklen_t)sizeof(*sin6);
		return 0;
	}
	if (strchr(host, ':') != NULL)
		return refuse(
		    ret_why, text, "write an IPv6 address in brackets: [::1]:PORT");
	if (!parse_v4(host, sin))
		return refuse(ret_why, text, "not a numeric address");
	sin->sin_port = port;
	a->len = (socklen_t)sizeof(*sin);
	return 0;
}

int
spout__listen_parse(
    const char *text, struct spout__listen_address *ret_address, char ret_why[SPOUT__WHY])
{
	struct spout__listen_address a;
	int rc;

	memset(&a, 0, sizeof(a));
	if (strncmp(text, "unix:", 5) == 0)
		rc = parse_unix(text, &a, ret_why);
	else
		rc = parse_tcp(text, &a, ret_why);
	if (rc == 0)
		*ret_address = a;
	return rc;
}

unsigned
spout__listen_port(const struct spout__listen_address *address)
{
	const struct sockaddr_storage *addr = &address->addr;

	switch (addr->ss_family) {
	case AF_INET:
		return ntohs(((const struct sockaddr_in *)addr)->sin_port);
	case AF_INET6:
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	default:
		return 0;
	}
}

void
spout__listen_print(
    const struct sockaddr_storage *addr, socklen_t len, char ret_text[SPOUT__LISTEN_TEXT])
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;
	const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE + 1] = "";

	switch (addr->ss_family) {
	case AF_UNIX:
		snprintf(ret_text, SPOUT__LISTEN_TEXT, "unix:%.*s",
		    (int)(len - offsetof(struct sockaddr_un, sun_path)), un->sun_path);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		if (sin6->sin6_scope_id != 0) {
			scope[0] = '%';
			if (if_indextoname(sin6->sin6_scope_id, scope + 1) == NULL)
				scope[0] = '\0';
		}
		snprintf(ret_text, SPOUT__LISTEN_TEXT, "[%s%s]:%u", host, scope,
		    ntohs(sin6->sin6_port));
		break;
	default:
		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		snprintf(
		    ret_text, SPOUT__LISTEN_TEXT, "%s:%u", host, ntohs(sin->sin_port));
	}
}
