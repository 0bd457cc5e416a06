/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/resolve_rows - who held the own address of a hit, asked row by row with the port each row had, and put together by
 * (own, remote): of a shared address that is one holder instead of all of them.
 *
 * Limits: RESOLVE_ROWS_HOLDERS holders in all; what is over is counted and said. One thread.
 */
#pragma once

#include "watch/hunt/hunt.h"
#include "watch/lease/resolve.h"

#define RESOLVE_ROWS_HOLDERS (1u << 20)

/* one holder of one pair; texts borrowed from the resolver's view */
struct resolved_holder {
    struct lease_candidate candidate; /* the surest */
    uint64_t n_rows;
    uint32_t next; /* of the same pair: index + 1 */
};

struct resolved_pair {
    struct ip own, remote;
    uint32_t first, n;  /* holders: index + 1, how many */
    uint32_t why;       /* of the answers, and of their candidates */
    uint64_t n_rows, n_open; /* asked; of them, without one holder */
};

struct resolve_rows {
    struct lease_resolver *resolver; /* borrowed */
    struct arena arena;
    struct resolved_pair *slots; /* open addressing; n_rows == 0: free */
    struct resolved_holder *holders;
    uint32_t n, n_slots, n_holders, holders_room;
    uint64_t n_left; /* rows not asked */
};

/* resolve_rows_init - Return: 0 or -ENOMEM. */
int resolve_rows_init(struct resolve_rows *x, struct lease_resolver *resolver);
void resolve_rows_fini(struct resolve_rows *x);
/* resolve_rows_take - for `each` of hunt_rows; @context: the struct resolve_rows. Return: 0 or -ENOMEM. */
int resolve_rows_take(void *context, const struct hunt_row *r);
/* resolve_rows_find - NULL: no row of this pair was asked. */
const struct resolved_pair *resolve_rows_find(const struct resolve_rows *x, const struct ip *own, const struct ip *remote);
