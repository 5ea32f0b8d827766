/* SPDX-License-Identifier: MIT */
/* Static files and files sent by handlers, over a real directory and a real pool. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <spout/file.h>

#include "base/open_beneath.h"
#include "executor/executor.h"
#include "web/file.h"
#include "web/request.h"
#include "web_client.h"

#define BIG 300000
#define NAME(name) (name), sizeof(name) - 1

static char root[64], outside[80];

/* --- the files -------------------------------------------------------------------- */

static const char *
below(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void
put_file(const char *name, const char *text, size_t len)
{
	int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static char *
big_text(void)
{
	static char text[BIG];
	size_t i;

	for (i = 0; i < BIG; i++)
		text[i] = (char)('a' + i * 7 / 5 % 23);
	return text;
}

static void
make_files(void)
{
	snprintf(root, sizeof(root), "/tmp/test_static-%d", (int)getpid());
	snprintf(outside, sizeof(outside), "%s.outside", root);
	CU_ASSERT_EQUAL_FATAL(mkdir(root, 0755), 0);
	put_file("a.txt", NAME("hello, file"));
	put_file(".hidden", NAME("hidden"));
	put_file("none.dat", NAME(""));
	put_file("big.bin", big_text(), BIG);
	mkdir(below("dir"), 0755);
	put_file("dir/index.html", NAME("<p>index"));
	mkdir(below("bare"), 0755);
	put_file("bare/x y.txt", NAME("blank"));
	CU_ASSERT_EQUAL(mkfifo(below("fifo"), 0644), 0);
	CU_ASSERT_EQUAL(symlink("a.txt", below("inside-link")), 0);
	CU_ASSERT_EQUAL(symlink(outside, below("outside-link")), 0);
	CU_ASSERT_EQUAL(symlink("..", below("up")), 0);
	CU_ASSERT_EQUAL(symlink("loop", below("loop")), 0);
	close(open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static void
remove_files(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s %s", root, outside);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* --- the application -------------------------------------------------------------- */

static struct spout_static files = { .prefix = "/f/", .directory = root };
static struct spout_static open_files = { .prefix = "/open/",
	.directory = root,
	.index = "",
	.hidden_files = true,
	.no_siblings = true,
	.cache_control = "max-age=60" };

static void
send_named(struct spout_request *req)
{
	spout_send_file(req, spout_require_arg(req, "path"), .root = root,
	    .download_name = spout_arg(req, "as"), .content_type = "text/x-test");
}

static void
close_fd(void *arg)
{
	close(*(int *)arg);
}

static void
send_opened(struct spout_request *req)
{
	int *fd = spout_alloc(sizeof(*fd));

	*fd = open(spout_require_arg(req, "path"), O_RDONLY | O_CLOEXEC);
	spout_defer(close_fd, fd);
	spout_send_fd(req, *fd, .download_name = "data.json");
}

static void
give_url(struct spout_request *req)
{
	spout_plain(req, spout_static_url(req, spout_require_arg(req, "path")));
}

static const struct spout_route routes[] = {
	SPOUT_GET("/f/{path...}", spout_static_handler, .data = &files),
	SPOUT_GET("/open/{path...}", spout_static_handler, .data = &open_files),
	SPOUT_GET("/send", send_named),
	SPOUT_GET("/fd", send_opened),
	SPOUT_GET("/url", give_url),
	SPOUT_END,
};

static struct spout_app app = { .name = "test", .routes = routes };

static void
open_up(void)
{
	const struct spout__executor_options pools = {
		.cpu_threads = 1, .blocking_min = 1, .blocking_max = 2, .db_threads = 1
	};

	signal(SIGPIPE, SIG_IGN);
	make_files();
	begin(&app, NO_ACCESS_LOG);
	CU_ASSERT_EQUAL_FATAL(spout__executor_start(loop, &pools), 0);
}

static void
close_down(void)
{
	CU_ASSERT_EQUAL(spout__executor_stop(loop, 5000), 0);
	end();
	remove_files();
}

static bool
answers(const char *target, int status)
{
	get(target);
	if (status_is(status))
		return true;
	fprintf(stderr, "%s: %.40s\n", target, got);
	return false;
}

/* The value of a field of the last answer. */
static const char *
field(const char *name)
{
	static char value[256];
	const char *at = strstr(got, name);

	value[0] = '\0';
	if (at != NULL)
		sscanf(at + strlen(name), ": %255[^\r]", value);
	return value;
}

/* --- what is served --------------------------------------------------------------- */

static void
a_small_file_is_served_with_its_fields(void)
{
	open_up();
	CU_ASSERT(answers("/f/a.txt", 200));
	CU_ASSERT_STRING_EQUAL(body(), "hello, file");
	CU_ASSERT(has("Content-Type: text/plain; charset=UTF-8\r\n"));
	CU_ASSERT(has("Content-Length: 11\r\n"));
	CU_ASSERT(has("Accept-Ranges: bytes\r\n"));
	CU_ASSERT(has("X-Content-Type-Options: nosniff\r\n"));
	CU_ASSERT(has("Last-Modified: "));
	CU_ASSERT(lacks("Cache-Control"));
	CU_ASSERT(lacks("Vary"));
	CU_ASSERT(answers("/open/a.txt", 200));
	CU_ASSERT(has("Cache-Control: max-age=60\r\n"));
	CU_ASSERT(answers("/f/none.dat", 200));
	CU_ASSERT(has("Content-Length: 0\r\n"));
	request("HEAD /f/a.txt", "", NULL);
	CU_ASSERT(has("Content-Length: 11\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "");
	request("POST /f/a.txt", "", "x");
	CU_ASSERT(status_is(405));
	close_down();
}

static void
a_large_file_is_served_whole_and_in_parts(void)
{
	open_up();
	CU_ASSERT(answers("/f/big.bin", 200));
	CU_ASSERT_EQUAL(got + got_len - body(), BIG);
	CU_ASSERT_EQUAL(memcmp(body(), big_text(), BIG), 0);
	request("GET /f/big.bin", "Range: bytes=100000-199999\r\n", NULL);
	CU_ASSERT(status_is(206));
	CU_ASSERT(has("Content-Range: bytes 100000-199999/300000\r\n"));
	CU_ASSERT_EQUAL(got + got_len - body(), 100000);
	CU_ASSERT_EQUAL(memcmp(body(), big_text() + 100000, 100000), 0);
	request("HEAD /f/big.bin", "", NULL);
	CU_ASSERT(has("Content-Length: 300000\r\n"));
	CU_ASSERT_STRING_EQUAL(body(), "");
	request("GET /f/big.bin", "Range: bytes=300000-\r\n", NULL);
	CU_ASSERT(status_is(416));
	CU_ASSERT(has("Content-Range: bytes */300000\r\n"));
	close_down();
}

static void
a_client_that_has_the_file_gets_304(void)
{
	char line[300];

	open_up();
	CU_ASSERT(answers("/f/a.txt", 200));
	snprintf(line, sizeof(line), "If-None-Match: %s\r\n", field("ETag"));
	request("GET /f/a.txt", line, NULL);
	CU_ASSERT(status_is(304));
	CU_ASSERT(has("ETag: \""));
	CU_ASSERT(lacks("Content-Length"));
	CU_ASSERT_STRING_EQUAL(body(), "");
	snprintf(line, sizeof(line), "If-Modified-Since: %s\r\n", field("Last-Modified"));
	request("GET /f/a.txt", line, NULL);
	CU_ASSERT(status_is(304));
	request("GET /f/a.txt", "If-Match: \"other\"\r\n", NULL);
	CU_ASSERT(status_is(412));
	request("GET /f/a.txt", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n", NULL);
	CU_ASSERT(status_is(200));
	close_down();
}

static void
directories_have_an_index_and_a_slash(void)
{
	open_up();
	CU_ASSERT(answers("/f/dir/", 200));
	CU_ASSERT_STRING_EQUAL(body(), "<p>index");
	CU_ASSERT(has("Content-Type: text/html; charset=UTF-8\r\n"));
	CU_ASSERT(answers("/f/dir?a=b", 301));
	CU_ASSERT(has("Location: /f/dir/?a=b\r\n"));
	CU_ASSERT(answers("/f/", 404));
	CU_ASSERT(answers("/f/bare/", 404));
	CU_ASSERT(answers("/f/a.txt/", 404));
	CU_ASSERT(answers("/open/dir/", 404));
	CU_ASSERT(answers("/open/dir", 404));
	close_down();
}

/* --- what is not ------------------------------------------------------------------ */

static bool
knows_openat2(void)
{
	return syscall(SYS_openat2, -1, NULL, NULL, 0) >= 0 || errno != ENOSYS;
}

static void
nothing_outside_of_the_directory_is_served(void)
{
	static const struct {
		const char *target;
		int status;
	} refused[] = { { "/f/outside-link", 403 },
		{ "/f/loop", 403 }, { "/f/fifo", 403 }, { "/f/../a.txt", 400 },
		{ "/f/..", 400 }, { "/f/%2e%2e/a.txt", 400 }, { "/f/..%2fa.txt", 400 },
		{ "/f/%2E%2E%2Fetc%2Fpasswd", 400 }, { "/f/%252e%252e/a.txt", 404 },
		{ "/f/%252e%252e%252fa.txt", 404 }, { "/f//etc/passwd", 404 },
		{ "/f/dir//index.html", 404 }, { "/f/./a.txt", 404 }, { "/f/.", 404 },
		{ "/f/a.txt%00", 400 }, { "/f/a.txt%00.png", 400 },
		{ "/f/%c0%ae%c0%ae/", 400 }, { "/f/%ff", 400 },
		{ "/f/..%5c..%5cetc", 404 }, { "/f/.hidden", 404 },
		{ "/f/dir/.hidden", 404 }, { "/f/...", 404 }, { "/open/..", 400 },
		{ "/open/.", 404 }, { "/open/./a.txt", 404 }, { "/f/nothing", 404 },
		{ "/f/a.txt/b", 404 }, { "/f/~root", 404 } };
	static char longest[2200] = "/f/";
	size_t i;

	open_up();
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		CU_ASSERT(answers(refused[i].target, refused[i].status));
	/* Without openat2 (an old kernel, valgrind) no link is followed. */
	CU_ASSERT(answers("/f/inside-link", knows_openat2() ? 200 : 403));
	CU_ASSERT(answers("/f/up/etc/passwd", knows_openat2() ? 403 : 404));
	CU_ASSERT(answers("/open/.hidden", 200));
	CU_ASSERT(answers("/f/bare/x%20y.txt", 200));
	memset(longest + 3, 'x', 300);
	CU_ASSERT(answers(longest, 404)); /* longer than a name may be */
	memset(longest + 3, 'x', SPOUT__FILE_PATH_MAX + 1);
	CU_ASSERT(answers(longest, 404));
	close_down();
}

static int
opened(int (*open_fn)(int, const char *, int), int at, const char *path)
{
	int fd = open_fn(at, path, O_RDONLY | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : fd;
}

/* Both ways of opening keep to the root; the one for old kernels follows no link. */
static void
opening_stays_below_the_root(void)
{
	int at;

	make_files();
	at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_FATAL(at >= 0);
	CU_ASSERT_EQUAL(opened(spout__open_beneath, at, "a.txt"), 0);
	CU_ASSERT_EQUAL(opened(spout__open_beneath, at, "dir/index.html"), 0);
	CU_ASSERT(opened(spout__open_beneath, at, "outside-link") < 0);
	CU_ASSERT(opened(spout__open_beneath, at, "up/tmp") < 0);
	CU_ASSERT_EQUAL(opened(spout__open_beneath, at, ".."), -EXDEV);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "a.txt"), 0);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "dir//index.html"), 0);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "dir/"), 0);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "inside-link"), -ELOOP);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "outside-link"), -ELOOP);
	CU_ASSERT(opened(spout__open_stepwise, at, "up/tmp") < 0);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "dir/../a.txt"), -EXDEV);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, ".."), -EXDEV);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, ""), -ENOENT);
	CU_ASSERT_EQUAL(opened(spout__open_stepwise, at, "no/such"), -ENOENT);
	close(at);
	remove_files();
}

