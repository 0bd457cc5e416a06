/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture files written here byte by byte after the drafts of pcap and pcapng.
 */
#include "failing_alloc.h"
#include "format/pcap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct writer {
    uint8_t p[4096];
    size_t n;
    bool is_big;
};

static void put(struct writer *w, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w->p[w->n++] = (uint8_t)(v >> 8 * (w->is_big ? n - 1 - i : i));
}

static void fill(struct writer *w, const char *text, size_t n)
{
    memcpy(w->p + w->n, text, n);
    w->n += n;
}

static void classic_header(struct writer *w, uint32_t magic, uint32_t link)
{
    put(w, magic, 4);
    put(w, 2, 2);
    put(w, 4, 2);
    put(w, 0, 8);
    put(w, 65535, 4);
    put(w, link, 4);
}

static void section(struct writer *w)
{
    put(w, 0x0A0D0D0A, 4);
    put(w, 28, 4);
    put(w, 0x1A2B3C4D, 4);
    put(w, 1, 2);
    put(w, 0, 2);
    put(w, UINT64_MAX, 8);
    put(w, 28, 4);
}

static void interface(struct writer *w, uint16_t link, uint32_t snap, int tsresol, int64_t tsoffset)
{
    uint32_t n = 20u + (tsresol >= 0 ? 8u : 0u) + (tsoffset ? 12u : 0u);
    put(w, 1, 4);
    put(w, n, 4);
    put(w, link, 2);
    put(w, 0, 2);
    put(w, snap, 4);
    if (tsresol >= 0) {
        put(w, 9, 2);
        put(w, 1, 2);
        put(w, (uint8_t)tsresol, 1);
        fill(w, "\0\0\0", 3);
    }
    if (tsoffset) {
        put(w, 14, 2);
        put(w, 8, 2);
        put(w, (uint64_t)tsoffset, 8);
    }
    put(w, n, 4);
}

static void enhanced(struct writer *w, uint32_t number, uint64_t units, const char *text, uint32_t original)
{
    uint32_t n_data = (uint32_t)strlen(text), padded = (n_data + 3) & ~3u;
    put(w, 6, 4);
    put(w, 32 + padded, 4);
    put(w, number, 4);
    put(w, units >> 32, 4);
    put(w, units & 0xffffffff, 4);
    put(w, n_data, 4);
    put(w, original, 4);
    fill(w, text, n_data);
    fill(w, "\0\0\0", padded - n_data);
    put(w, 32 + padded, 4);
}

struct seen {
    struct pcap_packet packets[16];
    char bytes[16][64];
    int n, stop_after;
};

static int see(void *context, const struct pcap_packet *packet)
{
    struct seen *s = context;
    assert_true(s->n < 16 && packet->n_captured < 64);
    s->packets[s->n] = *packet;
    memcpy(s->bytes[s->n], packet->p, packet->n_captured);
    s->n++;
    return s->n == s->stop_after ? -EPIPE : 0;
}

/* fed whole, byte by byte, and in sevens the file must read alike */
static int read_pieces(const struct writer *w, size_t piece, struct seen *s, struct pcap *r)
{
    *r = (struct pcap){0};
    *s = (struct seen){0};
    for (size_t at = 0; at < w->n; at += piece) {
        size_t n = w->n - at < piece ? w->n - at : piece;
        uint8_t exact[4096];
        memcpy(exact, w->p + at, n);
        int e = pcap_feed(r, exact, n, see, s);
        if (e)
            return e;
    }
    return pcap_end(r);
}

static const size_t pieces[] = {4096, 1, 7};

