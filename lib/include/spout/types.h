/* SPDX-License-Identifier: MIT */
/*
 * The few types and attributes that every other header of Spout uses.
 */
#ifndef SPOUT_TYPES_H
#define SPOUT_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Marks what the library exports; everything else is hidden. */
#define SPOUT_API __attribute__((visibility("default")))
/** The caller must look at the result. */
#define SPOUT_MUST_CHECK __attribute__((warn_unused_result))
/** The function ends the running coroutine; it does not return. */
#define SPOUT_NORETURN __attribute__((noreturn))
/** printf-like: `fmt` is argument number `f`, the values start at number `a`. */
#define SPOUT_PRINTF(f, a) __attribute__((format(printf, f, a)))

/** Borrowed bytes: not NUL-terminated, owned by whoever made them. */
struct spout_slice {
	const char *data;
	size_t len;
};

/** A slice of a C string; borrows it. */
static inline struct spout_slice
spout_slice(const char *text)
{
	return (struct spout_slice){ text, text ? strlen(text) : 0 };
}

/** A slice of `len` bytes at `data`; borrows them. */
static inline struct spout_slice
spout_slice_of(const void *data, size_t len)
{
	return (struct spout_slice){ (const char *)data, len };
}

/** True if the slice holds exactly the bytes of the C string. */
static inline bool
spout_slice_equal(struct spout_slice s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.data, text, s.len) == 0;
}

#ifdef __cplusplus
}
#endif

#endif
