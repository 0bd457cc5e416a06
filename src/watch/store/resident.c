/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel tells only the owner of a file what of it is in memory; others are told "all", and therefore always ask.
 */
#include "watch/store/resident.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SAMPLES = 4 };
/* One request brings no more than the kernel's read-ahead of the device, and 128 KiB is what it is where nobody set it. */
#define PORTION_BYTES ((size_t)128 << 10)

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

bool resident_is(const uint8_t *p, size_t n)
{
    size_t part = n / SAMPLES;
    bool is = true;
    for (size_t k = 0; is && k < SAMPLES; k++)
        is = is_in_memory(p + k * part, k + 1 < SAMPLES ? part : n - k * part);
    return is;
}

void resident_ask(const uint8_t *p, size_t n)
{
    uint8_t *from = page_of(p);
    size_t left = (size_t)(p - from) + n;
    while (left) {
        size_t portion = left < PORTION_BYTES ? left : PORTION_BYTES;
        (void)madvise(from, portion, MADV_WILLNEED);
        from += portion;
        left -= portion;
    }
}

void resident_want(const uint8_t *p, size_t n)
{
    if (n && !is_in_memory(p, n))
        resident_ask(p, n);
}

/* one stretch of pages, growing as long as what is wanted next lies beside it */
struct stretch {
    const uint8_t *from, *to;
};

static void ask_stretch(struct stretch *x, const uint8_t *p, size_t n)
{
    const uint8_t *from = page_of(p);
    if (x->to >= from && x->from <= from) {
        x->to = p + n > x->to ? p + n : x->to;
        return;
    }
    if (x->to > x->from)
        resident_ask(x->from, (size_t)(x->to - x->from));
    *x = (struct stretch){from, p + n};
}

void resident_want_all(size_t n, bool (*place)(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n), void *context)
{
    const uint8_t *p;
    size_t n_bytes;
    bool is_all = true;
    for (size_t k = 0; is_all && k < SAMPLES && k < n; k++)
        if (place(context, n < SAMPLES ? k : n / SAMPLES * k + n / SAMPLES / 2, &p, &n_bytes) && n_bytes)
            is_all = is_in_memory(p, n_bytes);
    if (is_all)
        return;
    struct stretch open = {NULL, NULL};
    for (size_t i = 0; i < n; i++)
        if (place(context, i, &p, &n_bytes) && n_bytes && !is_in_memory(p, n_bytes))
            ask_stretch(&open, p, n_bytes);
    if (open.to > open.from)
        resident_ask(open.from, (size_t)(open.to - open.from));
}
