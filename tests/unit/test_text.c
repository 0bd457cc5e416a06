/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8: RFC 3629 and the kinds of Kuhn's decoder stress test. Folding: the Vietnamese alphabet (12 vowels,
 * 6 tones, đ), Unicode's decompositions, and a published list of cases (shared/data/vn/text-normalisation.json).
 */
#include "base/text.h"
#include "cmocka_house.h"

#include <jansson.h>
#include <stdio.h>

static void fold(const char *in, char *out, size_t n_out)
{
    size_t n = text_fold((struct text){in, strlen(in)}, out, n_out);
    assert_int_equal(n, strlen(out));
}

static void expect_fold(const char *in, const char *expected)
{
    char out[512];
    fold(in, out, sizeof(out));
    if (strcmp(out, expected))
        fail_msg("\"%s\" folds to \"%s\", expected \"%s\"", in, out, expected);
}

static void every_vietnamese_letter_folds_to_its_base(void **state)
{
    (void)state;
    static const struct {
        const char *lower, *upper, *base;
    } cases[] = {
        {"aàảãáạ", "AÀẢÃÁẠ", "aaaaaa"},
        {"ăằẳẵắặ", "ĂẰẲẴẮẶ", "aaaaaa"},
        {"âầẩẫấậ", "ÂẦẨẪẤẬ", "aaaaaa"},
        {"eèẻẽéẹ", "EÈẺẼÉẸ", "eeeeee"},
        {"êềểễếệ", "ÊỀỂỄẾỆ", "eeeeee"},
        {"iìỉĩíị", "IÌỈĨÍỊ", "iiiiii"},
        {"oòỏõóọ", "OÒỎÕÓỌ", "oooooo"},
        {"ôồổỗốộ", "ÔỒỔỖỐỘ", "oooooo"},
        {"ơờởỡớợ", "ƠỜỞỠỚỢ", "oooooo"},
        {"uùủũúụ", "UÙỦŨÚỤ", "uuuuuu"},
        {"ưừửữứự", "ƯỪỬỮỨỰ", "uuuuuu"},
        {"yỳỷỹýỵ", "YỲỶỸÝỴ", "yyyyyy"},
        {"đ", "Đ", "d"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_fold(cases[i].lower, cases[i].base);
        expect_fold(cases[i].upper, cases[i].base);
    }
}

static void composed_and_decomposed_texts_fold_alike(void **state)
{
    (void)state;
    static const struct {
        const char *composed, *decomposed, *expected;
    } cases[] = {
        {"Vọng Gác", "Vo\xcc\xa3ng Ga\xcc\x81" "c", "vong gac"},
        {"ế", "e\xcc\x82\xcc\x81", "e"}, /* e, circumflex, acute */
        {"ự", "u\xcc\x9b\xcc\xa3", "u"}, /* u, horn, dot below */
        {"Địa chỉ IP", "Đi\xcc\xa3" "a chi\xcc\x89 IP", "dia chi ip"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_fold(cases[i].composed, cases[i].expected);
        expect_fold(cases[i].decomposed, cases[i].expected);
    }
}

static void western_letters_lose_their_marks_and_case(void **state)
{
    (void)state;
    expect_fold("ÀÇÉÎÑÕØÜÝ àçéîñõøüýÿ", "aceinoouy aceinoouyy");
    expect_fold("ĂĆĎĚĞĦĬĶŁŃŐŘŞŤŮŴŶŽ", "acdeghiklnorstuwyz");
    expect_fold("Æß×÷Þ Œœ", "æß×÷þ œœ"); /* no single base letter: kept, small */
    expect_fold("Ðà Nẵng", "da nang");      /* eth for đ, as old texts have it */
    expect_fold("Привет 東京", "Привет 東京");
}

static void runs_of_separators_become_one_blank(void **state)
{
    (void)state;
    static const char *const cases[] = {"Địa chỉ IP", "  địa\tchỉ  \r\n ip ", "ĐỊA_CHỈ_IP", "dia-chi-ip", "_-dia -_ chi--ip-_ ",
                                        "Dia\u00a0chi\u00a0\u00a0IP\u00a0"};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_fold(cases[i], "dia chi ip");
    expect_fold("", "");
    expect_fold(" _- ", "");
}

static void folding_cuts_on_a_character(void **state)
{
    (void)state;
    char out[8];
    static const struct {
        size_t room;
        const char *expected;
    } cases[] = {{1, ""}, {2, "a"}, {3, "a"}, {4, "a"}, {5, "a東"}, {7, "a東"}, {8, "a東京"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memset(out, 'x', sizeof(out));
        size_t n = text_fold(TEXT("Á東京"), out, cases[i].room);
        assert_int_equal(n, strlen(cases[i].expected));
        assert_string_equal(out, cases[i].expected);
    }
    out[0] = 'x';
    assert_int_equal(text_fold(TEXT("a"), out, 0), 0);
    assert_int_equal(out[0], 'x');
}

static void the_published_cases_fold(void **state)
{
    (void)state;
    const char *shared = getenv("VONGGAC_SHARED");
    char path[4096];
    snprintf(path, sizeof(path), "%s/data/vn/text-normalisation.json", shared ? shared : "../shared");
    json_t *all = json_load_file(path, 0, NULL);
    if (!all) {
        print_message("skipped: text-normalisation.json is not in VONGGAC_SHARED\n");
        skip();
    }
    json_t *cases = json_object_get(all, "remove_tone_mark_test.go"), *item;
    size_t i;
    assert_true(json_array_size(cases) >= 69);
    json_array_foreach(cases, i, item) {
        char expected[512];
        snprintf(expected, sizeof(expected), "%s", json_string_value(json_object_get(item, "want")));
        for (char *p = expected; *p; p++) /* theirs keeps the case, ours is a search form */
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
        expect_fold(json_string_value(json_object_get(item, "input")), expected);
    }
    json_decref(all);
}

static void well_formed_utf8_is_told_from_malformed(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "tiếng Việt",
    };
    static const char *const bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xe1\x80",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xf1\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe", "\xff", "abc\xff",
        "\xe1\x80\xe1\x80\x80",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (text_is_utf8(bad[i], strlen(bad[i])))
            fail_msg("malformed case %zu passes", i);
    assert_true(text_is_utf8("a\0b", 3));
}

static void every_code_point_survives_encoding_and_decoding(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        char bytes[4];
        size_t n = text_put(c, bytes);
        const char *p = bytes;
        if (text_next(&p, bytes + n) != c || p != bytes + n || !text_is_utf8(bytes, n))
            fail_msg("U+%04X", c);
    }
}

static void each_malformed_byte_is_one_replacement_character(void **state)
{
    (void)state;
    static const char text[] = "a\xff\xe1\x80" "b\xed\xa0\x80" "\xc2";
    static const uint32_t expected[] = {'a', 0xfffd, 0xfffd, 0xfffd, 'b', 0xfffd, 0xfffd, 0xfffd, 0xfffd};
    const char *p = text, *end = text + sizeof(text) - 1;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_true(p < end);
        assert_int_equal(text_next(&p, end), expected[i]);
    }
    assert_ptr_equal(p, end);
}

