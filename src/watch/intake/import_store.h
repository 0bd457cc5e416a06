/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/import_store - files into the store, each wholly or not at all.
 *
 * A file's SHA-256 is taken first: content that was imported before is refused. Its flows are staged and
 * published by one transaction. Used by the command line when it writes itself, and by the node for descriptors
 * handed to it.
 */
#pragma once

#include "watch/intake/import.h"
#include "watch/store/store.h"

struct import_store;

struct import_store_options {
    struct import_options import; /* sink and context are set here */
    bool again;                   /* also content that was imported before */
    const char *spool_dir;        /* where input that cannot be read twice (a pipe) is put meanwhile; unlinked at once */
    void (*on_refused)(void *context, const struct import_refused *r); /* may be NULL */
    void (*on_progress)(void *context, uint64_t n_bytes_in, const struct import_summary *s); /* may be NULL */
    void *context;
};

/* what one file came to */
struct import_stored {
    struct import_summary summary;
    int64_t event_min_us, event_max_us; /* of the rows kept; min > max: none */
};

#define IMPORT_STORE_REFUSED 1 /* wrong as a whole, or cut before anything was whole: nothing kept, fault says why */
#define IMPORT_STORE_ALREADY 2 /* this content is in the store already: nothing kept, fault says so */

/* import_store_new - @s: open for writing, borrowed. Return: 0 or -ENOMEM. */
int import_store_new(struct store *s, const struct import_store_options *o, struct import_store **ret);
void import_store_free(struct import_store *i);
/* import_store_file - Return: 0, a condition above, or <0 with the fault filled. */
int import_store_file(struct import_store *i, int fd, const char *name, struct import_stored *ret, struct fault *f);
/* import_spool - a copy of what is no file, in directory @dir, that can be read twice. Return: descriptor at its beginning, or -errno. */
int import_spool(int fd, const char *dir);
/* import_store_finish - what never came whole over all files (export sets without template). */
void import_store_finish(struct import_store *i, struct import_summary *ret);
