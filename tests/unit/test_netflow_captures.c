/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports of real routers against what other decoders say about them: the cases of logstash-codec-netflow, the
 * expected output of pmacct's own tests, and an IPFIX file counted by a separate script (below).
 * The captures are test data beside the repository; without them the tests are skipped and say so.
 */
#include "cmocka_house.h"

#include "format/ipfix_file.h"
#include "format/netflow_sequence.h"
#include "format/pcap.h"
#include "netflow_case.h"

#include "base/clock.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static struct netflow *n;
static struct kept k;

static const char *archive(const char *name, char out[1024])
{
    const char *shared = getenv("VONGGAC_SHARED");
    int length = snprintf(out, 1024, "%s/data/netflow/%s", shared ? shared : "../shared", name);
    if (length >= 1024 || access(out, R_OK))
        return NULL;
    return out;
}

/* unpack - what a command prints, whole. */
static size_t unpack(const char *command, uint8_t **ret)
{
    FILE *f = popen(command, "r"); /* fixed commands on our own test data */
    assert_non_null(f);
    size_t n_bytes = 0, capacity = (size_t)1 << 20;
    *ret = malloc(capacity);
    assert_non_null(*ret);
    for (size_t got; (got = fread(*ret + n_bytes, 1, capacity - n_bytes, f)) > 0;) {
        n_bytes += got;
        assert_true(n_bytes < capacity);
    }
    pclose(f);
    return n_bytes;
}

static size_t member(const char *tar, const char *name, uint8_t **ret)
{
    char command[2048];
    assert_in_range(snprintf(command, sizeof(command), "tar -xJOf '%s' '%s' 2>/dev/null", tar, name), 1, sizeof(command) - 1);
    return unpack(command, ret);
}

