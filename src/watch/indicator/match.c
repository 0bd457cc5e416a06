/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the tables and asking them. Most addresses of live traffic are not
 * listed, so the work is in saying "no" with one load per address; what the
 * prefilter lets through is confirmed exactly, so its size and its hash decide
 * speed only.
 */
#include "watch/indicator/match.h"

#include "watch/indicator/match_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SMALL_SET 200000u      /* up to here the /24 bitmap alone says no often enough */
#define PREFETCH_SET 500000u   /* from here the tables leave the second-level cache */
#define WORDS24 ((size_t)1 << 18)
#define WORDS16 ((size_t)1 << 10)
#define FEW16 8192u /* of 65,536: below this the 8 KiB map spares the walk to the 2 MiB one */

/* the union of several sets, each already sorted and disjoint */
struct merge {
    uint32_t *v4;
    size_t n_v4;
    struct v4_range *ranges;
    size_t n_ranges;
    struct ip_range *v6;
    size_t n_v6;
};

static int by_u32(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, 4);
    memcpy(&y, b, 4);
    return x < y ? -1 : x > y;
}

static int by_v4_range(const void *a, const void *b)
{
    const struct v4_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int by_v6_range(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return ip_compare(&x->first, &y->first);
}

static void merge_fini(struct merge *g)
{
    free(g->v4);
    free(g->ranges);
    free(g->v6);
}

static int merge_copy(struct merge *g, const struct address_set *const *sets, size_t n_sets)
{
    size_t n_v4 = 0, n_ranges = 0, n_v6 = 0;
    for (size_t i = 0; i < n_sets; i++) {
        n_v4 += sets[i]->n_v4;
        n_ranges += sets[i]->n_v4_ranges;
        n_v6 += sets[i]->n_v6;
    }
    g->v4 = calloc(n_v4 + 1, sizeof(*g->v4));
    g->ranges = calloc(n_ranges + 1, sizeof(*g->ranges));
    g->v6 = calloc(n_v6 + 1, sizeof(*g->v6));
    if (!g->v4 || !g->ranges || !g->v6)
        return 1;
    for (size_t i = 0; i < n_sets; i++) {
        const struct address_set *s = sets[i];
        if (s->n_v4)
            memcpy(g->v4 + g->n_v4, s->v4, s->n_v4 * sizeof(*s->v4));
        if (s->n_v4_ranges)
            memcpy(g->ranges + g->n_ranges, s->v4_ranges, s->n_v4_ranges * sizeof(*s->v4_ranges));
        if (s->n_v6)
            memcpy(g->v6 + g->n_v6, s->v6, s->n_v6 * sizeof(*s->v6));
        g->n_v4 += s->n_v4;
        g->n_ranges += s->n_v4_ranges;
        g->n_v6 += s->n_v6;
    }
    return 0;
}

static void merge_unite(struct merge *g, bool is_sorted)
{
    size_t n = 0;
    if (!is_sorted) {
        qsort(g->v4, g->n_v4, sizeof(*g->v4), by_u32);
        qsort(g->ranges, g->n_ranges, sizeof(*g->ranges), by_v4_range);
        qsort(g->v6, g->n_v6, sizeof(*g->v6), by_v6_range);
    }
    for (size_t i = 0; i < g->n_v4; i++)
        if (!n || g->v4[n - 1] != g->v4[i])
            g->v4[n++] = g->v4[i];
    g->n_v4 = n;
    n = 0;
    for (size_t i = 0; i < g->n_ranges; i++) {
        struct v4_range *last = n ? &g->ranges[n - 1] : NULL;
        if (last && (last->last == UINT32_MAX || g->ranges[i].first <= last->last + 1))
            last->last = g->ranges[i].last > last->last ? g->ranges[i].last : last->last;
        else
            g->ranges[n++] = g->ranges[i];
    }
    g->n_ranges = n;
    n = 0;
    for (size_t i = 0; i < g->n_v6; i++) {
        struct ip_range *last = n ? &g->v6[n - 1] : NULL;
        if (!last || ip_compare(&g->v6[i].first, &last->last) > 0)
            g->v6[n++] = g->v6[i];
        else if (ip_compare(&g->v6[i].last, &last->last) > 0)
            last->last = g->v6[i].last;
    }
    g->n_v6 = n;
}

static void mark24(uint64_t *bits, uint32_t block)
{
    bits[block >> 6] |= UINT64_C(1) << (block & 63);
}

static int build_ranges(struct matcher *m, struct merge *g)
{
    if (!g->n_ranges)
        return 0;
    m->full24 = calloc(WORDS24, sizeof(*m->full24));
    m->range_from = calloc(65537, sizeof(*m->range_from));
    if (!m->full24 || !m->range_from)
        return 1;
    m->ranges = g->ranges;
    m->n_ranges = g->n_ranges;
    g->ranges = NULL;
    for (size_t i = 0; i < m->n_ranges; i++) {
        uint32_t first = m->ranges[i].first, last = m->ranges[i].last;
        for (uint32_t b = first >> 8;; b++) {
            mark24(m->any24, b);
            if (first <= b << 8 && last >= (b << 8 | 0xff))
                mark24(m->full24, b);
            if (b == last >> 8)
                break;
        }
    }
    return 0;
}

static void index_ranges(struct matcher *m)
{
    size_t i = 0;
    for (uint32_t b = 0; m->range_from && b <= 65536; b++) {
        while (i < m->n_ranges && m->ranges[i].last < (uint64_t)b << 16)
            i++;
        m->range_from[b] = (uint32_t)i;
    }
}

/* the small map in front of any24, where it says no often enough; without memory for it we do without */
static void build_any16(struct matcher *m)
{
    unsigned n = 0;
    m->any16 = calloc(WORDS16, sizeof(*m->any16));
    for (uint32_t b = 0; m->any16 && b < 65536; b++) {
        const uint64_t *words = &m->any24[(size_t)b * 4];
        if (!(words[0] | words[1] | words[2] | words[3]))
            continue;
        m->any16[b >> 6] |= UINT64_C(1) << (b & 63);
        n++;
    }
    if (n < FEW16)
        return;
    free(m->any16);
    m->any16 = NULL;
}

static int build_buckets(struct matcher *m, const uint32_t *v4, size_t n)
{
    size_t n_buckets = 1;
    while (n_buckets * (BUCKET_SLOTS / 2) < n)
        n_buckets *= 2;
    m->bucket_mask = (uint32_t)(n_buckets - 1);
    if (posix_memalign((void **)&m->buckets, 64, n_buckets * BUCKET_SLOTS * sizeof(uint32_t))) {
        m->buckets = NULL;
        return 1;
    }
    memset(m->buckets, 0, n_buckets * BUCKET_SLOTS * sizeof(uint32_t));
    for (size_t i = 0; i < n; i++) {
        if (!v4[i]) {
            m->has_zero = true;
            continue;
        }
        for (uint32_t b = bucket_of(m, v4[i]);; b = (b + 1) & m->bucket_mask) {
            uint32_t *slot = m->buckets + (size_t)b * BUCKET_SLOTS;
            unsigned k = 0;
            while (k < BUCKET_SLOTS && slot[k])
                k++;
            if (k < BUCKET_SLOTS) {
                slot[k] = v4[i];
                break;
            }
        }
    }
    return 0;
}

static int build_v4(struct matcher *m, struct merge *g)
{
    bool is_small = g->n_v4 <= SMALL_SET;
    if (is_small || g->n_ranges) {
        m->any24 = calloc(WORDS24, sizeof(*m->any24));
        if (!m->any24)
            return 1;
    }
    m->may_prefetch = g->n_v4 >= PREFETCH_SET;
    if (build_ranges(m, g) || build_buckets(m, g->v4, g->n_v4))
        return 1;
    index_ranges(m);
    if (is_small) {
        for (size_t i = 0; i < g->n_v4; i++)
            mark24(m->any24, g->v4[i] >> 8);
        return 0;
    }
    if (m->any24)
        build_any16(m);
    unsigned log2_words = 10;
    while (((size_t)64 << log2_words) < g->n_v4 * 12)
        log2_words++;
    m->bloom_shift = 32 - log2_words;
    if (posix_memalign((void **)&m->bloom, 64, sizeof(uint64_t) << log2_words)) {
        m->bloom = NULL;
        return 1;
    }
    memset(m->bloom, 0, sizeof(uint64_t) << log2_words);
    for (size_t i = 0; i < g->n_v4; i++)
        m->bloom[bloom_word(g->v4[i], m->bloom_shift)] |= bloom_bits(g->v4[i]);
    return 0;
}

/* IPv6: prefixes are cut down to the next shorter kept length; the exact search makes up for it */
static const uint8_t class_lengths[V6_CLASSES] = {128, 64, 56, 48, 32, 20};

static uint64_t load_high(const struct ip *a)
{
    uint64_t v;
    memcpy(&v, a->b, 8);
    return __builtin_bswap64(v);
}

static uint64_t load_low(const struct ip *a)
{
    uint64_t v;
    memcpy(&v, a->b + 8, 8);
    return __builtin_bswap64(v);
}

static uint64_t hash6(const struct matcher *m, uint64_t high, uint64_t low, unsigned length)
{
    high = length >= 64 ? high : high & ~(UINT64_MAX >> length);
    low = length > 64 ? low : 0;
    uint64_t h = (high ^ length) * m->factor6[0] ^ (low + length) * m->factor6[1];
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static uint64_t bits6(uint64_t h)
{
    return UINT64_C(1) << (h & 63) | UINT64_C(1) << (h >> 6 & 63) | UINT64_C(1) << (h >> 12 & 63);
}

static unsigned common_length(const struct ip *a, const struct ip *b)
{
    for (unsigned i = 0; i < 16; i++)
        if (a->b[i] != b->b[i])
            return i * 8 + (unsigned)__builtin_clz((unsigned)(a->b[i] ^ b->b[i])) - 24;
    return 128;
}

/* the one prefix that holds all of the range; a range that straddles a boundary is wide and rare */
static unsigned class_of(const struct ip_range *r)
{
    unsigned length = common_length(&r->first, &r->last);
    for (unsigned i = 0; i < V6_CLASSES; i++)
        if (class_lengths[i] <= length)
            return class_lengths[i];
    return 0;
}

static int build_v6(struct matcher *m, struct merge *g)
{
    bool is_used[V6_CLASSES] = {false};
    unsigned log2_words = 10;
    if (!g->n_v6)
        return 0;
    m->v6 = g->v6;
    m->n_v6 = g->n_v6;
    g->v6 = NULL;
    while (((size_t)64 << log2_words) < m->n_v6 * 16)
        log2_words++;
    m->bloom6_shift = 64 - log2_words;
    m->bloom6 = calloc((size_t)1 << log2_words, sizeof(uint64_t));
    m->v6_steps = calloc(m->n_v6 / V6_STEP + 1, sizeof(*m->v6_steps));
    if (!m->bloom6 || !m->v6_steps)
        return 1;
    for (size_t i = V6_STEP - 1; i < m->n_v6; i += V6_STEP)
        m->v6_steps[m->n_v6_steps++] = m->v6[i].last;
    for (size_t i = 0; i < m->n_v6; i++) {
        unsigned length = class_of(&m->v6[i]);
        if (!length) {
            m->is_all6 = true;
            continue;
        }
        for (unsigned k = 0; k < V6_CLASSES; k++)
            is_used[k] |= class_lengths[k] == length;
        uint64_t h = hash6(m, load_high(&m->v6[i].first), load_low(&m->v6[i].first), length);
        m->bloom6[h >> m->bloom6_shift] |= bits6(h);
    }
    for (unsigned k = 0; k < V6_CLASSES; k++)
        if (is_used[k])
            m->classes[m->n_classes++] = class_lengths[k];
    return 0;
}

static void choose_factors(struct matcher *m)
{
    uint64_t r[3] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f), UINT64_C(0x165667b19e3779f9)};
    if (getrandom(r, sizeof(r), GRND_NONBLOCK) < 0)
        r[0] ^= (uint64_t)(uintptr_t)m; /* only speed depends on it */
    m->bucket_factor = (uint32_t)r[0] | 1;
    m->factor6[0] = r[1] | 1;
    m->factor6[1] = r[2] | 1;
}

