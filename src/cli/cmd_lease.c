/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac lease import | gather | status | purge: the records of who held which address.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/owner.h"
#include "cli/table.h"
#include "state/audit.h"
#include "watch/lease/read.h"
#include "watch/lease/formula.h"
#include "watch/lease/gateways.h"
#include "watch/lease/gather.h"
#include "watch/lease/retention.h"
#include "watch/lease/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_REFUSALS = 20 };
#define LOCK_WAIT_US (30 * US_PER_SECOND)

static struct text text_of(const char *s)
{
    return (struct text){s ? s : "", s ? strlen(s) : 0};
}

/* --- import ------------------------------------------------------------------------------------------------- */

struct importing {
    struct lease_import *import;
    struct fault fault;
    unsigned n_shown;
};

static int take_row(void *context, const struct lease_row *r)
{
    struct importing *x = context;
    return lease_import_row(x->import, r, &x->fault);
}

static void show_refused(void *context, uint64_t line, enum lease_refusal why, struct text value)
{
    struct importing *x = context;
    char escaped[120];
    if (++x->n_shown <= SHOWN_REFUSALS)
        SAY(stderr, lease_row_refused, (unsigned long long)line, text_escape(value.p, value.n, escaped, sizeof(escaped)),
            message_find("lease_refused_", lease_refusal_name(why)));
}

static uint64_t sum_refused(const struct lease_account *a)
{
    uint64_t n = 0;
    for (int i = 0; i < LEASE_N_REFUSALS; i++)
        n += a->refused[i];
    return n;
}

static void say_account(const char *name, const struct lease_account *a, const struct lease_import_result *r)
{
    SAY(stderr, lease_account, name, lease_format_name(a->format), message_count(a->read), message_count(a->kept),
        message_count(a->joined), message_count(a->other), message_count(sum_refused(a)));
    for (int i = 0; i < LEASE_N_REFUSALS; i++)
        if (a->refused[i])
            SAY(stderr, lease_account_refused, message_count(a->refused[i]),
                message_find("lease_refused_", lease_refusal_name((enum lease_refusal)i)));
    SAY(stderr, lease_stored, message_count(r->n_rows), message_count(r->n_doubled), message_count(a->n_open), message_count(a->n_unbegun));
    if (a->is_cut)
        SAY(stderr, lease_file_cut, name);
}

/* read_time - an option that is a time; @ret stays as it is without it. Return: 0 or 1 after saying what is wrong. */
static int read_time(const struct cli_args *a, enum cli_option option, int zone_s, int64_t *ret)
{
    const char *value = a->value[option];
    if (!value || !clock_parse_when(value, zone_s, clock_now_us(), ret))
        return 0;
    SAY(stderr, cli_bad_time, cli_option_names[option], value);
    return 1;
}

static int read_zone(const struct cli_args *a, int *ret_zone_s)
{
    *ret_zone_s = ZONE_VIETNAM_S;
    if (!a->value[CLI_ZONE] || !clock_parse_zone(a->value[CLI_ZONE], ret_zone_s))
        return 0;
    SAY(stderr, cli_bad_time, "zone", a->value[CLI_ZONE]);
    return 1;
}

static int read_import_options(const struct cli_args *a, struct lease_read_options *o)
{
    const char *format = a->value[CLI_FORMAT], *kind = a->value[CLI_KIND];
    *o = (struct lease_read_options){.at_us = LEASE_UNKNOWN, .kind = LEASE_N_KINDS, .gateway = text_of(a->value[CLI_GATEWAY]),
                                     .realm = text_of(a->value[CLI_REALM]), .row = take_row, .refused = show_refused};
    if (format && lease_format_parse(format, &o->format)) {
        SAY(stderr, cli_bad_format, format, "auto, csv, kea, windows-dhcp, isc, dnsmasq, detail, neighbours, formula");
        return 1;
    }
    if (kind && lease_kind_parse(kind, strlen(kind), &o->kind)) {
        SAY(stderr, cli_bad_format, kind, "nat_session, port_block, dhcp, radius, dot1x, vpn, neighbour, static, restart");
        return 1;
    }
    return read_zone(a, &o->zone_s) || read_time(a, CLI_AT, o->zone_s, &o->at_us);
}

