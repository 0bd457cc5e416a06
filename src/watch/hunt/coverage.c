/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where events lie is told by the bounds of blocks; stretches between them in which nothing lies are gaps.
 */
#include "watch/hunt/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span {
    int64_t from_us, to_us;
};

static int order_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->from_us > y->from_us) - (x->from_us < y->from_us);
}

static bool block_span(const struct segment *s, uint32_t block, struct span *ret)
{
    static const unsigned columns[2] = {FLOW_COLUMN_NUMBER(FLOW_START), FLOW_COLUMN_NUMBER(FLOW_END)};
    *ret = (struct span){INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 2; i++) {
        struct segment_bounds b;
        segment_bounds(s, block, columns[i], &b);
        if (b.is_absent)
            continue;
        ret->from_us = (int64_t)b.min < ret->from_us ? (int64_t)b.min : ret->from_us;
        ret->to_us = (int64_t)b.max > ret->to_us ? (int64_t)b.max : ret->to_us;
    }
    return ret->from_us <= ret->to_us;
}

static int64_t length(int64_t from_us, int64_t to_us)
{
    int64_t n;
    return __builtin_sub_overflow(to_us, from_us, &n) ? INT64_MAX : n;
}

/* the longest are kept */
static void add_gap(struct hunt_coverage *c, int64_t from_us, int64_t to_us)
{
    if (length(from_us, to_us) < HUNT_GAP_US)
        return;
    if (c->n_gaps < HUNT_GAPS) {
        c->gaps[c->n_gaps].from_us = from_us;
        c->gaps[c->n_gaps++].to_us = to_us;
        return;
    }
    c->n_gaps_unnamed++;
    size_t shortest = 0;
    for (size_t i = 1; i < HUNT_GAPS; i++)
        if (length(c->gaps[i].from_us, c->gaps[i].to_us) < length(c->gaps[shortest].from_us, c->gaps[shortest].to_us))
            shortest = i;
    if (length(from_us, to_us) <= length(c->gaps[shortest].from_us, c->gaps[shortest].to_us))
        return;
    memmove(&c->gaps[shortest], &c->gaps[shortest + 1], (HUNT_GAPS - 1 - shortest) * sizeof(*c->gaps));
    c->gaps[HUNT_GAPS - 1].from_us = from_us;
    c->gaps[HUNT_GAPS - 1].to_us = to_us;
}

static void sweep(struct hunt_coverage *c, struct span *spans, size_t n)
{
    qsort(spans, n, sizeof(*spans), order_spans);
    for (size_t i = 0; i < n; i++) {
        if (c->from_us > c->to_us)
            c->from_us = spans[i].from_us;
        else if (spans[i].from_us > c->to_us)
            add_gap(c, c->to_us, spans[i].from_us);
        c->to_us = spans[i].to_us > c->to_us ? spans[i].to_us : c->to_us;
    }
}

static bool is_inside(const struct segment_info *info, int64_t since_us, int64_t until_us)
{
    return info->n_rows && info->event_max_us >= since_us && info->event_min_us <= until_us;
}

int hunt_coverage_begin(struct hunt_coverage *c, struct store_view *v, int64_t since_us, int64_t until_us)
{
    *c = (struct hunt_coverage){.since_us = since_us, .until_us = until_us, .from_us = INT64_MAX, .to_us = INT64_MIN};
    size_t n_blocks = 0, n = 0;
    for (size_t i = 0; i < store_view_n_segments(v); i++) {
        const struct segment_info *info = segment_info(store_view_segment(v, i));
        if (!is_inside(info, since_us, until_us)) {
            c->n_segments_outside++;
            continue;
        }
        c->n_segments++;
        c->n_rows += info->n_rows;
        n_blocks += info->n_blocks;
    }
    struct span *spans = malloc((n_blocks + 1) * sizeof(*spans));
    if (!spans)
        return -ENOMEM;
    for (size_t i = 0; i < store_view_n_segments(v); i++) {
        const struct segment *s = store_view_segment(v, i);
        if (!is_inside(segment_info(s), since_us, until_us))
            continue;
        for (uint32_t b = 0; b < segment_info(s)->n_blocks; b++) {
            if (!block_span(s, b, &spans[n]) || spans[n].to_us < since_us || spans[n].from_us > until_us)
                continue;
            spans[n].from_us = spans[n].from_us < since_us ? since_us : spans[n].from_us;
            spans[n].to_us = spans[n].to_us > until_us ? until_us : spans[n].to_us;
            n++;
        }
    }
    sweep(c, spans, n);
    free(spans);
    return 0;
}

static void name_damage(struct hunt_coverage *c, const char *file)
{
    for (uint32_t i = 0; i < c->n_damaged; i++)
        if (!strcmp(c->damaged[i], file))
            return;
    if (c->n_damaged == HUNT_DAMAGES) {
        c->n_damaged_unnamed++;
        return;
    }
    snprintf(c->damaged[c->n_damaged++], sizeof(c->damaged[0]), "%s", file);
}

void hunt_coverage_damage(struct hunt_coverage *c, const struct segment *s, uint32_t n_blocks)
{
    char file[64];
    snprintf(file, sizeof(file), "store/segments/%llu.seg", (unsigned long long)segment_info(s)->id);
    name_damage(c, file);
    c->n_damaged_blocks += n_blocks;
}

void hunt_coverage_end(struct hunt_coverage *c, const struct store_view *v)
{
    for (size_t i = 0; i < store_view_n_damaged(v); i++)
        name_damage(c, store_view_damaged(v, i)->file);
}
