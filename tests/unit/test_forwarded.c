/* SPDX-License-Identifier: MIT */
/* Addresses, networks, and whom proxies speak for. */
#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "web/forwarded.h"

/* --- networks ----------------------------------------------------------------------- */

static struct spout__ip
ip_of(const char *text)
{
	struct spout__ip ip = { 0 };

	if (strcmp(text, "unix") == 0)
		ip.family = AF_UNIX;
	else
		CU_ASSERT_EQUAL_FATAL(spout__ip_parse(spout_slice(text), &ip), 0);
	return ip;
}

/* Is the address in the network? -1: that is no network. */
static int
in(const char *network, const char *address)
{
	struct spout__network net;
	struct spout__ip ip = ip_of(address);

	if (spout__network_parse(network, &net) != 0)
		return -1;
	return spout__network_has(&net, &ip);
}

static void
networks_have_what_is_in_them(void)
{
	CU_ASSERT_EQUAL(in("192.0.2.0/24", "192.0.2.255"), 1);
	CU_ASSERT_EQUAL(in("192.0.2.0/24", "192.0.3.0"), 0);
	CU_ASSERT_EQUAL(in("192.0.2.0/25", "192.0.2.127"), 1);
	CU_ASSERT_EQUAL(in("192.0.2.0/25", "192.0.2.128"), 0);
	CU_ASSERT_EQUAL(in("192.0.2.7", "192.0.2.7"), 1);
	CU_ASSERT_EQUAL(in("192.0.2.7", "192.0.2.6"), 0);
	CU_ASSERT_EQUAL(in("0.0.0.0/0", "255.1.2.3"), 1);
	CU_ASSERT_EQUAL(in("0.0.0.0/0", "::1"), 0);
	CU_ASSERT_EQUAL(in("::/0", "::1"), 1);
	CU_ASSERT_EQUAL(in("::/0", "1.2.3.4"), 0);
	CU_ASSERT_EQUAL(in("2001:db8::/33", "2001:db8:7fff::"), 1);
	CU_ASSERT_EQUAL(in("2001:db8::/33", "2001:db8:8000::"), 0);
	CU_ASSERT_EQUAL(in("2001:db8::1/128", "2001:db8::1"), 1);
	CU_ASSERT_EQUAL(in("10.0.0.0/8", "::ffff:10.1.2.3"), 1);
	CU_ASSERT_EQUAL(in("::ffff:10.0.0.0/104", "10.1.2.3"), 1);
	CU_ASSERT_EQUAL(in("::ffff:10.0.0.0/104", "11.1.2.3"), 0);
	CU_ASSERT_EQUAL(in("unix", "unix"), 1);
	CU_ASSERT_EQUAL(in("unix", "127.0.0.1"), 0);
	CU_ASSERT_EQUAL(in("0.0.0.0/0", "unix"), 0);
}

static void
what_is_no_network_is_refused(void)
{
	static const char *const bad[] = { "", "/", "x", "192.0.2.0/", "192.0.2.0/33",
		"192.0.2.0/-1", "192.0.2.0/ 8", "192.0.2.0/0008", "192.0.2.1/24",
		"192.0.2/24", "192.0.2.0/24x", "2001:db8::/129", "2001:db8::1/64",
		"[::1]/128", "localhost", "::ffff:10.0.0.0/95", "unix/8", "1.2.3.4.5" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(in(bad[i], "192.0.2.1"), -1);
}

/* --- who asks ----------------------------------------------------------------------- */

static struct spout__http_head head;

static void
add_field(const char *name, const char *value)
{
	head.fields[head.n_fields].name = spout_slice(name);
	head.fields[head.n_fields++].value = spout_slice(value);
}

/* "address" or "address https" of a request from `peer`, of which 10/8 is trusted. */
static const char *
client_from(const char *peer, enum spout__forwarded_header kind)
{
	static char text[80];
	struct spout__trust trust = { .n = 2, .header = kind };
	struct spout__ip peer_ip = ip_of(peer);
	struct sockaddr_storage addr;
	struct spout__client client;

	CU_ASSERT_EQUAL(spout__network_parse("10.0.0.0/8", &trust.networks[0]), 0);
	CU_ASSERT_EQUAL(spout__network_parse("unix", &trust.networks[1]), 0);
	spout__ip_sockaddr(&peer_ip, &addr);
	spout__client_find(&trust, &head, (struct sockaddr *)&addr, &client);
	if (client.ip.family == AF_UNIX)
		strcpy(text, "unix");
	else
		inet_ntop(client.ip.family, client.ip.bytes, text, sizeof(text));
	if (client.https)
		strcat(text, " https");
	head.n_fields = 0;
	return text;
}

static const char *
x_forwarded(const char *value)
{
	add_field("x-forwarded-for", value);
	return client_from("10.0.0.1", SPOUT__X_FORWARDED);
}

static const char *
forwarded(const char *value)
{
	add_field("Forwarded", value);
	return client_from("10.0.0.1", SPOUT__FORWARDED);
}

static void
strangers_are_not_believed(void)
{
	add_field("X-Forwarded-For", "192.0.2.1");
	add_field("X-Forwarded-Proto", "https");
	CU_ASSERT_STRING_EQUAL(
	    client_from("198.51.100.1", SPOUT__X_FORWARDED), "198.51.100.1");
	add_field("Forwarded", "for=192.0.2.1;proto=https");
	CU_ASSERT_STRING_EQUAL(
	    client_from("198.51.100.1", SPOUT__FORWARDED), "198.51.100.1");
	/* Nor is a field that the proxy does not set. */
	add_field("Forwarded", "for=192.0.2.1;proto=https");
	CU_ASSERT_STRING_EQUAL(client_from("10.0.0.1", SPOUT__X_FORWARDED), "10.0.0.1");
	add_field("X-Forwarded-For", "192.0.2.1");
	add_field("X-Forwarded-Proto", "https");
	CU_ASSERT_STRING_EQUAL(client_from("10.0.0.1", SPOUT__FORWARDED), "10.0.0.1");
}

static void
the_chain_is_followed_from_its_near_end(void)
{
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1"), "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.9, 192.0.2.1"), "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1, 10.0.0.2,10.0.0.3"), "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.9,192.0.2.1,10.0.0.3"), "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("10.0.0.2, 10.0.0.3"), "10.0.0.2");
	CU_ASSERT_STRING_EQUAL(x_forwarded(""), "10.0.0.1");
	CU_ASSERT_STRING_EQUAL(x_forwarded(" , ,"), "10.0.0.1");
	/* Several fields are one list. */
	add_field("X-Forwarded-For", "192.0.2.9");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1, 10.0.0.2"), "192.0.2.1");
	/* What cannot be read ends what is known. */
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1, unknown, 10.0.0.2"), "10.0.0.2");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1, x"), "10.0.0.1");
	add_field("X-Forwarded-For", "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(client_from("unix", SPOUT__X_FORWARDED), "192.0.2.1");
}

