/* SPDX-License-Identifier: Apache-2.0 */
/* Template sets cut into definitions, definitions compiled, and the same records under different templates. */
#include "cmocka_house.h"

#include "failing_alloc.h"
#include "format/netflow_template.h"
#include "netflow_case.h"

#include <errno.h>

static struct built b;

static void definitions_are_cut_at_their_last_field_and_padding_ends_the_set(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        bool is_options;
        uint8_t bytes[48];
        size_t n_bytes;
        int answers[3]; /* of three calls */
        uint16_t id, n_fields, n_scope;
        size_t n_definition;
    } cases[] = {
        {9, false, {1, 0, 0, 1, 0, 8, 0, 4}, 8, {0, 1, 1}, 256, 1, 0, 8},
        {9, false, {1, 0, 0, 1, 0, 8, 0, 4, 0, 0, 0, 0, 0, 0}, 14, {0, 1, 1}, 256, 1, 0, 8}, /* padding */
        {9, false, {1, 0, 0, 1, 0, 8, 0, 4, 1}, 9, {0, 1, 1}, 256, 1, 0, 8},                 /* less than a header */
        {9, false, {1, 0, 0, 2, 0, 8, 0, 4}, 8, {NETFLOW_DEFINITION_BAD, 1, 1}, 0, 0, 0, 0},
        {9, false, {1, 0, 0, 1, 0x80, 8, 0, 4, 1, 1, 0, 1, 0, 12, 0, 4}, 16, {0, 0, 1}, 256, 1, 0, 8}, /* no enterprises in v9 */
        {10, false, {1, 0, 0, 1, 0x80, 8, 0, 4, 0, 0, 0x72, 0x79}, 12, {0, 1, 1}, 256, 1, 0, 12},
        {10, false, {1, 0, 0, 1, 0x80, 8, 0, 4, 0, 0}, 10, {NETFLOW_DEFINITION_BAD, 1, 1}, 0, 0, 0, 0},
        {10, false, {1, 0, 0, 0, 1, 1, 0, 1, 0, 8, 0, 4}, 12, {0, 0, 1}, 256, 0, 0, 4}, /* a withdrawal, then a template */
        {9, true, {1, 0, 0, 4, 0, 8, 0, 1, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1}, 18, {0, 1, 1}, 256, 3, 1, 18},
        {9, true, {1, 0, 0, 0, 0, 4, 0, 34, 0, 4}, 10, {0, 1, 1}, 256, 1, 0, 10}, /* Juniper: no scope */
        {9, true, {1, 0, 0, 3, 0, 4, 0, 34, 0, 4}, 10, {NETFLOW_DEFINITION_BAD, 1, 1}, 0, 0, 0, 0},
        {10, true, {1, 0, 0, 2, 0, 1, 0, 149, 0, 4, 0, 34, 0, 4}, 14, {0, 1, 1}, 256, 2, 1, 14},
        {10, true, {1, 0, 0, 1, 0, 2, 0, 149, 0, 4}, 10, {NETFLOW_DEFINITION_BAD, 1, 1}, 0, 0, 0, 0}, /* more scope than fields */
        {10, true, {1, 0, 0, 0}, 4, {0, 1, 1}, 256, 0, 0, 4},                       /* withdrawal of an options template */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t *exact = malloc(cases[i].n_bytes);
        assert_non_null(exact);
        memcpy(exact, cases[i].bytes, cases[i].n_bytes);
        struct cursor c = cursor_over(exact, cases[i].n_bytes);
        for (int call = 0; call < 3; call++) {
            struct netflow_definition d = {0};
            int r = netflow_definition_next(&c, cases[i].version, cases[i].is_options, &d);
            if (r != cases[i].answers[call])
                fail_msg("case %zu, call %d: %d", i, call, r);
            if (!r && !call) {
                assert_int_equal(d.id, cases[i].id);
                assert_int_equal(d.n_fields, cases[i].n_fields);
                assert_int_equal(d.n_scope, cases[i].n_scope);
                assert_int_equal(d.n_bytes, cases[i].n_definition);
            }
            if (r)
                break;
        }
        free(exact);
    }
}

static struct netflow_template *compile(uint16_t version, const struct specifier *f, size_t n)
{
    b.n = 0;
    put_n(&b, 256, 2);
    put_n(&b, n, 2);
    put_specifiers(&b, f, n);
    struct cursor c = cursor_over(b.p, b.n);
    struct netflow_definition d;
    struct netflow_template *t = NULL;
    assert_int_equal(netflow_definition_next(&c, version, false, &d), 0);
    int r = netflow_template_new(&d, &t);
    assert_true(r == 0 || r == 1);
    if (t)
        assert_true(netflow_template_is(t, &d));
    return r ? NULL : t;
}

/* field_of - index of the op that fills a role's place, as its offset in the record; -1 when none. */
static int offset_of(const struct netflow_template *t, enum netflow_role role)
{
    for (uint16_t i = 0; i < t->n_ops; i++)
        if (t->ops[i].to == netflow_places[role].to && t->ops[i].to_extra == netflow_places[role].to_extra)
            return t->ops[i].from;
    return -1;
}

