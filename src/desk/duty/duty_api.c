/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of duty: the roster (who stands where, from, to), who is on duty now, the wakes with every step and its proof.
 */
#include "base/clock.h"
#include "base/uuid.h"
#include "desk/alert/alert.h"
#include "desk/duty/duty_own.h"

#include <errno.h>
#include <string.h>

enum { SHIFT_DAYS_MAX = 62, NOTE_MAX = 500 };

static json_t *named(int64_t id, struct text name)
{
    return id ? json_pack("{s:I, s:o}", "id", (json_int_t)id, "name", web_string(name)) : json_null();
}

/* --- the roster -------------------------------------------------------------------------------------------------- */

#define SHIFT_COLUMNS                                                                                                            \
    "s.id, s.version, s.place, s.person, s.from_us, s.to_us, s.note, (SELECT name FROM person WHERE id = s.person),"             \
    " (SELECT phone FROM person WHERE id = s.person), (SELECT email FROM person WHERE id = s.person)"

static json_t *shift_json(struct db_statement *s)
{
    char phone[24];
    bool has_sms = *duty_phone(db_text(s, 8), phone) != '\0', has_mail = db_text(s, 9).n > 0;
    int64_t place = db_int(s, 2);
    return json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "id", (json_int_t)db_int(s, 0), "version",
                     (json_int_t)db_int(s, 1), "place", place >= 0 && place < DUTY_N_PLACES ? duty_place_names[place] : "",
                     "person", named(db_int(s, 3), db_text(s, 7)), "from", web_time(db_int(s, 4)), "to", web_time(db_int(s, 5)),
                     "note", web_string(db_text(s, 6)), "has_sms", has_sms, "has_mail", has_mail);
}

static int get_shifts(const struct web_request *q, struct web_reply *r)
{
    struct web_list list;
    const char *since = web_query(q, "since");
    int64_t since_us = q->now_us - US_PER_DAY;
    if (since && clock_parse(since, strlen(since), ZONE_VIETNAM_S, &since_us))
        return web_problem(q, r, 400, "bad_query");
    if (!web_list_begin(q, r, since ? (struct text){since, strlen(since)} : TEXT(""), &list))
        return 0;
    struct db_statement *s = db_sql(q->db, "SELECT " SHIFT_COLUMNS " FROM duty_shift s WHERE s.ended_us = 0 AND s.to_us > ?3"
                                           " AND (s.from_us, s.id) > (?1, ?2) AND sees(s.unit, s.tlp, s.audience, s.id)"
                                           " ORDER BY s.from_us, s.id");
    db_bind(s, 1, list.has_after ? list.after[0] : INT64_MIN);
    db_bind(s, 2, list.has_after ? list.after[1] : INT64_MIN);
    db_bind(s, 3, since_us);
    while (db_next(s))
        if (!web_list_add(&list, shift_json(s), db_int(s, 4), db_int(s, 0)))
            break;
    db_reset(s);
    return web_list_end(q, r, &list);
}

