/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a block are decided column by column. Where bounds of the block already tell, nothing is decoded.
 */
#include "watch/query/filter_impl.h"
#include "watch/query/mask.h"

#include <stdlib.h>
#include <errno.h>

enum { MANY_INTERVALS = 6 }; /* of 16-bit columns: above, a table of all values is faster */

/* --- texts ------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static size_t after_character(struct text t, size_t i)
{
    i++;
    while (i < t.n && ((unsigned char)t.p[i] & 0xc0) == 0x80)
        i++;
    return i;
}

/* pattern with * and ?, backslash takes the next byte as it is; one place to go back to suffices */
bool query_text_matches(struct text pattern, struct text t)
{
    size_t p = 0, i = 0, star = SIZE_MAX, star_at = 0;
    while (i < t.n) {
        bool is_escape = p + 1 < pattern.n && pattern.p[p] == '\\';
        if (!is_escape && p < pattern.n && pattern.p[p] == '*') {
            star = ++p;
            star_at = i;
        } else if (!is_escape && p < pattern.n && pattern.p[p] == '?') {
            p++;
            i = after_character(t, i);
        } else if (p < pattern.n && lower(pattern.p[p + is_escape]) == lower(t.p[i])) {
            p += 1 + is_escape;
            i++;
        } else if (star != SIZE_MAX) {
            p = star;
            i = ++star_at;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

/* A row may hold several values of one name (the DNS names a flow asked for): any of them will do. */
static bool texts_match(const struct query_leaf *leaf, struct text texts)
{
    struct text name, value;
    while (flow_text_next(&texts, &name, &value)) {
        if (!text_equal(name, leaf->field.name))
            continue;
        if (leaf->is_presence)
            return true;
        for (size_t i = 0; i < leaf->n_patterns; i++)
            if (query_text_matches(leaf->patterns[i], value))
                return true;
    }
    return false;
}

/* @care: rows that matter; the others may come out as anything */
static int text_rows(struct query_block *b, const struct query_leaf *leaf, const uint8_t *care, uint8_t *mask)
{
    memset(mask, 0, b->n_rows);
    for (uint32_t i = 0; i < b->n_rows; i++) {
        struct text texts;
        if (care && !care[i])
            continue;
        int r = query_block_texts(b, i, &texts);
        if (r)
            return r;
        mask[i] = texts.n && texts_match(leaf, texts);
    }
    return 0;
}

/* --- numbers and codes ---------------------------------------------------------------- */

static int keep_present(struct query_block *b, uint64_t has, uint8_t *mask)
{
    int r = query_block_all(b);
    if (r || b->present_all & has)
        return r;
    r = query_block_present(b);
    if (!r)
        mask_and_has(mask, b->present, has, b->n_rows);
    return r;
}

static void many_intervals(const struct query_leaf *leaf, const uint32_t *v, uint32_t n, uint8_t *mask)
{
    uint64_t bits[1024] = {0};
    for (size_t i = 0; i < leaf->n_intervals; i++)
        for (uint64_t x = leaf->intervals[i].first; x <= leaf->intervals[i].last && x <= UINT16_MAX; x++)
            bits[x / 64] |= UINT64_C(1) << x % 64;
    mask_or_bits(v, n, bits, UINT16_MAX + 1, mask);
}

static void intervals32(const struct query_leaf *leaf, const uint32_t *v, uint32_t n, uint8_t *mask)
{
    if (leaf->n_intervals > MANY_INTERVALS && leaf->field.max <= UINT16_MAX) {
        many_intervals(leaf, v, n, mask);
        return;
    }
    for (size_t i = 0; i < leaf->n_intervals; i++) {
        uint64_t first = leaf->intervals[i].first, last = leaf->intervals[i].last;
        if (first > UINT32_MAX)
            continue;
        last = last > UINT32_MAX ? UINT32_MAX : last;
        mask_or_range32(v, n, (uint32_t)first, (uint32_t)(last - first), mask);
    }
}

static void intervals64(const struct query_leaf *leaf, const uint64_t *v, uint32_t n, uint8_t *mask)
{
    for (size_t i = 0; i < leaf->n_intervals; i++)
        mask_or_range64(v, n, leaf->intervals[i].first, leaf->intervals[i].last - leaf->intervals[i].first, mask);
}

/* do the bounds say yes for every row that has the field? */
static bool covers(const struct query_leaf *leaf, const struct segment_bounds *b)
{
    bool is_signed = leaf->field.value == QUERY_TIME || leaf->field.value == QUERY_SIGNED;
    uint64_t bias = is_signed ? UINT64_C(1) << 63 : 0;
    for (size_t i = 0; i < leaf->n_intervals; i++)
        if ((leaf->intervals[i].first ^ bias) <= (b->min ^ bias) && (b->max ^ bias) <= (leaf->intervals[i].last ^ bias))
            return true;
    return false;
}

static int number_rows(struct query_block *b, const struct query_leaf *leaf, uint8_t *mask)
{
    struct segment_bounds bounds;
    unsigned column = leaf->field.column;
    segment_bounds(b->segment, b->block, column, &bounds);
    bool is_all = !bounds.is_absent && (leaf->is_presence || covers(leaf, &bounds));
    memset(mask, is_all, b->n_rows);
    if (bounds.is_absent)
        return 0;
    int r = is_all ? 0 : query_block_load(b, column);
    if (r)
        return r;
    if (!is_all && query_column_is_wide(column))
        intervals64(leaf, b->v64[column], b->n_rows, mask);
    else if (!is_all)
        intervals32(leaf, b->v32[column], b->n_rows, mask);
    return keep_present(b, UINT64_C(1) << column, mask);
}

static int code_rows(const struct query_filter *f, struct query_block *b, const struct query_leaf *leaf, uint8_t *mask)
{
    const struct bound_leaf *l = &f->leaves[leaf->index];
    unsigned column = leaf->field.column;
    memset(mask, leaf->is_presence, b->n_rows);
    int r = leaf->is_presence ? 0 : query_block_load(b, column);
    if (r)
        return r;
    if (!leaf->is_presence && l->has_bits)
        mask_or_bits(b->v32[column], b->n_rows, l->bits, f->info->n_entries, mask);
    for (uint32_t i = 0; !leaf->is_presence && !l->has_bits && i < l->n_few; i++)
        mask_or_range32(b->v32[column], b->n_rows, l->few[i].first, l->few[i].last - l->few[i].first, mask);
    return keep_present(b, UINT64_C(1) << column, mask);
}

static int observer_rows(const struct query_filter *f, struct query_block *b, const struct query_leaf *leaf, uint8_t *mask)
{
    unsigned column = leaf->field.column;
    int r = query_block_load(b, column);
    if (r)
        return r;
    memset(mask, 0, b->n_rows);
    mask_or_bits(b->v32[column], b->n_rows, f->leaves[leaf->index].bits, segment_n_observers(b->segment), mask);
    return keep_present(b, UINT64_C(1) << column, mask);
}

static int sum_rows(struct query_block *b, const struct query_leaf *leaf, uint8_t *mask)
{
    unsigned columns[2] = {leaf->field.column, leaf->field.column2};
    uint64_t sums[SEGMENT_BLOCK_ROWS];
    uint64_t has = 0;
    memset(sums, 0, b->n_rows * sizeof(*sums));
    memset(mask, leaf->is_presence, b->n_rows);
    for (size_t i = 0; i < 2; i++) {
        struct segment_bounds bounds;
        segment_bounds(b->segment, b->block, columns[i], &bounds);
        if (bounds.is_absent)
            continue;
        has |= UINT64_C(1) << columns[i];
        int r = leaf->is_presence ? 0 : query_block_load(b, columns[i]);
        if (r)
            return r;
        for (uint32_t row = 0; !leaf->is_presence && row < b->n_rows; row++)
            sums[row] = query_add(sums[row], b->v64[columns[i]][row]);
    }
    if (!leaf->is_presence)
        intervals64(leaf, sums, b->n_rows, mask);
    return keep_present(b, has, mask);
}

static int leaf_rows(const struct query_filter *f, struct query_block *b, const struct query_leaf *leaf, const uint8_t *care,
                     uint8_t *mask)
{
    const struct bound_leaf *l = &f->leaves[leaf->index];
    if (l->is_none) {
        memset(mask, 0, b->n_rows);
        return 0;
    }
    switch (leaf->field.kind) {
    case QUERY_FIELD_TEXT:
        return text_rows(b, leaf, care, mask);
    case QUERY_FIELD_SUM:
        return sum_rows(b, leaf, mask);
    case QUERY_FIELD_ADDRESS:
        return code_rows(f, b, leaf, mask);
    case QUERY_FIELD_OBSERVER_IP:
    case QUERY_FIELD_OBSERVER_DOMAIN:
        return observer_rows(f, b, leaf, mask);
    case QUERY_FIELD_NUMBER:
    case QUERY_FIELD_TRANSPORT:
    case QUERY_FIELD_DIRECTION:
    case QUERY_FIELD_EVENT:
    case QUERY_FIELD_ENDS_IP:
    case QUERY_FIELD_ENDS_PORT:
    case QUERY_FIELD_LIST:
        break;
    }
    return number_rows(b, leaf, mask);
}

/* --- connectives ------------------------------------------------------------------------- */

static uint8_t *mask_at(struct query_filter *f, size_t depth)
{
    if (!f->masks[depth])
        f->masks[depth] = malloc(SEGMENT_BLOCK_ROWS);
    return f->masks[depth];
}

static bool is_empty(const uint8_t *mask, uint32_t n)
{
    return !memchr(mask, 1, n);
}

static int node_rows(struct query_filter *f, struct query_block *b, const struct query_node *n, size_t depth,
                     const uint8_t *care, uint8_t *mask)
{
    int r = 0;
    switch (n->op) {
    case QUERY_LEAF:
        return leaf_rows(f, b, n->leaf, care, mask);
    case QUERY_TRUE:
        memset(mask, 1, b->n_rows);
        return 0;
    case QUERY_NOT:
        r = node_rows(f, b, n->children, depth, care, mask);
        mask_not(mask, b->n_rows);
        return r;
    case QUERY_AND:
    case QUERY_OR:
        break;
    }
    uint8_t *other = mask_at(f, depth);
    if (!other)
        return -ENOMEM;
    r = node_rows(f, b, n->children, depth + 1, care, mask);
    for (const struct query_node *c = n->children->next; !r && c; c = c->next) {
        if (n->op == QUERY_AND && is_empty(mask, b->n_rows))
            return 0;
        r = node_rows(f, b, c, depth + 1, n->op == QUERY_AND ? mask : care, other);
        if (!r && n->op == QUERY_AND)
            mask_and(mask, other, b->n_rows);
        else if (!r)
            mask_or(mask, other, b->n_rows);
    }
    return r;
}

static const unsigned window_columns[2] = {FLOW_COLUMN_NUMBER(FLOW_START), FLOW_COLUMN_NUMBER(FLOW_END)};

/* --- the window --------------------------------------------------------------------------- */

/* the least and greatest time of the block; least > greatest: no row has any */
static void window_bounds(const struct query_block *b, struct segment_bounds bounds[2], int64_t *ret_least, int64_t *ret_greatest)
{
    *ret_least = INT64_MAX;
    *ret_greatest = INT64_MIN;
    for (size_t i = 0; i < 2; i++) {
        segment_bounds(b->segment, b->block, window_columns[i], &bounds[i]);
        if (bounds[i].is_absent)
            continue;
        *ret_least = (int64_t)bounds[i].min < *ret_least ? (int64_t)bounds[i].min : *ret_least;
        *ret_greatest = (int64_t)bounds[i].max > *ret_greatest ? (int64_t)bounds[i].max : *ret_greatest;
    }
}

/* the interval of a row is from the least to the greatest of the times it has; without any it lies in no window */
static int window_rows(const struct query_filter *f, struct query_block *b, uint8_t *mask)
{
    struct segment_bounds bounds[2];
    int64_t least, greatest;
    window_bounds(b, bounds, &least, &greatest);
    if (least >= f->since_us && greatest <= f->until_us) /* every time lies inside */
        return keep_present(b, FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END), mask);
    const uint64_t *v[2] = {NULL, NULL};
    int r = query_block_present(b);
    for (size_t i = 0; !r && i < 2; i++) {
        r = bounds[i].is_absent ? 0 : query_block_load(b, window_columns[i]);
        v[i] = bounds[i].is_absent ? NULL : b->v64[window_columns[i]];
    }
    if (r)
        return r;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        bool has_start = b->present[i] & FLOW_HAS(FLOW_START) && v[0], has_end = b->present[i] & FLOW_HAS(FLOW_END) && v[1];
        if (!has_start && !has_end) {
            mask[i] = 0;
            continue;
        }
        int64_t start = (int64_t)(has_start ? v[0] : v[1])[i], end = (int64_t)(has_end ? v[1] : v[0])[i];
        int64_t low = start < end ? start : end, high = start < end ? end : start;
        mask[i] &= low <= f->until_us && high >= f->since_us;
    }
    return 0;
}

int query_filter_block(struct query_filter *f, struct query_block *b, uint8_t *mask, uint32_t *ret_n)
{
    *ret_n = 0;
    if (query_filter_is_all(f)) {
        memset(mask, 1, b->n_rows);
        *ret_n = b->n_rows;
        return 0;
    }
    memset(mask, 1, b->n_rows);
    int r = query_filter_has_window(f) ? window_rows(f, b, mask) : 0;
    if (r || is_empty(mask, b->n_rows))
        return r;
    bool has_filter = f->q->filter->op != QUERY_TRUE;
    uint8_t *found = mask_at(f, f->n_depth - 1);
    if (!found)
        return -ENOMEM;
    r = has_filter ? node_rows(f, b, f->q->filter, 0, query_filter_has_window(f) ? mask : NULL, found) : 0;
    if (r)
        return r;
    if (has_filter)
        mask_and(mask, found, b->n_rows);
    *ret_n = mask_count(mask, b->n_rows);
    return 0;
}
