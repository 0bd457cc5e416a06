/* SPDX-License-Identifier: Apache-2.0 */
/* Dated grants beside the tree: who, which units or objects, which rights, why, from, to, by whom. */
#include "web/web_own.h"

#include "web/web_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 100 };

static json_t *target_json(const struct web_request *q, const struct grant_target *t)
{
    if (t->unit)
        return json_pack("{s:I, s:s, s:b}", "unit", (json_int_t)t->unit, "unit_name", web_db_unit_name(q->db, t->unit, q->arena),
                         "is_below", (int)t->is_below);
    return json_pack("{s:s, s:I}", "kind", t->kind ? t->kind : "", "object", (json_int_t)t->object);
}

static json_t *grant_json(const struct web_request *q, const struct grant *g)
{
    json_t *targets = json_array();
    for (size_t i = 0; i < g->n_targets; i++)
        json_array_append_new(targets, target_json(q, &g->targets[i]));
    return json_pack("{s:I, s:I, s:I, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:b}", "id", (json_int_t)g->id, "version",
        (json_int_t)g->version,
                     "person", (json_int_t)g->person, "person_name", web_db_person_name(q->db, g->person, q->arena), "permissions",
                     web_permissions_json(g->permissions), "targets", targets, "reason", g->reason, "from", web_time(g->from_us), "to",
                     web_time(g->to_us), "ended_at", web_time(g->ended_us), "by_name", web_db_person_name(q->db, g->by_person, q->arena),
                     "is_active", (int)(!g->ended_us && g->from_us <= q->now_us && g->to_us > q->now_us));
}

/*
 * covers - all of it lies where the caller may give grants and has the rights himself. A single object's unit is not known here: that
 * asks for the root.
 */
static bool covers(const struct web_request *q, uint64_t permissions, const struct grant_target *t, size_t n)
{
    bool may = n > 0;
    for (size_t i = 0; may && i < n; i++)
        may = web_covers(q, permissions | PERMISSION_BIT(GRANT_WRITE), t[i].unit, t[i].unit ? t[i].is_below : true);
    return may;
}

static bool sees_grant(const struct web_request *q, const struct grant *g)
{
    return g->person == q->who->user || g->by_person == q->who->user || covers(q, 0, g->targets, g->n_targets);
}

static int get_grants(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    struct grant all[PIECE];
    if (!web_list_begin(q, r, TEXT(""), &l))
        return 0;
    int64_t before = l.has_after ? l.after[0] : 0;
    for (bool is_full = false; !is_full;) {
        int n = grant_each(q->db, 0, before, PIECE, q->arena, all);
        if (n < 0)
            return n;
        for (int i = 0; i < n && !is_full; i++) {
            before = all[i].id;
            is_full = sees_grant(q, &all[i]) && !web_list_add(&l, grant_json(q, &all[i]), all[i].id, 0);
        }
        is_full |= n < PIECE;
    }
    return web_list_end(q, r, &l);
}

static bool find(const struct web_request *q, struct web_reply *r, struct grant *ret)
{
    int64_t id;
    if (!web_parameter_id(q, r, 0, &id))
        return false;
    if (!grant_get(q->db, id, q->arena, ret) && sees_grant(q, ret))
        return true;
    web_not_found(q, r);
    return false;
}

static int get_grant(const struct web_request *q, struct web_reply *r)
{
    struct grant g;
    if (!find(q, r, &g))
        return 0;
    r->version = g.version;
    return web_json(r, 200, grant_json(q, &g));
}

static size_t read_targets(const struct web_request *q, struct grant_target *out)
{
    json_t *all = json_object_get(q->body, "targets"), *one;
    size_t i, n = json_array_size(all);
    if (!json_is_array(all) || !n || n > GRANT_TARGETS_MAX) {
        web_wrong(q, "/targets", MSG_web_bad_target);
        return 0;
    }
    json_array_foreach(all, i, one) {
        char place[32];
        const json_t *unit = json_object_get(one, "unit"), *kind = json_object_get(one, "kind"), *object = json_object_get(one, "object");
        const json_t *below = json_object_get(one, "is_below");
        bool is_unit = json_is_integer(unit) && json_integer_value(unit) > 0 && !kind && !object;
        bool is_object = json_is_string(kind) && json_string_length(kind) - 1 < 32 && json_is_integer(object) &&
            json_integer_value(object) > 0 && !unit;
        if (!is_unit && !is_object) {
            snprintf(place, sizeof(place), "/targets/%zu", i);
            web_wrong(q, place, MSG_web_bad_target);
            return 0;
        }
        out[i] = (struct grant_target){.unit = is_unit ? json_integer_value(unit) : 0, .is_below = is_unit &&
            (!below || json_is_true(below)),
                                       .kind = is_object ? json_string_value(kind) : NULL,
                                       .object = is_object ? json_integer_value(object) : 0};
    }
    return n;
}

static int post_grant(const struct web_request *q, struct web_reply *r)
{
    struct grant_target targets[GRANT_TARGETS_MAX];
    int64_t id;
    struct text reason = web_member_text(q, "reason", GRANT_REASON_MAX, true);
    struct grant g = {.person = web_member_int(q, "person", 1, INT64_MAX, 0, true), .by_person = q->who->user,
                      .permissions = web_permissions_read(q, "permissions"), .from_us = web_member_time(q, "from", false),
                      .to_us = web_member_time(q, "to", true), .targets = targets};
    g.n_targets = read_targets(q, targets);
    g.from_us = g.from_us ? g.from_us : q->now_us;
    if (!web_check(q, r))
        return 0;
    if (!covers(q, g.permissions, targets, g.n_targets))
        return web_problem(q, r, 403, "not_allowed");
    g.reason = arena_text(q->arena, reason.p, reason.n);
    int e = g.reason ? grant_add(q->db, &g, q->now_us, &id) : -ENOMEM;
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "grant.add", id, json_pack("{s:I, s:o}", "person", (json_int_t)g.person, "permissions",
        web_permissions_json(g.permissions)), reason);
    e = grant_get(q->db, id, q->arena, &g);
    r->version = g.version;
    return e ? -EIO : web_json(r, 201, grant_json(q, &g));
}

static int delete_grant(const struct web_request *q, struct web_reply *r)
{
    struct grant g;
    if (!find(q, r, &g))
        return 0;
    if (g.by_person != q->who->user && !covers(q, 0, g.targets, g.n_targets))
        return web_problem(q, r, 403, "not_allowed");
    int e = grant_end(q->db, g.id, q->who->user, q->now_us);
    if (e)
        return web_condition(q, r, e);
    web_audit(q, "grant.end", g.id, json_pack("{s:I}", "person", (json_int_t)g.person), (struct text){"", 0});
    hub_recheck(q->web->hub);
    r->status = 204;
    return 0;
}

#define ROUTE(METHOD, path, flags, function, operation) \
    {WEB_##METHOD, "/api/v1/" path, PERMISSION_GRANT_WRITE, (flags), "grant", (function), (operation), 0}

static const struct web_route routes[] = {
    ROUTE(GET, "grants", WEB_LIST, get_grants, "grant_list"),
    ROUTE(POST, "grants", WEB_WRITES, post_grant, "grant_add"),
    ROUTE(GET, "grants/{grant}", 0, get_grant, "grant_get"),
    ROUTE(DELETE, "grants/{grant}", WEB_WRITES, delete_grant, "grant_end"),
};
const struct web_desk web_grant_desk = {.name = "grant", .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes)};