/* import_fd - Return: exit status. */
static int import_fd(struct lease_store *s, struct lease_read_options *o, const struct cli_args *a, int fd, const char *name)
{
    struct importing x = {.n_shown = 0};
    struct lease_account account;
    struct lease_import_result result;
    struct sha256 content;
    struct fault f = {0};
    uint64_t n_bytes;
    int rc = sha256_of_fd(fd, &content, &n_bytes);
    if (!rc && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    if (rc) {
        SAY(stderr, store_read_failed, name, strerrordesc_np(-rc));
        return EXIT_FAILED;
    }
    rc = lease_import_begin(s, &content, name, a->value[CLI_AGAIN] != NULL, &x.import, &f);
    if (rc == LEASE_ALREADY_KEPT) {
        SAY(stderr, cli_fault, f.text);
        return EXIT_REFUSED;
    }
    if (rc)
        return cli_fail(&f);
    o->name = name;
    o->context = &x;
    rc = lease_read(fd, o, &account, &f);
    if (rc) {
        lease_import_abort(x.import);
        SAY(stderr, cli_fault, *x.fault.text ? x.fault.text : f.text);
        return rc == LEASE_READ_REFUSED ? EXIT_REFUSED : EXIT_FAILED;
    }
    rc = lease_import_commit(x.import, &result, &f);
    if (rc)
        return cli_fail(&f);
    say_account(name, &account, &result);
    return sum_refused(&account) || account.is_cut ? EXIT_REFUSED : EXIT_DONE;
}

/* import_formulas - configurations of deterministic gateways are no rows: they are kept as they are. */
static int import_formulas(const struct cli_args *a, const char *data_dir)
{
    int zone_s, status = EXIT_DONE;
    if (read_zone(a, &zone_s))
        return EXIT_FAILED;
    for (size_t i = 0; i < a->n_operands; i++) {
        struct fault f = {0};
        uint8_t *p = NULL;
        size_t n = 0;
        uint32_t n_rows = 0;
        _cleanup_close_ int fd = cli_open(a->operands[i]);
        if (fd < 0)
            return EXIT_FAILED;
        int rc = file_read_all(fd, FORMULAS_FILE_MAX, &p, &n);
        if (rc)
            (void)FAULT(&f, rc, store_read_failed, a->operands[i], strerrordesc_np(-rc));
        else
            rc = formulas_add(data_dir, (struct text){(const char *)p, n}, zone_s, &n_rows, &f);
        free(p);
        if (rc < 0)
            return cli_fail(&f);
        if (rc)
            SAY(stderr, list_file_fault, a->operands[i], f.text);
        else
            SAY(stderr, formula_kept, a->operands[i], message_count(n_rows));
        status = rc ? EXIT_REFUSED : status;
    }
    return status;
}

static int import_file(struct lease_store *s, struct lease_read_options *o, const struct cli_args *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_close_ int fd = cli_open(path);
    if (fd < 0)
        return EXIT_FAILED;
    if (lseek(fd, 0, SEEK_CUR) < 0) {
        SAY(stderr, lease_needs_file, path);
        return EXIT_FAILED;
    }
    return import_fd(s, o, a, fd, slash && slash[1] ? slash + 1 : path);
}

static int compact(struct lease_store *s)
{
    struct lease_compaction c;
    struct fault f = {0};
    return lease_store_compact(s, &c, &f) ? cli_fail(&f) : EXIT_DONE;
}

int cli_lease_import(const struct cli_args *a)
{
    struct lease_read_options o;
    struct lease_store *s;
    struct fault f = {0};
    int status = EXIT_DONE;
    const char *format = a->value[CLI_FORMAT], *data_dir;
    if (format && !strcmp(format, "formula"))
        return import_formulas(a, cli_become_owner(a->data_dir));
    if (read_import_options(a, &o))
        return EXIT_FAILED;
    data_dir = cli_become_owner(a->data_dir);
    if (lease_store_open(data_dir, &(struct lease_store_options){.wait_us = LOCK_WAIT_US}, &s, &f))
        return cli_fail(&f);
    for (size_t i = 0; i < a->n_operands; i++) {
        int one = import_file(s, &o, a, a->operands[i]);
        if (one == EXIT_FAILED || !status)
            status = one;
    }
    int merged = compact(s);
    lease_store_close(s);
    return status ? status : merged;
}

int cli_lease_gather(const struct cli_args *a)
{
    struct lease_gathered g;
    struct fault f = {0};
    int rc = lease_gather(cli_become_owner(a->data_dir), NULL, &g, &f);
    if (rc)
        return cli_fail(&f);
    SAY(stderr, lease_gathered, message_count(g.n_segments), message_count(g.n_events + g.n_flows), message_count(g.n_rows),
        message_count(g.n_joined), message_count(g.n_refused));
    return g.n_refused ? EXIT_REFUSED : EXIT_DONE;
}

/* --- status ---------------------------------------------------------------------------------------------------- */

static const struct table_column day_columns[] = {
    {"gateway", MSG_col_lease_gateway, false, true}, {"day", MSG_col_lease_day, false, false},
    {"heard", MSG_col_lease_heard, true, false},     {"hours", MSG_col_lease_hours, true, false},
    {"gap", MSG_col_lease_gap, false, false},        {"restarts", MSG_col_lease_restarts, true, false},
    {"clock_off_s", MSG_col_lease_clock, false, false},
};

static uint64_t restarts_between(const struct lease_gateway *g, int64_t from_us, int64_t until_us)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < g->n_restarts; i++)
        n += g->restarts_us[i] >= from_us && g->restarts_us[i] < until_us;
    return n;
}

