/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel tells only the owner of a file what of it is in memory; others are told "all", and therefore always ask.
 */
#include "watch/store/resident.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SAMPLES = 4 };

static atomic_bool is_blind;

static uintptr_t page_mask(void)
{
    static atomic_uintptr_t mask;
    uintptr_t m = atomic_load_explicit(&mask, memory_order_relaxed);
    if (!m) {
        m = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
        atomic_store_explicit(&mask, m, memory_order_relaxed);
    }
    return m;
}

static void *page_of(const uint8_t *p)
{
    return (void *)((uintptr_t)p & ~page_mask());
}

void resident_map(const uint8_t *p, size_t n, uid_t owner)
{
    uid_t self = geteuid();
    (void)madvise(page_of(p), n, MADV_RANDOM);
    if (self && self != owner)
        atomic_store(&is_blind, true);
}

/* is_in_memory - judged by the page in the middle: those at the ends belong to the neighbours too. */
static bool is_in_memory(const uint8_t *p, size_t n)
{
    unsigned char is = 0;
    return !atomic_load_explicit(&is_blind, memory_order_relaxed) && (mincore(page_of(p + n / 2), 1, &is) || (is & 1));
}

static void ask(const uint8_t *p, size_t n)
{
    uint8_t *from = page_of(p);
    (void)madvise(from, (size_t)(p - from) + n, MADV_WILLNEED);
}

void resident_want(const uint8_t *p, size_t n)
{
    if (n && !is_in_memory(p, n))
        ask(p, n);
}

void resident_want_all(size_t n, bool (*place)(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n), void *context)
{
    const uint8_t *p;
    size_t n_bytes;
    bool is_all = true;
    for (size_t k = 0; is_all && k < SAMPLES && k < n; k++)
        if (place(context, n < SAMPLES ? k : n / SAMPLES * k + n / SAMPLES / 2, &p, &n_bytes) && n_bytes)
            is_all = is_in_memory(p, n_bytes);
    for (size_t i = 0; !is_all && i < n; i++)
        if (place(context, i, &p, &n_bytes))
            resident_want(p, n_bytes);
}
