/* SPDX-License-Identifier: Apache-2.0 */
/* Expected texts: RFC 5952 sections 1, 2 and 4; RFC 4291 section 2.2; RFC 6890. The peer is the C library. */
#include "base/ip.h"
#include "cmocka_house.h"

#include <arpa/inet.h>
#include <stdio.h>

static int parse(const char *text, struct ip *ret)
{
    return ip_parse(text, strlen(text), ret);
}

static void an_address_is_written_as_rfc_5952_recommends(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        /* section 2.1 and 4.1: leading zeros */
        {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},
        {"2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"},
        {"2001:0db8::0001", "2001:db8::1"},
        /* section 4.2.1: as short as possible */
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        {"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
        /* section 4.2.2: one zero field is not shortened */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8:aaaa:bbbb:cccc:dddd::1", "2001:db8:aaaa:bbbb:cccc:dddd:0:1"},
        /* section 4.2.3: the longest run, the first of equals */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
        /* section 4.3: lower case */
        {"2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"},
        /* the ends */
        {"0:0:0:0:0:0:0:0", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"ff01:0:0:0:0:0:0:101", "ff01::101"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"100:20:3:4000:500:60:7:0", "100:20:3:4000:500:60:7:0"},
        /* no well-known prefix: not dotted (section 5) */
        {"::1.2.3.4", "::102:304"},
        /* IPv4-mapped is IPv4 in this house */
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:0201", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"100.10.1.0", "100.10.1.0"},
        {"109.200.90.9", "109.200.90.9"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ip a, back;
        char out[IP_TEXT_MAX];
        assert_int_equal(parse(cases[i].in, &a), 0);
        assert_int_equal(ip_format(&a, out), strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
        assert_int_equal(parse(out, &back), 0);
        assert_true(ip_equal(&a, &back));
    }
}

static void the_c_library_writes_the_same(void **state)
{
    (void)state;
    uint64_t r = seed();
    for (unsigned i = 0; i < rounds(20000); i++) {
        struct ip a;
        for (int k = 0; k < 16; k += 2) { /* many zero fields, or no run would ever be tested */
            uint64_t v = next_random(&r);
            uint16_t field = v & 1 ? 0 : v & 2 ? (uint16_t)(v >> 16 & 0xf) : (uint16_t)(v >> 16);
            a.b[k] = (uint8_t)(field >> 8);
            a.b[k + 1] = (uint8_t)field;
        }
        static const uint8_t zero[12];
        if (!memcmp(a.b, zero, 12) || ip_is_v4(&a))
            continue; /* there the library writes dotted */
        char ours[IP_TEXT_MAX], theirs[IP_TEXT_MAX];
        ip_format(&a, ours);
        assert_non_null(inet_ntop(AF_INET6, a.b, theirs, sizeof(theirs)));
        if (strcmp(ours, theirs))
            fail_msg("seed %llu round %u: %s, the library %s", (unsigned long long)seed(), i, ours, theirs);
    }
    for (unsigned i = 0; i < rounds(20000); i++) {
        uint32_t v = (uint32_t)next_random(&r), swapped = __builtin_bswap32(v);
        struct ip a = ip_from_v4(v);
        char ours[IP_TEXT_MAX], theirs[IP_TEXT_MAX];
        ip_format(&a, ours);
        assert_non_null(inet_ntop(AF_INET, &swapped, theirs, sizeof(theirs)));
        assert_string_equal(ours, theirs);
        assert_true(ip_is_v4(&a) && ip_v4(&a) == v);
    }
}

static void what_is_not_an_address_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.1000", "01.2.3.4", "1.2.3.04", "1.2.3.00", "1..2.3", ".1.2.3",
        "1.2.3.", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "+1.2.3.4", "0x1.2.3.4", "1.2.3.4/32", "1.2.3.4:80", "[::1]",
        "::1%eth0", ":", ":::", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1.2.3", "::1.2.3.256",
        "2001:db8::1 ", "1.2.3.4::", "fe80::1/64", "１.2.3.4",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    };
    struct ip a;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (!parse(cases[i], &a))
            fail_msg("taken for an address: %s", cases[i]);
    assert_int_equal(ip_parse("::1\0", 4, &a), 1);
    assert_int_equal(ip_parse("1.2.3.4", 6, &a), 1); /* "1.2.3." : the length counts, not a terminator */
}

