/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac detect: Sigma rules over log files, or over what is stored.
 *
 * A row of output is a matching event and rule; of a correlation, the event that fulfilled it. `record` is the record
 * number of Windows events, else the how-manieth record of its file it is (the line's number where every line before is a
 * record); of stored events the row of their segment, from 1.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "watch/detect/sigma.h"
#include "watch/detect/sigma_correlate.h"
#include "watch/detect/sigma_entity.h"
#include "watch/intake/decoders.h"
#include "watch/intake/log_read.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BITS 44
#define RECORD_MASK ((UINT64_C(1) << RECORD_BITS) - 1)
#define SHOWN_REFUSALS 20u

struct detect {
    const struct cli_args *args;
    int64_t since_us, until_us;
    struct event_names *names;
    struct sigma_rules *rules;
    struct sigma_matcher *matcher;
    struct sigma_correlator *correlator;
    struct line_decoders *decoders;
    struct log_memory *memory; /* from file to file; NULL will do */
    struct sigma_entities entities;
    uint16_t record_id, path;
    struct table table;
    uint64_t source;     /* of the file in hand: its operand */
    uint64_t first_row;  /* events of the file, or rows of the segment, before the batch in hand */
    bool is_store;
    uint64_t n_refused, n_shown, n_events;
    bool has_failed;
};

static struct text text_of(const char *p)
{
    return (struct text){p, strlen(p)};
}

static void put_row(struct detect *d, int64_t time_us, uint32_t rule, struct text host, struct text user, struct text source,
                    struct text record)
{
    const struct sigma_about *about = sigma_rules_about(d->rules, rule);
    struct table *t = &d->table;
    table_time(t, time_us, true);
    table_text(t, about->id);
    table_text(t, about->title);
    table_text(t, text_of(sigma_level_name(about->level)));
    table_text(t, host);
    table_text(t, user);
    table_text(t, source);
    table_text(t, record);
}

/* record_of - a number for the record; as text in @out, which event values may lend. */
static uint64_t record_of(const struct detect *d, const struct events *e, uint32_t row)
{
    const struct event_value *v = event_get(e, row, d->record_id);
    char out[EVENT_VALUE_TEXT_MAX];
    uint64_t n;
    if (v && v->type == EVENT_LONG && v->number >= 0)
        return (uint64_t)v->number & RECORD_MASK;
    if (v && !text_u64(event_value_text(e, v, out), RECORD_MASK, &n))
        return n;
    return (d->first_row + row + 1) & RECORD_MASK;
}

static struct text source_of(const struct detect *d, uint64_t source)
{
    return d->is_store ? TEXT("store") : text_of(d->args->operands[source]);
}

static int on_correlated(void *context, const struct sigma_correlated *c)
{
    struct detect *d = context;
    char record[24];
    int n = snprintf(record, sizeof record, "%" PRIu64, c->tag & RECORD_MASK);
    put_row(d, c->time_us, c->rule, c->host, c->user, source_of(d, c->tag >> RECORD_BITS), (struct text){record, (size_t)n});
    return 0;
}

static int on_match(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    struct detect *d = context;
    if (e->time_us[row] < d->since_us || e->time_us[row] > d->until_us)
        return 0;
    uint64_t number = record_of(d, e, row);
    if (sigma_rules_about(d->rules, rule)->is_reported) {
        char host[EVENT_VALUE_TEXT_MAX], user[EVENT_VALUE_TEXT_MAX], path[EVENT_VALUE_TEXT_MAX], record[24];
        int n = snprintf(record, sizeof record, "%" PRIu64, number);
        const struct event_value *v = d->is_store ? event_get(e, row, d->path) : NULL;
        put_row(d, e->time_us[row], rule, sigma_entity_host(&d->entities, e, row, host), sigma_entity_user(&d->entities, e, row, user),
                v ? event_value_text(e, v, path) : source_of(d, d->source), (struct text){record, (size_t)n});
    }
    return sigma_correlator_add(d->correlator, d->matcher, e, row, rule, d->source << RECORD_BITS | number, on_correlated, d);
}

