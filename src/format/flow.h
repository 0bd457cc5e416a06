/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/flow - one flow record, as every decoder gives it and everything above takes it.
 *
 * One record of the exporter = one struct flow = one stored row. Nothing is
 * paired, merged or corrected: times are as exported, counters as exported
 * times the sampling rate (multiplied once, FLOW_SAMPLING says by what).
 *
 * FLOW_ADDRESSES, FLOW_NUMBERS and FLOW_TEXTS are the single truth about the
 * fields: columns of the batch and the store, names of the query language,
 * keys of the JSON output.
 */
#pragma once

#include "base/buf.h"
#include "base/ip.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* X(ID, member, "ECS name", "alias") - addresses; all share the segment's dictionary */
#define FLOW_ADDRESSES(X)                                            \
    X(SOURCE_IP, source_ip, "source.ip", "src")                      \
    X(DESTINATION_IP, destination_ip, "destination.ip", "dst")       \
    X(SOURCE_NAT_IP, source_nat_ip, "source.nat.ip", "")             \
    X(DESTINATION_NAT_IP, destination_nat_ip, "destination.nat.ip", "") \
    X(NEXT_HOP, next_hop, "network.next_hop", "")

/*
 * X(ID, member, C type, "ECS name", "alias") - numbers. Each has its id in FLOW_STORED.
 * Names outside ECS 8 are marked (*).
 */
#define FLOW_NUMBERS(X)                                                                                          \
    X(START, start_us, int64_t, "event.start", "start")                                                          \
    X(END, end_us, int64_t, "event.end", "end")                                                                  \
    X(RECEIVED, received_us, int64_t, "event.created", "received")     /* when we got it */                      \
    X(CLOCK_OFFSET, clock_offset_us, int64_t, "observer.clock_offset_us", "") /* (*) received - exporter's clock */ \
    X(SOURCE_BYTES, source_bytes, uint64_t, "source.bytes", "")        /* of the initiator or the uniflow */      \
    X(DESTINATION_BYTES, destination_bytes, uint64_t, "destination.bytes", "") /* reverse direction of a biflow */ \
    X(SOURCE_PACKETS, source_packets, uint64_t, "source.packets", "")                                            \
    X(DESTINATION_PACKETS, destination_packets, uint64_t, "destination.packets", "")                             \
    X(POST_BYTES, post_bytes, uint64_t, "network.post_bytes", "")      /* (*) OUT_BYTES: after metering */        \
    X(POST_PACKETS, post_packets, uint64_t, "network.post_packets", "") /* (*) */                                \
    X(SAMPLING, sampling, uint32_t, "network.sampling", "sampling")    /* (*) 1 in N; counters already times N */ \
    X(INPUT_IF, input_if, uint32_t, "observer.ingress.interface.id", "in_if")                                    \
    X(OUTPUT_IF, output_if, uint32_t, "observer.egress.interface.id", "out_if")                                  \
    X(SOURCE_AS, source_as, uint32_t, "source.as.number", "src_as")                                              \
    X(DESTINATION_AS, destination_as, uint32_t, "destination.as.number", "dst_as")                               \
    X(VLAN, vlan, uint32_t, "network.vlan.id", "vlan")                                                           \
    X(OBSERVER, observer, uint32_t, "observer.ip", "exporter")         /* index into the observers, see below */  \
    X(SOURCE_PORT, source_port, uint16_t, "source.port", "sport")                                                \
    X(DESTINATION_PORT, destination_port, uint16_t, "destination.port", "dport")                                 \
    X(SOURCE_NAT_PORT, source_nat_port, uint16_t, "source.nat.port", "")                                         \
    X(DESTINATION_NAT_PORT, destination_nat_port, uint16_t, "destination.nat.port", "")                          \
    X(TCP_FLAGS, tcp_flags, uint16_t, "network.tcp_flags", "flags")    /* (*) of the initiator or the uniflow */  \
    X(REVERSE_TCP_FLAGS, reverse_tcp_flags, uint16_t, "network.reverse_tcp_flags", "") /* (*) */                 \
    X(ICMP, icmp, uint16_t, "network.icmp", "icmp")                    /* (*) type * 256 + code */                \
    X(PROTOCOL, protocol, uint8_t, "network.iana_number", "proto")     /* network.transport is its name */        \
    X(TOS, tos, uint8_t, "network.tos", "tos")                         /* (*) */                                  \
    X(SOURCE_MASK, source_mask, uint8_t, "source.prefix_length", "")   /* (*) */                                  \
    X(DESTINATION_MASK, destination_mask, uint8_t, "destination.prefix_length", "") /* (*) */                     \
    X(DIRECTION, direction, uint8_t, "network.direction", "")          /* IPFIX 61: 0 ingress, 1 egress */        \
    X(NAT_EVENT, nat_event, uint8_t, "nat.event", "")                  /* (*) IPFIX 230 */                        \
    X(FIREWALL_EVENT, firewall_event, uint8_t, "firewall.event", "")   /* (*) IPFIX 233 */                        \
    X(END_REASON, end_reason, uint8_t, "flow.end_reason", "")          /* (*) IPFIX 136 */                        \
    X(TIME_SOURCE, time_source, uint8_t, "event.time_source", "")      /* (*) enum flow_time_source; absent: as exported */ \
    FLOW_NUMBERS_MORE(X)

