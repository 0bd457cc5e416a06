/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/log_block_inside - what packing and unpacking of blocks share; for log_block*.c only.
 *
 * Columns, unpacked (varint: LEB128 of at most ten bytes):
 *   columns   varint n, each: varint length, name, u8 type
 *   shapes    varint n, each: varint n values, varint column of each
 *   arrays    shape of every row; time; arrival; length of every original
 *   per column its values in order of the rows: an array of numbers, or
 *     IP       varint n distinct, 16 bytes each, array of codes
 *     KEYWORD  u8 mode: dictionary (varint n, array of lengths, bytes, array of codes), slice (array of places in the
 *              row's original, array of lengths), own text (array of lengths; bytes in the text part), or known slices (a
 *              dictionary: varint n, arrays of rows, of places in their originals, of lengths, of codes)
 * An array: u8 width in bytes, with ARRAY_DELTA; varint base; then per value width bytes of value - base (or of the
 * zigzag difference to the one before).
 */
#pragma once

#include "watch/store/log_block.h"

#include "base/cursor.h"
#include "base/varint.h"
#include "watch/store/log_lines.h"

#include <zstd.h>

enum { MODE_DICTIONARY, MODE_SLICE, MODE_OWN, MODE_SLICES_KNOWN };
enum { ARRAY_DELTA = 0x10, NUMBERS_AT_ONCE = 1024 };
#define MAGIC_1 UINT32_C(0x31424c56) /* "VLB1": the text part begins with the originals as they are */
#define MAGIC UINT32_C(0x32424c56)   /* "VLB2": with log_lines.h */
#define COLUMNS_MAX 65535u
#define PAD 8 /* readable bytes behind every part */

struct column {
    uint16_t field; /* of the batch when packing, of the output's names when unpacking */
    uint8_t type;
    uint32_t n;     /* values */
    uint32_t first; /* in order[] or values[] */
    uint32_t next;
    bool are_known; /* its distinct values stand in known[] */
    uint32_t known, n_known;
};

struct shape {
    uint32_t first, n; /* its columns, in shape_columns */
    uint32_t row;      /* that has it, packing */
};

/* a value as distinct values are told apart by */
struct value_key {
    uint64_t first, last;
    uint32_t n;
};

struct log_scratch {
    struct buf columns, text, packed;
    struct column *column;
    size_t n_columns, columns_capacity;
    struct shape *shape;
    size_t n_shapes, shapes_capacity;
    uint32_t *shape_columns; /* column of each value of each shape */
    size_t n_shape_columns, shape_columns_capacity;
    uint32_t row_shape[LOG_BLOCK_ROWS_MAX];
    uint32_t *order; /* values of the columns one after the other: number in the batch */
    uint16_t *order_row;
    size_t order_capacity, order_row_capacity;
    struct value_key *keys; /* of the distinct values of a column */
    size_t keys_capacity;
    uint32_t *known; /* distinct values of the columns that have dictionaries: number in the batch */
    size_t n_known, known_capacity;
    uint64_t *numbers;
    size_t numbers_capacity;
    uint32_t *table; /* hash table of distinct things */
    size_t table_capacity;
    struct event_value *values; /* unpacking */
    size_t values_capacity;
    uint64_t column_table[1 << 12]; /* key + 1 << 32 | column */
    struct log_lines lines; /* after packing: of the rows packed last */
    bool is_plain;          /* they were kept as they are */
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

/* log_put_array - @n values in the narrower of the two ways. log_get_array - @n values into @out; PAD bytes behind the end can be read. */
void log_put_array(struct buf *b, const uint64_t *v, size_t n);
void log_get_array(struct cursor *c, uint64_t *out, size_t n);

/* log_grow - room for @n items of @size in *@p. Return: 0 or -ENOMEM. */
int log_grow(void *p, size_t *capacity, size_t n, size_t size);

/* what is kept as a number */
static inline bool is_number(uint8_t type)
{
    return type == EVENT_LONG || type == EVENT_ULONG || type == EVENT_REAL || type == EVENT_BOOL || type == EVENT_DATE;
}

/* signed numbers are kept so that their order is that of unsigned ones */
static inline uint64_t sign_of(uint8_t type)
{
    return type == EVENT_LONG || type == EVENT_DATE ? UINT64_C(1) << 63 : 0;
}
