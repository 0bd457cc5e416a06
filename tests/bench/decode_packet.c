/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets per CPU-second: decoding alone, and metered into flows. Frames of four kinds (TCP, UDP with a DNS question,
 * IPv6, VXLAN) between random hosts, made once, in memory.
 *
 *   bench_decode_packet [rounds]
 */
#include "base/cursor.h"
#include "format/packet.h"
#include "format/pcap.h"
#include "watch/intake/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_FRAMES 200000u
#define FRAME_MAX 192u
#define N_FLOWS 20000u

struct frame {
    uint8_t p[FRAME_MAX];
    uint32_t n;
};

static uint64_t state = 88172645463325252u;

static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

/* IPv4 with @n_body bytes behind; flow number and direction give the ends */
static size_t ipv4(uint8_t *p, uint8_t protocol, size_t n_body, uint32_t flow, bool is_back)
{
    uint32_t client = 0x0a000000u + flow, server = 0xc0a80000u + flow % 251;
    p[0] = 0x45;
    put16(p + 2, (unsigned)(20 + n_body));
    p[8] = 64;
    p[9] = protocol;
    put32(p + 12, is_back ? server : client);
    put32(p + 16, is_back ? client : server);
    return 20;
}

static size_t tcp(uint8_t *p, uint32_t flow, bool is_back)
{
    unsigned client = 1024 + flow % 60000;
    put16(p, is_back ? 443 : client);
    put16(p + 2, is_back ? client : 443);
    p[12] = 0x50;
    p[13] = 0x10;
    return 20;
}

static size_t udp(uint8_t *p, unsigned source, unsigned destination, size_t n_body)
{
    put16(p, source);
    put16(p + 2, destination);
    put16(p + 4, (unsigned)(8 + n_body));
    return 8;
}

static size_t ethernet(uint8_t *p, unsigned type)
{
    memcpy(p, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
    put16(p + 12, type);
    return 14;
}

static void make(struct frame *f)
{
    static const uint8_t question[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\2vn\0\0\1\0\1";
    uint32_t r = next_random(), flow = r % N_FLOWS;
    bool is_back = r >> 20 & 1;
    unsigned kind = r >> 24 & 7;
    uint8_t *p = f->p;
    if (kind == 0) { /* DNS */
        size_t n = sizeof(question) - 1;
        p += ethernet(p, 0x0800);
        p += ipv4(p, 17, 8 + n, flow, is_back);
        p += udp(p, is_back ? 53 : 5000 + flow % 50000, is_back ? 5000 + flow % 50000 : 53, n);
        memcpy(p, question, n);
        p += n;
    } else if (kind == 1) { /* IPv6 TCP */
        p += ethernet(p, 0x86dd);
        p[0] = 0x60;
        put16(p + 4, 20);
        p[6] = 6;
        put32(p + 8, 0x20010db8);
        put32(p + 24, 0x20010db8);
        put32(p + (is_back ? 36 : 20), flow);
        p += 40;
        p += tcp(p, flow, is_back);
    } else if (kind == 2) { /* VXLAN */
        p += ethernet(p, 0x0800);
        p += ipv4(p, 17, 8 + 8 + 14 + 40, flow % 16, false);
        p += udp(p, 50000 + flow % 1000, 4789, 8 + 14 + 40);
        p[0] = 8;
        p += 8;
        p += ethernet(p, 0x0800);
        p += ipv4(p, 6, 20, flow, is_back);
        p += tcp(p, flow, is_back);
    } else {
        p += ethernet(p, 0x0800);
        p += ipv4(p, 6, 20, flow, is_back);
        p += tcp(p, flow, is_back);
    }
    f->n = (uint32_t)(p - f->p);
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int count(void *context, const struct flow *f, uint32_t n, const struct flow_observer *o)
{
    uint64_t *n_packets = context;
    (void)o;
    for (uint32_t i = 0; i < n; i++)
        *n_packets += f[i].source_packets + f[i].destination_packets;
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 25;
    struct frame *frames = calloc(N_FRAMES, sizeof(*frames));
    uint64_t n_layers = 0, n_packets = 0;
    struct meter *m = meter_new(NULL, count, &n_packets);
    if (!frames || !m || rounds < 1)
        return 1;
    for (uint32_t i = 0; i < N_FRAMES; i++)
        make(&frames[i]);
    double total = (double)rounds * N_FRAMES, begin = cpu_s();
    for (int r = 0; r < rounds; r++)
        for (uint32_t i = 0; i < N_FRAMES; i++) {
            struct packet layers[PACKET_LAYERS];
            unsigned n = 0;
            if (!packet_decode(PCAP_LINK_ETHERNET, frames[i].p, frames[i].n, frames[i].n, layers, &n))
                n_layers += n;
        }
    double decoded = cpu_s();
    int64_t now_us = 1700000000000000;
    for (int r = 0; r < rounds; r++)
        for (uint32_t i = 0; i < N_FRAMES; i++, now_us += 2) /* 500,000 packets a second */
            if (meter_frame(m, PCAP_LINK_ETHERNET, frames[i].p, frames[i].n, frames[i].n, now_us))
                return 1;
    if (meter_flush(m))
        return 1;
    double metered = cpu_s();
    struct meter_counters c;
    meter_count(m, &c);
    printf("decode  %6.2f M packets per CPU-second (%.0f ns each, %.2f layers)\n", total / (decoded - begin) / 1e6,
           (decoded - begin) / total * 1e9, (double)n_layers / total);
    printf("meter   %6.2f M packets per CPU-second (%.0f ns each), %llu flows; decoding included\n",
           total / (metered - decoded) / 1e6, (metered - decoded) / total * 1e9, (unsigned long long)c.n_flows);
    meter_free(m);
    free(frames);
    return n_packets == c.n_layers ? 0 : 1;
}
