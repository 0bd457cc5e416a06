/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow - NetFlow v5, v9 and IPFIX datagrams to flow records: the one door for exporters.
 *
 * In:     UDP payloads or IPFIX messages, untrusted, in the order received.
 * Out:    flows in runs (up to NETFLOW_RUN) to a flow_sink; NAT events to a nat_sink; what was done and what was
 *         refused, by reason, in a netflow_result.
 * State:  templates, sampling and boot time per (peer, version, domain), and sets that wait for their template.
 *         Not thread-safe; a decoder per thread, an exporter always to the same one.
 * Limits: no I/O, no clock, no logging. Every table is bounded (netflow_options); reaching a bound is counted.
 *         Nothing is allocated per record; only a new template, domain, sampler or waiting set takes memory.
 * Source: Cisco NetFlow export formats; RFC 3954; RFC 7011, 7012, 5103, 8158, 3022; the IANA IPFIX registry.
 * Fuzz:   tests/fuzz/netflow.c
 */
#pragma once

#include "format/flow.h"

#define NETFLOW_RUN 32u

struct netflow;

/* 0 in a field means the default in brackets */
struct netflow_options {
    size_t max_peers;              /* addresses (or address and port), [1024] */
    size_t max_templates_per_peer; /* over all domains, [4096] */
    size_t max_bytes;              /* templates, samplers and waiting sets of all peers, [64 MiB]; one peer: a quarter */
    size_t max_waiting_bytes;      /* sets of one peer that wait for a template, [1 MiB] */
    int64_t max_waiting_us;        /* older ones are given up: the template may mean other records by then, [2 hours] */
    bool by_port;                  /* templates also apart by source port: exporters behind NAT, several line cards */
};

struct netflow_datagram {
    const uint8_t *p; /* borrowed for the call */
    size_t n_bytes;
    struct ip peer;
    uint16_t peer_port;
    int64_t received_us;
    bool by_port; /* for this exporter, also when the options do not say so */
};

/* X(ID, "name", unit) - why something was refused; unit: what the count counts */
#define NETFLOW_REASONS(X)                                                                                            \
    X(VERSION, "version", datagrams)                   /* not 5, 9 or 10 */                                            \
    X(SHORT, "short_header", datagrams)                /* no whole header */                                           \
    X(COUNT, "record_count", datagrams)                /* v5: announces 0 or more than 30 records, or has none */      \
    X(MESSAGE_LENGTH, "message_length", datagrams)     /* more bytes than the header says (left) or fewer (what is whole is kept) */ \
    X(PEER_LIMIT, "peer_limit", datagrams)             /* more exporters or domains than may be kept */                \
    X(CUT, "cut_record", records)                      /* announced or begun, but not whole */                         \
    X(SET_LENGTH, "set_length", sets)                  /* below 4, or past the end: the rest of the datagram is lost */ \
    X(SET_ID, "set_id", sets)                          /* reserved by the standard */                                  \
    X(TEMPLATE_MALFORMED, "template_malformed", templates) /* id below 256, cut, scope longer than the record */        \
    X(TEMPLATE_EMPTY, "template_empty", templates)     /* no field, or a record of no bytes */                         \
    X(TEMPLATE_LIMIT, "template_limit", templates)     /* more than may be kept */                                     \
    X(SAMPLER_LIMIT, "sampler_limit", records)         /* more samplers than may be kept: its flows stay unmultiplied */ \
    X(WAITING_LIMIT, "waiting_limit", sets)            /* template unknown and no room to wait for it */               \
    X(TEMPLATE_UNKNOWN, "template_unknown", sets)      /* the template never came (netflow_finish), or too late */     \
    X(NO_ADDRESSES, "no_addresses", records)           /* not two IP addresses, and no NAT event */                    \
    X(LAYER2, "layer2", records)                       /* MAC addresses only */

enum netflow_reason {
#define X(ID, name, unit) NETFLOW_##ID,
    NETFLOW_REASONS(X)
#undef X
        NETFLOW_N_REASONS
};
extern const char *const netflow_reason_names[NETFLOW_N_REASONS];

