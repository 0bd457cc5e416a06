/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/lease - who held an address, or a block of its ports, from when to when.
 *
 * One row says: @outside, ports port_first..port_last, was given to @inside and/or a subscriber, a machine, a host, from
 * from_us to to_us, by @gateway, known from @source. "Outside" is the address one asks for: the public one of a
 * translation, the leased one of DHCP, the framed one of RADIUS.
 * Rows are what was heard, never mended in place: a start without its stop stays an open row, a stop without its start a row
 * without begin. What they mean together is decided when the question is asked (resolve.h).
 */
#pragma once

#include "base/ip.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define LEASE_UNKNOWN INT64_MIN /* a time nobody told */

/* what gave the address: X(ID, "name") */
#define LEASE_KINDS(X)                    \
    X(NAT_SESSION, "nat_session")         \
    X(PORT_BLOCK, "port_block")           \
    X(DHCP, "dhcp")                       \
    X(RADIUS, "radius")                   \
    X(DOT1X, "dot1x")                     \
    X(VPN, "vpn")                         \
    X(NEIGHBOUR, "neighbour")             \
    X(STATIC, "static")                   \
    X(RESTART, "restart") /* no lease: the gateway began anew at from_us, all it had given is over; outside is zero */ \
    X(RELEASE, "release") /* no lease: what the gateway had given to outside, an inside address, is over at to_us; ports: the
                             first ones of the block, or those inside of the session; told by gateways that do not say what
                             address the world saw (Cisco CGv6) */ \
    X(CLOCK, "clock") /* no lease: between from_us and to_us messages of the gateway came lease_clock_us later than their times;
                         outside is zero */

enum lease_kind {
#define X(ID, name) LEASE_##ID,
    LEASE_KINDS(X)
#undef X
        LEASE_N_KINDS
};

enum lease_flag {
    LEASE_TO_PLANNED = 1,  /* to_us is when it would run out (DHCP), not when it was seen to end */
    LEASE_SEEN_ONLY = 2,   /* from_us, to_us: first and last seen; it may have held longer on both sides (ARP tables) */
};

struct lease {
    struct ip outside;             /* DOT1X: of the machine, lease_mac_address(mac) */
    struct ip inside;              /* zero: none */
    int64_t from_us, to_us;        /* 0 <= from_us <= to_us, or LEASE_UNKNOWN, not both; to_us is outside the lease */
    uint16_t port_first, port_last;/* 0..65535: the whole address */
    uint16_t inside_port;          /* of a session; 0: none */
    uint8_t protocol;              /* 0: any */
    uint8_t kind, flags;
    uint8_t prefix;                /* 1..128 bits of outside that count, the rest is zero (an IPv4 address: 97..128); 128: one address */
    uint64_t mac;                  /* 48 bits; 0: none */
    /* numbers of texts (texts.h), 0: none. realm: within which private addresses are one (a VRF, a province's NAT) */
    uint32_t gateway, realm, source, subscriber, host;
};

/* a row on its way: texts borrowed for the call; the numbers of texts in l are not used */
struct lease_row {
    struct lease l;
    bool has_clock;      /* by how much later it came than its time says, in microseconds */
    int64_t clock_us;
    struct text gateway, realm, source, subscriber, host;
};

/* lease_kind_name - static. lease_kind_parse - Return: 0 or 1. */
const char *lease_kind_name(enum lease_kind kind);
int lease_kind_parse(const char *p, size_t n, enum lease_kind *ret);

/* lease_begin_us - where the row stands in time order: its begin, or its end when nobody told the begin. */
static inline int64_t lease_begin_us(const struct lease *l)
{
    return l->from_us != LEASE_UNKNOWN ? l->from_us : l->to_us;
}

/*
 * lease_told_us - the last time anybody told of it: its age for retention. An assignment that holds until somebody ends it
 * (static, without end) is told of now.
 */
static inline int64_t lease_told_us(const struct lease *l)
{
    if (l->to_us != LEASE_UNKNOWN)
        return l->to_us;
    return l->kind == LEASE_STATIC ? INT64_MAX : l->from_us;
}

/* lease_mac_address - where rows about a machine stand, whatever address it has: its link-local one (RFC 4291, appendix A). */
struct ip lease_mac_address(uint64_t mac);
/* lease_clock_us, lease_set_clock - of LEASE_CLOCK, kept in milliseconds where other rows have a machine. */
#define LEASE_CLOCK_BIAS (INT64_C(1) << 46)
static inline int64_t lease_clock_us(const struct lease *l)
{
    return ((int64_t)l->mac - LEASE_CLOCK_BIAS) * 1000;
}
static inline void lease_set_clock(struct lease *l, int64_t us)
{
    int64_t ms = us / 1000, most = LEASE_CLOCK_BIAS - 1;
    l->mac = (uint64_t)((ms > most ? most : ms < -most ? -most : ms) + LEASE_CLOCK_BIAS);
}

/* lease_is_sane - what the store takes. */
bool lease_is_sane(const struct lease *l);
/* lease_mask - @a with all bits behind the first @prefix cleared. */
struct ip lease_mask(const struct ip *a, unsigned prefix);
