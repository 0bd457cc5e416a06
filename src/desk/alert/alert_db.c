/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL of alerts. `version` counts what people change; what findings add (counts, times, a higher severity) does not touch it, so
 * that nobody loses his form to a machine that talks. Every decision is a row of its own that is never changed: the state in
 * `alert` is the last of them.
 */
#include "desk/alert/alert_db.h"

#include <stdio.h>
#include <string.h>

static const char *const STEPS[] = {
    "CREATE TABLE alert_mute(id INTEGER PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1, unit INTEGER NOT NULL DEFAULT 0, "
    "tlp INTEGER NOT NULL DEFAULT 2, audience INTEGER NOT NULL DEFAULT 0, cause TEXT NOT NULL, entity TEXT NOT NULL, "
    "reason TEXT NOT NULL, author INTEGER NOT NULL, made_us INTEGER NOT NULL, from_us INTEGER NOT NULL, "
    "to_us INTEGER NOT NULL CHECK(to_us > from_us), ended_us INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE alert(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1, "
    "unit INTEGER NOT NULL, tlp INTEGER NOT NULL DEFAULT 2 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER NOT NULL DEFAULT 0, "
    "kind INTEGER NOT NULL, cause TEXT NOT NULL, entity_kind INTEGER NOT NULL, entity TEXT NOT NULL, title TEXT NOT NULL, "
    "rule_id TEXT NOT NULL, list TEXT NOT NULL, folded TEXT NOT NULL, severity INTEGER NOT NULL CHECK(severity BETWEEN 1"
    " AND 5), confidence INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0 CHECK(state BETWEEN 0 AND 3), "
    "verdict INTEGER NOT NULL DEFAULT 0 CHECK(verdict BETWEEN 0 AND 4), verdict_reason TEXT NOT NULL DEFAULT '', "
    "verdict_by INTEGER NOT NULL DEFAULT 0, verdict_us INTEGER NOT NULL DEFAULT 0, machine INTEGER NOT NULL DEFAULT 0, "
    "assignee INTEGER NOT NULL DEFAULT 0, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, raised_us INTEGER NOT NULL, "
    "acknowledged_us INTEGER NOT NULL DEFAULT 0, due_us INTEGER NOT NULL, resolved_us INTEGER NOT NULL DEFAULT 0, "
    "resolve_due_us INTEGER NOT NULL DEFAULT 9223372036854775807, n_events INTEGER NOT NULL, n_findings INTEGER NOT NULL, "
    "muted_by INTEGER REFERENCES alert_mute(id), follows INTEGER REFERENCES alert(id)) STRICT;"
    "CREATE UNIQUE INDEX alert_one_open ON alert(cause, entity_kind, entity, unit) WHERE state < 3;"
    "CREATE INDEX alert_of_cause ON alert(cause, entity_kind, entity, unit, id);"
    "CREATE INDEX alert_last ON alert(last_us, id);"
    "CREATE INDEX alert_severity ON alert(severity, id);"
    "CREATE INDEX alert_due ON alert(due_us, id);"
    "CREATE INDEX alert_open_last ON alert(last_us, id) WHERE state < 3;"
    "CREATE INDEX alert_open_severity ON alert(severity, id) WHERE state < 3;"
    "CREATE INDEX alert_open_due ON alert(due_us, id) WHERE state < 3;"
    "CREATE INDEX alert_unit_last ON alert(unit, last_us, id);"
    /* the first look counts these, and reads nothing else */
    "CREATE INDEX alert_asking ON alert(unit, tlp, audience, id, severity, state, due_us, raised_us, entity_kind, entity)"
    " WHERE state < 3 AND muted_by IS NULL;"
    "CREATE INDEX alert_muted ON alert(muted_by) WHERE muted_by IS NOT NULL;"
    "CREATE TABLE alert_finding(finding BLOB PRIMARY KEY, alert INTEGER NOT NULL REFERENCES alert(id), "
    "revision INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, n INTEGER NOT NULL, "
    "is_withdrawn INTEGER NOT NULL, payload TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX alert_finding_of ON alert_finding(alert, last_us);"
    "CREATE TABLE alert_decision(id INTEGER PRIMARY KEY, alert INTEGER NOT NULL REFERENCES alert(id), at_us INTEGER NOT NULL, "
    "person INTEGER NOT NULL, state INTEGER NOT NULL, verdict INTEGER NOT NULL, assignee INTEGER NOT NULL, "
    "reason TEXT NOT NULL) STRICT;"
    "CREATE INDEX alert_decision_of ON alert_decision(alert, id);"
    "CREATE TABLE alert_note(id INTEGER PRIMARY KEY, alert INTEGER NOT NULL REFERENCES alert(id), at_us INTEGER NOT NULL, "
    "person INTEGER NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE INDEX alert_note_of ON alert_note(alert, id);"
    "CREATE TABLE alert_view(id INTEGER PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1, person INTEGER NOT NULL, "
    "name TEXT NOT NULL, filter TEXT NOT NULL, is_shared INTEGER NOT NULL DEFAULT 0, UNIQUE(person, name)) STRICT;"
    "CREATE TABLE alert_cursor(name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE alert_refused(why TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
};
const struct db_migrations alert_migrations = {"alert", STEPS, sizeof(STEPS) / sizeof(STEPS[0])};

