/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_sequence - what an exporter's sequence numbers say about loss, one state per observer.
 *
 * In:     the result of each datagram of one (peer, version, domain), and its fingerprint.
 * Out:    whether it was next, after a gap, late, repeated, or the first after a restart; running totals.
 * Limits: no allocation; repeated datagrams are known among the last NETFLOW_SEQUENCE_RECENT.
 * Source: v5: flow_sequence counts records (Cisco, table B-3); v9: export packets (RFC 3954 5.1);
 *         IPFIX: data records, modulo 2^32 (RFC 7011 3.1).
 */
#pragma once

#include "format/netflow.h"

#define NETFLOW_SEQUENCE_RECENT 16u
/* a step back or forward larger than this is not reordering or loss but a new count */
#define NETFLOW_SEQUENCE_WINDOW (1u << 24)

struct netflow_sequence {
    uint64_t n_missing;  /* units (records; v9: datagrams) that never came; late ones are taken off again */
    uint64_t n_gaps, n_late, n_repeated, n_restarts; /* datagrams */
    uint64_t recent[NETFLOW_SEQUENCE_RECENT];
    int64_t boot_ms;     /* when sysUpTime was 0 by the exporter's own clock */
    uint32_t next, late_next;
    uint8_t at, n_late_run;
    bool is_begun;
    bool is_unsure; /* the datagram before held records that could not be counted */
};

enum netflow_sequence_finding {
    NETFLOW_SEQUENCE_NONE,     /* the datagram has no sequence */
    NETFLOW_SEQUENCE_FIRST,
    NETFLOW_SEQUENCE_NEXT,     /* as expected, or not to be judged after an unsure one */
    NETFLOW_SEQUENCE_GAP,
    NETFLOW_SEQUENCE_LATE,     /* overtaken on the way */
    NETFLOW_SEQUENCE_REPEATED, /* the same datagram again: count it, do not drop it */
    NETFLOW_SEQUENCE_RESTART,
};

/* netflow_fingerprint - of one datagram: its length, first 64 and last 8 bytes. */
uint64_t netflow_fingerprint(const uint8_t *p, size_t n_bytes);

/*
 * netflow_sequence_note - judge one datagram.
 * @ret_n_missing: units missing in front of it; set only for GAP
 */
enum netflow_sequence_finding netflow_sequence_note(struct netflow_sequence *s, const struct netflow_result *r,
                                                    uint64_t fingerprint, uint32_t *ret_n_missing);
