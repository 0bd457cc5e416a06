/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, capacity;
    _Alignas(16) unsigned char bytes[];
};

void arena_fini(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
    a->used_bytes = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t max = a->max_bytes ? a->max_bytes : (size_t)64 << 20;
    if (n > max)
        return NULL;
    if (n > SIZE_MAX - 15)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    if (n > max - a->used_bytes)
        return NULL;
    struct arena_chunk *c = a->chunks;
    if (!c || c->capacity - c->used < n) {
        size_t capacity = n > 16000 ? n : 16000;
        size_t total;
        c = __builtin_add_overflow(sizeof(*c), capacity, &total) ? NULL : malloc(total);
        if (!c)
            return NULL;
        c->used = 0;
        c->capacity = capacity;
        c->next = a->chunks;
        a->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += n;
    a->used_bytes += n;
    memset(p, 0, n);
    return p;
}

char *arena_text(struct arena *a, const char *p, size_t n)
{
    char *t = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
    if (t)
        memcpy(t, p, n);
    return t;
}
