/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/match - many lists as one set, matched a batch of addresses at a time.
 *
 * A compiled matcher is immutable; a new one replaces it by one pointer (the node's
 * business). Prefilter chosen by size (reference: /24 bitmap + bucket hash; register-blocked
 * bloom + bucket hash; with prefetch at millions); every positive is confirmed exactly.
 * AVX2 or plain C at run time; plain C is the oracle.
 */
#pragma once

#include "watch/indicator/list.h"

struct matcher;

struct matcher_options {
    bool force_plain; /* no vector code: the oracle */
};

/* matcher_new - over @lists (borrowed, must outlive it). NULL when memory is out. */
struct matcher *matcher_new(struct list *const *lists, size_t n_lists, const struct matcher_options *o);
/* matcher_new_sets - over plain sets (the own space, a filter); the sets are copied. matcher_lists then finds none. */
struct matcher *matcher_new_sets(const struct address_set *const *sets, size_t n_sets, const struct matcher_options *o);
void matcher_free(struct matcher *m);
/* matcher_is_vector - whether the vector code is in use. */
bool matcher_is_vector(const struct matcher *m);
/*
 * matcher_v4 - which of @n addresses are listed by any list: bit i of @bits (room for (n + 63) / 64 words, overwritten).
 * Return: how many bits are set.
 */
size_t matcher_v4(const struct matcher *m, const uint32_t *addresses, size_t n, uint64_t *bits);
size_t matcher_v6(const struct matcher *m, const struct ip *addresses, size_t n, uint64_t *bits);
/* matcher_lists - indexes of the lists that hold @a; at most @n_out written. Return: how many exist. */
size_t matcher_lists(const struct matcher *m, const struct ip *a, uint32_t *out, size_t n_out);
