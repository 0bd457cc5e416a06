/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small open-addressed table; exporters are few and never forgotten while
 * the node runs, so that a silent one stays visible.
 */
#include "watch/intake/exporter.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { N_SLOTS = EXPORTERS_MAX * 2 };

int exporters_init(struct exporters *e)
{
    memset(e, 0, sizeof(*e));
    pthread_mutex_init(&e->lock, NULL);
    e->all = calloc(EXPORTERS_MAX, sizeof(*e->all));
    e->slots = calloc(N_SLOTS, sizeof(*e->slots));
    if (e->all && e->slots)
        return 0;
    exporters_fini(e);
    return -ENOMEM;
}

void exporters_fini(struct exporters *e)
{
    free(e->all);
    free(e->slots);
    free(e->memory);
    e->memory = NULL;
    e->n_memory = e->memory_room = 0;
    e->all = NULL;
    e->slots = NULL;
    e->n = 0;
    pthread_mutex_destroy(&e->lock);
}

static uint32_t hash_of(const struct flow_observer *o, uint16_t port, uint16_t version)
{
    uint64_t h = load_le64(o->ip.b) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ load_le64(o->ip.b + 8)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ ((uint64_t)o->domain << 32 | (uint32_t)port << 16 | version)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(h >> 32);
}

/* --- what outlives the process --------------------------------------------------------- */

static void key_of(const struct exporters *e, const struct exporter *x, enum exporter_note kind,
                   uint8_t key[EXPORTER_KEY_BYTES])
{
    memcpy(key, x->observer.ip.b, 16);
    memcpy(key + 16, &x->observer.domain, 4);
    memcpy(key + 20, &x->port, 2);
    memcpy(key + 22, &x->version, 2);
    key[24] = e->is_sflow;
    key[25] = (uint8_t)kind;
}

int exporters_recall(struct exporters *e, const void *key, size_t n_key, uint64_t value)
{
    if (n_key != EXPORTER_KEY_BYTES)
        return 0;
    if (e->n_memory == e->memory_room) {
        size_t room = e->memory_room ? 2 * e->memory_room : 64;
        struct exporter_memory *more = reallocarray(e->memory, room, sizeof(*more));
        if (!more)
            return -ENOMEM;
        e->memory = more;
        e->memory_room = room;
    }
    struct exporter_memory *m = &e->memory[e->n_memory++];
    memcpy(m->key, key, n_key);
    m->value = value;
    return 0;
}

static bool remembered(const struct exporters *e, const struct exporter *x, enum exporter_note kind, uint64_t *ret)
{
    uint8_t key[EXPORTER_KEY_BYTES];
    key_of(e, x, kind, key);
    for (size_t i = 0; i < e->n_memory; i++)
        if (!memcmp(e->memory[i].key, key, sizeof(key))) {
            *ret = e->memory[i].value;
            return true;
        }
    return false;
}

static void recall(const struct exporters *e, struct exporter *x)
{
    uint64_t next, boot;
    if (!remembered(e, x, EXPORTER_NEXT, &next) || !remembered(e, x, EXPORTER_BOOT, &boot))
        return;
    x->seen.next = (uint32_t)next;
    x->seen.is_unsure = next >> 32 & 1;
    x->seen.boot_ms = (int64_t)boot;
    x->seen.is_begun = true;
}

unsigned exporters_note(struct exporters *e, int (*note)(void *context, const void *key, size_t n_key, uint64_t value),
                        void *context)
{
    unsigned n_refused = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        struct exporter *x = &e->all[i];
        uint8_t key[EXPORTER_KEY_BYTES];
        if (!x->seen.is_begun || (x->is_noted && x->noted_next == x->seen.next))
            continue;
        key_of(e, x, EXPORTER_BOOT, key);
        int r = note(context, key, sizeof(key), (uint64_t)x->seen.boot_ms);
        key_of(e, x, EXPORTER_NEXT, key);
        if (r >= 0)
            r = note(context, key, sizeof(key), x->seen.next | (uint64_t)x->seen.is_unsure << 32);
        n_refused += r < 0;
        x->is_noted = r >= 0;
        x->noted_next = x->seen.next;
    }
    return n_refused;
}

/* --- the account ------------------------------------------------------------------------ */

