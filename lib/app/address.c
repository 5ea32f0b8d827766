/* SPDX-License-Identifier: MIT */
/* Addresses: see address.h. */
#include "config.h"

#include "app/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "app/options.h"

static int
wrong(char *why, size_t size, const char *text)
{
	snprintf(why, size, "%s", text);
	return -EINVAL;
}

static int
parse_unix(const char *path, struct spout__address *a, char *why, size_t why_size)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&a->sa;
	size_t len = strlen(path);

	if (len == 0)
		return wrong(why, why_size, "has no path after unix:");
	if (len >= sizeof(sun->sun_path))
		return wrong(why, why_size, "has a path longer than 107 bytes");
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, len + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

/* `host` without brackets; `v6`: it stood in brackets. */
static int
parse_host(const char *host, bool v6, uint16_t port, struct spout__address *a)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&a->sa;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&a->sa;

	if (v6) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(port);
		a->len = sizeof(*sin6);
		return inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "*") == 0 || host[0] == '\0')
		host = "0.0.0.0";
	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	a->len = sizeof(*sin);
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1 ? 0 : -EINVAL;
}

static int
parse_inet(const char *text, struct spout__address *a, char *why, size_t why_size)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	bool v6 = text[0] == '[';
	size_t len;
	uint64_t port;

	if (colon == NULL || (v6 && (colon == text || colon[-1] != ']')))
		return wrong(why, why_size, "has no port (write ADDR:PORT)");
	if (spout__parse_number(colon + 1, strlen(colon + 1), &port) != 0 || port > 65535)
		return wrong(why, why_size, "has a port that is not a number from 0 to 65535");
	len = (size_t)(colon - text) - (v6 ? 2 : 0);
	if (len >= sizeof(host))
		return wrong(why, why_size, "has a host that is not an IP address");
	memcpy(host, text + (v6 ? 1 : 0), len);
	host[len] = '\0';
	if (!v6 && strchr(host, ':'))
		return wrong(why, why_size, "is IPv6 and needs brackets, as in [::1]:8888");
	if (parse_host(host, v6, (uint16_t)port, a) != 0)
		return wrong(why, why_size, "has a host that is not an IP address");
	return 0;
}

int
spout__address_parse(const char *text, struct spout__address *ret, char *why,
    size_t why_size)
{
	struct spout__address a = { 0 };
	int error;

	if (strlen(text) >= sizeof(a.text))
		return wrong(why, why_size, "is too long");
	memcpy(a.text, text, strlen(text) + 1);
	if (strncmp(text, "unix:", 5) == 0)
		error = parse_unix(text + 5, &a, why, why_size);
	else if (strchr(text, ',') != NULL)
		error = wrong(why, why_size, strcmp(strchr(text, ','), ",tls") == 0 ?
		    "asks for TLS, which this version cannot do: put a proxy before it" :
		    "has an unknown suffix after the comma");
	else
		error = parse_inet(text, &a, why, why_size);
	if (error == 0)
		*ret = a;
	return error;
}
