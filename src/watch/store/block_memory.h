/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/block_memory - memory of a segment's blocks, from large pieces all builders share.
 *
 * Memory the system has just given must be cleared first, which costs more than the work done in it. So a block that has
 * been written gives its memory back at once, and the next segment, which is being filled meanwhile, goes on in it.
 * Taking and giving is for one thread at a time per struct; the pieces kept for all are under a lock.
 */
#pragma once

#include <stddef.h>

/* a builder's open piece; zero-initialise */
struct block_memory {
    struct slab *slab;
    size_t used;
};

/* memory_large - as aligned_alloc, with large pages where the system gives them and @n_bytes fills any. */
void *memory_large(size_t n_bytes);

/* block_memory_take - @n bytes aligned to 64, or NULL. block_memory_give - back; NULL is nothing. */
void *block_memory_take(struct block_memory *m, size_t n);
void block_memory_give(void *p);
/* block_memory_fini - leave the open piece; what was taken of it stays until given back. */
void block_memory_fini(struct block_memory *m);
/* block_memory_trim - free the pieces kept for later. */
void block_memory_trim(void);
