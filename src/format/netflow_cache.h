/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_cache - what is remembered of exporters: peers, their domains, templates and waiting sets.
 *
 * A peer is an address (with its port where templates are apart by port); quotas are per peer, so that one exporter
 * cannot take the room of the others. A domain is (peer, version, observation domain or source id).
 * Limits: struct netflow_options. A peer beyond max_peers takes the place of one that has been silent for
 * NETFLOW_SILENT_US by the datagrams' own receive times; when there is none it is refused.
 * Source: RFC 7011 8, 10.3.6, 10.3.7 (templates over UDP); RFC 3954 9.
 */
#pragma once

#include "format/netflow_application.h"
#include "format/netflow_sampling.h"

#define NETFLOW_SILENT_US (INT64_C(3600) * 1000000)
#define NETFLOW_DOMAINS_PER_PEER 256u
#define NETFLOW_WAITING_LEAST_BYTES 256u /* sets that may wait: max_waiting_bytes over this, so that a walk stays short */

/* a set whose template has not come yet, with the clock it stood under */
struct netflow_waiting {
    struct netflow_waiting *next;
    struct netflow_clock clock;
    uint16_t template_id;
    uint32_t n_bytes;
    uint8_t bytes[];
};

struct netflow_peer {
    struct netflow_peer *next;       /* in the table's list */
    struct netflow_domain *domains;
    struct ip ip;
    uint16_t port;
    uint32_t n_domains, n_templates;
    size_t n_bytes, n_waiting_bytes;
    int64_t heard_us;
};

struct netflow_domain {
    struct netflow_domain *next_in_bucket, *next_of_peer;
    struct netflow_peer *peer;
    uint32_t id;
    uint16_t version;
    bool has_init;
    int64_t init_us; /* IPFIX systemInitTimeMilliseconds */
    struct netflow_template **templates; /* sorted by id */
    uint32_t n_templates, capacity;
    struct netflow_template *last; /* the one asked for last */
    struct netflow_sampling sampling;
    struct netflow_applications applications;
    uint32_t n_waiting;
    uint64_t waiting_ids[8]; /* bit id % 512: some set may wait for this template */
    struct netflow_waiting *waiting, **waiting_end;
};

struct netflow_cache {
    struct netflow_options options; /* defaults filled in */
    struct netflow_domain **buckets;
    struct netflow_peer *peers;
    struct netflow_domain *last;
    size_t n_peers, n_bytes;
    struct netflow_rows *rows; /* whose `last` must not outlive a template */
};

#define NETFLOW_CACHE_FULL 1
int netflow_cache_init(struct netflow_cache *c, const struct netflow_options *o, struct netflow_rows *rows);
void netflow_cache_fini(struct netflow_cache *c);

/* netflow_cache_domain - found or made. Return: 0, NETFLOW_CACHE_FULL or -ENOMEM. */
int netflow_cache_domain(struct netflow_cache *c, const struct ip *ip, uint16_t port, uint16_t version, uint32_t id,
                         int64_t now_us, struct netflow_domain **ret);

/* netflow_cache_template - by id, or NULL. */
struct netflow_template *netflow_cache_template(struct netflow_domain *d, uint16_t id);
/* netflow_cache_put - takes @t, replacing one of the same id. Return: 0; FULL or -ENOMEM (then @t is freed). */
int netflow_cache_put(struct netflow_cache *c, struct netflow_domain *d, struct netflow_template *t);
/* netflow_cache_withdraw - one by id, or all of a kind with id 0. Return: how many. */
uint32_t netflow_cache_withdraw(struct netflow_cache *c, struct netflow_domain *d, uint16_t id, bool is_options);

/*
 * netflow_cache_wait - put a set aside; when there is no room, those that waited too long make it.
 * @ret_n_late: how many were given up
 * Return: 0, FULL or -ENOMEM.
 */
int netflow_cache_wait(struct netflow_cache *c, struct netflow_domain *d, uint16_t template_id, const uint8_t *p,
                       size_t n_bytes, const struct netflow_clock *k, uint32_t *ret_n_late);
/* netflow_cache_is_late - whether @waited stood too long at the time of @k. */
bool netflow_cache_is_late(const struct netflow_cache *c, const struct netflow_waiting *waited, const struct netflow_clock *k);
/*
 * netflow_cache_next_waiting - unlink the next set that waits for @template_id, oldest first; the caller frees it.
 * @at: where to go on, NULL at first; nothing else may wait in between
 */
struct netflow_waiting *netflow_cache_next_waiting(struct netflow_cache *c, struct netflow_domain *d, uint16_t template_id,
                                                   struct netflow_waiting ***at);
/* netflow_cache_give_up - drop everything that waits. Return: the number of sets. */
uint32_t netflow_cache_give_up(struct netflow_cache *c);
/* netflow_cache_has_room - whether the quotas leave this domain's peer @n_bytes more. */
bool netflow_cache_has_room(const struct netflow_cache *c, const struct netflow_domain *d, size_t n_bytes);
/* netflow_cache_charge - tell the quotas that a table of the domain has taken @n_bytes more. */
void netflow_cache_charge(struct netflow_cache *c, struct netflow_domain *d, size_t n_bytes);
