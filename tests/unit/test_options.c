/* SPDX-License-Identifier: MIT */
/* Options: types, sources, precedence, messages. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/settings.h"
#include "base/cpus.h"

/* One run of the parser over the library's table and a small one of an application. */
struct run {
	struct spout__settings s;
	struct spout__options o;
	bool verbose;
	uint64_t level;
	const char *name;
	struct spout_option rows[4];
};

static void
run_init(struct run *run)
{
	const struct spout_option rows[] = {
		{ "verbose", SPOUT_OPTION_FLAG, &run->verbose, "no", .help = "Say more" },
		{ "level", SPOUT_OPTION_NUMBER, &run->level, "5", "N", "A level",
		    .min = 2, .max = 9 },
		{ "name", SPOUT_OPTION_TEXT, &run->name, NULL, "TEXT", .help = "A name" },
		SPOUT_OPTIONS_END,
	};

	memset(run, 0, sizeof(*run));
	memcpy(run->rows, rows, sizeof(rows));
	spout__options_init(&run->o, "prog", "A program.");
	CU_ASSERT_EQUAL_FATAL(spout__settings_add(&run->s, &run->o), 0);
	CU_ASSERT_EQUAL_FATAL(spout__options_add(&run->o, run->rows), 0);
}

static int
run_with(struct run *run, char **argv, char **envp)
{
	int argc = 0, error;

	run_init(run);
	while (argv[argc])
		argc++;
	error = spout__options_parse(&run->o, argc, argv, envp);
	return error ? error : spout__settings_check(&run->s, &run->o);
}

#define ARGS(...) ((char *[]){ (char *)"prog", __VA_ARGS__ __VA_OPT__(, ) NULL })
#define ENV(...) ((char *[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/* A file with this text; its path lasts until the next call. */
static char *
file_with(const char *text)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/spout-options-XXXXXX");
	fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static int
run_with_file(struct run *run, const char *text, char **envp)
{
	char *path = file_with(text);
	int error = run_with(run, ARGS((char *)"--config", path), envp);

	unlink(path);
	return error;
}

static void
check_error(const struct run *run, int error, const char *contains)
{
	CU_ASSERT_EQUAL(error, -EINVAL);
	if (strstr(run->o.error, contains) == NULL)
		printf("\n  expected '%s' in: %s\n", contains, run->o.error);
	CU_ASSERT_PTR_NOT_NULL(strstr(run->o.error, contains));
	CU_ASSERT_PTR_NULL(strchr(run->o.error, '\n'));
}

static void
defaults_are_those_of_the_table(void)
{
	struct run run;

	CU_ASSERT_EQUAL_FATAL(run_with(&run, ARGS(), ENV()), 0);
	CU_ASSERT_EQUAL(run.s.n_listens, 1);
	CU_ASSERT_STRING_EQUAL(run.s.listens[0], "127.0.0.1:8888");
	CU_ASSERT_EQUAL(run.s.listen_mode, SPOUT__LISTEN_REUSEPORT);
	CU_ASSERT_EQUAL(run.s.processes, spout__cpu_count());
	CU_ASSERT_EQUAL(run.s.cpu_threads, 1);
	CU_ASSERT_EQUAL(run.s.request_timeout_ms, 30000);
	CU_ASSERT_EQUAL(run.s.max_body_bytes, 1 << 20);
	CU_ASSERT_PTR_NULL(run.s.admin);
	CU_ASSERT_PTR_NULL(run.s.database);
	CU_ASSERT_EQUAL(run.level, 5);
	CU_ASSERT_FALSE(run.verbose);
	spout__options_release(&run.o);
}

struct value_case {
	const char *option, *good, *too_little, *too_much, *garbage;
};

