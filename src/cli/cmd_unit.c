/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac unit import | export | show, prefix import | publish, machine import: the desk of units and that of machines without a console.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/office.h"
#include "cli/owner.h"
#include "cli/table.h"
#include "desk/asset/asset.h"
#include "desk/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct desk {
    struct office office;
    struct unit_words *words;
};

static struct text text_of(const char *p)
{
    return (struct text){p ? p : "", p ? strlen(p) : 0};
}

/* desk_open - the state with the tables of units and machines. Return: 0, or 1 after saying why not. */
static int desk_open(const struct cli_args *a, bool may_create, struct desk *d)
{
    static const struct db_migrations *const rooms[] = {&unit_migrations, &asset_migrations};
    struct fault *f = &d->office.fault;
    *d = (struct desk){0};
    if (unit_words_load(&d->words, f)) /* before another user's rights */
        return cli_fail(f);
    if (office_open(a, may_create, &d->office)) {
        unit_words_free(d->words);
        return EXIT_FAILED;
    }
    if (!db_migrate(d->office.pool, rooms, 2, f) && !trail_watch(d->office.pool, unit_kinds, unit_n_kinds, f) &&
        !trail_watch(d->office.pool, asset_kinds, asset_n_kinds, f))
        return 0;
    cli_fail(f);
    office_close(&d->office);
    unit_words_free(d->words);
    return EXIT_FAILED;
}

static void desk_close(struct desk *d)
{
    office_close(&d->office);
    unit_words_free(d->words);
}

static struct unit_actor actor_of(const struct desk *d)
{
    return (struct unit_actor){.who = text_of(d->office.who), .now_us = d->office.now_us};
}

/* --- import ------------------------------------------------------------------------------------------------------ */

typedef int import_run(struct desk *d, const struct cli_args *a, struct text source, const uint8_t *p, size_t n,
                       struct table_report *report);

static int run_units(struct desk *d, const struct cli_args *a, struct text source, const uint8_t *p, size_t n, struct table_report *report)
{
    const struct unit_import o = {.words = d->words, .by = actor_of(d), .source = source, .is_whole = a->value[CLI_WHOLE]};
    return unit_import(d->office.db, p, n, &o, report, &d->office.fault);
}

static int run_prefixes(struct desk *d, const struct cli_args *a, struct text source, const uint8_t *p, size_t n,
                        struct table_report *report)
{
    const struct unit_import o = {.words = d->words, .by = actor_of(d), .source = source, .is_whole = a->value[CLI_WHOLE]};
    return owned_import_rows(d->office.db, p, n, &o, report, &d->office.fault);
}

static int run_machines(struct desk *d, const struct cli_args *a, struct text source, const uint8_t *p, size_t n,
                        struct table_report *report)
{
    const char *kind = a->value[CLI_KIND];
    struct machine_import o = {.words = d->words, .by = actor_of(d), .source = source, .is_whole = a->value[CLI_WHOLE],
                               .from = kind && !strcmp(kind, "antivirus") ? MACHINE_BY_ANTIVIRUS : MACHINE_BY_INVENTORY};
    if (kind && strcmp(kind, "antivirus") != 0 && strcmp(kind, "inventory") != 0) {
        SAY(stderr, cli_bad_format, kind, "inventory, antivirus");
        return -EINVAL;
    }
    struct db *db = d->office.db;
    struct unit_found found = {0};
    struct text unit = text_of(a->value[CLI_UNIT]);
    if (unit.n && (unit_resolve(db, d->words, unit, d->office.now_us, &found) || !found.unit)) {
        char shown[200];
        SAY(stderr, person_bad_unit, text_escape(unit.p, unit.n, shown, sizeof(shown)), found.n);
        return -EINVAL;
    }
    o.unit = found.unit;
    return machine_import(db, p, n, &o, report, &d->office.fault);
}

static void say_report(const char *file, const struct table_report *r)
{
    enum { SHOWN = 20 };
    char value[120];
    for (size_t i = 0; i < r->n_shown && i < SHOWN; i++) {
        const struct table_refused *f = &r->shown[i];
        SAY(stderr, unit_row_refused, file, (unsigned long long)f->line, f->column,
            message_find("table_refused_", table_refusal_name(f->why)), text_escape(f->value.p, f->value.n, value, sizeof(value)));
    }
    SAY(stderr, unit_account, file, message_count(r->n_rows), message_count(r->n_kept), message_count(r->n_new),
        message_count(r->n_changed),
        message_count(r->n_refused), message_count(r->n_queued));
}

