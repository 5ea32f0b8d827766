/* SPDX-License-Identifier: MIT */
/*
 * A crawler: fetches a page, then the pages of the same origin that it links to, and so
 * on, several at once.
 *
 *     src/examples/webspider --concurrency 50 http://127.0.0.1:8888/
 *
 * So many coroutines take pages from one queue and put what they find into it. The crawl
 * is over when every page in the queue is done, or at Ctrl-C: fetches that run are cut,
 * the summary tells what was done until then. Exit status: 0, 1 when a page could not be
 * had, 2 for a wrong option, 130 after Ctrl-C.
 */
#define _GNU_SOURCE /* tdestroy() */
#include <spout/spout.h>

#include <errno.h>
#include <getopt.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "links.h"

#define PROGRESS_MS 100
#define PAGE_TIMEOUT_MS 20000
#define PAGE_BYTES (4u << 20)

/* A page that is known: in the tree of all, and for a while in the queue. */
struct page {
	unsigned depth;          /* links from the first page to this one */
	const struct page *from; /* where it was found first, NULL: the first page */
	char url[];
};

static struct {
	unsigned long concurrency, max_pages, max_depth;
	bool verbose;
} options = { .concurrency = 10, .max_pages = 10000, .max_depth = 100 };

static struct {
	struct spout_loop *loop;
	const char *start;
	size_t origin_len;
	void *known;               /* of tsearch(): the URLs of pages */
	struct spout_queue *queue; /* of struct page * */
	struct spout_future *over;
	unsigned long found, done, failed, off_site, too_deep, too_many;
	unsigned long long bytes;
	uint64_t began_ms, ended_ms;
	bool complete, interrupted;
} crawl;

/* --- what is said ------------------------------------------------------------------- */

static bool progress; /* on a terminal */

static double
seconds(void)
{
	return (double)(spout_loop_now_ms(crawl.loop) - crawl.began_ms) / 1000;
}

static void
clear_progress(void)
{
	if (progress)
		fputs("\r\033[K", stderr);
}

static void
show_progress(void *arg)
{
	double s = seconds();

	(void)arg;
	fprintf(stderr, "\r%lu pages, %lu waiting, %lu failed, %.0f pages/s\033[K",
	    crawl.done, crawl.found - crawl.done, crawl.failed,
	    s > 0 ? (double)crawl.done / s : 0);
}

static void
page_failed(const struct page *page, const char *why)
{
	crawl.failed++;
	clear_progress();
	if (page->from == NULL)
		fprintf(stderr, "%s: %s\n", page->url, why);
	else
		fprintf(stderr, "%s: %s, linked from %s\n", page->url, why,
		    page->from->url);
}

static void
print_summary(void)
{
	double s = (double)(crawl.ended_ms - crawl.began_ms) / 1000;

	clear_progress();
	printf("%lu pages, %lu failed, %llu bytes in %.2f s, %lu at once\n", crawl.done,
	    crawl.failed, crawl.bytes, s, options.concurrency);
	if (crawl.off_site > 0)
		printf("%lu links to other sites\n", crawl.off_site);
	if (crawl.too_deep > 0)
		printf("%lu links below depth %lu\n", crawl.too_deep, options.max_depth);
	if (crawl.too_many > 0)
		printf("%lu links beyond %lu pages\n", crawl.too_many, options.max_pages);
	if (crawl.interrupted)
		printf("interrupted: %lu pages that are known were not fetched\n",
		    crawl.found - crawl.done);
}

/* --- pages -------------------------------------------------------------------------- */

