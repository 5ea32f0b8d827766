/* SPDX-License-Identifier: MIT */
/*
 * Opening, keeping and closing listening sockets: see listeners.h.
 *
 * A second instance must fail with "address in use" instead of taking half the traffic:
 * the first socket of a REUSEPORT group binds without SO_REUSEPORT, which any other
 * listener on the address refuses, and gets the option before it listens; then the
 * others join.
 */
#include "config.h"

#include "supervisor/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/inherit.h"
#include "supervisor/steer.h"

#define NOTSENT_LOWAT (128 * 1024)
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES 4
/* With a shorter one the first lost probe would end an idle connection: the kernel looks
 * at it instead of the number of probes. Who does not read is ended by HTTP's time-outs.
 */
#define USER_TIMEOUT_MS \
	((KEEPALIVE_IDLE_S + KEEPALIVE_PROBES * KEEPALIVE_INTERVAL_S) * 1000)

enum { EXCLUSIVE, JOIN };

/* --- TCP ------------------------------------------------------------------------- */

/* What accepted sockets inherit. An old kernel that lacks one still serves. */
static void
set_inherited_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(int)) < 0)
			spout_debug("listening socket: option %d: %s", options[i].name,
			    strerror(errno));
}

/* Bind and listen; 0 or -errno. `group`: whether the socket may have or join siblings. */
static int
bind_tcp(int fd, const struct spout__listen_address *a, bool group, int how)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (group && how == JOIN &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0))
		return -errno;
	if (a->addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	set_inherited_options(fd);
	if (bind(fd, (const struct sockaddr *)&a->addr, a->len) < 0)
		return -errno;
	if (group && how == EXCLUSIVE &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -errno;
	return listen(fd, SPOUT__LISTEN_BACKLOG) < 0 ? -errno : 0;
}

static int
open_tcp(const struct spout__listen_address *a, bool group, int how)
{
	int rc,
	    fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	rc = bind_tcp(fd, a, group, how);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static in_port_t *
port_of(struct spout__listen_address *a)
{
	if (a->addr.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&a->addr)->sin6_port;
	return &((struct sockaddr_in *)&a->addr)->sin_port;
}

/* --- unix ------------------------------------------------------------------------ */

/* Whether a socket file can be removed: nobody listens on it. 0 or -errno. */
static int
probe_stale(const struct spout__listen_address *a)
{
	int rc, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)&a->addr, a->len) == 0 ? 0 : errno;
	close(fd);
	if (rc == ECONNREFUSED)
		return 0;
	return rc == 0 || rc == EAGAIN ? -EADDRINUSE : -rc;
}

static int
remove_stale(const struct spout__listen_address *a, const char *path)
{
	struct stat st;
	int rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	rc = probe_stale(a);
	if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
		rc = -errno;
	return rc;
}

/* Its socket file is ours to remove. */
static void
own_path(struct spout__listener *l)
{
	const char *path = ((const struct sockaddr_un *)&l->address.addr)->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	l->owns_path = true;
	l->path_dev = st.st_dev;
	l->path_ino = st.st_ino;
}

