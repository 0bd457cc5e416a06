/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/store_impl - what the files behind store.h share. Nobody else includes this.
 *
 * Locks: `lock` guards manifest, log, pending, spares and the id counter; `notes_lock` the notes; `build_lock` the
 * build queue; `upkeep_lock` keeps compaction, retention and verify from removing the same file, `import_lock`
 * two imports of one content apart. `lock` nests inside those two, notes_lock inside `lock`; none is held while a segment is built.
 */
#pragma once

#include "watch/store/chain.h"
#include "watch/store/journal.h"
#include "watch/store/log_segment.h"
#include "watch/store/manifest.h"
#include "watch/store/segment_build.h"
#include "watch/store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_SYNC_US INT64_C(1000000)
#define STORE_RETRY_US INT64_C(10000000)

/* jobs of one writer or import: how many are under way, and the first that failed */
struct build_group {
    unsigned n_running; /* syncs included */
    unsigned n_syncs;
    struct fault fault; /* .code 0: none */
};

/* a journal to be made durable beside the thread that writes it */
struct sync_request {
    struct sync_request *next;
    struct build_group *group;
    struct journal journal; /* .fd is a duplicate */
};

/* rows on their way into one segment file */
struct build_job {
    struct build_job *next;
    struct build_group *group; /* NULL: nobody waits */
    struct segment_builder *builder; /* owned; both NULL: the journal is replayed */
    struct log_builder *logs;        /* owned */
    struct journal journal;          /* .fd < 0: none (an import) */
    struct manifest_segment segment; /* id, order, family, arrival set; the rest filled by building */
    struct store_import *import;     /* takes the segment, or NULL: published at once */
};

/* a large journal that has been sealed: its file is kept for the next one; large: that many bytes by row of a full segment */
#define STORE_SPARES_MAX 2
#define STORE_SPARE_ROW_BYTES 4u
struct store_spare {
    uint64_t id, n_bytes;
};

struct store {
    char *data_dir;
    struct store_options options;
    struct event_names *names, *own_names; /* own: if the options gave none */
    int dir_fd, lock_fd, segments_fd, dictionaries_fd, journals_fd, damaged_fd;

    pthread_mutex_t lock;
    struct manifest manifest;
    struct manifest_log log;
    struct manifest_journal *pending; /* closed journals still to be sealed */
    size_t n_pending, room_pending;
    int64_t retry_us;
    struct store_spare spares[STORE_SPARES_MAX]; /* the oldest first: whoever reads one has time to finish */
    unsigned n_spares;

    pthread_mutex_t upkeep_lock; /* held from "these files still exist" to the commit that removes them */

    pthread_mutex_t chain_lock;
    struct chain chain; /* fd -1: it could not be opened; the segments stand without */

    pthread_mutex_t import_lock; /* held from "not imported before" to the commit */

    pthread_mutex_t notes_lock;
    struct manifest_notes notes;  /* the latest, also those only a journal holds yet */
    uint64_t notes_kept_sequence; /* up to here the manifest holds them; under `lock` */

    atomic_ullong sequence; /* of the last journal frame */
#define X(name, help) atomic_ullong n_##name;
    STORE_COUNTERS(X)
#undef X

    pthread_mutex_t build_lock;
    pthread_cond_t build_more, build_less, sync_more;
    struct build_job *first, **last;
    struct sync_request *first_sync;
    bool has_sync_thread;
    pthread_t sync_thread;
    unsigned n_in_flight, n_threads;
    bool is_closing;
    pthread_t *threads;
};

#define STORE_COUNT(s, name, n) atomic_fetch_add_explicit(&(s)->n_##name, (unsigned long long)(n), memory_order_relaxed)

/* --- names and files (store.c) -------------------------------------------------- */

#define STORE_NAME_MAX 32
enum store_kind { STORE_SEGMENT, STORE_DICTIONARY, STORE_JOURNAL };
/* store_file_name - "12.seg", "12.dic", "12.wal"; store_file_shown - with its folder, for people. */
void store_file_name(enum store_kind kind, uint64_t id, char out[STORE_NAME_MAX]);
#define STORE_SHOWN_MAX 64
const char *store_file_shown(enum store_kind kind, uint64_t id, char out[STORE_SHOWN_MAX]);
const char *store_folder(enum store_kind kind);
int store_folder_fd(const struct store *s, enum store_kind kind);
/* store_unlink - a file no transaction names any more; a failure is left to the next open. */
void store_unlink(const struct store *s, enum store_kind kind, uint64_t id);
/* store_set_aside - a second name in damaged/, with the reason beside it; the first goes by store_unlink. 0 or -errno. */
int store_set_aside(const struct store *s, enum store_kind kind, uint64_t id, const char *reason);
/* store_take_notes - merge into the store's notes; frees @notes. */
void store_take_notes(struct store *s, struct manifest_notes *notes);
uint64_t store_new_id(struct store *s);
uint32_t store_segment_rows(const struct store *s);
/*
 * store_seal_chain - lines for those of the segments that are log events and have none. What fails is said in a counter
 * and made up for at the next open: the rows are safe without.
 */
