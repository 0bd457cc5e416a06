/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as nfdump 1.6 and 1.7 print them.
 */
#include "flow_text_case.h"

#define HEADER                                                                                                      \
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,nh,nhb,svln,dvln,"    \
    "ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,mpls8,mpls9,mpls10,cl,sl,al,ra,eng,exid,tr\n"
#define ROW                                                                                                         \
    "2018-01-12 15:37:30,2018-01-12 15:37:31,1.000,147.32.80.119,147.32.82.62,52324,902,TCP,......S.,0,8,3,180,4,240," \
    "0,0,2852,2852,0,24,0,1,0.0.0.0,0.0.0.0,7,0,00:00:00:00:00:00,00:00:00:00:00:00,00:00:00:00:00:00,"             \
    "0a:00:00:00:00:01,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,    0.000,    0.000,    0.000,"   \
    "10.9.8.7,1/58,1,2018-01-12 15:37:35.250\n"
#define FLOW                                                                                                        \
    "source.ip=147.32.80.119 destination.ip=147.32.82.62 event.start=2018-01-12T15:37:30.000000Z "                  \
    "event.end=2018-01-12T15:37:31.000000Z event.created=2018-01-12T15:37:35.250000Z source.bytes=180 "             \
    "source.packets=3 network.post_bytes=240 network.post_packets=4 source.as.number=2852 "                         \
    "destination.as.number=2852 network.vlan.id=7 observer.ip=10.9.8.7/314 source.port=52324 destination.port=902 " \
    "network.tcp_flags=2 network.iana_number=6 network.tos=8 destination.prefix_length=24 network.direction=1 "     \
    "nfdump.osmc=\"0a:00:00:00:00:01\" nfdump.exid=\"1\"\n"

static void the_columns_of_1_6_are_read_and_zeros_are_not_kept(void **state)
{
    (void)state;
    expect(HEADER ROW, FLOW);
}

static void a_listing_without_header_is_known_by_its_first_row(void **state)
{
    (void)state;
    expect(ROW ROW, FLOW FLOW);
}

static void the_summary_is_no_data_and_a_second_listing_may_follow(void **state)
{
    (void)state;
    expect(HEADER ROW "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n1,180,3,0,0,60\n" HEADER ROW, FLOW FLOW);
}

static void the_columns_of_1_7_are_read(void **state)
{
    (void)state;
    expect("firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,bps,flows\n"
           "2024-02-03 04:05:06.700,0.300,UDP,10.0.0.1,53,10.0.0.2,40000,1,90,0,1\n",
           "source.ip=10.0.0.1 destination.ip=10.0.0.2 event.start=2024-02-03T04:05:06.700000Z "
           "event.end=2024-02-03T04:05:07.000000Z source.bytes=90 source.packets=1 source.port=53 destination.port=40000 "
           "network.iana_number=17\n");
    expect("cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,output,flags,srcTos,packets,bytes\n"
           "1,2,1706933106700,1706933107000,1,10.0.0.1,0,10.0.0.2,2048,0,0,3,0,........,0,1,84\n",
           "source.ip=10.0.0.1 destination.ip=10.0.0.2 event.start=2024-02-03T04:05:06.700000Z "
           "event.end=2024-02-03T04:05:07.000000Z source.bytes=84 source.packets=1 observer.ingress.interface.id=3 "
           "source.port=0 destination.port=2048 network.tcp_flags=0 network.icmp=2048 network.iana_number=1 network.tos=0\n");
}

