/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/chain - every sealed segment of log events, hashed into a chain: what is there was not changed, and nothing
 * that was sealed is missing but what retention took or damage set aside.
 *
 * DIR/store/CHAIN: a line of magic, then one line a segment in the order of sealing:
 *   ID ROWS SHA256 [rows=DIGEST] [from=ID,ID,...] LINK
 *     SHA256  of the file
 *     DIGEST  of its rows however they are packed (log_rows.h)
 *     from    compaction made it of these segments, in this order; their lines stand before it
 *     LINK    SHA-256 of the link before (32 zero bytes at first) and the text of the line before " LINK"
 * Who owns the disk can write the whole file anew: the last link, the head, is what must be kept elsewhere (printed on
 * reports, handed upwards) and compared (chain_verify with @head).
 * A line is written behind the transaction that publishes its segment; what a crash left without one gets it at the
 * next open. The line of a merged segment is written before its transaction: a crash between the two leaves a line
 * without a segment, which says nothing, for what it was made of is still there.
 * So what a head has sealed is proved after any number of merges: the rows of a merged segment, cut where its parts end,
 * must have the digests that stood in their own lines; and no part may stand in two segments.
 */
#pragma once

#include "base/fault.h"
#include "base/sha256.h"
#include "watch/store/log_rows.h"
#include "watch/store/manifest.h"

#define CHAIN_NAME "CHAIN"
#define CHAIN_PARTS_MAX 256u /* segments merged at once */

struct chain {
    int dir_fd, segments_fd; /* borrowed */
    int fd;
    struct sha256 head;      /* zero: no line yet */
    uint64_t *ids;           /* that have a line, ascending */
    size_t n, room;
    uint64_t n_bytes;        /* of whole lines */
};

/*
 * chain_open - for writing; a torn end is cut.
 * Return: 0; -EBADMSG (a line inside is wrong: nothing is cut or added, the fault names it); -errno.
 */
int chain_open(struct chain *c, int dir_fd, int segments_fd, struct fault *f);
void chain_close(struct chain *c);
bool chain_has(const struct chain *c, uint64_t id);
/* what a line says */
struct chain_segment {
    uint64_t id, n_rows;
    const struct log_digest *rows; /* NULL: an old file without one */
    const uint64_t *from;          /* merged from these; NULL: of none */
    size_t n_from;                 /* up to CHAIN_PARTS_MAX */
};
/* chain_add - hash the file of a segment and write its line, synced. Return: 0 or -errno with the fault. */
int chain_add(struct chain *c, const struct chain_segment *s, struct fault *f);

/*
 * chain_parts - what merged segment @id was made of, as its line says; none: it was sealed as it is, or has no line.
 * @store_fd: the folder DIR/store. Return: 0 or -errno.
 */
int chain_parts(int store_fd, uint64_t id, uint64_t parts[CHAIN_PARTS_MAX], size_t *ret_n);

struct chain_report {
    uint64_t n_lines, n_present; /* segments: that were sealed; whose file is the same */
    uint64_t n_merged;           /* whose rows stand in a merged segment now, and are the same */
    uint64_t n_gone;             /* no longer in the store */
    uint64_t n_unchained;        /* in the store without a line: sealed by a process that died since */
    struct sha256 head;
    bool has_head; /* the head asked for stands in it */
};

/* one of the segments a merged one was made of, taken apart down to what was sealed first */
struct chain_part {
    uint64_t id, n_rows;
    struct log_digest rows;
};

struct chain_check {
    const struct manifest *manifest; /* what the store names now */
    const struct sha256 *head;       /* must be one of the links; NULL: none asked for */
    /* told of every segment whose file is not what was sealed, and of a broken line (id 0) */
    int (*wrong)(void *context, uint64_t id, const char *reason);
    /* the rows of merged segment @id against its parts. Return: 0, 1 (they are others), or -errno */
    int (*merged)(void *context, uint64_t id, const struct chain_part *parts, size_t n);
    void *context;
};

/*
 * chain_verify - recompute all links, hash all files that are there. @store_fd: the folder DIR/store.
 * Return: 0, -ENOENT (no chain: then @ret counts what is unchained), what @wrong returned, or -errno.
 */
int chain_verify(int store_fd, const struct chain_check *check, struct chain_report *ret, struct fault *f);