struct matcher *matcher_new_sets(const struct address_set *const *sets, size_t n_sets, const struct matcher_options *o)
{
    struct merge g = {0};
    struct matcher *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    choose_factors(m);
    m->is_vector = !(o && o->force_plain) && match_has_avx2();
    int r = merge_copy(&g, sets, n_sets);
    if (!r) {
        merge_unite(&g, n_sets < 2);
        r = build_v4(m, &g) || build_v6(m, &g);
    }
    merge_fini(&g);
    if (!r)
        return m;
    matcher_free(m);
    return NULL;
}

struct matcher *matcher_new(struct list *const *lists, size_t n_lists, const struct matcher_options *o)
{
    const struct address_set **sets = calloc(n_lists + 1, sizeof(*sets));
    if (!sets)
        return NULL;
    for (size_t i = 0; i < n_lists; i++)
        sets[i] = list_addresses(lists[i]);
    struct matcher *m = matcher_new_sets(sets, n_lists, o);
    free(sets);
    if (m) {
        m->lists = lists;
        m->n_lists = n_lists;
    }
    return m;
}

void matcher_free(struct matcher *m)
{
    if (!m)
        return;
    free(m->any24);
    free(m->any16);
    free(m->full24);
    free(m->bloom);
    free(m->buckets);
    free(m->ranges);
    free(m->range_from);
    free(m->v6_steps);
    free(m->bloom6);
    free(m->v6);
    free(m);
}

