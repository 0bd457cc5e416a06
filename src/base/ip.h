/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/ip - IP addresses, prefixes and ranges.
 *
 * One 16-byte form for both families: an IPv4 address is always the mapped
 * form ::ffff:a.b.c.d (RFC 4291 2.5.5.2), and a mapped address read from
 * anywhere is that IPv4 address. Byte order is network order, so memcmp
 * orders addresses and IPv4 sorts before most of IPv6.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip {
    uint8_t b[16];
};

/* closed interval of one family: first <= last */
struct ip_range {
    struct ip first, last;
};

#define IP_TEXT_MAX 46 /* INET6_ADDRSTRLEN: with the closing zero */

static inline struct ip ip_from_v4(uint32_t v4)
{
    struct ip a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(v4 >> 24), (uint8_t)(v4 >> 16),
                    (uint8_t)(v4 >> 8), (uint8_t)v4}};
    return a;
}

static inline struct ip ip_from_v6(const uint8_t *bytes16)
{
    struct ip a;
    memcpy(a.b, bytes16, 16);
    return a;
}

static inline bool ip_is_v4(const struct ip *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return !memcmp(a->b, mapped, 12);
}

/* ip_v4 - the IPv4 address, host order; meaningless unless ip_is_v4. */
static inline uint32_t ip_v4(const struct ip *a)
{
    return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];
}

/* ip_is_zero - the all-zero IPv6 address "::" (not 0.0.0.0). */
static inline bool ip_is_zero(const struct ip *a)
{
    static const uint8_t zero[16];
    return !memcmp(a->b, zero, 16);
}

static inline int ip_compare(const struct ip *a, const struct ip *b)
{
    return memcmp(a->b, b->b, 16);
}

static inline bool ip_equal(const struct ip *a, const struct ip *b)
{
    return !memcmp(a->b, b->b, 16);
}

/*
 * ip_parse - strict text form of one address: dotted quad without leading zeros, or RFC 4291 IPv6.
 * @p, @n: the text, not terminated. Zone ids (%eth0), brackets and ports are refused.
 * Return: 0 or 1 (not an address).
 */
int ip_parse(const char *p, size_t n, struct ip *ret);

/* ip_format - RFC 5952; IPv4 dotted. Writes at most IP_TEXT_MAX with the zero; returns the length. */
size_t ip_format(const struct ip *a, char out[IP_TEXT_MAX]);

/*
 * ip_range_parse - an address, a prefix a/len, or a range a-b (blanks around - and / allowed).
 * Host bits set below the prefix length are accepted and cleared; @ret_had_host_bits (may be NULL) tells.
 * Return: 0, or 1 (none of these, mixed families, or first > last).
 */
int ip_range_parse(const char *p, size_t n, struct ip_range *ret, bool *ret_had_host_bits);

/* ip_range_from_prefix - all addresses of @a/@length; @length counts in @a's own family (0..32 or 0..128). */
struct ip_range ip_range_from_prefix(const struct ip *a, unsigned length);

/* ip_range_prefix - the prefix length in the range's family if it is exactly one prefix, else -1. */
int ip_range_prefix(const struct ip_range *r);

/* ip_range_format - as address, prefix or first-last; returns the length. */
size_t ip_range_format(const struct ip_range *r, char out[2 * IP_TEXT_MAX]);

static inline bool ip_range_has(const struct ip_range *r, const struct ip *a)
{
    return ip_compare(&r->first, a) <= 0 && ip_compare(a, &r->last) <= 0;
}

/* ip_next - the address after @a; all ones wraps to zero. */
struct ip ip_next(const struct ip *a);

/* ip_is_private - RFC 1918, RFC 6598, RFC 4193 and link-local; ip_is_bogon - never on the Internet (RFC 6890). */
bool ip_is_private(const struct ip *a);
bool ip_is_bogon(const struct ip *a);
