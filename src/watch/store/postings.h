/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/postings - for every dictionary entry the blocks in which it occurs.
 *
 * Groups of POSTINGS_GROUP entries: a nibble of count per entry, the block numbers of the short
 * ones side by side, then the long ones as lists or bitmaps. A table of u64 offsets finds a group.
 */
#pragma once

#include "base/buf.h"
#include "watch/store/sealed.h"

#define POSTINGS_GROUP 256u
#define POSTINGS_BLOCKS_MAX 65535u

struct postings {
    uint64_t n; /* entries */
    uint32_t n_blocks;
    const struct sealed *area;
    size_t groups, body, n_body; /* offsets inside the area; bytes of the body */
};

/* postings_check - the whole part lies inside its area. Return: 0 or -EBADMSG. */
int postings_check(const struct postings *p);
/* postings_mark - set the bits of entry @i's blocks in @bitmap (n_blocks bits). */
int postings_mark(const struct postings *p, uint64_t i, uint64_t *bitmap);
/* postings_mark_all - the same for entries [from, to). */
int postings_mark_all(const struct postings *p, uint64_t from, uint64_t to, uint64_t *bitmap);

/* postings_place - where the bytes lie that entry @i is yet to be read from; false if there are none. */
bool postings_place(const struct postings *p, uint64_t i, const uint8_t **ret_p, size_t *ret_n);

/* postings_want_table - what finds the entries from @first to @last is about to be read. */
void postings_want_table(const struct postings *p, uint64_t first, uint64_t last);

/* for the writer: entries in order, each with its blocks ascending, then end */
struct postings_writer {
    struct buf *groups, *body;
    uint32_t n_blocks, n; /* entries in the open group */
    uint32_t n_slots, n_long;
    uint8_t counts[POSTINGS_GROUP]; /* nibbles */
    uint64_t slots[POSTINGS_GROUP * 14]; /* block numbers, or offset | POSTINGS_LONG */
    struct buf longs;
};

void postings_writer_init(struct postings_writer *w, uint32_t n_blocks, struct buf *groups, struct buf *body);
void postings_add(struct postings_writer *w, const uint16_t *blocks, uint32_t n);
/*
 * postings_add_group - POSTINGS_GROUP entries at once (fewer: the last ones); @counts: blocks of each, at least one;
 * @blocks: those of all entries one behind the other. Not to be mixed with postings_add. Return: blocks taken.
 */
size_t postings_add_group(struct postings_writer *w, const uint16_t *counts, uint32_t n, const uint16_t *blocks);
/* postings_end - close the last group; Return: 0 or -ENOMEM. */
int postings_end(struct postings_writer *w);
