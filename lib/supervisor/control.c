/* SPDX-License-Identifier: MIT */
/* Control messages: see control.h. */
#include "config.h"

#include "supervisor/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

int
spout__control_pair(int ret_fds[2])
{
	if (socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
		return -errno;
	return 0;
}

int
spout__control_send(
    int fd, enum spout__control_kind kind, uint64_t value, const char *text)
{
	struct spout__control_message m;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	m.value = value;
	if (text != NULL)
		snprintf(m.text, sizeof(m.text), "%s", text);
	do
		n = send(fd, &m, sizeof(m), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int
spout__control_receive(int fd, struct spout__control_message *ret_message)
{
	struct spout__control_message m;
	ssize_t n;

	do
		n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(m))
		return -EBADMSG;
	m.text[sizeof(m.text) - 1] = '\0';
	*ret_message = m;
	return 1;
}
