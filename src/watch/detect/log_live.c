/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of a batch are gathered into columns for the matcher; only events with a listed one are looked at as a whole.
 */
#include "watch/detect/log_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN = 4096, MAX_LISTS = 256 };

struct log_live_inside {
    uint32_t v4[COLUMN], rows4[COLUMN], rows6[COLUMN];
    struct ip v6[COLUMN];
    uint32_t n4, n6;
    uint64_t bits[COLUMN / 64];
    uint64_t listed[EVENTS_ROWS / 64]; /* rows */
    bool has_listed;
};

int log_live_init(struct log_live *l, int64_t window_us, int zone_s, int (*flush)(void *, struct sightings *), void *context)
{
    memset(l, 0, sizeof(*l));
    l->inside = calloc(1, sizeof(*l->inside));
    int r = live_init(&l->live, window_us, zone_s, flush, context);
    return l->inside ? r : -ENOMEM;
}

void log_live_fini(struct log_live *l)
{
    live_fini(&l->live);
    free(l->inside);
    l->inside = NULL;
}

/* --- the ends of one event ---------------------------------------------------------------------------------------- */

static enum log_side side_of(uint16_t field)
{
    if (field == EV_SOURCE_IP || field == EV_SOURCE_NAT_IP || field == EV_CLIENT_IP)
        return LOG_SOURCE_SIDE;
    if (field == EV_DESTINATION_IP || field == EV_DESTINATION_NAT_IP || field == EV_SERVER_IP)
        return LOG_DESTINATION_SIDE;
    return field == EV_HOST_IP || field == EV_OBSERVER_IP ? LOG_HOST_SIDE : LOG_OTHER_SIDE;
}

static void add_end(struct log_ends *ends, const struct ip *ip, enum log_side side, bool is_sender)
{
    for (uint32_t i = 0; i < ends->n; i++)
        if (ip_equal(&ends->all[i].ip, ip)) {
            if (side < ends->all[i].side && !is_sender)
                ends->all[i].side = side;
            return;
        }
    if (ends->n < LOG_LIVE_ENDS && !ip_is_zero(ip))
        ends->all[ends->n++] = (struct log_end){.ip = *ip, .side = side, .is_sender = is_sender};
}

void log_ends_of(const struct events *e, uint32_t row, const struct space *space, struct log_ends *ret)
{
    struct ip sender;
    struct space_entry unused;
    ret->n = 0;
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        if (e->values[i].type == EVENT_IP) {
            struct ip ip = event_ip(e, &e->values[i]);
            add_end(ret, &ip, side_of(e->values[i].field), false);
        }
    const struct event_value *v = event_get(e, row, EV_LOG_SOURCE_ADDRESS);
    if (v && v->type == EVENT_KEYWORD && !ip_parse(event_text(e, v).p, v->n, &sender))
        add_end(ret, &sender, LOG_HOST_SIDE, true);
    for (uint32_t i = 0; space && i < ret->n; i++)
        ret->all[i].is_own = space_find(space, &ret->all[i].ip, e->time_us[row], &unused);
}

/* own_end - the best own end that is not @but: in the own space (a side of the event before the host), else the host. */
static const struct log_end *own_end(const struct log_ends *ends, const struct log_end *but)
{
    const struct log_end *best = NULL;
    unsigned best_rank = 0;
    for (uint32_t i = 0; i < ends->n; i++) {
        const struct log_end *x = &ends->all[i];
        unsigned rank = x->side != LOG_HOST_SIDE ? 0 : x->is_sender ? 1 : 2;
        if (x->is_own)
            rank = x->side < LOG_HOST_SIDE ? 5 : x->is_sender ? 3 : 4;
        if (x != but && rank > best_rank) {
            best = x;
            best_rank = rank;
        }
    }
    return best;
}

const struct log_end *log_ends_own(const struct log_ends *ends)
{
    return own_end(ends, NULL);
}

/* --- one event and one list ------------------------------------------------------------------------------------------ */

/* of_side - the end that stands for a side: the listed one, else ours, else the first. */
static const struct log_end *of_side(const struct log_ends *ends, enum log_side side)
{
    const struct log_end *best = NULL;
    for (uint32_t i = 0; i < ends->n; i++) {
        const struct log_end *x = &ends->all[i];
        if (x->side != side || x->is_sender)
            continue;
        if (!best || (x->is_listed && !best->is_listed) || (x->is_own && !best->is_own && !best->is_listed))
            best = x;
    }
    return best;
}

struct judged {
    struct hit hit;
    const struct log_end *own, *remote; /* either may be NULL */
};

static struct judged of_two(const struct log_ends *ends, bool has_space, const struct log_end *source, const struct log_end *destination)
{
    struct judged j = {.hit = hit_decide(has_space, source->is_own, destination->is_own, source->is_listed, destination->is_listed)};
    if (j.hit.kind != HIT_NONE) {
        j.own = j.hit.own_is_source ? source : destination;
        j.remote = j.hit.own_is_source ? destination : source;
        return j;
    }
    const struct log_end *own = own_end(ends, NULL);
    if (!own || !own->is_own) /* as of a flow: neither end is ours */
        return j;
    j.own = own;
    j.remote = source->is_listed ? source : destination;
    j.hit = (struct hit){.kind = HIT_CONTACT, .listed = HIT_LISTED_REMOTE, .own_is_source = !source->is_listed,
                         .direction = source->is_listed ? HIT_INBOUND : HIT_OUTBOUND};
    return j;
}

