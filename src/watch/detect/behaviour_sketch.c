/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/behaviour_sketch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* finalizer of MurmurHash3 as improved by Stafford, "mix 13" */
static uint64_t stir(uint64_t h)
{
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

uint64_t sketch_mix(uint64_t a, uint64_t b)
{
    uint64_t h = stir(a + 0x9e3779b97f4a7c15u * (b + 1));
    return h ? h : 1;
}

/* --- table -------------------------------------------------------------------------------------------------------- */

int table_make(struct table *t, uint32_t n, size_t n_entry, int64_t horizon_us)
{
    uint32_t sets = 1;
    while (sets * TABLE_WAYS < n && sets < 1u << 24)
        sets *= 2;
    *t = (struct table){.n_sets = sets, .n_entry = (n_entry + 7) & ~(size_t)7, .horizon_us = horizon_us};
    t->bytes = calloc((size_t)sets * TABLE_WAYS, t->n_entry);
    t->keys = aligned_alloc(64, (size_t)sets * TABLE_WAYS * sizeof(*t->keys));
    if (t->keys)
        memset(t->keys, 0, (size_t)sets * TABLE_WAYS * sizeof(*t->keys));
    if (t->bytes && t->keys)
        return 0;
    table_fini(t);
    return -ENOMEM;
}

void table_fini(struct table *t)
{
    free(t->bytes);
    free(t->keys);
    t->bytes = NULL;
    t->keys = NULL;
}

static size_t set_of(const struct table *t, uint64_t key)
{
    return (size_t)((key >> 7) & (t->n_sets - 1)) * TABLE_WAYS;
}

static struct table_entry *entry_at(const struct table *t, size_t i)
{
    return (struct table_entry *)(void *)(t->bytes + i * t->n_entry);
}

void *table_find(const struct table *t, uint64_t key)
{
    size_t set = set_of(t, key);
    for (size_t i = set; i < set + TABLE_WAYS; i++)
        if (t->keys[i] == key)
            return entry_at(t, i);
    return NULL;
}

/* worst_of - the place in a full set that is given up: not seen for the horizon, else the least weight. */
static size_t worst_of(struct table *t, size_t set, int64_t now_us)
{
    size_t worst = set;
    bool is_worst_old = now_us - entry_at(t, set)->last_us > t->horizon_us;
    for (size_t i = set + 1; i < set + TABLE_WAYS; i++) {
        const struct table_entry *e = entry_at(t, i);
        bool is_old = now_us - e->last_us > t->horizon_us;
        if ((is_old && !is_worst_old) || (is_old == is_worst_old && e->weight < entry_at(t, worst)->weight)) {
            worst = i;
            is_worst_old = is_old;
        }
    }
    t->evicted += !is_worst_old;
    return worst;
}

void *table_take(struct table *t, uint64_t key, int64_t now_us, bool *ret_is_new)
{
    size_t set = set_of(t, key), i = set, free_at = set + TABLE_WAYS;
    for (; i < set + TABLE_WAYS; i++) {
        if (t->keys[i] == key)
            break;
        if (!t->keys[i])
            free_at = i;
    }
    *ret_is_new = i == set + TABLE_WAYS;
    if (!*ret_is_new)
        return entry_at(t, i);
    bool is_free = free_at < set + TABLE_WAYS;
    i = is_free ? free_at : worst_of(t, set, now_us);
    t->n += is_free;
    t->keys[i] = key;
    struct table_entry *e = entry_at(t, i);
    memset(e, 0, t->n_entry);
    e->key = key;
    e->last_us = now_us;
    return e;
}

void *table_at(const struct table *t, uint32_t i)
{
    return t->keys[i] ? entry_at(t, i) : NULL;
}

void table_drop(struct table *t, void *entry)
{
    size_t i = (size_t)((uint8_t *)entry - t->bytes) / t->n_entry;
    t->keys[i] = 0;
    memset(entry, 0, t->n_entry);
    t->n--;
}

/* --- distinct ------------------------------------------------------------------------------------------------------- */

static bool raise_register(struct distinct *d, uint32_t value)
{
    uint64_t h = stir(value + 0x9e3779b97f4a7c15u);
    uint8_t *r = &d->registers[h % DISTINCT_REGISTERS];
    uint8_t rank = (uint8_t)(h >> 8 ? __builtin_ctzll(h >> 8) + 1 : 57);
    if (rank <= *r)
        return false;
    *r = rank;
    return true;
}

bool distinct_add(struct distinct *d, uint64_t hash)
{
    uint32_t value = (uint32_t)(hash >> 32 ^ hash);
    if (d->is_large)
        return raise_register(d, value);
    for (uint32_t i = 0; i < d->n_exact; i++)
        if (d->exact[i] == value)
            return false;
    if (d->n_exact < DISTINCT_EXACT) {
        d->exact[d->n_exact++] = value;
        return true;
    }
    uint32_t exact[DISTINCT_EXACT];
    memcpy(exact, d->exact, sizeof(exact));
    memset(d->registers, 0, sizeof(d->registers));
    d->is_large = true;
    for (uint32_t i = 0; i < DISTINCT_EXACT; i++)
        raise_register(d, exact[i]);
    raise_register(d, value);
    return true;
}

double distinct_count(const struct distinct *d)
{
    const double m = DISTINCT_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m); /* Flajolet et al. 2007, figure 3 */
    double sum = 0;
    unsigned n_zero = 0;
    if (!d->is_large)
        return d->n_exact;
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++) {
        sum += 1 / (double)(UINT64_C(1) << d->registers[i]);
        n_zero += !d->registers[i];
    }
    double e = alpha * m * m / sum;
    return e <= 2.5 * m && n_zero ? m * log(m / n_zero) : e;
}

