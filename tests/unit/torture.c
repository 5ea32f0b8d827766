/* SPDX-License-Identifier: MIT */
/* Allocation torture: see torture.h. */
#include "config.h"

#include "torture.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CUnit/CUnit.h>
#include <event2/event.h>
#include <jansson.h>

#include "base/arena.h"
#include "base/buffer.h"

static _Atomic long left = -1; /* allocations until one fails; below 0: none will */
static _Atomic bool rest_fails; /* all after that one fail, too */
static _Atomic bool hit;
static _Atomic unsigned paused;
static _Atomic long live;

/* Does this allocation fail? */
static bool
fails(void)
{
	long n;

	if (atomic_load(&left) < 0 || atomic_load(&paused) > 0)
		return false;
	n = atomic_fetch_sub(&left, 1);
	if (n > 1 || n < 1)
		return false;
	if (atomic_load(&rest_fails))
		atomic_store(&left, 1);
	atomic_store(&hit, true);
	return true;
}

static void *
counted(void *p)
{
	if (p != NULL)
		atomic_fetch_add(&live, 1);
	return p;
}

/* --- what the linker puts in place of the library's calls ------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *p);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t len);
int __real_eventfd(unsigned initial, int flags);
int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
    void *arg);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **ret, const char *fmt, ...) SPOUT_PRINTF(2, 3);
int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...) SPOUT_PRINTF(3, 4);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
/* Its name where offsets of files have 64 bits by a macro: that of hiredis, for one. */
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
    __attribute__((alias("__wrap_mmap")));
int __wrap_munmap(void *at, size_t len);
int __wrap_eventfd(unsigned initial, int flags);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
    void *arg);

static void *
out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? out_of_memory() : counted(__real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? out_of_memory() : counted(__real_calloc(n, size));
}

void *
__wrap_realloc(void *old, size_t size)
{
	void *p;

	if (fails())
		return out_of_memory();
	p = __real_realloc(old, size);
	return old == NULL ? counted(p) : p;
}

char *
__wrap_strdup(const char *text)
{
	return fails() ? out_of_memory() : counted(__real_strdup(text));
}

static int
formatted(char **ret, const char *fmt, va_list ap)
{
	int n = fails() ? -1 : vasprintf(ret, fmt, ap);

	if (n >= 0)
		counted(*ret);
	return n;
}

int
__wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = formatted(ret, fmt, ap);
	va_end(ap);
	return n;
}

/* What asprintf is called with _FORTIFY_SOURCE. */
int
__wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = formatted(ret, fmt, ap);
	va_end(ap);
	return n;
}

void
__wrap_free(void *p)
{
	if (p != NULL)
		atomic_fetch_sub(&live, 1);
	__real_free(p);
}

void *
__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *p;

	if (fails()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	p = __real_mmap(at, len, prot, flags, fd, offset);
	if (p != MAP_FAILED)
		atomic_fetch_add(&live, 1);
	return p;
}

int
__wrap_munmap(void *at, size_t len)
{
	atomic_fetch_sub(&live, 1);
	return __real_munmap(at, len);
}

int
__wrap_eventfd(unsigned initial, int flags)
{
	if (!fails())
		return __real_eventfd(initial, flags);
	errno = ENOMEM;
	return -1;
}

int
__wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
    void *arg)
{
	return fails() ? EAGAIN : __real_pthread_create(ret, attr, fn, arg);
}

/* --- running ---------------------------------------------------------------------- */

static char what[128]; /* the run that goes on, for whoever reads of its end */

static void
on_fatal(int signo)
{
	ssize_t n = write(STDERR_FILENO, what, strlen(what));

	(void)n;
	signal(signo, SIG_DFL);
	raise(signo);
}

static void
say_nothing(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

void
torture_init(void)
{
	event_set_log_callback(say_nothing);
	event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
	signal(SIGABRT, on_fatal);
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
}

void
torture_pause(void)
{
	atomic_fetch_add(&paused, 1);
}

void
torture_resume(void)
{
	atomic_fetch_sub(&paused, 1);
}

long
torture_live(void)
{
	return atomic_load(&live);
}

static unsigned
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* One run while allocation n (0: none) fails. Did one fail? */
static bool
run_once(const char *name, bool (*run)(void), unsigned n, bool rest)
{
	long live_before = atomic_load(&live);
	unsigned fds_before = count_descriptors();
	unsigned failures = CU_get_number_of_failures();
	bool whole, untouched;

	snprintf(what, sizeof(what), "torture: %s, allocation %u%s fails\n", name, n,
	    rest ? " and all after it" : "");
	atomic_store(&hit, false);
	atomic_store(&rest_fails, rest);
	atomic_store(&left, n > 0 ? (long)n : -1);
	whole = run();
	atomic_store(&left, -1);
	untouched = !atomic_load(&hit);
	spout__arena_trim();
	spout__buffer_trim();
	CU_ASSERT_EQUAL(atomic_load(&live), live_before);
	CU_ASSERT_EQUAL(count_descriptors(), fds_before);
	CU_ASSERT(whole || !untouched);
	if (CU_get_number_of_failures() > failures)
		fprintf(stderr, "%swhole %d, live blocks %ld -> %ld\n", what, whole,
		    live_before, atomic_load(&live));
	return !untouched;
}

void
torture(const char *name, bool (*run)(void))
{
	unsigned n, step = getenv("SPOUT_TEST_SCALE") != NULL ? 3 : 1, rest;

	run_once(name, run, 0, false); /* what is made once and kept is made now */
	for (rest = 0; rest < 2; rest++) {
		n = 1;
		while (
		    run_once(name, run, n, rest != 0) && CU_get_number_of_failures() == 0)
			n += step;
		CU_ASSERT(n > step || CU_get_number_of_failures() > 0);
	}
}
