/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac user ...: the people of the office from the command line, also while it runs and when nobody can log in any more.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/office.h"
#include "cli/table.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 200 };

static struct text text_of(const char *p)
{
    return (struct text){p, strlen(p)};
}

static const struct table_column FIRST[] = {
    {"id", MSG_col_id, true, false}, {"login", MSG_col_login, false, false}, {"first_password", MSG_col_first_password, false, false},
    {"until", MSG_col_until, false, false},
};

/* show_first - the one time the password is seen. */
static int show_first(enum cli_format format, int64_t id, const char *login, struct password_first *first, int64_t now_us)
{
    struct table t;
    table_begin(&t, format, FIRST, 4);
    table_number(&t, (uint64_t)id);
    table_text(&t, text_of(login));
    table_text(&t, text_of(first->text));
    table_time(&t, now_us + PASSWORD_FIRST_DAYS * US_PER_DAY, first->text[0] != '\0');
    int r = table_end(&t);
    if (first->text[0])
        SAY(stderr, user_first_password);
    password_wipe(first);
    return r;
}

static int make_first(struct password_first *first)
{
    int r = password_first(first);
    if (r)
        SAY(stderr, no_memory, "argon2id");
    return r;
}

/* --- add, bind --------------------------------------------------------------------------------------------------- */