static void
addresses_come_in_several_forms(void)
{
	static const char *const bad[] = { "192.0.2.1:", "192.0.2.1:x",
		"192.0.2.1:123456", "[192.0.2.1]", "[2001:db8::1", "2001:db8::1]",
		"[2001:db8::1]x", "[]", "[2001:db8::1]:", "\"192.0.2.1\"", "192.0.2.256",
		"192.0.2.1 192.0.2.2",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };

	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1:4711"), "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("2001:db8::1"), "2001:db8::1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("[2001:db8::1]"), "2001:db8::1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("[2001:db8::1]:65535"), "2001:db8::1");
	CU_ASSERT_STRING_EQUAL(x_forwarded("::ffff:192.0.2.1"), "192.0.2.1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_STRING_EQUAL(x_forwarded(bad[i]), "10.0.0.1");
}

static void
the_protocol_is_what_the_nearest_proxy_says(void)
{
	add_field("X-Forwarded-Proto", "https");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1"), "192.0.2.1 https");
	add_field("X-Forwarded-Proto", "https, HTTP");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1"), "192.0.2.1");
	add_field("X-Forwarded-Proto", "http");
	add_field("X-Forwarded-Proto", "HTTPS");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1"), "192.0.2.1 https");
	add_field("X-Forwarded-Proto", "httpsx");
	CU_ASSERT_STRING_EQUAL(x_forwarded("192.0.2.1"), "192.0.2.1");
	add_field("X-Forwarded-Proto", "https");
	CU_ASSERT_STRING_EQUAL(
	    client_from("10.0.0.1", SPOUT__X_FORWARDED), "10.0.0.1 https");
}

/* Examples of RFC 7239 4 and 7, and what is near them. */
static void
forwarded_is_read_as_rfc_7239_has_it(void)
{
	static const char *const bad[] = { "for=unknown", "for=_hidden", "proto=https",
		"for", "for=", "for=\"192.0.2.1", "for=192.0.2.1;for=192.0.2.2",
		"for=192.0.2.1;x", "by=203.0.113.43", "", ";", "for =192.0.2.1" };

	CU_ASSERT_STRING_EQUAL(
	    forwarded("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
	CU_ASSERT_STRING_EQUAL(
	    forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
	CU_ASSERT_STRING_EQUAL(
	    forwarded("for=192.0.2.43, for=198.51.100.17"), "198.51.100.17");
	CU_ASSERT_STRING_EQUAL(
	    forwarded("for=192.0.2.43;proto=https, for=10.0.0.2"), "192.0.2.43 https");
	CU_ASSERT_STRING_EQUAL(
	    forwarded("for=192.0.2.43, for=10.0.0.2;proto=https"), "192.0.2.43");
	CU_ASSERT_STRING_EQUAL(
	    forwarded("for=192.0.2.43;host=\"a,b;c\\\"d\"; PROTO=HTTPS"),
	    "192.0.2.43 https");
	CU_ASSERT_STRING_EQUAL(forwarded("for=192.0.2.43, for=unknown"), "10.0.0.1");
	CU_ASSERT_STRING_EQUAL(forwarded("for=\"192.0.2.43:80\""), "192.0.2.43");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_STRING_EQUAL(forwarded(bad[i]), "10.0.0.1");
}

static void
chains_have_a_bound(void)
{
	char list[SPOUT__HOPS_MAX * 10 + 32] = "192.0.2.1";
	unsigned i;

	for (i = 1; i < SPOUT__HOPS_MAX; i++)
		strcat(list, ",10.0.0.2");
	CU_ASSERT_STRING_EQUAL(x_forwarded(list), "192.0.2.1");
	strcat(list, ",10.0.0.2");
	CU_ASSERT_STRING_EQUAL(x_forwarded(list), "10.0.0.2");
}

static const struct unit_test tests[] = {
	UNIT_TEST(networks_have_what_is_in_them),
	UNIT_TEST(what_is_no_network_is_refused),
	UNIT_TEST(strangers_are_not_believed),
	UNIT_TEST(the_chain_is_followed_from_its_near_end),
	UNIT_TEST(addresses_come_in_several_forms),
	UNIT_TEST(the_protocol_is_what_the_nearest_proxy_says),
	UNIT_TEST(forwarded_is_read_as_rfc_7239_has_it),
	UNIT_TEST(chains_have_a_bound),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "forwarded", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
