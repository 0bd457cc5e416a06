/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client hellos built here; the fingerprints expected are those that the
 * makers of JA3 and JA4 publish for the same lists.
 */
#include "format/tls.h"
#include "tls_hello_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct hello_build h;
static struct tls_hello hello;

static int read_exact(const uint8_t *p, size_t n, int (*read)(const uint8_t *, size_t, struct tls_hello *))
{
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    memset(&hello, 0x55, sizeof(hello));
    int e = read(exact, n, &hello);
    free(exact);
    return e;
}

/* the worked example of the JA4 technical details: Chrome, with GREASE put in where it sends it */
static void chrome(void)
{
    static const uint16_t ciphers[] = {0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                                       0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
    static const uint16_t signatures[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};
    static const uint16_t groups[] = {0xdada, 0x001d, 0x0017, 0x0018};
    static const unsigned others[] = {0x4469, 0x0017, 0x002d};
    hello_begin(&h, 0x0303, ciphers, 16);
    hello_extension(&h, 0xeaea, "", 0);
    hello_extension(&h, 0x001b, "\2\0\2", 3);
    hello_name(&h, "Example.COM");
    hello_extension(&h, 0x0033, "", 0);
    hello_alpn(&h, "h2", 2);
    for (size_t i = 0; i < 3; i++)
        hello_extension(&h, others[i], "", 0);
    hello_list(&h, 13, signatures, 8);
    hello_extension(&h, 0x0005, "", 0);
    hello_extension(&h, 0x0023, "", 0);
    hello_extension(&h, 0x0012, "", 0);
    hello_extension(&h, 43, "\6\x7a\x7a\3\4\3\3", 7);
    hello_extension(&h, 0xff01, "\0", 1);
    hello_extension(&h, 11, "\1\0", 2);
    hello_list(&h, 10, groups, 4);
    hello_extension(&h, 0x0015, "", 0);
    hello_extension(&h, 0x1a1a, "\0", 1);
    hello_end(&h);
}

static void ja4_of_the_published_example(void **state)
{
    (void)state;
    chrome();
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
    assert_string_equal(hello.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_string_equal(hello.server_name, "example.com");
    assert_int_equal(hello.n_server_name, 11);
    assert_int_equal(hello.version, 0x0304);
}

static void ja3_of_the_published_examples(void **state)
{
    (void)state;
    static const uint16_t ciphers[] = {47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4};
    static const uint16_t few[] = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99};
    static const uint16_t groups[] = {23, 24, 25};
    hello_begin(&h, 769, ciphers, 12);
    hello_name(&h, "a.example");
    hello_list(&h, 10, groups, 3);
    hello_extension(&h, 11, "\1\0", 2);
    hello_end(&h);
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
    assert_string_equal(hello.ja3, "ada70206e40642a3e4461f35503241d5");
    hello_begin(&h, 769, few, 11); /* no extensions at all */
    hello_end(&h);
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
    assert_string_equal(hello.ja3, "de350869b8c85de67a350c8d186f11e6");
    assert_memory_equal(hello.ja4, "t10i110000_", 11);
    assert_string_equal(hello.ja4 + 24, "000000000000");
    assert_int_equal(hello.n_server_name, 0);
}

static void alpn_that_is_no_text_is_written_in_hexadecimal(void **state)
{
    (void)state;
    /* the cases of the JA4 technical details */
    static const struct {
        const char *alpn;
        size_t n;
        const char *want;
    } rows[] = {{"\xab", 1, "ab"},       {"\xab\xcd", 2, "ad"},         {"\x30\xab", 2, "3b"},
                {"\x30\x31\xab\xcd", 4, "3d"}, {"\x30\xab\xcd\x31", 4, "01"}, {"http/1.1", 8, "h1"},
                {"h2", 2, "h2"},         {"x", 1, "xx"}};
    static const uint16_t ciphers[] = {0x1301};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        hello_begin(&h, 0x0303, ciphers, 1);
        hello_alpn(&h, rows[i].alpn, rows[i].n);
        hello_end(&h);
        assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
        if (memcmp(hello.ja4 + 8, rows[i].want, 2))
            fail_msg("row %zu: %.10s", i, hello.ja4);
    }
}

static void every_cut_asks_for_more(void **state)
{
    (void)state;
    chrome();
    for (size_t n = 0; n < h.n; n++)
        assert_int_equal(read_exact(h.p, n, tls_hello_read), TLS_MORE);
    h.p[h.n++] = 0x14; /* what follows does not matter */
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
}