static int on_batch(void *context, struct events *e)
{
    struct detect *d = context;
    d->n_events += e->n;
    int r = sigma_match(d->matcher, e, on_match, d);
    d->first_row += e->n;
    return r;
}

static void on_refused(void *context, const struct log_refused *r)
{
    struct detect *d = context;
    char shown[120];
    d->n_refused++;
    if (++d->n_shown > SHOWN_REFUSALS)
        return;
    SAY(stderr, detect_record_refused, d->args->operands[d->source], r->offset, message_find("reason_", r->reason),
        text_escape(r->value.p, r->value.n, shown, sizeof shown));
}

/* read_file - a file that cannot be read is said; the others follow. */
static void read_file(struct detect *d, enum log_format format)
{
    const char *path = d->args->operands[d->source];
    d->first_row = 0;
    struct log_options o = {.format = format, .zone_s = ZONE_VIETNAM_S, .memory = d->memory};
    struct log_account account = {0};
    struct fault f = {0};
    _cleanup_close_ int fd = cli_open(path);
    if (fd < 0) {
        d->has_failed = true;
        return;
    }
    int r = log_read(fd, &o, d->names, d->decoders, on_batch, on_refused, d, &account, &f);
    if (r) {
        cli_fail(&f);
        if (r == LOG_REFUSED)
            d->n_refused++;
        else
            d->has_failed = true;
    }
    if (account.is_truncated)
        d->n_refused++;
}

/* read_segment - its blocks, those whose events lie outside the window left out. */
static int read_segment(struct detect *d, const struct log_segment *s, struct log_scratch *scratch, struct events *e)
{
    for (uint32_t b = 0; b < log_segment_info(s)->n_blocks; b++) {
        struct log_block_info info;
        log_segment_block(s, b, &info);
        if (info.event_max_us < d->since_us || info.event_min_us > d->until_us)
            continue;
        int r = log_segment_read(s, b, scratch, e);
        if (r == -EBADMSG) {
            SAY(stderr, detect_block_damaged, b);
            d->has_failed = true;
            continue;
        }
        d->first_row = info.first_row;
        if (r || (r = on_batch(d, e)))
            return r;
    }
    return 0;
}

static void read_store(struct detect *d)
{
    struct fault f = {0};
    struct store_view *view = NULL;
    int r = store_view_open(d->args->data_dir, &view, &f);
    if (r == STORE_EMPTY) {
        SAY(stderr, store_is_empty, d->args->data_dir);
        return;
    }
    struct log_scratch *scratch = r ? NULL : log_scratch_new();
    struct events *e = r ? NULL : events_new(d->names);
    if (!r && (!scratch || !e))
        r = FAULT(&f, -ENOMEM, no_memory, "detect");
    d->is_store = true;
    for (size_t i = r ? 0 : store_view_n_logs(view); i-- > 0 && !r;) /* the oldest first */
        if ((r = read_segment(d, store_view_log(view, i), scratch, e)))
            FAULT(&f, r, no_memory, "detect");
    if (r) {
        cli_fail(&f);
        d->has_failed = true;
    }
    if (view && store_view_n_damaged(view))
        d->has_failed = true;
    events_free(e);
    log_scratch_free(scratch);
    if (view)
        store_view_close(view);
}

static int prepare(struct detect *d, struct fault *f)
{
    const char *const paths[] = {d->args->value[CLI_RULES]};
    d->names = event_names_new();
    if (!d->names)
        return FAULT(f, -ENOMEM, no_memory, "detect");
    struct sigma_load load = {.paths = paths, .n_paths = 1, .names = d->names};
    int r = sigma_rules_load(&load, &d->rules, f);
    if (!r && d->args->n_operands)
        r = decoders_load(NULL, d->names, NULL, NULL, &d->decoders, f);
    if (r)
        return r;
    d->matcher = sigma_matcher_new(d->rules);
    d->correlator = sigma_correlator_new(d->rules, SIGMA_CORRELATE_BYTES);
    sigma_entities_init(&d->entities, d->names);
    d->record_id = event_names_add(d->names, TEXT("winlog.record_id"));
    d->path = event_names_add(d->names, TEXT("log.file.path"));
    return d->matcher && d->correlator ? 0 : FAULT(f, -ENOMEM, no_memory, "detect");
}

