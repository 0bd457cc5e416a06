/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thirty fixed records behind a fixed header. A time is a distance in sysUpTime
 * from the header's own clock, taken modulo 2^32 milliseconds: a flow that began
 * before the counter wrapped comes out right, and so does one stamped a little
 * after the header.
 */
#include "format/netflow5.h"

#include "base/cursor.h"
#include "format/netflow5_vector.h"

static const uint64_t PRESENT =
    FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS_ADDRESS(FLOW_NEXT_HOP) |
    FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_RECEIVED) | FLOW_HAS(FLOW_CLOCK_OFFSET) |
    FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_INPUT_IF) | FLOW_HAS(FLOW_OUTPUT_IF) |
    FLOW_HAS(FLOW_SOURCE_AS) | FLOW_HAS(FLOW_DESTINATION_AS) | FLOW_HAS(FLOW_SOURCE_PORT) |
    FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_TCP_FLAGS) | FLOW_HAS(FLOW_PROTOCOL) | FLOW_HAS(FLOW_TOS) |
    FLOW_HAS(FLOW_SOURCE_MASK) | FLOW_HAS(FLOW_DESTINATION_MASK);

static void decode_record(const uint8_t *p, const struct netflow5_header *h, int64_t received_us, struct flow *f)
{
    f->present = PRESENT;
    f->source_ip = ip_from_v4(load_be32(p));
    f->destination_ip = ip_from_v4(load_be32(p + 4));
    f->next_hop = ip_from_v4(load_be32(p + 8));
    f->input_if = load_be16(p + 12);
    f->output_if = load_be16(p + 14);
    f->source_packets = load_be32(p + 16);
    f->source_bytes = load_be32(p + 20);
    f->start_us = netflow_uptime_us(h->exported_us, h->uptime_ms, load_be32(p + 24));
    f->end_us = netflow_uptime_us(h->exported_us, h->uptime_ms, load_be32(p + 28));
    f->source_port = load_be16(p + 32);
    f->destination_port = load_be16(p + 34);
    f->tcp_flags = p[37];
    f->protocol = p[38];
    f->tos = p[39];
    f->source_as = load_be16(p + 40);
    f->destination_as = load_be16(p + 42);
    f->source_mask = p[44];
    f->destination_mask = p[45];
    f->received_us = received_us;
    f->clock_offset_us = received_us - h->exported_us;
    f->icmp = 0;
    if (f->protocol == 1) { /* Cisco keeps type * 256 + code in the destination port */
        f->icmp = f->destination_port;
        f->present |= FLOW_HAS(FLOW_ICMP);
    }
    f->sampling = 0;
    flow_sampled(f, h->sampling);
}

int netflow5_header_read(const uint8_t *p, size_t n_bytes, struct netflow5_header *ret)
{
    if (n_bytes < 2 || load_be16(p) != 5)
        return NETFLOW5_NOT_V5;
    if (n_bytes < NETFLOW5_HEADER_BYTES)
        return NETFLOW5_SHORT;
    struct netflow5_header h = {
        .n_claimed = load_be16(p + 2),
        .uptime_ms = load_be32(p + 4),
        .exported_us = (int64_t)load_be32(p + 8) * 1000000 + load_be32(p + 12) / 1000,
        .sequence = load_be32(p + 16),
        .engine = load_be16(p + 20),
        .sampling = load_be16(p + 22) & 0x3fff,
        .sampling_mode = (uint8_t)(load_be16(p + 22) >> 14),
    };
    size_t n_whole = (n_bytes - NETFLOW5_HEADER_BYTES) / NETFLOW5_RECORD_BYTES;
    if (!h.n_claimed || h.n_claimed > NETFLOW5_MAX_RECORDS || !n_whole)
        return NETFLOW5_COUNT;
    h.n_present = (uint16_t)(n_whole < h.n_claimed ? n_whole : h.n_claimed);
    *ret = h;
    return 0;
}

int netflow5_decode(const uint8_t *p, size_t n_bytes, int64_t received_us, struct flow out[NETFLOW5_MAX_RECORDS],
                    struct netflow5_header *ret)
{
    int e = netflow5_header_read(p, n_bytes, ret);
    if (e)
        return e;
    for (uint32_t i = 0; i < ret->n_present; i++)
        decode_record(p + NETFLOW5_HEADER_BYTES + i * NETFLOW5_RECORD_BYTES, ret, received_us, &out[i]);
    return 0;
}

uint64_t netflow5_present(const struct netflow5_header *h)
{
    return h->sampling > 1 ? PRESENT | FLOW_HAS(FLOW_SAMPLING) : PRESENT;
}

/* multiply - the counters of sampled traffic, once. */
static void multiply(uint32_t n, uint32_t rate, const struct netflow5_columns *to)
{
    for (uint32_t i = 0; i < n; i++) {
        to->source_packets[i] = flow_times(to->source_packets[i], rate);
        to->source_bytes[i] = flow_times(to->source_bytes[i], rate);
        to->sampling[i] = rate;
    }
}

/* plain_columns - a column at a time, for any processor. */
static void plain_columns(const uint8_t *p, uint32_t n, const struct netflow5_header *h, const struct netflow5_columns *to)
{
#define EACH(column, value)                                           \
    do {                                                              \
        __typeof__(to->column) out = to->column;                      \
        const uint8_t *record = p;                                    \
        _Pragma("GCC unroll 6")                                       \
        for (uint32_t i = 0; i < n; i++, record += NETFLOW5_RECORD_BYTES) \
            out[i] = (value);                                         \
    } while (0);
    EACH(source_ip, load_be32(record))
    EACH(destination_ip, load_be32(record + 4))
    EACH(next_hop, load_be32(record + 8))
    EACH(input_if, load_be16(record + 12))
    EACH(output_if, load_be16(record + 14))
    EACH(source_packets, load_be32(record + 16))
    EACH(source_bytes, load_be32(record + 20))
    EACH(start_us, netflow_uptime_us(h->exported_us, h->uptime_ms, load_be32(record + 24)))
    EACH(end_us, netflow_uptime_us(h->exported_us, h->uptime_ms, load_be32(record + 28)))
    EACH(source_port, load_be16(record + 32))
    EACH(destination_port, load_be16(record + 34))
    EACH(tcp_flags, record[37])
    EACH(protocol, record[38])
    EACH(tos, record[39])
    EACH(source_as, load_be16(record + 40))
    EACH(destination_as, load_be16(record + 42))
    EACH(source_mask, record[44])
    EACH(destination_mask, record[45])
#undef EACH
}

void netflow5_decode_columns(const uint8_t *p, uint32_t n, const struct netflow5_header *h, int64_t received_us,
                             const struct netflow5_columns *to)
{
    const int64_t offset_us = received_us - h->exported_us;
    if (!netflow5_vector(p, n, h, to))
        plain_columns(p, n, h, to);
    for (uint32_t i = 0; i < n; i++) {
        to->received_us[i] = received_us;
        to->clock_offset_us[i] = offset_us;
    }
    if (h->sampling > 1)
        multiply(n, h->sampling, to);
}
