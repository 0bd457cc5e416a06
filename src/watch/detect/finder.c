/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory holds the totals of windows that still change and, for every finding ever
 * written, its last revision (20 bytes). A finding that is seen again after its
 * totals left memory is recalled from the journal before it is written again.
 */
#include "watch/detect/finder.h"

#include "base/clock.h"
#include "format/json.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct revision {
    struct finding_id id;
    uint32_t revision; /* 0: free slot */
};

struct revisions {
    struct revision *slots;
    uint64_t n, n_slots;
};

struct finder {
    struct finder_options o;
    pthread_mutex_t lock;
    struct findings *journal;
    struct sightings totals;
    struct revisions revisions;
    uint64_t base_sequence; /* records before it were written by an earlier process, or before a rebase: all of it is the hunt's now */
    struct buf payload;
    uint64_t written, write_errors;
};

/* --- revisions ----------------------------------------------------------------------- */

static struct revision *revision_slot(struct revision *slots, uint64_t n_slots, const struct finding_id *id)
{
    uint64_t h;
    memcpy(&h, id->b, 8);
    uint64_t i = h & (n_slots - 1);
    while (slots[i].revision && memcmp(slots[i].id.b, id->b, 16) != 0)
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

static uint32_t revision_of(const struct revisions *r, const struct finding_id *id)
{
    return r->n_slots ? revision_slot(r->slots, r->n_slots, id)->revision : 0;
}

static int remember(struct revisions *r, const struct finding_id *id, uint32_t revision)
{
    if (r->n * 2 >= r->n_slots) {
        uint64_t n_slots = r->n_slots ? r->n_slots * 2 : 1024;
        struct revision *grown = calloc(n_slots, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        for (uint64_t i = 0; i < r->n_slots; i++)
            if (r->slots[i].revision)
                *revision_slot(grown, n_slots, &r->slots[i].id) = r->slots[i];
        free(r->slots);
        r->slots = grown;
        r->n_slots = n_slots;
    }
    struct revision *s = revision_slot(r->slots, r->n_slots, id);
    if (!s->revision) {
        s->id = *id;
        r->n++;
    }
    if (revision > s->revision)
        s->revision = revision;
    return 0;
}

static int load_revision(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision,
                         struct text payload)
{
    struct finder *x = context;
    (void)sequence;
    (void)payload;
    return remember(&x->revisions, id, revision);
}

/* --- payload, out and in ---------------------------------------------------------------- */

static void put_key(struct buf *b, const char *key)
{
    buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", key);
}

static void put_text(struct buf *b, const char *key, const char *p, size_t n)
{
    put_key(b, key);
    json_put_string(b, (struct text){p, n});
}

static void put_ip(struct buf *b, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_MAX];
    put_text(b, key, text, ip_format(ip, text));
}

static void put_time(struct buf *b, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    put_text(b, key, text, clock_format_utc(us, text));
}

static void put_number(struct buf *b, const char *key, uint64_t n)
{
    put_key(b, key);
    buf_printf(b, "%llu", (unsigned long long)n);
}

static int by_port_count(const void *a, const void *b)
{
    const struct sighting_port *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : (int)x->port - (int)y->port;
}

static int by_peer_count(const void *a, const void *b)
{
    const struct sighting_peer *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : ip_compare(&x->ip, &y->ip);
}

static void put_ports_and_peers(struct buf *b, struct sighting *s)
{
    qsort(s->ports, s->n_ports, sizeof(*s->ports), by_port_count);
    qsort(s->peers, s->n_peers, sizeof(*s->peers), by_peer_count);
    put_key(b, "ports");
    for (uint32_t i = 0; i < s->n_ports; i++)
        buf_printf(b, "%s{\"port\":%u,\"flows\":%llu}", i ? "," : "[", s->ports[i].port, (unsigned long long)s->ports[i].n);
    buf_add_text(b, s->n_ports ? "]" : "[]");
    if (s->key.kind != HIT_OWN_LISTED && !s->key.name_hash)
        return;
    put_key(b, "remotes");
    for (uint32_t i = 0; i < s->n_peers; i++) {
        char ip[IP_TEXT_MAX];
        ip_format(&s->peers[i].ip, ip);
        buf_printf(b, "%s{\"ip\":\"%s\",\"flows\":%llu}", i ? "," : "[", ip, (unsigned long long)s->peers[i].n);
    }
    buf_add_text(b, s->n_peers ? "]" : "[]");
}

static void put_names(struct buf *b, const struct sighting *s, const struct match_set *set)
{
    struct text name = {s->name, s->n_name};
    const struct ip *listed = s->key.kind == HIT_OWN_LISTED ? &s->key.own : &s->key.remote;
    for (size_t i = 0; set && i < set->n_lists; i++) {
        char family[512];
        const struct list *l = set->lists[i].list;
        if (!text_equal(list_about(l)->name, (struct text){s->key.list, s->key.n_list}))
            continue;
        size_t n = s->key.name_hash ? list_name_family(l, (enum name_kind)s->key.name_kind, name, family, sizeof(family))
                                    : list_family(l, listed, family, sizeof(family));
        put_text(b, "family", family, n);
    }
    struct space_entry e;
    if (set && set->space && space_find(set->space, &s->key.own, s->last_us, &e))
        put_text(b, "unit", e.unit.p, e.unit.n);
}

static void put_payload(struct finder *x, struct sighting *s, const struct match_set *set)
{
    struct buf *b = &x->payload;
    buf_clear(b);
    buf_add_byte(b, '{');
    const char *kind = hit_kind_name((enum hit_kind)s->key.kind);
    const char *direction = hit_direction_name((enum hit_direction)s->direction);
    const char *listed = hit_listed_name((enum hit_listed)s->listed);
    put_text(b, "finding.kind", kind, strlen(kind));
    if (!s->key.is_log || !ip_is_zero(&s->key.own))
        put_ip(b, "own.ip", &s->key.own);
    if (s->key.name_hash) {
        const char *of = name_kind_text((enum name_kind)s->key.name_kind);
        put_text(b, "indicator.kind", of, strlen(of));
        put_text(b, "indicator.name", s->name, s->n_name);
    } else if (s->key.kind == HIT_CONTACT)
        put_ip(b, "remote.ip", &s->key.remote);
    if (s->key.is_log)
        put_text(b, "source", "log", 3);
    put_text(b, "list.name", s->key.list, s->key.n_list);
    put_number(b, "list.version", s->key.list_version);
    put_names(b, s, set);
    put_text(b, "direction", direction, strlen(direction));
    put_text(b, "listed", listed, strlen(listed));
    put_time(b, "window.start", s->key.window_us);
    put_number(b, "window.length_s", (uint64_t)(x->o.window_us / US_PER_SECOND));
    put_time(b, "first_seen", s->first_us);
    put_time(b, "last_seen", s->last_us);
    put_number(b, "flows", s->flows);
    put_number(b, "packets", s->packets);
    put_number(b, "bytes", s->bytes);
    put_ports_and_peers(b, s);
    if (s->flows > s->hunted_flows) {
        put_number(b, "live.flows", s->flows - s->hunted_flows);
        put_number(b, "live.packets", s->packets - s->hunted_packets);
        put_number(b, "live.bytes", s->bytes - s->hunted_bytes);
    }
    buf_add_byte(b, '}');
}

static uint64_t number_of(const struct json_value *v)
{
    uint64_t n;
    return v->kind == JSON_KIND_NUMBER && !text_u64(v->raw, UINT64_MAX, &n) ? n : 0;
}

struct port_or_peer {
    uint64_t port, flows;
    struct ip ip;
};

static int read_port_or_peer(void *context, struct text path, const struct json_value *v)
{
    struct port_or_peer *p = context;
    if (text_is(path, "port"))
        p->port = number_of(v);
    else if (text_is(path, "flows"))
        p->flows = number_of(v);
    else if (text_is(path, "ip"))
        (void)ip_parse(v->raw.p, v->raw.n, &p->ip);
    return 0;
}

/* a record read back, and the part of it that was counted live */
struct recalled {
    struct sighting s;
    uint64_t live_flows, live_packets, live_bytes;
};

static int read_leaf(void *context, struct text path, const struct json_value *v)
{
    struct recalled *r = context;
    struct sighting *s = &r->s;
    if (text_is(path, "live.flows"))
        r->live_flows = number_of(v);
    else if (text_is(path, "live.packets"))
        r->live_packets = number_of(v);
    else if (text_is(path, "live.bytes"))
        r->live_bytes = number_of(v);
    else if (text_is(path, "flows"))
        s->flows = number_of(v);
    else if (text_is(path, "packets"))
        s->packets = number_of(v);
    else if (text_is(path, "bytes"))
        s->bytes = number_of(v);
    else if (text_is(path, "first_seen"))
        (void)clock_parse(v->raw.p, v->raw.n, 0, &s->first_us);
    else if (text_is(path, "last_seen"))
        (void)clock_parse(v->raw.p, v->raw.n, 0, &s->last_us);
    else if (text_is(path, "direction"))
        for (unsigned d = 0; d <= HIT_EXTERNAL; d++)
            s->direction = text_is(v->raw, hit_direction_name((enum hit_direction)d)) ? (uint8_t)d : s->direction;
    else if (text_is(path, "listed"))
        for (unsigned i = HIT_LISTED_OWN; i <= HIT_LISTED_BOTH; i++)
            s->listed = text_is(v->raw, hit_listed_name((enum hit_listed)i)) ? (uint8_t)i : s->listed;
    if (v->kind != JSON_KIND_ARRAY)
        return 0;
    struct text rest = v->raw;
    struct json_value element;
    while (json_element(&rest, &element)) {
        struct port_or_peer p = {0};
        (void)json_walk(element.raw, read_port_or_peer, &p, NULL);
        if (text_is(path, "ports"))
            sighting_count_port(s, (uint16_t)p.port, p.flows);
        else
            sighting_count_peer(s, &p.ip, p.flows);
    }
    return 0;
}

/* --- recall -------------------------------------------------------------------------------- */

/* what of an entry's last record is still to be read back: all of it, or (a hunt has counted anew) what was counted live */
enum { CLEAN, DIRTY, DIRTY_NEEDS_RECALL, DIRTY_NEEDS_LIVE };

static bool needs_record(const struct sighting *s)
{
    return s->is_used && (s->is_dirty == DIRTY_NEEDS_RECALL || s->is_dirty == DIRTY_NEEDS_LIVE);
}

struct recall {
    struct finder *x;
    uint64_t n;
};

/* take_back - @before is the last record of @s. */
static void take_back(struct sighting *s, struct recalled *before)
{
    if (s->is_dirty == DIRTY_NEEDS_LIVE) {
        s->flows += before->live_flows;
        s->packets += before->live_packets;
        s->bytes += before->live_bytes;
        if (before->live_flows && before->s.first_us < s->first_us)
            s->first_us = before->s.first_us;
        if (before->live_flows && before->s.last_us > s->last_us)
            s->last_us = before->s.last_us;
        return;
    }
    uint8_t direction = before->s.direction;
    sighting_add(s, &before->s);
    s->direction = direction;
    s->hunted_flows = before->s.flows - before->live_flows;
    s->hunted_packets = before->s.packets - before->live_packets;
    s->hunted_bytes = before->s.bytes - before->live_bytes;
}

static int recall_record(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision,
                         struct text payload)
{
    struct recall *r = context;
    if (revision_of(&r->x->revisions, id) != revision)
        return 0;
    for (uint32_t i = 0; i < r->x->totals.n_slots; i++) {
        struct sighting *s = &r->x->totals.slots[i];
        if (!needs_record(s))
            continue;
        struct finding_id own = sighting_id(&s->key);
        if (memcmp(own.b, id->b, 16) != 0)
            continue;
        struct recalled before = {.s = {.key = s->key, .first_us = INT64_MAX, .last_us = INT64_MIN}};
        if (!json_walk(payload, read_leaf, &before, NULL)) {
            if (sequence < r->x->base_sequence || before.live_flows > before.s.flows)
                before.live_flows = before.live_packets = before.live_bytes = 0;
            take_back(s, &before);
        }
        s->is_dirty = DIRTY;
        r->n--;
        break;
    }
    return r->n ? 0 : 1;
}

static int recall(struct finder *x, struct fault *f)
{
    struct recall r = {.x = x};
    for (uint32_t i = 0; i < x->totals.n_slots; i++)
        r.n += needs_record(&x->totals.slots[i]);
    if (!r.n)
        return 0;
    int e = findings_read(x->o.data_dir, 0, recall_record, &r, f);
    return e < 0 ? e : 0;
}

/* --- another own space ------------------------------------------------------------------------- */

static const char withdrawn_mark[] = ",\"withdrawn\":\"own_space_changed\"}";

struct stand {
    struct ip own, remote;
    int64_t first_us, last_us;
    bool is_contact, is_both, is_withdrawn, is_bad, has_own, is_hit;
};

static int read_stand(void *context, struct text path, const struct json_value *v)
{
    struct stand *s = context;
    if (text_is(path, "finding.kind")) {
        s->is_contact = text_is(v->raw, hit_kind_name(HIT_CONTACT));
        s->is_hit = s->is_contact || text_is(v->raw, hit_kind_name(HIT_OWN_LISTED));
    }
    else if (text_is(path, "own.ip")) {
        s->is_bad |= ip_parse(v->raw.p, v->raw.n, &s->own) != 0;
        s->has_own = true;
    } else if (text_is(path, "remote.ip"))
        s->is_bad |= ip_parse(v->raw.p, v->raw.n, &s->remote) != 0;
    else if (text_is(path, "first_seen"))
        s->is_bad |= clock_parse(v->raw.p, v->raw.n, 0, &s->first_us) != 0;
    else if (text_is(path, "last_seen"))
        s->is_bad |= clock_parse(v->raw.p, v->raw.n, 0, &s->last_us) != 0;
    else if (text_is(path, "listed"))
        s->is_both = text_is(v->raw, hit_listed_name(HIT_LISTED_BOTH));
    else if (text_is(path, "withdrawn"))
        s->is_withdrawn = true;
    return 0;
}

static bool is_ours(const struct space *space, const struct ip *a, const struct stand *s)
{
    struct space_entry e;
    return space_find(space, a, s->first_us, &e) || space_find(space, a, s->last_us, &e);
}

struct withdrawal {
    struct finder *x;
    const struct space *space;
    uint64_t n;
};

/*
 * withdraw_record - of a finding that hit.h would not make today, neither of its first flow nor of its last: its own
 * end is not ours, or the listed end of a contact turns out to be ours, which is another finding.
 */
static int withdraw_record(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct withdrawal *w = context;
    struct finder *x = w->x;
    struct stand s = {0};
    (void)sequence;
    if (revision_of(&x->revisions, id) != revision || payload.n < 2 || json_walk(payload, read_stand, &s, NULL) || s.is_bad ||
        s.is_withdrawn || !s.has_own || !s.is_hit) /* without an own end, and of rules: the own space does not decide on it */
        return 0;
    if (is_ours(w->space, &s.own, &s) && (!s.is_contact || s.is_both || !is_ours(w->space, &s.remote, &s)))
        return 0;
    buf_clear(&x->payload);
    buf_add(&x->payload, payload.p, payload.n - 1);
    buf_add_text(&x->payload, withdrawn_mark);
    int r = x->payload.is_bad ? -ENOMEM : remember(&x->revisions, id, revision + 1);
    if (!r)
        r = findings_add(x->journal, id, revision + 1, (struct text){(const char *)x->payload.p, x->payload.n});
    w->n += !r;
    return r;
}

/* --- the door --------------------------------------------------------------------------------- */

static uint64_t next_sequence(struct finder *x)
{
    struct findings_state s;
    findings_get_state(x->journal, &s);
    return s.next_sequence;
}

int finder_open(const struct finder_options *o, struct finder **ret, struct fault *f)
{
    struct finder *x = calloc(1, sizeof(*x));
    if (!x)
        return FAULT(f, -ENOMEM, no_memory, "findings");
    x->o = *o;
    x->payload.max = FINDING_MAX_PAYLOAD;
    pthread_mutex_init(&x->lock, NULL);
    int r = sightings_init(&x->totals, o->max_sightings);
    if (r)
        r = FAULT(f, r, no_memory, "findings");
    if (!r)
        r = findings_open(o->data_dir, o->journal_max_bytes, &x->journal, f);
    if (!r)
        r = findings_read(o->data_dir, 0, load_revision, x, f);
    if (r) {
        finder_close(x);
        return r;
    }
    x->base_sequence = next_sequence(x);
    *ret = x;
    return 0;
}

void finder_close(struct finder *x)
{
    if (!x)
        return;
    findings_close(x->journal);
    sightings_fini(&x->totals);
    free(x->revisions.slots);
    buf_fini(&x->payload);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* total_of - under the lock: the entry of a key; one that was written before and left memory is marked for recall. */
static struct sighting *total_of(struct finder *x, const struct sighting_key *key)
{
    uint32_t before = x->totals.n;
    struct sighting *s = sightings_get(&x->totals, key);
    if (s && x->totals.n != before) {
        struct finding_id id = sighting_id(key);
        s->revision = revision_of(&x->revisions, &id);
        s->is_dirty = s->revision ? DIRTY_NEEDS_RECALL : DIRTY;
    }
    return s;
}

int finder_add(struct finder *x, struct sightings *t)
{
    pthread_mutex_lock(&x->lock);
    for (uint32_t i = 0; i < t->n_slots; i++) {
        if (!t->slots[i].is_used)
            continue;
        struct sighting *s = total_of(x, &t->slots[i].key);
        if (!s)
            continue; /* counted in overflow */
        sighting_add(s, &t->slots[i]);
        if (s->is_dirty == CLEAN)
            s->is_dirty = DIRTY;
    }
    sightings_clear(t);
    pthread_mutex_unlock(&x->lock);
    return 0;
}

static void replace_hunted(struct sighting *s, const struct sighting *from)
{
    struct sighting live = *s; /* what is left when the hunted part is taken away */
    live.flows -= s->hunted_flows;
    live.packets -= s->hunted_packets;
    live.bytes -= s->hunted_bytes;
    bool is_same = s->hunted_flows == from->flows && s->hunted_bytes == from->bytes && s->is_dirty == CLEAN;
    if (is_same)
        return;
    uint32_t revision = s->revision;
    *s = *from;
    s->is_used = 1;
    s->revision = revision;
    s->hunted_flows = from->flows;
    s->hunted_packets = from->packets;
    s->hunted_bytes = from->bytes;
    if (live.flows)
        sighting_add(s, &live);
    s->is_dirty = needs_record(&live) ? DIRTY_NEEDS_LIVE : DIRTY;
}

int finder_set(struct finder *x, const struct sighting *from)
{
    pthread_mutex_lock(&x->lock);
    struct sighting *s = total_of(x, &from->key);
    if (s)
        replace_hunted(s, from);
    pthread_mutex_unlock(&x->lock);
    return 0;
}

struct eviction {
    int64_t before_us;
};

static bool is_past(void *context, const struct sighting *s)
{
    const struct eviction *e = context;
    return !s->is_dirty && s->key.window_us < e->before_us;
}

/* write_changed - under the lock: records for what changed into one commit. */
static int write_changed(struct finder *x, const struct match_set *set, struct fault *f)
{
    int r = recall(x, f);
    uint64_t n = 0;
    for (uint32_t i = 0; !r && i < x->totals.n_slots; i++) {
        struct sighting *s = &x->totals.slots[i];
        if (!s->is_used || !s->is_dirty)
            continue;
        struct finding_id id = sighting_id(&s->key);
        put_payload(x, s, set);
        r = x->payload.is_bad ? -ENOMEM : remember(&x->revisions, &id, s->revision + 1);
        if (!r)
            r = findings_add(x->journal, &id, s->revision + 1, (struct text){(const char *)x->payload.p, x->payload.n});
        if (r)
            return FAULT(f, r, no_memory, "findings");
        s->revision++;
        n++;
    }
    if (!r)
        r = findings_commit(x->journal, f);
    for (uint32_t i = 0; !r && i < x->totals.n_slots; i++)
        x->totals.slots[i].is_dirty = CLEAN;
    if (!r)
        x->written += n;
    return r;
}

int finder_write(struct finder *x, const struct match_set *set, int64_t now_us, struct fault *f)
{
    pthread_mutex_lock(&x->lock);
    int r = write_changed(x, set, f);
    if (r)
        x->write_errors++;
    struct eviction e = {now_us - 2 * x->o.window_us};
    if (x->totals.n > x->totals.max / 4 * 3)
        e.before_us = INT64_MAX; /* room is needed: what is written may be recalled */
    sightings_drop(&x->totals, is_past, &e);
    pthread_mutex_unlock(&x->lock);
    return r;
}

/* withdraw - under the lock: journal what does not stand under @space. */
static int withdraw(struct finder *x, const struct space *space, uint64_t *ret_n, struct fault *f)
{
    struct withdrawal w = {x, space, 0};
    int r = findings_read(x->o.data_dir, 0, withdraw_record, &w, f);
    if (r == -ENOMEM)
        FAULT(f, r, no_memory, "findings");
    if (!r)
        r = findings_commit(x->journal, f);
    *ret_n = w.n;
    x->written += r ? 0 : w.n;
    return r;
}

int finder_rebase(struct finder *x, const struct match_set *set, uint64_t *ret_withdrawn, struct fault *f)
{
    *ret_withdrawn = 0;
    pthread_mutex_lock(&x->lock);
    int r = write_changed(x, set, f);
    if (!r && set->space)
        r = withdraw(x, set->space, ret_withdrawn, f);
    if (r) {
        x->write_errors++;
    } else {
        sightings_clear(&x->totals);
        x->base_sequence = next_sequence(x);
    }
    pthread_mutex_unlock(&x->lock);
    return r;
}

int finder_journal(struct finder *x, const struct finding_id *id, struct text payload)
{
    pthread_mutex_lock(&x->lock);
    uint32_t revision = revision_of(&x->revisions, id) + 1;
    int r = findings_add(x->journal, id, revision, payload);
    if (!r)
        r = remember(&x->revisions, id, revision);
    x->written += !r;
    pthread_mutex_unlock(&x->lock);
    return r;
}

uint32_t finder_revision(struct finder *x, const struct finding_id *id)
{
    pthread_mutex_lock(&x->lock);
    uint32_t revision = revision_of(&x->revisions, id);
    pthread_mutex_unlock(&x->lock);
    return revision;
}

struct each_last {
    struct finder *x;
    int (*each)(void *, const struct finding_id *, struct text);
    void *context;
};

static int give_last(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct each_last *l = context;
    (void)sequence;
    return revision_of(&l->x->revisions, id) == revision ? l->each(l->context, id, payload) : 0;
}

int finder_recall(struct finder *x, int (*each)(void *, const struct finding_id *, struct text), void *context, struct fault *f)
{
    struct each_last l = {x, each, context};
    pthread_mutex_lock(&x->lock);
    int r = findings_read(x->o.data_dir, 0, give_last, &l, f);
    pthread_mutex_unlock(&x->lock);
    return r;
}

void finder_get_state(struct finder *x, struct finder_state *ret)
{
    pthread_mutex_lock(&x->lock);
    findings_get_state(x->journal, &ret->journal);
    ret->sightings = x->totals.n;
    ret->overflow = x->totals.overflow;
    ret->written = x->written;
    ret->write_errors = x->write_errors;
    pthread_mutex_unlock(&x->lock);
}
