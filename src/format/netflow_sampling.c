/* SPDX-License-Identifier: Apache-2.0 */
#include "format/netflow_sampling.h"

#include <errno.h>
#include <stdlib.h>

static bool says_rate(const struct netflow_template *t)
{
    return netflow_template_has(t, NETFLOW_ROLE_INTERVAL) || netflow_template_has(t, NETFLOW_ROLE_PACKET_INTERVAL) ||
           netflow_template_has(t, NETFLOW_ROLE_POPULATION) || netflow_template_has(t, NETFLOW_ROLE_PROBABILITY);
}

static uint32_t ratio(uint64_t of, uint64_t taken)
{
    if (!taken || of < taken)
        return 1;
    uint64_t rate = of / taken + (of % taken >= taken - of % taken);
    return rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
}

/* probability_rate - IPFIX float64, or float32 in four bytes (reduced size, RFC 7011 6.2). */
static uint32_t probability_rate(uint64_t bits)
{
    double p;
    memcpy(&p, &bits, sizeof(p));
    if (bits <= UINT32_MAX) { /* as a double this would be below 1e-300 */
        float narrow;
        uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, sizeof(narrow));
        p = (double)narrow;
    }
    if (!(p > 0) || p >= 1)
        return 1;
    double rate = 1 / p + 0.5;
    return rate >= 4294967295.0 ? UINT32_MAX : (uint32_t)rate;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/*
 * own_rate - what the record itself says; 0: nothing. Of several parameters only those of the algorithm in use (304)
 * are filled with sense, the others with 0 or 1 (Cisco IOS XR sends interval 1 beside size 1 of population 256): the
 * greatest is meant.
 */
static uint32_t own_rate(const struct netflow_template *t, const struct netflow_extra *e)
{
    uint32_t rate = 0;
    if (netflow_template_has(t, NETFLOW_ROLE_INTERVAL))
        rate = e->interval > UINT32_MAX ? UINT32_MAX : most((uint32_t)e->interval, 1);
    if (netflow_template_has(t, NETFLOW_ROLE_PACKET_INTERVAL)) {
        uint64_t of;
        if (__builtin_add_overflow(e->packet_interval, e->packet_space, &of))
            of = UINT64_MAX;
        rate = most(rate, ratio(of, e->packet_interval));
    }
    if (netflow_template_has(t, NETFLOW_ROLE_POPULATION))
        rate = most(rate, ratio(e->population, e->size));
    if (netflow_template_has(t, NETFLOW_ROLE_PROBABILITY))
        rate = most(rate, probability_rate(e->probability));
    return rate;
}

/* place - where (kind, key) is or belongs. */
static uint32_t place(const struct netflow_sampling *s, enum netflow_sampler_kind kind, uint64_t key, bool *ret_is_there)
{
    uint32_t low = 0, high = s->n;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct netflow_sampler *m = &s->entries[middle];
        if (m->kind < kind || (m->kind == kind && m->key < key))
            low = middle + 1;
        else
            high = middle;
    }
    *ret_is_there = low < s->n && s->entries[low].kind == kind && s->entries[low].key == key;
    return low;
}

static uint32_t grown(const struct netflow_sampling *s)
{
    return s->capacity ? s->capacity * 2 : 8;
}

size_t netflow_sampling_growth(const struct netflow_sampling *s)
{
    return (grown(s) - s->capacity) * sizeof(*s->entries);
}

static int put(struct netflow_sampling *s, enum netflow_sampler_kind kind, uint64_t key, uint32_t rate, bool may_grow)
{
    bool is_there;
    uint32_t at = place(s, kind, key, &is_there);
    if (is_there) {
        s->entries[at].rate = rate;
        return 0;
    }
    if (s->n == NETFLOW_SAMPLERS_MAX || (s->n == s->capacity && !may_grow))
        return NETFLOW_SAMPLING_FULL;
    if (s->n == s->capacity) {
        uint32_t capacity = grown(s);
        struct netflow_sampler *p = realloc(s->entries, capacity * sizeof(*p));
        if (!p)
            return -ENOMEM;
        s->entries = p;
        s->capacity = capacity;
    }
    memmove(&s->entries[at + 1], &s->entries[at], (s->n - at) * sizeof(*s->entries));
    s->entries[at] = (struct netflow_sampler){.key = key, .rate = rate, .kind = (uint8_t)kind};
    s->n++;
    s->n_of[kind]++;
    return 0;
}

int netflow_sampling_learn(struct netflow_sampling *s, const struct netflow_template *t, const struct flow *f,
                           const struct netflow_extra *e, bool may_grow)
{
    uint32_t rate = own_rate(t, e);
    if (!rate)
        return 1;
    if (netflow_template_has(t, NETFLOW_ROLE_SELECTOR))
        return put(s, NETFLOW_BY_SELECTOR, e->selector, rate, may_grow);
    if (netflow_template_has(t, NETFLOW_ROLE_INPUT_IF))
        return put(s, NETFLOW_BY_INTERFACE, f->input_if, rate, may_grow);
    if (netflow_template_has(t, NETFLOW_ROLE_TEMPLATE_ID))
        return put(s, NETFLOW_BY_TEMPLATE, e->template_id, rate, may_grow);
    s->general = rate;
    return 0;
}

bool netflow_sampling_matters(const struct netflow_sampling *s, const struct netflow_template *t)
{
    return s->n || s->general || says_rate(t);
}

bool netflow_sampling_is_by_interface(const struct netflow_sampling *s, const struct netflow_template *t)
{
    return s->n_of[NETFLOW_BY_INTERFACE] && netflow_template_has(t, NETFLOW_ROLE_INPUT_IF);
}

static uint32_t find(const struct netflow_sampling *s, enum netflow_sampler_kind kind, uint64_t key)
{
    if (!s->n_of[kind])
        return 0;
    bool is_there;
    uint32_t at = place(s, kind, key, &is_there);
    return is_there ? s->entries[at].rate : 0;
}

uint32_t netflow_sampling_rate(const struct netflow_sampling *s, const struct netflow_template *t, const struct flow *f,
                               const struct netflow_extra *e)
{
    uint32_t rate = own_rate(t, e);
    if (rate)
        return rate;
    bool names_selector = netflow_template_has(t, NETFLOW_ROLE_SELECTOR);
    if (names_selector && (rate = find(s, NETFLOW_BY_SELECTOR, e->selector)))
        return rate;
    if (netflow_template_has(t, NETFLOW_ROLE_INPUT_IF) && (rate = find(s, NETFLOW_BY_INTERFACE, f->input_if)))
        return rate;
    if ((rate = find(s, NETFLOW_BY_TEMPLATE, t->id)))
        return rate;
    if (s->general || names_selector)
        return s->general;
    /* "collect flow sampler" is optional in the router's configuration: its only sampler is then the one that was used */
    return s->n == 1 && s->n_of[NETFLOW_BY_SELECTOR] == 1 ? s->entries[0].rate : 0;
}

void netflow_sampling_fini(struct netflow_sampling *s)
{
    free(s->entries);
    *s = (struct netflow_sampling){0};
}