/* one field more, that no exporter has: the tests build the store with it and read what is written without it */
#ifdef FLOW_WITH_ONE_MORE
#define FLOW_NUMBERS_MORE(X) X(ONE_MORE, one_more, uint32_t, "test.one_more", "")
#define FLOW_STORED_MORE(X) X(FLOW_COLUMN_NUMBER(FLOW_ONE_MORE), 39)
#else
#define FLOW_NUMBERS_MORE(X)
#define FLOW_STORED_MORE(X)
#endif

/*
 * X(ID, "ECS name", "alias") - well-known texts; any other name may be stored too (unknown columns are kept).
 * Texts are stored together, see flow_text_add.
 */
#define FLOW_TEXTS(X)                                        \
    X(APPLICATION, "network.protocol", "app")                \
    X(LABEL, "event.label", "label")                         \
    X(STATE, "network.state", "state")                       \
    X(UID, "event.id", "")                                   \
    X(DNS_NAME, "dns.question.name", "dns")                  \
    X(TLS_NAME, "tls.client.server_name", "sni")             \
    X(JA3, "tls.client.ja3", "ja3")                          \
    X(JA4, "tls.client.ja4", "ja4")                          \
    X(HTTP_HOST, "url.domain", "host")

enum flow_address {
#define X(ID, member, ecs, alias) FLOW_##ID,
    FLOW_ADDRESSES(X)
#undef X
        FLOW_N_ADDRESSES
};

enum flow_number {
#define X(ID, member, type, ecs, alias) FLOW_##ID,
    FLOW_NUMBERS(X)
#undef X
        FLOW_N_NUMBERS
};

/* a column is an address (0..FLOW_N_ADDRESSES-1), a number (FLOW_N_ADDRESSES + n), or the texts */
#define FLOW_COLUMN_NUMBER(n) (FLOW_N_ADDRESSES + (n))
#define FLOW_COLUMN_TEXT (FLOW_N_ADDRESSES + FLOW_N_NUMBERS)
#define FLOW_N_COLUMNS (FLOW_COLUMN_TEXT + 1)

/* bits of `present`: which fields the record really had */
#define FLOW_HAS_ADDRESS(a) (UINT64_C(1) << (a))
#define FLOW_HAS(n) (UINT64_C(1) << FLOW_COLUMN_NUMBER(n))
#define FLOW_HAS_TEXT (UINT64_C(1) << FLOW_COLUMN_TEXT)
_Static_assert(FLOW_N_COLUMNS <= 64, "presence is one word");
/*
 * X(column, id) - what stands for a column in files: its bit in words of columns and of presence, and its place in their
 * order. An id is never changed and never used for another field; a new field takes the next free one, wherever its
 * column comes to lie in memory. So a later version reads what an earlier one wrote, and an earlier one sees that it
 * does not know a column and says so.
 */
