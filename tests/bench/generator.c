/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t next_random(struct generator *g)
{
    g->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(g->state);
}

static uint32_t below(struct generator *g, uint32_t n)
{
    return (uint32_t)((next_random(g) >> 32) * n >> 32);
}

/* unit - uniform in [0, 1) */
static double unit(struct generator *g)
{
    return (double)(next_random(g) >> 11) * 0x1p-53;
}

/* public_address - the @i-th address of a fixed pseudo-random order of public IPv4 space. */
static uint32_t public_address(uint64_t i)
{
    for (;; i += UINT64_C(1) << 40) {
        uint32_t a = (uint32_t)mix(i * UINT64_C(0xd6e8feb86659fd93) + 7);
        uint32_t top = a >> 24;
        if (top >= 1 && top < 224 && top != 10 && top != 127 && a >> 20 != 0xac1 && a >> 16 != 0xc0a8)
            return a;
    }
}

/* own_address - inside the provider's 16 prefixes of /14, dense */
static uint32_t own_address(uint32_t i)
{
    uint32_t h = (uint32_t)mix(i);
    return UINT32_C(0x67000000) + (h & 15) * (1u << 20) + (h >> 4 & 0x3ffff);
}

void generator_init(struct generator *g, const struct generator_options *o)
{
    memset(g, 0, sizeof(*g));
    g->o = *o;
    if (!g->o.start_us)
        g->o.start_us = INT64_C(1735689600000000);
    if (!g->o.span_us)
        g->o.span_us = INT64_C(86400000000);
    if (!g->o.n_clients)
        g->o.n_clients = 3000000;
    if (!g->o.n_servers)
        g->o.n_servers = 200000;
    if (!g->o.scan_permille)
        g->o.scan_permille = 70;
    if (!g->o.n_exporters || g->o.n_exporters > 64)
        g->o.n_exporters = 1;
    g->state = g->o.seed ? g->o.seed : UINT64_C(20250101);
}

struct flow_observer generator_observer(uint32_t i)
{
    return (struct flow_observer){.ip = ip_from_v4(UINT32_C(0xc0000201) + i), .domain = i};
}

/* a third of all addresses belong to the provider, the others are remote */
static uint32_t client(struct generator *g)
{
    double u = unit(g);
    uint32_t i = (uint32_t)(u * u * u * u * u * u * g->o.n_clients);
    return i % 3 == 0 ? own_address(i) : public_address(i);
}

static uint32_t server(struct generator *g)
{
    double u = unit(g);
    uint32_t i = (uint32_t)(u * u * u * u * u * g->o.n_servers);
    return i % 5 == 0 ? own_address(i ^ 0x5bd1e995) : public_address(UINT64_C(1) << 32 | i);
}

static struct ip address(const struct generator *g, uint32_t v4)
{
    if (!g->o.is_v6)
        return ip_from_v4(v4);
    /* a /48 per sixteen bits, a random interface number as privacy addresses have */
    uint64_t id = mix(v4 ^ UINT64_C(0xa5a5a5a5a5));
    struct ip a = {{0x20, 0x01, 0x0d, 0xb8, (uint8_t)(v4 >> 24), (uint8_t)(v4 >> 16), 0, (uint8_t)(v4 >> 8)}};
    memcpy(a.b + 8, &id, 8);
    return a;
}

static uint32_t as_of(uint32_t a)
{
    return (uint32_t)(mix(a >> 16) % 60000) + 1;
}

static uint8_t mask_of(uint32_t a)
{
    return (uint8_t)(14 + mix(a >> 18 ^ 0x1234) % 11);
}

static void set_protocol(struct generator *g, struct flow *f, uint32_t server_port, bool is_reply)
{
    static const uint8_t flags[16] = {0x1b, 0x1b, 0x1b, 0x1a, 0x1a, 0x18, 0x10, 0x12, 0x02, 0x02, 0x14, 0x04, 0x1f, 0x13, 0x11, 0x19};
    uint32_t kind = below(g, 100), high = 1024 + below(g, 64512);
    f->protocol = kind < 70 ? 6 : kind < 97 ? 17 : 1;
    if (f->protocol == 1) {
        f->destination_port = f->icmp = is_reply ? 0 : 0x800;
        f->present |= FLOW_HAS(FLOW_ICMP);
        return;
    }
    f->tcp_flags = f->protocol == 6 ? flags[below(g, 16)] : 0;
    f->source_port = (uint16_t)(is_reply ? server_port : high);
    f->destination_port = (uint16_t)(is_reply ? high : server_port);
}

