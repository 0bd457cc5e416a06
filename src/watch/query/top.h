/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/top - the fast way of `top N address by count | sum(field)`, from inside; for top.c and top_bounds.c.
 */
#pragma once

#include "watch/query/run.h"

#define TOP_SEEN (UINT64_C(1) << 63)

#define TOP_VALUE_MAX (UINT64_C(1) << 40) /* of a value: 2^22 rows stay below bit 63 */

/* the sums of one segment: addresses ascending */
struct top_sums {
    uint32_t *v4;
    struct ip *v6;
    uint64_t *v;
    size_t n, at;
};

struct top_best {
    struct ip ip;
    uint64_t v;
};

struct top {
    struct top_sums *v4, *v6; /* per segment */
    atomic_size_t n_bytes;
    size_t max_bytes;
    atomic_bool is_over; /* more than max_bytes was wanted: a narrower pass may do */
    struct top_best *heap; /* the least first */
    size_t n_heap, wanted;
    uint32_t first, last; /* IPv4 addresses of this pass */
    bool has_v6;          /* IPv6 is of this pass */
};

static inline uint64_t top_plus(uint64_t a, uint64_t b)
{
    uint64_t s = (a & ~TOP_SEEN) + (b & ~TOP_SEEN); /* two numbers of 63 bits */
    return s < TOP_SEEN ? s : TOP_SEEN - 1;
}

/* top_offer - an address with its whole sum; kept if it is among the best so far. */
void top_offer(struct top *t, const struct ip *ip, uint64_t v);
/* top_array - memory of @bytes that is hit at random: on large pages if it is large. NULL when memory is out. */
void *top_array(size_t bytes);
/*
 * top_by_bounds - the best without the sums of all addresses.
 * Return: 0; TOP_NOT_SO: bounds do not tell, and nothing was offered; -ENOMEM.
 */
#define TOP_NOT_SO 1
int top_by_bounds(struct query_run *run, struct top *t);
