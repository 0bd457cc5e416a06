/* SPDX-License-Identifier: Apache-2.0 */
/* Values of binary XML: what the bytes say, and how Windows writes that as text. */
#include "base/clock.h"
#include "format/evtx_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define TICKS_PER_US 10
#define EPOCH_US INT64_C(11644473600000000) /* from 1601 to 1970 */
#define FILETIME_YEAR_10000 UINT64_C(2650467744000000000)

/* one_character - from @n_units > 0 units; an unpaired surrogate is U+FFFD. Return: units read, 1 or 2. */
static size_t one_character(const uint8_t *p, size_t n_units, uint32_t *ret)
{
    uint32_t c = load_le16(p);
    *ret = c;
    if (c < 0xd800 || c > 0xdfff)
        return 1;
    *ret = 0xfffd;
    if (c > 0xdbff || n_units < 2)
        return 1;
    uint32_t low = load_le16(p + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return 1;
    *ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    return 2;
}

#if defined(__SSE2__)
/* ascii_run - units copied eight at a time while all of them are ASCII. */
static size_t ascii_run(const uint8_t *p, size_t n_units, char *out)
{
    const __m128i high = _mm_set1_epi16((short)0xff80);
    size_t i = 0;
    for (; i + 8 <= n_units; i += 8) {
        __m128i units = _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * i));
        __m128i is_ascii = _mm_cmpeq_epi16(_mm_and_si128(units, high), _mm_setzero_si128());
        if (_mm_movemask_epi8(is_ascii) != 0xffff)
            break;
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packus_epi16(units, units));
    }
    return i;
}
#else
static size_t ascii_run(const uint8_t *p, size_t n_units, char *out)
{
    size_t i = 0;
    for (; i < n_units && load_le16(p + 2 * i) < 0x80; i++)
        out[i] = (char)p[2 * i];
    return i;
}
#endif

size_t evtx_utf8(const uint8_t *p, size_t n_units, char *out)
{
    char *to = out;
    for (size_t i = 0; i < n_units;) {
        size_t n = n_units - i < 8 ? 0 : ascii_run(p + 2 * i, n_units - i, to);
        i += n;
        to += n;
        for (size_t end = n_units - i < 8 ? n_units : i + 8; i < end;) {
            uint32_t c = load_le16(p + 2 * i);
            if (c < 0x80) {
                *to++ = (char)c;
                i++;
                continue;
            }
            i += one_character(p + 2 * i, n_units - i, &c);
            to += text_put(c, to);
        }
    }
    return (size_t)(to - out);
}

/* ansi - bytes of an unknown code page: UTF-8 if they are that, else Windows-1252 (as Western programs write). */
static size_t ansi(const uint8_t *p, size_t n, char *out)
{
    static const uint16_t above[32] = {
        0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
    };
    if (text_is_utf8((const char *)p, n)) {
        if (n)
            memcpy(out, p, n);
        return n;
    }
    char *to = out;
    for (size_t i = 0; i < n; i++)
        to += text_put(p[i] >= 0x80 && p[i] < 0xa0 ? above[p[i] - 0x80] : p[i], to);
    return (size_t)(to - out);
}

/*
 * systemtime - year, month, day of the week, day, hour, minute, second, millisecond, each 2 bytes (SYSTEMTIME).
 * Return: whether it is a date from 1601 to 9999.
 */
static bool systemtime(const uint8_t *p, uint64_t *ret)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year = load_le16(p), month = load_le16(p + 2), day = load_le16(p + 6), hour = load_le16(p + 8),
             minute = load_le16(p + 10), second = load_le16(p + 12), ms = load_le16(p + 14);
    if (year < 1601 || year > 9999 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 || ms > 999)
        return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > lengths[month - 1] + (uint32_t)(is_leap && month == 2))
        return false;
    uint64_t before = year - 1601, days = before * 365 + before / 4 - before / 100 + before / 400 + day - 1;
    for (uint32_t m = 1; m < month; m++)
        days += lengths[m - 1] + (uint32_t)(is_leap && m == 2);
    *ret = (((days * 24 + hour) * 60 + minute) * 60 + second) * 10000000 + (uint64_t)ms * 10000;
    return true;
}

