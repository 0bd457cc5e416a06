/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Top addresses the fast way: an array by code takes the sums of a segment. Where some addresses stand out, bounds tell
 * who can be among the best, and only those are looked at (top_bounds.c). Else the segments' sorted dictionaries
 * are walked side by side, piece of the address space by piece, and each piece is summed in a small hash table that
 * stays in the cache. Only the best are kept.
 *
 * Serves `top N address by count | sum(field)` where no sum can reach bit 63, which marks a code as seen.
 */
#include "watch/query/mask.h"
#include "watch/query/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PIECE_ENTRIES = 1 << 15, /* of all segments together: 2^16 slots of 16 bytes */
    DECODED = 4096,
    AHEAD = 24, /* rows, of the prefetch */
    HUGE_PAGE = 2 << 20
};

static struct top *top_of(const struct query_worker *w)
{
    return w->run->context;
}

/* --- may it be done this way? ---------------------------------------------------------------- */

static bool is_ours(const struct query *q)
{
    bool is_figure = q->figure == QUERY_COUNT || (q->figure == QUERY_SUM && (q->figure_field.kind == QUERY_FIELD_NUMBER ||
                                                                             q->figure_field.kind == QUERY_FIELD_SUM));
    return q->is_top && q->n_keys == 1 && q->keys[0].kind == QUERY_FIELD_ADDRESS && is_figure &&
           (q->top <= 100000 || q->limit_before <= 100000);
}

static bool is_small(const struct query_run *run)
{
    const struct query *q = run->q;
    unsigned columns[2] = {q->figure_field.column, q->figure_field.column2};
    size_t n_columns = q->figure == QUERY_COUNT ? 0 : q->figure_field.kind == QUERY_FIELD_SUM ? 2 : 1;
    for (size_t i = 0; i < run->n_segments; i++)
        for (uint32_t b = 0; b < segment_info(run->segments[i])->n_blocks; b++)
            for (size_t c = 0; c < n_columns; c++) {
                struct segment_bounds bounds;
                segment_bounds(run->segments[i], b, columns[c], &bounds);
                if (!bounds.is_absent && bounds.max >= TOP_VALUE_MAX)
                    return false;
            }
    return true;
}

/* --- one segment -------------------------------------------------------------------------------- */

static void add_all(uint64_t *sums, const uint32_t *codes, const uint64_t *a, const uint64_t *b, uint32_t n)
{
    if (a && b) {
        for (uint32_t i = 0; i < n; i++) {
            __builtin_prefetch(&sums[codes[i + AHEAD < n ? i + AHEAD : i]], 1);
            sums[codes[i]] = (sums[codes[i]] + a[i] + b[i]) | TOP_SEEN;
        }
    } else if (a) {
        for (uint32_t i = 0; i < n; i++) {
            __builtin_prefetch(&sums[codes[i + AHEAD < n ? i + AHEAD : i]], 1);
            sums[codes[i]] = (sums[codes[i]] + a[i]) | TOP_SEEN;
        }
    } else {
        for (uint32_t i = 0; i < n; i++)
            sums[codes[i]] |= TOP_SEEN;
    }
}

static void add_counts(uint64_t *sums, const uint32_t *codes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        __builtin_prefetch(&sums[codes[i + AHEAD < n ? i + AHEAD : i]], 1);
        sums[codes[i]] = (sums[codes[i]] + 1) | TOP_SEEN;
    }
}

static void add_some(struct query_worker *w, const uint32_t *codes, const uint64_t *a, const uint64_t *b, bool is_count)
{
    uint32_t n = mask_rows(w->mask, w->block.n_rows, w->rows);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = w->rows[i];
        uint64_t v = is_count ? 1 : (a ? a[row] : 0) + (b ? b[row] : 0);
        w->sums[codes[row]] = (w->sums[codes[row]] + v) | TOP_SEEN;
    }
}

