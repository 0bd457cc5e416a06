/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/formula: both ways of the arithmetic agree for every user, and every port is one user's or nobody's. */
#include "watch/lease/formula.h"
#include "watch/lease/resolve.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER "gateway,realm,inside,outside,port_first,port_last,ports_per_user,method,from,to\n"

static struct formulas parsed(const char *text)
{
    struct formulas x;
    struct fault f = {0};
    int rc = formulas_parse((struct text){text, strlen(text)}, ZONE_VIETNAM_S, &x, &f);
    if (rc)
        fail_msg("%s", f.text);
    return x;
}

static struct ip ip(const char *text)
{
    struct ip a;
    assert_int_equal(ip_parse(text, strlen(text), &a), 0);
    return a;
}

static void blocks_lie_where_the_arithmetic_puts_them(void **state)
{
    (void)state;
    /* 64,512 ports, 2,048 each: 31 users an address; user 40 is the 10th of the second address */
    static const struct {
        const char *method, *inside, *outside;
        unsigned first, last, port;
    } cases[] = {
        {"sequential", "100.64.0.0", "203.0.113.0", 1024, 3071, 3071},
        {"sequential", "100.64.0.30", "203.0.113.0", 1024 + 30 * 2048, 1024 + 31 * 2048 - 1, 64000},
        {"sequential", "100.64.0.40", "203.0.113.1", 1024 + 9 * 2048, 1024 + 10 * 2048 - 1, 20000},
        {"interleaved", "100.64.0.40", "203.0.113.1", 1024 + 9, 1024 + 9 + 2047 * 31, 1024 + 9 + 31 * 5},
        {"round_robin", "100.64.0.40", "203.0.113.8", 1024 + 2 * 2048, 1024 + 3 * 2048 - 1, 6000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[256];
        uint16_t first, last;
        struct ip found, inside = ip(cases[i].inside), outside = ip(cases[i].outside);
        snprintf(text, sizeof(text), HEADER "g,,100.64.0.0/24,203.0.113.0/28,1024,65535,2048,%s,,\n", cases[i].method);
        struct formulas x = parsed(text);
        assert_int_equal(x.all[0].users_per_address, 31);
        assert_int_equal(formula_outside(&x.all[0], &inside, &found, &first, &last), 0);
        assert_true(ip_equal(&found, &outside));
        assert_int_equal(first, cases[i].first);
        assert_int_equal(last, cases[i].last);
        assert_int_equal(formula_inside(&x.all[0], &outside, (uint16_t)cases[i].port, &found, &first, &last), 0);
        assert_true(ip_equal(&found, &inside));
        formulas_fini(&x);
    }
}

static void every_port_is_one_users_or_nobodys(void **state)
{
    (void)state;
    static const char *const methods[] = {"sequential", "interleaved", "round_robin"};
    for (int m = 0; m < 3; m++) {
        char text[256];
        unsigned n_ports = 0;
        snprintf(text, sizeof(text), HEADER "g,hn,10.0.0.5-10.0.0.20 10.9.0.0/30,198.51.100.7 198.51.100.9,4000,4099,9,%s,,\n", methods[m]);
        struct formulas x = parsed(text);
        for (uint64_t user = 0; user < x.all[0].inside.n_addresses; user++) {
            struct ip inside, outside, back;
            uint16_t first, last, again_first, again_last;
            inside = user < 16 ? ip_from_v4(0x0a000005u + (uint32_t)user) : ip_from_v4(0x0a090000u + (uint32_t)user - 16);
            if (formula_outside(&x.all[0], &inside, &outside, &first, &last))
                continue;
            unsigned step = m == 1 ? x.all[0].users_per_address : 1;
            for (unsigned port = first; port <= last; port += step, n_ports++) {
                assert_int_equal(formula_inside(&x.all[0], &outside, (uint16_t)port, &back, &again_first, &again_last), 0);
                assert_true(ip_equal(&back, &inside) && again_first == first && again_last == last);
            }
        }
        assert_int_equal(n_ports, 20 * 9);
        unsigned n_held = 0;
        for (unsigned address = 7; address <= 9; address += 2)
            for (unsigned port = 0; port <= 65535; port++) {
                struct ip outside = ip_from_v4(0xc6336400u + address), inside;
                uint16_t first, last;
                n_held += !formula_inside(&x.all[0], &outside, (uint16_t)port, &inside, &first, &last);
            }
        assert_int_equal(n_held, n_ports);
        formulas_fini(&x);
    }
}

static void what_cannot_be_is_named(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "g,,10.0.0.0/33,1.2.3.4,1,2,1,sequential,,", "g,,,1.2.3.4,1,2,1,sequential,,", "g,,10.0.0.0/24,x,1,2,1,sequential,,",
        "g,,10.0.0.0/24,1.2.3.4,2,1,1,sequential,,", "g,,10.0.0.0/24,1.2.3.4,1,2,0,sequential,,", "g,,10.0.0.0/24,1.2.3.4,1,2,3,sequential,,",
        "g,,10.0.0.0/24,1.2.3.4,1,2,1,random,,", "g,,10.0.0.0/24,1.2.3.4,1,2,1,sequential,when,", "g,,2001:db8::/32,1.2.3.4,1,2,1,sequential,,",
        "g,,10.0.0.0/24,1.2.3.4,1,2,1,sequential,2026-02-02,2026-02-01",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        struct formulas x;
        struct fault f = {0};
        snprintf(text, sizeof(text), HEADER "%s\n", rows[i]);
        assert_int_equal(formulas_parse((struct text){text, strlen(text)}, 0, &x, &f), 1);
        assert_non_null(strstr(f.text, "2"));
    }
}

