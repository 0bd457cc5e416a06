/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac detect --behaviour: what machines did, over files of flows and logs, or over what is stored.
 *
 * A row of output is a finding: one per kind, own machine, remote machine, user or name, and day. csv: time, until, kind,
 * severity, confidence_pct, own, remote, port, host, user, name, events, figures ("name=value>=limit" parted by ';').
 * json: the payload of the finding as the journal holds it (watch/detect/behaviour_alerts.h).
 */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "node/config.h"
#include "watch/detect/behaviour_alerts.h"
#include "watch/detect/behaviour_past.h"
#include "watch/indicator/lists.h"
#include "watch/intake/decoders.h"
#include "watch/intake/import.h"
#include "watch/intake/log_read.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_REFUSALS = 20, MAX_FINDINGS = 1 << 20 };

struct behaving {
    const struct cli_args *args;
    const char *data_dir;
    struct config *config; /* NULL: none given */
    int64_t since_us, until_us;
    enum cli_format format;
    struct event_names *names;
    struct line_decoders *decoders;
    struct space *space;
    struct behaviour_own own;
    struct behaviour_settings settings;
    struct behaviour_alerts *alerts;
    struct behaviour_engine *engine;
    struct flow_sorter sorter;
    struct table table;
    struct buf out;
    const char *path; /* of the file in hand */
    uint64_t n_flows, n_events, n_refused, n_shown;
    bool has_failed;
};

/* --- files ----------------------------------------------------------------------------------------------------------- */

static int take_flows(void *context, struct flow_batch *b)
{
    struct behaving *d = context;
    const int64_t *start = b->number[FLOW_START];
    for (uint32_t i = 0; i < b->n; i++) {
        bool is_out = b->present[i] & FLOW_HAS(FLOW_START) && (start[i] < d->since_us || start[i] > d->until_us);
        if (is_out)
            b->present[i] = 0; /* detectors pass it by */
        d->n_flows += !is_out;
    }
    return behaviour_flows(d->engine, b, &d->own);
}

static int sort_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct behaving *d = context;
    return flow_sorter_put(&d->sorter, flows, n, o);
}

static int take_events(void *context, struct events *e)
{
    struct behaving *d = context;
    behaviour_events_between(e, d->since_us, d->until_us);
    d->n_events += e->n;
    return behaviour_events(d->engine, e, &d->own);
}

static void on_log_refused(void *context, const struct log_refused *r)
{
    struct behaving *d = context;
    char shown[120];
    d->n_refused++;
    if (++d->n_shown <= SHOWN_REFUSALS)
        SAY(stderr, detect_record_refused, d->path, r->offset, message_find("reason_", r->reason),
            text_escape(r->value.p, r->value.n, shown, sizeof shown));
}

/* read_flows - Return: 0, IMPORT_REFUSED: no file of flows; <0: failed, said. */
static int read_flows(struct behaving *d, int fd, enum import_format format, bool is_sure)
{
    struct import_options o = {.format = format, .zone_s = 0, .sink = sort_flows, .context = d};
    struct import *i = NULL;
    struct import_summary s;
    struct fault f = {0};
    int r = import_new(&o, &i);
    if (!r)
        r = import_file(i, fd, d->path, &s, &f);
    else
        FAULT(&f, r, no_memory, "detect");
    if (!r) {
        import_finish(i, &s);
        d->n_refused += import_summary_refused(&s) + s.is_truncated;
        r = flow_sorter_flush(&d->sorter);
        if (r)
            FAULT(&f, r, no_memory, "detect");
    }
    import_free(i);
    if (r < 0 || (r && is_sure)) {
        cli_fail(&f);
        d->has_failed |= r < 0;
        d->n_refused += r > 0;
    }
    return r;
}

static void read_logs(struct behaving *d, int fd, enum log_format format)
{
    struct log_options o = {.format = format, .zone_s = ZONE_VIETNAM_S};
    struct log_account account = {0};
    struct fault f = {0};
    if (!d->decoders && decoders_load(NULL, d->names, NULL, NULL, &d->decoders, &f)) {
        cli_fail(&f);
        d->has_failed = true;
        return;
    }
    int r = log_read(fd, &o, d->names, d->decoders, take_events, on_log_refused, d, &account, &f);
    if (r)
        cli_fail(&f);
    d->n_refused += r == LOG_REFUSED || account.is_truncated;
    d->has_failed |= r < 0;
}

/* read_file - flows if it is a file of flows, else logs; a pipe whose format is not named is of logs. */
static void read_file(struct behaving *d, const char *path)
{
    const char *named = d->args->value[CLI_INPUT_FORMAT];
    enum import_format flows = IMPORT_AUTO;
    enum log_format logs = LOG_AUTO;
    bool is_auto = !named || !strcmp(named, "auto");
    bool is_named_flows = !is_auto && !import_format_parse(named, &flows);
    if (named)
        (void)log_format_parse(named, &logs);
    d->path = path;
    int fd = cli_open(path);
    if (fd < 0) {
        d->has_failed = true;
        return;
    }
    off_t at = lseek(fd, 0, SEEK_CUR);
    int r = IMPORT_REFUSED;
    if (is_named_flows || (at >= 0 && is_auto) || (logs == LOG_ZEEK && at >= 0))
        r = read_flows(d, fd, flows, is_named_flows);
    if (r == IMPORT_REFUSED && !is_named_flows) {
        if (at >= 0)
            (void)lseek(fd, at, SEEK_SET);
        read_logs(d, fd, logs);
    }
    close(fd);
}

