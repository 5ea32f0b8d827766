/* SPDX-License-Identifier: MIT */
/* Lists of addresses, and getaddrinfo() that fills them: see resolve.h. Any thread. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

#include "executor/resolve.h"

void
spout__addresses_interleave(struct spout__addresses *addresses)
{
	struct spout__addresses from = *addresses;
	bool taken[SPOUT__ADDRESSES_MAX] = { false };
	int last = AF_UNSPEC;

	for (unsigned n = 0; n < from.n; n++) {
		unsigned pick = from.n;

		/* The first one left of the other family, else the first one left. */
		for (unsigned i = from.n; i-- > 0;)
			if (!taken[i] && from.at[i].addr.ss_family != last)
				pick = i;
		for (unsigned i = 0; pick == from.n && i < from.n; i++)
			if (!taken[i])
				pick = i;
		taken[pick] = true;
		last = from.at[pick].addr.ss_family;
		addresses->at[n] = from.at[pick];
	}
}

void
spout__addresses_set_port(struct spout__addresses *addresses, uint16_t port)
{
	for (unsigned i = 0; i < addresses->n; i++) {
		struct sockaddr_storage *addr = &addresses->at[i].addr;

		if (addr->ss_family == AF_INET6)
			((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
		else
			((struct sockaddr_in *)addr)->sin_port = htons(port);
	}
}

void
spout__address_text(
    const struct sockaddr_storage *addr, char ret_text[SPOUT__ADDRESS_TEXT])
{
	const void *bytes = addr->ss_family == AF_INET6
	    ? (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr
	    : (const void *)&((const struct sockaddr_in *)addr)->sin_addr;

	if (inet_ntop(addr->ss_family, bytes, ret_text, SPOUT__ADDRESS_TEXT) == NULL)
		ret_text[0] = '\0';
}

static void
take_list(const struct addrinfo *list, struct spout__addresses *ret)
{
	ret->n = 0;
	for (; list != NULL && ret->n < SPOUT__ADDRESSES_MAX; list = list->ai_next) {
		if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
			continue;
		memset(&ret->at[ret->n].addr, 0, sizeof(ret->at[ret->n].addr));
		memcpy(&ret->at[ret->n].addr, list->ai_addr, list->ai_addrlen);
		ret->at[ret->n++].len = list->ai_addrlen;
	}
	spout__addresses_interleave(ret);
}

bool
spout__addresses_parse(const char *host, int family, struct spout__addresses *ret)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_family = family,
		.ai_socktype = SOCK_STREAM }, *list;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	take_list(list, ret);
	freeaddrinfo(list);
	return true;
}

static int
refuse(const char *host, int error, int system_error, char why[SPOUT__LOOKUP_WHY])
{
	bool system = error == EAI_SYSTEM && system_error != 0;

	snprintf(why, SPOUT__LOOKUP_WHY, "looking up %.100s: %s", host,
	    system ? strerror(system_error) : gai_strerror(error));
	if (error == EAI_MEMORY)
		return -ENOMEM;
	return system ? -system_error : -EHOSTUNREACH;
}

int
spout__addresses_look_up(const char *host, int family, struct spout__addresses *ret,
    char ret_why[SPOUT__LOOKUP_WHY])
{
	struct addrinfo hints = { .ai_flags = AI_ADDRCONFIG, .ai_family = family,
		.ai_socktype = SOCK_STREAM }, *list = NULL;
	int error = getaddrinfo(host, NULL, &hints, &list);

	if (error != 0)
		return refuse(host, error, errno, ret_why);
	take_list(list, ret);
	freeaddrinfo(list);
	return ret->n > 0 ? 0 : refuse(host, EAI_NONAME, 0, ret_why);
}
