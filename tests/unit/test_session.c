/* SPDX-License-Identifier: MIT */
/* Sessions in the cookie, and in a store that stands for the database. */
#include "config.h"

#include "unit.h"
#include "web_client.h"

#include <stdio.h>
#include <stdlib.h>

#include <spout/cookie.h>

#include "web/session.h"

/* --- the application ---------------------------------------------------------------- */

static void
show(struct spout_request *req)
{
	const char *user = spout_session_get(req, "user");

	spout_plain(req, user != NULL ? user : "(none)");
}

static void
set(struct spout_request *req)
{
	spout_session_set(req, "user", spout_arg(req, "user"));
	if (spout_arg(req, "fail") != NULL)
		spout_fail(req, 400, "as asked");
}

static void
rotate(struct spout_request *req)
{
	spout_session_rotate(req);
	spout_session_set(req, "user", "rotated");
}

static void
destroy(struct spout_request *req)
{
	spout_session_destroy(req);
	if (spout_arg(req, "user") != NULL)
		spout_session_set(req, "user", spout_arg(req, "user"));
}

static void
fill(struct spout_request *req)
{
	int64_t n = spout_arg_int(req, "n");
	char *value = spout_alloc((size_t)n + 1);

	memset(value, 'v', (size_t)n);
	value[n] = '\0';
	spout_session_set(req, "value", value);
}

static void
nothing(struct spout_request *req)
{
	spout_plain(req, "nothing");
}

static const struct spout_route routes[] = {
	SPOUT_GET("/show", show),
	SPOUT_GET("/set", set),
	SPOUT_GET("/rotate", rotate),
	SPOUT_GET("/destroy", destroy),
	SPOUT_GET("/fill", fill),
	SPOUT_GET("/nothing", nothing),
	SPOUT_END,
};

static struct spout_sessions sessions;
static struct spout_app app = {
	.name = "sessions",
	.routes = routes,
	.sessions = &sessions,
	.cookie_secret = "a-secret-that-keeps-sessions",
};

/* --- a store that is a table of four ------------------------------------------------ */

static struct {
	char key[SPOUT__SESSION_KEY_LEN + 1], text[70000];
	int64_t seconds;
} rows[4];
static unsigned loads, saves, removes;

static unsigned
row_of(const char *key)
{
	unsigned i;

	for (i = 0; i < 3 && strcmp(rows[i].key, key) != 0; i++)
		;
	return i;
}

static const char *
store_load(const char *key)
{
	unsigned i = row_of(key);

	loads++;
	return i < 3 ? rows[i].text : NULL;
}

static void
store_save(const char *key, const char *text, int64_t seconds)
{
	unsigned i = row_of(key);

	saves++;
	for (unsigned k = 0; i == 3 && k < 3; k++)
		i = rows[k].key[0] == '\0' ? k : i;
	CU_ASSERT_EQUAL(strlen(key), SPOUT__SESSION_KEY_LEN);
	strcpy(rows[i].key, key);
	strcpy(rows[i].text, text);
	rows[i].seconds = seconds;
}

static void
store_remove(const char *key)
{
	removes++;
	rows[row_of(key)].key[0] = '\0';
}

static const struct spout__session_store store = { store_load, store_save, store_remove };

static void
begin_with(struct spout_sessions how, bool in_store)
{
	sessions = how;
	memset(rows, 0, sizeof(rows));
	loads = saves = removes = 0;
	begin(&app, NO_ACCESS_LOG);
	if (in_store)
		spout__web_set_session_store(web, &store);
}

