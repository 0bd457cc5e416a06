/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries are counted three ways: source at machine (brute force), source over all machines (spraying), account over all
 * sources (distributed). Connections without a log are counted by server and port.
 */
#include "watch/detect/behaviour_logins_own.h"

#include "base/clock.h"

#include <string.h>

#define DOUBLE_US (3 * US_PER_SECOND)

enum { SEVERITY_SUCCESS = 4, SEVERITY_INSIDE = 3, SEVERITY_OUTSIDE = 2, SEVERITY_FORGOTTEN = 1, SEEN_BITS = 4 };
enum { TCP = 6, LEAST_PACKETS = 5, LEAST_BYTES = 400, MOST_BYTES = 20000, MOST_DURATION_S = 120 };

struct story {
    int64_t first_us, last_us, window_us;
    uint64_t failures, successes;
    double told;
    bool is_begun, has_told_success;
    struct distinct users, others; /* others: machines of a source, sources of an account */
    struct series series;
};

struct pair {
    struct table_entry head;
    struct login who;
    struct wheel burst, brief, slow;
    struct story all;
    uint64_t last_user, last_wording; /* of the failure counted last */
    int64_t last_failure_us;
    uint64_t succeeded_before; /* user whose log-in succeeded before any failure was told: a forgotten password */
};

struct source {
    struct table_entry head;
    struct login who;
    struct wheel wheel;
    struct story all;
};

struct account {
    struct table_entry head;
    struct login who;
    struct wheel wheel;
    struct story all;
    struct tell_peers peers;
};

struct server {
    struct table_entry head;
    struct ip from, to;
    uint16_t port, marks;
    struct wheel wheel;
    struct story all;
    uint64_t n;
    double mean, m2; /* of the bytes that were sent (Welford 1962) */
};

const size_t logins_pair_bytes = sizeof(struct pair), logins_source_bytes = sizeof(struct source),
             logins_account_bytes = sizeof(struct account), logins_server_bytes = sizeof(struct server);

/* --- counting ------------------------------------------------------------------------------------------------------------ */

void wheel_add(struct wheel *w, int64_t us, int64_t window_us, uint32_t n)
{
    int64_t length = window_us / WHEEL_STEPS > 0 ? window_us / WHEEL_STEPS : 1, step = us / length - (us % length < 0);
    if (!wheel_sum(w) && step != w->step) {
        memset(w->n, 0, sizeof(w->n));
        w->step = step;
    }
    if (step <= w->step - (int64_t)WHEEL_SLOTS)
        return; /* out of the window already */
    for (int64_t turned = 0; w->step < step && turned < (int64_t)WHEEL_SLOTS; turned++)
        w->n[(uint64_t)++w->step % WHEEL_SLOTS] = 0;
    if (w->step < step) { /* all of it is over */
        memset(w->n, 0, sizeof(w->n));
        w->step = step;
    }
    uint32_t *slot = &w->n[(uint64_t)step % WHEEL_SLOTS];
    if (__builtin_add_overflow(*slot, n, slot))
        *slot = UINT32_MAX;
}

uint64_t wheel_sum(const struct wheel *w)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        sum += w->n[i];
    return sum;
}

static int64_t us_of(const struct logins *x, enum behaviour_setting s)
{
    return (int64_t)logins_limit(x, s) * US_PER_SECOND;
}

/* renew - a story ends when nothing happened for @quiet_us, and with its window of findings: what goes on is told anew. */
static void renew(const struct logins *x, struct story *a, int64_t us, int64_t quiet_us)
{
    int64_t window_us = behaviour_window(x->base, us);
    if (!a->is_begun || us - a->last_us > quiet_us || window_us > a->window_us)
        *a = (struct story){.is_begun = true, .first_us = us, .last_us = us, .window_us = window_us};
    a->first_us = us < a->first_us ? us : a->first_us;
    a->last_us = us > a->last_us ? us : a->last_us;
}