/* put_clock - the greatest error of its clock measured in these hours, as it goes wrong: +: ahead. Empty: none was measured. */
static void put_clock(struct table *t, const struct lease_gateway *g, int64_t from_us, int64_t until_us)
{
    const int64_t hour_us = 3600 * US_PER_SECOND;
    int64_t most = 0;
    bool has = false;
    char text[32] = "";
    for (uint32_t i = 0; i < g->n_clocks; i++) {
        int64_t at_us = g->clocks[i].hour * hour_us, us = g->clocks[i].us;
        if (at_us < from_us || at_us >= until_us)
            continue;
        most = !has || llabs(us) > llabs(most) ? us : most;
        has = true;
    }
    int n = has ? snprintf(text, sizeof(text), "%+.1f", (double)-most / 1e6) : 0;
    table_text(t, (struct text){text, (size_t)n});
}

/* put_days - a row for every local day from the first to the last on which the gateway was heard; days of silence too. */
static void put_days(struct table *t, const struct lease_gateway *g)
{
    const int64_t zone_us = ZONE_VIETNAM_S * US_PER_SECOND, hour_us = 3600 * US_PER_SECOND;
    if (!g->n_hours)
        return;
    int64_t first = (g->hours[0] * hour_us + zone_us) / US_PER_DAY, last = (g->hours[g->n_hours - 1] * hour_us + zone_us) / US_PER_DAY;
    uint32_t at = 0;
    for (int64_t day = first; day <= last; day++) {
        int64_t from_us = day * US_PER_DAY - zone_us, until_us = from_us + US_PER_DAY;
        uint64_t n = 0, n_hours = 0;
        char text[16];
        for (; at < g->n_hours && g->hours[at] * hour_us < until_us; at++, n_hours++)
            n += g->counts[at];
        struct civil c = clock_civil(from_us, ZONE_VIETNAM_S);
        int length = snprintf(text, sizeof(text), "%04d-%02d-%02d", c.year, c.month, c.day);
        table_text(t, g->name);
        table_text(t, (struct text){text, (size_t)length});
        table_number(t, n);
        table_number(t, n_hours);
        table_text(t, gateway_has_gap(g, from_us, until_us - 1) ? text_of(message_text(MSG_lease_gap)) : text_of(""));
        table_number(t, restarts_between(g, from_us, until_us));
        put_clock(t, g, from_us, until_us);
    }
}

