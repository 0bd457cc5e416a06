/* SPDX-License-Identifier: Apache-2.0 */
#include "format/netflow_cache.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>

enum { N_BUCKETS = 1024 }; /* chains stay short up to some thousand domains */

static void use_default(size_t *v, size_t standard)
{
    if (!*v)
        *v = standard;
}

int netflow_cache_init(struct netflow_cache *c, const struct netflow_options *o, struct netflow_rows *rows)
{
    *c = (struct netflow_cache){.rows = rows};
    if (o)
        c->options = *o;
    use_default(&c->options.max_peers, 1024);
    use_default(&c->options.max_templates_per_peer, 4096);
    use_default(&c->options.max_bytes, (size_t)64 << 20);
    use_default(&c->options.max_waiting_bytes, (size_t)1 << 20);
    if (!c->options.max_waiting_us)
        c->options.max_waiting_us = INT64_C(7200) * 1000000;
    c->buckets = calloc(N_BUCKETS, sizeof(*c->buckets));
    return c->buckets ? 0 : -ENOMEM;
}

static void charge(struct netflow_cache *c, struct netflow_peer *p, size_t n_bytes)
{
    c->n_bytes += n_bytes;
    p->n_bytes += n_bytes;
}

static void discharge(struct netflow_cache *c, struct netflow_peer *p, size_t n_bytes)
{
    c->n_bytes -= n_bytes;
    p->n_bytes -= n_bytes;
}

static bool has_room(const struct netflow_cache *c, const struct netflow_peer *p, size_t n_bytes)
{
    return n_bytes <= c->options.max_bytes && c->n_bytes <= c->options.max_bytes - n_bytes &&
           p->n_bytes + n_bytes <= c->options.max_bytes / 4;
}

static uint32_t hash(const struct ip *ip, uint16_t port, uint16_t version, uint32_t id)
{
    uint64_t a = load_be64(ip->b), b = load_be64(ip->b + 8); /* what differs in the low bits: products carry it up */
    uint64_t h = (a ^ (uint64_t)port << 48 ^ (uint64_t)version << 32 ^ id) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32 ^ b) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 40) % N_BUCKETS;
}

static void drop_template(struct netflow_cache *c, struct netflow_domain *d, uint32_t at)
{
    struct netflow_template *t = d->templates[at];
    d->last = NULL; /* perhaps this one: it must not outlive it */
    c->rows->last = NULL;
    discharge(c, d->peer, t->n_memory_bytes);
    d->peer->n_templates--;
    free(t);
    memmove(&d->templates[at], &d->templates[at + 1], (d->n_templates - at - 1) * sizeof(*d->templates));
    d->n_templates--;
}

static size_t waiting_bytes(const struct netflow_waiting *w)
{
    return sizeof(*w) + w->n_bytes;
}

/* unlink_waiting - @link points at the pointer to it. */
static struct netflow_waiting *unlink_waiting(struct netflow_cache *c, struct netflow_domain *d, struct netflow_waiting **link)
{
    struct netflow_waiting *w = *link;
    *link = w->next;
    if (!w->next)
        d->waiting_end = link;
    discharge(c, d->peer, waiting_bytes(w));
    d->peer->n_waiting_bytes -= waiting_bytes(w);
    if (!--d->n_waiting)
        memset(d->waiting_ids, 0, sizeof(d->waiting_ids));
    return w;
}

static void free_domain(struct netflow_cache *c, struct netflow_domain *d)
{
    struct netflow_domain **link = &c->buckets[hash(&d->peer->ip, d->peer->port, d->version, d->id)];
    while (*link != d)
        link = &(*link)->next_in_bucket;
    *link = d->next_in_bucket;
    while (d->n_templates)
        drop_template(c, d, d->n_templates - 1);
    while (d->waiting)
        free(unlink_waiting(c, d, &d->waiting));
    discharge(c, d->peer, sizeof(*d) + d->capacity * sizeof(*d->templates) +
                              d->sampling.capacity * sizeof(struct netflow_sampler) +
                              d->applications.capacity * sizeof(struct netflow_application));
    netflow_sampling_fini(&d->sampling);
    netflow_applications_fini(&d->applications);
    free(d->templates);
    if (c->last == d)
        c->last = NULL;
    free(d);
}

