/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can be among the best N is told by bounds. Of each segment only the addresses are kept whose sum there reaches a
 * floor; of all others it is known that they stay below. What is kept of an address adds up to a lower bound of its
 * whole sum, and the floors of the segments that did not keep it, less one each, to an upper bound. The N-th largest
 * lower bound T can be reached by N addresses; so only those whose upper bound reaches T are asked for, exactly, in the
 * segments that did not keep them: a second visit to the blocks that the postings name. Nobody who was kept nowhere
 * can be among the best while the floors less one add up to less than T.
 *
 * The floors follow from the best sums seen in the segments before: in skewed traffic a few thousand addresses are kept
 * and nobody needs a second visit. Where nobody stands out too many would be kept: then the caller goes another way.
 */
#include "watch/query/mask.h"
#include "watch/query/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARE = 4,         /* the floors less one add up to this part of what the N-th best is known to have */
    LEADERS = 1024,    /* N up to which the best of all segments are added up while they are found */
    KEPT = 1 << 19,    /* of all segments together */
    KEPT_LEAST = 1 << 16, /* of one: the first ones keep the most, for then little is known */
    WANTED_MOST = 4096,
    LOOK_UPS = 1 << 21,
    STRETCH = 64
};

/* what is kept of a segment */
struct kept {
    struct ip *ip; /* ascending */
    uint64_t *sum;
    size_t n;
    uint64_t floor; /* sums below it are not kept */
    bool is_lost;   /* its addresses cannot be read */
    /* the second visit */
    uint64_t *blocks;
    struct missing {
        uint32_t code, candidate;
    } *missing;
    size_t n_missing, room_missing;
};

struct bounds {
    struct top *top;
    struct kept *kept; /* per segment */
    struct query_table leaders, all; /* address -> value: of the best; of all kept, n: segments, n_has: floors less one */
    uint64_t known;                  /* N addresses reach it; as leaders under the lock of the run */
    uint32_t *candidates;            /* groups of `all` */
    size_t n_candidates;
};

static struct bounds *bounds_of(const struct query_worker *w)
{
    return w->run->context;
}

/* --- the sums of a segment ----------------------------------------------------------------------- */

static void add_narrow(struct query_worker *w, const uint32_t *codes, const uint32_t *v, uint32_t n)
{
    uint32_t *low = w->low;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = codes[i];
        if (__builtin_expect(__builtin_add_overflow(low[c], v[i], &low[c]), 0)) {
            w->high[c]++;
            w->has_high = true;
        }
    }
}

static void add_one(struct query_worker *w, uint32_t code, uint64_t v)
{
    uint32_t carry = __builtin_add_overflow(w->low[code], (uint32_t)v, &w->low[code]);
    carry += (uint32_t)(v >> 32); /* of values below 2^40: never too much */
    if (carry) {
        w->high[code] += carry;
        w->has_high = true;
    }
}

static void count_all(uint32_t *low, const uint32_t *codes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        low[codes[i]]++;
}

/* a column added to the sums; absent values read as zero, and absent addresses as the code behind the last */
static int add_column(struct query_worker *w, const uint32_t *codes, unsigned column, uint32_t n_some)
{
    struct query_block *b = &w->block;
    struct segment_bounds bounds;
    segment_bounds(b->segment, b->block, column, &bounds);
    if (bounds.is_absent || (bounds.is_constant && !bounds.min))
        return 0;
    int r = query_block_narrow(b, column);
    if (r == QUERY_BLOCK_WIDE)
        r = query_block_load(b, column);
    if (r)
        return r;
    bool is_wide = query_column_is_wide(column) && !(b->narrowed >> column & 1), is_some = n_some < b->n_rows;
    if (!is_wide && !is_some)
        add_narrow(w, codes, b->v32[column], b->n_rows);
    for (uint32_t i = 0; (is_wide || is_some) && i < n_some; i++) {
        uint32_t row = is_some ? w->rows[i] : i;
        add_one(w, codes[row], is_wide ? b->v64[column][row] : b->v32[column][row]);
    }
    return 0;
}

