/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/store - the leases at rest: immutable segments, and a manifest that says which exist.
 *
 * Layout of DIR/leases:
 *   LOCK              flock()ed while something is written, not longer: the node and the command line take turns
 *   MANIFEST          transactions (store/manifest.h; its segments are of the family MANIFEST_LEASES, times as told below)
 *   segments/ID.lse   segment.h
 * A file no line names does not exist and is removed by the next writer; files are unlinked after the line that drops them.
 * So a kill -9 anywhere loses and doubles nothing. Reading takes no lock.
 * In the manifest event_min_us, event_max_us are the least begin and the greatest end; rows without begin or without end
 * make them INT64_MIN and INT64_MAX.
 */
#pragma once

#include "base/sha256.h"
#include "watch/lease/builder.h"

#define LEASE_BUSY 1         /* another process writes, longer than was waited for */
#define LEASE_ALREADY_KEPT 2 /* this content was imported before */
#define LEASE_EMPTY 3        /* there are no leases in this directory */
#define LEASE_MERGE_MAX 16u  /* segments merged at once */

struct lease_store;
struct lease_import;
struct lease_view;

struct lease_store_options {
    uint32_t build_rows;   /* of one segment before compaction; 0: LEASE_BUILD_ROWS */
    int64_t wait_us;       /* for the lock; 0: do not wait */
};

/* lease_store_open - for writing; made when missing. Return: 0, LEASE_BUSY, or -errno. */
int lease_store_open(const char *data_dir, const struct lease_store_options *o, struct lease_store **ret, struct fault *f);
void lease_store_close(struct lease_store *s);

/* --- import: all of it or nothing ---------------------------------------------------------------------------- */

/*
 * lease_import_begin - @content: of a file that is to be imported once; NULL: of something else that the caller keeps account of.
 * Return: 0, LEASE_ALREADY_KEPT (the fault names it), or -errno.
 */
int lease_import_begin(struct lease_store *s, const struct sha256 *content, const char *name, bool again, struct lease_import **ret,
                       struct fault *f);
/*
 * lease_import_text - the number of a text in the rows that follow; valid until lease_import_add has answered LEASE_FULL.
 * lease_import_add - Return: 0; LEASE_FULL: nothing was taken, numbers of texts begin anew: give the row once more with new
 * ones; -EINVAL (lease_is_sane), or -errno with the fault.
 */
int lease_import_text(struct lease_import *i, struct text x, uint32_t *ret);
int lease_import_add(struct lease_import *i, const struct lease *l, struct fault *f);
/* lease_import_row - a row with its texts. Return: 0, -EINVAL, or -errno with the fault. */
int lease_import_row(struct lease_import *i, const struct lease_row *r, struct fault *f);
struct lease_import_result {
    uint64_t n_rows, n_doubled;
};
/* lease_import_commit - one durable transaction; frees @i either way. Return: 0, LEASE_ALREADY_KEPT, or -errno. */
int lease_import_commit(struct lease_import *i, struct lease_import_result *ret, struct fault *f);
void lease_import_abort(struct lease_import *i);

/* --- upkeep -------------------------------------------------------------------------------------------------- */

struct lease_compaction {
    uint64_t n_merged, n_written, n_rows, n_doubled, n_purged;
};
/* lease_store_compact - merge segments of like size, LEASE_MERGE_MAX at most, until no step is left. */
int lease_store_compact(struct lease_store *s, struct lease_compaction *ret, struct fault *f);
/*
 * lease_store_purge - rows whose last told time lies before @before_us leave the store for good: segments that hold such
 * rows are written anew without them, the old files unlinked. Return: 0 or -errno.
 */
int lease_store_purge(struct lease_store *s, int64_t before_us, struct lease_compaction *ret, struct fault *f);

/* --- reading --------------------------------------------------------------------------------------------------- */

/* lease_view_open - a snapshot; a segment that cannot be opened is left out and counted. Return: 0, LEASE_EMPTY, -errno. */
int lease_view_open(const char *data_dir, struct lease_view **ret, struct fault *f);
/* lease_view_new - one without segments. Return: NULL when memory is out. */
struct lease_view *lease_view_new(void);
/* lease_view_add - @s becomes the view's, before anybody has readers for it. Return: 0 or -ENOMEM. */
int lease_view_add(struct lease_view *v, struct lease_segment *s);
void lease_view_close(struct lease_view *v);
size_t lease_view_n_segments(const struct lease_view *v);
const struct lease_segment *lease_view_segment(const struct lease_view *v, size_t i);
/* lease_view_n_damaged - segments left out; @ret_first (may be NULL): why the first of them. */
size_t lease_view_n_damaged(const struct lease_view *v, const char **ret_first);
uint64_t lease_view_n_rows(const struct lease_view *v);
/* lease_view_visit - lease_segment_visit over all segments; @readers: one per segment, of this thread. */
struct lease_readers;
struct lease_readers *lease_readers_new(const struct lease_view *v);
void lease_readers_free(struct lease_readers *r);
int lease_view_visit(const struct lease_view *v, struct lease_readers *readers, const struct ip *outside, int32_t port,
                     int64_t since_us, int64_t until_us, int (*each)(void *context, const struct lease_segment *s, const struct lease *l),
                     void *context);
