/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_bulk - bodies of Elasticsearch's _bulk: lines of an action, each followed by the line of its document.
 *
 * In:     a file in memory, untrusted, packed with gzip or not.
 * Out:    the documents alone, one a line, in the same file. create and index are followed by a document, delete is not; other
 *         actions leave an empty object, which is no record of ours.
 * Limits: @max_bytes unpacked. No logging.
 * Fuzz:   tests/fuzz/log_bulk.c
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"

#include <stdint.h>

enum { LOG_BULK_TOO_LARGE = 1, LOG_BULK_MALFORMED = 2 };

/* log_bulk_documents - @fd: read from where it stands, left at its beginning. Return: 0, LOG_BULK_*, or -errno. */
int log_bulk_documents(int fd, uint64_t max_bytes);
/* log_bulk_lines - the same from bytes to bytes: the documents of @body are moved together at its beginning. Return: their bytes. */
size_t log_bulk_lines(char *body, size_t n);
