/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_follow_own - what the follower's parts share: lines (log_follow.c) and Windows event logs (log_follow_evtx.c).
 */
#pragma once

#include "base/buf.h"
#include "format/event_record.h"
#include "watch/intake/log_follow.h"
#include "watch/intake/unpack.h"

enum { HEAD_BYTES = 1024, TAIL_BYTES = 256, SETTLED_US = 2000000, IGNORED_MAX = 1024 };

enum follow_kind { FOLLOW_PLAIN, FOLLOW_PACKED, FOLLOW_EVTX };

/* fields of a slot that are notes */
enum { NOTE_DEVICE, NOTE_INODE, NOTE_OFFSET, NOTE_HEAD, NOTE_TAIL, NOTE_PACKED_BYTES, NOTE_PATTERN, NOTE_WRITTEN,
       NOTE_RECORD, NOTE_RECORD_TIME, N_NOTES };
#define NOTE_KEY "follow"

struct slot {
    bool is_used, is_dirty; /* dirty: what the notes hold is older */
    uint64_t note[N_NOTES]; /* INODE 0: what it was is gone, only its content is known; PACKED_BYTES: of a packed file read whole */
    uint32_t look;          /* the last one that saw it */
    bool is_wanted;         /* matched by a pattern itself */
    char path[FOLLOW_PATH_MAX];
    uint64_t n_bytes;
    int64_t written_us, last_us;
    int fd; /* -1 */
    struct event_decoder *decoder;
    bool is_evtx;
    int64_t scanned_us;     /* of an event log: when it was looked through last */
    uint64_t waits_behind;  /* the record behind which one is not whole, and since when; 0: none */
    int64_t waits_since_us;
    struct unpack *unpack;  /* of a packed file */
    uint8_t *held;          /* of a packed file: unpacked, not yet taken */
    size_t n_held;
    uint64_t unpacked;      /* where held begins */
    uint8_t head[HEAD_BYTES], tail[TAIL_BYTES];
    uint32_t n_head, n_tail;
};

struct known_as_other {
    uint64_t device, inode, n_bytes;
};

struct follow_inside {
    struct slot *slots;
    struct events *events;
    uint8_t *bytes; /* what was read last, then FOLLOW_LINE_MAX */
    uint32_t look;
    uint32_t n_open;
    int64_t ticked_us;
    size_t pattern;      /* that is looked at */
    int64_t *newest_us;  /* by pattern: when what we knew of it before this look was last written; 0: nothing known */
    struct known_as_other ignored[IGNORED_MAX];
    uint32_t n_ignored;
    struct evtx *evtx;    /* made when the first event log comes */
    struct buf xml;
    uint8_t *chunk;
    struct followed *shown; /* under the lock */
    uint32_t n_shown;
};

/* follow_flush - the rows, and in the same frame where everything stands now. Return: 0 or <0. */
int follow_flush(struct log_follower *f);
/*
 * follow_evtx - the records of an event log that are new since its notes. Return: 1 (there may be more), 0 or <0.
 */
int follow_evtx(struct log_follower *f, struct slot *s);
