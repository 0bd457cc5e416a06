/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/segment_build - rows become a segment: columns packed as blocks fill, then the
 * dictionary, codes and postings when it is closed.
 *
 * Memory: the packed numbers (about 14 bytes a row; none where the journal holds them) and a record of 12 bytes (family 6:
 * 24) for the source and the destination of every row, until the block is written; then the next segment has it. While
 * the index is made, a few megabytes and 5 bytes an entry.
 */
#pragma once

#include "base/fault.h"
#include "watch/address_set.h"
#include "watch/store/segment.h"

#define SEGMENT_FULL 1

struct segment_builder;

/* segment_builder_new - @max_rows: 1..SEGMENT_ROWS. Return: NULL when memory is out. */
struct segment_builder *segment_builder_new(int family, uint32_t max_rows);
/* segment_builder_free - builders of SEGMENT_ROWS may be kept as spares for segment_builder_new, at most two in a process. */
void segment_builder_free(struct segment_builder *b);
/* segment_builder_trim - free the spares (about 30 MiB each once used) and the memory blocks gave back (at most 256 MiB). */
void segment_builder_trim(void);
uint32_t segment_builder_rows(const struct segment_builder *b);
/*
 * segment_builder_add - rows [from, batch->n) of a batch of the same family.
 * @ret_taken: rows taken. Return: 0; SEGMENT_FULL when it is full now; -ENOMEM (rows taken so far stay).
 */
int segment_builder_add(struct segment_builder *b, const struct flow_batch *batch, uint32_t from, uint32_t *ret_taken);
/*
 * A batch that is a whole block is packed once, for the journal and the segment:
 * segment_builder_pack - the batch in the second form of batch_pack.h, appended to @out.
 * @ret_packed: where in @out its packed columns begin. Nothing is added yet.
 * Return: 0; SEGMENT_NOT_WHOLE: it must be added as other batches are; -ENOMEM.
 * segment_builder_take - what was packed last stands in the file @fd now (borrowed until the segment is written), its packed
 * columns at @at: it is the next block. Return: 0, or -ENOMEM and nothing changed.
 */
#define SEGMENT_NOT_WHOLE 1
int segment_builder_pack(struct segment_builder *b, const struct flow_batch *batch, struct buf *out, size_t *ret_packed);
int segment_builder_take(struct segment_builder *b, const struct flow_batch *batch, int fd, uint64_t at);
/* segment_builder_write - build the index and write the whole file to @fd (not synced). The builder is spent. */
int segment_builder_write(struct segment_builder *b, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f);

/*
 * segment_open - map and check header, directory and dictionary heads; blocks are checked when read.
 * @fd: borrowed (the mapping keeps what it needs). @is_unsealed: mark for readers.
 * Return: 0, -EBADMSG (damaged), -EPROTO (made by a newer major version), or -errno; the fault says which.
 */
int segment_open(int fd, uint64_t id, bool is_unsealed, struct segment **ret, struct fault *f);
void segment_close(struct segment *s);
/*
 * segment_trim - free what whole-column readers of addresses, AS numbers and prefix lengths keep by code
 * (4 bytes an entry each, 16 in family 6). Only while no other thread reads @s.
 */
void segment_trim(struct segment *s);
/* segment_verify - every checksum; every code and posting against the rows. Return: 0 or -EBADMSG with the reason. */
int segment_verify(const struct segment *s, struct fault *f);
/* segment_to_batch - block @b as a batch (texts, observers and all), for compaction and upgrade. */
int segment_to_batch(const struct segment *s, uint32_t b, struct flow_batch *out);
/*
 * segment_merge - the codes whose addresses are in @set, ascending.
 * @out: room for n_entries codes of the segment; Return: 0 or -EBADMSG.
 */
int segment_merge(const struct segment *s, const struct address_set *set, uint32_t *out, size_t *ret_n);
