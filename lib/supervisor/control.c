/* SPDX-License-Identifier: MIT */
/* Control messages: see control.h. */
#include "config.h"

#include "supervisor/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int
spout__control_pair(int ret_fds[2])
{
	if (socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
		return -errno;
	return 0;
}

static int
message_send(int fd, struct msghdr *head)
{
	ssize_t n;

	do
		n = sendmsg(fd, head, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int
spout__control_send(
    int fd, enum spout__control_kind kind, uint64_t value, const char *text)
{
	struct spout__control_message m;
	struct iovec part = { &m, sizeof(m) };
	struct msghdr head = { .msg_iov = &part, .msg_iovlen = 1 };

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	m.value = value;
	if (text != NULL)
		snprintf(m.text, sizeof(m.text), "%s", text);
	return message_send(fd, &head);
}

union passed_fd {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

int
spout__control_send_fd(
    int fd, enum spout__control_kind kind, uint64_t value, int passed)
{
	struct spout__control_message m;
	struct iovec part = { &m, sizeof(m) };
	union passed_fd rights;
	struct msghdr head = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights) };

	memset(&m, 0, sizeof(m));
	memset(&rights, 0, sizeof(rights));
	m.kind = kind;
	m.value = value;
	rights.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&head)), &passed, sizeof(passed));
	return message_send(fd, &head);
}

/* The descriptor that came with a message, or -1. */
static int
fd_of(struct msghdr *head)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(head);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int
spout__control_receive(int fd, struct spout__control_message *ret_message)
{
	struct spout__control_message m;
	struct iovec part = { &m, sizeof(m) };
	union passed_fd rights;
	struct msghdr head = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &rights,
		/* Room for one descriptor: the kernel closes what else there is. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	int passed;
	ssize_t n;

	do
		n = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	passed = fd_of(&head);
	if (n != (ssize_t)sizeof(m)) {
		if (passed >= 0)
			close(passed);
		return -EBADMSG;
	}
	m.fd = passed;
	m.text[sizeof(m.text) - 1] = '\0';
	*ret_message = m;
	return 1;
}
