/* SPDX-License-Identifier: Apache-2.0 */
/* Membership by binary search: the reference that faster forms are compared with. */
#include "watch/address_set.h"

static bool touches_single(const struct address_set *s, uint32_t first, uint32_t last)
{
    size_t low = 0, high = s->n_v4;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->v4[middle] < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_v4 && s->v4[low] <= last;
}

static bool touches_range(const struct address_set *s, uint32_t first, uint32_t last)
{
    size_t low = 0, high = s->n_v4_ranges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->v4_ranges[middle].last < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_v4_ranges && s->v4_ranges[low].first <= last;
}

bool address_set_range_v4(const struct address_set *s, uint32_t a)
{
    return touches_range(s, a, a);
}

bool address_set_touches(const struct address_set *s, const struct ip_range *r)
{
    if (ip_is_v4(&r->first)) {
        uint32_t first = ip_v4(&r->first), last = ip_v4(&r->last);
        return touches_single(s, first, last) || touches_range(s, first, last);
    }
    size_t low = 0, high = s->n_v6;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&s->v6[middle].last, &r->first) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_v6 && ip_compare(&s->v6[low].first, &r->last) <= 0;
}

bool address_set_has(const struct address_set *s, const struct ip *a)
{
    return address_set_touches(s, &(struct ip_range){*a, *a});
}
