/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches are rare beside events: what follows one may take its time, under one lock for all threads.
 */
#include "watch/detect/log_alert.h"

#include "base/clock.h"
#include "format/json.h"
#include "watch/detect/sigma_entity.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { EVIDENCE_BYTES = 16 << 10, MAX_TECHNIQUES = 16, NAME_BYTES = 64 };

struct alert {
    struct finding_id id;
    bool is_used, is_dirty, needs_recall;
    uint32_t rule;
    int64_t window_us, first_us, last_us;
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
    struct alert *slots; /* open addressing, power of two, at most half full */
    uint32_t n, n_slots;
    uint64_t serial; /* of events that matched: the tag of correlations */
    struct log_alert_counters counters;
    uint64_t *excepted; /* by exception */
    uint64_t *met;      /* bits by rule: its log source has sent something */
    struct buf payload;
};

int log_alerts_new(const struct log_alerts_options *o, struct log_alerts **ret)
{
    struct log_alerts *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->o = *o;
    pthread_mutex_init(&a->lock, NULL);
    a->payload.max = FINDING_MAX_PAYLOAD;
    a->n_slots = 64;
    while (a->n_slots < o->max_alerts * 2 && a->n_slots < 1u << 24)
        a->n_slots *= 2;
    a->slots = calloc(a->n_slots, sizeof(*a->slots));
    a->excepted = calloc(o->n_exceptions + 1, sizeof(*a->excepted));
    a->met = calloc(SIGMA_RULE_WORDS(sigma_rules_count(o->rules)) + 1, sizeof(*a->met));
    a->correlator = sigma_correlator_new(o->rules, SIGMA_CORRELATE_BYTES);
    sigma_entities_init(&a->entities, o->names);
    if (!a->slots || !a->excepted || !a->met || !a->correlator) {
        log_alerts_free(a);
        return -ENOMEM;
    }
    *ret = a;
    return 0;
}

