/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of senders: read with line numbers, never told, found by their hash. */
#include "gate/tokens.h"

#include "cmocka_house.h"

static struct gate_tokens tokens;

static void a_token_names_its_sender(void **state)
{
    struct fault f;
    (void)state;
    /* sha256 of "abcdefghijklmnopqrstuvwxyz": FIPS 180-4 test vector of NESSIE */
    assert_int_equal(gate_tokens_parse(&tokens, "t",
                                       TEXT("# senders\n\nmail 0123456789abcdefghij\r\n"
                                            "web\tsha256:71c480df93d6ae2f1efad1447c66c9525e316218cf51fc8d9ed832f2daf18b73\n"),
                                       &f),
                     0);
    assert_string_equal(gate_tokens_name(&tokens, TEXT("0123456789abcdefghij")), "mail");
    assert_string_equal(gate_tokens_name(&tokens, TEXT("abcdefghijklmnopqrstuvwxyz")), "web");
    static const struct text nobody[] = {TEXT(""), TEXT("0123456789abcdefghi"), TEXT("0123456789abcdefghijk"), TEXT("mail"),
                                         TEXT("71c480df93d6ae2f1efad1447c66c9525e316218cf51fc8d9ed832f2daf18b73")};
    for (size_t i = 0; i < COUNT_OF(nobody); i++)
        assert_null(gate_tokens_name(&tokens, nobody[i]));
}

static void what_is_wrong_is_named_with_its_line_and_without_the_token(void **state)
{
    static const struct {
        const char *content, *wanted;
    } cases[] = {
        {"", "no token"},
        {"# nothing\n", "no token"},
        {"mail short\n", "t:1:"},
        {"mail 0123456789abcdefghij\nweb\n", "t:2:"},
        {"mail 0123456789 abcdefghijk\n", "t:1:"},
        {"mail sha256:71c480\n", "t:1:"},
        {"mail sha256:zzc480df93d6ae2f1efad1447c66c9525e316218cf51fc8d9ed832f2daf18b73\n", "t:1:"},
        {"a-name-that-is-longer-than-sixty-three-characters-and-so-does-not-fit 0123456789abcdefghij\n", "t:1:"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fault f = {0};
        assert_int_equal(gate_tokens_parse(&tokens, "t", (struct text){cases[i].content, strlen(cases[i].content)}, &f), 1);
        assert_non_null(strstr(f.text, cases[i].wanted));
        assert_null(strstr(f.text, "456789"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_its_sender),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line_and_without_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