static int
try_value(const char *option, const char *value)
{
	struct run run;
	char text[200];
	int error;

	snprintf(text, sizeof(text), "--%s=%s", option, value);
	error = run_with(&run, ARGS(text), ENV());
	if (error) {
		CU_ASSERT_PTR_NOT_NULL(strstr(run.o.error, option));
		CU_ASSERT_PTR_NOT_NULL(strstr(run.o.error, value));
	}
	spout__options_release(&run.o);
	return error;
}

static void
every_option_takes_good_values_and_refuses_bad_ones(void)
{
	static const struct value_case cases[] = {
		{ "listen", "8080", "127.0.0.1:-1", "127.0.0.1:65536", "example.org:80" },
		{ "listen", "[::1]:8080", "[::1]", "[::1]:65536", "::1:8080" },
		{ "listen", "*:80", "*:", "*:99999", "1.2.3:80" },
		{ "listen", "unix:/tmp/s", "unix:", NULL, "127.0.0.1:80,ssl" },
		{ "listen-mode", "shared", "", NULL, "sharedx" },
		{ "admin", "127.0.0.1:9000", "x", "127.0.0.1:65536", "x:y" },
		{ "processes", "1", "0", "257", "many" },
		{ "processes", "256", "-1", "99999999999999999999999", "2x" },
		{ "threads", "1", "0", "1025", "auto-2" },
		{ "threads", "2-8", "0-8", "2-1025", "8-2" },
		{ "cpu-threads", "1024", "0", "1025", "1-2" },
		{ "stack-kib", "32", "31", "65537", "64k" },
		{ "db-connections", "1", "0", "1001", "auto" },
		{ "db-connect-timeout", "1ms", "0", "61m", "x" },
		{ "db-acquire-timeout", "1h", "0", "61m", "x" },
		{ "db-min-connections", "0", "-1", "1001", "x" },
		{ "db-statement-timeout", "0", "-1", "25h", "x" },
		{ "db-lock-timeout", "1ms", "0", "25h", "x" },
		{ "db-transaction-timeout", "24h", "0", "25h", "x" },
		{ "db-slow-query", "0", "-1", "25h", "x" },
		{ "db-leak-report", "1ms", "0", "25h", "x" },
		{ "db-idle-timeout", "24h", "0", "25h", "x" },
		{ "db-max-lifetime", "1ms", "0", "25h", "x" },
		{ "request-timeout", "1ms", "0", "25h", "30x" },
		{ "request-timeout", "24h", "0ms", "86400001ms", "1.5s" },
		{ "idle-timeout", "5m", "0", "1441m", "m" },
		{ "drain-timeout", "0", "-1", "24h1", "s30" },
		{ "max-body", "0", "-1", "1025g", "10q" },
		{ "max-body", "1024g", "k", "99999999999g", "1e6" },
		{ "max-connections", "1", "0", "10000001", "" },
		{ "database", "postgresql://u@h/d", "h", NULL, "mysql://h/d" },
		{ "database", "host=/tmp dbname=x", "/tmp", NULL, "http://x" },
		{ "log-level", "error", "ERROR", NULL, "errors" },
		{ "log-format", "json", "j", NULL, "jsonl" },
		{ "user", "", NULL, NULL, "nobody-of-this-name" },
		{ "level", "2", "1", "10", "x" },
		{ "verbose", "yes", "", NULL, "perhaps" },
		{ "verbose", "off", NULL, NULL, "2" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct value_case *c = &cases[i];

		if (try_value(c->option, c->good) != 0)
			printf("\n  --%s=%s was refused\n", c->option, c->good);
		CU_ASSERT_EQUAL(try_value(c->option, c->good), 0);
		for (int k = 0; k < 3; k++) {
			const char *bad =
			    (const char *[]){ c->too_little, c->too_much, c->garbage }[k];

			if (bad && try_value(c->option, bad) == 0)
				printf("\n  --%s=%s was accepted\n", c->option, bad);
			if (bad)
				CU_ASSERT_EQUAL(try_value(c->option, bad), -EINVAL);
		}
	}
}

static void
sizes_and_durations_have_units(void)
{
	uint64_t n;

	CU_ASSERT(spout__parse_size("512", &n) == 0 && n == 512);
	CU_ASSERT(spout__parse_size("64k", &n) == 0 && n == 65536);
	CU_ASSERT(spout__parse_size("10M", &n) == 0 && n == 10485760);
	CU_ASSERT(spout__parse_size("1GiB", &n) == 0 && n == 1073741824);
	CU_ASSERT(spout__parse_size("1 k", &n) == -EINVAL);
	CU_ASSERT(spout__parse_size("18014398509481984k", &n) == -EINVAL);
	CU_ASSERT(spout__parse_duration("250ms", &n) == 0 && n == 250);
	CU_ASSERT(spout__parse_duration("30s", &n) == 0 && n == 30000);
	CU_ASSERT(spout__parse_duration("30", &n) == 0 && n == 30000);
	CU_ASSERT(spout__parse_duration("5m", &n) == 0 && n == 300000);
	CU_ASSERT(spout__parse_duration("2h", &n) == 0 && n == 7200000);
	CU_ASSERT(spout__parse_duration("", &n) == -EINVAL);
	CU_ASSERT(spout__parse_duration("5d", &n) == -EINVAL);
}

static void
the_command_line_wins_over_environment_over_file_over_default(void)
{
	struct run run;
	char *path = file_with("level = 3\nprocesses = 3\nlog-level = error\n");

	CU_ASSERT_EQUAL(
	    run_with(&run,
		ARGS((char *)"--config", path, (char *)"--processes", (char *)"7"),
		ENV((char *)"SPOUT_PROCESSES=5", (char *)"SPOUT_LEVEL=4")),
	    0);
	CU_ASSERT_EQUAL(run.s.processes, 7);
	CU_ASSERT_EQUAL(run.level, 4);
	CU_ASSERT_EQUAL(run.s.log_level, 3);
	CU_ASSERT_EQUAL(run.s.log_format, 0);
	spout__options_release(&run.o);
	unlink(path);
}

static void
a_repeated_option_replaces_the_list_of_a_weaker_source(void)
{
	struct run run;
	char *path =
	    file_with("listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\nlisten = unix:/x\n");

	CU_ASSERT_EQUAL(run_with(&run, ARGS((char *)"--config", path), ENV()), 0);
	CU_ASSERT_EQUAL(run.s.n_listens, 3);
	CU_ASSERT_STRING_EQUAL(run.s.listens[1], "127.0.0.1:2");
	spout__options_release(&run.o);
	CU_ASSERT_EQUAL(run_with(&run,
			    ARGS((char *)"--config", path, (char *)"--listen=[::1]:3",
				(char *)"--listen", (char *)"4"),
			    ENV()),
	    0);
	CU_ASSERT_EQUAL(run.s.n_listens, 2);
	CU_ASSERT_STRING_EQUAL(run.s.listens[0], "[::1]:3");
	spout__options_release(&run.o);
	unlink(path);
}

static void
the_database_comes_from_either_variable(void)
{
	struct run run;

	CU_ASSERT_EQUAL(
	    run_with(&run, ARGS(), ENV((char *)"DATABASE_URL=postgres://a")), 0);
	CU_ASSERT_STRING_EQUAL(run.s.database, "postgres://a");
	spout__options_release(&run.o);
	CU_ASSERT_EQUAL(run_with(&run, ARGS(),
			    ENV((char *)"DATABASE_URL=postgres://a",
				(char *)"SPOUT_DATABASE=postgres://b")),
	    0);
	CU_ASSERT_STRING_EQUAL(run.s.database, "postgres://b");
	spout__options_release(&run.o);
	CU_ASSERT_EQUAL(run_with(&run, ARGS((char *)"--database="),
			    ENV((char *)"DATABASE_URL=postgres://a")),
	    0);
	CU_ASSERT_PTR_NULL(run.s.database);
	spout__options_release(&run.o);
	CU_ASSERT_EQUAL(run_with(&run, ARGS(), ENV((char *)"DATABASE_URL=")), 0);
	CU_ASSERT_PTR_NULL(run.s.database);
	spout__options_release(&run.o);
}

static void
wrong_command_lines_are_explained(void)
{
	static const struct {
		const char *args[5], *message;
	} cases[] = {
		{ { "--frobnicate" }, "unknown option '--frobnicate'" },
		{ { "--frob=1", "--check" }, "unknown option '--frob'" },
		{ { "--listen" }, "--listen needs a value" },
		{ { "--check", "--listen" }, "--listen needs a value" },
		{ { "--log", "x" }, "'--log' could mean several" },
		{ { "--check=1" }, "--check takes no value" },
		{ { "-x" }, "unknown option '-x'" },
		{ { "--check", "-xy" }, "unknown option '-xy'" },
		{ { "stray" }, "unexpected argument 'stray'" },
		{ { "--", "stray" }, "unexpected argument 'stray'" },
		{ { "" }, "unexpected argument ''" },
		{ { "--processes", "0" },
		    "--processes: '0' is neither a number from 1 to 256" },
		{ { "--listen", "127.0.0.1:1,tls" }, "which needs --tls-cert" },
		{ { "--admin", "127.0.0.1:1,tls" }, "which needs --tls-cert" },
		{ { "--listen", "unix:,tls" }, "'unix:,tls' is no address" },
		{ { "--tls-cert", "a" }, "no address asks for TLS" },
		{ { "--tls-key", "a" }, "--tls-key needs --tls-cert" },
		{ { "--tls-client-ca", "a" }, "--tls-client-ca needs --tls-cert" },
		{ { "--admin=unix:a,tls", "--tls-cert=a", "--tls-cert=b", "--tls-key=a" },
		    "2 of --tls-cert and 1 of --tls-key" },
		{ { "--tls-client", "maybe" }, "required|optional" },
		{ { "--tls-min-version", "1.1" }, "1.2|1.3" },
		{ { "--config", "/nonexistent/x" }, "/nonexistent/x: No such file" },
		{ { "--config", "/tmp" }, "/tmp: Is a directory" },
		{ { "--request-timeout", "25h" }, "is not between 1ms and 24h" },
		{ { "--max-body", "1025g" }, "is not between 0 and 1024g" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run;
		int error = run_with(&run,
		    ARGS((char *)cases[i].args[0], (char *)cases[i].args[1],
			(char *)cases[i].args[2], (char *)cases[i].args[3],
			(char *)cases[i].args[4]),
		    ENV());

		check_error(&run, error, cases[i].message);
		spout__options_release(&run.o);
	}
}

static void
wrong_files_are_explained_with_file_and_line(void)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "level = 3\n\nfrob = 1\n", ":3: unknown key 'frob'" },
		{ "# fine\nlevel\n", ":2: 'level' is not of the form" },
		{ "level = 1\n", ":1: level: '1' is not between 2 and 9" },
		{ "level = 3\nlevel = 4\n", ":2: 'level' is set twice (before at " },
		{ "check = yes\n", ":1: 'check' belongs on the command line only" },
		{ "config = x\n", ":1: 'config' belongs on the command line only" },
		{ "= 3\n", ":1: unknown key ''" },
		{ "level =\n", ":1: level: '' is not a number" },
		{ "database = postgres://u:secret@h/d\ndatabase=x\n",
		    ":2: 'database' is set twice" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run;
		int error = run_with_file(&run, cases[i].text, ENV());

		check_error(&run, error, cases[i].message);
		spout__options_release(&run.o);
	}
}

