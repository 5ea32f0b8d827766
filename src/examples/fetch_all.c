/* SPDX-License-Identifier: MIT */
/*
 * Fetch all of the URLs at once, and print status, size and time of each as it comes:
 *
 *     src/examples/fetch_all http://127.0.0.1:8888/json http://127.0.0.1:8888/db
 *
 * Exit status 1 if one could not be fetched.
 */
#include <spout/spout.h>

#include <stdio.h>

struct urls {
	char **at;
	size_t n;
	unsigned failed;
};

static void
print(struct urls *urls, const char *url, struct spout_future *future)
{
	struct spout_response *response = spout_try_response(future);
	double ms;

	if (response == NULL) {
		urls->failed++;
		printf("failed  %s: %s\n", url, spout_error());
		return;
	}
	ms = (double)spout_response_timings(response)->total_us / 1000;
	printf("%d  %8zu bytes  %8.1f ms  %s\n", spout_response_status(response),
	    spout_response_body(response).len, ms, url);
}

static void
fetch_all(void *arg)
{
	struct urls *urls = arg;
	struct spout_future **futures =
	    spout_zalloc(urls->n, sizeof(struct spout_future *));
	struct spout_wait_iterator *it;
	struct spout_future *done;

	for (size_t i = 0; i < urls->n; i++)
		futures[i] = spout_fetch_async(urls->at[i]);
	it = spout_wait_iterator_new_of(futures, urls->n);
	while ((done = spout_wait_next(it)) != NULL)
		print(urls, urls->at[spout_wait_index(it)], done);
}

static void
run(void *arg)
{
	struct urls *urls = *(struct urls **)arg;

	if (spout_try_scope_run(fetch_all, urls) < 0) {
		fprintf(stderr, "%s\n", spout_error());
		urls->failed++;
	}
	spout_loop_stop(spout_loop_current());
}

int
main(int argc, char **argv)
{
	struct urls all = { .at = argv + 1, .n = (size_t)argc - 1 }, *urls = &all;
	struct spout_loop *loop;

	if (argc < 2) {
		fprintf(stderr, "usage: fetch_all URL...\n");
		return 2;
	}
	loop = spout_loop_new();
	if (loop == NULL || spout_spawn(run, &urls, sizeof(urls)) < 0 ||
	    spout_loop_run(loop) < 0) {
		perror("fetch_all");
		return 1;
	}
	spout_loop_free(loop);
	return all.failed > 0;
}
