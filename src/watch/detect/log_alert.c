/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches are rare beside events: what follows one may take its time, under one lock for all threads.
 */
#include "watch/detect/log_alert.h"

#include "base/clock.h"
#include "format/json.h"
#include "watch/detect/sigma_entity.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { EVIDENCE_BYTES = 16 << 10, MAX_TECHNIQUES = 16, NAME_BYTES = 64 };

struct alert {
    struct alert_head head;
    uint32_t rule;
    int64_t first_us, last_us;
    uint64_t n;
    double value;
    struct ip own;
    uint8_t n_users, n_remotes, n_evidence;
    struct ip remotes[ALERT_REMOTES];
    char *host, *group, *users[ALERT_USERS]; /* owned; NULL: none */
    struct buf evidence;                      /* elements of a JSON array */
};

struct log_alerts {
    struct log_alerts_options o;
    pthread_mutex_t lock;
    struct sigma_correlator *correlator;
    struct sigma_entities entities;
    struct alert_table table; /* of struct alert */
    uint64_t serial; /* of events that matched: the tag of correlations */
    struct log_alert_counters counters;
    uint64_t *excepted; /* by exception */
    uint64_t *met;      /* bits by rule: its log source has sent something */
};

static const struct alert_table_kind kind;

int log_alerts_new(const struct log_alerts_options *o, struct log_alerts **ret)
{
    struct log_alerts *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->o = *o;
    pthread_mutex_init(&a->lock, NULL);
    int r = alert_table_init(&a->table, &kind, a, o->max_alerts);
    a->excepted = calloc(o->n_exceptions + 1, sizeof(*a->excepted));
    a->met = calloc(SIGMA_RULE_WORDS(sigma_rules_count(o->rules)) + 1, sizeof(*a->met));
    a->correlator = sigma_correlator_new(o->rules, SIGMA_CORRELATE_BYTES);
    sigma_entities_init(&a->entities, o->names);
    if (r || !a->excepted || !a->met || !a->correlator) {
        log_alerts_free(a);
        return -ENOMEM;
    }
    *ret = a;
    return 0;
}

static void clear(void *entry)
{
    struct alert *x = entry;
    free(x->host);
    free(x->group);
    for (uint32_t i = 0; i < ALERT_USERS; i++)
        free(x->users[i]);
    buf_fini(&x->evidence);
    *x = (struct alert){0};
}

