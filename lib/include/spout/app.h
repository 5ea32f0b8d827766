/* SPDX-License-Identifier: MIT */
/*
 * A whole program: options, configuration, a supervisor, worker processes, a server.
 *
 *     int
 *     main(int argc, char **argv)
 *     {
 *         return spout_main(argc, argv, &(struct spout_app){ .name = "hello",
 *             .routes = routes });
 *     }
 *
 * struct spout_app is in spout/web.h, the rows of its options in spout/option.h.
 */
#ifndef SPOUT_APP_H
#define SPOUT_APP_H

#include <spout/option.h>
#include <spout/pg.h>
#include <spout/types.h>
#include <spout/web.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Run the program until it is told to stop (SIGTERM, SIGINT). Returns its exit status: 0
 * after a clean stop, --help, --version, --check; 1 when it could not start, or a worker
 * did not end well; 2 for a wrong option. Reads DATABASE_URL and SPOUT_… from the
 * environment. `app` is used as long as the program runs. Call it from main(), before
 * starting any thread. SIGHUP replaces the workers (RELOADING in spout-options(7)):
 * on_worker_start and on_worker_stop run again, each in its process; preload does not.
 */
#define spout_main(argc, argv, ...) \
	spout_main_with((argc), (argv), (__VA_ARGS__), sizeof(struct spout_app))
SPOUT_API int spout_main_with(
    int argc, char **argv, struct spout_app *app, size_t app_size);

/** Number of this worker, from 0; 0 outside of workers. */
SPOUT_API unsigned spout_worker_number(void);
/** In a worker: was a database given (--database)? It may still be down. */
SPOUT_API bool spout_has_database(void);

/**
 * Answer with a row of a query as a JSON object, or with all of them as an array: columns
 * become members, SQL NULL becomes null; numbers, booleans and json by the type of the
 * column, anything else (a NaN, too) its text. Leaves with -EINVAL for a row that is not
 * there.
 */
SPOUT_API void spout_json_row(
    struct spout_request *req, struct spout_rows *rows, size_t row);
SPOUT_API void spout_json_rows(struct spout_request *req, struct spout_rows *rows);

#ifdef __cplusplus
}
#endif

#endif