static void free_peer(struct netflow_cache *c, struct netflow_peer *p)
{
    struct netflow_peer **link = &c->peers;
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    while (p->domains) {
        struct netflow_domain *d = p->domains;
        p->domains = d->next_of_peer;
        free_domain(c, d);
    }
    c->n_bytes -= p->n_bytes;
    c->n_peers--;
    free(p);
}

void netflow_cache_fini(struct netflow_cache *c)
{
    while (c->peers)
        free_peer(c, c->peers);
    free(c->buckets);
    c->buckets = NULL;
}

/* make_peer - found or made; a long silent one gives way. */
static int make_peer(struct netflow_cache *c, const struct ip *ip, uint16_t port, int64_t now_us, struct netflow_peer **ret)
{
    struct netflow_peer *silent = NULL;
    for (struct netflow_peer *p = c->peers; p; p = p->next) {
        if (p->port == port && ip_equal(&p->ip, ip)) {
            *ret = p;
            return 0;
        }
        if (!silent || p->heard_us < silent->heard_us)
            silent = p;
    }
    if (c->n_peers >= c->options.max_peers) {
        if (!silent || now_us - silent->heard_us < NETFLOW_SILENT_US)
            return NETFLOW_CACHE_FULL;
        free_peer(c, silent);
    }
    if (c->n_bytes + sizeof(struct netflow_peer) > c->options.max_bytes)
        return NETFLOW_CACHE_FULL;
    struct netflow_peer *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    *p = (struct netflow_peer){.next = c->peers, .ip = *ip, .port = port, .heard_us = now_us};
    charge(c, p, sizeof(*p));
    c->peers = p;
    c->n_peers++;
    *ret = p;
    return 0;
}

static int make_domain(struct netflow_cache *c, struct netflow_peer *p, uint16_t version, uint32_t id,
                       struct netflow_domain **ret)
{
    if (p->n_domains == NETFLOW_DOMAINS_PER_PEER || !has_room(c, p, sizeof(struct netflow_domain)))
        return NETFLOW_CACHE_FULL;
    struct netflow_domain *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    struct netflow_domain **bucket = &c->buckets[hash(&p->ip, p->port, version, id)];
    *d = (struct netflow_domain){.peer = p, .version = version, .id = id, .next_in_bucket = *bucket,
                                 .next_of_peer = p->domains};
    d->waiting_end = &d->waiting;
    *bucket = d;
    p->domains = d;
    p->n_domains++;
    charge(c, p, sizeof(*d));
    *ret = d;
    return 0;
}

static bool is_domain(const struct netflow_domain *d, const struct ip *ip, uint16_t port, uint16_t version, uint32_t id)
{
    return d->id == id && d->version == version && d->peer->port == port && ip_equal(&d->peer->ip, ip);
}

int netflow_cache_domain(struct netflow_cache *c, const struct ip *ip, uint16_t port, uint16_t version, uint32_t id,
                         int64_t now_us, struct netflow_domain **ret)
{
    struct netflow_domain *d = c->last;
    if (!d || !is_domain(d, ip, port, version, id)) {
        d = c->buckets[hash(ip, port, version, id)];
        while (d && !is_domain(d, ip, port, version, id))
            d = d->next_in_bucket;
    }
    if (!d) {
        struct netflow_peer *p;
        int r = make_peer(c, ip, port, now_us, &p);
        if (!r)
            r = make_domain(c, p, version, id, &d);
        if (r)
            return r;
    }
    d->peer->heard_us = now_us;
    c->last = d;
    *ret = d;
    return 0;
}

