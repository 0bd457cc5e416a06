/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams cut into fragments come out as they were, in whatever order; what contradicts itself does not come out. */
#include "cmocka_house.h"
#include "failing_alloc.h"

#include "format/pcap.h"
#include "watch/intake/reassembly.h"

#include <errno.h>

enum { PAYLOAD = 3000, FRAME_MAX = 2048, PIECE = 1024 };

struct frame {
    uint8_t p[FRAME_MAX];
    size_t n;
};

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* datagram - UDP header (RFC 768) and a payload that differs at every place. */
static size_t datagram(uint8_t *p, size_t n_payload, unsigned salt)
{
    put16(p, 2055), put16(p + 2, 9995), put16(p + 4, (unsigned)(8 + n_payload)), put16(p + 6, 0);
    for (size_t i = 0; i < n_payload; i++)
        p[8 + i] = (uint8_t)(i * 7 + i / 256 + salt);
    return 8 + n_payload;
}

/* ip4 - RFC 791 3.1, raw link: bytes [from, from + n) of the datagram. */
static struct frame ip4(const uint8_t *d, size_t from, size_t n, bool has_more, unsigned id)
{
    struct frame f = {.n = 20 + n};
    f.p[0] = 0x45;
    put16(f.p + 2, (unsigned)f.n), put16(f.p + 4, id), put16(f.p + 6, (unsigned)(from / 8) | (has_more ? 0x2000 : 0));
    f.p[8] = 64, f.p[9] = 17;
    f.p[12] = 192, f.p[15] = 1, f.p[16] = 192, f.p[19] = 2;
    memcpy(f.p + 20, d + from, n);
    return f;
}

/* ip6 - RFC 8200 3 and 4.5. */
static struct frame ip6(const uint8_t *d, size_t from, size_t n, bool has_more, unsigned id)
{
    struct frame f = {.n = 48 + n};
    f.p[0] = 0x60, f.p[6] = 44, f.p[7] = 64;
    put16(f.p + 4, (unsigned)(8 + n));
    f.p[8] = 0x20, f.p[23] = 1, f.p[24] = 0x20, f.p[39] = 2;
    f.p[40] = 17;
    put16(f.p + 42, (unsigned)from | has_more), put16(f.p + 46, id);
    memcpy(f.p + 48, d + from, n);
    return f;
}

static int take(struct reassembly *r, const struct frame *f, int64_t now_us, struct packet *ret, uint64_t *n_lost)
{
    uint64_t lost;
    int rc = packet_udp_payload(PCAP_LINK_RAW, f->p, f->n, f->n, ret);
    assert_int_equal(rc, PACKET_IN_PARTS);
    assert_true(ret->is_fragment);
    rc = reassembly_take(r, ret, now_us, ret, &lost);
    *n_lost += lost;
    return rc;
}

static void assert_is(const struct packet *k, const uint8_t *d, size_t n)
{
    assert_int_equal(k->n_payload_bytes, n - 8);
    assert_memory_equal(k->payload, d + 8, n - 8);
    assert_int_equal(k->source_port, 2055);
    assert_int_equal(k->destination_port, 9995);
}

static void fragments_in_any_order_and_twice_make_the_datagram(void **state)
{
    (void)state;
    static const unsigned orders[][6] = {{0, 1, 2, 9}, {2, 1, 0, 9}, {1, 0, 2, 9}, {0, 0, 2, 2, 1, 9}, {2, 0, 0, 1, 9}};
    uint8_t d[PAYLOAD + 8];
    size_t n = datagram(d, PAYLOAD, 1);
    for (size_t o = 0; o < COUNT_OF(orders) * 2; o++) {
        struct reassembly *r = reassembly_new(4);
        uint64_t n_lost = 0, n_whole = 0;
        for (size_t k = 0; orders[o / 2][k] != 9; k++) {
            size_t from = orders[o / 2][k] * PIECE, n_piece = n - from < PIECE ? n - from : PIECE;
            struct frame f = (o % 2 ? ip6 : ip4)(d, from, n_piece, from + n_piece < n, 77);
            struct packet whole;
            if (take(r, &f, 1000, &whole, &n_lost) == REASSEMBLY_HELD)
                continue;
            assert_is(&whole, d, n);
            n_whole++;
        }
        assert_int_equal(n_whole, 1);
        assert_int_equal(n_lost + reassembly_give_up(r), 0);
        reassembly_free(r);
    }
}

