/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: X-Forwarded-For, X-Forwarded-Proto and Forwarded, one field a line of the
 * input. What must hold:
 *
 *   - a client that is not trusted itself is found, or the nearest one that is known;
 *   - nobody is believed when no network is trusted, whatever the fields say.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "web/forwarded.h"

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

static void
check(const struct spout__http_head *head, enum spout__forwarded_header kind)
{
	struct spout__trust trust = { .n = 1, .header = kind };
	struct sockaddr_storage addr = { .ss_family = AF_INET };
	struct spout__client client;

	((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(0x0a000001);
	trust.networks[0] = (struct spout__network){
		.ip = { .family = AF_INET, .bytes = { 10 } }, .bits = 8
	};
	spout__client_find(&trust, head, (struct sockaddr *)&addr, &client);
	must(client.ip.family == AF_INET || client.ip.family == AF_INET6, "no address");
	trust.n = 0;
	spout__client_find(&trust, head, (struct sockaddr *)&addr, &client);
	must(!client.https && client.ip.bytes[0] == 10 && client.ip.bytes[3] == 1,
	    "a stranger is believed");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const names[] = { "X-Forwarded-For", "X-Forwarded-Proto",
		"Forwarded" };
	static struct spout__http_head head;
	const char *at = (const char *)data, *end = at + len;
	struct spout__network network;
	char *copy = malloc(len + 1);

	if (copy == NULL)
		return 0;
	memcpy(copy, data, len);
	copy[len] = '\0';
	head.n_fields = 0;
	while (at < end && head.n_fields < SPOUT__HTTP_MAX_FIELDS) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (stop == NULL)
			stop = end;
		head.fields[head.n_fields].name =
		    spout_slice(names[(unsigned char)*at % 3]);
		head.fields[head.n_fields++].value =
		    spout_slice_of(at + (at < stop), (size_t)(stop - at) - (at < stop));
		at = stop + 1;
	}
	check(&head, SPOUT__X_FORWARDED);
	check(&head, SPOUT__FORWARDED);
	if (spout__network_parse(copy, &network) == 0)
		must(network.bits <= 128, "too many bits");
	free(copy);
	return 0;
}
