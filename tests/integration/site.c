/* SPDX-License-Identifier: MIT */
/*
 * A site to crawl: a tree of pages, "/" and "/p/N", each of which links to two more and
 * takes a while. The links are written in all the ways there are, between things that are
 * none. "/broken" links to a page that is not there; "/old" leads to "/".
 */
#include <errno.h>
#include <unistd.h>

#include <spout/spout.h>

static uint64_t n_pages, delay_ms;
static const char *fail_when;

static const char *const forms[] = {
	"<a href=\"/p/%lu\">absolute</a>",
	"<A HREF = 'x/../../p/./%lu#part'>dots</a>",
	"<a class=big href=/p/%lu>bare</a>",
	"<area shape=rect href=\"\n/p/%lu\n\">",
};

static const char rubbish[] =
    "<!-- <a href=\"/no/comment\"> --><script>'<a href=\"/no/script\">'</script>\n"
    "<a href=\"http://elsewhere.example/\">away</a> <a name=here>none</a>\n"
    "<a href=\"mailto:a@b\">mail</a> <a href=\"#here\">here</a> < > <a href='/\" =x<";

static void
write_page(struct spout_request *req, uint64_t n)
{
	spout_sleep(delay_ms);
	spout_set_header(req, "Content-Type", "text/html; charset=utf-8");
	spout_printf(req, "<!doctype html><title>%lu</title>\n", (unsigned long)n);
	for (uint64_t child = 2 * n + 1; child <= 2 * n + 2 && child < n_pages; child++) {
		spout_printf(req, forms[child % 4], (unsigned long)child);
		spout_write_text(req, "\n");
	}
	spout_write_text(req, "<a href=\"/\">home</a>\n");
	spout_write_text(req, rubbish);
}

static void
home(struct spout_request *req)
{
	write_page(req, 0);
}

static void
page(struct spout_request *req)
{
	int64_t n = spout_path_int(req, "n");

	if (n < 1 || (uint64_t)n >= n_pages)
		spout_fail(req, 404, "no such page");
	write_page(req, (uint64_t)n);
}

static void
broken(struct spout_request *req)
{
	spout_set_header(req, "Content-Type", "text/html");
	spout_write_text(req, "<a href=missing>");
}

static void
old(struct spout_request *req)
{
	spout_redirect(req, "/", 302);
}

static const struct spout_route routes[] = {
	SPOUT_GET("/", home),
	SPOUT_GET("/p/{n}", page),
	SPOUT_GET("/broken", broken),
	SPOUT_GET("/old", old),
	SPOUT_END
};

static const struct spout_option options[] = {
	{ .name = "pages", .type = SPOUT_OPTION_NUMBER, .into = &n_pages,
	    .otherwise = "2000", .value_name = "N", .help = "How many there are" },
	{ .name = "delay", .type = SPOUT_OPTION_DURATION, .into = &delay_ms,
	    .otherwise = "20ms", .value_name = "TIME", .help = "What each takes" },
	{ .name = "fail-when", .type = SPOUT_OPTION_TEXT, .into = &fail_when,
	    .value_name = "FILE", .help = "Workers do not start when it is there" },
	SPOUT_OPTIONS_END
};

static void
start(struct spout_app *app)
{
	(void)app;
	if (fail_when != NULL && access(fail_when, F_OK) == 0)
		spout_fail_with(-EIO, "told to fail");
}

int
main(int argc, char **argv)
{
	return spout_main(argc, argv, &(struct spout_app){
	    .name = "site", .routes = routes, .options = options,
	    .on_worker_start = start });
}