static void set_counters(struct generator *g, struct flow *f)
{
    double u = unit(g), heavy = 1 / (u * 0.9999 + 0.0001);
    f->source_packets = 1 + (uint64_t)(heavy * 1.7);
    f->source_bytes = f->source_packets * (40 + below(g, 1400)) + below(g, 40);
}

static void set_route(struct flow *f, uint32_t source, uint32_t destination, uint32_t exporter)
{
    f->source_as = as_of(source);
    f->destination_as = as_of(destination);
    f->source_mask = mask_of(source);
    f->destination_mask = mask_of(destination);
    f->input_if = 1 + (uint32_t)(mix(source >> 18) % 12);
    f->output_if = 1 + (uint32_t)(mix(destination >> 18) % 12);
    f->next_hop = ip_from_v4(UINT32_C(0x0a000001) + exporter * 256 + f->output_if);
}

static const uint64_t PRESENT =
    FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS_ADDRESS(FLOW_NEXT_HOP) |
    FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_RECEIVED) | FLOW_HAS(FLOW_CLOCK_OFFSET) |
    FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_INPUT_IF) | FLOW_HAS(FLOW_OUTPUT_IF) |
    FLOW_HAS(FLOW_SOURCE_AS) | FLOW_HAS(FLOW_DESTINATION_AS) | FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_OBSERVER) |
    FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_TCP_FLAGS) | FLOW_HAS(FLOW_PROTOCOL) | FLOW_HAS(FLOW_TOS) |
    FLOW_HAS(FLOW_SOURCE_MASK) | FLOW_HAS(FLOW_DESTINATION_MASK);

static void make_flow(struct generator *g, struct flow *f, uint32_t exporter, int64_t sent_us)
{
    static const uint16_t services[16] = {443, 443, 443, 443, 443, 80, 80, 53, 53, 53, 22, 25, 3389, 8080, 123, 5060};
    bool is_scan = below(g, 1000) < g->o.scan_permille, is_reply = !is_scan && below(g, 2);
    uint32_t from = is_scan ? public_address(UINT64_C(2) << 32 | below(g, 3000)) : client(g);
    uint32_t to = is_scan ? public_address(UINT64_C(3) << 32 | next_random(g) >> 34) : server(g);
    if (g->o.hit_every && g->n_made % g->o.hit_every == g->o.hit_every / 2)
        to = g->o.hits[mix(g->n_made) % g->o.n_hits];
    memset(f, 0, sizeof(*f));
    f->present = PRESENT;
    uint32_t source = is_reply ? to : from, destination = is_reply ? from : to;
    f->source_ip = address(g, source);
    f->destination_ip = address(g, destination);
    set_route(f, source, destination, exporter);
    if (g->o.is_v6)
        f->next_hop = address(g, ip_v4(&f->next_hop));
    set_protocol(g, f, services[below(g, 16)], is_reply);
    set_counters(g, f);
    f->tos = below(g, 100) < 3 ? (uint8_t)(below(g, 8) << 5) : 0;
    uint32_t duration_ms = f->source_packets == 1 ? 0 : below(g, 60000);
    f->end_us = sent_us / 1000 * 1000 - (int64_t)below(g, 15000) * 1000;
    f->start_us = f->end_us - (int64_t)duration_ms * 1000;
    f->observer = exporter;
    f->received_us = sent_us + 1700;
    f->clock_offset_us = f->received_us - sent_us / 1000 * 1000;
    g->n_made++;
}

static int64_t time_of(const struct generator *g)
{
    return g->o.start_us + (int64_t)((double)g->n_made / (double)g->o.n_flows * (double)g->o.span_us);
}