static void release(struct detect *d)
{
    log_memory_free(d->memory); /* before the names and decoders it was filled with */
    sigma_matcher_free(d->matcher);
    sigma_correlator_free(d->correlator);
    if (d->decoders)
        line_decoders_free(d->decoders);
    sigma_rules_free(d->rules);
    event_names_free(d->names);
}

/* say_account - on standard error: events looked at, rules in use, what was left out. */
static void say_account(const struct detect *d)
{
    uint32_t n, n_refused = 0;
    const struct sigma_checked *c = sigma_rules_checked(d->rules, &n);
    for (uint32_t i = 0; i < n; i++)
        n_refused += c[i].reason != SIGMA_FINE;
    const struct sigma_correlate_counters *k = sigma_correlator_counters(d->correlator);
    SAY(stderr, detect_account, message_count(d->n_events), message_count(sigma_rules_count(d->rules)), message_count(d->table.n_rows));
    if (n_refused)
        SAY(stderr, detect_rules_refused, message_count(n_refused));
    if (d->n_refused)
        SAY(stderr, detect_refused, message_count(d->n_refused));
    if (sigma_matcher_counters(d->matcher)->regex_limits)
        SAY(stderr, detect_regex_limits, message_count(sigma_matcher_counters(d->matcher)->regex_limits));
    if (k->late || k->forgotten || k->cut)
        SAY(stderr, detect_correlation_lost, message_count(k->late), message_count(k->forgotten), message_count(k->cut));
}

int cli_detect(const struct cli_args *a)
{
    static const struct table_column columns[] = {
        {"time", MSG_col_time, false, false},  {"rule_id", MSG_col_rule, false, false}, {"title", MSG_col_title, false, true},
        {"level", MSG_col_level, false, false}, {"host", MSG_col_host, false, true},     {"user", MSG_col_user, false, true},
        {"source", MSG_col_source_file, false, true}, {"record", MSG_col_record, false, false},
    };
    struct detect d = {.args = a};
    enum cli_format format;
    enum log_format input = LOG_AUTO;
    struct fault f = {0};
    if (a->value[CLI_BEHAVIOUR] && !a->value[CLI_RULES])
        return cli_detect_behaviour(a);
    if (cli_format(a, &format) || cli_window(a, &d.since_us, &d.until_us))
        return EXIT_FAILED;
    if (a->value[CLI_INPUT_FORMAT] && log_format_parse(a->value[CLI_INPUT_FORMAT], &input)) {
        SAY(stderr, cli_bad_format, a->value[CLI_INPUT_FORMAT],
            "auto, evtx, winxml, json, eve, zeek, syslog, access, cef, leef, w3c, text");
        return EXIT_FAILED;
    }
    if (!a->value[CLI_RULES] || a->value[CLI_CONFIG]) {
        SAY(stderr, cli_usage, "detect", "--rules DIR [FILE...] | --behaviour [--config FILE] [FILE...]");
        return EXIT_FAILED;
    }
    int r = prepare(&d, &f);
    if (r) {
        release(&d);
        return cli_fail(&f);
    }
    table_begin(&d.table, format, columns, sizeof columns / sizeof *columns);
    d.memory = log_memory_new();
    for (d.source = 0; d.source < a->n_operands; d.source++)
        read_file(&d, input);
    if (!a->n_operands)
        read_store(&d);
    if (sigma_correlator_flush(d.correlator, on_correlated, &d))
        d.has_failed = true;
    if (table_end(&d.table))
        d.has_failed = true;
    say_account(&d);
    release(&d);
    return d.has_failed ? EXIT_FAILED : d.n_refused ? EXIT_REFUSED : EXIT_DONE;
}
