/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small open-addressed table. Exporters are few and stay while the node runs,
 * so that a silent one stays visible; only a sender who makes up ever new ones
 * fills it, and then what never amounted to anything goes first.
 */
#include "watch/intake/exporter.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { N_SLOTS = EXPORTERS_MAX * 2, N_SENDERS = EXPORTERS_MAX * 4 };

int exporters_init(struct exporters *e)
{
    memset(e, 0, sizeof(*e));
    pthread_mutex_init(&e->lock, NULL);
    e->all = calloc(EXPORTERS_MAX, sizeof(*e->all));
    e->slots = calloc(N_SLOTS, sizeof(*e->slots));
    e->n_of_sender = calloc(N_SENDERS, sizeof(*e->n_of_sender));
    if (e->all && e->slots && e->n_of_sender)
        return 0;
    exporters_fini(e);
    return -ENOMEM;
}

void exporters_fini(struct exporters *e)
{
    free(e->all);
    free(e->slots);
    free(e->n_of_sender);
    free(e->memory);
    e->n_of_sender = NULL;
    e->memory = NULL;
    e->n_memory = e->memory_room = 0;
    e->all = NULL;
    e->slots = NULL;
    e->n = 0;
    pthread_mutex_destroy(&e->lock);
}

/* hash_of - big-endian loads: what differs among addresses stands in the low bits, from where products carry it up. */
static uint32_t hash_of(const struct flow_observer *o, uint16_t port, uint16_t version)
{
    uint64_t h = load_be64(o->ip.b) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32 ^ load_be64(o->ip.b + 8)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 32 ^ ((uint64_t)o->domain << 32 | (uint32_t)port << 16 | version)) * UINT64_C(0x94d049bb133111eb);
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
    e->is_sorted = false;
    return 0;
}

static int compare_memory(const void *a, const void *b)
{
    return memcmp(((const struct exporter_memory *)a)->key, ((const struct exporter_memory *)b)->key, EXPORTER_KEY_BYTES);
}

static bool remembered(const struct exporters *e, const struct exporter *x, enum exporter_note kind, uint64_t *ret)
{
    struct exporter_memory wanted;
    key_of(e, x, kind, wanted.key);
    const struct exporter_memory *m = bsearch(&wanted, e->memory, e->n_memory, sizeof(*m), compare_memory);
    if (m)
        *ret = m->value;
    return m;
}

