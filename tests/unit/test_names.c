/* SPDX-License-Identifier: Apache-2.0 */
/* Registered names by rules of suffixes, exceptions, and the score of labels with the shipped table. */
#include "cmocka_house.h"

#include "format/domain_name.h"
#include "format/name_score.h"
#include "help_dir.h"

static struct text text_of(const char *s)
{
    return (struct text){s, strlen(s)};
}

static struct domain_rules *rules_of(const char *list)
{
    struct domain_rules *r = domain_rules_new();
    struct domain_rules_read read;
    assert_non_null(r);
    assert_int_equal(domain_suffixes_read(r, text_of(list), &read), 0);
    return r;
}

static void a_name_is_split_at_its_registered_label(void **state)
{
    (void)state;
    struct domain_rules *r = rules_of("com\nvn\ncom.vn\nck\n*.ck\n!www.ck\n");
    static const struct {
        const char *name, *below, *label, *registered, *suffix;
    } cases[] = {
        {"A.B.Example.com.vn.", "a.b", "example", "example.com.vn", "com.vn"},
        {"example.com", "", "example", "example.com", "com"},
        {"com.vn", "", "", "", "com.vn"},
        {"x.example.ck", "", "x", "x.example.ck", "example.ck"},
        {"a.www.ck", "a", "www", "www.ck", "ck"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct domain_name d;
        assert_int_equal(domain_name_read(r, text_of(cases[i].name), &d), 0);
        assert_true(text_is(d.below, cases[i].below) && text_is(d.label, cases[i].label));
        assert_true(text_is(d.registered, cases[i].registered) && text_is(d.suffix, cases[i].suffix));
    }
    domain_rules_free(r);
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    struct domain_rules *r = rules_of("com\n");
    struct domain_name d;
    static const char *const bad[] = {"", ".", "a..com", ".com", "a b.com", "a\tb.com"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(domain_name_read(r, text_of(bad[i]), &d), 1);
    domain_rules_free(r);
}

static void exceptions_hold_for_a_name_and_all_below_it_and_for_labels(void **state)
{
    (void)state;
    struct domain_rules *suffixes = rules_of("com\nvn\n"), *exceptions = domain_rules_new();
    struct domain_rules_read read;
    assert_int_equal(domain_exceptions_read(exceptions, TEXT("cdn.com\n_dmarc.*\n"), &read), 0);
    static const struct {
        const char *name;
        bool is;
    } cases[] = {{"cdn.com", true}, {"a.b.cdn.com", true}, {"xcdn.com", false}, {"_dmarc.example.vn", true}, {"a._dmarc.example.vn", true},
                 {"x_dmarc.example.vn", false}, {"com", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct domain_name d;
        assert_int_equal(domain_name_read(suffixes, text_of(cases[i].name), &d), 0);
        assert_int_equal(domain_is_excepted(exceptions, &d), cases[i].is);
    }
    domain_rules_free(suffixes);
    domain_rules_free(exceptions);
}

static void drawn_names_score_high_and_ordinary_ones_low(void **state)
{
    (void)state;
    char path[512];
    const char *source = getenv("VONGGAC_SOURCE");
    uint8_t *bytes = NULL;
    size_t n = 0;
    snprintf(path, sizeof(path), "%s/content/names/model.txt", source && *source ? source : "../..");
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        print_message("skipped: %s is not there\n", path);
        return;
    }
    assert_int_equal(file_read_all(fd, 1 << 24, &bytes, &n), 0);
    close(fd);
    struct name_model *m = calloc(1, sizeof(*m));
    uint32_t line;
    assert_int_equal(name_model_parse(m, (struct text){(const char *)bytes, n}, &line), 0);
    static const char *const drawn[] = {"xkqjzvbwplrtgh", "q7x2kzj9vbw4ht", "zxcvqwkjhgpltrm"}, *const ordinary[] = {"vietnamnet", "tuoitre", "microsoft"};
    for (size_t i = 0; i < 3; i++) {
        double a, b;
        assert_int_equal(name_score(m, text_of(drawn[i]), &a), 0);
        assert_int_equal(name_score(m, text_of(ordinary[i]), &b), 0);
        assert_true(a > 0.5 && b < 0.5);
    }
    bytes[n / 2] = 0xff; /* a damaged table is refused */
    assert_int_equal(name_model_parse(m, (struct text){(const char *)bytes, n}, &line), 1);
    free(m);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_split_at_its_registered_label),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(exceptions_hold_for_a_name_and_all_below_it_and_for_labels),
        cmocka_unit_test(drawn_names_score_high_and_ordinary_ones_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