static void
a_wrong_value_is_refused_even_if_a_stronger_source_overrides_it(void)
{
	struct run run;
	int error =
	    run_with(&run, ARGS((char *)"--level=3"), ENV((char *)"SPOUT_LEVEL=x"));

	check_error(&run, error, "SPOUT_LEVEL: 'x' is not a number");
	spout__options_release(&run.o);
}

static void
files_may_hold_comments_blanks_and_either_dash(void)
{
	struct run run;
	int error = run_with_file(&run,
	    "# comment = 1\n\n  log_level=warning   # why\r\n"
	    "\tname =  a b#c  \nverbose = on\nlevel = 9",
	    ENV());

	CU_ASSERT_EQUAL(error, 0);
	CU_ASSERT_EQUAL(run.s.log_level, 2);
	CU_ASSERT_STRING_EQUAL(run.name, "a b#c");
	CU_ASSERT_TRUE(run.verbose);
	CU_ASSERT_EQUAL(run.level, 9);
	spout__options_release(&run.o);
}

static void
overlong_lines_are_refused(void)
{
	struct run run;
	char *text = malloc(20001);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, 'x', 20000);
	text[20000] = '\0';
	check_error(&run, run_with_file(&run, text, ENV()), ":1: the line is longer");
	spout__options_release(&run.o);
	free(text);
}

