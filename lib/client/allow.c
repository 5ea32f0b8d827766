/* SPDX-License-Identifier: MIT */
/* Ready-made answers to "may a connection be made to this address?" Pure. */
#include "config.h"

#include <arpa/inet.h>

#include <spout/client.h>

struct range {
	const char *address;
	unsigned bits;
};

/* RFC 6890 and the registries that it set up. */
static const struct range special4[] = { { "0.0.0.0", 8 }, { "10.0.0.0", 8 },
	{ "100.64.0.0", 10 }, { "127.0.0.0", 8 }, { "169.254.0.0", 16 },
	{ "172.16.0.0", 12 }, { "192.0.0.0", 24 }, { "192.0.2.0", 24 },
	{ "192.88.99.0", 24 }, { "192.168.0.0", 16 }, { "198.18.0.0", 15 },
	{ "198.51.100.0", 24 }, { "203.0.113.0", 24 }, { "224.0.0.0", 4 },
	{ "240.0.0.0", 4 } };
/* Of IPv6 only 2000::/3 is given out; parts of that stand for IPv4 addresses. */
static const struct range special6[] = { { "2001::", 23 }, { "2001:db8::", 32 },
	{ "2002::", 16 }, { "3fff::", 20 } };
static const struct range loopback4 = { "127.0.0.0", 8 };
static const struct range loopback6 = { "::1", 128 };
static const struct range global6 = { "2000::", 3 };

static bool
in_range(int family, const unsigned char *address, const struct range *range)
{
	unsigned char base[16];
	unsigned bytes = range->bits / 8, rest = range->bits % 8;

	if (inet_pton(family, range->address, base) != 1 ||
	    memcmp(address, base, bytes) != 0)
		return false;
	return rest == 0 || (address[bytes] ^ base[bytes]) >> (8 - rest) == 0;
}

/* The family of a numeric address, 0 if it is none. IPv4 in IPv6 is IPv4. */
static int
parse(const char *text, unsigned char ret_address[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, ret_address) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, ret_address) != 1)
		return 0;
	if (memcmp(ret_address, mapped, sizeof(mapped)) != 0)
		return AF_INET6;
	memmove(ret_address, ret_address + 12, 4);
	return AF_INET;
}

bool
spout_fetch_allow_loopback(const char *address, uint16_t port, void *arg)
{
	unsigned char bytes[16];
	int family = parse(address, bytes);

	(void)port;
	(void)arg;
	return family != 0 &&
	    in_range(family, bytes, family == AF_INET ? &loopback4 : &loopback6);
}

bool
spout_fetch_allow_public(const char *address, uint16_t port, void *arg)
{
	unsigned char bytes[16];
	int family = parse(address, bytes);
	const struct range *special = family == AF_INET ? special4 : special6;
	size_t n = family == AF_INET ? sizeof(special4) / sizeof(*special4)
				     : sizeof(special6) / sizeof(*special6);

	(void)port;
	(void)arg;
	if (family == 0 || (family == AF_INET6 && !in_range(family, bytes, &global6)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (in_range(family, bytes, &special[i]))
			return false;
	return true;
}
