/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_follow - log files as they grow, through rotation, into the store: one thread for all files.
 *
 * In:     patterns of paths (glob). Files that match are read from their beginning; so are packed ones (gzip, xz, zstd, bzip2),
 *         once. Untrusted content.
 * Out:    events, given to a hook, then journaled together with the position behind them: after kill -9 nothing is lost and
 *         nothing doubled. (A power cut may cost what had not been synced, a second at most.)
 * Files are known by device and inode, and by what they hold: a hash of their first bytes and one of the last bytes that
 * were read. So a renamed file is read to its end, a truncated one anew, and a copy or a packed copy of what was read
 * (copytruncate, logrotate's compress) only from where reading stood. For that, neighbours whose name begins with that of a
 * followed file are looked at too, and read only if they go on from something known, or have the name of a rotated file (that
 * of the followed one, then digits, dots and dashes, then .gz, .xz, .zst or .bz2) and were written after all that is known of it:
 * files that came and were renamed while nobody looked.
 * Windows event logs (.evtx) are read by record number, whatever their header says: chunks fill and are overwritten in a ring
 * while the service writes them; a record that is not whole yet is waited for.
 * Lines:  ended by LF; one without is read when its file has been renamed away or packed. Longer than FOLLOW_LINE_MAX: in pieces.
 * Limits: FOLLOW_FILES_MAX files are open, FOLLOW_KNOWN_MAX remembered: those not seen for longest are forgotten. While the
 *         store takes nothing, nothing is read. Looks every FOLLOW_LOOK_US; no logging.
 * Weak:   a file overwritten in place between two looks, that is as long as before and has the same bytes there, is not seen
 *         to be another. A copy of an event log is another log. What a truncation took away before it was read is lost unless
 *         a copy stands beside it.
 */
#pragma once

#include "base/fault.h"
#include "format/event.h"
#include "watch/store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define FOLLOW_FILES_MAX 256u
#define FOLLOW_KNOWN_MAX 1024u
#define FOLLOW_LINE_MAX ((size_t)256 << 10)
#define FOLLOW_LOOK_US INT64_C(500000)
#define FOLLOW_PATH_MAX 1024u

#define FOLLOW_COUNTERS(X)                                               \
    X(lines, "lines read")                                               \
    X(bytes, "bytes of them")                                            \
    X(malformed, "kept as text: malformed in the format they claim")     \
    X(plain, "kept, understood by nobody")                               \
    X(empty, "blank lines, no record")                                   \
    X(overwritten, "records of event logs that were overwritten before they were read") \
    X(truncated, "files that were truncated or written anew")            \
    X(resumed, "copies and packed files that went on from what was known") \
    X(refused, "files that could not be opened or read, each time")      \
    X(over_limit, "files left out: too many, each time")

struct log_follow_options {
    const char *const *patterns; /* borrowed, as all here */
    size_t n_patterns;
    int zone_s;
    struct event_names *names;
    const struct line_decoders *decoders; /* NULL: headers only */
    struct store *store;                  /* whose notes hold the positions */
    struct store_log_writer *writer;
    int (*hook)(void *context, struct events *e); /* may be NULL; <0 ends the thread */
    int (*tick)(void *context);                   /* about every 200 ms; may be NULL */
    void *context;
};

struct followed {
    char path[FOLLOW_PATH_MAX];
    uint64_t offset, n_bytes; /* read; of the file when last looked at (packed: 0) */
    uint64_t record;          /* of an event log: number of the last record read; else 0 */
    int64_t last_us;          /* when a line was read */
};

struct log_follower {
    struct log_follow_options o;
    struct fault fault; /* of what ended it, or makes it wait */
    _Atomic bool is_ending, is_waiting;
#define X(name, help) atomic_ullong name;
    FOLLOW_COUNTERS(X)
#undef X
    pthread_mutex_t lock; /* guards what log_follower_files tells */
    struct follow_inside *inside;
};

/* log_follower_init - takes the positions from the store's notes. Return: 0 or -errno. */
int log_follower_init(struct log_follower *f, const struct log_follow_options *o);
/* log_follower_run - until log_follower_end. Return: 0, or <0 with f->fault. */
int log_follower_run(struct log_follower *f);
void log_follower_end(struct log_follower *f);
void log_follower_fini(struct log_follower *f);
/* log_follower_files - those that are open; caller frees. Return: 0 or -ENOMEM. */
int log_follower_files(struct log_follower *f, struct followed **ret, uint32_t *ret_n);