/* --- the store ---------------------------------------------------------------------------------------------------------- */

static void read_store(struct behaving *d)
{
    struct fault f = {0};
    struct store_view *view = NULL;
    struct behaviour_past_account account = {0};
    struct behaviour_past_options o = {.since_us = d->since_us, .until_us = d->until_us, .received_from_us = INT64_MIN,
                                       .received_until_us = INT64_MAX};
    int r = store_view_open(d->data_dir, &view, &f);
    if (r == STORE_EMPTY) {
        SAY(stderr, store_is_empty, d->data_dir);
        return;
    }
    if (!r && (r = behaviour_past(view, d->engine, d->names, &d->own, &o, &account)))
        FAULT(&f, r, no_memory, "detect");
    if (r) {
        cli_fail(&f);
        d->has_failed = true;
    }
    d->n_flows = account.flows;
    d->n_events = account.events;
    if (account.blocks_damaged)
        SAY(stderr, detect_blocks_damaged, message_count(account.blocks_damaged));
    if (account.blocks_damaged || (view && store_view_n_damaged(view)))
        d->has_failed = true;
    if (view)
        store_view_close(view);
}

/* --- output --------------------------------------------------------------------------------------------------------------- */

static void put_figures(struct buf *b, const struct behaviour_alarm *m, bool is_table)
{
    buf_clear(b);
    for (uint32_t i = 0, n = 0; i < m->n_numbers; i++) {
        const struct behaviour_number *x = &m->numbers[i];
        bool has_limit = isfinite(x->limit);
        if (!isfinite(x->value) || (is_table && !has_limit))
            continue;
        buf_printf(b, has_limit ? "%s%s=%.6g (%.6g)" : "%s%s=%.6g", n++ ? "; " : "", x->name, x->value, x->limit);
    }
}

static void put_address(struct table *t, const struct ip *a)
{
    char text[IP_TEXT_MAX];
    size_t n = ip_is_zero(a) ? 0 : ip_format(a, text);
    table_text(t, (struct text){text, n});
}

static int put_finding(void *context, const struct behaviour_alarm *m)
{
    struct behaving *d = context;
    struct table *t = &d->table;
    const char *kind = behaviour_name(m->kind), *severity = behaviour_severity(m->severity);
    if (d->format == CLI_JSON) {
        buf_clear(&d->out);
        behaviour_put(&d->out, m, d->space);
        buf_add_byte(&d->out, '\n');
        t->n_rows++;
        return fwrite(d->out.p, 1, d->out.n, stdout) == d->out.n ? 0 : 1;
    }
    table_time(t, m->first_us, true);
    table_time(t, m->last_us, true);
    table_text(t, (struct text){kind, strlen(kind)});
    table_text(t, (struct text){severity, strlen(severity)});
    table_number(t, m->confidence_pct);
    put_address(t, &m->own);
    put_address(t, &m->peer);
    table_port(t, m->peer_port);
    table_text(t, m->host);
    table_text(t, m->user);
    table_text(t, m->name);
    table_number(t, m->n_events);
    put_figures(&d->out, m, d->format == CLI_TABLE);
    table_text(t, (struct text){(const char *)d->out.p, d->out.n});
    return d->out.is_bad;
}

static int put_all(struct behaving *d)
{
    static const struct table_column columns[] = {
        {"time", MSG_col_time, false, false},       {"until", MSG_col_until, false, false},
        {"kind", MSG_col_behaviour, false, false},  {"severity", MSG_col_severity, false, false},
        {"confidence_pct", MSG_col_confidence, true, false}, {"own", MSG_col_own, false, false},
        {"remote", MSG_col_remote, false, false},   {"port", MSG_col_port, true, false},
        {"host", MSG_col_host, false, true},        {"user", MSG_col_user, false, true},
        {"name", MSG_col_name, false, true},        {"events", MSG_col_events, true, false},
        {"figures", MSG_col_figures, false, true},
    };
    if (d->format != CLI_JSON)
        table_begin(&d->table, d->format, columns, sizeof columns / sizeof *columns);
    int r = behaviour_alerts_each(d->alerts, put_finding, d);
    if (r == -ENOMEM)
        SAY(stderr, no_memory, "detect");
    return (d->format != CLI_JSON && table_end(&d->table)) || r;
}

/* --- the command -------------------------------------------------------------------------------------------------------------- */

