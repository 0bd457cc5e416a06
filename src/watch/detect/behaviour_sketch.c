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
    return t->bytes ? 0 : -ENOMEM;
}

void table_fini(struct table *t)
{
    free(t->bytes);
    t->bytes = NULL;
}

static struct table_entry *way(const struct table *t, uint64_t key, uint32_t i)
{
    uint64_t set = (key >> 7) & (t->n_sets - 1);
    return (struct table_entry *)(void *)(t->bytes + (set * TABLE_WAYS + i) * t->n_entry);
}

void *table_find(const struct table *t, uint64_t key)
{
    for (uint32_t i = 0; i < TABLE_WAYS; i++) {
        struct table_entry *e = way(t, key, i);
        if (e->key == key)
            return e;
    }
    return NULL;
}

void *table_take(struct table *t, uint64_t key, int64_t now_us, bool *ret_is_new)
{
    struct table_entry *worst = NULL;
    bool is_worst_old = false;
    *ret_is_new = false;
    for (uint32_t i = 0; i < TABLE_WAYS; i++) {
        struct table_entry *e = way(t, key, i);
        if (e->key == key)
            return e;
        if (worst && !worst->key)
            continue;
        bool is_old = e->key && now_us - e->last_us > t->horizon_us;
        if (!worst || !e->key || (is_old && !is_worst_old) || (is_old == is_worst_old && e->weight < worst->weight)) {
            worst = e;
            is_worst_old = is_old;
        }
    }
    t->n += !worst->key;
    t->evicted += worst->key && !is_worst_old;
    memset(worst, 0, t->n_entry);
    worst->key = key;
    worst->last_us = now_us;
    *ret_is_new = true;
    return worst;
}

void *table_at(const struct table *t, uint32_t i)
{
    struct table_entry *e = (struct table_entry *)(void *)(t->bytes + (size_t)i * t->n_entry);
    return e->key ? e : NULL;
}

void table_drop(struct table *t, void *entry)
{
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
        sum += ldexp(1, -d->registers[i]);
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