static void hostile_bytes_are_printable_after_escaping(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"Địa chỉ", "Địa chỉ"},
        {"a\nb\t\x1b[31m\x7f", "a\\x0ab\\x09\\x1b[31m\\x7f"},
        {"say \"\\\"", "say \\x22\\x5c\\x22"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc2\x9b" "31m", "\\xc2\\x9b31m"},                    /* CSI as one C1 character */
        {"a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb"},              /* right-to-left override */
        {"\xe2\x81\xa6x\xe2\x80\xa8", "\\xe2\\x81\\xa6x\\xe2\\x80\\xa8"}, /* isolate, line separator */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[128];
        assert_string_equal(text_escape(cases[i].in, strlen(cases[i].in), out, sizeof(out)), cases[i].out);
    }
}

static void escaping_stays_in_its_room_and_says_that_it_cut(void **state)
{
    (void)state;
    char long_text[300], out[300];
    memset(long_text, 'z', sizeof(long_text));
    long_text[200] = '\xff';
    for (size_t room = 1; room <= sizeof(out); room++) {
        memset(out, '#', sizeof(out));
        text_escape(long_text, sizeof(long_text), out, room);
        assert_true(strlen(out) < room);
        assert_true(text_is_utf8(out, strlen(out)));
        if (room >= 8)
            assert_non_null(strstr(out, "…"));
        if (room < sizeof(out))
            assert_int_equal(out[room], '#');
    }
}

