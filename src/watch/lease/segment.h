/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/segment - an immutable file of leases, sorted by (outside, begin), and finding those of one address in it.
 *
 * File:  header of 256 bytes (magic "VGLEASE1", version, byte order, places, XXH3), then the body, then an XXH3 of every
 *        64 KiB of the body (store/sealed.h). Body: blocks of LEASE_BLOCK_ROWS rows, each a table of its columns' ends
 *        (u32) and the columns as mini-blocks (store/pack.h); the directory of blocks (first address, least begin, greatest end,
 *        offset); texts (ends u32, bytes); hours (gateway, hour since 1970, rows heard in it), by gateway and hour.
 *        Little-endian.
 * Size:  8 to 10 bytes a row of a port block; see tests/bench.
 * Threads: a segment is immutable; a lease_reader belongs to one thread.
 * Limits: a file is untrusted: nothing is believed before its checksum was right, and places are held against bounds after.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "watch/lease/lease.h"
#include "watch/lease/texts.h"

#include <stddef.h>

#define LEASE_BLOCK_ROWS 1024u
#define LEASE_SEGMENT_MAJOR 1
#define LEASE_SEGMENT_MINOR 0
#define LEASE_ROWS_MAX (UINT64_C(1) << 32)  /* of one segment */

struct lease_hour {
    uint32_t gateway, hour; /* number of a text; hours since 1970 */
    uint32_t n;             /* begins and ends of leases told in it */
};

struct lease_segment_info {
    uint64_t id, n_rows, n_bytes;
    int64_t begin_min_us, begin_max_us, end_max_us; /* of lease_begin_us; end: INT64_MAX with an open row inside */
};

/* --- writing: rows in order (lease_compare), then everything else at once ------------------------------------- */

struct lease_writer;

/* lease_compare - the order of rows; 0 means the same but for texts. */
int lease_compare(const struct lease *a, const struct lease *b);

/* lease_writer_open - file @name anew in @dir_fd, mode 0640. Return: 0 or -errno. */
int lease_writer_open(int dir_fd, const char *name, uint64_t id, struct lease_writer **ret, struct fault *f);
/* lease_writer_open_fd - into @fd, which becomes the writer's own copy of it; empty before. */
int lease_writer_open_fd(int fd, const char *name, uint64_t id, struct lease_writer **ret, struct fault *f);
/* lease_writer_add - the next row; the same row again at once is left out. Return: 0 or -errno. */
int lease_writer_add(struct lease_writer *w, const struct lease *l);
/*
 * lease_writer_close - @texts: what the rows' numbers mean; @hours: by (gateway, hour); synced. Frees @w, also on failure; the
 * file is then of no use. @ret_n_doubled: rows left out. Return: 0 or -errno.
 */
int lease_writer_close(struct lease_writer *w, const struct texts *texts, const struct lease_hour *hours, size_t n_hours,
                       struct lease_segment_info *ret, uint64_t *ret_n_doubled, struct fault *f);
void lease_writer_abort(struct lease_writer *w);

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct lease_segment;

/* lease_segment_open - Return: 0; -EBADMSG (damaged), -EPROTO (newer), or -errno. */
int lease_segment_open(int dir_fd, const char *name, uint64_t id, struct lease_segment **ret, struct fault *f);
/* lease_segment_open_fd - the same of an open file; @fd may be closed behind it. */
int lease_segment_open_fd(int fd, const char *name, uint64_t id, struct lease_segment **ret, struct fault *f);
void lease_segment_close(struct lease_segment *s);
const struct lease_segment_info *lease_segment_info(const struct lease_segment *s);
/* lease_segment_text - borrowed from the file; empty for 0 and for numbers it does not have. */
struct text lease_segment_text(const struct lease_segment *s, uint32_t number);
uint32_t lease_segment_n_texts(const struct lease_segment *s);
/* lease_segment_hours - borrowed. */
const struct lease_hour *lease_segment_hours(const struct lease_segment *s, size_t *ret_n);
uint32_t lease_segment_n_blocks(const struct lease_segment *s);
/* lease_segment_block - all rows of block @i, in order. @ret_n: 1..LEASE_BLOCK_ROWS. Return: 0 or -EBADMSG. */
int lease_segment_block(const struct lease_segment *s, uint32_t i, struct lease rows[LEASE_BLOCK_ROWS], uint32_t *ret_n);

/*
 * lease_segment_count_older - rows last told of before @before_us (lease_told_us); @is_any: the first is enough. Blocks that
 * can hold none are not read. Return: 0 or -EBADMSG.
 */
int lease_segment_count_older(const struct lease_segment *s, int64_t before_us, bool is_any, uint64_t *ret_n);

/* the block a thread looked at last */
struct lease_reader {
    const struct lease_segment *segment;
    uint32_t block, n;
    uint64_t begin[LEASE_BLOCK_ROWS], span[LEASE_BLOCK_ROWS], bits[LEASE_BLOCK_ROWS];
};

/*
 * lease_segment_visit - rows of @outside, and of prefixes that hold it, whose ports hold @port (-1: any), that may touch
 * [since_us, until_us] (both inside), in
 * order for each prefix; a time nobody told counts as endless. @each: not 0 ends the walk and is returned. Texts of the row are
 * this segment's.
 * Return: 0, what @each returned, or -EBADMSG.
 */
int lease_segment_visit(const struct lease_segment *s, struct lease_reader *r, const struct ip *outside, int32_t port, int64_t since_us,
                        int64_t until_us, int (*each)(void *context, const struct lease_segment *s, const struct lease *l),
                        void *context);
