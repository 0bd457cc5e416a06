/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/chain - every sealed segment of log events, hashed into a chain: what is there was not changed, and nothing
 * that was sealed is missing but what retention took or damage set aside.
 *
 * DIR/store/CHAIN: a line of magic, then one line a segment in the order of sealing:
 *   ID ROWS SHA256 LINK        LINK = SHA-256 of the link before (32 zero bytes at first) and the text "ID ROWS SHA256"
 * Who owns the disk can write the whole file anew: the last link, the head, is what must be kept elsewhere (printed on
 * reports, handed upwards) and compared (chain_verify with @head).
 * A line is written behind the transaction that publishes its segment; what a crash left without one gets it at the
 * next open.
 */
#pragma once

#include "base/fault.h"
#include "base/sha256.h"
#include "watch/store/manifest.h"

#define CHAIN_NAME "CHAIN"

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
/* chain_add - hash the file of a segment and write its line, synced. Return: 0 or -errno with the fault. */
int chain_add(struct chain *c, uint64_t id, uint64_t n_rows, struct fault *f);

struct chain_report {
    uint64_t n_lines, n_present, n_gone; /* segments: whose file was hashed and is the same; no longer in the store */
    uint64_t n_unchained;                /* in the store without a line: sealed by a process that died since */
    struct sha256 head;
    bool has_head; /* the head asked for stands in it */
};
/*
 * chain_verify - recompute all links, hash all files that are there. @store_fd: the folder DIR/store.
 * @m: what the store names now. @head: must be one of the links; NULL: none asked for.
 * @wrong: told of every segment whose file is not what was sealed, and of a broken line (id 0).
 * Return: 0, -ENOENT (no chain: then @ret counts what is unchained), what @wrong returned, or -errno.
 */
int chain_verify(int store_fd, const struct manifest *m, const struct sha256 *head,
                 int (*wrong)(void *context, uint64_t id, const char *reason), void *context, struct chain_report *ret,
                 struct fault *f);
