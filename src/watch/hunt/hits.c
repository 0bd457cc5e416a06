/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three tables: hit by (own, remote, list), records by (hit, port), and by (hit, remote) where a hit has many remotes.
 */
#include "watch/hunt/hits.h"
#include "watch/query/block.h"
#include "watch/query/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_WORDS = 5, CACHE = 4096, FAMILY_BYTES = 512 };

struct entry_hit {
    struct ip own, remote;
    uint32_t list;
    bool has_remote, has_own;
    enum name_kind name_kind;
    struct text name; /* borrowed from the list */
    enum hit_listed listed;
    enum hit_direction direction;
    int64_t direction_us, unit_us; /* of the records that told them */
    int64_t first_us, last_us;
    struct text unit; /* borrowed from the space */
    uint64_t flows, packets, bytes;
};

/* which lists hold an address, remembered */
struct member {
    struct ip ip;
    bool is_known;
};

struct hits {
    struct list *const *lists;
    size_t n_lists, n_words;
    const struct space *space;
    struct entry_hit *hits;
    size_t n, room, max;
    struct query_table index;   /* own, remote, list -> n = hit + 1 */
    struct query_table ports;   /* hit << 16 | port -> n */
    struct query_table remotes; /* hit, remote -> n */
    struct member *members;
    uint64_t *member_lists; /* n_words per member */
};

struct hits *hits_new(struct list *const *lists, size_t n_lists, const struct space *space, size_t memory_bytes)
{
    struct hits *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->lists = lists;
    h->n_lists = n_lists;
    h->n_words = n_lists / 64 + 1;
    h->space = space;
    h->max = memory_bytes / 4 / sizeof(struct entry_hit);
    h->index.n_key_words = KEY_WORDS;
    h->ports.n_key_words = 1;
    h->remotes.n_key_words = 3;
    h->index.max_bytes = h->ports.max_bytes = h->remotes.max_bytes = memory_bytes / 4;
    h->members = calloc(CACHE, sizeof(*h->members));
    h->member_lists = calloc(CACHE * h->n_words, sizeof(*h->member_lists));
    if (h->members && h->member_lists)
        return h;
    hits_free(h);
    return NULL;
}

void hits_free(struct hits *h)
{
    if (!h)
        return;
    query_table_fini(&h->index);
    query_table_fini(&h->ports);
    query_table_fini(&h->remotes);
    free(h->members);
    free(h->member_lists);
    free(h->hits);
    free(h);
}

size_t hits_n(const struct hits *h)
{
    return h->n;
}

/* --- counting ------------------------------------------------------------------------------ */

/* a bit per list that holds @a; valid until another address takes its place */
static const uint64_t *lists_of(struct hits *h, const struct ip *a, size_t way)
{
    uint64_t words[2];
    memcpy(words, a->b, 16);
    size_t at = (query_hash(words, 2) % (CACHE / 2)) * 2 + way; /* the two ends of a record never share a place */
    uint64_t *bits = h->member_lists + at * h->n_words;
    struct member *m = &h->members[at];
    if (m->is_known && ip_equal(&m->ip, a))
        return bits;
    memset(bits, 0, h->n_words * sizeof(*bits));
    for (size_t i = 0; i < h->n_lists; i++)
        if (address_set_has(list_addresses(h->lists[i]), a))
            bits[i / 64] |= UINT64_C(1) << i % 64;
    m->ip = *a;
    m->is_known = true;
    return bits;
}

/* the interval of a record */
static bool interval_of(const struct hunt_row *r, int64_t *ret_low, int64_t *ret_high)
{
    int64_t start = r->has_start ? r->start_us : r->end_us, end = r->has_end ? r->end_us : r->start_us;
    *ret_low = start < end ? start : end;
    *ret_high = start < end ? end : start;
    return r->has_start || r->has_end;
}

/* what a record says about one list */
struct sight {
    const struct ip *own, *remote; /* remote NULL: own_listed or a name */
    bool has_own, has_partner;
    enum name_kind name_kind;
    struct text name;
    uint32_t list;
    enum hit_listed listed;
    enum hit_direction direction;
    struct text unit;
    const struct ip *partner; /* the other end, whoever it is */
    bool has_port;
    uint16_t port;
};

