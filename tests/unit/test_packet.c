/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames written here by hand, layer by layer, after the standards.
 */
#include "format/packet.h"
#include "format/pcap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* a frame is built from the inside out: each layer is put in front of what is there */
struct frame {
    uint8_t room[4096];
    size_t n;
};

static uint8_t *front(struct frame *f, const char *hex)
{
    uint8_t bytes[256];
    size_t n = 0;
    for (const char *h = hex; *h;) {
        unsigned v;
        if (*h == ' ') {
            h++;
            continue;
        }
        assert_int_equal(sscanf(h, "%2x", &v), 1);
        bytes[n++] = (uint8_t)v;
        h += 2;
    }
    memmove(f->room + n, f->room, f->n);
    memcpy(f->room, bytes, n);
    f->n += n;
    return f->room;
}

static void be16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void text_in(struct frame *f, const char *text)
{
    f->n = strlen(text);
    memcpy(f->room, text, f->n);
}

static void udp(struct frame *f, size_t sport, size_t dport)
{
    size_t n = f->n + 8;
    uint8_t *p = front(f, "0000 0000 0000 0000");
    be16(p, sport);
    be16(p + 2, dport);
    be16(p + 4, n);
}

static void tcp(struct frame *f, size_t sport, size_t dport, uint8_t flags)
{
    uint8_t *p = front(f, "0000 0000 01020304 05060708 6000 ffff 0000 0000 01010101"); /* data offset 6: one option word */
    be16(p, sport);
    be16(p + 2, dport);
    p[13] = flags;
}

static uint8_t *ipv4(struct frame *f, uint8_t protocol, uint8_t last_source, uint8_t last_destination)
{
    size_t n = f->n + 20;
    uint8_t *p = front(f, "45 b8 0000 abcd 0000 3f 00 0000 c6336400 cb007100"); /* 198.51.100.0 > 203.0.113.0 */
    be16(p + 2, n);
    p[9] = protocol;
    p[15] = last_source;
    p[19] = last_destination;
    return p;
}

static uint8_t *ipv6(struct frame *f, uint8_t next)
{
    size_t n = f->n;
    uint8_t *p = front(f, "60a0 0000 0000 00 40 20010db8000000000000000000000001 20010db8000000000000000000000002");
    be16(p + 4, n);
    p[6] = next;
    return p;
}

static void ether(struct frame *f, const char *type)
{
    front(f, type);
    front(f, "0200 0000 0001 0200 0000 0002");
}

/* decodes an exact copy, so that the sanitizer sees a step beyond it */
static int decode(const struct frame *f, uint16_t link, struct packet *layers, unsigned *n)
{
    uint8_t *exact = malloc(f->n ? f->n : 1);
    memcpy(exact, f->room, f->n);
    int e = packet_decode(link, exact, f->n, f->n, layers, n);
    for (unsigned i = 0; !e && i < *n; i++)
        layers[i].payload = f->room + (layers[i].payload - exact);
    free(exact);
    return e;
}

static void same_ip(const struct ip *a, const char *text)
{
    char out[IP_TEXT_MAX];
    ip_format(a, out);
    assert_string_equal(out, text);
}

static void udp_in_ipv4(struct frame *f)
{
    text_in(f, "payload");
    udp(f, 53211, 53);
    ipv4(f, 17, 1, 2);
}

static void expect_udp(const struct packet *k)
{
    same_ip(&k->source, "198.51.100.1");
    same_ip(&k->destination, "203.0.113.2");
    assert_int_equal(k->protocol, 17);
    assert_true(k->has_ports);
    assert_int_equal(k->source_port, 53211);
    assert_int_equal(k->destination_port, 53);
    assert_int_equal(k->n_ip_bytes, 20 + 8 + 7);
    assert_int_equal(k->n_payload_bytes, 7);
    assert_memory_equal(k->payload, "payload", 7);
    assert_int_equal(k->tos, 0xb8);
    assert_int_equal(k->ttl, 63);
    assert_false(k->is_cut);
    assert_false(k->is_fragment);
}

