/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/packet - one captured frame to its IP layers and the head of its transport.
 *
 * In:     the bytes of one frame, untrusted, perhaps cut by a snap length.
 * Out:    up to PACKET_LAYERS IP layers, outermost first. A plain packet has one. A tunnel (IPIP, 6in4, GRE with IP,
 *         Ethernet, PPP or ERSPAN inside, VXLAN, Geneve, GTP-U) has one for its own addresses and one for what it
 *         carries; the last layer is the innermost that could be read. Both are evidence: the meter makes a flow
 *         of each, the inner one naming the tunnel it came through.
 * Limits: no I/O, no allocation, no logging, no global state; reentrant. Bytes are read once, left to right.
 *         Layers beyond PACKET_LAYERS stay payload of the last.
 * Source: IEEE 802.1Q, RFC 791, 8200, 9293, 768, 792, 4443, 9260, 2784, 2890, 2637, 7348, 8926, 3032, 2516, 1661,
 *         draft-foschiano-erspan, 3GPP TS 29.281.
 * Fuzz:   tests/fuzz/packet.c
 */
#pragma once

#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_LAYERS 4

/* X(ID, value, "reason") - why a frame has no IP layer */
#define PACKET_REASONS(X)                                                    \
    X(NOT_IP, 1, "frame carries no IP (ARP, LLDP, PPPoE discovery ...)")     \
    X(LINK_UNKNOWN, 2, "link type is not understood")                        \
    X(CUT, 3, "frame ends inside its link or IP header")                     \
    X(MALFORMED, 4, "header contradicts itself")

enum packet_reason {
#define X(ID, value, reason) PACKET_##ID = value,
    PACKET_REASONS(X)
#undef X
        PACKET_N_REASONS
};
/* packet_reason_name - the words for a reason, "" for an unknown one. */
const char *packet_reason_name(int reason);

enum packet_tunnel {
    PACKET_TUNNEL_NONE,
    PACKET_TUNNEL_IP, /* IPv4 or IPv6 directly inside IP: IPIP, 6in4, 4in6 */
    PACKET_TUNNEL_GRE,
    PACKET_TUNNEL_VXLAN,
    PACKET_TUNNEL_GENEVE,
    PACKET_TUNNEL_GTP,
};
/* packet_tunnel_name - "", "ip", "gre", "vxlan", "geneve", "gtp". */
const char *packet_tunnel_name(enum packet_tunnel t);

#define PACKET_TCP_FIN 0x01u
#define PACKET_TCP_SYN 0x02u
#define PACKET_TCP_RST 0x04u
#define PACKET_TCP_ACK 0x10u

/* one IP layer; host order */
struct packet {
    struct ip source, destination;
    const uint8_t *payload;   /* behind the transport header (or the IP header, where none was read); borrowed */
    uint32_t n_payload_bytes; /* captured; link padding excluded */
    uint32_t n_ip_bytes;      /* header and payload as on the wire, by the IP header, at most what the frame holds */
    uint32_t tcp_seq, tcp_ack;
    uint32_t fragment_id;
    uint32_t mpls_label; /* of the outermost entry before this layer; 0: none */
    uint16_t source_port, destination_port; /* TCP, UDP, UDP-Lite, DCCP, SCTP; 0 unless has_ports */
    uint16_t tcp_flags;                     /* 12 bits, as IPFIX 6 */
    uint16_t icmp;                          /* type * 256 + code, when has_icmp */
    uint16_t vlan, inner_vlan;              /* 802.1Q id of the outermost and the next tag before this layer */
    uint16_t fragment_offset;               /* in units of 8 bytes */
    uint8_t protocol;                       /* IANA number; behind IPv6 extension headers */
    uint8_t tos;                            /* type of service, traffic class */
    uint8_t ttl;
    uint8_t tunnel;        /* enum packet_tunnel: how this layer was carried by the one before */
    bool has_vlan, has_ports, has_icmp, has_tcp; /* has_tcp: flags and sequence were there */
    bool is_fragment;      /* a part: offset not 0, or more to follow */
    bool has_more;         /* of these: not the last */
    bool is_cut;           /* transport header or payload not wholly captured */
};

/*
 * packet_decode - one frame.
 * @link:         enum pcap_link
 * @p, @n_bytes:  what was captured; borrowed, the payload spans point into it
 * @n_wire_bytes: length on the wire (at least n_bytes; less counts as n_bytes)
 * @layers, @ret_n: written when 0 is returned; 1..PACKET_LAYERS
 *
 * Return: 0, or enum packet_reason.
 */
int packet_decode(uint16_t link, const uint8_t *p, size_t n_bytes, size_t n_wire_bytes,
                  struct packet layers[PACKET_LAYERS], unsigned *ret_n);

/*
 * packet_udp_payload - the datagram of an exporter inside a captured frame.
 * @ret: the layer, also of PACKET_IN_PARTS; payload and n_payload_bytes are the whole datagram when 0 is returned
 * Return: 0, enum packet_reason, PACKET_NOT_UDP, or PACKET_IN_PARTS (a fragment, or cut by the snap length).
 */
#define PACKET_NOT_UDP 100
#define PACKET_IN_PARTS 101
int packet_udp_payload(uint16_t link, const uint8_t *p, size_t n_bytes, size_t n_wire_bytes, struct packet *ret);