#define FLOW_STORED(X)                                                                                               \
    X(FLOW_SOURCE_IP, 0) X(FLOW_DESTINATION_IP, 1) X(FLOW_SOURCE_NAT_IP, 2) X(FLOW_DESTINATION_NAT_IP, 3)            \
    X(FLOW_NEXT_HOP, 4) X(FLOW_COLUMN_NUMBER(FLOW_START), 5) X(FLOW_COLUMN_NUMBER(FLOW_END), 6)                      \
    X(FLOW_COLUMN_NUMBER(FLOW_RECEIVED), 7) X(FLOW_COLUMN_NUMBER(FLOW_CLOCK_OFFSET), 8)                              \
    X(FLOW_COLUMN_NUMBER(FLOW_SOURCE_BYTES), 9) X(FLOW_COLUMN_NUMBER(FLOW_DESTINATION_BYTES), 10)                    \
    X(FLOW_COLUMN_NUMBER(FLOW_SOURCE_PACKETS), 11) X(FLOW_COLUMN_NUMBER(FLOW_DESTINATION_PACKETS), 12)               \
    X(FLOW_COLUMN_NUMBER(FLOW_POST_BYTES), 13) X(FLOW_COLUMN_NUMBER(FLOW_POST_PACKETS), 14)                          \
    X(FLOW_COLUMN_NUMBER(FLOW_SAMPLING), 15) X(FLOW_COLUMN_NUMBER(FLOW_INPUT_IF), 16)                                \
    X(FLOW_COLUMN_NUMBER(FLOW_OUTPUT_IF), 17) X(FLOW_COLUMN_NUMBER(FLOW_SOURCE_AS), 18)                              \
    X(FLOW_COLUMN_NUMBER(FLOW_DESTINATION_AS), 19) X(FLOW_COLUMN_NUMBER(FLOW_VLAN), 20)                              \
    X(FLOW_COLUMN_NUMBER(FLOW_OBSERVER), 21) X(FLOW_COLUMN_NUMBER(FLOW_SOURCE_PORT), 22)                             \
    X(FLOW_COLUMN_NUMBER(FLOW_DESTINATION_PORT), 23) X(FLOW_COLUMN_NUMBER(FLOW_SOURCE_NAT_PORT), 24)                 \
    X(FLOW_COLUMN_NUMBER(FLOW_DESTINATION_NAT_PORT), 25) X(FLOW_COLUMN_NUMBER(FLOW_TCP_FLAGS), 26)                   \
    X(FLOW_COLUMN_NUMBER(FLOW_REVERSE_TCP_FLAGS), 27) X(FLOW_COLUMN_NUMBER(FLOW_ICMP), 28)                           \
    X(FLOW_COLUMN_NUMBER(FLOW_PROTOCOL), 29) X(FLOW_COLUMN_NUMBER(FLOW_TOS), 30)                                     \
    X(FLOW_COLUMN_NUMBER(FLOW_SOURCE_MASK), 31) X(FLOW_COLUMN_NUMBER(FLOW_DESTINATION_MASK), 32)                     \
    X(FLOW_COLUMN_NUMBER(FLOW_DIRECTION), 33) X(FLOW_COLUMN_NUMBER(FLOW_NAT_EVENT), 34)                              \
    X(FLOW_COLUMN_NUMBER(FLOW_FIREWALL_EVENT), 35) X(FLOW_COLUMN_NUMBER(FLOW_END_REASON), 36)                        \
    X(FLOW_COLUMN_NUMBER(FLOW_TIME_SOURCE), 37) X(FLOW_COLUMN_TEXT, 38)                                              \
    FLOW_STORED_MORE(X)

/* flow_stored_known - the ids that this program knows. */
static inline uint64_t flow_stored_known(void)
{
#define X(column, id) | UINT64_C(1) << (id)
    return 0 FLOW_STORED(X);
#undef X
}

