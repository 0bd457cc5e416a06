/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/table - groups by key in a hash table with a ceiling, and texts by number.
 *
 * A key is a fixed number of words; beside it stand the figures of the group. Not thread-safe.
 */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* figures of a group, after its key */
struct query_sums {
    uint64_t n;     /* rows */
    uint64_t n_has; /* rows that have the field */
    uint64_t value; /* sum, least or greatest; signed ones biased so that they order as unsigned */
};

struct query_table {
    size_t n_key_words, max_bytes; /* set before use */
    uint64_t *entries;             /* key words, then struct query_sums */
    uint32_t *slots;               /* entry + 1, 0 free; a power of two of them */
    uint32_t n, room;
    size_t n_slots;
};

static inline size_t query_table_stride(const struct query_table *t)
{
    return t->n_key_words + sizeof(struct query_sums) / sizeof(uint64_t);
}

static inline uint64_t *query_table_key(const struct query_table *t, uint32_t i)
{
    return t->entries + i * query_table_stride(t);
}

static inline struct query_sums *query_table_sums(const struct query_table *t, uint32_t i)
{
    return (struct query_sums *)(void *)(query_table_key(t, i) + t->n_key_words);
}

/* query_table_at - the figures of @key, all zero when new. NULL when memory or the ceiling is out. */
struct query_sums *query_table_at(struct query_table *t, const uint64_t *key);
void query_table_clear(struct query_table *t);
void query_table_fini(struct query_table *t);
size_t query_table_bytes(const struct query_table *t);

/* texts numbered in the order of their first appearance */
struct query_names {
    size_t max_bytes; /* set before use */
    char *bytes;
    size_t n_bytes, bytes_room;
    size_t *ends; /* text i is bytes ends[i-1]..ends[i] */
    uint32_t *slots;
    uint32_t n, room;
    size_t n_slots;
};

/* query_names_number - the number of @t. Return: 0, or -ENOMEM (memory or the ceiling). */
int query_names_number(struct query_names *s, struct text t, uint32_t *ret);
struct text query_names_text(const struct query_names *s, uint32_t number);
void query_names_clear(struct query_names *s);
void query_names_fini(struct query_names *s);

static inline uint64_t query_hash(const uint64_t *words, size_t n)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < n; i++) {
        h = (h ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    return h;
}