static void every_link_layer_leads_to_the_same_packet(void **state)
{
    (void)state;
    static const struct {
        uint16_t link;
        const char *inner, *outer; /* hex put in front, the inner one first */
        int vlan, inner_vlan;
        uint32_t mpls;
    } rows[] = {
        {PCAP_LINK_RAW, "", "", -1, 0, 0},
        {PCAP_LINK_RAW_BSD, "", "", -1, 0, 0},
        {PCAP_LINK_IPV4, "", "", -1, 0, 0},
        {PCAP_LINK_ETHERNET, "0800", "020000000001020000000002", -1, 0, 0},
        {PCAP_LINK_ETHERNET, "8100 a07b 0800", "020000000001020000000002", 123, 0, 0},
        {PCAP_LINK_ETHERNET, "8100 e000 0800", "020000000001020000000002", -1, 0, 0}, /* a priority, no VLAN */
        {PCAP_LINK_ETHERNET, "8100 2000 8100 0007 0800", "020000000001020000000002", 7, 0, 0},
        {PCAP_LINK_ETHERNET, "88a8 0064 8100 0fff 0800", "020000000001020000000002", 100, 4095, 0},
        {PCAP_LINK_ETHERNET, "9100 0001 9200 0002 8100 0003 0800", "020000000001020000000002", 1, 2, 0},
        {PCAP_LINK_ETHERNET, "8847 0001d040 0001e140", "020000000001020000000002", -1, 0, 29},
        {PCAP_LINK_ETHERNET, "8864 11 00 0007 0025 0021", "020000000001020000000002", -1, 0, 0},
        {PCAP_LINK_ETHERNET, "8100 0005 8864 11 00 0007 0025 0021", "020000000001020000000002", 5, 0, 0},
        {PCAP_LINK_ETHERNET, "002b aaaa03 000000 0800", "020000000001020000000002", -1, 0, 0},
        /* Ethernet over MPLS with a control word, and provider backbone */
        {PCAP_LINK_ETHERNET, "00000000 020000000003020000000004 0800", "020000000001020000000002 8847 0001d140", -1, 0, 29},
        {PCAP_LINK_ETHERNET, "00000000 020000000003020000000004 0800", "020000000001020000000002 88e7", -1, 0, 0},
        {PCAP_LINK_NULL, "02000000", "", -1, 0, 0},
        {PCAP_LINK_NULL, "00000002", "", -1, 0, 0},
        {PCAP_LINK_LOOP, "00000002", "", -1, 0, 0},
        {PCAP_LINK_LINUX_SLL, "0000 0001 0006 020000000001 0000 0800", "", -1, 0, 0},
        {PCAP_LINK_LINUX_SLL2, "0800 0000 00000002 0001 00 06 0200000000010000", "", -1, 0, 0},
        {PCAP_LINK_PPP, "ff03 0021", "", -1, 0, 0},
        {PCAP_LINK_PPP, "21", "", -1, 0, 0},
        {PCAP_LINK_PPP_HDLC, "ff03 0021", "", -1, 0, 0},
        {PCAP_LINK_PPP_HDLC, "0f00 0800", "", -1, 0, 0},
        {PCAP_LINK_PPP_ETHER, "11 00 0007 0025 0021", "", -1, 0, 0},
        {PCAP_LINK_FRELAY, "1841 03 cc", "", -1, 0, 0},
        {PCAP_LINK_FRELAY, "1841 0800", "", -1, 0, 0},
        {PCAP_LINK_NFLOG, "02 00 0001 0800 0100 12340000 0500 0200 61000000 2700 0900", "", -1, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct frame f = {.n = 0};
        struct packet layers[PACKET_LAYERS];
        unsigned n = 0;
        udp_in_ipv4(&f);
        front(&f, rows[i].inner);
        front(&f, rows[i].outer);
        if (rows[i].link == PCAP_LINK_ETHERNET)
            f.n += 6; /* padding of the link is no payload */
        if (decode(&f, rows[i].link, layers, &n))
            fail_msg("row %zu", i);
        assert_int_equal(n, 1);
        expect_udp(layers);
        assert_int_equal(layers[0].has_vlan, rows[i].vlan >= 0);
        assert_int_equal(layers[0].vlan, rows[i].vlan >= 0 ? rows[i].vlan : 0);
        assert_int_equal(layers[0].inner_vlan, rows[i].inner_vlan);
        assert_int_equal(layers[0].mpls_label, rows[i].mpls);
    }
}

static void a_frame_without_ip_is_refused_by_reason(void **state)
{
    (void)state;
    static const struct {
        uint16_t link;
        const char *hex;
        int reason;
    } rows[] = {
        {PCAP_LINK_IEEE802_11, "0800 0000 0000", PACKET_LINK_UNKNOWN},
        {PCAP_LINK_ETHERNET, "020000000001020000000002 0806 0001", PACKET_NOT_IP},     /* ARP */
        {PCAP_LINK_ETHERNET, "020000000001020000000002 8863 11 09 0000 0000", PACKET_NOT_IP},
        {PCAP_LINK_ETHERNET, "020000000001020000000002 0026 424203000000 0000", PACKET_NOT_IP}, /* spanning tree */
        {PCAP_LINK_ETHERNET, "020000000001020000000002 08", PACKET_CUT},
        {PCAP_LINK_ETHERNET, "020000000001020000000002 8100 00", PACKET_CUT},
        {PCAP_LINK_ETHERNET, "020000000001020000000002 0800 4500", PACKET_CUT},
        {PCAP_LINK_ETHERNET, "020000000001020000000002 86dd 6000", PACKET_CUT},
        {PCAP_LINK_ETHERNET, "020000000001020000000002 8847 0001d0ff 0001", PACKET_CUT},
        {PCAP_LINK_PPP, "c021 01", PACKET_NOT_IP}, /* LCP */
        {PCAP_LINK_PPP, "", PACKET_CUT},
        {PCAP_LINK_RAW, "", PACKET_CUT},
        {PCAP_LINK_RAW, "75", PACKET_NOT_IP},
        {PCAP_LINK_NULL, "0000000c", PACKET_NOT_IP},
        /* header length 4 words; total length below the header; version 5 behind an IPv4 ethertype */
        {PCAP_LINK_RAW, "44000014 00000000 40110000 01020304 05060708", PACKET_MALFORMED},
        {PCAP_LINK_RAW, "45000013 00000000 40110000 01020304 05060708", PACKET_MALFORMED},
        {PCAP_LINK_IPV4, "55000014 00000000 40110000 01020304 05060708", PACKET_MALFORMED},
        {PCAP_LINK_RAW, "46000018 00000000 40110000 01020304 05060708 0101", PACKET_CUT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct frame f = {.n = 0};
        struct packet layers[PACKET_LAYERS];
        unsigned n;
        front(&f, rows[i].hex);
        int e = decode(&f, rows[i].link, layers, &n);
        if (e != rows[i].reason)
            fail_msg("row %zu: %d", i, e);
        assert_true(strlen(packet_reason_name(e)) > 0);
    }
}

static void endless_tags_and_labels_are_malformed(void **state)
{
    (void)state;
    struct frame f = {.n = 0};
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    udp_in_ipv4(&f);
    front(&f, "0800");
    for (int i = 0; i < 20; i++)
        front(&f, "8100 0001");
    front(&f, "020000000001020000000002");
    assert_int_equal(decode(&f, PCAP_LINK_ETHERNET, layers, &n), PACKET_MALFORMED);
    f.n = 0;
    for (int i = 0; i < 20; i++)
        front(&f, "00000040");
    front(&f, "020000000001020000000002 8847");
    assert_int_equal(decode(&f, PCAP_LINK_ETHERNET, layers, &n), PACKET_MALFORMED);
    f.n = 0;
    for (int i = 0; i < 20; i++)
        front(&f, "020000000001020000000002 8847 00000140 00000000");
    assert_int_equal(decode(&f, PCAP_LINK_ETHERNET, layers, &n), PACKET_MALFORMED);
}

static void tcp_carries_flags_sequence_and_payload_behind_options(void **state)
{
    (void)state;
    struct frame f;
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    text_in(&f, "GET /");
    tcp(&f, 40000, 80, 0x18);
    f.room[12] |= 1; /* the ninth flag */
    ipv4(&f, 6, 1, 2);
    ether(&f, "0800");
    assert_int_equal(decode(&f, PCAP_LINK_ETHERNET, layers, &n), 0);
    assert_int_equal(n, 1);
    assert_true(layers[0].has_tcp);
    assert_int_equal(layers[0].tcp_flags, 0x118);
    assert_int_equal(layers[0].tcp_seq, 0x01020304);
    assert_int_equal(layers[0].tcp_ack, 0x05060708);
    assert_int_equal(layers[0].n_payload_bytes, 5);
    assert_memory_equal(layers[0].payload, "GET /", 5);
    assert_int_equal(layers[0].n_ip_bytes, 20 + 24 + 5);
}

static void a_cut_transport_header_still_gives_the_addresses(void **state)
{
    (void)state;
    for (size_t keep = 0; keep < 24; keep++) {
        struct frame f = {.n = 0};
        struct packet layers[PACKET_LAYERS];
        unsigned n = 0;
        tcp(&f, 40000, 80, 2);
        ipv4(&f, 6, 1, 2);
        f.n = 20 + keep;
        uint8_t *exact = malloc(f.n);
        memcpy(exact, f.room, f.n);
        assert_int_equal(packet_decode(PCAP_LINK_RAW, exact, f.n, 44, layers, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(layers[0].has_ports, keep >= 4);
        assert_int_equal(layers[0].has_tcp, keep >= 20);
        assert_true(layers[0].is_cut);
        assert_int_equal(layers[0].n_payload_bytes, 0);
        assert_int_equal(layers[0].n_ip_bytes, 44); /* as on the wire, not as captured */
        free(exact);
    }
}

static void a_length_that_lies_is_bounded_by_the_frame(void **state)
{
    (void)state;
    struct frame f;
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    udp_in_ipv4(&f);
    be16(f.room + 2, 60000);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(layers[0].n_ip_bytes, 35);
    be16(f.room + 2, 0); /* segmentation offload */
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    expect_udp(layers);
    assert_int_equal(packet_decode(PCAP_LINK_RAW, f.room, f.n, SIZE_MAX, layers, &n), 0);
    assert_int_equal(layers[0].n_ip_bytes, 1 << 20); /* a length on the wire that nobody believes */
    be16(f.room + 2, 35);
    be16(f.room + 24, 9); /* a UDP length of one byte of payload */
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(layers[0].n_payload_bytes, 1);
}

static void ipv4_fragments_say_where_they_belong(void **state)
{
    (void)state;
    struct frame f;
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    udp_in_ipv4(&f);
    be16(f.room + 6, 0x2000); /* more to follow */
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_true(layers[0].is_fragment);
    assert_true(layers[0].has_ports);
    assert_int_equal(layers[0].fragment_id, 0xabcd);
    be16(f.room + 6, 185); /* the last part */
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_true(layers[0].is_fragment);
    assert_false(layers[0].has_ports);
    assert_int_equal(layers[0].fragment_offset, 185);
    be16(f.room + 6, 0x4000); /* "do not fragment" alone */
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_false(layers[0].is_fragment);
}

static void ipv6_extension_headers_lead_to_the_transport(void **state)
{
    (void)state;
    struct frame f;
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    text_in(&f, "payload");
    udp(&f, 5353, 5353);
    front(&f, "11 01 0000 00000000 00000000 00000000");          /* destination options, 16 bytes */
    front(&f, "3c 00 0000 deadbeef");                            /* fragment header, whole ("atomic") */
    front(&f, "2c 04 0000 00000001 00000002 000000000000000000000000"); /* authentication, 24 bytes */
    front(&f, "33 00 0502 0000 0100");                           /* hop by hop */
    ipv6(&f, 0);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(layers[0].protocol, 17);
    assert_int_equal(layers[0].destination_port, 5353);
    assert_false(layers[0].is_fragment);
    assert_int_equal(layers[0].n_ip_bytes, 40 + 8 + 24 + 8 + 16 + 15);
    assert_memory_equal(layers[0].payload, "payload", 7);
    same_ip(&layers[0].source, "2001:db8::1");
    assert_int_equal(layers[0].tos, 0xa);

    text_in(&f, "rest of it");
    front(&f, "11 00 0b68 deadbeef"); /* offset 365, last part */
    ipv6(&f, 44);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(layers[0].protocol, 17);
    assert_true(layers[0].is_fragment);
    assert_int_equal(layers[0].fragment_offset, 365);
    assert_int_equal(layers[0].fragment_id, 0xdeadbeef);
    assert_false(layers[0].has_ports);

    f.n = 0;
    front(&f, "00 ff 0000 00000000"); /* an extension longer than the packet */
    ipv6(&f, 60);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_true(layers[0].is_cut);
    assert_int_equal(layers[0].protocol, 60);
}

static void icmp_sctp_and_mapped_addresses(void **state)
{
    (void)state;
    struct frame f = {.n = 0};
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    front(&f, "0301 0000 00000000");
    ipv4(&f, 1, 1, 2);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_true(layers[0].has_icmp);
    assert_int_equal(layers[0].icmp, 3 * 256 + 1);
    f.n = 0;
    front(&f, "0b59 0050 00000000 00000000 00030005 00");
    ipv4(&f, 132, 1, 2);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(layers[0].source_port, 2905);
    assert_int_equal(layers[0].destination_port, 80);
    assert_int_equal(layers[0].n_payload_bytes, 5);
    f.n = 0;
    front(&f, "8700 0000 00000000");
    uint8_t *p = ipv6(&f, 58);
    memcpy(p + 8, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x09", 16);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(layers[0].icmp, 135 * 256);
    same_ip(&layers[0].source, "198.51.100.9");
}

static void tunnels_give_both_layers(void **state)
{
    (void)state;
    static const struct {
        const char *inner; /* hex between the inner IPv4 and the outer transport */
        uint8_t protocol;
        uint16_t port; /* of an outer UDP */
        enum packet_tunnel tunnel;
        int vlan;
    } rows[] = {
        {"", 4, 0, PACKET_TUNNEL_IP, -1},
        {"0000 0800", 47, 0, PACKET_TUNNEL_GRE, -1},
        {"b000 0800 12340000 00000007 00000001", 47, 0, PACKET_TUNNEL_GRE, -1},
        {"0000 6558 020000000001020000000002 8100 0009 0800", 47, 0, PACKET_TUNNEL_GRE, 9},
        {"3081 880b 0000 0001 00000001 00000002 ff03 0021", 47, 0, PACKET_TUNNEL_GRE, -1},
        {"0000 88be 020000000001020000000002 0800", 47, 0, PACKET_TUNNEL_GRE, -1},
        {"1000 88be 00000001 1001000100000000 020000000001020000000002 0800", 47, 0, PACKET_TUNNEL_GRE, -1},
        {"1000 22eb 00000001 200100010000000000000001 0000000000000000 020000000001020000000002 0800", 47, 0,
         PACKET_TUNNEL_GRE, -1},
        {"0000 8847 0001d140", 47, 0, PACKET_TUNNEL_GRE, -1},
        {"08000000 00007b00 020000000001020000000002 0800", 17, 4789, PACKET_TUNNEL_VXLAN, -1},
        {"01 00 6558 00007b00 01020304 020000000001020000000002 0800", 17, 6081, PACKET_TUNNEL_GENEVE, -1},
        {"30 ff 0023 00000001", 17, 2152, PACKET_TUNNEL_GTP, -1},
        {"32 ff 0027 00000001 0001 00 00", 17, 2152, PACKET_TUNNEL_GTP, -1},
        {"34 ff 002b 00000001 0001 00 85 01 0001 00", 17, 2152, PACKET_TUNNEL_GTP, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct frame f;
        struct packet layers[PACKET_LAYERS];
        unsigned n = 0;
        udp_in_ipv4(&f);
        front(&f, rows[i].inner);
        if (rows[i].port)
            udp(&f, 55555, rows[i].port);
        size_t n_body = f.n;
        ipv4(&f, rows[i].protocol, 77, 88);
        ether(&f, "8100 0005 0800");
        assert_int_equal(decode(&f, PCAP_LINK_ETHERNET, layers, &n), 0);
        if (n != 2)
            fail_msg("row %zu: %u layers", i, n);
        same_ip(&layers[0].source, "198.51.100.77");
        same_ip(&layers[0].destination, "203.0.113.88");
        assert_int_equal(layers[0].protocol, rows[i].protocol);
        assert_int_equal(layers[0].n_ip_bytes, 20 + n_body);
        assert_int_equal(layers[0].tunnel, PACKET_TUNNEL_NONE);
        assert_int_equal(layers[0].vlan, 5);
        expect_udp(&layers[1]);
        assert_int_equal(layers[1].tunnel, rows[i].tunnel);
        assert_int_equal(layers[1].has_vlan, rows[i].vlan >= 0);
        assert_int_equal(layers[1].vlan, rows[i].vlan >= 0 ? rows[i].vlan : 0);
    }
}

static void what_only_looks_like_a_tunnel_stays_what_it_is(void **state)
{
    (void)state;
    static const uint16_t ports[] = {4789, 6081, 2152, 8472};
    for (size_t i = 0; i < 4; i++) {
        struct frame f;
        struct packet layers[PACKET_LAYERS];
        unsigned n;
        text_in(&f, "\x08no tunnel at all, only the port of one");
        udp(&f, 1234, ports[i]);
        ipv4(&f, 17, 1, 2);
        assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(layers[0].destination_port, ports[i]);
    }
}

static void layers_are_bounded(void **state)
{
    (void)state;
    struct frame f;
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    udp_in_ipv4(&f);
    for (int i = 0; i < 50; i++)
        ipv4(&f, 4, (uint8_t)i, (uint8_t)i);
    assert_int_equal(decode(&f, PCAP_LINK_RAW, layers, &n), 0);
    assert_int_equal(n, PACKET_LAYERS);
    same_ip(&layers[3].source, "198.51.100.46");
}

static void the_payload_of_an_export_datagram(void **state)
{
    (void)state;
    struct frame f;
    struct packet k;
    udp_in_ipv4(&f);
    assert_int_equal(packet_udp_payload(PCAP_LINK_RAW, f.room, f.n, f.n, &k), 0);
    expect_udp(&k);
    assert_int_equal(packet_udp_payload(PCAP_LINK_RAW, f.room, f.n - 1, f.n, &k), PACKET_IN_PARTS);
    be16(f.room + 6, 0x2000);
    assert_int_equal(packet_udp_payload(PCAP_LINK_RAW, f.room, f.n, f.n, &k), PACKET_IN_PARTS);
    f.room[9] = 6;
    assert_int_equal(packet_udp_payload(PCAP_LINK_RAW, f.room, f.n, f.n, &k), PACKET_NOT_UDP);
    assert_int_equal(packet_udp_payload(PCAP_LINK_RAW, f.room, 10, 10, &k), PACKET_CUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_link_layer_leads_to_the_same_packet),
        cmocka_unit_test(a_frame_without_ip_is_refused_by_reason),
        cmocka_unit_test(endless_tags_and_labels_are_malformed),
        cmocka_unit_test(tcp_carries_flags_sequence_and_payload_behind_options),
        cmocka_unit_test(a_cut_transport_header_still_gives_the_addresses),
        cmocka_unit_test(a_length_that_lies_is_bounded_by_the_frame),
        cmocka_unit_test(ipv4_fragments_say_where_they_belong),
        cmocka_unit_test(ipv6_extension_headers_lead_to_the_transport),
        cmocka_unit_test(icmp_sctp_and_mapped_addresses),
        cmocka_unit_test(tunnels_give_both_layers),
        cmocka_unit_test(what_only_looks_like_a_tunnel_stays_what_it_is),
        cmocka_unit_test(layers_are_bounded),
        cmocka_unit_test(the_payload_of_an_export_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