static bool is_own_failure_again(const struct pair *p, const struct login *l)
{
    int64_t apart_us = l->time_us - p->last_failure_us;
    bool is_same_user = p->last_user == l->user_key || !p->last_user || !l->user_key;
    return p->all.failures && is_same_user && p->last_wording != l->wording && apart_us <= DOUBLE_US && apart_us >= -DOUBLE_US;
}

static double tries_each(const struct story *a)
{
    double users = distinct_count(&a->users);
    return users > 0 ? (double)a->failures / users : (double)a->failures;
}

static bool is_spray(const struct logins *x, const struct story *a)
{
    return tell_is_on(x->base, BEHAVIOUR_SET_PASSWORD_SPRAY_ENABLED) &&
           distinct_count(&a->users) >= logins_limit(x, BEHAVIOUR_SET_PASSWORD_SPRAY_ACCOUNTS) &&
           tries_each(a) <= logins_limit(x, BEHAVIOUR_SET_PASSWORD_SPRAY_TRIES);
}

/* --- telling ------------------------------------------------------------------------------------------------------------- */

static void put_quoted(struct behaviour_alarm *a, char room[TELL_QUERY_BYTES], const char *field, const struct login_text *t)
{
    if (!t->n || memchr(t->p, '"', t->n) || memchr(t->p, '\\', t->n) || memchr(t->p, '*', t->n) || memchr(t->p, '?', t->n))
        return;
    for (size_t i = 0; i < t->n; i++)
        if ((uint8_t)t->p[i] < ' ')
            return;
    int n = snprintf(room + a->query.n, TELL_QUERY_BYTES - a->query.n, "%s%s : \"%s\"", a->query.n ? " and " : "", field, t->p);
    if (n > 0 && a->query.n + (size_t)n < TELL_QUERY_BYTES)
        a->query.n += (size_t)n;
}

static void put_story(struct behaviour_alarm *a, const struct story *s)
{
    behaviour_put_number(a, "failures", (double)s->failures, NAN);
    behaviour_put_number(a, "accounts", distinct_count(&s->users), NAN);
    behaviour_put_number(a, "successes_after", (double)s->successes, NAN);
    double minutes = (double)(s->last_us - s->first_us) / 60e6;
    behaviour_put_number(a, "failures_per_minute", (double)s->failures / (minutes > 1 ? minutes : 1), NAN);
    tell_series(a, &s->series, "failures");
}

static void whom(struct behaviour_alarm *a, const struct login *l, char room[TELL_QUERY_BYTES], bool has_source, bool has_target)
{
    bool has_ip = has_source && !ip_is_zero(&l->source);
    tell_query(a, room, has_ip ? &l->source : NULL, NULL, 0, 0);
    if (has_source)
        a->peer = l->source;
    if (has_source && !has_ip)
        put_quoted(a, room, "source.address", &l->origin);
    a->name = login_text(&l->service);
    if (!has_target)
        return;
    a->own = l->target;
    a->host = login_text(&l->host);
    put_quoted(a, room, "host.name", &l->host);
}

static uint32_t severity(const struct story *s, bool is_outside)
{
    return s->successes ? SEVERITY_SUCCESS : is_outside ? SEVERITY_OUTSIDE : SEVERITY_INSIDE;
}

static bool is_private(const struct ip *ip)
{
    static const struct behaviour_own none;
    return behaviour_is_own(&none, ip, 0);
}

static bool is_outside(const struct login *l)
{
    return !ip_is_zero(&l->source) && !is_private(&l->source);
}

static void mark_told(struct story *s, double strength)
{
    s->told = strength;
    s->has_told_success = s->successes > 0;
}

