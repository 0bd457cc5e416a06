/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka_house - cmocka wants four headers in this order; and the two things every table-driven test asks. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof(*(table)))

/* rounds - of a property test: VONGGAC_ROUNDS or @usual. */
static inline unsigned rounds(unsigned usual)
{
    const char *text = getenv("VONGGAC_ROUNDS");
    unsigned long n = text ? strtoul(text, NULL, 10) : 0;
    return n ? (unsigned)n : usual;
}

/* seed - VONGGAC_SEED or a fixed one; print it with a failure. */
static inline uint64_t seed(void)
{
    const char *text = getenv("VONGGAC_SEED");
    uint64_t s = text ? strtoull(text, NULL, 10) : 0;
    return s ? s : UINT64_C(20240917);
}

/* next_random - xorshift64*; @state never zero. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}
