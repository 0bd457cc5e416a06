/* SPDX-License-Identifier: Apache-2.0 */
/* Who asked whom, and was it answered: one-way and two-way records of the same conversations read the same. */
#include "cmocka_house.h"

#include "watch/detect/behaviour_engine.h"

#include <errno.h>

#define T0 (INT64_C(1700000000) * 1000000)
#define S INT64_C(1000000)

enum { TCP = 6, UDP = 17, ICMP = 1, SYN = 2, ACK = 16, RST = 4, FIN = 1 };

static struct flow flow(uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port, uint8_t protocol, int64_t at_us)
{
    return (struct flow){
        .present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) |
                   FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_PROTOCOL) | FLOW_HAS(FLOW_SOURCE_BYTES) |
                   FLOW_HAS(FLOW_SOURCE_PACKETS),
        .source_ip = ip_from_v4(from), .destination_ip = ip_from_v4(to), .source_port = from_port, .destination_port = to_port,
        .protocol = protocol, .start_us = at_us, .end_us = at_us + S, .source_packets = 2, .source_bytes = 120};
}

static struct flow flags(struct flow f, uint16_t tcp_flags)
{
    f.present |= FLOW_HAS(FLOW_TCP_FLAGS);
    f.tcp_flags = tcp_flags;
    return f;
}

static struct flow back(struct flow f, uint64_t packets, uint64_t bytes)
{
    f.present |= FLOW_HAS(FLOW_DESTINATION_PACKETS) | FLOW_HAS(FLOW_DESTINATION_BYTES);
    f.destination_packets = packets;
    f.destination_bytes = bytes;
    return f;
}

/* read_rows - @n flows, one batch. */
static void read_rows(struct behaviour_reader *r, const struct flow *flows, uint32_t n, struct behaviour_row *ret)
{
    struct flow_batch *b = flow_batch_new(4);
    uint32_t taken;
    assert_non_null(b);
    assert_int_equal(flow_batch_add(b, flows, n, &taken), 0);
    assert_int_equal(taken, n);
    behaviour_read(r, b, NULL, ret);
    flow_batch_free(b);
}

#define CLIENT 0xc0a80005u /* 192.168.0.5 */
#define SERVER 0x08080808u

static void the_second_half_of_a_one_way_conversation_is_a_reply(void **state)
{
    struct behaviour_reader r;
    struct behaviour_row x[4];
    struct flow f[] = {
        flags(flow(CLIENT, 40000, SERVER, 8443, TCP, T0), SYN | ACK),
        flags(flow(SERVER, 8443, CLIENT, 40000, TCP, T0 + 1000), SYN | ACK),
        flow(CLIENT, 5000, SERVER, 9999, UDP, T0),
        flow(SERVER, 9999, CLIENT, 5000, UDP, T0 + 1000),
    };
    (void)state;
    assert_int_equal(behaviour_reader_init(&r, 1), 0);
    read_rows(&r, f, 4, x);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ip_v4(&x[i].from), CLIENT);
        assert_int_equal(ip_v4(&x[i].to), SERVER);
        assert_int_equal(x[i].marks & ROW_REPLY, i % 2 ? ROW_REPLY : 0);
        assert_int_equal(x[i].marks & ROW_UNASKED, 0);
        assert_int_equal(x[i].marks & (ROW_FROM_OWN | ROW_TO_OWN), ROW_FROM_OWN);
        assert_int_equal(i % 2 ? x[i].back_bytes : x[i].out_bytes, 120);
        assert_int_equal(i % 2 ? x[i].out_bytes : x[i].back_bytes, 0);
    }
    assert_int_equal(r.paired, 1);
    behaviour_reader_fini(&r);
}

static void an_answer_without_its_question_is_told_by_the_lower_port(void **state)
{
    struct behaviour_reader r;
    struct behaviour_row x[2];
    struct flow f[] = {flags(flow(SERVER, 443, CLIENT, 50000, TCP, T0), SYN | ACK), flow(SERVER, 53, CLIENT, 50000, UDP, T0)};
    (void)state;
    assert_int_equal(behaviour_reader_init(&r, 1), 0);
    read_rows(&r, f, 2, x);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ip_v4(&x[i].from), CLIENT);
        assert_int_equal(x[i].marks & (ROW_REPLY | ROW_UNASKED), ROW_REPLY | ROW_UNASKED);
    }
    behaviour_reader_fini(&r);
}