/* The Cookie field that sends back what the last answer set. */
static const char *
cookie_back(void)
{
	static char field[8192];
	const char *at = strstr(got, "Set-Cookie: session=");

	if (at == NULL)
		return "";
	at += strlen("Set-Cookie: ");
	snprintf(field, sizeof(field), "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at);
	return field;
}

static const char *
shown(const char *cookie)
{
	request("GET /show", cookie, NULL);
	return body();
}

/* --- the tests ---------------------------------------------------------------------- */

static void
a_session_goes_on_in_its_cookie(void)
{
	char cookie[4096];

	begin_with((struct spout_sessions){ 0 }, false);
	CU_ASSERT_STRING_EQUAL(shown(""), "(none)");
	CU_ASSERT_TRUE(lacks("Set-Cookie"));
	get("/set?user=ann");
	CU_ASSERT_TRUE(has("Set-Cookie: session=e1|0|"));
	CU_ASSERT_TRUE(has("; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax\r\n"));
	strcpy(cookie, cookie_back());
	CU_ASSERT_STRING_EQUAL(shown(cookie), "ann");
	CU_ASSERT_TRUE(lacks("Set-Cookie"));
	request("GET /set", cookie, NULL);
	CU_ASSERT_STRING_EQUAL(shown(cookie_back()), "(none)");
	request("GET /set?user=bob&fail=1", cookie, NULL);
	CU_ASSERT_TRUE(status_is(400) && lacks("Set-Cookie"));
	request("GET /destroy", cookie, NULL);
	CU_ASSERT_TRUE(has("Set-Cookie: session=; Expires=Thu, 01 Jan 1970"));
	request("GET /destroy?user=eve", cookie, NULL);
	CU_ASSERT_STRING_EQUAL(shown(cookie_back()), "eve");
	request("GET /nothing", cookie, NULL);
	CU_ASSERT_TRUE(status_is(200) && lacks("Set-Cookie"));
	CU_ASSERT_STRING_EQUAL(
	    shown("Cookie: session=e1|0|1700000000|AAAA\r\n"), "(none)");
	end();
}

static void
a_session_that_fits_no_cookie_fails(void)
{
	begin_with((struct spout_sessions){ 0 }, false);
	get("/fill?n=2700");
	CU_ASSERT_TRUE(status_is(200) && has("Set-Cookie"));
	get("/fill?n=3100");
	CU_ASSERT_TRUE(status_is(500) && lacks("Set-Cookie"));
	end();
}

static void
the_browser_of_a_kept_session_has_an_id_only(void)
{
	char cookie[4096];

	begin_with((struct spout_sessions){ .idle_s = 600 }, true);
	CU_ASSERT_STRING_EQUAL(shown(""), "(none)");
	CU_ASSERT_EQUAL(loads + saves, 0);
	get("/set?user=ann");
	CU_ASSERT_EQUAL(saves, 1);
	CU_ASSERT_EQUAL(rows[0].seconds, 600);
	strcpy(cookie, cookie_back());
	CU_ASSERT_EQUAL(strlen(cookie), strlen("Cookie: session=\r\n") + 64);
	/* What is stored does not tell the id. */
	CU_ASSERT_PTR_NULL(strstr(cookie, rows[0].key));
	CU_ASSERT_STRING_EQUAL(shown(cookie), "ann");
	CU_ASSERT_EQUAL(saves, 1);
	request("GET /set?user=bob", cookie, NULL);
	CU_ASSERT_TRUE(lacks("Set-Cookie"));
	CU_ASSERT_STRING_EQUAL(shown(cookie), "bob");
	request("GET /set?user=eve&fail=1", cookie, NULL);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "bob");
	request("GET /nothing", cookie, NULL);
	CU_ASSERT_EQUAL(saves, 2);
	end();
}

static void
a_login_makes_the_old_id_worthless(void)
{
	char before[4096], after[4096];

	begin_with((struct spout_sessions){ 0 }, true);
	get("/set?user=guest");
	strcpy(before, cookie_back());
	request("GET /rotate", before, NULL);
	strcpy(after, cookie_back());
	CU_ASSERT_STRING_NOT_EQUAL(before, after);
	CU_ASSERT_EQUAL(removes, 1);
	CU_ASSERT_STRING_EQUAL(shown(before), "(none)");
	CU_ASSERT_STRING_EQUAL(shown(after), "rotated");
	request("GET /destroy", after, NULL);
	CU_ASSERT_TRUE(has("Set-Cookie: session=; Expires="));
	CU_ASSERT_STRING_EQUAL(shown(after), "(none)");
	end();
}

