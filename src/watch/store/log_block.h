/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/log_block - rows of log events as self-contained bytes: a frame of a journal, a block of a segment.
 *
 * Two zstd frames behind a head: the columns (field names, shapes, numbers, times, dictionaries) and the texts (the
 * originals as templates and variables, see log_lines.h, then what stands in no original). A row's shape is its list of
 * (field, type), so no row says twice what it lacks. A text that is part of its original is kept as place and length.
 *
 *   In   rows [from, from + n) of a batch, n <= LOG_BLOCK_ROWS_MAX
 *   Out  bytes without checksum (the caller's frame has one), little-endian; back into a batch, field numbers by name
 *   Limits  the bytes may be hostile when read back: every bound is checked, nothing is believed that was not counted.
 *        LOG_BLOCK_BYTES_MAX unpacked. No I/O; the scratch belongs to one thread.
 */
#pragma once

#include "base/buf.h"
#include "format/event.h"

#define LOG_BLOCK_ROWS_MAX EVENTS_ROWS
#define LOG_BLOCK_BYTES_MAX ((size_t)256 << 20) /* of either part, unpacked */

/* memory that packing and unpacking reuse; zero-initialise */
struct log_scratch;
struct log_scratch *log_scratch_new(void);
void log_scratch_free(struct log_scratch *s);

/*
 * log_block_pack - append the rows to @out. @level: of zstd.
 * Return: 0, or -ENOMEM (also when @out reaches its max; @out is as before).
 */
int log_block_pack(struct log_scratch *s, const struct events *e, uint32_t from, uint32_t n, int level, struct buf *out);

/*
 * log_block_words - all words of the originals of rows [from, from + n), which @s has packed last, as terms of @block.
 * Return: 0 or -ENOMEM.
 */
struct terms_builder;
int log_block_words(const struct log_scratch *s, const struct events *e, uint32_t from, uint32_t n, struct terms_builder *terms,
                    uint32_t block);

/* one field of the rows packed last */
struct log_block_column {
    uint16_t field;
    uint8_t type;
    uint32_t n;
    const uint32_t *values; /* numbers in the batch */
    const uint16_t *rows;   /* of each value, from the first; NULL: each distinct value once, of any row */
};
/* log_block_column - the @i-th column of what @s has packed last; borrowed until it packs again. Return: false: no more. */
bool log_block_column(const struct log_scratch *s, size_t i, struct log_block_column *ret);

struct log_block_head {
    uint32_t n_rows;
    uint32_t columns_bytes, text_bytes;                   /* packed */
    uint64_t columns_unpacked_bytes, text_unpacked_bytes;
};
#define LOG_BLOCK_HEAD_BYTES 32u
/* log_block_head - Return: 0 or -EBADMSG; then @p holds exactly one block of @n bytes. */
int log_block_head(const uint8_t *p, size_t n, struct log_block_head *ret);
/* log_block_size - bytes of the block that begins at @p, of which @n can be read; 0: none does. */
size_t log_block_size(const uint8_t *p, size_t n);
/*
 * log_block_unpack - the rows appended to @out, whose names give the field numbers.
 * Return: 0, 1 (LOG_BLOCK_NO_ROOM: @out holds rows already and these do not fit), -EBADMSG (malformed), -ENOMEM;
 * @out is as before when not 0.
 */
#define LOG_BLOCK_NO_ROOM 1
int log_block_unpack(struct log_scratch *s, const uint8_t *p, size_t n, struct events *out);
