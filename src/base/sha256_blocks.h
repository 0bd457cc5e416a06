/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/sha256_blocks - the compression function of SHA-256 by the processor's own instructions, where it has them.
 *
 * Source: FIPS 180-4, 6.2.2; Intel SHA Extensions (2013).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* sha256_blocks_are_fast - whether this processor can; asked once. */
bool sha256_blocks_are_fast(void);
/* sha256_blocks - @n blocks of 64 bytes into @state (a .. h). Only where sha256_blocks_are_fast. */
void sha256_blocks(uint32_t state[8], const uint8_t *p, size_t n);
