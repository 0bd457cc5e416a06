/* SPDX-License-Identifier: Apache-2.0 */
/* desk/unit/unit_name: names as letters, lists and people write them; expected values are the words of the letters themselves. */
#include "cmocka_house.h"
#include "desk/unit/unit_name.h"

#include <errno.h>
#include <string.h>

#define JULY_2025 INT64_C(1751302800000000) /* 2025-07-01T00:00:00+07:00 */
#define IN_2024 INT64_C(1714496400000000)
#define IN_2026 INT64_C(1767200400000000)

static const char WORDS[] = "form,words\nubnd,uy ban nhan dan\ntttt,thong tin va truyen thong\ntt&tt,thong tin va truyen thong\n"
                            "tp,thanh pho\nhcm,ho chi minh\nt.,tinh\nkh&cn,khoa hoc va cong nghe\ncattt,cuc an toan thong tin\n";

static struct unit_words *words;

static int begin(void **state)
{
    (void)state;
    struct fault f = {0};
    return unit_words_read(WORDS, sizeof(WORDS) - 1, "words", &words, &f);
}

static int end(void **state)
{
    (void)state;
    unit_words_free(words);
    return 0;
}

static struct text text_of(const char *s)
{
    return (struct text){s, strlen(s)};
}

static void names_written_in_many_ways_have_one_folded_form(void **state)
{
    (void)state;
    static const struct {
        const char *written, *folded;
    } all[] = {
        {"UBND tỉnh Kon Tum", "uy ban nhan dan tinh kon tum"},
        {"  Ủy ban  nhân dân TỈNH Kon Tum ", "uy ban nhan dan tinh kon tum"},
        {"Uỷ ban nhân dân tỉnh Kon Tum", "uy ban nhan dan tinh kon tum"},
        {"Sở TT&TT tỉnh Lai Châu", "so thong tin va truyen thong tinh lai chau"},
        {"Sở TTTT T. Lai Châu", "so thong tin va truyen thong tinh lai chau"},
        {"SO THONG TIN VA TRUYEN THONG TINH LAI CHAU", "so thong tin va truyen thong tinh lai chau"},
        {"TP.HCM", "thanh pho ho chi minh"},
        {"TP. Hồ Chí Minh", "thanh pho ho chi minh"},
        {"Bà Rịa-Vũng Tàu", "ba ria vung tau"},
        {"Bà Rịa – Vũng Tàu", "ba ria vung tau"},
        {"VNCERT/CC", "vncert cc"},
        {"Đắk Lắk (tỉnh)", "dak lak tinh"},
        {"R&D & test", "r va d va test"},
        {"", ""},
        {" .,-/ ", ""},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        char out[UNIT_FOLD_BYTES];
        size_t n = unit_name_fold(words, text_of(all[i].written), out);
        assert_string_equal(out, all[i].folded);
        assert_int_equal(n, strlen(all[i].folded));
    }
}

static void likeness_is_a_hundred_only_for_equal_forms(void **state)
{
    (void)state;
    assert_int_equal(unit_name_likeness(TEXT("tinh kon tum"), TEXT("tinh kon tum")), 100);
    assert_int_equal(unit_name_likeness(TEXT("tinh kon tum"), TEXT("kon tum")), 90);
    assert_int_equal(unit_name_likeness(TEXT("thanh pho"), TEXT("tinh")), 0);
    assert_int_equal(unit_name_likeness(TEXT(""), TEXT("kon tum")), 0);
    unsigned slip = unit_name_likeness(TEXT("so thong tin va truyen thong lai chou"), TEXT("so thong tin va truyen thong lai chau"));
    unsigned other = unit_name_likeness(TEXT("so thong tin va truyen thong son la"), TEXT("so thong tin va truyen thong lai chau"));
    assert_in_range(slip, 70, 89);
    assert_true(slip > other + 20);
}

enum { HN = 1, KONTUM, BINHDUONG, HCM_OLD, HCM_NEW, QUANGNGAI_NEW, BTTTT, ANGIANG_OLD, ANGIANG_NEW, CATTT, TWIN_A, TWIN_B };

static struct unit_names *make_names(void)
{
    static const struct {
        int64_t unit;
        const char *name;
        enum unit_how how;
        int64_t from, to;
    } all[] = {
        {HN, "Thành phố Hà Nội", UNIT_BY_NAME, 0, INT64_MAX},
        {KONTUM, "Tỉnh Kon Tum", UNIT_BY_NAME, 0, JULY_2025},
        {KONTUM, "Kon Tum", UNIT_BY_ALIAS, 0, JULY_2025},
        {BINHDUONG, "Tỉnh Bình Dương", UNIT_BY_NAME, 0, JULY_2025},
        {HCM_OLD, "Thành phố Hồ Chí Minh", UNIT_BY_NAME, 0, JULY_2025},
        {HCM_NEW, "Thành phố Hồ Chí Minh", UNIT_BY_NAME, JULY_2025, INT64_MAX},
        {QUANGNGAI_NEW, "Tỉnh Quảng Ngãi", UNIT_BY_NAME, JULY_2025, INT64_MAX},
        {BTTTT, "Bộ Thông tin và Truyền thông", UNIT_BY_NAME, 0, JULY_2025},
        {BTTTT, "BTTTT", UNIT_BY_ALIAS, 0, JULY_2025},
        {ANGIANG_OLD, "Tỉnh An Giang", UNIT_BY_NAME, 0, JULY_2025},
        {ANGIANG_NEW, "Tỉnh An Giang", UNIT_BY_NAME, JULY_2025, INT64_MAX},
        {CATTT, "Cục An toàn thông tin", UNIT_BY_NAME, 0, JULY_2025},
        {TWIN_A, "Phòng Văn hóa", UNIT_BY_NAME, 0, INT64_MAX},
        {TWIN_B, "Phòng Văn hóa", UNIT_BY_NAME, 0, INT64_MAX},
        {HN, "thủ đô", UNIT_BY_DECISION, INT64_MIN, INT64_MAX},
    };
    struct unit_names *s = NULL;
    assert_int_equal(unit_names_new(words, &s), 0);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        assert_int_equal(unit_names_add(s, all[i].unit, text_of(all[i].name), all[i].how, all[i].from, all[i].to), 0);
    assert_int_equal(unit_names_add(s, 99, TEXT(" -- "), UNIT_BY_NAME, 0, 1), 1);
    assert_int_equal(unit_names_done(s), 0);
    return s;
}

