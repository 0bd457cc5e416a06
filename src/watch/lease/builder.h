/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/builder - rows in any order into one segment.
 *
 * Memory: 112 bytes a row and the texts. One thread.
 */
#pragma once

#include "watch/lease/segment.h"

#define LEASE_BUILD_ROWS (2u << 20)
#define LEASE_HOURS_MAX (4u << 20) /* (gateway, hour) pairs of one segment; what is over is not counted per hour */

struct lease_builder;

/* lease_builder_new - @max_rows: 0: LEASE_BUILD_ROWS. Return: NULL when memory is out. */
struct lease_builder *lease_builder_new(uint32_t max_rows);
void lease_builder_free(struct lease_builder *b);
uint32_t lease_builder_n(const struct lease_builder *b);
/* lease_builder_text - the number of a text for the rows of this builder. Return: as texts_number. */
int lease_builder_text(struct lease_builder *b, struct text x, uint32_t *ret);
/*
 * lease_builder_add - copied; its texts are numbers of this builder.
 * Return: 0; LEASE_FULL (write it, then start anew: numbers of texts are no longer valid); -EINVAL (not lease_is_sane).
 */
#define LEASE_FULL 1
int lease_builder_add(struct lease_builder *b, const struct lease *l);
/* lease_builder_write - sort, write file @name, synced, and forget the rows and texts. Return: 0 or -errno. */
int lease_builder_write(struct lease_builder *b, int dir_fd, const char *name, uint64_t id, struct lease_segment_info *ret,
                        uint64_t *ret_n_doubled, struct fault *f);

/* lease_builder_write_fd - the same into an empty open file. */
int lease_builder_write_fd(struct lease_builder *b, int fd, const char *name, uint64_t id, struct lease_segment_info *ret, struct fault *f);

/* hours heard, while rows go by */
struct lease_hours {
    struct lease_hour *slots; /* open addressing, n == 0: free */
    uint32_t n, n_slots;
    uint64_t n_lost;
};
int lease_hours_init(struct lease_hours *h);
void lease_hours_fini(struct lease_hours *h);
void lease_hours_add(struct lease_hours *h, uint32_t gateway, uint32_t hour, uint32_t n);
/* lease_hours_heard - what row @l tells: that its gateway was heard when it began, and when it was seen to end. */
void lease_hours_heard(struct lease_hours *h, const struct lease *l);
/* lease_hours_sort - in order, in place; only for writing now. Return: how many stand at the front of h->slots. */
uint32_t lease_hours_sort(struct lease_hours *h);
