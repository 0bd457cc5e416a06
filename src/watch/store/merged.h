/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/merged - one sorted dictionary over many segments (an hour, a day): which address
 * stands in which of them. Made by compaction; a hunt reads it instead of the segments' own.
 *
 * Per entry: the address (delta, packed in groups) and a set of members (bits, or a packed list).
 * Immutable file with the header of every store file. At most MERGED_MEMBERS segments.
 */
#pragma once

#include "base/fault.h"
#include "watch/store/segment.h"
#include "watch/store/segment_build.h"

#define MERGED_MEMBERS 512u

struct merged;

/* merged_write - over @n segments of one family (borrowed). A k-way merge, bounded memory. */
int merged_write(struct segment *const *segments, size_t n, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f);
int merged_open(int fd, uint64_t id, struct merged **ret, struct fault *f);
void merged_close(struct merged *m);
size_t merged_n_members(const struct merged *m);
uint64_t merged_member(const struct merged *m, size_t i); /* segment id */
uint64_t merged_n_entries(const struct merged *m);
/*
 * merged_find - entries in @set: @each gets the address and a bitmap of members (MERGED_MEMBERS bits), ascending.
 * Return: 0, what @each returned, -ENOMEM or -EBADMSG.
 */
int merged_find(const struct merged *m, const struct address_set *set,
                int (*each)(void *context, const struct ip *a, const uint64_t *members), void *context);
/* merged_is_resident - as far as a few samples tell, its dictionary is in memory. */
bool merged_is_resident(const struct merged *m);
int merged_verify(const struct merged *m, struct fault *f);
