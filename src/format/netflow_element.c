/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning of information elements, as tables.
 *
 * Sources: the IANA registry "IP Flow Information Export (IPFIX) Entities";
 * Cisco NetFlow Version 9 Flow-Record Format (types 1..104) and NSEL (ASA);
 * RFC 5103 for reverse elements (enterprise 29305); the vendors' published
 * lists where an enterprise number is named.
 */
#include "format/netflow_template.h"

#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define AT_FLOW(ROLE, member, has) \
    [NETFLOW_ROLE_##ROLE] = {has, (uint16_t)offsetof(struct flow, member), sizeof(((struct flow *)0)->member), false}
#define ADDRESS(ROLE, member) AT_FLOW(ROLE, member, FLOW_HAS_ADDRESS(FLOW_##ROLE))
#define NUMBER(ROLE, member) AT_FLOW(ROLE, member, FLOW_HAS(FLOW_##ROLE))
#define EXTRA(ROLE, member)                                                               \
    [NETFLOW_ROLE_##ROLE] = {0, (uint16_t)offsetof(struct netflow_extra, member),         \
                             sizeof(((struct netflow_extra *)0)->member), true}
#define TEXTUAL(ROLE) EXTRA(ROLE, text[NETFLOW_TEXT_##ROLE])

const struct netflow_place netflow_places[NETFLOW_N_ROLES] = {
    AT_FLOW(SOURCE_IP, source_ip, FLOW_HAS_ADDRESS(FLOW_SOURCE_IP)),
    AT_FLOW(DESTINATION_IP, destination_ip, FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP)),
    EXTRA(SOURCE_IP6, source_ip6),
    EXTRA(DESTINATION_IP6, destination_ip6),
    ADDRESS(SOURCE_NAT_IP, source_nat_ip),
    ADDRESS(DESTINATION_NAT_IP, destination_nat_ip),
    EXTRA(SOURCE_NAT_IP6, source_nat_ip6),
    EXTRA(DESTINATION_NAT_IP6, destination_nat_ip6),
    ADDRESS(NEXT_HOP, next_hop),
    EXTRA(NEXT_HOP6, next_hop6),
    NUMBER(START, start_us),
    NUMBER(END, end_us),
    EXTRA(DURATION, duration_us),
    NUMBER(SOURCE_BYTES, source_bytes),
    NUMBER(DESTINATION_BYTES, destination_bytes),
    NUMBER(SOURCE_PACKETS, source_packets),
    NUMBER(DESTINATION_PACKETS, destination_packets),
    NUMBER(POST_BYTES, post_bytes),
    NUMBER(POST_PACKETS, post_packets),
    NUMBER(INPUT_IF, input_if),
    NUMBER(OUTPUT_IF, output_if),
    NUMBER(SOURCE_AS, source_as),
    NUMBER(DESTINATION_AS, destination_as),
    NUMBER(VLAN, vlan),
    NUMBER(SOURCE_PORT, source_port),
    NUMBER(DESTINATION_PORT, destination_port),
    NUMBER(SOURCE_NAT_PORT, source_nat_port),
    NUMBER(DESTINATION_NAT_PORT, destination_nat_port),
    NUMBER(TCP_FLAGS, tcp_flags),
    NUMBER(REVERSE_TCP_FLAGS, reverse_tcp_flags),
    EXTRA(ICMP4, icmp4),
    EXTRA(ICMP6, icmp6),
    EXTRA(ICMP4_TYPE, icmp4_type),
    EXTRA(ICMP4_CODE, icmp4_code),
    EXTRA(ICMP6_TYPE, icmp6_type),
    EXTRA(ICMP6_CODE, icmp6_code),
    NUMBER(PROTOCOL, protocol),
    NUMBER(TOS, tos),
    NUMBER(SOURCE_MASK, source_mask),
    NUMBER(DESTINATION_MASK, destination_mask),
    NUMBER(DIRECTION, direction),
    NUMBER(NAT_EVENT, nat_event),
    NUMBER(FIREWALL_EVENT, firewall_event),
    EXTRA(EXTENDED_EVENT, extended_event),
    NUMBER(END_REASON, end_reason),
    EXTRA(SELECTOR, selector),
    EXTRA(INTERVAL, interval),
    EXTRA(PACKET_INTERVAL, packet_interval),
    EXTRA(PACKET_SPACE, packet_space),
    EXTRA(SIZE, size),
    EXTRA(POPULATION, population),
    EXTRA(PROBABILITY, probability),
    EXTRA(INIT, init_ms),
    EXTRA(TEMPLATE_ID, template_id),
    EXTRA(PORT_FIRST, port_first),
    EXTRA(PORT_LAST, port_last),
    EXTRA(PORT_STEP, port_step),
    EXTRA(N_PORTS, n_ports),
    EXTRA(REALM, realm),
    EXTRA(SUBSCRIBER, subscriber),
    EXTRA(INITIAL_FLAGS, initial_flags),
    EXTRA(REVERSE_INITIAL_FLAGS, reverse_initial_flags),
    EXTRA(APPLICATION_ID, application),
    TEXTUAL(APPLICATION),
    TEXTUAL(USER),
    TEXTUAL(DNS_NAME),
    TEXTUAL(TLS_NAME),
    TEXTUAL(HTTP_HOST),
    TEXTUAL(JA3),
    TEXTUAL(JA4),
    TEXTUAL(RULE),
};

