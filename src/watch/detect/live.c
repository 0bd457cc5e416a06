/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher answers for whole columns; only rows with a bit set are looked
 * at one by one. Hits are rare but for a listed own address, so everything
 * after the bits may take its time.
 */
#include "watch/detect/live.h"

#include <string.h>

enum { TABLE_MAX = 65536, MAX_LISTS = 256 };

int live_init(struct live *l, int64_t window_us, int zone_s, int (*flush)(void *, struct sightings *), void *context)
{
    memset(l, 0, sizeof(*l));
    l->window_us = window_us > 0 ? window_us : 1;
    l->zone_s = zone_s;
    l->as_of_us = INT64_MAX;
    l->flush = flush;
    l->context = context;
    return sightings_init(&l->table, TABLE_MAX);
}

void live_fini(struct live *l)
{
    sightings_fini(&l->table);
}

void live_quiet(struct live *l)
{
    const struct match_set *next = atomic_load_explicit(&l->next, memory_order_acquire);
    if (next != l->set)
        (void)live_flush(l); /* what was counted under the old set; a failure leaves it for the next flush */
    l->set = next;
    atomic_store_explicit(&l->seen, next ? next->generation : 0, memory_order_release);
}

int64_t live_window(const struct live *l, int64_t us)
{
    int64_t local = us + (int64_t)l->zone_s * 1000000;
    int64_t in = local % l->window_us;
    return us - (in < 0 ? in + l->window_us : in);
}

int live_flush(struct live *l)
{
    return l->table.n ? l->flush(l->context, &l->table) : 0;
}

/* entry - the table's entry for @key; a full table is flushed first. */
static int entry(struct live *l, const struct sighting_key *key, struct sighting **ret)
{
    *ret = sightings_get(&l->table, key);
    if (*ret)
        return 0;
    int r = live_flush(l);
    if (r < 0)
        return r;
    *ret = sightings_get(&l->table, key);
    return 0;
}

int live_put(struct live *l, const struct sighting *one)
{
    struct sighting *s;
    int r = entry(l, &one->key, &s);
    if (r < 0)
        return r;
    if (!s) {
        atomic_fetch_add_explicit(&l->hits_lost, 1, memory_order_relaxed);
        return 0;
    }
    sighting_add(s, one);
    atomic_fetch_add_explicit(&l->hits, 1, memory_order_relaxed);
    return 0;
}

struct listed {
    bool source, destination;
};

static int count(struct live *l, const struct flow *f, const struct match_list *m, struct listed listed)
{
    struct space_entry e;
    const struct space *space = l->set->space;
    bool source_own = space && space_find(space, &f->source_ip, f->start_us, &e);
    bool destination_own = space && space_find(space, &f->destination_ip, f->start_us, &e);
    struct hit h = hit_decide(space != NULL, source_own, destination_own, listed.source, listed.destination);
    if (h.kind == HIT_NONE)
        return 0;
    const struct list_about *about = list_about(m->list);
    const struct ip *own = h.own_is_source ? &f->source_ip : &f->destination_ip;
    const struct ip *remote = h.own_is_source ? &f->destination_ip : &f->source_ip;
    struct sighting_key key = {.own = *own,
                               .window_us = live_window(l, f->start_us),
                               .list_version = about->version,
                               .kind = (uint8_t)h.kind,
                               .n_list = (uint8_t)(about->name.n < SIGHTING_NAME_MAX ? about->name.n : SIGHTING_NAME_MAX)};
    memcpy(key.list, about->name.p, key.n_list);
    if (h.kind == HIT_CONTACT)
        key.remote = *remote;
    struct sighting one = {.first_us = f->start_us,
                           .last_us = f->end_us > f->start_us ? f->end_us : f->start_us,
                           .flows = 1,
                           .packets = f->source_packets + f->destination_packets,
                           .bytes = f->source_bytes + f->destination_bytes,
                           .direction = (uint8_t)h.direction,
                           .listed = (uint8_t)h.listed,
                           .key = key};
    uint64_t port = h.own_is_source ? FLOW_HAS(FLOW_DESTINATION_PORT) : FLOW_HAS(FLOW_SOURCE_PORT);
    if ((f->present & port) && f->protocol != 1 && f->protocol != 58) /* ICMP has none */
        sighting_count_port(&one, h.own_is_source ? f->destination_port : f->source_port, 1);
    if (h.kind == HIT_OWN_LISTED)
        sighting_count_peer(&one, remote, 1);
    return live_put(l, &one);
}

/* is_hunts - whether a row belongs to the hunt of a list, not to its live match. */
static bool is_hunts(const struct live *l, const struct match_list *m, bool has_arrived, int64_t arrived_us)
{
    return !has_arrived || arrived_us < m->active_from_us || arrived_us > l->as_of_us;
}

bool live_is_hunts(const struct live *l, size_t list, bool has_arrived, int64_t arrived_us)
{
    return is_hunts(l, &l->set->lists[list], has_arrived, arrived_us);
}

