/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/phrase - a search in texts: words, prefixes, substrings and phrases, folded or exact.
 *
 *   loi         the word, folded: also lỗi, LOI, Lỗi (đ is d); between words as the text has it
 *   adm*        a word that begins so; *adm that ends so; *adm* anything that contains it
 *   "a b*c"     pieces between asterisks in this order; each end that has no asterisk ends at a word's end
 * Exact (is_exact) compares bytes: case and diacritics count.
 * Folded, bytes that are no UTF-8 are read as TCVN3 and as VNI too.
 * A dotted quad matches only whole addresses: 1.2.3.4 not in 1.2.3.45 nor in 1.2.3.4.5.
 *
 * phrase_blocks says where to look, phrase_match decides: the first never leaves out what the second would take.
 */
#pragma once

#include "watch/store/terms.h"

#define PHRASE_BYTES_MAX 1024u
#define PHRASE_PIECES_MAX 16u

struct phrase {
    bool is_exact, is_open_left, is_open_right, is_address;
    unsigned n_pieces;
    uint16_t piece_at[PHRASE_PIECES_MAX], piece_n[PHRASE_PIECES_MAX]; /* in bytes */
    char bytes[PHRASE_BYTES_MAX]; /* of the pieces; folded unless exact */
};

/*
 * phrase_compile - @pattern as above, without quotes; a backslash takes the next character as it is.
 * Return: 0, or 1 (empty, no UTF-8, longer than PHRASE_BYTES_MAX or more than PHRASE_PIECES_MAX pieces).
 */
int phrase_compile(struct text pattern, bool is_exact, struct phrase *ret);
/* phrase_match - @scratch: grows as needed (its max must be set); out of memory counts in its is_bad. */
bool phrase_match(const struct phrase *p, struct text t, struct buf *scratch);
/* phrase_blocks - clear the bits of blocks of @bitmap in which no text can match. Return: 0, -EBADMSG, -ENOMEM. */
int phrase_blocks(const struct phrase *p, const struct terms *t, uint64_t *bitmap);