/* import_one - Return: exit status. */
static int import_one(struct desk *d, const struct cli_args *a, const char *file, int fd, const char *action, import_run *run)
{
    uint8_t *p = NULL;
    size_t n = 0;
    struct office *o = &d->office;
    const char *slash = strrchr(file, '/'), *source = slash ? slash + 1 : file;
    int r = file_read_all(fd, TABLE_FILE_BYTES, &p, &n);
    struct table_report *report = r ? NULL : table_report_new();
    if (!report) {
        SAY(stderr, cli_cannot_read, file, strerrordesc_np(r ? -r : ENOMEM));
        free(p);
        return EXIT_FAILED;
    }
    o->fault.text[0] = '\0';
    office_begin(o);
    r = run(d, a, text_of(source), p, n, report);
    if (!r)
        office_tell(o, action, "", 0, a->value[CLI_PURPOSE], NULL);
    say_report(file, report);
    if (r && o->fault.text[0])
        SAY(stderr, cli_fault, o->fault.text);
    if (r == UNIT_IMPORT_REFUSED)
        SAY(stderr, unit_file_refused, file);
    struct fault ended = {0};
    int e = db_end(o->db, !r, &ended);
    o->db = NULL;
    if (e)
        cli_fail(&ended);
    bool has_refused = report->n_refused || report->n_warned;
    table_report_free(report);
    free(p);
    return r || e ? EXIT_FAILED : has_refused ? EXIT_REFUSED : EXIT_DONE;
}

static int import_all(const struct cli_args *a, const char *action, import_run *run)
{
    struct desk d;
    int status = EXIT_DONE;
    int *fds = calloc(a->n_operands, sizeof(*fds)); /* opened before rights are given up */
    if (!fds)
        return EXIT_FAILED;
    for (unsigned i = 0; i < a->n_operands; i++)
        fds[i] = cli_open(a->operands[i]);
    bool is_open = !desk_open(a, true, &d);
    for (unsigned i = 0; i < a->n_operands; i++) {
        int one = fds[i] < 0 || !is_open ? EXIT_FAILED : import_one(&d, a, a->operands[i], fds[i], action, run);
        status = one == EXIT_FAILED || status == EXIT_FAILED ? EXIT_FAILED : one == EXIT_REFUSED ? one : status;
        file_close(&fds[i]);
    }
    if (is_open)
        desk_close(&d);
    free(fds);
    return status;
}

int cli_unit_import(const struct cli_args *a)
{
    return import_all(a, "unit.import", run_units);
}

int cli_prefix_import(const struct cli_args *a)
{
    return import_all(a, "prefix.import", run_prefixes);
}

int cli_machine_import(const struct cli_args *a)
{
    return import_all(a, "machine.import", run_machines);
}

int cli_prefix_publish(const struct cli_args *a)
{
    struct desk d;
    struct fault f = {0};
    uint32_t version = 0;
    uint64_t n = 0;
    if (desk_open(a, false, &d))
        return EXIT_FAILED;
    struct office *o = &d.office;
    office_begin(o);
    int r = unit_publish_space(o->db, cli_become_owner(a->data_dir), &version, &n, &f);
    if (!r)
        office_tell(o, "space.publish", "", 0, a->value[CLI_PURPOSE], NULL);
    int e = db_end(o->db, !r, &f);
    o->db = NULL;
    if (r == 1)
        SAY(stderr, unit_no_prefix);
    else if (r || e)
        cli_fail(&f);
    else
        SAY(stderr, space_published, version, message_count(n));
    desk_close(&d);
    return r || e ? EXIT_FAILED : EXIT_DONE;
}

/* --- show -------------------------------------------------------------------------------------------------------- */

static const struct table_column columns[] = {
    {"match", MSG_col_match, false, false}, {"score", MSG_col_score, true, false},          {"code", MSG_col_code, false, false},
    {"name", MSG_col_name, false, true},    {"kind", MSG_col_kind, false, false},            {"valid_from", MSG_col_valid_from, false,
                                                                                              false},
    {"valid_to", MSG_col_valid_to, false, false}, {"today", MSG_col_today, false, true},
};

