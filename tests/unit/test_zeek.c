/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection logs as Zeek writes them, and as labelling tools rewrite them.
 */
#include "flow_text_case.h"

#define HEADER                                                                                              \
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"            \
    "#open\t2024-01-31-17-32-32\n"
#define FIELDS                                                                                              \
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\t"   \
    "resp_bytes\tconn_state\tlocal_orig\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\t"      \
    "tunnel_parents\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\t"   \
    "string\tbool\tstring\tcount\tcount\tcount\tcount\tset[string]\n"

static void a_tsv_row_takes_ip_bytes_where_they_are(void **state)
{
    (void)state;
    expect(HEADER FIELDS
           "1706736752.422947\tCVua\t10.0.0.238\t59332\t34.222.122.143\t443\ttcp\tssl\t3.5\t550\t109\tSF\tT\tShADad\t12\t"
           "1174\t9\t477\t(empty)\n"
           "11.537757\tCtQj\t10.0.2.106\t62364\t8.8.8.8\t53\tudp\tdns\t-\t34\t-\tS0\t-\tD\t1\t-\t0\t-\t-\n#close\t2024\n",
           "source.ip=10.0.0.238 destination.ip=34.222.122.143 event.start=2024-01-31T21:32:32.422947Z "
           "event.end=2024-01-31T21:32:35.922947Z source.bytes=1174 destination.bytes=477 source.packets=12 "
           "destination.packets=9 source.port=59332 destination.port=443 network.iana_number=6 event.id=\"CVua\" "
           "network.protocol=\"ssl\" zeek.orig_bytes=\"550\" zeek.resp_bytes=\"109\" network.state=\"SF\" "
           "zeek.local_orig=\"T\" zeek.history=\"ShADad\"\n"
           "source.ip=10.0.2.106 destination.ip=8.8.8.8 event.start=1970-01-01T00:00:11.537757Z "
           "event.end=1970-01-01T00:00:11.537757Z source.bytes=34 source.packets=1 destination.packets=0 "
           "source.port=62364 destination.port=53 network.iana_number=17 event.id=\"CtQj\" network.protocol=\"dns\" "
           "zeek.orig_bytes=\"34\" network.state=\"S0\" zeek.history=\"D\"\n");
}

static void icmp_has_type_and_code_in_its_ports_and_58_over_ipv6(void **state)
{
    (void)state;
#define SMALL "#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n"
    expect(HEADER SMALL "1.5\t1.1.1.1\t3\t2.2.2.2\t1\ticmp\tOTH\n1.5\tfe80::1\t135\tff02::1\t0\ticmp\tOTH\n"
                        "1.5\t1.1.1.1\t3\t2.2.2.2\t1\tunknown_transport\tOTH",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=1970-01-01T00:00:01.500000Z "
           "event.end=1970-01-01T00:00:01.500000Z source.port=3 destination.port=1 network.icmp=769 "
           "network.iana_number=1 network.state=\"OTH\"\n"
           "source.ip=fe80::1 destination.ip=ff02::1 event.start=1970-01-01T00:00:01.500000Z "
           "event.end=1970-01-01T00:00:01.500000Z source.port=135 destination.port=0 network.icmp=34560 "
           "network.iana_number=58 network.state=\"OTH\"\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=1970-01-01T00:00:01.500000Z "
           "event.end=1970-01-01T00:00:01.500000Z source.port=3 destination.port=1 zeek.proto=\"unknown_transport\" "
           "network.state=\"OTH\"\n");
}

#define ENDS(start)                                                                                   \
    "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=1970-01-01T00:00:0" start                   \
    ".000000Z event.end=1970-01-01T00:00:0" start ".000000Z "

static void several_headers_in_one_file_each_hold_for_what_follows(void **state)
{
    (void)state;
    expect(HEADER "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n1\t1.1.1.1\t2.2.2.2\tA\n#close\tx\n"
                  "#separator \\x2c\n#path,conn\n#unset_field,?\n#fields,conn_state,id.resp_h,id.orig_h,ts,new\n"
                  "B,2.2.2.2,1.1.1.1,2,?\n#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.resp_h\tquery\n"
                  "3\t1.1.1.1\t2.2.2.2\tx.vn\n",
           ENDS("1") "network.state=\"A\"\n" ENDS("2") "network.state=\"B\"\n"
           "!other_log 18 3\t1.1.1.1\t2.2.2.2\tx.vn\n");
}

static void labels_glued_with_blanks_are_taken_apart(void **state)
{
    (void)state;
    expect(HEADER "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\ttunnel_parents   label   detailed-label\n"
                  "#types\ttime\taddr\taddr\tstring\tset[string]   string   string\n"
                  "1\t1.1.1.1\t2.2.2.2\tA\t(empty)   Malicious   PartOfAHorizontalPortScan\n"
                  "2\t1.1.1.1\t2.2.2.2\tA\t-   Benign   -\n",
           ENDS("1") "network.state=\"A\" event.label=\"Malicious\" zeek.detailed-label=\"PartOfAHorizontalPortScan\"\n"
           ENDS("2") "network.state=\"A\" event.label=\"Benign\"\n");
}

