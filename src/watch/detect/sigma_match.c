/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an event: route (which rules its log source allows), pass (which literals it holds), conditions.
 *
 * A route is kept per distinct set of key values: those of the fields that pipelines ask for in `when`. It is found by
 * its key's bytes, so a route is exact; when ROUTES_MAX are full, all are forgotten and made again.
 */
#include "watch/detect/sigma_event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define ROUTES_MAX 4096u
#define ROUTES_HASH (4 * ROUTES_MAX)
#define KEY_MAX 4096u
#define KEY_VALUE_MAX 160u /* longer values are told apart by their hash */

struct route {
    XXH128_hash_t hash;
    uint64_t passes;     /* bits: those some rule waits for */
    bool has_keywords;   /* the original and all values are looked through */
    uint32_t n_always;
    const uint32_t *always; /* rules without literals */
    uint64_t *allowed;   /* bits by rule: wait for a literal */
    uint64_t *scanned;   /* bits by slot: fields those rules look at */
};

struct sigma_matcher {
    struct sigma_event event;
    const struct sigma_rules *r;
    hs_scratch_t *scratch;
    struct route *routes;
    uint32_t n_routes, *route_hash;
    struct arena route_memory;
    uint64_t **rule_slots;  /* by rule: bits of the slots it looks at */
    struct arena memory;
    uint64_t *marked;       /* bits by rule: candidate already */
    uint32_t *candidates, n_candidates;
    bool *is_source;        /* by source, while a route is made */
    struct buf scan;
    const struct route *route; /* of the row in hand */
    const struct sigma_pass *pass; /* in hand */
    struct sigma_counters counters;
};

static size_t words(uint32_t n)
{
    return ((size_t)n + 64) / 64;
}

static bool bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* slots_of - the slots a condition looks at for literals. */
static void slots_of(const struct sigma_rules *r, const struct sigma_cnode *node, uint64_t *bits)
{
    for (uint32_t i = 0; node->kind != SIGMA_LEAF && i < node->n; i++)
        slots_of(r, node->children[i], bits);
    if (node->kind != SIGMA_LEAF || node->item->list == SIGMA_ANYWHERE)
        return;
    const struct sigma_list *l = &r->lists[node->item->list];
    for (uint32_t i = 0; i < l->n; i++)
        set_bit(bits, l->slots[i]);
}

static int prepare(struct sigma_matcher *m)
{
    const struct sigma_rules *r = m->r;
    m->memory.max_bytes = SIGMA_RULES_BYTES;
    m->route_memory.max_bytes = (size_t)256 << 20;
    m->scan.max = (size_t)64 << 20;
    m->routes = calloc(ROUTES_MAX, sizeof *m->routes);
    m->route_hash = calloc(ROUTES_HASH, sizeof *m->route_hash);
    m->marked = calloc(words(r->n_rules), sizeof *m->marked);
    m->candidates = calloc(r->n_rules + 1, sizeof *m->candidates);
    m->is_source = calloc(r->pipelines.n_sources + 1, sizeof *m->is_source);
    m->rule_slots = calloc(r->n_rules + 1, sizeof *m->rule_slots);
    if (!m->routes || !m->route_hash || !m->marked || !m->candidates || !m->is_source || !m->rule_slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < r->n_rules; i++) {
        if (!r->rules[i].root)
            continue;
        m->rule_slots[i] = arena_alloc(&m->memory, words(r->n_slots) * sizeof(uint64_t));
        if (!m->rule_slots[i])
            return -ENOMEM;
        slots_of(r, r->rules[i].root, m->rule_slots[i]);
    }
    for (uint32_t i = 0; i < r->n_passes; i++) /* it grows to what the largest needs */
        if (r->passes[i].database && hs_alloc_scratch(r->passes[i].database, &m->scratch) != HS_SUCCESS)
            return -ENOMEM;
    return 0;
}

struct sigma_matcher *sigma_matcher_new(const struct sigma_rules *rules)
{
    struct sigma_matcher *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->r = rules;
    if (sigma_event_init(&m->event, rules) || prepare(m)) {
        sigma_matcher_free(m);
        return NULL;
    }
    return m;
}

void sigma_matcher_free(struct sigma_matcher *m)
{
    if (!m)
        return;
    sigma_event_fini(&m->event);
    hs_free_scratch(m->scratch);
    free(m->routes);
    free(m->route_hash);
    free(m->marked);
    free(m->candidates);
    free(m->is_source);
    free(m->rule_slots);
    buf_fini(&m->scan);
    arena_fini(&m->memory);
    arena_fini(&m->route_memory);
    free(m);
}

const struct sigma_counters *sigma_matcher_counters(const struct sigma_matcher *m)
{
    return &m->counters;
}

