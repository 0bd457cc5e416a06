/* SPDX-License-Identifier: Apache-2.0 */
/* Names: public suffixes as publicsuffix.org's own test data have them; lists of exceptions; the score and its table. */
#include "cmocka_house.h"
#include "failing_alloc.h"

#include "base/file.h"
#include "format/domain_name.h"
#include "format/name_score.h"

#include <stdio.h>

static const char suffixes[] = "// comment\n\ncom\nbiz\n uk.com\nac\ncy\nc.cy\n*.mm\njp\nac.jp\nkyoto.jp\nide.kyoto.jp\n*.kobe.jp\n!city.kobe.jp\n"
                               "*.ck\n!www.ck\nus\nak.us\nk12.ak.us\nvn\ncom.vn\ngov.vn behind a blank\nc\xc3\xb4ng.vn\n";

static struct text from_c(const char *s)
{
    return (struct text){s, strlen(s)};
}

static struct domain_rules *rules_of(const char *list, bool are_exceptions, struct domain_rules_read *ret)
{
    struct domain_rules *r = domain_rules_new();
    assert_non_null(r);
    assert_int_equal((are_exceptions ? domain_exceptions_read : domain_suffixes_read)(r, from_c(list), ret), 0);
    return r;
}

/* expected values: checkPublicSuffix() of https://publicsuffix.org/list/ (test_psl.txt, public domain), as far as the rules go */
static void registered_names_are_those_of_the_public_suffix_list(void **state)
{
    static const struct {
        const char *name, *registered;
    } all[] = {
        {"COM", ""}, {"example.COM", "example.com"}, {"WwW.example.COM", "example.com"}, {"example", ""},
        {"example.example", "example.example"}, {"b.example.example", "example.example"}, {"a.b.example.example", "example.example"},
        {"biz", ""}, {"domain.biz", "domain.biz"}, {"b.domain.biz", "domain.biz"}, {"a.b.domain.biz", "domain.biz"}, {"uk.com", ""},
        {"example.uk.com", "example.uk.com"}, {"b.example.uk.com", "example.uk.com"}, {"test.ac", "test.ac"}, {"mm", ""}, {"c.mm", ""},
        {"b.c.mm", "b.c.mm"}, {"a.b.c.mm", "b.c.mm"}, {"jp", ""}, {"test.jp", "test.jp"}, {"www.test.jp", "test.jp"}, {"ac.jp", ""},
        {"test.ac.jp", "test.ac.jp"}, {"kyoto.jp", ""}, {"test.kyoto.jp", "test.kyoto.jp"}, {"ide.kyoto.jp", ""},
        {"b.ide.kyoto.jp", "b.ide.kyoto.jp"}, {"a.b.ide.kyoto.jp", "b.ide.kyoto.jp"}, {"c.kobe.jp", ""}, {"b.c.kobe.jp", "b.c.kobe.jp"},
        {"a.b.c.kobe.jp", "b.c.kobe.jp"}, {"city.kobe.jp", "city.kobe.jp"}, {"www.city.kobe.jp", "city.kobe.jp"}, {"ck", ""},
        {"test.ck", ""}, {"b.test.ck", "b.test.ck"}, {"a.b.test.ck", "b.test.ck"}, {"www.ck", "www.ck"}, {"www.www.ck", "www.ck"},
        {"us", ""}, {"test.us", "test.us"}, {"www.test.us", "test.us"}, {"ak.us", ""}, {"test.ak.us", "test.ak.us"}, {"k12.ak.us", ""},
        {"test.k12.ak.us", "test.k12.ak.us"}, {"www.test.k12.ak.us", "test.k12.ak.us"}, {"www.bo.gov.vn.", "bo.gov.vn"},
        {"a.example.com.vn", "example.com.vn"},
    };
    struct domain_rules_read read;
    struct domain_rules *r = rules_of(suffixes, false, &read);
    (void)state;
    assert_int_equal(read.rules, 21);
    assert_int_equal(read.passed_over, 1); /* beyond ASCII */
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct domain_name d;
        assert_int_equal(domain_name_read(r, from_c(all[i].name), &d), 0);
        if (!text_is(d.registered, all[i].registered))
            fail_msg("%s: registered is %.*s", all[i].name, (int)d.registered.n, d.registered.p);
    }
    domain_rules_free(r);
}

static void a_name_is_split_at_its_registered_label(void **state)
{
    struct domain_rules_read read;
    struct domain_rules *r = rules_of(suffixes, false, &read);
    struct domain_name d;
    (void)state;
    assert_int_equal(domain_name_read(r, TEXT("A.b.Example.com.vn."), &d), 0);
    assert_true(text_is(d.below, "a.b"));
    assert_true(text_is(d.label, "example"));
    assert_true(text_is(d.registered, "example.com.vn"));
    assert_true(text_is(d.suffix, "com.vn"));
    assert_int_equal(d.n_labels, 5);
    domain_rules_free(r);
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"", ".", "a..b", ".a", "a b.c", "a\tb", "a.b\n", "a\x7f.com"};
    struct domain_name d;
    char longest[DOMAIN_NAME_BYTES + 3];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(domain_name_read(NULL, from_c(bad[i]), &d), 1);
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(domain_name_read(NULL, (struct text){longest, DOMAIN_NAME_BYTES + 1}, &d), 1);
    assert_int_equal(domain_name_read(NULL, (struct text){longest, DOMAIN_NAME_BYTES - 1}, &d), 0);
}

