/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hunt record: what somebody supposed, where and what he looked at, what was really covered, what he concludes, and who signed it. Made
 * from a job that is done: the coverage is the program's own, nobody types it. A signed record is never changed.
 */
#include "desk/search/search_own.h"

#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 20000 };

static const char *const STEPS[] = {
    "CREATE TABLE hunt_record(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1, "
    "unit INTEGER NOT NULL, tlp INTEGER NOT NULL DEFAULT 2 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER NOT NULL DEFAULT 0, "
    "person INTEGER NOT NULL, at_us INTEGER NOT NULL, title TEXT NOT NULL, hypothesis TEXT NOT NULL, conclusion TEXT NOT NULL, "
    "job TEXT NOT NULL, n_rows INTEGER NOT NULL, signed_by INTEGER NOT NULL DEFAULT 0, "
    "signed_us INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX hunt_record_by_time ON hunt_record(at_us, id);"
    "CREATE TRIGGER hunt_record_signed BEFORE UPDATE ON hunt_record WHEN OLD.signed_us > 0 BEGIN SELECT RAISE(ABORT, "
    "'hunt_record: a signed record is not changed');"
    " END;",
};
const struct db_migrations search_migrations = {"search", STEPS, sizeof(STEPS) / sizeof(STEPS[0])};

#define COLUMNS                                                                                                                  \
    "h.id, h.version, h.unit, h.tlp, h.person, h.at_us, h.n_rows, h.signed_by, h.signed_us, h.uuid, h.title, h.hypothesis, "     \
    "h.conclusion, h.job, (SELECT name FROM person WHERE id = h.person), (SELECT name FROM person WHERE id = h.signed_by), "     \
    "(SELECT name FROM unit WHERE id = h.unit)"

static json_t *record_json(struct db_statement *s, bool is_whole)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:o, s:o, s:{s:I, s:o}, s:o}", "id", (json_int_t)db_int(s, 0),
                          "version", (json_int_t)db_int(s, 1), "unit", (json_int_t)db_int(s, 2), "tlp", (json_int_t)db_int(s, 3),
                          "at", web_time(db_int(s, 5)), "n_rows", (json_int_t)db_int(s, 6), "signed_at", web_time(db_int(s, 8)),
                          "uuid", web_string(db_text(s, 9)), "title", web_string(db_text(s, 10)), "person", "id",
                          (json_int_t)db_int(s, 4), "name", web_string(db_text(s, 14)), "unit_name", web_string(db_text(s, 16)));
    if (!o)
        return NULL;
    json_object_set_new(o, "signed_by",
                        db_int(s, 7) ? json_pack("{s:I, s:o}", "id", (json_int_t)db_int(s, 7), "name", web_string(db_text(s, 15)))
                                     : json_null());
    if (is_whole) {
        struct text job = db_text(s, 13);
        json_t *parsed = json_loadb(job.p, job.n, 0, NULL);
        json_object_set_new(o, "hypothesis", web_string(db_text(s, 11)));
        json_object_set_new(o, "conclusion", web_string(db_text(s, 12)));
        json_object_set_new(o, "job", parsed ? parsed : json_null());
    }
    return o;
}

int search_get_records(const struct web_request *q, struct web_reply *r)
{
    struct web_list list;
    if (!web_list_begin(q, r, TEXT("records"), &list))
        return 0;
    struct db_statement *s = db_sql(q->db, "SELECT " COLUMNS " FROM hunt_record h WHERE (h.at_us, h.id) < (?1, ?2)"
                                           " AND sees(h.unit, h.tlp, h.audience, h.id) ORDER BY h.at_us DESC, h.id DESC");
    db_bind(s, 1, list.has_after ? list.after[0] : INT64_MAX);
    db_bind(s, 2, list.has_after ? list.after[1] : INT64_MAX);
    while (db_next(s))
        if (!web_list_add(&list, record_json(s, false), db_int(s, 5), db_int(s, 0)))
            break;
    db_reset(s);
    return web_list_end(q, r, &list);
}

/* find - Return: the statement on its row, to be reset; NULL: 404 was written. */
static struct db_statement *find(const struct web_request *q, struct web_reply *r, int64_t *ret_id)
{
    if (!web_parameter_id(q, r, 0, ret_id))
        return NULL;
    struct db_statement *s = db_sql(q->db, "SELECT " COLUMNS " FROM hunt_record h WHERE h.id = ?1 AND sees(h.unit, h.tlp, "
                                                             "h.audience, h.id)");
    db_bind(s, 1, *ret_id);
    if (db_next(s))
        return s;
    web_not_found(q, r);
    return NULL;
}

