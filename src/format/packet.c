/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk from the outside in. `struct walk` holds where we are; each layer of
 * the frame has a function that reads its header and calls the next one. What
 * cannot be read inside a tunnel leaves the layers found so far standing: the
 * outer packet was real whatever it carried.
 */
#include "format/packet.h"

#include "base/cursor.h"
#include "format/pcap.h"

/* link layers one frame may nest: tags, label stacks and Ethernet in Ethernet without an IP layer between */
#define LINK_DEPTH 8
#define VLAN_TAGS 8
#define MPLS_LABELS 16
#define EXTENSION_HEADERS 16
/* no frame is longer, with every offload; a file may claim what it likes, and counters believe it */
#define WIRE_BYTES_MAX ((size_t)1 << 20)

enum ethertype {
    TYPE_IPV4 = 0x0800,
    TYPE_TRANSPARENT_ETHERNET = 0x6558,
    TYPE_VLAN = 0x8100,
    TYPE_IPV6 = 0x86dd,
    TYPE_PPP = 0x880b,
    TYPE_MPLS = 0x8847,
    TYPE_MPLS_MULTICAST = 0x8848,
    TYPE_PPPOE_SESSION = 0x8864,
    TYPE_SERVICE_VLAN = 0x88a8,
    TYPE_ERSPAN_II = 0x88be,
    TYPE_ERSPAN_III = 0x22eb,
    TYPE_PROVIDER_BACKBONE = 0x88e7,
    TYPE_VLAN_9100 = 0x9100,
    TYPE_VLAN_9200 = 0x9200,
};

enum protocol {
    PROTO_HOPOPTS = 0,
    PROTO_ICMP = 1,
    PROTO_IPV4 = 4,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_DCCP = 33,
    PROTO_IPV6 = 41,
    PROTO_ROUTING = 43,
    PROTO_FRAGMENT = 44,
    PROTO_GRE = 47,
    PROTO_AH = 51,
    PROTO_ICMPV6 = 58,
    PROTO_DSTOPTS = 60,
    PROTO_SCTP = 132,
    PROTO_MOBILITY = 135,
    PROTO_UDPLITE = 136,
    PROTO_HIP = 139,
    PROTO_SHIM6 = 140,
};

struct walk {
    struct cursor c;
    size_t beyond_bytes; /* on the wire behind the captured end */
    struct packet *layers;
    unsigned n;
    unsigned link_depth;
    uint32_t mpls_label;
    uint16_t vlan, inner_vlan;
    bool has_vlan, has_inner_vlan;
    enum packet_tunnel tunnel;
};

static int ethernet(struct walk *w);
static int by_ethertype(struct walk *w, uint16_t type);
static int by_version(struct walk *w);

const char *packet_reason_name(int reason)
{
    switch (reason) {
#define X(ID, value, words) \
    case PACKET_##ID:       \
        return words;
        PACKET_REASONS(X)
#undef X
    default:
        return "";
    }
}

const char *packet_tunnel_name(enum packet_tunnel t)
{
    static const char *const names[] = {"", "ip", "gre", "vxlan", "geneve", "gtp"};
    return (size_t)t < sizeof(names) / sizeof(*names) ? names[t] : "";
}

static size_t wire_left(const struct walk *w)
{
    return cursor_left(&w->c) + w->beyond_bytes;
}

/* -- link layers */

static int mpls(struct walk *w)
{
    for (int i = 0; i < MPLS_LABELS; i++) {
        uint32_t entry = cursor_u32(&w->c);
        if (w->c.is_bad)
            return PACKET_CUT;
        if (i == 0)
            w->mpls_label = entry >> 12;
        if (!(entry & 0x100)) /* bottom of stack, RFC 3032 2.1 */
            continue;
        if (!cursor_left(&w->c))
            return PACKET_CUT;
        if (*w->c.p >> 4)
            return by_version(w);
        cursor_skip(&w->c, 4); /* pseudowire control word, RFC 4385: Ethernet inside */
        return ethernet(w);
    }
    return PACKET_MALFORMED;
}

