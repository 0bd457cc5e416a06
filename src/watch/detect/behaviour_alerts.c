/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alarm is kept whole, with its texts behind it in one piece of memory; alarms are rare.
 */
#include "watch/detect/behaviour_alerts.h"

#include "base/clock.h"
#include "format/json.h"
#include "watch/detect/alert_table.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N_TEXTS = 4 };

struct kept {
    struct alert_head head;
    struct behaviour_alarm *alarm; /* owned, its texts behind it */
};

struct behaviour_alerts {
    struct behaviour_alerts_options o;
    pthread_mutex_t lock;
    struct alert_table table; /* of struct kept */
    int64_t now_us;
    struct behaviour_alert_counters counters;
    uint64_t *excepted;
};

static const struct alert_table_kind kind;

int behaviour_alerts_new(const struct behaviour_alerts_options *o, struct behaviour_alerts **ret)
{
    struct behaviour_alerts *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->o = *o;
    a->now_us = INT64_MIN;
    pthread_mutex_init(&a->lock, NULL);
    int r = alert_table_init(&a->table, &kind, a, o->max_alerts);
    a->excepted = calloc(o->n_exceptions + 1, sizeof(*a->excepted));
    if (r || !a->excepted) {
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
    alert_table_fini(&a->table);
    free(a->excepted);
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

static void clear(void *entry)
{
    struct kept *k = entry;
    free(k->alarm);
    *k = (struct kept){0};
}

static struct finding_id id_of(const struct behaviour_alarm *m)
{
    uint8_t bytes[4 * (2 + ALERT_TEXT_BYTES) + 2 * 16 + 64];
    const char *name = behaviour_name(m->kind);
    size_t n = alert_id_part(bytes, TEXT("behaviour"));
    n += alert_id_part(bytes + n, (struct text){name, strlen(name)});
    n += alert_id_part(bytes + n, m->host);
    n += alert_id_part(bytes + n, m->user);
    n += alert_id_part(bytes + n, m->name);
    memcpy(bytes + n, m->own.b, 16);
    memcpy(bytes + n + 16, m->peer.b, 16);
    memcpy(bytes + n + 32, &m->peer_port, 2);
    memcpy(bytes + n + 34, &m->window_us, 8);
    return alert_id(bytes, n + 42);
}

/* copy - an alarm with its texts. Return: NULL when memory is out. */
static struct behaviour_alarm *copy(const struct behaviour_alarm *m)
{
    const struct text from[N_TEXTS] = {alert_cut(m->host), alert_cut(m->user), alert_cut(m->name),
                                       m->query.n <= 4096 ? m->query : (struct text){NULL, 0}};
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
    const char *name = behaviour_name(m->kind);
    for (size_t i = 0; i < a->o.n_exceptions; i++) {
        const struct log_exception *c = &a->o.exceptions[i];
        bool is_rule = !strcmp(c->rule, "*") || text_is_nocase((struct text){name, strlen(name)}, c->rule);
        if (!is_rule || a->now_us >= c->until_us || !alert_is_like(c->host, m->host) || !alert_is_like(c->user, m->user) || !is_in(c, m))
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
    struct kept *k = alert_table_find(&a->table, &id);
    if (k && m->n_events < k->alarm->n_events) {
        a->counters.smaller++;
        return;
    }
    struct behaviour_alarm *fresh = copy(m);
    if (fresh && !k) {
        k = alert_table_add(&a->table, &id, m->window_us);
        a->counters.findings += k != NULL;
    }
    if (!fresh || !k) {
        a->counters.lost++;
        free(fresh);
        return;
    }
    free(k->alarm);
    k->alarm = fresh;
    k->head.is_dirty = true;
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

static void put_static(struct buf *b, const char *key, const char *value)
{
    alert_put_text(b, key, (struct text){value, strlen(value)});
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
    alert_put_key(b, "numbers");
    buf_add_byte(b, '{');
    for (uint32_t i = 0; i < m->n_numbers && i < BEHAVIOUR_NUMBERS; i++) {
        if (!isfinite(m->numbers[i].value))
            continue;
        alert_put_key(b, m->numbers[i].name);
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
    alert_put_key(b, "series");
    buf_add_byte(b, '{');
    alert_put_time(b, "from", m->series_from_us);
    alert_put_key(b, "step_s");
    put_real(b, (double)m->series_step_us / 1e6);
    put_static(b, "unit", m->series_unit ? m->series_unit : "");
    alert_put_key(b, "values");
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
        alert_put_ip(b, "own.ip", &m->own);
        if (space && space_find(space, &m->own, m->last_us, &e))
            alert_put_text(b, "unit", e.unit);
    }
    if (!ip_is_zero(&m->peer))
        alert_put_ip(b, "remote.ip", &m->peer);
    if (m->peer_port) {
        alert_put_key(b, "remote.port");
        buf_printf(b, "%u", m->peer_port);
    }
    if (m->host.n)
        alert_put_text(b, "host.name", m->host);
    if (m->user.n) {
        alert_put_key(b, "users");
        buf_add_byte(b, '[');
        json_put_string(b, m->user);
        buf_add_byte(b, ']');
    }
    if (m->name.n)
        alert_put_text(b, "name", m->name);
}

void behaviour_put(struct buf *b, const struct behaviour_alarm *m, const struct space *space)
{
    buf_add_byte(b, '{');
    put_static(b, "finding.kind", "behaviour");
    put_static(b, "behaviour.kind", behaviour_name(m->kind));
    put_static(b, "severity", behaviour_severity(m->severity));
    alert_put_key(b, "confidence_pct");
    buf_printf(b, "%u", m->confidence_pct);
    alert_put_key(b, "attack.techniques");
    buf_printf(b, *behaviour_technique(m->kind) ? "[\"%s\"]" : "[%s]", behaviour_technique(m->kind));
    put_who(b, m, space);
    alert_put_time(b, "window.start", m->window_us);
    alert_put_key(b, "window.length_s");
    buf_printf(b, "%lld", (long long)(m->window_length_us / US_PER_SECOND));
    alert_put_time(b, "first_seen", m->first_us);
    alert_put_time(b, "last_seen", m->last_us);
    alert_put_key(b, "events");
    buf_printf(b, "%llu", (unsigned long long)m->n_events);
    put_numbers(b, m);
    alert_put_key(b, "remotes");
    buf_add_byte(b, '[');
    for (uint32_t i = 0; i < m->n_peers && i < BEHAVIOUR_PEERS; i++) {
        buf_add_text(b, i ? ",{" : "{");
        alert_put_ip(b, "ip", &m->peers[i]);
        buf_add_byte(b, '}');
    }
    buf_add_byte(b, ']');
    put_series(b, m);
    if (m->query.n)
        alert_put_text(b, "query", m->query);
    buf_add_byte(b, '}');
}

/* --- into the journal ---------------------------------------------------------------------------------------------------- */

static int read_events(void *context, struct text path, const struct json_value *v)
{
    if (text_is(path, "events"))
        (void)text_u64(v->raw, UINT64_MAX, context);
    return 0;
}

/* recall_kept - the greater count wins; what the journal says already is not said again. */
static void recall_kept(void *context, void *entry, struct text payload)
{
    struct behaviour_alerts *a = context;
    struct kept *k = entry;
    uint64_t n_events = 0;
    if (json_walk(payload, read_events, &n_events, NULL) || n_events < k->alarm->n_events)
        return;
    k->head.is_dirty = false;
    k->alarm->n_events = n_events;
    a->counters.smaller++;
}

static void put_kept(void *context, const void *entry, const struct space *space, struct buf *b)
{
    const struct kept *k = entry;
    (void)context;
    behaviour_put(b, k->alarm, space);
}

static const struct alert_table_kind kind = {.n_bytes = sizeof(struct kept), .clear = clear, .recall = recall_kept, .put = put_kept};

int behaviour_alerts_write(struct behaviour_alerts *a, struct finder *x, const struct space *space, int64_t now_us, struct fault *f)
{
    pthread_mutex_lock(&a->lock);
    a->now_us = now_us;
    int r = alert_table_write(&a->table, x, space, now_us - 2 * US_PER_DAY, f);
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
    const struct behaviour_alarm **all = calloc(a->table.n + 1, sizeof(struct behaviour_alarm *));
    uint32_t n = 0;
    int r = all ? 0 : -ENOMEM;
    for (uint32_t i = 0; all && i < a->table.n_slots; i++) {
        const struct kept *k = alert_table_at(&a->table, i);
        if (k->head.is_used)
            all[n++] = k->alarm;
    }
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
    ret->n_open = a->table.n;
    pthread_mutex_unlock(&a->lock);
}

uint64_t behaviour_alerts_excepted(struct behaviour_alerts *a, size_t i)
{
    pthread_mutex_lock(&a->lock);
    uint64_t n = a->excepted[i];
    pthread_mutex_unlock(&a->lock);
    return n;
}
