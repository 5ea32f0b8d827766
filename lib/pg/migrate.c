/* SPDX-License-Identifier: MIT */
/*
 * Migrations: the files of a folder, run in order, each once per database.
 *
 * The whole runs as one function on a db thread, where reading files may block. For each
 * file that is due:
 *
 *   BEGIN; take the lock; compare the table with the folder; note the file; run it;
 *   COMMIT; forget the settings that it made
 *
 * The lock belongs to the transaction, and the table is read anew under it: whoever had
 * to wait for another runner finds the file noted. A file goes to the server as it is, in
 * one message, for only the server knows where a statement ends; the results that come
 * before an error tell which one failed.
 */
#include "config.h"

#include "pg/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spout/crypto.h>

#define LOCK_KEY 0x73706f75746d6967 /* "spoutmig" */
#define MAX_FILE_BYTES (16u << 20)
#define MAX_FILES 10000u
/* From the year on, if they are numbered by time: 20261121170000_name.sql. */
#define MIN_DIGITS 4
#define MAX_DIGITS 18

static const char create_sql[] =
    "CREATE TABLE spout_migrations (number bigint PRIMARY KEY, name text NOT NULL,"
    " sha256 text NOT NULL, run_at timestamptz NOT NULL DEFAULT now())";

struct migration {
	int64_t number;
	char *name; /* owned */
	char *text; /* owned; NUL-terminated, without a byte order mark */
	char sha256[2 * SPOUT_SHA256_SIZE + 1];
};

struct folder {
	const char *path;
	struct migration *files; /* owned; in order */
	size_t n, n_run;         /* the first n_run are in the database */
	bool dirty;              /* a file may have left settings behind */
	struct spout__pg_failure *failure;
};

/* --- the folder ------------------------------------------------------------------- */

/* NNNN_name.sql. Returns the number, or -1. */
static int64_t
number_of(const char *name)
{
	size_t digits = strspn(name, "0123456789"), len = strlen(name);

	if (digits < MIN_DIGITS || digits > MAX_DIGITS || name[digits] != '_' ||
	    len < digits + sizeof("_x.sql") - 1)
		return -1;
	return strtoll(name, NULL, 10);
}

/* Others lie there for people, or are what editors leave behind. */
static bool
is_sql(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len >= 4 && strcmp(name + len - 4, ".sql") == 0;
}