/* PPP, RFC 1661: address and control may be left out, and a protocol below 256 may be one byte (RFC 1662 6). */
static int ppp(struct walk *w)
{
    if (cursor_left(&w->c) >= 2 && w->c.p[0] == 0xff && w->c.p[1] == 0x03)
        cursor_skip(&w->c, 2);
    uint16_t protocol = cursor_u8(&w->c);
    if (!(protocol & 1))
        protocol = (uint16_t)(protocol << 8 | cursor_u8(&w->c));
    if (w->c.is_bad)
        return PACKET_CUT;
    if (protocol == 0x0021)
        return by_ethertype(w, TYPE_IPV4);
    if (protocol == 0x0057)
        return by_ethertype(w, TYPE_IPV6);
    if (protocol == 0x0281)
        return mpls(w);
    return PACKET_NOT_IP;
}

static int ppp_hdlc(struct walk *w)
{
    /* Cisco HDLC puts 0x0f or 0x8f where PPP has 0xff, and an ethertype behind */
    if (cursor_left(&w->c) >= 4 && (w->c.p[0] == 0x0f || w->c.p[0] == 0x8f)) {
        cursor_skip(&w->c, 2);
        return by_ethertype(w, cursor_u16(&w->c));
    }
    return ppp(w);
}

static int pppoe(struct walk *w)
{
    uint8_t version = cursor_u8(&w->c), code = cursor_u8(&w->c);
    cursor_skip(&w->c, 4); /* session and length: the IP header inside has its own */
    if (w->c.is_bad)
        return PACKET_CUT;
    return version == 0x11 && code == 0 ? ppp(w) : PACKET_NOT_IP;
}

static void vlan_seen(struct walk *w, uint16_t tag)
{
    uint16_t id = tag & 0x0fff;
    if (!id) /* a priority tag: the frame belongs to no VLAN, IEEE 802.1Q 9.6 */
        return;
    if (!w->has_vlan) {
        w->vlan = id;
        w->has_vlan = true;
        return;
    }
    if (!w->has_inner_vlan) {
        w->inner_vlan = id;
        w->has_inner_vlan = true;
    }
}

/* SNAP, RFC 1042: an ethertype behind AA AA 03 and three zeros; other LLC frames carry no IP. */
static int llc(struct walk *w)
{
    static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
    const uint8_t *p = cursor_take(&w->c, 6);
    if (!p)
        return PACKET_CUT;
    return memcmp(p, snap, 6) ? PACKET_NOT_IP : by_ethertype(w, cursor_u16(&w->c));
}

static int ip4(struct walk *w);
static int ip6(struct walk *w);

static int by_ethertype(struct walk *w, uint16_t type)
{
    for (int tags = 0; tags < VLAN_TAGS; tags++) {
        if (w->c.is_bad)
            return PACKET_CUT;
        switch (type) {
        case TYPE_IPV4:
            return ip4(w);
        case TYPE_IPV6:
            return ip6(w);
        case TYPE_VLAN:
        case TYPE_SERVICE_VLAN:
        case TYPE_VLAN_9100:
        case TYPE_VLAN_9200:
            vlan_seen(w, cursor_u16(&w->c));
            type = cursor_u16(&w->c);
            continue;
        case TYPE_MPLS:
        case TYPE_MPLS_MULTICAST:
            return mpls(w);
        case TYPE_PPPOE_SESSION:
            return pppoe(w);
        case TYPE_PPP:
            return ppp(w);
        case TYPE_TRANSPARENT_ETHERNET:
            return ethernet(w);
        case TYPE_PROVIDER_BACKBONE:
            cursor_skip(&w->c, 4);
            return ethernet(w);
        default: /* below 0x0600 it is a length, IEEE 802.3 */
            return type < 0x0600 ? llc(w) : PACKET_NOT_IP;
        }
    }
    return PACKET_MALFORMED;
}

static int ethernet(struct walk *w)
{
    if (++w->link_depth > LINK_DEPTH)
        return PACKET_MALFORMED;
    cursor_skip(&w->c, 12);
    return by_ethertype(w, cursor_u16(&w->c));
}

