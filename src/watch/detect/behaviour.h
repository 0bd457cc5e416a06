/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour - what a machine does, rather than whom it meets: the alarms all behaviour detectors raise.
 *
 * A detector is fed batches of flows or of log events as they pass (or as they are read back from the store), keeps
 * bounded state, and hands an alarm on when its numbers are over the limits of its settings. The same
 * (kind, own, peer, host, user, name, window) may be raised again with higher numbers: who takes alarms keeps the last.
 * Time is the time of the events, never a clock: the past and the stream give the same alarms.
 */
#pragma once

#include "base/ip.h"
#include "base/text.h"

#include <stdint.h>

/* kind, its name in findings and settings, ATT&CK technique or "" */
#define BEHAVIOURS(X)                                  \
    X(BEACON, "beacon", "T1071")                       \
    X(PORT_SCAN, "port_scan", "T1046")                 \
    X(HOST_SCAN, "host_scan", "T1046")                 \
    X(BRUTE_FORCE, "brute_force", "T1110.001")         \
    X(PASSWORD_SPRAY, "password_spray", "T1110.003")   \
    X(DDOS_IN, "ddos_in", "T1498")                     \
    X(DDOS_OUT, "ddos_out", "T1498")                   \
    X(SPAM, "spam", "T1071.003")                       \
    X(DGA, "dga", "T1568.002")                         \
    X(DNS_TUNNEL, "dns_tunnel", "T1071.004")           \
    X(EXFILTRATION, "exfiltration", "T1048")           \
    X(NEW_DESTINATION, "new_destination", "")          \
    X(SILENT, "silent", "")

enum behaviour_kind {
#define X(id, name, technique) BEHAVIOUR_##id,
    BEHAVIOURS(X)
#undef X
    BEHAVIOUR_N_KINDS
};

#define BEHAVIOUR_NUMBERS 16u
#define BEHAVIOUR_SERIES 128u
#define BEHAVIOUR_PEERS 10u

/* one figure that explains the alarm; @limit: what it was held against, NAN when it only informs */
struct behaviour_number {
    const char *name; /* static, snake_case with its unit, e.g. "interval_s" */
    double value, limit;
};

struct behaviour_alarm {
    enum behaviour_kind kind;
    struct ip own, peer;      /* all zero: none; own is the machine that misbehaves or suffers */
    uint16_t peer_port;       /* 0: none */
    struct text host, user, name; /* borrowed for the call; name: domain, service... */
    int64_t window_us, window_length_us; /* the window this counts in */
    int64_t first_us, last_us;           /* what the numbers are of */
    uint32_t confidence_pct;  /* 1..100 */
    uint32_t severity;        /* 0 informational .. 4 critical */
    uint64_t n_events;        /* flows or log events behind it */
    struct behaviour_number numbers[BEHAVIOUR_NUMBERS];
    uint32_t n_numbers;
    struct ip peers[BEHAVIOUR_PEERS]; /* examples */
    uint32_t n_peers;
    /* what a picture shows: @series[i] = value at series_from_us + i * series_step_us; unit "flows", "bytes", "names"... */
    double series[BEHAVIOUR_SERIES];
    uint32_t n_series;
    int64_t series_from_us, series_step_us;
    const char *series_unit; /* static */
    struct text query;       /* borrowed: a filter of the query language that finds the rows behind it; empty: none */
};

/* behaviour_emit - who takes alarms. Return: 0, or <0, handed up by the detector. */
typedef int behaviour_emit(void *context, const struct behaviour_alarm *a);
