/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/generator - synthetic flows and the datagrams that carry them, the same on every machine.
 *
 * Modelled on a provider's day: clients and servers with skewed popularity, half of all flows the replies to others,
 * scanners that touch random addresses, exporters that send 30 records a datagram; AS, prefix lengths and ToS filled.
 * Deliberately hard to pack: ports, durations and counters are near-random.
 */
#pragma once

#include "format/flow.h"

struct generator_options {
    uint64_t seed;             /* 0: a fixed one */
    uint64_t n_flows;          /* spread evenly over span_us */
    int64_t start_us, span_us; /* 0: 2025-01-01, one day */
    uint32_t n_clients, n_servers; /* 0: 4 M and 200 k */
    uint32_t scan_permille;    /* 0: 70 */
    uint32_t n_exporters;      /* 0: 1 */
    bool is_v6;
    /* every hit_every-th flow has one of these as its remote end; 0: none */
    uint32_t hit_every;
    const uint32_t *hits;
    size_t n_hits;
};

struct generator {
    struct generator_options o;
    uint64_t state, n_made, n_datagrams;
    uint32_t sequence[64]; /* per exporter */
};

#define GENERATOR_RECORDS 30u
#define GENERATOR_DATAGRAM_MAX 9000u

void generator_init(struct generator *g, const struct generator_options *o);
/* generator_flows - the next @n flows of one exporter; observer is the exporter's number. */
void generator_flows(struct generator *g, struct flow *out, uint32_t n);
/* generator_observer - who exporter @i is. */
struct flow_observer generator_observer(uint32_t i);
/*
 * generator_datagram - the next up to GENERATOR_RECORDS flows as a datagram of NetFlow @version 5, 9 or 10 (IPFIX).
 * Every exporter's first datagram, and every 1000th, of versions 9 and 10 brings the template too.
 * @flows: the flows in it, or NULL. Return: bytes; 0 when all are made.
 */
size_t generator_datagram(struct generator *g, int version, uint8_t out[GENERATOR_DATAGRAM_MAX],
                          struct flow *flows, uint32_t *ret_n, uint32_t *ret_exporter);
/* generator_list - @n distinct sorted addresses, uniform over public space; lists of one seed nest. */
void generator_list(uint64_t seed, uint32_t *out, size_t n);
