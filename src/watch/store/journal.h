/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/journal - the write-ahead file of one open segment.
 *
 * A header of 64 bytes, then frames: a head of 48 bytes, notes, one packed batch, zeros up to a multiple of 8.
 * A frame counts only whole: its XXH3 (seeded with the journal's id) covers head and payload, its sequence
 * is higher than the one before. Behind the last frame stands a mark of eight bytes (since version 2).
 * A sealed journal's file may be used again for a later one: writing where the page cache and the disk have room already
 * costs a third less. What stood there stays behind the mark; its frames have another seed. Readers say that they are there
 * by journal_share; one that came too late finds another id in the header.
 * What write(2) took survives kill -9; journal_sync makes it survive a power cut.
 * Limits: one thread writes; any number read beside it (they see a prefix).
 * Reading: hostile bytes are refused frame by frame; damage in the middle costs the damaged frames only.
 */
#pragma once

#include "base/fault.h"
#include "watch/store/batch_pack.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_MAJOR 2 /* 1: no batches in the second form, no mark at the end, no file used again */
#define JOURNAL_MINOR 0
#define JOURNAL_HEADER_BYTES 64u
#define JOURNAL_FRAME_BYTES 48u
#define JOURNAL_NOTES_MAX ((size_t)8 << 20)
#define JOURNAL_NAME_MAX 32

struct journal {
    int fd;
    int family;
    uint64_t id;
    uint64_t n_bytes;  /* whole frames end here */
    uint64_t n_rows;
    uint64_t sequence; /* of the last frame */
    int64_t arrived_min_us, arrived_max_us;
    bool is_dirty; /* written since the last sync */
};

struct journal_frame {
    uint64_t sequence;
    int64_t arrived_us;
    uint32_t n_rows;      /* of the batch */
    const uint8_t *notes; /* see journal_note_add */
    size_t n_notes;
    const uint8_t *batch; /* batch_pack; n_batch 0: notes only */
    size_t n_batch;
};

void journal_name(uint64_t id, char out[JOURNAL_NAME_MAX]);

/* journal_create - a new file with its header, synced, and its name synced; the manifest names it afterwards. */
int journal_create(int dir_fd, uint64_t id, int family, struct journal *ret, struct fault *f);
/*
 * journal_reuse - the same in the file of journal @old, which the manifest names no more.
 * Return: 0, JOURNAL_SHARED (somebody reads it; nothing was done) or <0 with the fault; then the file is gone or of no use.
 */
#define JOURNAL_SHARED 1
int journal_reuse(int dir_fd, uint64_t old, uint64_t id, int family, struct journal *ret, struct fault *f);
/*
 * journal_share - keep a journal that has been opened for reading from being used again until @fd is closed.
 * Return: 0, or JOURNAL_SHARED: it is being used again right now, what it held is in a segment.
 */
int journal_share(int fd);
/* journal_append - one frame in one write. On failure the file is as before (or its torn end is overwritten next). */
int journal_append(struct journal *j, const struct journal_frame *frame, struct fault *f);
int journal_sync(struct journal *j, struct fault *f);
void journal_close(struct journal *j);

/* journal_note_add - u8 length of key, key, u64 little-endian value. */
void journal_note_add(struct buf *b, const void *key, size_t n_key, uint64_t value);
/* journal_note_next - Return: true while there is one; malformed bytes end the walk. */
bool journal_note_next(const uint8_t **p, const uint8_t *end, const uint8_t **ret_key, size_t *ret_n_key,
                       uint64_t *ret_value);

/* what a walk found */
struct journal_report {
    uint64_t n_frames, n_rows;
    uint64_t n_torn_bytes;    /* after the last whole frame */
    uint64_t n_damaged_bytes; /* between whole frames */
    uint64_t n_bytes;         /* end of the last whole frame */
    uint64_t sequence;
    int64_t arrived_min_us, arrived_max_us;
};

/*
 * journal_walk - every whole frame in order.
 * @fd: borrowed, any offset. @each: may be NULL; the frame is borrowed for the call; not 0 ends the walk.
 * Return: 0, -EPROTO (newer major), -EBADMSG (no journal of this id and family), -errno, or what @each returned.
 */
int journal_walk(int fd, uint64_t id, int family, int (*each)(void *context, const struct journal_frame *frame),
                 void *context, struct journal_report *ret, struct fault *f);