static int
compare_urls(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
is_known(const char *url)
{
	return tfind(url, &crawl.known, compare_urls) != NULL;
}

static void
free_page(void *url)
{
	free((char *)url - offsetof(struct page, url));
}

/* Put a page that is not known into the queue. */
static void
add_page(const char *url, unsigned depth, const struct page *from)
{
	size_t size = sizeof(struct page) + strlen(url) + 1;
	struct page *page = malloc(size);

	if (page == NULL)
		spout_fail_with(-ENOMEM, "out of memory for the pages");
	page->depth = depth;
	page->from = from;
	memcpy(page->url, url, strlen(url) + 1);
	if (tsearch(page->url, &crawl.known, compare_urls) == NULL) {
		free(page);
		spout_fail_with(-ENOMEM, "out of memory for the pages");
	}
	crawl.found++;
	/* It has room for as many as there may be. */
	if (spout_queue_put_now(crawl.queue, &page) < 0)
		spout_fail_with(-ENOBUFS, "the queue is full");
}

static bool
same_origin(const char *url)
{
	return links_origin_len(url) == crawl.origin_len &&
	    memcmp(url, crawl.start, crawl.origin_len) == 0;
}

static void
on_link(const char *url, void *arg)
{
	const struct page *page = arg;

	if (!same_origin(url))
		crawl.off_site++;
	else if (is_known(url))
		return;
	else if (page->depth >= options.max_depth)
		crawl.too_deep++;
	else if (crawl.found >= options.max_pages)
		crawl.too_many++;
	else
		add_page(url, page->depth + 1, page);
}

static bool
is_html(struct spout_response *response)
{
	const char *type = spout_response_header(response, "Content-Type");

	return type != NULL && strncasecmp(type, "text/html", 9) == 0;
}

/* Fetch one page and look for links. Runs in a scope of its own. */
static void
visit(void *arg)
{
	struct page *page = arg;
	struct spout_response *response =
	    spout_try_fetch(page->url, .timeout_ms = PAGE_TIMEOUT_MS,
		.max_body_bytes = PAGE_BYTES);
	char base[LINKS_URL_BYTES];
	struct spout_slice body;
	const char *url;
	int status;

	if (response == NULL) {
		page_failed(page, spout_fetch_failure()->reason);
		return;
	}
	body = spout_response_body(response);
	crawl.bytes += body.len;
	status = spout_response_status(response);
	if (status >= 400) {
		page_failed(page, spout_sprintf("status %d", status));
		return;
	}
	if (options.verbose)
		printf("%s\n", page->url);
	url = spout_response_url(response); /* where redirects have led */
	if (is_html(response) && links_resolve(NULL, url, strlen(url), base) &&
	    same_origin(base))
		links_find(body.data, body.len, base, on_link, page);
}

/* --- the crawl ---------------------------------------------------------------------- */

static void
take_pages(void *arg)
{
	struct page *page;

	(void)arg;
	while (spout_queue_get(crawl.queue, &page)) {
		if (spout_try_scope_run(visit, page) < 0)
			page_failed(page, spout_error());
		crawl.done++;
		spout_queue_task_done(crawl.queue);
	}
}

static void
wait_for_all(void *arg)
{
	(void)arg;
	spout_queue_join(crawl.queue);
	crawl.complete = true;
	spout_future_set_result(crawl.over, NULL);
}

static void
on_over(void *arg)
{
	(void)arg;
	crawl.over = NULL;
	crawl.ended_ms = spout_loop_now_ms(crawl.loop);
	spout_loop_stop(crawl.loop);
}

static void
run(void *arg)
{
	struct spout_group *group;

	(void)arg;
	spout_defer(on_over, NULL);
	crawl.over = spout_future_new();
	crawl.queue = spout_queue_new(
	    .capacity = options.max_pages, .item_bytes = sizeof(struct page *));
	group = spout_group_new();
	if (spout_client_configure(.max_clients = (unsigned)options.concurrency,
		.max_idle = (unsigned)options.concurrency) < 0)
		spout_fail_with(-ENOMEM, "out of memory for the client");
	add_page(crawl.start, 0, NULL);
	for (unsigned long i = 0; i < options.concurrency; i++)
		spout_group_spawn(group, take_pages, NULL, 0);
	spout_group_spawn(group, wait_for_all, NULL, 0);
	spout_await(crawl.over);
	spout_group_cancel(group);
	(void)!spout_try_group_wait(group, SPOUT_FOREVER);
}

static void
on_interrupt(void *arg)
{
	(void)arg;
	if (crawl.interrupted)
		_exit(130); /* twice: at once */
	crawl.interrupted = true;
	if (crawl.over != NULL)
		spout_future_set_result(crawl.over, NULL);
}

/* --- the program -------------------------------------------------------------------- */

static void
usage(FILE *to)
{
	fputs("Usage: webspider [OPTION...] URL\n"
	      "Fetch a page and all of the same site that can be reached from it.\n\n"
	      "  -c, --concurrency N  pages that are fetched at once, 1 to 1000 [10]\n"
	      "  -p, --pages N        fetch no more pages than this [10000]\n"
	      "  -d, --depth N        follow no more links in a row than this [100]\n"
	      "  -v, --verbose        print the URL of every page\n"
	      "  -h, --help           print this\n", to);
}

static unsigned long
number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno == 0 && *end == '\0' && *text >= '0' && *text <= '9' && value >= min &&
	    value <= max)
		return value;
	fprintf(stderr, "webspider: %s is no number from %lu to %lu\n", text, min, max);
	exit(2);
}

/* Returns the URL. */
static const char *
parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "concurrency", required_argument, NULL, 'c' },
		{ "pages", required_argument, NULL, 'p' },
		{ "depth", required_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:p:d:vh", known, NULL)) != -1) {
		if (c == 'c')
			options.concurrency = number(optarg, 1, 1000);
		else if (c == 'p')
			options.max_pages = number(optarg, 1, 1000000);
		else if (c == 'd')
			options.max_depth = number(optarg, 0, 1000000);
		else if (c == 'v')
			options.verbose = true;
		else {
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind + 1 != argc) {
		usage(stderr);
		exit(2);
	}
	return argv[optind];
}

static int
crawl_site(struct spout_loop *loop)
{
	struct spout_periodic *ticks = NULL;
	struct spout_signal *interrupt =
	    spout_loop_add_signal(loop, SIGINT, on_interrupt, NULL);
	int r;

	crawl.loop = loop;
	crawl.began_ms = spout_loop_now_ms(loop);
	progress = isatty(STDERR_FILENO);
	if (progress)
		ticks = spout_periodic_start(loop, PROGRESS_MS, 0, show_progress, NULL);
	r = spout_spawn(run, NULL, 0);
	if (r == 0)
		r = spout_loop_run(loop);
	if (ticks != NULL)
		spout_periodic_stop(ticks);
	if (interrupt != NULL)
		spout_loop_remove_signal(interrupt);
	return r;
}

int
main(int argc, char **argv)
{
	const char *url = parse_options(argc, argv);
	static char start[LINKS_URL_BYTES];
	struct spout_loop *loop;
	int r;

	if (!links_resolve(NULL, url, strlen(url), start)) {
		fprintf(stderr, "webspider: %s is no http or https URL\n", url);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	crawl.start = start;
	crawl.origin_len = links_origin_len(start);
	loop = spout_loop_new();
	if (loop == NULL) {
		perror("webspider");
		return 1;
	}
	r = crawl_site(loop);
	print_summary();
	spout_loop_free(loop);
	tdestroy(crawl.known, free_page);
	if (crawl.interrupted)
		return 130;
	return r == 0 && crawl.complete && crawl.failed == 0 ? 0 : 1;
}