static int add_block(struct query_worker *w, uint32_t n)
{
    const struct query *q = w->run->q;
    struct query_block *b = &w->block;
    int r = query_block_load(b, q->keys[0].column);
    if (r)
        return r;
    const uint32_t *codes = b->v32[q->keys[0].column];
    if (n < b->n_rows)
        n = mask_rows(w->mask, b->n_rows, w->rows);
    if (q->figure != QUERY_COUNT) {
        r = add_column(w, codes, q->figure_field.column, n);
        if (!r && q->figure_field.kind == QUERY_FIELD_SUM)
            r = add_column(w, codes, q->figure_field.column2, n);
        return r;
    }
    if (n == b->n_rows)
        count_all(w->low, codes, n);
    else
        for (uint32_t i = 0; i < n; i++)
            w->low[codes[w->rows[i]]]++;
    return 0;
}

static int room_low(struct query_worker *w, size_t n)
{
    if (n > w->low_room) {
        free(w->low);
        free(w->high);
        w->low = top_array(n * sizeof(*w->low));
        w->high = calloc(n, sizeof(*w->high)); /* pages nobody touches cost nothing */
        w->low_room = w->low && w->high ? n : 0;
        w->has_high = false;
        if (!w->low_room)
            return -ENOMEM;
    }
    memset(w->low, 0, n * sizeof(*w->low));
    if (w->has_high)
        memset(w->high, 0, w->low_room * sizeof(*w->high));
    w->has_high = false;
    return 0;
}

static uint64_t sum_of(const struct query_worker *w, uint32_t code)
{
    return w->has_high ? (uint64_t)w->high[code] << 32 | w->low[code] : w->low[code];
}

static int sum_segment(struct query_worker *w, size_t i)
{
    int r = room_low(w, (size_t)segment_info(w->run->segments[i])->n_entries + 1);
    return r ? r : query_each_block(w, i, add_block);
}

/* --- what stands out in it ------------------------------------------------------------------------- */

/*
 * the next code at or behind @from whose sum is at least @least; @n if there is none. A stretch whose values have no
 * bit at or above the highest of @least in common with anything is passed over at the speed of reading it.
 */
static uint32_t next_at_least(const struct query_worker *w, uint32_t from, uint32_t n, uint64_t least)
{
    if (least > UINT32_MAX && !w->has_high)
        return n;
    const uint32_t *low = w->low, highest = w->has_high || !least ? 0 : UINT32_C(1) << (31 - __builtin_clz((uint32_t)least));
    while (from < n) {
        uint32_t some = n - from < STRETCH ? n - from : STRETCH, all = 0;
        for (uint32_t k = 0; some == STRETCH && k < STRETCH; k++)
            all |= low[from + k];
        for (uint32_t k = from; (all >= highest || some < STRETCH) && k < from + some; k++)
            if (sum_of(w, k) >= least)
                return k;
        from += some;
    }
    return n;
}

struct leader {
    uint64_t sum;
    uint32_t code;
};

struct picked {
    struct leader *p;
    size_t n, room;
};

static void sift(struct leader *heap, size_t n, size_t at, struct leader x)
{
    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && heap[child + 1].sum < heap[child].sum;
        if (heap[child].sum >= x.sum)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = x;
}

/* @n: how many there are. Return: how many there are then: the @wanted best in a heap, the least first */
static size_t add_leader(struct leader *heap, size_t n, size_t wanted, struct leader x)
{
    if (n == wanted) {
        if (x.sum > heap[0].sum)
            sift(heap, n, 0, x);
        return n;
    }
    heap[n++] = x;
    for (size_t i = n == wanted ? n / 2 + 1 : 0; i-- > 0;) /* full: becomes a heap */
        sift(heap, n, i, heap[i]);
    return n;
}

static size_t find_leaders(const struct query_worker *w, uint32_t n_entries, struct leader *heap, size_t wanted)
{
    size_t n = 0;
    for (uint32_t c = next_at_least(w, 0, n_entries, 1); c < n_entries;
         c = next_at_least(w, c + 1, n_entries, n == wanted ? heap[0].sum + 1 : 1))
        n = add_leader(heap, n, wanted, (struct leader){sum_of(w, c), c});
    return n;
}