struct netflow_result {
    uint16_t version; /* 5, 9, 10; 0 when not known */
    struct flow_observer observer;
    bool has_sequence;      /* the next four are set */
    bool is_exact;          /* n_units is certain: no set of unknown size */
    uint32_t sequence;      /* as exported */
    uint32_t n_units;       /* by how much the next sequence should be greater: v5 and IPFIX records, v9 datagrams */
    int64_t exported_us;    /* the exporter's clock */
    uint32_t uptime_ms;     /* 0 for IPFIX */
    uint32_t n_flows;       /* handed to the sink, waiting sets of earlier datagrams included */
    uint32_t n_options;     /* options records read */
    uint32_t n_nat_events;  /* handed to the nat sink, or that would have been */
    uint32_t n_nat_only;    /* of these: records that are no flow */
    uint32_t n_added, n_refreshed, n_redefined, n_withdrawn; /* templates */
    uint32_t n_waiting;     /* sets put aside now until their template comes */
    uint32_t n_resolved;    /* sets put aside before and decoded now */
    uint32_t n_refused[NETFLOW_N_REASONS];
};

/* a translation as a carrier's NAT reports it (RFC 8158); unknown parts are zero */
struct nat_event {
    struct flow_observer observer;
    int64_t time_us;
    struct ip inside, outside; /* the subscriber before, and as the world sees it */
    uint16_t port_first, port_last; /* outside ports; equal for one session */
    uint16_t inside_port;      /* of one session; 0 for a block */
    uint16_t port_step;        /* 0 or 1: every port */
    uint8_t event;             /* natEvent as exported: IANA 1, 4 session made, 2, 5 gone, 16 block given, 17 taken back
                                  (Juniper: 14, 15); Cisco CGv6 and Nokia export none: then what the template implies */
    uint8_t protocol;          /* 0: all */
    uint32_t realm;            /* ingress VRF, 0 if none */
    bool is_block;             /* ports of a block, not of a session */
    bool is_flow;              /* the record is also a flow, which says all of this */
    struct text subscriber;    /* as the exporter calls it, empty if not; borrowed for the call */
    int64_t received_us, clock_offset_us; /* as of struct flow */
};
/* nat_event_meaning - what a natEvent says of a translation: IANA's numbers, and for blocks also those of the draft (Juniper). */
enum nat_meaning { NAT_OTHER, NAT_BEGINS, NAT_ENDS };
enum nat_meaning nat_event_meaning(uint8_t event, bool is_block);
typedef int (*nat_sink)(void *context, const struct nat_event *e);

/* netflow_new - @o may be NULL (all defaults). Return: NULL when memory is out. */
struct netflow *netflow_new(const struct netflow_options *o);
void netflow_free(struct netflow *n);
/* netflow_set_nat_sink - who takes NAT events; NULL (the default) counts them only. */
void netflow_set_nat_sink(struct netflow *n, nat_sink sink, void *context);

/*
 * netflow5_sink - who takes the records of version 5 datagrams as they stand in the datagram, in place of
 * the flow_sink: for the hot path, which decodes them column by column (netflow5_decode_columns).
 * @records: h->n_present records, borrowed for the call. Return: 0 or <0, handed up.
 */
struct netflow5_header;
typedef int (*netflow5_sink)(void *context, const uint8_t *records, const struct netflow5_header *h,
                             int64_t received_us, const struct flow_observer *o);
/* netflow_set_v5_sink - NULL (the default): they go to the flow_sink as all others. */
void netflow_set_v5_sink(struct netflow *n, netflow5_sink sink);

/*
 * netflow_plain_sink - who takes records of version 9 and IPFIX whose template is plain, as they stand in the datagram, in
 * place of the flow_sink: likewise decoded column by column (netflow_columns_decode).
 * @r: borrowed for the call, with all it points at. Return: 0 or <0, handed up.
 */
struct netflow_plain;
typedef int (*netflow_plain_sink)(void *context, const struct netflow_plain *r, const struct flow_observer *o);
/* netflow_set_plain_sink - NULL (the default): they go to the flow_sink as all others. */
void netflow_set_plain_sink(struct netflow *n, netflow_plain_sink sink);

/*
 * netflow_decode - one datagram.
 * @ret: always written, whole.
 * Return: 0 (also when things were refused: see @ret), what a sink answered below 0, or -ENOMEM.
 */
int netflow_decode(struct netflow *n, const struct netflow_datagram *d, flow_sink sink, void *context,
                   struct netflow_result *ret);
/* netflow_finish - end of a file or of the command: sets that still wait are given up and counted in @ret. */
void netflow_finish(struct netflow *n, struct netflow_result *ret);
/* netflow_bytes - memory that templates, samplers and waiting sets take now. */
size_t netflow_bytes(const struct netflow *n);
