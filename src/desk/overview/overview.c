/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/overview/overview.h"

#include "desk/alert/alert_db.h"
#include "desk/duty/duty_wake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct overview_desk {
    struct overview_options o;
};

/* enter - what follows is seen with @permission over objects of @kind. Return: false: he has it nowhere. */
static bool enter(const struct web_request *q, struct access_scope *room, enum permission permission, const char *kind)
{
    *room = (struct access_scope){.view = q->view, .who = q->who, .permission = permission, .kind = kind, .now_us = q->now_us};
    access_enter(q->db, room);
    return access_may(q->view, q->who, permission, 0, q->now_us);
}

static void need(json_t *all, const char *kind, int64_t n, int64_t oldest_us, const char *href)
{
    if (n)
        json_array_append_new(all, json_pack("{s:s, s:I, s:o, s:s}", "kind", kind, "count", (json_int_t)n, "oldest_at",
                                             web_time(oldest_us), "href", href));
}

static void number(json_t *all, const char *id, int64_t n, const char *unit, int64_t of, const char *href)
{
    json_array_append_new(all, json_pack("{s:s, s:I, s:s, s:o, s:s}", "id", id, "count", (json_int_t)n, "unit", unit, "of",
                                         of < 0 ? json_null() : json_integer(of), "href", href));
}

/* two - the two whole numbers of the one row of @sql, ?1 is now */
static bool two(const struct web_request *q, const char *sql, int64_t *a, int64_t *b)
{
    struct db_statement *s = db_sql(q->db, sql);
    db_bind(s, 1, q->now_us);
    bool is_there = db_next(s);
    *a = is_there ? db_int(s, 0) : 0;
    *b = is_there ? db_int(s, 1) : 0;
    db_reset(s);
    return is_there;
}

/* --- the parts --------------------------------------------------------------------------------------------------- */

static void of_alerts(const struct web_request *q, json_t *needs, json_t *numbers)
{
    struct access_scope scope;
    struct alert_counts n;
    int64_t wakes, oldest;
    if (!enter(q, &scope, PERMISSION_ALERT_READ, "alert"))
        return;
    alert_db_count(q->db, q->now_us, &n);
    if (two(q,
            "SELECT count(*), coalesce(min(w.begun_us), 0) FROM duty_wake w JOIN alert a ON a.id = w.alert"
            " WHERE w.state IN (0, 2) AND a.state = 0 AND ?1 > 0 AND sees(a.unit, a.tlp, a.audience, a.id)",
            &wakes, &oldest))
        need(needs, "wake", wakes, oldest, "/duty");
    need(needs, "overdue", n.n_overdue, n.oldest_due_us, "/alerts?overdue=1&sort=due");
    need(needs, "critical", n.n_critical, n.oldest_us, "/alerts?severity=critical");
    need(needs, "alert", n.n_new, n.oldest_us, "/alerts?state=new");
    number(numbers, "alerts_open", n.n, "alert", -1, "/alerts");
    number(numbers, "addresses_affected", n.n_addresses, "ip", -1, "/alerts");
    number(numbers, "units_affected", n.n_units, "unit", -1, "/alerts");
}

static void of_units(const struct web_request *q, json_t *needs, json_t *numbers)
{
    struct access_scope scope;
    int64_t n, oldest, managed;
    if (enter(q, &scope, PERMISSION_UNIT_WRITE, "unit_text") && two(q,
                                                                    "SELECT count(*), coalesce(min(first_us), 0) FROM unit_text"
                                                                    " WHERE state = 'open' AND ?1 > 0 AND sees(unit, 2, 0, id)",
                                                                    &n, &oldest))
        need(needs, "unit_name", n, oldest, "/units/names");
    if (enter(q, &scope, PERMISSION_ASSET_READ, "machine") && two(q,
                                                                  "SELECT count(*), coalesce(sum(m.is_managed), 0)"
                                                                  " FROM machine m WHERE m.ended_us IS NULL AND ?1 > 0"
                                                                  " AND sees(m.unit, m.tlp, m.audience, m.id)",
                                                                  &n, &managed))
        number(numbers, "machines_managed", managed, "machine", n, "/machines");
}

static void of_grants(const struct web_request *q, json_t *needs)
{
    int64_t n, soonest;
    if (access_covers(q->view, q->who, UINT64_C(1) << PERMISSION_GRANT_WRITE, 0, true, q->now_us) && two(q,
                                                                                                         "SELECT count(*), "
                                                                                                         "coalesce(min(from_us), "
                                                                                                         "0) FROM access_grant"
                                                                                                         " WHERE ended_us IS NULL"
                                                                                                         " AND to_us > ?1"
                                                                                                         " AND to_us < ?1 + 259200000000",
                                                                                                         &n, &soonest))
        need(needs, "grant", n, soonest, "/users/grants");
}

static json_t *of_duty(const struct web_request *q)
{
    struct access_scope scope;
    json_t *all = json_array();
    if (!enter(q, &scope, PERMISSION_DUTY_READ, "duty_shift"))
        return all;
    struct db_statement *s = db_sql(q->db, "SELECT s.place, s.to_us, (SELECT name FROM person WHERE id = s.person) FROM "
                                           "duty_shift s WHERE s.ended_us = 0 AND s.from_us <= ?1 AND s.to_us > ?1"
                                           " AND sees(s.unit, s.tlp, s.audience, s.id) ORDER BY s.place, "
                                           "s.from_us DESC LIMIT 50");
    db_bind(s, 1, q->now_us);
    while (db_next(s))
        json_array_append_new(all, json_pack("{s:s, s:o, s:o}", "place", duty_place_names[db_int(s, 0)], "until",
                                             web_time(db_int(s, 1)), "person_name", web_string(db_text(s, 2))));
    db_reset(s);
    return all;
}

static json_t *of_sight(const struct web_request *q)
{
    const struct overview_desk *d = q->desk;
    json_t *all = NULL;
    if (d->o.blind_spots && access_covers(q->view, q->who, UINT64_C(1) << PERMISSION_SOURCE_READ, 0, true, q->now_us))
        all = d->o.blind_spots(d->o.context, q->now_us);
    return all ? all : json_array();
}

static int get_overview(const struct web_request *q, struct web_reply *r)
{
    json_t *needs = json_array(), *numbers = json_array();
    of_alerts(q, needs, numbers);
    of_units(q, needs, numbers);
    of_grants(q, needs);
    return web_json(r, 200,
                    json_pack("{s:o, s:o, s:o, s:o, s:o}", "at", web_time(q->now_us), "needs_person", needs, "not_observed",
                              of_sight(q), "numbers", numbers, "duty", of_duty(q)));
}

/* --- the desk ---------------------------------------------------------------------------------------------------- */

static const struct web_route ROUTES[] = {
    {WEB_GET, "/api/v1/overview", PERMISSION_ALERT_READ, WEB_OWN, NULL, get_overview, "getOverview", 0},
};

int overview_desk_new(const struct overview_options *o, struct overview_desk **ret, struct fault *f)
{
    struct overview_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return FAULT(f, -ENOMEM, no_memory, "overview");
    d->o = *o;
    *ret = d;
    return 0;
}

void overview_desk_free(struct overview_desk *d)
{
    free(d);
}

struct web_desk overview_desk_entry(struct overview_desk *d)
{
    static const struct db_migrations NONE = {"overview", NULL, 0};
    return (struct web_desk){
        .name = "overview", .migrations = &NONE, .routes = ROUTES, .n_routes = sizeof(ROUTES) / sizeof(ROUTES[0]), .desk = d};
}