static void rows_that_are_no_flow_are_refused_by_reason(void **state)
{
    (void)state;
    expect("#separator \\x09\n1\t1.1.1.1\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n1\t1.1.1.1\t2.2.2.2\n"
           "1\t-\t2.2.2.2\tS\n-\t1.1.1.1\t2.2.2.2\tS\nx\t1.1.1.1\t2.2.2.2\tS\n",
           "!no_header 2 1\t1.1.1.1\n!too_few_columns 4 1\t1.1.1.1\t2.2.2.2\n!no_address 5 \n!no_time 6 \n!bad_time 7 x\n");
}

static void json_lines_are_read_with_numeric_and_iso_times(void **state)
{
    (void)state;
    expect("{\"ts\":1626284625.656299,\"uid\":\"C3\",\"id.orig_h\":\"1.1.1.1\",\"id.orig_p\":59241,\"id.resp_h\":\"2.2.2.2\","
           "\"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":0.23780393600463868,\"orig_bytes\":1715,\"conn_state\":\"SF\","
           "\"local_orig\":true,\"orig_pkts\":15,\"orig_ip_bytes\":2519,\"resp_pkts\":14,\"resp_ip_bytes\":9556,"
           "\"tunnel_parents\":[\"a\",\"b\"],\"vlan\":null}\r\n"
           "{\"ts\":\"2021-07-14T17:43:45.656299Z\",\"id\":{\"orig_h\":\"1.1.1.1\",\"resp_h\":\"2.2.2.2\"},\"conn_state\":\"\\u0053F\"}\n"
           "{\"ts\":1626284625656,\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"orig_bytes\":7}",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2021-07-14T17:43:45.656299Z "
           "event.end=2021-07-14T17:43:45.894103Z source.bytes=2519 destination.bytes=9556 source.packets=15 "
           "destination.packets=14 source.port=59241 destination.port=443 network.iana_number=6 event.id=\"C3\" "
           "zeek.orig_bytes=\"1715\" network.state=\"SF\" zeek.local_orig=\"true\" zeek.tunnel_parents=\"[\"a\",\"b\"]\"\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2021-07-14T17:43:45.656299Z "
           "event.end=2021-07-14T17:43:45.656299Z network.state=\"SF\"\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2021-07-14T17:43:45.656000Z "
           "event.end=2021-07-14T17:43:45.656000Z source.bytes=7 zeek.orig_bytes=\"7\"\n");
}

static void json_that_is_no_connection_is_refused(void **state)
{
    (void)state;
    expect("{\"ts\":1,\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"query\":\"x\"}\n"
           "{\"ts\":1,\"_path\":\"http\",\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"duration\":1}\n"
           "{\"ts\":1,\n"
           "[1]\n"
           "{\"ts\":1,\"id.orig_h\":\"x\",\"id.resp_h\":\"2.2.2.2\",\"duration\":1}\n",
           "!other_log 1 {\"ts\":1,\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"query\":\"x\"}\n"
           "!other_log 2 {\"ts\":1,\"_path\":\"http\",\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"duration\":1}\n"
           "!bad_json 3 \n!bad_json 4 [1]\n!bad_address 5 x\n");
}

static void json_with_ecs_names_is_our_own_output(void **state)
{
    (void)state;
    expect("{\"@timestamp\":\"2024-02-03T04:05:06.700000Z\",\"event.start\":\"2024-02-03T04:05:06.700000Z\","
           "\"event.end\":\"2024-02-03T04:05:07.000000Z\",\"source.ip\":\"1.1.1.1\",\"destination.ip\":\"2.2.2.2\","
           "\"network.transport\":\"tcp\",\"network.bytes\":10,\"source.bytes\":7,\"destination.bytes\":3,"
           "\"observer.ip\":\"9.9.9.9\",\"event.label\":\"x\",\"odd.name\":\"y\"}\n",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-02-03T04:05:06.700000Z "
           "event.end=2024-02-03T04:05:07.000000Z source.bytes=7 destination.bytes=3 observer.ip=9.9.9.9/0 "
           "network.iana_number=6 event.label=\"x\" odd.name=\"y\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tsv_row_takes_ip_bytes_where_they_are),
        cmocka_unit_test(icmp_has_type_and_code_in_its_ports_and_58_over_ipv6),
        cmocka_unit_test(several_headers_in_one_file_each_hold_for_what_follows),
        cmocka_unit_test(labels_glued_with_blanks_are_taken_apart),
        cmocka_unit_test(rows_that_are_no_flow_are_refused_by_reason),
        cmocka_unit_test(json_lines_are_read_with_numeric_and_iso_times),
        cmocka_unit_test(json_that_is_no_connection_is_refused),
        cmocka_unit_test(json_with_ecs_names_is_our_own_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
