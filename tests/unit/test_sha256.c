/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors: FIPS 180-2 appendix B, and NIST's example of the empty message. */
#include "base/sha256.h"
#include "cmocka_house.h"
#include "failing_alloc.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void check(struct sha256 h, const char *expected)
{
    char text[SHA256_TEXT_MAX];
    sha256_format(&h, text);
    assert_string_equal(text, expected);
    struct sha256 back;
    assert_int_equal(sha256_parse(text, 64, &back), 0);
    assert_memory_equal(back.b, h.b, 32);
}

static void the_published_vectors_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", ABC},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(sha256_of(cases[i].text, strlen(cases[i].text)), cases[i].expected);
}

static void a_million_a_in_uneven_pieces_comes_out(void **state)
{
    (void)state;
    static char a[1000000];
    memset(a, 'a', sizeof(a));
    struct sha256_state s;
    sha256_init(&s);
    size_t at = 0;
    for (size_t step = 1; at < sizeof(a); step = step * 3 + 1) {
        size_t n = step < sizeof(a) - at ? step : sizeof(a) - at;
        sha256_add(&s, a + at, n);
        at += n;
    }
    check(sha256_end(&s), MILLION);
}

static FILE *file_of_a(void)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    for (int i = 0; i < 1000000; i++)
        assert_int_equal(fputc('a', f), 'a');
    assert_int_equal(fflush(f), 0);
    return f;
}

static void a_file_is_hashed_from_its_beginning_wherever_it_stands(void **state)
{
    (void)state;
    FILE *f = file_of_a();
    struct sha256 h;
    uint64_t n = 0;
    assert_int_equal(sha256_of_fd(fileno(f), &h, &n), 0); /* the offset was at the end */
    assert_int_equal(n, 1000000);
    check(h, MILLION);
    fclose(f);
}

static void what_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct sha256 h;
    int fds[2];
    assert_int_equal(sha256_of_fd(-1, &h, NULL), -EBADF);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(sha256_of_fd(fds[0], &h, NULL), -ESPIPE);
    close(fds[0]);
    close(fds[1]);
}

static void only_64_hexadecimal_digits_are_a_hash(void **state)
{
    (void)state;
    struct sha256 h;
    char upper[] = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    assert_int_equal(sha256_parse(upper, 64, &h), 0);
    check(h, ABC);
    assert_int_equal(sha256_parse(ABC, 63, &h), 1);
    assert_int_equal(sha256_parse(ABC "0", 65, &h), 1);
    upper[5] = 'G';
    assert_int_equal(sha256_parse(upper, 64, &h), 1);
    upper[5] = '\0';
    assert_int_equal(sha256_parse(upper, 64, &h), 1);
}

static int hash_file(void *context)
{
    struct sha256 h;
    return sha256_of_fd(fileno(context), &h, NULL);
}

static void it_survives_every_failing_allocation(void **state)
{
    (void)state;
    FILE *f = file_of_a();
    assert_int_equal(failing_alloc_each("hashing a file", hash_file, f, false), 1);
    fclose(f);
}

static void pieces_of_any_length_give_what_libsodium_gives(void **state)
{
    (void)state;
    static uint8_t bytes[5000];
    uint64_t random = 9;
    for (size_t i = 0; i < sizeof bytes; i++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        bytes[i] = (uint8_t)(random >> 56);
    }
    for (size_t n = 0; n < 700; n++) {
        struct sha256 right, is;
        struct sha256_state s;
        crypto_hash_sha256(right.b, bytes, n * 7);
        is = sha256_of(bytes, n * 7);
        assert_memory_equal(is.b, right.b, 32);
        sha256_init(&s);
        for (size_t at = 0, k; at < n * 7; at += k) {
            random = random * UINT64_C(6364136223846793005) + 1;
            k = (size_t)(random >> 56) % (n * 7 - at) + 1;
            sha256_add(&s, bytes + at, k);
        }
        is = sha256_end(&s);
        assert_memory_equal(is.b, right.b, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(a_million_a_in_uneven_pieces_comes_out),
        cmocka_unit_test(pieces_of_any_length_give_what_libsodium_gives),
        cmocka_unit_test(a_file_is_hashed_from_its_beginning_wherever_it_stands),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
        cmocka_unit_test(only_64_hexadecimal_digits_are_a_hash),
        cmocka_unit_test(it_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
