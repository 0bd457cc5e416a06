/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/store - the one door of the event store. Readers see segment.h too.
 *
 * Layout of DIR/store:
 *   CHAIN                the segments of log events, each hashed with all before (chain.h)
 *   LOCK                 flock()ed by the one writing process
 *   MANIFEST             append-only log of transactions, each line with its own checksum; the last
 *                        valid line wins; rewritten whole by rename now and then. Names every live
 *                        segment, dictionary and journal, and the SHA-256 of every imported file:
 *                        what it does not name does not exist (and is removed by the next writer).
 *   segments/ID.seg      immutable, one family, up to SEGMENT_ROWS rows
 *   dictionaries/ID.dic  merged dictionaries over several segments (hour, day), by compaction
 *   journals/ID.wal      write-ahead journal of one open segment
 *   damaged/             what verify or a reader set aside, with the reason beside it
 *
 * Every file begins with magic, major.minor, a byte-order mark and a checksum of its header.
 *
 * Errors: <0 -errno with the fault filled; >0 a condition named below.
 * Threads: one struct store per process; each struct store_writer and store_import belongs to one
 * thread; a struct store_view is immutable after opening and may be read by many threads.
 */
#pragma once

#include "base/fault.h"
#include "base/sha256.h"
#include "format/event.h"
#include "watch/address_set.h"
#include "watch/flow_batch.h"

#define STORE_BUSY 1         /* another process writes (a node is running) */
#define STORE_ALREADY_KEPT 2 /* content with this SHA-256 was imported before */
#define STORE_EMPTY 3        /* there is no store in this directory */

struct store;
struct store_writer;
struct store_import;
struct store_view;
struct segment;
struct store_log_writer;
struct log_segment;

struct store_options {
    uint32_t segment_rows;    /* 0: SEGMENT_ROWS; smaller in tests */
    int64_t seal_after_us;    /* a journal older than this is sealed by store_tick; 0: one hour */
    uint64_t budget_bytes;    /* retention by disk budget; 0: none */
    int64_t keep_at_least_us; /* legal minimum since arrival: never delete younger, alarm instead; 0: none */
    int64_t keep_logs_at_least_us; /* the same of log events; 0: as the others */
    struct event_names *names; /* fields of all log events written; borrowed; NULL: the store's own, store_names */
    unsigned n_build_threads; /* builders of sealed segments; 0: build in the calling thread */
};

/* what the first screen and `status` show; read with store_counters at any time */
#define STORE_COUNTERS(X)                                                  \
    X(rows_kept, "rows acknowledged since start")                          \
    X(rows_dropped, "rows the disk could not take since start")            \
    X(segments_sealed, "segments sealed since start")                      \
    X(journal_bytes, "bytes written to journals since start")              \
    X(segment_bytes, "bytes written to segments since start")              \
    X(rows_recovered, "rows taken over from journals at start")            \
    X(journal_bytes_cut, "bytes of torn journal tails dropped at start")   \
    X(chain_failures, "segments of log events that could not be added to the chain of hashes")\
    X(segments_damaged, "segments set aside as damaged")                   \
    X(segments_retired, "segments deleted by retention")                   \
    X(retention_blocked, "times the budget was full and the legal minimum forbade deleting")

struct store_counters {
#define X(name, help) uint64_t name;
    STORE_COUNTERS(X)
#undef X
};

/*
 * store_open - open DIR/store for writing, creating it (0750) when missing, take the lock, recover journals.
 * Return: 0, STORE_BUSY, or -errno.
 */
int store_open(const char *data_dir, const struct store_options *o, struct store **ret, struct fault *f);
/* store_close - seal nothing, sync journals, give up the lock. All writers and imports must be freed before. */
void store_close(struct store *s);
void store_get_counters(struct store *s, struct store_counters *ret);

/* --- live writing ------------------------------------------------------ */

int store_writer_new(struct store *s, struct store_writer **ret, struct fault *f);
/*
 * store_writer_go_on - from now on no trouble with the disk ends anything: a batch that cannot be journaled is dropped and
 * its rows are counted (rows_dropped), append and tick answer 0, and the next batch is tried again after a moment.
 * store_writer_trouble - whether the last attempt failed, and why. By the thread that writes.
 */
void store_writer_go_on(struct store_writer *w);
bool store_writer_trouble(const struct store_writer *w, struct fault *ret);
/* store_writer_append - the batch is journaled (in the kernel's hands) when this returns 0; kill -9 cannot lose it. */
int store_writer_append(struct store_writer *w, const struct flow_batch *b, struct fault *f);
/* store_writer_note - remember a small value under a key with the next journal write (last sequence per exporter). */
int store_writer_note(struct store_writer *w, const void *key, size_t n_key, uint64_t value);
/* store_each_note - the notes found at open and since: latest value per key. */
int store_each_note(struct store *s, int (*each)(void *context, const void *key, size_t n_key, uint64_t value),
                    void *context);
/* store_writer_tick - call about every 200 ms: fsync of the journal when a second has passed, sealing by age. */
int store_writer_tick(struct store_writer *w, int64_t now_us, struct fault *f);
/* store_writer_seal - close the open segments of this writer, build and publish them. */
int store_writer_seal(struct store_writer *w, struct fault *f);
void store_writer_free(struct store_writer *w);

/* store_names - the fields of the log events the store writes. */
struct event_names *store_names(const struct store *s);
/*
 * The same for log events: append journals the batch (its rows survive kill -9 when it returns 0), tick syncs and seals by
 * age, sync makes all that was appended survive a power cut before an acknowledgement is given.
 */
