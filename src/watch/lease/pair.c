/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting begins stand in a table by (gateway, outside, ports, protocol), in order of arrival by a list through them. Of one key
 * more than one may wait (two inside addresses claim one block): an end looks for the one it fits.
 */
#include "watch/lease/pair.h"

#include "watch/lease/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NOBODY UINT32_MAX

struct waiting {
    struct lease l; /* its texts are numbers of p->texts */
    uint32_t next_of_key, older, newer;
};

struct pairs {
    int (*out)(void *context, const struct lease_row *r);
    void *context;
    struct texts texts;
    struct waiting *all;
    uint32_t *heads; /* by hash of the key: index + 1 */
    uint32_t n, room, n_heads, max, free_list, oldest, newest;
};

enum { FIRST_ROOM = 256 };

struct pairs *pairs_new(uint32_t max_open, int (*out)(void *context, const struct lease_row *r), void *context)
{
    struct pairs *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    *p = (struct pairs){.out = out, .context = context, .max = max_open, .room = FIRST_ROOM, .n_heads = FIRST_ROOM * 2,
                        .free_list = NOBODY, .oldest = NOBODY, .newest = NOBODY};
    p->all = calloc(p->room, sizeof(*p->all));
    p->heads = calloc(p->n_heads, sizeof(*p->heads));
    if (p->all && p->heads && !texts_init(&p->texts))
        return p;
    pairs_free(p);
    return NULL;
}

void pairs_free(struct pairs *p)
{
    if (!p)
        return;
    texts_fini(&p->texts);
    free(p->all);
    free(p->heads);
    free(p);
}

/* --- the table -------------------------------------------------------------------------------------------- */

static uint32_t head_of(const struct pairs *p, const struct lease *l)
{
    struct {
        struct ip outside;
        uint32_t gateway;
        uint16_t first, last;
        uint32_t protocol;
    } key = {l->outside, l->gateway, l->port_first, l->port_last, l->protocol};
    return (uint32_t)XXH3_64bits(&key, sizeof(key)) & (p->n_heads - 1);
}

static bool is_same_key(const struct lease *a, const struct lease *b)
{
    return a->gateway == b->gateway && ip_equal(&a->outside, &b->outside) && a->port_first == b->port_first &&
           a->port_last == b->port_last && a->protocol == b->protocol;
}

static void link_one(struct pairs *p, uint32_t i)
{
    uint32_t h = head_of(p, &p->all[i].l);
    p->all[i].next_of_key = p->heads[h];
    p->heads[h] = i + 1;
}

static int grow(struct pairs *p)
{
    uint32_t room = p->room * 2;
    struct waiting *all = realloc(p->all, room * sizeof(*all));
    if (!all)
        return -ENOMEM;
    p->all = all;
    uint32_t *heads = calloc((size_t)room * 2, sizeof(*heads));
    if (!heads)
        return -ENOMEM;
    free(p->heads);
    p->heads = heads;
    p->n_heads = room * 2;
    p->room = room;
    for (uint32_t i = p->oldest; i != NOBODY; i = p->all[i].newer)
        link_one(p, i);
    return 0;
}

static void take_out(struct pairs *p, uint32_t i)
{
    struct waiting *w = &p->all[i];
    uint32_t *at = &p->heads[head_of(p, &w->l)];
    while (*at != i + 1)
        at = &p->all[*at - 1].next_of_key;
    *at = w->next_of_key;
    if (w->older == NOBODY)
        p->oldest = w->newer;
    else
        p->all[w->older].newer = w->newer;
    if (w->newer == NOBODY)
        p->newest = w->older;
    else
        p->all[w->newer].older = w->older;
    w->newer = p->free_list;
    p->free_list = i;
}

/* give - row @i goes out as it is, and is forgotten. */
static int give(struct pairs *p, uint32_t i)
{
    struct lease l = p->all[i].l;
    struct lease_row r = {.l = l, .gateway = texts_get(&p->texts, l.gateway), .realm = texts_get(&p->texts, l.realm),
                          .source = texts_get(&p->texts, l.source), .subscriber = texts_get(&p->texts, l.subscriber),
                          .host = texts_get(&p->texts, l.host)};
    take_out(p, i);
    return p->out(p->context, &r);
}