static void put_unit(struct table *t, struct desk *d, struct db *db, const char *match, unsigned score, int64_t id)
{
    struct unit u;
    char today[700] = "";
    int64_t after[8];
    struct arena *arena = &d->office.arena;
    if (unit_get(db, id, true, arena, &u))
        return;
    size_t n = unit_today(db, id, d->office.now_us, after, 8), at = 0;
    for (size_t i = 0; i < n && at < sizeof(today) - 320; i++) {
        struct unit one;
        if (after[i] != id && !unit_get(db, after[i], true, arena, &one))
            at += (size_t)snprintf(today + at, sizeof(today) - at, "%s%.300s", at ? "; " : "", one.form.name.p);
    }
    table_text(t, text_of(match));
    table_number(t, score);
    table_text(t, u.form.code);
    table_text(t, u.form.name);
    table_text(t, u.form.kind);
    table_time(t, u.form.from_us, u.form.from_us > 0);
    table_time(t, u.form.to_us, u.form.to_us != UNIT_FOREVER);
    table_text(t, text_of(today));
}

int cli_unit_show(const struct cli_args *a)
{
    static const char *const hows[] = {"name", "alias", "decision", "folded", "candidate"};
    struct desk d;
    struct table t;
    struct unit_found found;
    enum cli_format format;
    int64_t at_us = 0;
    if (cli_format(a, &format) || desk_open(a, false, &d))
        return EXIT_FAILED;
    at_us = d.office.now_us;
    int r = office_time(&d.office, a, CLI_AT, false, &at_us);
    struct db *db = db_read(d.office.pool);
    r = r ? r : unit_resolve(db, d.words, text_of(a->operands[0]), at_us, &found);
    if (!r) {
        table_begin(&t, format, columns, sizeof(columns) / sizeof(*columns));
        if (found.unit)
            put_unit(&t, &d, db, hows[found.how], 100, found.unit);
        for (unsigned i = 0; i < found.n; i++)
            put_unit(&t, &d, db, hows[UNIT_BY_NOTHING], found.candidates[i].score, found.candidates[i].unit);
        r = table_end(&t);
    }
    db_end(db, false, NULL);
    if (!r && !found.unit)
        SAY(stderr, unit_not_certain);
    desk_close(&d);
    return r ? EXIT_FAILED : found.unit ? EXIT_DONE : EXIT_REFUSED;
}

/* --- export ------------------------------------------------------------------------------------------------------ */

static const struct table_column export_columns[] = {
    {"code", MSG_col_code, false, false},   {"kind", MSG_col_kind, false, false},         {"name", MSG_col_name, false, true},
    {"short_name", MSG_col_name, false, true}, {"parent", MSG_col_parent, false, false}, {"valid_from", MSG_col_valid_from, false, false},
    {"valid_to", MSG_col_valid_to, false, false}, {"successors", MSG_col_today, false, true}, {"aliases", MSG_col_name, false, true},
    {"mark", MSG_col_source, false, false}, {"note", MSG_col_note, false, true},
};

static void put_version(void *context, const struct unit_version *v)
{
    struct table *t = context;
    const struct text cells[] = {v->code, v->kind, v->name, v->short_name, v->parent};
    for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
        table_text(t, cells[i]);
    table_time(t, v->from_us, v->from_us > 0);
    table_time(t, v->to_us, v->to_us != UNIT_FOREVER);
    table_text(t, v->successors);
    table_text(t, v->aliases);
    table_text(t, v->source);
    table_text(t, v->note);
}

int cli_unit_export(const struct cli_args *a)
{
    struct desk d;
    struct table t;
    enum cli_format format;
    if (cli_format(a, &format) || desk_open(a, false, &d))
        return EXIT_FAILED;
    struct db *db = db_read(d.office.pool);
    table_begin(&t, format, export_columns, sizeof(export_columns) / sizeof(*export_columns));
    unit_each_version(db, put_version, &t);
    int r = table_end(&t);
    int e = db_end(db, false, &d.office.fault);
    if (e)
        cli_fail(&d.office.fault);
    desk_close(&d);
    return r || e ? EXIT_FAILED : EXIT_DONE;
}