void generator_flows(struct generator *g, struct flow *out, uint32_t n)
{
    uint32_t exporter = 0;
    int64_t sent_us = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i % GENERATOR_RECORDS == 0) {
            exporter = (uint32_t)(g->n_datagrams++ % g->o.n_exporters);
            sent_us = time_of(g);
        }
        make_flow(g, &out[i], exporter, sent_us);
    }
}

/* --- datagrams ---------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return p + n;
}

enum { UPTIME_MS = 200000000 }; /* of every exporter, at the time of its datagram */

static size_t write5(struct generator *g, const struct flow *f, uint32_t n, uint32_t exporter, int64_t sent_us, uint8_t *out)
{
    int64_t ms = sent_us / 1000;
    uint8_t *p = put(put(put(out, 5, 2), n, 2), UPTIME_MS, 4);
    p = put(put(p, (uint64_t)(ms / 1000), 4), (uint64_t)(ms % 1000 * 1000000), 4);
    p = put(put(put(p, g->sequence[exporter], 4), exporter, 2), 0, 2);
    for (uint32_t i = 0; i < n; i++, f++) {
        p = put(put(put(p, ip_v4(&f->source_ip), 4), ip_v4(&f->destination_ip), 4), ip_v4(&f->next_hop), 4);
        p = put(put(put(put(p, f->input_if, 2), f->output_if, 2), f->source_packets, 4), f->source_bytes, 4);
        p = put(p, (uint64_t)(UPTIME_MS - (ms - f->start_us / 1000)), 4);
        p = put(p, (uint64_t)(UPTIME_MS - (ms - f->end_us / 1000)), 4);
        p = put(put(put(p, f->source_port, 2), f->destination_port, 2), 0, 1);
        p = put(put(put(put(p, f->tcp_flags, 1), f->protocol, 1), f->tos, 1), f->source_as & 0xffff, 2);
        p = put(put(put(put(p, f->destination_as & 0xffff, 2), f->source_mask, 1), f->destination_mask, 1), 0, 2);
    }
    g->sequence[exporter] += n;
    return (size_t)(p - out);
}

/* {element, bytes}: source, destination, next hop, packets, bytes, times, ports, the rest; 9 and 10 differ in times */
static const uint16_t elements[][2] = {{8, 4},  {12, 4}, {15, 4}, {10, 4}, {14, 4}, {2, 4}, {1, 4}, {0, 0}, {0, 0}, {7, 2},
                                       {11, 2}, {6, 1},  {4, 1},  {5, 1},  {16, 4}, {17, 4}, {9, 1}, {13, 1}};
enum { N_ELEMENTS = sizeof(elements) / sizeof(*elements), TEMPLATE = 256 };

static void element(int version, bool is_v6, unsigned i, uint16_t *ret_id, uint16_t *ret_bytes)
{
    static const uint16_t v6_ids[3] = {27, 28, 62};
    *ret_id = elements[i][0];
    *ret_bytes = elements[i][1];
    if (is_v6 && i < 3) {
        *ret_id = v6_ids[i];
        *ret_bytes = 16;
    } else if (is_v6 && (*ret_id == 9 || *ret_id == 13)) {
        *ret_id = *ret_id == 9 ? 29 : 30;
    } else if (i == 7 || i == 8) {
        *ret_id = (uint16_t)(version == 9 ? (i == 7 ? 22 : 21) : 145 + i);
        *ret_bytes = version == 9 ? 4 : 8;
    }
}

static uint8_t *write_template(int version, bool is_v6, uint8_t *p)
{
    p = put(put(p, version == 9 ? 0 : 2, 2), 8 + N_ELEMENTS * 4, 2);
    p = put(put(p, TEMPLATE, 2), N_ELEMENTS, 2);
    for (unsigned i = 0; i < N_ELEMENTS; i++) {
        uint16_t id, bytes;
        element(version, is_v6, i, &id, &bytes);
        p = put(put(p, id, 2), bytes, 2);
    }
    return p;
}

static uint8_t *put_ip(uint8_t *p, const struct ip *a, bool is_v6)
{
    memcpy(p, is_v6 ? a->b : a->b + 12, is_v6 ? 16 : 4);
    return p + (is_v6 ? 16 : 4);
}

