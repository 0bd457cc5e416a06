/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow5 - NetFlow version 5 datagrams to flow records.
 *
 * In:     one UDP payload, untrusted (any length).
 * Out:    up to 30 flows, times in microseconds UTC.
 * Limits: no I/O, no allocation, no logging, no global state; reentrant.
 * Source: Cisco NetFlow Export Datagram Format, tables B-3 (header) and B-4 (record).
 * Fuzz:   tests/fuzz/netflow5.c
 */
#pragma once

#include "format/flow.h"

#define NETFLOW5_MAX_RECORDS 30u
#define NETFLOW5_HEADER_BYTES 24u
#define NETFLOW5_RECORD_BYTES 48u

struct netflow5_header {
    int64_t exported_us; /* the exporter's clock when it sent this */
    uint32_t uptime_ms;
    uint32_t sequence;   /* of the first record */
    uint32_t engine;     /* engine type << 8 | engine id */
    uint32_t sampling;   /* 1 in N, 14 bits; 0: none */
    uint8_t sampling_mode; /* 2 bits; not trusted to say whether there is sampling: Juniper sends 0 with an interval */
    uint16_t n_claimed;  /* records the header announces */
    uint16_t n_present;  /* whole records that are there, at most n_claimed */
};

/*
 * netflow5_decode - decode one datagram.
 * @p, @n_bytes:  the UDP payload; borrowed for the call
 * @received_us:  our clock when it came
 * @out:          room for NETFLOW5_MAX_RECORDS whose unused members the caller keeps zero; every call writes the
 *                same members, so one zeroed array serves for ever
 * @ret:          the header; ret->n_present flows were written
 *
 * Return: 0, NETFLOW5_NOT_V5, NETFLOW5_SHORT (no whole header) or NETFLOW5_COUNT (0 or more than 30 records
 * announced, or none there); never negative.
 */
#define NETFLOW5_NOT_V5 1
#define NETFLOW5_SHORT 2
#define NETFLOW5_COUNT 3
int netflow5_decode(const uint8_t *p, size_t n_bytes, int64_t received_us, struct flow out[NETFLOW5_MAX_RECORDS],
                    struct netflow5_header *ret);

/* netflow5_header_read - the first half of netflow5_decode. Return: as there. */
int netflow5_header_read(const uint8_t *p, size_t n_bytes, struct netflow5_header *ret);

/* where the values of the first record go; the next ones stand behind them */
struct netflow5_columns {
    uint32_t *source_ip, *destination_ip, *next_hop, *input_if, *output_if, *source_as, *destination_as, *sampling;
    int64_t *start_us, *end_us, *received_us, *clock_offset_us;
    uint64_t *source_packets, *source_bytes;
    uint16_t *source_port, *destination_port, *tcp_flags;
    uint8_t *protocol, *tos, *source_mask, *destination_mask;
};
/* netflow5_present - the fields every record has; ICMP records have FLOW_ICMP besides, which equals their destination port. */
uint64_t netflow5_present(const struct netflow5_header *h);
/*
 * netflow5_decode_columns - the records of a datagram whose header was read, a column at a time.
 * @p, @n: records of it, all there.   @to: its sampling is written only when there is some.
 */
void netflow5_decode_columns(const uint8_t *p, uint32_t n, const struct netflow5_header *h, int64_t received_us,
                             const struct netflow5_columns *to);

/* netflow_uptime_us - the time of sysUpTime @then_ms when the clock showed @exported_us at @uptime_ms; both wrap after 49.7 days. */
static inline int64_t netflow_uptime_us(int64_t exported_us, uint32_t uptime_ms, uint32_t then_ms)
{
    return exported_us + (int64_t)(int32_t)(then_ms - uptime_ms) * 1000;
}
