/* SPDX-License-Identifier: MIT */
/* Sockets of the process before: see inherit.h. */
#include "config.h"

#include "supervisor/inherit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/notify.h"

#define PREFIX "spout-"

static const char *const mode_names[] = { [SPOUT__LISTEN_REUSEPORT] = "reuseport",
	[SPOUT__LISTEN_SHARED] = "shared", [SPOUT__LISTEN_PORTS] = "ports" };

/* --- names ----------------------------------------------------------------------- */

/* The address is there for people, and to make names differ; no ':' may be in them. */
void
spout__inherit_name(
    const struct spout__listener *l, unsigned slot, char ret_name[SPOUT__FD_NAME])
{
	char text[SPOUT__LISTEN_TEXT], *c;

	spout__listen_print(&l->address.addr, l->address.len, text);
	for (c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-')
			*c = '_';
	snprintf(ret_name, SPOUT__FD_NAME, PREFIX "%s-%u-%s", mode_names[l->mode], slot,
	    text);
}

/* Reads what spout__inherit_name() wrote. */
static void
read_name(struct spout__inherited *item)
{
	unsigned i;

	for (i = 0; i < sizeof(mode_names) / sizeof(mode_names[0]); i++) {
		char format[32];

		snprintf(format, sizeof(format), PREFIX "%s-%%4u-", mode_names[i]);
		if (sscanf(item->name, format, &item->slot) != 1)
			continue;
		item->mode = (enum spout__listen_mode)i;
		item->ours = item->slot < SPOUT__LISTEN_FDS_MAX;
	}
}

/* --- reading --------------------------------------------------------------------- */

static unsigned
count_offered(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	char *end;
	unsigned long n;

	if (pid == NULL || fds == NULL ||
	    strtoul(pid, &end, 10) != (unsigned long)getpid() || *end != '\0')
		return 0;
	n = strtoul(fds, &end, 10);
	return *end == '\0' && n <= SPOUT__LISTEN_FDS_MAX ? (unsigned)n : 0;
}

/* The next of the names, which ':' divides; moves on. */
static void
next_name(const char **names, char to[SPOUT__FD_NAME])
{
	size_t len = *names != NULL ? strcspn(*names, ":") : 0;

	to[0] = '\0';
	if (*names == NULL)
		return;
	snprintf(to, SPOUT__FD_NAME, "%.*s", (int)len, *names);
	*names = (*names)[len] == ':' ? *names + len + 1 : NULL;
}

static int
look_at(struct spout__inherited *item)
{
	int listening = 0, flags = fcntl(item->fd, F_GETFL);
	socklen_t len = sizeof(listening);

	if (flags < 0 ||
	    getsockopt(item->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
	    !listening)
		return -EINVAL;
	item->address.len = sizeof(item->address.addr);
	if (getsockname(item->fd, (struct sockaddr *)&item->address.addr,
		&item->address.len) < 0)
		return -errno;
	fcntl(item->fd, F_SETFD, FD_CLOEXEC);
	fcntl(item->fd, F_SETFL, flags | O_NONBLOCK);
	/* The process before may have held off connections when it stopped. */
	setsockopt(item->fd, SOL_SOCKET, SO_DETACH_FILTER, &listening, sizeof(listening));
	return 0;
}

int
spout__inherit_read(struct spout__inheritance *ret, char ret_why[SPOUT__WHY])
{
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned n = count_offered();

	*ret = (struct spout__inheritance){ 0 };
	ret->items = calloc(n + 1, sizeof(*ret->items));
	if (ret->items == NULL)
		return -ENOMEM;
	for (; ret->n < n; ret->n++) {
		struct spout__inherited *item = &ret->items[ret->n];

		item->fd = SPOUT__LISTEN_FDS_START + (int)ret->n;
		next_name(&names, item->name);
		read_name(item);
		if (look_at(item) == 0)
			continue;
		snprintf(ret_why, SPOUT__WHY,
		    "LISTEN_FDS: descriptor %d is not a listening socket", item->fd);
		free(ret->items);
		return -EINVAL;
	}
	return 0;
}

unsigned
spout__listeners_inherited(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned i, count = 0, n = count_offered();

	for (i = 0; i < n; i++) {
		struct spout__inherited item = { 0 };

		next_name(&names, item.name);
		read_name(&item);
		count += !item.ours;
	}
	return count;
}

void
spout__inherit_release(struct spout__inheritance *inheritance)
{
	unsigned i;

	for (i = 0; i < inheritance->n; i++)
		if (inheritance->items[i].fd >= 0 && inheritance->items[i].ours) {
			close(inheritance->items[i].fd);
			spout__notify_unstore(inheritance->items[i].name);
		}
	free(inheritance->items);
	*inheritance = (struct spout__inheritance){ 0 };
}

void
spout__inherit_forget(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* --- taking ---------------------------------------------------------------------- */

static bool
same_address(const struct spout__listen_address *wanted,
    const struct spout__listen_address *found)
{
	struct spout__listen_address probe = *wanted;

	if (probe.addr.ss_family != found->addr.ss_family)
		return false;
	if (probe.addr.ss_family == AF_UNIX)
		return strcmp(((const struct sockaddr_un *)&probe.addr)->sun_path,
			   ((const struct sockaddr_un *)&found->addr)->sun_path) == 0;
	if (spout__listen_port(&probe) != 0 &&
	    spout__listen_port(&probe) != spout__listen_port(found))
		return false;
	if (probe.addr.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&probe.addr)->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)&found->addr)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)&probe.addr)->sin6_addr,
		   &((const struct sockaddr_in6 *)&found->addr)->sin6_addr,
		   sizeof(struct in6_addr)) == 0;
}

int
spout__inherit_take(struct spout__inheritance *inheritance, enum spout__listen_mode mode,
    unsigned slot, const struct spout__listen_address *address)
{
	unsigned i;

	for (i = 0; i < inheritance->n; i++) {
		struct spout__inherited *item = &inheritance->items[i];
		int fd = item->fd;

		if (fd < 0 || !item->ours || item->mode != mode || item->slot != slot ||
		    !same_address(address, &item->address))
			continue;
		item->fd = -1;
		return fd;
	}
	return -1;
}

unsigned
spout__inherit_slots(const struct spout__inheritance *inheritance)
{
	unsigned i, n = 0;

	for (i = 0; i < inheritance->n; i++)
		if (inheritance->items[i].ours && inheritance->items[i].slot >= n)
			n = inheritance->items[i].slot + 1;
	return n;
}
