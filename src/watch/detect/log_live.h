/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/log_live - every log event against every current list, as it passes; what live.h is for flows.
 *
 * In:     batches of events, before the store; all fields that hold addresses, and those that hold names (names.h).
 * Out:    sightings of the same meaning (hit.h), marked is_log: contact, or own_listed. At most one per event and list.
 * Ends:   source and client (with nat) are one side, destination and server the other; host.* and observer.* are the machine
 *         that speaks, which is ours; other fields (related.ip, dns.resolved_ip ...) are ends that belong to no side.
 *         Both sides known: hit_decide, as for a flow; when neither is ours but another address of the event is, that is the
 *         own end. One side only: own is an address in the own space, else host.ip, observer.ip, who sent the event to us;
 *         else unset.
 * Limits: LOG_LIVE_ENDS addresses of an event are looked at, LOG_LIVE_LISTS lists of one event count. No allocation but
 *         of the table of sightings. One thread. No logging.
 */
#pragma once

#include "format/event.h"
#include "watch/detect/live.h"

#define LOG_LIVE_ENDS 64u
#define LOG_LIVE_LISTS 64u

enum log_side { LOG_SOURCE_SIDE, LOG_DESTINATION_SIDE, LOG_HOST_SIDE, LOG_OTHER_SIDE };

struct log_end {
    struct ip ip;
    enum log_side side;
    bool is_own, is_sender, is_listed;
};

struct log_ends {
    struct log_end all[LOG_LIVE_ENDS];
    uint32_t n;
};

struct log_live {
    struct live live;             /* rows: events */
    _Atomic uint64_t addresses;   /* looked up */
    struct log_live_inside *inside;
};

/* log_live_init - see live_init. Return: 0 or -ENOMEM. */
int log_live_init(struct log_live *l, int64_t window_us, int zone_s, int (*flush)(void *, struct sightings *), void *context);
void log_live_fini(struct log_live *l);
/* log_live_match - one batch. Return: 0, or what flush answered below 0. */
int log_live_match(struct log_live *l, const struct events *e);

/*
 * log_live_row - one event by itself, for the hunt: of each list only if it is the hunt's (match_set.h).
 * @is_imported: it came with a file, nobody matched it then.
 */
int log_live_row(struct log_live *l, const struct events *e, uint32_t row, bool is_imported);

/* log_ends_of - the addresses of one event, each once, the first of its fields counts; @space may be NULL: is_own is false. */
void log_ends_of(const struct events *e, uint32_t row, const struct space *space, struct log_ends *ret);
/* log_ends_own - the own end: in the own space, else the host, else the sender; NULL: none is known. */
const struct log_end *log_ends_own(const struct log_ends *ends);
