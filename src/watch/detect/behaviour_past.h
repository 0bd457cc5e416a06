/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_past - what is stored, through the detectors, in the order of time.
 *
 * In:     the store: segments of flows and of log events, and the rows of journals that are not sealed.
 * Out:    what behaviour_flows and behaviour_events make of it. Blocks are taken by the time of their newest row, so that
 *         segments written beside each other interleave.
 * Limits: reads only the columns detectors use; a block that cannot be read is counted and left out. No logging.
 */
#pragma once

#include "watch/detect/behaviour_engine.h"
#include "watch/store/store.h"

struct behaviour_past_options {
    int64_t since_us, until_us;        /* time of events; INT64_MIN, INT64_MAX: all */
    int64_t received_from_us, received_until_us; /* [from, until); INT64_MIN, INT64_MAX: all, also rows that do not say */
    uint64_t max_rows;                 /* flows and events: of more the newest blocks count; 0: all */
    int (*stop)(void *context);        /* asked between blocks; not 0 ends the walk. May be NULL */
    void *context;
};

struct behaviour_past_account {
    uint64_t flows, events, blocks_damaged, rows_left_out; /* left out: for max_rows */
    bool was_stopped;
};

/* behaviour_events_between - the rows of other times leave the batch. */
void behaviour_events_between(struct events *e, int64_t since_us, int64_t until_us);

/* behaviour_past - Return: 0, or <0 (memory; what a detector answered). @names: of the engine. */
int behaviour_past(const struct store_view *v, struct behaviour_engine *x, struct event_names *names, const struct behaviour_own *own,
                   const struct behaviour_past_options *o, struct behaviour_past_account *ret);
