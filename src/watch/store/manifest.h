/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/manifest - the log of transactions that says which files of the store exist.
 *
 * In:     DIR/store/MANIFEST: a header line, then one line per transaction:
 *         16 hex digits XXH3-64 of the rest, a running number, records separated by ';'.
 * Out:    struct manifest, the state after the last valid line.
 * Limits: a line that is torn at the end is ignored by readers and cut by the next writer; a bad
 *         line elsewhere is skipped and counted (n_bad_lines), so that nobody deletes by it.
 *         A record of a kind we do not know (newer minor version) is kept and written again.
 *         Readers take no lock. Writing: one process (store/LOCK), callers serialise commits.
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "base/sha256.h"

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_MAJOR 1
#define MANIFEST_MINOR 0
#define MANIFEST_NONE 3 /* no manifest in this directory (STORE_EMPTY) */
#define MANIFEST_KEY_MAX 64
#define MANIFEST_NOTES_MAX 65536u
#define MANIFEST_MAX_BYTES ((size_t)1 << 30)
#define MANIFEST_LINE_MAX ((size_t)64 << 20)

#define MANIFEST_LOGS 1   /* the family of log events; 4 and 6: flows */
#define MANIFEST_LEASES 2 /* in the manifest of watch/lease only */

struct manifest_segment {
    uint64_t id, order; /* order: by arrival; unique per family */
    uint64_t n_rows, n_bytes;
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
    int family;
    bool is_gone; /* removed; kept in the array until it is packed */
};

enum manifest_level { MANIFEST_HOUR = 1, MANIFEST_DAY = 2 };

struct manifest_dictionary {
    uint64_t id, n_bytes;
    uint64_t *members; /* segment ids, owned */
    size_t n_members;
    int family;
    enum manifest_level level;
};

struct manifest_journal {
    uint64_t id; /* also the order of the segment that comes of it */
    int family;
};

struct manifest_import {
    struct sha256 content;
    uint64_t n_rows;
    int64_t at_us;
    char *name; /* owned, escaped as in the file */
};

struct manifest_note {
    uint8_t key[MANIFEST_KEY_MAX];
    uint8_t n_key;
    uint64_t value, sequence; /* the highest sequence wins */
};

struct manifest_damage {
    char kind; /* 's' segment, 'd' dictionary, 'j' journal */
    uint64_t id, n_rows;
    char *reason; /* owned, escaped as in the file */
};

struct manifest_notes { /* open addressing */
    struct manifest_note *slots;
    size_t n, n_slots;
};

struct manifest {
    struct manifest_segment *segments; /* by id */
    size_t n_segments, n_gone, room_segments;
    struct manifest_dictionary *dictionaries;
    size_t n_dictionaries, room_dictionaries;
    struct manifest_journal *journals;
    size_t n_journals, room_journals;
    struct manifest_import *imports;
    size_t n_imports, room_imports;
    struct manifest_damage *damages;
    size_t n_damages, room_damages;
    struct manifest_notes notes;
    struct buf unknown; /* records of kinds we do not know, separated by ';' */
    uint32_t *import_slots; /* index + 1 by content, open addressing */
    size_t n_import_slots;
    uint64_t next_id;     /* never used before */
    uint64_t next_line;
    uint64_t n_bytes;     /* up to the end of the last valid line */
    uint64_t n_bytes_file;
    uint64_t n_bad_lines; /* damaged lines that are not a torn tail */
};

/* a transaction being written; zero-initialise, manifest_change_fini in the end */
struct manifest_change {
    struct buf text;
};

/* --- state ------------------------------------------------------------------- */

void manifest_fini(struct manifest *m);
/*
 * manifest_load - read the file in @dir_fd; needs no lock.
 * Return: 0, MANIFEST_NONE, -EPROTO (newer major), -EBADMSG (no manifest at all), or -errno.
 */
int manifest_load(int dir_fd, struct manifest *m, struct fault *f);
/* manifest_parse - the same from memory (for load and for tests). */
int manifest_parse(struct manifest *m, const char *p, size_t n, struct fault *f);
/* manifest_apply - one line without its line feed; the writer's own lines take the readers' way. As manifest_parse. */
int manifest_apply(struct manifest *m, const char *p, size_t n);
/* manifest_live - the segments that exist, oldest arrival first; caller frees. Return: 0 or -ENOMEM. */
int manifest_live(const struct manifest *m, struct manifest_segment **ret, size_t *ret_n);
const struct manifest_segment *manifest_find_segment(const struct manifest *m, uint64_t id); /* NULL: not live */
const struct manifest_import *manifest_find_import(const struct manifest *m, const struct sha256 *content);
bool manifest_has_journal(const struct manifest *m, uint64_t id);

/* manifest_note_set - keep @value under a key if @sequence is the highest so far. Return: 0, -ENOMEM or -ENOBUFS (full). */
int manifest_note_set(struct manifest_notes *notes, const void *key, size_t n_key, uint64_t value, uint64_t sequence);

/* manifest_unescape - a name or reason as it was given; cut to @n_out with the zero. */
void manifest_unescape(const char *p, char *out, size_t n_out);

/* --- transactions ------------------------------------------------------------- */

void manifest_change_fini(struct manifest_change *c);
void manifest_add_segment(struct manifest_change *c, const struct manifest_segment *s);
void manifest_del_segment(struct manifest_change *c, uint64_t id);
void manifest_add_dictionary(struct manifest_change *c, const struct manifest_dictionary *d);
void manifest_del_dictionary(struct manifest_change *c, uint64_t id);
void manifest_add_journal(struct manifest_change *c, uint64_t id, int family);
void manifest_del_journal(struct manifest_change *c, uint64_t id);
void manifest_add_import(struct manifest_change *c, const struct sha256 *content, uint64_t n_rows, int64_t at_us,
                         const char *name);
void manifest_add_note(struct manifest_change *c, const struct manifest_note *n);
void manifest_add_damage(struct manifest_change *c, char kind, uint64_t id, uint64_t n_rows, const char *reason);
void manifest_set_next(struct manifest_change *c, uint64_t next_id);

/* the writer's end */
struct manifest_log {
    int dir_fd; /* borrowed */
    int fd;
    bool is_broken; /* memory and disk may differ: refuse until the next open */
};

/*
 * manifest_log_open - ready for commits after manifest_load: cut a torn tail, or rewrite the file whole
 * when it is much longer than its content. A missing file is created.
 */
int manifest_log_open(struct manifest_log *l, int dir_fd, struct manifest *m, struct fault *f);
void manifest_log_close(struct manifest_log *l);
/*
 * manifest_commit - one line, one write, one fdatasync; then @m holds the change.
 * @c: emptied. @ret_is_uncertain (may be NULL): with an error, whether the line may yet be on disk: then files
 * it names must not be removed before the next open.
 */
int manifest_commit(struct manifest_log *l, struct manifest *m, struct manifest_change *c, bool *ret_is_uncertain,
                    struct fault *f);
/* manifest_rewrite - the whole state as a new file by rename. */
int manifest_rewrite(struct manifest_log *l, struct manifest *m, struct fault *f);