/* flow_stored_column - the column of an id; FLOW_N_COLUMNS if none has it. */
unsigned flow_stored_column(unsigned id);
/* flow_columns_moved - the columns whose id is another number than theirs: a constant, mostly zero. */
static inline uint64_t flow_columns_moved(void)
{
#define X(column, id) | ((column) != (id) ? UINT64_C(1) << (column) : 0)
    return 0 FLOW_STORED(X);
#undef X
}

/* flow_columns_move, _move_back - for flow_columns_store and _load. */
uint64_t flow_columns_move(uint64_t columns);
uint64_t flow_columns_move_back(uint64_t stored);

/* flow_columns_store - bits by column as bits by id; flow_columns_load - back; ids that have no column are dropped. */
static inline uint64_t flow_columns_store(uint64_t columns)
{
    return columns & flow_columns_moved() ? flow_columns_move(columns) : columns;
}

static inline uint64_t flow_columns_load(uint64_t stored)
{
    return flow_columns_moved() ? flow_columns_move_back(stored) : stored & flow_stored_known();
}

/* who exported: `struct flow.observer` is an index into a table of these kept by the batch */
struct flow_observer {
    struct ip ip;    /* all zero: none (a file without one) */
    uint32_t domain; /* v5 engine type << 8 | id, v9 source id, IPFIX observation domain, sFlow sub-agent */
};

struct flow {
    uint64_t present;
#define X(ID, member, ecs, alias) struct ip member;
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) type member;
    FLOW_NUMBERS(X)
#undef X
    struct text texts; /* borrowed; pairs made by flow_text_add */
};

/* where start and end come from when the record itself has no time */
enum flow_time_source { FLOW_TIME_EXPORTED, FLOW_TIME_OF_EXPORT, FLOW_TIME_OF_RECEIPT };

/*
 * flow_sink - who takes what a decoder found: @n rows in the exporter's order, borrowed for the call.
 * @o: who exported them; NULL when nobody did (a text file).
 * Return: 0, or <0, which the decoder hands up at once.
 */
typedef int (*flow_sink)(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o);

/* what is known about a column */
struct flow_column {
    const char *name;  /* ECS, dotted */
    const char *alias; /* "" if none */
    uint8_t width;     /* bytes of the C type: 16 addresses, 1 2 4 8 numbers, 0 texts */
    bool is_signed;    /* int64_t times and offsets */
};
extern const struct flow_column flow_columns[FLOW_N_COLUMNS];

/*
 * flow_text_add - append one (name, value) pair to a texts buffer. A name may come more than once (several DNS questions
 * of one flow): a filter matches any of its values, an output shows the first.
 * Form: u8 length of name, name, u16 little-endian length of value, value. Name 1..255, value cut to 65535 bytes.
 */
void flow_text_add(struct buf *b, const char *name, struct text value);
/* flow_text_next - the next pair; Return: true while there is one. Malformed bytes end the walk. */
bool flow_text_next(struct text *rest, struct text *ret_name, struct text *ret_value);
/* flow_text_get - the value of @name; Return: true if there. */
bool flow_text_get(struct text texts, const char *name, struct text *ret);

/* flow_transport_name - "tcp", "udp", "icmp", "ipv6-icmp", ... for an IANA protocol number, or NULL if it has no name here. */
const char *flow_transport_name(uint8_t protocol);
/* flow_transport_parse - a name (any case; also Argus and nfdump spellings) or a number. Return: 0 or 1. */
int flow_transport_parse(struct text t, uint8_t *ret);

/* flow_times - a counter of sampled traffic, multiplied; saturates at UINT64_MAX. */
static inline uint64_t flow_times(uint64_t counter, uint32_t rate)
{
    uint64_t product;
    return __builtin_mul_overflow(counter, (uint64_t)rate, &product) ? UINT64_MAX : product;
}

/*
 * flow_sampled - multiply the counters by @rate once and record it. Saturates at UINT64_MAX.
 * rate 0 or 1 changes nothing.
 */
void flow_sampled(struct flow *f, uint32_t rate);