static int tell_pair(struct logins *x, struct pair *p)
{
    double burst = (double)wheel_sum(&p->burst), brief = (double)wheel_sum(&p->brief), slow = (double)wheel_sum(&p->slow);
    struct behaviour_alarm a;
    char room[TELL_QUERY_BYTES];
    struct story *s = &p->all;
    mark_told(s, (double)s->failures);
    tell_begin(&a, x->base, BEHAVIOUR_BRUTE_FORCE, s->first_us, s->last_us, s->failures + s->successes);
    whom(&a, &p->who, room, true, true);
    bool is_one_user = distinct_count(&s->users) <= 1;
    bool is_forgotten = is_one_user && p->succeeded_before && p->succeeded_before == p->last_user && !is_outside(&p->who);
    if (is_one_user && p->who.user.n)
        a.user = login_text(&p->who.user);
    a.severity = is_forgotten ? SEVERITY_FORGOTTEN : severity(s, is_outside(&p->who));
    double over = brief / logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_FAILURES);
    a.confidence_pct = is_forgotten ? 30 : over >= 3 ? 95 : over >= 1 ? 80 : 60;
    behaviour_put_number(&a, "failures_in_burst", burst, logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_BURST_FAILURES));
    behaviour_put_number(&a, "failures_in_window", brief, logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_FAILURES));
    behaviour_put_number(&a, "failures_in_slow_window", slow, logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_SLOW_FAILURES));
    behaviour_put_number(&a, "window_s", logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_WINDOW_S), NAN);
    put_story(&a, s);
    return tell(x->base, &x->counters, &a);
}

static int tell_source(struct logins *x, struct source *c)
{
    struct behaviour_alarm a;
    char room[TELL_QUERY_BYTES];
    struct story *s = &c->all;
    double users = distinct_count(&s->users), machines = distinct_count(&s->others);
    mark_told(s, users);
    tell_begin(&a, x->base, BEHAVIOUR_PASSWORD_SPRAY, s->first_us, s->last_us, s->failures + s->successes);
    whom(&a, &c->who, room, true, machines <= 1);
    a.severity = severity(s, is_outside(&c->who));
    a.confidence_pct = users >= 2 * logins_limit(x, BEHAVIOUR_SET_PASSWORD_SPRAY_ACCOUNTS) ? 90 : 75;
    behaviour_put_number(&a, "accounts_tried", users, logins_limit(x, BEHAVIOUR_SET_PASSWORD_SPRAY_ACCOUNTS));
    behaviour_put_number(&a, "tries_each", tries_each(s), logins_limit(x, BEHAVIOUR_SET_PASSWORD_SPRAY_TRIES));
    behaviour_put_number(&a, "machines", machines, NAN);
    put_story(&a, s);
    return tell(x->base, &x->counters, &a);
}

static int tell_account(struct logins *x, struct account *c, double failures)
{
    struct behaviour_alarm a;
    char room[TELL_QUERY_BYTES];
    struct story *s = &c->all;
    double sources = distinct_count(&s->others);
    mark_told(s, sources);
    tell_begin(&a, x->base, BEHAVIOUR_BRUTE_FORCE, s->first_us, s->last_us, s->failures + s->successes);
    whom(&a, &c->who, room, false, true);
    a.user = login_text(&c->who.user);
    put_quoted(&a, room, "user.name", &c->who.user);
    a.severity = severity(s, true);
    a.confidence_pct = 70;
    tell_peers(&a, &c->peers);
    behaviour_put_number(&a, "sources", sources, logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_SOURCES));
    behaviour_put_number(&a, "failures_in_slow_window", failures, logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_SLOW_FAILURES));
    put_story(&a, s);
    return tell(x->base, &x->counters, &a);
}

/* --- judging ------------------------------------------------------------------------------------------------------------- */

/* is_worth - over its limit and more than was told, or a success that was not told yet. */
static bool is_worth(const struct story *s, double strength)
{
    return tell_is_more(strength, s->told) || (s->told > 0 && s->successes && !s->has_told_success);
}

