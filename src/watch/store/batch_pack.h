/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/batch_pack - a whole flow_batch as self-contained bytes, for the journal.
 *
 * Everything is in it: rows, columns, presence, observers, texts, raw addresses.
 * No checksum: the caller's frame has one. The bytes are little-endian and may be
 * hostile when read back (a torn journal): every bound is checked.
 * Limits: no I/O, no global state; reentrant.
 */
#pragma once

#include "watch/flow_batch.h"

struct segment_cell; /* segment_format.h */

/* no batch packs to more; also a bound for the caller's frame */
#define BATCH_PACK_MAX ((size_t)16 << 20)

/*
 * batch_pack - append the packed form of @b to @out (whose max must leave BATCH_PACK_MAX more).
 * Return: 0 or -ENOMEM (@out is as before).
 */
int batch_pack(const struct flow_batch *b, struct buf *out);
/*
 * batch_pack_head - family (4 or 6) and rows of a packed batch, before unpacking it.
 * Return: 0, -EBADMSG or -EPROTO (a newer program wrote it: it has columns that are not known here).
 */
int batch_pack_head(const uint8_t *p, size_t n, int *ret_family, uint32_t *ret_rows);
/*
 * batch_unpack - the packed form back into @out (of the family batch_pack_head tells), which is cleared first.
 * @p, @n: exactly one packed batch. Observers must fit the batch's table, texts FLOW_BATCH_TEXT_MAX.
 * Return: 0, -ENOMEM, -EBADMSG or -EPROTO (as above); @out is cleared when not 0.
 */
int batch_unpack(const uint8_t *p, size_t n, struct flow_batch *out);

/*
 * The second form, of a whole batch that is at once a block of the segment being built: what the segment packs of it
 * stands in the frame as it will stand in the segment's file, and is taken from there when the segment is written. Beside
 * it, packed as above, what the segment cannot hold yet: addresses, and the columns that they tell. No texts.
 */
struct batch_block {
    const struct flow_batch *batch;
    const struct segment_cell *cells; /* by column, presence last; offsets from where the packed columns begin */
    uint64_t late;                    /* columns not among the packed ones */
    const uint32_t *observers;        /* what the packed column holds for each observer of the batch */
};

/* batch_block_begin - room for the head at the end of @out; the caller appends the packed columns. Return: 0 or -ENOMEM. */
int batch_block_begin(const struct flow_batch *b, struct buf *out);
/* batch_block_end - the rest of what began at @from of @out, its packed columns at @packed. Return: 0 or -ENOMEM. */
int batch_block_end(const struct batch_block *x, size_t from, size_t packed, struct buf *out);
