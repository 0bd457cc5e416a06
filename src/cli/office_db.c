/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/office.h"
#include "cli/owner.h"
#include "state/state.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_who(struct office *o)
{
    const struct passwd *p = getpwuid(getuid());
    snprintf(o->who, sizeof(o->who), "cli:%.60s (uid %u)", p ? p->pw_name : "?", (unsigned)getuid());
}

int office_open(const struct cli_args *a, bool may_create, struct office *o)
{
    *o = (struct office){.now_us = clock_now_us()};
    set_who(o);
    int r = roles_load(NULL, &o->roles, &o->fault);
    const char *data_dir = cli_become_owner(a->data_dir);
    r = r ? r : state_open(data_dir, 1, may_create, &o->pool, &o->fault);
    if (!r)
        return 0;
    office_close(o);
    return cli_fail(&o->fault);
}

void office_close(struct office *o)
{
    db_pool_close(o->pool);
    free(o->roles);
    arena_fini(&o->arena);
    o->pool = NULL;
    o->roles = NULL;
}

void office_begin(struct office *o)
{
    o->db = db_write(o->pool);
}

static void say_condition(int r)
{
    switch ((enum person_condition)r) {
    case PERSON_BAD_LOGIN: SAY(stderr, person_bad_login, (unsigned)PERSON_LOGIN_MAX); break;
    case PERSON_BAD_NAME: SAY(stderr, person_bad_name, (unsigned)PERSON_NAME_MAX); break;
    case PERSON_TAKEN: SAY(stderr, person_taken); break;
    case PERSON_NO_SUCH: SAY(stderr, person_no_such); break;
    case PERSON_CHANGED: SAY(stderr, person_changed); break;
    case PERSON_BAD_PERIOD: SAY(stderr, person_bad_period); break;
    case PERSON_BAD_TARGET: SAY(stderr, person_bad_target); break;
    case PERSON_NO_REASON: SAY(stderr, person_no_reason); break;
    case PERSON_LAST: SAY(stderr, person_last); break;
    case PERSON_DONE:
    default: break;
    }
}

int office_end(struct office *o, int r)
{
    int e = db_end(o->db, !r, &o->fault);
    o->db = NULL;
    if (e)
        return cli_fail(&o->fault);
    if (r)
        say_condition(r);
    return r ? EXIT_FAILED : EXIT_DONE;
}

const char *office_yes_no(enum cli_format format, bool is)
{
    return format != CLI_TABLE ? (is ? "true" : "false") : message_text(is ? MSG_user_yes : MSG_user_no);
}

static struct text text_of(const char *p)
{
    return (struct text){p ? p : "", p ? strlen(p) : 0};
}

void office_tell(struct office *o, const char *action, const char *kind, int64_t object, const char *why, const char *detail)
{
    const struct trail_entry e = {.at_us = o->now_us, .who = text_of(o->who), .action = text_of(action), .kind = text_of(kind),
        .object = object, .why = text_of(why), .detail = text_of(detail)};
    trail_add(o->db, &e);
}

int office_person(struct office *o, const char *login, struct person *ret)
{
    struct db *db = o->db ? o->db : db_read(o->pool);
    int r = person_get_by_login(db, text_of(login), &o->arena, ret);
    if (!o->db)
        db_end(db, false, NULL);
    if (r) {
        char shown[160];
        SAY(stderr, person_nobody, text_escape(login, strlen(login), shown, sizeof(shown)));
    }
    return r != 0;
}

int office_unit(struct office *o, const struct cli_args *a, int64_t *ret)
{
    const char *given = a->value[CLI_UNIT];
    uint64_t id = 0;
    char shown[200];
    *ret = 0;
    if (!given)
        return 0;
    bool is_number = !text_u64(text_of(given), INT64_MAX, &id);
    struct db *db = db_read(o->pool);
    /* system: the command line */
    struct db_statement *s = db_sql(db, "SELECT id FROM unit WHERE id = ?1 OR code = ?2 OR name = ?2 OR short_name = ?2"
                                        " ORDER BY id <> ?1 LIMIT 2");
    db_bind(s, 1, is_number ? (int64_t)id : 0);
    db_bind_str(s, 2, given);
    unsigned n = 0;
    while (db_next(s)) {
        int64_t found = db_int(s, 0);
        *ret = n ? *ret : found;
        n += !(n && is_number && *ret == (int64_t)id); /* an id is an id, whatever else is called so */
    }
    db_end(db, false, NULL);
    if (n != 1)
        SAY(stderr, person_bad_unit, text_escape(given, strlen(given), shown, sizeof(shown)), n);
    return n != 1;
}

const char *office_unit_name(struct office *o, int64_t unit)
{
    if (!unit)
        return "";
    struct db *db = o->db ? o->db : db_read(o->pool);
    struct db_statement *s = db_sql(db, "SELECT name FROM unit WHERE id = ?1"); /* system: the command line */
    db_bind(s, 1, unit);
    struct text name = db_next(s) ? db_text(s, 0) : TEXT("?");
    const char *kept = arena_text(&o->arena, name.p, name.n);
    db_reset(s);
    if (!o->db)
        db_end(db, false, NULL);
    return kept ? kept : "?";
}

int office_time(struct office *o, const struct cli_args *a, enum cli_option option, bool may_span, int64_t *ret)
{
    const char *given = a->value[option];
    int64_t span;
    if (!given)
        return 0;
    if (!clock_parse(given, strlen(given), ZONE_VIETNAM_S, ret))
        return 0;
    if (may_span && !clock_parse_span(given, &span) && span < GRANT_SPAN_MAX_US) {
        *ret = o->now_us + span;
        return 0;
    }
    SAY(stderr, person_bad_time, cli_option_names[option], given);
    return 1;
}
