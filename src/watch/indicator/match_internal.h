/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/match_internal - the tables of a matcher, shared by the plain and the vector code.
 *
 * IPv4: an address is a candidate when its /24 is marked (small sets, and every range) or when the bloom says maybe
 * (large sets); a candidate is confirmed exactly: its /24 wholly listed, a range that holds it, or the bucket table.
 * IPv6: an address is a candidate when a prefix of it, of one of the few lengths kept, is in the bloom; confirmed
 * by binary search in the merged ranges.
 */
#pragma once

#include "watch/indicator/match.h"

#define BUCKET_SLOTS 16u
#define MATCH_BLOCK 512u
#define V6_CLASSES 6u

struct matcher {
    struct list *const *lists;
    size_t n_lists;
    bool is_vector;
    /* IPv4 */
    uint64_t *any24;  /* 2^24 bits: this /24 needs a look; NULL: no small set and no ranges */
    uint64_t *any16;  /* 2^16 bits: this /16 holds part of a range; asked instead of any24 when few do; NULL: not */
    uint64_t *full24; /* 2^24 bits: wholly listed; NULL: no ranges */
    uint64_t *bloom;  /* one 64-bit word per key, three bits in it; NULL: small set */
    unsigned bloom_shift; /* 32 - log2(words) */
    uint32_t *buckets; /* n_buckets * BUCKET_SLOTS; zero is empty */
    uint32_t bucket_mask;
    uint32_t bucket_factor; /* odd, random: nobody can aim at one bucket */
    bool has_zero, may_prefetch;
    struct v4_range *ranges; /* merged, disjoint */
    size_t n_ranges;
    uint32_t *range_from; /* 65,537: of each /16 the first range that ends in or after it */
    /* IPv6 */
    uint64_t *bloom6;
    unsigned bloom6_shift;
    uint64_t factor6[2];
    uint8_t classes[V6_CLASSES]; /* prefix lengths kept, widest last */
    unsigned n_classes;
    bool is_all6; /* a prefix shorter than every class: every address is looked at */
    struct ip_range *v6;
    size_t n_v6;
    struct ip *v6_steps; /* the last address of every V6_STEP-th range: the upper half of the search, small enough for a cache */
    size_t n_v6_steps;
};

#define V6_STEP 64u
#define V6_BLOCK 32u

static inline uint64_t bloom_bits(uint32_t a)
{
    uint32_t h = a * 0x85ebca6bu;
    return UINT64_C(1) << (h >> 26) | UINT64_C(1) << (h >> 20 & 63) | UINT64_C(1) << (h >> 14 & 63);
}

static inline size_t bloom_word(uint32_t a, unsigned shift)
{
    return a * 0x9e3779b1u >> shift;
}

static inline bool bit24(const uint64_t *bits, uint32_t a)
{
    return bits[a >> 14] >> (a >> 8 & 63) & 1;
}

static inline bool bit16(const uint64_t *bits, uint32_t a)
{
    return bits[a >> 22] >> (a >> 16 & 63) & 1;
}

static inline bool in_bloom(const uint64_t *bloom, unsigned shift, uint32_t a)
{
    uint64_t bits = bloom_bits(a);
    return (bloom[bloom_word(a, shift)] & bits) == bits;
}

/* whether a range may hold @a, when singles have a bloom of their own */
static inline bool maybe_range(const struct matcher *m, uint32_t a)
{
    return m->any16 ? bit16(m->any16, a) : m->any24 && bit24(m->any24, a);
}

static inline uint32_t bucket_of(const struct matcher *m, uint32_t a)
{
    uint32_t h = a * m->bucket_factor;
    return (h ^ h >> 15) * 0x2c1b3c6du >> 7 & m->bucket_mask;
}

/* candidates_plain, candidates_avx2 - of @n (<= MATCH_BLOCK) addresses those that need confirming; @out: their positions. */
size_t candidates_plain(const struct matcher *m, const uint32_t *a, size_t n, uint16_t *out);
size_t candidates_avx2(const struct matcher *m, const uint32_t *a, size_t n, uint16_t *out);
bool match_has_avx2(void);