/* the @n-th largest value of a table; 0 if it has fewer groups. Return: 0 or -ENOMEM */
static int nth_of_table(const struct query_table *t, size_t n, uint64_t *ret)
{
    *ret = 0;
    if (t->n < n)
        return 0;
    struct leader *heap = calloc(n + 1, sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    size_t n_heap = 0;
    for (uint32_t i = 0; i < t->n; i++)
        n_heap = add_leader(heap, n_heap, n, (struct leader){query_table_sums(t, i)->value, i});
    *ret = heap[0].sum;
    free(heap);
    return 0;
}

/* what N addresses are now known to reach */
static int learn(struct query_worker *w, const struct segment *s, const struct leader *heap, size_t n, uint64_t *ret_known)
{
    struct bounds *b = bounds_of(w);
    size_t wanted = b->top->wanted;
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): @n leaders were put in */
    uint64_t known = n == wanted ? heap[0].sum : 0, together = 0;
    int r = 0;
    pthread_mutex_lock(&w->run->lock);
    for (size_t i = 0; !r && wanted <= LEADERS && i < n; i++) {
        struct ip a;
        uint64_t key[2];
        r = segment_address_of(s, heap[i].code, &a);
        memcpy(key, a.b, sizeof(key));
        struct query_sums *sums = r ? NULL : query_table_at(&b->leaders, key);
        r = r ? r : sums ? 0 : TOP_NOT_SO;
        if (sums)
            sums->value = top_plus(sums->value, heap[i].sum);
    }
    if (!r)
        r = nth_of_table(&b->leaders, wanted, &together);
    known = known > together ? known : together;
    b->known = !r && known > b->known ? known : b->known;
    *ret_known = b->known;
    pthread_mutex_unlock(&w->run->lock);
    return r;
}

/* codes and sums at or above the floor. Return: 0, TOP_NOT_SO (too many) or -ENOMEM */
static int pick(const struct query_worker *w, uint32_t n_entries, uint64_t floor, size_t most, struct picked *p)
{
    p->n = 0;
    for (uint32_t c = next_at_least(w, 0, n_entries, floor); c < n_entries; c = next_at_least(w, c + 1, n_entries, floor)) {
        if (p->n == most)
            return TOP_NOT_SO;
        if (p->n == p->room) {
            size_t room = p->room ? 2 * p->room : 1024;
            struct leader *more = realloc(p->p, room * sizeof(*more));
            if (!more)
                return -ENOMEM;
            p->p = more;
            p->room = room;
        }
        p->p[p->n++] = (struct leader){sum_of(w, c), c};
    }
    return 0;
}

/* Return: 0, TOP_NOT_SO, -EBADMSG or -ENOMEM */
static int keep(struct query_worker *w, const struct segment *s, const struct picked *p, struct kept *k)
{
    struct top *t = bounds_of(w)->top;
    size_t bytes = p->n * (sizeof(*k->ip) + sizeof(*k->sum));
    if (atomic_fetch_add(&t->n_bytes, bytes) + bytes > t->max_bytes)
        return TOP_NOT_SO;
    k->ip = malloc((p->n + 1) * sizeof(*k->ip));
    k->sum = malloc((p->n + 1) * sizeof(*k->sum));
    if (!k->ip || !k->sum)
        return -ENOMEM;
    for (; k->n < p->n; k->n++) {
        if (segment_address_of(s, p->p[k->n].code, &k->ip[k->n]))
            return -EBADMSG;
        k->sum[k->n] = p->p[k->n].sum;
    }
    return 0;
}

