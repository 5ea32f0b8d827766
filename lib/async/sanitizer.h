/* SPDX-License-Identifier: MIT */
/*
 * What AddressSanitizer, ThreadSanitizer, LeakSanitizer and valgrind must be told about
 * stacks that are not the thread's own. Empty without them.
 */
#ifndef SPOUT_ASYNC_SANITIZER_H
#define SPOUT_ASYNC_SANITIZER_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPOUT__ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define SPOUT__TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SPOUT__ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define SPOUT__TSAN 1
#endif

#if defined(SPOUT__ASAN) || defined(SPOUT__TSAN)
#define SPOUT__SANITIZED 1
#else
#define SPOUT__SANITIZED 0
#endif

#ifdef SPOUT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define spout__asan_unpoison(p, n) __asan_unpoison_memory_region((p), (n))
#define spout__asan_start_switch(save, low, size) \
	__sanitizer_start_switch_fiber((save), (low), (size))
#define spout__asan_finish_switch(save, ret_low, ret_size) \
	__sanitizer_finish_switch_fiber((save), (ret_low), (ret_size))
#define spout__lsan_root(p, n) __lsan_register_root_region((p), (n))
#define spout__lsan_unroot(p, n) __lsan_unregister_root_region((p), (n))
#else
#define spout__asan_unpoison(p, n) ((void)(p), (void)(n))
#define spout__asan_start_switch(save, low, size) ((void)0)
#define spout__asan_finish_switch(save, ret_low, ret_size) ((void)0)
#define spout__lsan_root(p, n) ((void)(p), (void)(n))
#define spout__lsan_unroot(p, n) ((void)(p), (void)(n))
#endif

#ifdef SPOUT__TSAN
#include <sanitizer/tsan_interface.h>
#define spout__tsan_current() __tsan_get_current_fiber()
#define spout__tsan_create() __tsan_create_fiber(0)
#define spout__tsan_destroy(fiber) __tsan_destroy_fiber(fiber)
#define spout__tsan_switch(fiber) __tsan_switch_to_fiber((fiber), 0)
#else
#define spout__tsan_current() NULL
#define spout__tsan_create() NULL
#define spout__tsan_destroy(fiber) ((void)(fiber))
#define spout__tsan_switch(fiber) ((void)(fiber))
#endif

#if defined(HAVE_VALGRIND_VALGRIND_H) && !SPOUT__SANITIZED
#include <valgrind/valgrind.h>
#define spout__valgrind_register(low, high) \
	((unsigned)VALGRIND_STACK_REGISTER((low), (high)))
#define spout__valgrind_deregister(id) VALGRIND_STACK_DEREGISTER(id)
#else
#define spout__valgrind_register(low, high) 0u
#define spout__valgrind_deregister(id) ((void)(id))
#endif

#endif
