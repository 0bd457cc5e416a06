/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Let T be the N-th largest sum within some one segment: N addresses reach at least T in all, so the N-th best is no
 * less. Whoever reaches T over S segments has at least T / S in one of them. These candidates, and nobody else, are
 * looked up everywhere. Skewed traffic has few of them; where there are many, the caller goes another way.
 */
#include "watch/query/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_UPS = 1 << 21 }; /* candidates times segments: above, merging dictionaries is cheaper */

/* sums of the segment in a heap of the @n largest, the least first; Return: the n-th largest, 0 if there are fewer */
static uint64_t nth_largest(const uint64_t *sums, uint32_t n_sums, uint64_t *heap, size_t n)
{
    size_t n_heap = 0;
    for (uint32_t i = 0; i < n_sums; i++) {
        if (n_heap == n ? sums[i] <= heap[0] : !sums[i])
            continue;
        size_t at;
        if (n_heap < n) { /* sift up */
            at = n_heap++;
            while (at && heap[(at - 1) / 2] > sums[i]) {
                heap[at] = heap[(at - 1) / 2];
                at = (at - 1) / 2;
            }
            heap[at] = sums[i];
            continue;
        }
        at = 0;
        for (size_t child = 1; child < n; child = 2 * at + 1) { /* the least gives way: sift down */
            child += child + 1 < n && heap[child + 1] < heap[child];
            if (heap[child] >= sums[i])
                break;
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = sums[i];
    }
    return n_heap == n ? heap[0] & ~TOP_SEEN : 0;
}

static int threshold(const struct query_run *run, const struct top *t, uint64_t *ret)
{
    uint64_t *heap = malloc((t->wanted + 1) * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    *ret = 0;
    for (size_t i = 0; i < run->n_segments; i++) {
        uint64_t nth = nth_largest(t->by_code[i], segment_info(run->segments[i])->n_entries, heap, t->wanted);
        *ret = nth > *ret ? nth : *ret;
    }
    free(heap);
    return 0;
}

/* Return: 0, 1 if they are too many, -ENOMEM */
static int collect(const struct query_run *run, const struct top *t, uint64_t share, struct query_table *ret)
{
    size_t n_max = LOOK_UPS / (run->n_segments + 1), n = 0;
    for (size_t i = 0; i < run->n_segments; i++) { /* counted first: many are found out cheaply */
        uint32_t n_entries = segment_info(run->segments[i])->n_entries;
        for (uint32_t c = 0; c < n_entries; c++)
            n += t->by_code[i][c] >= (share | TOP_SEEN);
        if (n > n_max)
            return 1;
    }
    for (size_t i = 0; i < run->n_segments; i++) {
        uint32_t n_entries = segment_info(run->segments[i])->n_entries;
        for (uint32_t c = 0; c < n_entries; c++) {
            uint64_t key[2];
            if (t->by_code[i][c] < (share | TOP_SEEN))
                continue;
            struct ip a = segment_address(run->segments[i], c);
            memcpy(key, a.b, 16);
            if (!query_table_at(ret, key))
                return -ENOMEM;
        }
    }
    return 0;
}

int top_by_share(struct query_run *run, struct top *t)
{
    struct query_table candidates = {.n_key_words = 2, .max_bytes = run->memory_bytes / 2};
    uint64_t least;
    int r = threshold(run, t, &least);
    size_t n = run->n_segments;
    if (!r)
        r = least ? collect(run, t, (least + n - 1) / n, &candidates) : 1;
    for (uint32_t k = 0; !r && k < candidates.n; k++) {
        struct ip a;
        uint64_t sum = 0;
        memcpy(a.b, query_table_key(&candidates, k), 16);
        for (size_t i = 0; i < n; i++) {
            uint32_t code;
            if (segment_find(run->segments[i], &a, &code))
                sum = top_plus(sum, t->by_code[i][code]);
        }
        top_offer(t, &a, sum);
    }
    query_table_fini(&candidates);
    return r;
}