static void trimming_takes_blanks_and_no_break_spaces_only(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"", ""}, {" \t\r\n ", ""}, {" a b ", "a b"}, {"\xc2\xa0 x\xc2\xa0", "x"}, {"\xc2\xa0\xc2\xa0", ""},
                 {"\xc3\xa0", "\xc3\xa0"}, {"a\xc2", "a\xc2"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(text_is(text_trim((struct text){cases[i].in, strlen(cases[i].in)}), cases[i].out));
}

static void comparisons_are_exact_or_ascii_case_blind(void **state)
{
    (void)state;
    assert_true(text_equal(TEXT(""), (struct text){NULL, 0}));
    assert_false(text_equal(TEXT("a"), TEXT("ab")));
    assert_true(text_is(TEXT("TCP"), "TCP"));
    assert_false(text_is(TEXT("TCP"), "tcp"));
    assert_true(text_is_nocase(TEXT("TcP"), "tCp"));
    assert_false(text_is_nocase(TEXT("tcp"), "tcpx"));
    assert_false(text_is_nocase(TEXT("@"), "`")); /* 0x40 and 0x60 differ by the case bit only */
}

static void numbers_are_digits_up_to_a_maximum(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        uint64_t max;
        int r;
        uint64_t v;
    } cases[] = {
        {"0", 0, 0, 0}, {"65535", 65535, 0, 65535}, {"65536", 65535, 1, 0}, {"007", 10, 0, 7},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX}, {"18446744073709551616", UINT64_MAX, 1, 0},
        {"99999999999999999999", UINT64_MAX, 1, 0}, {"100000000000000000000", UINT64_MAX, 1, 0}, {"", 9, 1, 0},
        {"-1", 9, 1, 0}, {"+1", 9, 1, 0}, {" 1", 9, 1, 0}, {"1 ", 9, 1, 0}, {"0x1", 99, 1, 0}, {"1.0", 99, 1, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t v = 0;
        assert_int_equal(text_u64((struct text){cases[i].in, strlen(cases[i].in)}, cases[i].max, &v), cases[i].r);
        assert_true(v == cases[i].v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vietnamese_letter_folds_to_its_base),
        cmocka_unit_test(composed_and_decomposed_texts_fold_alike),
        cmocka_unit_test(western_letters_lose_their_marks_and_case),
        cmocka_unit_test(runs_of_separators_become_one_blank),
        cmocka_unit_test(folding_cuts_on_a_character),
        cmocka_unit_test(the_published_cases_fold),
        cmocka_unit_test(well_formed_utf8_is_told_from_malformed),
        cmocka_unit_test(every_code_point_survives_encoding_and_decoding),
        cmocka_unit_test(each_malformed_byte_is_one_replacement_character),
        cmocka_unit_test(hostile_bytes_are_printable_after_escaping),
        cmocka_unit_test(escaping_stays_in_its_room_and_says_that_it_cut),
        cmocka_unit_test(trimming_takes_blanks_and_no_break_spaces_only),
        cmocka_unit_test(comparisons_are_exact_or_ascii_case_blind),
        cmocka_unit_test(numbers_are_digits_up_to_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
