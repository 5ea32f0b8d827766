/* SPDX-License-Identifier: MIT */
/* Languages: catalogues good and bad, plural rules, negotiation, dates. */
#include "config.h"

#include "unit.h"
#include "co_help.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spout/locale.h>

#include "base/log.h"
#include "web/catalogue.h"

/* --- a writer of catalogues --------------------------------------------------------- */

struct message {
	const char *original; /* in order; a plural stands behind a '^', as in the next */
	const char *translation;
};

#define HEADER(rule) \
	"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: " rule "\n"
#define GERMAN HEADER("nplurals=2; plural=(n != 1);")
#define POLISH \
	HEADER("nplurals=3; plural=n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || " \
	       "n%100>=20) ? 1 : 2;")

static struct {
	size_t len;
	char data[4096];
} mo;

static void
put_word(size_t at, uint32_t word, bool big)
{
	word = big ? htonl(word) : word;
	memcpy(mo.data + at, &word, 4);
}

/* Append a text; its length and place go into the table at `row`. */
static void
put_text(size_t row, const char *text, bool big)
{
	size_t len = strlen(text), i;

	put_word(row, (uint32_t)len, big);
	put_word(row + 4, (uint32_t)mo.len, big);
	for (i = 0; i <= len; i++)
		mo.data[mo.len++] = text[i] == '^' ? '\0' : text[i];
}

static void
write_mo(const struct message *messages, uint32_t n, bool big)
{
	uint32_t i;

	memset(&mo, 0, sizeof(mo));
	put_word(0, 0x950412de, big);
	put_word(8, n, big);
	put_word(12, 28, big);
	put_word(16, 28 + 8 * n, big);
	mo.len = 28 + 16 * n;
	for (i = 0; i < n; i++)
		put_text(28 + 8 * i, messages[i].original, big);
	for (i = 0; i < n; i++)
		put_text(28 + 8 * (n + i), messages[i].translation, big);
}

static const struct message german[] = {
	{ "", GERMAN },
	{ "1 hour ago^{n} hours ago", "vor einer Stunde^vor {n} Stunden" },
	{ "January", "Januar" },
	{ "apple^apples", "Apfel^\xc3\x84pfel" },
	{ "empty", "" },
	{ "file\4Open", "\xc3\x96" "ffnen" },
	{ "{month} {day}, {year} at {time}", "{day}. {month} {year} um {time} Uhr" },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static int
opened(struct spout__catalogue *c)
{
	/* In a block of its own size, for AddressSanitizer. */
	static char *block;

	free(block);
	block = malloc(mo.len > 0 ? mo.len : 1);
	memcpy(block, mo.data, mo.len);
	return spout__catalogue_open(c, block, mo.len);
}

/* --- catalogues -------------------------------------------------------------------- */

static void
messages_are_found_in_either_byte_order(void)
{
	struct spout__catalogue c;
	int big;

	for (big = 0; big < 2; big++) {
		write_mo(german, COUNT(german), big);
		CU_ASSERT_EQUAL_FATAL(opened(&c), 0);
		CU_ASSERT_STRING_EQUAL(
		    spout__catalogue_find(&c, NULL, "January").data, "Januar");
		CU_ASSERT_STRING_EQUAL(
		    spout__catalogue_find(&c, "file", "Open").data, "\xc3\x96" "ffnen");
		CU_ASSERT_PTR_NULL(spout__catalogue_find(&c, NULL, "Open").data);
		CU_ASSERT_PTR_NULL(spout__catalogue_find(&c, "fil", "Open").data);
		CU_ASSERT_PTR_NULL(spout__catalogue_find(&c, "file2", "Open").data);
		CU_ASSERT_PTR_NULL(spout__catalogue_find(&c, NULL, "Januar").data);
		CU_ASSERT_PTR_NULL(spout__catalogue_find(&c, NULL, "zzz").data);
	}
}

static void
damaged_catalogues_never_lead_outside(void)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct spout__catalogue c;
	size_t i, len, v;

	write_mo(german, COUNT(german), false);
	len = mo.len;
	for (mo.len = 0; mo.len < len; mo.len++)
		CU_ASSERT_EQUAL(opened(&c), -EBADMSG);
	for (i = 0; i < len; i++) {
		char was = mo.data[i];

		for (v = 0; v < sizeof(values); v++) {
			mo.data[i] = (char)values[v];
			if (opened(&c) == 0)
				spout__catalogue_find(&c, "file", "January");
		}
		mo.data[i] = was;
	}
	CU_ASSERT_EQUAL(opened(&c), 0);
}

