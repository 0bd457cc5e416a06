/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and the roles they have at units. Nobody gives what he has not himself, there and below; but the administrator of the whole
 * office puts others into any role: he sets the office up, and reads no subscriber and signs no report for it.
 */
#include "web/web_own.h"

#include "web/web_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BINDINGS_MAX = 200, REASON_MAX = 2000 };

static const char *const languages[] = {"vi", "en", NULL};

/* --- may he --------------------------------------------------------------------------------------------------------- */

bool web_covers(const struct web_request *q, uint64_t permissions, int64_t unit, bool is_below)
{
    return access_covers(q->view, q->who, permissions, unit, is_below, q->now_us);
}

/* may_give - a role's @permissions to @person, or take them from him */
static bool may_give(const struct web_request *q, uint64_t permissions, int64_t unit, bool is_below, int64_t person)
{
    uint64_t of_administrator = PERMISSION_BIT(USER_WRITE) | PERMISSION_BIT(GRANT_WRITE);
    return web_covers(q, permissions | PERMISSION_BIT(USER_WRITE), unit, is_below) ||
           (person != q->who->user && web_covers(q, of_administrator, 0, true));
}

bool web_controls(const struct web_request *q, struct web_reply *r, const struct person *p)
{
    struct binding all[BINDINGS_MAX];
    bool may = web_covers(q, PERMISSION_BIT(USER_WRITE), p->unit, false);
    int n = may ? binding_each(q->db, p->id, 0, BINDINGS_MAX, q->arena, all) : 0;
    for (int i = 0; may && i < n; i++) {
        const struct role *role = roles_find(q->web->roles, (struct text){all[i].role, strlen(all[i].role)});
        bool is_over = all[i].ended_us || (all[i].to_us && all[i].to_us <= q->now_us);
        may = is_over || may_give(q, role ? role->permissions : PERMISSION_ALL, all[i].unit, all[i].is_below, p->id);
    }
    if (!may || n < 0 || n == BINDINGS_MAX)
        web_problem(q, r, 403, "not_allowed");
    return may && n >= 0 && n < BINDINGS_MAX;
}

bool web_person(const struct web_request *q, struct web_reply *r, unsigned i, struct person *ret)
{
    int64_t id;
    if (!web_parameter_id(q, r, i, &id))
        return false;
    int e = person_get(q->db, id, q->arena, ret);
    const struct access_object o = {.unit = e ? 0 : ret->unit, .tlp = TLP_CLEAR, .kind = "person", .id = id};
    if (!e && (id == q->who->user || access_sees(q->view, q->who, PERMISSION_USER_READ, &o, q->now_us)))
        return true;
    web_not_found(q, r);
    return false;
}

int web_condition(const struct web_request *q, struct web_reply *r, int condition)
{
    switch (condition) {
    case PERSON_DONE: return 0;
    case PERSON_BAD_LOGIN: web_wrong(q, "/login", MSG_web_bad_login); break;
    case PERSON_BAD_NAME: web_wrong(q, "/name", MSG_web_needed); break;
    case PERSON_TAKEN: web_wrong(q, "/login", MSG_web_login_taken); break;
    case PERSON_BAD_PERIOD: web_wrong(q, "/to", MSG_web_bad_period); break;
    case PERSON_BAD_TARGET: web_wrong(q, "/targets", MSG_web_bad_target); break;
    case PERSON_NO_REASON: web_wrong(q, "/reason", MSG_web_needed); break;
    case PERSON_NO_SUCH: web_wrong(q, "", MSG_web_no_such); break;
    case PERSON_CHANGED: return web_conflict(q, r);
    case PERSON_LAST: return web_problem(q, r, 409, "last_administrator");
    case DB_CONFLICT: return web_problem(q, r, 409, "conflict");
    default: return condition < 0 ? condition : web_problem(q, r, 409, "conflict");
    }
    web_check(q, r);
    return 0;
}

/* --- users ---------------------------------------------------------------------------------------------------------------- */