static void of_several_elements_for_one_purpose_the_best_is_taken_and_of_equals_the_first(void **state)
{
    (void)state;
    static const struct {
        struct specifier f[4];
        size_t n;
        enum netflow_role role;
        int offset;
    } cases[] = {
        {{{85, 8, 0}, {1, 4, 0}}, 2, NETFLOW_ROLE_SOURCE_BYTES, 8},       /* delta before total */
        {{{1, 4, 0}, {85, 8, 0}}, 2, NETFLOW_ROLE_SOURCE_BYTES, 0},
        {{{231, 4, 0}, {85, 8, 0}}, 2, NETFLOW_ROLE_SOURCE_BYTES, 4},
        {{{8, 4, 0}, {8, 4, 0}}, 2, NETFLOW_ROLE_SOURCE_IP, 4},           /* a tunnel: the inner header is meant */
        {{{10, 4, 0}, {10, 4, 0}}, 2, NETFLOW_ROLE_INPUT_IF, 0},          /* of other equals the first */
        {{{22, 4, 0}, {152, 8, 0}}, 2, NETFLOW_ROLE_START, 4},            /* absolute before relative */
        {{{150, 4, 0}, {152, 8, 0}, {156, 8, 0}}, 3, NETFLOW_ROLE_START, 12},
        {{{18, 4, 0}, {15, 4, 0}}, 2, NETFLOW_ROLE_NEXT_HOP, 4},
        {{{1, 0, 0}, {85, 8, 0}}, 2, NETFLOW_ROLE_SOURCE_BYTES, 0},       /* a field of no bytes is none */
        {{{1, 9, 0}, {85, 8, 0}}, 2, NETFLOW_ROLE_SOURCE_BYTES, 9},       /* nine bytes are no counter */
        {{{8, 3, 0}, {12, 4, 0}}, 2, NETFLOW_ROLE_SOURCE_IP, -1},
        {{{27, 16, 0}, {12, 4, 0}}, 2, NETFLOW_ROLE_SOURCE_IP, 0},        /* IPv6 alone takes the place */
        {{{27, 16, 0}, {8, 4, 0}}, 2, NETFLOW_ROLE_SOURCE_IP, 16},
        {{{27, 16, 0}, {8, 4, 0}}, 2, NETFLOW_ROLE_SOURCE_IP6, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct netflow_template *t = compile(10, cases[i].f, cases[i].n);
        assert_non_null(t);
        if (offset_of(t, cases[i].role) != cases[i].offset)
            fail_msg("case %zu: offset %d", i, offset_of(t, cases[i].role));
        free(t);
    }
}

static void the_use_of_a_template_follows_from_its_fields(void **state)
{
    (void)state;
    static const struct {
        struct specifier f[5];
        size_t n;
        enum netflow_use use;
    } cases[] = {
        {{{8, 4, 0}, {12, 4, 0}}, 2, NETFLOW_USE_FLOW},
        {{{27, 16, 0}, {28, 16, 0}}, 2, NETFLOW_USE_FLOW},
        {{{8, 4, 0}, {28, 16, 0}}, 2, NETFLOW_USE_FLOW}, /* NAT46 */
        {{{8, 4, 0}, {12, 4, 0}, {225, 4, 0}, {230, 1, 0}}, 4, NETFLOW_USE_FLOW},
        {{{8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 4, NETFLOW_USE_NAT},
        {{{8, 4, 0}, {230, 1, 0}}, 2, NETFLOW_USE_NAT},
        {{{56, 6, 0}, {80, 6, 0}}, 2, NETFLOW_USE_LAYER2},
        {{{56, 6, 0}, {80, 6, 0}, {8, 4, 0}, {12, 4, 0}}, 4, NETFLOW_USE_FLOW},
        {{{8, 4, 0}, {1, 4, 0}}, 2, NETFLOW_USE_NOTHING},
        {{{16, 4, 0}, {17, 4, 0}}, 2, NETFLOW_USE_NOTHING},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct netflow_template *t = compile(10, cases[i].f, cases[i].n);
        assert_non_null(t);
        assert_int_equal(t->use, cases[i].use);
        free(t);
    }
}

static void asa_numbers_mean_something_in_v9_only(void **state)
{
    (void)state;
    static const struct specifier f[] = {{40005, 1, 0}, {8, 4, 0}};
    struct netflow_template *t = compile(9, f, 2);
    assert_int_equal(offset_of(t, NETFLOW_ROLE_FIREWALL_EVENT), 0);
    free(t);
    assert_int_equal(netflow_element(10, 0, 30000).role, NETFLOW_ROLE_NONE);
    assert_int_equal(netflow_element(10, 29305, 1).role, NETFLOW_ROLE_DESTINATION_BYTES);
    assert_int_equal(netflow_element(10, 9, 1).role, NETFLOW_ROLE_NONE); /* another's element 1 */
}

/*
 * The same random records once in fixed fields, once each with a length in front: two ways through the decoder that
 * have to give the same flows.
 */
static const struct specifier pool[] = {
    {8, 4, 0},   {12, 4, 0},  {27, 16, 0}, {28, 16, 0}, {1, 8, 0},   {2, 4, 0},   {7, 2, 0},   {11, 2, 0},  {4, 1, 0},
    {6, 2, 0},   {5, 1, 0},   {152, 8, 0}, {153, 8, 0}, {154, 8, 0}, {150, 4, 0}, {22, 4, 0},  {21, 4, 0},  {161, 4, 0},
    {225, 4, 0}, {281, 16, 0}, {230, 1, 0}, {361, 2, 0}, {362, 2, 0}, {364, 2, 0}, {96, 6, 0},  {1, 8, 29305}, {34, 2, 0},
    {48, 1, 0},  {10, 3, 0},  {16, 4, 0},  {9, 1, 0},   {136, 1, 0}, {233, 1, 0}, {176, 1, 0}, {177, 1, 0}, {32, 2, 0},
    {12345, 5, 0}, {77, 7, 4711},
};

static uint8_t random_byte(uint64_t *state)
{
    uint64_t v = next_random(state);
    return v & 0x300 ? (uint8_t)v : 0; /* zeros are the interesting case: one byte in four */
}

static void decode_random(bool is_variable, const struct specifier *f, size_t n_fields, uint64_t record_seed,
                          uint32_t n_records, struct kept *k, struct netflow_result *r)
{
    struct specifier own[16];
    memcpy(own, f, n_fields * sizeof(*f));
    for (size_t i = 0; i < n_fields && is_variable; i++)
        own[i].length = 65535;
    *k = (struct kept){0};
    struct netflow *n = netflow_new(NULL);
    assert_non_null(n);
    netflow_set_nat_sink(n, keep_nat, k);
    ipfix_header(&b, 1600000000, 0, 0);
    put_template(&b, 2, 256, own, n_fields);
    set_open(&b, 256);
    for (uint32_t record = 0; record < n_records; record++)
        for (size_t i = 0; i < n_fields; i++) {
            if (is_variable)
                put_n(&b, f[i].length, 1);
            for (uint16_t j = 0; j < f[i].length; j++)
                put_n(&b, random_byte(&record_seed), 1);
        }
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, k, r), 0);
    netflow_free(n);
}

static void fixed_and_variable_fields_give_the_same_flows(void **state)
{
    (void)state;
    static struct kept fixed, variable;
    uint64_t s = seed();
    for (unsigned round = 0; round < rounds(2000); round++) {
        uint64_t begun = s;
        struct specifier f[16];
        size_t n_fields = 2 + next_random(&s) % 14;
        for (size_t i = 0; i < n_fields; i++)
            f[i] = pool[next_random(&s) % (i < 4 ? 4 : COUNT_OF(pool))];
        uint64_t record_seed = next_random(&s) | 1;
        uint32_t n_records = 1 + (uint32_t)(next_random(&s) % 70);
        struct netflow_result a, v;
        decode_random(false, f, n_fields, record_seed, n_records, &fixed, &a);
        decode_random(true, f, n_fields, record_seed, n_records, &variable, &v);
        bool same = fixed.n == variable.n && fixed.n_nat == variable.n_nat && !strcmp(fixed.text, variable.text) &&
                    a.n_units == v.n_units && a.n_units == n_records && all_refused(&a) == all_refused(&v) &&
                    !memcmp(fixed.nat, variable.nat, sizeof(fixed.nat));
        for (uint32_t i = 0; i < fixed.n && same; i++)
            same = !memcmp(&fixed.flows[i], &variable.flows[i], sizeof(struct flow));
        if (!same)
            fail_msg("VONGGAC_SEED=%llu", (unsigned long long)begun);
    }
}

static int compile_with_little_memory(void *context)
{
    (void)context;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}};
    b.n = 0;
    put_n(&b, 256, 2);
    put_n(&b, 2, 2);
    put_specifiers(&b, f, 2);
    struct cursor c = cursor_over(b.p, b.n);
    struct netflow_definition d;
    struct netflow_template *t;
    assert_int_equal(netflow_definition_next(&c, 10, false, &d), 0);
    int r = netflow_template_new(&d, &t);
    if (!r)
        free(t);
    return r;
}

static void compiling_takes_one_allocation_and_survives_its_failure(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_each("compiling", compile_with_little_memory, NULL, false), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_cut_at_their_last_field_and_padding_ends_the_set),
        cmocka_unit_test(of_several_elements_for_one_purpose_the_best_is_taken_and_of_equals_the_first),
        cmocka_unit_test(the_use_of_a_template_follows_from_its_fields),
        cmocka_unit_test(asa_numbers_mean_something_in_v9_only),
        cmocka_unit_test(fixed_and_variable_fields_give_the_same_flows),
        cmocka_unit_test(compiling_takes_one_allocation_and_survives_its_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
