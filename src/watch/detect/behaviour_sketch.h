/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_sketch - bounded memory: tables that evict, distinct counts, sets that forget, series that fold.
 *
 * struct table    8-way sets of entries that begin with struct table_entry. When a set is full the entry that was not seen
 *                 for the horizon leaves, else the one of least weight, which is counted.
 * struct distinct how many different values: exact up to DISTINCT_EXACT, then HyperLogLog (Flajolet et al. 2007) of 256
 *                 registers with linear counting below 640: standard error 6.5 %.
 * struct seen     two Bloom filters that take turns: never says "new" of what was added within the last half life.
 * struct series   SERIES_SLOTS values over time; when time runs over the end two neighbours become one and the step doubles.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_WAYS 8u
#define DISTINCT_EXACT 32u
#define DISTINCT_REGISTERS 256u
#define SERIES_SLOTS 64u

struct table_entry {
    uint64_t key; /* 0: free */
    int64_t last_us;
    uint64_t weight;
};

struct table {
    uint64_t *keys; /* again, side by side: one cache line a set */
    uint8_t *bytes;
    uint32_t n_sets;
    size_t n_entry;
    int64_t horizon_us;
    uint64_t evicted;
    uint32_t n;
};

/* table_init - @n entries rounded up to a power of two (at least TABLE_WAYS). Return: 0 or -ENOMEM. */
int table_make(struct table *t, uint32_t n, size_t n_entry, int64_t horizon_us);
void table_fini(struct table *t);
/*
 * table_find - NULL: none; table_take - found, or new and zeroed but for the key (@ret_is_new). Their last_us and weight
 * are the caller's.
 */
void *table_find(const struct table *t, uint64_t key);
void *table_take(struct table *t, uint64_t key, int64_t now_us, bool *ret_is_new);
/* table_at - entry @i of n_sets * TABLE_WAYS; NULL: free. table_drop - it leaves. */
void *table_at(const struct table *t, uint32_t i);
void table_drop(struct table *t, void *entry);
static inline uint32_t table_size(const struct table *t)
{
    return t->n_sets * TABLE_WAYS;
}

/* sketch_mix - two words to one that hides both; never 0. */
uint64_t sketch_mix(uint64_t a, uint64_t b);

struct distinct {
    uint8_t n_exact;
    bool is_large; /* registers, not exact */
    union {
        uint32_t exact[DISTINCT_EXACT];
        uint8_t registers[DISTINCT_REGISTERS];
    };
};

/* distinct_add - @hash: of the value, all 64 bits good. Return: whether it may have changed the count. */
bool distinct_add(struct distinct *d, uint64_t hash);
double distinct_count(const struct distinct *d);
void distinct_clear(struct distinct *d);

struct seen {
    uint64_t *bits[2];
    uint64_t n_bits, n_added; /* of the younger */
    int64_t turned_us, half_life_us;
};

/* seen_init - @n_bits a power of two. Return: 0 or -ENOMEM. */
int seen_make(struct seen *s, uint64_t n_bits, int64_t half_life_us);
void seen_fini(struct seen *s);
/* seen_add - Return: whether it was there. */
bool seen_add(struct seen *s, uint64_t hash, int64_t now_us);

struct series {
    int64_t from_us, step_us; /* step 0: empty */
    uint32_t n;
    float v[SERIES_SLOTS];
};

/* series_add - @step_us: of an empty one. Times before the first count in the first slot. */
void series_add(struct series *s, int64_t us, double value, int64_t step_us);