/* --- rows -------------------------------------------------------------------------------------------------------- */

#define COLUMNS                                                                                                                  \
    "a.id, a.version, a.unit, a.tlp, a.audience, a.machine, a.assignee, a.first_us, a.last_us, a.raised_us, a.acknowledged_us, " \
    "a.due_us, a.resolved_us, a.n_events, a.n_findings, coalesce(a.muted_by, 0), coalesce(a.follows, 0), a.verdict_us, "         \
    "a.verdict_by, a.severity, a.confidence, a.entity_kind, a.state, a.verdict, a.kind, a.uuid, a.cause, a.entity, a.title, "    \
    "a.rule_id, a.list, (SELECT name FROM unit WHERE id = a.unit), (SELECT name FROM person WHERE id = a.assignee), "            \
    "a.verdict_reason"

static const char *copy(struct arena *arena, struct db_statement *s, int column)
{
    struct text t = db_text(s, column);
    const char *p = arena_text(arena, t.p, t.n);
    return p ? p : "";
}

static void take_row(struct db_statement *s, struct arena *arena, struct alert_row *r)
{
    int64_t *numbers[] = {&r->id,          &r->version,  &r->unit,       &r->tlp,       &r->audience,        &r->machine,
                          &r->assignee,    &r->first_us, &r->last_us,    &r->raised_us, &r->acknowledged_us, &r->due_us,
                          &r->resolved_us, &r->n_events, &r->n_findings, &r->muted_by,  &r->follows,         &r->verdict_us,
                          &r->verdict_by};
    int *small[] = {&r->severity, &r->confidence, &r->entity_kind, &r->state, &r->verdict, &r->kind};
    const char **texts[] = {&r->uuid, &r->cause,     &r->entity,        &r->title,         &r->rule_id,
                            &r->list, &r->unit_name, &r->assignee_name, &r->verdict_reason};
    int c = 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        *numbers[i] = db_int(s, c++);
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++)
        *small[i] = (int)db_int(s, c++);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = copy(arena, s, c++);
}

