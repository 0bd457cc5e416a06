/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/arena - memory that dies together (a configuration, a request, a parse).
 * Not thread-safe. Never moves what it gave. Limit: @max_bytes in all, then NULL.
 */
#pragma once

#include <stddef.h>

struct arena {
    struct arena_chunk *chunks;
    size_t used_bytes, max_bytes; /* set max_bytes before first use; 0 means 64 MiB */
};

/* arena_fini - everything it gave dies; it may be used again. */
void arena_fini(struct arena *a);
/* arena_alloc - zeroed, aligned to 16; NULL when memory or the limit is out. */
void *arena_alloc(struct arena *a, size_t n);
/* arena_text - a terminated copy of @n bytes; NULL as above. */
char *arena_text(struct arena *a, const char *p, size_t n);
