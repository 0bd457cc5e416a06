/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue itself is compared by tools/messages.py at build; here: choosing, finding and printing. */
#include "base/fault.h"
#include "base/message.h"
#include "base/text.h"
#include "cmocka_house.h"

static void environment(const char *all, const char *messages, const char *lang)
{
    unsetenv("LC_ALL"), unsetenv("LC_MESSAGES"), unsetenv("LANG");
    if (all)
        setenv("LC_ALL", all, 1);
    if (messages)
        setenv("LC_MESSAGES", messages, 1);
    if (lang)
        setenv("LANG", lang, 1);
}

static void the_language_comes_from_the_option_else_the_environment(void **state)
{
    (void)state;
    static const struct {
        const char *option, *all, *messages, *lang;
        int r;
        enum language language;
    } cases[] = {
        {"vi", NULL, NULL, "en_US.UTF-8", 0, LANGUAGE_VI},
        {"en", NULL, NULL, "vi_VN.UTF-8", 0, LANGUAGE_EN},
        {"vi_VN.UTF-8", NULL, NULL, NULL, 0, LANGUAGE_VI},
        {NULL, NULL, NULL, "vi_VN.UTF-8", 0, LANGUAGE_VI},
        {NULL, NULL, NULL, "vi", 0, LANGUAGE_VI},
        {NULL, NULL, NULL, "vivid", 0, LANGUAGE_EN},
        {NULL, NULL, NULL, "fr_FR.UTF-8", 0, LANGUAGE_EN},
        {NULL, NULL, NULL, NULL, 0, LANGUAGE_EN},
        {NULL, "C", NULL, "vi_VN", 0, LANGUAGE_EN},
        {NULL, "", "vi_VN", "en", 0, LANGUAGE_VI},
        {NULL, "vi", "en", "en", 0, LANGUAGE_VI},
        {"fr", NULL, NULL, NULL, 1, LANGUAGE_EN},
        {"", NULL, NULL, NULL, 1, LANGUAGE_EN},
        {"v", NULL, NULL, NULL, 1, LANGUAGE_EN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        message_set_language(LANGUAGE_EN);
        environment(cases[i].all, cases[i].messages, cases[i].lang);
        assert_int_equal(message_choose_language(cases[i].option), cases[i].r);
        assert_int_equal(message_language(), cases[i].language);
    }
    message_set_language(LANGUAGE_EN);
}

static void every_text_is_there_and_well_formed_in_both_languages(void **state)
{
    (void)state;
    for (int l = LANGUAGE_EN; l <= LANGUAGE_VI; l++) {
        message_set_language((enum language)l);
        for (int i = 0; i < N_MESSAGES; i++) {
            const char *text = message_text((enum message_id)i);
            assert_non_null(text);
            assert_true(*text);
            assert_true(text_is_utf8(text, strlen(text)));
        }
    }
    message_set_language(LANGUAGE_EN);
}

static void ids_are_sorted_and_found_by_prefix_and_name(void **state)
{
    (void)state;
    for (int i = 1; i < N_MESSAGES; i++)
        assert_true(strcmp(message_name((enum message_id)(i - 1)), message_name((enum message_id)i)) < 0);
    for (int i = 0; i < N_MESSAGES; i++) {
        const char *name = message_name((enum message_id)i);
        assert_ptr_equal(message_find("", name), message_text((enum message_id)i));
        const char *underscore = strchr(name, '_');
        if (!underscore)
            continue;
        char prefix[128];
        size_t n = (size_t)(underscore - name) + 1;
        assert_true(n < sizeof(prefix));
        memcpy(prefix, name, n);
        prefix[n] = '\0';
        assert_ptr_equal(message_find(prefix, underscore + 1), message_text((enum message_id)i));
    }
    static const char unknown[] = "no_such_reason_at_all";
    assert_ptr_equal(message_find("reason_", unknown), unknown);
    assert_ptr_equal(message_find("zzz", unknown), unknown);
    assert_ptr_equal(message_find("", unknown), unknown);
}

static void a_message_is_formatted_in_the_chosen_language(void **state)
{
    (void)state;
    char out[200];
    message_set_language(LANGUAGE_EN);
    assert_int_equal(SAY_TO(out, sizeof(out), no_memory, "reading x"), strlen("out of memory while reading x"));
    assert_string_equal(out, "out of memory while reading x");
}

static void a_fault_keeps_its_code_and_a_whole_text(void **state)
{
    (void)state;
    struct fault f = {0};
    assert_int_equal(FAULT(&f, -12, no_memory, "x"), -12);
    assert_int_equal(f.code, -12);
    assert_true(*f.text);
    assert_int_equal(FAULT((struct fault *)NULL, 3, no_memory, "x"), 3);
    /* a text that is too long is cut between characters, wherever the cut falls */
    char longer[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        size_t n = shift;
        memset(longer, 'a', shift);
        while (n + 3 < sizeof(longer)) {
            memcpy(longer + n, "ế", 3);
            n += 3;
        }
        longer[n] = '\0';
        FAULT(&f, 1, no_memory, longer);
        size_t length = strlen(f.text);
        assert_true(length < sizeof(f.text) && length > sizeof(f.text) - 8);
        assert_true(text_is_utf8(f.text, length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_language_comes_from_the_option_else_the_environment),
        cmocka_unit_test(every_text_is_there_and_well_formed_in_both_languages),
        cmocka_unit_test(ids_are_sorted_and_found_by_prefix_and_name),
        cmocka_unit_test(a_message_is_formatted_in_the_chosen_language),
        cmocka_unit_test(a_fault_keeps_its_code_and_a_whole_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