static void the_resolver_needs_no_rows(void **state)
{
    (void)state;
    struct formulas x = parsed(HEADER "cgn,hn,100.64.0.0/24,203.0.113.0/28,1024,65535,2048,sequential,2026-01-01,2026-02-01\n"
                                      "cgn,hn,100.64.0.0/24,203.0.113.0/28,1024,65535,4096,sequential,2026-02-01,\n");
    struct lease_resolver *r;
    struct arena arena = {.max_bytes = 1 << 20};
    struct lease_answer a;
    assert_int_equal(lease_resolver_new(NULL, &x, &r), 0);
    struct lease_question q = {.address = ip("203.0.113.1"), .port = 20000};
    assert_int_equal(clock_parse("2026-01-15", 10, ZONE_VIETNAM_S, &q.at_us), 0);
    assert_int_equal(lease_resolve(r, &q, &arena, &a), 0);
    assert_int_equal(a.verdict, LEASE_ONE);
    struct ip expected = ip("100.64.0.40");
    assert_true(ip_equal(&a.candidates[0].inside, &expected));
    assert_int_equal(a.candidates[0].confidence, LEASE_CERTAIN);
    /* the other configuration: 15 users an address, so user 15 + 4 */
    assert_int_equal(clock_parse("2026-02-15", 10, ZONE_VIETNAM_S, &q.at_us), 0);
    assert_int_equal(lease_resolve(r, &q, &arena, &a), 0);
    expected = ip("100.64.0.19");
    assert_true(a.verdict == LEASE_ONE && ip_equal(&a.candidates[0].inside, &expected));
    q.port = -1;
    assert_int_equal(lease_resolve(r, &q, &arena, &a), 0);
    assert_int_equal(a.n, 15);
    assert_int_equal(a.candidates[0].confidence, LEASE_POSSIBLE);
    /* over the change of the configuration both are said */
    q.port = 20000;
    q.skew_us = 31 * US_PER_DAY;
    assert_int_equal(lease_resolve(r, &q, &arena, &a), 0);
    assert_int_equal(a.n, 2);
    assert_true(a.candidates[0].why & LEASE_WHY_EDGE);
    arena_fini(&arena);
    lease_resolver_free(r);
    formulas_fini(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_lie_where_the_arithmetic_puts_them),
        cmocka_unit_test(every_port_is_one_users_or_nobodys),
        cmocka_unit_test(what_cannot_be_is_named),
        cmocka_unit_test(the_resolver_needs_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