static json_t *person_json(const struct web_request *q, const struct person *p)
{
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:b, s:b, s:b, s:o, s:o}", "id", (json_int_t)p->id, "version",
                     (json_int_t)p->version, "login", p->login, "name", p->name, "email", p->email, "phone", p->phone, "language",
                     p->language,
                     "unit", p->unit ? json_integer(p->unit) : json_null(), "unit_name", web_db_unit_name(q->db, p->unit, q->arena),
                     "is_disabled", (int)p->is_disabled, "is_connector", (int)p->is_connector, "must_change_password",
                     (int)p->must_change_password, "has_totp", (int)p->has_totp, "created_at", web_time(p->created_us), "last_login_at",
                     web_time(p->last_login_us));
}

static int get_users(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    struct person last, *all;
    if (!web_list_begin(q, r, TEXT(""), &l))
        return 0;
    all = arena_alloc(q->arena, (size_t)(l.limit + 1) * sizeof(*all));
    if (!all)
        return -ENOMEM;
    bool is_after = l.has_after && !person_get(q->db, l.after[0], q->arena, &last);
    int n = person_each(q->db, false, is_after ? last.login : NULL, (size_t)l.limit + 1, q->arena, all);
    for (int i = 0; i < n && web_list_add(&l, person_json(q, &all[i]), all[i].id, 0); i++)
        ;
    return n < 0 ? n : web_list_end(q, r, &l);
}

static int get_user(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    if (!web_person(q, r, 0, &p))
        return 0;
    r->version = p.version;
    return web_json(r, 200, person_json(q, &p));
}

struct new_person {
    struct person p;
    struct password_first first;
};

static int add_person(const struct web_request *q, struct web_reply *r, void *context)
{
    struct new_person *x = context;
    int64_t id;
    int e = person_add(q->db, &x->p, x->p.is_connector ? NULL : &x->first, q->now_us, &id);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "person.add", id, json_pack("{s:s, s:s}", "login", x->p.login, "name", x->p.name), (struct text){"", 0});
    e = person_get(q->db, id, q->arena, &x->p);
    if (e)
        return e < 0 ? e : -EIO;
    json_t *o = person_json(q, &x->p);
    if (o && !x->p.is_connector)
        json_object_set_new(o, "first_password", json_string(x->first.text));
    r->version = x->p.version;
    return web_json(r, 201, o);
}

static const char *kept(const struct web_request *q, struct text t)
{
    const char *p = arena_text(q->arena, t.p, t.n);
    return p ? p : "";
}

static int post_user(const struct web_request *q, struct web_reply *r)
{
    struct new_person x = {0};
    x.p.login = kept(q, web_member_text(q, "login", PERSON_LOGIN_MAX, true));
    x.p.name = kept(q, web_member_text(q, "name", PERSON_NAME_MAX, true));
    x.p.email = kept(q, web_member_text(q, "email", PERSON_CONTACT_MAX, false));
    x.p.phone = kept(q, web_member_text(q, "phone", PERSON_CONTACT_MAX, false));
    x.p.language = languages[web_member_choice(q, "language", languages, 0, false)];
    x.p.unit = web_member_int(q, "unit", 0, INT64_MAX, 0, false);
    x.p.is_connector = web_member_bool(q, "is_connector", false);
    if (!web_check(q, r))
        return 0;
    if (!web_covers(q, PERMISSION_BIT(USER_WRITE), x.p.unit, false))
        return web_problem(q, r, 403, "not_allowed");
    if (!x.p.is_connector && password_first(&x.first))
        return -ENOMEM;
    int e = web_write(q, add_person, &x);
    password_wipe(&x.first);
    return e;
}

static int patch_user(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    if (!web_person(q, r, 0, &p) || !web_controls(q, r, &p))
        return 0;
    if (web_has_member(q, "name"))
        p.name = kept(q, web_member_text(q, "name", PERSON_NAME_MAX, true));
    if (web_has_member(q, "email"))
        p.email = kept(q, web_member_text(q, "email", PERSON_CONTACT_MAX, false));
    if (web_has_member(q, "phone"))
        p.phone = kept(q, web_member_text(q, "phone", PERSON_CONTACT_MAX, false));
    if (web_has_member(q, "language"))
        p.language = languages[web_member_choice(q, "language", languages, 0, true)];
    if (web_has_member(q, "unit"))
        p.unit = web_member_int(q, "unit", 0, INT64_MAX, 0, false);
    if (!web_check(q, r))
        return 0;
    if (!web_covers(q, PERMISSION_BIT(USER_WRITE), p.unit, false)) /* where he goes to */
        return web_problem(q, r, 403, "not_allowed");
    p.version = q->version;
    int e = person_change(q->db, &p, q->now_us);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "person.change", p.id, json_incref(q->body), (struct text){"", 0});
    e = person_get(q->db, p.id, q->arena, &p);
    r->version = p.version;
    return e ? -EIO : web_json(r, 200, person_json(q, &p));
}

