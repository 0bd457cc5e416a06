/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/log_rows - a digest of log events in their order that does not depend on how they are packed: merging
 * segments changes every file, the digest of the rows of each stays what it was (chain.h).
 *
 * BLAKE2b-256 (RFC 7693) over, for each row: time and arrival (8 bytes each), length of the original (4), the original,
 * length (4) and text of log.source.address (who sent it). A row without an original: all its fields instead, each:
 * length of the name (1), name, type (1), length of the value (4), value. Numbers little-endian.
 * So it covers what was received, when and from whom; the decoded fields follow from that.
 *
 * Limits: one allocation at the beginning. Belongs to one thread.
 */
#pragma once

#include "format/event.h"

struct log_rows; /* a digest under way */
struct log_digest {
    uint8_t b[32];
};
#define LOG_DIGEST_TEXT_MAX 65

/* log_rows_new - NULL: no memory. */
struct log_rows *log_rows_new(void);
void log_rows_free(struct log_rows *d);
void log_rows_add(struct log_rows *d, const struct events *e, uint32_t row);
/* log_rows_end - of all rows since the beginning; then it begins anew. */
struct log_digest log_rows_end(struct log_rows *d);
static inline bool log_digest_equal(const struct log_digest *a, const struct log_digest *b)
{
    return !memcmp(a->b, b->b, sizeof(a->b));
}
