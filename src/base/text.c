/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding is by table for the precomposed letters that occur in Vietnamese and
 * Western names (U+00C0..U+017F, U+01A0.., U+1EA0..U+1EF9); combining marks
 * U+0300..U+036F are dropped, which makes NFC and NFD fold alike.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text t)
{
    for (;;) {
        if (t.n && is_blank(*t.p)) {
            t.p++, t.n--;
        } else if (t.n >= 2 && !memcmp(t.p, "\xc2\xa0", 2)) { /* no-break space of spreadsheets */
            t.p += 2, t.n -= 2;
        } else {
            break;
        }
    }
    for (;;) {
        if (t.n && is_blank(t.p[t.n - 1]))
            t.n--;
        else if (t.n >= 2 && !memcmp(t.p + t.n - 2, "\xc2\xa0", 2))
            t.n -= 2;
        else
            return t;
    }
}

bool text_equal(struct text a, struct text b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

bool text_is(struct text a, const char *b)
{
    return text_equal(a, (struct text){b, strlen(b)});
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool text_is_nocase(struct text a, const char *b)
{
    if (a.n != strlen(b))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b[i]))
            return false;
    return true;
}

int text_u64(struct text t, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (!t.n || t.n > 20)
        return 1;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return 1;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(t.p[i] - '0'), &v))
            return 1;
    }
    if (v > max)
        return 1;
    *ret = v;
    return 0;
}

/* decode - RFC 3629; returns bytes used, 0 when malformed. */
static size_t decode(const unsigned char *p, size_t n, uint32_t *ret)
{
    if (!n)
        return 0;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0xc2 || p[0] > 0xf4 || length > n)
        return 0;
    uint32_t c = p[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return length;
}

bool text_is_utf8(const char *p, size_t n)
{
    const unsigned char *q = (const unsigned char *)p;
    while (n) {
        uint64_t eight; /* mostly ASCII: eight bytes at a time */
        while (n >= 8 && (memcpy(&eight, q, 8), !(eight & UINT64_C(0x8080808080808080)))) {
            q += 8;
            n -= 8;
        }
        if (!n)
            return true;
        uint32_t c;
        size_t used = *q < 0x80 ? 1 : decode(q, n, &c);
        if (!used)
            return false;
        q += used;
        n -= used;
    }
    return true;
}

uint32_t text_next(const char **p, const char *end)
{
    uint32_t c;
    size_t used = decode((const unsigned char *)*p, (size_t)(end - *p), &c);
    if (!used) {
        (*p)++;
        return 0xfffd;
    }
    *p += used;
    return c;
}

size_t text_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static uint32_t fold_char(uint32_t c)
{
    /*
     * Base letters of U+00C0..U+00FF, U+0100..U+017F and U+1EA0..U+1EF9, in order; '.' = no single base letter.
     * Eth (U+00D0) becomes d as well: older Vietnamese texts write it where D with stroke is meant.
     */
    static const char latin1[] = "aaaaaa.ceeeeiiiidnooooo.ouuuuy..aaaaaa.ceeeeiiiidnooooo.ouuuuy.y";
    static const char extended[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkk.llllllllllnnnnnn...oooooo"
                                   "..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    _Static_assert(sizeof(latin1) == 0x40 + 1 && sizeof(extended) == 0x80 + 1, "one letter per code point");
    static const char vietnamese[] = "aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuu"
                                     "yyyyyyyy";
    _Static_assert(sizeof(vietnamese) == 0x5a + 1, "one letter per code point");
    if (c >= 'A' && c <= 'Z')
        return c + 32;
    if (c < 0xc0)
        return c;
    char base = '.';
    if (c <= 0xff)
        base = latin1[c - 0xc0];
    else if (c <= 0x17f)
        base = extended[c - 0x100];
    else if (c >= 0x1ea0 && c <= 0x1ef9)
        base = vietnamese[c - 0x1ea0];
    else if (c == 0x1a0 || c == 0x1a1)
        base = 'o';
    else if (c == 0x1af || c == 0x1b0)
        base = 'u';
    if (base != '.')
        return (uint32_t)(unsigned char)base;
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || c == 0x132 || c == 0x14a || c == 0x152)
        return c < 0x100 ? c + 32 : c + 1; /* capital ligatures, thorn and eng */
    return c;
}

uint32_t text_fold_char(uint32_t c)
{
    return c >= 0x300 && c <= 0x36f ? 0 : fold_char(c);
}

size_t text_fold(struct text t, char *out, size_t n_out)
{
    size_t n = 0;
    bool gap = false;
    const char *p = t.n ? t.p : "", *end = p + t.n; /* an empty text may have no place */
    if (!n_out)
        return 0;
    while (p < end) {
        uint32_t c = fold_char(text_next(&p, end));
        if (c >= 0x300 && c <= 0x36f)
            continue;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '_' || c == '-' || c == 0xa0) {
            gap = n > 0;
            continue;
        }
        char bytes[4];
        size_t m = text_put(c, bytes);
        if (n + m + gap >= n_out)
            break;
        if (gap)
            out[n++] = ' ';
        gap = false;
        memcpy(out + n, bytes, m);
        n += m;
    }
    out[n] = '\0';
    return n;
}

size_t text_fold_legacy(enum text_legacy encoding, struct text t, char *out)
{
    /* base letters of bytes 0xa0..0xff; '.' = none: what it is stays a separator */
    static const char tcvn3[] = ".aaeooudaaeoouda.....aaaaaaaaaaaaaaaaeaaaaaaeeeeeeeeeeeiieeoiiioooooooooooooooououuuuuuuuuyyyyyo";
    /* of bytes 0xc0..0xff that are letters by themselves; '-' = a mark on the letter before */
    static const char vni[] = "------i-----iiy--diio-u---------------i-----iiy--diio-u---------";
    _Static_assert(sizeof(tcvn3) == 0x60 + 1 && sizeof(vni) == 0x40 + 1, "one letter per byte");
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        char base = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if (c >= 0x80)
            base = ' ';
        if (c >= 0xa0 && encoding == TEXT_TCVN3 && tcvn3[c - 0xa0] != '.')
            base = tcvn3[c - 0xa0];
        if (c >= 0xc0 && encoding == TEXT_VNI)
            base = vni[c - 0xc0];
        if (base != '-' || c == '-')
            out[n++] = base;
    }
    return n;
}

/* controls of ASCII and Latin-1, what ends or escapes a quoted text, and marks that turn the reading direction */
static bool is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == '"' || c == '\\' || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

const char *text_escape(const char *p, size_t n, char *out, size_t n_out)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t o = 0, i = 0;
    while (i < n) {
        uint32_t c;
        size_t used = decode((const unsigned char *)p + i, n - i, &c);
        char piece[17];
        size_t m = 0;
        if (!used || is_unprintable(c)) {
            used = used ? used : 1;
            for (size_t k = 0; k < used; k++)
                m += (size_t)snprintf(piece + m, sizeof(piece) - m, "\\x%02x", (unsigned char)p[i + k]);
        } else {
            memcpy(piece, p + i, used);
            m = used;
        }
        if (o + m + sizeof(ellipsis) > n_out) {
            if (n_out >= sizeof(ellipsis) && o + sizeof(ellipsis) <= n_out) {
                memcpy(out + o, ellipsis, sizeof(ellipsis) - 1);
                o += sizeof(ellipsis) - 1;
            }
            break;
        }
        memcpy(out + o, piece, m);
        o += m;
        i += used;
    }
    if (n_out)
        out[o < n_out ? o : n_out - 1] = '\0';
    return out;
}
