/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of alerts: the list, one alert, what a person decides (one or many), notes. What a request may do is checked here; what the
 * rows are is alert_db's.
 */
#include "desk/alert/alert_api.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>

enum { NARROW_UNITS = 64, BULK_MAX = 500, NOTE_MAX = 10000, REASON_MAX = 2000 };

/* --- as JSON ----------------------------------------------------------------------------------------------------- */

static json_t *named(int64_t id, const char *name)
{
    return id ? json_pack("{s:I, s:s}", "id", (json_int_t)id, "name", name) : json_null();
}

static json_t *word_or_null(const char *word)
{
    return *word ? json_string(word) : json_null();
}

/* title - what people read: of lists in their language, of rules the rule's own words */
static const char *title(const struct web_request *q, const struct alert_row *r, char *out, size_t n_out)
{
    if (r->kind != ALERT_OF_CONTACT && r->kind != ALERT_OF_OWN_LISTED)
        return r->title;
    snprintf(out, n_out, "%s: %s", web_text(q, r->kind == ALERT_OF_CONTACT ? MSG_alert_of_contact : MSG_alert_of_own_listed),
             r->list);
    return out;
}

json_t *alert_json(const struct web_request *q, const struct alert_row *r)
{
    char words[ALERT_TITLE_MAX];
    int64_t now_us = q->now_us;
    bool has_due = r->due_us != INT64_MAX;
    json_t *o = json_pack("{s:I, s:s, s:I, s:I, s:s, s:i, s:s, s:s, s:s, s:s}", "id", (json_int_t)r->id, "uuid", r->uuid,
                          "version", (json_int_t)r->version, "unit", (json_int_t)r->unit, "unit_name", r->unit_name, "tlp",
                          (int)r->tlp, "severity", alert_severity_names[r->severity], "state", alert_state_names[r->state],
                          "title", title(q, r, words, sizeof(words)), "cause", r->cause);
    if (!o)
        return NULL;
    json_object_set_new(o, "verdict", word_or_null(alert_verdict_names[r->verdict]));
    json_object_set_new(o, "verdict_reason", json_string(r->verdict_reason));
    json_object_set_new(o, "rule", json_pack("{s:s, s:s}", "id", r->rule_id, "name", r->title));
    json_object_set_new(o, "entity", json_pack("{s:s, s:s}", "kind", alert_entity_names[r->entity_kind], "value", r->entity));
    json_object_set_new(o, "list", word_or_null(r->list));
    json_object_set_new(o, "machine", named(r->machine, r->machine_name ? r->machine_name : r->entity));
    json_object_set_new(o, "assignee", named(r->assignee, r->assignee_name));
    json_object_set_new(o, "first_at", web_time(r->first_us));
    json_object_set_new(o, "last_at", web_time(r->last_us));
    json_object_set_new(o, "raised_at", web_time(r->raised_us));
    json_object_set_new(o, "acknowledged_at", web_time(r->acknowledged_us));
    json_object_set_new(o, "resolved_at", web_time(r->resolved_us));
    json_object_set_new(o, "due_at", has_due ? web_time(r->due_us) : json_null());
    json_object_set_new(o, "overdue", json_boolean(has_due && r->state != ALERT_RESOLVED && r->due_us < now_us));
    json_object_set_new(o, "count", json_integer(r->n_events));
    json_object_set_new(o, "findings", json_integer(r->n_findings));
    json_object_set_new(o, "confidence", r->confidence < 0 ? json_null() : json_integer(r->confidence));
    json_object_set_new(o, "suppressed_by", r->muted_by ? json_integer(r->muted_by) : json_null());
    json_object_set_new(o, "follows", r->follows ? json_integer(r->follows) : json_null());
    return o;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

/* choice - ?name= as a word of @names from @first. Return: false: 400 was written. */
static bool choice(const struct web_request *q, struct web_reply *r, const char *name, const char *const *names, int first,
                   int *ret)
{
    const char *value = web_query(q, name);
    if (!value || !*value)
        return true;
    for (int i = first; names[i]; i++)
        if (!strcmp(names[i], value)) {
            *ret = i;
            return true;
        }
    web_problem(q, r, 400, "bad_query");
    return false;
}

static bool number(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret)
{
    const char *value = web_query(q, name);
    uint64_t n;
    if (!value || !*value)
        return true;
    if (text_u64((struct text){value, strlen(value)}, INT64_MAX, &n)) {
        web_problem(q, r, 400, "bad_query");
        return false;
    }
    *ret = (int64_t)n;
    return true;
}

static bool time_in_query(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret)
{
    const char *value = web_query(q, name);
    if (!value || !*value || !clock_parse(value, strlen(value), ZONE_VIETNAM_S, ret))
        return true;
    web_problem(q, r, 400, "bad_query");
    return false;
}

static bool read_assignee(const struct web_request *q, struct web_reply *r, int64_t *ret)
{
    const char *value = web_query(q, "assignee");
    if (value && (!strcmp(value, "me") || !strcmp(value, "none"))) {
        *ret = value[0] == 'm' ? q->who->user : -1;
        return true;
    }
    return number(q, r, "assignee", ret);
}

/* read_state - a state's word, "any", or (as without) what is not resolved */
static bool read_state(const struct web_request *q, struct web_reply *r, int *ret)
{
    const char *value = web_query(q, "state");
    *ret = value && !strcmp(value, "any") ? ALERT_ANY_STATE : ALERT_NOT_RESOLVED;
    return !value || !strcmp(value, "any") || !strcmp(value, "unresolved") || choice(q, r, "state", alert_state_names, 0, ret);
}

static bool read_filter(const struct web_request *q, struct web_reply *r, struct alert_filter *f)
{
    *f = (struct alert_filter){.verdict = -1, .is_muted = 0};
    const char *text = web_query(q, "q"), *muted = web_query(q, "suppressed");
    if (!read_state(q, r, &f->state) || !choice(q, r, "severity", alert_severity_names, 1, &f->severity) ||
        !choice(q, r, "verdict", alert_verdict_names, 1, &f->verdict) || !number(q, r, "unit", &f->unit) ||
        !read_assignee(q, r, &f->assignee) || !time_in_query(q, r, "since", &f->since_us) ||
        !time_in_query(q, r, "until", &f->until_us))
        return false;
    f->is_muted = !muted ? 0 : !strcmp(muted, "any") ? -1 : !strcmp(muted, "yes");
    f->cause = web_query(q, "cause");
    f->overdue_at_us = web_query(q, "overdue") ? q->now_us : 0;
    if (text && *text) {
        size_t n = strlen(text) * 4 + 1;
        char *folded = arena_alloc(q->arena, n);
        if (folded)
            text_fold((struct text){text, strlen(text)}, folded, n);
        f->folded = folded;
    }
    return true;
}

/* filter_text - what a cursor is bound to */
static struct text filter_text(const struct web_request *q, const struct alert_filter *f, int order)
{
    size_t n = 256 + (f->cause ? strlen(f->cause) : 0) + (f->folded ? strlen(f->folded) : 0);
    char *out = arena_alloc(q->arena, n);
    if (!out)
        return TEXT("");
    int used = snprintf(out, n, "%d %d %d %lld %lld %lld %lld %d %d %d\n%s\n%s", f->state, f->severity, f->verdict,
                        (long long)f->unit, (long long)f->assignee, (long long)f->since_us, (long long)f->until_us, f->is_muted,
                        f->overdue_at_us != 0, order, f->cause ? f->cause : "", f->folded ? f->folded : "");
    return (struct text){out, (size_t)used};
}

struct listing {
    const struct web_request *q;
    struct web_list *list;
};

static bool add_row(void *context, const struct alert_row *row, int64_t key_a, int64_t key_b)
{
    struct listing *l = context;
    return web_list_add(l->list, alert_json(l->q, row), key_a, key_b);
}

static int get_alerts(const struct web_request *q, struct web_reply *r)
{
    static const char *const ORDERS[] = {"last", "severity", "due", NULL};
    struct alert_filter filter;
    struct web_list list;
    int order = ALERT_BY_LAST;
    int64_t *units = NULL, *objects = NULL;
    size_t n_units = 0, n_objects = 0;
    bool is_all = false;
    if (!read_filter(q, r, &filter) || !choice(q, r, "sort", ORDERS, 0, &order))
        return 0;
    if (!web_list_begin(q, r, filter_text(q, &filter, order), &list))
        return 0;
    int e = access_units(q->view, q->who, PERMISSION_ALERT_READ, q->now_us, q->arena, &units, &n_units, &is_all);
    e = e ? e : access_objects(q->view, q->who, PERMISSION_ALERT_READ, "alert", q->now_us, q->arena, &objects, &n_objects);
    if (e)
        return e;
    if (filter.unit) { /* sees() still decides each row */
        units = &filter.unit;
        n_units = 1;
    }
    bool is_narrow = filter.unit || (!is_all && n_units <= NARROW_UNITS && !n_objects);
    struct alert_page page = {.filter = &filter,
                              .order = (enum alert_order)order,
                              .has_after = list.has_after,
                              .after_a = list.after[0],
                              .after_b = list.after[1],
                              .units = is_narrow ? units : NULL,
                              .n_units = n_units};
    struct listing l = {q, &list};
    alert_db_list(q->db, q->arena, &page, add_row, &l);
    return web_list_end(q, r, &list);
}

/* --- one alert --------------------------------------------------------------------------------------------------- */

/* find - the alert of the path, as this subject sees it. Return: false: 404 was written. */
static bool find(const struct web_request *q, struct web_reply *r, struct alert_row *ret)
{
    int64_t id;
    if (!web_parameter_id(q, r, 0, &id))
        return false;
    if (alert_db_find(q->db, q->arena, id, ret))
        return true;
    web_not_found(q, r);
    return false;
}

struct collecting {
    json_t *remotes, *attack;
    json_t *series;
    json_t *numbers;
    json_t *query;
};

/* collect - what the newest findings hold for drawing; the first that has a thing gives it, lists are joined */
static bool collect(void *context, const struct alert_finding_row *f)
{
    struct collecting *c = context;
    json_t *o = json_loadb(f->payload.p, f->payload.n, 0, NULL);
    json_t *remotes = json_object_get(o, "remotes"), *single = json_object_get(o, "remote.ip"), *v;
    size_t i;
    json_array_foreach (remotes, i, v)
        if (json_array_size(c->remotes) < 50)
            json_array_append(c->remotes, v);
    if (single && json_array_size(c->remotes) < 50)
        json_array_append_new(c->remotes, json_pack("{s:O}", "ip", single));
    json_array_foreach (json_object_get(o, "attack.techniques"), i, v)
        if (json_array_size(c->attack) < 20)
            json_array_append(c->attack, v);
    if (!c->series && json_object_get(o, "series"))
        c->series = json_incref(json_object_get(o, "series"));
    if (!c->numbers && json_object_get(o, "numbers"))
        c->numbers = json_incref(json_object_get(o, "numbers"));
    if (!c->query && json_object_get(o, "query"))
        c->query = json_incref(json_object_get(o, "query"));
    json_decref(o);
    return true;
}

static int get_alert(const struct web_request *q, struct web_reply *r)
{
    struct alert_row row;
    if (!find(q, r, &row))
        return 0;
    json_t *o = alert_json(q, &row);
    struct collecting c = {.remotes = json_array(), .attack = json_array()};
    alert_db_findings(q->db, row.id, 20, collect, &c);
    json_object_set_new(o, "remotes", c.remotes);
    json_object_set_new(o, "attack", c.attack);
    json_object_set_new(o, "series", c.series ? c.series : json_null());
    json_object_set_new(o, "numbers", c.numbers ? c.numbers : json_null());
    json_object_set_new(o, "query", c.query ? c.query : json_null());
    r->version = row.version;
    return web_json(r, 200, o);
}

static bool add_finding(void *context, const struct alert_finding_row *f)
{
    json_t *o = json_loadb(f->payload.p, f->payload.n, 0, NULL);
    return o && !json_array_append_new(context, json_pack("{s:o, s:o, s:I, s:b, s:o}", "first_at", web_time(f->first_us),
                                                          "last_at", web_time(f->last_us), "revision", (json_int_t)f->revision,
                                                          "is_withdrawn", f->is_withdrawn, "finding", o));
}

static int get_findings(const struct web_request *q, struct web_reply *r)
{
    struct alert_row row;
    if (!find(q, r, &row))
        return 0;
    json_t *all = json_array();
    alert_db_findings(q->db, row.id, 200, add_finding, all);
    return web_json(r, 200, json_pack("{s:o, s:I}", "items", all, "total", (json_int_t)row.n_findings));
}

static bool add_entry(void *context, const struct alert_entry *e)
{
    json_t *o = json_pack("{s:s, s:o, s:o, s:s}", "kind", e->kind, "at", web_time(e->at_us), "person",
                          named(e->person, e->person_name), "text", e->text);
    if (o && !strcmp(e->kind, "decision")) {
        json_object_set_new(o, "state", json_string(alert_state_names[e->state]));
        json_object_set_new(o, "verdict", word_or_null(alert_verdict_names[e->verdict]));
        json_object_set_new(o, "assignee", named(e->assignee, e->assignee_name));
    } else if (o && !strcmp(e->kind, "finding"))
        json_object_set_new(o, "count", json_integer(e->n));
    return o && !json_array_append_new(context, o);
}

static int get_story(const struct web_request *q, struct web_reply *r)
{
    struct alert_row row;
    if (!find(q, r, &row))
        return 0;
    json_t *all = json_array();
    alert_db_story(q->db, row.id, 500, add_entry, all);
    return web_json(r, 200, json_pack("{s:o}", "items", all));
}

static int post_note(const struct web_request *q, struct web_reply *r)
{
    struct alert_row row;
    struct text note = web_member_text(q, "text", NOTE_MAX, true);
    if (!find(q, r, &row) || !web_check(q, r))
        return 0;
    int64_t id = alert_db_note(q->db, row.id, q->who->user, q->now_us, note);
    web_audit(q, "alert.note", id, json_pack("{s:I}", "alert", (json_int_t)row.id), (struct text){"", 0});
    alert_tell(q, &row);
    return web_json(r, 201, json_pack("{s:I}", "id", (json_int_t)id));
}

/* --- decisions --------------------------------------------------------------------------------------------------- */

/* what a body asks to change; absent members leave things as they are */
struct change {
    int state, verdict, tlp; /* -1: absent */
    bool has_assignee;
    int64_t assignee;
    struct text reason;
};

static void read_change(const struct web_request *q, struct change *c)
{
    c->state = web_member_choice(q, "state", alert_state_names, -1, false);
    c->verdict = web_member_choice(q, "verdict", alert_verdict_names, -1, false);
    c->reason = web_member_text(q, "reason", REASON_MAX, false);
    c->tlp = (int)web_member_int(q, "tlp", TLP_CLEAR, TLP_RED, -1, false);
    c->has_assignee = web_has_member(q, "assignee");
    c->assignee = web_member_int(q, "assignee", 0, INT64_MAX, 0, false);
    if (c->verdict > ALERT_TRUE && !c->reason.n)
        web_wrong(q, "/reason", MSG_alert_needs_reason);
}

/* decide - one alert by one person. Return: 0; 409, 412, 422: what was wrong with it; -errno. */
static int decide(const struct web_request *q, const struct alert_row *row, const struct change *c, int64_t version)
{
    const struct alert_desk *d = q->desk;
    char reason[REASON_MAX + 1];
    int state = c->state >= 0 ? c->state : row->state, verdict = c->verdict >= 0 ? c->verdict : row->verdict;
    int64_t assignee = c->has_assignee ? c->assignee : row->assignee;
    if (c->has_assignee && c->assignee && c->state < 0 && row->state < ALERT_ASSIGNED)
        state = ALERT_ASSIGNED;
    if (c->verdict > 0 && c->state < 0 && c->verdict != ALERT_TRUE && c->verdict != ALERT_VERIFIED_MALWARE)
        state = ALERT_RESOLVED; /* nothing is left to be done */
    struct access_object o = {
        .unit = row->unit, .tlp = (enum tlp)row->tlp, .audience = row->audience, .kind = "alert", .id = row->id};
    struct subject other = {.user = assignee, .scopes = UINT64_MAX, .tlp_max = TLP_RED};
    if (!alert_may_become((enum alert_state)row->state, (enum alert_state)state))
        return 409;
    if (state == ALERT_RESOLVED && verdict == ALERT_UNDECIDED)
        return 422; /* closed without a word is how alerts are lost */
    if (verdict == ALERT_VERIFIED_MALWARE && c->verdict >= 0 && !d->policy.may_analyst)
        return 422;
    if (c->has_assignee && assignee && !access_sees(q->view, &other, PERMISSION_ALERT_WRITE, &o, q->now_us))
        return 422; /* who cannot see it cannot work on it; the same answer as for somebody who is not there */
    memcpy(reason, c->reason.n ? c->reason.p : "", c->reason.n);
    reason[c->reason.n] = '\0';
    struct alert_decision made = {.alert = row->id,
                                  .person = q->who->user,
                                  .at_us = q->now_us,
                                  .assignee = assignee,
                                  .state = state,
                                  .verdict = verdict,
                                  .reason = reason};
    int64_t id = alert_db_decide(q->db, &made, version);
    if (!id)
        return db_failed(q->db) ? -EIO : 412;
    if (c->tlp >= 0)
        alert_db_mark(q->db, row->id, c->tlp);
    web_audit(q, "alert.decide", id,
              json_pack("{s:I, s:[s, s], s:[s, s], s:[I, I], s:[i, i]}", "alert", (json_int_t)row->id, "state",
                        alert_state_names[row->state], alert_state_names[state], "verdict", alert_verdict_names[row->verdict],
                        alert_verdict_names[verdict], "assignee", (json_int_t)row->assignee, (json_int_t)assignee, "tlp",
                        (int)row->tlp, c->tlp >= 0 ? c->tlp : (int)row->tlp),
              c->reason);
    alert_tell(q, row);
    return 0;
}

static int patch_alert(const struct web_request *q, struct web_reply *r)
{
    struct alert_row row;
    struct change c;
    read_change(q, &c);
    if (!find(q, r, &row) || !web_check(q, r))
        return 0;
    int e = decide(q, &row, &c, q->version);
    if (e < 0)
        return e;
    if (e == 412)
        return web_conflict(q, r);
    if (e)
        return web_problem(q, r, e, e == 409 ? "alert_state" : "alert_change");
    if (!alert_db_find(q->db, q->arena, row.id, &row)) /* marked so that who marked it does not see it any more */
        return web_json(r, 200, json_pack("{s:I}", "id", (json_int_t)row.id));
    r->version = row.version;
    return web_json(r, 200, alert_json(q, &row));
}

/* bulk_one - one of many: what failed is said and the others go on */
static json_t *bulk_one(const struct web_request *q, const json_t *item, const struct change *c)
{
    struct alert_row row;
    json_int_t id = json_integer_value(json_object_get(item, "id")), version = json_integer_value(json_object_get(item, "version"));
    int e = id > 0 && alert_db_find(q->db, q->arena, id, &row) ? decide(q, &row, c, version) : 404;
    return json_pack("{s:I, s:i}", "id", id, "status", e ? (e < 0 ? 500 : e) : 200);
}

static int post_bulk(const struct web_request *q, struct web_reply *r)
{
    struct change c;
    json_t *items = json_object_get(q->body, "items"), *done = json_array(), *item;
    size_t i;
    read_change(q, &c);
    if (!json_is_array(items) || !json_array_size(items) || json_array_size(items) > BULK_MAX)
        web_wrong(q, "/items", MSG_alert_bulk_items);
    if (!web_check(q, r)) {
        json_decref(done);
        return 0;
    }
    json_array_foreach (items, i, item)
        json_array_append_new(done, bulk_one(q, item, &c));
    web_audit(q, "alert.bulk", 0, json_pack("{s:I}", "n", (json_int_t)json_array_size(items)), c.reason);
    return web_json(r, 200, json_pack("{s:o}", "items", done));
}

void alert_tell(const struct web_request *q, const struct alert_row *row)
{
    struct access_object o = {
        .unit = row->unit, .tlp = (enum tlp)row->tlp, .audience = row->audience, .kind = "alert", .id = row->id};
    web_tell(q, "alert", &o, PERMISSION_ALERT_READ, json_pack("{s:I}", "id", (json_int_t)row->id));
}

#define A "/api/v1/alerts"
const struct web_route alert_routes[] = {
    {WEB_GET, A, PERMISSION_ALERT_READ, WEB_LIST, "alert", get_alerts, "listAlerts", 0},
    {WEB_GET, A "/{alert}", PERMISSION_ALERT_READ, 0, "alert", get_alert, "getAlert", 0},
    {WEB_PATCH, A "/{alert}", PERMISSION_ALERT_WRITE, WEB_WRITES | WEB_NEEDS_VERSION, "alert", patch_alert, "changeAlert", 0},
    {WEB_GET, A "/{alert}/findings", PERMISSION_ALERT_READ, 0, "alert", get_findings, "listFindingsOfAlert", 0},
    {WEB_GET, A "/{alert}/story", PERMISSION_ALERT_READ, 0, "alert", get_story, "getStoryOfAlert", 0},
    {WEB_POST, A "/{alert}/notes", PERMISSION_ALERT_WRITE, WEB_WRITES, "alert", post_note, "addNoteToAlert", 0},
    {WEB_POST, A "/bulk", PERMISSION_ALERT_WRITE, WEB_WRITES, "alert", post_bulk, "changeAlerts", 256 << 10},
    {WEB_GET, "/api/v1/suppressions", PERMISSION_ALERT_READ, WEB_LIST, "suppression", alert_get_mutes, "listSuppressions", 0},
    {WEB_POST, "/api/v1/suppressions", PERMISSION_ALERT_SUPPRESS, WEB_WRITES, "suppression", alert_post_mute, "addSuppression",
     0},
    {WEB_DELETE, "/api/v1/suppressions/{suppression}", PERMISSION_ALERT_SUPPRESS, WEB_WRITES | WEB_NEEDS_VERSION, "suppression",
     alert_delete_mute, "endSuppression", 0},
    {WEB_GET, "/api/v1/views", PERMISSION_ALERT_READ, WEB_LIST, NULL, alert_get_views, "listViews", 0},
    {WEB_PUT, "/api/v1/views/{view}", PERMISSION_ALERT_READ, WEB_WRITES, NULL, alert_put_view, "saveView", 0},
    {WEB_DELETE, "/api/v1/views/{view}", PERMISSION_ALERT_READ, WEB_WRITES, NULL, alert_delete_view, "deleteView", 0},
};
const size_t alert_n_routes = sizeof(alert_routes) / sizeof(alert_routes[0]);