int live_names(struct live *l, const struct live_named *x)
{
    for (size_t i = 0; i < x->n_names; i++) {
        const struct name_match *m = &x->names[i];
        const struct list_about *about = list_about(l->set->lists[m->list].list);
        if (is_hunts(l, &l->set->lists[m->list], !x->is_hunts_always, x->arrived_us) != x->is_hunt)
            continue;
        bool is_file = m->kind == NAME_HASH; /* it lies with us; else somebody of ours asked for it */
        struct sighting one = {.first_us = x->first_us, .last_us = x->last_us, .flows = 1, .packets = x->packets, .bytes = x->bytes,
                               .direction = x->is_outbound ? HIT_OUTBOUND : HIT_EXTERNAL,
                               .listed = is_file ? HIT_LISTED_OWN : HIT_LISTED_REMOTE};
        struct sighting_key *key = &one.key;
        key->is_log = x->is_log;
        key->kind = is_file ? HIT_OWN_LISTED : HIT_CONTACT;
        key->window_us = live_window(l, x->first_us);
        key->list_version = about->version;
        key->own = x->own;
        key->n_list = (uint8_t)(about->name.n < SIGHTING_NAME_MAX ? about->name.n : SIGHTING_NAME_MAX);
        memcpy(key->list, about->name.p, key->n_list);
        sighting_name(&one, (uint8_t)m->kind, m->name);
        if (x->port)
            sighting_count_port(&one, x->port, 1);
        if (!ip_is_zero(&x->peer))
            sighting_count_peer(&one, &x->peer, 1);
        int r = live_put(l, &one);
        if (r < 0)
            return r;
    }
    return 0;
}

int live_flow_names_found(struct live *l, const struct flow *f, const struct name_match *names, size_t n, bool is_hunt)
{
    const struct space *space = l->set->space;
    struct space_entry e;
    bool source_own = space && space_find(space, &f->source_ip, f->start_us, &e);
    bool destination_own = space && space_find(space, &f->destination_ip, f->start_us, &e);
    if (space && !source_own && !destination_own)
        return 0;
    bool own_is_source = source_own || !destination_own;
    bool has_port = own_is_source && f->present & FLOW_HAS(FLOW_DESTINATION_PORT);
    struct live_named x = {.names = names, .n_names = n, .own = own_is_source ? f->source_ip : f->destination_ip,
                           .peer = own_is_source ? f->destination_ip : f->source_ip,
                           .port = has_port ? (uint16_t)f->destination_port : 0, .is_hunt = is_hunt,
                           .is_outbound = space && own_is_source, .is_hunts_always = !(f->present & FLOW_HAS(FLOW_RECEIVED)),
                           .first_us = f->start_us, .last_us = f->end_us > f->start_us ? f->end_us : f->start_us,
                           .arrived_us = f->received_us, .packets = f->source_packets + f->destination_packets,
                           .bytes = f->source_bytes + f->destination_bytes};
    return live_names(l, &x);
}

int live_row(struct live *l, const struct flow *f, bool is_hunt)
{
    uint32_t by_source[MAX_LISTS], by_destination[MAX_LISTS];
    if (!l->set || !l->set->matcher)
        return 0;
    size_t n_source = matcher_lists(l->set->matcher, &f->source_ip, by_source, MAX_LISTS);
    size_t n_destination = matcher_lists(l->set->matcher, &f->destination_ip, by_destination, MAX_LISTS);
    n_source = n_source < MAX_LISTS ? n_source : MAX_LISTS;
    n_destination = n_destination < MAX_LISTS ? n_destination : MAX_LISTS;
    for (size_t i = 0; i < l->set->n_lists; i++) {
        struct listed listed = {false, false};
        for (size_t k = 0; k < n_source; k++)
            listed.source |= by_source[k] == i;
        for (size_t k = 0; k < n_destination; k++)
            listed.destination |= by_destination[k] == i;
        if ((!listed.source && !listed.destination) ||
            is_hunts(l, &l->set->lists[i], f->present & FLOW_HAS(FLOW_RECEIVED), f->received_us) != is_hunt)
            continue;
        int r = count(l, f, &l->set->lists[i], listed);
        if (r < 0)
            return r;
    }
    return 0;
}

/* match_texts - rows with names in them. Return: 0, or what flush answered below 0. */
static int match_texts(struct live *l, const struct flow_batch *b)
{
    if (!(b->columns & FLOW_HAS_TEXT) || !names_count(l->set->names))
        return 0;
    for (uint32_t row = 0; row < b->n; row++) {
        struct flow f;
        struct name_match names[NAMES_OF_EVENT];
        struct text texts = flow_batch_texts(b, row);
        size_t n = texts.n ? names_of_texts(l->set->names, texts, names) : 0;
        if (!n)
            continue;
        flow_batch_get(b, row, &f);
        int r = live_flow_names_found(l, &f, names, n, false);
        if (r < 0)
            return r;
    }
    return 0;
}

int live_match(struct live *l, const struct flow_batch *b)
{
    enum { WORDS = FLOW_BATCH_ROWS / 64 };
    uint64_t source[WORDS], destination[WORDS];
    size_t n_hits;
    live_quiet(l);
    atomic_fetch_add_explicit(&l->rows, b->n, memory_order_relaxed);
    uint64_t ends = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP);
    if (!l->set || !l->set->matcher || (b->columns & ends) != ends)
        return 0;
    int e = match_texts(l, b);
    if (e < 0)
        return e;
    if (b->family == 4) {
        n_hits = matcher_v4(l->set->matcher, b->v4[FLOW_SOURCE_IP], b->n, source);
        n_hits += matcher_v4(l->set->matcher, b->v4[FLOW_DESTINATION_IP], b->n, destination);
    } else {
        n_hits = matcher_v6(l->set->matcher, b->v6[FLOW_SOURCE_IP], b->n, source);
        n_hits += matcher_v6(l->set->matcher, b->v6[FLOW_DESTINATION_IP], b->n, destination);
    }
    if (!n_hits)
        return 0;
    for (uint32_t w = 0; w < (b->n + 63) / 64; w++)
        for (uint64_t bits = source[w] | destination[w]; bits; bits &= bits - 1) {
            uint32_t row = w * 64 + (uint32_t)__builtin_ctzll(bits);
            atomic_fetch_add_explicit(&l->rows_listed, 1, memory_order_relaxed);
            struct flow f;
            flow_batch_get(b, row, &f);
            int r = live_row(l, &f, false);
            if (r < 0)
                return r;
        }
    return 0;
}
