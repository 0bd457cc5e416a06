/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/unit/desk_api.h"

#include "base/clock.h"
#include "desk/unit/row_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit_actor desk_actor(const struct web_request *q)
{
    return (struct unit_actor){.who = {q->who_name, strlen(q->who_name)}, .address = q->client, .now_us = q->now_us};
}

/* --- the address ------------------------------------------------------------------------------------------------- */

static bool bad_query(const struct web_request *q, struct web_reply *r, const char *name)
{
    web_problem(q, r, 400, "bad_query");
    web_detail(r, name);
    return false;
}

bool desk_query_number(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret)
{
    const char *value = web_query(q, name);
    uint64_t n;
    if (!value || !*value)
        return true;
    if (text_u64((struct text){value, strlen(value)}, INT64_MAX, &n))
        return bad_query(q, r, name);
    *ret = (int64_t)n;
    return true;
}

bool desk_query_time(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret)
{
    const char *value = web_query(q, name);
    return !value || !*value || !clock_parse(value, strlen(value), ZONE_VIETNAM_S, ret) || bad_query(q, r, name);
}

bool desk_query_choice(const struct web_request *q, struct web_reply *r, const char *name, const char *const *words, size_t n, int64_t *ret)
{
    const char *value = web_query(q, name);
    if (!value || !*value)
        return true;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(words[i], value)) {
            *ret = (int64_t)i;
            return true;
        }
    return bad_query(q, r, name);
}

struct text desk_filter(const struct web_request *q, const char *const *names, size_t n)
{
    struct buf b = {.max = 64 << 10};
    for (size_t i = 0; i < n; i++) {
        const char *value = web_query(q, names[i]);
        buf_printf(&b, "%s=%s;", names[i], value ? value : "");
    }
    char *p = b.is_bad ? NULL : arena_text(q->arena, (const char *)b.p, b.n);
    struct text t = {p ? p : "", p ? b.n : 0};
    buf_fini(&b);
    return t;
}

/* --- rights ------------------------------------------------------------------------------------------------------ */

bool desk_may(const struct web_request *q, enum permission permission, int64_t unit)
{
    return access_covers(q->view, q->who, UINT64_C(1) << permission, unit, unit == 0, q->now_us);
}

bool desk_may_import_unit(void *context, int64_t unit)
{
    return desk_may(context, PERMISSION_UNIT_WRITE, unit);
}

bool desk_may_import_machine(void *context, int64_t unit)
{
    return desk_may(context, PERMISSION_ASSET_WRITE, unit);
}

int desk_answer(const struct web_request *q, struct web_reply *r, int condition)
{
    switch (condition) {
    case UNIT_NO_SUCH:
        return web_not_found(q, r);
    case UNIT_CHANGED:
        return web_conflict(q, r);
    case UNIT_BAD_PERIOD:
        return web_problem(q, r, 422, "bad_period");
    case UNIT_CIRCLE:
        return web_problem(q, r, 422, "circle");
    case UNIT_SAME:
    case DB_CONFLICT:
        return web_problem(q, r, 409, "conflict");
    default:
        return condition;
    }
}

/* --- members ----------------------------------------------------------------------------------------------------- */

struct text desk_member_text(const struct web_request *q, const char *name, size_t max, struct text otherwise)
{
    return web_has_member(q, name) ? web_member_text(q, name, max, false) : otherwise;
}

int64_t desk_member_end(const struct web_request *q, const char *name, int64_t otherwise)
{
    if (!web_has_member(q, name))
        return otherwise;
    int64_t us = web_member_time(q, name, false);
    return us ? us : UNIT_FOREVER;
}

int64_t desk_member_from(const struct web_request *q, const char *name, int64_t otherwise)
{
    return web_has_member(q, name) ? web_member_time(q, name, false) : otherwise;
}


/* --- imports ----------------------------------------------------------------------------------------------------- */

static int add_refused(const struct web_request *q, json_t *all, const struct table_refused *f)
{
    static const enum message_id texts[TABLE_N_REFUSALS] = {
        [TABLE_REFUSED_MISSING] = MSG_table_refused_missing, [TABLE_REFUSED_TOO_LONG] = MSG_table_refused_too_long,
        [TABLE_REFUSED_BAD_TEXT] = MSG_table_refused_bad_text, [TABLE_REFUSED_BAD_TIME] = MSG_table_refused_bad_time,
        [TABLE_REFUSED_BAD_PERIOD] = MSG_table_refused_bad_period, [TABLE_REFUSED_BAD_NUMBER] = MSG_table_refused_bad_number,
        [TABLE_REFUSED_BAD_CHOICE] = MSG_table_refused_bad_choice, [TABLE_REFUSED_BAD_ADDRESS] = MSG_table_refused_bad_address,
        [TABLE_REFUSED_BAD_ROW] = MSG_table_refused_bad_row, [TABLE_REFUSED_UNKNOWN_UNIT] = MSG_table_refused_unknown_unit,
        [TABLE_REFUSED_UNKNOWN_PARENT] = MSG_table_refused_unknown_parent, [TABLE_REFUSED_DOUBLE] = MSG_table_refused_double,
        [TABLE_REFUSED_NOT_ALLOWED] = MSG_table_refused_not_allowed, [TABLE_REFUSED_CIRCLE] = MSG_table_refused_circle,
        [TABLE_REFUSED_NO_KEY] = MSG_table_refused_no_key, [TABLE_REFUSED_BAD_NAME] = MSG_table_refused_bad_name,
        [TABLE_REFUSED_TOO_MANY] = MSG_table_refused_too_many, [TABLE_REFUSED_UNKNOWN_SYSTEM] = MSG_table_refused_unknown_system};
    return json_array_append_new(all, json_pack("{s:I, s:s, s:s, s:s, s:o, s:b}", "row", (json_int_t)f->line, "column", f->column, "reason",
                                                table_refusal_name(f->why), "text", web_text(q, texts[f->why]), "value",
                                                web_string(f->value), "is_kept", (int)f->is_warning));
}

