/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alarm is kept whole, with its texts behind it in one piece of memory; alarms are rare.
 */
#include "watch/detect/behaviour_alerts.h"

#include "base/clock.h"
#include "format/json.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { N_TEXTS = 4 };

struct kept {
    struct finding_id id;
    bool is_used, is_dirty, needs_recall;
    struct behaviour_alarm *alarm; /* owned, its texts behind it */
};

struct behaviour_alerts {
    struct behaviour_alerts_options o;
    pthread_mutex_t lock;
    struct kept *slots; /* open addressing, power of two, at most half full */
    uint32_t n, n_slots;
    int64_t now_us;
    struct behaviour_alert_counters counters;
    uint64_t *excepted;
    struct buf payload;
};

int behaviour_alerts_new(const struct behaviour_alerts_options *o, struct behaviour_alerts **ret)
{
    struct behaviour_alerts *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->o = *o;
    a->now_us = INT64_MIN;
    pthread_mutex_init(&a->lock, NULL);
    a->payload.max = FINDING_MAX_PAYLOAD;
    a->n_slots = 64;
    while (a->n_slots < o->max_alerts * 2 && a->n_slots < 1u << 24)
        a->n_slots *= 2;
    a->slots = calloc(a->n_slots, sizeof(*a->slots));
    a->excepted = calloc(o->n_exceptions + 1, sizeof(*a->excepted));
    if (!a->slots || !a->excepted) {
        behaviour_alerts_free(a);
        return -ENOMEM;
    }
    *ret = a;
    return 0;
}

