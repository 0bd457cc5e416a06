/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/alert/alert_db - the SQL of the alerts. Failures are sticky in @db; what a subject may not see is not there (sees()).
 */
#pragma once

#include "base/arena.h"
#include "desk/alert/alert.h"
#include "state/access.h"
#include "state/db.h"

extern const struct db_migrations alert_migrations;

/* an alert as its row stands; texts in the arena given */
struct alert_row {
    int64_t id, version, unit, tlp, audience, machine, assignee, first_us, last_us, raised_us, acknowledged_us, due_us, resolved_us,
        n_events, n_findings, muted_by, follows, verdict_us, verdict_by;
    int64_t resolve_due_us; /* of a new alert: what due_us becomes once somebody has looked; not read back */
    int severity, confidence, entity_kind, state, verdict, kind;
    const char *uuid, *cause, *entity, *title, *rule_id, *list, *unit_name, *assignee_name, *machine_name, *verdict_reason;
};

/* alert_db_find - Return: false: there is none that the subject of @db sees. */
bool alert_db_find(struct db *db, struct arena *arena, int64_t id, struct alert_row *ret);
#define ALERT_ANY_STATE (-1)
#define ALERT_NOT_RESOLVED (-2)
struct alert_filter {
    int state;             /* enum alert_state, ALERT_ANY_STATE or ALERT_NOT_RESOLVED */
    int severity;          /* at least; 0 any */
    int verdict;           /* -1 any */
    int64_t unit;          /* 0 any */
    int64_t assignee;      /* 0 any, -1 nobody */
    int64_t since_us, until_us;
    const char *cause;     /* NULL any */
    const char *folded;    /* NULL any: part of title, entity, rule in its search form */
    int is_muted;          /* -1 any, 0 no, 1 yes */
    int64_t overdue_at_us; /* 0 any; else those due before it and not resolved */
};
enum alert_order { ALERT_BY_LAST, ALERT_BY_SEVERITY, ALERT_BY_DUE, ALERT_N_ORDERS };
/*
 * alert_db_list - rows after key (@a, @b) where @has_after, in order; @each: 0 to go on.
 * @units, @n_units: the subject's units where they are few (an index per unit is walked), else NULL.
 */
struct alert_page {
    const struct alert_filter *filter;
    enum alert_order order;
    bool has_after;
    int64_t after_a, after_b;
    const int64_t *units;
    size_t n_units;
};
void alert_db_list(struct db *db, struct arena *arena, const struct alert_page *page,
                   bool (*each)(void *context, const struct alert_row *row, int64_t key_a, int64_t key_b), void *context);

/* what is not resolved and not suppressed, as the subject of @db sees it */
struct alert_counts {
    int64_t n, n_new, n_critical, n_overdue, oldest_us, oldest_due_us, n_addresses, n_units;
};
void alert_db_count(struct db *db, int64_t now_us, struct alert_counts *ret);

/* one person's (or the system's: person 0) decision; the row is never changed */
struct alert_decision {
    int64_t alert, person, at_us, assignee;
    int state, verdict;
    const char *reason;
};
/*
 * alert_db_decide - writes the decision and the alert's state; version + 1. Return: the decision's id; 0: @version is not the
 * row's any more.
 */
int64_t alert_db_decide(struct db *db, const struct alert_decision *d, int64_t version);
void alert_db_mark(struct db *db, int64_t alert, int tlp);
int64_t alert_db_version(struct db *db, int64_t alert);
int64_t alert_db_note(struct db *db, int64_t alert, int64_t person, int64_t at_us, struct text note);

/* findings on their way in */
struct alert_finding {
    bool is_known, is_withdrawn;
    int64_t alert, revision, n;
};
bool alert_db_finding(struct db *db, const void *id, struct alert_finding *ret);
struct alert_open {
    int64_t id, resolved_us, n_events, last_us, muted_by;
    int state, verdict, severity;
};
/* alert_db_latest - the newest alert of this cause at this entity of this unit; open ones first. */
bool alert_db_latest(struct db *db, const struct alert_sign *s, int64_t unit, struct alert_open *ret);
bool alert_db_state(struct db *db, int64_t alert, struct alert_open *ret);
/* alert_db_object - what access_sees needs of it. */
bool alert_db_object(struct db *db, int64_t alert, struct access_object *ret);
int64_t alert_db_new(struct db *db, const struct alert_row *row);
void alert_db_grow(struct db *db, int64_t alert, const struct alert_sign *s, int64_t more_events, int64_t more_findings, int severity);
void alert_db_put_finding(struct db *db, const void *id, int64_t alert, int64_t revision, const struct alert_sign *s, struct text payload);
int64_t alert_db_findings_standing(struct db *db, int64_t alert);
int64_t alert_db_cursor(struct db *db);
void alert_db_set_cursor(struct db *db, int64_t sequence);
void alert_db_refused(struct db *db, const char *why);

/* suppressions in force; @each: false ends the walk. alert_db_unmute - give back what ended ones held. Return: alerts. */
void alert_db_mutes(struct db *db, int64_t now_us, bool (*each)(void *context, const struct alert_mute *m), void *context);
int64_t alert_db_unmute(struct db *db, int64_t now_us);

/* what an alert is made of, newest first */
struct alert_finding_row {
    int64_t first_us, last_us, revision;
    bool is_withdrawn;
    struct text payload;
};
void alert_db_findings(struct db *db, int64_t alert, int limit,
                       bool (*each)(void *context, const struct alert_finding_row *f), void *context);
/* the story of an alert: findings, decisions and notes, newest first */
struct alert_entry {
    const char *kind; /* "finding", "decision", "note" */
    int64_t at_us, person, assignee, n;
    int state, verdict;
    const char *person_name, *assignee_name, *text;
};
void alert_db_story(struct db *db, int64_t alert, int limit, bool (*each)(void *context, const struct alert_entry *e), void *context);

/* suppressions as people see them, newest first after id @after (0: the first) */
struct alert_mute_row {
    struct alert_mute mute;
    int64_t version, author, made_us, ended_us, n_alerts;
    const char *reason, *author_name, *unit_name;
};
void alert_db_mute_list(struct db *db, int64_t after, int64_t now_us, bool is_active_only,
                        bool (*each)(void *context, const struct alert_mute_row *m), void *context);
bool alert_db_mute_find(struct db *db, int64_t id, struct alert_mute_row *ret, struct arena *arena);
int64_t alert_db_mute_new(struct db *db, const struct alert_mute *m, int64_t author, int64_t now_us, struct text reason);
/* alert_db_mute_apply - what is open and matches waits no longer. Return: alerts. */
int64_t alert_db_mute_apply(struct db *db, const struct alert_mute *m, int64_t now_us);
/* alert_db_mute_end - Return: false: another version stands. */
bool alert_db_mute_end(struct db *db, int64_t id, int64_t version, int64_t now_us);

/* saved views: a name and a filter, a person's own, or shown to all of the office */
struct alert_view {
    int64_t id, person;
    bool is_shared;
    const char *name, *filter, *person_name;
};
void alert_db_views(struct db *db, int64_t person, bool (*each)(void *context, const struct alert_view *v), void *context);
/* alert_db_view_put - Return: its id; 0: the person has 100 already. */
int64_t alert_db_view_put(struct db *db, int64_t person, struct text name, struct text filter, bool is_shared);
bool alert_db_view_delete(struct db *db, int64_t person, struct text name);
