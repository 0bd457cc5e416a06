/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and questions after RFC 1035, section 4.
 */
#include "format/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUERY "\x12\x34\x01\0\0\1\0\0\0\0\0\0"

static int question(const char *bytes, size_t n, struct dns_question *q)
{
    uint8_t *exact = calloc(1, n ? n : 1);
    memcpy(exact, bytes, n);
    int e = dns_question_read(exact, n, q);
    free(exact);
    return e;
}
#define QUESTION(bytes, q) question(bytes, sizeof(bytes) - 1, q)

static void a_question_gives_its_name_in_lower_case(void **state)
{
    (void)state;
    struct dns_question q;
    assert_int_equal(QUESTION(QUERY "\3WwW\7ExAmPlE\2vN\0\0\x1c\0\1", &q), 0);
    assert_string_equal(q.name, "www.example.vn");
    assert_int_equal(q.n_name, 14);
    assert_int_equal(q.type, 28);
    assert_int_equal(q.class, 1);
    assert_int_equal(q.id, 0x1234);
    assert_false(q.is_response);
    assert_int_equal(QUESTION("\0\1\x81\x83\0\1\0\0\0\0\0\0\0\0\2\0\1", &q), 0);
    assert_string_equal(q.name, ".");
    assert_true(q.is_response);
    assert_int_equal(q.response_code, 3);
    assert_int_equal(QUESTION(QUERY "\5_http\4_tcp\5local\0\0\x0c\x80\1", &q), 0); /* multicast, unicast answer wanted */
    assert_string_equal(q.name, "_http._tcp.local");
}

static void strange_bytes_of_labels_are_escaped(void **state)
{
    (void)state;
    struct dns_question q;
    assert_int_equal(QUESTION(QUERY "\5a.b\\c\4\0\x7f\xff \0\0\1\0\1", &q), 0);
    assert_string_equal(q.name, "a\\.b\\\\c.\\000\\127\\255\\032");
}

static void compression_follows_the_example_of_the_standard(void **state)
{
    (void)state;
    /* RFC 1035 4.1.4: at 20 F.ISI.ARPA, at 40 FOO and a pointer to 20, at 64 a pointer to 26, at 92 the root */
    uint8_t p[93] = {0};
    memcpy(p + 20, "\1F\3ISI\4ARPA\0", 12);
    memcpy(p + 40, "\3FOO\xc0\x14", 6);
    memcpy(p + 64, "\xc0\x1a", 2);
    static const struct {
        size_t at, behind;
        const char *want;
    } rows[] = {{20, 32, "f.isi.arpa"}, {40, 46, "foo.f.isi.arpa"}, {64, 66, "arpa"}, {92, 93, "."}};
    for (size_t i = 0; i < 4; i++) {
        char out[DNS_NAME_TEXT_MAX];
        size_t at = rows[i].at;
        assert_int_equal(dns_name_read(p, sizeof(p), &at, out), strlen(rows[i].want));
        assert_string_equal(out, rows[i].want);
        assert_int_equal(at, rows[i].behind);
    }
}

static void what_cannot_be_a_message_is_malformed(void **state)
{
    (void)state;
    struct dns_question q;
    assert_int_equal(QUESTION("", &q), DNS_MALFORMED);
    assert_int_equal(QUESTION("\x12\x34\x01\0\0\1\0\0\0\0\0", &q), DNS_MALFORMED);
    assert_int_equal(QUESTION(QUERY "\3www\0\0\1\0", &q), DNS_MALFORMED);
    assert_int_equal(QUESTION(QUERY "\3www\0\0\1\0\7", &q), DNS_MALFORMED);     /* class 7 */
    assert_int_equal(QUESTION(QUERY "\xc0\x0c\0\1\0\1", &q), DNS_MALFORMED);    /* points at itself */
    assert_int_equal(QUESTION(QUERY "\1a\xc0\x0c\0\1\0\1", &q), DNS_MALFORMED); /* a loop */
    assert_int_equal(QUESTION(QUERY "\xc0\xff\0\1\0\1", &q), DNS_MALFORMED);    /* beyond the end */
    assert_int_equal(QUESTION(QUERY "\x41" "aaa\0\0\1\0\1", &q), DNS_MALFORMED);
    assert_int_equal(QUESTION("\0\1\0\0\0\x20\0\0\0\0\0\0\1a\0\0\1\0\1", &q), DNS_MALFORMED); /* 32 questions */
    assert_int_equal(QUESTION("\0\1\x80\0\0\0\0\1\0\0\0\0", &q), DNS_NO_QUESTION);
}

static void a_name_of_more_than_255_bytes_is_malformed(void **state)
{
    (void)state;
    for (unsigned labels = 126; labels <= 128; labels++) {
        uint8_t p[300];
        char out[DNS_NAME_TEXT_MAX];
        size_t at = 0;
        for (unsigned i = 0; i < labels; i++)
            memcpy(p + 2 * i, "\1x", 2);
        p[2 * labels] = 0;
        size_t n = dns_name_read(p, 2 * labels + 1, &at, out);
        assert_int_equal(n, labels <= 127 ? 2 * labels - 1 : 0); /* 127 * 2 + 1 = 255 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_gives_its_name_in_lower_case),
        cmocka_unit_test(strange_bytes_of_labels_are_escaped),
        cmocka_unit_test(compression_follows_the_example_of_the_standard),
        cmocka_unit_test(what_cannot_be_a_message_is_malformed),
        cmocka_unit_test(a_name_of_more_than_255_bytes_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
