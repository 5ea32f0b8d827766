/* SPDX-License-Identifier: MIT */
/* A server of a test: see server.c. */
#ifndef SPOUT_TESTING_SERVER_H
#define SPOUT_TESTING_SERVER_H

#include "testing/run.h"

struct spout_test_server {
	struct spout__list link; /* in run->servers */
	struct spout_app *app;
	struct spout__web *web;
	struct spout__http_server *http;
	int fd;                  /* listens */
	uint16_t port;
	bool started;            /* the start hook has returned */
};

#endif