static void a_hello_over_several_records_is_one(void **state)
{
    (void)state;
    chrome();
    for (size_t piece = 4; piece < 200; piece += 13) {
        uint8_t out[4096];
        size_t n = 0;
        for (size_t at = 5; at < h.n; at += piece) {
            size_t take = h.n - at < piece ? h.n - at : piece;
            if (n == 0 && take < 4)
                continue;
            const uint8_t head[5] = {22, 3, 1, (uint8_t)(take >> 8), (uint8_t)take};
            memcpy(out + n, head, 5);
            memcpy(out + n + 5, h.p + at, take);
            n += 5 + take;
        }
        int e = read_exact(out, n, tls_hello_read);
        if ((h.n - 5 + piece - 1) / piece > 64) {
            assert_int_equal(e, TLS_MALFORMED); /* more records than anybody sends */
            continue;
        }
        assert_int_equal(e, 0);
        assert_string_equal(hello.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_int_equal(read_exact(out, n - 1, tls_hello_read), TLS_MORE);
    }
}

static void what_is_no_hello_is_told_at_its_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
        int want;
    } rows[] = {
        {"", 0, TLS_MORE},
        {"\x16", 1, TLS_MORE},
        {"GET / HTTP/1.1", 14, TLS_NOT_HELLO},
        {"\x17\3\3\0\x20", 5, TLS_NOT_HELLO},
        {"\x16\3\1\0\x20\2", 6, TLS_NOT_HELLO},                 /* a server hello */
        {"\x16\3\1\0\x20\1\1\0\0\0", 10, TLS_NOT_HELLO},        /* 64 KiB of hello */
        {"\x16\3\1\0\x20\1\0\x80\0\0", 10, TLS_MALFORMED},      /* above the limit */
        {"\x16\3\1\0\2\1\0\0\x20\0", 10, TLS_MALFORMED},        /* a record too short for a header */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (read_exact((const uint8_t *)rows[i].p, rows[i].n, tls_hello_read) != rows[i].want)
            fail_msg("row %zu", i);
}

static void lengths_that_lie_are_malformed(void **state)
{
    (void)state;
    chrome();
    h.p[h.extensions_at + 1]++; /* longer than the hello */
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), TLS_MALFORMED);
    chrome();
    h.p[h.extensions_at + 5] = 0xff; /* the first extension longer than all */
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), TLS_MALFORMED);
    chrome();
    h.p[9 + 34] = 200; /* the session identifier swallows the rest */
    int e = read_exact(h.p, h.n, tls_hello_read);
    assert_true(e == TLS_MALFORMED || e == 0);
    chrome();
    for (size_t i = 0; i < h.n; i++) { /* no single wrong byte makes it read too far */
        uint8_t was = h.p[i];
        h.p[i] ^= 0xff;
        (void)read_exact(h.p, h.n, tls_hello_read);
        h.p[i] = was;
    }
}

static void odd_bytes_of_a_server_name_are_escaped(void **state)
{
    (void)state;
    static const uint16_t ciphers[] = {0x1301};
    hello_begin(&h, 0x0303, ciphers, 1);
    hello_name(&h, "a\x01\xff.example");
    hello_end(&h);
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
    assert_string_equal(hello.server_name, "a\\x01\\xff.example");
}

static void counts_stop_at_ninety_nine_and_long_lists_sort(void **state)
{
    (void)state;
    static uint16_t ciphers[4000];
    for (unsigned i = 0; i < 4000; i++)
        ciphers[i] = (uint16_t)(i * 7919 + 1);
    hello_begin(&h, 0x0303, ciphers, 4000);
    for (unsigned i = 0; i < 200; i++)
        hello_extension(&h, 0x5000 + i, "", 0);
    hello_end(&h);
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
    assert_memory_equal(hello.ja4, "t12i999900_", 11);
    char first[TLS_JA4_MAX];
    memcpy(first, hello.ja4, sizeof(first));
    for (unsigned i = 0; i < 2000; i++) { /* another order, the same fingerprint */
        uint16_t one = ciphers[i];
        ciphers[i] = ciphers[3999 - i];
        ciphers[3999 - i] = one;
    }
    hello_begin(&h, 0x0303, ciphers, 4000);
    for (unsigned i = 200; i-- > 0;)
        hello_extension(&h, 0x5000 + i, "", 0);
    hello_end(&h);
    assert_int_equal(read_exact(h.p, h.n, tls_hello_read), 0);
    assert_string_equal(hello.ja4, first);
}

static void a_dtls_hello_reads_behind_its_cookie(void **state)
{
    (void)state;
    static const uint8_t datagram[] = {
        22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 57,               /* record */
        1, 0, 0, 45, 0, 0, 0, 0, 0, 0, 0, 45,                        /* handshake, whole */
        0xfe, 0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
        28, 29, 30, 31, 32, 0, 3, 'c', 'k', 'e', 0, 2, 0xc0, 0x2b, 1, 0,
        0xff};
    assert_int_equal(read_exact(datagram, sizeof(datagram) - 1, dtls_hello_read), 0);
    assert_memory_equal(hello.ja4, "dd2i010000_", 11);
    for (size_t n = 0; n < sizeof(datagram) - 1; n++)
        assert_true(read_exact(datagram, n, dtls_hello_read) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ja4_of_the_published_example),
        cmocka_unit_test(ja3_of_the_published_examples),
        cmocka_unit_test(alpn_that_is_no_text_is_written_in_hexadecimal),
        cmocka_unit_test(every_cut_asks_for_more),
        cmocka_unit_test(a_hello_over_several_records_is_one),
        cmocka_unit_test(what_is_no_hello_is_told_at_its_first_bytes),
        cmocka_unit_test(lengths_that_lie_are_malformed),
        cmocka_unit_test(odd_bytes_of_a_server_name_are_escaped),
        cmocka_unit_test(counts_stop_at_ninety_nine_and_long_lists_sort),
        cmocka_unit_test(a_dtls_hello_reads_behind_its_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
