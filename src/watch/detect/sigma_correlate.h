/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_correlate - correlation rules of Sigma: what happened how often, to whom, within which time.
 *
 *   In   matches of rules (sigma_match), in about the order of their time
 *   Out  one answer per correlation and group when its condition first holds, then none until its timespan is over
 *   Time that of the events. Conditions that can only become true as events come (gt, gte of event_count, value_count,
 *        value_sum, temporal, temporal_ordered) are answered by the event that fulfils them, over a window that slides.
 *        All others (lt, lte, eq, neq, ranges, value_avg, value_percentile) are judged when a window ends; it begins with
 *        its group's first event and has ended when an event later than its end was seen, or by a flush.
 *        Events that come late are counted where they belong while their window is remembered, else counted as late.
 *   Group An event without one of the group-by fields belongs to no group and is counted so. Values are compared as
 *        texts without case; of a list the first counts.
 *   value_percentile: of numbers, the value at `percentile:` (50 unless said, nearest rank) is compared; of other texts,
 *        the share in percent of the rarest value of the window.
 *   Limits  @max_bytes; when full, the groups that were quiet longest are forgotten and counted. SIGMA_GROUP_VALUES
 *        entries a group; what is over is counted as cut. One thread.
 *   Source  Sigma correlation rules specification 2.1.0.
 */
#pragma once

#include "watch/detect/sigma.h"

#define SIGMA_CORRELATE_BYTES ((size_t)256 << 20)
#define SIGMA_GROUP_VALUES 65536u
#define SIGMA_KEY_BYTES 4096u /* of a group's values; longer ones are told apart by their hash */
#define SIGMA_ENTITY_BYTES 256u

struct sigma_correlated {
    uint32_t rule;            /* the correlation */
    int64_t first_us, time_us; /* of the events that were counted last */
    uint64_t tag;             /* of the last one, as given to sigma_correlator_add */
    struct text host, user;   /* of the last one */
    struct text group;        /* the values, joined by " / ", printable as they came */
    double value;             /* what was compared */
};
/* Return: 0, or <0, which is handed up. */
typedef int sigma_correlated_fn(void *context, const struct sigma_correlated *c);

struct sigma_correlator;
struct sigma_correlate_counters {
    uint64_t events, without_group, without_value, late, forgotten, cut, answers;
    uint32_t n_groups;
    size_t bytes;
};

struct sigma_correlator *sigma_correlator_new(const struct sigma_rules *rules, size_t max_bytes);
void sigma_correlator_free(struct sigma_correlator *c);
const struct sigma_correlate_counters *sigma_correlator_counters(const struct sigma_correlator *c);
/*
 * sigma_correlator_add - a match, from within sigma_match's callback (@m is at that row). @tag: the caller's name of the
 * event. Return: 0, -ENOMEM, or what @fn answered below 0.
 */
int sigma_correlator_add(struct sigma_correlator *c, struct sigma_matcher *m, const struct events *e, uint32_t row, uint32_t rule,
                         uint64_t tag, sigma_correlated_fn *fn, void *context);
/* sigma_correlator_flush - nothing more comes: all open windows end. */
int sigma_correlator_flush(struct sigma_correlator *c, sigma_correlated_fn *fn, void *context);