static int
read_whole(int fd, char **ret_text, size_t *ret_len)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;
	char *text;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	if (st.st_size > MAX_FILE_BYTES)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return -ENOMEM;
	while (len < (size_t)st.st_size && n > 0) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) {
		n = -errno;
		free(text);
		return (int)n;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int
digest(const char *text, size_t len, char *ret_hex)
{
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char sum[SPOUT_SHA256_SIZE];
	int r = sha256 == NULL ? -ENOMEM : spout_sha256_update(sha256, text, len);

	if (r == 0)
		r = spout_sha256_final(sha256, sum);
	if (r == 0)
		spout_hex(sum, sizeof(sum), ret_hex);
	spout_sha256_free(sha256);
	return r;
}

/* Read file->name. */
static int
read_migration(struct folder *folder, int dir_fd, struct migration *file)
{
	int fd = openat(dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;
	size_t len = 0;

	r = fd < 0 ? -errno : read_whole(fd, &file->text, &len);
	if (fd >= 0)
		close(fd);
	if (r == 0)
		r = digest(file->text, len, file->sha256);
	if (r < 0)
		return spout__pg_fail(folder->failure, r, "%s/%s: %s", folder->path,
		    file->name, strerror(-r));
	if (strlen(file->text) != len)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s/%s: there is a NUL byte in it", folder->path, file->name);
	if (strncmp(file->text, "\xef\xbb\xbf", 3) == 0)
		memmove(file->text, file->text + 3, len - 3 + 1);
	return 0;
}

/* Room for one more, with its name and number. */
static int
add(struct folder *folder, const char *name)
{
	struct migration *files = folder->files;
	int64_t number = number_of(name);

	if (number < 0)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s/%s: not named like 0001_name.sql", folder->path, name);
	if (folder->n == MAX_FILES)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s: more than %u files", folder->path, MAX_FILES);
	if ((folder->n & (folder->n - 1)) == 0) { /* full at 0, 1, 2, 4, 8 … */
		files = realloc(files, (2 * folder->n + 1) * sizeof(*files));
		if (files == NULL)
			return spout__pg_fail(folder->failure, -ENOMEM, "out of memory");
		folder->files = files;
	}
	files[folder->n] =
	    (struct migration){ .number = number, .name = strdup(name) };
	if (files[folder->n].name == NULL)
		return spout__pg_fail(folder->failure, -ENOMEM, "out of memory");
	folder->n++;
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const struct migration *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int
read_entries(struct folder *folder, DIR *dir)
{
	struct dirent *entry;
	size_t i;
	int r = 0;

	errno = 0;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (is_sql(entry->d_name))
			r = add(folder, entry->d_name);
		errno = 0;
	}
	if (r == 0 && errno != 0)
		r = spout__pg_fail(folder->failure, -errno, "%s: %s", folder->path,
		    strerror(errno));
	if (folder->n > 1)
		qsort(folder->files, folder->n, sizeof(*folder->files), by_number);
	for (i = 1; r == 0 && i < folder->n; i++)
		if (folder->files[i - 1].number == folder->files[i].number)
			r = spout__pg_fail(folder->failure, -EINVAL,
			    "%s: %s and %s have the same number", folder->path,
			    folder->files[i - 1].name, folder->files[i].name);
	for (i = 0; r == 0 && i < folder->n; i++)
		r = read_migration(folder, dirfd(dir), &folder->files[i]);
	return r;
}

static int
read_folder(struct folder *folder)
{
	DIR *dir = opendir(folder->path);
	int r;

	if (dir == NULL)
		return spout__pg_fail(folder->failure, -errno, "%s: %s", folder->path,
		    strerror(errno));
	r = read_entries(folder, dir);
	closedir(dir);
	return r;
}

static void
release_folder(struct folder *folder)
{
	for (size_t i = 0; i < folder->n; i++) {
		free(folder->files[i].name);
		free(folder->files[i].text);
	}
	free(folder->files);
}

/* --- the table -------------------------------------------------------------------- */

/* Compare one row with the file that should be the same. Returns 0 or -EINVAL. */
static int
compare(struct folder *folder, int64_t number, const char *name, const char *sha256)
{
	const struct migration *file =
	    folder->n_run < folder->n ? &folder->files[folder->n_run] : NULL;

	if (file == NULL || file->number > number)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s has run on this database, but is not in %s", name, folder->path);
	if (file->number < number)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s/%s has not run, but %s, which comes after it, has", folder->path,
		    file->name, name);
	if (strcmp(file->sha256, sha256) != 0)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s/%s has changed since it ran on this database as %s",
		    folder->path, file->name, name);
	return 0;
}

/* Make the table if need be, and move folder->n_run behind what others have run. A role
 * that may not create tables gets along once it is there. */
static int
look_up(struct folder *folder, struct pg_conn *conn)
{
	struct spout_rows *rows = spout_pg_exec(
	    conn, "SELECT to_regclass('spout_migrations') IS NULL AS missing");
	size_t i;
	int r = 0;

	if (rows == NULL ||
	    (spout_row_bool(rows, 0, "missing") &&
		spout_pg_exec(conn, create_sql) == NULL))
		return spout_pg_exec_error(conn);
	rows = spout_pg_exec(conn,
	    "SELECT number, name, sha256 FROM spout_migrations WHERE number > $1 "
	    "ORDER BY number",
	    folder->n_run > 0 ? folder->files[folder->n_run - 1].number
			      : (int64_t)-1);
	if (rows == NULL)
		return spout_pg_exec_error(conn);
	for (i = 0; r == 0 && i < spout_rows_count(rows); i++) {
		r = compare(folder, spout_row_int(rows, i, "number"),
		    spout_row_text(rows, i, "name"), spout_row_text(rows, i, "sha256"));
		folder->n_run += r == 0;
	}
	return r;
}

/* --- one file --------------------------------------------------------------------- */

/* The line of a character, both counted from 1. */
static unsigned
line_of(const char *text, long position)
{
	unsigned line = 1;

	for (; *text != '\0' && position > 1; text++) {
		line += *text == '\n';
		position -= (text[1] & 0xc0) != 0x80;
	}
	return line;
}