static int by_version(struct walk *w)
{
    if (!cursor_left(&w->c))
        return PACKET_CUT;
    if (*w->c.p >> 4 == 4)
        return ip4(w);
    return *w->c.p >> 4 == 6 ? ip6(w) : PACKET_NOT_IP;
}

/* -- tunnels: each answers 0 when a further layer was found */

/* RFC 2784, 2890; version 1 is RFC 2637 (PPTP). */
static int gre(struct walk *w)
{
    uint16_t flags = cursor_u16(&w->c), type = cursor_u16(&w->c);
    bool is_pptp = (flags & 7) == 1;
    if ((flags & 7) > 1 || flags & 0x4000) /* source routes, RFC 1701, are long withdrawn */
        return PACKET_NOT_IP;
    if (flags & 0x8000)
        cursor_skip(&w->c, 4);
    if (flags & 0x2000)
        cursor_skip(&w->c, 4);
    if (flags & 0x1000)
        cursor_skip(&w->c, 4);
    if (is_pptp && flags & 0x0080)
        cursor_skip(&w->c, 4);
    if (type == TYPE_ERSPAN_II && flags & 0x1000) { /* without a sequence number it is type I: no header */
        cursor_skip(&w->c, 8);
        return ethernet(w);
    }
    if (type == TYPE_ERSPAN_II)
        return ethernet(w);
    if (type == TYPE_ERSPAN_III) {
        const uint8_t *p = cursor_take(&w->c, 12);
        if (p && p[11] & 1) /* the O bit announces a platform subheader */
            cursor_skip(&w->c, 8);
        return ethernet(w);
    }
    return by_ethertype(w, type);
}

static int vxlan(struct walk *w)
{
    uint32_t flags = cursor_u32(&w->c);
    uint32_t vni = cursor_u32(&w->c);
    if (w->c.is_bad || !(flags & 0x08000000) || vni & 0xff)
        return PACKET_NOT_IP;
    return ethernet(w);
}

static int geneve(struct walk *w)
{
    uint8_t lengths = cursor_u8(&w->c);
    cursor_skip(&w->c, 1);
    uint16_t type = cursor_u16(&w->c);
    cursor_skip(&w->c, 4);
    cursor_skip(&w->c, (size_t)(lengths & 0x3f) * 4);
    if (w->c.is_bad || lengths >> 6)
        return PACKET_NOT_IP;
    return by_ethertype(w, type);
}

static int gtp(struct walk *w)
{
    uint8_t flags = cursor_u8(&w->c), type = cursor_u8(&w->c);
    cursor_skip(&w->c, 6);
    if (w->c.is_bad || (flags & 0xf0) != 0x30 || type != 255) /* version 1, GTP, a G-PDU */
        return PACKET_NOT_IP;
    if (flags & 7)
        cursor_skip(&w->c, 3);
    uint8_t next = flags & 7 ? cursor_u8(&w->c) : 0;
    for (int i = 0; flags & 4 && next && i < EXTENSION_HEADERS; i++) {
        uint8_t words = cursor_u8(&w->c);
        if (!words)
            return PACKET_MALFORMED;
        cursor_skip(&w->c, (size_t)words * 4 - 2);
        next = cursor_u8(&w->c);
    }
    return by_version(w);
}

/* Looks for a further layer in what @inner spans; the walk is left there. No success is no error: it was not a tunnel. */
static void enter(struct walk *w, struct cursor inner, enum packet_tunnel tunnel, int (*read)(struct walk *))
{
    if (w->n >= PACKET_LAYERS)
        return;
    if (inner.end < w->c.end)
        w->beyond_bytes = 0;
    w->c = inner;
    w->tunnel = tunnel;
    w->has_vlan = w->has_inner_vlan = false;
    w->vlan = w->inner_vlan = 0;
    w->mpls_label = 0;
    w->link_depth = 0;
    (void)read(w);
}

/* -- transport */

static void tcp(struct packet *k, struct cursor *c)
{
    const uint8_t *head = c->p;
    if (cursor_left(c) < 20) {
        c->is_bad = true;
        return;
    }
    k->tcp_seq = load_be32(head + 4);
    k->tcp_ack = load_be32(head + 8);
    k->tcp_flags = load_be16(head + 12) & 0x0fff;
    k->has_tcp = true;
    size_t n_header = (size_t)(head[12] >> 4) * 4;
    cursor_skip(c, n_header < 20 ? 20 : n_header);
}

