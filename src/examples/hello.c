/* SPDX-License-Identifier: MIT */
#include <spout/spout.h>

static void
hello(struct spout_request *req)
{
	spout_plain(req, "Hello, World!\n");
}

static const struct spout_route routes[] = {
	SPOUT_GET("/", hello),
	SPOUT_END
};

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "hello", .routes = routes });
}
