/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac grant add | list | end: dated rights beside the tree, for vendors, helpers, inspectors.
 */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/office.h"
#include "cli/table.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 100 };

static struct text text_of(const char *p)
{
    return (struct text){p, strlen(p)};
}

/* read_object - --object KIND:ID. Return: 0, or 1 after saying what is wrong. */
static int read_object(struct office *o, const char *given, struct grant_target *ret)
{
    const char *colon = strchr(given, ':');
    uint64_t id = 0;
    if (!colon || text_u64(text_of(colon + 1), INT64_MAX, &id) || !id) {
        char shown[160];
        SAY(stderr, grant_bad_object, text_escape(given, strlen(given), shown, sizeof(shown)));
        return 1;
    }
    ret->kind = arena_text(&o->arena, given, (size_t)(colon - given));
    ret->object = (int64_t)id;
    return ret->kind == NULL;
}

static int read_grant(struct office *o, const struct cli_args *a, struct grant *g)
{
    struct person p;
    struct text wrong = {"", 0};
    if (office_person(o, a->operands[0], &p))
        return 1;
    g->person = p.id;
    g->reason = a->value[CLI_PURPOSE];
    if (permissions_parse(text_of(a->operands[1]), &g->permissions, &wrong)) {
        char shown[160], all[PERMISSIONS_TEXT_MAX];
        SAY(stderr, grant_bad_permission, text_escape(wrong.p, wrong.n, shown, sizeof(shown)), permissions_format(PERMISSION_ALL, all));
        return 1;
    }
    if (a->value[CLI_OBJECT] ? read_object(o, a->value[CLI_OBJECT], g->targets) : office_unit(o, a, &g->targets->unit))
        return 1;
    g->targets->is_below = !a->value[CLI_ALONE];
    g->n_targets = 1;
    return office_time(o, a, CLI_FROM, false, &g->from_us) || office_time(o, a, CLI_TO, true, &g->to_us);
}

static void tell(struct office *o, const char *action, const struct grant *g, int64_t id, const char *why)
{
    char names[PERMISSIONS_TEXT_MAX], to[TIME_TEXT_MAX];
    clock_format_utc(g->to_us, to);
    permissions_format(g->permissions, names);
    json_t *d = json_pack("{s:I, s:s, s:s}", "person", (json_int_t)g->person, "permissions", names, "to", to);
    char *text = d ? json_dumps(d, JSON_COMPACT) : NULL;
    office_tell(o, action, "grant", id, why, text);
    free(text);
    json_decref(d);
}

int cli_grant_add(const struct cli_args *a)
{
    struct office o;
    struct grant_target target = {0};
    struct grant g = {.targets = &target};
    int64_t id = 0;
    if (office_open(a, false, &o))
        return EXIT_FAILED;
    int r = read_grant(&o, a, &g);
    if (!r) {
        office_begin(&o);
        r = grant_add(o.db, &g, o.now_us, &id);
        if (!r)
            tell(&o, "grant.add", &g, id, g.reason);
        r = office_end(&o, r);
    }
    if (!r)
        SAY(stdout, grant_added, (long long)id);
    office_close(&o);
    return r;
}

static const struct table_column GRANTS[] = {
    {"id", MSG_col_id, true, false}, {"login", MSG_col_login, false, false}, {"permissions", MSG_col_permissions, false, true},
    {"over", MSG_col_over, false, true}, {"from", MSG_col_valid_from, false, false}, {"to", MSG_col_valid_to, false, false},
    {"is_in_force", MSG_col_in_force, false, false}, {"reason", MSG_col_reason, false, true},
};

static void put_targets(struct office *o, struct table *t, const struct grant *g)
{
    struct buf b = {.max = 16384};
    for (size_t i = 0; i < g->n_targets; i++) {
        const struct grant_target *x = &g->targets[i];
        buf_add_text(&b, i ? "; " : "");
        if (x->unit)
            buf_printf(&b, "%s%s", office_unit_name(o, x->unit), x->is_below ? " +" : "");
        else
            buf_printf(&b, "%s:%lld", x->kind, (long long)x->object);
    }
    table_text(t, (struct text){b.p ? (const char *)b.p : "", b.n});
    buf_fini(&b);
}

static void put_grant(struct office *o, struct table *t, const struct grant *g)
{
    char names[PERMISSIONS_TEXT_MAX];
    struct person p = {.login = "?"};
    int64_t to_us = g->ended_us ? g->ended_us : g->to_us;
    bool is_in_force = g->from_us <= o->now_us && o->now_us < to_us;
    struct db *db = db_read(o->pool);
    (void)person_get(db, g->person, &o->arena, &p);
    db_end(db, false, NULL);
    table_number(t, (uint64_t)g->id);
    table_text(t, text_of(p.login));
    table_text(t, text_of(permissions_format(g->permissions, names)));
    put_targets(o, t, g);
    table_time(t, g->from_us, true);
    table_time(t, to_us, true);
    table_text(t, text_of(office_yes_no(t->format, is_in_force)));
    table_text(t, text_of(g->reason));
}

int cli_grant_list(const struct cli_args *a)
{
    struct office o;
    struct table t;
    struct person p = {0};
    struct grant g[PAGE];
    enum cli_format format;
    int64_t before = 0;
    int n = 0, r = 0;
    if (cli_format(a, &format) || office_open(a, false, &o))
        return EXIT_FAILED;
    if (a->n_operands && office_person(&o, a->operands[0], &p)) {
        office_close(&o);
        return EXIT_FAILED;
    }
    table_begin(&t, format, GRANTS, 8);
    do {
        struct db *db = db_read(o.pool);
        n = grant_each(db, p.id, before, PAGE, &o.arena, g);
        r = db_end(db, false, &o.fault);
        for (int i = 0; i < n && !r; i++)
            put_grant(&o, &t, &g[i]);
        before = n > 0 ? g[n - 1].id : 0;
        arena_fini(&o.arena);
    } while (n == PAGE && !r);
    r |= table_end(&t) | (n < 0);
    office_close(&o);
    return r ? EXIT_FAILED : EXIT_DONE;
}

int cli_grant_end(const struct cli_args *a)
{
    struct office o;
    struct grant g;
    uint64_t id = 0;
    if (text_u64(text_of(a->operands[0]), INT64_MAX, &id)) {
        SAY(stderr, person_no_such);
        return EXIT_FAILED;
    }
    if (office_open(a, false, &o))
        return EXIT_FAILED;
    office_begin(&o);
    int r = grant_get(o.db, (int64_t)id, &o.arena, &g);
    r = r ? r : grant_end(o.db, g.id, 0, o.now_us);
    if (!r)
        tell(&o, "grant.end", &g, g.id, a->value[CLI_PURPOSE]);
    r = office_end(&o, r);
    office_close(&o);
    return r;
}
