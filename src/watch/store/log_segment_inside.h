/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/log_segment_inside - what stands in the file; for log_segment*.c only.
 */
#pragma once

#include "watch/store/log_segment.h"

enum log_section {
    LOG_SECTION_BLOCKS,       /* struct log_block_entry */
    LOG_SECTION_FIELDS,       /* u8 length, name */
    LOG_SECTION_TERM_HEADS,   /* terms.h */
    LOG_SECTION_TERMS,
    LOG_SECTION_ADDRESSES,    /* 16 bytes each, ascending */
    LOG_SECTION_POSTINGS_AT,  /* u32 each: where its list begins */
    LOG_SECTION_POSTINGS,     /* block_list.h */
    N_LOG_SECTIONS
};

struct log_place {
    uint64_t offset, n_bytes; /* inside the index */
};

struct log_segment_header {
    char magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint64_t id;
    uint32_t n_rows, n_blocks, n_addresses, n_fields;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
    uint64_t text_bytes;
    uint64_t n_bytes; /* of the file */
    uint64_t index_offset, index_bytes;
    uint64_t checksums_checksum;
    struct log_place sections[N_LOG_SECTIONS];
    uint64_t checksum; /* of all before */
};
_Static_assert(sizeof(struct log_segment_header) == 112 + N_LOG_SECTIONS * 16 + 8, "stored as it is");

#define LOG_SEGMENT_TAIL_AT 256u
struct log_segment_tail { /* of the header's bytes, since minor 1 */
    struct log_digest rows;
    uint64_t flags;    /* LOG_SEGMENT_IMPORTED */
    uint64_t checksum; /* of both */
};
#define LOG_SEGMENT_IMPORTED UINT64_C(1)
_Static_assert(sizeof(struct log_segment_tail) == 48, "stored as it is");
_Static_assert(sizeof(struct log_segment_header) <= LOG_SEGMENT_TAIL_AT, "one behind the other");

struct log_block_entry {
    uint64_t offset; /* in the file */
    uint32_t n_bytes, first_row, n_rows, reserved;
    uint64_t checksum;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
};
_Static_assert(sizeof(struct log_block_entry) == 64, "stored as it is");
