/* SPDX-License-Identifier: Apache-2.0 */
/* format/json_scan_own - what the files of json_scan share; nobody else includes it. */
#pragma once

#include "format/json_scan.h"

#include <string.h>

/*
 * json_index_... - offsets of everything that is outside strings and no blank (of a number or word its first byte),
 * and of both quotes of a string, into s->index; backslashes into s->escapes; s->has_high and s->has_escapes.
 * Return: how many; SIZE_MAX if a string is not closed or holds a control character.
 */
size_t json_index_plain(struct json_scan *s, const char *p, size_t n);
typedef size_t (*json_index)(struct json_scan *s, const char *p, size_t n);
enum json_index_kind { JSON_INDEX_PLAIN, JSON_INDEX_AVX2, JSON_INDEX_AVX512 };
/* json_index_of - NULL if this processor cannot. json_index_best - the fastest it has. */
json_index json_index_of(enum json_index_kind kind);
json_index json_index_best(void);

/* json_escapes_are_right - every backslash of a string's inside begins an escape of RFC 8259, surrogates in pairs. */
bool json_escapes_are_right(struct text raw);

/*
 * json_scan_shape.c: texts that look like one before. A shape is the row of bytes that stand at the places of the index
 * (every first byte of a number or word as one), together with its keys; whoever has the same is right in grammar and has
 * its leaves at the same places.
 */
struct json_shapes;
struct json_shapes *json_shapes_new(void);
void json_shapes_free(struct json_shapes *x);
/* json_shape_take - the leaves of a text with @n places, whose shape is known. Return: whether it is and the text is right. */
bool json_shape_take(struct json_scan *s, const char *p, size_t n);
/* json_shape_learn - the text was walked, and is right; a shape met for the second time is kept. */
void json_shape_learn(struct json_scan *s, const char *p, size_t n);

/* --- one value ------------------------------------------------------------------------------------------ */

/* load8 - at most eight bytes, zeros above; the text has JSON_SCAN_PADDING behind it */
static inline uint64_t load8(const char *p, size_t n)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return n >= 8 ? v : v & ((UINT64_C(1) << 8 * n) - 1);
}

/* has_escape - in @n bytes at @at. */
static inline bool has_escape(const struct json_scan *s, size_t at, size_t n)
{
    if (!n)
        return false;
    size_t a = at >> 6, b = (at + n - 1) >> 6;
    uint64_t from = ~UINT64_C(0) << (at & 63), to = ~UINT64_C(0) >> (63 - ((at + n - 1) & 63));
    if (a == b)
        return s->escapes[a] & from & to;
    if ((s->escapes[a] & from) || (s->escapes[b] & to))
        return true;
    while (++a < b)
        if (s->escapes[a])
            return true;
    return false;
}

static inline bool is_number(const char *p, const char *end)
{
    p += p < end && *p == '-';
    if (p == end)
        return false;
    if (*p == '0')
        p++;
    else if (*p >= '1' && *p <= '9')
        while (p < end && *p >= '0' && *p <= '9')
            p++;
    else
        return false;
    if (p < end && *p == '.') {
        const char *digits = ++p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *digits = p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits)
            return false;
    }
    return p == end;
}

/* eight_digits - every byte is one: the high half 3, and adding 6 does not change that. */
static inline bool eight_digits(uint64_t v)
{
    const uint64_t halves = UINT64_C(0xf0f0f0f0f0f0f0f0), threes = UINT64_C(0x3030303030303030);
    return (v & halves) == threes && ((v + UINT64_C(0x0606060606060606)) & halves) == threes;
}

/* are_digits - of 1 to 16 bytes. */
static inline bool are_digits(const char *p, size_t n)
{
    const uint64_t zeros = UINT64_C(0x3030303030303030);
    if (n < 8)
        return eight_digits(load8(p, n) | zeros << 8 * n);
    return eight_digits(load8(p, 8)) && eight_digits(load8(p + n - 8, 8));
}

static inline bool json_is_blank(char c)
{
    return (unsigned char)c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

/* scalar_kind - of a number or word of @n bytes. Return: a kind, or STRING when it is neither. */
__attribute__((always_inline)) static inline enum json_kind scalar_kind(const char *p, size_t n)
{
    uint32_t four;
    memcpy(&four, p, sizeof four); /* the padding is behind */
    if (n <= 16 && *p != '0' && are_digits(p, n))
        return JSON_KIND_NUMBER;
    if (*p <= '9')
        return is_number(p, p + n) ? JSON_KIND_NUMBER : JSON_KIND_STRING;
    if (n == 4 && four == ('t' | 'r' << 8 | 'u' << 16 | (uint32_t)'e' << 24))
        return JSON_KIND_TRUE;
    if (n == 4 && four == ('n' | 'u' << 8 | 'l' << 16 | (uint32_t)'l' << 24))
        return JSON_KIND_NULL;
    return n == 5 && !memcmp(p, "false", 5) ? JSON_KIND_FALSE : JSON_KIND_STRING;
}

/* scalar_end - where the number or word at @at ends, @to being where the next thing begins. */
static inline uint32_t scalar_end(const char *p, uint32_t to)
{
    while (json_is_blank(p[to - 1]))
        to--;
    return to;
}