static void answered_or_not(void **state)
{
    static const struct {
        const char *what;
        uint8_t protocol;
        int flags;     /* -1: none */
        int back_packets, back_bytes; /* -1: one-way */
        uint32_t sampling;
        unsigned marks;
    } table[] = {
        {"a lone SYN", TCP, SYN, -1, 0, 1, ROW_FAILED},
        {"a SYN that was reset", TCP, SYN | RST, -1, 0, 1, ROW_FAILED},
        {"who sent an ACK got an answer", TCP, SYN | ACK | FIN, -1, 0, 1, ROW_ANSWERED},
        {"a lone SYN of a sample says nothing", TCP, SYN, -1, 0, 100, ROW_UNKNOWN},
        {"two-way, nothing back", TCP, -1, 0, 0, 1, ROW_FAILED},
        {"two-way, a bare reset back", TCP, -1, 2, 80, 1, ROW_FAILED},
        {"two-way, data back", TCP, -1, 5, 3000, 1, ROW_ANSWERED},
        {"UDP two-way, nothing back", UDP, -1, 0, 0, 1, ROW_FAILED},
        {"UDP two-way, something back", UDP, -1, 1, 60, 1, ROW_ANSWERED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct behaviour_reader r;
        struct behaviour_row x;
        struct flow f = flow(CLIENT, 40000, SERVER, 8443, table[i].protocol, T0);
        f.source_bytes = 104;
        if (table[i].flags >= 0)
            f = flags(f, (uint16_t)table[i].flags);
        if (table[i].back_packets >= 0)
            f = back(f, (uint64_t)table[i].back_packets, (uint64_t)table[i].back_bytes);
        f.present |= FLOW_HAS(FLOW_SAMPLING);
        f.sampling = table[i].sampling;
        assert_int_equal(behaviour_reader_init(&r, 1), 0);
        read_rows(&r, &f, 1, &x);
        if ((x.marks & (ROW_FAILED | ROW_ANSWERED | ROW_UNKNOWN)) != table[i].marks)
            fail_msg("%s: marks %#x", table[i].what, x.marks);
        behaviour_reader_fini(&r);
    }
}

static void states_of_zeek_and_argus_are_believed(void **state)
{
    static const struct {
        const char *state;
        unsigned marks;
    } table[] = {
        {"S0", ROW_FAILED},    {"REJ", ROW_FAILED},     {"RSTOS0", ROW_FAILED}, {"SF", ROW_ANSWERED},
        {"RSTR", ROW_ANSWERED}, {"OTH", ROW_ANSWERED | ROW_PIECE}, {"S_", ROW_FAILED}, {"S_RA", ROW_FAILED},
        {"SRPA_SPA", ROW_ANSWERED}, {"PA_PA", ROW_ANSWERED | ROW_PIECE}, {"S", ROW_ANSWERED}, {"REQ", ROW_FAILED}, {"CON", ROW_ANSWERED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct behaviour_reader r;
        struct behaviour_row x;
        struct buf b = {.max = 4096};
        struct flow f = back(flow(CLIENT, 40000, SERVER, 8443, TCP, T0), 5, 3000);
        flow_text_add(&b, "network.state", (struct text){table[i].state, strlen(table[i].state)});
        f.texts = (struct text){(const char *)b.p, b.n};
        f.present |= FLOW_HAS_TEXT;
        assert_int_equal(behaviour_reader_init(&r, 1), 0);
        read_rows(&r, &f, 1, &x);
        if ((x.marks & (ROW_FAILED | ROW_ANSWERED | ROW_UNKNOWN | ROW_PIECE)) != table[i].marks)
            fail_msg("%s: marks %#x", table[i].state, x.marks);
        buf_fini(&b);
        behaviour_reader_fini(&r);
    }
}

static void errors_of_icmp_ask_nobody(void **state)
{
    struct behaviour_reader r;
    struct behaviour_row x[2];
    struct flow f[] = {flow(CLIENT, 0, SERVER, 0, ICMP, T0), flow(CLIENT, 0, SERVER + 1, 0, ICMP, T0)};
    (void)state;
    f[0].present |= FLOW_HAS(FLOW_ICMP);
    f[0].icmp = 3 << 8 | 3;
    f[1].present |= FLOW_HAS(FLOW_ICMP);
    f[1].icmp = 8 << 8;
    assert_int_equal(behaviour_reader_init(&r, 1), 0);
    read_rows(&r, f, 2, x);
    assert_int_equal(x[0].marks & ROW_NOTE, ROW_NOTE);
    assert_int_equal(x[1].marks & ROW_NOTE, 0);
    behaviour_reader_fini(&r);
}

static void late_is_more_than_half_an_hour_behind_and_nonsense_is_no_time(void **state)
{
    struct behaviour_reader r;
    struct behaviour_row x[6];
    struct flow f[] = {
        flow(CLIENT, 1, SERVER, 80, TCP, T0),
        flow(CLIENT, 2, SERVER, 80, TCP, T0 + 100 * S),
        flow(CLIENT, 3, SERVER, 80, TCP, T0 + 100 * S - BEHAVIOUR_LATE_US),
        flow(CLIENT, 4, SERVER, 80, TCP, T0 + 98 * S - BEHAVIOUR_LATE_US),
        flow(CLIENT, 5, SERVER, 80, TCP, -5),
        flow(CLIENT, 6, SERVER, 80, TCP, INT64_MAX - S),
    };
    (void)state;
    f[3].end_us = f[3].start_us;
    f[2].end_us = f[2].start_us;
    assert_int_equal(behaviour_reader_init(&r, 1), 0);
    read_rows(&r, f, 6, x);
    static const unsigned marks[] = {0, 0, 0, ROW_LATE, ROW_NOTHING, ROW_NOTHING};
    for (int i = 0; i < 6; i++)
        assert_int_equal(x[i].marks & (ROW_LATE | ROW_NOTHING), marks[i]);
    assert_int_equal(r.v4.now_us, T0 + 100 * S);
    behaviour_reader_fini(&r);
}

static void one_wrong_clock_does_not_move_time_but_a_pause_does(void **state)
{
    struct behaviour_reader r;
    struct behaviour_row x[6];
    struct flow f[6];
    (void)state;
    for (int i = 0; i < 6; i++)
        f[i] = flow(CLIENT, (uint16_t)i, SERVER, 80, TCP, T0 + i * S);
    f[2].start_us = f[2].end_us = T0 + 86400 * S;
    assert_int_equal(behaviour_reader_init(&r, 1), 0);
    read_rows(&r, f, 6, x);
    assert_int_equal(r.v4.now_us, T0 + 5 * S);
    for (int i = 0; i < 3; i++)
        f[i] = flow(CLIENT, (uint16_t)i, SERVER, 80, TCP, T0 + 7200 * S + i);
    read_rows(&r, f, 3, x);
    assert_int_equal(r.v4.now_us, T0 + 7200 * S + 2);
    behaviour_reader_fini(&r);
}

static void without_an_own_space_private_machines_are_ours_else_who_asked(void **state)
{
    static const struct {
        uint32_t from, to;
        unsigned marks;
    } table[] = {
        {0x0a000001, 0x08080808, ROW_FROM_OWN},
        {0x08080808, 0x0a000001, ROW_TO_OWN},
        {0x0a000001, 0xc0a80001, ROW_FROM_OWN | ROW_TO_OWN},
        {0x08080808, 0x01010101, ROW_FROM_OWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct behaviour_reader r;
        struct behaviour_row x;
        struct flow f = flow(table[i].from, 40000, table[i].to, 8443, TCP, T0);
        assert_int_equal(behaviour_reader_init(&r, 1), 0);
        read_rows(&r, &f, 1, &x);
        assert_int_equal(x.marks & (ROW_FROM_OWN | ROW_TO_OWN), table[i].marks);
        behaviour_reader_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_half_of_a_one_way_conversation_is_a_reply),
        cmocka_unit_test(an_answer_without_its_question_is_told_by_the_lower_port),
        cmocka_unit_test(answered_or_not),
        cmocka_unit_test(states_of_zeek_and_argus_are_believed),
        cmocka_unit_test(errors_of_icmp_ask_nobody),
        cmocka_unit_test(late_is_more_than_half_an_hour_behind_and_nonsense_is_no_time),
        cmocka_unit_test(one_wrong_clock_does_not_move_time_but_a_pause_does),
        cmocka_unit_test(without_an_own_space_private_machines_are_ours_else_who_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