json_t *desk_report(const struct web_request *q, const struct table_report *t)
{
    json_t *refused = json_object(), *rows = json_array(), *headers = json_array();
    int r = !refused || !rows || !headers;
    for (int i = 0; i < TABLE_N_REFUSALS && !r; i++)
        if (t->refused[i])
            r = json_object_set_new(refused, table_refusal_name((enum table_refusal)i), json_integer((json_int_t)t->refused[i]));
    for (size_t i = 0; i < t->n_shown && !r; i++)
        r = add_refused(q, rows, &t->shown[i]);
    for (size_t i = 0; i < t->n_unknown && !r; i++)
        r = json_array_append_new(headers, web_string(t->unknown_headers[i]));
    json_t *o = r ? NULL
                  : json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O}", "rows", (json_int_t)t->n_rows, "kept",
                              (json_int_t)t->n_kept,
                              "new", (json_int_t)t->n_new, "changed", (json_int_t)t->n_changed, "same", (json_int_t)t->n_same, "queued",
                              (json_int_t)t->n_queued, "refused", (json_int_t)t->n_refused, "reasons", refused, "refused_rows", rows,
                              "unknown_columns", headers);
    json_decref(refused);
    json_decref(rows);
    json_decref(headers);
    return o;
}

static int refuse_file(const struct web_request *q, struct web_reply *reply, int r, const struct fault *f, json_t *account)
{
    web_problem(q, reply, 422, r == UNIT_IMPORT_REFUSED ? "file_refused" : "file_not_read");
    if (r != UNIT_IMPORT_REFUSED)
        web_detail(reply, f->text);
    if (account && reply->json)
        json_object_set(reply->json, "report", account);
    json_decref(account);
    return 0;
}

static int run_import(const struct web_request *q, struct web_reply *reply, struct db *db, const struct desk_importing *m, bool is_dry)
{
    struct fault f = {0};
    struct table_report *report = table_report_new();
    if (!report)
        return -ENOMEM;
    int r = m->run(q, db, report, &f);
    json_t *account = r == -ENOMEM ? NULL : desk_report(q, report);
    bool is_file = r == -EBADMSG || r == -EFBIG || r == -ETIMEDOUT || r == -ECHILD;
    if (account && !r)
        json_object_set_new(account, "is_dry_run", json_boolean(is_dry));
    if (!r && !is_dry)
        web_audit(q, m->action, 0, json_pack("{s:s, s:I, s:I}", "file", desk_source(q).p, "kept", (json_int_t)report->n_kept, "refused",
                                             (json_int_t)report->n_refused), TEXT(""));
    table_report_free(report);
    if (!r)
        return web_json(reply, 200, account);
    if (r > 0 || is_file)
        return refuse_file(q, reply, r, &f, account);
    json_decref(account);
    return r;
}

static int write_import(const struct web_request *q, struct web_reply *reply, void *context)
{
    return run_import(q, reply, q->db, context, false);
}

int desk_import(const struct web_request *q, struct web_reply *reply, const struct desk_importing *m)
{
    const char *dry = web_query(q, "dry_run");
    struct desk_importing copy = *m;
    if (!dry || strcmp(dry, "1"))
        return web_write(q, write_import, &copy);
    const struct access_scope scope = {q->view, q->who, m->permission, m->kind, q->now_us};
    struct db *db = db_write(web_pool(q->web));
    access_enter(db, &scope);
    int r = run_import(q, reply, db, m, true);
    struct fault f = {0};
    int ended = db_end(db, false, &f);
    return r ? r : ended < 0 ? ended : 0;
}

bool desk_is_whole(const struct web_request *q)
{
    const char *mode = web_query(q, "mode");
    return mode && !strcmp(mode, "whole");
}

struct text desk_source(const struct web_request *q)
{
    const char *name = web_query(q, "file_name");
    size_t n = name ? strlen(name) : 0;
    char out[160];
    text_escape(name ? name : "-", name ? n : 1, out, sizeof(out));
    const char *p = arena_text(q->arena, out, strlen(out));
    return p ? (struct text){p, strlen(p)} : TEXT("-");
}

struct text desk_ids(const struct web_request *q, const int64_t *ids, size_t n)
{
    size_t room = n * 21 + 3, at = 1;
    char *p = arena_alloc(q->arena, room);
    if (!p)
        return TEXT("[]");
    p[0] = '[';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(p + at, room - at, "%s%lld", i ? "," : "", (long long)ids[i]);
    p[at++] = ']';
    return (struct text){p, at};
}

struct text desk_units(const struct web_request *q, enum permission permission, bool *ret_wide)
{
    enum { NARROW_UNITS = 64 };
    int64_t *ids = NULL, *objects = NULL;
    size_t n = 0, n_objects = 0;
    bool is_all = false;
    *ret_wide = access_units(q->view, q->who, permission, q->now_us, q->arena, &ids, &n, &is_all) || is_all || n > NARROW_UNITS ||
               (n && !ids[0]) || /* nobody's objects have no unit that an index could be asked for */
                access_objects(q->view, q->who, permission, "machine", q->now_us, q->arena, &objects, &n_objects) || n_objects;
    return *ret_wide ? TEXT("[]") : desk_ids(q, ids, n);
}