static void prefixes_and_ranges_have_their_first_and_last_address(void **state)
{
    (void)state;
    static const struct {
        const char *in, *first, *last;
        bool had_bits;
        const char *out;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", "192.0.2.7", false, "192.0.2.7"},
        {"192.0.2.7/32", "192.0.2.7", "192.0.2.7", false, "192.0.2.7"},
        {"192.0.2.0/24", "192.0.2.0", "192.0.2.255", false, "192.0.2.0/24"},
        {"192.0.2.77/24", "192.0.2.0", "192.0.2.255", true, "192.0.2.0/24"},
        {"10.255.255.255/9", "10.128.0.0", "10.255.255.255", true, "10.128.0.0/9"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255", false, "0.0.0.0/0"},
        {"192.0.2.1 - 192.0.2.6", "192.0.2.1", "192.0.2.6", false, "192.0.2.1-192.0.2.6"},
        {"192.0.2.0-192.0.2.255", "192.0.2.0", "192.0.2.255", false, "192.0.2.0/24"},
        {"192.0.2.9-192.0.2.9", "192.0.2.9", "192.0.2.9", false, "192.0.2.9"},
        {" 10.0.0.0 / 8 ", "10.0.0.0", "10.255.255.255", false, "10.0.0.0/8"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, "2001:db8::/32"},
        {"2001:db8::5/127", "2001:db8::4", "2001:db8::5", true, "2001:db8::4/127"},
        {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, "::/0"},
        {"::1-::5", "::1", "::5", false, "::1-::5"},
        {"::ffff:192.0.2.0/120", "192.0.2.0", "192.0.2.255", false, "192.0.2.0/24"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ip_range r;
        bool had_bits;
        char text[2 * IP_TEXT_MAX];
        if (ip_range_parse(cases[i].in, strlen(cases[i].in), &r, &had_bits))
            fail_msg("refused: %s", cases[i].in);
        ip_format(&r.first, text);
        assert_string_equal(text, cases[i].first);
        ip_format(&r.last, text);
        assert_string_equal(text, cases[i].last);
        assert_int_equal(had_bits, cases[i].had_bits);
        assert_int_equal(ip_range_format(&r, text), strlen(cases[i].out));
        assert_string_equal(text, cases[i].out);
    }
}

static void what_is_not_a_range_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "/", "-", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/ 8x", "1.2.3.4/0008", "::/129", "::/1000",
        "1.2.3.4-", "-1.2.3.4", "1.2.3.5-1.2.3.4", "1.2.3.4-::1", "::1-1.2.3.4", "1.2.3.4-1.2.3.5-1.2.3.6", "1.2.3.0/24/25",
        "1.2.3.0-1.2.3.8/30", "1.2.3.0/255.255.255.0", "::ffff:1.2.3.0/24",
    };
    struct ip_range r;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (!ip_range_parse(cases[i], strlen(cases[i]), &r, NULL))
            fail_msg("taken for a range: %s", cases[i]);
}

static void every_prefix_length_is_recognised(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (unsigned length = 0; length <= 128; length++) {
        struct ip a;
        for (int i = 0; i < 16; i++)
            a.b[i] = (uint8_t)next_random(&random);
        a.b[0] |= 0x20; /* not IPv4-mapped, whatever comes */
        struct ip_range r = ip_range_from_prefix(&a, length);
        assert_true(ip_range_has(&r, &a));
        assert_int_equal(ip_range_prefix(&r), (int)length);
        if (length > 32)
            continue;
        struct ip v4 = ip_from_v4((uint32_t)next_random(&random));
        r = ip_range_from_prefix(&v4, length);
        assert_true(ip_range_has(&r, &v4));
        assert_int_equal(ip_range_prefix(&r), (int)length);
        assert_true((uint64_t)ip_v4(&r.last) - ip_v4(&r.first) + 1 == UINT64_C(1) << (32 - length));
    }
}

