/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path of version 9 and IPFIX against the way of everything else: random templates, random records, sampling
 * from options or from the records, sets before their template. The same rows, the same result.
 */
#include "udp_rows.h"

#include "format/netflow_columns.h"

#define keep_flows built_keep_flows /* that header has one of its own */
#include "netflow_case.h"
#undef keep_flows

enum { FIELDS_MAX = 40, EXPORTERS = 3, TEMPLATES = 4, RECORDS_MAX = 60 };

/* how the bytes of a field are made */
enum make { ANY, SMALL, PROTOCOL, ADDRESS4, ADDRESS6, UPTIME, SECONDS, MILLISECONDS, NTP };

struct kind {
    uint16_t id;
    uint8_t lengths[4]; /* to choose from, 0 ends */
    enum make make;
};

static const struct kind plain_kinds[] = {
    {1, {4, 8, 3, 2}, ANY},   {2, {4, 8, 5}, ANY},    {4, {1, 2}, PROTOCOL}, {5, {1}, ANY},       {6, {1, 2}, ANY},
    {7, {2, 4}, ANY},         {9, {1}, ANY},          {10, {2, 4}, SMALL},   {11, {2, 4}, ANY},   {13, {1}, ANY},
    {14, {2, 4}, SMALL},      {16, {2, 4}, ANY},      {17, {2, 4}, ANY},     {23, {4, 8}, ANY},   {24, {4, 8}, ANY},
    {58, {2}, ANY},           {59, {2}, ANY},         {61, {1}, SMALL},      {136, {1}, ANY},     {231, {4, 8}, ANY},
    {232, {4, 8}, ANY},       {298, {8}, ANY},        {299, {8}, ANY},       {233, {1}, SMALL},   {56, {6}, ANY},
    {32, {2}, SMALL},         {139, {2}, SMALL},      {176, {1}, SMALL},     {177, {1}, SMALL},   {178, {1}, SMALL},
    {179, {1}, SMALL},        {161, {4}, ANY},        {210, {3}, ANY},       {227, {2}, ANY},     {228, {2}, ANY},
};
static const struct kind other_kinds[] = {
    {230, {1}, SMALL}, {371, {8}, ANY}, {96, {16}, ANY}, {27, {16}, ADDRESS6}, {8, {4}, ADDRESS4}, {62, {16}, ADDRESS6},
    {361, {2}, ANY},   {225, {4}, ADDRESS4}, {281, {16}, ADDRESS6}, {33002, {2}, ANY}, {95, {4}, ANY},
    {152, {8}, MILLISECONDS}, {155, {8}, NTP}, {21, {4}, UPTIME},
};
static const struct kind sampling_kinds[] = {
    {34, {4}, SMALL}, {48, {1, 2}, SMALL}, {50, {1}, SMALL}, {305, {4}, SMALL}, {306, {4}, SMALL}, {309, {4}, SMALL},
    {310, {4}, SMALL}, {302, {8}, SMALL},
};
static const struct kind times[][2] = {
    {{22, {4}, UPTIME}, {21, {4}, UPTIME}},
    {{152, {8}, MILLISECONDS}, {153, {8}, MILLISECONDS}},
    {{150, {4}, SECONDS}, {151, {4, 8}, SECONDS}},
    {{154, {8}, NTP}, {155, {8}, NTP}},
    {{156, {8}, NTP}, {157, {8}, NTP}},
    {{158, {4}, ANY}, {159, {4}, ANY}},
};

struct template {
    uint16_t id, n;
    struct specifier fields[FIELDS_MAX];
    enum make make[FIELDS_MAX];
    bool is_even; /* records agree where they say how they were sampled */
};

static uint32_t one_of(uint64_t *state, size_t n)
{
    return (uint32_t)(next_random(state) % n);
}

static void add(struct template *t, const struct kind *k, uint64_t *state)
{
    size_t n = 0;
    while (n < 4 && k->lengths[n])
        n++;
    t->make[t->n] = k->make;
    t->fields[t->n++] = (struct specifier){.id = k->id, .length = k->lengths[one_of(state, n)]};
}

#define ADD_SOME(t, kinds, most, state)                                       \
    for (uint32_t left_ = one_of(state, (most) + 1); left_; left_--)          \
        add(t, &(kinds)[one_of(state, sizeof(kinds) / sizeof(*(kinds)))], state)