bool matcher_is_vector(const struct matcher *m)
{
    return m->is_vector;
}

static bool in_buckets(const struct matcher *m, uint32_t a)
{
    if (!a)
        return m->has_zero;
    for (uint32_t b = bucket_of(m, a);; b = (b + 1) & m->bucket_mask) {
        const uint32_t *slot = m->buckets + (size_t)b * BUCKET_SLOTS;
        uint32_t is_same = 0;
        for (unsigned k = 0; k < BUCKET_SLOTS; k++)
            is_same |= slot[k] == a;
        if (is_same || !slot[BUCKET_SLOTS - 1]) /* slots fill in order: an empty last one ends the chain */
            return is_same;
    }
}

/* in_ranges - the first range that ends at or after @a lies among those of its /16, or is the one after them */
static bool in_ranges(const struct matcher *m, uint32_t a)
{
    size_t low = m->range_from[a >> 16], high = m->range_from[(a >> 16) + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->ranges[middle].last < a)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n_ranges && m->ranges[low].first <= a;
}

static bool confirm(const struct matcher *m, uint32_t a)
{
    if (m->full24 && bit24(m->any24, a)) {
        if (bit24(m->full24, a) || in_ranges(m, a))
            return true;
    }
    return (!m->bloom || in_bloom(m->bloom, m->bloom_shift, a)) && in_buckets(m, a);
}