static void clear(struct alert *x)
{
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
    for (uint32_t i = 0; a->slots && i < a->n_slots; i++)
        clear(&a->slots[i]);
    sigma_correlator_free(a->correlator);
    free(a->slots);
    free(a->excepted);
    free(a->met);
    buf_fini(&a->payload);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static struct alert *slot_of(struct log_alerts *a, const struct finding_id *id)
{
    uint64_t h;
    memcpy(&h, id->b, sizeof(h));
    uint32_t i = (uint32_t)h & (a->n_slots - 1);
    while (a->slots[i].is_used && memcmp(a->slots[i].id.b, id->b, sizeof(id->b)) != 0)
        i = (i + 1) & (a->n_slots - 1);
    return &a->slots[i];
}

/* drop_written - clean entries of windows before @before_us leave; the others find their places anew. Return: 0 or -ENOMEM. */
static int drop_written(struct log_alerts *a, int64_t before_us)
{
    struct alert *old = a->slots, *fresh = calloc(a->n_slots, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    a->slots = fresh;
    a->n = 0;
    for (uint32_t i = 0; i < a->n_slots; i++) {
        if (!old[i].is_used)
            continue;
        if (!old[i].is_dirty && old[i].window_us < before_us) {
            clear(&old[i]);
            continue;
        }
        *slot_of(a, &old[i].id) = old[i];
        a->n++;
    }
    free(old);
    return 0;
}

static int64_t window_of(const struct log_alerts *a, int64_t us)
{
    int64_t local = us + (int64_t)a->o.zone_s * US_PER_SECOND, in = local % a->o.window_us;
    return us - (in < 0 ? in + a->o.window_us : in);
}

static struct text cut(struct text t)
{
    while (t.n > ALERT_TEXT_BYTES) {
        t.n = ALERT_TEXT_BYTES;
        while (t.n && ((uint8_t)t.p[t.n] & 0xc0) == 0x80)
            t.n--;
    }
    return t;
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

/* add_part - a text behind its length, so that two parts never read as others */
static size_t add_part(uint8_t *to, struct text t)
{
    t = cut(t);
    uint16_t n = (uint16_t)t.n;
    memcpy(to, &n, sizeof(n));
    memcpy(to + sizeof(n), n ? t.p : "", n);
    return sizeof(n) + n;
}

static struct finding_id id_of(const struct sigma_about *about, const struct match *m, int64_t window_us)
{
    struct finding_id id;
    uint8_t bytes[3 * (2 + ALERT_TEXT_BYTES) + 16 + 8];
    size_t n = add_part(bytes, TEXT("sigma"));
    n += add_part(bytes + n, about->id.n ? about->id : about->title);
    n += add_part(bytes + n, about->kind == SIGMA_CORRELATION ? m->group : m->host);
    if (about->kind != SIGMA_CORRELATION) {
        memcpy(bytes + n, m->own.b, sizeof(m->own.b));
        n += sizeof(m->own.b);
    }
    memcpy(bytes + n, &window_us, sizeof(window_us));
    XXH128_hash_t h = XXH3_128bits(bytes, n + sizeof(window_us));
    memcpy(id.b, &h.high64, 8);
    memcpy(id.b + 8, &h.low64, 8);
    return id;
}

/* entry - of @m, made when missing; NULL: no room. */
static struct alert *entry(struct log_alerts *a, const struct match *m)
{
    int64_t window_us = window_of(a, m->time_us);
    struct finding_id id = id_of(sigma_rules_about(a->o.rules, m->rule), m, window_us);
    struct alert *x = slot_of(a, &id);
    if (x->is_used)
        return x;
    if (a->n >= a->o.max_alerts) {
        if (drop_written(a, INT64_MAX) || a->n >= a->o.max_alerts)
            return NULL;
        x = slot_of(a, &id);
    }
    *x = (struct alert){.id = id, .is_used = true, .needs_recall = true, .rule = m->rule, .window_us = window_us, .first_us = INT64_MAX,
                        .last_us = INT64_MIN, .own = m->own, .host = copy(m->host), .group = copy(m->group),
                        .evidence = {.max = EVIDENCE_BYTES}};
    a->n++;
    a->counters.findings++;
    return x;
}

/* --- evidence -------------------------------------------------------------------------------------------------------- */

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

static void put_time(struct buf *b, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    size_t n = clock_format_utc(us, text);
    put_text(b, key, (struct text){text, n});
}

static void put_field(struct buf *b, const char *key, const struct events *e, uint32_t row, const uint16_t *fields, size_t n_fields)
{
    char text[EVENT_VALUE_TEXT_MAX];
    for (size_t i = 0; i < n_fields; i++) {
        const struct event_value *v = event_get(e, row, fields[i]);
        if (v && v->type != EVENT_NULL) {
            put_text(b, key, cut(event_value_text(e, v, text)));
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
    put_time(b, "time", e->time_us[row]);
    put_time(b, "arrived", e->arrived_us[row]);
    put_field(b, "source", e, row, sources, sizeof(sources) / sizeof(*sources));
    put_field(b, "record", e, row, records, sizeof(records) / sizeof(*records));
    put_text(b, "original", original);
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
    x->is_dirty = true;
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

static bool is_like(const char *pattern, struct text t)
{
    char text[ALERT_TEXT_BYTES + 1];
    if (!pattern)
        return true;
    memcpy(text, t.n ? t.p : "", t.n);
    text[t.n] = 0;
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

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
        if (!is_rule || x->now_us >= c->until_us || !is_like(c->host, m->host) || !is_like(c->user, m->user) || !is_in(c, &x->ends))
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
    struct match m = {.rule = c->rule, .time_us = c->time_us, .host = cut(c->host), .user = cut(c->user), .group = cut(c->group),
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
    m.host = cut(sigma_entity_host(&a->entities, e, row, host));
    m.user = cut(sigma_entity_user(&a->entities, e, row, user));
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
    put_key(b, "rule.tags");
    buf_add_byte(b, '[');
    for (uint32_t i = 0; i < about->n_tags && i < 2 * MAX_TECHNIQUES; i++) {
        if (i)
            buf_add_byte(b, ',');
        json_put_string(b, cut(about->tags[i]));
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
    put_key(b, techniques ? "attack.techniques" : "attack.tactics");
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
        put_text(b, "own.ip", (struct text){ip, ip_format(&x->own, ip)});
    if (!ip_is_zero(&x->own) && space && space_find(space, &x->own, x->last_us, &e))
        put_text(b, "unit", e.unit);
    if (x->host)
        put_text(b, "host.name", (struct text){x->host, strlen(x->host)});
    put_key(b, "users");
    for (uint8_t i = 0; i < x->n_users; i++) {
        buf_add_byte(b, i ? ',' : '[');
        json_put_string(b, (struct text){x->users[i], strlen(x->users[i])});
    }
    buf_add_text(b, x->n_users ? "]" : "[]");
    put_key(b, "remotes");
    for (uint8_t i = 0; i < x->n_remotes; i++) {
        ip_format(&x->remotes[i], ip);
        buf_printf(b, "%s{\"ip\":\"%s\"}", i ? "," : "[", ip);
    }
    buf_add_text(b, x->n_remotes ? "]" : "[]");
    if (x->group)
        put_text(b, "group", (struct text){x->group, strlen(x->group)});
}

static void put_payload(struct log_alerts *a, const struct alert *x, const struct space *space)
{
    const struct sigma_about *about = sigma_rules_about(a->o.rules, x->rule);
    const char *level = sigma_level_name(about->level);
    struct buf *b = &a->payload;
    buf_clear(b);
    buf_add_byte(b, '{');
    put_text(b, "finding.kind", TEXT("sigma"));
    put_text(b, "rule.id", about->id);
    put_text(b, "rule.title", cut(about->title));
    put_text(b, "severity", (struct text){level, strlen(level)});
    put_tags(b, about);
    put_attack(b, about, true);
    put_attack(b, about, false);
    put_entity(b, x, space);
    if (about->kind == SIGMA_CORRELATION) {
        put_key(b, "value");
        buf_printf(b, "%.15g", x->value);
    }
    put_time(b, "window.start", x->window_us);
    put_key(b, "window.length_s");
    buf_printf(b, "%lld", (long long)(a->o.window_us / US_PER_SECOND));
    put_time(b, "first_seen", x->first_us);
    put_time(b, "last_seen", x->last_us);
    put_key(b, "events");
    buf_printf(b, "%llu", (unsigned long long)x->n);
    put_key(b, "evidence");
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
            add_user(x, cut((struct text){user, json_unescape(v.raw, user)}));
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

struct recall {
    struct log_alerts *a;
    uint32_t n; /* entries still to be found */
};

static int recall_one(void *context, const struct finding_id *id, struct text payload)
{
    struct recall *r = context;
    struct alert *x = slot_of(r->a, id);
    struct before b = {.first_us = INT64_MAX, .last_us = INT64_MIN};
    if (!x->is_used || !x->needs_recall)
        return 0;
    if (!json_walk(payload, read_before, &b, NULL))
        take_back(x, &b);
    x->needs_recall = false;
    return --r->n ? 0 : 1;
}

/* recall - entries that are new here and known to the journal go on from what it says. Return: 0 or -errno. */
static int recall(struct log_alerts *a, struct finder *x, struct fault *f)
{
    struct recall r = {.a = a};
    for (uint32_t i = 0; i < a->n_slots; i++) {
        struct alert *s = &a->slots[i];
        if (s->is_used && s->needs_recall && !finder_revision(x, &s->id))
            s->needs_recall = false;
        r.n += s->is_used && s->needs_recall;
    }
    int e = r.n ? finder_recall(x, recall_one, &r, f) : 0;
    return e < 0 ? e : 0;
}

static int write_changed(struct log_alerts *a, struct finder *x, const struct space *space, struct fault *f)
{
    int r = recall(a, x, f);
    for (uint32_t i = 0; !r && i < a->n_slots; i++) {
        struct alert *s = &a->slots[i];
        if (!s->is_used || !s->is_dirty)
            continue;
        put_payload(a, s, space);
        r = a->payload.is_bad ? -ENOMEM : finder_journal(x, &s->id, (struct text){(const char *)a->payload.p, a->payload.n});
        if (r)
            return FAULT(f, r, no_memory, "findings");
        s->is_dirty = s->needs_recall = false;
    }
    return r;
}

int log_alerts_write(struct log_alerts *a, struct finder *x, const struct space *space, int64_t now_us, struct fault *f)
{
    pthread_mutex_lock(&a->lock);
    int r = write_changed(a, x, space, f);
    if (a->n > a->o.max_alerts / 2)
        (void)drop_written(a, a->n > a->o.max_alerts / 4 * 3 ? INT64_MAX : now_us - 2 * a->o.window_us);
    pthread_mutex_unlock(&a->lock);
    return r;
}

void log_alerts_count(struct log_alerts *a, struct log_alert_counters *ret)
{
    pthread_mutex_lock(&a->lock);
    *ret = a->counters;
    ret->n_open = a->n;
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