static int judge_pair(struct logins *x, struct pair *p, const struct login *l)
{
    bool is_over = (double)wheel_sum(&p->brief) >= logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_FAILURES);
    is_over = is_over || (double)wheel_sum(&p->burst) >= logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_BURST_FAILURES);
    is_over = is_over || (double)wheel_sum(&p->slow) >= logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_SLOW_FAILURES);
    if (l->has_succeeded && p->all.told <= 0 && !is_over)
        p->succeeded_before = l->user_key;
    bool is_told = p->all.told > 0;
    if (!tell_is_on(x->base, BEHAVIOUR_SET_BRUTE_FORCE_ENABLED) || !(is_over || is_told) || (is_spray(x, &p->all) && !is_told))
        return 0;
    return is_worth(&p->all, (double)p->all.failures) ? tell_pair(x, p) : 0;
}

/* at_pair - source at machine. Return: 1 when the line tells of a try that was counted already, else 0 or <0. */
static int at_pair(struct logins *x, const struct login *l, uint64_t *ret_failures)
{
    bool is_new;
    int64_t slow_us = us_of(x, BEHAVIOUR_SET_BRUTE_FORCE_SLOW_WINDOW_S);
    struct pair *p = table_take(&x->pairs, sketch_mix(l->source_key, l->target_key), l->time_us, &is_new);
    if (is_new)
        p->who = *l;
    if (!l->has_succeeded && !is_new && is_own_failure_again(p, l))
        return 1;
    renew(x, &p->all, l->time_us, slow_us);
    p->head.last_us = p->all.last_us;
    if (l->has_succeeded) {
        *ret_failures = wheel_sum(&p->slow);
        /* at the machine itself others log in too: only who failed is meant */
        p->all.successes += *ret_failures > 0 && (l->source_key || p->last_user == l->user_key);
        return judge_pair(x, p, l);
    }
    p->last_user = l->user_key;
    p->last_wording = l->wording;
    p->last_failure_us = l->time_us;
    if (l->user.n)
        p->who.user = l->user;
    p->all.failures += l->tries;
    p->head.weight = p->all.failures;
    if (l->user_key)
        distinct_add(&p->all.users, l->user_key);
    wheel_add(&p->burst, l->time_us, us_of(x, BEHAVIOUR_SET_BRUTE_FORCE_BURST_WINDOW_S), l->tries);
    wheel_add(&p->brief, l->time_us, us_of(x, BEHAVIOUR_SET_BRUTE_FORCE_WINDOW_S), l->tries);
    wheel_add(&p->slow, l->time_us, slow_us, l->tries);
    series_add(&p->all.series, l->time_us, l->tries, 60 * US_PER_SECOND);
    return judge_pair(x, p, l);
}

static int at_source(struct logins *x, const struct login *l)
{
    bool is_new;
    struct source *c = l->source_key ? table_take(&x->sources, l->source_key, l->time_us, &is_new) : NULL;
    if (!c)
        return 0;
    if (is_new)
        c->who = *l;
    renew(x, &c->all, l->time_us, us_of(x, BEHAVIOUR_SET_PASSWORD_SPRAY_WINDOW_S));
    c->head.last_us = c->all.last_us;
    c->all.successes += l->has_succeeded && c->all.failures;
    if (!l->has_succeeded) {
        c->all.failures += l->tries;
        c->head.weight = c->all.failures;
        if (l->user_key)
            distinct_add(&c->all.users, l->user_key);
        distinct_add(&c->all.others, l->target_key);
        series_add(&c->all.series, l->time_us, l->tries, 60 * US_PER_SECOND);
    }
    if (!is_spray(x, &c->all) && c->all.told <= 0)
        return 0;
    return is_worth(&c->all, distinct_count(&c->all.users)) ? tell_source(x, c) : 0;
}

