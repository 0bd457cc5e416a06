/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text and ranges of addresses. inet_pton is strict enough for IPv6; IPv4 is
 * read by hand because inet_pton of some C libraries takes leading zeros.
 * IPv6 is written by hand because inet_ntop prints the deprecated ::a.b.c.d
 * dotted (RFC 5952 keeps that for well-known prefixes), and slowly.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static int parse_v4(const char *p, size_t n, uint32_t *ret)
{
    uint32_t value = 0;
    size_t i = 0;
    for (int octet = 0; octet < 4; octet++) {
        if (octet && (i >= n || p[i++] != '.'))
            return 1;
        size_t start = i;
        uint32_t v = 0;
        while (i < n && i - start < 3 && p[i] >= '0' && p[i] <= '9')
            v = v * 10 + (uint32_t)(p[i++] - '0');
        if (i == start || v > 255 || (i - start > 1 && p[start] == '0'))
            return 1;
        value = value << 8 | v;
    }
    if (i != n)
        return 1;
    *ret = value;
    return 0;
}

int ip_parse(const char *p, size_t n, struct ip *ret)
{
    uint32_t v4;
    if (!parse_v4(p, n, &v4)) {
        *ret = ip_from_v4(v4);
        return 0;
    }
    char text[IP_TEXT_MAX];
    if (n < 2 || n >= sizeof(text) || !memchr(p, ':', n) || memchr(p, '\0', n))
        return 1;
    memcpy(text, p, n);
    text[n] = '\0';
    struct in6_addr a;
    if (inet_pton(AF_INET6, text, &a) != 1)
        return 1;
    *ret = ip_from_v6(a.s6_addr);
    return 0;
}

static char *put_octet(char *o, unsigned v)
{
    if (v >= 100) {
        *o++ = (char)('0' + v / 100);
        v %= 100;
        *o++ = (char)('0' + v / 10);
        *o++ = (char)('0' + v % 10);
        return o;
    }
    if (v >= 10)
        *o++ = (char)('0' + v / 10);
    *o++ = (char)('0' + v % 10);
    return o;
}

/* longest_zeros - the leftmost longest run of two or more zero fields (RFC 5952 4.2); returns its length. */
static int longest_zeros(const uint16_t field[8], int *ret_at)
{
    int best = 0;
    for (int i = 0, run = 0; i < 8; i++) {
        run = field[i] ? 0 : run + 1;
        if (run > best && run > 1) {
            best = run;
            *ret_at = i - run + 1;
        }
    }
    return best;
}

static char *put_field(char *o, unsigned v)
{
    static const char digits[] = "0123456789abcdef";
    bool is_on = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = v >> shift & 15;
        is_on = is_on || digit || !shift;
        if (is_on)
            *o++ = digits[digit];
    }
    return o;
}

static size_t format_v6(const struct ip *a, char *out)
{
    uint16_t field[8];
    for (int i = 0; i < 8; i++)
        field[i] = (uint16_t)(a->b[2 * i] << 8 | a->b[2 * i + 1]);
    int at = 8, n_zeros = longest_zeros(field, &at);
    char *o = out;
    for (int i = 0; i < 8; i++) {
        if (i == at) {
            *o++ = ':';
            i += n_zeros - 1;
            if (i == 7)
                *o++ = ':';
            continue;
        }
        if (i)
            *o++ = ':';
        o = put_field(o, field[i]);
    }
    *o = '\0';
    return (size_t)(o - out);
}

size_t ip_format(const struct ip *a, char out[IP_TEXT_MAX])
{
    if (!ip_is_v4(a))
        return format_v6(a, out);
    char *o = out;
    for (int i = 12; i < 16; i++) {
        if (i > 12)
            *o++ = '.';
        o = put_octet(o, a->b[i]);
    }
    *o = '\0';
    return (size_t)(o - out);
}

struct ip_range ip_range_from_prefix(const struct ip *a, unsigned length)
{
    unsigned bits = ip_is_v4(a) ? length + 96 : length;
    struct ip_range r = {*a, *a};
    for (unsigned i = 0; i < 16; i++) {
        unsigned from = i * 8;
        uint8_t host = (uint8_t)(bits >= from + 8 ? 0 : bits <= from ? 0xff : 0xff >> (bits - from));
        r.first.b[i] = (uint8_t)(r.first.b[i] & (uint8_t)~host);
        r.last.b[i] = (uint8_t)(r.last.b[i] | host);
    }
    return r;
}