static void make_template(struct template *t, uint16_t id, int version, uint64_t *state)
{
    static const struct kind v4[] = {{8, {4}, ADDRESS4}, {12, {4}, ADDRESS4}, {15, {4}, ADDRESS4}},
                             v6[] = {{27, {16}, ADDRESS6}, {28, {16}, ADDRESS6}, {62, {16}, ADDRESS6}};
    const struct kind *addresses = one_of(state, 3) ? v4 : v6, *time = times[one_of(state, 6)];
    *t = (struct template){.id = id, .is_even = one_of(state, 2)};
    ADD_SOME(t, plain_kinds, 4, state);
    for (uint32_t i = 0; i < 2 + one_of(state, 2); i++)
        add(t, &addresses[i], state);
    ADD_SOME(t, plain_kinds, 8, state);
    for (uint32_t i = one_of(state, 12) == 0; i < 2; i++)
        add(t, &time[i], state);
    ADD_SOME(t, plain_kinds, 4, state);
    if (one_of(state, 4) == 0)
        ADD_SOME(t, sampling_kinds, 2, state);
    if (one_of(state, 6) == 0)
        ADD_SOME(t, other_kinds, 2, state);
    if (version == 10 && one_of(state, 8) == 0) /* reverse octets, RFC 5103 */
        t->make[t->n] = ANY, t->fields[t->n++] = (struct specifier){.id = 1, .length = 4, .pen = 29305};
    if (one_of(state, 16) == 0)
        t->make[t->n] = ANY, t->fields[t->n++] = (struct specifier){.id = 82, .length = NETFLOW_VARIABLE};
}

static uint64_t number(enum make make, uint64_t *state)
{
    const uint64_t seconds = UINT64_C(1699990000) + one_of(state, 10000);
    switch (make) {
    case SMALL: return one_of(state, 4);
    case PROTOCOL: return (const uint8_t[]){1, 6, 17, 58}[one_of(state, 4)];
    case UPTIME: return one_of(state, 9) ? 99990000 + one_of(state, 10000) : next_random(state);
    case SECONDS: return one_of(state, 9) ? seconds : 0;
    case MILLISECONDS: return one_of(state, 9) ? seconds * 1000 + one_of(state, 1000) : 0;
    case NTP: return one_of(state, 9) ? (seconds + UINT64_C(2208988800)) << 32 | one_of(state, UINT32_MAX) : 0;
    case ADDRESS4: return one_of(state, 9) ? next_random(state) : 0;
    case ADDRESS6:
    case ANY: break;
    }
    return next_random(state);
}

static void put_field(struct built *b, const struct template *t, uint16_t i, uint64_t *state)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const struct specifier *f = &t->fields[i];
    if (f->length == NETFLOW_VARIABLE) {
        uint32_t n = one_of(state, 4);
        put_n(b, n, 1);
        put_n(b, next_random(state), n);
    } else if (t->make[i] == ADDRESS6) {
        if (one_of(state, 60))
            put_n(b, UINT64_C(0x20010db800000000) + one_of(state, 3), 8), put_n(b, next_random(state), 8);
        else if (one_of(state, 2))
            put_bytes(b, mapped, 12), put_n(b, next_random(state), 4);
        else
            put_n(b, 0, 16);
    } else {
        put_n(b, number(t->make[i], state), f->length);
    }
}

static bool says_sampling(uint16_t id)
{
    for (size_t k = 0; k < sizeof(sampling_kinds) / sizeof(*sampling_kinds); k++)
        if (sampling_kinds[k].id == id)
            return true;
    return false;
}

static void put_record(struct built *b, const struct template *t, uint64_t even, uint64_t *state)
{
    for (uint16_t i = 0; i < t->n; i++)
        if (t->is_even && !t->fields[i].pen && says_sampling(t->fields[i].id))
            put_n(b, even, t->fields[i].length);
        else
            put_field(b, t, i, state);
}

static void put_data(struct built *b, const struct template *t, uint64_t *state)
{
    const uint64_t even = one_of(state, 4);
    set_open(b, t->id);
    for (uint32_t n = one_of(state, RECORDS_MAX); n; n--)
        put_record(b, t, even, state);
    if (one_of(state, 20) == 0)
        put_n(b, 0, one_of(state, 4)); /* padding */
    set_close(b);
}

/* put_rates - an options template and a record of it: a general rate, one of a sampler, of an interface or a template. */
static void put_rates(struct built *b, int version, uint64_t *state)
{
    static const struct specifier kinds[][2] = {{{1, 4, 0}, {34, 4, 0}}, {{1, 4, 0}, {48, 2, 0}}, {{10, 4, 0}, {34, 4, 0}},
                                                {{145, 2, 0}, {34, 4, 0}}};
    const uint32_t kind = one_of(state, 4);
    struct specifier f[3] = {kinds[kind][0], kinds[kind][1], {50, 4, 0}};
    if (version == 9) /* scopes have numbers of their own: system, interface, template */
        f[0].id = kind == 2 ? 2 : kind == 3 ? 5 : 1;
    const uint16_t id = (uint16_t)(400 + kind);
    if (version == 9)
        put_v9_options(b, id, f, 1, 3);
    else
        put_ipfix_options(b, id, f, 1, 3);
    set_open(b, id);
    put_n(b, kind == 3 ? 256 + one_of(state, TEMPLATES) : one_of(state, 4), f[0].length);
    put_n(b, one_of(state, 100), f[1].length);
    put_n(b, one_of(state, 100), f[2].length);
    set_close(b);
}

