/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers as programs and people write them.
 */
#include "flow_text_case.h"

#define FLOW                                                                                                  \
    "source.ip=10.0.0.1 destination.ip=10.0.0.2 event.start=2024-03-01T02:03:04.000000Z "                     \
    "event.end=2024-03-01T02:03:05.000000Z source.bytes=100 source.packets=2 source.port=1 destination.port=80 " \
    "network.iana_number=6"

static void our_own_rows_of_a_hunt_read_back(void **state)
{
    (void)state;
    expect("start,end,source_ip,source_port,destination_ip,destination_port,transport,packets,bytes,listed\n"
           "2024-03-01T02:03:04.000000Z,2024-03-01T02:03:05.000000Z,10.0.0.1,1,10.0.0.2,80,tcp,2,100,source\n",
           FLOW " listed=\"source\"\n");
}

static void ecs_names_and_aliases_are_known(void **state)
{
    (void)state;
    expect("event.start,event.end,source.ip,source.port,destination.ip,destination.port,network.transport,network.packets,"
           "network.bytes,observer.ip,source.as.number,event.label\n"
           "2024-03-01T02:03:04Z,2024-03-01T02:03:05Z,10.0.0.1,1,10.0.0.2,80,6,2,100,10.9.9.9,64500,x\n",
           "source.ip=10.0.0.1 destination.ip=10.0.0.2 event.start=2024-03-01T02:03:04.000000Z "
           "event.end=2024-03-01T02:03:05.000000Z source.bytes=100 source.packets=2 source.as.number=64500 "
           "observer.ip=10.9.9.9/0 source.port=1 destination.port=80 network.iana_number=6 event.label=\"x\"\n");
    expect("start,src,dst,network.bytes,source.bytes,destination.bytes,network.packets,source.packets\n"
           "2024-03-01T02:03:04Z,10.0.0.1,10.0.0.2,100,100,,5,3\n",
           "source.ip=10.0.0.1 destination.ip=10.0.0.2 event.start=2024-03-01T02:03:04.000000Z "
           "event.end=2024-03-01T02:03:04.000000Z source.bytes=100 source.packets=3 destination.packets=2\n");
    expect("start;end;src;sport;dst;dport;proto;bytes;packets\n"
           "2024-03-01T02:03:04Z;2024-03-01T02:03:05Z;10.0.0.1;1;10.0.0.2;80;TCP;100;2\n",
           FLOW "\n");
}

static void vietnamese_headers_are_known_with_and_without_diacritics(void **state)
{
    (void)state;
    struct flow_text_options o = {.zone_s = 7 * 3600};
    expect_with(&o, "\xef\xbb\xbfThời gian bắt đầu;Thời gian kết thúc;Địa chỉ IP nguồn;Cổng nguồn;Địa chỉ IP đích;"
                    "Cổng đích;Giao thức;Số gói tin;Số byte;Ghi chú\r\n"
                    "01/03/2024 09:03:04;01/03/2024 09:03:05;10.0.0.1;1;10.0.0.2;80;tcp;2;100;thử\r\n",
                FLOW " Ghi chú=\"thử\"\n");
    expect_with(&o, "thoi gian bat dau,THOI GIAN KET THUC,dia chi nguon,cong nguon,dia chi dich,cong dich,giao thuc,so goi,so byte\n"
                    "01/03/2024 09:03:04,01/03/2024 09:03:05,10.0.0.1,1,10.0.0.2,80,tcp,2,100\n",
                FLOW "\n");
}

static void a_mapping_says_what_columns_mean(void **state)
{
    (void)state;
    char pairs[5][40] = {"source.ip=A", "dst=b", "event.start=when", "network.bytes=n o", "source.port=src"};
    struct flow_mapping mapping[5];
    for (int i = 0; i < 5; i++)
        assert_int_equal(flow_csv_mapping_parse(pairs[i], &mapping[i]), 0);
    struct flow_text_options o = {.mapping = mapping, .n_mapping = 5};
    expect_with(&o, "when,a,b,N O,src,dst\n2024-03-01 02:03:04,10.0.0.1,10.0.0.2,100,1,x\n",
                "source.ip=10.0.0.1 destination.ip=10.0.0.2 event.start=2024-03-01T02:03:04.000000Z "
                "event.end=2024-03-01T02:03:04.000000Z source.bytes=100 source.port=1 dst=\"x\"\n");
}

static void a_mapping_that_means_nothing_is_refused(void **state)
{
    (void)state;
    struct flow_mapping m;
    static const char *const bad[] = {"", "=", "source.ip", "source.ip=", "=x", "no.such.field=x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char copy[40];
        snprintf(copy, sizeof(copy), "%s", bad[i]);
        assert_int_equal(flow_csv_mapping_parse(copy, &m), 1);
    }
}

static void more_values_than_names_are_kept_and_fewer_are_refused(void **state)
{
    (void)state;
    expect("start,end,src,sport,dst,dport,proto,bytes,packets\n"
           "2024-03-01T02:03:04Z,2024-03-01T02:03:05Z,10.0.0.1,1,10.0.0.2,80,TCP,100,2,more,,again\n"
           "2024-03-01T02:03:04Z,2024-03-01T02:03:05Z,10.0.0.1\n"
           "start,end,src,sport,dst,dport,proto,bytes,packets\n",
           FLOW " column.10=\"more\" column.12=\"again\"\n"
                "!too_few_columns 3 2024-03-01T02:03:04Z,2024-03-01T02:03:05Z,10.0.0.1\n");
}

static void what_holds_no_flows_is_not_taken_for_them(void **state)
{
    (void)state;
    static const char *const texts[] = {"ip,date\n1.2.3.4,2024-01-01\n", "src,dst\n1.1.1.1,2.2.2.2\n", "hello\n", "\n\n", "#x\n",
                                        "\"start,src,dst\n", "a\n1.2.3.4\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        expect_wrong(&(struct flow_text_options){0}, texts[i], strlen(texts[i]), FLOW_TEXT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_rows_of_a_hunt_read_back),
        cmocka_unit_test(ecs_names_and_aliases_are_known),
        cmocka_unit_test(vietnamese_headers_are_known_with_and_without_diacritics),
        cmocka_unit_test(a_mapping_says_what_columns_mean),
        cmocka_unit_test(a_mapping_that_means_nothing_is_refused),
        cmocka_unit_test(more_values_than_names_are_kept_and_fewer_are_refused),
        cmocka_unit_test(what_holds_no_flows_is_not_taken_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
