/* SPDX-License-Identifier: MIT */
/*
 * Other programs, run from coroutines. (Tornado: process.Subprocess) Loop thread, inside
 * a coroutine.
 *
 *     struct spout_process *process = spout_process_start(SPOUT_ARGV("sort", "-u"),
 *         .in = SPOUT_PROCESS_PIPE, .out = SPOUT_PROCESS_PIPE, .timeout_ms = 5000);
 *
 *     spout_stream_write(spout_process_in(process), text, strlen(text));
 *     spout_stream_shutdown(spout_process_in(process));
 *     sorted = spout_stream_read_all(spout_process_out(process), 1 << 20);
 *     spout_process_wait(process);
 *
 * No shell is involved. A program that is not a path is looked for in the PATH of this
 * process; a relative path counts from .directory. The child gets a process group of its
 * own, every signal at its default and none blocked, and no descriptor but the three. It
 * is started on the blocking pool, if the loop has one: until the kernel has run the
 * program, the thread that asks stands still.
 *
 * A process belongs to the scope in which it was started. When that ends, for whichever
 * reason, and when its time is up, the group is stopped: SIGTERM, and SIGKILL after
 * grace_ms. As soon as its first process is gone, what else is in a group that is being
 * stopped is killed; of a program that ends by itself, what it left running stays. Every
 * child is reaped, by descriptor: SIGCHLD must be left at its default, and nobody may
 * call wait(). What still runs when the worker stops is stopped then.
 *
 * A worker that is itself killed (SIGKILL, a crash) cannot stop its children: they live
 * on until they meet the end of their pipes, or systemd ends the unit. PR_SET_PDEATHSIG
 * would not do: it goes by the thread that started the child, and those of a pool end.
 *
 * Errors of starting: what the kernel said, such as -ENOENT, -EACCES, -E2BIG, -EMFILE,
 * -EAGAIN, for program and .directory alike; -ENOMEM; -EINVAL for options that make no
 * sense; -ENOBUFS when the blocking pool is full.
 *
 * Outside of a worker, SIGPIPE must be ignored before something is written to a child.
 */
#ifndef SPOUT_PROCESS_H
#define SPOUT_PROCESS_H

#include <spout/async.h>
#include <spout/stream.h>
#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_process;

/** What a standard descriptor of the child is; above 0, a descriptor to share with it. */
enum {
	SPOUT_PROCESS_INHERIT = 0, /* that of this process */
	SPOUT_PROCESS_NULL = -1,   /* /dev/null */
	SPOUT_PROCESS_PIPE = -2,   /* a stream here */
	SPOUT_PROCESS_STDOUT = -3, /* .err only: where its output goes */
};

struct spout_process_options {
	size_t size;           /* sizeof this struct, set by the macro */
	int in, out, err;      /* see above [inherit]; a descriptor stays the caller's */
	const char *const *environment; /* "NAME=value" …, NULL [that of this process] */
	const char *directory; /* where it starts [that of this process] */
	uint64_t timeout_ms;   /* it is stopped after that long [never] */
	uint64_t grace_ms;     /* between SIGTERM and SIGKILL [2000] */
	struct spout_stream_options stream; /* of the pipes; its size is filled in */
};

/** How it ended. */
struct spout_process_exit {
	int status;       /* what it returned, 0 to 255; -1: a signal ended it */
	int signal;       /* the signal that ended it, 0: none */
	bool core_dumped;
};

/** The words of a command line: program and arguments, ended by NULL. */
#define SPOUT_ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/**
 * Start a program; waits until it runs. Borrows everything for the call only. The process
 * belongs to the running scope.
 */
#define spout_process_start(argv, ...) \
	spout_process_start_with((argv), &(struct spout_process_options){ \
	    .size = sizeof(struct spout_process_options), __VA_ARGS__ })
#define spout_try_process_start(argv, ret_process, ...) \
	spout_try_process_start_with((argv), &(struct spout_process_options){ \
	    .size = sizeof(struct spout_process_options), __VA_ARGS__ }, (ret_process))
