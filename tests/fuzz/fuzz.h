/* SPDX-License-Identifier: MIT */
/*
 * The entry point of a fuzz target, as libFuzzer and the replay program know it. A target
 * aborts on a finding.
 */
#ifndef SPOUT_TESTS_FUZZ_H
#define SPOUT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
