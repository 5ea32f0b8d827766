/* SPDX-License-Identifier: MIT */
/* How much comes in, as far as libpq lets us know. Any thread. */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <sys/ioctl.h>

/* libpq makes room for so much before it reads. */
#define LEAST_READ 8192u

/* What can be read from the socket. */
static uint64_t
readable(const PGconn *pq)
{
	int bytes = 0;

	if (ioctl(PQsocket(pq), FIONREAD, &bytes) < 0 || bytes < 0)
		return 0;
	return (uint64_t)bytes;
}

/*
 * libpq does not tell how much it read: it is what was to be read before and is not now,
 * but LEAST_READ when that much was there, however fast the server sends more.
 */
bool
spout__pg_consume(PGconn *pq, uint64_t *waiting_bytes)
{
	uint64_t before = *waiting_bytes > 0 ? readable(pq) : 0, after, read = 0;

	if (!PQconsumeInput(pq))
		return false;
	if (before > 0) {
		after = readable(pq);
		read = before < LEAST_READ ? before : LEAST_READ;
		if (after < before && before - after > read)
			read = before - after;
	}
	*waiting_bytes += read + 1;
	return true;
}

bool
spout__pg_too_large(struct spout__pg_conn *conn, uint64_t waiting_bytes, const char *what)
{
	uint64_t limit = conn->pg->options.max_result_bytes;

	if (waiting_bytes <= limit)
		return false;
	spout__pg_fail(&conn->failure, -EMSGSIZE, "%s is larger than %llu bytes", what,
	    (unsigned long long)limit);
	return true;
}
