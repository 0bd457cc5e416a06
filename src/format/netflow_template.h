/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_template - a NetFlow v9 or IPFIX template, compiled once to the list of copies its records need.
 *
 * In:     one template definition, untrusted.
 * Out:    a netflow_template whose `ops` say, for each wanted field, where it stands, how it is encoded and where in
 *         struct flow (or netflow_extra) it goes. Of several elements for one purpose (octetDeltaCount and
 *         octetTotalCount, IPv4 and IPv6 next hop) the best one is chosen here, never per record.
 * Limits: one allocation per template, no more than NETFLOW_TEMPLATE_MAX_FIELDS fields.
 * Source: RFC 3954 5.2, 6.1; RFC 7011 3.4, 7, 8; elements: tables in netflow_element.c.
 */
#pragma once

#include "format/flow.h"

#include <stddef.h>

#define NETFLOW_TEMPLATE_MAX_FIELDS 2048u
#define NETFLOW_VARIABLE 65535u /* field length of RFC 7011 7; met in v9 as well */

/* where an op's field goes when struct flow has no place for it; zero when the template lacks it */
struct netflow_extra {
    uint64_t selector;         /* sampler of this record (v9 48, IPFIX 302); up to probability: how it was sampled */
    uint64_t interval;         /* 1 in N (v9 34, 50) */
    uint64_t packet_interval, packet_space; /* IPFIX 305, 306 */
    uint64_t size, population; /* IPFIX 309, 310 */
    uint64_t probability;      /* IPFIX 311, bits of a double (or float when 4 bytes) */
    uint64_t duration_us;      /* 161, 162 */
    uint64_t icmp4, icmp6;     /* type * 256 + code */
    uint64_t icmp4_type, icmp4_code, icmp6_type, icmp6_code;
    uint64_t init_ms;          /* IPFIX 160 */
    uint64_t template_id;      /* scope of an options record */
    uint64_t extended_event;   /* Cisco ASA 33002 */
    uint64_t initial_flags, reverse_initial_flags; /* YAF: of the first packet; tcp_flags has those of the others */
    uint64_t port_first, port_last, port_step, n_ports, realm; /* NAT port blocks */
    struct ip source_ip6, destination_ip6, source_nat_ip6, destination_nat_ip6, next_hop6; /* beside an IPv4 one */
    struct text text[8];       /* enum netflow_text, borrowed from the datagram */
    struct text application;   /* 95: engine and selector, RFC 6759 */
    struct text subscriber;    /* Nokia aluNatSubString: "LSN-Host@" and the inside address */
};

/* X(ID, "name in struct flow.texts") */
#define NETFLOW_TEXTS(X)                   \
    X(APPLICATION, "network.protocol")     \
    X(USER, "user.name")                   \
    X(DNS_NAME, "dns.question.name")       \
    X(TLS_NAME, "tls.client.server_name")  \
    X(HTTP_HOST, "url.domain")             \
    X(JA3, "tls.client.ja3")               \
    X(JA4, "tls.client.ja4")               \
    X(RULE, "rule.name")
enum netflow_text {
#define X(ID, name) NETFLOW_TEXT_##ID,
    NETFLOW_TEXTS(X)
#undef X
        NETFLOW_N_TEXTS
};
_Static_assert(NETFLOW_N_TEXTS == 8, "netflow_extra.text");

/* how a field is encoded */
enum netflow_op_kind {
    NETFLOW_OP_NONE,
    NETFLOW_OP_UINT,      /* 1..8 bytes to 1, 2, 4 or 8, saturating */
    NETFLOW_OP_IP4,
    NETFLOW_OP_IP6,
    NETFLOW_OP_TEXT,
    NETFLOW_OP_UPTIME,    /* milliseconds of sysUpTime */
    NETFLOW_OP_SECONDS,
    NETFLOW_OP_MILLISECONDS,
    NETFLOW_OP_NTP,       /* 64-bit NTP timestamp, for micro- and nanoseconds (RFC 7011 6.1.9, 6.1.10) */
    NETFLOW_OP_BEFORE,    /* microseconds before the export (158, 159) */
    NETFLOW_OP_SPAN_MS,   /* a duration to microseconds */
};