static uint64_t unsigned_of(const uint8_t *p, size_t n)
{
    switch (n) {
    case 1:
        return *p;
    case 2:
        return load_le16(p);
    case 4:
        return load_le32(p);
    default:
        return load_le64(p);
    }
}

static int64_t signed_of(const uint8_t *p, size_t n)
{
    switch (n) {
    case 1:
        return (int8_t)*p;
    case 2:
        return (int16_t)load_le16(p);
    case 4:
        return (int32_t)load_le32(p);
    default:
        return (int64_t)load_le64(p);
    }
}

static bool is_number_size(size_t n)
{
    return n == 1 || n == 2 || n == 4 || n == 8;
}

static bool is_sid(const uint8_t *p, size_t n)
{
    return n >= 8 && p[1] <= 15 && n >= 8 + 4 * (size_t)p[1];
}

static void binary(struct evtx_field *f, const uint8_t *p, size_t n)
{
    f->type = EVTX_BINARY;
    f->bytes.p = p;
    f->bytes.n = n;
}

static size_t string(uint8_t type, const uint8_t *p, size_t n, struct evtx_field *f, char *text)
{
    size_t n_text;
    f->type = type;
    if (type == EVTX_STRING) {
        n /= 2;
        while (n && !load_le16(p + 2 * n - 2)) /* the closing zero, as some programs log it */
            n--;
        n_text = evtx_utf8(p, n, text);
    } else {
        while (n && !p[n - 1])
            n--;
        n_text = ansi(p, n, text);
    }
    f->text = (struct text){text, n_text};
    return n_text;
}

/* number - an integer of any of the four sizes, whatever its type promises. Return: whether it is one. */
static bool number(uint8_t type, const uint8_t *p, size_t n, struct evtx_field *f)
{
    if (!is_number_size(n))
        return false;
    if (type == EVTX_INT8 || type == EVTX_INT16 || type == EVTX_INT32 || type == EVTX_INT64)
        f->i64 = signed_of(p, n);
    else
        f->u64 = unsigned_of(p, n);
    return true;
}

/* other - what is neither text nor an integer. Return: whether it has the size and form of its type. */
static bool other(uint8_t type, const uint8_t *p, size_t n, struct evtx_field *f)
{
    float real32;
    switch (type) {
    case EVTX_NULL:
        return true;
    case EVTX_FILETIME:
        f->u64 = n == 8 ? load_le64(p) : 0;
        return n == 8;
    case EVTX_SYSTEMTIME:
        return n == 16 && systemtime(p, &f->u64);
    case EVTX_REAL32:
        memcpy(&real32, n == 4 ? p : (const uint8_t *)"\0\0\0", 4);
        f->real = (double)real32;
        return n == 4;
    case EVTX_REAL64:
        memcpy(&f->real, n == 8 ? p : (const uint8_t *)"\0\0\0\0\0\0\0", 8);
        return n == 8;
    case EVTX_GUID:
        f->bytes.p = p;
        f->bytes.n = n;
        return n == 16;
    case EVTX_SID:
        f->bytes.p = p;
        f->bytes.n = is_sid(p, n) ? 8 + 4 * (size_t)p[1] : 0;
        return f->bytes.n > 0;
    default:
        return false;
    }
}

size_t evtx_value(uint8_t type, const uint8_t *p, size_t n, struct evtx_field *f, char *text)
{
    bool is_right;
    f->type = type;
    switch (type) {
    case EVTX_STRING:
    case EVTX_ANSI_STRING:
        return string(type, p, n, f, text);
    case EVTX_INT8:
    case EVTX_INT16:
    case EVTX_INT32:
    case EVTX_INT64:
    case EVTX_UINT8:
    case EVTX_UINT16:
    case EVTX_UINT32:
    case EVTX_UINT64:
    case EVTX_BOOL:
    case EVTX_SIZE:
    case EVTX_HEX32:
    case EVTX_HEX64:
        is_right = number(type, p, n, f);
        break;
    default:
        is_right = other(type, p, n, f);
        break;
    }
    if (!is_right)
        binary(f, p, n);
    return 0;
}