static struct judged of_one(const struct log_ends *ends, bool has_space, const struct log_end *listed, const struct log_end *other)
{
    bool is_source = listed->side == LOG_SOURCE_SIDE;
    struct judged j = {.hit = {.direction = HIT_EXTERNAL, .own_is_source = !is_source}};
    if (listed->side == LOG_HOST_SIDE || listed->is_own) {
        j.hit = (struct hit){.kind = HIT_OWN_LISTED, .listed = HIT_LISTED_OWN, .own_is_source = is_source,
                             .direction = !has_space ? HIT_EXTERNAL : is_source ? HIT_OUTBOUND : HIT_INBOUND};
        j.own = listed;
        j.remote = other;
        return j;
    }
    j.hit.kind = HIT_CONTACT;
    j.hit.listed = HIT_LISTED_REMOTE;
    j.remote = listed;
    j.own = !has_space && other ? other : own_end(ends, listed);
    if (has_space)
        j.hit.direction = is_source ? HIT_INBOUND : HIT_OUTBOUND;
    return j;
}

static struct judged judge(const struct log_ends *ends, bool has_space)
{
    const struct log_end *source = of_side(ends, LOG_SOURCE_SIDE), *destination = of_side(ends, LOG_DESTINATION_SIDE);
    bool is_source_listed = source && source->is_listed, is_destination_listed = destination && destination->is_listed;
    if (source && destination && (is_source_listed || is_destination_listed))
        return of_two(ends, has_space, source, destination);
    if (is_source_listed || is_destination_listed)
        return of_one(ends, has_space, is_source_listed ? source : destination, NULL);
    const struct log_end *host = of_side(ends, LOG_HOST_SIDE);
    if (host && host->is_listed)
        return of_one(ends, has_space, host, source ? source : destination);
    return of_one(ends, has_space, of_side(ends, LOG_OTHER_SIDE), source ? source : destination);
}

static uint16_t port_of(const struct events *e, uint32_t row, uint16_t field)
{
    const struct event_value *v = event_get(e, row, field);
    return v && v->type == EVENT_LONG && v->number > 0 && v->number <= UINT16_MAX ? (uint16_t)v->number : 0;
}

static int count(struct log_live *l, const struct events *e, uint32_t row, const struct log_ends *ends, const struct match_list *m)
{
    struct judged j = judge(ends, l->live.set->space != NULL);
    if (j.hit.kind == HIT_NONE)
        return 0;
    const struct list_about *about = list_about(m->list);
    struct sighting one = {.first_us = e->time_us[row], .last_us = e->time_us[row], .flows = 1,
                           .direction = (uint8_t)j.hit.direction, .listed = (uint8_t)j.hit.listed};
    struct sighting_key *key = &one.key;
    key->is_log = 1;
    key->kind = (uint8_t)j.hit.kind;
    key->window_us = live_window(&l->live, e->time_us[row]);
    key->list_version = about->version;
    key->n_list = (uint8_t)(about->name.n < SIGHTING_NAME_MAX ? about->name.n : SIGHTING_NAME_MAX);
    memcpy(key->list, about->name.p, key->n_list);
    if (j.own)
        key->own = j.own->ip;
    if (j.remote && j.hit.kind == HIT_CONTACT)
        key->remote = j.remote->ip;
    if (j.remote && j.hit.kind == HIT_OWN_LISTED)
        sighting_count_peer(&one, &j.remote->ip, 1);
    uint16_t port = port_of(e, row, j.hit.own_is_source ? EV_DESTINATION_PORT : EV_SOURCE_PORT);
    if (port)
        sighting_count_port(&one, port, 1);
    return live_put(&l->live, &one);
}

/* match_names - domains, URLs and hashes of an event. */
static int match_names(struct log_live *l, const struct events *e, uint32_t row, const struct log_ends *ends, bool is_hunt,
                       bool is_imported)
{
    struct name_match names[NAMES_OF_EVENT];
    size_t n = names_of_event(l->live.set->names, e, row, names);
    if (!n)
        return 0;
    const struct log_end *own = log_ends_own(ends), *source = of_side(ends, LOG_SOURCE_SIDE), *peer = of_side(ends, LOG_DESTINATION_SIDE);
    if (!l->live.set->space && source)
        own = source;
    struct live_named x = {.names = names, .n_names = n, .port = port_of(e, row, EV_DESTINATION_PORT), .is_log = true, .is_hunt = is_hunt,
                           .is_hunts_always = is_imported, .is_outbound = l->live.set->space != NULL, .first_us = e->time_us[row],
                           .last_us = e->time_us[row], .arrived_us = e->arrived_us[row]};
    if (own)
        x.own = own->ip;
    if (peer && peer != own)
        x.peer = peer->ip;
    return live_names(&l->live, &x);
}