void behaviour_alerts_free(struct behaviour_alerts *a)
{
    if (!a)
        return;
    for (uint32_t i = 0; a->slots && i < a->n_slots; i++)
        free(a->slots[i].alarm);
    free(a->slots);
    free(a->excepted);
    buf_fini(&a->payload);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void behaviour_alerts_clock(struct behaviour_alerts *a, int64_t now_us)
{
    pthread_mutex_lock(&a->lock);
    a->now_us = now_us;
    pthread_mutex_unlock(&a->lock);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static struct text cut(struct text t)
{
    while (t.n > ALERT_TEXT_BYTES) {
        t.n = ALERT_TEXT_BYTES;
        while (t.n && ((uint8_t)t.p[t.n] & 0xc0) == 0x80)
            t.n--;
    }
    return t;
}

static size_t add_part(uint8_t *to, struct text t)
{
    t = cut(t);
    uint16_t n = (uint16_t)t.n;
    memcpy(to, &n, sizeof(n));
    memcpy(to + sizeof(n), n ? t.p : "", n);
    return sizeof(n) + n;
}

static struct finding_id id_of(const struct behaviour_alarm *m)
{
    struct finding_id id;
    uint8_t bytes[4 * (2 + ALERT_TEXT_BYTES) + 2 * 16 + 64];
    const char *kind = behaviour_name(m->kind);
    size_t n = add_part(bytes, TEXT("behaviour"));
    n += add_part(bytes + n, (struct text){kind, strlen(kind)});
    n += add_part(bytes + n, m->host);
    n += add_part(bytes + n, m->user);
    n += add_part(bytes + n, m->name);
    memcpy(bytes + n, m->own.b, 16);
    memcpy(bytes + n + 16, m->peer.b, 16);
    memcpy(bytes + n + 32, &m->peer_port, 2);
    memcpy(bytes + n + 34, &m->window_us, 8);
    XXH128_hash_t h = XXH3_128bits(bytes, n + 42);
    memcpy(id.b, &h.high64, 8);
    memcpy(id.b + 8, &h.low64, 8);
    return id;
}

static struct kept *slot_of(const struct behaviour_alerts *a, const struct finding_id *id)
{
    uint64_t h;
    memcpy(&h, id->b, sizeof(h));
    uint32_t i = (uint32_t)h & (a->n_slots - 1);
    while (a->slots[i].is_used && memcmp(a->slots[i].id.b, id->b, sizeof(id->b)) != 0)
        i = (i + 1) & (a->n_slots - 1);
    return &a->slots[i];
}

/* drop_written - clean entries of windows before @before_us leave; the others find their places anew. Return: 0 or -ENOMEM. */
static int drop_written(struct behaviour_alerts *a, int64_t before_us)
{
    struct kept *old = a->slots, *fresh = calloc(a->n_slots, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    a->slots = fresh;
    a->n = 0;
    for (uint32_t i = 0; i < a->n_slots; i++) {
        if (!old[i].is_used)
            continue;
        if (!old[i].is_dirty && old[i].alarm->window_us < before_us) {
            free(old[i].alarm);
            continue;
        }
        *slot_of(a, &old[i].id) = old[i];
        a->n++;
    }
    free(old);
    return 0;
}

/* copy - an alarm with its texts. Return: NULL when memory is out. */
static struct behaviour_alarm *copy(const struct behaviour_alarm *m)
{
    const struct text from[N_TEXTS] = {cut(m->host), cut(m->user), cut(m->name), m->query.n <= 4096 ? m->query : (struct text){NULL, 0}};
    size_t n = 0;
    for (unsigned i = 0; i < N_TEXTS; i++)
        n += from[i].n;
    struct behaviour_alarm *k = malloc(sizeof(*k) + n);
    if (!k)
        return NULL;
    *k = *m;
    struct text *to[N_TEXTS] = {&k->host, &k->user, &k->name, &k->query};
    char *p = (char *)(k + 1);
    for (unsigned i = 0; i < N_TEXTS; i++) {
        memcpy(p, from[i].n ? from[i].p : "", from[i].n);
        *to[i] = (struct text){p, from[i].n};
        p += from[i].n;
    }
    return k;
}

/* --- exceptions ------------------------------------------------------------------------------------------------------ */

static bool is_like(const char *pattern, struct text t)
{
    char text[ALERT_TEXT_BYTES + 1];
    if (!pattern)
        return true;
    t = cut(t);
    memcpy(text, t.n ? t.p : "", t.n);
    text[t.n] = 0;
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

static bool is_in(const struct log_exception *x, const struct behaviour_alarm *m)
{
    for (size_t i = 0; i < x->n_addresses; i++)
        if ((!ip_is_zero(&m->own) && ip_range_has(&x->addresses[i], &m->own)) ||
            (!ip_is_zero(&m->peer) && ip_range_has(&x->addresses[i], &m->peer)))
            return true;
    return !x->n_addresses;
}

static bool is_excepted(struct behaviour_alerts *a, const struct behaviour_alarm *m)
{
    const char *kind = behaviour_name(m->kind);
    for (size_t i = 0; i < a->o.n_exceptions; i++) {
        const struct log_exception *c = &a->o.exceptions[i];
        bool is_rule = !strcmp(c->rule, "*") || text_is_nocase((struct text){kind, strlen(kind)}, c->rule);
        if (!is_rule || a->now_us >= c->until_us || !is_like(c->host, m->host) || !is_like(c->user, m->user) || !is_in(c, m))
            continue;
        a->excepted[i]++;
        a->counters.excepted++;
        return true;
    }
    return false;
}

/* --- taking ---------------------------------------------------------------------------------------------------------- */

static void take(struct behaviour_alerts *a, const struct behaviour_alarm *m)
{
    struct finding_id id = id_of(m);
    struct kept *k = slot_of(a, &id);
    if (k->is_used && m->n_events < k->alarm->n_events) {
        a->counters.smaller++;
        return;
    }
    if (!k->is_used && a->n >= a->o.max_alerts && !drop_written(a, INT64_MAX))
        k = slot_of(a, &id);
    struct behaviour_alarm *fresh = !k->is_used && a->n >= a->o.max_alerts ? NULL : copy(m);
    if (!fresh) {
        a->counters.lost++;
        return;
    }
    if (!k->is_used) {
        *k = (struct kept){.id = id, .is_used = true, .needs_recall = true};
        a->n++;
        a->counters.findings++;
    }
    free(k->alarm);
    k->alarm = fresh;
    k->is_dirty = true;
}

int behaviour_alerts_take(void *alerts, const struct behaviour_alarm *alarm)
{
    struct behaviour_alerts *a = alerts;
    pthread_mutex_lock(&a->lock);
    a->counters.alarms++;
    if (!is_excepted(a, alarm))
        take(a, alarm);
    pthread_mutex_unlock(&a->lock);
    return 0;
}

/* --- the payload ------------------------------------------------------------------------------------------------------- */

const char *behaviour_severity(uint32_t severity)
{
    static const char *const names[] = {"informational", "low", "medium", "high", "critical"};
    return names[severity < 5 ? severity : 4];
}

static void put_key(struct buf *b, const char *key)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
        buf_add_byte(b, ',');
    buf_printf(b, "\"%s\":", key);
}

static void put_text(struct buf *b, const char *key, struct text t)
{
    put_key(b, key);
    json_put_string(b, t);
}

static void put_static(struct buf *b, const char *key, const char *value)
{
    put_text(b, key, (struct text){value, strlen(value)});
}

static void put_time(struct buf *b, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    size_t n = clock_format_utc(us, text);
    put_text(b, key, (struct text){text, n});
}

static void put_ip(struct buf *b, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_MAX];
    size_t n = ip_format(ip, text);
    put_text(b, key, (struct text){text, n});
}

static void put_real(struct buf *b, double v)
{
    if (isfinite(v))
        buf_printf(b, "%.7g", v);
    else
        buf_add_text(b, "null");
}

static void put_numbers(struct buf *b, const struct behaviour_alarm *m)
{
    put_key(b, "numbers");
    buf_add_byte(b, '{');
    for (uint32_t i = 0; i < m->n_numbers && i < BEHAVIOUR_NUMBERS; i++) {
        if (!isfinite(m->numbers[i].value))
            continue;
        put_key(b, m->numbers[i].name);
        buf_add_text(b, "{\"value\":");
        put_real(b, m->numbers[i].value);
        if (isfinite(m->numbers[i].limit)) {
            buf_add_text(b, ",\"limit\":");
            put_real(b, m->numbers[i].limit);
        }
        buf_add_byte(b, '}');
    }
    buf_add_byte(b, '}');
}

static void put_series(struct buf *b, const struct behaviour_alarm *m)
{
    if (!m->n_series)
        return;
    put_key(b, "series");
    buf_add_byte(b, '{');
    put_time(b, "from", m->series_from_us);
    put_key(b, "step_s");
    put_real(b, (double)m->series_step_us / 1e6);
    put_static(b, "unit", m->series_unit ? m->series_unit : "");
    put_key(b, "values");
    for (uint32_t i = 0; i < m->n_series && i < BEHAVIOUR_SERIES; i++) {
        buf_add_byte(b, i ? ',' : '[');
        put_real(b, m->series[i]);
    }
    buf_add_text(b, "]}");
}

static void put_who(struct buf *b, const struct behaviour_alarm *m, const struct space *space)
{
    struct space_entry e;
    if (!ip_is_zero(&m->own)) {
        put_ip(b, "own.ip", &m->own);
        if (space && space_find(space, &m->own, m->last_us, &e))
            put_text(b, "unit", e.unit);
    }
    if (!ip_is_zero(&m->peer))
        put_ip(b, "remote.ip", &m->peer);
    if (m->peer_port) {
        put_key(b, "remote.port");
        buf_printf(b, "%u", m->peer_port);
    }
    if (m->host.n)
        put_text(b, "host.name", m->host);
    if (m->user.n) {
        put_key(b, "users");
        buf_add_byte(b, '[');
        json_put_string(b, m->user);
        buf_add_byte(b, ']');
    }
    if (m->name.n)
        put_text(b, "name", m->name);
}

void behaviour_put(struct buf *b, const struct behaviour_alarm *m, const struct space *space)
{
    buf_add_byte(b, '{');
    put_static(b, "finding.kind", "behaviour");
    put_static(b, "behaviour.kind", behaviour_name(m->kind));
    put_static(b, "severity", behaviour_severity(m->severity));
    put_key(b, "confidence_pct");
    buf_printf(b, "%u", m->confidence_pct);
    put_key(b, "attack.techniques");
    buf_printf(b, *behaviour_technique(m->kind) ? "[\"%s\"]" : "[%s]", behaviour_technique(m->kind));
    put_who(b, m, space);
    put_time(b, "window.start", m->window_us);
    put_key(b, "window.length_s");
    buf_printf(b, "%lld", (long long)(m->window_length_us / US_PER_SECOND));
    put_time(b, "first_seen", m->first_us);
    put_time(b, "last_seen", m->last_us);
    put_key(b, "events");
    buf_printf(b, "%llu", (unsigned long long)m->n_events);
    put_numbers(b, m);
    put_key(b, "remotes");
    buf_add_byte(b, '[');
    for (uint32_t i = 0; i < m->n_peers && i < BEHAVIOUR_PEERS; i++) {
        buf_add_text(b, i ? ",{" : "{");
        put_ip(b, "ip", &m->peers[i]);
        buf_add_byte(b, '}');
    }
    buf_add_byte(b, ']');
    put_series(b, m);
    if (m->query.n)
        put_text(b, "query", m->query);
    buf_add_byte(b, '}');
}

/* --- into the journal ---------------------------------------------------------------------------------------------------- */

static int read_events(void *context, struct text path, const struct json_value *v)
{
    if (text_is(path, "events"))
        (void)text_u64(v->raw, UINT64_MAX, context);
    return 0;
}

struct recall {
    struct behaviour_alerts *a;
    uint32_t n; /* entries still to be found */
};

static int recall_one(void *context, const struct finding_id *id, struct text payload)
{
    struct recall *r = context;
    struct kept *k = slot_of(r->a, id);
    uint64_t n_events = 0;
    if (!k->is_used || !k->needs_recall)
        return 0;
    if (!json_walk(payload, read_events, &n_events, NULL) && n_events >= k->alarm->n_events) {
        k->is_dirty = false; /* it says as much already */
        k->alarm->n_events = n_events;
        r->a->counters.smaller++;
    }
    k->needs_recall = false;
    return --r->n ? 0 : 1;
}

/* recall - entries that are new here and known to the journal are held against what it says. Return: 0 or -errno. */
static int recall(struct behaviour_alerts *a, struct finder *x, struct fault *f)
{
    struct recall r = {.a = a};
    for (uint32_t i = 0; i < a->n_slots; i++) {
        struct kept *k = &a->slots[i];
        if (k->is_used && k->needs_recall && !finder_revision(x, &k->id))
            k->needs_recall = false;
        r.n += k->is_used && k->needs_recall;
    }
    int e = r.n ? finder_recall(x, recall_one, &r, f) : 0;
    return e < 0 ? e : 0;
}

static int write_changed(struct behaviour_alerts *a, struct finder *x, const struct space *space, struct fault *f)
{
    int r = recall(a, x, f);
    for (uint32_t i = 0; !r && i < a->n_slots; i++) {
        struct kept *k = &a->slots[i];
        if (!k->is_used || !k->is_dirty)
            continue;
        buf_clear(&a->payload);
        behaviour_put(&a->payload, k->alarm, space);
        r = a->payload.is_bad ? -ENOMEM : finder_journal(x, &k->id, (struct text){(const char *)a->payload.p, a->payload.n});
        if (r)
            return FAULT(f, r, no_memory, "findings");
        k->is_dirty = k->needs_recall = false;
    }
    return r;
}

int behaviour_alerts_write(struct behaviour_alerts *a, struct finder *x, const struct space *space, int64_t now_us, struct fault *f)
{
    pthread_mutex_lock(&a->lock);
    a->now_us = now_us;
    int r = write_changed(a, x, space, f);
    if (a->n > a->o.max_alerts / 2)
        (void)drop_written(a, a->n > a->o.max_alerts / 4 * 3 ? INT64_MAX : now_us - 2 * US_PER_DAY);
    pthread_mutex_unlock(&a->lock);
    return r;
}

/* --- for a command line ------------------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct behaviour_alarm *x = *(const struct behaviour_alarm *const *)a, *y = *(const struct behaviour_alarm *const *)b;
    if (x->first_us != y->first_us)
        return x->first_us < y->first_us ? -1 : 1;
    int order = (x->kind > y->kind) - (x->kind < y->kind);
    if (!order)
        order = ip_compare(&x->own, &y->own);
    return order ? order : ip_compare(&x->peer, &y->peer);
}

int behaviour_alerts_each(struct behaviour_alerts *a, int (*each)(void *context, const struct behaviour_alarm *alarm), void *context)
{
    pthread_mutex_lock(&a->lock);
    const struct behaviour_alarm **all = calloc(a->n + 1, sizeof(struct behaviour_alarm *));
    uint32_t n = 0;
    int r = all ? 0 : -ENOMEM;
    for (uint32_t i = 0; all && i < a->n_slots; i++)
        if (a->slots[i].is_used)
            all[n++] = a->slots[i].alarm;
    if (all)
        qsort(all, n, sizeof(*all), by_time);
    for (uint32_t i = 0; i < n && !r; i++)
        r = each(context, all[i]);
    free(all);
    pthread_mutex_unlock(&a->lock);
    return r;
}

void behaviour_alerts_count(struct behaviour_alerts *a, struct behaviour_alert_counters *ret)
{
    pthread_mutex_lock(&a->lock);
    *ret = a->counters;
    ret->n_open = a->n;
    pthread_mutex_unlock(&a->lock);
}

uint64_t behaviour_alerts_excepted(struct behaviour_alerts *a, size_t i)
{
    pthread_mutex_lock(&a->lock);
    uint64_t n = a->excepted[i];
    pthread_mutex_unlock(&a->lock);
    return n;
}