/* ---- text ---- */

static char *decimal(char *to, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n)
        *to++ = digits[--n];
    return to;
}

static char *decimal_signed(char *to, int64_t v)
{
    if (v >= 0)
        return decimal(to, (uint64_t)v);
    *to++ = '-';
    return decimal(to, 0 - (uint64_t)v);
}

/* hexadecimal - without leading zeros; lower case, as Windows writes win:HexInt32 and win:HexInt64. */
static char *hexadecimal(char *to, uint64_t v)
{
    int shift = v ? (63 - __builtin_clzll(v)) / 4 * 4 : 0;
    *to++ = '0';
    *to++ = 'x';
    for (; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[v >> shift & 15];
    return to;
}

static char *byte_pair(char *to, uint8_t b)
{
    *to++ = "0123456789ABCDEF"[b >> 4];
    *to++ = "0123456789ABCDEF"[b & 15];
    return to;
}

/* guid - the first three parts are little-endian numbers. */
static char *guid(char *to, const uint8_t *p)
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    *to++ = '{';
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        to = byte_pair(to, p[order[i]]);
    }
    *to++ = '}';
    return to;
}

/* sid - [MS-DTYP] 2.4.2.1: the authority in decimal up to 2^32, else 0x and twelve digits. */
static char *sid(char *to, const uint8_t *p)
{
    uint64_t authority = (uint64_t)load_be16(p + 2) << 32 | load_be32(p + 4);
    *to++ = 'S';
    *to++ = '-';
    to = decimal(to, p[0]);
    *to++ = '-';
    if (authority >> 32) {
        *to++ = '0';
        *to++ = 'x';
        for (int i = 2; i < 8; i++)
            to = byte_pair(to, p[i]);
    } else {
        to = decimal(to, authority);
    }
    for (int i = 0; i < p[1]; i++) {
        *to++ = '-';
        to = decimal(to, load_le32(p + 8 + 4 * i));
    }
    return to;
}

static char *digits(char *to, uint32_t v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        to[i] = (char)('0' + v % 10);
    return to + n;
}

/* filetime - years above 9999 have no such form: the ticks are written instead. */
static char *filetime(char *to, uint64_t ticks)
{
    if (ticks >= FILETIME_YEAR_10000)
        return decimal(to, ticks);
    struct civil c = clock_civil(evtx_time_us(ticks), 0);
    to = digits(to, (uint32_t)c.year, 4);
    *to++ = '-';
    to = digits(to, (uint32_t)c.month, 2);
    *to++ = '-';
    to = digits(to, (uint32_t)c.day, 2);
    *to++ = 'T';
    to = digits(to, (uint32_t)c.hour, 2);
    *to++ = ':';
    to = digits(to, (uint32_t)c.minute, 2);
    *to++ = ':';
    to = digits(to, (uint32_t)c.second, 2);
    *to++ = '.';
    to = digits(to, (uint32_t)(ticks % 10000000), 7);
    *to++ = 'Z';
    return to;
}

/* real - the shortest of the forms that read back as the same number. */
static char *real(char *to, double v, bool is_single)
{
    int n = 0;
    for (int precision = is_single ? 6 : 15; precision <= 17; precision++) {
        n = snprintf(to, 40, "%.*g", precision, v);
        double back = strtod(to, NULL);
        if (is_single ? (float)back == (float)v : !(back < v || back > v))
            break;
    }
    return to + n;
}