static void
flags_can_be_switched_off_by_a_stronger_source(void)
{
	struct run run;

	CU_ASSERT_EQUAL(run_with(&run, ARGS(), ENV((char *)"SPOUT_VERBOSE=yes")), 0);
	CU_ASSERT_TRUE(run.verbose);
	spout__options_release(&run.o);
	CU_ASSERT_EQUAL(run_with(&run, ARGS((char *)"--verbose=no"),
			    ENV((char *)"SPOUT_VERBOSE=yes")),
	    0);
	CU_ASSERT_FALSE(run.verbose);
	spout__options_release(&run.o);
	CU_ASSERT_EQUAL(run_with(&run, ARGS((char *)"--verbose"), ENV()), 0);
	CU_ASSERT_TRUE(run.verbose);
	spout__options_release(&run.o);
}

static void
help_reads_nothing_else(void)
{
	struct run run;

	CU_ASSERT_EQUAL(
	    run_with(&run,
		ARGS((char *)"--help", (char *)"--config", (char *)"/nonexistent"),
		ENV((char *)"SPOUT_LEVEL=x")),
	    0);
	CU_ASSERT_TRUE(run.s.help);
	spout__options_release(&run.o);
}

static char *
printed(const struct run *run, void (*print)(const struct spout__options *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(to);
	print(&run->o, to);
	fclose(to);
	return text;
}

static void
print_shows_value_and_origin_and_no_password(void)
{
	char url[] = "DATABASE_URL=postgres://me:s3cret@h/d?password=s3cret"
		     "&sslmode=disable";
	struct run run;
	char *text;

	CU_ASSERT_EQUAL(run_with(&run, ARGS((char *)"--level=3"), ENV(url)), 0);
	text = printed(&run, spout__options_print);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "level = 3 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "# command line\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "database = postgres://me:***@h/d?password=***&sslmode=disable"
	    " # environment DATABASE_URL\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "# default\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "# not set\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "s3cret"));
	free(text);
	spout__options_release(&run.o);
}

static void
what_print_shows_can_be_read_again(void)
{
	struct run run, again;
	char *text;

	CU_ASSERT_EQUAL(run_with(&run,
			    ARGS((char *)"--level=3", (char *)"--listen=*:1",
				(char *)"--listen=*:2", (char *)"--max-body=2m"),
			    ENV()),
	    0);
	text = printed(&run, spout__options_print);
	CU_ASSERT_EQUAL(run_with_file(&again, text, ENV()), 0);
	CU_ASSERT_EQUAL(again.level, 3);
	CU_ASSERT_EQUAL(again.s.n_listens, 2);
	CU_ASSERT_EQUAL(again.s.max_body_bytes, 2 << 20);
	free(text);
	spout__options_release(&run.o);
	spout__options_release(&again.o);
}

static void
passwords_are_masked_in_every_form(void)
{
	static const char *const cases[][2] = {
		{ "postgresql://u:p@h/d", "postgresql://u:***@h/d" },
		{ "postgresql://u:p@w:d/x@h/d", "postgresql://u:***@h/d" },
		{ "postgresql://u@h/d", "postgresql://u@h/d" },
		{ "postgresql:///d?host=/x&password=p%20q",
		    "postgresql:///d?host=/x&password=***" },
		{ "host=h password=p dbname=d", "host=h password=*** dbname=d" },
		{ "password = 'a \\' b' host=h", "password = *** host=h" },
		{ "host=h PASSWORD=p", "host=h PASSWORD=***" },
		{ "sslpassword=q password=p", "sslpassword=*** password=***" },
		{ "", "" },
	};
	char text[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		spout__mask_password(cases[i][0], text, sizeof(text));
		CU_ASSERT_STRING_EQUAL(text, cases[i][1]);
	}
	for (size_t size = 1; size < 24; size++) {
		spout__mask_password("postgresql://u:p@h/d", text, size);
		CU_ASSERT(strlen(text) < size);
		CU_ASSERT_PTR_NULL(strstr(text, ":p"));
	}
}

static void
errors_about_a_database_hide_its_password(void)
{
	struct run run;
	int error =
	    run_with(&run, ARGS((char *)"--database=mysql://u:s3cret@h/d"), ENV());

	check_error(&run, error, "mysql://u:***@h/d");
	CU_ASSERT_PTR_NULL(strstr(run.o.error, "s3cret"));
	spout__options_release(&run.o);
}

static void
help_names_every_option_and_default(void)
{
	struct run run;
	char *text;

	CU_ASSERT_EQUAL(run_with(&run, ARGS(), ENV()), 0);
	text = printed(&run, spout__options_help);
	for (unsigned i = 0; i < run.o.n; i++) {
		char option[64];

		snprintf(option, sizeof(option), "--%s", run.o.rows[i]->name);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, option));
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "Usage: prog [OPTION...]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "127.0.0.1:8888)"));
	free(text);
	spout__options_release(&run.o);
}

