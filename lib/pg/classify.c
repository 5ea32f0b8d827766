/* SPDX-License-Identifier: MIT */
/*
 * What may be done with a statement, by its text. Any thread.
 *
 * A look at the words, not a parser: what it does not know for certain it takes for the
 * less comfortable class. The first word decides between a job and the loop. To share a
 * Sync with the statements of other requests, and thereby their implicit transaction, a
 * statement must be a plain read: no word that writes, locks or makes tables, and no call
 * of a function but those known to be without effects (user functions may write, and
 * set_config() would reach the neighbours). Operators and views can still call such
 * functions; that is why an error in a shared transaction makes all of it run again, one
 * by one (pipe.c): a wrong guess costs time, nothing else.
 */
#include "config.h"

#include "pg/driver.h"

#include <stdlib.h>

/* Sorted, for bsearch(). Words that can stand before a parenthesis in a read. */
static const char *const harmless[] = { "abs", "all", "and", "any", "array", "array_agg",
	"array_length", "as", "avg", "between", "bool_and", "bool_or", "by",
	"cardinality", "case", "cast", "ceil", "char_length", "coalesce", "concat",
	"concat_ws", "count", "date_part", "date_trunc", "decimal", "distinct", "else",
	"except", "exists", "extract", "filter", "floor", "from", "greatest", "having",
	"ilike", "in", "intersect", "is", "join", "json_agg", "json_build_array",
	"json_build_object", "json_object_agg", "jsonb_agg", "jsonb_build_array",
	"jsonb_build_object", "jsonb_object_agg", "lateral", "least", "left", "length",
	"like", "limit", "lower", "max", "md5", "min", "not", "now", "nullif", "numeric",
	"offset", "on", "or", "over", "rank", "replace", "right", "round", "row",
	"row_number", "row_to_json", "select", "some", "string_agg", "sum", "then",
	"to_char", "to_json", "to_jsonb", "trim", "trunc", "union", "unnest", "upper",
	"using", "values", "varchar", "when", "where" };

/* Words that no plain read has. */
static const char *const harmful[] = { "delete", "for", "insert", "into", "lock", "merge",
	"update" };

/* Statements that change the session: by their first word. */
static const char *const of_session[] = { "deallocate", "discard", "execute", "listen",
	"load", "prepare", "reset", "unlisten" };

/* And functions that do. */
static const char *const locks_session[] = { "pg_advisory_lock",
	"pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
	"pg_advisory_unlock_shared", "pg_try_advisory_lock",
	"pg_try_advisory_lock_shared" };

struct scan {
	const char *at;
	const char *word; /* the last token, if it was a word; else NULL */
	size_t word_len;
	bool qualified; /* a dot stands before it */
	bool plain;     /* nothing was seen that a plain read has not */
	bool ended;     /* a semicolon was seen */
};