static int
open_unix(struct spout__listener *l, unsigned mode)
{
	const char *path = ((struct sockaddr_un *)&l->address.addr)->sun_path;
	mode_t old;
	int fd, rc = remove_stale(&l->address, path);

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	old = umask(0777 & ~mode); /* never more open than asked, not even for a moment */
	rc = bind(fd, (struct sockaddr *)&l->address.addr, l->address.len);
	if (rc < 0)
		rc = -errno;
	umask(old);
	if (rc == 0)
		own_path(l);
	if (rc == 0 && listen(fd, SPOUT__LISTEN_BACKLOG) < 0)
		rc = -errno;
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

void
spout__listener_unlink(struct spout__listener *l)
{
	const char *path = ((const struct sockaddr_un *)&l->address.addr)->sun_path;
	struct stat st;

	if (l->owns_path && lstat(path, &st) == 0 && st.st_dev == l->path_dev &&
	    st.st_ino == l->path_ino)
		unlink(path);
	l->owns_path = false;
}

/* --- one listener ---------------------------------------------------------------- */

/* The address that fds[0] really has, port included. */
static int
learn_address(struct spout__listener *l)
{
	l->address.len = sizeof(l->address.addr);
	if (getsockname(l->fds[0], (struct sockaddr *)&l->address.addr, &l->address.len) <
	    0)
		return -errno;
	return 0;
}

/* The TCP socket of slot i. The others get the port that was chosen for the first. */
static int
open_slot(struct spout__listener *l, unsigned i)
{
	struct spout__listen_address at = l->address;
	bool group = l->mode == SPOUT__LISTEN_REUSEPORT;
	unsigned port = l->asked_port != 0 ? l->asked_port + i : 0;
	int fd;

	if (l->mode == SPOUT__LISTEN_PORTS) {
		if (port > 65535)
			return -ERANGE;
		*port_of(&at) = htons((uint16_t)port);
	}
	fd = open_tcp(&at, group, i == 0 ? EXCLUSIVE : JOIN);
	if (fd >= 0)
		l->fds[i] = fd;
	return fd < 0 ? fd : 0;
}

static int
open_sockets(struct spout__listener *l, unsigned unix_mode)
{
	unsigned i;
	int rc = 0;

	if (l->address.addr.ss_family == AF_UNIX) {
		if (l->n_adopted > 0)
			return 0;
		rc = open_unix(l, unix_mode);
		if (rc >= 0)
			l->fds[0] = rc;
		return rc < 0 ? rc : 0;
	}
	if (l->mode == SPOUT__LISTEN_PORTS && l->asked_port + l->n_fds - 1 > 65535)
		return -ERANGE;
	/* Nobody is there yet to answer at the new ones. */
	if (l->n_adopted > 0 && l->mode == SPOUT__LISTEN_REUSEPORT &&
	    (rc = spout__steer_first(l->fds[0], l->n_adopted)) < 0)
		spout_debug("cannot steer connections: %s", strerror(-rc));
	for (i = l->n_adopted, rc = 0; i < l->n_fds && rc == 0; i++) {
		rc = open_slot(l, i);
		if (i == 0 && rc == 0)
			rc = learn_address(l);
	}
	return rc;
}

static const char *
reason(int rc)
{
	switch (rc) {
	case -EADDRINUSE:
		return "address in use";
	case -EEXIST:
		return "exists and is not a socket";
	case -ERANGE:
		return "port + number of workers is past 65535";
	default:
		return strerror(-rc);
	}
}

static struct spout__listener *
add_listener(struct spout__listeners *ls, enum spout__listen_mode mode)
{
	unsigned i, n = mode == SPOUT__LISTEN_SHARED ? 1 : ls->n_slots;
	struct spout__listener *l = &ls->items[ls->n];

	memset(l, 0, sizeof(*l));
	l->fds = malloc(n * sizeof(*l->fds));
	if (l->fds == NULL)
		return NULL;
	l->mode = mode;
	l->n_fds = n;
	for (i = 0; i < n; i++)
		l->fds[i] = -1;
	ls->n++;
	return l;
}

/* The sockets that the process before had for this address, as far as there are any. */
static int
adopt_own(struct spout__listener *l, struct spout__inheritance *inheritance)
{
	struct spout__listen_address at = l->address;
	unsigned port = spout__listen_port(&at);
	int fd;

	while (l->n_adopted < l->n_fds) {
		if (l->mode == SPOUT__LISTEN_PORTS && port != 0)
			*port_of(&at) = htons((uint16_t)(port + l->n_adopted));
		fd = spout__inherit_take(inheritance, l->mode, l->n_adopted, &at);
		if (fd < 0)
			break;
		l->fds[l->n_adopted++] = fd;
		if (l->n_adopted > 1)
			continue;
		if (learn_address(l) < 0)
			return -errno;
		if (l->mode == SPOUT__LISTEN_REUSEPORT)
			at = l->address; /* the same port as the first one */
	}
	return 0;
}

static int
open_spec(struct spout__listeners *ls, const struct spout__listen_spec *spec,
    struct spout__inheritance *inheritance, char ret_why[SPOUT__WHY])
{
	struct spout__listen_address a;
	struct spout__listener *l;
	int rc = spout__listen_parse(spec->text, &a, ret_why);

	if (rc < 0)
		return rc;
	l = add_listener(
	    ls, a.addr.ss_family == AF_UNIX ? SPOUT__LISTEN_SHARED : spec->mode);
	if (l == NULL)
		return -ENOMEM;
	l->address = a;
	l->announce = spec->announce;
	l->to_the_end = spec->to_the_end;
	l->asked_port = (uint16_t)spout__listen_port(&a);
	rc = adopt_own(l, inheritance);
	if (rc == 0)
		rc = open_sockets(l, spec->unix_mode != 0 ? spec->unix_mode : 0666);
	if (rc < 0)
		snprintf(ret_why, SPOUT__WHY, "cannot listen on %.128s: %s", spec->text,
		    reason(rc));
	return rc;
}

/* A socket that systemd has opened. */
static int
adopt_foreign(struct spout__listeners *ls, struct spout__inherited *item)
{
	struct spout__listener *l = add_listener(ls, SPOUT__LISTEN_SHARED);

	if (l == NULL)
		return -ENOMEM;
	l->fds[0] = item->fd;
	l->n_adopted = 1;
	l->address = item->address;
	l->inherited = true;
	item->fd = -1;
	if (l->address.addr.ss_family != AF_UNIX)
		set_inherited_options(l->fds[0]);
	return 0;
}

/* --- all of them ----------------------------------------------------------------- */

static int
open_all(struct spout__listeners *ls, const struct spout__listen_spec *specs,
    unsigned n_specs, struct spout__inheritance *inheritance, char ret_why[SPOUT__WHY])
{
	unsigned i;
	int rc = 0;

	ls->items = calloc(n_specs + inheritance->n + 1, sizeof(*ls->items));
	if (ls->items == NULL)
		return -ENOMEM;
	if (spout__inherit_slots(inheritance) > ls->n_slots)
		ls->n_slots = spout__inherit_slots(inheritance);
	for (i = 0; rc == 0 && i < n_specs; i++)
		rc = open_spec(ls, &specs[i], inheritance, ret_why);
	for (i = 0; rc == 0 && i < inheritance->n; i++)
		if (!inheritance->items[i].ours)
			rc = adopt_foreign(ls, &inheritance->items[i]);
	return rc;
}

/* What was handed to us stays open: there may be another try. */
static void
close_opened(struct spout__listeners *ls)
{
	unsigned i, k;

	for (i = 0; i < ls->n; i++)
		for (k = 0; k < ls->items[i].n_adopted; k++)
			ls->items[i].fds[k] = -1;
	spout__listeners_close(ls);
}

int
spout__listeners_open(struct spout__listeners *ls, const struct spout__listen_spec *specs,
    unsigned n_specs, unsigned n_slots, char ret_why[SPOUT__WHY])
{
	struct spout__inheritance inheritance;
	int rc;

	*ls = (struct spout__listeners){ .n_slots = n_slots };
	snprintf(ret_why, SPOUT__WHY, "cannot listen: out of memory");
	rc = spout__inherit_read(&inheritance, ret_why);
	if (rc < 0)
		return rc;
	rc = open_all(ls, specs, n_specs, &inheritance, ret_why);
	if (rc == 0) {
		spout__inherit_release(&inheritance);
		spout__inherit_forget();
	} else {
		close_opened(ls);
		free(inheritance.items);
	}
	return rc;
}

void
spout__listeners_close(struct spout__listeners *ls)
{
	unsigned i, k;

	for (i = 0; i < ls->n; i++) {
		spout__listener_unlink(&ls->items[i]);
		for (k = 0; k < ls->items[i].n_fds; k++)
			if (ls->items[i].fds[k] >= 0)
				close(ls->items[i].fds[k]);
		free(ls->items[i].fds);
	}
	free(ls->items);
	*ls = (struct spout__listeners){ 0 };
}

void
spout__listeners_give_up(struct spout__listeners *ls)
{
	unsigned i;

	ls->borrowed = true;
	for (i = 0; i < ls->n; i++)
		ls->items[i].owns_path = false;
}

void
spout__listeners_take_over(struct spout__listeners *ls)
{
	unsigned i;

	ls->borrowed = false;
	for (i = 0; i < ls->n; i++)
		if (ls->items[i].address.addr.ss_family == AF_UNIX &&
		    !ls->items[i].inherited)
			own_path(&ls->items[i]);
}

/* --- one slot more, one less ----------------------------------------------------- */

static int
grow(struct spout__listener *l)
{
	int *fds = realloc(l->fds, (l->n_fds + 1) * sizeof(*fds));

	if (fds == NULL)
		return -ENOMEM;
	fds[l->n_fds] = -1;
	l->fds = fds;
	return open_slot(l, l->n_fds++);
}

int
spout__listeners_grow(struct spout__listeners *ls, char ret_why[SPOUT__WHY])
{
	unsigned i;
	int rc = 0;

	spout__listeners_steer(ls, ls->n_slots++);
	for (i = 0; i < ls->n && rc == 0; i++)
		if (ls->items[i].mode != SPOUT__LISTEN_SHARED)
			rc = grow(&ls->items[i]);
	if (rc == 0)
		return 0;
	snprintf(ret_why, SPOUT__WHY, "cannot listen for one more: %s", reason(rc));
	spout__listeners_shrink(ls);
	return rc;
}

void
spout__listeners_shrink(struct spout__listeners *ls)
{
	unsigned i, last = --ls->n_slots;

	for (i = 0; i < ls->n; i++) {
		struct spout__listener *l = &ls->items[i];

		if (l->mode == SPOUT__LISTEN_SHARED || l->n_fds <= last)
			continue;
		if (l->fds[last] >= 0)
			close(l->fds[last]);
		l->n_fds = last;
	}
}

/* --- for the workers ------------------------------------------------------------- */

void
spout__listeners_keep(struct spout__listeners *ls, unsigned slot)
{
	unsigned i, k;

	for (i = 0; i < ls->n; i++) {
		ls->items[i].owns_path =
		    false; /* the file is the supervisor's to remove */
		for (k = 0; ls->items[i].mode != SPOUT__LISTEN_SHARED &&
		     k < ls->items[i].n_fds;
		     k++)
			if (k != slot) {
				close(ls->items[i].fds[k]);
				ls->items[i].fds[k] = -1;
			}
	}
}

int
spout__listener_fd(const struct spout__listener *l, unsigned slot)
{
	return l->fds[l->mode == SPOUT__LISTEN_SHARED ? 0 : slot];
}

static void
announce_socket(const struct spout__listener *l, int fd)
{
	char text[SPOUT__LISTEN_TEXT], line[SPOUT__LISTEN_TEXT + 80];
	const char *what = l->announce != NULL ? l->announce : "listening on http://";
	struct spout__listen_address a = { .len = sizeof(a.addr) };
	const char *scheme; /* a unix socket has none: "listening on unix:/run/x" */

	if (getsockname(fd, (struct sockaddr *)&a.addr, &a.len) < 0)
		return;
	spout__listen_print(&a.addr, a.len, text);
	scheme = a.addr.ss_family == AF_UNIX ? strstr(what, "http") : NULL;
	snprintf(line, sizeof(line), "%.*s%s",
	    (int)(scheme != NULL ? (size_t)(scheme - what) : strlen(what)), what, text);
	if (spout__log_current()->format == SPOUT__LOG_JSON)
		spout__log_notice("%s", line);
	else
		spout__log_raw(2, line, strlen(line));
}

void
spout__listeners_announce(const struct spout__listeners *ls)
{
	unsigned i, k;

	for (i = 0; i < ls->n; i++) {
		const struct spout__listener *l = &ls->items[i];

		for (k = 0; k < (l->mode == SPOUT__LISTEN_PORTS ? l->n_fds : 1); k++)
			announce_socket(l, l->fds[k]);
	}
}