/* the tables' addresses are kept in locals: a store through @out might else change them, as far as the compiler knows */
static size_t candidates_small(const uint64_t *any24, const uint32_t *a, size_t n, uint16_t *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) {
        out[n_out] = (uint16_t)i;
        n_out += bit24(any24, a[i]);
    }
    return n_out;
}

size_t candidates_plain(const struct matcher *m, const uint32_t *a, size_t n, uint16_t *out)
{
    const uint64_t *bloom = m->bloom, *any16 = m->any16, *any24 = m->any24;
    const unsigned shift = m->bloom_shift;
    size_t n_out = 0;
    if (!bloom)
        return candidates_small(any24, a, n, out);
    for (size_t i = 0; i < n; i++) {
        if (m->may_prefetch && i + 24 < n)
            __builtin_prefetch(&bloom[bloom_word(a[i + 24], shift)]);
        bool may = in_bloom(bloom, shift, a[i]);
        if (any24)
            may = (any16 ? bit16(any16, a[i]) : bit24(any24, a[i])) || may;
        out[n_out] = (uint16_t)i;
        n_out += may;
    }
    return n_out;
}

size_t matcher_v4(const struct matcher *m, const uint32_t *addresses, size_t n, uint64_t *bits)
{
    uint16_t maybe[MATCH_BLOCK + 16];
    size_t n_hits = 0;
    memset(bits, 0, (n + 63) / 64 * sizeof(*bits));
    for (size_t from = 0; from < n; from += MATCH_BLOCK) {
        const uint32_t *a = addresses + from;
        size_t n_block = n - from < MATCH_BLOCK ? n - from : MATCH_BLOCK;
        size_t n_maybe = m->is_vector ? candidates_avx2(m, a, n_block, maybe) : candidates_plain(m, a, n_block, maybe);
        for (size_t i = 0; m->may_prefetch && i < n_maybe; i++) {
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript): candidates_* has filled n_maybe of them */
            uint32_t one = a[maybe[i]];
            __builtin_prefetch(m->buckets + (size_t)bucket_of(m, one) * BUCKET_SLOTS);
            if (m->any16)
                __builtin_prefetch(&m->any24[one >> 14]);
        }
        for (size_t i = 0; i < n_maybe; i++) {
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript): as above */
            bool is_hit = confirm(m, a[maybe[i]]);
            size_t at = from + maybe[i];
            bits[at >> 6] |= (uint64_t)is_hit << (at & 63);
            n_hits += is_hit;
        }
    }
    return n_hits;
}