static void
an_id_that_is_not_ours_is_not_taken_over(void)
{
	static const char forged[] =
	    "Cookie: session="
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\r\n";

	begin_with((struct spout_sessions){ 0 }, true);
	request("GET /set?user=ann", forged, NULL);
	CU_ASSERT_TRUE(has("Set-Cookie: session=") && lacks("00112233445566778899aabb"));
	CU_ASSERT_STRING_EQUAL(shown(forged), "(none)");
	loads = 0;
	CU_ASSERT_STRING_EQUAL(shown("Cookie: session=xyz\r\n"), "(none)");
	CU_ASSERT_EQUAL(loads, 0);
	end();
}

/* The session in row 0 as if it had begun and been seen that long ago. */
static void
make_old(int64_t began_ago, int64_t seen_ago)
{
	int64_t now = spout_now();

	snprintf(rows[0].text, sizeof(rows[0].text),
	    "{\"b\":%lld,\"s\":%lld,\"v\":{\"user\":\"ann\"}}",
	    (long long)(now - began_ago), (long long)(now - seen_ago));
}

static void
sessions_end_when_idle_and_when_old(void)
{
	char cookie[4096];

	begin_with((struct spout_sessions){ .idle_s = 800, .lifetime_s = 5000 }, true);
	get("/set?user=ann");
	strcpy(cookie, cookie_back());
	saves = 0;
	make_old(4000, 90);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "ann");
	CU_ASSERT_EQUAL(saves, 0);
	/* Seen again after a while: kept for longer, but not beyond its life. */
	make_old(4500, 200);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "ann");
	CU_ASSERT_EQUAL(saves, 1);
	CU_ASSERT_TRUE(rows[0].seconds <= 500 && rows[0].seconds >= 490);
	make_old(4000, 780);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "ann");
	make_old(4000, 800);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "(none)");
	make_old(4980, 1);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "ann");
	make_old(5000, 1);
	CU_ASSERT_STRING_EQUAL(shown(cookie), "(none)");
	strcpy(rows[0].text, "nonsense");
	CU_ASSERT_STRING_EQUAL(shown(cookie), "(none)");
	strcpy(rows[0].text, "{\"b\":1,\"s\":1}");
	CU_ASSERT_STRING_EQUAL(shown(cookie), "(none)");
	end();
}

static void
a_kept_session_has_a_bound(void)
{
	begin_with((struct spout_sessions){ 0 }, true);
	get("/fill?n=65000");
	CU_ASSERT_TRUE(status_is(200));
	CU_ASSERT_EQUAL(saves, 1);
	get("/fill?n=65536");
	CU_ASSERT_TRUE(status_is(500));
	CU_ASSERT_EQUAL(saves, 1);
	end();
}

static void
a_place_that_is_not_there_is_told(void)
{
	begin_with((struct spout_sessions){ .place = SPOUT_SESSIONS_IN_DATABASE }, false);
	get("/show");
	CU_ASSERT_TRUE(status_is(503));
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "sessions need a database"));
	end();
	begin_with((struct spout_sessions){ .place = SPOUT_SESSIONS_IN_COOKIE }, true);
	get("/set?user=ann");
	CU_ASSERT_TRUE(has("Set-Cookie: session=e1|"));
	CU_ASSERT_EQUAL(saves, 0);
	end();
	app.sessions = NULL;
	begin(&app, NO_ACCESS_LOG);
	get("/show");
	CU_ASSERT_TRUE(status_is(500));
	app.sessions = &sessions;
	end();
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_session_goes_on_in_its_cookie),
	UNIT_TEST(a_session_that_fits_no_cookie_fails),
	UNIT_TEST(the_browser_of_a_kept_session_has_an_id_only),
	UNIT_TEST(a_login_makes_the_old_id_worthless),
	UNIT_TEST(an_id_that_is_not_ours_is_not_taken_over),
	UNIT_TEST(sessions_end_when_idle_and_when_old),
	UNIT_TEST(a_kept_session_has_a_bound),
	UNIT_TEST(a_place_that_is_not_there_is_told),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "sessions", tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