static void recall(struct exporters *e, struct exporter *x)
{
    uint64_t next, boot;
    if (!e->n_memory)
        return;
    if (!e->is_sorted)
        qsort(e->memory, e->n_memory, sizeof(*e->memory), compare_memory);
    e->is_sorted = true;
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

/* --- who stays -------------------------------------------------------------------------- */

static void queue_del(struct exporters *e, struct exporter *x)
{
    struct exporter_queue *q = &e->queue[x->is_proven];
    *(x->newer ? &e->all[x->newer - 1].older : &q->newest) = x->older;
    *(x->older ? &e->all[x->older - 1].newer : &q->oldest) = x->newer;
}

static void queue_add(struct exporters *e, struct exporter *x)
{
    struct exporter_queue *q = &e->queue[x->is_proven];
    const uint32_t i = (uint32_t)(x - e->all) + 1;
    x->newer = 0;
    x->older = q->newest;
    *(q->newest ? &e->all[q->newest - 1].newer : &q->oldest) = i;
    q->newest = i;
}

static uint32_t slot_of(const struct exporter *x)
{
    return hash_of(&x->observer, x->port, x->version) % N_SLOTS;
}

/* forget_slot - linear probing: what stands behind the hole moves up where it may. */
static void forget_slot(struct exporters *e, const struct exporter *x)
{
    uint32_t hole = slot_of(x);
    while (e->slots[hole] != (uint32_t)(x - e->all) + 1)
        hole = (hole + 1) % N_SLOTS;
    e->slots[hole] = 0;
    for (uint32_t i = (hole + 1) % N_SLOTS; e->slots[i]; i = (i + 1) % N_SLOTS) {
        uint32_t home = slot_of(&e->all[e->slots[i] - 1]);
        if ((i + N_SLOTS - home) % N_SLOTS < (i + N_SLOTS - hole) % N_SLOTS)
            continue; /* its home lies behind the hole */
        e->slots[hole] = e->slots[i];
        e->slots[i] = 0;
        hole = i;
    }
}

/* let_go - Return: the place that is free now; NULL when all have a right to theirs. */
static struct exporter *let_go(struct exporters *e, int64_t now_us)
{
    if (e->is_closed)
        return NULL;
    bool is_proven = !e->queue[0].oldest;
    struct exporter *x = &e->all[e->queue[is_proven].oldest - 1]; /* the table is full: one queue is not empty */
    if (is_proven && now_us - x->last_us < EXPORTER_SILENT_US)
        return NULL;
    queue_del(e, x);
    forget_slot(e, x);
    e->n_of_sender[x->sender]--;
#define X(name, help) e->gone.name += x->n.name;
    EXPORTER_COUNTERS(X)
#undef X
    e->n_gone++;
    memset(x, 0, sizeof(*x));
    return x;
}

/* --- the account ------------------------------------------------------------------------ */

static uint32_t sender_of(const struct ip *ip)
{
    const struct flow_observer o = {.ip = *ip};
    return hash_of(&o, 0, 0) % N_SENDERS; /* addresses that meet there share a limit: few do */
}

/* add - Return: NULL when there is no place. */
static struct exporter *add(struct exporters *e, const struct netflow_datagram *d, const struct flow_observer *o, uint16_t port,
                            uint16_t version)
{
    const uint32_t sender = sender_of(&d->peer);
    if (e->n_of_sender[sender] >= EXPORTERS_PER_ADDRESS)
        return NULL;
    struct exporter *x = e->n < EXPORTERS_MAX ? &e->all[e->n] : let_go(e, d->received_us);
    if (!x)
        return NULL;
    e->n += e->n < EXPORTERS_MAX;
    x->observer = *o;
    x->port = port;
    x->version = version;
    x->sender = sender;
    e->n_of_sender[sender]++;
    uint32_t i = slot_of(x);
    while (e->slots[i])
        i = (i + 1) % N_SLOTS;
    e->slots[i] = (uint32_t)(x - e->all) + 1;
    queue_add(e, x);
    recall(e, x);
    return x;
}

static struct exporter *find(const struct exporters *e, const struct flow_observer *o, uint16_t port, uint16_t version)
{
    for (uint32_t i = hash_of(o, port, version) % N_SLOTS; e->slots[i]; i = (i + 1) % N_SLOTS) {
        struct exporter *x = &e->all[e->slots[i] - 1];
        if (x->port == port && x->version == version && x->observer.domain == o->domain && ip_equal(&x->observer.ip, &o->ip))
            return x;
    }
    return NULL;
}

/* heard - it goes to the end of its queue, or of the other one once it is proven. */
static void heard(struct exporters *e, struct exporter *x)
{
    bool is_proven = x->n.datagrams >= EXPORTER_PROVEN;
    if (!x->newer && is_proven == x->is_proven)
        return;
    queue_del(e, x);
    x->is_proven = is_proven;
    queue_add(e, x);
}

static struct exporter *seen(struct exporters *e, const struct netflow_datagram *d, const struct flow_observer *o,
                             uint16_t version)
{
    const uint16_t port = d->by_port ? d->peer_port : 0;
    struct exporter *x = find(e, o, port, version);
    if (!x)
        x = add(e, d, o, port, version);
    if (!x) {
        e->overflow++;
        return NULL;
    }
    if (!x->first_us)
        x->first_us = d->received_us;
    x->last_us = d->received_us;
    x->n.datagrams++;
    x->n.bytes += d->n_bytes;
    heard(e, x);
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

/* has_refused - hardly ever: the sums by reason are then left alone. */
static bool has_refused(const struct netflow_result *r)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < NETFLOW_N_REASONS; i++)
        any |= r->n_refused[i];
    return any;
}

static void count_refused(struct exporter *x, const struct netflow_result *r)
{
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
    if (has_refused(r))
        count_refused(x, r);
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
