/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries stand densely in the order of their arrival; the slots only point at them, at most half full.
 */
#include "watch/query/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

size_t query_table_bytes(const struct query_table *t)
{
    return t->room * query_table_stride(t) * sizeof(uint64_t) + t->n_slots * sizeof(*t->slots);
}

static bool grow(struct query_table *t)
{
    size_t n_slots = t->n_slots ? 2 * t->n_slots : FIRST_SLOTS;
    size_t room = n_slots / 2, entry_bytes = query_table_stride(t) * sizeof(uint64_t);
    if (room > UINT32_MAX / 2 || room * entry_bytes + n_slots * sizeof(*t->slots) > t->max_bytes)
        return false;
    uint64_t *entries = realloc(t->entries, room * entry_bytes);
    if (!entries)
        return false;
    t->entries = entries;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    if (!slots)
        return false;
    free(t->slots);
    t->slots = slots;
    t->n_slots = n_slots;
    t->room = (uint32_t)room;
    for (uint32_t i = 0; i < t->n; i++) {
        size_t at = query_hash(query_table_key(t, i), t->n_key_words) & (n_slots - 1);
        while (slots[at])
            at = (at + 1) & (n_slots - 1);
        slots[at] = i + 1;
    }
    return true;
}

struct query_sums *query_table_at(struct query_table *t, const uint64_t *key)
{
    if (t->n == t->room && !grow(t))
        return NULL;
    size_t n = t->n_key_words, at = query_hash(key, n) & (t->n_slots - 1);
    for (; t->slots[at]; at = (at + 1) & (t->n_slots - 1)) {
        uint64_t *k = query_table_key(t, t->slots[at] - 1);
        bool is_same = true;
        for (size_t i = 0; i < n; i++)
            is_same = is_same && k[i] == key[i];
        if (is_same)
            return (struct query_sums *)(void *)(k + n);
    }
    uint64_t *k = query_table_key(t, t->n);
    memcpy(k, key, n * sizeof(*k));
    memset(k + n, 0, sizeof(struct query_sums));
    t->slots[at] = ++t->n;
    return (struct query_sums *)(void *)(k + n);
}

void query_table_clear(struct query_table *t)
{
    t->n = 0;
    if (t->slots)
        memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
}

void query_table_fini(struct query_table *t)
{
    free(t->entries);
    free(t->slots);
    t->entries = NULL;
    t->slots = NULL;
    t->n = t->room = 0;
    t->n_slots = 0;
}

/* --- texts ------------------------------------------------------------------------ */

static uint64_t hash_text(struct text t)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bits */
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (uint8_t)t.p[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

struct text query_names_text(const struct query_names *s, uint32_t number)
{
    size_t from = number ? s->ends[number - 1] : 0;
    return (struct text){s->bytes + from, s->ends[number] - from};
}

static bool grow_names(struct query_names *s)
{
    size_t n_slots = s->n_slots ? 2 * s->n_slots : FIRST_SLOTS, room = n_slots / 2;
    if (room > UINT32_MAX / 2 || room * sizeof(*s->ends) + n_slots * sizeof(*s->slots) > s->max_bytes)
        return false;
    size_t *ends = realloc(s->ends, room * sizeof(*ends));
    if (!ends)
        return false;
    s->ends = ends;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    if (!slots)
        return false;
    free(s->slots);
    s->slots = slots;
    s->n_slots = n_slots;
    s->room = (uint32_t)room;
    for (uint32_t i = 0; i < s->n; i++) {
        size_t at = hash_text(query_names_text(s, i)) & (n_slots - 1);
        while (slots[at])
            at = (at + 1) & (n_slots - 1);
        slots[at] = i + 1;
    }
    return true;
}

static bool room_bytes(struct query_names *s, size_t n)
{
    if (n <= s->bytes_room - s->n_bytes && s->bytes)
        return true;
    size_t room = 2 * s->bytes_room + n + 4096;
    if (room > s->max_bytes)
        return false;
    char *bytes = realloc(s->bytes, room);
    if (!bytes)
        return false;
    s->bytes = bytes;
    s->bytes_room = room;
    return true;
}

int query_names_number(struct query_names *s, struct text t, uint32_t *ret)
{
    if (s->n == s->room && !grow_names(s))
        return -ENOMEM;
    size_t at = hash_text(t) & (s->n_slots - 1);
    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1))
        if (text_equal(query_names_text(s, s->slots[at] - 1), t)) {
            *ret = s->slots[at] - 1;
            return 0;
        }
    if (!room_bytes(s, t.n))
        return -ENOMEM;
    if (t.n)
        memcpy(s->bytes + s->n_bytes, t.p, t.n);
    s->n_bytes += t.n;
    s->ends[s->n] = s->n_bytes;
    *ret = s->n;
    s->slots[at] = ++s->n;
    return 0;
}

void query_names_clear(struct query_names *s)
{
    s->n = 0;
    s->n_bytes = 0;
    if (s->slots)
        memset(s->slots, 0, s->n_slots * sizeof(*s->slots));
}

void query_names_fini(struct query_names *s)
{
    free(s->bytes);
    free(s->ends);
    free(s->slots);
    *s = (struct query_names){.max_bytes = s->max_bytes};
}