static void udp_tunnel(struct walk *w, const struct packet *k, struct cursor inner)
{
    /* IANA: 4789 VXLAN, 8472 its Linux forerunner, 6081 Geneve, 2152 GTP-U */
    if (k->destination_port == 4789 || k->destination_port == 8472)
        enter(w, inner, PACKET_TUNNEL_VXLAN, vxlan);
    if (k->destination_port == 6081)
        enter(w, inner, PACKET_TUNNEL_GENEVE, geneve);
    if (k->destination_port == 2152)
        enter(w, inner, PACKET_TUNNEL_GTP, gtp);
}

static void udp(struct cursor *c)
{
    if (cursor_left(c) < 8) {
        c->is_bad = true;
        return;
    }
    size_t n_datagram = load_be16(c->p + 4);
    /* 0 means a jumbogram (RFC 2675); a length below the header or beyond the packet is not obeyed */
    if (n_datagram >= 8 && n_datagram < cursor_left(c))
        c->end = c->p + n_datagram;
    cursor_skip(c, 8);
}

/* The transport header of @k, at w->c; then a tunnel, if it is one. */
static void transport(struct walk *w, struct packet *k)
{
    struct cursor c = w->c;
    if (k->fragment_offset == 0) {
        switch (k->protocol) {
        case PROTO_TCP:
        case PROTO_UDP:
        case PROTO_UDPLITE:
        case PROTO_DCCP:
        case PROTO_SCTP:
            if (cursor_left(&c) < 4) {
                c.is_bad = true;
                break;
            }
            k->source_port = load_be16(c.p);
            k->destination_port = load_be16(c.p + 2);
            k->has_ports = true;
            if (k->protocol == PROTO_TCP)
                tcp(k, &c);
            else if (k->protocol == PROTO_UDP)
                udp(&c);
            else if (k->protocol == PROTO_SCTP)
                cursor_skip(&c, 12);
            break;
        case PROTO_ICMP:
        case PROTO_ICMPV6:
            if (cursor_left(&c) < 2) {
                c.is_bad = true;
                break;
            }
            k->icmp = load_be16(c.p);
            k->has_icmp = true;
            cursor_skip(&c, 4);
            break;
        default:
            break;
        }
    }
    if (c.is_bad) { /* a header longer than what there is */
        c.is_bad = false;
        c.p = c.end;
        k->is_cut = true;
    }
    k->payload = c.p;
    k->n_payload_bytes = (uint32_t)cursor_left(&c);
    if (k->is_fragment && k->fragment_offset) /* the inside of a tunnel begins in the first fragment only */
        return;
    if (k->protocol == PROTO_GRE)
        enter(w, c, PACKET_TUNNEL_GRE, gre);
    else if (k->protocol == PROTO_IPV4 || k->protocol == PROTO_IPV6)
        enter(w, c, PACKET_TUNNEL_IP, by_version);
    else if (k->protocol == PROTO_UDP)
        udp_tunnel(w, k, c);
}

/* -- IP */

static struct packet *layer_add(struct walk *w)
{
    struct packet *k = &w->layers[w->n++];
    *k = (struct packet){.vlan = w->vlan,
                         .inner_vlan = w->inner_vlan,
                         .has_vlan = w->has_vlan,
                         .mpls_label = w->mpls_label,
                         .tunnel = (uint8_t)w->tunnel};
    return k;
}

/* Ends the walk's bytes where the IP packet ends; behind it is padding of the link. */
static void limit(struct walk *w, struct packet *k, size_t n_ip, size_t n_header)
{
    size_t left = cursor_left(&w->c), on_wire = wire_left(w) + n_header;
    if (n_ip > on_wire)
        n_ip = on_wire;
    k->n_ip_bytes = (uint32_t)n_ip;
    size_t body = n_ip > n_header ? n_ip - n_header : 0;
    if (body <= left) {
        w->c.end = w->c.p + body;
        w->beyond_bytes = 0;
        return;
    }
    w->beyond_bytes = body - left;
    k->is_cut = true;
}

