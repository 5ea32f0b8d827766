/* SPDX-License-Identifier: MIT */
/*
 * The password of a log-in, where it does not stand in the URL: asked for each time, so
 * that it may change. On the thread that logs in.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The first line of a file. Returns its length or -errno. */
static ssize_t
read_line(const char *path, char ret[SPOUT__PG_PASSWORD_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, SPOUT__PG_PASSWORD_SIZE);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	if (n == SPOUT__PG_PASSWORD_SIZE)
		return -EMSGSIZE;
	ret[n] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
	return ret[0] != '\0' ? (ssize_t)strlen(ret) : -ENODATA;
}

int
spout__pg_password(struct spout__pg_conn *conn, char ret[SPOUT__PG_PASSWORD_SIZE])
{
	const struct spout__pg *pg = conn->pg;
	ssize_t r = 0;

	ret[0] = '\0';
	if (pg->options.password_fn != NULL) {
		r = pg->options.password_fn(ret, SPOUT__PG_PASSWORD_SIZE);
		if (r < 0)
			return spout__pg_fail(&conn->failure, -EHOSTDOWN,
			    "no password for the database: %s", strerror((int)-r));
	} else if (pg->password_file != NULL) {
		r = read_line(pg->password_file, ret);
		if (r < 0)
			return spout__pg_fail(&conn->failure, -EHOSTDOWN, "%s: %s",
			    pg->password_file, strerror((int)-r));
	}
	return 0;
}