static int post_disable(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    bool is_disabled = web_member_bool(q, "is_disabled", true);
    struct text why = web_member_text(q, "reason", REASON_MAX, true);
    if (!web_check(q, r) || !web_person(q, r, 0, &p) || !web_controls(q, r, &p))
        return 0;
    int e = person_disable(q->db, q->web->roles, p.id, is_disabled, q->now_us);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, is_disabled ? "person.disable" : "person.enable", p.id, NULL, why);
    hub_recheck(q->web->hub);
    e = person_get(q->db, p.id, q->arena, &p);
    r->version = p.version;
    return e ? -EIO : web_json(r, 200, person_json(q, &p));
}

static int reset_password(const struct web_request *q, struct web_reply *r, void *context)
{
    const struct password_first *first = context;
    struct person p;
    if (!web_person(q, r, 0, &p) || !web_controls(q, r, &p))
        return 0;
    int e = p.is_connector ? PERSON_NO_SUCH : person_reset_password(q->db, p.id, first, q->now_us);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "person.reset_password", p.id, NULL, (struct text){"", 0});
    hub_recheck(q->web->hub);
    return web_json(r, 200, json_pack("{s:s}", "first_password", first->text));
}

static int post_reset_password(const struct web_request *q, struct web_reply *r)
{
    struct password_first first;
    (void)r;
    if (password_first(&first))
        return -ENOMEM;
    int e = web_write(q, reset_password, &first);
    password_wipe(&first);
    return e;
}

static int post_reset_totp(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    if (!web_person(q, r, 0, &p) || !web_controls(q, r, &p))
        return 0;
    int e = person_reset_totp(q->db, p.id, q->now_us);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "person.reset_totp", p.id, NULL, (struct text){"", 0});
    hub_recheck(q->web->hub);
    r->status = 204;
    return 0;
}

/* --- roles ------------------------------------------------------------------------------------------------------------------ */

static int get_roles(const struct web_request *q, struct web_reply *r)
{
    json_t *all = json_array();
    const struct roles *roles = q->web->roles;
    for (size_t i = 0; i < roles->n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "name", roles->role[i].name, "title", roles->role[i].title[q->language],
                                             "permissions", web_permissions_json(roles->role[i].permissions)));
    return web_json(r, 200, json_pack("{s:o, s:n}", "items", all, "next"));
}

static json_t *binding_json(const struct web_request *q, const struct binding *b)
{
    return json_pack("{s:I, s:I, s:I, s:s, s:o, s:s, s:b, s:o, s:o, s:o, s:s}", "id", (json_int_t)b->id, "version", (json_int_t)b->version,
                     "person", (json_int_t)b->person, "role", b->role, "unit", b->unit ? json_integer(b->unit) : json_null(), "unit_name",
                     web_db_unit_name(q->db, b->unit, q->arena), "is_below", (int)b->is_below, "from", web_time(b->from_us), "to",
                     web_time(b->to_us), "ended_at", web_time(b->ended_us), "by_name", web_db_person_name(q->db, b->by_person, q->arena));
}

