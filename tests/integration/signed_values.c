/* SPDX-License-Identifier: MIT */
/*
 * Signs and reads signed values for test_tornado.py, line by line. The arguments are the
 * secrets, as a cookie secret has them. A line of input is
 *
 *     sign NAME VALUE-IN-HEX SECONDS        ->  the text
 *     read NAME TEXT SECONDS MAX-AGE        ->  "= VALUE-IN-HEX", or "no"
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <spout/crypto.h>

#include "web/signed_value.h"

static void
sign_line(const struct spout__keyring *keys, char *const word[4])
{
	static unsigned char value[65536];
	static char text[131072];
	size_t len = strlen(word[2]);
	long n = -EBADMSG;

	if (strcmp(word[2], "-") == 0)
		len = 0;
	if (spout_hex_decode(word[2], len, value) == 0)
		n = spout__signed_make(
		    keys, word[1], spout_slice_of(value, len / 2), atoll(word[3]), text);
	printf("%.*s\n", n < 0 ? 0 : (int)n, text);
}

static void
read_line(const struct spout__keyring *keys, char *const word[5])
{
	static char value[131072], hex[262144];
	long n = spout__signed_read(
	    keys, word[1], spout_slice(word[2]), atoll(word[3]), atoll(word[4]), value);

	if (n < 0) {
		puts("no");
		return;
	}
	spout_hex(value, (size_t)n, hex);
	printf("= %s\n", hex);
}

int
main(int argc, char **argv)
{
	static char line[262144];
	struct spout__keyring keys;
	const char *why = "no secret";

	if (argc != 2 || spout__keyring_parse(argv[1], &keys, &why) != 0) {
		fprintf(stderr, "signed_values: %s\n", why);
		return 2;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *word[5] = { NULL }, *rest = line;
		unsigned n = 0;

		while (n < 5 && (word[n] = strtok_r(rest, " \n", &rest)) != NULL)
			n++;
		if (n == 4 && strcmp(word[0], "sign") == 0)
			sign_line(&keys, word);
		else if (n == 5 && strcmp(word[0], "read") == 0)
			read_line(&keys, word);
		else
			return 2;
	}
	return 0;
}