/* X(ID, kind, member, FLOW_HAS bit or 0) lives in netflow_element.c; here the purposes a field can serve */
enum netflow_role {
    NETFLOW_ROLE_NONE,
    NETFLOW_ROLE_SOURCE_IP, NETFLOW_ROLE_DESTINATION_IP, NETFLOW_ROLE_SOURCE_IP6, NETFLOW_ROLE_DESTINATION_IP6,
    NETFLOW_ROLE_SOURCE_NAT_IP, NETFLOW_ROLE_DESTINATION_NAT_IP, NETFLOW_ROLE_SOURCE_NAT_IP6,
    NETFLOW_ROLE_DESTINATION_NAT_IP6, NETFLOW_ROLE_NEXT_HOP, NETFLOW_ROLE_NEXT_HOP6,
    NETFLOW_ROLE_START, NETFLOW_ROLE_END, NETFLOW_ROLE_DURATION,
    NETFLOW_ROLE_SOURCE_BYTES, NETFLOW_ROLE_DESTINATION_BYTES, NETFLOW_ROLE_SOURCE_PACKETS,
    NETFLOW_ROLE_DESTINATION_PACKETS, NETFLOW_ROLE_POST_BYTES, NETFLOW_ROLE_POST_PACKETS,
    NETFLOW_ROLE_INPUT_IF, NETFLOW_ROLE_OUTPUT_IF, NETFLOW_ROLE_SOURCE_AS, NETFLOW_ROLE_DESTINATION_AS, NETFLOW_ROLE_VLAN,
    NETFLOW_ROLE_SOURCE_PORT, NETFLOW_ROLE_DESTINATION_PORT, NETFLOW_ROLE_SOURCE_NAT_PORT,
    NETFLOW_ROLE_DESTINATION_NAT_PORT, NETFLOW_ROLE_TCP_FLAGS, NETFLOW_ROLE_REVERSE_TCP_FLAGS,
    NETFLOW_ROLE_ICMP4, NETFLOW_ROLE_ICMP6, NETFLOW_ROLE_ICMP4_TYPE, NETFLOW_ROLE_ICMP4_CODE, NETFLOW_ROLE_ICMP6_TYPE,
    NETFLOW_ROLE_ICMP6_CODE, NETFLOW_ROLE_PROTOCOL, NETFLOW_ROLE_TOS, NETFLOW_ROLE_SOURCE_MASK,
    NETFLOW_ROLE_DESTINATION_MASK, NETFLOW_ROLE_DIRECTION, NETFLOW_ROLE_NAT_EVENT, NETFLOW_ROLE_FIREWALL_EVENT,
    NETFLOW_ROLE_EXTENDED_EVENT, NETFLOW_ROLE_END_REASON,
    NETFLOW_ROLE_SELECTOR, NETFLOW_ROLE_INTERVAL, NETFLOW_ROLE_PACKET_INTERVAL, NETFLOW_ROLE_PACKET_SPACE,
    NETFLOW_ROLE_SIZE, NETFLOW_ROLE_POPULATION, NETFLOW_ROLE_PROBABILITY, NETFLOW_ROLE_INIT, NETFLOW_ROLE_TEMPLATE_ID,
    NETFLOW_ROLE_PORT_FIRST, NETFLOW_ROLE_PORT_LAST, NETFLOW_ROLE_PORT_STEP, NETFLOW_ROLE_N_PORTS, NETFLOW_ROLE_REALM,
    NETFLOW_ROLE_SUBSCRIBER, NETFLOW_ROLE_INITIAL_FLAGS, NETFLOW_ROLE_REVERSE_INITIAL_FLAGS,
    NETFLOW_ROLE_APPLICATION_ID, NETFLOW_ROLE_APPLICATION, NETFLOW_ROLE_USER, NETFLOW_ROLE_DNS_NAME,
    NETFLOW_ROLE_TLS_NAME, NETFLOW_ROLE_HTTP_HOST, NETFLOW_ROLE_JA3, NETFLOW_ROLE_JA4, NETFLOW_ROLE_RULE,
    NETFLOW_ROLE_MAC,
    NETFLOW_N_ROLES
};

