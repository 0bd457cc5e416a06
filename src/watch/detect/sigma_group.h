/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_group - the memory of correlations: groups by key, the quiet ones forgotten first.
 */
#pragma once

#include "watch/detect/sigma_correlate.h"
#include "watch/detect/sigma_entity.h"
#include "watch/detect/sigma_inside.h"

#define SIGMA_EVIDENCE_MAX (64u << 10)

struct sigma_entry {
    int64_t time_us;
    uint64_t value; /* hash of a text, or a beginning */
    double number;
    uint64_t count;
};

/* in an evidence: what one correlation needs of the event; its key follows */
struct sigma_above {
    uint32_t correlation, child;
    bool has_group, has_value, is_number;
    uint64_t value;
    double number;
    uint32_t n_key;
};

struct sigma_evidence {
    uint8_t *p; /* host and user, each behind its length; from `above` on: struct sigma_above and keys */
    uint32_t n, above, capacity;
    uint64_t tag;
};

struct sigma_group {
    struct sigma_group *next;               /* of the bucket */
    struct sigma_group *older, *newer;      /* by use */
    struct sigma_group *opened_before, *opened_after;
    uint32_t correlation, n_key;
    bool is_open, is_pinned;
    int64_t muted_until_us, last_us, window_us;
    struct sigma_entry *entries;
    uint32_t n, capacity, n_numbers;
    uint64_t n_events;
    double sum;
    struct sigma_evidence evidence;
    uint8_t key[];
};

#define SIGMA_BUCKETS 65536u

struct sigma_correlator {
    const struct sigma_rules *r;
    struct sigma_entities entities;
    size_t max_bytes;
    struct sigma_group **buckets;
    struct sigma_group *oldest, *newest;
    struct {
        struct sigma_group *first, *last;
    } *open; /* by correlation: groups with an open window, by its beginning */
    struct buf blob;
    int64_t now_us;
    unsigned depth;
    struct sigma_correlate_counters counters;
};

/* sigma_group_get - found or made; quiet groups are forgotten to make room, never this one. NULL: memory is out. */
struct sigma_group *sigma_group_get(struct sigma_correlator *c, uint32_t correlation, const uint8_t *key, uint32_t n_key);
void sigma_group_forget(struct sigma_correlator *c, struct sigma_group *g);
/* sigma_group_room - for one more entry. Return: 0 or -ENOMEM. */
int sigma_group_room(struct sigma_correlator *c, struct sigma_group *g);
/* sigma_group_evidence - a copy of @e becomes the group's. Return: 0 or -ENOMEM. */
int sigma_group_evidence(struct sigma_correlator *c, struct sigma_group *g, const struct sigma_evidence *e);
void sigma_group_open(struct sigma_correlator *c, struct sigma_group *g, int64_t time_us);
void sigma_group_close(struct sigma_correlator *c, struct sigma_group *g);