/* --- routes ------------------------------------------------------------------------------------------ */

/* key_of - the row's key: for each key slot present its number and, where it counts, its values. */
static XXH128_hash_t key_of(struct sigma_matcher *m)
{
    const struct events *e = m->event.e;
    uint8_t key[KEY_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < m->event.n && n + KEY_VALUE_MAX + 16 < KEY_MAX; i++) {
        const struct event_value *value = &e->values[m->event.from + i];
        uint16_t slot = m->event.slots[value->field];
        uint8_t kind = slot ? m->r->slot_keys[slot] : 0;
        if (!kind)
            continue;
        memcpy(key + n, &slot, 2);
        n += 2;
        if (!(kind & SIGMA_KEY_VALUE))
            continue;
        key[n++] = value->type;
        if (value->type != EVENT_KEYWORD && value->type != EVENT_IP) {
            memcpy(key + n, &value->number, 8);
            n += 8;
            continue;
        }
        uint32_t n_text = value->type == EVENT_IP ? 16 : value->n;
        memcpy(key + n, &n_text, 4);
        n += 4;
        const char *p = (const char *)e->heap.p + value->at;
        XXH128_hash_t hash;
        if (n_text > KEY_VALUE_MAX) {
            hash = XXH3_128bits(p, n_text);
            p = (const char *)&hash;
            n_text = sizeof hash;
        }
        memcpy(key + n, p, n_text);
        n += n_text;
    }
    return XXH3_128bits(key, n);
}

static void forget_routes(struct sigma_matcher *m)
{
    memset(m->route_hash, 0, ROUTES_HASH * sizeof *m->route_hash);
    m->n_routes = 0;
    arena_fini(&m->route_memory);
}

/* fits - whether rule @rule can concern events of this key: its source, and nothing of it that the key denies. */
static bool fits(struct sigma_matcher *m, uint32_t rule, bool is_known)
{
    const struct sigma_crule *c = &m->r->rules[rule];
    if (!c->root || c->is_idle)
        return false;
    bool is_of_source = !c->n_sources && !is_known;
    for (uint32_t i = 0; i < c->n_sources && !is_of_source; i++)
        is_of_source = m->is_source[c->sources[i]];
    return is_of_source && sigma_event_test(&m->event, c->root) != SIGMA_FALSE;
}

static int fill_route(struct sigma_matcher *m, struct route *route)
{
    const struct sigma_rules *r = m->r;
    bool is_known = false;
    for (uint32_t i = 0; i < r->pipelines.n_sources; i++) {
        m->is_source[i] = sigma_event_test(&m->event, r->whens[i].node) == SIGMA_TRUE;
        is_known = is_known || (m->is_source[i] && !r->pipelines.sources[i].is_guess);
    }
    route->allowed = arena_alloc(&m->route_memory, words(r->n_rules) * sizeof(uint64_t));
    route->scanned = arena_alloc(&m->route_memory, words(r->n_slots) * sizeof(uint64_t));
    if (!route->allowed || !route->scanned)
        return -ENOMEM;
    m->event.only_keys = true;
    m->n_candidates = 0;
    for (uint32_t i = 0; i < r->n_rules; i++) {
        const struct sigma_crule *c = &r->rules[i];
        if (!fits(m, i, is_known))
            continue;
        if (!c->has_literals) {
            m->candidates[m->n_candidates++] = i;
            continue;
        }
        set_bit(route->allowed, i);
        route->passes |= UINT64_C(1) << c->pass;
        route->has_keywords |= c->has_keywords;
        for (size_t w = 0; w < words(r->n_slots); w++)
            route->scanned[w] |= m->rule_slots[i][w];
    }
    m->event.only_keys = false;
    uint32_t *always = arena_alloc(&m->route_memory, (m->n_candidates + 1) * sizeof *always);
    if (!always)
        return -ENOMEM;
    memcpy(always, m->candidates, m->n_candidates * sizeof *always);
    route->always = always;
    route->n_always = m->n_candidates;
    m->counters.routes_made++;
    return 0;
}

/* find_route - Return: NULL when memory is out. */
static const struct route *find_route(struct sigma_matcher *m)
{
    XXH128_hash_t hash = key_of(m);
    if (m->route && XXH128_isEqual(m->route->hash, hash))
        return m->route;
    uint32_t at = (uint32_t)hash.low64 % ROUTES_HASH;
    for (; m->route_hash[at]; at = (at + 1) % ROUTES_HASH)
        if (XXH128_isEqual(m->routes[m->route_hash[at] - 1].hash, hash))
            return m->route = &m->routes[m->route_hash[at] - 1];
    if (m->n_routes == ROUTES_MAX) {
        forget_routes(m);
        at = (uint32_t)hash.low64 % ROUTES_HASH;
    }
    struct route *route = &m->routes[m->n_routes];
    *route = (struct route){.hash = hash};
    m->route = NULL;
    if (fill_route(m, route)) {
        m->event.only_keys = false;
        forget_routes(m);
        return NULL;
    }
    m->route_hash[at] = ++m->n_routes;
    return m->route = route;
}