static int
open_one(const char *original, const char *translation, const char *header)
{
	struct message messages[] = { { "", header }, { original, translation } };
	struct spout__catalogue c;

	write_mo(messages, 2, false);
	return opened(&c);
}

static void
unfit_catalogues_are_refused(void)
{
	CU_ASSERT_EQUAL(open_one("a", "b", GERMAN), 0);
	CU_ASSERT_EQUAL(open_one("", "b", GERMAN), -EBADMSG); /* out of order */
	CU_ASSERT_EQUAL(open_one("a", "\xff", GERMAN), -EBADMSG);
	CU_ASSERT_EQUAL(open_one("\xff", "a", GERMAN), -EBADMSG);
	CU_ASSERT_EQUAL(open_one("a", "b", ""), -EBADMSG);
	CU_ASSERT_EQUAL(open_one("a", "b", "content-type: x; charset=utf-8"), 0);
	CU_ASSERT_EQUAL(
	    open_one("a", "b", "Content-Type: x; charset=ISO-8859-1\n"), -EBADMSG);
	CU_ASSERT_EQUAL(open_one("a", "b", HEADER("nplurals=2; plural=n")), -EBADMSG);
}

/* --- plural rules ------------------------------------------------------------------- */

/* The form for n, or -1 if the rule is refused. */
static int
form(const char *rule, uint64_t n)
{
	struct spout__plural plural;

	if (spout__plural_init(&plural, spout_slice(rule)) != 0)
		return -1;
	return (int)spout__plural_form(&plural, n);
}

static void
plural_rules_are_those_of_c(void)
{
	static const char polish[] = "nplurals=3; plural=n==1 ? 0 : n%10>=2 && n%10<=4 "
	    "&& (n%100<10 || n%100>=20) ? 1 : 2;";
	static const char arabic[] = "nplurals=6; plural= n==0 ? 0 : n==1 ? 1 : n==2 ? 2 "
	    ": n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5";

	CU_ASSERT_EQUAL(form("nplurals=1; plural=0;", 7), 0);
	CU_ASSERT_EQUAL(form("nplurals=2; plural=n>1;", 1), 0);
	CU_ASSERT_EQUAL(form("nplurals=2; plural=n>1;", 2), 1);
	CU_ASSERT_EQUAL(form(" nplurals = 2 ; plural = ! ( n == 1 )", 1), 0);
	CU_ASSERT_EQUAL(form(polish, 1), 0);
	CU_ASSERT_EQUAL(form(polish, 22), 1);
	CU_ASSERT_EQUAL(form(polish, 12), 2);
	CU_ASSERT_EQUAL(form(polish, 5), 2);
	CU_ASSERT_EQUAL(form(arabic, 103), 3);
	CU_ASSERT_EQUAL(form(arabic, 111), 4);
	CU_ASSERT_EQUAL(form(arabic, 100), 5);
	CU_ASSERT_EQUAL(form("nplurals=2; plural=2*3-5-1+(7/2)%3", 0), 0);
	CU_ASSERT_EQUAL(form("nplurals=2; plural=n<1==n<=0;", 3), 1);
}

static void
bad_plural_rules_are_refused(void)
{
	static const char *const rules[] = { "", "nplurals=2", "nplurals=2;",
		"nplurals=0; plural=0", "nplurals=17; plural=0", "nplurals=2; plural=",
		"nplurals=2; plural=n+", "nplurals=2; plural=(n", "nplurals=2; plural=n)",
		"nplurals=2; plural=n", "nplurals=2; plural=m", "nplurals=2; plural=1/0",
		"nplurals=2; plural=n%n", "nplurals=2; plural=0?1",
		"nplurals=2; plural=-1",
		"nplurals=2; plural=0 0", "nplurals=2; plural=99999999999" };
	char deep[256];
	size_t i;
	int depth;

	for (i = 0; i < COUNT(rules); i++)
		CU_ASSERT_EQUAL(form(rules[i], 1), -1);
	for (depth = 10; depth <= 100; depth += 90) {
		snprintf(deep, sizeof(deep), "nplurals=1; plural=%0*d%0*d", depth, 0,
		    depth + 1, 0);
		memset(deep + strlen("nplurals=1; plural="), '(', (size_t)depth);
		memset(deep + strlen(deep) - depth, ')', (size_t)depth);
		CU_ASSERT_EQUAL(form(deep, 1), depth == 10 ? 0 : -1);
	}
}