int search_get_record(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct db_statement *s = find(q, r, &id);
    if (!s)
        return 0;
    r->version = db_int(s, 1);
    json_t *o = record_json(s, true);
    db_reset(s);
    return web_json(r, 200, o);
}

int search_post_record(const struct web_request *q, struct web_reply *r)
{
    const struct search_desk *d = q->desk;
    char uuid[UUID_TEXT_MAX];
    int64_t job_id = web_member_int(q, "job", 1, INT64_MAX, 0, true), unit = web_member_int(q, "unit", 0, INT64_MAX, 0, false);
    const char *title = search_text(q, "title", 300, true), *hypothesis = search_text(q, "hypothesis", TEXT_BYTES, true),
               *conclusion = search_text(q, "conclusion", TEXT_BYTES, false);
    json_t *job = job_id ? jobs_json(d->jobs, job_id, q->who->user) : NULL;
    const char *state = json_string_value(json_object_get(job, "state"));
    if (!state || strcmp(state, "done") != 0)
        web_wrong(q, "/job", MSG_search_job_not_done);
    if (!access_may(q->view, q->who, PERMISSION_EVENT_SEARCH, unit, q->now_us))
        web_wrong(q, "/unit", MSG_search_bad_unit);
    int e = uuid7_make(q->now_us, uuid);
    char *whole = job ? json_dumps(job, JSON_COMPACT) : NULL;
    int64_t n_rows = json_integer_value(json_object_get(job, "n_rows"));
    json_decref(job);
    if (e || !web_check(q, r)) {
        free(whole);
        return e;
    }
    struct db_statement *s = db_sql(q->db, "INSERT INTO hunt_record(uuid, unit, person, at_us, title, hypothesis, conclusion, "
                                           "job, n_rows) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    db_bind_str(s, 1, uuid);
    db_bind(s, 2, unit);
    db_bind(s, 3, q->who->user);
    db_bind(s, 4, q->now_us);
    db_bind_str(s, 5, title);
    db_bind_str(s, 6, hypothesis);
    db_bind_str(s, 7, conclusion);
    db_bind_str(s, 8, whole ? whole : "{}");
    db_bind(s, 9, n_rows);
    db_done(s);
    free(whole);
    int64_t id = db_new_id(q->db);
    web_audit(q, "hunt_record.add", id, NULL, (struct text){"", 0});
    return web_json(r, 201, json_pack("{s:I, s:I}", "id", (json_int_t)id, "version", (json_int_t)1));
}

/* change - @sql with ?1 id, ?2 version, ?3..?5 as bound by the caller through @s */
static int changed(const struct web_request *q, struct web_reply *r, struct db_statement *s, int64_t id, const char *action)
{
    db_bind(s, 1, id);
    db_bind(s, 2, q->version);
    if (!db_done(s)) {
        int e = db_failed(q->db);
        return e == DB_CONFLICT ? web_problem(q, r, 409, "signed") : e ? e : web_conflict(q, r);
    }
    web_audit(q, action, id, NULL, (struct text){"", 0});
    r->version = q->version + 1;
    return web_json(r, 200, json_pack("{s:I, s:I}", "id", (json_int_t)id, "version", (json_int_t)r->version));
}

int search_patch_record(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    const char *hypothesis = search_text(q, "hypothesis", TEXT_BYTES, true),
               *conclusion = search_text(q, "conclusion", TEXT_BYTES, true);
    struct db_statement *s = find(q, r, &id);
    if (!s)
        return 0;
    db_reset(s);
    if (!web_check(q, r))
        return 0;
    s = db_sql(q->db, "UPDATE hunt_record SET hypothesis = ?3, conclusion = ?4, version = version + 1 WHERE id = ?1 AND version "
                      "= ?2");
    db_bind_str(s, 3, hypothesis); /* system: found with sees() in this transaction */
    db_bind_str(s, 4, conclusion);
    return changed(q, r, s, id, "hunt_record.change");
}

int search_sign_record(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct db_statement *s = find(q, r, &id);
    if (!s)
        return 0;
    bool has_conclusion = db_text(s, 12).n > 0;
    db_reset(s);
    if (!has_conclusion)
        return web_problem(q, r, 409, "no_conclusion");
    s = db_sql(q->db, "UPDATE hunt_record SET signed_by = ?3, signed_us = ?4, version = version + 1 WHERE id = ?1 AND version = "
                      "?2");
    db_bind(s, 3, q->who->user); /* system: found with sees() in this transaction */
    db_bind(s, 4, q->now_us);
    return changed(q, r, s, id, "hunt_record.sign");
}