static bool
is_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static int
compare(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

static bool
listed(const struct scan *scan, const char *const *list, size_t n)
{
	char word[32];
	size_t i;

	if (scan->word == NULL || scan->word_len >= sizeof(word))
		return false;
	/* In no locale: the keywords of SQL are ASCII. */
	for (i = 0; i < scan->word_len; i++)
		word[i] = scan->word[i] >= 'A' && scan->word[i] <= 'Z'
		    ? (char)(scan->word[i] + ('a' - 'A'))
		    : scan->word[i];
	word[scan->word_len] = '\0';
	return bsearch(word, list, n, sizeof(*list), compare) != NULL;
}

#define LISTED(scan, list) listed((scan), (list), sizeof(list) / sizeof((list)[0]))

/* Past a comment that nests, or to the end. */
static const char *
skip_comment(const char *at)
{
	unsigned depth = 0;

	do {
		if (at[0] == '/' && at[1] == '*') {
			depth++;
			at += 2;
		} else if (at[0] == '*' && at[1] == '/') {
			depth--;
			at += 2;
		} else {
			at++;
		}
	} while (depth > 0 && *at != '\0');
	return at;
}

static const char *
skip_blanks(const char *at)
{
	for (;;) {
		at += strspn(at, " \t\r\n\f\v");
		if (at[0] == '-' && at[1] == '-')
			at += strcspn(at, "\n");
		else if (at[0] == '/' && at[1] == '*')
			at = skip_comment(at);
		else
			return at;
	}
}

/* Past a literal or a quoted name. A backslash may or may not mean something in it. */
static void
take_quoted(struct scan *scan, char quote)
{
	const char *at = scan->at + 1;

	while (*at != '\0' && (*at != quote || at[1] == quote)) {
		if (*at == '\\' && quote == '\'')
			scan->plain = false;
		at += *at == quote ? 2 : 1;
	}
	if (*at == '\0')
		scan->plain = false;
	else
		at++;
	scan->at = at;
	scan->word = NULL;
	scan->word_len = 0;
	/* A quoted name before a parenthesis is a function that nobody knows. */
	if (quote == '"' && *skip_blanks(at) == '(')
		scan->plain = false;
}

static void
take_word(struct scan *scan)
{
	scan->qualified = scan->word == NULL && scan->word_len == 1;
	scan->word = scan->at;
	while (is_word((unsigned char)*scan->at))
		scan->at++;
	scan->word_len = (size_t)(scan->at - scan->word);
	if (LISTED(scan, harmful))
		scan->plain = false;
}

/* Everything else. A parameter is $1; what else begins with $ quotes something. */
static void
take_sign(struct scan *scan)
{
	char c = *scan->at++;

	if (c == '(' && scan->word != NULL &&
	    (scan->qualified || !LISTED(scan, harmless)))
		scan->plain = false;
	else if (c == '$' && (*scan->at < '1' || *scan->at > '9'))
		scan->plain = false;
	else if (c == ';')
		scan->ended = true;
	scan->word = NULL;
	scan->word_len = c == '.'; /* for the word behind it */
}

static bool
is_plain_read(const char *sql)
{
	struct scan scan = { .at = sql, .plain = true };

	while (scan.plain && *(scan.at = skip_blanks(scan.at)) != '\0') {
		if (scan.ended)
			return false;
		if (*scan.at == '\'' || *scan.at == '"')
			take_quoted(&scan, *scan.at);
		else if (is_word((unsigned char)*scan.at))
			take_word(&scan);
		else
			take_sign(&scan);
	}
	return scan.plain;
}

enum spout__pg_class
spout__pg_classify(const char *sql)
{
	static const char *const reads[] = { "select", "table", "values", "with" };
	static const char *const writes[] = { "delete", "insert", "merge", "update" };
	struct scan first = { .at = skip_blanks(sql) };

	take_word(&first);
	if (LISTED(&first, writes))
		return SPOUT__PG_ALONE;
	if (!LISTED(&first, reads))
		return SPOUT__PG_JOB;
	return is_plain_read(sql) ? SPOUT__PG_SHARED : SPOUT__PG_ALONE;
}

/* --- what needs a session of its own ---------------------------------------------- */

/* Past $tag$ … $tag$. False if there is none. */
static bool
skip_dollars(struct scan *scan)
{
	const char *at = scan->at + 1, *end;
	size_t len;

	while (is_word((unsigned char)*at) && (at > scan->at + 1 || *at > '9'))
		at++;
	if (*at != '$')
		return false;
	len = (size_t)(at + 1 - scan->at);
	for (end = at + 1; *end != '\0' && strncmp(end, scan->at, len) != 0; end++)
		continue;
	scan->at = *end != '\0' ? end + len : end;
	return true;
}

/* The word that the scan is at, number `n` of its statement, behind `before`. */
static bool
changes_session(const struct scan *scan, unsigned n, const struct scan *first,
    const struct scan *before)
{
	static const char *const set[] = { "set" };
	static const char *const within[] = { "constraints", "local", "transaction" };
	static const char *const create[] = { "create" };
	static const char *const above[] = { "create", "global", "local", "replace" };
	static const char *const temporary[] = { "temp", "temporary" };
	static const char *const declare[] = { "declare" };
	static const char *const hold[] = { "hold" };

	if (LISTED(scan, locks_session) || (n == 1 && LISTED(scan, of_session)))
		return true;
	if (n == 2 && LISTED(first, set))
		return !LISTED(scan, within);
	if (n <= 4 && LISTED(first, create))
		return LISTED(scan, temporary) && LISTED(before, above);
	return LISTED(first, declare) && LISTED(scan, hold);
}

bool
spout__pg_changes_session(const char *sql)
{
	struct scan scan = { .at = sql }, first = { .at = sql }, before = { .at = sql };
	unsigned n = 0;

	while (*(scan.at = skip_blanks(scan.at)) != '\0') {
		if (*scan.at == '$' && skip_dollars(&scan))
			continue;
		if (*scan.at == '\'' || *scan.at == '"') {
			take_quoted(&scan, *scan.at);
			n++;
		} else if (!is_word((unsigned char)*scan.at)) {
			n = *scan.at == ';' ? 0 : n;
			take_sign(&scan);
		} else {
			take_word(&scan);
			if (++n == 1)
				first = scan;
			if (changes_session(&scan, n, &first, &before))
				return true;
			before = scan;
		}
	}
	return false;
}
