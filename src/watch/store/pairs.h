/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/pairs - addresses with 32 bits of what belongs to them, and their stable sorts.
 *
 * Family 4: one uint64_t, the address in the upper half. Family 6: struct wide_pair.
 * In @v and out in *@v; *@spare has the same room and may be exchanged with it. At most 2^32 - 1 pairs.
 */
#pragma once

#include "watch/store/dictionary.h"

struct wide_pair {
    struct wide a;
    uint64_t what;
};

/* pairs_sort4, pairs_sort6 - by address, then by place; *@v and *@spare of @n each may change places. */
void pairs_sort4(uint64_t **v, uint64_t **spare, size_t n);
void pairs_sort6(struct wide_pair **v, struct wide_pair **spare, size_t n);
