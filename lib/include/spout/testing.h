/* SPDX-License-Identifier: MIT */
/*
 * The test kit, a library of its own: pkg-config spout-testing. For tests of handlers and
 * of whatever waits:
 *
 *     SPOUT_TEST(the_front_page_greets)
 *     {
 *         struct spout_test_server *server = spout_test_serve(&app);
 *         struct spout_test_response *r = spout_test_fetch(server, "GET", "/");
 *
 *         CU_ASSERT_EQUAL(r->status, 200);
 *         CU_ASSERT_STRING_EQUAL(r->body, "Hello, World!\n");
 *     }
 *
 * src/examples/test_hello.c is a whole program. The kit does not need CUnit: the
 * functions return what came of it, and only the macros SPOUT_TEST_RUN and the like
 * report to CUnit (or to what SPOUT_TEST_CHECK was defined as before this header).
 *
 * Inside a coroutine use the asserts that go on; a fatal one of CUnit jumps off its
 * stack. SPOUT_TEST_REQUIRE() is what ends a coroutine. Everything here belongs to one
 * thread.
 */
#ifndef SPOUT_TESTING_H
#define SPOUT_TESTING_H

#include <spout/async.h>
#include <spout/log.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_app;

/* --- running a coroutine -------------------------------------------------------- */

struct spout_test_options {
	size_t size;            /* sizeof this struct, set by the macro */
	uint64_t timeout_ms;    /* of real time, for everything [see below] */
	uint64_t deadline_ms;   /* of the coroutine, from its start [none] */
	bool virtual_clock;     /* see below */
	unsigned threads;       /* in each of the pools "cpu" and "blocking" [2] */
	bool no_threads;        /* no such pools */
};

/** How the coroutine ended. */
struct spout_test_result {
	int error;              /* 0: it returned; -errno: it failed or was cancelled */
	int status;             /* HTTP status that the failing side chose, or 0 */
	bool cancelled;
	bool timed_out;         /* timeout_ms passed; `reason` says who waited for what */
	char reason[256];       /* "" if there is none */
};

/**
 * Run fn(arg) as a coroutine on a loop of its own, until it and everything that it
 * started has ended; then servers and pools are closed and the loop is freed. (Tornado:
 * AsyncTestCase, gen_test)
 *
 *     struct spout_test_result result = spout_test_run(transfers, &account, 2000);
 *     spout_test_run(polls, NULL, .virtual_clock = true);
 *
 * When timeout_ms passed [SPOUT_TEST_TIMEOUT_MS of the environment, or 10000] all are
 * cancelled; who has not ended after as long again, or 5 s, aborts the program with its
 * name. SIGPIPE is ignored from now on, as in every worker.
 *
 * With a virtual clock, timers and deadlines do not take time: the clock of the loop
 * stands still while there is something to do, then jumps to the next timer. While jobs
 * are out time passes as usual; other processes and blocking calls get none. spout_now()
 * and the dates of HTTP stay real.
 */
#define spout_test_run(fn, arg, ...) \
	spout_test_run_at((fn), (arg), SPOUT_TEST_OPTIONS_(__VA_ARGS__), SPOUT_WHERE)
#define SPOUT_TEST_OPTIONS_(...) \
	(&(struct spout_test_options){ .size = sizeof(struct spout_test_options), \
	    __VA_ARGS__ })
SPOUT_API struct spout_test_result spout_test_run_at(spout_fn fn, void *arg,
    const struct spout_test_options *options, const char *where);

/* --- a server ------------------------------------------------------------------- */

struct spout_test_server;

/**
 * Serve the application on a free port of 127.0.0.1, on the loop of the running test, as
 * one worker would: on_worker_start has run when this returns, on_worker_stop runs when
 * the test has ended, which closes the server. Borrows `app` until then: not from the
 * coroutine's stack. No access log, no database. Leaves with the error of the hook,
 * -EINVAL and -EEXIST (a wrong table of routes, with what is wrong), -ENOMEM and the
 * errors of sockets. (Tornado: AsyncHTTPTestCase, get_app, bind_unused_port)
 */
SPOUT_API struct spout_test_server *spout_test_serve(struct spout_app *app);
SPOUT_API uint16_t spout_test_port(const struct spout_test_server *server);
/** "http://127.0.0.1:PORT" and `target`; in the running scope. (Tornado: get_url) */
SPOUT_API const char *spout_test_url(const struct spout_test_server *server,
    const char *target);

/** In the scope that fetched it, as are its texts, which end with a NUL. */
struct spout_test_response {
	int status;
	const char *head;       /* status line and fields, as they came */
	const char *body;       /* out of its chunks */
	size_t body_len;
};