size_t evtx_value_text(const struct evtx_field *f, char *out)
{
    char *to = out;
    switch ((enum evtx_type)f->type) {
    case EVTX_NULL:
    case EVTX_STRING:
    case EVTX_ANSI_STRING:
    case EVTX_BINARY:
        break;
    case EVTX_INT8:
    case EVTX_INT16:
    case EVTX_INT32:
    case EVTX_INT64:
        to = decimal_signed(to, f->i64);
        break;
    case EVTX_UINT8:
    case EVTX_UINT16:
    case EVTX_UINT32:
    case EVTX_UINT64:
        to = decimal(to, f->u64);
        break;
    case EVTX_REAL32:
    case EVTX_REAL64:
        to = real(to, f->real, f->type == EVTX_REAL32);
        break;
    case EVTX_BOOL:
        memcpy(to, f->u64 ? "true" : "false", 5);
        to += f->u64 ? 4 : 5;
        break;
    case EVTX_GUID:
        to = guid(to, f->bytes.p);
        break;
    case EVTX_SIZE:
    case EVTX_HEX32:
    case EVTX_HEX64:
        to = hexadecimal(to, f->u64);
        break;
    case EVTX_FILETIME:
    case EVTX_SYSTEMTIME:
        to = filetime(to, f->u64);
        break;
    case EVTX_SID:
        to = sid(to, f->bytes.p);
        break;
    }
    return (size_t)(to - out);
}

struct text evtx_text(struct evtx *e, const struct evtx_field *f)
{
    char *to = e->text + e->n_text;
    size_t room = 2 * EVTX_TEXT_MAX - e->n_text;
    if (f->type == EVTX_NULL)
        return (struct text){"", 0};
    if (f->type == EVTX_STRING || f->type == EVTX_ANSI_STRING)
        return f->text;
    if (room < EVTX_VALUE_ROOM || (f->type == EVTX_BINARY && room < 2 * f->bytes.n))
        return (struct text){NULL, 0};
    if (f->type == EVTX_BINARY)
        for (size_t i = 0; i < f->bytes.n; i++)
            byte_pair(to + 2 * i, f->bytes.p[i]);
    size_t n = f->type == EVTX_BINARY ? 2 * f->bytes.n : evtx_value_text(f, to);
    e->n_text += (uint32_t)n;
    return (struct text){to, n};
}

/* number_text - decimal, or hexadecimal behind 0x. */
static bool number_text(struct text t, uint64_t *ret)
{
    uint64_t v = 0;
    if (t.n < 3 || t.p[0] != '0' || (t.p[1] | 0x20) != 'x')
        return !text_u64(t, UINT64_MAX, ret);
    if (t.n > 18)
        return false;
    for (size_t i = 2; i < t.n; i++) {
        char c = t.p[i], low = (char)(c | 0x20);
        if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'f'))
            return false;
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : low - 'a' + 10);
    }
    *ret = v;
    return true;
}

bool evtx_number(const struct evtx_field *f, uint64_t *ret)
{
    switch ((enum evtx_type)f->type) {
    case EVTX_STRING:
    case EVTX_ANSI_STRING:
        return number_text(f->text, ret);
    case EVTX_INT8:
    case EVTX_INT16:
    case EVTX_INT32:
    case EVTX_INT64:
        *ret = (uint64_t)f->i64;
        return f->i64 >= 0;
    case EVTX_UINT8:
    case EVTX_UINT16:
    case EVTX_UINT32:
    case EVTX_UINT64:
    case EVTX_BOOL:
    case EVTX_SIZE:
    case EVTX_HEX32:
    case EVTX_HEX64:
        *ret = f->u64;
        return true;
    case EVTX_NULL:
    case EVTX_REAL32:
    case EVTX_REAL64:
    case EVTX_BINARY:
    case EVTX_GUID:
    case EVTX_FILETIME:
    case EVTX_SYSTEMTIME:
    case EVTX_SID:
        break;
    }
    return false;
}

bool evtx_moment(const struct evtx_field *f, int64_t *ret_us)
{
    if (f->type == EVTX_FILETIME || f->type == EVTX_SYSTEMTIME) {
        *ret_us = evtx_time_us(f->u64);
        return true;
    }
    if (f->type != EVTX_STRING && f->type != EVTX_ANSI_STRING)
        return false;
    return !clock_parse(f->text.p, f->text.n, 0, ret_us);
}

int64_t evtx_time_us(uint64_t filetime_ticks)
{
    return (int64_t)(filetime_ticks / TICKS_PER_US) - EPOCH_US;
}

uint32_t evtx_name_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    return h;
}