/* in_v6 - the first range that ends at or after @a: first by steps, then within one */
static bool in_v6(const struct matcher *m, const struct ip *a)
{
    size_t low = 0, high = m->n_v6_steps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&m->v6_steps[middle], a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    low *= V6_STEP;
    high = low + V6_STEP < m->n_v6 ? low + V6_STEP : m->n_v6;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&m->v6[middle].last, a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n_v6 && ip_compare(&m->v6[low].first, a) <= 0;
}

/* maybe_v6 - of at most V6_BLOCK addresses those that need the search; all words are asked for before the first is needed */
static uint32_t maybe_v6(const struct matcher *m, const struct ip *a, size_t n)
{
    uint64_t hashes[V6_CLASSES][V6_BLOCK];
    uint32_t maybe = m->is_all6 ? UINT32_MAX : 0;
    for (unsigned k = 0; k < m->n_classes; k++)
        for (size_t i = 0; i < n; i++) {
            hashes[k][i] = hash6(m, load_high(&a[i]), load_low(&a[i]), m->classes[k]);
            __builtin_prefetch(&m->bloom6[hashes[k][i] >> m->bloom6_shift]);
        }
    for (unsigned k = 0; k < m->n_classes; k++)
        for (size_t i = 0; i < n; i++) {
            uint64_t bits = bits6(hashes[k][i]);
            maybe |= (uint32_t)((m->bloom6[hashes[k][i] >> m->bloom6_shift] & bits) == bits) << i;
        }
    return maybe;
}

static bool has_v4(const struct matcher *m, uint32_t a)
{
    bool may = m->bloom ? in_bloom(m->bloom, m->bloom_shift, a) || maybe_range(m, a) : bit24(m->any24, a);
    return may && confirm(m, a);
}

size_t matcher_v6(const struct matcher *m, const struct ip *addresses, size_t n, uint64_t *bits)
{
    size_t n_hits = 0;
    memset(bits, 0, (n + 63) / 64 * sizeof(*bits));
    for (size_t from = 0; from < n; from += V6_BLOCK) {
        const struct ip *a = addresses + from;
        size_t n_block = n - from < V6_BLOCK ? n - from : V6_BLOCK;
        uint32_t maybe = maybe_v6(m, a, n_block);
        for (size_t i = 0; i < n_block; i++) {
            bool is_hit = ip_is_v4(&a[i]) ? has_v4(m, ip_v4(&a[i])) : (maybe >> i & 1) && in_v6(m, &a[i]);
            bits[(from + i) >> 6] |= (uint64_t)is_hit << ((from + i) & 63);
            n_hits += is_hit;
        }
    }
    return n_hits;
}

size_t matcher_lists(const struct matcher *m, const struct ip *a, uint32_t *out, size_t n_out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_lists; i++) {
        if (!list_has(m->lists[i], a))
            continue;
        if (n < n_out)
            out[n] = (uint32_t)i;
        n++;
    }
    return n;
}
