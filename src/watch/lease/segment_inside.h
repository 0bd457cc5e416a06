/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/segment_inside - the bytes of a segment, for its writer and its reader. */
#pragma once

#include "watch/lease/segment.h"
#include "watch/store/pack.h"

#define LEASE_MAGIC "VGLEASE1"
#define LEASE_BYTE_ORDER 0x01020304u
#define LEASE_HEADER_BYTES 256u

enum lease_column {
    LEASE_HIGH, LEASE_LOW,     /* outside, two halves in host order */
    LEASE_BEGIN, LEASE_SPAN,   /* lease_begin_us; to_us - from_us, 0 when one is unknown */
    LEASE_BITS,                /* below */
    LEASE_PORT, LEASE_PORTS,   /* first; last - first */
    LEASE_INSIDE_HIGH, LEASE_INSIDE_LOW, LEASE_INSIDE_PORT,
    LEASE_MAC, LEASE_GATEWAY, LEASE_REALM, LEASE_SOURCE, LEASE_SUBSCRIBER, LEASE_HOST,
    LEASE_N_COLUMNS
};

/* of LEASE_BITS: kind in 0..7, protocol in 8..15, flags in 16..23, 128 - prefix in 32..39 */
#define LEASE_NO_FROM (UINT64_C(1) << 24)
#define LEASE_NO_TO (UINT64_C(1) << 25)

struct lease_header {
    char magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint64_t id, n_rows, body_bytes;
    uint64_t blocks_at, text_ends_at, texts_at, hours_at; /* in the body, in this order */
    uint32_t n_blocks, n_texts; /* n_texts: with the empty one */
    uint64_t n_hours;
    int64_t begin_min_us, begin_max_us, end_max_us;
    uint64_t prefixes[3]; /* bit n: some row has prefix n */
    uint64_t checksum; /* of everything before */
};
_Static_assert(sizeof(struct lease_header) <= LEASE_HEADER_BYTES, "the header fits its place");

struct lease_block_entry {
    struct ip first;
    int64_t begin_min_us, end_max_us; /* INT64_MIN, INT64_MAX: a row without begin, without end */
    uint64_t offset;                  /* in the body; ends where the next begins */
};

static inline uint64_t lease_ip_high(const struct ip *a)
{
    uint64_t v;
    memcpy(&v, a->b, 8);
    return __builtin_bswap64(v);
}

static inline uint64_t lease_ip_low(const struct ip *a)
{
    uint64_t v;
    memcpy(&v, a->b + 8, 8);
    return __builtin_bswap64(v);
}

static inline struct ip lease_ip_of(uint64_t high, uint64_t low)
{
    struct ip a;
    high = __builtin_bswap64(high);
    low = __builtin_bswap64(low);
    memcpy(a.b, &high, 8);
    memcpy(a.b + 8, &low, 8);
    return a;
}