/* absent values read as zero, and absent addresses as the code behind the last: no row needs a question */
static int top_block(struct query_worker *w, uint32_t n)
{
    const struct query *q = w->run->q;
    struct query_block *b = &w->block;
    unsigned columns[2] = {q->figure_field.column, q->figure_field.column2};
    const uint64_t *values[2] = {NULL, NULL};
    size_t n_values = 0;
    bool is_count = q->figure == QUERY_COUNT;
    struct segment_bounds bounds;
    int r = query_block_load(b, q->keys[0].column);
    for (size_t i = 0; !r && !is_count && i < (q->figure_field.kind == QUERY_FIELD_SUM ? 2 : 1); i++) {
        segment_bounds(b->segment, b->block, columns[i], &bounds);
        if (bounds.is_absent)
            continue;
        r = query_block_load(b, columns[i]);
        if (!r && !query_column_is_wide(columns[i]))
            r = query_block_widen(b, columns[i]);
        values[n_values++] = b->v64[columns[i]];
    }
    if (r)
        return r;
    const uint32_t *codes = b->v32[q->keys[0].column];
    if (n < b->n_rows)
        add_some(w, codes, values[0], values[1], is_count);
    else if (is_count)
        add_counts(w->sums, codes, n);
    else
        add_all(w->sums, codes, values[0], values[1], n);
    return 0;
}

