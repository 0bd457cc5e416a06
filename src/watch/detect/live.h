/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/live - every stored batch against every current list, as it passes.
 *
 * One struct live per receiving thread. The match set is handed over through `next`; the thread takes
 * it at its next quiet point (between two batches) and says so in `seen`: nobody waits, no batch
 * ever meets half a set, and the owner may free an old set once every thread has seen a newer one.
 */
#pragma once

#include "watch/detect/match_set.h"
#include "watch/detect/sighting.h"
#include "watch/flow_batch.h"

#include <stdatomic.h>

struct live {
    _Atomic(const struct match_set *) next; /* published by the owner */
    _Atomic uint64_t seen;                  /* generation of the set in use */
    const struct match_set *set;
    struct sightings table;
    int64_t window_us;
    int zone_s; /* windows begin at local midnight of this zone */
    int64_t as_of_us; /* a hunt's: rows received later were received before the clock was set back; else INT64_MAX */
    /* counters, read by others */
    _Atomic uint64_t rows, rows_listed, hits, hits_lost;
    int (*flush)(void *context, struct sightings *t); /* takes what the table holds and clears it; 0 or <0 */
    void *context;
};

/* live_init - @flush is called when the table is full and by live_flush. Return: 0 or -ENOMEM. */
int live_init(struct live *l, int64_t window_us, int zone_s, int (*flush)(void *, struct sightings *), void *context);
void live_fini(struct live *l);
/* live_quiet - between two batches: take a newer set if there is one. */
void live_quiet(struct live *l);
/* live_match - one stored batch. Return: 0, or what flush answered below 0. */
int live_match(struct live *l, const struct flow_batch *b);
/*
 * live_row - one row by itself, against every list of the set.
 * @is_hunt: count it for lists whose hunt it belongs to (received before they became active, or no time of receipt, or
 * one that is still to come); else for the lists that are live for it.
 * Return: 0, or what flush answered below 0.
 */
int live_row(struct live *l, const struct flow *f, bool is_hunt);
/*
 * live_names - the listed names of one row: as live_row. @is_log: of an event; @own: zero if unknown; @peer: whom it talked to.
 */
struct live_named {
    const struct name_match *names;
    size_t n_names;
    struct ip own, peer;
    uint16_t port;
    bool is_log, is_hunt, is_outbound, is_hunts_always; /* of imports: no list is live for it */
    int64_t first_us, last_us, arrived_us;
    uint64_t packets, bytes;
};
int live_names(struct live *l, const struct live_named *x);
/* live_flow_names_found - the same of names found in a flow's texts. */
int live_flow_names_found(struct live *l, const struct flow *f, const struct name_match *names, size_t n, bool is_hunt);
/* live_is_hunts - whether a row that arrived then (or whose arrival nobody matched) belongs to the hunt of @list of the set. */
bool live_is_hunts(const struct live *l, size_t list, bool has_arrived, int64_t arrived_us);
/* live_put - what one row (of one list) is worth; counted as a hit. Return: 0, or what flush answered below 0. */
int live_put(struct live *l, const struct sighting *one);
int live_flush(struct live *l);
/* live_window - start of the window that holds @us. */
int64_t live_window(const struct live *l, int64_t us);
