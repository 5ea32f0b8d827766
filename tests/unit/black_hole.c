/* SPDX-License-Identifier: MIT */
/* A listener whose queue is full drops what comes: see black_hole.h. */
#include "config.h"

#include "black_hole.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define FILLERS 8

static int hole = -1, filler[FILLERS];

uint16_t
black_hole_dig(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	hole = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(hole, (struct sockaddr *)&addr, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(hole, 0), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(hole, (struct sockaddr *)&addr, &len), 0);
	for (int i = 0; i < FILLERS; i++) {
		filler[i] =
		    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&addr, len);
	}
	return ntohs(addr.sin_port);
}

void
black_hole_fill(void)
{
	close(hole);
	for (int i = 0; i < FILLERS; i++)
		close(filler[i]);
}
