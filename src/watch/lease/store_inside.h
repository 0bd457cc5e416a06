/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/store_inside - between store.c (opening, import), merge.c (compaction, purge) and view.c. */
#pragma once

#include "watch/lease/store.h"
#include "watch/store/manifest.h"

#define LEASE_FOLDER "leases"
#define LEASE_NAME_MAX 40

struct lease_store {
    struct lease_store_options options;
    int dir_fd, segments_fd, lock_fd;
    struct manifest manifest;
    struct manifest_log log;
};

static inline void lease_file_name(uint64_t id, char out[LEASE_NAME_MAX])
{
    snprintf(out, LEASE_NAME_MAX, "%llu.lse", (unsigned long long)id);
}

static inline struct manifest_segment lease_manifest_segment(const struct lease_segment_info *i, uint64_t order, int64_t now_us)
{
    return (struct manifest_segment){.id = i->id, .order = order, .n_rows = i->n_rows, .n_bytes = i->n_bytes,
                                     .event_min_us = i->begin_min_us, .event_max_us = i->end_max_us, .arrived_min_us = now_us,
                                     .arrived_max_us = now_us, .family = MANIFEST_LEASES};
}

/* lease_store_unlink - a file no transaction names any more; if it stays, the next writer takes it away. */
void lease_store_unlink(const struct lease_store *s, uint64_t id);