static void the_table_for_people_is_read_with_units_labels_and_ipv6(void **state)
{
    (void)state;
    expect("Date first seen          Duration Proto      Src IP Addr:Port          Dst IP Addr:Port   Flags Tos  Packets    Bytes Flows\n"
           "2013-07-09 01:15:33.005     0.548 TCP         10.0.0.151:49161 ->       10.0.0.150:3128  .APRS.   0        5   1.5 M     1\n"
           "2013-07-09 01:15:34.000     0.000 ICMP        10.0.0.151:0     ->       10.0.0.150:8.0   ......   0        1       84     1\n"
           "2013-07-09 01:15:34.000     0.000 UDP      2001:db8::1.53      ->      2001:db8::2.1024   ......   0        1       84     1\n"
           "Summary: total flows: 3, total bytes: 1.5 M, total packets: 7\n"
           "Time window: 2013-07-09 01:15:33 - 2013-07-09 01:20:12\n",
           "source.ip=10.0.0.151 destination.ip=10.0.0.150 event.start=2013-07-09T01:15:33.005000Z "
           "event.end=2013-07-09T01:15:33.553000Z source.bytes=1500000 source.packets=5 source.port=49161 "
           "destination.port=3128 network.tcp_flags=30 network.iana_number=6 network.tos=0\n"
           "source.ip=10.0.0.151 destination.ip=10.0.0.150 event.start=2013-07-09T01:15:34.000000Z "
           "event.end=2013-07-09T01:15:34.000000Z source.bytes=84 source.packets=1 source.port=0 destination.port=2048 "
           "network.tcp_flags=0 network.icmp=2048 network.iana_number=1 network.tos=0\n"
           "source.ip=2001:db8::1 destination.ip=2001:db8::2 event.start=2013-07-09T01:15:34.000000Z "
           "event.end=2013-07-09T01:15:34.000000Z source.bytes=84 source.packets=1 source.port=53 destination.port=1024 "
           "network.tcp_flags=0 network.iana_number=17 network.tos=0\n");
    expect("Date flow start Duration        Proto   Src IP Addr:Port        Dst IP Addr:Port        Flags   Tos     Packets Bytes   Flows  Label\n"
           "2013-07-09 01:00:23.040\t\t0.028 UDP\t8.8.8.8:53\t-> 10.0.0.150:49058        ......   0     1 126   1  From Botnet\n"
           "2013-07-09 01:00:26.553\t\t4.781 IGMP\t10.0.0.150:0:0\t-> 224.0.0.22:0:0        ......   0     4 160   1  Background\n"
           "2013-07-09 01:00:26.553\t\t4.781 IGMP\n",
           "source.ip=8.8.8.8 destination.ip=10.0.0.150 event.start=2013-07-09T01:00:23.040000Z "
           "event.end=2013-07-09T01:00:23.068000Z source.bytes=126 source.packets=1 source.port=53 destination.port=49058 "
           "network.tcp_flags=0 network.iana_number=17 network.tos=0 event.label=\"From Botnet\"\n"
           "source.ip=10.0.0.150 destination.ip=224.0.0.22 event.start=2013-07-09T01:00:26.553000Z "
           "event.end=2013-07-09T01:00:31.334000Z source.bytes=160 source.packets=4 source.port=0 destination.port=0 "
           "network.tcp_flags=0 network.iana_number=2 network.tos=0 event.label=\"Background\"\n"
           "!too_few_columns 4 2013-07-09 01:00:26.553\t\t4.781 IGMP\n");
}

static void long_durations_and_all_flags_are_read(void **state)
{
    (void)state;
    expect("ts,td,sa,da,flg\n2024-01-01 00:00:00,1 d 02:03:04.500,1.1.1.1,2.2.2.2,CEUAPRSF\n"
           "2024-01-01 00:00:00,00:00:01.000,1.1.1.1,2.2.2.2,0x12\n"
           "2024-01-01 00:00:00,soon,1.1.1.1,2.2.2.2,0x12\n",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-02T02:03:04.500000Z network.tcp_flags=255\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-01T00:00:01.000000Z network.tcp_flags=18\n"
           "!bad_time 4 soon\n");
}

static void runs_end_where_another_exporter_begins(void **state)
{
    (void)state;
    expect("ts,sa,da,tr,nh\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,1970-01-01 01:00:00.000,::\n",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-01T00:00:00.000000Z\n");
    expect("ts,sa,da,ra,fwd\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,10.0.0.1,a\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,10.0.0.2,b\n"
           "2024-01-01 00:00:00,1.1.1.1,2.2.2.2,0.0.0.0,c\n",
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-01T00:00:00.000000Z observer.ip=10.0.0.1/0 nfdump.fwd=\"a\"\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-01T00:00:00.000000Z observer.ip=10.0.0.2/0 nfdump.fwd=\"b\"\n"
           "source.ip=1.1.1.1 destination.ip=2.2.2.2 event.start=2024-01-01T00:00:00.000000Z "
           "event.end=2024-01-01T00:00:00.000000Z nfdump.fwd=\"c\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_columns_of_1_6_are_read_and_zeros_are_not_kept),
        cmocka_unit_test(a_listing_without_header_is_known_by_its_first_row),
        cmocka_unit_test(the_summary_is_no_data_and_a_second_listing_may_follow),
        cmocka_unit_test(the_columns_of_1_7_are_read),
        cmocka_unit_test(the_table_for_people_is_read_with_units_labels_and_ipv6),
        cmocka_unit_test(long_durations_and_all_flags_are_read),
        cmocka_unit_test(runs_end_where_another_exporter_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
