/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binding looks addresses up once per segment; afterwards a row is decided by comparing codes.
 */
#include "watch/query/filter_impl.h"
#include "watch/store/segment_build.h"

#include <errno.h>
#include <stdlib.h>

/* --- life ---------------------------------------------------------------------- */

static size_t depth_of(const struct query_node *n)
{
    size_t deepest = 0;
    for (const struct query_node *c = n->children; c; c = c->next) {
        size_t d = depth_of(c);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

struct query_filter *query_filter_new(const struct query *q, int64_t since_us, int64_t until_us)
{
    struct query_filter *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->q = q;
    f->since_us = since_us;
    f->until_us = until_us;
    f->n_depth = depth_of(q->filter) + 2;
    f->leaves = calloc(q->n_leaves + 1, sizeof(*f->leaves));
    f->blocks = calloc(f->n_depth, sizeof(*f->blocks));
    f->masks = calloc(f->n_depth, sizeof(*f->masks));
    if (f->leaves && f->blocks && f->masks)
        return f;
    query_filter_free(f);
    return NULL;
}

void query_filter_free(struct query_filter *f)
{
    if (!f)
        return;
    for (unsigned i = 0; f->leaves && i < f->q->n_leaves; i++)
        free(f->leaves[i].bits);
    for (size_t i = 0; i < f->n_depth; i++) {
        free(f->blocks ? f->blocks[i] : NULL);
        free(f->masks ? f->masks[i] : NULL);
    }
    free(f->leaves);
    free(f->blocks);
    free(f->masks);
    free(f->may);
    free(f->codes);
    free(f);
}

bool query_filter_is_all(const struct query_filter *f)
{
    return f->q->filter->op == QUERY_TRUE && !query_filter_has_window(f);
}

/* --- addresses to codes ----------------------------------------------------------- */

static int room_bits(struct bound_leaf *l, size_t n_bits)
{
    size_t words = (n_bits + 63) / 64 + 1;
    if (words > l->n_bits_words) {
        free(l->bits);
        l->bits = malloc(words * sizeof(*l->bits));
        l->n_bits_words = l->bits ? words : 0;
        if (!l->bits)
            return -ENOMEM;
    }
    memset(l->bits, 0, words * sizeof(*l->bits));
    l->has_bits = true;
    return 0;
}

static void set_bits(uint64_t *bits, struct code_interval c)
{
    for (uint64_t i = c.first; i <= c.last;) {
        if (i % 64 == 0 && c.last - i >= 63) {
            bits[i / 64] = UINT64_MAX;
            i += 64;
            continue;
        }
        bits[i / 64] |= UINT64_C(1) << i % 64;
        i++;
    }
}

/* one more interval, ascending */
static int add_codes(struct query_filter *f, struct bound_leaf *l, struct code_interval c)
{
    l->plan.n_codes += c.last - c.first + 1;
    l->plan.n_intervals++;
    if (!l->has_bits && l->n_few && l->few[l->n_few - 1].last + 1 == c.first) {
        l->few[l->n_few - 1].last = c.last;
        return 0;
    }
    if (!l->has_bits && l->n_few < FEW_INTERVALS) {
        l->few[l->n_few++] = c;
        return 0;
    }
    if (!l->has_bits) {
        int r = room_bits(l, f->info->n_entries);
        if (r)
            return r;
        for (uint32_t i = 0; i < l->n_few; i++)
            set_bits(l->bits, l->few[i]);
    }
    set_bits(l->bits, c);
    return 0;
}

static int add_range(struct query_filter *f, struct bound_leaf *l, const struct ip *first, const struct ip *last)
{
    struct ip after = ip_next(last);
    uint32_t from = segment_lower_bound(f->segment, first);
    uint32_t to = ip_is_zero(&after) ? f->info->n_entries : segment_lower_bound(f->segment, &after);
    if (from >= to)
        return 0;
    return add_codes(f, l, (struct code_interval){from, to - 1});
}

/*
 * Few ranges are looked up one by one. In a segment of family 6 the mapped IPv4 addresses stand between low and
 * high IPv6 ones, so intervals need not come in order: there the order does not matter, each is added for itself.
 */
static int look_up(struct query_filter *f, struct bound_leaf *l, const struct address_set *set)
{
    int r = 0;
    for (size_t i = 0; !r && i < set->n_v4; i++) {
        struct ip a = ip_from_v4(set->v4[i]);
        r = add_range(f, l, &a, &a);
    }
    for (size_t i = 0; !r && i < set->n_v4_ranges; i++) {
        struct ip a = ip_from_v4(set->v4_ranges[i].first), b = ip_from_v4(set->v4_ranges[i].last);
        r = add_range(f, l, &a, &b);
    }
    for (size_t i = 0; !r && f->info->family == 6 && i < set->n_v6; i++)
        r = add_range(f, l, &set->v6[i].first, &set->v6[i].last);
    return r;
}

static int merge(struct query_filter *f, struct bound_leaf *l, const struct address_set *set)
{
    uint32_t n_entries = f->info->n_entries;
    if (n_entries > f->n_codes_room) {
        free(f->codes);
        f->codes = malloc((size_t)n_entries * sizeof(*f->codes));
        f->n_codes_room = f->codes ? n_entries : 0;
        if (!f->codes)
            return -ENOMEM;
    }
    size_t n;
    int r = segment_merge(f->segment, set, f->codes, &n);
    for (size_t i = 0, next; !r && i < n; i = next) {
        next = i + 1;
        while (next < n && f->codes[next] == f->codes[next - 1] + 1)
            next++;
        r = add_codes(f, l, (struct code_interval){f->codes[i], f->codes[next - 1]});
    }
    return r;
}

/* --- observers ---------------------------------------------------------------------- */

static bool set_has(const struct address_set *set, const struct ip *a)
{
    if (!ip_is_v4(a)) {
        for (size_t i = 0; i < set->n_v6; i++)
            if (ip_range_has(&set->v6[i], a))
                return true;
        return false;
    }
    uint32_t v4 = ip_v4(a);
    for (size_t i = 0; i < set->n_v4; i++)
        if (set->v4[i] == v4)
            return true;
    for (size_t i = 0; i < set->n_v4_ranges; i++)
        if (set->v4_ranges[i].first <= v4 && v4 <= set->v4_ranges[i].last)
            return true;
    return false;
}

static bool observer_matches(const struct query_leaf *leaf, const struct flow_observer *o)
{
    if (leaf->field.kind == QUERY_FIELD_OBSERVER_IP)
        return leaf->is_presence ? !ip_is_zero(&o->ip) : !ip_is_zero(&o->ip) && set_has(&leaf->set, &o->ip);
    for (size_t i = 0; i < leaf->n_intervals; i++)
        if (leaf->intervals[i].first <= o->domain && o->domain <= leaf->intervals[i].last)
            return true;
    return leaf->is_presence;
}

static int bind_observers(struct query_filter *f, const struct query_leaf *leaf, struct bound_leaf *l)
{
    uint32_t n = segment_n_observers(f->segment);
    int r = room_bits(l, n);
    bool is_any = false;
    for (uint32_t i = 0; !r && i < n; i++)
        if (observer_matches(leaf, segment_observer(f->segment, i))) {
            l->bits[i / 64] |= UINT64_C(1) << i % 64;
            is_any = true;
        }
    l->is_none = !is_any;
    return r;
}

static int bind_leaf(struct query_filter *f, const struct query_leaf *leaf, struct bound_leaf *l)
{
    l->n_few = 0;
    l->has_bits = false;
    l->plan = (struct query_leaf_plan){0};
    l->is_none = !(f->info->columns & query_field_has(&leaf->field));
    if (l->is_none)
        return 0;
    if (leaf->field.kind == QUERY_FIELD_OBSERVER_IP || leaf->field.kind == QUERY_FIELD_OBSERVER_DOMAIN)
        return bind_observers(f, leaf, l);
    if (leaf->is_presence)
        return 0;
    if (leaf->phrase || leaf->field.kind == QUERY_FIELD_EVENT) { /* flows have none of these */
        l->is_none = true;
        return 0;
    }
    if (leaf->field.kind != QUERY_FIELD_ADDRESS) {
        l->is_none = leaf->field.kind == QUERY_FIELD_TEXT ? !leaf->n_patterns : !leaf->n_intervals;
        return 0;
    }
    const struct address_set *set = &leaf->set;
    int r = set->n_v4 + set->n_v4_ranges + set->n_v6 > FEW_RANGES ? merge(f, l, set) : look_up(f, l, set);
    l->is_none = !l->n_few && !l->has_bits;
    return r;
}

/* --- candidate blocks ----------------------------------------------------------------- */

static bool is_signed(const struct query_field *field)
{
    return field->value == QUERY_TIME || field->value == QUERY_SIGNED;
}

/* can a value between the bounds lie in the intervals? */
static bool bounds_meet(const struct query_leaf *leaf, uint64_t min, uint64_t max)
{
    uint64_t bias = is_signed(&leaf->field) ? UINT64_C(1) << 63 : 0;
    for (size_t i = 0; i < leaf->n_intervals; i++)
        if ((leaf->intervals[i].first ^ bias) <= (max ^ bias) && (min ^ bias) <= (leaf->intervals[i].last ^ bias))
            return true;
    return false;
}

static bool sum_may(const struct query_filter *f, const struct query_leaf *leaf, uint32_t block)
{
    struct segment_bounds a, b;
    segment_bounds(f->segment, block, leaf->field.column, &a);
    segment_bounds(f->segment, block, leaf->field.column2, &b);
    if (a.is_absent && b.is_absent)
        return false;
    if (leaf->is_presence)
        return true;
    if (a.is_absent || b.is_absent) {
        const struct segment_bounds *one = a.is_absent ? &b : &a;
        return bounds_meet(leaf, one->min, one->max);
    }
    return bounds_meet(leaf, a.min < b.min ? a.min : b.min, query_add(a.max, b.max));
}

static bool codes_meet(const struct bound_leaf *l, uint64_t min, uint64_t max)
{
    if (l->has_bits)
        return true;
    for (uint32_t i = 0; i < l->n_few; i++)
        if (l->few[i].first <= max && min <= l->few[i].last)
            return true;
    return false;
}

static bool leaf_may(const struct query_filter *f, const struct query_leaf *leaf, uint32_t block)
{
    const struct bound_leaf *l = &f->leaves[leaf->index];
    if (leaf->field.kind == QUERY_FIELD_TEXT)
        return true;
    if (leaf->field.kind == QUERY_FIELD_SUM)
        return sum_may(f, leaf, block);
    struct segment_bounds b;
    segment_bounds(f->segment, block, leaf->field.column, &b);
    if (b.is_absent)
        return false;
    if (leaf->is_presence)
        return true;
    if (leaf->field.kind == QUERY_FIELD_ADDRESS)
        return codes_meet(l, b.min, b.max);
    if (leaf->field.kind == QUERY_FIELD_OBSERVER_IP || leaf->field.kind == QUERY_FIELD_OBSERVER_DOMAIN)
        return true;
    return bounds_meet(leaf, b.min, b.max);
}

static int leaf_postings(struct query_filter *f, const struct query_leaf *leaf, uint64_t *out, uint64_t *scratch)
{
    struct bound_leaf *l = &f->leaves[leaf->index];
    bool has_index = leaf->field.column == FLOW_SOURCE_IP || leaf->field.column == FLOW_DESTINATION_IP;
    if (leaf->field.kind != QUERY_FIELD_ADDRESS || !has_index || leaf->is_presence || l->plan.n_codes > POSTINGS_CODES)
        return 0;
    memset(scratch, 0, 2 * f->n_words * sizeof(*scratch));
    uint64_t *one = scratch + f->n_words;
    int r = 0;
    uint32_t code = 0;
    for (uint32_t i = 0; !r && !l->has_bits && i < l->n_few; i++) {
        r = segment_postings_range(f->segment, l->few[i].first, l->few[i].last + 1, one);
        for (size_t w = 0; !r && w < f->n_words; w++)
            scratch[w] |= one[w];
    }
    while (!r && l->has_bits && code < f->info->n_entries) {
        if (!(l->bits[code / 64] >> code % 64)) {
            code = (code / 64 + 1) * 64;
            continue;
        }
        code += (uint32_t)__builtin_ctzll(l->bits[code / 64] >> code % 64);
        uint32_t end = code + 1;
        while (end < f->info->n_entries && l->bits[end / 64] >> end % 64 & 1)
            end++;
        r = segment_postings_range(f->segment, code, end, one);
        for (size_t w = 0; !r && w < f->n_words; w++)
            scratch[w] |= one[w];
        code = end;
    }
    for (size_t w = 0; !r && w < f->n_words; w++)
        out[w] &= scratch[w];
    l->plan.used_postings = true;
    return r;
}

static uint32_t count_blocks(const uint64_t *bitmap, size_t n_words)
{
    uint32_t n = 0;
    for (size_t w = 0; w < n_words; w++)
        n += (uint32_t)__builtin_popcountll(bitmap[w]);
    return n;
}

static int leaf_blocks(struct query_filter *f, const struct query_leaf *leaf, uint64_t *out)
{
    struct bound_leaf *l = &f->leaves[leaf->index];
    memset(out, 0, f->n_words * sizeof(*out));
    int r = bind_leaf(f, leaf, l);
    if (r || l->is_none)
        return r;
    for (uint32_t b = 0; b < f->info->n_blocks; b++)
        if (leaf_may(f, leaf, b))
            out[b / 64] |= UINT64_C(1) << b % 64;
    r = leaf_postings(f, leaf, out, f->blocks[f->n_depth - 1]);
    l->plan.n_blocks = count_blocks(out, f->n_words);
    return r;
}

static void all_blocks(const struct query_filter *f, uint64_t *out)
{
    memset(out, 0, f->n_words * sizeof(*out));
    for (uint32_t b = 0; b < f->info->n_blocks; b++)
        out[b / 64] |= UINT64_C(1) << b % 64;
}

static int node_blocks(struct query_filter *f, const struct query_node *n, size_t depth, uint64_t *out)
{
    int r = 0;
    uint64_t *other = f->blocks[depth];
    switch (n->op) {
    case QUERY_LEAF:
        return leaf_blocks(f, n->leaf, out);
    case QUERY_TRUE:
        all_blocks(f, out);
        return 0;
    case QUERY_NOT:
        r = node_blocks(f, n->children, depth + 1, other); /* binds the leaves; what they rule out says nothing here */
        all_blocks(f, out);
        return r;
    case QUERY_AND:
    case QUERY_OR:
        break;
    }
    r = node_blocks(f, n->children, depth + 1, out);
    for (const struct query_node *c = n->children->next; !r && c; c = c->next) {
        r = node_blocks(f, c, depth + 1, other);
        for (size_t w = 0; !r && w < f->n_words; w++)
            out[w] = n->op == QUERY_AND ? out[w] & other[w] : out[w] | other[w];
    }
    return r;
}

static bool window_may(const struct query_filter *f, uint32_t block)
{
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    static const unsigned columns[2] = {FLOW_COLUMN_NUMBER(FLOW_START), FLOW_COLUMN_NUMBER(FLOW_END)};
    for (size_t i = 0; i < 2; i++) {
        struct segment_bounds b;
        segment_bounds(f->segment, block, columns[i], &b);
        if (b.is_absent)
            continue;
        least = (int64_t)b.min < least ? (int64_t)b.min : least;
        greatest = (int64_t)b.max > greatest ? (int64_t)b.max : greatest;
    }
    return least <= f->until_us && greatest >= f->since_us;
}

static int room(struct query_filter *f)
{
    size_t words = (f->info->n_blocks + 63) / 64 + 1;
    if (words <= f->n_words)
        return 0;
    for (size_t i = 0; i < f->n_depth; i++) {
        uint64_t *more = realloc(f->blocks[i], 2 * words * sizeof(*more)); /* the last serves as two */
        if (!more)
            return -ENOMEM;
        f->blocks[i] = more;
    }
    uint64_t *more = realloc(f->may, words * sizeof(*more));
    if (!more)
        return -ENOMEM;
    f->may = more;
    f->n_words = words;
    return 0;
}

int query_filter_bind(struct query_filter *f, const struct segment *s, uint32_t *ret_n_blocks)
{
    f->segment = s;
    f->info = segment_info(s);
    f->n_window_blocks = 0;
    *ret_n_blocks = 0;
    int r = room(f);
    if (!r)
        r = node_blocks(f, f->q->filter, 0, f->may);
    if (r)
        return r;
    for (uint32_t b = 0; b < f->info->n_blocks; b++) {
        if (!query_filter_has_window(f) || window_may(f, b))
            f->n_window_blocks++;
        else
            f->may[b / 64] &= ~(UINT64_C(1) << b % 64);
    }
    *ret_n_blocks = count_blocks(f->may, f->n_words);
    return 0;
}

bool query_filter_may(const struct query_filter *f, uint32_t block)
{
    return f->may[block / 64] >> block % 64 & 1;
}

uint32_t query_filter_window_blocks(const struct query_filter *f)
{
    return f->n_window_blocks;
}

const struct query_leaf_plan *query_filter_plan(const struct query_filter *f, unsigned leaf)
{
    return &f->leaves[leaf].plan;
}
