/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture file. Invariant: fed whole and fed in pieces it gives the same packets, counters and end; no packet is
 * longer than the limit; what waits between feeds is bounded.
 */
#include "format/pcap.h"

#include <assert.h>

struct sum {
    uint64_t n, hash;
};

static int take(void *context, const struct pcap_packet *packet)
{
    struct sum *s = context;
    assert(packet->n_captured <= PCAP_PACKET_MAX && packet->n_original >= packet->n_captured);
    s->n++;
    s->hash = s->hash * 31 + (uint64_t)packet->timestamp_us + packet->link + packet->n_original;
    for (uint32_t i = 0; i < packet->n_captured; i++)
        s->hash = s->hash * 31 + packet->p[i];
    return s->n > 100000 ? -1 : 0;
}

static int read_pieces(const uint8_t *p, size_t n, size_t piece, struct sum *s, struct pcap *r)
{
    int e = 0;
    for (size_t at = 0; at < n && !e; at += piece) {
        e = pcap_feed(r, p + at, n - at < piece ? n - at : piece, take, s);
        assert(r->pending.capacity <= PCAP_RECORD_MAX + 64);
    }
    return pcap_end(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct pcap whole = {0}, pieces = {0};
    struct sum a = {0}, b = {0};
    int e = read_pieces(p, n, n ? n : 1, &a, &whole);
    int f = read_pieces(p, n, n ? 1 + p[n - 1] % 61 : 1, &b, &pieces);
    assert(e == f && a.n == b.n && a.hash == b.hash);
#define X(member, meaning) assert(whole.member == pieces.member);
    PCAP_COUNTERS(X)
#undef X
    pcap_fini(&whole);
    pcap_fini(&pieces);
    return 0;
}
