/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte 0 chooses the link type, byte 1 how much longer the frame was on the wire; the rest is the frame.
 * Invariant: layers are 1..PACKET_LAYERS, payloads lie inside the frame and inside each other, lengths on the wire
 * never exceed the frame's.
 */
#include "format/packet.h"
#include "format/pcap.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint16_t links[] = {
        PCAP_LINK_ETHERNET, PCAP_LINK_RAW,  PCAP_LINK_NULL,  PCAP_LINK_LOOP,     PCAP_LINK_LINUX_SLL, PCAP_LINK_LINUX_SLL2,
        PCAP_LINK_PPP,      PCAP_LINK_IPV4, PCAP_LINK_IPV6,  PCAP_LINK_PPP_HDLC, PCAP_LINK_PPP_ETHER, PCAP_LINK_FRELAY,
        PCAP_LINK_NFLOG,    65535,
    };
    if (n < 2)
        return 0;
    uint16_t link = links[p[0] % (sizeof(links) / sizeof(*links))];
    size_t n_frame = n - 2, n_wire = n_frame + (size_t)p[1] * 8;
    struct packet layers[PACKET_LAYERS], one;
    unsigned n_layers = 0;
    int e = packet_decode(link, p + 2, n_frame, n_wire, layers, &n_layers);
    if (e) {
        assert(e > 0 && e < PACKET_N_REASONS && *packet_reason_name(e));
        assert(packet_udp_payload(link, p + 2, n_frame, n_wire, &one) == e);
        return 0;
    }
    assert(n_layers >= 1 && n_layers <= PACKET_LAYERS);
    const uint8_t *from = p + 2, *end = p + n;
    size_t n_room = n_wire;
    for (unsigned i = 0; i < n_layers; i++) {
        const struct packet *k = &layers[i];
        assert(k->payload >= from && k->payload + k->n_payload_bytes <= end);
        assert(k->n_ip_bytes <= n_room);
        assert(k->has_ports || (!k->source_port && !k->destination_port && !k->has_tcp));
        assert(k->is_fragment || !k->fragment_offset);
        assert((k->tunnel != PACKET_TUNNEL_NONE) == (i > 0));
        assert(*packet_tunnel_name(k->tunnel) || i == 0);
        from = k->payload;
        n_room = k->n_ip_bytes;
    }
    return 0;
}
