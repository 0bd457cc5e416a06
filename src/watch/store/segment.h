/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/segment - reading one immutable segment.
 *
 * Rows stand in blocks of SEGMENT_BLOCK_ROWS (the last may be shorter); columns are
 * packed per block in mini-blocks of SEGMENT_MINI_ROWS values with random access.
 * Addresses are codes 0..n_entries-1 into one sorted dictionary of the segment, shared by
 * all address columns: code order is address order, so a prefix is an interval of codes.
 * Postings name, per code, the blocks in which it occurs as source or destination (or as any address).
 *
 * A segment of family 6 may hold IPv4 addresses in mapped form; use struct ip there.
 * Thread-safe for reading. Decoding functions return 0, or -EBADMSG when a checksum or a bound fails:
 * the caller reports the segment as damaged and goes on.
 */
#pragma once

#include "watch/flow_batch.h"

#define SEGMENT_ROWS (1u << 22)
#define SEGMENT_BLOCK_ROWS 8192u
#define SEGMENT_MINI_ROWS 1024u
#define SEGMENT_COLUMN_PRESENT FLOW_N_COLUMNS /* segment_bounds only: the FLOW_HAS bits of rows */

struct segment;

struct segment_info {
    uint64_t id;
    int family; /* 4 or 6 */
    uint32_t n_rows, n_blocks, n_entries;
    uint64_t columns;                    /* FLOW_HAS bits of columns any row has */
    int64_t event_min_us, event_max_us;  /* least start, greatest end of all rows */
    int64_t arrived_min_us, arrived_max_us;
    uint64_t n_bytes;
    bool is_unsealed; /* rows of a journal, indexed in memory for this view */
};

/* segment_info - what its header says; lives as long as @s. */
const struct segment_info *segment_info(const struct segment *s);

/* observers: FLOW_OBSERVER numbers index this table */
uint32_t segment_n_observers(const struct segment *s);
const struct flow_observer *segment_observer(const struct segment *s, uint32_t i);

/* rows in block @b: SEGMENT_BLOCK_ROWS but for the last */
uint32_t segment_block_rows(const struct segment *s, uint32_t b);

/* what the directory knows of a column in a block, without reading it (addresses: as codes) */
struct segment_bounds {
    bool is_absent;   /* no row of the block has it: every value reads as zero (addresses: n_entries) */
    bool is_constant; /* every row holds `min` */
    uint64_t min, max; /* for signed columns: int64_t cast to uint64_t, ordered as signed */
};
void segment_bounds(const struct segment *s, uint32_t block, unsigned column, struct segment_bounds *ret);

/*
 * segment_read - decode a whole column of a block.
 * @column: 0..FLOW_COLUMN_TEXT-1; address columns give codes; a row without that address gives n_entries
 *          (no code: an array by code that takes every row needs n_entries + 1 places). Other columns give 0.
 * @out: room for SEGMENT_BLOCK_ROWS values. read32 serves columns of width <= 4 and codes; read64 all.
 */
int segment_read32(const struct segment *s, uint32_t block, unsigned column, uint32_t *out);
int segment_read64(const struct segment *s, uint32_t block, unsigned column, uint64_t *out);
/* segment_read_narrow - a column of width 8, unsigned, whose bounds in this block fit 32 bits; -ERANGE if they do not. */
int segment_read_narrow(const struct segment *s, uint32_t block, unsigned column, uint32_t *out);
/* segment_get - one value by random access, for a row of a hunt. */
int segment_get(const struct segment *s, uint32_t block, unsigned column, uint32_t row, uint64_t *ret);
/*
 * segment_copies_get - the same for one value among a few of a block: the column's bytes are copied and checked once for
 * all of them. Zero-initialise before first use; of one thread.
 */
struct segment_copies {
    const struct segment *segment;
    struct segment_copy {
        uint8_t *p;
        uint32_t n_bytes, block;
        unsigned kind;
        bool is_made;
    } of[FLOW_COLUMN_TEXT];
};
int segment_copies_get(struct segment_copies *c, const struct segment *s, uint32_t block, unsigned column, uint32_t row,
                       uint64_t *ret);
void segment_copies_fini(struct segment_copies *c);
/*
 * segment_mark_codes - which rows of the block have one of @codes (at most SEGMENT_CODES, in any order) in address
 * column @column: one bit a row in @bits, of which there are SEGMENT_BLOCK_ROWS. Quicker than reading the column.
 */
#define SEGMENT_CODES 32u
int segment_mark_codes(const struct segment *s, uint32_t block, unsigned column, const uint32_t *codes, uint32_t n_codes,
                       uint64_t *bits);
/* segment_present - FLOW_HAS bits of every row of the block. */
int segment_present(const struct segment *s, uint32_t block, uint64_t *out);
/* segment_present_get - of one row. */
int segment_present_get(const struct segment *s, uint32_t block, uint32_t row, uint64_t *ret);

/* texts of a block: a reader that inflates once; rows by index inside the block */
struct segment_texts;
int segment_texts_open(const struct segment *s, uint32_t block, struct segment_texts **ret);
struct text segment_texts_get(const struct segment_texts *t, uint32_t row);
void segment_texts_close(struct segment_texts *t);

/* segment_flow - the whole row as a struct flow (texts borrowed from @t, which may be NULL: then none). */
int segment_flow(const struct segment *s, uint32_t block, uint32_t row, const struct segment_texts *t,
                 struct flow *ret);

/* --- dictionary ------------------------------------------------------------ */

/* segment_address - the address of a code. */
struct ip segment_address(const struct segment *s, uint32_t code);
/* segment_lower_bound - the first code whose address is >= @a; n_entries if none. IPv4 in either family. */
uint32_t segment_lower_bound(const struct segment *s, const struct ip *a);
/* segment_find - the code of @a. Return: true if present. */
bool segment_find(const struct segment *s, const struct ip *a, uint32_t *ret_code);
/* segment_look_up - the same where damage matters. Return: 0, SEGMENT_NO_ENTRY or -EBADMSG. */
#define SEGMENT_NO_ENTRY 1
int segment_look_up(const struct segment *s, const struct ip *a, uint32_t *ret_code);
/* segment_address_of - as segment_address where damage matters. Return: 0 or -EBADMSG. */
int segment_address_of(const struct segment *s, uint32_t code, struct ip *ret);
/*
 * segment_decode_entries - addresses of codes [from, from + n) in family 4, host order (fast, for top and joins).
 */
int segment_decode_entries4(const struct segment *s, uint32_t from, uint32_t n, uint32_t *out);

/*
 * segment_want_addresses, _postings, _columns - look-ups of addresses, postings of codes, and columns of blocks are about
 * to be read, all of them: what is not in memory is asked of the disk at once. @codes: ascending.
 */
void segment_want_addresses(const struct segment *s, const struct ip *a, size_t n);
void segment_want_postings(const struct segment *s, const uint32_t *codes, size_t n);
void segment_want_columns(const struct segment *s, const uint32_t *blocks, size_t n_blocks, const unsigned *columns, size_t n_columns);

/* segment_is_resident - as far as a few samples tell, what finds addresses and their rows in it is in memory. */
bool segment_is_resident(const struct segment *s);

/* segment_postings - blocks in which any of @codes occurs, into a bitmap of n_blocks bits (cleared first). */
int segment_postings(const struct segment *s, const uint32_t *codes, size_t n_codes, uint64_t *bitmap);
/* segment_postings_range - the same for codes [from, to). */
int segment_postings_range(const struct segment *s, uint32_t from, uint32_t to, uint64_t *bitmap);