static void exceptions_hold_for_a_name_and_all_below_it_and_for_labels(void **state)
{
    static const struct {
        const char *name;
        bool is_excepted;
    } all[] = {{"in-addr.arpa", true}, {"1.2.0.192.in-addr.arpa", true}, {"arpa", false}, {"xin-addr.arpa", false}, {"a.cdn.net", true},
               {"cdn.net.example", false}, {"_dmarc.example.vn", true}, {"a._dmarc.example.vn", true}, {"x_dmarc.example.vn", false},
               {"_dmarcx.example.vn", false}, {"example.vn", false}};
    struct domain_rules_read read;
    struct domain_rules *r = rules_of("# comment\nin-addr.arpa\n_dmarc.*\ncdn.net  # behind\n\n", true, &read);
    (void)state;
    assert_int_equal(read.rules, 3);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct domain_name d;
        assert_int_equal(domain_name_read(NULL, from_c(all[i].name), &d), 0);
        if (domain_is_excepted(r, &d) != all[i].is_excepted)
            fail_msg("%s", all[i].name);
    }
    domain_rules_free(r);
}

/* --- the score ----------------------------------------------------------------------------------------------------- */

static void read_content(const char *name, uint8_t **ret, size_t *ret_n)
{
    char path[4096];
    const char *root = getenv("VONGGAC_SOURCE");
    snprintf(path, sizeof(path), "%s/content/names/%s", root ? root : "../..", name);
    assert_int_equal(file_read_path(path, (size_t)1 << 24, ret, ret_n), 0);
}

static void the_shipped_lists_are_read_whole(void **state)
{
    static const char *const lists[] = {"suffixes.txt", "exceptions.txt"};
    struct domain_rules_read read;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        uint8_t *p;
        size_t n;
        struct domain_rules *r = domain_rules_new();
        read_content(lists[i], &p, &n);
        assert_int_equal((i ? domain_exceptions_read : domain_suffixes_read)(r, (struct text){(char *)p, n}, &read), 0);
        assert_int_equal(read.passed_over, 0);
        assert_true(read.rules > 100);
        domain_rules_free(r);
        free(p);
    }
}

static void drawn_names_score_high_and_ordinary_ones_low(void **state)
{
    /* drawn: by hand on the keyboard, none of a list; ordinary: words, makers, Vietnamese without marks */
    static const struct {
        const char *label;
        bool is_drawn;
    } all[] = {{"xkqzvwjpfhgtrb", true},      {"a8f3k2m9x7q4z1", true},   {"qjwxzkvbpfgh", true},     {"3f9c1ab27de4056c8b", true},
               {"uhgfzdkqoixwmtrp", true},    {"google", false},          {"vietnamnet", false},      {"thuvienphapluat", false},
               {"chinhphu", false},           {"nguoiduatin", false},     {"baotuyenquang", false},   {"dichvucong", false},
               {"tapchicongsan", false},      {"thanhnien", false},       {"congthuong", false},      {"nghean", false},
               {"phuonghoankiem", false},     {"sogiaoducvadaotao", false}, {"wikipedia", false},     {"stackoverflow", false},
               {"bachhoaxanh", false},        {"vietcombank", false},     {"benhvienbachmai", false}, {"kiemtoannhanuoc", false}};
    uint8_t *p;
    size_t n;
    uint32_t line;
    struct name_model *m = malloc(sizeof(*m));
    (void)state;
    read_content("model.txt", &p, &n);
    assert_int_equal(name_model_parse(m, (struct text){(char *)p, n}, &line), 0);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        double score = -1;
        assert_int_equal(name_score(m, from_c(all[i].label), &score), 0);
        if ((score >= 0.5) != all[i].is_drawn)
            fail_msg("%s scores %.3f", all[i].label, score);
    }
    free(m);
    free(p);
}

static void what_cannot_be_judged_is_not_scored(void **state)
{
    static const char *const none[] = {"", "xn--bcher-kva", "a_b", "A", "a.b", "\xc4\x91", "^",
                                       "0123456789012345678901234567890123456789012345678901234567890123"};
    struct name_model *m = calloc(1, sizeof(*m));
    double score;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_int_equal(name_score(m, from_c(none[i]), &score), NAME_SCORE_NONE);
    assert_int_equal(name_score(m, TEXT("a"), &score), 0);
    assert_true(score == 0.5); /* all weights zero: 1 / (1 + e^0) */
    free(m);
}

static void a_damaged_table_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
    } all[] = {{"", 0},           {"# only\n", 0},       {"weight bias 1\n", 0}, {"\nweight bias x\n", 2}, {"weight bias inf\n", 1}, {"weight other 1\n", 1},
               {"weight bias\n", 1}, {"row ^^ 00\n", 1}, {"alphabet abc\n", 1},  {"nonsense\n", 1},        {"weight bias 1e300\n", 1}};
    struct name_model *m = malloc(sizeof(*m));
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        uint32_t line = 99;
        assert_int_equal(name_model_parse(m, from_c(all[i].text), &line), 1);
        assert_int_equal(line, all[i].line);
    }
    free(m);
}

static int build(void *context)
{
    struct domain_rules *r = domain_rules_new();
    struct domain_rules_read read;
    (void)context;
    int e = r ? domain_suffixes_read(r, from_c(suffixes), &read) : -12;
    domain_rules_free(r);
    return e;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    failing_alloc_each("reading suffixes", build, NULL, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registered_names_are_those_of_the_public_suffix_list),
        cmocka_unit_test(a_name_is_split_at_its_registered_label),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(exceptions_hold_for_a_name_and_all_below_it_and_for_labels),
        cmocka_unit_test(the_shipped_lists_are_read_whole),
        cmocka_unit_test(drawn_names_score_high_and_ordinary_ones_low),
        cmocka_unit_test(what_cannot_be_judged_is_not_scored),
        cmocka_unit_test(a_damaged_table_is_refused_with_its_line),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
