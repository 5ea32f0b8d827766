/* SPDX-License-Identifier: MIT */
/*
 * Behind a pooler in transaction mode (pgbouncer) each transaction may get another
 * session of the server. What lives longer than a transaction would work now and then, on
 * a session that others find changed: it is refused. Nor is anything prepared by name
 * (plan.c), nor are startup options sent (start.c), which such poolers do not take.
 *
 * The words of a statement tell. What a function does that it calls, or what a function
 * of the application sends by libpq itself, nobody sees here.
 */
#include "config.h"

#include "pg/driver.h"

#include <errno.h>

int
spout__pg_check_session(
    const struct spout__pg *pg, const char *sql, struct spout__pg_failure *ret_failure)
{
	if (!pg->options.pooler || !spout__pg_changes_session(sql))
		return 0;
	return spout__pg_fail(ret_failure, -EINVAL,
	    "%.40s: it needs a session of its own, which --db-pooler=transaction has not",
	    sql);
}
