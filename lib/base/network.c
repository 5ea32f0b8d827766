/* SPDX-License-Identifier: MIT */
/* Addresses and networks: see network.h. */
#include "config.h"

#include "base/network.h"

#include <arpa/inet.h>
#include <errno.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static struct spout__ip
ip_from(int family, const void *bytes)
{
	struct spout__ip ip = { .family = (sa_family_t)family };

	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		ip.family = AF_INET;
		memcpy(ip.bytes, (const char *)bytes + sizeof(mapped), 4);
	} else {
		memcpy(ip.bytes, bytes, family == AF_INET ? 4 : 16);
	}
	return ip;
}

struct spout__ip
spout__ip_of(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ip_from(AF_INET, &((const struct sockaddr_in *)addr)->sin_addr);
	if (addr->sa_family == AF_INET6)
		return ip_from(AF_INET6, &((const struct sockaddr_in6 *)addr)->sin6_addr);
	return (struct spout__ip){ .family = AF_UNIX };
}

int
spout__ip_parse(struct spout_slice text, struct spout__ip *ret_ip)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
		return -EINVAL;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1)
		*ret_ip = ip_from(AF_INET, bytes);
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		*ret_ip = ip_from(AF_INET6, bytes);
	else
		return -EINVAL;
	return 0;
}

void
spout__ip_sockaddr(const struct spout__ip *ip, struct sockaddr_storage *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->ss_family = ip->family;
	if (ip->family == AF_INET)
		memcpy(&((struct sockaddr_in *)ret_addr)->sin_addr, ip->bytes, 4);
	else if (ip->family == AF_INET6)
		memcpy(&((struct sockaddr_in6 *)ret_addr)->sin6_addr, ip->bytes, 16);
}

/* A decimal number of at most three digits, and nothing behind it. */
static int
parse_bits(const char *text, unsigned *ret_bits)
{
	size_t n = strspn(text, "0123456789"), i;

	*ret_bits = 0;
	for (i = 0; i < n && i < 3; i++)
		*ret_bits = *ret_bits * 10 + (unsigned)(text[i] - '0');
	return n == 0 || n > 3 || text[n] != '\0' ? -EINVAL : 0;
}

/* True if a bit behind the first `bits` is set. */
static bool
has_more_bits(const struct spout__ip *ip, unsigned bits, unsigned max)
{
	unsigned i;

	for (i = bits; i < max; i++)
		if (ip->bytes[i / 8] & 0x80 >> i % 8)
			return true;
	return false;
}

int
spout__network_parse(const char *text, struct spout__network *ret_network)
{
	size_t len = strcspn(text, "/");
	struct spout__network net = { .ip = { .family = AF_UNIX } };
	unsigned max;

	if (strcmp(text, "unix") == 0) {
		*ret_network = net;
		return 0;
	}
	if (spout__ip_parse(spout_slice_of(text, len), &net.ip) != 0)
		return -EINVAL;
	max = net.ip.family == AF_INET ? 32 : 128;
	net.bits = max;
	if (text[len] == '/' && parse_bits(text + len + 1, &net.bits) != 0)
		return -EINVAL;
	/* Bits that a network of IPv4 in IPv6 counts before the four bytes. */
	if (text[len] == '/' && net.ip.family == AF_INET &&
	    memchr(text, ':', len) != NULL)
		net.bits = net.bits >= 96 ? net.bits - 96 : max + 1;
	if (net.bits > max || has_more_bits(&net.ip, net.bits, max))
		return -EINVAL;
	*ret_network = net;
	return 0;
}

bool
spout__network_has(const struct spout__network *network, const struct spout__ip *ip)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (network->ip.family != ip->family ||
	    memcmp(network->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    ((network->ip.bytes[whole] ^ ip->bytes[whole]) & 0xff00 >> rest & 0xff) == 0;
}
