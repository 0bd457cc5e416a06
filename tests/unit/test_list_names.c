/* SPDX-License-Identifier: Apache-2.0 */
/* Domains, URLs and hashes: their canonical form, and many lists of them against the naive way. */
#include "cmocka_house.h"

#include "help_dir.h"
#include "watch/indicator/lists.h"
#include "watch/indicator/names.h"
#include "watch/store/terms.h"

#include <sys/mman.h>

static struct text text_of(const char *s)
{
    return (struct text){s, strlen(s)};
}

static void names_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        enum name_kind kind;
        const char *canonical;
    } cases[] = {
        {"Evil.Example", NAME_DOMAIN, "evil.example"},
        {"evil.example.", NAME_DOMAIN, "evil.example"},
        {"*.evil.example", NAME_DOMAIN, "evil.example"},
        {".evil.example", NAME_DOMAIN, "evil.example"},
        {"evil[.]example", NAME_DOMAIN, "evil.example"},
        {"_dmarc.evil.example", NAME_DOMAIN, "_dmarc.evil.example"},
        {"http://evil.example", NAME_DOMAIN, "evil.example"},
        {"https://user:pass@evil.example:443/", NAME_DOMAIN, "evil.example"},
        {"hxxps://Evil[.]example/A/b?C=d#e", NAME_URL, "evil.example/A/b?C=d"},
        {"evil.example/x", NAME_URL, "evil.example/x"},
        {"evil.example:8080/x", NAME_URL, "evil.example:8080/x"},
        {"http://evil.example:80?x", NAME_URL, "evil.example/?x"},
        {"http://203.0.113.7/x", NAME_URL, "203.0.113.7/x"},
        {"http://[2001:db8::1]:8080/x", NAME_URL, "2001:db8::1:8080/x"},
        /* beyond ASCII: as Python's codec "idna" (RFC 3490, 3492) has them; 0xff is no UTF-8 */
        {"\u0110\u1ea1i-H\u1ecdc.Example", NAME_DOMAIN, "xn--i-hc-zua2256b5ia.example"},
        {"\u0111a\u0323i-ho\u0323c.example", NAME_DOMAIN, "xn--i-hc-zua2256b5ia.example"},
        {"XN--I-HC-ZUA2256B5IA.example", NAME_DOMAIN, "xn--i-hc-zua2256b5ia.example"},
        {"vi\u1ec7tnam.com.vn", NAME_DOMAIN, "xn--vitnam-jk8b.com.vn"},
        {"hxxp://th\u1ee7\u0111\u00f4[.]vn/\u0110", NAME_URL, "xn--th-9ja9i637n.vn/\u0110"},
        {"th\u1ee7\u0111\u00f4\u3002vn", NAME_DOMAIN, "xn--th-9ja9i637n.vn"},
        {"a\xff.vn", NAME_NONE, ""},
        {"203.0.113.7", NAME_NONE, ""},
        {"203.0.113.0/24", NAME_NONE, ""},
        {"http://203.0.113.7/", NAME_NONE, ""},
        {"localhost", NAME_NONE, ""},
        {"a..b.example", NAME_NONE, ""},
        {"two words.example", NAME_NONE, ""},
        {"/gate.php", NAME_NONE, ""},
        {"x@", NAME_NONE, ""},
        {"", NAME_NONE, ""},
        {"d41d8cd98f00b204e9800998ecf8427e", NAME_HASH, "d41d8cd98f00b204e9800998ecf8427e"},
        {"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", NAME_HASH, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"d41d8cd98f00b204e9800998ecf8427", NAME_NONE, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char out[LIST_NAME_BYTES];
        size_t n = 0;
        enum name_kind k = name_parse(text_of(cases[i].given), out, &n);
        if (k != cases[i].kind || (k != NAME_NONE && (n != strlen(cases[i].canonical) || memcmp(out, cases[i].canonical, n) != 0)))
            fail_msg("%s: %s %.*s", cases[i].given, name_kind_text(k), (int)(k == NAME_NONE ? 0 : n), out);
    }
}

