/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors: RFC 1321 appendix A.5; the lengths around a block from md5sum (GNU coreutils). */
#include "base/md5.h"
#include "cmocka_house.h"


static void check(const char *p, size_t n, const char *expected)
{
    char text[MD5_TEXT_MAX];
    struct md5_state s;
    md5_init(&s);
    md5_add(&s, p, n);
    md5_end(&s, text);
    assert_string_equal(text, expected);
    md5_init(&s); /* and byte by byte */
    for (size_t i = 0; i < n; i++)
        md5_add(&s, p + i, 1);
    md5_end(&s, text);
    assert_string_equal(text, expected);
}

static void the_published_vectors_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(cases[i].text, strlen(cases[i].text), cases[i].expected);
}

static void lengths_around_a_block_come_out(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *expected;
    } cases[] = {
        {55, "ef1772b6dff9a122358552954ad0df65"},  {56, "3b0c8ac703f828b04c6c197006d17218"},
        {57, "652b906d60af96844ebd21b674f35e93"},  {63, "b06521f39153d618550606be297466d5"},
        {64, "014842d480b571495a4a0363793f7367"},  {65, "c743a45e0d2e6a95cb859adae0248435"},
        {119, "8a7bd0732ed6a28ce75f6dabc90e1613"}, {120, "5f61c0ccad4cac44c75ff505e1f1e537"},
        {128, "e510683b3f5ffe4093d021808bc6ff70"}, {1000, "cabe45dcc9ae5b66ba86600cca6b8ba8"},
    };
    char a[1000];
    memset(a, 'a', sizeof(a));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(a, cases[i].n, cases[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(lengths_around_a_block_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
