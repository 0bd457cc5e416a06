/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/address_set - a borrowed view of a set of addresses, sorted, the one form in which
 * lists and filters meet the store's dictionaries.
 *
 * Each array is sorted ascending and disjoint (also v4 against v4_ranges).
 * IPv4 in host order; v6 holds ranges of non-mapped addresses only. No ownership.
 */
#pragma once

#include "base/ip.h"

struct v4_range {
    uint32_t first, last; /* closed */
};

struct address_set {
    const uint32_t *v4; /* single addresses */
    size_t n_v4;
    const struct v4_range *v4_ranges; /* CIDR and ranges wider than one address */
    size_t n_v4_ranges;
    const struct ip_range *v6; /* single addresses are ranges of one */
    size_t n_v6;
};

/* address_set_has - membership by binary search. */
bool address_set_has(const struct address_set *s, const struct ip *a);
/* address_set_range_v4 - whether one of the IPv4 ranges (not the singles) holds @a. */
bool address_set_range_v4(const struct address_set *s, uint32_t a);
/* address_set_touches - whether any address of @r is in the set. */
bool address_set_touches(const struct address_set *s, const struct ip_range *r);
