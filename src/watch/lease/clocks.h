/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/clocks - by how much the messages of gateways came later than their own times say, hour by hour.
 *
 * The least of an hour with CLOCKS_LEAST messages counts: messages can be held up, but none comes before it was sent. So what
 * is left is the clock's error (or that all of them were held up: whoever reads it cannot tell these apart). Rows of
 * LEASE_CLOCK are made of it.
 * Limits: CLOCKS_MAX (gateway, hour) pairs; what is over is not measured. One thread.
 */
#pragma once

#include "watch/lease/texts.h"
#include "watch/lease/lease.h"

#define CLOCKS_LEAST 5u
#define CLOCKS_SLOTS (1u << 13)
#define CLOCKS_MAX (CLOCKS_SLOTS / 2)

struct clock_hour {
    uint32_t gateway, hour, n;
    int64_t least_us;
};

struct clocks {
    struct texts texts;
    struct clock_hour *slots; /* open addressing; n == 0: free */
    uint32_t n;
};

/* clocks_init - Return: 0 or -ENOMEM. */
int clocks_init(struct clocks *c);
void clocks_fini(struct clocks *c);
/* clocks_take - what @r tells; rows without a gateway or without a measure tell nothing. Return: 0 or -ENOMEM. */
int clocks_take(struct clocks *c, const struct lease_row *r);
/* clocks_give - what was measured, as rows; then it is forgotten. Return: 0 or what @each answered. */
int clocks_give(struct clocks *c, int (*each)(void *context, const struct lease_row *r), void *context);