static int get_bindings(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    struct binding all[BINDINGS_MAX];
    if (!web_person(q, r, 0, &p))
        return 0;
    int n = binding_each(q->db, p.id, 0, BINDINGS_MAX, q->arena, all);
    json_t *items = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(items, binding_json(q, &all[i]));
    return n < 0 ? (json_decref(items), n) : web_json(r, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

static int post_binding(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    int64_t id;
    struct text name = web_member_text(q, "role", ROLE_NAME_MAX, true);
    struct binding b = {.unit = web_member_int(q, "unit", 0, INT64_MAX, 0, false), .is_below = web_member_bool(q, "is_below", true),
                        .from_us = web_member_time(q, "from", false), .to_us = web_member_time(q, "to", false),
                        .by_person = q->who->user};
    const struct role *role = roles_find(q->web->roles, name);
    if (name.n && !role)
        web_wrong(q, "/role", MSG_web_no_choice);
    if (!web_check(q, r) || !web_person(q, r, 0, &p))
        return 0;
    if (!web_covers(q, PERMISSION_BIT(USER_WRITE), p.unit, false) ||
        !may_give(q, role->permissions, b.unit, b.is_below, p.id))
        return web_problem(q, r, 403, "not_allowed");
    b.person = p.id;
    b.role = role->name;
    b.from_us = b.from_us ? b.from_us : q->now_us;
    int e = binding_add(q->db, q->web->roles, &b, q->now_us, &id);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "binding.add", id, json_pack("{s:I, s:s, s:I, s:b}", "person", (json_int_t)p.id, "role", b.role, "unit",
        (json_int_t)b.unit,
                                             "is_below", (int)b.is_below), (struct text){"", 0});
    e = binding_get(q->db, id, q->arena, &b);
    r->version = b.version;
    return e ? -EIO : web_json(r, 201, binding_json(q, &b));
}

static int delete_binding(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct binding b;
    struct person p;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    if (binding_get(q->db, id, q->arena, &b) || person_get(q->db, b.person, q->arena, &p))
        return web_not_found(q, r);
    const struct access_object o = {.unit = p.unit, .tlp = TLP_CLEAR, .kind = "person", .id = p.id};
    const struct role *role = roles_find(q->web->roles, (struct text){b.role, strlen(b.role)});
    if (!access_sees(q->view, q->who, PERMISSION_USER_READ, &o, q->now_us))
        return web_not_found(q, r);
    if (!may_give(q, role ? role->permissions : 0, b.unit, b.is_below, b.person))
        return web_problem(q, r, 403, "not_allowed");
    int e = binding_end(q->db, q->web->roles, id, q->now_us);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "binding.end", id, json_pack("{s:I, s:s}", "person", (json_int_t)p.id, "role", b.role), (struct text){"", 0});
    hub_recheck(q->web->hub);
    r->status = 204;
    return 0;
}

#define ROUTE(METHOD, path, permission, flags, kind, function, operation) \
    {WEB_##METHOD, "/api/v1/" path, PERMISSION_##permission, (flags), (kind), (function), (operation), 0}

static const struct web_route routes[] = {
    ROUTE(GET, "users", USER_READ, WEB_LIST, "person", get_users, "user_list"),
    ROUTE(POST, "users", USER_WRITE, WEB_NO_DB | WEB_COSTLY, "person", post_user, "user_add"),
    ROUTE(GET, "users/{user}", USER_READ, 0, "person", get_user, "user_get"),
    ROUTE(PATCH, "users/{user}", USER_WRITE, WEB_WRITES | WEB_NEEDS_VERSION, "person", patch_user, "user_change"),
    ROUTE(POST, "users/{user}/disable", USER_WRITE, WEB_WRITES, "person", post_disable, "user_disable"),
    ROUTE(POST, "users/{user}/reset-password", USER_WRITE, WEB_NO_DB | WEB_COSTLY, "person", post_reset_password, "user_reset_password"),
    ROUTE(POST, "users/{user}/reset-totp", USER_WRITE, WEB_WRITES, "person", post_reset_totp, "user_reset_totp"),
    ROUTE(GET, "users/{user}/roles", USER_READ, 0, "person", get_bindings, "user_roles"),
    ROUTE(POST, "users/{user}/roles", USER_WRITE, WEB_WRITES, "binding", post_binding, "user_role_add"),
    ROUTE(DELETE, "user-roles/{binding}", USER_WRITE, WEB_WRITES, "binding", delete_binding, "user_role_end"),
    ROUTE(GET, "roles", USER_READ, 0, NULL, get_roles, "role_list"),
};
const struct web_desk web_people_desk = {.name = "people", .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes)};
