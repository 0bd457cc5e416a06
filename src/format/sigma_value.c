/* SPDX-License-Identifier: Apache-2.0 */
#include "format/sigma_value.h"

#include "format/sigma_inside.h"

#include <errno.h>
#include <string.h>

static bool is_mark(char c)
{
    return c == SIGMA_ANY || c == SIGMA_ONE || c == SIGMA_DASH;
}

bool sigma_value_has_marks(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (is_mark(t.p[i]))
            return true;
    return false;
}

/*
 * "Backslash escapes wildcards and the backslash itself": \* \? \\ are one plain character each, any other backslash is
 * plain ("Escape Character" of the specification). Runs of stars are one.
 */
struct text sigma_text_pattern(struct arena *arena, struct text t)
{
    char *p = arena_alloc(arena, t.n + 1);
    size_t n = 0;
    for (size_t i = 0; p && i < t.n; i++) {
        char c = t.p[i];
        if (c == '\\' && i + 1 < t.n && (t.p[i + 1] == '*' || t.p[i + 1] == '?' || t.p[i + 1] == '\\'))
            p[n++] = t.p[++i];
        else if (c == '*' && n && p[n - 1] == SIGMA_ANY)
            continue;
        else
            p[n++] = c == '*' ? SIGMA_ANY : c == '?' ? SIGMA_ONE : c;
    }
    return (struct text){p, n};
}

int sigma_value_open(struct arena *arena, bool at_start, bool at_end, struct text *t)
{
    at_start = at_start && !(t->n && t->p[0] == SIGMA_ANY);
    at_end = at_end && !(t->n && t->p[t->n - 1] == SIGMA_ANY);
    if (!t->n && at_start)
        at_end = false; /* one star says it */
    char *p = arena_alloc(arena, t->n + 3);
    if (!p)
        return -ENOMEM;
    size_t n = 0;
    if (at_start)
        p[n++] = SIGMA_ANY;
    if (t->n)
        memcpy(p + n, t->p, t->n);
    n += t->n;
    if (at_end)
        p[n++] = SIGMA_ANY;
    *t = (struct text){p, n};
    return 0;
}

int sigma_value_windash(struct arena *arena, struct text *t)
{
    char *p = arena_alloc(arena, t->n + 1);
    size_t n = 0;
    for (size_t i = 0; p && i < t->n; i++) {
        bool is_long = t->n - i >= 3 && !memcmp(t->p + i, "\xe2\x80", 2) && (uint8_t)t->p[i + 2] >= 0x93 &&
                       (uint8_t)t->p[i + 2] <= 0x95; /* U+2013 en dash, U+2014 em dash, U+2015 horizontal bar */
        p[n++] = is_long || t->p[i] == '-' || t->p[i] == '/' ? SIGMA_DASH : t->p[i];
        i += is_long ? 2 : 0;
    }
    *t = (struct text){p, n};
    return p ? 0 : -ENOMEM;
}

static size_t put_unit(char *p, uint32_t unit, bool is_big)
{
    p[is_big ? 0 : 1] = (char)(unit >> 8);
    p[is_big ? 1 : 0] = (char)unit;
    return 2;
}

int sigma_value_utf16(struct arena *arena, enum sigma_utf16 how, bool is_last, struct text *t)
{
    if (sigma_value_has_marks(*t) || 2 * t->n + 2 > SIGMA_TEXT_MAX)
        return 1;
    char *p = arena_alloc(arena, 2 * t->n + 3);
    if (!p)
        return -ENOMEM;
    bool is_big = how == SIGMA_UTF16BE;
    size_t n = how == SIGMA_UTF16_BOM ? put_unit(p, 0xfeff, is_big) : 0;
    for (const char *from = t->p, *end = t->p + t->n; from < end;) {
        uint32_t c = text_next(&from, end);
        if (c >= 0x10000) {
            n += put_unit(p + n, 0xd800 + ((c - 0x10000) >> 10), is_big);
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        n += put_unit(p + n, c, is_big);
    }
    for (size_t i = 0; is_last && i < n; i++)
        if (is_mark(p[i]))
            p[i] = '\xfc';
    *t = (struct text){p, n};
    return 0;
}

/* encode - RFC 4648 section 4, padded. @out has room for 4 * ((n + 2) / 3). */
static size_t encode(const char *in, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)(uint8_t)in[i] << 16 | (left > 1 ? (uint32_t)(uint8_t)in[i + 1] << 8 : 0) |
                     (left > 2 ? (uint32_t)(uint8_t)in[i + 2] : 0);
        out[at++] = digits[v >> 18];
        out[at++] = digits[v >> 12 & 63];
        out[at++] = left > 1 ? digits[v >> 6 & 63] : '=';
        out[at++] = left > 2 ? digits[v & 63] : '=';
    }
    return at;
}

int sigma_value_base64(struct arena *arena, bool is_bytes, struct text *t)
{
    if ((!is_bytes && sigma_value_has_marks(*t)) || t->n > SIGMA_TEXT_MAX / 2)
        return 1;
    char *p = arena_alloc(arena, 4 * ((t->n + 2) / 3) + 1);
    if (!p)
        return -ENOMEM;
    *t = (struct text){p, encode(t->p, t->n, p)};
    return 0;
}

/*
 * With @shift unknown bytes before it, the first digits depend on them: 0, 2 or 3 digits; and when the end does not fall
 * on three bytes, the last digit before the padding depends on what follows.
 */
int sigma_value_base64_offset(struct arena *arena, unsigned shift, bool is_bytes, struct text t, struct text *ret)
{
    static const unsigned skip[3] = {0, 2, 3};
    if ((!is_bytes && sigma_value_has_marks(t)) || t.n > SIGMA_TEXT_MAX / 2 || shift >= sizeof skip / sizeof *skip)
        return 1;
    size_t n = t.n + shift;
    char *in = arena_alloc(arena, n + 1), *p = arena_alloc(arena, 4 * ((n + 2) / 3) + 1);
    if (!in || !p)
        return -ENOMEM;
    memcpy(in + shift, t.p, t.n);
    encode(in, n, p);
    size_t end = n * 8 / 6; /* digits wholly made of known bits */
    if (end <= skip[shift])
        return 1;
    *ret = (struct text){p + skip[shift], end - skip[shift]};
    return 0;
}
