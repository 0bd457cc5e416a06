/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of all lists, merged list by list: each list is sorted already.
 */
#include "watch/hunt/union.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

struct ranges {
    struct v4_range *v4;
    struct ip_range *v6;
    size_t n_v4, n_v6;
};

/* singles and ranges of a set, in order */
static int ranges_of(const struct address_set *s, struct ranges *ret)
{
    *ret = (struct ranges){.v4 = malloc((s->n_v4 + s->n_v4_ranges + 1) * sizeof(*ret->v4)),
                           .v6 = malloc((s->n_v6 + 1) * sizeof(*ret->v6))};
    if (!ret->v4 || !ret->v6)
        return -ENOMEM;
    size_t i = 0, k = 0;
    while (i < s->n_v4 || k < s->n_v4_ranges) {
        bool is_single = k == s->n_v4_ranges || (i < s->n_v4 && s->v4[i] < s->v4_ranges[k].first);
        ret->v4[ret->n_v4++] = is_single ? (struct v4_range){s->v4[i], s->v4[i]} : s->v4_ranges[k];
        i += is_single;
        k += !is_single;
    }
    for (size_t at = 0; at < s->n_v6; at++)
        ret->v6[ret->n_v6++] = s->v6[at];
    return 0;
}

static void put_v4(struct ranges *to, struct v4_range r)
{
    struct v4_range *last = to->n_v4 ? &to->v4[to->n_v4 - 1] : NULL;
    if (last && r.first <= last->last)
        last->last = r.last > last->last ? r.last : last->last;
    else
        to->v4[to->n_v4++] = r;
}

static void put_v6(struct ranges *to, const struct ip_range *r)
{
    struct ip_range *last = to->n_v6 ? &to->v6[to->n_v6 - 1] : NULL;
    if (!last || ip_compare(&r->first, &last->last) > 0)
        to->v6[to->n_v6++] = *r;
    else if (ip_compare(&r->last, &last->last) > 0)
        last->last = r->last;
}

static void ranges_free(struct ranges *r)
{
    free(r->v4);
    free(r->v6);
}

/* @a becomes the union of both */
static int join(struct ranges *a, const struct ranges *b)
{
    struct ranges to = {.v4 = malloc((a->n_v4 + b->n_v4 + 1) * sizeof(*to.v4)),
                        .v6 = malloc((a->n_v6 + b->n_v6 + 1) * sizeof(*to.v6))};
    if (!to.v4 || !to.v6) {
        ranges_free(&to);
        return -ENOMEM;
    }
    for (size_t i = 0, k = 0; i < a->n_v4 || k < b->n_v4;) {
        bool is_a = k == b->n_v4 || (i < a->n_v4 && a->v4[i].first <= b->v4[k].first);
        put_v4(&to, is_a ? a->v4[i++] : b->v4[k++]);
    }
    for (size_t i = 0, k = 0; i < a->n_v6 || k < b->n_v6;) {
        bool is_a = k == b->n_v6 || (i < a->n_v6 && ip_compare(&a->v6[i].first, &b->v6[k].first) <= 0);
        put_v6(&to, is_a ? &a->v6[i++] : &b->v6[k++]);
    }
    ranges_free(a);
    *a = to;
    return 0;
}

static int to_set(struct hunt_union *u, struct ranges *r)
{
    uint32_t *v4 = malloc((r->n_v4 + 1) * sizeof(*v4));
    if (!v4)
        return -ENOMEM;
    size_t n_ranges = 0;
    for (size_t i = 0; i < r->n_v4; i++) {
        if (r->v4[i].first == r->v4[i].last)
            v4[u->set.n_v4++] = r->v4[i].first;
        else
            r->v4[n_ranges++] = r->v4[i]; /* never ahead of i */
    }
    u->set.v4 = u->v4 = v4;
    u->set.v4_ranges = u->v4_ranges = r->v4;
    u->set.n_v4_ranges = n_ranges;
    u->set.v6 = u->v6 = r->v6;
    u->set.n_v6 = r->n_v6;
    *r = (struct ranges){0};
    return 0;
}

int hunt_union_init(struct hunt_union *u, const struct address_set *const *sets, size_t n)
{
    *u = (struct hunt_union){0};
    if (n == 1)
        u->set = *sets[0];
    if (n <= 1)
        return 0;
    struct ranges all = {0}, one = {0};
    int r = ranges_of(sets[0], &all);
    for (size_t i = 1; !r && i < n; i++) {
        r = ranges_of(sets[i], &one);
        if (!r)
            r = join(&all, &one);
        if (r)
            break;
        ranges_free(&one);
        one = (struct ranges){0};
    }
    if (!r)
        r = to_set(u, &all);
    ranges_free(&all);
    ranges_free(&one);
    return r;
}

void hunt_union_fini(struct hunt_union *u)
{
    free(u->v4);
    free(u->v4_ranges);
    free(u->v6);
    *u = (struct hunt_union){0};
}
