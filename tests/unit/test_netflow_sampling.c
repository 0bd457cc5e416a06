/* SPDX-License-Identifier: Apache-2.0 */
/* What options records teach: sampling of NetFlow v9 (types 34, 48 to 50) and names of applications (RFC 6759). */
#include "netflow_decoder.h"

static const struct specifier counted[] = {{8, 4, 0}, {12, 4, 0}, {1, 4, 0}, {2, 4, 0}, {10, 2, 0}, {48, 1, 0}};

static void put_counted(uint16_t input_if, uint8_t sampler)
{
    put_n(&b, 0x0a000001, 4);
    put_n(&b, 0x0a000002, 4);
    put_n(&b, 1000, 4);
    put_n(&b, 10, 4);
    put_n(&b, input_if, 2);
    if (sampler)
        put_n(&b, sampler, 1);
}

static void check_counted(uint32_t rate)
{
    const struct flow *f = &k.flows[k.n - 1];
    assert_int_equal(f->source_bytes, 1000ull * rate);
    assert_int_equal(f->source_packets, 10ull * rate);
    assert_int_equal(f->present & FLOW_HAS(FLOW_SAMPLING) ? f->sampling : 1, rate);
}

static void give_counted(uint16_t template_id, uint16_t input_if, uint8_t sampler)
{
    v9_header(&b, 1, NOW_S, 1, 0);
    set_open(&b, template_id);
    put_counted(input_if, sampler);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
}

static void sampling_is_found_by_sampler_then_interface_then_for_all(void **state)
{
    (void)state;
    static const struct specifier by_sampler[] = {{1, 4, 0}, {48, 1, 0}, {49, 1, 0}, {50, 4, 0}};
    static const struct specifier by_interface[] = {{2, 4, 0}, {34, 4, 0}, {35, 1, 0}};
    static const struct specifier for_all[] = {{1, 4, 0}, {34, 4, 0}, {35, 1, 0}};
    v9_header(&b, 1, NOW_S, 1, 0);
    put_template(&b, 0, 256, counted, 6); /* names its sampler */
    put_template(&b, 0, 257, counted, 5); /* does not */
    put_v9_options(&b, 300, by_sampler, 1, COUNT_OF(by_sampler));
    set_open(&b, 300);
    put_n(&b, 0, 4);
    put_n(&b, 5, 1);
    put_n(&b, 2, 1);
    put_n(&b, 100, 4);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_options, 1);
    give_counted(256, 1, 5);
    check_counted(100);
    give_counted(256, 1, 6); /* a sampler nobody described */
    check_counted(1);
    give_counted(257, 1, 0); /* the only sampler there is */
    check_counted(100);

    v9_header(&b, 1, NOW_S, 1, 0);
    put_v9_options(&b, 301, by_interface, 1, COUNT_OF(by_interface));
    set_open(&b, 301);
    put_n(&b, 7, 4);
    put_n(&b, 50, 4);
    put_n(&b, 1, 1);
    put_n(&b, 8, 4);
    put_n(&b, 1, 4);
    put_n(&b, 1, 1);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_options, 2);
    give_counted(257, 7, 0);
    check_counted(50);
    give_counted(257, 8, 0);
    check_counted(1);
    give_counted(257, 9, 0);
    check_counted(1);
    give_counted(256, 7, 5); /* the sampler goes before the interface */
    check_counted(100);

    v9_header(&b, 1, NOW_S, 1, 0);
    put_v9_options(&b, 302, for_all, 1, COUNT_OF(for_all));
    set_open(&b, 302);
    put_n(&b, 0, 4);
    put_n(&b, 20, 4);
    put_n(&b, 1, 1);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    give_counted(257, 9, 0);
    check_counted(20);
    give_counted(257, 8, 0); /* this interface says: not sampled */
    check_counted(1);
}

static void a_rate_in_the_record_itself_wins(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {1, 4, 0}, {34, 4, 0}};
    static const uint8_t bytes[] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 5, 0, 0, 4, 0};
    give_one_record(9, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_int_equal(k.flows[0].source_bytes, 5 * 1024);
    assert_int_equal(k.flows[0].sampling, 1024);
}

static void application_ids_get_the_name_the_options_gave_them(void **state)
{
    (void)state;
    /* FortiOS: ids of nine bytes (RFC 6759 engine 20: enterprise and selector), names in 64 bytes of zeros */
    static const struct specifier names[] = {{1, 2, 0}, {95, 9, 0}, {96, 64, 0}};
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {95, 9, 0}};
    uint8_t id[9] = {20, 0, 0, 0x30, 0x44, 0, 0, 0x3c, 0xe1}, name[64] = "a name that is longer than the 31 bytes kept";
    v9_header(&b, 1, NOW_S, 1, 0);
    put_v9_options(&b, 257, names, 1, COUNT_OF(names));
    set_open(&b, 257);
    put_n(&b, 0, 2);
    put_bytes(&b, id, 9);
    put_bytes(&b, name, 64);
    id[8] = 0xe2;
    memset(name, 0, 64);
    memcpy(name, "Zalo", 4);
    put_n(&b, 0, 2);
    put_bytes(&b, id, 9);
    put_bytes(&b, name, 64);
    set_close(&b);
    put_template(&b, 0, 258, f, COUNT_OF(f));
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_options, 2);
    static const struct {
        uint8_t last;
        const char *text;
    } cases[] = {{0xe2, "network.protocol=Zalo;"}, {0xe1, "network.protocol=a name that is longer than the ;"}, {0xe3, ""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        k.text[0] = 0;
        id[8] = cases[i].last;
        v9_header(&b, 1, NOW_S, 1, 0);
        set_open(&b, 258);
        put_n(&b, 1, 8);
        put_bytes(&b, id, 9);
        set_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_string_equal(k.text, cases[i].text);
        assert_int_equal(!!(k.flows[k.n - 1].present & FLOW_HAS_TEXT), i < 2);
    }
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(sampling_is_found_by_sampler_then_interface_then_for_all),
        WITH(a_rate_in_the_record_itself_wins),
        WITH(application_ids_get_the_name_the_options_gave_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
