/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/segment_inside - an open segment; for segment*.c and merged.c only.
 */
#pragma once

#include "watch/store/dictionary.h"
#include "watch/store/pack.h"
#include "watch/store/postings.h"
#include "watch/store/segment_build.h"
#include "watch/store/segment_format.h"

struct segment {
    struct segment_info info;
    const uint8_t *p; /* the mapped file */
    int fd;           /* of the same, or -1: the process keeps no more than a part of its descriptors for this */
    struct segment_header header;
    struct sealed index;
    struct dictionary dictionary;
    struct postings postings;
    int8_t cell_of[FLOW_N_COLUMNS + 1]; /* the column's place in the directory, or -1 */
    _Atomic uint64_t *is_checked;       /* a bit per cell: its bytes were found whole */
    struct flow_observer *observers;
    /* made on first need by whole-column readers, freed by segment_trim */
    uint32_t *_Atomic as, *_Atomic masks, *_Atomic v4;
    struct ip *_Atomic v6;
};

/* a cell whose bytes lie in the file and agree with their checksum */
struct segment_column {
    enum segment_kind kind;
    const uint8_t *p;
    uint32_t n_bytes;
    uint64_t min, max;
};

/* segment_column - @column: 0..FLOW_N_COLUMNS (the last is presence). Return: 0 or -EBADMSG. */
int segment_column(const struct segment *s, uint32_t block, unsigned column, struct segment_column *ret);
/* segment_column_place - where it lies; nothing of it is read or checked. Return: 0 or -EBADMSG. */
int segment_column_place(const struct segment *s, uint32_t block, unsigned column, struct segment_column *ret);
/*
 * segment_column_read - the same for who uses the bytes once: they may be copied to @scratch, which has room for
 * SEGMENT_CELL_BYTES. Mapping a few pages here and there in and out again costs more than copying them.
 */
#define SEGMENT_CELL_BYTES PACK_ARRAY_MAX_BYTES(SEGMENT_BLOCK_ROWS)
int segment_column_read(const struct segment *s, uint32_t block, unsigned column, uint8_t *scratch, struct segment_column *ret);
/* segment_codes_to_addresses - all addresses of the dictionary by code, kept until segment_trim. NULL if damaged or no memory. */
const uint32_t *segment_all4(struct segment *s);
const struct ip *segment_all6(struct segment *s);