int cli_lease_status(const struct cli_args *a)
{
    struct lease_view *v;
    struct gateways g;
    struct table t;
    struct fault f = {0};
    enum cli_format format;
    const char *why = NULL;
    if (cli_format(a, &format))
        return EXIT_FAILED;
    struct lease_fresh fresh;
    int rc = lease_view_open_fresh(a->data_dir, &v, &fresh, &f);
    if (rc == LEASE_EMPTY)
        (void)FAULT(&f, rc, lease_none_yet, a->data_dir);
    if (rc)
        return cli_fail(&f);
    rc = gateways_init(&g, v);
    if (rc) {
        lease_view_close(v);
        (void)FAULT(&f, rc, store_read_failed, "leases", strerrordesc_np(-rc));
        return cli_fail(&f);
    }
    table_begin(&t, format, day_columns, sizeof(day_columns) / sizeof(*day_columns));
    for (size_t i = 0; i < g.n; i++)
        put_days(&t, &g.all[i]);
    int status = table_end(&t) ? EXIT_FAILED : EXIT_DONE;
    SAY(stderr, lease_status_sum, message_count(lease_view_n_rows(v)), message_count(lease_view_n_segments(v)), message_count(g.n));
    if (lease_view_n_damaged(v, &why)) {
        SAY(stderr, cli_fault, why);
        status = EXIT_REFUSED;
    }
    gateways_fini(&g);
    lease_view_close(v);
    return status;
}

/* --- purge ------------------------------------------------------------------------------------------------------ */

/* is_allowed - nothing that must be kept: the node's configuration says how long. */
static bool is_allowed(const char *data_dir, int64_t before_us)
{
    struct lease_retention keep;
    struct fault f = {0};
    char least[TIME_TEXT_MAX];
    if (lease_retention_load(data_dir, &keep, &f)) {
        (void)cli_fail(&f);
        return false;
    }
    int64_t latest_us = clock_now_us() - keep.keep_at_least_us;
    if (!keep.keep_at_least_us || before_us <= latest_us)
        return true;
    clock_format_utc(latest_us, least);
    SAY(stderr, lease_must_be_kept, least);
    return false;
}

int cli_lease_purge(const struct cli_args *a)
{
    struct lease_compaction c;
    struct lease_proof proof;
    struct fault f = {0};
    int64_t before_us = LEASE_UNKNOWN;
    int zone_s;
    char when[TIME_TEXT_MAX], result[128];
    if (read_zone(a, &zone_s) || read_time(a, CLI_UNTIL, zone_s, &before_us))
        return EXIT_FAILED;
    if (before_us == LEASE_UNKNOWN) {
        SAY(stderr, lease_needs_until);
        return EXIT_FAILED;
    }
    const char *data_dir = cli_become_owner(a->data_dir);
    if (!is_allowed(data_dir, before_us))
        return EXIT_FAILED;
    int rc = lease_purge(data_dir, before_us, LOCK_WAIT_US, &c, &proof, &f);
    if (rc == LEASE_EMPTY)
        (void)FAULT(&f, rc, lease_none_yet, data_dir);
    if (rc)
        return cli_fail(&f);
    clock_format_utc(before_us, when);
    snprintf(result, sizeof(result), "%llu rows purged, %llu left of before, %llu names without a row",
             (unsigned long long)c.n_purged, (unsigned long long)proof.n_older, (unsigned long long)proof.n_unused_texts);
    const struct audit_entry entry = {.action = "lease.purge", .object = when, .why = a->value[CLI_PURPOSE], .result = result};
    rc = audit_add(data_dir, &entry, &f);
    SAY(stdout, lease_purged, message_count(c.n_purged), when, message_count(proof.n_older), message_count(proof.n_rows),
        message_count(proof.n_unused_texts));
    return rc ? cli_fail(&f) : proof.n_older || proof.n_unused_texts ? EXIT_FAILED : EXIT_DONE;
}