static void
a_name_that_is_taken_is_refused(void)
{
	struct run run;
	struct spout_option rows[] = {
		{ "listen", SPOUT_OPTION_FLAG, &run.verbose, .help = "Twice" },
		SPOUT_OPTIONS_END,
	};

	run_init(&run);
	CU_ASSERT_EQUAL(spout__options_add(&run.o, rows), -EEXIST);
	spout__options_release(&run.o);
}

static const struct unit_test options_tests[] = { UNIT_TEST(
						      defaults_are_those_of_the_table),
	UNIT_TEST(every_option_takes_good_values_and_refuses_bad_ones),
	UNIT_TEST(sizes_and_durations_have_units),
	UNIT_TEST(the_command_line_wins_over_environment_over_file_over_default),
	UNIT_TEST(a_repeated_option_replaces_the_list_of_a_weaker_source),
	UNIT_TEST(the_database_comes_from_either_variable),
	UNIT_TEST(wrong_command_lines_are_explained),
	UNIT_TEST(wrong_files_are_explained_with_file_and_line),
	UNIT_TEST(a_wrong_value_is_refused_even_if_a_stronger_source_overrides_it),
	UNIT_TEST(files_may_hold_comments_blanks_and_either_dash),
	UNIT_TEST(overlong_lines_are_refused),
	UNIT_TEST(flags_can_be_switched_off_by_a_stronger_source),
	UNIT_TEST(help_reads_nothing_else),
	UNIT_TEST(print_shows_value_and_origin_and_no_password),
	UNIT_TEST(what_print_shows_can_be_read_again),
	UNIT_TEST(passwords_are_masked_in_every_form),
	UNIT_TEST(errors_about_a_database_hide_its_password),
	UNIT_TEST(help_names_every_option_and_default),
	UNIT_TEST(a_name_that_is_taken_is_refused), UNIT_END };

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "options", options_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