#define NEED(variable, name)                                                       \
    char variable##_path[1024];                                                    \
    const char *variable = archive(name, variable##_path);                         \
    if (!variable) {                                                               \
        print_message("skipped: no " name " under VONGGAC_SHARED/data/netflow\n"); \
        skip();                                                                    \
    }

static void begin(void)
{
    k = (struct kept){0};
    n = netflow_new(NULL);
    assert_non_null(n);
}

/* logstash: its names of what struct flow has */

struct total {
    uint32_t n_flows, n_options, n_other, n_waiting, n_datagrams_refused;
};

static void add(struct total *t, const struct netflow_result *r)
{
    t->n_flows += r->n_flows;
    t->n_options += r->n_options;
    t->n_other += r->n_refused[NETFLOW_NO_ADDRESSES] + r->n_refused[NETFLOW_LAYER2] + r->n_nat_only;
    t->n_datagrams_refused += r->n_refused[NETFLOW_VERSION] + r->n_refused[NETFLOW_SHORT] + r->n_refused[NETFLOW_COUNT];
}

static uint64_t counted(const struct flow *f, uint64_t v)
{
    return f->present & FLOW_HAS(FLOW_SAMPLING) ? v / f->sampling : v;
}

static bool same_ip(const struct ip *a, const char *text)
{
    char own[IP_TEXT_MAX];
    ip_format(a, own);
    return !strcmp(own, text);
}

/*
 * same_time - logstash adds a second to sysUpTime times (its v9 rule takes 1,000,000 - fraction for the fraction; its
 * v5 rule does not borrow) and knows no wrap; absolute times are exact to its millisecond.
 */
static bool same_time(int64_t us, const char *text, bool is_uptime)
{
    int64_t theirs;
    if (clock_parse(text, strlen(text), 0, &theirs))
        return false;
    int64_t off_ms = (theirs - us) / 1000;
    if (!is_uptime)
        return off_ms == 0;
    int32_t wrapped = (int32_t)(uint32_t)(uint64_t)off_ms;
    return wrapped >= -1 && wrapped <= 1000;
}

static bool field_agrees(const struct flow *f, const char *name, const json_t *v)
{
    const char *text = json_string_value(v);
    uint64_t number = (uint64_t)json_integer_value(v);
    const struct {
        const char *names[3];
        uint64_t own;
    } numbers[] = {
        {{"l4_src_port", "sourceTransportPort"}, f->source_port},
        {{"l4_dst_port", "destinationTransportPort"}, f->destination_port},
        {{"in_bytes", "octetDeltaCount", "fwd_flow_delta_bytes"}, counted(f, f->source_bytes)},
        {{"in_pkts", "packetDeltaCount"}, counted(f, f->source_packets)},
        {{"in_permanent_bytes"}, counted(f, f->source_bytes)},
        {{"protocol", "protocolIdentifier"}, f->protocol},
        {{"tcp_flags", "tcpControlBits"}, f->tcp_flags},
        {{"input_snmp", "ingressInterface"}, f->input_if},
        {{"output_snmp", "egressInterface"}, f->output_if},
        {{"src_as", "bgpSourceAsNumber"}, f->source_as},
        {{"dst_as", "bgpDestinationAsNumber"}, f->destination_as},
        {{"src_mask"}, f->source_mask},
        {{"dst_mask"}, f->destination_mask},
        {{"src_tos", "ipClassOfService"}, f->tos},
        {{"direction"}, f->direction},
        {{"src_vlan", "vlanId"}, f->vlan},
        {{"fw_event", "firewallEvent"}, f->firewall_event},
        {{"xlate_src_port"}, f->source_nat_port},
        {{"xlate_dst_port"}, f->destination_nat_port},
        {{"out_bytes"}, counted(f, f->post_bytes)},
        {{"out_pkts"}, counted(f, f->post_packets)},
        {{"flowEndReason"}, f->end_reason},
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        for (size_t j = 0; j < 3 && numbers[i].names[j]; j++)
            if (!strcmp(name, numbers[i].names[j]))
                return numbers[i].own == number;
    const struct {
        const char *names[3];
        const struct ip *own;
    } addresses[] = {
        {{"ipv4_src_addr", "sourceIPv4Address"}, &f->source_ip},
        {{"ipv4_dst_addr", "destinationIPv4Address"}, &f->destination_ip},
        {{"ipv4_next_hop", "ipNextHopIPv4Address"}, &f->next_hop},
        {{"xlate_src_addr_ipv4", "postNATSourceIPv4Address"}, &f->source_nat_ip},
        {{"xlate_dst_addr_ipv4", "postNATDestinationIPv4Address"}, &f->destination_nat_ip},
    };
    for (size_t i = 0; i < COUNT_OF(addresses); i++)
        for (size_t j = 0; j < 3 && addresses[i].names[j]; j++)
            if (!strcmp(name, addresses[i].names[j]))
                return text && same_ip(addresses[i].own, text);
    if (!strcmp(name, "first_switched"))
        return text && same_time(f->start_us, text, true);
    if (!strcmp(name, "last_switched"))
        return text && same_time(f->end_us, text, true);
    if (!strcmp(name, "flowStartMilliseconds"))
        return text && same_time(f->start_us, text, false);
    if (!strcmp(name, "flowEndMilliseconds"))
        return text && same_time(f->end_us, text, false);
    return true; /* not kept by struct flow */
}

static bool flow_agrees(const struct flow *f, json_t *expected)
{
    const char *name;
    json_t *v;
    json_object_foreach(expected, name, v)
        if (!field_agrees(f, name, v))
            return false;
    return true;
}

static void check_event(const char *case_name, json_t *event)
{
    json_t *expected = json_object_get(json_object_get(event, "expect"), "netflow");
    if (!json_object_get(expected, "ipv4_src_addr") && !json_object_get(expected, "sourceIPv4Address"))
        return; /* an options record */
    for (uint32_t i = 0; i < k.n; i++)
        if (flow_agrees(&k.flows[i], expected))
            return;
    char *text = json_dumps(expected, 0);
    fail_msg("%s: no flow is like %s", case_name, text);
}

static void check_case(const char *tar, json_t *one)
{
    const char *name = json_string_value(json_object_get(one, "name"));
    struct total t = {0};
    begin();
    size_t i;
    json_t *packet;
    json_array_foreach(json_object_get(one, "packets"), i, packet) {
        uint8_t *p;
        size_t n_bytes = member(tar, json_string_value(packet), &p);
        assert_true(n_bytes > 0);
        struct netflow_result r;
        assert_int_equal(give_from(n, p, n_bytes, 0x7f000001, 1, &k, &r), 0);
        add(&t, &r);
        free(p);
    }
    json_t *expected = json_object_get(one, "events_expected");
    if (json_is_integer(expected) && t.n_flows + t.n_options + t.n_other != (uint32_t)json_integer_value(expected))
        fail_msg("%s: %u flows, %u options, %u others, expected %lld", name, t.n_flows, t.n_options, t.n_other,
                 (long long)json_integer_value(expected));
    json_t *event;
    json_array_foreach(json_object_get(one, "json"), i, event)
        check_event(name, event);
    netflow_free(n);
}

static void logstash_cases_give_the_events_stated_beside_them(void **state)
{
    (void)state;
    NEED(tar, "logstash-codec-netflow.tar.xz")
    uint8_t *p;
    size_t n_bytes = member(tar, "cases.json", &p);
    json_t *cases = json_loadb((const char *)p, n_bytes, JSON_ALLOW_NUL, NULL);
    free(p);
    assert_int_equal(json_array_size(cases), 29);
    size_t i;
    json_t *one;
    json_array_foreach(cases, i, one)
        check_case(tar, one);
    json_decref(cases);
}

static void the_v5_datagram_that_announces_55582_records_is_refused(void **state)
{
    (void)state;
    NEED(tar, "logstash-codec-netflow.tar.xz")
    uint8_t *p;
    struct netflow_result r;
    begin();
    size_t n_bytes = member(tar, "netflow5_test_invalid01.dat", &p);
    assert_int_equal(give_from(n, p, n_bytes, 1, 1, &k, &r), 0);
    assert_int_equal(r.n_refused[NETFLOW_COUNT], 1);
    assert_int_equal(k.n, 0);
    free(p);
    netflow_free(n);
}

/* pmacct */

/* datagram_of - the UDP payload of an Ethernet frame; NULL when there is none. */
static const uint8_t *datagram_of(const struct pcap_packet *packet, size_t *ret_n, struct ip *ret_peer)
{
    struct cursor c = cursor_over(packet->p, packet->n_captured);
    cursor_skip(&c, 12);
    uint16_t type = cursor_u16(&c);
    while (type == 0x8100) {
        cursor_skip(&c, 2);
        type = cursor_u16(&c);
    }
    const uint8_t *ip = c.p;
    uint8_t protocol;
    if (type == 0x0800) {
        cursor_skip(&c, (size_t)(ip[0] & 15) * 4);
        protocol = ip[9];
        *ret_peer = ip_from_v4(load_be32(ip + 12));
    } else {
        cursor_skip(&c, 40);
        protocol = ip[6];
        *ret_peer = ip_from_v6(ip + 8);
    }
    if (protocol != 17)
        return NULL;
    cursor_skip(&c, 4);
    *ret_n = (size_t)cursor_u16(&c) - 8;
    cursor_skip(&c, 2);
    return cursor_take(&c, *ret_n);
}

static uint32_t n_refused;

static int take_packet(void *context, const struct pcap_packet *packet)
{
    (void)context;
    struct netflow_datagram d = {.received_us = packet->timestamp_us};
    d.p = datagram_of(packet, &d.n_bytes, &d.peer);
    if (!d.p)
        return 0;
    struct netflow_result r;
    assert_int_equal(netflow_decode(n, &d, keep_flows, &k, &r), 0);
    n_refused += (uint32_t)all_refused(&r) - r.n_refused[NETFLOW_NO_ADDRESSES] - r.n_refused[NETFLOW_LAYER2];
    return 0;
}

/* pairs of ends with their sums: pmacct aggregates by more than that, we do not aggregate at all */
struct pair {
    struct ip source, destination;
    uint16_t source_port, destination_port;
    uint64_t packets, bytes;
};

struct pairs {
    struct pair entries[1024];
    size_t n;
};

static void count_pair(struct pairs *all, const struct pair *one)
{
    for (size_t i = 0; i < all->n; i++) {
        struct pair *e = &all->entries[i];
        if (!ip_equal(&e->source, &one->source) || !ip_equal(&e->destination, &one->destination) ||
            e->source_port != one->source_port || e->destination_port != one->destination_port)
            continue;
        e->packets += one->packets;
        e->bytes += one->bytes;
        return;
    }
    assert_true(all->n < COUNT_OF(all->entries));
    all->entries[all->n++] = *one;
}

static struct ip ip_in(json_t *j, const char *key)
{
    const char *text = json_string_value(json_object_get(j, key));
    struct ip a;
    assert_non_null(text);
    assert_int_equal(ip_parse(text, strlen(text), &a), 0);
    return a;
}

static uint64_t number_in(json_t *j, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(j, key));
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = ip_compare(&x->source, &y->source);
    if (!c)
        c = ip_compare(&x->destination, &y->destination);
    if (!c)
        c = (int)x->source_port - (int)y->source_port;
    return c ? c : (int)x->destination_port - (int)y->destination_port;
}

static struct pairs theirs, ours;

static void check_pairs(const char *folder)
{
    ours.n = 0;
    for (uint32_t i = 0; i < k.n; i++) {
        const struct flow *f = &k.flows[i];
        count_pair(&ours, &(struct pair){f->source_ip, f->destination_ip, f->source_port, f->destination_port,
                                         f->source_packets, f->source_bytes});
    }
    if (ours.n != theirs.n)
        fail_msg("%s: %zu pairs, expected %zu", folder, ours.n, theirs.n);
    qsort(ours.entries, ours.n, sizeof(*ours.entries), compare_pairs);
    qsort(theirs.entries, theirs.n, sizeof(*theirs.entries), compare_pairs);
    for (size_t i = 0; i < ours.n; i++) {
        const struct pair *o = &ours.entries[i], *t = &theirs.entries[i];
        if (compare_pairs(o, t) || o->packets != t->packets || o->bytes != t->bytes)
            fail_msg("%s: pair %zu differs", folder, i);
    }
}

static void sum_json(const char *tar, const char *name, uint64_t *ret_bytes, uint64_t *ret_packets)
{
    uint8_t *p;
    size_t n_bytes = member(tar, name, &p);
    *ret_bytes = *ret_packets = 0;
    theirs.n = 0;
    for (uint8_t *line = p, *end; line < p + n_bytes; line = end + 1) {
        end = memchr(line, '\n', n_bytes - (size_t)(line - p));
        if (!end)
            end = p + n_bytes;
        json_t *j = json_loadb((const char *)line, (size_t)(end - line), 0, NULL);
        struct pair one = {ip_in(j, "ip_src"), ip_in(j, "ip_dst"), (uint16_t)number_in(j, "port_src"),
                           (uint16_t)number_in(j, "port_dst"), number_in(j, "packets"), number_in(j, "bytes")};
        count_pair(&theirs, &one);
        *ret_bytes += one.bytes;
        *ret_packets += one.packets;
        json_decref(j);
    }
    free(p);
}

static void pmacct_captures_give_the_flows_and_totals_of_its_expected_output(void **state)
{
    (void)state;
    NEED(tar, "pmacct-ipfix.tar.xz")
    static const struct {
        const char *folder;
        int n_captures;
    } cases[] = {{"100-IPFIXv10-CISCO", 1},
                 {"101-NFv9-CISCO-cust_primitives", 1},
                 {"103-IPFIXv10-CISCO-pretag-JSON_encoding", 1},
                 {"110-IPFIXv10-NFv9-multiple-sources", 3},
                 {"401-IPFIXv10-BMP-IPv6-CISCO-MPLS-multiple-sources", 2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin();
        n_refused = 0;
        for (int c = 0; c < cases[i].n_captures; c++) {
            char name[256];
            snprintf(name, sizeof(name), "%s/traffic-%02d.pcap", cases[i].folder, c);
            uint8_t *p;
            size_t n_bytes = member(tar, name, &p);
            assert_true(n_bytes > 0);
            struct pcap reader = {0};
            assert_int_equal(pcap_feed(&reader, p, n_bytes, take_packet, NULL), 0);
            assert_int_equal(pcap_end(&reader), 0);
            pcap_fini(&reader);
            free(p);
        }
        struct netflow_result last;
        netflow_finish(n, &last);
        char name[256];
        uint64_t bytes, packets;
        snprintf(name, sizeof(name), "%s/output-flow-00.json", cases[i].folder);
        sum_json(tar, name, &bytes, &packets);
        if (k.bytes != bytes || k.packets != packets || n_refused)
            fail_msg("%s: %u flows, %llu bytes %llu packets, expected %llu %llu; %u refused, %u waiting", cases[i].folder,
                     k.n, (unsigned long long)k.bytes, (unsigned long long)k.packets, (unsigned long long)bytes,
                     (unsigned long long)packets, n_refused, last.n_refused[NETFLOW_TEMPLATE_UNKNOWN]);
        check_pairs(cases[i].folder);
        netflow_free(n);
    }
}

/* an IPFIX file; the totals are those of a separate count: every data record, sums of elements 1 and 2 */

static void the_ipfix_file_gives_the_totals_of_a_separate_count(void **state)
{
    (void)state;
    NEED(file, "ipfixcol2-example_flows.ipfix.xz")
    char command[2048];
    snprintf(command, sizeof(command), "xz -dc '%s'", file);
    uint8_t *p;
    size_t n_bytes = unpack(command, &p), at = 0, length;
    uint32_t n_messages = 0, n_units = 0, missing;
    struct netflow_sequence *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    begin();
    while (at < n_bytes) {
        struct netflow_result r;
        assert_int_equal(ipfix_frame(p + at, n_bytes - at, &length), 0);
        assert_int_equal(give_from(n, p + at, length, 1, 1, &k, &r), 0);
        assert_int_equal(all_refused(&r), 0);
        (void)netflow_sequence_note(s, &r, netflow_fingerprint(p + at, length), &missing);
        n_units += r.n_units;
        n_messages++;
        at += length;
    }
    assert_int_equal(n_messages, 68);
    assert_int_equal(n_units, 3979);
    assert_int_equal(k.n, 3979);
    assert_int_equal(k.bytes, 49001404);
    assert_int_equal(k.packets, 56695);
    assert_int_equal(s->n_gaps + s->n_late + s->n_repeated, 0);
    assert_int_equal(s->n_restarts, 1); /* its third message counts from 0 again: two recordings in one file */
    netflow_free(n);
    free(s);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logstash_cases_give_the_events_stated_beside_them),
        cmocka_unit_test(the_v5_datagram_that_announces_55582_records_is_refused),
        cmocka_unit_test(pmacct_captures_give_the_flows_and_totals_of_its_expected_output),
        cmocka_unit_test(the_ipfix_file_gives_the_totals_of_a_separate_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
