/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces are aligned to their size and begin with a count of what was taken of them; the builder whose open piece it is
 * counts too. What needs more than a piece gets one of its own, longer.
 */
#include "watch/store/block_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SLAB_BYTES = 2 << 20, HEAD_BYTES = 64, ALIGN = 64, KEPT_MAX = 128 };

struct slab {
    struct slab *next; /* among the kept */
    _Atomic size_t n_users;
    bool is_long;
};
_Static_assert(sizeof(struct slab) <= HEAD_BYTES, "the head has its place");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slab *kept;
static unsigned n_kept;

void *memory_large(size_t n_bytes)
{
    size_t align = n_bytes >= SLAB_BYTES ? SLAB_BYTES : ALIGN;
    if (__builtin_add_overflow(n_bytes, align - 1, &n_bytes))
        return NULL;
    n_bytes = n_bytes / align * align;
    void *p = aligned_alloc(align, n_bytes ? n_bytes : align);
    if (p && align == SLAB_BYTES)
        (void)madvise(p, n_bytes, MADV_HUGEPAGE); /* a hint: nothing depends on it */
    return p;
}

static struct slab *take_slab(void)
{
    pthread_mutex_lock(&lock);
    struct slab *s = kept;
    if (s) {
        kept = s->next;
        n_kept--;
    }
    pthread_mutex_unlock(&lock);
    return s ? s : memory_large(SLAB_BYTES);
}

/* leave - one user less; the last gives it to the others, or to the system. */
static void leave(struct slab *s)
{
    if (--s->n_users)
        return;
    bool is_kept = false;
    pthread_mutex_lock(&lock);
    if (!s->is_long && n_kept < KEPT_MAX) {
        s->next = kept;
        kept = s;
        n_kept++;
        is_kept = true;
    }
    pthread_mutex_unlock(&lock);
    if (!is_kept)
        free(s);
}

static void *take_long(size_t n)
{
    size_t whole;
    struct slab *s = __builtin_add_overflow(n, (size_t)HEAD_BYTES + SLAB_BYTES, &whole) ? NULL : memory_large(whole);
    if (!s)
        return NULL;
    *s = (struct slab){.n_users = 1, .is_long = true};
    return (uint8_t *)s + HEAD_BYTES;
}

void *block_memory_take(struct block_memory *m, size_t n)
{
    n = n ? n : 1;
    if (n > SLAB_BYTES - HEAD_BYTES)
        return take_long(n);
    if (!m->slab || n > SLAB_BYTES - m->used) {
        struct slab *s = take_slab();
        if (!s)
            return NULL;
        *s = (struct slab){.n_users = 1};
        block_memory_fini(m);
        m->slab = s;
        m->used = HEAD_BYTES;
    }
    void *p = (uint8_t *)m->slab + m->used;
    m->used += (n + ALIGN - 1) / ALIGN * ALIGN;
    m->used = m->used < SLAB_BYTES ? m->used : SLAB_BYTES;
    m->slab->n_users++;
    return p;
}

void block_memory_give(void *p)
{
    if (p)
        leave((struct slab *)((uintptr_t)p / SLAB_BYTES * SLAB_BYTES));
}

void block_memory_fini(struct block_memory *m)
{
    if (m->slab)
        leave(m->slab);
    *m = (struct block_memory){0};
}

void block_memory_trim(void)
{
    pthread_mutex_lock(&lock);
    struct slab *s = kept;
    kept = NULL;
    n_kept = 0;
    pthread_mutex_unlock(&lock);
    while (s) {
        struct slab *next = s->next;
        free(s);
        s = next;
    }
}