static void every_magic_and_byte_order_gives_the_same_packet(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic, fraction;
        bool is_big, is_modified;
    } kinds[] = {
        {0xa1b2c3d4, 123456, false, false}, {0xa1b2c3d4, 123456, true, false}, {0xa1b23c4d, 123456789, false, false},
        {0xa1b23c4d, 123456789, true, false}, {0xa1b2cd34, 123456, false, true}, {0xa1b2cd34, 123456, true, true},
    };
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
        for (size_t c = 0; c < 3; c++) {
            struct writer w = {.is_big = kinds[k].is_big};
            struct pcap r;
            struct seen s;
            classic_header(&w, kinds[k].magic, 0xf0000065); /* four bits of a frame check sequence above RAW */
            for (int i = 0; i < 2; i++) {
                put(&w, 0xF0000000u, 4); /* 2097: above 2^31 seconds */
                put(&w, kinds[k].fraction, 4);
                put(&w, 5, 4);
                put(&w, 1500, 4);
                if (kinds[k].is_modified)
                    fill(&w, "\1\2\3\4\5\6\7\10", 8);
                fill(&w, i ? "world" : "hello", 5);
            }
            assert_int_equal(read_pieces(&w, pieces[c], &s, &r), 0);
            assert_int_equal(s.n, 2);
            assert_int_equal(s.packets[1].timestamp_us, INT64_C(0xF0000000) * 1000000 + 123456);
            assert_int_equal(s.packets[1].n_original, 1500);
            assert_int_equal(s.packets[1].link, PCAP_LINK_RAW);
            assert_memory_equal(s.bytes[0], "hello", 5);
            assert_memory_equal(s.bytes[1], "world", 5);
            pcap_fini(&r);
        }
}

static void a_cut_file_delivers_what_is_whole_and_says_so(void **state)
{
    (void)state;
    for (size_t c = 0; c < 3; c++)
        for (size_t cut = 1; cut < 21; cut++) {
            struct writer w = {0};
            struct pcap r;
            struct seen s;
            classic_header(&w, 0xa1b2c3d4, 1);
            for (int i = 0; i < 2; i++) {
                put(&w, 1, 8);
                put(&w, 5, 4);
                put(&w, 5, 4);
                fill(&w, "hello", 5);
            }
            w.n -= cut;
            assert_int_equal(read_pieces(&w, pieces[c], &s, &r), PCAP_TRUNCATED);
            assert_int_equal(s.n, 1);
            pcap_fini(&r);
        }
}

static void what_is_no_capture_is_refused_at_its_magic(void **state)
{
    (void)state;
    struct writer w = {0};
    struct pcap r;
    struct seen s;
    fill(&w, "StartTime,Dur,Proto", 19);
    for (size_t c = 0; c < 3; c++) {
        assert_int_equal(read_pieces(&w, pieces[c], &s, &r), PCAP_NOT_CAPTURE);
        assert_int_equal(pcap_feed(&r, w.p, 1, see, &s), PCAP_NOT_CAPTURE);
        pcap_fini(&r);
    }
    w.n = 0;
    assert_int_equal(read_pieces(&w, 1, &s, &r), PCAP_NOT_CAPTURE);
    assert_false(pcap_is_magic((const uint8_t *)"\xa1\xb2\xc3", 3));
    assert_true(pcap_is_magic((const uint8_t *)"\xa1\xb2\xc3\xd4", 4));
    assert_true(pcap_is_magic((const uint8_t *)"\x4d\x3c\xb2\xa1", 4));
    assert_true(pcap_is_magic((const uint8_t *)"\x0a\x0d\x0d\x0a", 4));
    assert_false(pcap_is_magic((const uint8_t *)"\x0a\x0d\x0d\x0b", 4));
}

static void a_length_above_the_limit_ends_the_file(void **state)
{
    (void)state;
    struct writer w = {0};
    struct pcap r;
    struct seen s;
    classic_header(&w, 0xa1b2c3d4, 1);
    put(&w, 0, 8);
    put(&w, PCAP_PACKET_MAX + 1, 4);
    put(&w, PCAP_PACKET_MAX + 1, 4);
    assert_int_equal(read_pieces(&w, 4096, &s, &r), PCAP_MALFORMED);
    assert_int_equal(s.n, 0);
    pcap_fini(&r);
}

