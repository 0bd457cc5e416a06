/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spam bots: an own machine that delivers mail itself, to many mail exchangers, though it is no mail server. A mail
 * server is who was seen to take mail on port 25, 465 or 587 (an answered connection in which data flowed), or who always
 * spoke to many: it is held against its own usual then.
 */
#include "watch/detect/behaviour_tell.h"

#include <stdlib.h>

enum { MACHINES = 16384, TCP = 6, SMTP = 25, SUBMISSIONS = 465, SUBMISSION = 587, HISTORY = 24, USUAL_FACTOR = 5, SAID_BYTES = 64 };
#define HORIZON_US ((int64_t)30 * 86400 * 1000000)

struct mailer {
    struct table_entry head;
    struct ip own;
    bool is_server, is_new; /* new: it went on since it was told */
    int64_t window_us, day_us, first_us, last_us;
    struct distinct peers, failed;
    uint64_t n_window, n;
    double mean;
    uint32_t n_windows;
    double told, worst;
    struct series series;
    struct tell_peers examples;
};

struct spam {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct table machines;
    struct tell_news news;
};

static void destroy(void *detector)
{
    struct spam *s = detector;
    table_fini(&s->machines);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct spam *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    if (!table_make(&s->machines, MACHINES, sizeof(struct mailer), HORIZON_US))
        return s;
    destroy(s);
    return NULL;
}

static int say(struct spam *s, struct mailer *e)
{
    const double *v = s->base->settings->v;
    double limit = v[BEHAVIOUR_SET_SPAM_PEERS];
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    e->is_new = false;
    tell_begin(&a, s->base, BEHAVIOUR_SPAM, e->first_us, e->last_us, e->n);
    a.own = e->own;
    a.peer_port = SMTP;
    a.severity = 3;
    a.confidence_pct = (uint32_t)fmin(95, 65 + 15 * log2(fmax(1, e->told / limit)) - (e->is_server ? 25 : 0));
    behaviour_put_number(&a, "mail_servers_in_window", e->told, limit);
    behaviour_put_number(&a, "spam_window_s", v[BEHAVIOUR_SET_SPAM_WINDOW_S], NAN);
    behaviour_put_number(&a, "usual_mail_servers", e->mean, NAN);
    behaviour_put_number(&a, "usual_known_windows", e->n_windows, NAN);
    behaviour_put_number(&a, "is_mail_server", e->is_server, NAN);
    behaviour_put_number(&a, "failed_pct", tell_share_pct(distinct_count(&e->failed), distinct_count(&e->peers)), NAN);
    behaviour_put_number(&a, "connections_in_window", (double)e->n_window, NAN);
    tell_peers(&a, &e->examples);
    tell_series(&a, &e->series, "connections");
    tell_query(&a, query, &e->own, NULL, SMTP, TCP);
    return tell(s->base, &s->counters, &a);
}

static int judge(struct spam *s, struct mailer *e)
{
    double peers = distinct_count(&e->peers);
    bool is_usual = (e->is_server || e->n_windows >= HISTORY) && peers < USUAL_FACTOR * e->mean;
    if (peers < s->base->settings->v[BEHAVIOUR_SET_SPAM_PEERS] || is_usual || (e->is_server && e->n_windows < HISTORY) ||
        !tell_is_more(peers, e->told))
        return 0;
    e->told = peers;
    return say(s, e);
}

static struct mailer *machine(struct spam *s, uint64_t hash, const struct ip *own, const struct behaviour_row *x)
{
    bool is_new;
    struct mailer *e = table_take(&s->machines, hash, x->start_us, &is_new);
    if (is_new) {
        e->own = *own;
        e->window_us = x->start_us;
    }
    e->head.last_us = x->start_us;
    return e;
}

static void turn_window(struct spam *s, struct mailer *e, int64_t us)
{
    int64_t length_us = (int64_t)(s->base->settings->v[BEHAVIOUR_SET_SPAM_WINDOW_S] * 1e6), passed = (us - e->window_us) / length_us;
    if (passed < 1)
        return;
    e->mean += (distinct_count(&e->peers) - e->mean) / (e->n_windows < HISTORY ? e->n_windows + 1 : HISTORY);
    if (passed > 1)
        e->mean *= pow(1 - 1.0 / HISTORY, (double)(passed - 1));
    e->n_windows += (uint32_t)(passed > HISTORY ? HISTORY : passed);
    e->window_us += passed * length_us;
    e->n_window = 0;
    distinct_clear(&e->peers);
    distinct_clear(&e->failed);
}

static int send_mail(struct spam *s, const struct behaviour_row *x)
{
    struct mailer *e = machine(s, x->from_hash, &x->from, x);
    int64_t day_us = behaviour_window(s->base, x->start_us);
    turn_window(s, e, x->start_us);
    if (day_us > e->day_us) {
        e->day_us = day_us;
        e->first_us = x->start_us;
        e->n = 0;
        e->told = 0;
        e->is_new = false;
        e->series = (struct series){0};
        e->examples.n = 0;
    }
    e->first_us = x->start_us < e->first_us ? x->start_us : e->first_us;
    e->last_us = x->end_us > e->last_us ? x->end_us : e->last_us;
    e->n++;
    e->n_window++;
    e->head.weight++;
    series_add(&e->series, x->start_us, 1, 1000000);
    tell_peer(&e->examples, &x->to);
    if (x->marks & ROW_FAILED)
        distinct_add(&e->failed, x->to_hash);
    tell_news_add(&s->news, e->told > 0, &e->is_new);
    return distinct_add(&e->peers, x->to_hash) ? judge(s, e) : 0;
}

static void take_mail(struct spam *s, const struct behaviour_row *x)
{
    bool was_said = x->marks & ROW_TWO_WAY ? x->back_bytes > SAID_BYTES * x->back_packets : !tell_is_probe(x);
    if (x->marks & ROW_ANSWERED && was_said)
        machine(s, x->to_hash, &x->to, x)->is_server = true;
}

static int row(void *detector, const struct behaviour_row *x)
{
    struct spam *s = detector;
    bool is_mail = x->protocol == TCP && (x->to_port == SMTP || x->to_port == SUBMISSION || x->to_port == SUBMISSIONS) &&
                   !(x->marks & (ROW_REPLY | ROW_PIECE)) && tell_is_on(s->base, BEHAVIOUR_SET_SPAM_ENABLED);
    if (!is_mail)
        return TELL_NOT_MINE;
    if (x->marks & ROW_TO_OWN)
        take_mail(s, x);
    else if (x->marks & ROW_FROM_OWN && x->to_port == SMTP)
        return send_mail(s, x);
    return 0;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct spam *s = detector;
    (void)own;
    return tell_rows(&s->counters, b, rows, row, s);
}

static int tell_mailer(void *detector, void *entry)
{
    struct mailer *e = entry;
    return e->is_new ? say(detector, e) : 0;
}

static int flush(void *detector, int64_t at_us)
{
    struct spam *s = detector;
    return tell_news_due(&s->news, at_us) ? tell_entries(&s->machines, tell_mailer, s) : 0;
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct spam *s = detector;
    *ret = s->counters;
    ret->evicted = s->machines.evicted;
}

extern const struct behaviour_detector behaviour_spam_detector;
const struct behaviour_detector behaviour_spam_detector = {
    .name = "spam", .create = create, .destroy = destroy, .flows = flows, .flush = flush, .count = count,
};