/* --- siblings --------------------------------------------------------------------- */

static void
set_time(const char *name, time_t when)
{
	const struct timespec times[2] = { { when, 0 }, { when, 0 } };

	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, below(name), times, 0), 0);
}

static void
a_sibling_is_sent_to_who_takes_it(void)
{
	open_up();
	put_file("s.css", NAME("plain"));
	put_file("s.css.gz", NAME("zipped"));
	put_file("s.css.br", NAME("broken down"));
	set_time("s.css", 1000);
	set_time("s.css.gz", 1000);
	set_time("s.css.br", 999); /* older: made of another state of the file */
	request("GET /f/s.css", "Accept-Encoding: gzip, br\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "zipped");
	CU_ASSERT(has("Content-Encoding: gzip\r\n"));
	CU_ASSERT(has("Vary: Accept-Encoding\r\n"));
	CU_ASSERT(has("Content-Type: text/css; charset=UTF-8\r\n"));
	CU_ASSERT(answers("/f/s.css", 200));
	CU_ASSERT_STRING_EQUAL(body(), "plain");
	CU_ASSERT(lacks("Content-Encoding"));
	CU_ASSERT(has("Vary: Accept-Encoding\r\n"));
	request("GET /open/s.css", "Accept-Encoding: gzip, br\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "plain");
	CU_ASSERT(lacks("Vary"));
	put_file("t.css", NAME("plain"));
	put_file("t.css.br", NAME("broken down"));
	request("GET /f/t.css", "Accept-Encoding: gzip, br\r\n", NULL);
	CU_ASSERT_STRING_EQUAL(body(), "broken down");
	CU_ASSERT(has("Content-Encoding: br\r\n"));
	close_down();
}

/* --- the cache -------------------------------------------------------------------- */

/* Until what is cached has to be looked at again. */
static void
grow_old(void)
{
	const struct timespec time = { .tv_sec = SPOUT__FILE_FRESH_MS / 1000,
		.tv_nsec = 50000000 };

	nanosleep(&time, NULL);
}

static void
a_file_is_loaded_once_and_looked_at_again_after_a_second(void)
{
	struct spout__file_cache_stats stats;

	open_up();
	CU_ASSERT(answers("/f/a.txt", 200));
	stats = spout__file_cache_stats(web->files);
	CU_ASSERT_EQUAL(stats.loads, 1);
	CU_ASSERT_EQUAL(stats.slots, 1);
	CU_ASSERT_EQUAL(stats.fds, 0);
	CU_ASSERT(answers("/f/big.bin", 200));
	CU_ASSERT(answers("/f/nothing", 404));
	stats = spout__file_cache_stats(web->files);
	CU_ASSERT_EQUAL(stats.slots, 3);
	CU_ASSERT_EQUAL(stats.fds, 1);
	put_file("a.txt", NAME("another state"));
	put_file("nothing", NAME("something"));
	grow_old();
	CU_ASSERT(answers("/f/a.txt", 200));
	CU_ASSERT_STRING_EQUAL(body(), "another state");
	CU_ASSERT(answers("/f/nothing", 200));
	CU_ASSERT_STRING_EQUAL(body(), "something");
	CU_ASSERT(answers("/f/a.txt", 200));
	CU_ASSERT_EQUAL(spout__file_cache_stats(web->files).loads, 5);
	CU_ASSERT_EQUAL(unlink(below("a.txt")), 0);
	grow_old();
	CU_ASSERT(answers("/f/a.txt", 404));
	close_down();
}

static void
descriptors_that_are_kept_have_a_bound(void)
{
	char name[32], target[40];
	int i;

	open_up();
	for (i = 0; i < 140; i++) {
		snprintf(name, sizeof(name), "big%d", i);
		put_file(name, big_text(), 10000);
		snprintf(target, sizeof(target), "/f/%s", name);
		CU_ASSERT(answers(target, 200));
	}
	CU_ASSERT_EQUAL(spout__file_cache_stats(web->files).fds, 128);
	CU_ASSERT_EQUAL(spout__file_cache_stats(web->files).slots, 128);
	close_down();
}

/* --- for handlers ----------------------------------------------------------------- */

static void
handlers_send_files_and_descriptors(void)
{
	char target[200];

	open_up();
	CU_ASSERT(answers("/send?path=a.txt&as=r%C3%A9port+%221%22.txt", 200));
	CU_ASSERT(has("Content-Type: text/x-test\r\n"));
	CU_ASSERT(has("Content-Disposition: attachment; filename=\"r__port _1_.txt\"; "
		      "filename*=UTF-8''r%C3%A9port%20%221%22.txt\r\n"));
	CU_ASSERT(answers("/send?path=../a", 403));
	CU_ASSERT(answers("/send?path=outside-link", 403));
	CU_ASSERT(answers("/send?path=dir", 404));
	CU_ASSERT(answers("/send?path=none", 404));
	snprintf(target, sizeof(target), "/fd?path=%s/big.bin", root);
	CU_ASSERT(answers(target, 200));
	CU_ASSERT_EQUAL(memcmp(body(), big_text(), BIG), 0);
	CU_ASSERT(has("Content-Type: application/json\r\n"));
	snprintf(target, sizeof(target), "/fd?path=%s", root);
	CU_ASSERT(answers(target, 404));
	CU_ASSERT(answers("/fd?path=/dev/null", 403));
	close_down();
}

static void
a_url_has_the_version_of_its_file(void)
{
	char url[200], target[220];

	open_up();
	CU_ASSERT(answers("/url?path=a.txt", 200));
	snprintf(url, sizeof(url), "%s", body());
	CU_ASSERT_EQUAL(strncmp(url, "/f/a.txt?v=", 11), 0);
	snprintf(target, sizeof(target), "%s", url);
	CU_ASSERT(answers(target, 200));
	CU_ASSERT(has("Cache-Control: public, max-age=31536000, immutable\r\n"));
	CU_ASSERT(answers("/f/a.txt?v=0123456789", 200));
	CU_ASSERT(lacks("Cache-Control"));
	CU_ASSERT(answers("/url?path=none%20here/%C3%A9", 200));
	CU_ASSERT_STRING_EQUAL(body(), "/f/none%20here/%C3%A9");
	close_down();
}

/* .static_path is three routes; the application's own rows come first. */
static void
a_static_path_is_served_below_static(void)
{
	static const struct spout_route own[] = { SPOUT_GET("/robots.txt", give_url),
		SPOUT_END };
	struct spout_app before = app;
	char why[SPOUT__ROUTER_WHY_SIZE];

	app.routes = own;
	app.static_path = root;
	open_up();
	put_file("favicon.ico", NAME("icon"));
	CU_ASSERT_EQUAL(spout__web_check(&app, why), 0);
	CU_ASSERT(answers("/static/a.txt", 200));
	CU_ASSERT(answers("/favicon.ico", 200));
	CU_ASSERT_STRING_EQUAL(body(), "icon");
	CU_ASSERT(answers("/robots.txt?path=a.txt", 200));
	CU_ASSERT_EQUAL(strncmp(body(), "/static/a.txt?v=", 16), 0);
	app.static_path = "/nonexistent/directory";
	CU_ASSERT_EQUAL(spout__web_check(&app, why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "/nonexistent/directory: No such file"));
	close_down();
	app = before;
}

static const struct unit_test static_tests[] = {
	UNIT_TEST(a_small_file_is_served_with_its_fields),
	UNIT_TEST(a_large_file_is_served_whole_and_in_parts),
	UNIT_TEST(a_client_that_has_the_file_gets_304),
	UNIT_TEST(directories_have_an_index_and_a_slash),
	UNIT_TEST(nothing_outside_of_the_directory_is_served),
	UNIT_TEST(opening_stays_below_the_root),
	UNIT_TEST(a_sibling_is_sent_to_who_takes_it),
	UNIT_TEST(a_file_is_loaded_once_and_looked_at_again_after_a_second),
	UNIT_TEST(descriptors_that_are_kept_have_a_bound),
	UNIT_TEST(handlers_send_files_and_descriptors),
	UNIT_TEST(a_url_has_the_version_of_its_file),
	UNIT_TEST(a_static_path_is_served_below_static),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	const struct unit_suite suites[] = { { "static", static_tests }, { NULL, NULL } };

	return unit_run(argc, argv, suites);
}