static void pcapng_times_follow_resolution_and_offset(void **state)
{
    (void)state;
    static const struct {
        int tsresol;
        int64_t offset;
        uint64_t units;
        int64_t want_us;
    } rows[] = {
        {-1, 0, 1700000000123456, 1700000000123456},           /* default: 10^-6 */
        {9, 0, 1700000000123456789, 1700000000123456},         /* nanoseconds, cut */
        {3, 100, 1700000000123, 1700000100123000},             /* milliseconds and an offset */
        {0, -1700000000, 1700000007, 7000000},                 /* seconds, negative offset */
        {0x80 | 10, 0, (UINT64_C(5) << 10) + 512, 5500000},    /* 2^-10 */
        {6, 0, UINT64_MAX, INT64_C(4000000000000) * 1000000},  /* nonsense is held within 64 bits */
    };
    for (int big = 0; big < 2; big++)
        for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++)
            for (size_t c = 0; c < 3; c++) {
                struct writer w = {.is_big = big};
                struct pcap r;
                struct seen s;
                section(&w);
                interface(&w, PCAP_LINK_LINUX_SLL2, 0, rows[k].tsresol, rows[k].offset);
                enhanced(&w, 0, rows[k].units, "sevenby", 70);
                assert_int_equal(read_pieces(&w, pieces[c], &s, &r), 0);
                assert_int_equal(s.n, 1);
                assert_int_equal(s.packets[0].timestamp_us, rows[k].want_us);
                assert_int_equal(s.packets[0].link, PCAP_LINK_LINUX_SLL2);
                assert_int_equal(s.packets[0].n_captured, 7);
                assert_int_equal(s.packets[0].n_original, 70);
                pcap_fini(&r);
            }
}

static void simple_and_obsolete_blocks_deliver_and_strange_ones_are_counted(void **state)
{
    (void)state;
    struct writer w = {0};
    section(&w);
    put(&w, 0x0BAD, 4); /* a custom block */
    put(&w, 16, 4);
    put(&w, 0, 4);
    put(&w, 16, 4);
    interface(&w, 1, 6, -1, 0);
    interface(&w, 101, 0, -1, 0);
    put(&w, 3, 4); /* simple: 9 bytes on the wire, 6 kept by the snap length */
    put(&w, 24, 4);
    put(&w, 9, 4);
    fill(&w, "simple\0\0", 8);
    put(&w, 24, 4);
    put(&w, 2, 4); /* obsolete packet block on interface 1 */
    put(&w, 36, 4);
    put(&w, 1, 2);
    put(&w, 0, 2);
    put(&w, 0, 4);
    put(&w, 42, 4);
    put(&w, 3, 4);
    put(&w, 3, 4);
    fill(&w, "old\0", 4);
    put(&w, 36, 4);
    enhanced(&w, 2, 1, "nobody", 6); /* interface 2 was never described */
    put(&w, 6, 4);                   /* captured length above the block */
    put(&w, 32, 4);
    put(&w, 0, 8);
    put(&w, 0, 4);
    put(&w, 4, 4);
    put(&w, 4, 4);
    put(&w, 32, 4);
    struct writer again = {.is_big = true}; /* a second section in the other byte order forgets the interfaces */
    section(&again);
    enhanced(&again, 0, 1, "nobody", 6);
    interface(&again, 228, 0, -1, 0);
    enhanced(&again, 0, 77, "ipv4", 4);
    fill(&w, (const char *)again.p, again.n);
    for (size_t c = 0; c < 3; c++) {
        struct pcap r;
        struct seen s;
        assert_int_equal(read_pieces(&w, pieces[c], &s, &r), 0);
        assert_int_equal(s.n, 3);
        assert_false(s.packets[0].has_time);
        assert_int_equal(s.packets[0].n_captured, 6);
        assert_int_equal(s.packets[0].n_original, 9);
        assert_memory_equal(s.bytes[0], "simple", 6);
        assert_int_equal(s.packets[1].timestamp_us, 42);
        assert_int_equal(s.packets[1].link, 101);
        assert_int_equal(s.packets[2].timestamp_us, 77);
        assert_int_equal(s.packets[2].link, 228);
        assert_int_equal(r.n_other_blocks, 1);
        assert_int_equal(r.n_no_interface, 2);
        assert_int_equal(r.n_bad_blocks, 1);
        pcap_fini(&r);
    }
}