static void datagrams_side_by_side_stay_apart_and_an_id_may_return(void **state)
{
    (void)state;
    uint8_t a[PAYLOAD + 8], b[PAYLOAD + 8];
    size_t n = datagram(a, 1500, 1);
    struct reassembly *r = reassembly_new(4);
    struct packet k;
    uint64_t n_lost = 0;
    (void)datagram(b, 1500, 2);
    struct frame a0 = ip4(a, 0, PIECE, true, 1), a1 = ip4(a, PIECE, n - PIECE, false, 1);
    struct frame b0 = ip4(b, 0, PIECE, true, 2), b1 = ip4(b, PIECE, n - PIECE, false, 2);
    assert_int_equal(take(r, &a0, 0, &k, &n_lost), REASSEMBLY_HELD);
    assert_int_equal(take(r, &b1, 0, &k, &n_lost), REASSEMBLY_HELD);
    assert_int_equal(take(r, &a1, 0, &k, &n_lost), 0);
    assert_is(&k, a, n);
    assert_int_equal(take(r, &b0, 0, &k, &n_lost), 0);
    assert_is(&k, b, n);
    b0 = ip4(b, 0, PIECE, true, 1), b1 = ip4(b, PIECE, n - PIECE, false, 1); /* the id of the first again */
    assert_int_equal(take(r, &b0, 1, &k, &n_lost), REASSEMBLY_HELD);
    assert_int_equal(take(r, &b1, 1, &k, &n_lost), 0);
    assert_is(&k, b, n);
    assert_int_equal(n_lost + reassembly_give_up(r), 0);
    reassembly_free(r);
}

/* what is sent: offset, bytes, more; the second one contradicts the first */
static void what_contradicts_itself_is_given_up_once(void **state)
{
    (void)state;
    static const struct {
        struct {
            size_t from, n;
            bool has_more;
            unsigned salt;
        } part[3];
    } cases[] = {
        {{{0, 1024, true, 1}, {512, 1024, true, 2}, {1024, 100, false, 1}}},   /* overlap with other bytes */
        {{{0, 1024, true, 1}, {1024, 1020, true, 1}, {2048, 100, false, 1}}},  /* no multiple of eight */
        {{{1024, 100, false, 1}, {2048, 100, false, 1}, {0, 1024, true, 1}}},  /* two ends */
        {{{2048, 512, true, 1}, {1024, 100, false, 1}, {0, 1024, true, 1}}},   /* something behind the end */
        {{{1024, 100, false, 1}, {2048, 512, true, 1}, {0, 1024, true, 1}}},
    };
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct reassembly *r = reassembly_new(4);
        uint64_t n_lost = 0;
        for (size_t i = 0; i < 3; i++) {
            uint8_t d[PAYLOAD + 8];
            struct packet k;
            (void)datagram(d, PAYLOAD, cases[c].part[i].salt);
            struct frame f = ip4(d, cases[c].part[i].from, cases[c].part[i].n, cases[c].part[i].has_more, 5);
            assert_int_equal(take(r, &f, 0, &k, &n_lost), REASSEMBLY_HELD);
        }
        assert_int_equal(n_lost, 1);
        assert_int_equal(reassembly_give_up(r), 0);
        reassembly_free(r);
    }
}

static void a_datagram_longer_than_ip_allows_is_given_up(void **state)
{
    (void)state;
    static uint8_t d[70000];
    struct reassembly *r = reassembly_new(4);
    struct packet k;
    uint64_t n_lost = 0;
    struct frame f = ip4(d, 65528, 1024, false, 5); /* RFC 791: at most 65535 */
    assert_int_equal(take(r, &f, 0, &k, &n_lost), REASSEMBLY_HELD);
    assert_int_equal(n_lost, 1);
    reassembly_free(r);
}

static void what_never_becomes_whole_gives_way_by_age_and_by_number(void **state)
{
    (void)state;
    uint8_t d[PAYLOAD + 8];
    struct reassembly *r = reassembly_new(4);
    struct packet k;
    uint64_t n_lost = 0;
    (void)datagram(d, PAYLOAD, 1);
    for (unsigned id = 0; id < 10; id++) {
        struct frame f = ip4(d, 0, PIECE, true, id);
        assert_int_equal(take(r, &f, id, &k, &n_lost), REASSEMBLY_HELD);
        assert_int_equal(n_lost, id < 4 ? 0 : id - 3);
    }
    struct frame f = ip4(d, 0, PIECE, true, 100);
    assert_int_equal(take(r, &f, REASSEMBLY_LIFE_US + 8, &k, &n_lost), REASSEMBLY_HELD);
    assert_int_equal(n_lost, 6 + 3); /* of 6, 7, 8; 9 is not old enough */
    assert_int_equal(reassembly_give_up(r), 2);
    reassembly_free(r);
}

static int one_fragment(void *context)
{
    uint64_t n_lost = 0;
    struct packet k;
    struct reassembly *r = reassembly_new(4);
    int rc = r ? take(r, context, 0, &k, &n_lost) : -ENOMEM;
    reassembly_free(r);
    return rc == REASSEMBLY_HELD ? 0 : rc;
}

static void memory_that_runs_out_is_said(void **state)
{
    (void)state;
    uint8_t d[PAYLOAD + 8];
    (void)datagram(d, PAYLOAD, 1);
    struct frame f = ip4(d, 0, PIECE, true, 1);
    assert_int_equal(failing_alloc_each("a fragment", one_fragment, &f, false), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_in_any_order_and_twice_make_the_datagram),
        cmocka_unit_test(datagrams_side_by_side_stay_apart_and_an_id_may_return),
        cmocka_unit_test(what_contradicts_itself_is_given_up_once),
        cmocka_unit_test(a_datagram_longer_than_ip_allows_is_given_up),
        cmocka_unit_test(what_never_becomes_whole_gives_way_by_age_and_by_number),
        cmocka_unit_test(memory_that_runs_out_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
