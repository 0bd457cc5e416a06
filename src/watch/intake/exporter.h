/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/exporter - the account of every exporter: what came, what was kept, what was lost.
 *
 * received = kept + dropped{reason}, in datagrams and in records; what the sequence numbers say was
 * sent and never came stands beside it. One table per receiving thread; readers take snapshots.
 * Limits: EXPORTERS_MAX per table, EXPORTERS_PER_ADDRESS of one sender. A full table lets go of the one that has been
 *         silent longest among those that never proved themselves by EXPORTER_PROVEN datagrams; of the proven ones only
 *         after EXPORTER_SILENT_US. Where the configuration says who may send nobody is let go. What is let go stays in
 *         the sums (`gone`); a datagram for which there is no place is counted under `overflow` and still decoded.
 */
#pragma once

#include "format/netflow.h"
#include "format/netflow_sequence.h"
#include "format/sflow.h"

#include <pthread.h>

#define EXPORTERS_MAX 4096u
#define EXPORTERS_PER_ADDRESS 256u
#define EXPORTER_PROVEN 16u
#define EXPORTER_SILENT_US (INT64_C(3600) * 1000000)

/* X(name, "help for people and for Prometheus") */
#define EXPORTER_COUNTERS(X)                                                   \
    X(datagrams, "datagrams received")                                         \
    X(bytes, "payload bytes received")                                         \
    X(datagrams_refused, "datagrams refused whole")                            \
    X(flows, "flow records kept")                                              \
    X(records_refused, "records refused")                                      \
    X(sets_refused, "sets refused (unknown template, bad length)")             \
    X(templates_refused, "templates refused")                                  \
    X(options, "options records read")                                         \
    X(nat_events, "NAT events read")                                           \
    X(templates_added, "templates learned")                                    \
    X(templates_redefined, "templates redefined")                              \
    X(templates_withdrawn, "templates withdrawn")                              \
    X(sets_waiting, "sets put aside until their template comes")               \
    X(sets_resolved, "sets put aside and decoded later")                       \
    X(lost, "records or datagrams missing by sequence number")                 \
    X(gaps, "gaps in the sequence")                                            \
    X(late, "datagrams out of order")                                          \
    X(repeated, "datagrams repeated (counted, not dropped)")                   \
    X(restarts, "restarts of the exporter")

struct exporter_counters {
#define X(name, help) uint64_t name;
    EXPORTER_COUNTERS(X)
#undef X
};

struct exporter {
    struct flow_observer observer;
    uint16_t port; /* source port when told apart by it, else 0 */
    uint16_t version;
    int64_t first_us, last_us;   /* received */
    int64_t clock_offset_us;     /* received - exported, of the last datagram */
    uint32_t sequence;           /* last seen */
    struct exporter_counters n;
    uint64_t refused[NETFLOW_N_REASONS];
    struct netflow_sequence seen;
    uint32_t noted_next; /* what the journal was last told */
    bool is_noted, is_proven;
    uint32_t sender;       /* which count of the sender's address it is in */
    uint32_t newer, older; /* by when they were heard, among the proven or the others; index + 1 */
};

/* exporters by when they were heard; index + 1, 0: none */
struct exporter_queue {
    uint32_t newest, oldest;
};

/*
 * What outlives the process, as notes of the store: the sequence number that should come next and the exporter's boot time.
 * So what a killed process lost shows as a gap of the first datagram after it.
 */
#define EXPORTER_KEY_BYTES 26u
enum exporter_note { EXPORTER_NEXT = 1, EXPORTER_BOOT };
struct exporter_memory {
    uint8_t key[EXPORTER_KEY_BYTES];
    uint64_t value;
};

struct exporters {
    pthread_mutex_t lock; /* held by the owner for each batch of datagrams, by readers for a copy */
    struct exporter *all; /* EXPORTERS_MAX slots, the first n used */
    uint32_t n;
    uint32_t *slots; /* hash -> index + 1 */
    uint64_t overflow, not_allowed, foreign_bytes;
    struct exporter_counters gone; /* of those let go */
    uint64_t n_gone;
    bool is_sflow;
    bool is_closed; /* the configuration says who may send */
    uint16_t *n_of_sender; /* by hash of the address: exporters of it */
    struct exporter_queue queue[2]; /* unproven, proven */
    struct exporter_memory *memory; /* of the last run; looked up when an exporter appears */
    size_t n_memory, memory_room;
    bool is_sorted; /* memory is */
};

/* exporters_init - Return: 0 or -ENOMEM. */
int exporters_init(struct exporters *e);
void exporters_fini(struct exporters *e);
/* exporters_count - enter one decoded datagram; the caller holds the lock. */
void exporters_count(struct exporters *e, const struct netflow_datagram *d, const struct netflow_result *r);
void exporters_count_sflow(struct exporters *e, const struct netflow_datagram *d, const struct sflow_result *r);
/* exporters_copy - a snapshot; *@ret is malloc'ed by the callee. Return: 0 or -ENOMEM. */
int exporters_copy(struct exporters *e, struct exporter **ret, uint32_t *ret_n);
/* exporters_recall - a note of the last run; others than ours are passed over. Return: 0 or -ENOMEM. */
int exporters_recall(struct exporters *e, const void *key, size_t n_key, uint64_t value);
/*
 * exporters_note - what has changed since the last call, to be kept with the rows it speaks of; the caller holds the lock.
 * @note: may refuse (<0): it is asked again next time. Return: notes refused.
 */
unsigned exporters_note(struct exporters *e, int (*note)(void *context, const void *key, size_t n_key, uint64_t value),
                        void *context);