/* place - index of the first template whose id is not below @id. */
static uint32_t place(const struct netflow_domain *d, uint16_t id)
{
    uint32_t low = 0, high = d->n_templates;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->templates[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct netflow_template *netflow_cache_template(struct netflow_domain *d, uint16_t id)
{
    if (d->last && d->last->id == id)
        return d->last;
    uint32_t at = place(d, id);
    if (at == d->n_templates || d->templates[at]->id != id)
        return NULL;
    d->last = d->templates[at];
    return d->last;
}

static int grow_templates(struct netflow_cache *c, struct netflow_domain *d)
{
    uint32_t capacity = d->capacity ? d->capacity * 2 : 8; /* at most 2^16 ids: no overflow */
    size_t more = (capacity - d->capacity) * sizeof(*d->templates);
    if (!has_room(c, d->peer, more))
        return NETFLOW_CACHE_FULL;
    struct netflow_template **p = realloc(d->templates, capacity * sizeof(*p));
    if (!p)
        return -ENOMEM;
    d->templates = p;
    d->capacity = capacity;
    charge(c, d->peer, more);
    return 0;
}

int netflow_cache_put(struct netflow_cache *c, struct netflow_domain *d, struct netflow_template *t)
{
    uint32_t at = place(d, t->id);
    if (at < d->n_templates && d->templates[at]->id == t->id)
        drop_template(c, d, at);
    int r = 0;
    if (d->peer->n_templates >= c->options.max_templates_per_peer || !has_room(c, d->peer, t->n_memory_bytes))
        r = NETFLOW_CACHE_FULL;
    else if (d->n_templates == d->capacity)
        r = grow_templates(c, d);
    if (r) {
        free(t);
        return r;
    }
    memmove(&d->templates[at + 1], &d->templates[at], (d->n_templates - at) * sizeof(*d->templates));
    d->templates[at] = t;
    d->n_templates++;
    d->peer->n_templates++;
    charge(c, d->peer, t->n_memory_bytes);
    return 0;
}

uint32_t netflow_cache_withdraw(struct netflow_cache *c, struct netflow_domain *d, uint16_t id, bool is_options)
{
    uint32_t n = 0;
    for (uint32_t i = d->n_templates; i-- > 0;) {
        if (id ? d->templates[i]->id != id : d->templates[i]->is_options != is_options)
            continue;
        drop_template(c, d, i);
        n++;
    }
    return n;
}

bool netflow_cache_is_late(const struct netflow_cache *c, const struct netflow_waiting *waited, const struct netflow_clock *k)
{
    return k->received_us - waited->clock.received_us > c->options.max_waiting_us;
}

static bool may_wait(const struct netflow_cache *c, const struct netflow_domain *d, size_t size)
{
    return d->peer->n_waiting_bytes + size <= c->options.max_waiting_bytes && has_room(c, d->peer, size) &&
           d->n_waiting < c->options.max_waiting_bytes / NETFLOW_WAITING_LEAST_BYTES + 1;
}

int netflow_cache_wait(struct netflow_cache *c, struct netflow_domain *d, uint16_t template_id, const uint8_t *p,
                       size_t n_bytes, const struct netflow_clock *k, uint32_t *ret_n_late)
{
    size_t size = sizeof(struct netflow_waiting) + n_bytes; /* n_bytes < 2^16 */
    *ret_n_late = 0;
    while (!may_wait(c, d, size)) {
        if (!d->waiting || !netflow_cache_is_late(c, d->waiting, k))
            return NETFLOW_CACHE_FULL;
        free(unlink_waiting(c, d, &d->waiting));
        ++*ret_n_late;
    }
    struct netflow_waiting *w = malloc(size);
    if (!w)
        return -ENOMEM;
    w->next = NULL;
    w->clock = *k;
    w->template_id = template_id;
    w->n_bytes = (uint32_t)n_bytes;
    memcpy(w->bytes, p, n_bytes);
    *d->waiting_end = w;
    d->waiting_end = &w->next;
    d->n_waiting++;
    d->waiting_ids[template_id % 512 / 64] |= UINT64_C(1) << (template_id % 64);
    d->peer->n_waiting_bytes += size;
    charge(c, d->peer, size);
    return 0;
}

struct netflow_waiting *netflow_cache_next_waiting(struct netflow_cache *c, struct netflow_domain *d, uint16_t template_id,
                                                   struct netflow_waiting ***at)
{
    if (!(d->waiting_ids[template_id % 512 / 64] >> (template_id % 64) & 1))
        return NULL;
    for (struct netflow_waiting **link = *at ? *at : &d->waiting; *link; link = &(*link)->next)
        if ((*link)->template_id == template_id) {
            *at = link;
            return unlink_waiting(c, d, link);
        }
    return NULL;
}

uint32_t netflow_cache_give_up(struct netflow_cache *c)
{
    uint32_t n = 0;
    for (struct netflow_peer *p = c->peers; p; p = p->next)
        for (struct netflow_domain *d = p->domains; d; d = d->next_of_peer)
            while (d->waiting) {
                free(unlink_waiting(c, d, &d->waiting));
                n++;
            }
    return n;
}

bool netflow_cache_has_room(const struct netflow_cache *c, const struct netflow_domain *d, size_t n_bytes)
{
    return has_room(c, d->peer, n_bytes);
}

void netflow_cache_charge(struct netflow_cache *c, struct netflow_domain *d, size_t n_bytes)
{
    charge(c, d->peer, n_bytes);
}
