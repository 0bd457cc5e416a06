/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an event: route (which rules its log source allows), pass (which literals it holds), conditions.
 *
 * A route is kept per distinct set of key values: those of the fields that pipelines ask for in `when`. It is found by
 * its key's bytes, so a route is exact; when ROUTES_MAX are full, all are forgotten and made again. Most rules do not ask
 * for key values: what they make of a set of sources is kept as a family, which the routes of these sources share.
 */
#include "watch/detect/sigma_event.h"
#include "watch/detect/sigma_recall.h"

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
    uint32_t n_asked, n_known; /* values the recall was asked for lately, and knew */
    uint32_t n_always;
    const uint32_t *always; /* rules without literals */
    uint64_t *allowed;   /* bits by rule: wait for a literal */
    uint64_t *scanned;   /* bits by slot: fields those rules look at */
};

/* of one set of sources: the rules that no key value can decide about */
struct family {
    struct family *next;
    uint64_t *sources;   /* bits */
    bool is_known;
    struct route common; /* .always and .n_always too */
    uint32_t n_asking;
    const uint32_t *asking; /* rules of these sources that look at key values: each route decides */
};

/* one text of the scan: where it ends, and who remembers what is found in it */
struct region {
    uint32_t end;
    struct sigma_recalled *open; /* NULL: nobody */
};
#define REGIONS_MAX 64u
#define ASK_TRY 512u    /* values */
#define ASK_TURN 16384u

