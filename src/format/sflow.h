/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/sflow - sFlow version 5 datagrams to flow records.
 *
 * In:     one UDP payload, untrusted.
 * Out:    one flow per flow sample whose record names two IP addresses: packets = the sampling rate, bytes = frame
 *         length times the rate (multiplied once; network.sampling says so); start = end = time of receipt. Where the
 *         sampled header is that of a tunnel, one more row for each layer inside, naming the tunnel
 *         (text "network.tunnel"), so that an address is found wherever it stood.
 *         A discarded packet that the device tells of (sample format 5) is a flow of one packet.
 *         Interface counters, for those who ask. What was refused, by reason.
 * State:  none. The observer is (agent address, sub-agent), which survive a change of the sending address.
 * Limits: no I/O, no allocation, no logging, no global state; reentrant. Every loop consumes bytes of the datagram.
 * Source: sflow.org/sflow_version_5.txt, sflow_drops.txt; enterprise 0 structures.
 * Fuzz:   tests/fuzz/sflow.c
 */
#pragma once

#include "format/flow.h"
#include "format/netflow.h"

#define SFLOW_SOURCES 32 /* data sources of one datagram that are reported in the result */

/* X(ID, "name", unit) - why something was refused; unit: what the count counts */
#define SFLOW_REASONS(X)                                                                                   \
    X(VERSION, "version", datagrams)               /* not 5 */                                              \
    X(SHORT, "short_header", datagrams)            /* no whole header, or an agent of no known family */    \
    X(SAMPLE_CUT, "cut_sample", samples)           /* announced, but not whole in the datagram */           \
    X(SAMPLE_MALFORMED, "malformed_sample", samples) /* its records do not fit its length */                \
    X(NOT_IP, "not_ip", samples)                   /* a frame without IP: ARP, LLDP, spanning tree ... */   \
    X(HEADER_UNKNOWN, "header_unknown", samples)   /* sampled header of a link that is not understood */    \
    X(HEADER_CUT, "header_cut", samples)           /* sampled header ends before the addresses */           \
    X(HEADER_MALFORMED, "header_malformed", samples) \
    X(NO_ADDRESSES, "no_addresses", samples)       /* no record that names addresses */

enum sflow_reason {
#define X(ID, name, unit) SFLOW_##ID,
    SFLOW_REASONS(X)
#undef X
        SFLOW_N_REASONS
};
extern const char *const sflow_reason_names[SFLOW_N_REASONS];

/* what a flow sample says of its source (an interface, mostly) */
struct sflow_source {
    uint32_t class, index;
    uint32_t sequence; /* of samples from this source */
    uint32_t rate, pool;
    uint32_t drops; /* samples the agent lost for want of resources, ever */
};

/* n_samples = n_flow_samples + n_counter_samples + n_other_samples + refused SAMPLE_CUT */
/* n_flow_samples = n_flows + the other refused samples */
struct sflow_result {
    struct flow_observer observer; /* agent address and sub-agent */
    bool has_sequence;             /* the header was read */
    uint32_t sequence, uptime_ms;
    uint32_t n_samples; /* announced */
    uint32_t n_flow_samples, n_counter_samples, n_other_samples;
    uint32_t n_flows; /* samples that became a flow */
    uint32_t n_inner; /* further rows, of layers inside tunnels */
    uint32_t n_sources;
    struct sflow_source sources[SFLOW_SOURCES]; /* of flow samples, in order */
    uint32_t n_refused[SFLOW_N_REASONS];
};

/* generic interface counters (0:1), totals since the interface came up */
struct sflow_counters {
    struct flow_observer observer;
    uint32_t source_class, source_index;
    uint32_t interface, type, direction, status;
    uint64_t speed_bps;
    uint64_t in_bytes, out_bytes;
    uint32_t in_unicast, in_multicast, in_broadcast, in_discards, in_errors, in_unknown;
    uint32_t out_unicast, out_multicast, out_broadcast, out_discards, out_errors;
};
/* sflow_counter_sink - Return: 0 or <0, handed up. */
typedef int (*sflow_counter_sink)(void *context, const struct sflow_counters *c);

/*
 * sflow_decode - one datagram.
 * @peer: the sender; stands in as observer where the agent's address is zero
 * @ret:  always written, whole
 * Return: 0 (also when things were refused: see @ret), or what @sink answered below 0.
 */
int sflow_decode(const uint8_t *p, size_t n, const struct ip *peer, int64_t received_us, flow_sink sink, void *context,
                 struct sflow_result *ret);
/* sflow_decode_all - the same, and interface counters to @counters (may be NULL). */
int sflow_decode_all(const uint8_t *p, size_t n, const struct ip *peer, int64_t received_us, flow_sink sink,
                     sflow_counter_sink counters, void *context, struct sflow_result *ret);

/* sflow_sequence_input - @r in the form netflow_sequence_note takes: sFlow counts datagrams. */
struct netflow_result sflow_sequence_input(const struct sflow_result *r);

/* what the samples of one observer say about loss between the wire and us; zero-initialise */
#define SFLOW_LOSS_SOURCES 256u
struct sflow_loss {
    uint64_t n_missing; /* samples that never came, by their sequence */
    uint64_t n_dropped; /* samples the agent lost itself, by its counter */
    uint64_t n_sources_over; /* notes of sources beyond SFLOW_LOSS_SOURCES, not judged */
    uint32_t n;
    struct sflow_source last[SFLOW_LOSS_SOURCES];
};
/* sflow_loss_note - add the sources of one datagram. */
void sflow_loss_note(struct sflow_loss *l, const struct sflow_result *r);
