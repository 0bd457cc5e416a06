/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the CTU-13 data set and of Argus' manual; expected values by reading them.
 */
#include "flow_text_case.h"

#define HEADER "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n"

static void a_bidirectional_row_gives_both_directions(void **state)
{
    (void)state;
    expect(HEADER "2011/08/18 15:40:53.826372,2.983247,tcp,76.76.172.248,63577,   ->,147.32.84.229,13363,SR_SA,0,0,3,184,122,"
                  "flow=Background-TCP-Established\n",
           "source.ip=76.76.172.248 destination.ip=147.32.84.229 event.start=2011-08-18T15:40:53.826372Z "
           "event.end=2011-08-18T15:40:56.809619Z source.bytes=122 destination.bytes=62 source.packets=3 "
           "source.port=63577 destination.port=13363 network.iana_number=6 network.tos=0 argus.dir=\"->\" "
           "network.state=\"SR_SA\" argus.dtos=\"0\" event.label=\"flow=Background-TCP-Established\"\n");
}

static void an_arrow_to_the_left_does_not_swap_the_ends(void **state)
{
    (void)state;
    expect(HEADER "2011/08/18 15:40:53,0,udp,1.2.3.4,5,  <-,5.6.7.8,9,INT,,,1,60,60,\n",
           "source.ip=1.2.3.4 destination.ip=5.6.7.8 event.start=2011-08-18T15:40:53.000000Z "
           "event.end=2011-08-18T15:40:53.000000Z source.bytes=60 destination.bytes=0 source.packets=1 source.port=5 "
           "destination.port=9 network.iana_number=17 argus.dir=\"<-\" network.state=\"INT\"\n");
}

static void tabs_other_columns_and_packets_of_the_source_are_read(void **state)
{
    (void)state;
    expect("StartTime\tDur\tProto\tSrcAddr\tSport\tDir\tDstAddr\tDport\tState\tTotPkts\tTotBytes\tSrcBytes\tSrcPkts\tsrcUdata\n"
           "1970/01/01 01:00:08.140269\t71.165138\tudp\t10.0.2.2\t67\t   ->\tfe80::1\t68\tINT\t5\t1770\t1000\t3\ts[3]=a,b\n",
           "source.ip=10.0.2.2 destination.ip=fe80::1 event.start=1970-01-01T01:00:08.140269Z "
           "event.end=1970-01-01T01:01:19.305407Z source.bytes=1000 destination.bytes=770 source.packets=3 "
           "destination.packets=2 source.port=67 destination.port=68 network.iana_number=17 argus.dir=\"->\" "
           "network.state=\"INT\" argus.srcUdata=\"s[3]=a,b\"\n");
}

static void hexadecimal_and_empty_ports_are_legal_and_tell_icmp(void **state)
{
    (void)state;
    /* 0x0103: code 1, type 3 (host unreachable), Argus' state URH */
    expect(HEADER "2011/08/18 10:00:00,0,icmp,1.1.1.1,0x0103,   ->,2.2.2.2,0xc0a8,URH,0,,1,70,70,\n"
                  "2011/08/18 10:00:00,0,icmp,1.1.1.1,,   ->,2.2.2.2,0x0002,ECR,0,,1,70,70,\n",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2011-08-18T10:00:00.000000Z "
           "event.end=2011-08-18T10:00:00.000000Z source.bytes=70 destination.bytes=0 source.packets=1 source.port=259 "
           "destination.port=49320 network.icmp=769 network.iana_number=1 network.tos=0 argus.dir=\"->\" "
           "network.state=\"URH\"\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2011-08-18T10:00:00.000000Z "
           "event.end=2011-08-18T10:00:00.000000Z source.bytes=70 destination.bytes=0 source.packets=1 "
           "destination.port=2 network.iana_number=1 network.tos=0 argus.dir=\"->\" network.state=\"ECR\"\n");
}