/* X(element, role, encoding, rank) - IANA numbers; v9 uses the same up to 127 */
#define ELEMENTS(X)                              \
    X(1, SOURCE_BYTES, UINT, 0)                  \
    X(2, SOURCE_PACKETS, UINT, 0)                \
    X(4, PROTOCOL, UINT, 0)                      \
    X(5, TOS, UINT, 0)                           \
    X(6, TCP_FLAGS, UINT, 0)                     \
    X(7, SOURCE_PORT, UINT, 0)                   \
    X(8, SOURCE_IP, IP4, 0)                      \
    X(9, SOURCE_MASK, UINT, 0)                   \
    X(10, INPUT_IF, UINT, 0)                     \
    X(11, DESTINATION_PORT, UINT, 0)             \
    X(12, DESTINATION_IP, IP4, 0)                \
    X(13, DESTINATION_MASK, UINT, 0)             \
    X(14, OUTPUT_IF, UINT, 0)                    \
    X(15, NEXT_HOP, IP4, 0)                      \
    X(16, SOURCE_AS, UINT, 0)                    \
    X(17, DESTINATION_AS, UINT, 0)               \
    X(18, NEXT_HOP, IP4, 1)                      \
    X(21, END, UPTIME, 5)                        \
    X(22, START, UPTIME, 5)                      \
    X(23, POST_BYTES, UINT, 0)                   \
    X(24, POST_PACKETS, UINT, 0)                 \
    X(27, SOURCE_IP6, IP6, 0)                    \
    X(28, DESTINATION_IP6, IP6, 0)               \
    X(29, SOURCE_MASK, UINT, 1)                  \
    X(30, DESTINATION_MASK, UINT, 1)             \
    X(32, ICMP4, UINT, 0)                        \
    X(34, INTERVAL, UINT, 0)                     \
    X(48, SELECTOR, UINT, 0)                     \
    X(50, INTERVAL, UINT, 1)                     \
    X(55, TOS, UINT, 1)                          \
    X(56, MAC, NONE, 0)                          \
    X(57, MAC, NONE, 1)                          \
    X(58, VLAN, UINT, 0)                         \
    X(59, VLAN, UINT, 2)                         \
    X(61, DIRECTION, UINT, 0)                    \
    X(62, NEXT_HOP6, IP6, 0)                     \
    X(63, NEXT_HOP6, IP6, 1)                     \
    X(80, MAC, NONE, 2)                          \
    X(81, MAC, NONE, 3)                          \
    X(85, SOURCE_BYTES, UINT, 1)                 \
    X(86, SOURCE_PACKETS, UINT, 1)               \
    X(95, APPLICATION_ID, TEXT, 0)               \
    X(96, APPLICATION, TEXT, 0)                  \
    X(136, END_REASON, UINT, 0)                  \
    X(139, ICMP6, UINT, 0)                       \
    X(145, TEMPLATE_ID, UINT, 0)                 \
    X(150, START, SECONDS, 3)                    \
    X(151, END, SECONDS, 3)                      \
    X(152, START, MILLISECONDS, 2)               \
    X(153, END, MILLISECONDS, 2)                 \
    X(154, START, NTP, 1)                        \
    X(155, END, NTP, 1)                          \
    X(156, START, NTP, 0)                        \
    X(157, END, NTP, 0)                          \
    X(158, START, BEFORE, 4)                     \
    X(159, END, BEFORE, 4)                       \
    X(160, INIT, UINT, 0)                        \
    X(161, DURATION, SPAN_MS, 1)                 \
    X(162, DURATION, UINT, 0)                    \
    X(171, POST_BYTES, UINT, 1)                  \
    X(172, POST_PACKETS, UINT, 1)                \
    X(176, ICMP4_TYPE, UINT, 0)                  \
    X(177, ICMP4_CODE, UINT, 0)                  \
    X(178, ICMP6_TYPE, UINT, 0)                  \
    X(179, ICMP6_CODE, UINT, 0)                  \
    X(180, SOURCE_PORT, UINT, 1)                 \
    X(181, DESTINATION_PORT, UINT, 1)            \
    X(182, SOURCE_PORT, UINT, 2)                 \
    X(183, DESTINATION_PORT, UINT, 2)            \
    X(225, SOURCE_NAT_IP, IP4, 0)                \
    X(226, DESTINATION_NAT_IP, IP4, 0)           \
    X(227, SOURCE_NAT_PORT, UINT, 0)             \
    X(228, DESTINATION_NAT_PORT, UINT, 0)        \
    X(230, NAT_EVENT, UINT, 0)                   \
    X(231, SOURCE_BYTES, UINT, 2)                \
    X(232, DESTINATION_BYTES, UINT, 2)           \
    X(233, FIREWALL_EVENT, UINT, 0)              \
    X(234, REALM, UINT, 0)                       \
    X(243, VLAN, UINT, 1)                        \
    X(252, INPUT_IF, UINT, 1)                    \
    X(253, OUTPUT_IF, UINT, 1)                   \
    X(281, SOURCE_NAT_IP6, IP6, 0)               \
    X(282, DESTINATION_NAT_IP6, IP6, 0)          \
    X(298, SOURCE_PACKETS, UINT, 2)              \
    X(299, DESTINATION_PACKETS, UINT, 2)         \
    X(302, SELECTOR, UINT, 1)                    \
    X(305, PACKET_INTERVAL, UINT, 0)             \
    X(306, PACKET_SPACE, UINT, 0)                \
    X(309, SIZE, UINT, 0)                        \
    X(310, POPULATION, UINT, 0)                  \
    X(311, PROBABILITY, UINT, 0)                 \
    X(352, SOURCE_BYTES, UINT, 3)                \
    X(353, SOURCE_BYTES, UINT, 4)                \
    X(361, PORT_FIRST, UINT, 0)                  \
    X(362, PORT_LAST, UINT, 0)                   \
    X(363, PORT_STEP, UINT, 0)                   \
    X(364, N_PORTS, UINT, 0)                     \
    X(371, USER, TEXT, 0)

