/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/compact - what compaction of flows (compact.c) and of log events (log_compact.c) share. For these two only.
 */
#pragma once

#include "watch/store/store_impl.h"

struct compaction {
    struct store *store;
    struct store_compaction *report;
    int (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    uint64_t done, total;
    bool is_stopped;
    struct fault *fault;
};

/* neighbours in one array: a run to merge, or the members of a dictionary */
struct run {
    size_t from, n;
};

/* compact_step_done - one more of the total; asks whether to go on. */
void compact_step_done(struct compaction *c);
/* compact_live - the segments of one family in order of arrival; caller frees. Return: 0 or -ENOMEM with the fault. */
int compact_live(struct store *s, int family, struct manifest_segment **ret, size_t *ret_n, struct fault *f);
/* compact_merged - what the manifest will say of @m merged; a new id, bytes and event times still to be filled. */
struct manifest_segment compact_merged(struct store *s, const struct manifest_segment *m, size_t n);
/*
 * compact_swap - the one transaction: @merged, whose file is synced, instead of @m; of log events with its line in the
 * chain before. If the members are no longer all there (retention was faster) @merged goes and nothing is changed.
 * @rows: of log events, the digest of its rows. Return: 0 or <0 with the fault; then @merged is gone.
 */
int compact_swap(struct compaction *c, const struct manifest_segment *m, size_t n, const struct manifest_segment *merged,
                 const struct log_digest *rows);
/* compact_unreadable - @r is why member @id could not be read: a damaged one is set aside. Return: -EBADMSG, or <0 with the fault. */
int compact_unreadable(struct compaction *c, uint64_t id, int r, const struct fault *why);

/* compact_logs - merge small segments of log events. Return: 0 or <0 with the fault. */
int compact_logs(struct compaction *c);
