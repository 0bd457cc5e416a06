/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/segment_builder - the inside of a builder; for segment_build.c, segment_index.c and segment_write.c only.
 *
 * A block is packed as soon as it is full. Its addresses are made distinct and sorted within the
 * block, in the cache, and rows keep the rank of their address there, 16 bits. At the end all blocks'
 * sorted addresses are merged window by window: what belongs to a block is touched in order, and the
 * pairs (address, block) are at the same time the postings.
 */
#pragma once

#include "watch/store/pairs.h"
#include "watch/store/segment_build.h"
#include "watch/store/segment_format.h"

#define BLOCK_ADDRESSES_MAX (FLOW_N_ADDRESSES * SEGMENT_BLOCK_ROWS)
/* slots of the table of a block's distinct addresses when all columns are there */
#define TABLE_LARGE ((size_t)1 << 17)
/* a segment whose packed columns pass this is full: texts may be long */
#define PACKED_MAX ((size_t)1 << 30)
#define NO_LOCAL UINT16_MAX /* the row has no address in this column */
_Static_assert(BLOCK_ADDRESSES_MAX < NO_LOCAL, "ranks within a block fit 16 bits");
_Static_assert(FLOW_BATCH_ROWS == SEGMENT_BLOCK_ROWS, "a full batch is a block");

/* what the two ends of a flow say of an address: AS, prefix length, and which of them is known */
#define ATTRIBUTE_AS(v) ((uint64_t)(uint32_t)(v))
#define ATTRIBUTE_MASK(v) ((uint64_t)(uint8_t)(v) << 32)
#define HAS_AS (UINT64_C(1) << 40)
#define HAS_MASK (UINT64_C(1) << 41)

struct exception {
    uint32_t row;
    uint64_t attributes; /* what the row says */
};

struct block {
    uint64_t columns;           /* columns any row of the block has */
    uint64_t by_address;        /* columns kept as attributes of the address */
    uint32_t first_address;     /* of the block's distinct addresses */
    uint32_t n_addresses;
    size_t packed, packed_bytes; /* its columns without addresses, in `packed` */
    size_t exceptions[2], n_exceptions[2]; /* source side, destination side */
    struct segment_cell cells[FLOW_N_COLUMNS + 1]; /* offsets from the block's begin, final when written */
};

struct growing {
    void *p;
    size_t n, capacity; /* in items */
    size_t usual;       /* the first capacity; 0: a small one */
};

/* what the pairs of all blocks become */
struct segment_index {
    uint32_t n_entries;
    size_t capacity;   /* of code_of and attributes */
    uint32_t *code_of; /* parallel to the builder's addresses */
    uint64_t *attributes; /* of every entry, with HAS_AS and HAS_MASK */
    bool has_attributes;
    struct buf heads, groups, body, posting_groups, postings;
};

struct segment_builder {
    int family;
    uint32_t max_rows, n_rows, n_blocks;
    uint64_t columns;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
    struct flow_batch *pending; /* rows of the open block; observers hold numbers of `observers` */
    struct block *blocks;
    struct buf packed;
    uint16_t *locals[FLOW_N_ADDRESSES]; /* per row: rank in the block; NULL while no row has the column */
    struct growing addresses;  /* uint32_t or struct wide: distinct and sorted, block after block */
    struct growing attributes; /* uint64_t parallel to the addresses; may end earlier: zero */
    void *distinct, *spare;    /* pairs of the open block: uint64_t or struct wide_pair, with the number of arrival */
    uint16_t *rank;            /* by number of arrival */
    struct growing exceptions;
    void *scratch;   /* holds what follows */
    uint64_t *table; /* distinct addresses of the open block */
    uint32_t *numbers; /* scratch of one column */
    uint64_t *numbers64;
    struct flow_observer *observers;
    uint32_t n_observers, observers_capacity;
    struct buf texts; /* scratch */
    struct segment_index index;
    struct buf out; /* of the file */
};

/* pages_large - large areas of random access take large pages, where the system gives them. */
void pages_large(void *p, size_t n_bytes);
/* growing_room - room for @n more items of @size. Return: where they go, or NULL. */
void *growing_room(struct growing *g, size_t n, size_t size);

/* segment_builder_close - @x is the next block; @observer: numbers of the builder's table. Return: 0, or -ENOMEM and nothing changed. */
int segment_builder_close(struct segment_builder *b, const struct flow_batch *x, const uint32_t *observer);
/* segment_builder_flush - close the open block. Return: 0 or -ENOMEM. */
int segment_builder_flush(struct segment_builder *b);

/* --- segment_index.c: from addresses of blocks to entries ------------------------------------------ */

/* segment_index_build - fills b->index. Return: 0 or -ENOMEM. */
int segment_index_build(struct segment_builder *b);
void segment_index_clear(struct segment_index *x);
void segment_index_fini(struct segment_index *x);