struct spout_test_request {
	size_t size;            /* sizeof this struct, set by the macro */
	const char *body;       /* [none] */
	size_t body_len;        /* [its length as a text] */
	const char *headers;    /* more fields, each ended by CRLF: "Accept: a/b\r\n" */
};

/**
 * One request on a connection of its own; returns when the response has ended. Redirects
 * are not followed. Host, Connection: close and Content-Length are sent unless `headers`
 * has them. Leaves with -EBADMSG for what is no whole response, -EMSGSIZE past 16 MiB,
 * and the errors of spout_tcp_connect(). (Tornado: AsyncHTTPTestCase.fetch)
 *
 *     spout_test_fetch(server, "POST", "/users", .body = "name=x",
 *         .headers = "Content-Type: application/x-www-form-urlencoded\r\n");
 */
#define spout_test_fetch(server, method, target, ...) \
	spout_test_fetch_with((server), (method), (target), \
	    &(struct spout_test_request){ .size = sizeof(struct spout_test_request), \
	    __VA_ARGS__ })
SPOUT_API struct spout_test_response *spout_test_fetch_with(
    const struct spout_test_server *server, const char *method, const char *target,
    const struct spout_test_request *request);
/** The value of the first field of that name (any case), or NULL; in this scope. */
SPOUT_API const char *spout_test_header(const struct spout_test_response *response,
    const char *name);
/**
 * Send these bytes on a connection of its own and return everything that comes until the
 * server closes it; a text in the running scope, its length in `ret_len` unless that is
 * NULL. Leaves as spout_test_fetch() does.
 */
SPOUT_API const char *spout_test_raw(const struct spout_test_server *server,
    const void *data, size_t len, size_t *ret_len);

/* --- the log -------------------------------------------------------------------- */

/**
 * Collect what is logged, of level info and above, instead of writing it. One stretch at
 * a time; any thread may log. (Tornado: ExpectLog)
 *
 *     spout_test_log_begin();
 *     spout_test_log_expect("task failed, .*no luck");
 *     …
 *     SPOUT_TEST_LOG_END();      (nothing else went wrong, and this did)
 */
SPOUT_API void spout_test_log_begin(void);
/** A line has to come that matches this POSIX extended regular expression (copied), at
 * least one. Returns 0, -EINVAL for a wrong expression, -ENOMEM. */
SPOUT_API int spout_test_log_expect(const char *regex);
/** The lines so far; valid until the next call of these functions. */
SPOUT_API const char *spout_test_log_text(void);
/** How often `text` is in them. */
SPOUT_API unsigned spout_test_log_count(const char *text);
/**
 * The stretch is over, the log is as it was before. NULL if every expected line came and
 * no warning or error that was not expected; else what is wrong, valid as above.
 * spout_test_log_text() still has the lines until the next stretch begins.
 */
SPOUT_API const char *spout_test_log_end(void);

/* --- what is left behind -------------------------------------------------------- */

/** What this process holds. */
struct spout_test_mark {
	unsigned descriptors, threads;
	unsigned children;      /* zombies too */
	uint64_t connections;   /* of clients to servers, of the library */
	uint64_t coroutines;
	uint64_t jobs;
};

SPOUT_API void spout_test_mark(struct spout_test_mark *ret_mark);
/**
 * NULL if the process holds now what it held at the mark (fewer threads or children are
 * fine: they were about to end); else what is more or missing, in a static buffer. The
 * kernel may list a thread that was joined for a moment longer: waits for that,
 * blocking, at most 10 s.
 */
SPOUT_API const char *spout_test_leftovers(const struct spout_test_mark *mark);

/* --- cancelling at every wait --------------------------------------------------- */

/** When a waiting point is cancelled. */
enum spout_test_moment {
	SPOUT_TEST_BEFORE,      /* as it begins: it never goes to sleep */
	SPOUT_TEST_ASLEEP,      /* soon after, when it sleeps */
	SPOUT_TEST_WOKEN,       /* when it was woken and has not run yet: keeps the loop
	                           busy, so not with a virtual clock */
	SPOUT_TEST_MOMENTS,     /* how many there are */
};

struct spout_test_sweep_options {
	size_t size;            /* sizeof this struct, set by the macro */
	struct spout_test_options run; /* of each round; its size is filled in */
	unsigned step;          /* cancel every so many waiting points only [1] */
	unsigned max_rounds;    /* more waiting points are an error [10000] */
	int error;              /* of the cancellation [-ECANCELED] */
	/* Called outside of coroutines before and after each round: makes what is shared,
	 * looks whether it is whole, frees it. */
	void (*before)(void *arg);
	void (*after)(void *arg, const struct spout_test_result *result);
	/* A number that has to be after each round what it was after the first: of live
	 * blocks of memory, of rows in use. */
	long (*count)(void *arg);
};

