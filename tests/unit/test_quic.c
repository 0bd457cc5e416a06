/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initial packets built and protected here; the keys are checked against RFC 9001 in test_aes128.
 */
#include "format/quic.h"
#include "quic_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t id[8] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};

struct seen {
    uint8_t bytes[512];
    size_t n_pieces, n_bytes;
};

static void see(void *context, uint64_t offset, const uint8_t *p, size_t n)
{
    struct seen *s = context;
    assert_true(offset + n <= sizeof(s->bytes));
    memcpy(s->bytes + offset, p, n);
    s->n_pieces++;
    s->n_bytes += n;
}

static int read_exact(const uint8_t *p, size_t n, struct seen *s)
{
    *s = (struct seen){.n_pieces = 0};
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    int e = quic_initial_read(exact, n, see, s);
    free(exact);
    return e;
}

/* padding, ping, an acknowledgement with ranges and ECN, and two pieces in the wrong order */
static const uint8_t frames[] = {0, 0, 1, 3, 5, 0, 1, 0, 2, 2, 0x40, 9, 1, 1, 6, 5, 5, 'w', 'o', 'r', 'l', 'd',
                                 6, 0x40, 0, 0x80, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};

static void pieces_come_out_of_their_frames(void **state)
{
    (void)state;
    struct seen s;
    uint8_t p[256];
    for (uint32_t number = 0; number < 3; number++) {
        size_t n = quic_build(id, 8, number * 1000000007u, frames, sizeof(frames), p);
        assert_true(quic_is_long(p, n));
        assert_int_equal(read_exact(p, n, &s), 0);
        assert_int_equal(s.n_pieces, 2);
        assert_memory_equal(s.bytes, "helloworld", 10);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_not_equal(read_exact(p, cut, &s), 0);
    }
}

static void packets_of_one_datagram_are_all_read(void **state)
{
    (void)state;
    struct seen s;
    uint8_t p[512];
    size_t n = quic_build(id, 8, 0, frames, 22, p);
    n += quic_build(id, 8, 1, frames + 22, sizeof(frames) - 22, p + n);
    p[n++] = 0x40; /* a short header behind: passed over */
    assert_int_equal(read_exact(p, n, &s), 0);
    assert_int_equal(s.n_pieces, 2);
    assert_memory_equal(s.bytes, "helloworld", 10);
}

static void what_is_no_initial_packet_is_told(void **state)
{
    (void)state;
    struct seen s;
    uint8_t p[256];
    size_t n = quic_build(id, 8, 0, frames, sizeof(frames), p);
    p[4] = 9; /* an unknown version */
    assert_false(quic_is_long(p, n));
    assert_int_equal(read_exact(p, n, &s), QUIC_NOT_INITIAL);
    p[4] = 1;
    p[0] = (uint8_t)((p[0] & 0xcf) | 0x20); /* a handshake packet */
    assert_int_equal(read_exact(p, n, &s), QUIC_NOT_INITIAL);
    assert_int_equal(read_exact((const uint8_t *)"\x40\1\2\3\4\5\6\7\x08", 9, &s), QUIC_NOT_INITIAL);
    n = quic_build(id, 8, 0, frames, sizeof(frames), p);
    p[6] ^= 1; /* another id, so other keys: nonsense inside */
    int e = read_exact(p, n, &s);
    assert_true(e == QUIC_MALFORMED || s.n_bytes != 10);
    n = quic_build(id, 8, 0, (const uint8_t *)"\6\0\x20" "abcd", 7, p); /* a frame longer than the packet */
    assert_int_equal(read_exact(p, n, &s), QUIC_MALFORMED);
    n = quic_build(id, 8, 0, (const uint8_t *)"\x08\0\0\0", 4, p); /* a stream has no place here */
    assert_int_equal(read_exact(p, n, &s), QUIC_MALFORMED);
    n = quic_build(id, 8, 0, (const uint8_t *)"\2\1\1\xff\xff\xff\xff\xff\xff\xff\xff\1", 12, p); /* 2^62 ranges */
    assert_int_equal(read_exact(p, n, &s), QUIC_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_out_of_their_frames),
        cmocka_unit_test(packets_of_one_datagram_are_all_read),
        cmocka_unit_test(what_is_no_initial_packet_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
