/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/log_segment - an immutable file of log events: blocks, a word index, addresses with postings.
 *
 *   header     LOG_SEGMENT_HEADER_BYTES, zero-padded, with its own checksum; behind it the digest of the rows (log_rows.h)
 *   blocks     log_block.h, one behind the other, each under the checksum its directory entry holds
 *   index      the sections below, each aligned to 8, under checksums by piece (sealed.h)
 *   checksums  of the index; their own checksum stands in the header
 *
 * Rows stand in order of arrival. A block holds up to LOG_BLOCK_ROWS rows and about LOG_BLOCK_BYTES of text: the unit
 * that is read. Little-endian; the byte-order mark proves it.
 *
 * Threads: a reader may be used by many at once, a builder belongs to one.
 */
#pragma once

#include "base/fault.h"
#include "base/ip.h"
#include "watch/store/log_block.h"
#include "watch/store/log_rows.h"
#include "watch/store/terms.h"

#define LOG_SEGMENT_MAGIC "VGLOGSEG"
#define LOG_SEGMENT_MAJOR 2u /* 2: blocks of the second form, templates and variables */
#define LOG_SEGMENT_MINOR 0u /* 1.1 and above: with a digest of the rows */
#define LOG_SEGMENT_BYTE_ORDER UINT32_C(0x01020304)
#define LOG_SEGMENT_HEADER_BYTES 512u
#define LOG_SEGMENT_ROWS (1u << 20)
#define LOG_SEGMENT_TEXT_MAX ((size_t)512 << 20) /* unpacked; then the segment is full */
#define LOG_BLOCK_ROWS 8192u
#define LOG_BLOCK_BYTES ((size_t)2 << 20)

/* --- building ----------------------------------------------------------------------------------------------- */

#define LOG_SEGMENT_FULL 1
struct log_builder;
/* log_builder_new - @names borrowed: of all batches given; @max_rows 1..LOG_SEGMENT_ROWS. NULL: no memory. */
struct log_builder *log_builder_new(struct event_names *names, uint32_t max_rows);
void log_builder_free(struct log_builder *b);
/* log_builder_imported - say in the file that its rows come of an import. */
void log_builder_imported(struct log_builder *b);
uint32_t log_builder_rows(const struct log_builder *b);
/*
 * log_builder_add - rows [from, e->n). @ret_taken: how many were taken.
 * Return: 0; LOG_SEGMENT_FULL when it is full now; -ENOMEM (rows taken so far stay).
 */
int log_builder_add(struct log_builder *b, const struct events *e, uint32_t from, uint32_t *ret_taken);
/*
 * log_builder_take - all rows of @e, packed as blocks at once. @ret_p, @ret_n: those blocks one behind the other, borrowed until
 * the next call: the journal keeps the same bytes. Only of batches that are worth it: small ones wait for a whole block.
 * Return: 0; LOG_SEGMENT_FULL when it is full now; -ENOMEM (the builder is of no more use).
 */
int log_builder_take(struct log_builder *b, const struct events *e, const uint8_t **ret_p, size_t *ret_n);
bool log_builder_is_worth(const struct events *e);
/* log_builder_write - the whole file to @fd (not synced). The builder is spent. */
int log_builder_write(struct log_builder *b, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f);

/* --- reading -------------------------------------------------------------------------------------------------- */

struct log_segment;

struct log_segment_info {
    uint64_t id;
    uint32_t n_rows, n_blocks, n_addresses, n_fields;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
    uint64_t n_bytes, text_bytes; /* of the file; of the originals */
    uint64_t n_terms, terms_bytes; /* of the word index: about as many terms, bytes packed */
    struct log_digest rows;
    bool is_unsealed, has_digest;
    bool is_imported; /* from files: its rows were not matched as they came */
};

struct log_block_info {
    uint32_t first_row, n_rows;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
};

/* log_segment_open - map and check. Return: 0, -EBADMSG, -EPROTO (newer major) or -errno; the fault says which. */
int log_segment_open(int fd, uint64_t id, bool is_unsealed, struct log_segment **ret, struct fault *f);
void log_segment_close(struct log_segment *s);
const struct log_segment_info *log_segment_info(const struct log_segment *s);
void log_segment_block(const struct log_segment *s, uint32_t block, struct log_block_info *ret);
/* log_segment_read - the rows of @block into @out, cleared first. Return: 0, -EBADMSG or -ENOMEM. */
int log_segment_read(const struct log_segment *s, uint32_t block, struct log_scratch *scratch, struct events *out);
/* log_segment_terms - its word index; borrowed. Return: 0 or -EBADMSG (a checksum fails). */
int log_segment_terms(const struct log_segment *s, struct terms *ret);
/* log_segment_has_field - whether any row has a field of this name. */
bool log_segment_has_field(const struct log_segment *s, struct text name);
/* log_segment_field - name of field @i < n_fields; borrowed. */
struct text log_segment_field(const struct log_segment *s, uint32_t i);
/* log_segment_address - the @i-th address in order (i < n_addresses). Return: 0 or -EBADMSG. */
int log_segment_address(const struct log_segment *s, uint32_t i, struct ip *ret);
/* log_segment_lower_bound - the first address >= @a, n_addresses if none. Return: 0 or -EBADMSG. */
int log_segment_lower_bound(const struct log_segment *s, const struct ip *a, uint32_t *ret);
/* log_segment_postings - set the bits of the blocks in which addresses [from, to) occur. Return: 0 or -EBADMSG. */
int log_segment_postings(const struct log_segment *s, uint32_t from, uint32_t to, uint64_t *bitmap);
/* log_segment_verify - every checksum, every block, every index against the rows. Return: 0 or -EBADMSG with the reason. */
int log_segment_verify(const struct log_segment *s, struct event_names *names, struct fault *f);
