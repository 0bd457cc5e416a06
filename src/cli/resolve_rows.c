/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/resolve_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FIRST_SLOTS = 1024 };

int resolve_rows_init(struct resolve_rows *x, struct lease_resolver *resolver)
{
    *x = (struct resolve_rows){.resolver = resolver, .n_slots = FIRST_SLOTS, .arena.max_bytes = (size_t)64 << 20};
    x->slots = calloc(x->n_slots, sizeof(*x->slots));
    return x->slots ? 0 : -ENOMEM;
}

void resolve_rows_fini(struct resolve_rows *x)
{
    arena_fini(&x->arena);
    free(x->slots);
    free(x->holders);
    *x = (struct resolve_rows){.resolver = NULL};
}

static struct resolved_pair *slot_of(const struct resolve_rows *x, const struct ip *own, const struct ip *remote)
{
    const struct ip key[2] = {*own, *remote};
    uint32_t at = (uint32_t)XXH3_64bits(key, sizeof(key)) & (x->n_slots - 1);
    while (x->slots[at].n_rows && (!ip_equal(&x->slots[at].own, own) || !ip_equal(&x->slots[at].remote, remote)))
        at = (at + 1) & (x->n_slots - 1);
    return &x->slots[at];
}

const struct resolved_pair *resolve_rows_find(const struct resolve_rows *x, const struct ip *own, const struct ip *remote)
{
    const struct resolved_pair *p = x->slots ? slot_of(x, own, remote) : NULL;
    return p && p->n_rows ? p : NULL;
}

static int grow(struct resolve_rows *x)
{
    struct resolve_rows more = {.n_slots = x->n_slots * 2};
    more.slots = calloc(more.n_slots, sizeof(*more.slots));
    if (!more.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < x->n_slots; i++)
        if (x->slots[i].n_rows)
            *slot_of(&more, &x->slots[i].own, &x->slots[i].remote) = x->slots[i];
    free(x->slots);
    x->slots = more.slots;
    x->n_slots = more.n_slots;
    return 0;
}

static bool is_same_holder(const struct lease_candidate *a, const struct lease_candidate *b)
{
    return ip_equal(&a->inside, &b->inside) && a->mac == b->mac && text_equal(a->realm, b->realm) &&
           text_equal(a->subscriber, b->subscriber) && text_equal(a->host, b->host);
}

/* add_holder - of @p, or once more seen. Return: 0 or -ENOMEM. */
static int add_holder(struct resolve_rows *x, struct resolved_pair *p, const struct lease_candidate *c)
{
    p->why |= c->why;
    for (uint32_t i = p->first; i; i = x->holders[i - 1].next) {
        struct resolved_holder *h = &x->holders[i - 1];
        if (!is_same_holder(&h->candidate, c))
            continue;
        h->n_rows++;
        h->candidate.confidence = c->confidence > h->candidate.confidence ? c->confidence : h->candidate.confidence;
        return 0;
    }
    if (x->n_holders == RESOLVE_ROWS_HOLDERS) {
        p->why |= LEASE_WHY_TOO_MANY;
        return 0;
    }
    if (x->n_holders == x->holders_room) {
        uint32_t room = x->holders_room ? x->holders_room * 2 : 256;
        struct resolved_holder *more = realloc(x->holders, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        x->holders = more;
        x->holders_room = room;
    }
    x->holders[x->n_holders] = (struct resolved_holder){.candidate = *c, .n_rows = 1, .next = p->first};
    x->holders[x->n_holders].candidate.children = NULL; /* the answer's arena goes */
    x->holders[x->n_holders].candidate.n_children = 0;
    p->first = ++x->n_holders;
    p->n++;
    return 0;
}

static int ask_row(struct resolve_rows *x, const struct ip *own, const struct ip *remote, int32_t port, const struct hunt_row *r)
{
    int64_t end_us = r->has_end && r->end_us > r->start_us ? r->end_us : r->start_us;
    const struct lease_question q = {.address = *own, .port = port, .protocol = r->has_protocol ? r->protocol : 0,
                                     .at_us = r->start_us + (end_us - r->start_us) / 2, .skew_us = (end_us - r->start_us + 1) / 2};
    struct lease_answer a;
    int rc = x->n * 4 >= x->n_slots * 3 ? grow(x) : 0;
    if (rc)
        return rc;
    arena_fini(&x->arena);
    rc = lease_resolve(x->resolver, &q, &x->arena, &a);
    if (rc)
        return rc;
    struct resolved_pair *p = slot_of(x, own, remote);
    if (!p->n_rows)
        *p = (struct resolved_pair){.own = *own, .remote = *remote};
    x->n += !p->n_rows++;
    p->n_open += a.verdict != LEASE_ONE;
    p->why |= a.why;
    for (uint32_t i = 0; !rc && i < a.n; i++)
        rc = add_holder(x, p, &a.candidates[i]);
    return rc;
}

int resolve_rows_take(void *context, const struct hunt_row *r)
{
    struct resolve_rows *x = context;
    int rc = 0;
    if (!r->has_start || !r->has_source || !r->has_destination) {
        x->n_left++;
        return 0;
    }
    if (r->is_destination_listed)
        rc = ask_row(x, &r->source, &r->destination, r->has_source_port && r->source_port ? r->source_port : -1, r);
    if (!rc && r->is_source_listed)
        rc = ask_row(x, &r->destination, &r->source, r->has_destination_port && r->destination_port ? r->destination_port : -1, r);
    return rc;
}
