/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sigma rules of the node: read once, before the files are out of reach. Other rules are taken by SIGHUP: a new role
 * compiles them over the same sockets while the kernel holds what comes.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "watch/detect/log_past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ALERTS = 16384, MAX_WAITING = 1024, SHOWN_WAITING = 50, WAITING_BYTES = 200 };

static void say_refused(struct watch *w)
{
    uint32_t n;
    const struct sigma_checked *c = sigma_rules_checked(w->rules, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (c[i].reason == SIGMA_FINE)
            continue;
        w->n_rules_refused++;
        log_line(LOG_WARN, "rule_refused", "file", c[i].file, "line", log_number(c[i].line), "reason", sigma_reason_name(c[i].reason),
                 "detail", c[i].detail ? c[i].detail : "", NULL);
    }
}

void watch_rules_load(struct watch *w)
{
    const char *paths[CONFIG_MAX_RULES];
    struct sigma_load load = {.paths = paths, .names = w->names};
    struct fault f = {0};
    for (size_t i = 0; i < w->config->n_rules; i++) {
        if (access(w->config->rules[i], R_OK)) /* the others still hold */
            log_line(LOG_ERROR, "rules_not_loaded", "path", w->config->rules[i], "reason", strerror(errno), NULL);
        else
            paths[load.n_paths++] = w->config->rules[i];
    }
    if (!load.n_paths || !w->names)
        return;
    if (sigma_rules_load(&load, &w->rules, &f) < 0) {
        w->rules = NULL;
        log_line(LOG_ERROR, "rules_not_loaded", "reason", f.text, NULL);
        return;
    }
    say_refused(w);
    log_line(LOG_INFO, "rules_loaded", "rules", log_number(sigma_rules_count(w->rules)), "refused", log_number(w->n_rules_refused), NULL);
}

/* recall - what correlations had in mind, from the store. What fails is said: they then begin empty. */
static void recall(struct watch *w)
{
    struct log_past_account past;
    struct fault f = {0};
    int r = log_past(w->data_dir, w->alerts, w->rules, w->names, w->finder, LOG_PAST_ROWS, clock_now_us(), &past, &f);
    if (r < 0) {
        log_line(LOG_ERROR, "correlations_begin_empty", "reason", f.text, NULL);
        return;
    }
    if (past.rows_left_out || past.blocks_damaged)
        log_line(LOG_WARN, "correlations_recalled_in_part", "events", log_number((long long)past.events), "left_out",
                 log_number((long long)past.rows_left_out), "damaged_blocks", log_number((long long)past.blocks_damaged), NULL);
    else if (past.since_us != INT64_MAX)
        log_line(LOG_INFO, "correlations_recalled", "events", log_number((long long)past.events), NULL);
}

int watch_rules_init(struct watch *w, struct fault *f)
{
    const struct config *c = w->config;
    for (size_t i = 0; i < c->n_exceptions; i++)
        if (c->exceptions[i].until_us <= clock_now_us())
            log_line(LOG_WARN, "exception_ended", "rule", c->exceptions[i].rule, "author", c->exceptions[i].author, NULL);
    if (!w->rules || !sigma_rules_count(w->rules))
        return 0;
    struct log_alerts_options o = {.rules = w->rules, .names = w->names, .exceptions = c->exceptions, .n_exceptions = c->n_exceptions,
                                   .window_us = c->finding_window_us, .zone_s = c->zone_s, .max_alerts = MAX_ALERTS};
    if (log_alerts_new(&o, &w->alerts))
        return FAULT(f, -ENOMEM, no_memory, "rules");
    recall(w);
    return 0;
}

void watch_rules_free(struct watch *w)
{
    log_alerts_free(w->alerts);
    if (w->rules)
        sigma_rules_free(w->rules);
}

static void put(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *exceptions_status(struct watch *w)
{
    json_t *all = json_array();
    for (size_t i = 0; i < w->config->n_exceptions; i++) {
        const struct log_exception *x = &w->config->exceptions[i];
        char text[TIME_TEXT_MAX];
        json_t *o = json_object();
        json_object_set_new(o, "rule", json_string(x->rule));
        json_object_set_new(o, "reason", json_string(x->reason));
        json_object_set_new(o, "author", json_string(x->author));
        clock_format_utc(x->until_us, text);
        json_object_set_new(o, "until", json_string(text));
        json_object_set_new(o, "has_ended", json_boolean(x->until_us <= clock_now_us()));
        put(o, "excepted", (w->alerts ? log_alerts_excepted(w->alerts, i) : 0) + watch_behaviour_excepted(w, i));
        json_array_append_new(all, o);
    }
    return all;
}

/* rules of one log source that nobody has sent */
struct waiting {
    char logsource[WAITING_BYTES];
    uint32_t rules;
};

static int by_rules(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    return x->rules != y->rules ? (x->rules < y->rules) - (x->rules > y->rules) : strcmp(x->logsource, y->logsource);
}

/* waiting_status - "waiting": rules whose log source has sent nothing; "waiting_for": which, the most wanted first. */
static void waiting_status(struct watch *w, json_t *o)
{
    struct waiting *all = calloc(MAX_WAITING, sizeof(*all));
    json_t *list = json_array();
    uint32_t n_rules = w->alerts ? sigma_rules_count(w->rules) : 0, n = 0, waiting = 0;
    for (uint32_t i = 0; all && i < n_rules; i++) {
        const struct sigma_about *about = sigma_rules_about(w->rules, i);
        char name[WAITING_BYTES];
        if (about->kind != SIGMA_DETECTION || log_alerts_met(w->alerts, i))
            continue;
        const struct sigma_logsource *l = &about->logsource;
        snprintf(name, sizeof(name), "%.*s/%.*s/%.*s", (int)l->product.n, l->product.p, (int)l->category.n, l->category.p,
                 (int)l->service.n, l->service.p);
        uint32_t at = 0;
        while (at < n && strcmp(all[at].logsource, name) != 0)
            at++;
        waiting++;
        if (at == MAX_WAITING)
            continue;
        if (at == n)
            memcpy(all[n++].logsource, name, sizeof(name));
        all[at].rules++;
    }
    if (n)
        qsort(all, n, sizeof(*all), by_rules);
    for (uint32_t i = 0; i < n && i < SHOWN_WAITING; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "logsource", json_string(all[i].logsource));
        put(one, "rules", all[i].rules);
        json_array_append_new(list, one);
    }
    put(o, "waiting", waiting);
    json_object_set_new(o, "waiting_for", list);
    free(all);
}

json_t *watch_rules_status(struct watch *w)
{
    struct log_alert_counters n = {0};
    struct sigma_correlate_counters k = {0};
    json_t *o = json_object();
    if (w->alerts) {
        log_alerts_count(w->alerts, &n);
        log_alerts_correlated(w->alerts, &k);
    }
    put(o, "loaded", w->rules ? sigma_rules_count(w->rules) : 0);
    put(o, "refused", w->n_rules_refused);
#define X(name, help) put(o, #name, n.name);
    LOG_ALERT_COUNTERS(X)
#undef X
    put(o, "open", n.n_open);
    put(o, "correlation_groups", k.n_groups);
    put(o, "correlation_late", k.late);
    put(o, "correlation_forgotten", k.forgotten);
    put(o, "correlation_cut", k.cut);
    waiting_status(w, o);
    json_object_set_new(o, "exceptions", exceptions_status(w));
    return o;
}