void *top_array(size_t bytes)
{
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (bytes == HUGE_PAGE)
        return malloc(bytes);
    void *p = aligned_alloc(HUGE_PAGE, bytes);
    if (p)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static int room_sums(struct query_worker *w, size_t n)
{
    if (n > w->sums_room) {
        free(w->sums);
        w->sums = top_array(n * sizeof(*w->sums));
        w->sums_room = w->sums ? n : 0;
        if (!w->sums)
            return -ENOMEM;
    }
    memset(w->sums, 0, n * sizeof(*w->sums));
    return 0;
}

static int sums_new(struct top *t, struct top_sums *s, size_t n, bool is_v6)
{
    size_t bytes = n * ((is_v6 ? sizeof(*s->v6) : sizeof(*s->v4)) + sizeof(*s->v));
    if (!n)
        return 0;
    if (atomic_fetch_add(&t->n_bytes, bytes) + bytes > t->max_bytes) {
        atomic_store(&t->is_over, true);
        return -ENOMEM;
    }
    s->v = malloc(n * sizeof(*s->v));
    if (is_v6)
        s->v6 = malloc(n * sizeof(*s->v6));
    else
        s->v4 = malloc(n * sizeof(*s->v4));
    return s->v && (s->v6 || s->v4) ? 0 : -ENOMEM;
}

/* codes of the IPv4 addresses of this pass */
struct code_span {
    uint32_t from, to;
};

static struct code_span span_of(const struct top *t, const struct segment *s)
{
    struct ip first = ip_from_v4(t->first), last = ip_from_v4(t->last), after = ip_next(&last);
    return (struct code_span){segment_lower_bound(s, &first), segment_lower_bound(s, &after)};
}

static int keep4(const uint64_t *sums, const struct segment *s, struct top_sums *out, struct code_span span)
{
    uint32_t decoded[DECODED];
    for (uint32_t from = span.from; from < span.to; from += DECODED) {
        uint32_t some = span.to - from < DECODED ? span.to - from : DECODED;
        if (segment_decode_entries4(s, from, some, decoded))
            return -EBADMSG;
        for (uint32_t i = 0; i < some; i++) {
            out->v4[out->n] = decoded[i];
            out->v[out->n] = sums[from + i] & ~TOP_SEEN;
            out->n += sums[from + i] >> 63;
        }
    }
    return 0;
}

/* segments of family 6 hold IPv4 addresses too: those join the others */
static void keep6(const struct top *t, const uint64_t *sums, const struct segment *s, size_t at, struct code_span span)
{
    struct top_sums *v4 = &t->v4[at], *v6 = &t->v6[at];
    uint32_t n = segment_info(s)->n_entries;
    for (uint32_t i = 0; i < n; i++) {
        if (!sums[i] || (!t->has_v6 && (i < span.from || i >= span.to)))
            continue;
        struct ip a = segment_address(s, i);
        if (ip_is_v4(&a) && (i < span.from || i >= span.to))
            continue;
        struct top_sums *to = ip_is_v4(&a) ? v4 : v6;
        to->v[to->n] = sums[i] & ~TOP_SEEN;
        if (to == v4)
            to->v4[to->n++] = ip_v4(&a);
        else
            to->v6[to->n++] = a;
    }
}

/* the entries of this pass out of the array of a segment */
static int keep(struct query_run *run, struct top *t, size_t i, const uint64_t *sums)
{
    const struct segment *s = run->segments[i];
    const struct segment_info *info = segment_info(s);
    size_t n_seen = 0;
    struct code_span span = span_of(t, s);
    bool is_all = info->family == 6 && t->has_v6;
    for (uint32_t c = is_all ? 0 : span.from; c < (is_all ? info->n_entries : span.to); c++)
        n_seen += sums[c] >> 63;
    if (!n_seen)
        return 0;
    int r = sums_new(t, &t->v4[i], n_seen + 1, false); /* one more: the loop of keep4 writes before it counts */
    if (!r && is_all)
        r = sums_new(t, &t->v6[i], n_seen, true);
    if (!r && info->family == 4)
        r = keep4(sums, s, &t->v4[i], span);
    else if (!r)
        keep6(t, sums, s, i, span);
    if (r == -EBADMSG) { /* its addresses cannot be read */
        t->v4[i].n = 0;
        query_damaged(run, s, info->n_blocks);
        r = 0;
    }
    return r;
}

static int top_segment(struct query_worker *w, size_t i)
{
    struct top *t = top_of(w);
    int r = room_sums(w, (size_t)segment_info(w->run->segments[i])->n_entries + 1);
    if (!r)
        r = query_each_block(w, i, top_block);
    return r ? r : keep(w->run, t, i, w->sums);
}

/* --- the best -------------------------------------------------------------------------------------- */

static bool is_worse(const struct top_best *a, const struct top_best *b)
{
    return a->v != b->v ? a->v < b->v : ip_compare(&a->ip, &b->ip) > 0;
}

static void sink_down(struct top_best *heap, size_t n, size_t i)
{
    for (;;) {
        size_t worst = i, left = 2 * i + 1;
        if (left < n && is_worse(&heap[left], &heap[worst]))
            worst = left;
        if (left + 1 < n && is_worse(&heap[left + 1], &heap[worst]))
            worst = left + 1;
        if (worst == i)
            return;
        struct top_best swap = heap[i];
        heap[i] = heap[worst];
        heap[worst] = swap;
        i = worst;
    }
}

void top_offer(struct top *t, const struct ip *ip, uint64_t v)
{
    struct top_best b = {*ip, v};
    if (t->n_heap == t->wanted) {
        if (!is_worse(&t->heap[0], &b))
            return;
        t->heap[0] = b;
        sink_down(t->heap, t->n_heap, 0);
        return;
    }
    t->heap[t->n_heap++] = b;
    for (size_t i = t->n_heap == t->wanted ? t->wanted / 2 + 1 : 0; i-- > 0;) /* full: becomes a heap */
        sink_down(t->heap, t->n_heap, i);
}

/* --- all segments ------------------------------------------------------------------------------------ */

struct slot {
    uint32_t key;
    uint64_t v; /* with TOP_SEEN */
};

/* entries of all segments up to @last, into the table, and its best into the heap */
static void sum_piece(struct top *t, size_t n, uint32_t last, struct slot *slots, size_t n_slots)
{
    memset(slots, 0, n_slots * sizeof(*slots));
    unsigned shift = 32u - (unsigned)__builtin_ctzll(n_slots);
    for (size_t i = 0; i < n; i++) {
        struct top_sums *s = &t->v4[i];
        size_t at = s->at;
        for (; at < s->n && s->v4[at] <= last; at++) {
            size_t k = (uint32_t)(s->v4[at] * UINT32_C(2654435769)) >> shift; /* Fibonacci hashing */
            while (slots[k].v && slots[k].key != s->v4[at])
                k = (k + 1) & (n_slots - 1);
            slots[k].key = s->v4[at];
            slots[k].v = top_plus(slots[k].v, s->v[at]) | TOP_SEEN;
        }
        s->at = at;
    }
    uint64_t least = TOP_SEEN | (t->n_heap == t->wanted ? t->heap[0].v : 0); /* free slots lie below too */
    for (size_t k = 0; k < n_slots; k++) {
        if (slots[k].v < least)
            continue;
        struct ip a = ip_from_v4(slots[k].key);
        top_offer(t, &a, slots[k].v & ~TOP_SEEN);
        least = TOP_SEEN | (t->n_heap == t->wanted ? t->heap[0].v : 0);
    }
}

static size_t upper_bound(const struct top_sums *s, uint32_t last)
{
    size_t low = s->at, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->v4[mid] <= last)
            low = mid + 1;
        else
            high = mid;
    }
    return low - s->at;
}