/* match_row - an event that has a listed address or name, against every list that holds one of its. */
static int match_row(struct log_live *l, const struct events *e, uint32_t row, bool is_hunt, bool is_imported)
{
    const struct match_set *set = l->live.set;
    struct log_ends ends;
    uint64_t of_list[LOG_LIVE_LISTS]; /* bit: end */
    uint32_t lists[LOG_LIVE_LISTS], n_lists = 0, found[MAX_LISTS];
    log_ends_of(e, row, set->space, &ends);
    for (uint32_t i = 0; i < ends.n; i++) {
        size_t n = ends.all[i].is_sender ? 0 : matcher_lists(set->matcher, &ends.all[i].ip, found, MAX_LISTS);
        for (size_t k = 0; k < n && k < MAX_LISTS; k++) {
            uint32_t at = 0;
            while (at < n_lists && lists[at] != found[k])
                at++;
            if (at == LOG_LIVE_LISTS)
                continue;
            if (at == n_lists) {
                lists[n_lists] = found[k];
                of_list[n_lists++] = 0;
            }
            of_list[at] |= UINT64_C(1) << i;
        }
    }
    for (uint32_t at = 0; at < n_lists; at++) {
        if (live_is_hunts(&l->live, lists[at], !is_imported, e->arrived_us[row]) != is_hunt)
            continue;
        for (uint32_t i = 0; i < ends.n; i++)
            ends.all[i].is_listed = of_list[at] >> i & 1;
        int r = count(l, e, row, &ends, &set->lists[lists[at]]);
        if (r < 0)
            return r;
    }
    return match_names(l, e, row, &ends, is_hunt, is_imported);
}
_Static_assert(LOG_LIVE_ENDS <= 64, "a bit for each");

int log_live_row(struct log_live *l, const struct events *e, uint32_t row, bool is_imported)
{
    return l->live.set && l->live.set->matcher ? match_row(l, e, row, true, is_imported) : 0;
}

/* --- a batch ------------------------------------------------------------------------------------------------------------ */

static void mark(struct log_live_inside *x, const uint32_t *rows, uint32_t n)
{
    for (uint32_t w = 0; w < (n + 63) / 64; w++)
        for (uint64_t bits = x->bits[w]; bits; bits &= bits - 1) {
            uint32_t row = rows[w * 64 + (uint32_t)__builtin_ctzll(bits)];
            x->listed[row / 64] |= UINT64_C(1) << row % 64;
            x->has_listed = true;
        }
}

static void look_up(struct log_live *l, bool is_v6)
{
    struct log_live_inside *x = l->inside;
    const struct matcher *m = l->live.set->matcher;
    uint32_t n = is_v6 ? x->n6 : x->n4;
    atomic_fetch_add_explicit(&l->addresses, n, memory_order_relaxed);
    if (n && (is_v6 ? matcher_v6(m, x->v6, n, x->bits) : matcher_v4(m, x->v4, n, x->bits)))
        mark(x, is_v6 ? x->rows6 : x->rows4, n);
    if (is_v6)
        x->n6 = 0;
    else
        x->n4 = 0;
}

static void gather(struct log_live *l, const struct events *e)
{
    struct log_live_inside *x = l->inside;
    uint32_t i = 0;
    for (uint32_t row = 0; row < e->n; row++)
        for (; i < e->value_end[row]; i++) {
            if (e->values[i].type != EVENT_IP)
                continue;
            struct ip ip = event_ip(e, &e->values[i]);
            if (ip_is_v4(&ip)) {
                x->v4[x->n4] = ip_v4(&ip);
                x->rows4[x->n4++] = row;
            } else {
                x->v6[x->n6] = ip;
                x->rows6[x->n6++] = row;
            }
            if (x->n4 == COLUMN)
                look_up(l, false);
            if (x->n6 == COLUMN)
                look_up(l, true);
        }
    look_up(l, false);
    look_up(l, true);
    for (uint32_t row = 0; names_count(l->live.set->names) && row < e->n; row++)
        if (!(x->listed[row / 64] >> row % 64 & 1) && names_in_event(l->live.set->names, e, row)) {
            x->listed[row / 64] |= UINT64_C(1) << row % 64;
            x->has_listed = true;
        }
}

int log_live_match(struct log_live *l, const struct events *e)
{
    struct log_live_inside *x = l->inside;
    live_quiet(&l->live);
    atomic_fetch_add_explicit(&l->live.rows, e->n, memory_order_relaxed);
    if (!l->live.set || !l->live.set->matcher)
        return 0;
    memset(x->listed, 0, sizeof(x->listed));
    x->has_listed = false;
    gather(l, e);
    for (uint32_t w = 0; x->has_listed && w < EVENTS_ROWS / 64; w++)
        for (uint64_t bits = x->listed[w]; bits; bits &= bits - 1) {
            atomic_fetch_add_explicit(&l->live.rows_listed, 1, memory_order_relaxed);
            int r = match_row(l, e, w * 64 + (uint32_t)__builtin_ctzll(bits), false, false);
            if (r < 0)
                return r;
        }
    return 0;
}