static uint8_t *write_record(int version, bool is_v6, const struct flow *f, int64_t ms, uint8_t *p)
{
    p = put_ip(put_ip(put_ip(p, &f->source_ip, is_v6), &f->destination_ip, is_v6), &f->next_hop, is_v6);
    p = put(put(put(put(p, f->input_if, 4), f->output_if, 4), f->source_packets, 4), f->source_bytes, 4);
    if (version == 9) {
        p = put(p, (uint64_t)(UPTIME_MS - (ms - f->start_us / 1000)), 4);
        p = put(p, (uint64_t)(UPTIME_MS - (ms - f->end_us / 1000)), 4);
    } else {
        p = put(put(p, (uint64_t)f->start_us / 1000, 8), (uint64_t)f->end_us / 1000, 8);
    }
    p = put(put(put(p, f->source_port, 2), f->destination_port, 2), f->tcp_flags, 1);
    p = put(put(put(put(p, f->protocol, 1), f->tos, 1), f->source_as, 4), f->destination_as, 4);
    return put(put(p, f->source_mask, 1), f->destination_mask, 1);
}

static size_t write_templated(struct generator *g, int version, const struct flow *f, uint32_t n, uint32_t exporter,
                              int64_t sent_us, bool has_template, uint8_t *out)
{
    int64_t ms = sent_us / 1000;
    uint8_t *p = put(put(out, (uint64_t)version, 2), version == 9 ? n + has_template : 0, 2);
    if (version == 9)
        p = put(p, UPTIME_MS, 4);
    p = put(put(put(p, (uint64_t)(ms / 1000), 4), g->sequence[exporter], 4), exporter, 4);
    if (has_template)
        p = write_template(version, g->o.is_v6, p);
    uint8_t *set = p;
    p = put(p, TEMPLATE, 2) + 2;
    for (uint32_t i = 0; i < n; i++)
        p = write_record(version, g->o.is_v6, &f[i], ms, p);
    while ((p - set) % 4)
        *p++ = 0;
    put(set + 2, (uint64_t)(p - set), 2);
    if (version == 10)
        put(out + 2, (uint64_t)(p - out), 2);
    g->sequence[exporter] += version == 9 ? 1 : n;
    return (size_t)(p - out);
}

size_t generator_datagram(struct generator *g, int version, uint8_t out[GENERATOR_DATAGRAM_MAX],
                          struct flow *flows, uint32_t *ret_n, uint32_t *ret_exporter)
{
    struct flow own[GENERATOR_RECORDS];
    uint64_t left = g->o.n_flows - g->n_made;
    uint32_t n = left < GENERATOR_RECORDS ? (uint32_t)left : GENERATOR_RECORDS;
    /* more than 20 records of IPv6 would not fit an Ethernet frame */
    n = g->o.is_v6 && n > 14 ? 14 : n;
    *ret_n = n;
    if (!n)
        return 0;
    if (version != 5 && n > 22)
        *ret_n = n = 22;
    uint64_t turn = g->n_datagrams / g->o.n_exporters;
    int64_t sent_us = time_of(g);
    if (!flows)
        flows = own;
    generator_flows(g, flows, n);
    *ret_exporter = flows[0].observer;
    if (version == 5)
        return write5(g, flows, n, *ret_exporter, sent_us, out);
    return write_templated(g, version, flows, n, *ret_exporter, sent_us, turn % 1000 == 0, out);
}

/* --- lists ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void generator_list(uint64_t seed, uint32_t *out, size_t n)
{
    size_t have = 0;
    uint64_t next = 0;
    while (have < n) { /* doubles are replaced by later ones until none are left */
        while (have < n)
            out[have++] = public_address(mix(seed) << 36 ^ UINT64_C(7) << 32 ^ next++);
        qsort(out, have, sizeof(*out), compare);
        size_t kept = 0;
        for (size_t i = 0; i < have; i++)
            if (!kept || out[kept - 1] != out[i])
                out[kept++] = out[i];
        have = kept;
    }
}
