/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_store - log files into the store, each wholly or not at all; what import_store is for flows.
 *
 * A file's SHA-256 is taken first: content that was imported before is refused. Its events are staged and published by
 * one transaction. The account comes in the form of import_store, so that both kinds are told alike.
 */
#pragma once

#include "watch/intake/import_store.h"
#include "watch/intake/log_read.h"

struct log_store_options {
    struct log_options read; /* path is set per file */
    const struct line_decoders *decoders; /* borrowed; their names are those of the store; NULL: none */
    bool again;
    const char *spool_dir;
    void (*on_refused)(void *context, const struct import_refused *r); /* may be NULL */
    void (*on_progress)(void *context, uint64_t n_bytes_in, const struct import_summary *s); /* may be NULL; per batch */
    void *context;
};

/*
 * log_store_file - @name: for messages and log.file.path.
 * Return: 0, IMPORT_STORE_REFUSED, IMPORT_STORE_ALREADY, or <0 with the fault filled.
 */
int log_store_file(struct store *s, const struct log_store_options *o, int fd, const char *name, struct import_stored *ret,
                   struct fault *f);