static int ip4(struct walk *w)
{
    const uint8_t *p = cursor_take(&w->c, 20);
    if (!p)
        return PACKET_CUT;
    size_t n_header = (size_t)(p[0] & 0x0f) * 4, n_total = load_be16(p + 2);
    if (p[0] >> 4 != 4 || n_header < 20)
        return PACKET_MALFORMED;
    /* a total of 0 is what segmentation offload leaves: the frame knows the length */
    if (n_total == 0)
        n_total = wire_left(w) + 20;
    if (n_total < n_header)
        return PACKET_MALFORMED;
    cursor_skip(&w->c, n_header - 20);
    if (w->c.is_bad)
        return PACKET_CUT;
    struct packet *k = layer_add(w);
    uint16_t fragment = load_be16(p + 6);
    k->tos = p[1];
    k->fragment_id = load_be16(p + 4);
    k->fragment_offset = fragment & 0x1fff;
    k->is_fragment = fragment & 0x3fff; /* offset or "more fragments" */
    k->has_more = fragment & 0x2000;
    k->ttl = p[8];
    k->protocol = p[9];
    k->source = ip_from_v4(load_be32(p + 12));
    k->destination = ip_from_v4(load_be32(p + 16));
    limit(w, k, n_total, n_header);
    transport(w, k);
    return 0;
}

static bool is_extension(uint8_t next)
{
    return next == PROTO_HOPOPTS || next == PROTO_ROUTING || next == PROTO_FRAGMENT || next == PROTO_AH ||
           next == PROTO_DSTOPTS || next == PROTO_MOBILITY || next == PROTO_HIP || next == PROTO_SHIM6;
}

/* RFC 8200 4: walks to the transport. A cut or endless chain leaves the last number read as the protocol. */
static void extensions(struct walk *w, struct packet *k)
{
    for (int i = 0; i < EXTENSION_HEADERS && is_extension(k->protocol) && !k->fragment_offset; i++) {
        if (cursor_left(&w->c) < 8) {
            k->is_cut = true;
            return;
        }
        const uint8_t *p = w->c.p;
        size_t n_header = ((size_t)p[1] + 1) * 8;
        if (k->protocol == PROTO_FRAGMENT) {
            n_header = 8;
            k->fragment_offset = load_be16(p + 2) >> 3;
            k->is_fragment = load_be16(p + 2) & 0xfff9;
            k->has_more = load_be16(p + 2) & 1;
            k->fragment_id = load_be32(p + 4);
        }
        if (k->protocol == PROTO_AH)
            n_header = ((size_t)p[1] + 2) * 4; /* RFC 4302 2.2 */
        if (cursor_left(&w->c) < n_header) {
            k->is_cut = true;
            return;
        }
        k->protocol = p[0];
        cursor_skip(&w->c, n_header);
    }
}

static int ip6(struct walk *w)
{
    const uint8_t *p = cursor_take(&w->c, 40);
    if (!p)
        return PACKET_CUT;
    if (p[0] >> 4 != 6)
        return PACKET_MALFORMED;
    struct packet *k = layer_add(w);
    size_t n_payload = load_be16(p + 4);
    if (n_payload == 0) /* a jumbogram (RFC 2675) or segmentation offload: the frame knows the length */
        n_payload = wire_left(w);
    k->tos = (uint8_t)(load_be16(p) >> 4);
    k->protocol = p[6];
    k->ttl = p[7];
    k->source = ip_from_v6(p + 8);
    k->destination = ip_from_v6(p + 24);
    limit(w, k, n_payload + 40, 40);
    extensions(w, k);
    transport(w, k);
    return 0;
}

/* -- what a capture calls its link */

/* Address family in four bytes; BSD systems disagree on the number of IPv6, writers on the byte order. */
static int null_link(struct walk *w)
{
    uint32_t family = cursor_u32(&w->c);
    if (family > 0xffff)
        family = __builtin_bswap32(family);
    if (w->c.is_bad)
        return PACKET_CUT;
    if (family == 2)
        return ip4(w);
    return family == 10 || family == 24 || family == 28 || family == 30 ? ip6(w) : PACKET_NOT_IP;
}

