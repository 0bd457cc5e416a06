/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts without case, and patterns with marks.
 */
#include "watch/detect/sigma_inside.h"

#include <string.h>

/* lower2 - of U+0080..U+07FF when the lower case has two bytes as well (Unicode simple case mapping). */
static uint32_t lower2(uint32_t c)
{
    if (c >= 0xc0 && c <= 0xde && c != 0xd7)
        return c + 32;
    if (c >= 0x100 && c <= 0x17f) {
        if (c == 0x130 || c == 0x131 || c == 0x138 || c == 0x149 || c == 0x17f)
            return c;
        if (c == 0x178)
            return 0xff;
        bool is_odd_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
        return is_odd_upper ? c + (c & 1) : c | 1;
    }
    if (c == 0x1a0 || c == 0x1a1 || c == 0x1af || c == 0x1b0) /* O and U with horn */
        return c == 0x1a0 ? 0x1a1 : c == 0x1af ? 0x1b0 : c;
    if ((c >= 0x391 && c <= 0x3a1) || (c >= 0x3a3 && c <= 0x3ab))
        return c + 32;
    if (c >= 0x410 && c <= 0x42f)
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    return c;
}

void sigma_lower(const char *p, size_t n, char *out)
{
    uint8_t high = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        high |= c;
        out[i] = (char)(c + ((uint8_t)(c - 'A') < 26 ? 32 : 0));
    }
    if (!(high & 0x80))
        return;
    for (size_t i = 0; i + 1 < n; i++) {
        uint8_t a = (uint8_t)out[i], b = (uint8_t)out[i + 1];
        if (a >= 0xc3 && a <= 0xd0 && (b & 0xc0) == 0x80) {
            uint32_t c = lower2((uint32_t)(a & 0x1f) << 6 | (b & 0x3f));
            out[i] = (char)(0xc0 | c >> 6);
            out[i + 1] = (char)(0x80 | (c & 0x3f));
            i++;
        } else if (a == 0xe1 && i + 2 < n && (b == 0xba || b == 0xbb) && ((uint8_t)out[i + 2] & 0xc0) == 0x80) {
            /* U+1E80..U+1EFF: Latin with Vietnamese marks; pairs, the even one is the capital (but U+1E96..U+1E9F) */
            uint32_t c = 0x1e00 | (uint32_t)(b & 3) << 6 | ((uint8_t)out[i + 2] & 0x3f);
            if (c < 0x1e96 || c >= 0x1ea0)
                out[i + 2] = (char)((uint8_t)out[i + 2] | 1);
            i += 2;
        }
    }
}

static size_t char_n(const char *p, size_t n)
{
    uint8_t c = (uint8_t)*p;
    size_t want = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return want < n ? want : n;
}

/* dash_n - bytes of the dash at @p, 0 when there is none. */
static size_t dash_n(const char *p, size_t n)
{
    if (n && (*p == '-' || *p == '/'))
        return 1;
    return n >= 3 && (uint8_t)p[0] == 0xe2 && (uint8_t)p[1] == 0x80 && (uint8_t)p[2] >= 0x93 && (uint8_t)p[2] <= 0x95 ? 3 : 0;
}

/* part_at - @part (no SIGMA_ANY) at the beginning of @p. Return: bytes taken, or SIZE_MAX. */
static size_t part_at(const char *part, size_t n_part, const char *p, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n_part; i++) {
        if (at >= n)
            return SIZE_MAX;
        if (part[i] == SIGMA_ONE) {
            at += char_n(p + at, n - at);
        } else if (part[i] == SIGMA_DASH) {
            size_t dash = dash_n(p + at, n - at);
            if (!dash)
                return SIZE_MAX;
            at += dash;
        } else if (part[i] == p[at]) {
            at++;
        } else {
            return SIZE_MAX;
        }
    }
    return at;
}

static bool is_literal(const char *part, size_t n)
{
    return !memchr(part, SIGMA_ONE, n) && !memchr(part, SIGMA_DASH, n);
}

/* part_find - the first place of @part. Return: where it begins and @ret_n, or NULL. */
static const char *part_find(const char *part, size_t n_part, const char *p, size_t n, size_t *ret_n)
{
    if (is_literal(part, n_part)) {
        *ret_n = n_part;
        return memmem(p, n, part, n_part);
    }
    for (size_t i = 0; i < n; i += char_n(p + i, n - i)) {
        size_t took = part_at(part, n_part, p + i, n - i);
        if (took != SIZE_MAX) {
            *ret_n = took;
            return p + i;
        }
    }
    return NULL;
}

/* part_ends - @part as the very end of @p: tried at every character near it that could fit. */
static bool part_ends(const char *part, size_t n_part, const char *p, size_t n)
{
    if (is_literal(part, n_part))
        return n >= n_part && !memcmp(p + n - n_part, part, n_part);
    size_t longest = n_part * 4;
    for (size_t i = n > longest ? n - longest : 0; i < n; i++) {
        if (((uint8_t)p[i] & 0xc0) == 0x80)
            continue; /* inside a character */
        if (part_at(part, n_part, p + i, n - i) == n - i)
            return true;
    }
    return false;
}

/* The first part stands at the beginning, the last at the end, those between are taken at their first place: linear. */
bool sigma_glob(const char *pattern, size_t n_pattern, const char *p, size_t n)
{
    const char *end = pattern + n_pattern, *star = memchr(pattern, SIGMA_ANY, n_pattern);
    size_t took = part_at(pattern, (size_t)((star ? star : end) - pattern), p, n);
    if (!star)
        return took == n;
    if (took == SIZE_MAX)
        return false;
    p += took;
    n -= took;
    for (;;) {
        const char *part = star + 1;
        star = memchr(part, SIGMA_ANY, (size_t)(end - part));
        if (!star)
            return part == end || part_ends(part, (size_t)(end - part), p, n);
        if (star == part)
            continue;
        const char *found = part_find(part, (size_t)(star - part), p, n, &took);
        if (!found)
            return false;
        n -= (size_t)(found - p) + took;
        p = found + took;
    }
}
