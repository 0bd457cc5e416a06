/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/taken - which segments of the event store gave their leases already.
 *
 * DIR/leases/TAKEN: magic, the number of entries, then (id, place in the order of arrival, rows, family) of each segment, an XXH3
 * behind; written beside and renamed. A segment that compaction made of segments all of which were taken counts as taken: it
 * stands where the first of them stood and holds as many rows as they together. The file lost or torn: segments are read
 * again, and equal rows count once.
 * Limits: TAKEN_MAX segments. One thread.
 */
#pragma once

#include "watch/store/manifest.h"

#define TAKEN_MAX (1u << 22)

struct taken_segment {
    uint64_t id, order, n_rows;
    int64_t family;
};

struct taken {
    struct taken_segment *all;
    size_t n, room;
};

/* taken_load - none: an empty set. @dir_fd: DIR/leases, or -1: none. Return: 0 or -ENOMEM. */
int taken_load(struct taken *t, int dir_fd);
void taken_fini(struct taken *t);
/* taken_add - Return: 0, -ENOMEM or -ENOBUFS. */
int taken_add(struct taken *t, const struct manifest_segment *s);
/* taken_has - @live: all of the store, among them @s, whose merging may show by what is gone. */
bool taken_has(const struct taken *t, const struct manifest_segment *s, const struct manifest *live);
/* taken_prune - forget what is no longer live; only when everything live was looked at. */
void taken_prune(struct taken *t, const struct manifest *live);
/* taken_save - durable. Return: 0 or -errno. */
int taken_save(const struct taken *t, int dir_fd);