void store_seal_chain(struct store *s, const struct manifest_segment *segments, size_t n);
/*
 * store_chain_merged - the line of @merged, made of @m, before its transaction; under upkeep_lock.
 * Return: 0, or <0 with the fault: then they must stay apart.
 */
int store_chain_merged(struct store *s, const struct manifest_segment *m, size_t n, const struct manifest_segment *merged,
                       const struct log_digest *rows, struct fault *f);
/* store_commit - manifest_commit under the lock; the notes that changed go with it. */
int store_commit(struct store *s, struct manifest_change *c, bool *ret_is_uncertain, struct fault *f);
/* store_leave_journal - one that no transaction names any more: kept as a spare, or gone. store_drop_spares - all gone. */
void store_leave_journal(struct store *s, uint64_t id);
void store_drop_spares(struct store *s);
/* store_open_journal - a new one, named by the manifest. Return: 0 or <0 with the fault; then there is none. */
int store_open_journal(struct store *s, int family, struct journal *ret, struct fault *f);

/* --- building (build.c) ------------------------------------------------------------ */

/* build_start, build_stop - the threads that write segments. Return: 0 or <0 with a fault. */
int build_start(struct store *s, struct fault *f);
void build_stop(struct store *s);
/* build_write - @builder (freed) as the file of @segment, synced; fills the rest of @segment. */
int build_write(struct store *s, struct segment_builder *builder, struct manifest_segment *segment, struct fault *f);
int build_write_logs(struct store *s, struct log_builder *builder, struct manifest_segment *segment, struct fault *f);
/*
 * build_publish - one transaction: the segments are there, the journal is not; then the journal's file goes.
 * @c: more records of the same transaction, or empty. On failure the segments' files are gone again.
 */
int build_publish(struct store *s, const struct manifest_segment *segments, size_t n, uint64_t journal_id,
                  struct manifest_change *c, struct fault *f);
/* build_submit - to a thread, or done at once without threads; waits while the queue is full. @job: owned by the queue. */
void build_submit(struct store *s, struct build_job *job);
/* build_wait - until the group has nothing under way. Return: 0 or the first failure since, which is then forgotten. */
int build_wait(struct store *s, struct build_group *group, struct fault *f);
/* build_failed - the same without waiting. */
int build_failed(struct store *s, struct build_group *group, struct fault *f);
/*
 * build_sync - make a journal durable: by the sync thread if there is one (then a failure shows in build_failed),
 * else here. While those asked for before are still under way this does nothing and the journal stays dirty.
 */
int build_sync(struct store *s, struct build_group *group, struct journal *j, struct fault *f);
/* build_pending - seal the journals that could not be sealed before; at most every STORE_RETRY_US unless @is_now. */
int build_pending(struct store *s, int64_t now_us, bool is_now, struct fault *f);
int build_add_pending(struct store *s, uint64_t id, int family);

/* --- replaying a journal (replay.c) -------------------------------------------------- */

struct replay {
    uint32_t segment_rows;
    /* takes the builder; rows arrived within the bounds. Return: 0 or <0 */
    int (*full)(void *context, struct segment_builder *b, int64_t arrived_min_us, int64_t arrived_max_us);
    void *context;
    struct manifest_notes *notes; /* NULL: not wanted */
};
/* replay_journal - rows into builders. Return: as journal_walk, or what ->full returned, or -ENOMEM. */
int replay_journal(const struct replay *r, int fd, uint64_t id, int family, struct journal_report *ret, struct fault *f);

/* log_replay_journal - the same for log events, whose family is MANIFEST_LOGS. */
struct log_replay {
    struct event_names *names;
    struct manifest_notes *notes; /* may be NULL; filled with those of the journal */
    uint32_t segment_rows;
    int (*full)(void *context, struct log_builder *b, int64_t arrived_min_us, int64_t arrived_max_us); /* takes @b */
    void *context;
};
/* replay_keep_notes - those of one frame; @notes may be NULL. */
void replay_keep_notes(struct manifest_notes *notes, const struct journal_frame *frame);
int log_replay_journal(const struct log_replay *replay, int fd, uint64_t id, struct journal_report *ret, struct fault *f);
/* replay_to_segments - a journal in the store becomes segments, published in one transaction. */
int replay_to_segments(struct store *s, uint64_t id, int family, bool is_recovery, struct fault *f);

/* --- upkeep (compact.c, verify.c) ------------------------------------------------------- */

/* store_live - manifest_live under the lock, with a fault. */
int store_live(struct store *s, struct manifest_segment **ret, size_t *ret_n, struct fault *f);
/* store_open_segment - one the manifest names. Return: as segment_open, -ENOENT. */
int store_open_segment(struct store *s, uint64_t id, struct segment **ret, struct fault *f);
/* store_open_log_segment - the same for log events. */
int store_open_log_segment(struct store *s, uint64_t id, struct log_segment **ret, struct fault *f);
/* store_quarantine - set a damaged file aside and record it, in one transaction; nothing if it is no longer named. */
int store_quarantine(struct store *s, enum store_kind kind, uint64_t id, const char *reason, struct fault *f);

/* --- imports (import_txn.c) ------------------------------------------------------------ */

/* import_take - a segment written for @i joins its transaction. */
void import_take(struct store_import *i, const struct manifest_segment *segment);
