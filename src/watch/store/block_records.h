/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/block_records - the addresses of a block's rows, apart from the other columns, in the order the index
 * is made in.
 *
 * Every source and destination of a row becomes a record: the address, its place in the block, and the AS number and
 * prefix length the row says of it. The records of a block stand together, sorted into PARTS parts by ranges of the
 * address, and the index is made part by part: what is touched at random then stays in the cache, however
 * many addresses a segment has. The other address columns (next hops, NAT) are made distinct within the block first; only
 * the distinct ones are records, and a row keeps the number of its own.
 *
 * The ranges are chosen by the first block; whatever comes later only makes parts unequal.
 */
#pragma once

#include "watch/flow_batch.h"
#include "watch/store/block_memory.h"
#include "watch/store/dictionary.h"

#include <stddef.h>

/* parts of the addresses, and one more for places without an address */
#define PARTS 250u
#define PART_NONE PARTS
#define N_PARTS (PARTS + 1)

/* places: of rows as source, as destination, then of the distinct addresses of the other columns */
#define PLACES_ROWS (2 * FLOW_BATCH_ROWS)
#define PLACES_MAX (FLOW_N_ADDRESSES * FLOW_BATCH_ROWS)
#define NO_LOCAL UINT16_MAX /* the row has no address in this column */
_Static_assert(PLACES_MAX < NO_LOCAL, "places fit 16 bits");

enum record_flags { RECORD_AS_DIFFERS = 1, RECORD_MASK_DIFFERS = 2 }; /* from what the address's entry says */

struct record4 {
    uint32_t key; /* the address; then the number in its part, then the code */
    uint32_t as;
    uint16_t place;
    uint8_t mask, flags;
};

_Static_assert(offsetof(struct record4, place) == 8 && offsetof(struct record4, mask) == 10, "written as two words");

struct record6 {
    struct wide key; /* number and code: in `low` */
    uint32_t as;
    uint16_t place;
    uint8_t mask, flags;
};

/* the records of one block: those of part k end at end[k] */
struct block_places {
    void *records; /* struct record4 or record6, from block_memory */
    uint16_t end[N_PARTS];
};

struct block_records {
    int family;
    bool has_ranges;
    uint64_t base;  /* family 6: what is taken from the upper half before shifting */
    unsigned shift; /* of the upper half, or of an address of family 4, to 16 bits */
    uint8_t *part_of; /* by these 16 bits */
    uint16_t *locals[FLOW_N_ADDRESSES]; /* columns after the destination, by row of the segment: place - PLACES_ROWS */
    uint32_t max_rows;
    uint64_t *table; /* scratch: distinct addresses of the block */
    void *distinct;  /* scratch: uint32_t or struct wide */
    uint8_t *parts;  /* scratch: by place */
};

static inline size_t record_bytes(int family)
{
    return family == 4 ? sizeof(struct record4) : sizeof(struct record6);
}

/* block_records_init - without memory. block_records_clear - as new, but for its memory. */
void block_records_init(struct block_records *r, int family, uint32_t max_rows);
void block_records_clear(struct block_records *r);
void block_records_fini(struct block_records *r);
/*
 * block_records_add - the records of @x, which is block @block.
 * @common: what all rows have. @ret: its records are the caller's to give back.
 * Return: 0, or -ENOMEM and nothing changed.
 */
int block_records_add(struct block_records *r, const struct flow_batch *x, uint32_t block, uint64_t common,
                      struct block_memory *m, struct block_places *ret);