struct spout_test_sweep {
	unsigned waits;         /* waiting points of the untouched scenario */
	unsigned rounds;
	int error;              /* 0, or -errno: see `reason` */
	char reason[512];
};

/**
 * Run fn(arg) untouched, then again and again while its n-th waiting point, n = 1, 2, …,
 * is cancelled, whichever coroutine of the test waits there, until it is not reached any
 * more; all of it for each moment. A round may end as it likes, but it has to end within
 * its time, and to leave nothing behind (spout_test_leftovers(), `count`); under
 * AddressSanitizer the leak checker looks, too, after all rounds. What is cancelled may
 * be logged as a failure of a task: see spout_test_log_begin(). Errors: that of the
 * scenario that fails untouched; -ETIMEDOUT (a round that hangs), -ENOTEMPTY (something
 * was left behind), -E2BIG (max_rounds).
 */
#define spout_test_sweep(fn, arg, ...) \
	spout_test_sweep_at( \
	    (fn), (arg), SPOUT_TEST_SWEEP_OPTIONS_(__VA_ARGS__), SPOUT_WHERE)
#define SPOUT_TEST_SWEEP_OPTIONS_(...) \
	(&(struct spout_test_sweep_options){ \
	    .size = sizeof(struct spout_test_sweep_options), __VA_ARGS__ })
SPOUT_API struct spout_test_sweep spout_test_sweep_at(spout_fn fn, void *arg,
    const struct spout_test_sweep_options *options, const char *where);

/* --- for CUnit ------------------------------------------------------------------ */

/** Report: `ok`, and a text that says what was checked or what went wrong. */
#ifndef SPOUT_TEST_CHECK
#define SPOUT_TEST_CHECK(ok, text) \
	((void)CU_assertImplementation((ok), __LINE__, (text), __FILE__, "", CU_FALSE))
#endif

/**
 * A test of CUnit that is a coroutine, which has to return: neither fail nor hang.
 * Options of spout_test_run() follow its name.
 *
 *     SPOUT_TEST(an_hour_passes, .virtual_clock = true)
 *     {
 *         spout_sleep(3600 * 1000);
 *     }
 *     …
 *     CU_ADD_TEST(suite, an_hour_passes);
 */
#define SPOUT_TEST(name, ...) \
	static void name##_runs(void *arg); \
	static void name(void) \
	{ \
		SPOUT_TEST_RUN(name##_runs, NULL, __VA_ARGS__); \
	} \
	static void name##_runs(void *arg __attribute__((unused)))
/** spout_test_run(), and the coroutine has to return, as above. */
#define SPOUT_TEST_RUN(fn, arg, ...) \
	do { \
		struct spout_test_result spout_r_ = \
		    spout_test_run(fn, arg, __VA_ARGS__); \
		SPOUT_TEST_CHECK(spout_r_.error == 0, \
		    spout_r_.error == 0 ? #fn " returns" : spout_r_.reason); \
	} while (0)
/** spout_test_run(), and it has to end with this error (-errno). */
#define SPOUT_TEST_FAILS(expected, fn, arg, ...) \
	do { \
		struct spout_test_result spout_r_ = \
		    spout_test_run(fn, arg, __VA_ARGS__); \
		SPOUT_TEST_CHECK(spout_r_.error == (expected) && !spout_r_.timed_out, \
		    spout_r_.error == 0 ? #fn " fails with " #expected \
					: spout_r_.reason); \
	} while (0)
/** spout_test_sweep(), and nothing may be wrong. */
#define SPOUT_TEST_SWEEP(fn, arg, ...) \
	do { \
		struct spout_test_sweep spout_s_ = \
		    spout_test_sweep(fn, arg, __VA_ARGS__); \
		SPOUT_TEST_CHECK(spout_s_.error == 0, \
		    spout_s_.error == 0 ? #fn " is swept" : spout_s_.reason); \
	} while (0)
/** spout_test_log_end(), and nothing may be wrong. */
#define SPOUT_TEST_LOG_END() \
	do { \
		const char *spout_l_ = spout_test_log_end(); \
		SPOUT_TEST_CHECK(spout_l_ == NULL, spout_l_ ? spout_l_ : "log"); \
	} while (0)
/** In a coroutine: report, and end it unless `condition` holds. */
#define SPOUT_TEST_REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			SPOUT_TEST_CHECK(0, #condition); \
			spout_fail_with(-EINVAL, "required: " #condition); \
		} \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif
