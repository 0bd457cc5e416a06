/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/hunt - have we ever seen any of these addresses? Over everything stored, exactly.
 *
 * In:  lists, perhaps the own address space, a window; a view of the store.
 * Out: hits, one per (own, remote, list); or the stored records themselves; and what was searched.
 *
 * What is looked at: source and destination of every stored record whose interval overlaps the window, and the ends of
 * every log event (log_scan.h) in it. An address is
 * listed by a list if one of its entries covers it, of whichever role. Validity of a list never hides a hit.
 *
 * What becomes a hit, per list that holds an end of the record (each record counts in exactly one hit of that list,
 * however many of the list's entries match):
 *
 *   own space known at the record's start   listed         hit
 *   one end is own                          the other      contact: own, remote             listed = remote
 *                                           own            own_listed: own, remote empty    listed = own
 *                                           both           contact: own, remote             listed = both
 *   both ends are own (internal)            one            own_listed: the listed end       listed = own
 *                                           both           contact: source, destination     listed = both
 *   neither is own (external)               any            none; counted in n_rows_foreign (`--rows` shows them)
 *   no own space given (all external)       one            contact: own = the unlisted end  listed = remote
 *                                           both           contact: source, destination     listed = both
 *
 * Names: a record also counts in one hit per (own, list, listed name) for every listed domain, URL or hash in it (names.h:
 * of flows DNS, TLS and HTTP host names). own is then the end in own space (source before destination), without own space
 * the source; listed = remote, of a hash (a file on a machine of ours) own. With own space and neither end own: none.
 *
 * So an own listed address can stand in two kinds of rows: with remote empty for its talk with unlisted remotes, and
 * per listed remote with listed = both; the flows of a list add up to its records.
 * direction is that of the hit's first record by the own space of its ends (source = initiator): outbound, inbound,
 * internal or external; outbound before inbound where two begin together. unit is that of own at its last record.
 * ports are those of the remote end. Source = destination is both ends.
 *
 * Limits: at most HUNT_LISTS lists; memory for hits by option: a clear fault, never a shortened answer.
 */
#pragma once

#include "base/fault.h"
#include "format/flow.h"
#include "watch/indicator/hit.h"
#include "watch/indicator/list.h"
#include "watch/indicator/names.h"
#include "watch/indicator/space.h"

#define HUNT_LISTS 4096u
#define HUNT_PORTS 10u
#define HUNT_REMOTES 10u
#define HUNT_MEMORY_BYTES ((size_t)1 << 30)
#define HUNT_DAMAGES 32u
#define HUNT_GAPS 64u
#define HUNT_GAP_US (INT64_C(3600) * 1000000)

struct store_view;

/* one line of the answer; texts borrowed for the call */
struct hunt_hit {
    struct ip own, remote;
    bool lacks_own;  /* a log names one end only */
    bool has_remote; /* false: own_listed, or a name is what is listed */
    struct text name; /* the listed domain, URL or hash; .n 0: an address is what is listed */
    enum name_kind name_kind;
    struct text unit, list, family;
    size_t list_index; /* in the array given */
    enum hit_direction direction;
    enum hit_listed listed;
    int64_t first_seen_us, last_seen_us; /* least start, greatest end; first > last: no record has a time */
    uint64_t flows, packets, bytes;      /* saturating */
    uint32_t ports[HUNT_PORTS];          /* most frequent first, then ascending */
    unsigned n_ports;
    struct { /* own_listed: whom it talked to, most flows first */
        struct ip ip;
        uint64_t flows;
    } remotes[HUNT_REMOTES];
    unsigned n_remotes;
};

/* one stored record that touches a listed address */
struct hunt_row {
    int64_t start_us, end_us;
    int64_t received_us; /* when the node got it; only if has_received */
    bool has_received, has_start, has_end, has_source_port, has_destination_port, has_protocol, has_packets, has_bytes;
    bool has_source, has_destination;
    struct ip source, destination; /* all zero when the record has none */
    uint16_t source_port, destination_port;
    uint8_t protocol;
    uint64_t packets, bytes;    /* source + destination, saturating */
    bool is_source_listed, is_destination_listed;
    const struct name_match *names; /* listed names in it; borrowed for the call */
    size_t n_names;
};

/* what was searched; goes to standard error and into the record */
struct hunt_coverage {
    int64_t since_us, until_us; /* as asked; INT64_MIN, INT64_MAX: no limit */
    int64_t from_us, to_us;     /* least and greatest event time in what was searched; from > to: nothing */
    uint64_t n_segments, n_segments_outside; /* searched; wholly outside the window */
    uint64_t n_rows;            /* in the segments searched */
    uint64_t n_rows_listed;     /* records that touch a listed address in the window */
    uint64_t n_rows_foreign;    /* of these: neither end own (only with own space) */
    uint64_t n_hits;
    struct {
        int64_t from_us, to_us;
    } gaps[HUNT_GAPS]; /* stretches of an hour or more inside from..to without any event; the longest are kept */
    uint32_t n_gaps, n_gaps_unnamed;
    char damaged[HUNT_DAMAGES][96]; /* files that could not be opened, or with blocks that could not be read */
    uint32_t n_damaged, n_damaged_unnamed;
    uint64_t n_damaged_blocks;
};

struct hunt_options {
    int64_t since_us, until_us; /* INT64_MIN, INT64_MAX: all time */
    unsigned n_threads;         /* 0: one */
    size_t memory_bytes;        /* ceiling for hits; 0: HUNT_MEMORY_BYTES */
    /* called now and then with searched and all segments; not 0 ends the hunt and is handed up; may be NULL */
    int (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
    bool skip_logs;             /* flows only */
};

/*
 * hunt_hits - the hits, last seen first, given when all is searched.
 * @space: NULL if none is known.
 * Return: 0; what @each returned; -errno with the fault filled.
 */
int hunt_hits(struct store_view *v, struct list *const *lists, size_t n_lists, const struct space *space,
              const struct hunt_options *o, int (*each)(void *context, const struct hunt_hit *h), void *context,
              struct hunt_coverage *ret, struct fault *f);
/*
 * hunt_log_events - log events that may hold a listed address or name, as they are stored; @each decides. Newest segment
 * first. @is_imported: they came with a file. Return: 0, what @each returned, or -errno with the fault.
 */
typedef int (*hunt_log_each)(void *context, const struct events *e, uint32_t row, bool is_imported);
int hunt_log_events(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
                    hunt_log_each each, void *context, struct fault *f);
/* hunt_rows - the records, each once, newest segment first, as they are found. */
int hunt_rows(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
              int (*each)(void *context, const struct hunt_row *r), void *context, struct hunt_coverage *ret,
              struct fault *f);

struct hunt_totals {
    uint64_t rows, bytes, bytes_max; /* records; sum and greatest of their bytes */
};
/* hunt_total - count, sum and max over the records of hunt_rows. */
int hunt_total(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
               struct hunt_totals *ret, struct hunt_coverage *ret_coverage, struct fault *f);
