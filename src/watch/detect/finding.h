/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/finding - the finding journal: what someone must look at, in order, once.
 *
 * DIR/findings/FIRST.fjl        records of one file, FIRST = sequence of its first, 20 digits
 * DIR/findings/cursors/NAME     last sequence that reader NAME has made its own
 *
 * File:   header 32 bytes: magic "VGFINDJ1", u16 major, u16 minor, u32 byte-order mark 0x01020304,
 *         u64 first sequence, u64 XXH3 of the 24 bytes before. Then records, all little-endian:
 *         u32 length of what follows the checksum, u32 low half of XXH3 over it, u64 sequence, 16 bytes finding id,
 *         u32 revision, payload (one JSON object, UTF-8, at most FINDING_MAX_PAYLOAD).
 * An update of a finding is a record with the same id and a higher revision: a reader upserts by
 * (id, revision) and keeps its cursor in the same transaction.
 * Trimmed by whole files below the lowest registered cursor; above the size cap the oldest file goes
 * even if unread, which is counted and alarmed, never silent.
 * One writer (the watch role); readers need no lock.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdint.h>

#define FINDING_MAX_PAYLOAD 65536u
#define FINDING_FILE_BYTES ((uint64_t)8 << 20)

struct findings; /* the writer */

struct finding_id {
    uint8_t b[16];
};

struct findings_state {
    uint64_t first_sequence, next_sequence; /* what the journal holds: [first, next) */
    uint64_t n_bytes, n_files;
    uint64_t lowest_cursor, n_cursors;
    uint64_t trimmed_unread; /* records deleted by the size cap before a registered reader had them; since start */
    uint64_t bytes_cut;      /* torn tail found at open */
    uint64_t n_damaged;      /* files set aside at open: their headers were damaged */
};

/*
 * findings_open - for writing; a torn tail is cut; a file whose header is damaged is renamed to NAME.damaged.
 * Sequences go on behind everything a registered reader has seen, also what a power cut took away. Return: 0 or -errno.
 */
int findings_open(const char *data_dir, uint64_t max_bytes, struct findings **ret, struct fault *f);
void findings_close(struct findings *w);
/* findings_add - into the buffer of the next commit. Return: 0, or -ENOMEM, -EMSGSIZE. */
int findings_add(struct findings *w, const struct finding_id *id, uint32_t revision, struct text payload);
/* findings_commit - write and sync what was added, then trim. Return: 0 or -errno: nothing of it counts, it may be tried again. */
int findings_commit(struct findings *w, struct fault *f);
void findings_get_state(struct findings *w, struct findings_state *ret);

/*
 * findings_read - records with sequence >= @from, in order.
 * @each: 0 to go on, anything else ends the walk and is returned.
 * Return: 0, what @each returned, or -errno. A torn tail is the end.
 */
int findings_read(const char *data_dir, uint64_t from,
                  int (*each)(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision,
                              struct text payload),
                  void *context, struct fault *f);
/* findings_set_cursor - register @name, or move it; durable. findings_cursor - Return: 0, 1 (no such), or -errno. */
int findings_set_cursor(const char *data_dir, const char *name, uint64_t sequence, struct fault *f);
int findings_cursor(const char *data_dir, const char *name, uint64_t *ret);