/* RFC 2427: Q.922 address of two bytes, control, NLPID. */
static int frame_relay(struct walk *w)
{
    cursor_skip(&w->c, 2);
    if (cursor_left(&w->c) >= 2 && *w->c.p != 0x03) /* Cisco: an ethertype at once */
        return by_ethertype(w, cursor_u16(&w->c));
    cursor_skip(&w->c, 1);
    uint8_t nlpid = cursor_u8(&w->c);
    if (w->c.is_bad)
        return PACKET_CUT;
    if (nlpid == 0xcc)
        return ip4(w);
    if (nlpid == 0x8e)
        return ip6(w);
    if (nlpid != 0x80 && nlpid != 0x00)
        return PACKET_NOT_IP;
    cursor_skip(&w->c, nlpid == 0x00 ? 4 : 3); /* padding, then the SNAP organisation */
    return by_ethertype(w, cursor_u16(&w->c));
}

/* Linux netfilter log: attributes in the byte order of the host; 9 is the packet. */
static int nflog(struct walk *w)
{
    cursor_skip(&w->c, 4);
    while (cursor_left(&w->c) >= 4) {
        size_t length = cursor_le16(&w->c);
        uint16_t type = cursor_le16(&w->c) & 0x7fff;
        if (length < 4)
            return PACKET_MALFORMED;
        if (type == 9)
            return by_version(w);
        cursor_skip(&w->c, ((length + 3) & ~(size_t)3) - 4);
    }
    return w->c.is_bad ? PACKET_CUT : PACKET_NOT_IP;
}

static int by_link(struct walk *w, uint16_t link)
{
    switch (link) {
    case PCAP_LINK_ETHERNET:
        return ethernet(w);
    case PCAP_LINK_RAW:
    case PCAP_LINK_RAW_BSD:
    case PCAP_LINK_RAW_OPENBSD:
        return by_version(w);
    case PCAP_LINK_IPV4:
        return ip4(w);
    case PCAP_LINK_IPV6:
        return ip6(w);
    case PCAP_LINK_NULL:
    case PCAP_LINK_LOOP:
        return null_link(w);
    case PCAP_LINK_LINUX_SLL:
        cursor_skip(&w->c, 14);
        return by_ethertype(w, cursor_u16(&w->c));
    case PCAP_LINK_LINUX_SLL2: {
        uint16_t type = cursor_u16(&w->c);
        cursor_skip(&w->c, 18);
        return by_ethertype(w, type);
    }
    case PCAP_LINK_PPP:
        return ppp(w);
    case PCAP_LINK_PPP_HDLC:
        return ppp_hdlc(w);
    case PCAP_LINK_PPP_ETHER:
        return pppoe(w);
    case PCAP_LINK_FRELAY:
        return frame_relay(w);
    case PCAP_LINK_NFLOG:
        return nflog(w);
    default:
        return PACKET_LINK_UNKNOWN;
    }
}

int packet_decode(uint16_t link, const uint8_t *p, size_t n_bytes, size_t n_wire_bytes,
                  struct packet layers[PACKET_LAYERS], unsigned *ret_n)
{
    n_wire_bytes = n_wire_bytes > WIRE_BYTES_MAX ? WIRE_BYTES_MAX : n_wire_bytes;
    struct walk w = {.c = cursor_over(p, n_bytes),
                     .beyond_bytes = n_wire_bytes > n_bytes ? n_wire_bytes - n_bytes : 0,
                     .layers = layers};
    int reason = by_link(&w, link);
    if (reason)
        return reason;
    *ret_n = w.n;
    return 0;
}

int packet_udp_payload(uint16_t link, const uint8_t *p, size_t n_bytes, size_t n_wire_bytes, struct packet *ret)
{
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    int reason = packet_decode(link, p, n_bytes, n_wire_bytes, layers, &n);
    if (reason)
        return reason;
    const struct packet *k = &layers[n - 1];
    if (k->protocol != PROTO_UDP)
        return PACKET_NOT_UDP;
    *ret = *k;
    return k->is_fragment || k->is_cut || !k->has_ports ? PACKET_IN_PARTS : 0;
}