bool alert_db_find(struct db *db, struct arena *arena, int64_t id, struct alert_row *ret)
{
    struct db_statement *s = db_sql(db, "SELECT " COLUMNS " FROM alert a WHERE a.id = ?1 AND sees(a.unit, a.tlp, a.audience, "
                                        "a.id)");
    db_bind(s, 1, id);
    bool is_there = db_next(s);
    *ret = (struct alert_row){0};
    if (is_there)
        take_row(s, arena, ret);
    db_reset(s);
    return is_there;
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

/* the plus keeps a filter from choosing the index: the order does */
#define FILTERS                                                                                                                  \
    " AND (?4 < 0 OR a.state = ?4) AND +a.severity >= ?5 AND (?6 < 0 OR a.verdict = ?6) AND (?7 = 0 OR +a.unit = ?7)"            \
    " AND (?8 = 0 OR (?8 = -1 AND a.assignee = 0) OR a.assignee = ?8) AND +a.last_us >= ?9 AND +a.last_us < ?10"                 \
    " AND (?11 IS NULL OR +a.cause = ?11) AND (?12 IS NULL OR instr(a.folded, ?12) > 0)"                                         \
    " AND (?13 < 0 OR (a.muted_by IS NOT NULL) = ?13) AND (?14 = 0 OR (a.due_us < ?14 AND a.state < 3))"                         \
    " AND sees(a.unit, a.tlp, a.audience, a.id)"
#define NARROW " AND a.unit IN (SELECT value FROM json_each(?3))"
#define LIST_LAST(more)                                                                                                          \
    "SELECT " COLUMNS " FROM alert a WHERE (a.last_us, a.id) < (?1, ?2)" more FILTERS " ORDER BY a.last_us DESC, a.id DESC"
#define LIST_SEVERITY(more)                                                                                                      \
    "SELECT " COLUMNS " FROM alert a WHERE (a.severity, a.id) < (?1, ?2)" more FILTERS " ORDER BY a.severity DESC, a.id DESC"
#define LIST_DUE(more) "SELECT " COLUMNS " FROM alert a WHERE (a.due_us, a.id) > (?1, ?2)" more FILTERS " ORDER BY a.due_us, a.id"
#define OPEN " AND a.state < 3"

/* by order, whether only what is not resolved (its index is small), whether by the subject's few units */
static const char *const LISTS[ALERT_N_ORDERS][2][2] = {
    {{LIST_LAST(""), LIST_LAST(NARROW)}, {LIST_LAST(OPEN), LIST_LAST(OPEN NARROW)}},
    {{LIST_SEVERITY(""), LIST_SEVERITY(NARROW)}, {LIST_SEVERITY(OPEN), LIST_SEVERITY(OPEN NARROW)}},
    {{LIST_DUE(""), LIST_DUE(NARROW)}, {LIST_DUE(OPEN), LIST_DUE(OPEN NARROW)}},
};

/* units_json - [1,2,3] for json_each */
static struct text units_json(struct arena *arena, const int64_t *units, size_t n)
{
    char *p = arena_alloc(arena, n * 21 + 3);
    size_t at = 0;
    if (!p)
        return TEXT("[]");
    p[at++] = '[';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(p + at, n * 21 + 3 - at, "%s%lld", i ? "," : "", (long long)units[i]);
    p[at++] = ']';
    return (struct text){p, at};
}

static void bind_filter(struct db_statement *s, const struct alert_filter *f)
{
    db_bind(s, 4, f->state);
    db_bind(s, 5, f->severity);
    db_bind(s, 6, f->verdict);
    db_bind(s, 7, f->unit);
    db_bind(s, 8, f->assignee);
    db_bind(s, 9, f->since_us ? f->since_us : INT64_MIN);
    db_bind(s, 10, f->until_us ? f->until_us : INT64_MAX);
    db_bind_str(s, 11, f->cause);
    db_bind_str(s, 12, f->folded);
    db_bind(s, 13, f->is_muted);
    db_bind(s, 14, f->overdue_at_us);
}

void alert_db_list(struct db *db, struct arena *arena, const struct alert_page *page,
                   bool (*each)(void *context, const struct alert_row *row, int64_t key_a, int64_t key_b), void *context)
{
    bool is_narrow = page->units != NULL, is_due = page->order == ALERT_BY_DUE;
    struct db_statement *s = db_sql(db, LISTS[page->order][page->filter->state == ALERT_NOT_RESOLVED][is_narrow]);
    db_bind(s, 1, page->has_after ? page->after_a : is_due ? INT64_MIN : INT64_MAX);
    db_bind(s, 2, page->has_after ? page->after_b : is_due ? INT64_MIN : INT64_MAX);
    if (is_narrow)
        db_bind_text(s, 3, units_json(arena, page->units, page->n_units));
    bind_filter(s, page->filter);
    while (db_next(s)) {
        struct alert_row row = {0};
        take_row(s, arena, &row);
        int64_t key = is_due ? row.due_us : page->order == ALERT_BY_SEVERITY ? row.severity : row.last_us;
        if (!each(context, &row, key, row.id))
            break;
    }
    db_reset(s);
}

void alert_db_count(struct db *db, int64_t now_us, struct alert_counts *ret)
{
    *ret = (struct alert_counts){0};
    struct db_statement *s = db_sql(db, "SELECT count(*), coalesce(sum(a.state = 0), 0), coalesce(sum(a.severity = 5), 0), "
                                        "coalesce(sum(a.due_us < ?1), 0), coalesce(min(a.raised_us), 0), "
                                        "coalesce(min(CASE WHEN a.due_us < ?1 THEN a.due_us END), 0), "
                                        "count(DISTINCT CASE WHEN a.entity_kind = 0 THEN a.entity END), "
                                        "count(DISTINCT nullif(a.unit, 0)) FROM alert a WHERE a.state < 3"
                                        " AND a.muted_by IS NULL AND sees(a.unit, a.tlp, a.audience, a.id)");
    db_bind(s, 1, now_us);
    if (db_next(s))
        *ret = (struct alert_counts){db_int(s, 0), db_int(s, 1), db_int(s, 2), db_int(s, 3),
                                     db_int(s, 4), db_int(s, 5), db_int(s, 6), db_int(s, 7)};
    db_reset(s);
}

/* --- what people decide ------------------------------------------------------------------------------------------ */

int64_t alert_db_decide(struct db *db, const struct alert_decision *d, int64_t version)
{
    struct db_statement *s = db_sql(db, "UPDATE alert SET version = version + 1, state = ?2, verdict = ?3, assignee = ?4,"
                                        " due_us = CASE WHEN acknowledged_us = 0"
                                        " AND ?2 > 0 THEN resolve_due_us ELSE due_us END, "
                                        "acknowledged_us = CASE WHEN acknowledged_us = 0"
                                        " AND ?2 > 0 THEN ?5 ELSE acknowledged_us END, "
                                        "resolved_us = CASE WHEN ?2 < 3 THEN 0 WHEN state < 3 THEN ?5 ELSE resolved_us END, "
                                        "verdict_reason = CASE WHEN verdict = ?3 AND ?6 = '' THEN verdict_reason ELSE ?6 END, "
                                        "verdict_by = CASE WHEN verdict = ?3 THEN verdict_by ELSE ?7 END, "
                                        "verdict_us = CASE WHEN verdict = ?3 THEN verdict_us ELSE ?5 END WHERE id = ?1"
                                        " AND version = ?8");
    /* system: the caller has found it with sees() in this transaction */
    db_bind(s, 1, d->alert);
    db_bind(s, 2, d->state);
    db_bind(s, 3, d->verdict);
    db_bind(s, 4, d->assignee);
    db_bind(s, 5, d->at_us);
    db_bind_str(s, 6, d->reason ? d->reason : "");
    db_bind(s, 7, d->person);
    db_bind(s, 8, version);
    if (!db_done(s))
        return 0;
    s = db_sql(db, "INSERT INTO alert_decision(alert, at_us, person, state, verdict, assignee, reason) VALUES(?1, ?2, ?3, ?4, "
                   "?5, ?6, ?7)");
    db_bind(s, 1, d->alert);
    db_bind(s, 2, d->at_us);
    db_bind(s, 3, d->person);
    db_bind(s, 4, d->state);
    db_bind(s, 5, d->verdict);
    db_bind(s, 6, d->assignee);
    db_bind_str(s, 7, d->reason ? d->reason : "");
    db_done(s);
    return db_new_id(db);
}

int64_t alert_db_note(struct db *db, int64_t alert, int64_t person, int64_t at_us, struct text note)
{
    struct db_statement *s = db_sql(db, "INSERT INTO alert_note(alert, at_us, person, text) VALUES(?1, ?2, ?3, ?4)");
    db_bind(s, 1, alert);
    db_bind(s, 2, at_us);
    db_bind(s, 3, person);
    db_bind_text(s, 4, note);
    db_done(s);
    return db_new_id(db);
}

void alert_db_mark(struct db *db, int64_t alert, int tlp)
{
    struct db_statement *s =
        db_sql(db, "UPDATE alert SET tlp = ?2 WHERE id = ?1"); /* system: found with sees() in this transaction */
    db_bind(s, 1, alert);
    db_bind(s, 2, tlp);
    db_done(s);
}

/* --- findings on their way in; all of it is system: no subject asks, the watch tells ------------------------------- */

bool alert_db_finding(struct db *db, const void *id, struct alert_finding *ret)
{
    struct db_statement *s = db_sql(db, "SELECT alert, revision, n, is_withdrawn FROM alert_finding WHERE finding = ?1");
    db_bind_blob(s, 1, id, 16);
    bool is_there = db_next(s);
    *ret = (struct alert_finding){0};
    if (is_there)
        *ret = (struct alert_finding){
            .alert = db_int(s, 0), .revision = db_int(s, 1), .n = db_int(s, 2), .is_withdrawn = db_int(s, 3) != 0};
    db_reset(s);
    return is_there;
}

void alert_db_put_finding(struct db *db, const void *id, int64_t alert, int64_t revision, const struct alert_sign *sign,
                          struct text payload)
{
    struct db_statement *s = db_sql(db, "INSERT INTO alert_finding(finding, alert, revision, first_us, last_us, n, is_withdrawn, "
                                        "payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(finding) DO UPDATE"
                                        " SET alert = ?2, revision = ?3, first_us = ?4, last_us = ?5, n = ?6, "
                                        "is_withdrawn = ?7, payload = ?8");
    db_bind_blob(s, 1, id, 16);
    db_bind(s, 2, alert);
    db_bind(s, 3, revision);
    db_bind(s, 4, sign->first_us);
    db_bind(s, 5, sign->last_us);
    db_bind(s, 6, sign->n > INT64_MAX ? INT64_MAX : (int64_t)sign->n);
    db_bind(s, 7, sign->is_withdrawn);
    db_bind_text(s, 8, payload);
    db_done(s);
}

static bool take_open(struct db_statement *s, struct alert_open *ret)
{
    bool is_there = db_next(s);
    *ret = (struct alert_open){0};
    if (is_there)
        *ret = (struct alert_open){db_int(s, 0), db_int(s, 1),      db_int(s, 2),      db_int(s, 3),
                                   db_int(s, 4), (int)db_int(s, 5), (int)db_int(s, 6), (int)db_int(s, 7)};
    db_reset(s);
    return is_there;
}

bool alert_db_latest(struct db *db, const struct alert_sign *sign, int64_t unit, struct alert_open *ret)
{
    struct db_statement *s = db_sql(db, "SELECT id, resolved_us, n_events, last_us, coalesce(muted_by, 0), state, verdict, "
                                        "severity FROM alert WHERE cause = ?1 AND entity_kind = ?2 AND entity = ?3"
                                        " AND unit = ?4 ORDER BY id DESC LIMIT 1"); /* system: findings on their way in */
    db_bind_str(s, 1, sign->cause);
    db_bind(s, 2, sign->entity_kind);
    db_bind_str(s, 3, sign->entity);
    db_bind(s, 4, unit);
    return take_open(s, ret);
}

bool alert_db_state(struct db *db, int64_t alert, struct alert_open *ret)
{
    struct db_statement *s = db_sql(db, "SELECT id, resolved_us, n_events, last_us, coalesce(muted_by, 0), state, verdict, "
                                        "severity FROM alert WHERE id = ?1"); /* system: findings on their way in */
    db_bind(s, 1, alert);
    return take_open(s, ret);
}

bool alert_db_object(struct db *db, int64_t alert, struct access_object *ret)
{
    struct db_statement *s =
        db_sql(db, "SELECT unit, tlp, audience FROM alert WHERE id = ?1"); /* system: to ask access_sees of each listener */
    db_bind(s, 1, alert);
    bool is_there = db_next(s);
    *ret = (struct access_object){.kind = "alert", .id = alert};
    if (is_there) {
        ret->unit = db_int(s, 0);
        ret->tlp = (enum tlp)db_int(s, 1);
        ret->audience = db_int(s, 2);
    }
    db_reset(s);
    return is_there;
}

/* folded - what the search looks in: title, rule, entity, list */
static struct text folded(const struct alert_row *r, char *out, size_t n_out)
{
    char all[2048];
    int n = snprintf(all, sizeof(all), "%s %s %s %s", r->title, r->rule_id, r->entity, r->list);
    n = n < (int)sizeof(all) ? n : (int)sizeof(all) - 1;
    return (struct text){out, text_fold((struct text){all, (size_t)n}, out, n_out)};
}

int64_t alert_db_new(struct db *db, const struct alert_row *r)
{
    char search[2048];
    struct db_statement *s = db_sql(db, "INSERT INTO alert(uuid, unit, tlp, kind, cause, entity_kind, entity, title, rule_id, "
                                        "list, folded, severity, confidence, machine, first_us, last_us, raised_us, due_us, "
                                        "n_events, n_findings, muted_by, follows, resolve_due_us) VALUES(?1, ?2, ?3, ?4, ?5, "
                                        "?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, 1, nullif(?20, 0), "
                                        "nullif(?21, 0), ?22)");
    const char *texts[] = {r->cause, r->entity, r->title, r->rule_id, r->list};
    static const int AT[] = {5, 7, 8, 9, 10};
    db_bind_str(s, 1, r->uuid);
    db_bind(s, 2, r->unit);
    db_bind(s, 3, r->tlp);
    db_bind(s, 4, r->kind);
    db_bind(s, 6, r->entity_kind);
    for (size_t i = 0; i < 5; i++)
        db_bind_str(s, AT[i], texts[i]);
    db_bind_text(s, 11, folded(r, search, sizeof(search)));
    db_bind(s, 12, r->severity);
    db_bind(s, 13, r->confidence);
    db_bind(s, 14, r->machine);
    db_bind(s, 15, r->first_us);
    db_bind(s, 16, r->last_us);
    db_bind(s, 17, r->raised_us);
    db_bind(s, 18, r->due_us);
    db_bind(s, 19, r->n_events);
    db_bind(s, 20, r->muted_by);
    db_bind(s, 21, r->follows);
    db_bind(s, 22, r->resolve_due_us);
    db_done(s);
    return db_new_id(db);
}

void alert_db_grow(struct db *db, int64_t alert, const struct alert_sign *sign, int64_t more_events, int64_t more_findings,
                   int severity)
{
    struct db_statement *s = db_sql(db, "UPDATE alert SET n_events = n_events + ?2, n_findings = n_findings + ?3, first_us = "
                                        "min(first_us, ?4), last_us = max(last_us, ?5), severity = max(severity, ?6), "
                                        "confidence = max(confidence, ?7) WHERE id = ?1");
    /* system: findings on their way in */
    db_bind(s, 1, alert);
    db_bind(s, 2, more_events);
    db_bind(s, 3, more_findings);
    db_bind(s, 4, sign->first_us);
    db_bind(s, 5, sign->last_us);
    db_bind(s, 6, severity);
    db_bind(s, 7, sign->confidence_pct);
    db_done(s);
}

int64_t alert_db_findings_standing(struct db *db, int64_t alert)
{
    struct db_statement *s = db_sql(db, "SELECT count(*) FROM alert_finding WHERE alert = ?1 AND is_withdrawn = 0");
    db_bind(s, 1, alert);
    int64_t n = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return n;
}

int64_t alert_db_version(struct db *db, int64_t alert)
{
    struct db_statement *s = db_sql(db, "SELECT version FROM alert WHERE id = ?1"); /* system: findings on their way in */
    db_bind(s, 1, alert);
    int64_t v = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return v;
}

int64_t alert_db_cursor(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT sequence FROM alert_cursor WHERE name = 'findings'");
    int64_t n = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return n;
}

void alert_db_set_cursor(struct db *db, int64_t sequence)
{
    struct db_statement *s = db_sql(db, "INSERT INTO alert_cursor(name, sequence) VALUES('findings', ?1) ON CONFLICT(name) DO "
                                        "UPDATE SET sequence = ?1");
    db_bind(s, 1, sequence);
    db_done(s);
}

void alert_db_refused(struct db *db, const char *why)
{
    struct db_statement *s = db_sql(db, "INSERT INTO alert_refused(why, n) VALUES(?1, 1) ON CONFLICT(why) DO UPDATE SET n = n + "
                                        "1");
    db_bind_str(s, 1, why);
    db_done(s);
}

/* --- suppressions ------------------------------------------------------------------------------------------------ */

void alert_db_mutes(struct db *db, int64_t now_us, bool (*each)(void *context, const struct alert_mute *m), void *context)
{
    struct db_statement *s =
        db_sql(db, "SELECT id, unit, cause, entity, from_us, to_us FROM alert_mute"
                   " WHERE ended_us = 0 AND from_us <= ?1 AND to_us > ?1 ORDER BY id"); /* system: findings on their way in */
    db_bind(s, 1, now_us);
    while (db_next(s)) {
        char cause[ALERT_CAUSE_MAX], entity[ALERT_ENTITY_MAX];
        snprintf(cause, sizeof(cause), "%.*s", (int)db_text(s, 2).n, db_text(s, 2).p);
        snprintf(entity, sizeof(entity), "%.*s", (int)db_text(s, 3).n, db_text(s, 3).p);
        struct alert_mute m = {db_int(s, 0), db_int(s, 1), cause, entity, db_int(s, 4), db_int(s, 5)};
        if (!each(context, &m))
            break;
    }
    db_reset(s);
}

int64_t alert_db_unmute(struct db *db, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE alert SET muted_by = NULL WHERE muted_by IN (SELECT id FROM alert_mute WHERE "
                                        "ended_us > 0 OR to_us <= ?1) AND state < 3"); /* system: time passed */
    db_bind(s, 1, now_us);
    return db_done(s);
}