static void make_datagram(struct built *b, int version, struct template *templates, uint32_t exporter, uint32_t sequence,
                          uint64_t *state)
{
    if (version == 9)
        v9_header(b, 100000000, 1700000000, sequence, exporter);
    else
        ipfix_header(b, one_of(state, 20) ? 1700000000 : 0, sequence, exporter);
    if (one_of(state, 12) == 0)
        put_rates(b, version, state);
    for (uint32_t sets = one_of(state, 4); sets; sets--) {
        struct template *t = &templates[one_of(state, TEMPLATES)];
        if (one_of(state, 6) == 0) {
            make_template(t, t->id, version, state);
            if (one_of(state, 3) == 0)
                put_data(b, t, state); /* before its template: a redefinition reads it by the old one, alike on both ways */
            put_template(b, version == 9 ? 0 : 2, t->id, t->fields, t->n);
        }
        put_data(b, t, state);
    }
    if (version == 10)
        ipfix_close(b);
}

struct count {
    uint64_t plain, rows;
};

static int count_plain(void *context, const struct netflow_plain *r, const struct flow_observer *o)
{
    struct count *c = context;
    (void)o;
    c->plain += r->n;
    return 0;
}

static int count_rows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct count *c = context;
    (void)flows, (void)o;
    c->rows += n;
    return 0;
}

static void the_hot_path_gives_the_same_rows_and_the_same_result(void **unused)
{
    (void)unused;
    uint64_t state = seed();
    const unsigned n_datagrams = rounds(4000);
    print_message("VONGGAC_SEED=%llu VONGGAC_ROUNDS=%u\n", (unsigned long long)state, n_datagrams);
    struct rows fast = rows_new(n_datagrams * 120 + 20000), plain = rows_new(n_datagrams * 120 + 20000);
    struct template templates[EXPORTERS][TEMPLATES];
    struct udp_receiver r;
    struct udp_options o = {.fd = -1, .hook = keep_batch, .context = &fast};
    struct netflow *rows_way = netflow_new(NULL), *counted = netflow_new(NULL);
    struct count count = {0};
    struct built *b = malloc(sizeof(*b));
    netflow_set_plain_sink(counted, count_plain);
    assert_int_equal(udp_receiver_init(&r, &o), 0);
    for (unsigned e = 0; e < EXPORTERS; e++)
        for (unsigned t = 0; t < TEMPLATES; t++)
            make_template(&templates[e][t], (uint16_t)(256 + t), e == 1 ? 10 : 9, &state);
    for (unsigned i = 0; i < n_datagrams; i++) {
        const uint32_t e = one_of(&state, EXPORTERS);
        struct netflow_result with, without;
        make_datagram(b, e == 1 ? 10 : 9, templates[e], e, i, &state);
        uint8_t *exact = malloc(b->n); /* so that a sanitizer sees a step too far */
        memcpy(exact, b->p, b->n);
        struct netflow_datagram d = {.p = exact, .n_bytes = b->n, .peer = ip_from_v4(0x7f000001u + e),
                                     .received_us = 1700000001000000 + i};
        assert_int_equal(udp_receiver_feed(&r, &d), 0);
        assert_int_equal(netflow_decode(rows_way, &d, keep_flows, &plain, &without), 0);
        assert_int_equal(netflow_decode(counted, &d, count_rows, &count, &with), 0);
        assert_memory_equal(&with, &without, sizeof(with));
        free(exact);
    }
    assert_int_equal(flow_sorter_flush(&r.sorter), 0);
    assert_same_rows(&fast, &plain);
    if (n_datagrams >= 1000) { /* both ways were gone, with both families */
        assert_true(count.plain > count.rows / 2 && count.rows > count.plain / 20);
        assert_true(plain.n[1] > plain.n[0] / 20);
    }
    netflow_free(rows_way);
    netflow_free(counted);
    udp_receiver_fini(&r);
    free(b);
    rows_free(&fast);
    rows_free(&plain);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_hot_path_gives_the_same_rows_and_the_same_result)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