/* Put the place before what the server said. */
static int
blame(struct folder *folder, const struct migration *file, const char *position,
    unsigned statement)
{
	struct spout__pg_failure cause = *folder->failure;
	char place[40];

	if (position != NULL)
		snprintf(place, sizeof(place), ":%u",
		    line_of(file->text, strtol(position, NULL, 10)));
	else
		snprintf(place, sizeof(place), ", statement %u", statement);
	spout__pg_fail(folder->failure, cause.error, "%s/%s%s: %s", folder->path,
	    file->name, place, cause.text);
	memcpy(folder->failure->sqlstate, cause.sqlstate, sizeof(cause.sqlstate));
	return cause.error;
}

/* Judge one result; the first that is bad decides. Returns 0 or -errno. */
static int
take(struct folder *folder, const struct migration *file, const PGresult *result,
    unsigned statement)
{
	switch (PQresultStatus(result)) {
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		spout__pg_running->doomed = true; /* half a COPY: there is no way back */
		spout__pg_fail(folder->failure, -EINVAL,
		    "COPY needs a file that the server can reach");
		return blame(folder, file, NULL, statement);
	case PGRES_FATAL_ERROR:
		spout__pg_fail_with_result(folder->failure, result);
		return blame(folder, file,
		    PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION), statement);
	default:
		return 0;
	}
}

/* The connection blocks; who cancels the coroutine interrupts it. */
static int
run_text(struct folder *folder, PGconn *pq, const struct migration *file)
{
	unsigned statement = 0;
	PGresult *result;
	int r = 0;

	if (!PQsendQuery(pq, file->text))
		return spout__pg_fail_with_message(
		    folder->failure, -EHOSTDOWN, PQerrorMessage(pq));
	while (!spout__pg_running->doomed && (result = PQgetResult(pq)) != NULL) {
		statement++;
		if (r == 0)
			r = take(folder, file, result, statement);
		PQclear(result);
	}
	if (r == 0 && PQtransactionStatus(pq) != PQTRANS_INTRANS)
		r = spout__pg_fail(folder->failure, -EINVAL,
		    "%s/%s: it ended the transaction that it ran in", folder->path,
		    file->name);
	return r;
}

/* Run the next one. Returns 1, 0 when all have run, or -errno: all is rolled back. */
static int
run_next(struct folder *folder, struct pg_conn *conn)
{
	const struct spout__pg *pg = spout__pg_running->pg;
	const struct migration *file;
	int r;

	if (spout_pg_exec(conn, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE") ==
		NULL ||
	    spout_pg_exec(conn, "SELECT pg_advisory_xact_lock($1::bigint)", LOCK_KEY) ==
		NULL)
		return spout_pg_exec_error(conn);
	r = look_up(folder, conn);
	if (r < 0)
		return r;
	file = folder->n_run < folder->n ? &folder->files[folder->n_run] : NULL;
	if (file != NULL &&
	    spout__pg_check_session(pg, file->text, folder->failure) < 0)
		return spout__pg_fail(folder->failure, -EINVAL,
		    "%s/%s: it changes the session, which --db-pooler=transaction has "
		    "not",
		    folder->path, file->name);
	if (file != NULL) {
		/* First the note: afterwards the search_path may be another one. */
		if (spout_pg_exec(conn,
			"INSERT INTO spout_migrations (number, name, sha256) "
			"VALUES ($1, $2, $3)",
			file->number, file->name, file->sha256) == NULL)
			return spout_pg_exec_error(conn);
		folder->dirty = true;
		r = run_text(folder, conn, file);
		if (r < 0)
			return r;
	}
	if (spout_pg_exec(conn, "COMMIT") == NULL ||
	    (file != NULL && !pg->options.pooler &&
		spout_pg_exec(conn, "DISCARD ALL") == NULL))
		return spout_pg_exec_error(conn);
	return file != NULL;
}

static int
migrate(struct pg_conn *conn, void *arg)
{
	struct folder folder = { .path = arg, .failure = &spout__pg_running->failure };
	int n = 0, r = read_folder(&folder);

	while (r >= 0 && (r = run_next(&folder, conn)) > 0)
		n++;
	if (folder.dirty)
		spout__pg_running->doomed = true;
	release_folder(&folder);
	return r < 0 ? r : n;
}

int
spout_try_pg_migrate(const char *dir)
{
	return spout_try_pg_run_at(migrate, (void *)(uintptr_t)dir, "spout_pg_migrate");
}

int
spout_pg_migrate(const char *dir)
{
	return spout_pg_run_at(migrate, (void *)(uintptr_t)dir, "spout_pg_migrate");
}