void distinct_clear(struct distinct *d)
{
    d->n_exact = 0;
    d->is_large = false;
}

/* --- seen --------------------------------------------------------------------------------------------------------------- */

int seen_make(struct seen *s, uint64_t n_bits, int64_t half_life_us)
{
    *s = (struct seen){.n_bits = n_bits, .half_life_us = half_life_us, .turned_us = INT64_MIN};
    s->bits[0] = calloc(n_bits / 64, sizeof(uint64_t));
    s->bits[1] = calloc(n_bits / 64, sizeof(uint64_t));
    return s->bits[0] && s->bits[1] ? 0 : -ENOMEM;
}

void seen_fini(struct seen *s)
{
    free(s->bits[0]);
    free(s->bits[1]);
    s->bits[0] = s->bits[1] = NULL;
}

bool seen_add(struct seen *s, uint64_t hash, int64_t now_us)
{
    enum { PROBES = 4, BITS_PER_VALUE = 8 }; /* 2.4 % false "seen" when the younger one is full */
    bool is_in[2] = {true, true};
    if (s->turned_us == INT64_MIN)
        s->turned_us = now_us;
    if (now_us - s->turned_us > s->half_life_us || s->n_added > s->n_bits / BITS_PER_VALUE) {
        uint64_t *old = s->bits[1];
        s->bits[1] = s->bits[0];
        s->bits[0] = old;
        memset(old, 0, s->n_bits / 8);
        s->turned_us = now_us;
        s->n_added = 0;
    }
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t at = stir(hash + i) & (s->n_bits - 1), bit = UINT64_C(1) << (at % 64);
        is_in[0] &= (s->bits[0][at / 64] & bit) != 0;
        is_in[1] &= (s->bits[1][at / 64] & bit) != 0;
        s->bits[0][at / 64] |= bit;
    }
    s->n_added += !is_in[0];
    return is_in[0] || is_in[1];
}

/* --- series ---------------------------------------------------------------------------------------------------------------- */

void series_add(struct series *s, int64_t us, double value, int64_t step_us)
{
    if (!s->step_us) {
        s->step_us = step_us;
        s->from_us = us - us % step_us - (us % step_us < 0 ? step_us : 0);
    }
    int64_t slot = us > s->from_us ? (us - s->from_us) / s->step_us : 0;
    while (slot >= SERIES_SLOTS && s->step_us < INT64_MAX / 2 / SERIES_SLOTS) {
        for (uint32_t i = 0; i < SERIES_SLOTS; i++)
            s->v[i] = i < SERIES_SLOTS / 2 ? s->v[2 * i] + s->v[2 * i + 1] : 0;
        s->step_us *= 2;
        s->n = (s->n + 1) / 2;
        slot = (us - s->from_us) / s->step_us;
    }
    if (slot >= SERIES_SLOTS)
        slot = SERIES_SLOTS - 1;
    s->v[slot] += (float)value;
    if ((uint32_t)slot >= s->n)
        s->n = (uint32_t)slot + 1;
}