/* --- a folder of them -------------------------------------------------------------- */

static char folder[64];

static void
store(const char *code, const struct message *messages, size_t n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, code);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	strcat(path, "/LC_MESSAGES");
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	strcat(path, "/test.mo");
	write_mo(messages, (uint32_t)n, false);
	f = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(mo.data, 1, mo.len, f), mo.len);
	fclose(f);
}

static struct spout_locales *
load(void)
{
	static const struct message polish[] = { { "", POLISH },
		{ "apple^apples", "jab\xc5\x82ko^jab\xc5\x82ka^jab\xc5\x82" "ek" } };
	struct spout_locales *locales;

	strcpy(folder, "/tmp/spout-locale-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	store("de", german, COUNT(german));
	store("pl", polish, COUNT(polish));
	store("pt_BR", german, COUNT(german));
	locales = spout_locales_load(folder, "test");
	CU_ASSERT_PTR_NOT_NULL_FATAL(locales);
	return locales;
}

static void
unload(struct spout_locales *locales)
{
	char command[128];

	spout_locales_free(locales);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	CU_ASSERT_EQUAL(system(command), 0);
}

static const char *
code_of(const struct spout_locale *locale)
{
	return locale != NULL ? spout_locale_code(locale) : "none";
}

static void
languages_are_read_from_a_folder(void)
{
	struct spout_locales *locales = load();

	CU_ASSERT_STRING_EQUAL(code_of(spout_locales_at(locales, 0)), "de");
	CU_ASSERT_STRING_EQUAL(code_of(spout_locales_at(locales, 2)), "pt_BR");
	CU_ASSERT_PTR_NULL(spout_locales_at(locales, 3));
	CU_ASSERT_STRING_EQUAL(code_of(spout_locale_get(locales, "DE-at")), "de");
	CU_ASSERT_STRING_EQUAL(code_of(spout_locale_get(locales, "pt-br")), "pt_BR");
	CU_ASSERT_PTR_NULL(spout_locale_get(locales, "pt"));
	CU_ASSERT_PTR_NULL(spout_locale_get(locales, "d"));
	CU_ASSERT_PTR_NULL(spout_locale_get(locales, ""));
	unload(locales);
	CU_ASSERT_PTR_NULL(spout_locales_load("/nowhere", "test"));
	CU_ASSERT_EQUAL(errno, ENOENT);
}

static void
accepted_languages_follow_their_weights(void)
{
	static const struct {
		const char *header, *code;
	} cases[] = { { NULL, "none" }, { "", "none" }, { "de", "de" }, { "fr", "none" },
		{ "fr, de;q=0.5, pl;q=0.7", "pl" }, { "de;q=0.1,pl;q=0.10", "de" },
		{ "pl;q=0, de;q=0.001", "de" }, { "pl;q=0", "none" },
		{ "de-AT ; q=0.9,pl;q=0.8", "de" }, { "*", "de" },
		{ "*;q=0.1, pl", "pl" },
		{ ",,;q=1, ,pl", "pl" }, { "pl;x=1, de;q=0.2", "de" },
		{ "pl;q=2", "pl" }, { "zh-Hant-TW,pt-BR-x", "pt_BR" },
		{ "de;", "none" } };
	struct spout_locales *locales = load();
	size_t i;

	for (i = 0; i < COUNT(cases); i++)
		CU_ASSERT_STRING_EQUAL(
		    code_of(spout_locale_accepted(locales, cases[i].header)),
		    cases[i].code);
	unload(locales);
}

static void
messages_are_translated_with_their_plurals(void)
{
	struct spout_locales *locales = load();
	const struct spout_locale *de = spout_locale_get(locales, "de");
	const struct spout_locale *pl = spout_locale_get(locales, "pl");

	CU_ASSERT_STRING_EQUAL(spout_translate(de, "January"), "Januar");
	CU_ASSERT_STRING_EQUAL(spout_translate(de, "unknown"), "unknown");
	CU_ASSERT_STRING_EQUAL(spout_translate(de, "empty"), "empty");
	CU_ASSERT_STRING_EQUAL(spout_translate(de, ""), "");
	CU_ASSERT_STRING_EQUAL(
	    spout_translate_in(de, "file", "Open"), "\xc3\x96" "ffnen");
	CU_ASSERT_STRING_EQUAL(spout_translate_in(de, "door", "Open"), "Open");
	CU_ASSERT_STRING_EQUAL(spout_translate_plural(de, "apple", "apples", 1), "Apfel");
	CU_ASSERT_STRING_EQUAL(
	    spout_translate_plural(de, "apple", "apples", 0), "\xc3\x84pfel");
	CU_ASSERT_STRING_EQUAL(
	    spout_translate_plural(pl, "apple", "apples", 5), "jab\xc5\x82" "ek");
	CU_ASSERT_STRING_EQUAL(spout_translate_plural(pl, "pear", "pears", 1), "pear");
	CU_ASSERT_STRING_EQUAL(spout_translate_plural(pl, "pear", "pears", 2), "pears");
	unload(locales);
}

/* --- dates ------------------------------------------------------------------------- */

#define NOW 1700000000 /* Tuesday, 14 November 2023, 22:13:20 */

static void
dates(void *arg)
{
	const struct spout_locale *de = arg;

	CU_ASSERT_STRING_EQUAL(spout_format_date(de, NOW, .full = true),
	    "14. November 2023 um 22:13 Uhr");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW - 7200, .relative = true, .now = NOW),
	    "vor 2 Stunden");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW - 3000, .relative = true, .now = NOW),
	    "vor einer Stunde");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW - 2999, .relative = true, .now = NOW),
	    "50 minutes ago");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW - 1, .relative = true, .now = NOW), "1 second ago");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW + 30, .relative = true, .now = NOW),
	    "0 seconds ago");
	CU_ASSERT_STRING_EQUAL(spout_format_date(de, NOW - 90000, .relative = true,
				   .now = NOW), "yesterday at 21:13");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW - 3 * 86400, .now = NOW, .shorter = true),
	    "Saturday");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_date(de, NOW - 60 * 86400, .now = NOW, .shorter = true),
	    "September 15");
	CU_ASSERT_STRING_EQUAL(spout_format_date(de, NOW, .now = NOW,
				   .offset_minutes = 120), "0:13");
	CU_ASSERT_STRING_EQUAL(spout_format_day(de, NOW, 0), "Tuesday, November 14");
	CU_ASSERT_STRING_EQUAL(spout_format_day(de, -1, 0), "Wednesday, December 31");
	CU_ASSERT_STRING_EQUAL(spout_format_list(de, NULL, 0), "");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_list(de, (const char *[]){ "A" }, 1), "A");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_list(de, (const char *[]){ "A", "B" }, 2), "A and B");
	CU_ASSERT_STRING_EQUAL(
	    spout_format_list(de, (const char *[]){ "A", "B", "C" }, 3), "A, B and C");
	CU_ASSERT_STRING_EQUAL(spout_format_number(de, -1234567), "-1234567");
}

static void
dates_speak_the_language(void)
{
	struct spout_locales *locales = load();

	co_run(dates, (void *)spout_locale_get(locales, "de"));
	CU_ASSERT_EQUAL(co_outcome.error, 0);
	unload(locales);
}

static const struct unit_test locale_tests[] = {
	UNIT_TEST(messages_are_found_in_either_byte_order),
	UNIT_TEST(damaged_catalogues_never_lead_outside),
	UNIT_TEST(unfit_catalogues_are_refused),
	UNIT_TEST(plural_rules_are_those_of_c),
	UNIT_TEST(bad_plural_rules_are_refused),
	UNIT_TEST(languages_are_read_from_a_folder),
	UNIT_TEST(accepted_languages_follow_their_weights),
	UNIT_TEST(messages_are_translated_with_their_plurals),
	UNIT_TEST(dates_speak_the_language),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "locale", locale_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