void log_alerts_free(struct log_alerts *a)
{
    if (!a)
        return;
    alert_table_fini(&a->table);
    sigma_correlator_free(a->correlator);
    free(a->excepted);
    free(a->met);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static int64_t window_of(const struct log_alerts *a, int64_t us)
{
    int64_t local = us + (int64_t)a->o.zone_s * US_PER_SECOND, in = local % a->o.window_us;
    return us - (in < 0 ? in + a->o.window_us : in);
}

static char *copy(struct text t)
{
    char *p = t.n ? malloc(t.n + 1) : NULL;
    if (p) {
        memcpy(p, t.p, t.n);
        p[t.n] = 0;
    }
    return p;
}

/* one match, ready to be counted */
struct match {
    uint32_t rule;
    int64_t time_us;
    struct text host, user, group;
    struct ip own;
    double value;
    const struct events *e; /* NULL: no evidence */
    uint32_t row;
    const struct log_ends *ends;
};

static struct finding_id id_of(const struct sigma_about *about, const struct match *m, int64_t window_us)
{
    uint8_t bytes[3 * (2 + ALERT_TEXT_BYTES) + 16 + 8];
    size_t n = alert_id_part(bytes, TEXT("sigma"));
    n += alert_id_part(bytes + n, about->id.n ? about->id : about->title);
    n += alert_id_part(bytes + n, about->kind == SIGMA_CORRELATION ? m->group : m->host);
    if (about->kind != SIGMA_CORRELATION) {
        memcpy(bytes + n, m->own.b, sizeof(m->own.b));
        n += sizeof(m->own.b);
    }
    memcpy(bytes + n, &window_us, sizeof(window_us));
    return alert_id(bytes, n + sizeof(window_us));
}

/* entry - of @m, made when missing; NULL: no room. */
static struct alert *entry(struct log_alerts *a, const struct match *m)
{
    int64_t window_us = window_of(a, m->time_us);
    struct finding_id id = id_of(sigma_rules_about(a->o.rules, m->rule), m, window_us);
    struct alert *x = alert_table_find(&a->table, &id);
    if (!x && (x = alert_table_add(&a->table, &id, window_us))) {
        x->rule = m->rule;
        x->first_us = INT64_MAX;
        x->last_us = INT64_MIN;
        x->own = m->own;
        x->host = copy(m->host);
        x->group = copy(m->group);
        x->evidence.max = EVIDENCE_BYTES;
        a->counters.findings++;
    }
    return x;
}

/* --- evidence -------------------------------------------------------------------------------------------------------- */

static void put_field(struct buf *b, const char *key, const struct events *e, uint32_t row, const uint16_t *fields, size_t n_fields)
{
    char text[EVENT_VALUE_TEXT_MAX];
    for (size_t i = 0; i < n_fields; i++) {
        const struct event_value *v = event_get(e, row, fields[i]);
        if (v && v->type != EVENT_NULL) {
            alert_put_text(b, key, alert_cut(event_value_text(e, v, text)));
            return;
        }
    }
}

static void put_evidence(struct alert *x, const struct events *e, uint32_t row)
{
    static const uint16_t sources[] = {EV_LOG_SOURCE_ADDRESS, EV_LOG_FILE_PATH};
    static const uint16_t records[] = {EV_WINLOG_RECORD_ID, EV_LOG_OFFSET, EV_EVENT_ID, EV_EVENT_SEQUENCE};
    struct buf *b = &x->evidence;
    size_t before = b->n;
    struct text original = event_original(e, row);
    if (original.n > ALERT_ORIGINAL_BYTES)
        original.n = ALERT_ORIGINAL_BYTES;
    buf_add_text(b, x->n_evidence ? ",{" : "{");
    alert_put_time(b, "time", e->time_us[row]);
    alert_put_time(b, "arrived", e->arrived_us[row]);
    put_field(b, "source", e, row, sources, sizeof(sources) / sizeof(*sources));
    put_field(b, "record", e, row, records, sizeof(records) / sizeof(*records));
    alert_put_text(b, "original", original);
    buf_add_byte(b, '}');
    if (b->is_bad) { /* it was too much: without */
        b->is_bad = false;
        b->n = before;
        x->n_evidence = ALERT_EVIDENCE;
        return;
    }
    x->n_evidence++;
}

static void add_user(struct alert *x, struct text user)
{
    for (uint8_t i = 0; i < x->n_users; i++)
        if (text_is(user, x->users[i]))
            return;
    if (user.n && x->n_users < ALERT_USERS && (x->users[x->n_users] = copy(user)))
        x->n_users++;
}

static void add_remotes(struct alert *x, const struct log_ends *ends)
{
    for (uint32_t i = 0; i < ends->n && x->n_remotes < ALERT_REMOTES; i++) {
        const struct log_end *end = &ends->all[i];
        bool is_known = end->is_own || end->side == LOG_HOST_SIDE || ip_equal(&end->ip, &x->own);
        for (uint8_t k = 0; !is_known && k < x->n_remotes; k++)
            is_known = ip_equal(&x->remotes[k], &end->ip);
        if (!is_known)
            x->remotes[x->n_remotes++] = end->ip;
    }
}

static void count(struct log_alerts *a, const struct match *m)
{
    struct alert *x = entry(a, m);
    a->counters.matches++;
    if (!x) {
        a->counters.lost++;
        return;
    }
    x->n++;
    x->head.is_dirty = true;
    x->value = m->value;
    x->first_us = m->time_us < x->first_us ? m->time_us : x->first_us;
    x->last_us = m->time_us > x->last_us ? m->time_us : x->last_us;
    add_user(x, m->user);
    if (m->ends)
        add_remotes(x, m->ends);
    if (m->e && x->n_evidence < ALERT_EVIDENCE)
        put_evidence(x, m->e, m->row);
}

/* --- matching ----------------------------------------------------------------------------------------------------------- */

struct matching {
    struct log_alerts *a;
    struct sigma_matcher *m;
    const struct space *space;
    int64_t now_us;
    const struct events *e; /* of the match that is added to the correlations */
    uint32_t row;
    uint64_t tag;
    struct finder *past; /* not NULL: events that were judged before */
    int64_t since_us, unwritten_from_us;
    struct log_ends ends;
    struct ip own;
};

static bool is_in(const struct log_exception *x, const struct log_ends *ends)
{
    for (size_t i = 0; i < x->n_addresses; i++)
        for (uint32_t k = 0; k < ends->n; k++)
            if (ip_range_has(&x->addresses[i], &ends->all[k].ip))
                return true;
    return !x->n_addresses;
}

/* is_excepted - under the lock. */
static bool is_excepted(const struct matching *x, const struct sigma_about *about, const struct match *m)
{
    for (size_t i = 0; i < x->a->o.n_exceptions; i++) {
        const struct log_exception *c = &x->a->o.exceptions[i];
        bool is_rule = !strcmp(c->rule, "*") || text_is_nocase(about->id, c->rule) || text_is_nocase(about->title, c->rule);
        if (!is_rule || x->now_us >= c->until_us || !alert_is_like(c->host, m->host) || !alert_is_like(c->user, m->user) ||
            !is_in(c, &x->ends))
            continue;
        x->a->excepted[i]++;
        x->a->counters.excepted++;
        return true;
    }
    return false;
}

/* is_known - of the past: what has a finding, or had all the time to get one, gets none now. */
static bool is_known(const struct matching *x, const struct match *m)
{
    if (!x->past)
        return false;
    struct finding_id id = id_of(sigma_rules_about(x->a->o.rules, m->rule), m, window_of(x->a, m->time_us));
    return x->e->arrived_us[x->row] < x->unwritten_from_us || finder_revision(x->past, &id);
}

static int on_correlated(void *context, const struct sigma_correlated *c)
{
    struct matching *x = context;
    const struct sigma_about *about = sigma_rules_about(x->a->o.rules, c->rule);
    bool is_now = c->tag == x->tag; /* else a window ended: the event itself has gone by */
    struct match m = {.rule = c->rule, .time_us = c->time_us, .host = alert_cut(c->host), .user = alert_cut(c->user),
                      .group = alert_cut(c->group),
                      .value = c->value, .e = is_now ? x->e : NULL, .row = x->row, .ends = is_now ? &x->ends : NULL};
    if (is_now)
        m.own = x->own;
    if (!about->is_reported || is_known(x, &m) || is_excepted(x, about, &m))
        return 0;
    x->a->counters.correlated++;
    count(x->a, &m);
    return 0;
}

static int on_match(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    struct matching *x = context;
    struct log_alerts *a = x->a;
    const struct sigma_about *about = sigma_rules_about(a->o.rules, rule);
    if (x->past && e->time_us[row] < x->since_us)
        return 0;
    char host[EVENT_VALUE_TEXT_MAX], user[EVENT_VALUE_TEXT_MAX];
    log_ends_of(e, row, x->space, &x->ends);
    const struct log_end *own = log_ends_own(&x->ends);
    x->own = own ? own->ip : (struct ip){{0}};
    x->e = e;
    x->row = row;
    struct match m = {.rule = rule, .time_us = e->time_us[row], .e = e, .row = row, .ends = &x->ends, .own = x->own};
    m.host = alert_cut(sigma_entity_host(&a->entities, e, row, host));
    m.user = alert_cut(sigma_entity_user(&a->entities, e, row, user));
    pthread_mutex_lock(&a->lock);
    x->tag = ++a->serial;
    int r = 0;
    if (!is_excepted(x, about, &m)) {
        if (about->is_reported && !is_known(x, &m))
            count(a, &m);
        r = sigma_correlator_add(a->correlator, x->m, e, row, rule, x->tag, on_correlated, x);
    }
    pthread_mutex_unlock(&a->lock);
    return r;
}

static int match_batch(struct matching *x, const struct events *e)
{
    int r = sigma_match(x->m, e, on_match, x);
    if (sigma_matcher_has_met(x->m)) {
        pthread_mutex_lock(&x->a->lock);
        sigma_matcher_met(x->m, x->a->met);
        pthread_mutex_unlock(&x->a->lock);
    }
    return r;
}

int log_alerts_match(struct log_alerts *a, struct sigma_matcher *m, const struct events *e, const struct space *space, int64_t now_us)
{
    struct matching x = {.a = a, .m = m, .space = space, .now_us = now_us};
    return match_batch(&x, e);
}

int log_alerts_past(struct log_alerts *a, struct sigma_matcher *m, const struct events *e, int64_t since_us, int64_t now_us,
                    struct finder *x, int64_t unwritten_from_us)
{
    struct matching past = {.a = a, .m = m, .now_us = now_us, .past = x, .since_us = since_us, .unwritten_from_us = unwritten_from_us};
    return match_batch(&past, e);
}

bool log_alerts_met(struct log_alerts *a, uint32_t rule)
{
    pthread_mutex_lock(&a->lock);
    bool has = a->met[rule / 64] >> rule % 64 & 1;
    pthread_mutex_unlock(&a->lock);
    return has;
}

/* --- into the journal ------------------------------------------------------------------------------------------------------ */

static void put_tags(struct buf *b, const struct sigma_about *about)
{
    alert_put_key(b, "rule.tags");
    buf_add_byte(b, '[');
    for (uint32_t i = 0; i < about->n_tags && i < 2 * MAX_TECHNIQUES; i++) {
        if (i)
            buf_add_byte(b, ',');
        json_put_string(b, alert_cut(about->tags[i]));
    }
    buf_add_byte(b, ']');
}

static bool is_technique(struct text t)
{
    return t.n >= 5 && (t.p[0] == 't' || t.p[0] == 'T') && t.p[1] >= '0' && t.p[1] <= '9';
}

/* put_attack - "attack.t1110.001" is technique T1110.001, "attack.credential-access" a tactic. */
static void put_attack(struct buf *b, const struct sigma_about *about, bool techniques)
{
    static const char prefix[] = "attack.";
    unsigned n = 0;
    alert_put_key(b, techniques ? "attack.techniques" : "attack.tactics");
    buf_add_byte(b, '[');
    for (uint32_t i = 0; i < about->n_tags && n < MAX_TECHNIQUES; i++) {
        struct text t = about->tags[i];
        char name[NAME_BYTES];
        if (t.n <= sizeof(prefix) - 1 || t.n - (sizeof(prefix) - 1) > sizeof(name) ||
            !text_is_nocase((struct text){t.p, sizeof(prefix) - 1}, prefix))
            continue;
        t.p += sizeof(prefix) - 1;
        t.n -= sizeof(prefix) - 1;
        bool is_group = t.n > 1 && (t.p[0] == 'g' || t.p[0] == 's') && t.p[1] >= '0' && t.p[1] <= '9'; /* actors, software */
        if (is_technique(t) != techniques || is_group)
            continue;
        for (size_t k = 0; k < t.n; k++)
            name[k] = techniques && t.p[k] == 't' ? 'T' : t.p[k] == '_' ? '-' : t.p[k];
        if (n++)
            buf_add_byte(b, ',');
        json_put_string(b, (struct text){name, t.n});
    }
    buf_add_byte(b, ']');
}

static void put_entity(struct buf *b, const struct alert *x, const struct space *space)
{
    char ip[IP_TEXT_MAX];
    struct space_entry e;
    if (!ip_is_zero(&x->own))
        alert_put_text(b, "own.ip", (struct text){ip, ip_format(&x->own, ip)});
    if (!ip_is_zero(&x->own) && space && space_find(space, &x->own, x->last_us, &e))
        alert_put_text(b, "unit", e.unit);
    if (x->host)
        alert_put_text(b, "host.name", (struct text){x->host, strlen(x->host)});
    alert_put_key(b, "users");
    for (uint8_t i = 0; i < x->n_users; i++) {
        buf_add_byte(b, i ? ',' : '[');
        json_put_string(b, (struct text){x->users[i], strlen(x->users[i])});
    }
    buf_add_text(b, x->n_users ? "]" : "[]");
    alert_put_key(b, "remotes");
    for (uint8_t i = 0; i < x->n_remotes; i++) {
        ip_format(&x->remotes[i], ip);
        buf_printf(b, "%s{\"ip\":\"%s\"}", i ? "," : "[", ip);
    }
    buf_add_text(b, x->n_remotes ? "]" : "[]");
    if (x->group)
        alert_put_text(b, "group", (struct text){x->group, strlen(x->group)});
}

static void put_alert(void *context, const void *entry, const struct space *space, struct buf *b)
{
    const struct log_alerts *a = context;
    const struct alert *x = entry;
    const struct sigma_about *about = sigma_rules_about(a->o.rules, x->rule);
    const char *level = sigma_level_name(about->level);
    buf_add_byte(b, '{');
    alert_put_text(b, "finding.kind", TEXT("sigma"));
    alert_put_text(b, "rule.id", about->id);
    alert_put_text(b, "rule.title", alert_cut(about->title));
    alert_put_text(b, "severity", (struct text){level, strlen(level)});
    put_tags(b, about);
    put_attack(b, about, true);
    put_attack(b, about, false);
    put_entity(b, x, space);
    if (about->kind == SIGMA_CORRELATION) {
        alert_put_key(b, "value");
        buf_printf(b, "%.15g", x->value);
    }
    alert_put_time(b, "window.start", x->head.window_us);
    alert_put_key(b, "window.length_s");
    buf_printf(b, "%lld", (long long)(a->o.window_us / US_PER_SECOND));
    alert_put_time(b, "first_seen", x->first_us);
    alert_put_time(b, "last_seen", x->last_us);
    alert_put_key(b, "events");
    buf_printf(b, "%llu", (unsigned long long)x->n);
    alert_put_key(b, "evidence");
    buf_add_byte(b, '[');
    buf_add(b, x->evidence.p, x->evidence.n);
    buf_add_text(b, "]}");
}

/* what the last record of a finding said */
struct before {
    uint64_t n;
    int64_t first_us, last_us;
    struct text users, remotes, evidence;
};

static int read_before(void *context, struct text path, const struct json_value *v)
{
    struct before *b = context;
    if (text_is(path, "events"))
        (void)text_u64(v->raw, UINT64_MAX, &b->n);
    else if (text_is(path, "first_seen"))
        (void)clock_parse(v->raw.p, v->raw.n, 0, &b->first_us);
    else if (text_is(path, "last_seen"))
        (void)clock_parse(v->raw.p, v->raw.n, 0, &b->last_us);
    else if (v->kind == JSON_KIND_ARRAY && text_is(path, "users"))
        b->users = v->raw;
    else if (v->kind == JSON_KIND_ARRAY && text_is(path, "remotes"))
        b->remotes = v->raw;
    else if (v->kind == JSON_KIND_ARRAY && text_is(path, "evidence"))
        b->evidence = v->raw;
    return 0;
}

static int read_remote(void *context, struct text path, const struct json_value *v)
{
    struct log_ends *ends = context;
    if (text_is(path, "ip") && ends->n < LOG_LIVE_ENDS && !ip_parse(v->raw.p, v->raw.n, &ends->all[ends->n].ip)) {
        ends->all[ends->n].side = LOG_OTHER_SIDE;
        ends->n++;
    }
    return 0;
}

/* take_back - it goes on from what the journal says. */
static void take_back(struct alert *x, const struct before *b)
{
    struct json_value v;
    struct text rest = b->users;
    struct log_ends ends = {.n = 0};
    x->n += b->n;
    x->first_us = b->first_us < x->first_us ? b->first_us : x->first_us;
    x->last_us = b->last_us > x->last_us ? b->last_us : x->last_us;
    while (rest.n && json_element(&rest, &v)) {
        char user[ALERT_TEXT_BYTES * 6];
        if (v.kind == JSON_KIND_STRING && v.raw.n <= sizeof(user))
            add_user(x, alert_cut((struct text){user, json_unescape(v.raw, user)}));
    }
    rest = b->remotes;
    while (rest.n && json_element(&rest, &v))
        (void)json_walk(v.raw, read_remote, &ends, NULL);
    add_remotes(x, &ends);
    if (b->evidence.n > 2) { /* the first ones stay */
        buf_clear(&x->evidence);
        buf_add(&x->evidence, b->evidence.p + 1, b->evidence.n - 2);
        x->n_evidence = 0;
        for (rest = b->evidence; json_element(&rest, &v);)
            x->n_evidence++;
    }
}

static void recall_alert(void *context, void *entry, struct text payload)
{
    struct before b = {.first_us = INT64_MAX, .last_us = INT64_MIN};
    (void)context;
    if (!json_walk(payload, read_before, &b, NULL))
        take_back(entry, &b);
}

static const struct alert_table_kind kind = {.n_bytes = sizeof(struct alert), .clear = clear, .recall = recall_alert, .put = put_alert};

int log_alerts_write(struct log_alerts *a, struct finder *x, const struct space *space, int64_t now_us, struct fault *f)
{
    pthread_mutex_lock(&a->lock);
    int r = alert_table_write(&a->table, x, space, now_us - 2 * a->o.window_us, f);
    pthread_mutex_unlock(&a->lock);
    return r;
}

void log_alerts_count(struct log_alerts *a, struct log_alert_counters *ret)
{
    pthread_mutex_lock(&a->lock);
    *ret = a->counters;
    ret->n_open = a->table.n;
    pthread_mutex_unlock(&a->lock);
}

uint64_t log_alerts_excepted(struct log_alerts *a, size_t i)
{
    pthread_mutex_lock(&a->lock);
    uint64_t n = a->excepted[i];
    pthread_mutex_unlock(&a->lock);
    return n;
}

void log_alerts_correlated(struct log_alerts *a, struct sigma_correlate_counters *ret)
{
    pthread_mutex_lock(&a->lock);
    *ret = *sigma_correlator_counters(a->correlator);
    pthread_mutex_unlock(&a->lock);
}
