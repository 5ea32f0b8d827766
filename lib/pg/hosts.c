/* SPDX-License-Identifier: MIT */
/*
 * Where the servers are: the hosts of a URL, and in which order to try them.
 *
 * libpq can go through several hosts itself, but gives none of them a time-out when it
 * may not block, so that the first that is dead would take all the time there is. So each
 * is a log-in of its own here. Where libpq knows more than we (a service file), or there
 * are more hosts than SPOUT__PG_HOSTS, it goes through them.
 *
 * A server that turned into a standby under our hands says so with the first write
 * (25006). All connections made up to then are given up; spout__pg_stale() tells them.
 */
#include "config.h"

#include "pg/pool.h"

#include <errno.h>
#include <stdlib.h>

#include <spout/log.h>

#include "base/clock.h"

/* A server that is a standby for good shall not have us log in all the time. */
#define GIVE_UP_AGAIN_MS 1000u

/* The value of an option in the URL, else in the environment; NULL or not empty. */
static const char *
value_of(const PQconninfoOption *options, const char *keyword, const char *variable)
{
	const char *value = NULL;

	for (; options->keyword != NULL && value == NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			value = options->val;
	if (value == NULL && variable != NULL)
		value = getenv(variable);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Cut a list at its commas; returns how many parts it has, 0 for none. */
static unsigned
cut(char *list, const char *ret_parts[SPOUT__PG_HOSTS + 1])
{
	unsigned n = 0;

	while (list != NULL && n <= SPOUT__PG_HOSTS) {
		ret_parts[n++] = list;
		list = strchr(list, ',');
		if (list != NULL)
			*list++ = '\0';
	}
	return n;
}

/* Copies of the lists live in hosts->lists. */
static int
copy_lists(struct spout__pg_hosts *hosts, const char *const values[3])
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		hosts->lists[i] = values[i] != NULL ? strdup(values[i]) : NULL;
		if (values[i] != NULL && hosts->lists[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void
take_lists(struct spout__pg_hosts *hosts)
{
	const char *names[SPOUT__PG_HOSTS + 1] = { 0 };
	const char *addrs[SPOUT__PG_HOSTS + 1] = { 0 };
	const char *ports[SPOUT__PG_HOSTS + 1] = { 0 };
	unsigned n_names = cut(hosts->lists[0], names);
	unsigned n_addrs = cut(hosts->lists[1], addrs);
	unsigned n_ports = cut(hosts->lists[2], ports);
	unsigned n = n_addrs > 0 ? n_addrs : n_names, i;

	/* What does not fit together libpq complains of in its own words. */
	if (n > SPOUT__PG_HOSTS || (n_names > 0 && n_names != n) ||
	    (n_ports > 1 && n_ports != n))
		return;
	for (i = 0; i < n; i++) {
		hosts->at[i].name = names[i];
		hosts->at[i].addr = addrs[i];
		hosts->at[i].port = n_ports == 1 ? ports[0] : ports[i];
	}
	hosts->n = n;
}

int
spout__pg_hosts_init(struct spout__pg_hosts *hosts, const char *url)
{
	const char *values[3], *session;

	hosts->options = PQconninfoParse(url, NULL);
	if (hosts->options == NULL)
		return -ENOMEM; /* it has been checked */
	values[0] = value_of(hosts->options, "host", NULL);
	values[1] = value_of(hosts->options, "hostaddr", NULL);
	if (values[0] == NULL && values[1] == NULL) {
		values[0] = value_of(hosts->options, "host", "PGHOST");
		values[1] = value_of(hosts->options, "hostaddr", "PGHOSTADDR");
	}
	values[2] = value_of(hosts->options, "port", "PGPORT");
	session =
	    value_of(hosts->options, "target_session_attrs", "PGTARGETSESSIONATTRS");
	hosts->session = session != NULL && strcmp(session, "any") != 0 ? session : NULL;
	if (value_of(hosts->options, "service", "PGSERVICE") != NULL)
		return 0;
	if (copy_lists(hosts, values) < 0)
		return -ENOMEM;
	take_lists(hosts);
	return 0;
}

void
spout__pg_hosts_release(struct spout__pg_hosts *hosts)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		free(hosts->lists[i]);
	PQconninfoFree(hosts->options);
	memset(hosts, 0, sizeof(*hosts));
}

bool
spout__pg_host_is_name(const struct spout__pg_host *host)
{
	return (host->addr == NULL || host->addr[0] == '\0') && host->name != NULL &&
	    host->name[0] != '\0' && host->name[0] != '/' && host->name[0] != '@';
}

/* In clear text over some network, unless the server wants it otherwise? */
bool
spout__pg_hosts_exposed(const struct spout__pg_hosts *hosts)
{
	const struct spout__pg_host *host;
	unsigned i;

	if (value_of(hosts->options, "sslmode", "PGSSLMODE") != NULL)
		return false;
	for (i = 0; i < hosts->n; i++) {
		host = &hosts->at[i];
		if (spout__pg_host_is_name(host) &&
		    strcmp(host->name, "localhost") != 0 &&
		    strncmp(host->name, "127.", 4) != 0 && strcmp(host->name, "::1") != 0)
			return true;
	}
	return false;
}

/* --- servers that are none any more ----------------------------------------------- */

bool
spout__pg_demoted(struct spout__pg_conn *conn)
{
	struct spout__pg *pg = conn->pg;
	const char *standby = PQparameterStatus(conn->pq, "in_hot_standby");
	unsigned before = conn->generation;
	uint64_t now_ms = spout__clock_ms();
	bool first = false;

	if (conn->failure.error == 0 || strcmp(conn->failure.sqlstate, "25006") != 0)
		return false;
	/* A transaction may well be read-only because somebody wants it so. */
	if (standby != NULL ? strcmp(standby, "on") != 0 : pg->hosts.session == NULL)
		return false;
	pthread_mutex_lock(&pg->lock);
	if (before == atomic_load(&pg->generation) && now_ms >= pg->give_up_again_ms) {
		pg->give_up_again_ms = now_ms + GIVE_UP_AGAIN_MS;
		atomic_fetch_add(&pg->generation, 1);
		/* Who did not say what it needs may find it at the next host. */
		if (pg->hosts.session == NULL && pg->hosts.n > 1)
			atomic_fetch_add(&pg->hosts.last, 1);
		first = true;
	}
	pthread_mutex_unlock(&pg->lock);
	if (first)
		spout_warning("the database server is a standby: connecting anew");
	conn->doomed = true;
	conn->failure.error = -EHOSTDOWN;
	return true;
}

bool
spout__pg_stale(const struct spout__pg_conn *conn, uint64_t now_ms)
{
	return now_ms >= conn->expires_ms ||
	    conn->generation != atomic_load(&conn->pg->generation);
}