struct sigma_matcher {
    struct sigma_event event;
    const struct sigma_rules *r;
    hs_scratch_t *scratch;
    struct route *routes;
    uint32_t n_routes, *route_hash;
    struct arena route_memory;
    struct family *families;
    uint64_t **rule_slots;  /* by rule: bits of the slots it looks at */
    bool *is_asking;        /* by rule: looks at a key value */
    struct arena memory;
    uint64_t *marked;       /* bits by rule: candidate already */
    uint32_t *candidates, n_candidates;
    uint64_t *is_source;    /* bits by source, while a route is made */
    uint64_t *met;          /* bits by rule: an event of its log source came */
    bool has_met_more;      /* since sigma_matcher_met was asked */
    struct sigma_recall *recall;
    struct region regions[REGIONS_MAX];
    uint32_t n_regions, region; /* in hand: texts are found through in order */
    bool is_recalling;          /* for the row in hand */
    uint32_t n_asked, n_known;  /* values of the row */
    struct route *route; /* of the row in hand */
    uint32_t pass; /* in hand */
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

/* asks_keys - some leaf of it may be decided by the key alone, see sigma_event_test with only_keys. */
static bool asks_keys(const struct sigma_rules *r, const struct sigma_cnode *node)
{
    for (uint32_t i = 0; node->kind != SIGMA_LEAF && i < node->n; i++)
        if (asks_keys(r, node->children[i]))
            return true;
    if (node->kind != SIGMA_LEAF)
        return !node->n; /* of nothing: true or false whatever the event */
    if (node->item->list == SIGMA_ANYWHERE)
        return false;
    const struct sigma_list *l = &r->lists[node->item->list];
    return !l->n || r->slot_keys[l->slots[0]];
}

static int prepare(struct sigma_matcher *m)
{
    const struct sigma_rules *r = m->r;
    m->memory.max_bytes = SIGMA_RULES_BYTES;
    m->route_memory.max_bytes = (size_t)256 << 20;
    m->routes = calloc(ROUTES_MAX, sizeof *m->routes);
    m->route_hash = calloc(ROUTES_HASH, sizeof *m->route_hash);
    m->marked = calloc(words(r->n_rules), sizeof *m->marked);
    m->candidates = calloc(r->n_rules + 1, sizeof *m->candidates);
    m->is_source = calloc(words(r->pipelines.n_sources), sizeof *m->is_source);
    m->met = calloc(words(r->n_rules), sizeof *m->met);
    m->is_asking = calloc(r->n_rules + 1, sizeof *m->is_asking);
    m->recall = sigma_recall_new();
    m->rule_slots = calloc(r->n_rules + 1, sizeof *m->rule_slots);
    if (!m->routes || !m->route_hash || !m->marked || !m->candidates || !m->is_source || !m->met || !m->rule_slots ||
        !m->is_asking || !m->recall)
        return -ENOMEM;
    for (uint32_t i = 0; i < r->n_rules; i++) {
        if (!r->rules[i].root)
            continue;
        m->rule_slots[i] = arena_alloc(&m->memory, words(r->n_slots) * sizeof(uint64_t));
        if (!m->rule_slots[i])
            return -ENOMEM;
        slots_of(r, r->rules[i].root, m->rule_slots[i]);
        m->is_asking[i] = asks_keys(r, r->rules[i].root);
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
    free(m->met);
    free(m->routes);
    free(m->route_hash);
    free(m->marked);
    free(m->candidates);
    free(m->is_source);
    free(m->rule_slots);
    free(m->is_asking);
    sigma_recall_free(m->recall);
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
    uint8_t key[KEY_MAX] __attribute__((uninitialized));
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
    m->families = NULL;
    arena_fini(&m->route_memory);
}

/* is_meant - whether rule @rule is of the sources in hand. */
static bool is_meant(const struct sigma_matcher *m, uint32_t rule, bool is_known)
{
    const struct sigma_crule *c = &m->r->rules[rule];
    if (!c->root || c->is_idle)
        return false;
    if (!c->n_sources)
        return !is_known;
    for (uint32_t i = 0; i < c->n_sources; i++)
        if (bit(m->is_source, c->sources[i]))
            return true;
    return false;
}

/* admit - a rule of the route; its candidates are the rules without literals. */
static void admit(struct sigma_matcher *m, struct route *route, uint32_t rule)
{
    const struct sigma_rules *r = m->r;
    const struct sigma_crule *c = &r->rules[rule];
    if (!c->has_literals) {
        m->candidates[m->n_candidates++] = rule;
        return;
    }
    set_bit(route->allowed, rule);
    route->passes |= UINT64_C(1) << c->pass;
    route->has_keywords |= c->has_keywords;
    for (size_t w = 0; w < words(r->n_slots); w++)
        route->scanned[w] |= m->rule_slots[rule][w];
}

/* keep_candidates - a copy in the memory of routes. */
static const uint32_t *keep_candidates(struct sigma_matcher *m, uint32_t *ret_n)
{
    uint32_t *copy = arena_alloc(&m->route_memory, (m->n_candidates + 1) * sizeof *copy);
    if (copy && m->n_candidates)
        memcpy(copy, m->candidates, m->n_candidates * sizeof *copy);
    *ret_n = m->n_candidates;
    return copy;
}

static int route_bits(struct sigma_matcher *m, struct route *route)
{
    route->allowed = arena_alloc(&m->route_memory, words(m->r->n_rules) * sizeof(uint64_t));
    route->scanned = arena_alloc(&m->route_memory, words(m->r->n_slots) * sizeof(uint64_t));
    return route->allowed && route->scanned ? 0 : -ENOMEM;
}

/* find_family - of the sources in hand. Return: NULL when memory is out. */
static const struct family *find_family(struct sigma_matcher *m, bool is_known)
{
    const struct sigma_rules *r = m->r;
    size_t n_bytes = words(r->pipelines.n_sources) * sizeof(uint64_t);
    for (struct family *f = m->families; f; f = f->next)
        if (f->is_known == is_known && !memcmp(f->sources, m->is_source, n_bytes))
            return f;
    struct family *f = arena_alloc(&m->route_memory, sizeof *f);
    if (!f)
        return NULL;
    *f = (struct family){.is_known = is_known, .sources = arena_alloc(&m->route_memory, n_bytes)};
    if (!f->sources || route_bits(m, &f->common))
        return NULL;
    memcpy(f->sources, m->is_source, n_bytes);
    m->n_candidates = 0;
    for (uint32_t i = 0; i < r->n_rules; i++)
        if (m->is_asking[i] && is_meant(m, i, is_known))
            m->candidates[m->n_candidates++] = i;
    f->asking = keep_candidates(m, &f->n_asking);
    m->n_candidates = 0;
    for (uint32_t i = 0; i < r->n_rules; i++)
        if (!m->is_asking[i] && is_meant(m, i, is_known))
            admit(m, &f->common, i);
    f->common.always = keep_candidates(m, &f->common.n_always);
    if (!f->asking || !f->common.always)
        return NULL;
    for (uint32_t i = 0; i < r->n_rules; i++)
        if (is_meant(m, i, is_known))
            set_bit(m->met, i);
    m->has_met_more = true;
    f->next = m->families;
    return m->families = f;
}

static int fill_route(struct sigma_matcher *m, struct route *route)
{
    const struct sigma_rules *r = m->r;
    bool is_known = false;
    memset(m->is_source, 0, words(r->pipelines.n_sources) * sizeof *m->is_source);
    for (uint32_t i = 0; i < r->pipelines.n_sources; i++) {
        if (sigma_event_test(&m->event, r->whens[i].node) != SIGMA_TRUE)
            continue;
        set_bit(m->is_source, i);
        is_known = is_known || !r->pipelines.sources[i].is_guess;
    }
    const struct family *f = find_family(m, is_known);
    if (!f || route_bits(m, route))
        return -ENOMEM;
    memcpy(route->allowed, f->common.allowed, words(r->n_rules) * sizeof *route->allowed);
    memcpy(route->scanned, f->common.scanned, words(r->n_slots) * sizeof *route->scanned);
    route->passes = f->common.passes;
    route->has_keywords = f->common.has_keywords;
    m->n_candidates = f->common.n_always;
    if (m->n_candidates)
        memcpy(m->candidates, f->common.always, m->n_candidates * sizeof *m->candidates);
    m->event.only_keys = true;
    for (uint32_t i = 0; i < f->n_asking; i++)
        if (sigma_event_test(&m->event, r->rules[f->asking[i]].root) != SIGMA_FALSE)
            admit(m, route, f->asking[i]);
    m->event.only_keys = false;
    route->always = keep_candidates(m, &route->n_always);
    m->counters.routes_made += route->always != NULL;
    return route->always ? 0 : -ENOMEM;
}

bool sigma_matcher_met(struct sigma_matcher *m, uint64_t *rules)
{
    bool has = m->has_met_more;
    for (size_t w = 0; has && w < SIGMA_RULE_WORDS(m->r->n_rules); w++)
        rules[w] |= m->met[w];
    m->has_met_more = false;
    return has;
}

bool sigma_matcher_has_met(const struct sigma_matcher *m)
{
    return m->has_met_more;
}

/* find_route - Return: NULL when memory is out. */
static struct route *find_route(struct sigma_matcher *m)
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

/* found - the rules that wait for a literal become candidates. */
static void found(struct sigma_matcher *m, uint32_t number, uint32_t literal)
{
    const struct sigma_pass *pass = &m->r->passes[number];
    for (uint32_t i = pass->literal_from[literal]; i < pass->literal_from[literal + 1]; i++) {
        uint32_t rule = pass->literal_rules[i];
        if (!bit(m->route->allowed, rule) || bit(m->marked, rule))
            continue;
        set_bit(m->marked, rule);
        m->candidates[m->n_candidates++] = rule;
    }
}

/*
 * on_literal - @to is behind its last byte, which may be the separator behind a text: that one belongs to the text. Literals come
 * nearly in the order of their ends: the text in hand is moved from where it was.
 */
static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    (void)from;
    (void)flags;
    struct sigma_matcher *m = context;
    found(m, m->pass, id);
    while (m->region && m->regions[m->region - 1].end + 1u >= to)
        m->region--;
    while (m->region < m->n_regions && m->regions[m->region].end + 1u < to)
        m->region++;
    if (m->region < m->n_regions && m->regions[m->region].open)
        sigma_recall_add(m->regions[m->region].open, m->pass, id);
    return 0;
}

#define SAME 64u /* places remembered to see that an ECS copy is the same text again */

/* look_through - value @i of the row: what it holds is known, or it is put into the scan. Return: 0 or -ENOMEM. */
static int look_through(struct sigma_matcher *m, uint32_t i)
{
    struct sigma_event *v = &m->event;
    struct sigma_recalled *open = NULL;
    bool is_lower;
    uint32_t n;
    struct text t = sigma_event_text(v, i, &is_lower);
    if (is_lower)
        return 0; /* it is in the scan: the key asked for it */
    const struct sigma_recalled *known = NULL;
    if (m->is_recalling && m->n_regions < REGIONS_MAX) {
        known = sigma_recall_find(m->recall, m->route->passes, t, &open);
        m->n_asked++;
        m->n_known += known != NULL;
    }
    for (uint32_t k = 0; known && k < known->n_literals; k++)
        found(m, known->literals[k] >> SIGMA_RECALL_PASS_SHIFT, known->literals[k] & ((1u << SIGMA_RECALL_PASS_SHIFT) - 1));
    if (known)
        return 0;
    uint32_t at = sigma_event_lower(v, i, &n);
    if (m->n_regions < REGIONS_MAX)
        m->regions[m->n_regions++] = (struct region){.end = at - 1 + n, .open = open};
    return at ? 0 : -ENOMEM;
}

/*
 * gather - lower-cased texts of what the route's rules look at, one after the other; copies that refer to the same bytes
 * once, and what is known of others not again. With keywords also what does not lie inside the original.
 * Return: 0 or -ENOMEM.
 */
static int gather(struct sigma_matcher *m)
{
    struct sigma_event *v = &m->event;
    const struct event_value *values = v->e->values + v->from;
    uint64_t original = v->e->original[v->row], end = original + v->e->original_n[v->row], seen[SAME];
    bool is_all = m->route->has_keywords;
    memset(seen, 0xff, sizeof seen);
    m->n_regions = m->region = 0;
    if (v->lower.n) /* what the key asked for */
        m->regions[m->n_regions++] = (struct region){.end = (uint32_t)v->lower.n - 1};
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
        if (look_through(m, i))
            return -ENOMEM;
    }
    return 0;
}