/* --- the pass ---------------------------------------------------------------------------------------- */

static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    (void)from;
    (void)to;
    (void)flags;
    struct sigma_matcher *m = context;
    const struct sigma_pass *pass = m->pass;
    for (uint32_t i = pass->literal_from[id]; i < pass->literal_from[id + 1]; i++) {
        uint32_t rule = pass->literal_rules[i];
        if (!bit(m->route->allowed, rule) || bit(m->marked, rule))
            continue;
        set_bit(m->marked, rule);
        m->candidates[m->n_candidates++] = rule;
    }
    return 0;
}

#define SAME 64u /* places remembered to see that an ECS copy is the same text again */

/*
 * gather - lower-cased texts of what the route's rules look at, one after the other; copies that refer to the same bytes
 * once. With keywords also the original, and what does not lie inside it. Return: 0 or -ENOMEM.
 */
static int gather(struct sigma_matcher *m)
{
    struct sigma_event *v = &m->event;
    const struct event_value *values = v->e->values + v->from;
    uint64_t original = v->e->original[v->row], end = original + v->e->original_n[v->row], seen[SAME];
    uint32_t n;
    bool is_all = m->route->has_keywords;
    memset(seen, 0xff, sizeof seen);
    if (is_all && !sigma_event_lower(v, v->n, &n))
        return -ENOMEM;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct event_value *value = &values[i];
        uint16_t slot = v->slots[value->field];
        bool is_text = value->type == EVENT_KEYWORD;
        bool is_inside = is_text && value->at >= original && value->at + value->n <= end;
        if (value->type == EVENT_NULL || (!(slot && bit(m->route->scanned, slot)) && (!is_all || is_inside)))
            continue;
        uint64_t place = value->at << 20 ^ value->n;
        if (is_text && seen[value->at % SAME] == place)
            continue;
        if (is_text)
            seen[value->at % SAME] = place;
        if (!sigma_event_lower(v, i, &n))
            return -ENOMEM;
    }
    return 0;
}

static int scan(struct sigma_matcher *m)
{
    if (gather(m))
        return -ENOMEM;
    const struct buf *b = &m->event.lower;
    m->counters.scanned_bytes += b->n;
    for (uint64_t left = b->n ? m->route->passes : 0; left; left &= left - 1) {
        m->pass = &m->r->passes[__builtin_ctzll(left)];
        if (hs_scan(m->pass->database, (const char *)b->p, (unsigned)b->n, 0, m->scratch, on_literal, m) != HS_SUCCESS)
            return -ENOMEM;
    }
    return 0;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int match_row(struct sigma_matcher *m, sigma_match_fn *match, void *context)
{
    const struct route *route = find_route(m);
    if (!route)
        return -ENOMEM;
    m->n_candidates = 0;
    if (route->passes && scan(m))
        return -ENOMEM;
    for (uint32_t i = 0; i < m->n_candidates; i++)
        m->marked[m->candidates[i] / 64] = 0;
    for (uint32_t i = 0; i < route->n_always; i++)
        m->candidates[m->n_candidates++] = route->always[i];
    m->counters.candidates += m->n_candidates;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_candidates; i++)
        if (sigma_event_test(&m->event, m->r->rules[m->candidates[i]].root) == SIGMA_TRUE)
            m->candidates[n++] = m->candidates[i];
    if (m->event.is_bad) {
        m->event.is_bad = false;
        return -ENOMEM;
    }
    if (n > 1)
        qsort(m->candidates, n, sizeof *m->candidates, ascending);
    m->counters.matches += n;
    for (uint32_t i = 0; i < n; i++) {
        int e = match(context, m->event.e, m->event.row, m->candidates[i]);
        if (e < 0)
            return e;
    }
    return 0;
}

int sigma_match(struct sigma_matcher *m, const struct events *e, sigma_match_fn *match, void *context)
{
    sigma_event_batch(&m->event, e);
    for (uint32_t row = 0; row < e->n; row++) {
        sigma_event_row(&m->event, row);
        int error = match_row(m, match, context);
        m->counters.regex_limits = m->event.regex_limits;
        if (error)
            return error;
        m->counters.events++;
    }
    return 0;
}

const struct event_value *sigma_matcher_value(struct sigma_matcher *m, uint32_t list)
{
    return sigma_event_first(&m->event, list);
}
