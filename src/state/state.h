/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/state - the office's state as a file of a data directory: opened, copied while it works, put back.
 *
 * DIR/office (0750) holds state.db (0600). A copy is one database file of its own: all of the state, and in the table backup_about
 * when and with which head of the trail it was made, in backup_content the versions of lists and of the own space that were
 * there, by the SHA-256 of their manifests. What is not in it: the event store, lists themselves, keys and certificates.
 * Return, unless said: 0 or -errno with the fault filled.
 */
#pragma once

#include "base/sha256.h"
#include "state/db.h"
#include "state/trail.h"

/* state_open - the database with the tables of this room at their last step; makes what is missing where @may_create. -ENOENT: none yet. */
int state_open(const char *data_dir, unsigned n_readers, bool may_create, struct db_pool **ret, struct fault *f);

/* state_open_as_it_is - without taking a step: to look at it, or to copy it. */
int state_open_as_it_is(const char *data_dir, unsigned n_readers, bool may_create, struct db_pool **ret, struct fault *f);

struct state_about {
    int64_t made_us;
    uint64_t n_entries;            /* of the trail */
    struct sha256 head;            /* zero: no entry */
    uint64_t n_content, n_missing; /* versions it refers to; of them not in the data directory (state_restore) */
    char first_missing[128];
    struct trail_report trail;     /* state_check */
    char kept[96];                 /* state_restore: under which name in DIR/office the one before stands; "": there was none */
};

/* state_backup - a whole, checked copy at @path (replaced, 0600), while others write. */
int state_backup(const char *data_dir, const char *path, int64_t now_us, struct state_about *ret, struct fault *f);
/*
 * state_check - is the file @path a state of this program, whole (integrity, foreign keys) and its trail unbroken?
 * Return: 0; STATE_BROKEN_TRAIL (ret->trail says where); -EBADMSG, -EPROTO (of a newer program), -errno.
 */
#define STATE_BROKEN_TRAIL 1
int state_check(const char *path, struct state_about *ret, struct fault *f);
/*
 * state_restore - the copy @path, which lies in DIR/office and is consumed, becomes the state; what was there is kept beside it.
 * The caller has seen that no node runs; that nobody else has the database open is checked here.
 * Return: as state_check (nothing was changed unless 0), -EBUSY: somebody has it open.
 */
int state_restore(const char *data_dir, const char *path, int64_t now_us, struct state_about *ret, struct fault *f);
