/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of suppressions (who, why, until when: no suppression without an end) and of saved views. */
#include "base/clock.h"
#include "desk/alert/alert_api.h"

#include <errno.h>
#include <string.h>

enum { MUTE_SPAN_MAX_DAYS = 366, VIEW_NAME_MAX = 100, VIEW_FILTER_MAX = 2000, MUTE_REASON_MAX = 2000 };

static json_t *mute_json(const struct alert_mute_row *m, int64_t now_us)
{
    bool is_over = m->ended_us || m->mute.to_us <= now_us;
    return json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:{s:I, s:s}, s:o, s:o, s:o, s:o, s:I, s:b}", "id",
                     (json_int_t)m->mute.id, "version", (json_int_t)m->version, "unit", (json_int_t)m->mute.unit, "unit_name",
                     m->unit_name, "cause", m->mute.cause, "entity", m->mute.entity, "reason", m->reason, "author", "id",
                     (json_int_t)m->author, "name", m->author_name, "made_at", web_time(m->made_us), "from",
                     web_time(m->mute.from_us), "until", web_time(m->mute.to_us), "ended_at", web_time(m->ended_us), "alerts",
                     (json_int_t)m->n_alerts, "is_active", !is_over && m->mute.from_us <= now_us);
}

struct listing {
    const struct web_request *q;
    struct web_list *list;
};

static bool add_mute(void *context, const struct alert_mute_row *m)
{
    struct listing *l = context;
    return web_list_add(l->list, mute_json(m, l->q->now_us), m->mute.id, 0);
}

int alert_get_mutes(const struct web_request *q, struct web_reply *r)
{
    struct web_list list;
    const char *state = web_query(q, "state");
    bool is_active = state && !strcmp(state, "active");
    if (!web_list_begin(q, r, is_active ? TEXT("active") : TEXT("all"), &list))
        return 0;
    struct listing l = {q, &list};
    alert_db_mute_list(q->db, list.has_after ? list.after[0] : 0, q->now_us, is_active, add_mute, &l);
    return web_list_end(q, r, &list);
}

/* text_of - a member as a terminated text of the request */
static const char *text_of(const struct web_request *q, const char *name, size_t max)
{
    struct text t = web_member_text(q, name, max, true);
    const char *p = arena_text(q->arena, t.n ? t.p : "", t.n);
    return p ? p : "";
}

int alert_post_mute(const struct web_request *q, struct web_reply *r)
{
    const char *wrong;
    struct alert_mute m = {.unit = web_member_int(q, "unit", 0, INT64_MAX, 0, false),
                           .cause = text_of(q, "cause", ALERT_CAUSE_MAX - 1),
                           .entity = text_of(q, "entity", ALERT_ENTITY_MAX - 1),
                           .from_us = web_member_time(q, "from", false),
                           .to_us = web_member_time(q, "until", true)};
    struct text reason = web_member_text(q, "reason", MUTE_REASON_MAX, true);
    m.from_us = m.from_us ? m.from_us : q->now_us;
    if (m.to_us && (m.to_us <= m.from_us || m.to_us - m.from_us > MUTE_SPAN_MAX_DAYS * US_PER_DAY))
        web_wrong(q, "/until", MSG_alert_mute_until);
    if (!alert_mute_is_sane(m.cause, m.entity, &wrong))
        web_wrong(q, *wrong == 'c' ? "/cause" : "/entity", MSG_alert_mute_pattern);
    if (!access_covers(q->view, q->who, UINT64_C(1) << PERMISSION_ALERT_SUPPRESS, m.unit, !m.unit, q->now_us))
        web_wrong(q, "/unit", MSG_alert_mute_unit);
    if (!web_check(q, r))
        return 0;
    m.id = alert_db_mute_new(q->db, &m, q->who->user, q->now_us, reason);
    int64_t n = alert_db_mute_apply(q->db, &m, q->now_us);
    web_audit(q, "suppression.add", m.id,
              json_pack("{s:s, s:s, s:I, s:I}", "cause", m.cause, "entity", m.entity, "unit", (json_int_t)m.unit, "alerts",
                        (json_int_t)n),
              reason);
    return web_json(r, 201, json_pack("{s:I, s:I}", "id", (json_int_t)m.id, "alerts", (json_int_t)n));
}

int alert_delete_mute(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct alert_mute_row m;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    if (!alert_db_mute_find(q->db, id, &m, q->arena))
        return web_not_found(q, r);
    if (!alert_db_mute_end(q->db, id, q->version, q->now_us))
        return web_conflict(q, r);
    int64_t n = alert_db_unmute(q->db, q->now_us);
    web_audit(q, "suppression.end", id, json_pack("{s:I}", "alerts", (json_int_t)n), (struct text){"", 0});
    r->status = 204;
    return 0;
}

/* --- saved views ------------------------------------------------------------------------------------------------- */

static bool add_view(void *context, const struct alert_view *v)
{
    struct listing *l = context;
    return web_list_add(l->list,
                        json_pack("{s:I, s:s, s:s, s:b, s:b, s:s}", "id", (json_int_t)v->id, "name", v->name, "filter", v->filter,
                                  "is_shared", v->is_shared, "is_mine", v->person == l->q->who->user, "person_name",
                                  v->person_name),
                        v->id, 0);
}

int alert_get_views(const struct web_request *q, struct web_reply *r)
{
    struct web_list list;
    if (!web_list_begin(q, r, TEXT("views"), &list))
        return 0;
    struct listing l = {q, &list};
    if (!list.has_after) /* at most 500, never a second page */
        alert_db_views(q->db, q->who->user, add_view, &l);
    return web_list_end(q, r, &list);
}

int alert_put_view(const struct web_request *q, struct web_reply *r)
{
    struct text name = q->parameters[0], filter = web_member_text(q, "filter", VIEW_FILTER_MAX, true);
    bool is_shared = web_member_bool(q, "is_shared", false);
    if (!name.n || name.n > VIEW_NAME_MAX || !text_is_utf8(name.p, name.n))
        return web_not_found(q, r);
    if (!web_check(q, r))
        return 0;
    int64_t id = alert_db_view_put(q->db, q->who->user, name, filter, is_shared);
    if (!id)
        return db_failed(q->db) ? -EIO : web_problem(q, r, 409, "too_many");
    web_audit(q, "view.save", id, NULL, (struct text){"", 0});
    return web_json(r, 200, json_pack("{s:I}", "id", (json_int_t)id));
}

int alert_delete_view(const struct web_request *q, struct web_reply *r)
{
    if (!alert_db_view_delete(q->db, q->who->user, q->parameters[0]))
        return web_not_found(q, r);
    web_audit(q, "view.delete", 0, NULL, (struct text){"", 0});
    r->status = 204;
    return 0;
}