static void the_next_address_carries(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"192.0.2.255", "192.0.3.0"}, {"::ffff", "::1:0"}, {"9.255.255.255", "10.0.0.0"},
                 {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"}, {"::fffe:ffff:ffff", "0.0.0.0"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ip a, b;
        assert_int_equal(parse(cases[i].in, &a), 0);
        assert_int_equal(parse(cases[i].out, &b), 0);
        a = ip_next(&a);
        assert_true(ip_equal(&a, &b));
    }
}

static void special_purpose_blocks_are_known_to_the_border(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_private, is_bogon;
    } cases[] = {
        {"9.255.255.255", 0, 0}, {"10.0.0.0", 1, 1}, {"10.255.255.255", 1, 1}, {"11.0.0.0", 0, 0},
        {"172.15.255.255", 0, 0}, {"172.16.0.0", 1, 1}, {"172.31.255.255", 1, 1}, {"172.32.0.0", 0, 0},
        {"192.167.255.255", 0, 0}, {"192.168.0.0", 1, 1}, {"192.169.0.0", 0, 0},
        {"100.63.255.255", 0, 0}, {"100.64.0.0", 1, 1}, {"100.127.255.255", 1, 1}, {"100.128.0.0", 0, 0},
        {"169.254.0.1", 1, 1}, {"169.255.0.0", 0, 0}, {"0.0.0.0", 0, 1}, {"127.0.0.1", 0, 1}, {"128.0.0.0", 0, 0},
        {"192.0.2.1", 0, 1}, {"198.18.0.0", 0, 1}, {"198.19.255.255", 0, 1}, {"198.20.0.0", 0, 0}, {"198.51.100.9", 0, 1},
        {"203.0.113.255", 0, 1}, {"203.0.114.0", 0, 0}, {"223.255.255.255", 0, 0}, {"224.0.0.1", 0, 1},
        {"255.255.255.255", 0, 1}, {"113.160.0.1", 0, 0}, {"::", 0, 1}, {"::1", 0, 1}, {"::2", 0, 0},
        {"fc00::", 1, 1}, {"fdff::1", 1, 1}, {"fbff::", 0, 0}, {"fe80::1", 1, 1}, {"febf::1", 1, 1}, {"fec0::1", 0, 0},
        {"ff02::1", 0, 1}, {"2001:db8::1", 0, 1}, {"2001:db9::", 0, 0}, {"100::5", 0, 1}, {"100:0:0:1::", 0, 0},
        {"2001:2::1", 0, 1}, {"2001:2:1::", 0, 0}, {"2405:4800::1", 0, 0}, {"::ffff:10.0.0.1", 1, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ip a;
        assert_int_equal(parse(cases[i].text, &a), 0);
        if (ip_is_private(&a) != cases[i].is_private || ip_is_bogon(&a) != cases[i].is_bogon)
            fail_msg("%s: private %d, bogon %d", cases[i].text, ip_is_private(&a), ip_is_bogon(&a));
    }
}

static void only_the_ipv6_zero_is_zero(void **state)
{
    (void)state;
    struct ip a, b;
    assert_int_equal(parse("::", &a), 0);
    assert_int_equal(parse("0.0.0.0", &b), 0);
    assert_true(ip_is_zero(&a));
    assert_false(ip_is_zero(&b));
    assert_true(ip_compare(&a, &b) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_written_as_rfc_5952_recommends),
        cmocka_unit_test(the_c_library_writes_the_same),
        cmocka_unit_test(what_is_not_an_address_is_refused),
        cmocka_unit_test(prefixes_and_ranges_have_their_first_and_last_address),
        cmocka_unit_test(what_is_not_a_range_is_refused),
        cmocka_unit_test(every_prefix_length_is_recognised),
        cmocka_unit_test(the_next_address_carries),
        cmocka_unit_test(special_purpose_blocks_are_known_to_the_border),
        cmocka_unit_test(only_the_ipv6_zero_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