static void broken_block_lengths_are_malformed(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 8, 13, 30};
    for (size_t k = 0; k < 4; k++) {
        struct writer w = {0};
        struct pcap r;
        struct seen s;
        section(&w);
        put(&w, 6, 4);
        put(&w, lengths[k], 4);
        assert_int_equal(read_pieces(&w, 5, &s, &r), PCAP_MALFORMED);
        pcap_fini(&r);
    }
    struct writer w = {0};
    struct pcap r;
    struct seen s;
    section(&w);
    interface(&w, 1, 0, -1, 0);
    w.p[w.n - 4] = 24; /* the second length differs from the first */
    assert_int_equal(read_pieces(&w, 4096, &s, &r), PCAP_MALFORMED);
    pcap_fini(&r);
}

static void an_answer_of_the_sink_ends_the_reading(void **state)
{
    (void)state;
    struct writer w = {0};
    section(&w);
    interface(&w, 1, 0, -1, 0);
    enhanced(&w, 0, 1, "one", 3);
    enhanced(&w, 0, 1, "two", 3);
    struct pcap r = {0};
    struct seen s = {.stop_after = 1};
    assert_int_equal(pcap_feed(&r, w.p, w.n, see, &s), -EPIPE);
    assert_int_equal(s.n, 1);
    assert_int_equal(pcap_end(&r), -EPIPE);
    pcap_fini(&r);
}

static void a_block_too_long_is_passed_over_without_memory(void **state)
{
    (void)state;
    struct writer w = {0};
    section(&w);
    interface(&w, 1, 0, -1, 0);
    uint32_t huge = (PCAP_RECORD_MAX + 4) & ~3u;
    put(&w, 6, 4);
    put(&w, huge, 4);
    struct pcap r = {0};
    struct seen s = {0};
    assert_int_equal(pcap_feed(&r, w.p, w.n, see, &s), 0);
    uint8_t zeros[1000] = {0};
    for (uint32_t left = huge - 8; left;) {
        uint32_t n = left < sizeof(zeros) ? left : (uint32_t)sizeof(zeros);
        assert_int_equal(pcap_feed(&r, zeros, n, see, &s), 0);
        left -= n;
    }
    assert_int_equal(pcap_end(&r), 0);
    w.n = 0;
    enhanced(&w, 0, 9, "next", 4);
    assert_int_equal(pcap_feed(&r, w.p, w.n, see, &s), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(r.n_too_long, 1);
    assert_true(r.pending.capacity < 4096);
    pcap_fini(&r);
}

static int reading(void *context)
{
    struct seen s;
    struct pcap r;
    int e = read_pieces(context, 7, &s, &r);
    pcap_fini(&r);
    assert_true(e == 0 || e == -ENOMEM);
    assert_int_equal(e ? 1 : s.n, 1);
    return e;
}

static void every_allocation_may_fail_once(void **state)
{
    (void)state;
    struct writer w = {0};
    section(&w);
    interface(&w, 1, 0, -1, 0);
    enhanced(&w, 0, 1, "one", 3);
    assert_true(failing_alloc_each("reading a capture", reading, &w, false) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_magic_and_byte_order_gives_the_same_packet),
        cmocka_unit_test(a_cut_file_delivers_what_is_whole_and_says_so),
        cmocka_unit_test(what_is_no_capture_is_refused_at_its_magic),
        cmocka_unit_test(a_length_above_the_limit_ends_the_file),
        cmocka_unit_test(pcapng_times_follow_resolution_and_offset),
        cmocka_unit_test(simple_and_obsolete_blocks_deliver_and_strange_ones_are_counted),
        cmocka_unit_test(broken_block_lengths_are_malformed),
        cmocka_unit_test(an_answer_of_the_sink_ends_the_reading),
        cmocka_unit_test(a_block_too_long_is_passed_over_without_memory),
        cmocka_unit_test(every_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
