/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/dictionary - sorted distinct addresses in groups: heads for binary search, bits for the rest.
 *
 * Three parts lie inside one sealed area: heads (u32, or 16 bytes in network order), groups
 * (u64 each: offset in the body, widths), body. Family 4: DICTIONARY_GROUP4 entries a group as
 * differences to the entry before; family 6: DICTIONARY_GROUP6 entries, upper and lower halves
 * each as differences to the group's least.
 * Reading is bounds-checked; damage answers -EBADMSG.
 */
#pragma once

#include "base/buf.h"
#include "base/ip.h"
#include "watch/address_set.h"
#include "watch/store/sealed.h"

#define DICTIONARY_GROUP4 256u
#define DICTIONARY_GROUP6 128u

struct dictionary {
    int family;
    uint64_t n; /* entries */
    const struct sealed *area;
    size_t heads, groups, body, n_body; /* offsets inside the area; bytes of the body */
};

static inline uint32_t dictionary_group(int family)
{
    return family == 4 ? DICTIONARY_GROUP4 : DICTIONARY_GROUP6;
}

static inline uint64_t dictionary_n_groups(int family, uint64_t n)
{
    return (n + dictionary_group(family) - 1) / dictionary_group(family);
}

/* dictionary_check - do heads and groups lie inside the area? Return: 0 or -EBADMSG. */
int dictionary_check(const struct dictionary *d);

/* addresses of family 6 as two numbers in order */
struct wide {
    uint64_t high, low;
};

static inline struct wide wide_of(const struct ip *a)
{
    uint64_t h, l;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): where a batch has no numbers it has addresses */
    memcpy(&h, a->b, 8);
    memcpy(&l, a->b + 8, 8);
    return (struct wide){__builtin_bswap64(h), __builtin_bswap64(l)};
}

static inline struct ip ip_of_wide(struct wide w)
{
    struct ip a;
    w.high = __builtin_bswap64(w.high);
    w.low = __builtin_bswap64(w.low);
    memcpy(a.b, &w.high, 8);
    memcpy(a.b + 8, &w.low, 8);
    return a;
}

static inline bool wide_less(struct wide a, struct wide b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* dictionary_add4, 6 - append one group of entries (@n: 1..group size) to heads, groups and body. */
void dictionary_add4(const uint32_t *v, uint32_t n, struct buf *heads, struct buf *groups, struct buf *body);
void dictionary_add6(const struct wide *v, uint32_t n, struct buf *heads, struct buf *groups, struct buf *body);

/* dictionary_read4, 6 - all entries of group @g; @out has room for a whole group. @ret_n: entries. */
int dictionary_read4(const struct dictionary *d, uint64_t g, uint32_t *out, uint32_t *ret_n);
int dictionary_read6(const struct dictionary *d, uint64_t g, struct wide *out, uint32_t *ret_n);

/* dictionary_at - the address of entry @i. */
int dictionary_at(const struct dictionary *d, uint64_t i, struct ip *ret);
/* dictionary_lower_bound - the first entry >= @a, or n. An IPv6 address is above all of family 4 but for ::/ffff forms below it. */
int dictionary_lower_bound(const struct dictionary *d, const struct ip *a, uint64_t *ret);

/* dictionary_place - where the bytes lie that a look-up of @a is yet to read; false if there are none. */
bool dictionary_place(const struct dictionary *d, const struct ip *a, const uint8_t **ret_p, size_t *ret_n);
/* dictionary_want_tables - heads and groups are about to be read: what finds an address. */
void dictionary_want_tables(const struct dictionary *d);
/* dictionary_is_resident - as far as a few samples tell, all of it is in memory. */
bool dictionary_is_resident(const struct dictionary *d);
/*
 * dictionary_merge - entries whose addresses are in @set, ascending.
 * @each: a run of such entries and their addresses (family 4: @v4, family 6: @v6, the other NULL), borrowed;
 *        return non-zero to stop.
 */
typedef int (*dictionary_each)(void *context, const uint64_t *entries, const uint32_t *v4, const struct wide *v6,
                               uint32_t n);
int dictionary_merge(const struct dictionary *d, const struct address_set *set, dictionary_each each, void *context);
