/* SPDX-License-Identifier: MIT */
/* Steering new connections: see steer.h. */
#include "config.h"

#include "supervisor/steer.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel's random number modulo n stands for; all but the last are compared. */
#define CODE_MAX (2 + 2 * SPOUT__STEER_MAX)

static int
attach(int fd, struct sock_filter *code, unsigned n)
{
	struct sock_fprog program;

	memset(&program, 0, sizeof(program)); /* its padding, too */
	program.len = (unsigned short)n;
	program.filter = code;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		sizeof(program)) < 0)
		return -errno;
	return 0;
}

/* A <- a random number below n. Returns the number of instructions. */
static unsigned
draw(struct sock_filter *code, unsigned n)
{
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
	code[1] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n);
	return 2;
}

int
spout__steer(int fd, const uint16_t *members, unsigned n)
{
	struct sock_filter code[CODE_MAX];
	unsigned i, len;

	if (n == 0 || n > SPOUT__STEER_MAX)
		return -EINVAL;
	len = n > 1 ? draw(code, n) : 0;
	for (i = 0; i < n; i++) {
		if (i + 1 < n)
			code[len++] = (struct sock_filter)BPF_JUMP(
			    BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
		code[len++] =
		    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, members[i]);
	}
	return attach(fd, code, len);
}

int
spout__steer_first(int fd, unsigned n)
{
	struct sock_filter code[3];
	unsigned len;

	if (n == 0)
		return -EINVAL;
	len = draw(code, n);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return attach(fd, code, len);
}