/* what an element means: found by netflow_element */
struct netflow_meaning {
    uint8_t role; /* enum netflow_role */
    uint8_t kind; /* enum netflow_op_kind */
    uint8_t rank; /* of several for one role the lowest wins */
};
/* netflow_element - @pen 0: the IANA registry and, for v9, Cisco's numbers; also scope types are not asked here. */
struct netflow_meaning netflow_element(uint16_t version, uint32_t pen, uint16_t id);

/* where a role goes */
struct netflow_place {
    uint64_t present;  /* FLOW_HAS bit, 0 for netflow_extra */
    uint16_t to;       /* offset */
    uint8_t width;     /* bytes */
    bool to_extra;
};
extern const struct netflow_place netflow_places[NETFLOW_N_ROLES];

struct netflow_op {
    uint16_t from;   /* offset in the record; in a variable template in its fixed fields laid side by side */
    uint16_t length; /* NETFLOW_VARIABLE: taken from the record */
    uint16_t to;
    uint8_t kind, width;
    bool to_extra;
    uint8_t column;  /* of the flow; only unless to_extra */
};
_Static_assert(sizeof(struct netflow_op) == 10, "no padding: ops are compared as bytes");

/* netflow_op_is_sampling - whether a field that goes to this offset of netflow_extra says how the record was sampled. */
_Static_assert(offsetof(struct netflow_extra, selector) == 0, "its first members are those of sampling");
static inline bool netflow_op_is_sampling(uint16_t to)
{
    return to <= offsetof(struct netflow_extra, probability);
}

/* what records of a template are */
enum netflow_use { NETFLOW_USE_FLOW, NETFLOW_USE_NAT, NETFLOW_USE_OPTIONS, NETFLOW_USE_LAYER2, NETFLOW_USE_NOTHING };

/* a piece of a variable record: a field of variable length, or all fixed fields up to the next one */
struct netflow_piece {
    uint32_t n_bytes; /* when fixed */
    uint16_t op;      /* when variable: index, or NETFLOW_NO_OP */
    bool is_variable;
};
#define NETFLOW_NO_OP 0xffffu

struct netflow_template {
    uint64_t present;      /* fields that every record has */
    uint64_t roles[2];     /* bit set of roles */
    uint32_t least_bytes;  /* of a record: exactly this many unless is_variable */
    uint32_t fixed_bytes;  /* of all fixed fields */
    uint32_t n_raw_bytes;
    uint32_t n_memory_bytes;
    uint16_t id, n_pieces, n_ops;
    uint8_t use;
    bool is_variable, is_options;
    bool has_texts;
    bool has_inner_ip6; /* a tunnel's record: IPv4 outside, IPv6 inside */
    uint8_t plain_family; /* 4 or 6: records may go straight into columns, see netflow_columns; 0: they may not */
    struct netflow_op *ops;       /* these three point into this allocation */
    struct netflow_piece *pieces; /* only used when is_variable */
    uint8_t *raw;                 /* the definition as received: to tell a refresh from a redefinition */
};

static inline bool netflow_template_has(const struct netflow_template *t, enum netflow_role r)
{
    return t->roles[(unsigned)r / 64] >> ((unsigned)r % 64) & 1;
}

struct netflow_definition {
    const uint8_t *p; /* from the template id to the last field specifier; borrowed */
    size_t n_bytes;
    uint16_t version, id, n_fields, n_scope;
    bool is_options;
};

/*
 * netflow_definition_next - cut the next definition from a template set.
 * Return: 0; 1 at the end (padding included); NETFLOW_DEFINITION_BAD: the rest of the set is unusable.
 * A withdrawal (IPFIX, no fields) comes as n_fields 0.
 */
struct cursor;
#define NETFLOW_DEFINITION_BAD 2
int netflow_definition_next(struct cursor *set, uint16_t version, bool is_options, struct netflow_definition *ret);

/*
 * netflow_template_new - compile. The caller frees with free().
 * Return: 0; 1 when a record would have no bytes; -ENOMEM.
 */
int netflow_template_new(const struct netflow_definition *d, struct netflow_template **ret);
bool netflow_template_is(const struct netflow_template *t, const struct netflow_definition *d);