int store_log_writer_new(struct store *s, struct store_log_writer **ret, struct fault *f);
int store_log_writer_append(struct store_log_writer *w, const struct events *e, struct fault *f);
/*
 * store_log_writer_note - as store_writer_note: goes into the same frame as the rows appended next, so that after kill -9
 * both are there or neither. Return: 0, -EINVAL, -ENOBUFS, -ENOMEM.
 */
int store_log_writer_note(struct store_log_writer *w, const void *key, size_t n_key, uint64_t value);
int store_log_writer_tick(struct store_log_writer *w, int64_t now_us, struct fault *f);
int store_log_writer_sync(struct store_log_writer *w, struct fault *f);
int store_log_writer_seal(struct store_log_writer *w, struct fault *f);
void store_log_writer_free(struct store_log_writer *w);

/* --- import of one file: all of it or nothing --------------------------- */

/*
 * store_import_begin - @content: SHA-256 of the input; @name: for the record; @again: import even if kept before.
 * Return: 0, STORE_ALREADY_KEPT, or -errno.
 */
int store_import_begin(struct store *s, const struct sha256 *content, const char *name, bool again,
                       struct store_import **ret, struct fault *f);
int store_import_append(struct store_import *i, const struct flow_batch *b, struct fault *f);
/* store_import_append_logs - the fields of @e are numbered by store_names. */
int store_import_append_logs(struct store_import *i, const struct events *e, struct fault *f);
/*
 * store_import_commit - one durable transaction; frees @i either way.
 * Return: 0, STORE_ALREADY_KEPT (another import of the same content was faster; this one leaves nothing), or -errno.
 */
int store_import_commit(struct store_import *i, struct fault *f);
void store_import_abort(struct store_import *i);

/* --- upkeep -------------------------------------------------------------- */

struct store_compaction {
    uint64_t segments_merged, segments_written, dictionaries_written, dictionaries_dropped, bytes_read, bytes_written;
};
/*
 * store_compact - merge small segments, build hour and day dictionaries, upgrade old formats.
 * One step at a time through @progress (may be NULL; return non-zero to stop after the step).
 */
int store_compact(struct store *s, struct store_compaction *ret, int (*progress)(void *context, uint64_t done,
                  uint64_t total), void *context, struct fault *f);
/* store_retain - delete the segments that arrived first until the budget holds; never below keep_at_least_us. */
int store_retain(struct store *s, int64_t now_us, struct fault *f);

struct store_damage {
    char file[96];
    char reason[160]; /* a text for people */
    uint64_t n_rows;  /* 0 if unknown */
};
/* store_verify - read everything, check every checksum and every index against its rows. Works beside a writer. */
int store_verify(const char *data_dir, int (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                 int (*damage)(void *context, const struct store_damage *d), void *context, uint64_t *ret_n_segments,
                 uint64_t *ret_n_rows, struct fault *f);

/*
 * store_verify_chain - the chain of hashes against the files; see chain.h. Beside a writer too.
 * Return: 0 (what is wrong was told), STORE_EMPTY, or -errno.
 */
struct chain_report;
int store_verify_chain(const char *data_dir, const struct sha256 *head, int (*wrong)(void *context, uint64_t id, const char *reason),
                       void *context, struct chain_report *ret, struct fault *f);

/* --- reading: no lock, beside a writer ------------------------------------- */

/*
 * store_view_open - a consistent snapshot: sealed segments, then the unsealed rows of the journals as
 * segments in memory. A segment that cannot be opened is left out and listed as damage.
 * Return: 0, STORE_EMPTY, or -errno.
 */
int store_view_open(const char *data_dir, struct store_view **ret, struct fault *f);
void store_view_close(struct store_view *v);
size_t store_view_n_segments(const struct store_view *v);
/* store_view_segment - 0 is the newest by arrival. */
struct segment *store_view_segment(const struct store_view *v, size_t i);
/* segments of log events, 0 is the newest by arrival (log_segment.h) */
size_t store_view_n_logs(const struct store_view *v);
struct log_segment *store_view_log(const struct store_view *v, size_t i);
size_t store_view_n_damaged(const struct store_view *v);
const struct store_damage *store_view_damaged(const struct store_view *v, size_t i);
uint64_t store_view_bytes(const struct store_view *v); /* all files of the view */

/*
 * store_view_find - which dictionary entries of which segments lie in @set: the merge at the heart of a hunt.
 * Uses the merged dictionaries where they exist. Segments whose events lie wholly outside
 * [since_us, until_us] are not searched (INT64_MIN/MAX: no limit).
 * @each: called once per segment that has entries, newest first; @codes: ascending, borrowed for the call;
 *        return 0 to go on, anything else stops and is returned.
 * @n_threads: searching threads; @each is called from the calling thread only.
 */
int store_view_find(struct store_view *v, const struct address_set *set, int64_t since_us, int64_t until_us,
                    unsigned n_threads,
                    int (*each)(void *context, struct segment *s, const uint32_t *codes, size_t n_codes),
                    void *context, struct fault *f);

/*
 * store_view_find_with - the same for who knows what @each is going to read.
 * @ahead: NULL, or called by the searching threads before @each, from several at once, for segments of which parts may
 *         have to come from the disk: asks for what @each will read and changes nothing.
 */
struct store_find {
    int64_t since_us, until_us;
    unsigned n_threads;
    int (*each)(void *context, struct segment *s, const uint32_t *codes, size_t n_codes);
    void (*ahead)(void *context, const struct segment *s, const uint32_t *codes, size_t n_codes);
    void *context;
};
int store_view_find_with(struct store_view *v, const struct address_set *set, const struct store_find *ask, struct fault *f);