static size_t entries_up_to(const struct top *t, size_t n, uint32_t last)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += upper_bound(&t->v4[i], last);
    return total;
}

/* the widest piece that fills the table half at most: by halving; one address alone always fits */
static uint32_t end_of_piece(const struct top *t, size_t n, uint32_t first, uint32_t guess)
{
    uint64_t last = (uint64_t)first + guess;
    last = last > UINT32_MAX ? UINT32_MAX : last;
    while (last > first && entries_up_to(t, n, (uint32_t)last) > PIECE_ENTRIES)
        last = first + (last - first) / 2;
    return (uint32_t)last;
}

static int sum_v4(struct top *t, size_t n)
{
    size_t n_slots = 2 * PIECE_ENTRIES;
    struct slot *slots = malloc(n_slots * sizeof(*slots));
    uint32_t guess = UINT32_MAX;
    if (!slots)
        return -ENOMEM;
    for (uint64_t first = 0; first <= UINT32_MAX;) {
        bool is_done = true; /* leap over what no segment has */
        uint32_t next = UINT32_MAX;
        for (size_t i = 0; i < n; i++)
            if (t->v4[i].at < t->v4[i].n) {
                next = t->v4[i].v4[t->v4[i].at] < next ? t->v4[i].v4[t->v4[i].at] : next;
                is_done = false;
            }
        if (is_done)
            break;
        first = next;
        uint32_t last = end_of_piece(t, n, (uint32_t)first, guess);
        guess = last - first > UINT32_MAX / 2 ? UINT32_MAX : (uint32_t)(2 * (last - first) + 1);
        sum_piece(t, n, last, slots, n_slots);
        first = (uint64_t)last + 1;
    }
    free(slots);
    return 0;
}

/* few as a rule: through the table of groups */
static int sum_v6(struct query_run *run, struct top *t)
{
    struct query_table all = {.n_key_words = 2, .max_bytes = run->memory_bytes / 2};
    int r = 0;
    for (size_t i = 0; !r && i < run->n_segments; i++)
        for (size_t k = 0; !r && k < t->v6[i].n; k++) {
            uint64_t key[2];
            memcpy(key, t->v6[i].v6[k].b, 16);
            struct query_sums *sums = query_table_at(&all, key);
            r = sums ? 0 : -ENOMEM;
            if (sums)
                sums->value = top_plus(sums->value, t->v6[i].v[k]);
        }
    for (uint32_t i = 0; !r && i < all.n; i++) {
        struct ip a;
        memcpy(a.b, query_table_key(&all, i), 16);
        top_offer(t, &a, query_table_sums(&all, i)->value);
    }
    query_table_fini(&all);
    return r;
}

/* the winners take their places among the groups: ordered, cut and given like any others */
static int to_groups(struct query_run *run, const struct top *t)
{
    for (size_t i = 0; i < t->n_heap; i++) {
        uint64_t key[3] = {1};
        memcpy(key + 1, t->heap[i].ip.b, 16);
        struct query_sums *sums = query_table_at(&run->groups, key);
        if (!sums)
            return -ENOMEM;
        sums->n = sums->value = t->heap[i].v;
        sums->n_has = 1;
    }
    return 0;
}