static struct exporter *find(struct exporters *e, const struct flow_observer *o, uint16_t port, uint16_t version)
{
    for (uint32_t i = hash_of(o, port, version) % N_SLOTS;; i = (i + 1) % N_SLOTS) {
        if (!e->slots[i]) {
            if (e->n == EXPORTERS_MAX)
                return NULL;
            struct exporter *x = &e->all[e->n];
            x->observer = *o;
            x->port = port;
            x->version = version;
            e->slots[i] = ++e->n;
            recall(e, x);
            return x;
        }
        struct exporter *x = &e->all[e->slots[i] - 1];
        if (x->port == port && x->version == version && x->observer.domain == o->domain &&
            ip_equal(&x->observer.ip, &o->ip))
            return x;
    }
}

static struct exporter *seen(struct exporters *e, const struct netflow_datagram *d, const struct flow_observer *o,
                             uint16_t version)
{
    struct exporter *x = find(e, o, d->by_port ? d->peer_port : 0, version);
    if (!x) {
        e->overflow++;
        return NULL;
    }
    if (!x->first_us)
        x->first_us = d->received_us;
    x->last_us = d->received_us;
    x->n.datagrams++;
    x->n.bytes += d->n_bytes;
    return x;
}

static void note_sequence(struct exporter *x, const struct netflow_datagram *d, const struct netflow_result *r)
{
    uint32_t n_missing;
    (void)netflow_sequence_note(&x->seen, r, netflow_fingerprint(d->p, d->n_bytes), &n_missing);
    x->n.lost = x->seen.n_missing;
    x->n.gaps = x->seen.n_gaps;
    x->n.late = x->seen.n_late;
    x->n.repeated = x->seen.n_repeated;
    x->n.restarts = x->seen.n_restarts;
}

void exporters_count(struct exporters *e, const struct netflow_datagram *d, const struct netflow_result *r)
{
    struct flow_observer who = {d->peer, r->observer.domain};
    struct exporter *x = seen(e, d, &who, r->version);
    if (!x)
        return;
    x->n.flows += r->n_flows;
    x->n.options += r->n_options;
    x->n.nat_events += r->n_nat_events;
    x->n.templates_added += r->n_added;
    x->n.templates_redefined += r->n_redefined;
    x->n.templates_withdrawn += r->n_withdrawn;
    x->n.sets_waiting += r->n_waiting;
    x->n.sets_resolved += r->n_resolved;
    uint64_t by_unit[4] = {0};
    enum { datagrams, records, sets, templates };
#define X(ID, name, unit)                        \
    x->refused[NETFLOW_##ID] += r->n_refused[NETFLOW_##ID]; \
    by_unit[unit] += r->n_refused[NETFLOW_##ID];
    NETFLOW_REASONS(X)
#undef X
    x->n.datagrams_refused += by_unit[datagrams];
    x->n.records_refused += by_unit[records];
    x->n.sets_refused += by_unit[sets];
    x->n.templates_refused += by_unit[templates];
    if (!r->has_sequence)
        return;
    x->clock_offset_us = r->exported_us ? d->received_us - r->exported_us : 0;
    x->sequence = r->sequence;
    note_sequence(x, d, r);
}

void exporters_count_sflow(struct exporters *e, const struct netflow_datagram *d, const struct sflow_result *r)
{
    struct exporter *x = seen(e, d, &r->observer, 5);
    if (!x)
        return;
    x->n.flows += r->n_flows;
    enum { datagrams, samples };
    uint64_t by_unit[2] = {0};
#define X(ID, name, unit) by_unit[unit] += r->n_refused[SFLOW_##ID];
    SFLOW_REASONS(X)
#undef X
    x->n.datagrams_refused += by_unit[datagrams];
    x->n.records_refused += by_unit[samples];
    x->n.flows += r->n_inner;
    if (!r->has_sequence)
        return;
    struct netflow_result step = sflow_sequence_input(r);
    x->sequence = r->sequence;
    note_sequence(x, d, &step);
}

int exporters_copy(struct exporters *e, struct exporter **ret, uint32_t *ret_n)
{
    pthread_mutex_lock(&e->lock);
    struct exporter *copy = malloc((e->n + 1) * sizeof(*copy));
    if (copy)
        memcpy(copy, e->all, e->n * sizeof(*copy));
    *ret_n = e->n;
    pthread_mutex_unlock(&e->lock);
    *ret = copy;
    return copy ? 0 : -ENOMEM;
}