static int at_account(struct logins *x, const struct login *l, bool has_failed_before)
{
    bool is_new;
    if (!l->user_key || !l->source_key || !tell_is_on(x->base, BEHAVIOUR_SET_BRUTE_FORCE_ENABLED))
        return 0;
    struct account *c = table_take(&x->accounts, sketch_mix(l->user_key, l->target_key), l->time_us, &is_new);
    if (is_new)
        c->who = *l;
    int64_t slow_us = us_of(x, BEHAVIOUR_SET_BRUTE_FORCE_SLOW_WINDOW_S);
    renew(x, &c->all, l->time_us, slow_us);
    c->head.last_us = c->all.last_us;
    if (l->has_succeeded && has_failed_before)
        c->all.successes++;
    if (!l->has_succeeded) {
        c->all.failures += l->tries;
        c->head.weight = c->all.failures;
        distinct_add(&c->all.users, l->user_key);
        distinct_add(&c->all.others, l->source_key);
        wheel_add(&c->wheel, l->time_us, slow_us, l->tries);
        series_add(&c->all.series, l->time_us, l->tries, 60 * US_PER_SECOND);
        if (!ip_is_zero(&l->source))
            tell_peer(&c->peers, &l->source);
    }
    double sources = distinct_count(&c->all.others), failures = (double)wheel_sum(&c->wheel);
    bool is_over = sources >= logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_SOURCES);
    is_over = is_over && failures >= logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_SLOW_FAILURES);
    if (!is_over && c->all.told <= 0)
        return 0;
    return is_worth(&c->all, sources) ? tell_account(x, c, failures) : 0;
}

int logins_judge(struct logins *x, const struct login *l)
{
    uint64_t failures = 0;
    int r = at_pair(x, l, &failures);
    if (r == 1)
        return 0;
    if (r >= 0)
        r = at_source(x, l);
    return r < 0 ? r : at_account(x, l, failures > 0);
}

/* --- connections without a log -------------------------------------------------------------------------------------------- */

static const char *service_of(uint16_t port)
{
    static const struct {
        uint16_t port;
        const char *name;
    } all[] = {{21, "ftp"},     {22, "ssh"},     {23, "telnet"},      {110, "pop3"}, {143, "imap"},   {445, "smb"},     {902, "vmware"},
               {993, "imaps"},  {995, "pop3s"},  {1433, "mssql"},     {2222, "ssh"}, {2323, "telnet"}, {3306, "mysql"}, {3389, "rdp"},
               {5432, "postgresql"}, {5900, "vnc"}, {5985, "winrm"},  {5986, "winrm"}, {8291, "winbox"}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (all[i].port == port)
            return all[i].name;
    return NULL;
}

/* is_try - an answered, short connection that carried about as much as a log-in that fails. */
static bool is_try(const struct behaviour_row *f)
{
    uint64_t packets = f->out_packets / (f->sampling ? f->sampling : 1);
    if (f->protocol != TCP || f->marks & (ROW_FAILED | ROW_REPLY | ROW_PIECE | ROW_UNASKED) || packets < LEAST_PACKETS)
        return false;
    if (f->marks & ROW_TWO_WAY && f->back_packets < LEAST_PACKETS - 1)
        return false;
    return f->out_bytes >= LEAST_BYTES && f->out_bytes <= MOST_BYTES && f->back_bytes <= MOST_BYTES &&
           f->end_us - f->start_us <= MOST_DURATION_S * US_PER_SECOND;
}

static double spread(const struct server *v)
{
    return v->n > 1 && v->mean > 0 ? sqrt(v->m2 / (double)(v->n - 1)) / v->mean : 0;
}

#define MOST_SPREAD 0.35 /* of sizes that are alike: guesses of one tool differ by the length of what they try */

static int tell_server(struct logins *x, struct server *v, double n)
{
    struct behaviour_alarm a;
    char room[TELL_QUERY_BYTES];
    struct story *s = &v->all;
    s->told = n;
    bool is_inside = v->marks & ROW_FROM_OWN;
    tell_begin(&a, x->base, BEHAVIOUR_BRUTE_FORCE, s->first_us, s->last_us, v->n);
    a.own = v->marks & ROW_TO_OWN || !is_inside ? v->to : v->from;
    a.peer = v->marks & ROW_TO_OWN || !is_inside ? v->from : v->to;
    a.peer_port = v->port;
    const char *service = service_of(v->port);
    a.name = (struct text){service, strlen(service)};
    tell_query(&a, room, &v->from, &v->to, v->port, TCP);
    a.severity = is_inside ? SEVERITY_INSIDE : SEVERITY_OUTSIDE;
    a.confidence_pct = spread(v) < MOST_SPREAD / 2 ? 65 : 50;
    behaviour_put_number(&a, "connections_in_window", n, logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_CONNECTIONS));
    behaviour_put_number(&a, "window_s", logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_WINDOW_S), NAN);
    behaviour_put_number(&a, "mean_bytes", v->mean, NAN);
    behaviour_put_number(&a, "spread_of_bytes", spread(v), MOST_SPREAD);
    behaviour_put_number(&a, "connections", (double)v->n, NAN);
    tell_series(&a, &s->series, "flows");
    return tell(x->base, &x->counters, &a);
}

