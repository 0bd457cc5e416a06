/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow5_vector - records of version 5 into columns, eight at a time; for netflow5.c, whose plain way the results
 * are held to.
 *
 * In, Out: as netflow5_decode_columns, but for what the header alone tells (receipt, offset of the clock, sampling).
 * Limits:  reads and writes just the @n records; no allocation, no state.
 */
#pragma once

#include "format/netflow5.h"

#include <stdbool.h>

/* netflow5_vector - Return: false, and nothing is done, where the processor has no AVX2 or the records are too few. */
bool netflow5_vector(const uint8_t *p, uint32_t n, const struct netflow5_header *h, const struct netflow5_columns *to);
