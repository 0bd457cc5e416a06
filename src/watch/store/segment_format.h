/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/segment_format - what stands in a segment file; for segment*.c, and for compaction to tell old files.
 *
 *   header       SEGMENT_HEADER_BYTES, zero-padded, with its own checksum
 *   blocks       per block the columns' bytes, one behind the other
 *   index        the sections below, each aligned to 8, under checksums by page (sealed.h; version 1: by larger pieces);
 *                begins with a page of the file
 *   checksums    of the index; their own checksum stands in the header
 * All little-endian; the byte-order mark proves it. Sections lie in any order; what every reader needs at once (the
 * observers) is written last, beside the checksums.
 */
#pragma once

#include "watch/store/segment.h"

#define SEGMENT_MAGIC "VGSEGMNT"
#define SEGMENT_MAJOR 2u
#define SEGMENT_MINOR 0u
#define SEGMENT_BYTE_ORDER UINT32_C(0x01020304)
#define SEGMENT_HEADER_BYTES 512u
#define SEGMENT_BLOCKS_MAX (SEGMENT_ROWS / SEGMENT_BLOCK_ROWS)
#define SEGMENT_OBSERVERS_MAX 65536u

enum segment_section {
    SECTION_DIRECTORY, /* struct segment_cell, column by column in order of ids, each n_blocks long */
    SECTION_OBSERVERS, /* 16 bytes of address, domain u32 */
    SECTION_HEADS,     /* dictionary.h */
    SECTION_GROUPS,
    SECTION_BODY,
    SECTION_POSTING_GROUPS, /* postings.h */
    SECTION_POSTINGS,
    SECTION_AS,   /* packed array: AS number of every entry; empty if no block refers to it */
    SECTION_MASK, /* the same of prefix lengths */
    N_SECTIONS
};

struct segment_place {
    uint64_t offset, n_bytes; /* inside the index */
};

struct segment_header {
    char magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint64_t id;
    uint32_t family, n_rows, n_blocks, n_entries;
    uint32_t n_observers, n_columns; /* n_columns: columns in the directory */
    uint64_t columns;                /* bits by id (format/flow.h); presence is one more in the directory, the last */
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
    uint64_t n_bytes; /* of the file */
    uint64_t index_offset, index_bytes;
    uint64_t checksums_checksum;
    struct segment_place sections[N_SECTIONS];
    uint64_t checksum; /* XXH3 of all before */
};
_Static_assert(sizeof(struct segment_header) == 120 + N_SECTIONS * 16 + 8, "stored as it is");
_Static_assert(sizeof(struct segment_header) <= SEGMENT_HEADER_BYTES, "fits its page");

/* how the bytes of a column in a block are to be read */
enum segment_kind {
    KIND_CONSTANT,    /* no bytes: every row holds `min` */
    KIND_ABSENT,      /* no row of the block has it */
    KIND_PLAIN,       /* a packed array */
    KIND_SINCE_START, /* event.end: packed differences to event.start */
    KIND_BY_ADDRESS,  /* what SECTION_AS or SECTION_MASK says of the row's address; bytes: struct exceptions */
    KIND_TEXTS,       /* raw bytes u32, then zstd of: ends u32 per row, texts */
    N_KINDS
};

struct segment_cell {
    uint64_t offset_and_kind; /* offset in the file; kind in the top byte */
    uint32_t n_bytes;
    uint32_t checksum; /* low half of the XXH3 of the bytes */
    uint64_t min, max; /* as read64 gives; signed columns ordered as signed; addresses: codes */
};
_Static_assert(sizeof(struct segment_cell) == 32, "stored as it is");

/* KIND_BY_ADDRESS: n u32, then n rows u16, then n values u32 */
#define EXCEPTION_BYTES 6u

/* the pseudo-column of presence masks */
#define SEGMENT_PRESENCE FLOW_N_COLUMNS

static inline bool segment_is_signed(unsigned column)
{
    return column < FLOW_N_COLUMNS && flow_columns[column].is_signed;
}

/* signed values are packed with the sign bit turned, so that their order is that of unsigned numbers */
static inline uint64_t segment_sign(unsigned column)
{
    return segment_is_signed(column) ? UINT64_C(1) << 63 : 0;
}

/* segment_by_address - the address column whose entry determines @column, or -1. */
static inline int segment_by_address(unsigned column)
{
    switch (column) {
    case FLOW_COLUMN_NUMBER(FLOW_SOURCE_AS):
    case FLOW_COLUMN_NUMBER(FLOW_SOURCE_MASK): return FLOW_SOURCE_IP;
    case FLOW_COLUMN_NUMBER(FLOW_DESTINATION_AS):
    case FLOW_COLUMN_NUMBER(FLOW_DESTINATION_MASK): return FLOW_DESTINATION_IP;
    default: return -1;
    }
}

static inline enum segment_section segment_attribute(unsigned column)
{
    return column == FLOW_COLUMN_NUMBER(FLOW_SOURCE_AS) || column == FLOW_COLUMN_NUMBER(FLOW_DESTINATION_AS)
               ? SECTION_AS
               : SECTION_MASK;
}