/* observation times serve when a record has no other: they are ranked behind, for both ends */
#define OBSERVED(X)            \
    X(322, SECONDS, 13)        \
    X(323, MILLISECONDS, 12)   \
    X(324, NTP, 11)            \
    X(325, NTP, 10)

enum { N_DIRECT = 512 };
static const struct netflow_meaning direct[N_DIRECT] = {
#define X(id, role, kind, rank) [id] = {NETFLOW_ROLE_##role, NETFLOW_OP_##kind, rank},
    ELEMENTS(X)
#undef X
#define X(id, kind, rank) [id] = {NETFLOW_ROLE_END, NETFLOW_OP_##kind, rank},
    OBSERVED(X)
#undef X
};

struct other {
    uint32_t pen;
    uint16_t id;
    struct netflow_meaning meaning;
};

/* Cisco ASA NSEL before 8.4 and its own numbers (Cisco ASA NetFlow Implementation Guide) */
static const struct other v9_only[] = {
    {0, 40000, {NETFLOW_ROLE_USER, NETFLOW_OP_TEXT, 1}},
    {0, 40001, {NETFLOW_ROLE_SOURCE_NAT_IP, NETFLOW_OP_IP4, 1}},
    {0, 40002, {NETFLOW_ROLE_DESTINATION_NAT_IP, NETFLOW_OP_IP4, 1}},
    {0, 40003, {NETFLOW_ROLE_SOURCE_NAT_PORT, NETFLOW_OP_UINT, 1}},
    {0, 40004, {NETFLOW_ROLE_DESTINATION_NAT_PORT, NETFLOW_OP_UINT, 1}},
    {0, 40005, {NETFLOW_ROLE_FIREWALL_EVENT, NETFLOW_OP_UINT, 1}},
    {0, 33002, {NETFLOW_ROLE_EXTENDED_EVENT, NETFLOW_OP_UINT, 0}},
    /* Palo Alto Networks, NetFlow templates of PAN-OS: App-ID, User-ID */
    {0, 56701, {NETFLOW_ROLE_APPLICATION, NETFLOW_OP_TEXT, 1}},
    {0, 56702, {NETFLOW_ROLE_USER, NETFLOW_OP_TEXT, 2}},
    /* ntop nProbe writes its enterprise elements as 57472 + n: 187 HTTP host, 205 DNS query, 188 TLS server name */
    {0, 57659, {NETFLOW_ROLE_HTTP_HOST, NETFLOW_OP_TEXT, 0}},
    {0, 57677, {NETFLOW_ROLE_DNS_NAME, NETFLOW_OP_TEXT, 0}},
    {0, 57660, {NETFLOW_ROLE_TLS_NAME, NETFLOW_OP_TEXT, 0}},
};