/* search - the scan from @from on, by @passes. Return: 0 or -ENOMEM. */
static int search(struct sigma_matcher *m, uint64_t passes, size_t from)
{
    const struct buf *b = &m->event.lower;
    m->counters.scanned_bytes += passes ? b->n - from : 0;
    for (; passes; passes &= passes - 1) {
        m->pass = (uint32_t)__builtin_ctzll(passes);
        m->region = 0;
        if (hs_scan(m->r->passes[m->pass].database, (const char *)b->p + from, (unsigned)(b->n - from), 0, m->scratch, on_literal, m) !=
            HS_SUCCESS)
            return -ENOMEM;
    }
    return 0;
}

/*
 * recalls - whether asking pays for events of this route: where most values are new, it is tried for ASK_TRY of each ASK_TURN
 * values only.
 */
static bool recalls(const struct route *route)
{
    return route->n_asked < ASK_TRY || route->n_known >= route->n_asked / 2;
}

static void count_asked(struct sigma_matcher *m)
{
    struct route *route = m->route;
    route->n_asked += m->is_recalling ? m->n_asked : 8; /* rows that do not ask bring the next trial nearer */
    route->n_known += m->n_known;
    if (route->n_asked >= ASK_TURN)
        route->n_asked = route->n_known = 0;
}

static int scan(struct sigma_matcher *m)
{
    struct sigma_event *v = &m->event;
    uint32_t n;
    m->is_recalling = recalls(m->route);
    m->n_asked = m->n_known = 0;
    int e = gather(m);
    count_asked(m);
    if (!e && v->lower.n)
        e = search(m, m->route->passes, 0);
    for (uint32_t i = 0; i < m->n_regions; i++)
        if (m->regions[i].open)
            sigma_recall_close(m->regions[i].open, !e);
    m->n_regions = 0;
    if (e || !m->route->has_keywords)
        return e;
    size_t from = v->lower.n ? v->lower.n - 1 : 0; /* the separator before it */
    return sigma_event_lower(v, v->n, &n) ? search(m, m->route->passes & m->r->keyword_passes, from) : -ENOMEM;
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
