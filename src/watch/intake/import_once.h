/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/import_once - one file into the store, wholly or not at all, and never its content twice: what imports of
 * flows and of logs have in common.
 */
#pragma once

#include "watch/intake/import_store.h"

struct import_once {
    struct store *store;
    bool again;            /* also content that was imported before */
    const char *spool_dir; /* where input that cannot be read twice (a pipe) is put meanwhile; unlinked at once */
    struct store_import **open; /* set to the transaction before @read; what is read goes into it */
    /* read - Return: 0, >0: refused as a whole, <0; with the fault. @ret: min > max before. */
    int (*read)(void *context, int fd, const char *name, struct import_stored *ret, struct fault *f);
    void *context;
};

/* import_once - @ret: its kind and unit are the caller's. Return: 0, a condition of import_store.h, or <0 with the fault filled. */
int import_once(const struct import_once *x, int fd, const char *name, struct import_stored *ret, struct fault *f);
/* import_once_fault - a fault of the store, with the file it befell: a full disk, say. Return: @r. */
int import_once_fault(const char *name, int r, struct fault *f);