static void sums_clear(struct top *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct top_sums *both[2] = {&t->v4[i], &t->v6[i]};
        for (size_t k = 0; k < 2; k++) {
            free(both[k]->v4);
            free(both[k]->v6);
            free(both[k]->v);
            *both[k] = (struct top_sums){0};
        }
    }
    atomic_store(&t->n_bytes, 0);
}

/* --- passes: where the sums of all addresses would not fit, the address space is done in parts ------------- */

/* how many parts, judged by the dictionaries; the largest segment says where they end */
static size_t n_passes(const struct query_run *run, const struct top *t, const struct segment **ret_largest)
{
    uint64_t bytes = 0;
    *ret_largest = NULL;
    for (size_t i = 0; i < run->n_segments; i++) {
        const struct segment_info *info = segment_info(run->segments[i]);
        bytes += (uint64_t)info->n_entries * (info->family == 4 ? 12 : 36);
        if (info->family == 4 && (!*ret_largest || info->n_entries > segment_info(*ret_largest)->n_entries))
            *ret_largest = run->segments[i];
    }
    return bytes <= t->max_bytes ? 1 : (size_t)(bytes / (t->max_bytes / 2 + 1)) + 1;
}

enum { TOO_WIDE = 1 };

/* one part of the address space; Return: 0, TOO_WIDE (nothing was offered), or what failed */
static int pass(struct query_run *run, struct top *t)
{
    struct query_report before = *run->report;
    atomic_store(&run->next, 0);
    atomic_store(&run->failed, 0);
    atomic_store(&t->is_over, false);
    *run->report = (struct query_report){0}; /* every pass reads the same: the last one counts */
    int r = query_parallel(run, top_segment);
    if (r && atomic_load(&t->is_over))
        r = TOO_WIDE;
    if (!r && t->has_v6)
        r = sum_v6(run, t);
    if (!r)
        r = sum_v4(t, run->n_segments);
    if (run->report->n_damaged_blocks < before.n_damaged_blocks)
        *run->report = before;
    sums_clear(t, run->n_segments);
    return r;
}

static int all_passes(struct query_run *run, struct top *t)
{
    const struct segment *largest;
    size_t n = n_passes(run, t, &largest);
    uint64_t first = 0;
    int r = 0;
    for (size_t i = 0; !r && first <= UINT32_MAX; i++) {
        uint64_t last = UINT32_MAX;
        if (i + 1 < n && largest) {
            struct ip a = segment_address(largest, (uint32_t)((uint64_t)segment_info(largest)->n_entries * (i + 1) / n));
            last = ip_v4(&a);
        }
        if (last < first)
            continue;
        t->first = (uint32_t)first;
        t->last = (uint32_t)last;
        t->has_v6 = !first;
        while ((r = pass(run, t)) == TOO_WIDE && t->last > t->first)
            t->last = t->first + (t->last - t->first) / 2;
        first = (uint64_t)t->last + 1;
    }
    return r;
}

int query_run_top(struct query_run *run)
{
    const struct query *q = run->q;
    if (!is_ours(q) || !is_small(run))
        return 1;
    struct top t = {.max_bytes = run->memory_bytes / 2, .wanted = (size_t)(q->top < q->limit_before ? q->top : q->limit_before)};
    t.v4 = calloc(run->n_segments + 1, sizeof(*t.v4));
    t.v6 = calloc(run->n_segments + 1, sizeof(*t.v6));
    t.heap = malloc((t.wanted + 1) * sizeof(*t.heap));
    run->context = &t;
    int r = t.v4 && t.v6 && t.heap ? top_by_bounds(run, &t) : -ENOMEM;
    if (r == TOP_NOT_SO)
        r = all_passes(run, &t);
    if (r == TOO_WIDE) { /* IPv6 alone is too much: groups need less for each */
        atomic_store(&run->next, 0);
        atomic_store(&run->failed, 0);
        *run->report = (struct query_report){0};
    }
    if (!r)
        r = to_groups(run, &t);
    r = r == -ENOMEM ? query_over_memory(run) : r;
    if (!r)
        r = query_group_give(run);
    if (t.v4 && t.v6)
        sums_clear(&t, run->n_segments);
    free(t.v4);
    free(t.v6);
    free(t.heap);
    return r;
}
