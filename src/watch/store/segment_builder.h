/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/segment_builder - the inside of a builder; for segment_build.c, segment_block.c, segment_index.c and
 * segment_write.c only.
 *
 * A block is packed as soon as it is full; its addresses wait as records (block_records) for the end. Then the index
 * is made, one part of the addresses after the other, and records hold codes.
 */
#pragma once

#include "watch/store/block_records.h"
#include "watch/store/page_writer.h"
#include "watch/store/segment_build.h"
#include "watch/store/segment_format.h"

#define BLOCK_ADDRESSES_MAX PLACES_MAX
/* a segment whose packed columns pass this is full: texts may be long */
#define PACKED_MAX ((size_t)1 << 30)
_Static_assert(FLOW_BATCH_ROWS == SEGMENT_BLOCK_ROWS, "a full batch is a block");

struct block {
    uint64_t columns;            /* columns any row of the block has */
    uint64_t by_address;         /* columns kept with the address */
    uint8_t *packed; /* its other columns, from block_memory; NULL: at packed_at of the journal */
    uint64_t packed_at;
    size_t packed_bytes;
    struct block_places places;
    struct segment_cell cells[FLOW_N_COLUMNS + 1]; /* offsets from the block's begin, final when written */
};

/* what the distinct addresses become */
struct segment_index {
    uint32_t n_entries;
    uint32_t *as; /* by code */
    uint8_t *masks;
    size_t capacity; /* of both */
    struct buf heads, groups, body, posting_groups, postings;
};

/* what only the thread that writes a segment needs: kept for the next one, whichever builder it comes from */
struct segment_finish {
    struct segment_index index;
    struct page_writer body; /* of the file: its blocks */
    struct buf out;          /* the rest of it */
};

struct segment_builder {
    int family;
    uint32_t max_rows, n_rows, n_blocks;
    uint64_t columns;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
    struct flow_batch *pending; /* rows of the open block; observers hold numbers of `observers` */
    struct block *blocks;
    struct block_memory memory;
    struct buf packed;   /* scratch: of the block being packed */
    struct buf *to;      /* where the block being packed goes, from `to_begin` on */
    size_t to_begin;
    struct {             /* what segment_builder_pack made and nobody has taken yet */
        bool is;
        uint64_t common; /* what all rows have */
        uint32_t n_observers; /* before it */
    } waiting;
    int journal_fd;      /* holds blocks without memory of their own; borrowed */
    size_t packed_bytes; /* of all blocks */
    struct block_records records;
    void *scratch;     /* holds what follows */
    uint32_t *numbers; /* of one column; codes by place */
    uint64_t *numbers64;
    struct flow_observer *observers;
    uint32_t n_observers, observers_capacity;
    struct buf texts; /* scratch */
    struct segment_finish *finish; /* only while it is written */
};

/* segment_builder_forget - what was packed and not taken. */
void segment_builder_forget(struct segment_builder *b);
/*
 * segment_builder_map - where every row has an observer: numbers of the builder's table for the batch's, of which there are few.
 * @mapped: room for FEW_OBSERVERS; @out: the rows' numbers. Return: false when it cannot be so.
 */
enum { FEW_OBSERVERS = 64 };
bool segment_builder_map(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t n, uint32_t *mapped,
                         uint32_t *out);
/* segment_builder_close - @x is the next block; @observer: numbers of the builder's table. Return: 0, or -ENOMEM and nothing changed. */
int segment_builder_close(struct segment_builder *b, const struct flow_batch *x, const uint32_t *observer);
/* segment_builder_give - the memory of block @k back: it has been written. */
void segment_builder_give(struct segment_builder *b, uint32_t k);
/* segment_builder_flush - close what is pending as the last block. Return: 0 or -ENOMEM. */
int segment_builder_flush(struct segment_builder *b);
/* segment_index_build - entries, codes, postings and attributes of all blocks. Return: 0 or -ENOMEM. */
int segment_index_build(struct segment_builder *b);
/* segment_finish_take - b->finish, empty. Return: 0 or -ENOMEM. segment_finish_give - back, if there is one. */
int segment_finish_take(struct segment_builder *b);
void segment_finish_give(struct segment_builder *b);
/* segment_index_clear - empty, the memory stays. */
void segment_index_clear(struct segment_index *x);
void segment_index_fini(struct segment_index *x);