static void a_name_means_the_body_of_its_time_or_is_asked_about(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t at, unit;
        enum unit_how how;
        int64_t candidate; /* the first one, where nothing is decided; 0: none at all */
        unsigned score;
    } all[] = {
        {"Tỉnh An Giang", IN_2024, ANGIANG_OLD, UNIT_BY_NAME, 0, 0},
        {"Tỉnh An Giang", IN_2026, ANGIANG_NEW, UNIT_BY_NAME, 0, 0},
        {"Tỉnh An Giang", JULY_2025, ANGIANG_NEW, UNIT_BY_NAME, 0, 0},
        {"Kon Tum", IN_2024, KONTUM, UNIT_BY_ALIAS, 0, 0},
        {"KON TUM", IN_2024, KONTUM, UNIT_BY_FOLD, 0, 0},
        {"Tinh Kon Tum", IN_2024, KONTUM, UNIT_BY_FOLD, 0, 0},
        {"TP HCM", IN_2024, HCM_OLD, UNIT_BY_FOLD, 0, 0},
        {"Bộ TT&TT", IN_2024, BTTTT, UNIT_BY_FOLD, 0, 0},
        {"CATTT", IN_2024, CATTT, UNIT_BY_FOLD, 0, 0},
        {"Thủ Đô", IN_2026, HN, UNIT_BY_DECISION, 0, 0},
        {"Kon Tum", IN_2026, 0, UNIT_BY_NOTHING, KONTUM, 100},        /* of another time: a person decides */
        {"Bình Dương", IN_2024, 0, UNIT_BY_NOTHING, BINHDUONG, 90},   /* "tỉnh" left out is likeness, not equality */
        {"Phòng Văn hóa", IN_2026, 0, UNIT_BY_NOTHING, TWIN_A, 100},  /* two of one name */
        {"Kho bạc Nhà nước", IN_2026, 0, UNIT_BY_NOTHING, 0, 0},
        {"...", IN_2026, 0, UNIT_BY_NOTHING, 0, 0},
    };
    struct unit_names *s = make_names();
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        struct unit_found r;
        unit_names_find(s, text_of(all[i].name), all[i].at, &r);
        if (r.unit != all[i].unit || r.how != all[i].how)
            fail_msg("%s: unit %lld by %d", all[i].name, (long long)r.unit, (int)r.how);
        assert_int_equal(r.n ? r.candidates[0].unit : 0, all[i].candidate);
        assert_int_equal(r.n ? r.candidates[0].score : 0, all[i].score);
    }
    unit_names_free(s);
}

static void candidates_are_ordered_and_name_each_body_once(void **state)
{
    (void)state;
    struct unit_names *s = make_names();
    struct unit_found r;
    unit_names_find(s, TEXT("Phòng Văn hóa"), IN_2026, &r);
    assert_int_equal(r.n, 2);
    unit_names_find(s, TEXT("Ho Chi Minh"), IN_2026, &r);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.candidates[0].unit, HCM_NEW); /* of equal likeness, the one that is valid first */
    assert_true(r.candidates[0].is_valid && !r.candidates[1].is_valid);
    unit_names_free(s);
}

static void any_bytes_are_taken_without_harm(void **state)
{
    (void)state;
    struct unit_names *s = make_names();
    uint64_t x = seed();
    for (unsigned i = 0; i < rounds(300); i++) {
        char bytes[700], out[UNIT_FOLD_BYTES];
        size_t n = next_random(&x) % sizeof(bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = "&. ab\xc4\x91\xe1\xbb\x9f-\xff"[next_random(&x) % 12];
        struct unit_found r;
        size_t m = unit_name_fold(words, (struct text){bytes, n}, out);
        assert_true(m < UNIT_FOLD_BYTES && out[m] == '\0');
        unit_names_find(s, (struct text){bytes, n}, IN_2024, &r);
        assert_true(r.n <= UNIT_CANDIDATES && (!r.unit || r.how < UNIT_BY_NOTHING));
    }
    unit_names_free(s);
}

static void a_table_of_abbreviations_names_the_line_that_is_wrong(void **state)
{
    (void)state;
    static const char *const bad[] = {"form,words\nubnd\n", "form,words\n,uy ban\n", "form,words\na,b,c\n"};
    for (size_t i = 0; i < 3; i++) {
        struct unit_words *w = NULL;
        struct fault f = {0};
        assert_int_equal(unit_words_read(bad[i], strlen(bad[i]), "words.csv", &w, &f), -EBADMSG);
        assert_non_null(strstr(f.text, "words.csv, line 2"));
        assert_null(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_written_in_many_ways_have_one_folded_form),
        cmocka_unit_test(likeness_is_a_hundred_only_for_equal_forms),
        cmocka_unit_test(a_name_means_the_body_of_its_time_or_is_asked_about),
        cmocka_unit_test(candidates_are_ordered_and_name_each_body_once),
        cmocka_unit_test(any_bytes_are_taken_without_harm),
        cmocka_unit_test(a_table_of_abbreviations_names_the_line_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