/* what stands out, by what is known so far, or at first by the best of this segment; then more is known */
static int stand_out(struct query_worker *w, const struct segment *s, struct kept *k, struct picked *p)
{
    struct bounds *b = bounds_of(w);
    uint32_t n_entries = segment_info(s)->n_entries;
    size_t n_segments = w->run->n_segments, most = KEPT / n_segments < KEPT_LEAST ? KEPT_LEAST : KEPT / n_segments;
    struct leader *heap = malloc((b->top->wanted + 1) * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    pthread_mutex_lock(&w->run->lock);
    uint64_t known = b->known;
    pthread_mutex_unlock(&w->run->lock);
    size_t n = 0;
    int r = 0;
    if (!known) {
        n = find_leaders(w, n_entries, heap, b->top->wanted);
        r = learn(w, s, heap, n, &known);
    }
    k->floor = known / SHARE / n_segments + 1;
    if (!r)
        r = pick(w, n_entries, k->floor, most, p);
    if (r == TOP_NOT_SO && known) { /* a higher floor that does as well: all of them less one stay below what is known */
        k->floor = (known - 1) / n_segments + 1;
        r = pick(w, n_entries, k->floor, most, p);
    }
    if (!r && !n) {
        for (size_t i = 0; i < p->n; i++)
            n = add_leader(heap, n, b->top->wanted, p->p[i]);
        r = learn(w, s, heap, n, &known);
    }
    free(heap);
    return r ? r : keep(w, s, p, k);
}

static int first_visit(struct query_worker *w, size_t i)
{
    struct bounds *b = bounds_of(w);
    const struct segment *s = w->run->segments[i];
    struct picked p = {NULL, 0, 0};
    int r = sum_segment(w, i);
    if (!r)
        r = stand_out(w, s, &b->kept[i], &p);
    free(p.p);
    if (r != -EBADMSG)
        return r;
    b->kept[i].is_lost = true; /* what the others were told of it may have been too much: found out in the end */
    query_damaged(w->run, s, segment_info(s)->n_blocks);
    return 0;
}

/* --- all segments -------------------------------------------------------------------------------------- */

static int add_up(const struct query_run *run, struct bounds *b)
{
    for (size_t i = 0; i < run->n_segments; i++)
        for (size_t k = 0; !b->kept[i].is_lost && k < b->kept[i].n; k++) {
            uint64_t key[2];
            memcpy(key, b->kept[i].ip[k].b, sizeof(key));
            struct query_sums *sums = query_table_at(&b->all, key);
            if (!sums)
                return TOP_NOT_SO;
            sums->value = top_plus(sums->value, b->kept[i].sum[k]);
            sums->n_has = top_plus(sums->n_has, b->kept[i].floor - 1);
            sums->n++;
        }
    return 0;
}

static int find_candidates(struct query_run *run, struct bounds *b)
{
    uint64_t floors = 0, least;
    for (size_t i = 0; i < run->n_segments; i++)
        floors = top_plus(floors, b->kept[i].is_lost ? 0 : b->kept[i].floor - 1);
    int r = nth_of_table(&b->all, b->top->wanted, &least);
    if (r)
        return r;
    /* fewer than N: nobody else matters if all was kept, but sums of zero never are */
    bool is_all = !floors && run->q->figure == QUERY_COUNT;
    if (floors >= least && !is_all)
        return TOP_NOT_SO;
    b->candidates = calloc((size_t)b->all.n + 1, sizeof(*b->candidates));
    if (!b->candidates)
        return -ENOMEM;
    for (uint32_t i = 0; i < b->all.n; i++) {
        const struct query_sums *sums = query_table_sums(&b->all, i);
        if (top_plus(sums->value, floors - sums->n_has) >= least)
            b->candidates[b->n_candidates++] = i;
    }
    return b->n_candidates * run->n_segments > LOOK_UPS && floors ? TOP_NOT_SO : 0;
}

static bool is_kept(const struct kept *k, const struct ip *a)
{
    size_t from = 0, to = k->n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (ip_compare(&k->ip[mid], a) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from < k->n && ip_equal(&k->ip[from], a);
}

static int add_missing(const struct segment *s, struct kept *k, uint32_t code, uint32_t candidate)
{
    if (k->n_missing == k->room_missing) {
        size_t room = k->room_missing ? 2 * k->room_missing : 16;
        struct missing *more = realloc(k->missing, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        k->missing = more;
        k->room_missing = room;
    }
    if (!k->blocks)
        k->blocks = calloc(segment_info(s)->n_blocks / 64 + 1, sizeof(*k->blocks));
    if (!k->blocks)
        return -ENOMEM;
    k->missing[k->n_missing++] = (struct missing){code, candidate};
    return 0;
}

/* Return: 0, -EBADMSG, -ENOMEM; counts the blocks to be visited */
static int find_missing(const struct bounds *b, const struct segment *s, struct kept *k, uint64_t *n_blocks)
{
    size_t n_words = (segment_info(s)->n_blocks + 63) / 64;
    uint64_t *one = malloc((n_words + 1) * sizeof(*one));
    int r = one ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < b->n_candidates; i++) {
        struct ip a;
        uint32_t code;
        memcpy(a.b, query_table_key(&b->all, b->candidates[i]), 16);
        if (is_kept(k, &a))
            continue;
        r = segment_look_up(s, &a, &code);
        if (r == SEGMENT_NO_ENTRY) {
            r = 0;
            continue;
        }
        if (!r)
            r = add_missing(s, k, code, b->candidates[i]);
        if (!r)
            r = segment_postings_range(s, code, code + 1, one);
        for (size_t word = 0; !r && word < n_words; word++)
            k->blocks[word] |= one[word];
    }
    free(one);
    for (size_t word = 0; !r && k->blocks && word < n_words; word++)
        *n_blocks += (uint64_t)__builtin_popcountll(k->blocks[word]);
    return r;
}

static int second_visit(struct query_worker *w, size_t i)
{
    struct bounds *b = bounds_of(w);
    struct kept *k = &b->kept[i];
    if (!k->n_missing)
        return 0;
    w->only_blocks = k->blocks;
    int r = sum_segment(w, i);
    if (r)
        return r;
    pthread_mutex_lock(&w->run->lock);
    for (size_t m = 0; m < k->n_missing; m++) {
        struct query_sums *sums = query_table_sums(&b->all, k->missing[m].candidate);
        sums->value = top_plus(sums->value, sum_of(w, k->missing[m].code));
    }
    pthread_mutex_unlock(&w->run->lock);
    return 0;
}

/* the sums of the candidates become exact */
static int complete(struct query_run *run, struct bounds *b)
{
    uint64_t n_blocks = 0, n_all = 0;
    int r = 0;
    for (size_t i = 0; !r && i < run->n_segments; i++) {
        n_all += segment_info(run->segments[i])->n_blocks;
        if (b->kept[i].floor > 1 && !b->kept[i].is_lost)
            r = find_missing(b, run->segments[i], &b->kept[i], &n_blocks);
    }
    if (r == -EBADMSG || n_blocks > n_all / 2 + 16) /* the other way reports the damage, and reads all but once */
        return TOP_NOT_SO;
    if (r || !n_blocks)
        return r;
    struct query_report report = *run->report; /* nothing is matched twice */
    atomic_store(&run->next, 0);
    r = query_parallel(run, second_visit);
    *run->report = report;
    return r;
}

static bool is_worth_trying(const struct query_run *run, const struct top *t)
{
    uint32_t most = 0;
    for (size_t i = 0; i < run->n_segments; i++) {
        uint32_t n = segment_info(run->segments[i])->n_entries;
        most = n > most ? n : most;
    }
    return run->n_segments && t->wanted && t->wanted <= WANTED_MOST &&
           ((size_t)most + 1) * 2 * sizeof(uint32_t) * run->n_threads <= t->max_bytes;
}

static void bounds_fini(struct bounds *b, size_t n_segments)
{
    for (size_t i = 0; b->kept && i < n_segments; i++) {
        free(b->kept[i].ip);
        free(b->kept[i].sum);
        free(b->kept[i].blocks);
        free(b->kept[i].missing);
    }
    free(b->kept);
    free(b->candidates);
    query_table_fini(&b->leaders);
    query_table_fini(&b->all);
}

int top_by_bounds(struct query_run *run, struct top *t)
{
    struct bounds b = {.top = t};
    if (!is_worth_trying(run, t))
        return TOP_NOT_SO;
    b.leaders = b.all = (struct query_table){.n_key_words = 2, .max_bytes = t->max_bytes / 2};
    b.kept = calloc(run->n_segments, sizeof(*b.kept));
    run->context = &b;
    int r = b.kept ? query_parallel(run, first_visit) : -ENOMEM;
    if (!r)
        r = add_up(run, &b);
    if (!r)
        r = find_candidates(run, &b);
    if (!r)
        r = complete(run, &b);
    for (size_t i = 0; !r && i < b.n_candidates; i++) {
        struct ip a;
        memcpy(a.b, query_table_key(&b.all, b.candidates[i]), 16);
        top_offer(t, &a, query_table_sums(&b.all, b.candidates[i])->value);
    }
    bounds_fini(&b, run->n_segments);
    run->context = t;
    atomic_store(&t->n_bytes, 0);
    if (r == TOP_NOT_SO)
        *run->report = (struct query_report){0};
    return r;
}