/* hash_of - FNV-1a, beside the key: case and what the key cuts off count */
static uint64_t hash_of(struct text t)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (uint8_t)t.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static struct entry_hit *hit_of(struct hits *h, const struct sight *s)
{
    uint64_t key[KEY_WORDS] = {0};
    memcpy(key, s->own->b, 16);
    if (s->remote)
        memcpy(key + 2, s->remote->b, 16);
    if (s->name_kind != NAME_NONE) { /* hashes for the name: hits are told apart by it alone */
        key[2] = name_key(s->name_kind, s->name);
        key[3] = hash_of(s->name);
    }
    key[4] = (uint64_t)s->list << 4 | (uint64_t)s->name_kind << 1 | (s->remote != NULL);
    struct query_sums *at = query_table_at(&h->index, key);
    if (!at)
        return NULL;
    if (at->n)
        return &h->hits[at->n - 1];
    if (h->n == h->room) {
        size_t room = h->room ? 2 * h->room : 256;
        struct entry_hit *more = room <= h->max && room <= UINT32_MAX ? realloc(h->hits, room * sizeof(*more)) : NULL;
        if (!more)
            return NULL;
        h->hits = more;
        h->room = room;
    }
    struct entry_hit *hit = &h->hits[h->n++];
    *hit = (struct entry_hit){.own = *s->own, .list = s->list, .has_remote = s->remote != NULL, .listed = s->listed,
                        .direction = s->direction, .direction_us = INT64_MAX, .unit_us = INT64_MIN, .unit = s->unit,
                        .first_us = INT64_MAX, .last_us = INT64_MIN, .name_kind = s->name_kind, .name = s->name};
    if (s->remote)
        hit->remote = *s->remote;
    at->n = h->n;
    return hit;
}

static bool goes_first(enum hit_direction a, enum hit_direction b)
{
    static const int rank[] = {[HIT_OUTBOUND] = 0, [HIT_INBOUND] = 1, [HIT_INTERNAL] = 2, [HIT_EXTERNAL] = 3};
    return rank[a] < rank[b];
}

static int count(struct hits *h, const struct sight *s, const struct hunt_row *r)
{
    struct entry_hit *hit = hit_of(h, s);
    if (!hit)
        return -ENOMEM;
    int64_t low, high, begin = INT64_MAX;
    hit->listed = (enum hit_listed)(hit->listed | s->listed); /* an absent end stands as :: and is never listed */
    hit->has_own |= s->has_own;
    hit->flows++;
    hit->packets = query_add(hit->packets, r->packets);
    hit->bytes = query_add(hit->bytes, r->bytes);
    if (interval_of(r, &low, &high)) {
        begin = low;
        hit->first_us = low < hit->first_us ? low : hit->first_us;
        hit->last_us = high > hit->last_us ? high : hit->last_us;
        if (low >= hit->unit_us) {
            hit->unit_us = low;
            hit->unit = s->unit;
        }
    }
    if (begin < hit->direction_us || (begin == hit->direction_us && goes_first(s->direction, hit->direction))) {
        hit->direction_us = begin;
        hit->direction = s->direction;
    }
    uint64_t number = (uint64_t)(hit - h->hits), key[3] = {number << 16 | s->port};
    struct query_sums *sums = s->has_port ? query_table_at(&h->ports, key) : NULL;
    if (s->has_port && !sums)
        return -ENOMEM;
    if (sums)
        sums->n++;
    if (s->remote || !s->has_partner)
        return 0;
    key[0] = number;
    memcpy(key + 1, s->partner->b, 16);
    sums = query_table_at(&h->remotes, key);
    if (!sums)
        return -ENOMEM;
    sums->n++;
    return 0;
}

/* the two ends of a record */
struct ends {
    const struct ip *ip[2]; /* source, destination */
    bool is_own[2], is_listed[2], is_there[2];
    struct text unit[2];
};