static struct list *compile(const char *name, const char *text)
{
    struct list_report report = {0};
    struct list_add add = {.name = name, .file_name = name};
    struct fault f = {0};
    struct list *l = NULL;
    int fd = memfd_create(name, MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !lseek(fd, 0, SEEK_SET));
    if (lists_compile(fd, &add, &report, &l, &f))
        fail_msg("%s", f.text);
    close(fd);
    return l;
}

static size_t matches(const struct names *x, const struct events *e, struct name_match *out)
{
    assert_int_equal(e->n, 1);
    size_t n = names_of_event(x, e, 0, out);
    assert_int_equal(names_in_event(x, e, 0), n > 0);
    return n;
}

static void every_field_that_holds_a_name_is_looked_at(void **state)
{
    (void)state;
    struct list *lists[] = {compile("a", "evil.example\nhttp://up.example/x.exe\nd41d8cd98f00b204e9800998ecf8427e\n"), compile("b", "1.2.3.4\n"),
                            compile("c", "sub.evil.example\n")};
    struct names *x = names_new(lists, 3);
    assert_int_equal(names_count(x), 4);
    static const struct {
        uint16_t field;
        const char *value;
        size_t n;
        const char *first;
    } cases[] = {
        {EV_DNS_QUESTION_NAME, "evil.example", 1, "evil.example"},
        {EV_DNS_QUESTION_NAME, "WWW.Evil.Example.", 1, "evil.example"},
        {EV_DNS_QUESTION_NAME, "a.sub.evil.example", 2, "sub.evil.example"},
        {EV_DNS_QUESTION_NAME, "notevil.example", 0, ""},
        {EV_DNS_QUESTION_NAME, "example", 0, ""},
        {EV_TLS_SERVER_NAME, "x.evil.example", 1, "evil.example"},
        {EV_URL_DOMAIN, "evil.example", 1, "evil.example"},
        {EV_URL_FULL, "https://evil.example/any", 1, "evil.example"},
        {EV_URL_FULL, "http://up.example/x.exe#y", 1, "up.example/x.exe"},
        {EV_URL_FULL, "http://up.example/X.exe", 0, ""},
        {EV_URL_ORIGINAL, "http://up.example:80/x.exe", 1, "up.example/x.exe"},
        {EV_HTTP_REFERRER, "http://evil.example/", 1, "evil.example"},
        {EV_FILE_HASH_MD5, "D41D8CD98F00B204E9800998ECF8427E", 1, "d41d8cd98f00b204e9800998ecf8427e"},
        {EV_PROCESS_HASH_MD5, "d41d8cd98f00b204e9800998ecf8427f", 0, ""},
        {EV_EMAIL_FROM, "boss@mail.evil.example", 1, "evil.example"},
        {EV_USER_NAME, "evil.example", 0, ""},
    };
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    struct name_match out[NAMES_OF_EVENT];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        events_clear(e);
        assert_int_equal(event_begin(e, TEXT("x"), 0), 0);
        event_put_text(e, cases[i].field, text_of(cases[i].value));
        assert_int_equal(event_end(e), 0);
        size_t n = matches(x, e, out);
        bool has_first = false;
        for (size_t k = 0; k < n; k++)
            has_first |= text_is(out[k].name, cases[i].first);
        if (n != cases[i].n || (n && !has_first))
            fail_msg("%s: %zu matches", cases[i].value, n);
    }
    events_clear(e); /* a bare path belongs to the domain the event gives */
    assert_int_equal(event_begin(e, TEXT("x"), 0), 0);
    event_put_text(e, EV_URL_ORIGINAL, TEXT("/x.exe"));
    event_put_text(e, EV_URL_DOMAIN, TEXT("UP.example"));
    assert_int_equal(event_end(e), 0);
    assert_int_equal(matches(x, e, out), 1);
    assert_int_equal(out[0].kind, NAME_URL);
    events_free(e);
    event_names_free(names);
    names_free(x);
    for (size_t i = 0; i < 3; i++)
        list_close(lists[i]);
}