/* overlaps - whether the person stands in the same place then already */
static bool overlaps(const struct web_request *q, int64_t place, int64_t person, int64_t from_us, int64_t to_us)
{
    struct db_statement *s = db_sql(q->db, "SELECT 1 FROM duty_shift WHERE place = ?1 AND person = ?2 AND ended_us = 0"
                                           " AND from_us < ?4 AND to_us > ?3"); /* system: nobody stands twice in one place */
    db_bind(s, 1, place);
    db_bind(s, 2, person);
    db_bind(s, 3, from_us);
    db_bind(s, 4, to_us);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

static bool is_person(const struct web_request *q, int64_t person)
{
    struct db_statement *s = db_sql(q->db, "SELECT 1 FROM person WHERE id = ?1 AND is_disabled = 0 AND is_connector = 0");
    db_bind(s, 1, person);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

static int post_shift(const struct web_request *q, struct web_reply *r)
{
    char uuid[UUID_TEXT_MAX];
    int place = web_member_choice(q, "place", duty_place_names, -1, true);
    int64_t person = web_member_int(q, "person", 1, INT64_MAX, 0, true), unit = web_member_int(q, "unit", 0, INT64_MAX, 0, false);
    int64_t from_us = web_member_time(q, "from", true), to_us = web_member_time(q, "to", true);
    struct text note = web_member_text(q, "note", NOTE_MAX, false);
    if (from_us && to_us && (to_us <= from_us || to_us - from_us > SHIFT_DAYS_MAX * US_PER_DAY))
        web_wrong(q, "/to", MSG_duty_bad_span);
    if (person && !is_person(q, person))
        web_wrong(q, "/person", MSG_duty_bad_person);
    if (!access_covers(q->view, q->who, UINT64_C(1) << PERMISSION_DUTY_WRITE, unit, !unit, q->now_us))
        web_wrong(q, "/unit", MSG_duty_bad_unit);
    if (!web_check(q, r))
        return 0;
    if (overlaps(q, place, person, from_us, to_us))
        return web_problem(q, r, 409, "shift_twice");
    int e = uuid7_make(q->now_us, uuid);
    struct db_statement *s = db_sql(q->db, "INSERT INTO duty_shift(uuid, unit, place, person, from_us, to_us, note)"
                                           " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    db_bind_str(s, 1, uuid);
    db_bind(s, 2, unit);
    db_bind(s, 3, place);
    db_bind(s, 4, person);
    db_bind(s, 5, from_us);
    db_bind(s, 6, to_us);
    db_bind_text(s, 7, note);
    db_done(s);
    int64_t id = db_new_id(q->db);
    web_audit(q, "duty.shift", id, NULL, (struct text){"", 0});
    return e ? e : web_json(r, 201, json_pack("{s:I, s:I}", "id", (json_int_t)id, "version", (json_int_t)1));
}

static int delete_shift(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    struct db_statement *s = db_sql(q->db, "UPDATE duty_shift SET ended_us = ?3, version = version + 1 WHERE id = ?1 AND version "
                                           "= ?2 AND ended_us = 0 AND sees(unit, tlp, audience, id)");
    db_bind(s, 1, id);
    db_bind(s, 2, q->version);
    db_bind(s, 3, q->now_us);
    if (!db_done(s)) {
        s = db_sql(q->db, "SELECT 1 FROM duty_shift WHERE id = ?1 AND ended_us = 0 AND sees(unit, tlp, audience, id)");
        db_bind(s, 1, id);
        bool is_there = db_next(s);
        db_reset(s);
        return is_there ? web_conflict(q, r) : web_not_found(q, r);
    }
    web_audit(q, "duty.shift_end", id, NULL, (struct text){"", 0});
    r->status = 204;
    return 0;
}

/* --- now --------------------------------------------------------------------------------------------------------- */

static json_t *standing(const struct web_request *q, int place)
{
    struct db_statement *s = db_sql(q->db, "SELECT " SHIFT_COLUMNS " FROM duty_shift s WHERE s.place = ?1 AND s.from_us <= ?2 "
                                                                   "AND s.to_us > ?2 AND s.ended_us = 0 AND sees(s.unit, "
                                                                   "s.tlp, s.audience, s.id) ORDER BY s.from_us DESC, "
                                                                   "s.id DESC LIMIT 1");
    db_bind(s, 1, place);
    db_bind(s, 2, q->now_us);
    json_t *o = db_next(s) ? shift_json(s) : json_pack("{s:s, s:n}", "place", duty_place_names[place], "person");
    db_reset(s);
    return o;
}

/* get_now - who stands where; a place where nobody stands is said: that is what one has to see */
static int get_now(const struct web_request *q, struct web_reply *r)
{
    const struct duty_desk *d = q->desk;
    bool is_asked[DUTY_N_PLACES] = {false};
    json_t *all = json_array();
    for (unsigned i = 0; i < d->policy.n_steps; i++)
        is_asked[d->policy.ladder[i].to] = true;
    for (int place = 0; place < DUTY_N_PLACES; place++) {
        json_t *o = standing(q, place);
        json_object_set_new(o, "is_in_ladder", json_boolean(is_asked[place]));
        json_array_append_new(all, o);
    }
    return web_json(r, 200,
                    json_pack("{s:o, s:b, s:b}", "items", all, "can_sms", d->o.channels.sms_url || d->o.channels.sms_spool,
                              "can_mail", d->o.channels.mail.url != NULL));
}

/* --- wakes ------------------------------------------------------------------------------------------------------- */

static json_t *messages_json(const struct web_request *q, int64_t wake)
{
    json_t *all = json_array();
    struct db_statement *s = db_sql(q->db, "SELECT m.step, m.place, m.person, m.channel, m.state, m.begun_us, m.sent_us, m.proof,"
                                           " (SELECT name FROM person WHERE id = m.person) FROM duty_message m"
                                           " WHERE m.wake = ?1 ORDER BY m.id");
    db_bind(s, 1, wake);
    while (db_next(s))
        json_array_append_new(all, json_pack("{s:I, s:s, s:o, s:s, s:s, s:o, s:o, s:o}", "step", (json_int_t)db_int(s, 0),
                                             "place", duty_place_names[db_int(s, 1)], "person",
                                             named(db_int(s, 2), db_text(s, 8)), "channel", duty_channel_names[db_int(s, 3)],
                                             "state", duty_message_state_names[db_int(s, 4)], "at", web_time(db_int(s, 5)),
                                             "sent_at", web_time(db_int(s, 6)), "proof", web_string(db_text(s, 7))));
    db_reset(s);
    return all;
}

static int get_wakes(const struct web_request *q, struct web_reply *r)
{
    struct web_list list;
    if (!web_list_begin(q, r, TEXT("wakes"), &list))
        return 0;
    struct db_statement *s = db_sql(q->db, "SELECT w.id, w.alert, w.state, w.begun_us, w.ended_us, w.ended_by, a.title, "
                                           "a.severity, (SELECT name FROM person WHERE id = w.ended_by), w.due_us"
                                           " FROM duty_wake w JOIN alert a ON a.id = w.alert WHERE w.id < ?1 AND sees(a.unit, "
                                           "a.tlp, a.audience, a.id) ORDER BY w.id DESC");
    db_bind(s, 1, list.has_after ? list.after[0] : INT64_MAX);
    while (db_next(s)) {
        int64_t id = db_int(s, 0), due = db_int(s, 9);
        json_t *o = json_pack(
            "{s:I, s:I, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)id, "alert", (json_int_t)db_int(s, 1),
            "title", web_string(db_text(s, 6)), "severity", alert_severity_names[db_int(s, 7)], "state",
            duty_wake_state_names[db_int(s, 2)], "begun_at", web_time(db_int(s, 3)), "ended_at", web_time(db_int(s, 4)),
            "ended_by", named(db_int(s, 5), db_text(s, 8)), "due_at",
            db_int(s, 2) == DUTY_RUNNING && due != INT64_MAX ? web_time(due) : json_null(), "messages", messages_json(q, id));
        if (!web_list_add(&list, o, id, 0))
            break;
    }
    db_reset(s);
    return web_list_end(q, r, &list);
}

#define V1 "/api/v1/duty/"
const struct web_route duty_routes[] = {
    {WEB_GET, V1 "now", PERMISSION_DUTY_READ, 0, "duty_shift", get_now, "getDutyNow", 0},
    {WEB_GET, V1 "shifts", PERMISSION_DUTY_READ, WEB_LIST, "duty_shift", get_shifts, "listShifts", 0},
    {WEB_POST, V1 "shifts", PERMISSION_DUTY_WRITE, WEB_WRITES, "duty_shift", post_shift, "addShift", 0},
    {WEB_DELETE, V1 "shifts/{shift}", PERMISSION_DUTY_WRITE, WEB_WRITES | WEB_NEEDS_VERSION, "duty_shift", delete_shift,
     "endShift", 0},
    {WEB_GET, V1 "wakes", PERMISSION_ALERT_READ, WEB_LIST, "alert", get_wakes, "listWakes", 0},
};
const size_t duty_n_routes = sizeof(duty_routes) / sizeof(duty_routes[0]);