int logins_connection(struct logins *x, const struct behaviour_row *f)
{
    bool is_new;
    if (!is_try(f) || !service_of(f->to_port) || !tell_is_on(x->base, BEHAVIOUR_SET_BRUTE_FORCE_ENABLED)) {
        x->counters.skipped++;
        return 0;
    }
    x->counters.used++;
    int64_t window_us = us_of(x, BEHAVIOUR_SET_BRUTE_FORCE_WINDOW_S);
    struct server *v = table_take(&x->servers, sketch_mix(sketch_mix(f->from_hash, f->to_hash), f->to_port), f->start_us, &is_new);
    if (!is_new && f->start_us - v->all.last_us > window_us) { /* quiet for a window: sizes of another story */
        struct table_entry head = v->head;
        *v = (struct server){.head = head};
        is_new = true;
    }
    if (is_new) {
        v->from = f->from;
        v->to = f->to;
        v->port = f->to_port;
        v->marks = f->marks;
    }
    renew(x, &v->all, f->start_us, window_us);
    v->head.last_us = v->all.last_us;
    v->head.weight = ++v->n;
    double d = (double)f->out_bytes - v->mean;
    v->mean += d / (double)v->n;
    v->m2 += d * ((double)f->out_bytes - v->mean);
    wheel_add(&v->wheel, f->start_us, window_us, 1);
    series_add(&v->all.series, f->start_us, 1, 60 * US_PER_SECOND);
    double n = (double)wheel_sum(&v->wheel);
    if (n < logins_limit(x, BEHAVIOUR_SET_BRUTE_FORCE_CONNECTIONS) || spread(v) > MOST_SPREAD || !tell_is_more((double)v->n, v->all.told))
        return 0;
    int r = tell_server(x, v, n);
    v->all.told = (double)v->n;
    return r;
}

/* --- the end -------------------------------------------------------------------------------------------------------------- */

/* rest - what was told has grown since: the last word. */
static bool is_grown(const struct story *s, double strength)
{
    return s->told > 0 && strength > s->told;
}

int logins_flush(struct logins *x, int64_t at_us)
{
    int r = 0;
    if (at_us != INT64_MAX)
        return 0; /* tables forget by themselves; what grows is told as it grows */
    for (uint32_t i = 0; i < table_size(&x->pairs) && r >= 0; i++) {
        struct pair *p = table_at(&x->pairs, i);
        if (p && is_grown(&p->all, (double)p->all.failures))
            r = tell_pair(x, p);
    }
    for (uint32_t i = 0; i < table_size(&x->sources) && r >= 0; i++) {
        struct source *c = table_at(&x->sources, i);
        if (c && is_grown(&c->all, distinct_count(&c->all.users)))
            r = tell_source(x, c);
    }
    for (uint32_t i = 0; i < table_size(&x->accounts) && r >= 0; i++) {
        struct account *c = table_at(&x->accounts, i);
        if (c && is_grown(&c->all, distinct_count(&c->all.others)))
            r = tell_account(x, c, (double)wheel_sum(&c->wheel));
    }
    for (uint32_t i = 0; i < table_size(&x->servers) && r >= 0; i++) {
        struct server *v = table_at(&x->servers, i);
        if (v && is_grown(&v->all, (double)v->n))
            r = tell_server(x, v, (double)wheel_sum(&v->wheel));
    }
    return r;
}