/* RFC 5103: the same element seen from the other end */
static const struct other reverse[] = {
    {29305, 1, {NETFLOW_ROLE_DESTINATION_BYTES, NETFLOW_OP_UINT, 0}},
    {29305, 2, {NETFLOW_ROLE_DESTINATION_PACKETS, NETFLOW_OP_UINT, 0}},
    {29305, 85, {NETFLOW_ROLE_DESTINATION_BYTES, NETFLOW_OP_UINT, 1}},
    {29305, 86, {NETFLOW_ROLE_DESTINATION_PACKETS, NETFLOW_OP_UINT, 1}},
    {29305, 352, {NETFLOW_ROLE_DESTINATION_BYTES, NETFLOW_OP_UINT, 3}},
    {29305, 353, {NETFLOW_ROLE_DESTINATION_BYTES, NETFLOW_OP_UINT, 4}},
    {29305, 6, {NETFLOW_ROLE_REVERSE_TCP_FLAGS, NETFLOW_OP_UINT, 0}},
};

/* the vendors' own elements, by enterprise number */
static const struct other enterprise[] = {
    /* Nokia, 7750 SR "Multiservice ISA and ESA Guide", IPFIX template formats 1 and 2 */
    {637, 93, {NETFLOW_ROLE_SUBSCRIBER, NETFLOW_OP_TEXT, 0}},
    /* Palo Alto Networks */
    {25461, 56701, {NETFLOW_ROLE_APPLICATION, NETFLOW_OP_TEXT, 1}},
    {25461, 56702, {NETFLOW_ROLE_USER, NETFLOW_OP_TEXT, 2}},
    /* Ixia / Keysight IxFlow: reverse octets and packets, application, HTTP host */
    {3054, 176, {NETFLOW_ROLE_DESTINATION_BYTES, NETFLOW_OP_UINT, 5}},
    {3054, 177, {NETFLOW_ROLE_DESTINATION_PACKETS, NETFLOW_OP_UINT, 5}},
    {3054, 183, {NETFLOW_ROLE_HTTP_HOST, NETFLOW_OP_TEXT, 0}},
    {3054, 189, {NETFLOW_ROLE_DNS_NAME, NETFLOW_OP_TEXT, 0}},
    /* CERT YAF; its reverse elements have 0x4000 added */
    {6871, 14, {NETFLOW_ROLE_INITIAL_FLAGS, NETFLOW_OP_UINT, 0}},
    {6871, 15, {NETFLOW_ROLE_TCP_FLAGS, NETFLOW_OP_UINT, 1}},
    {6871, 0x4000 + 14, {NETFLOW_ROLE_REVERSE_INITIAL_FLAGS, NETFLOW_OP_UINT, 0}},
    {6871, 0x4000 + 15, {NETFLOW_ROLE_REVERSE_TCP_FLAGS, NETFLOW_OP_UINT, 1}},
    {6871, 179, {NETFLOW_ROLE_DNS_NAME, NETFLOW_OP_TEXT, 0}},
    {6871, 294, {NETFLOW_ROLE_TLS_NAME, NETFLOW_OP_TEXT, 0}},
    /* Citrix NetScaler, Procera: the host asked for */
    {5951, 142, {NETFLOW_ROLE_HTTP_HOST, NETFLOW_OP_TEXT, 0}},
    {15397, 18, {NETFLOW_ROLE_HTTP_HOST, NETFLOW_OP_TEXT, 0}},
    /* ntop nProbe */
    {35632, 187, {NETFLOW_ROLE_HTTP_HOST, NETFLOW_OP_TEXT, 0}},
    {35632, 205, {NETFLOW_ROLE_DNS_NAME, NETFLOW_OP_TEXT, 0}},
    {35632, 188, {NETFLOW_ROLE_TLS_NAME, NETFLOW_OP_TEXT, 0}},
};

static struct netflow_meaning find(const struct other *table, size_t n, uint32_t pen, uint16_t id)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].pen == pen && table[i].id == id)
            return table[i].meaning;
    return (struct netflow_meaning){0};
}

struct netflow_meaning netflow_element(uint16_t version, uint32_t pen, uint16_t id)
{
    if (!pen && id < N_DIRECT)
        return direct[id];
    if (!pen)
        return version == 9 ? find(v9_only, COUNT(v9_only), 0, id) : (struct netflow_meaning){0};
    return pen == 29305 ? find(reverse, COUNT(reverse), pen, id) : find(enterprise, COUNT(enterprise), pen, id);
}