SPOUT_API struct spout_process *spout_process_start_with(const char *const *argv,
    const struct spout_process_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_process_start_with(const char *const *argv,
    const struct spout_process_options *options, struct spout_process **ret_process);

/** Its number, also that of its group. */
SPOUT_API int spout_process_pid(const struct spout_process *process);
/** The streams of SPOUT_PROCESS_PIPE, or NULL: to its stdin, from stdout and stderr. They
 * belong to the scope like the process; each may be closed before. */
SPOUT_API struct spout_stream *spout_process_in(const struct spout_process *process);
SPOUT_API struct spout_stream *spout_process_out(const struct spout_process *process);
SPOUT_API struct spout_stream *spout_process_err(const struct spout_process *process);

/**
 * Wait until it has ended; any exit status is fine. -ETIMEDOUT: it was stopped after
 * .timeout_ms; -EPIPE: it was closed. Several may wait. Output that nobody reads fills
 * its pipe, and the child waits. (Tornado: wait_for_exit)
 */
SPOUT_API struct spout_process_exit spout_process_wait(struct spout_process *process);
SPOUT_API SPOUT_MUST_CHECK int spout_try_process_wait(struct spout_process *process,
    struct spout_process_exit *ret_exit);
/**
 * The same as a future of the running scope, for waiting with a time-out or a callback
 * (Tornado: set_exit_callback). Cancelling it does nothing to the process.
 */
SPOUT_API struct spout_future *spout_process_wait_async(struct spout_process *process);
/** The value of such a future, NULL while pending or after an error. Borrowed. */
SPOUT_API const struct spout_process_exit *spout_future_process_exit(
    struct spout_future *future);

/** Send a signal to its group. Returns 0, -ESRCH when it has ended, or -errno. */
SPOUT_API int spout_process_kill(struct spout_process *process, int signo);
/**
 * Close its pipes, stop it if it runs, free it. Does not wait. For scopes that live long:
 * otherwise the scope does it.
 */
SPOUT_API void spout_process_close(struct spout_process *process);

/* --- run and collect ---------------------------------------------------------------- */

struct spout_process_run_options {
	size_t size;             /* sizeof this struct, set by the macro */
	const void *input;       /* for its stdin [none: /dev/null] */
	size_t input_len;
	size_t max_output_bytes; /* of stdout, and as much of stderr [1 MiB] */
	bool err_to_out;         /* stderr goes where stdout goes */
	bool any_status;         /* return although it failed */
	const char *const *environment;
	const char *directory;
	uint64_t timeout_ms, grace_ms; /* as above */
};

/** Output and errors end with a NUL that is not counted. */
struct spout_process_result {
	struct spout_process_exit exit;
	struct spout_slice output, errors;
};

/**
 * Run a program to its end: feed its stdin, collect its stdout and stderr. (Python's
 * check_output; Tornado: CalledProcessError) The result lives in the running scope.
 * Errors of starting, and:
 *
 *   -ECHILD     it ended by a signal or with a status other than 0, unless .any_status;
 *               spout_error() says which, with the last line of its stderr
 *   -EMSGSIZE   more than max_output_bytes
 *   -ETIMEDOUT  it ran for timeout_ms, or its output was still open grace_ms after that
 *
 * After any of them it has been stopped. That it does not read all of its input is fine.
 */
#define SPOUT_PROCESS_RUN_OPTIONS_(...) \
	(&(struct spout_process_run_options){ \
	    .size = sizeof(struct spout_process_run_options), __VA_ARGS__ })
#define spout_process_run(argv, ...) \
	spout_process_run_with((argv), SPOUT_PROCESS_RUN_OPTIONS_(__VA_ARGS__))
#define spout_try_process_run(argv, ret_result, ...) \
	spout_try_process_run_with( \
	    (argv), SPOUT_PROCESS_RUN_OPTIONS_(__VA_ARGS__), (ret_result))
SPOUT_API struct spout_process_result *spout_process_run_with(const char *const *argv,
    const struct spout_process_run_options *options);
SPOUT_API SPOUT_MUST_CHECK int spout_try_process_run_with(const char *const *argv,
    const struct spout_process_run_options *options,
    struct spout_process_result **ret_result);

/**
 * Processors that this process may use: of its affinity mask, or fewer if its cgroup
 * grants less time; at least 1. Reads files: for start-up. Any thread. (cpu_count)
 */
SPOUT_API unsigned spout_cpu_count(void);

#ifdef __cplusplus
}
#endif

#endif
