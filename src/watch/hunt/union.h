/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/union - the addresses of several lists as one set, sorted and disjoint.
 */
#pragma once

#include "watch/address_set.h"

struct hunt_union {
    struct address_set set;
    void *v4, *v4_ranges, *v6; /* owned; NULL where the set of a single list is borrowed */
};

/* hunt_union_init - over @n sets (borrowed as long as the union lives). Return: 0 or -ENOMEM. */
int hunt_union_init(struct hunt_union *u, const struct address_set *const *sets, size_t n);
void hunt_union_fini(struct hunt_union *u);