/* take_config - limits, exceptions, windows and, where --data is not given, the directory of the node whose file this is. */
static int take_config(struct behaving *d, struct behaviour_alerts_options *o, struct behaviour_base *base, struct fault *f)
{
    const char *path = d->args->value[CLI_CONFIG];
    int r = path ? config_read(path, &d->config, f) : 0;
    if (r || !path)
        return r;
    for (unsigned i = 0; i < BEHAVIOUR_N_SETTINGS; i++)
        if (d->config->is_behaviour_set[i])
            d->settings.v[i] = d->config->behaviour.v[i];
    o->exceptions = d->config->exceptions;
    o->n_exceptions = d->config->n_exceptions;
    base->window_us = d->config->finding_window_us;
    base->zone_s = d->config->zone_s;
    if (!d->args->value[CLI_DATA] && d->config->data_dir)
        d->data_dir = d->config->data_dir;
    return 0;
}

static int prepare(struct behaving *d, struct fault *f)
{
    struct behaviour_alerts_options o = {.max_alerts = MAX_FINDINGS};
    struct behaviour_base base = {.settings = &d->settings, .emit = behaviour_alerts_take, .window_us = US_PER_DAY,
                                  .zone_s = ZONE_VIETNAM_S};
    behaviour_settings_default(&d->settings);
    int r = behaviour_settings_load(&d->settings, NULL, f);
    if (!r)
        r = take_config(d, &o, &base, f);
    if (r)
        return r;
    struct fault none;
    if (space_open_current(d->data_dir, &d->space, &none)) /* without one: private addresses are ours */
        d->space = NULL;
    d->own.space = d->space;
    d->names = event_names_new();
    r = d->names ? behaviour_alerts_new(&o, &d->alerts) : -ENOMEM;
    base.names = d->names;
    base.context = d->alerts;
    if (!r)
        behaviour_alerts_clock(d->alerts, clock_now_us()); /* exceptions end */
    if (!r)
        r = behaviour_engine_new(&base, &d->engine);
    d->sorter = (struct flow_sorter){.v4 = flow_batch_new(4), .sink = take_flows, .context = d};
    return r || !d->sorter.v4 ? FAULT(f, -ENOMEM, no_memory, "detect") : 0;
}

static void release(struct behaving *d)
{
    behaviour_engine_free(d->engine);
    behaviour_alerts_free(d->alerts);
    flow_sorter_fini(&d->sorter);
    if (d->decoders)
        line_decoders_free(d->decoders);
    if (d->names)
        event_names_free(d->names);
    if (d->space)
        space_close(d->space);
    buf_fini(&d->out);
    config_free(d->config);
}

/* say_account - on standard error: what was looked at, what found, whose machines count as ours, what was left out. */
static void say_account(struct behaving *d)
{
    struct behaviour_alert_counters k;
    uint64_t late = 0, evicted = 0;
    behaviour_alerts_count(d->alerts, &k);
    for (size_t i = 0; behaviour_detectors[i]; i++) {
        struct behaviour_counters c;
        behaviour_count(d->engine, i, &c);
        late = c.late > late ? c.late : late;
        evicted += c.evicted;
    }
    SAY(stderr, detect_behaviour_account, message_count(d->n_flows), message_count(d->n_events), message_count(k.n_open));
    if (!d->space)
        SAY(stderr, detect_behaviour_no_space);
    if (late)
        SAY(stderr, detect_behaviour_late, message_count(late));
    if (k.excepted)
        SAY(stderr, detect_behaviour_excepted, message_count(k.excepted));
    if (evicted || k.lost)
        SAY(stderr, detect_behaviour_evicted, message_count(evicted), message_count(k.lost));
    if (d->n_refused)
        SAY(stderr, detect_refused, message_count(d->n_refused));
}

int cli_detect_behaviour(const struct cli_args *a)
{
    struct behaving d = {.args = a, .data_dir = a->data_dir, .out = {.max = 1 << 20}};
    struct fault f = {0};
    const char *named = a->value[CLI_INPUT_FORMAT];
    enum import_format flows;
    enum log_format logs;
    if (cli_format(a, &d.format) || cli_window(a, &d.since_us, &d.until_us))
        return EXIT_FAILED;
    if (named && import_format_parse(named, &flows) && log_format_parse(named, &logs)) {
        SAY(stderr, cli_bad_format, named,
            "auto, pcap, exports, binetflow, nfdump-csv, csv, evtx, winxml, json, eve, zeek, syslog, access, cef, leef, w3c, text");
        return EXIT_FAILED;
    }
    int r = prepare(&d, &f);
    if (r) {
        release(&d);
        return cli_fail(&f);
    }
    for (size_t i = 0; i < a->n_operands; i++)
        read_file(&d, a->operands[i]);
    if (!a->n_operands)
        read_store(&d);
    if (behaviour_flush(d.engine, INT64_MAX)) {
        SAY(stderr, no_memory, "detect");
        d.has_failed = true;
    }
    d.has_failed |= put_all(&d) != 0;
    say_account(&d);
    int status = d.has_failed ? EXIT_FAILED : d.n_refused ? EXIT_REFUSED : EXIT_DONE;
    release(&d);
    return status;
}