/* --- random lists against the naive way --------------------------------------------------------------------------- */

enum { LISTS = 5, NAMES_EACH = 60, QUESTIONS = 3000 };

/* some_name - of a small world, so that there are hits: labels of one letter */
static size_t some_name(uint64_t *random, char *out)
{
    unsigned labels = 2 + (unsigned)(help_random(random) % 4);
    size_t n = 0;
    for (unsigned i = 0; i < labels; i++) {
        out[n++] = (char)('a' + help_random(random) % 4);
        if (i + 1 < labels)
            out[n++] = '.';
    }
    out[n] = '\0';
    return n;
}

static bool is_below(const char *name, const char *listed)
{
    size_t n = strlen(name), m = strlen(listed);
    return n >= m && !strcmp(name + n - m, listed) && (n == m || name[n - m - 1] == '.');
}

static void many_lists_answer_as_the_naive_way(void **state)
{
    (void)state;
    uint64_t random = help_seed();
    for (unsigned round = 0; round < help_rounds(3); round++) {
        char all[LISTS][NAMES_EACH][16];
        struct list *lists[LISTS];
        for (unsigned i = 0; i < LISTS; i++) {
            char text[NAMES_EACH * 16];
            size_t n = 0;
            for (unsigned k = 0; k < NAMES_EACH; k++) {
                some_name(&random, all[i][k]);
                n += (size_t)sprintf(text + n, "%s\n", all[i][k]);
            }
            lists[i] = compile("x", text);
        }
        struct names *x = names_new(lists, LISTS);
        for (unsigned q = 0; q < QUESTIONS; q++) {
            char name[16];
            bool expected[LISTS] = {0}, found[LISTS] = {0};
            struct name_match out[256];
            size_t n = some_name(&random, name);
            for (unsigned i = 0; i < LISTS; i++)
                for (unsigned k = 0; k < NAMES_EACH; k++)
                    expected[i] |= is_below(name, all[i][k]);
            size_t n_found = names_find(x, NAME_DOMAIN, (struct text){name, n}, out, 256);
            for (size_t k = 0; k < n_found; k++) {
                found[out[k].list] = true;
                char listed[16];
                snprintf(listed, sizeof(listed), "%.*s", (int)out[k].name.n, out[k].name.p);
                assert_true(is_below(name, listed));
            }
            if (memcmp(expected, found, sizeof(found)) != 0)
                fail_msg("seed %llu: %s", (unsigned long long)help_seed(), name);
            char term[TERM_VALUE_MAX]; /* what the word index has of it may not be passed over */
            unsigned n_term = term_value((struct text){name, n}, term);
            if (n_found && !names_may_hold(x, (struct text){term + 1, n_term - 1}, TERM_VALUE_MAX - 1))
                fail_msg("seed %llu: %s is passed over", (unsigned long long)help_seed(), name);
        }
        names_free(x);
        for (unsigned i = 0; i < LISTS; i++)
            list_close(lists[i]);
    }
}