static int number_texts(struct pairs *p, const struct lease_row *r, struct lease *l)
{
    const struct text texts[] = {r->gateway, r->realm, r->source, r->subscriber, r->host};
    uint32_t *const numbers[] = {&l->gateway, &l->realm, &l->source, &l->subscriber, &l->host};
    *l = r->l;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int rc = texts_number(&p->texts, texts[i], numbers[i]);
        if (rc)
            return rc;
    }
    return 0;
}

/* --- begins and ends ------------------------------------------------------------------------------------------ */

static bool is_same_holder(const struct lease *a, const struct lease *b)
{
    return ip_equal(&a->inside, &b->inside) && a->subscriber == b->subscriber && a->mac == b->mac && a->inside_port == b->inside_port;
}

/* fits - whether end @l may close begin @w: what the end leaves out does not contradict. */
static bool fits(const struct lease *w, const struct lease *l)
{
    return (ip_is_zero(&l->inside) || ip_equal(&w->inside, &l->inside)) &&
           (!l->subscriber || !w->subscriber || w->subscriber == l->subscriber) && (!l->mac || !w->mac || w->mac == l->mac) &&
           (!l->inside_port || w->inside_port == l->inside_port) && w->from_us <= l->to_us;
}

int pairs_begin(struct pairs *p, const struct lease_row *r)
{
    struct lease l;
    int rc = number_texts(p, r, &l);
    if (rc)
        return rc;
    for (uint32_t i = p->heads[head_of(p, &l)]; i; i = p->all[i - 1].next_of_key) {
        const struct lease *w = &p->all[i - 1].l;
        if (is_same_key(w, &l) && is_same_holder(w, &l) && w->from_us <= l.from_us)
            return PAIRS_JOINED; /* said again while it is held */
    }
    if (p->n >= p->max && p->free_list == NOBODY && p->oldest != NOBODY) {
        rc = give(p, p->oldest);
        if (rc)
            return rc;
    }
    uint32_t at = p->free_list;
    if (at != NOBODY) {
        p->free_list = p->all[at].newer;
    } else {
        rc = p->n == p->room ? grow(p) : 0;
        if (rc)
            return rc;
        at = p->n++;
    }
    p->all[at] = (struct waiting){.l = l, .older = p->newest, .newer = NOBODY};
    if (p->newest == NOBODY)
        p->oldest = at;
    else
        p->all[p->newest].newer = at;
    p->newest = at;
    link_one(p, at);
    return 0;
}

int pairs_end(struct pairs *p, const struct lease_row *r)
{
    struct lease l;
    int rc = number_texts(p, r, &l);
    if (rc)
        return rc;
    for (uint32_t i = p->heads[head_of(p, &l)]; i; i = p->all[i - 1].next_of_key) {
        struct lease *w = &p->all[i - 1].l;
        if (!is_same_key(w, &l) || !fits(w, &l))
            continue;
        w->to_us = l.to_us;
        w->flags = (uint8_t)(w->flags & ~LEASE_TO_PLANNED);
        w->host = w->host ? w->host : l.host;
        w->mac = w->mac ? w->mac : l.mac;
        w->subscriber = w->subscriber ? w->subscriber : l.subscriber;
        rc = give(p, i - 1);
        return rc ? rc : PAIRS_JOINED;
    }
    return p->out(p->context, r);
}

int pairs_restart(struct pairs *p, struct text gateway, int64_t at_us)
{
    uint32_t number, next;
    int rc = texts_number(&p->texts, gateway, &number);
    for (uint32_t i = p->oldest; !rc && i != NOBODY; i = next) {
        struct lease *w = &p->all[i].l;
        next = p->all[i].newer;
        if (w->gateway != number || w->from_us > at_us)
            continue;
        w->to_us = at_us;
        rc = give(p, i);
    }
    return rc;
}

int pairs_flush(struct pairs *p, uint64_t *ret_n)
{
    int rc = 0;
    for (*ret_n = 0; !rc && p->oldest != NOBODY; ++*ret_n)
        rc = give(p, p->oldest);
    return rc;
}