static char *detail_of(const char *name, const char *value, const char *other, const char *other_value)
{
    json_t *o = json_object();
    if (value)
        (void)json_object_set_new(o, name, json_string(value));
    if (other && other_value)
        (void)json_object_set_new(o, other, json_string(other_value));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static void tell(struct office *o, const struct cli_args *a, const char *action, const char *kind, int64_t id, const char *login,
                 const char *role)
{
    char *detail = detail_of("login", login, "role", role);
    office_tell(o, action, kind, id, a->value[CLI_PURPOSE], detail);
    free(detail);
}

static int add_binding(struct office *o, const struct cli_args *a, int64_t person, const char *login, const char *role, int64_t unit,
                       int64_t to_us)
{
    const struct binding b = {.person = person, .role = role, .unit = unit, .is_below = !a->value[CLI_ALONE], .to_us = to_us};
    int64_t id = 0;
    int r = binding_add(o->db, o->roles, &b, o->now_us, &id);
    if (!r)
        tell(o, a, "binding.add", "binding", id, login, role);
    return r;
}

static int add_person(struct office *o, const struct cli_args *a, const struct person *p, const struct password_first *first,
                      int64_t *ret_id)
{
    const char *role = a->value[CLI_ROLE];
    int64_t to_us = 0;
    if (office_time(o, a, CLI_TO, true, &to_us))
        return EXIT_FAILED;
    office_begin(o);
    int r = person_add(o->db, p, p->is_connector ? NULL : first, o->now_us, ret_id);
    if (!r)
        tell(o, a, "person.add", "person", *ret_id, p->login, NULL);
    if (!r && role)
        r = add_binding(o, a, *ret_id, p->login, role, p->unit, to_us);
    return office_end(o, r);
}

int cli_user_add(const struct cli_args *a)
{
    struct office o;
    struct password_first first = {0};
    struct person p = {.login = a->operands[0], .name = a->value[CLI_NAME] ? a->value[CLI_NAME] : a->operands[0],
        .email = a->value[CLI_EMAIL], .phone = a->value[CLI_PHONE], .is_connector = a->value[CLI_CONNECTOR] != NULL};
    enum cli_format format;
    int64_t id = 0;
    if (cli_format(a, &format) || office_open(a, true, &o))
        return EXIT_FAILED;
    int r = office_unit(&o, a, &p.unit) || (!p.is_connector && make_first(&first)) ? EXIT_FAILED : add_person(&o, a, &p, &first, &id);
    if (!r && show_first(format, id, p.login, &first, o.now_us))
        r = EXIT_FAILED;
    office_close(&o);
    return r;
}

int cli_user_bind(const struct cli_args *a)
{
    struct office o;
    struct person p;
    int64_t unit, to_us = 0;
    if (office_open(a, false, &o))
        return EXIT_FAILED;
    int r = office_person(&o, a->operands[0], &p) || office_unit(&o, a, &unit) || office_time(&o, a, CLI_TO, true, &to_us);
    if (!r) {
        office_begin(&o);
        r = office_end(&o, add_binding(&o, a, p.id, p.login, a->operands[1], unit, to_us));
    }
    if (!r)
        SAY(stdout, user_bound, p.login, a->operands[1], unit ? office_unit_name(&o, unit) : message_text(MSG_user_whole_office));
    office_close(&o);
    return r;
}

int cli_user_unbind(const struct cli_args *a)
{
    struct office o;
    struct person p;
    struct binding b;
    uint64_t id = 0;
    if (text_u64(text_of(a->operands[1]), INT64_MAX, &id)) {
        SAY(stderr, person_no_such);
        return EXIT_FAILED;
    }
    if (office_open(a, false, &o))
        return EXIT_FAILED;
    int r = office_person(&o, a->operands[0], &p);
    if (!r) {
        office_begin(&o);
        r = binding_get(o.db, (int64_t)id, &o.arena, &b);
        r = r ? r : b.person != p.id ? PERSON_NO_SUCH : binding_end(o.db, o.roles, b.id, o.now_us);
        if (!r)
            tell(&o, a, "binding.end", "binding", b.id, p.login, b.role);
        r = office_end(&o, r);
    }
    office_close(&o);
    return r;
}

/* --- list, show -------------------------------------------------------------------------------------------------- */

static const struct table_column PEOPLE[] = {
    {"id", MSG_col_id, true, false}, {"login", MSG_col_login, false, false}, {"name", MSG_col_name, false, true},
    {"unit", MSG_col_unit, false, true}, {"state", MSG_col_state, false, false}, {"second_factor", MSG_col_second_factor, false, false},
    {"roles", MSG_col_roles, false, true}, {"last_login", MSG_col_last_login, false, false},
};

static const char *state_of(const struct person *p)
{
    return p->is_disabled ? "disabled" : p->is_connector ? "connector" : p->must_change_password ? "first_password" : "active";
}

static bool is_in_force(const struct binding *b, int64_t now_us)
{
    return !b->ended_us && b->from_us <= now_us && (!b->to_us || now_us < b->to_us);
}

/* roles_of - "analyst; auditor (Sở ...)". */
static void put_roles(struct office *o, struct table *t, int64_t person)
{
    struct buf text = {.max = 8192};
    struct binding b[PAGE];
    struct db *db = db_read(o->pool);
    int n = binding_each(db, person, 0, PAGE, &o->arena, b);
    db_end(db, false, NULL);
    for (int i = 0; i < n; i++) {
        if (!is_in_force(&b[i], o->now_us))
            continue;
        buf_printf(&text, "%s%s", text.n ? "; " : "", b[i].role);
        if (b[i].unit)
            buf_printf(&text, " (%s)", office_unit_name(o, b[i].unit));
    }
    table_text(t, (struct text){text.p ? (const char *)text.p : "", text.n});
    buf_fini(&text);
}

static void put_person(struct office *o, struct table *t, const struct person *p)
{
    table_number(t, (uint64_t)p->id);
    table_text(t, text_of(p->login));
    table_text(t, text_of(p->name));
    table_text(t, text_of(office_unit_name(o, p->unit)));
    table_text(t, text_of(t->format == CLI_TABLE ? message_find("user_state_", state_of(p)) : state_of(p)));
    table_text(t, text_of(p->has_totp ? "totp" : ""));
    put_roles(o, t, p->id);
    table_time(t, p->last_login_us, p->last_login_us != 0);
}

int cli_user_list(const struct cli_args *a)
{
    struct office o;
    struct table t;
    struct person p[PAGE];
    char after[PERSON_LOGIN_MAX + 1] = "";
    enum cli_format format;
    int n;
    if (cli_format(a, &format) || office_open(a, false, &o))
        return EXIT_FAILED;
    table_begin(&t, format, PEOPLE, 8);
    do {
        struct db *db = db_read(o.pool);
        n = person_each(db, true, after, PAGE, &o.arena, p);
        int r = db_end(db, false, &o.fault);
        n = r ? -1 : n;
        for (int i = 0; i < n; i++)
            put_person(&o, &t, &p[i]);
        if (n > 0)
            snprintf(after, sizeof(after), "%s", p[n - 1].login);
        arena_fini(&o.arena);
    } while (n == PAGE);
    int r = table_end(&t) || n < 0;
    if (n < 0)
        cli_fail(&o.fault);
    office_close(&o);
    return r ? EXIT_FAILED : EXIT_DONE;
}

static const struct table_column BINDINGS[] = {
    {"binding", MSG_col_id, true, false}, {"role", MSG_col_role, false, false}, {"unit", MSG_col_unit, false, true},
    {"is_below", MSG_col_below, false, false}, {"from", MSG_col_valid_from, false, false}, {"to", MSG_col_valid_to, false, false},
    {"is_in_force", MSG_col_in_force, false, false},
};

static int show_bindings(struct office *o, enum cli_format format, int64_t person)
{
    struct table t;
    struct binding b[PAGE];
    struct db *db = db_read(o->pool);
    int n = binding_each(db, person, 0, PAGE, &o->arena, b);
    db_end(db, false, NULL);
    table_begin(&t, format, BINDINGS, 7);
    for (int i = 0; i < n; i++) {
        int64_t to_us = b[i].ended_us ? b[i].ended_us : b[i].to_us;
        table_number(&t, (uint64_t)b[i].id);
        table_text(&t, text_of(b[i].role));
        const char *root = format == CLI_TABLE ? message_text(MSG_user_whole_office) : "";
        table_text(&t, text_of(b[i].unit ? office_unit_name(o, b[i].unit) : root));
        table_text(&t, text_of(office_yes_no(format, b[i].is_below)));
        table_time(&t, b[i].from_us, true);
        table_time(&t, to_us, to_us != 0);
        table_text(&t, text_of(office_yes_no(format, is_in_force(&b[i], o->now_us))));
    }
    return table_end(&t);
}

int cli_user_show(const struct cli_args *a)
{
    struct office o;
    struct person p;
    struct table t;
    enum cli_format format;
    if (cli_format(a, &format) || office_open(a, false, &o))
        return EXIT_FAILED;
    int r = office_person(&o, a->operands[0], &p);
    if (!r) {
        table_begin(&t, format, PEOPLE, 8);
        put_person(&o, &t, &p);
        r = table_end(&t);
    }
    if (!r && format != CLI_JSON)
        puts("");
    r = r ? r : show_bindings(&o, format, p.id);
    office_close(&o);
    return r ? EXIT_FAILED : EXIT_DONE;
}

/* --- disable, reset ---------------------------------------------------------------------------------------------- */

static int with_person(const struct cli_args *a, const char *action, int (*change)(struct office *o, struct person *p, void *context),
                       void *context)
{
    struct office o;
    struct person p;
    if (office_open(a, false, &o))
        return EXIT_FAILED;
    int r = office_person(&o, a->operands[0], &p);
    if (!r) {
        office_begin(&o);
        r = change(&o, &p, context);
        if (!r)
            tell(&o, a, action, "person", p.id, p.login, NULL);
        r = office_end(&o, r);
    }
    if (!r && context && show_first(CLI_TABLE, p.id, p.login, context, o.now_us))
        r = EXIT_FAILED;
    else if (!r && !context)
        SAY(stdout, user_done, p.login);
    office_close(&o);
    return r;
}

static int disable(struct office *o, struct person *p, void *context)
{
    (void)context;
    return person_disable(o->db, o->roles, p->id, true, o->now_us);
}

static int enable(struct office *o, struct person *p, void *context)
{
    (void)context;
    return person_disable(o->db, o->roles, p->id, false, o->now_us);
}

static int reset_totp(struct office *o, struct person *p, void *context)
{
    (void)context;
    return person_reset_totp(o->db, p->id, o->now_us);
}

static int reset_password(struct office *o, struct person *p, void *context)
{
    return person_reset_password(o->db, p->id, context, o->now_us);
}

static int unlock(struct office *o, struct person *p, void *context)
{
    (void)context;
    login_unlock(o->db, text_of(p->login));
    return db_failed(o->db);
}

int cli_user_disable(const struct cli_args *a)
{
    return with_person(a, "person.disable", disable, NULL);
}

int cli_user_enable(const struct cli_args *a)
{
    return with_person(a, "person.enable", enable, NULL);
}

int cli_user_reset_totp(const struct cli_args *a)
{
    return with_person(a, "person.totp_reset", reset_totp, NULL);
}

int cli_user_reset_password(const struct cli_args *a)
{
    struct password_first first = {0};
    return make_first(&first) ? EXIT_FAILED : with_person(a, "person.password_reset", reset_password, &first);
}

int cli_user_unlock(const struct cli_args *a)
{
    return with_person(a, "person.unlock", unlock, NULL);
}