static void long_and_foreign_names_are_not_passed_over_by_the_index(void **state)
{
    (void)state;
    char url[1200], value[1300], list[1300];
    for (size_t n = 60; n < 1100; n += 47) {
        snprintf(url, sizeof(url), "evil.example/");
        for (size_t i = strlen(url); i < n; i++)
            url[i] = (char)(i % 7 ? 'A' + (int)(i % 26) : '/');
        url[n] = '\0';
        snprintf(list, sizeof(list), "http://%s\n", url);
        struct list *l = compile("x", list);
        struct names *x = names_new(&l, 1);
        static const char *const before[] = {"http://", "https://someone:with-a-long-password@", "http://"};
        for (size_t i = 0; i < 3; i++) {
            char term[TERM_VALUE_MAX];
            snprintf(value, sizeof(value), "%s%s%s", before[i], url, i == 2 ? "#x" : "");
            unsigned n_term = term_value(text_of(value), term);
            assert_true(names_may_hold(x, (struct text){term + 1, n_term - 1}, TERM_VALUE_MAX - 1));
        }
        names_free(x);
        list_close(l);
    }
    struct list *l = compile("x", "tr\xe1\xbb\x99m.example\nhttp://x.example/\xc4\x90\n");
    struct names *x = names_new(&l, 1);
    assert_int_equal(names_count(x), 2);
    static const char *const values[] = {"TR\xe1\xbb\x99M.example", "http://x.example/\xc4\x90"};
    for (size_t i = 0; i < 2; i++) {
        char term[TERM_VALUE_MAX];
        unsigned n_term = term_value(text_of(values[i]), term);
        assert_true(names_may_hold(x, (struct text){term + 1, n_term - 1}, TERM_VALUE_MAX - 1));
    }
    names_free(x);
    list_close(l);
}

/* the two forms of a name are one: whichever the list has, whichever the event has, also below it and in the word index */
static void both_forms_of_a_foreign_name_are_one(void **state)
{
    static const char *const forms[] = {"th\u1ee7\u0111\u00f4.vn", "xn--th-9ja9i637n.vn", "TH\u1ee6\u0110\u00d4.VN"};
    static const char *const before[] = {"", "www.", "m\u00e1y.", "http://", "http://www."};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char text[200];
        snprintf(text, sizeof(text), "%s\nhttp://%s/gate.php\n", forms[i], forms[i]);
        struct list *l = compile("x", text);
        struct names *x = names_new(&l, 1);
        for (size_t k = 0; k < 3 * 5; k++) {
            char value[200], term[TERM_VALUE_MAX];
            struct name_match out[4];
            snprintf(value, sizeof(value), "%s%s", before[k / 3], forms[k % 3]);
            unsigned n_term = term_value(text_of(value), term);
            assert_true(names_may_hold(x, (struct text){term + 1, n_term - 1}, TERM_VALUE_MAX - 1));
            char canonical[LIST_NAME_BYTES];
            size_t n;
            assert_int_equal(name_parse(text_of(value), canonical, &n), NAME_DOMAIN);
            assert_int_equal(names_find(x, NAME_DOMAIN, (struct text){canonical, n}, out, 4), 1);
            snprintf(value, sizeof(value), "http://%s/gate.php", forms[k % 3]);
            n_term = term_value(text_of(value), term);
            assert_true(names_may_hold(x, (struct text){term + 1, n_term - 1}, TERM_VALUE_MAX - 1));
        }
        names_free(x);
        list_close(l);
    }
}

static void a_public_suffix_as_an_entry_is_warned_about(void **state)
{
    static const char text[] = "evil.com.vn\ncom.vn\nx.gov.vn\nGOV.VN.\n*.gov.vn\nhttp://edu.vn/x\nhttp://edu.vn/\n192.0.2.1\n";
    struct list_report report = {0};
    struct list_add add = {.name = "x", .file_name = "x"};
    struct fault f = {0};
    struct list *l = NULL;
    int fd = memfd_create("x", MFD_CLOEXEC);
    (void)state;
    assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1 && !lseek(fd, 0, SEEK_SET));
    assert_int_equal(lists_compile(fd, &add, &report, &l, &f), 0);
    close(fd);
    assert_int_equal(report.kept, 8);
    assert_int_equal(report.warned[LIST_WARNED_public_suffix], 4); /* com.vn, gov.vn twice, the host edu.vn alone */
    list_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_form),
        cmocka_unit_test(every_field_that_holds_a_name_is_looked_at),
        cmocka_unit_test(many_lists_answer_as_the_naive_way),
        cmocka_unit_test(long_and_foreign_names_are_not_passed_over_by_the_index),
        cmocka_unit_test(both_forms_of_a_foreign_name_are_one),
        cmocka_unit_test(a_public_suffix_as_an_entry_is_warned_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
