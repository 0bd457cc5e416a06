/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac rules check: what becomes of each Sigma document of a directory, and why.
 */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "watch/detect/log_past.h"
#include "watch/detect/sigma.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"detection", "correlation", "filter"};

static struct text text_of(const char *p)
{
    return (struct text){p, strlen(p)};
}

/* put_source - product/category/service, those that are said. */
static void put_source(struct table *t, const struct sigma_logsource *l)
{
    char shown[512];
    const struct text *parts[] = {&l->product, &l->category, &l->service};
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        size_t take = parts[i]->n < 160 ? parts[i]->n : 160;
        if (!take)
            continue;
        if (n)
            shown[n++] = '/';
        memcpy(shown + n, parts[i]->p, take);
        n += take;
    }
    table_text(t, (struct text){shown, n});
}

/* what the store says of the rules; met NULL: it was not asked */
struct stored {
    const struct sigma_rules *rules;
    uint64_t *met;
    uint32_t at; /* where rules were found last: they come in the order of their documents */
    uint32_t n_waiting;
};

/* is_waiting - of its log source nothing is stored. */
static bool is_waiting(struct stored *s, const struct sigma_checked *c)
{
    uint32_t n = sigma_rules_count(s->rules);
    if (!s->met || c->reason || c->kind != SIGMA_DETECTION)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t rule = (s->at + i) % n;
        const struct sigma_about *about = sigma_rules_about(s->rules, rule);
        if (about->line != c->line || about->kind != c->kind || strcmp(about->file, c->file) != 0)
            continue;
        s->at = rule;
        return !(s->met[rule / 64] >> rule % 64 & 1);
    }
    return false;
}

static void put_rule(struct table *t, const struct sigma_checked *c, bool is_without_source)
{
    const char *result = c->reason ? "refused" : is_without_source ? "waiting" : c->is_mapped ? "ok" : "unmapped";
    table_text(t, text_of(c->file));
    table_number(t, c->line);
    table_text(t, text_of(kind_names[c->kind]));
    table_text(t, c->id);
    table_text(t, c->title);
    table_text(t, text_of(sigma_level_name(c->level)));
    put_source(t, &c->logsource);
    table_text(t, text_of(result));
    table_text(t, text_of(c->reason ? sigma_reason_name(c->reason) : ""));
    table_text(t, text_of(c->detail));
}

/* say_totals - on standard error: documents = compiled + refused; and each reason with its meaning. */
static unsigned say_totals(const struct sigma_rules *r)
{
    unsigned by_reason[SIGMA_N_REASONS] = {0};
    uint32_t n, n_refused = 0, n_unmapped = 0;
    const struct sigma_checked *c = sigma_rules_checked(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        by_reason[c[i].reason]++;
        n_refused += c[i].reason != SIGMA_FINE;
        n_unmapped += !c[i].reason && !c[i].is_mapped;
    }
    SAY(stderr, rules_account, message_count(n), message_count(n - n_refused), message_count(n_refused));
    if (n_unmapped)
        SAY(stderr, rules_unmapped, message_count(n_unmapped));
    for (unsigned i = 1; i < SIGMA_N_REASONS; i++)
        if (by_reason[i])
            SAY(stderr, rules_account_refused, message_count(by_reason[i]),
                message_find("sigma_reason_", sigma_reason_name((enum sigma_reason)i)));
    return n_refused;
}

/* ask_store - with --data: which log sources have sent something. Return: false when that failed, said. */
static bool ask_store(const struct cli_args *a, struct event_names *names, struct stored *s, uint64_t *ret_events)
{
    struct fault f = {0};
    if (!a->value[CLI_DATA])
        return true;
    s->met = calloc(SIGMA_RULE_WORDS(sigma_rules_count(s->rules)) + 1, sizeof(*s->met));
    if (s->met && !log_past_met(a->data_dir, s->rules, names, LOG_PAST_ROWS, s->met, ret_events, &f))
        return true;
    if (!s->met)
        FAULT(&f, -ENOMEM, no_memory, "rules");
    cli_fail(&f);
    return false;
}

int cli_rules_check(const struct cli_args *a)
{
    static const struct table_column columns[] = {
        {"file", MSG_col_file, false, true},     {"line", MSG_col_line, true, false},    {"kind", MSG_col_kind, false, false},
        {"id", MSG_col_rule, false, false},      {"title", MSG_col_title, false, true},  {"level", MSG_col_level, false, false},
        {"logsource", MSG_col_logsource, false, true}, {"result", MSG_col_result, false, false}, {"reason", MSG_col_reason, false, false},
        {"detail", MSG_col_detail, false, true},
    };
    enum cli_format format;
    if (cli_format(a, &format))
        return EXIT_FAILED;
    struct event_names *names = event_names_new();
    if (!names) {
        SAY(stderr, no_memory, "rules");
        return EXIT_FAILED;
    }
    struct sigma_load load = {.paths = (const char *const *)a->operands, .n_paths = a->n_operands, .names = names};
    struct sigma_rules *rules;
    struct fault f = {0};
    if (sigma_rules_load(&load, &rules, &f)) {
        event_names_free(names);
        return cli_fail(&f);
    }
    struct table t;
    uint32_t n;
    uint64_t n_events = 0;
    struct stored stored = {.rules = rules};
    const struct sigma_checked *c = sigma_rules_checked(rules, &n);
    int status = ask_store(a, names, &stored, &n_events) ? EXIT_DONE : EXIT_FAILED;
    if (status == EXIT_DONE) {
        table_begin(&t, format, columns, sizeof columns / sizeof *columns);
        for (uint32_t i = 0; i < n; i++) {
            bool is = is_waiting(&stored, &c[i]);
            stored.n_waiting += is;
            if (format != CLI_TABLE || c[i].reason || is) /* people read what is wrong; programs get all */
                put_rule(&t, &c[i], is);
        }
        status = table_end(&t) ? EXIT_FAILED : EXIT_DONE;
        unsigned n_refused = say_totals(rules);
        if (stored.met)
            SAY(stderr, rules_waiting, message_count(stored.n_waiting), message_count(n_events));
        if (n_refused && status == EXIT_DONE)
            status = EXIT_REFUSED;
    }
    free(stored.met);
    sigma_rules_free(rules);
    event_names_free(names);
    return status;
}