static int count_list(struct hits *h, const struct ends *e, uint32_t list, const struct hunt_row *r)
{
    struct hit hit = hit_decide(h->space != NULL, e->is_own[0], e->is_own[1], e->is_listed[0], e->is_listed[1]);
    unsigned own = hit.own_is_source ? 0 : 1; /* which end stands for own: 0 source, 1 destination */
    unsigned far = 1 - own;
    bool has_ports = !(r->has_protocol && (r->protocol == 1 || r->protocol == 58)); /* ICMP has none */
    struct sight s = {
        .own = e->ip[own],
        .remote = hit.kind == HIT_CONTACT ? e->ip[far] : NULL, /* else our own address is what is listed */
        .partner = e->ip[far],
        .has_own = e->is_there[own],
        .has_partner = e->is_there[far],
        .list = list,
        .listed = hit.listed,
        .direction = hit.direction,
        .unit = e->unit[own],
        .has_port = has_ports && (far ? r->has_destination_port : r->has_source_port),
        .port = far ? r->destination_port : r->source_port,
    };
    return count(h, &s, r);
}

/* count_name - a listed name in a record. */
static int count_name(struct hits *h, const struct ends *e, const struct name_match *m, const struct hunt_row *r)
{
    unsigned own = e->is_own[0] || (!e->is_own[1] && e->is_there[0]) ? 0 : 1, far = 1 - own;
    struct sight s = {.own = e->ip[own], .has_own = e->is_there[own], .partner = e->ip[far], .has_partner = e->is_there[far],
                      .name_kind = m->kind, .name = m->name, .list = m->list,
                      .listed = m->kind == NAME_HASH ? HIT_LISTED_OWN : HIT_LISTED_REMOTE,
                      .direction = !e->is_own[own] ? HIT_EXTERNAL : own ? HIT_INBOUND : HIT_OUTBOUND, .unit = e->unit[own],
                      .has_port = !own && r->has_destination_port, .port = r->destination_port};
    if (e->is_own[0] && e->is_own[1])
        s.direction = HIT_INTERNAL;
    return count(h, &s, r);
}

int hits_add(struct hits *h, const struct hunt_row *r, bool *ret_is_foreign)
{
    struct ends e = {.ip = {&r->source, &r->destination}, .is_there = {r->has_source, r->has_destination}};
    int64_t low = 0, high = 0;
    (void)interval_of(r, &low, &high);
    int64_t at_us = r->has_start ? r->start_us : low;
    for (unsigned i = 0; h->space && i < 2; i++) {
        struct space_entry entry;
        e.is_own[i] = (i ? r->has_destination : r->has_source) && space_find(h->space, e.ip[i], at_us, &entry);
        if (e.is_own[i])
            e.unit[i] = entry.unit;
    }
    *ret_is_foreign = h->space && !e.is_own[0] && !e.is_own[1];
    if (*ret_is_foreign)
        return 0;
    for (size_t i = 0; i < r->n_names; i++)
        if (count_name(h, &e, &r->names[i], r))
            return -ENOMEM;
    const uint64_t *source = lists_of(h, e.ip[0], 0), *destination = lists_of(h, e.ip[1], 1);
    for (size_t w = 0; w < h->n_words; w++) {
        uint64_t by_source = r->is_source_listed ? source[w] : 0;
        uint64_t by_destination = r->is_destination_listed ? destination[w] : 0;
        for (uint64_t bits = by_source | by_destination; bits; bits &= bits - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(bits);
            e.is_listed[0] = by_source >> bit & 1;
            e.is_listed[1] = by_destination >> bit & 1;
            int x = count_list(h, &e, (uint32_t)(w * 64 + bit), r);
            if (x)
                return x;
        }
    }
    return 0;
}

/* --- giving ------------------------------------------------------------------------------------ */

/* counts of a table as (hit, n, what), in the order of the answer */
struct rank {
    uint32_t hit, at; /* at: entry of the table */
    uint64_t n;
    struct ip what; /* remote, or port in the last bytes */
};

static int order_ranks(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->hit != y->hit)
        return x->hit < y->hit ? -1 : 1;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return ip_compare(&x->what, &y->what);
}

