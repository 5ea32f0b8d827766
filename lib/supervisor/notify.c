/* SPDX-License-Identifier: MIT */
/* The protocol of sd_notify(3): see notify.h. */
#include "config.h"

#include "supervisor/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/inherit.h"

#define VARIABLE "NOTIFY_SOCKET"
#define MESSAGE 512

/* A path, or '@' and an abstract name. Returns the length of the address, 0 for none. */
static socklen_t
address_of(struct sockaddr_un *to)
{
	const char *text = getenv(VARIABLE);
	size_t len = text != NULL ? strlen(text) : 0;

	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	if (len < 2 || len >= sizeof(to->sun_path) || (text[0] != '/' && text[0] != '@'))
		return 0;
	memcpy(to->sun_path, text, len);
	if (text[0] == '@')
		to->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void
attach(struct msghdr *head, void *room, size_t size, int fd)
{
	struct cmsghdr *c;

	memset(room, 0, size);
	head->msg_control = room;
	head->msg_controllen = size;
	c = CMSG_FIRSTHDR(head);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

/* `passed` is -1 for none. Does not wait for a reader that is slow. */
static void
message_send(char *text, int passed)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
	struct sockaddr_un to;
	struct iovec part = { text, strlen(text) };
	struct msghdr head = { .msg_name = &to, .msg_iov = &part, .msg_iovlen = 1 };
	int fd;

	head.msg_namelen = address_of(&to);
	if (head.msg_namelen == 0)
		return;
	if (passed >= 0)
		attach(&head, &rights, sizeof(rights), passed);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendmsg(fd, &head, MSG_NOSIGNAL) < 0)
		spout_debug("notify: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void
spout__notify(const char *fmt, ...)
{
	char text[MESSAGE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	message_send(text, -1);
}

void
spout__notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	spout__notify("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading",
	    (unsigned long long)now.tv_sec * 1000000 +
		(unsigned long long)now.tv_nsec / 1000);
}

void
spout__notify_forget(void)
{
	unsetenv(VARIABLE);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* --- the store of descriptors ----------------------------------------------------- */

void
spout__notify_store(const struct spout__listeners *ls)
{
	char name[SPOUT__FD_NAME], text[MESSAGE];
	unsigned i, k;

	if (getenv(VARIABLE) == NULL)
		return;
	for (i = 0; i < ls->n; i++)
		for (k = 0; k < ls->items[i].n_fds && !ls->items[i].inherited; k++) {
			spout__inherit_name(&ls->items[i], k, name);
			snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
			message_send(text, ls->items[i].fds[k]);
		}
}

void
spout__notify_unstore(const char *name)
{
	spout__notify("FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void
spout__notify_unstore_last(const struct spout__listeners *ls)
{
	char name[SPOUT__FD_NAME];
	unsigned i;

	for (i = 0; i < ls->n; i++) {
		if (ls->items[i].mode == SPOUT__LISTEN_SHARED)
			continue;
		spout__inherit_name(&ls->items[i], ls->items[i].n_fds - 1, name);
		spout__notify_unstore(name);
	}
}

/* --- the watchdog ----------------------------------------------------------------- */

uint64_t
spout__notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t ms;

	if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	ms = strtoull(usec, NULL, 10) / 2000;
	return ms > 0 || strtoull(usec, NULL, 10) == 0 ? ms : 1;
}