static void any_protocol_between_ip_addresses_is_a_flow(void **state)
{
    (void)state;
#define SHORT "StartTime,Dur,Proto,SrcAddr,DstAddr,TotBytes\n"
#define ROW(proto) "2011/08/18 10:00:00,0," proto ",0.0.0.0,2.2.2.2,9\n"
#define FLOW(rest)                                                                                            \
    "source.ip=0.0.0.0 destination.ip=2.2.2.2 event.start=2011-08-18T10:00:00.000000Z "                       \
    "event.end=2011-08-18T10:00:00.000000Z source.bytes=9" rest "\n"
    expect(SHORT ROW("arp") ROW("rtp") ROW("rtcp") ROW("udt") ROW("ipv6-icmp") ROW("pim") ROW("132"),
           FLOW(" network.protocol=\"arp\"") FLOW(" network.iana_number=17 network.protocol=\"rtp\"")
               FLOW(" network.iana_number=17 network.protocol=\"rtcp\"")
                   FLOW(" network.iana_number=17 network.protocol=\"udt\"") FLOW(" network.iana_number=58")
                       FLOW(" network.iana_number=103") FLOW(" network.iana_number=132"));
}

static void rows_that_are_no_flow_are_refused_by_reason(void **state)
{
    (void)state;
    expect("StartTime,Proto,SrcAddr,Sport,DstAddr,TotBytes\n"
           "2011/08/18 10:00:00,llc,00:00:00:00:00:00,0,ff:ff:ff:ff:ff:ff,60\n"
           "2020/01/02 22:54:12.839909,man,0,0,0,0\n"
           "2011/08/18 10:00:00,tcp,1.2.3.400,0,1.1.1.1,60\n"
           "2011/08/18 10:00:00,tcp,,0,1.1.1.1,60\n"
           "2011/08/38 10:00:00,tcp,1.1.1.2,0,1.1.1.1,60\n"
           ",tcp,1.1.1.2,0,1.1.1.1,60\n"
           "2011/08/18 10:00:00,tcp,1.1.1.2,65536,1.1.1.1,60\n"
           "2011/08/18 10:00:00,tcp,1.1.1.2,1,1.1.1.1,-60\n"
           "2011/08/18 10:00:00,tcp,1.1.1.2,1\n"
           "2011/08/18 10:00:00,tcp,1.1.1.2,http,1.1.1.1,60\n",
           "source.ip=1.1.1.2 destination.ip=1.1.1.1 event.start=2011-08-18T10:00:00.000000Z "
           "event.end=2011-08-18T10:00:00.000000Z source.bytes=60 network.iana_number=6 argus.sport=\"http\"\n"
           "!mac_address 2 00:00:00:00:00:00\n"
           "!management_record 3 man\n"
           "!bad_address 4 1.2.3.400\n"
           "!no_address 5 \n"
           "!bad_time 6 2011/08/38 10:00:00\n"
           "!no_time 7 \n"
           "!bad_port 8 65536\n"
           "!bad_number 9 -60\n"
           "!too_few_columns 10 2011/08/18 10:00:00,tcp,1.1.1.2,1\n");
}

static void times_take_the_zone_named_and_second_60_stays_inside_the_minute(void **state)
{
    (void)state;
    struct flow_text_options o = {.zone_s = 7 * 3600};
    expect_with(&o, "StartTime,SrcAddr,DstAddr\n2024/01/01 00:30:60.5,1.1.1.1,2.2.2.2\n1700000000.25,1.1.1.1,2.2.2.2\n",
                "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2023-12-31T17:30:59.999999Z "
                "event.end=2023-12-31T17:30:59.999999Z\n"
                "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2023-11-14T22:13:20.250000Z "
                "event.end=2023-11-14T22:13:20.250000Z\n");
}

static void mapped_addresses_are_ipv4_and_zones_of_interfaces_are_dropped(void **state)
{
    (void)state;
    expect("StartTime,SrcAddr,DstAddr\n2024-01-01 00:00:00,::ffff:1.2.3.4,fe80::1%eth0\n",
           "source.ip=1.2.3.4 destination.ip=fe80::1 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-01T00:00:00.000000Z\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bidirectional_row_gives_both_directions),
        cmocka_unit_test(an_arrow_to_the_left_does_not_swap_the_ends),
        cmocka_unit_test(tabs_other_columns_and_packets_of_the_source_are_read),
        cmocka_unit_test(hexadecimal_and_empty_ports_are_legal_and_tell_icmp),
        cmocka_unit_test(any_protocol_between_ip_addresses_is_a_flow),
        cmocka_unit_test(rows_that_are_no_flow_are_refused_by_reason),
        cmocka_unit_test(times_take_the_zone_named_and_second_60_stays_inside_the_minute),
        cmocka_unit_test(mapped_addresses_are_ipv4_and_zones_of_interfaces_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