static int ranks_of(const struct query_table *t, bool is_ports, struct rank **ret)
{
    struct rank *ranks = malloc(((size_t)t->n + 1) * sizeof(*ranks));
    if (!ranks)
        return -ENOMEM;
    for (uint32_t i = 0; i < t->n; i++) {
        const uint64_t *key = query_table_key(t, i);
        ranks[i] = (struct rank){.hit = (uint32_t)(is_ports ? key[0] >> 16 : key[0]), .at = i, .n = query_table_sums(t, i)->n};
        if (is_ports)
            ranks[i].what = ip_from_v4((uint32_t)(key[0] & UINT16_MAX));
        else
            memcpy(ranks[i].what.b, key + 1, 16);
    }
    qsort(ranks, t->n, sizeof(*ranks), order_ranks);
    *ret = ranks;
    return 0;
}

/* where the ranks of @hit begin; they are sorted by hit */
static size_t first_rank(const struct rank *ranks, size_t n, uint32_t hit)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ranks[mid].hit < hit)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int order_hits(const void *a, const void *b, void *context)
{
    const struct hits *h = context;
    const struct entry_hit *x = &h->hits[*(const uint32_t *)a], *y = &h->hits[*(const uint32_t *)b];
    if (x->last_us != y->last_us)
        return x->last_us > y->last_us ? -1 : 1;
    int order = ip_compare(&x->own, &y->own);
    if (!order && x->has_remote != y->has_remote)
        order = x->has_remote ? 1 : -1;
    if (!order)
        order = ip_compare(&x->remote, &y->remote);
    return order ? order : (x->list > y->list) - (x->list < y->list);
}

static int give(const struct hits *h, uint32_t i, const struct rank *ports, const struct rank *remotes,
                int (*each)(void *context, const struct hunt_hit *hit), void *context)
{
    const struct entry_hit *hit = &h->hits[i];
    const struct list *list = h->lists[hit->list];
    char family[FAMILY_BYTES];
    bool is_name = hit->name_kind != NAME_NONE;
    size_t n_family = is_name ? list_name_family(list, hit->name_kind, hit->name, family, sizeof(family))
                              : list_family(list, hit->has_remote ? &hit->remote : &hit->own, family, sizeof(family));
    struct hunt_hit out = {.own = hit->own,
                           .remote = hit->remote,
                           .lacks_own = !hit->has_own,
                           .has_remote = hit->has_remote,
                           .name = hit->name,
                           .name_kind = hit->name_kind,
                           .unit = hit->unit,
                           .list = list_about(list)->name,
                           .family = {family, n_family},
                           .list_index = hit->list,
                           .direction = hit->direction,
                           .listed = hit->listed,
                           .first_seen_us = hit->first_us,
                           .last_seen_us = hit->last_us,
                           .flows = hit->flows,
                           .packets = hit->packets,
                           .bytes = hit->bytes};
    for (size_t p = first_rank(ports, h->ports.n, i); p < h->ports.n && ports[p].hit == i && out.n_ports < HUNT_PORTS; p++)
        out.ports[out.n_ports++] = ip_v4(&ports[p].what);
    for (size_t m = first_rank(remotes, h->remotes.n, i);
         m < h->remotes.n && remotes[m].hit == i && out.n_remotes < HUNT_REMOTES; m++) {
        out.remotes[out.n_remotes].ip = remotes[m].what;
        out.remotes[out.n_remotes++].flows = remotes[m].n;
    }
    return each(context, &out);
}

int hits_each(struct hits *h, int (*each)(void *context, const struct hunt_hit *hit), void *context)
{
    struct rank *ports = NULL, *remotes = NULL;
    uint32_t *order = malloc((h->n + 1) * sizeof(*order));
    int r = order ? ranks_of(&h->ports, true, &ports) : -ENOMEM;
    if (!r)
        r = ranks_of(&h->remotes, false, &remotes);
    for (size_t i = 0; !r && i < h->n; i++)
        order[i] = (uint32_t)i;
    if (!r)
        qsort_r(order, h->n, sizeof(*order), order_hits, h);
    for (size_t i = 0; !r && i < h->n; i++)
        r = give(h, order[i], ports, remotes, each, context);
    free(order);
    free(ports);
    free(remotes);
    return r;
}