static void trim(const char **p, size_t *n)
{
    while (*n && (**p == ' ' || **p == '\t'))
        (*p)++, (*n)--;
    while (*n && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
        (*n)--;
}

static int parse_trimmed(const char *p, size_t n, struct ip *ret)
{
    trim(&p, &n);
    return ip_parse(p, n, ret);
}

static int parse_prefix(const char *p, size_t n, const char *slash, struct ip_range *ret, bool *ret_bits)
{
    struct ip a;
    if (parse_trimmed(p, (size_t)(slash - p), &a))
        return 1;
    const char *q = slash + 1;
    size_t m = (size_t)(p + n - q);
    trim(&q, &m);
    unsigned length = 0;
    if (m == 0 || m > 3)
        return 1;
    for (size_t i = 0; i < m; i++) {
        if (q[i] < '0' || q[i] > '9')
            return 1;
        length = length * 10 + (unsigned)(q[i] - '0');
    }
    bool is_mapped = ip_is_v4(&a) && memchr(p, ':', (size_t)(slash - p)); /* ::ffff:a.b.c.d/120 is a.b.c.d/24 */
    if (is_mapped && length < 96)
        return 1;
    if (is_mapped)
        length -= 96;
    if (length > (ip_is_v4(&a) ? 32u : 128u))
        return 1;
    *ret = ip_range_from_prefix(&a, length);
    if (ret_bits)
        *ret_bits = !ip_equal(&ret->first, &a);
    return 0;
}

int ip_range_parse(const char *p, size_t n, struct ip_range *ret, bool *ret_had_host_bits)
{
    if (ret_had_host_bits)
        *ret_had_host_bits = false;
    const char *slash = memchr(p, '/', n);
    if (slash)
        return parse_prefix(p, n, slash, ret, ret_had_host_bits);
    const char *dash = memchr(p, '-', n);
    if (!dash) {
        if (parse_trimmed(p, n, &ret->first))
            return 1;
        ret->last = ret->first;
        return 0;
    }
    if (parse_trimmed(p, (size_t)(dash - p), &ret->first) ||
        parse_trimmed(dash + 1, (size_t)(p + n - dash - 1), &ret->last))
        return 1;
    if (ip_is_v4(&ret->first) != ip_is_v4(&ret->last))
        return 1;
    return ip_compare(&ret->first, &ret->last) > 0;
}

int ip_range_prefix(const struct ip_range *r)
{
    int bits = 0;
    while (bits < 128 && !((r->first.b[bits / 8] ^ r->last.b[bits / 8]) >> (7 - bits % 8) & 1))
        bits++;
    int base = ip_is_v4(&r->first) && ip_is_v4(&r->last) ? 96 : 0;
    if (bits < base)
        return -1;
    struct ip_range whole = ip_range_from_prefix(&r->first, (unsigned)(bits - base));
    return ip_equal(&whole.first, &r->first) && ip_equal(&whole.last, &r->last) ? bits - base : -1;
}

size_t ip_range_format(const struct ip_range *r, char out[2 * IP_TEXT_MAX])
{
    size_t n = ip_format(&r->first, out);
    if (ip_equal(&r->first, &r->last))
        return n;
    int prefix = ip_range_prefix(r);
    if (prefix >= 0)
        return n + (size_t)snprintf(out + n, IP_TEXT_MAX, "/%d", prefix);
    out[n++] = '-';
    return n + ip_format(&r->last, out + n);
}

struct ip ip_next(const struct ip *a)
{
    struct ip r = *a;
    for (int i = 15; i >= 0 && ++r.b[i] == 0; i--)
        ;
    return r;
}

struct v4_net {
    uint32_t net;
    unsigned length;
};

static bool in_nets(uint32_t a, const struct v4_net *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((a ^ nets[i].net) >> (32 - nets[i].length) == 0)
            return true;
    return false;
}

bool ip_is_private(const struct ip *a)
{
    static const struct v4_net nets[] = {
        {0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}, {0x64400000, 10}, {0xa9fe0000, 16}};
    if (ip_is_v4(a))
        return in_nets(ip_v4(a), nets, sizeof(nets) / sizeof(*nets));
    return (a->b[0] & 0xfe) == 0xfc || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

bool ip_is_bogon(const struct ip *a)
{
    /* RFC 6890 section 2.2.2, special-purpose blocks that are not globally reachable */
    static const struct v4_net nets[] = {{0x00000000, 8},  {0x7f000000, 8},  {0xc0000000, 24}, {0xc0000200, 24},
                                         {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},
                                         {0xf0000000, 4}};
    if (ip_is_private(a))
        return true;
    if (ip_is_v4(a))
        return in_nets(ip_v4(a), nets, sizeof(nets) / sizeof(*nets));
    static const uint8_t zero[15];
    if (!memcmp(a->b, zero, 15) && a->b[15] <= 1)
        return true; /* :: and ::1 */
    static const struct {
        uint8_t net[8];
        uint8_t n_bytes;
    } nets6[] = {
        {{0x01, 0x00, 0, 0, 0, 0, 0, 0}, 8}, /* 100::/64 discard-only */
        {{0x20, 0x01, 0x0d, 0xb8}, 4},       /* documentation */
        {{0x20, 0x01, 0, 2, 0, 0}, 6},       /* 2001:2::/48 benchmarking */
        {{0xff}, 1},                         /* multicast */
    };
    for (size_t i = 0; i < sizeof(nets6) / sizeof(*nets6); i++)
        if (!memcmp(a->b, nets6[i].net, nets6[i].n_bytes))
            return true;
    return false;
}
