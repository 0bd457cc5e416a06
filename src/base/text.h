/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/text - UTF-8, Vietnamese folding, trimming, numbers. Borrowed spans, no allocation unless said.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    const char *p; /* borrowed, not terminated */
    size_t n;
};

#define TEXT(literal) ((struct text){("" literal), sizeof(literal) - 1})

/* text_trim - without blanks, tabs, line ends and no-break spaces around. */
struct text text_trim(struct text t);
bool text_equal(struct text a, struct text b);
bool text_is(struct text a, const char *b);
bool text_is_nocase(struct text a, const char *b); /* ASCII letters only */

/* text_u64 - decimal digits only, no sign, no blanks. Return: 0, or 1 (not a number, or above @max). */
int text_u64(struct text t, uint64_t max, uint64_t *ret);

/* text_is_utf8 - well-formed (no overlong forms, surrogates, or above U+10FFFF). */
bool text_is_utf8(const char *p, size_t n);
/* text_next - decode one character at *@p, advance; U+FFFD for each malformed byte. @p < @end required. */
uint32_t text_next(const char **p, const char *end);
/* text_put - encode @c as UTF-8; returns 1..4 bytes written. */
size_t text_put(uint32_t c, char out[4]);

/*
 * text_fold - the search form: lower case, Vietnamese and Latin diacritics dropped (NFC or NFD), đ becomes d,
 * runs of blanks, '_' and '-' become one blank, trimmed. Writes at most @n_out bytes with the closing zero.
 * Return: the length written (cut on a character when it does not fit).
 */
size_t text_fold(struct text t, char *out, size_t n_out);

/* text_fold_char - lower case without diacritics, đ as d; 0 for a combining mark (U+0300..U+036F), which is dropped. */
uint32_t text_fold_char(uint32_t c);

/*
 * text_fold_legacy - Vietnamese of before Unicode in its search form: TCVN3 (ABC) and VNI letters become their base letters,
 * VNI's marks behind a letter are dropped, ASCII is made lower case. For bytes that are no UTF-8.
 * @out: room for t.n bytes. Return: the length written.
 * Source: TCVN 5712:1993 (VN3); VNI for Windows.
 */
enum text_legacy { TEXT_TCVN3, TEXT_VNI, TEXT_N_LEGACY };
size_t text_fold_legacy(enum text_legacy encoding, struct text t, char *out);

/*
 * text_escape - printable form of hostile bytes for messages: control characters, marks that turn the reading
 * direction, quotes, backslashes and malformed UTF-8 as \xNN per byte; at most @n_out bytes with the zero, "…" at
 * the end when cut. Returns @out.
 */
const char *text_escape(const char *p, size_t n, char *out, size_t n_out);
