/* SPDX-License-Identifier: Apache-2.0 */
/* 64 bytes at a time say the same as each byte by itself. */
#include "watch/store/byte_masks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void sixty_four_bytes_are_told_as_one_by_one(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t p[BYTES_AT_ONCE];
        for (unsigned i = 0; i < BYTES_AT_ONCE; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            p[i] = round < 256 ? (uint8_t)(round + i) : (uint8_t)(random >> 56);
        }
        struct word_masks words = word_masks_of(p), words_right = word_masks_plain(p);
        struct piece_masks pieces = piece_masks_of(p), pieces_right = piece_masks_plain(p);
        assert_true(words.ascii == words_right.ascii && words.high == words_right.high);
        assert_true(pieces.cut == pieces_right.cut && pieces.variable == pieces_right.variable && pieces.dot == pieces_right.dot);
        assert_true(pieces.high == pieces_right.high && pieces.mark == pieces_right.mark);
    }
}

static void no_word_goes_over_a_cut(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        assert_false(word_kind_plain((uint8_t)c) && piece_kind_plain((uint8_t)c) & PIECE_CUT);
    assert_false(piece_kind_plain('.') & PIECE_CUT); /* nor does an address */
    assert_true(piece_kind_plain('\n') & PIECE_CUT); /* it ends variables */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixty_four_bytes_are_told_as_one_by_one),
        cmocka_unit_test(no_word_goes_over_a_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
