/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live match of both addresses of a flow: nanoseconds per flow by size of list, vector and plain code.
 * Sets: random singles (the hard case: nothing repeats, nothing is local), the same with 1,000 prefixes in it, the same
 * with a fifth of the entries prefixes /20../31 everywhere, and IPv6. One flow in 5,000 touches the list.
 */
#include "watch/indicator/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_FLOWS ((size_t)1 << 22)
#define BATCH 8192u
#define REPEATS 5

static uint64_t state = 88172645463325252u;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_u32(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, 4);
    memcpy(&y, b, 4);
    return x < y ? -1 : x > y;
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

/* disjoint ranges with increasing firsts; singles inside them are dropped */
static void make_set(size_t n, int kind, struct address_set *s)
{
    size_t n_ranges = kind == 1 ? 1000 : kind == 2 ? n / 5 : 0, k = 0, at = 0;
    struct v4_range *r = must(calloc(n_ranges + 1, sizeof(*r)));
    uint32_t *v4 = must(malloc((n - n_ranges + 1) * sizeof(*v4)));
    for (size_t i = 0; i < n_ranges; i++) {
        unsigned length = 20 + (unsigned)(rnd() % 12);
        uint32_t step = (uint32_t)(UINT32_MAX / n_ranges);
        uint32_t first = (uint32_t)i * step & ~(UINT32_MAX >> length), last = first | UINT32_MAX >> length;
        if (k && first <= r[k - 1].last)
            continue;
        r[k++] = (struct v4_range){first, last};
    }
    n -= n_ranges;
    for (size_t i = 0; i < n; i++)
        v4[i] = (uint32_t)rnd();
    qsort(v4, n, sizeof(*v4), by_u32);
    *s = (struct address_set){.v4 = v4, .v4_ranges = r, .n_v4_ranges = k};
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        while (at < k && r[at].last < v4[i])
            at++;
        if ((at < k && r[at].first <= v4[i]) || (m && v4[m - 1] == v4[i]))
            continue;
        v4[m++] = v4[i];
    }
    s->n_v4 = m;
}

static double best_v4(const struct matcher *m, const uint32_t *a, size_t *hits)
{
    static uint64_t bits[BATCH / 64];
    double best = 1e18;
    for (int i = 0; i < REPEATS; i++) {
        double from = cpu_ns();
        *hits = 0;
        for (size_t k = 0; k < 2 * N_FLOWS; k += BATCH)
            *hits += matcher_v4(m, a + k, BATCH, bits);
        double ns = (cpu_ns() - from) / (double)N_FLOWS;
        best = ns < best ? ns : best;
    }
    return best;
}

static void bench_v4(uint32_t *a)
{
    static const char *const kinds[] = {"singles", "with 1000 prefixes", "a fifth prefixes"};
    for (size_t n = 100000; n <= 10000000; n *= 10) {
        for (int kind = 0; kind < 3; kind++) {
            struct address_set s;
            make_set(n, kind, &s);
            const struct address_set *sets[] = {&s};
            for (size_t i = 0; i < 2 * N_FLOWS; i++)
                a[i] = i % 10000 ? (uint32_t)rnd() : s.v4[rnd() % s.n_v4];
            for (int plain = 0; plain < 2; plain++) {
                double from = cpu_ns();
                struct matcher *m = must(matcher_new_sets(sets, 1, &(struct matcher_options){.force_plain = plain}));
                double build_ms = (cpu_ns() - from) / 1e6;
                size_t hits;
                double ns = best_v4(m, a, &hits);
                printf("v4,%zu,%s,%s,%.2f,%zu,%.0f\n", n, kinds[kind], matcher_is_vector(m) ? "avx2" : "plain", ns, hits, build_ms);
                matcher_free(m);
            }
            void *owned[2];
            memcpy(&owned[0], &s.v4, sizeof(void *));
            memcpy(&owned[1], &s.v4_ranges, sizeof(void *));
            free(owned[0]);
            free(owned[1]);
        }
    }
}

static int by_range6(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return ip_compare(&x->first, &y->first);
}

/* addresses of 2000::/3 in few /32s, as real ones; entries /128, /64, /48, /32 */
static struct ip random_v6(void)
{
    struct ip a;
    uint64_t high = UINT64_C(0x2400000000000000) | (rnd() & 0xfff) << 36 | (rnd() & 0xffff) << 16 | (rnd() & 0xff), low = rnd();
    for (int i = 0; i < 8; i++) {
        a.b[i] = (uint8_t)(high >> (56 - 8 * i));
        a.b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return a;
}

static void bench_v6(void)
{
    static const unsigned lengths[] = {128, 128, 128, 64, 64, 48, 48, 128};
    struct ip *a = must(malloc(2 * N_FLOWS / 4 * sizeof(*a)));
    static uint64_t bits[BATCH / 64];
    for (size_t n = 100000; n <= 1000000; n *= 10) {
        struct ip_range *r = must(malloc(n * sizeof(*r)));
        for (size_t i = 0; i < n; i++) {
            struct ip one = random_v6();
            r[i] = ip_range_from_prefix(&one, lengths[i % 8]);
        }
        qsort(r, n, sizeof(*r), by_range6);
        struct address_set s = {.v6 = r, .n_v6 = n};
        const struct address_set *sets[] = {&s, &s};
        struct matcher *m = must(matcher_new_sets(sets, 2, NULL));
        double best = 1e18;
        size_t hits = 0;
        for (size_t i = 0; i < N_FLOWS / 2; i++)
            a[i] = i % 10000 ? random_v6() : r[rnd() % n].first;
        for (int round = 0; round < REPEATS; round++) {
            double from = cpu_ns();
            hits = 0;
            for (size_t k = 0; k < N_FLOWS / 2; k += BATCH)
                hits += matcher_v6(m, a + k, BATCH, bits);
            double ns = (cpu_ns() - from) / (double)(N_FLOWS / 4);
            best = ns < best ? ns : best;
        }
        printf("v6,%zu,/128 /64 /48,plain,%.2f,%zu,\n", n, best, hits);
        matcher_free(m);
        free(r);
    }
    free(a);
}

int main(void)
{
    uint32_t *a = must(malloc(2 * N_FLOWS * sizeof(*a)));
    printf("family,entries,kind,code,ns_per_flow,hits,build_ms\n");
    bench_v4(a);
    free(a);
    bench_v6();
    return 0;
}
