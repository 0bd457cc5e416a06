/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way in: one batch of the finding journal, one transaction. A finding is known by (id, revision), so reading a part of the
 * journal twice changes nothing; the cursor of the state decides, the cursor file only lets the watch trim.
 */
#include "base/clock.h"
#include "base/uuid.h"
#include "desk/alert/alert_own.h"
#include "watch/detect/finding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MUTES = 10000, UPKEEP_US = 30000000 };
static const char CURSOR[] = "office";

struct mutes {
    struct alert_mute all[MAX_MUTES];
    size_t n;
    struct arena texts;
};

struct take {
    struct alert_desk *desk;
    struct db *db;
    struct mutes *mutes;
    struct alert_taken *t;
    int64_t now_us;
    uint64_t last;
    int failed;
};

/* --- where a finding belongs ------------------------------------------------------------------------------------- */

static void changed(struct alert_taken *t, int64_t alert)
{
    for (size_t i = 0; i < t->n_changed && i < sizeof(t->changed) / sizeof(t->changed[0]); i++)
        if (t->changed[i] == alert)
            return;
    if (t->n_changed < sizeof(t->changed) / sizeof(t->changed[0]))
        t->changed[t->n_changed] = alert;
    t->n_changed++;
}

static int64_t mute_of(const struct take *k, const struct alert_sign *s, int64_t unit)
{
    for (size_t i = 0; i < k->mutes->n; i++) {
        const struct alert_mute *m = &k->mutes->all[i];
        if ((!m->unit || m->unit == unit) && alert_is_muted(m, s->cause, s->entity_kind, s->entity, k->now_us))
            return m->id;
    }
    return 0;
}

/* takes_more - whether a resolved alert swallows it: seen before the decision, or in the quiet time after "false" and "benign" */
static bool takes_more(const struct take *k, const struct alert_open *a, const struct alert_sign *s)
{
    return a->state != ALERT_RESOLVED || s->last_us <= a->resolved_us ||
           s->last_us < a->resolved_us + k->desk->policy.quiet_us[a->verdict];
}

static int64_t raise_alert(struct take *k, const struct alert_sign *s, const struct alert_place *place, int severity,
                           int64_t follows)
{
    char uuid[UUID_TEXT_MAX], title[ALERT_TITLE_MAX];
    const struct alert_policy *p = &k->desk->policy;
    int e = uuid7_make(k->now_us, uuid);
    if (e) {
        k->failed = e;
        return 0;
    }
    int64_t clock = p->acknowledge_us[severity] ? p->acknowledge_us[severity] : p->resolve_us[severity];
    struct alert_row row = {.uuid = uuid,
                            .unit = place->unit,
                            .tlp = TLP_AMBER,
                            .kind = (int)s->kind,
                            .cause = s->cause,
                            .entity_kind = (int)s->entity_kind,
                            .entity = s->entity,
                            .title = alert_title(s, title, sizeof(title)),
                            .rule_id = s->rule_id,
                            .list = s->list,
                            .severity = severity,
                            .confidence = s->confidence_pct,
                            .machine = place->machine,
                            .first_us = s->first_us,
                            .last_us = s->last_us,
                            .raised_us = k->now_us,
                            .due_us = clock ? k->now_us + clock : INT64_MAX,
                            .resolve_due_us = p->resolve_us[severity] ? k->now_us + p->resolve_us[severity] : INT64_MAX,
                            .n_events = s->n > INT64_MAX ? INT64_MAX : (int64_t)s->n,
                            .muted_by = mute_of(k, s, place->unit),
                            .follows = follows};
    k->t->n_new++;
    return alert_db_new(k->db, &row);
}

/* place - the alert a new finding belongs to, with what it adds */
static int64_t place_finding(struct take *k, const struct alert_sign *s)
{
    struct alert_place place = {0};
    struct alert_open latest;
    if (k->desk->lookups.place)
        k->desk->lookups.place(k->desk->lookups.context, k->db, s, &place);
    int severity = (int)alert_severity_of(&k->desk->policy, s, &place);
    bool is_there = alert_db_latest(k->db, s, place.unit, &latest);
    if (!is_there || !takes_more(k, &latest, s))
        return raise_alert(k, s, &place, severity, is_there ? latest.id : 0);
    alert_db_grow(k->db, latest.id, s, s->n > INT64_MAX ? INT64_MAX : (int64_t)s->n, 1, severity);
    k->t->n_grown++;
    return latest.id;
}

/* withdraw - the watch takes a finding back: an alert of which nothing stands any more is resolved as false, by the system */
static void withdraw(struct take *k, int64_t alert)
{
    if (alert_db_findings_standing(k->db, alert))
        return;
    struct alert_decision d = {
        .alert = alert, .at_us = k->now_us, .state = ALERT_RESOLVED, .verdict = ALERT_FALSE, .reason = "withdrawn"};
    int64_t version = alert_db_version(k->db, alert);
    if (version)
        alert_db_decide(k->db, &d, version);
}

static void take_finding(struct take *k, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct alert_sign s;
    struct alert_finding before;
    struct alert_open latest;
    const char *why;
    bool is_known = alert_db_finding(k->db, id->b, &before);
    if (is_known && before.revision >= (int64_t)revision) {
        k->t->n_skipped++;
        return;
    }
    if (alert_read(payload, &s, &why)) {
        alert_db_refused(k->db, why);
        k->t->n_refused++;
        return;
    }
    if (!is_known && s.is_withdrawn)
        return; /* it never asked anybody */
    int64_t alert = before.alert, n = s.n > INT64_MAX ? INT64_MAX : (int64_t)s.n;
    bool is_open = is_known && alert_db_state(k->db, alert, &latest) && takes_more(k, &latest, &s);
    if (is_open) {
        alert_db_grow(k->db, alert, &s, n > before.n ? n - before.n : 0, 0, latest.severity);
        k->t->n_grown++;
    } else if (!s.is_withdrawn)
        alert = place_finding(k, &s);
    alert_db_put_finding(k->db, id->b, alert, revision, &s, payload);
    if (s.is_withdrawn && !before.is_withdrawn)
        withdraw(k, alert);
    changed(k->t, alert);
}

static int take_record(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct take *k = context;
    if (k->t->n_records == ALERT_BATCH) {
        k->t->has_more = true;
        return 1;
    }
    k->t->n_records++;
    k->last = sequence;
    take_finding(k, id, revision, payload);
    return k->failed || db_failed(k->db) ? 1 : 0;
}

/* --- suppressions ------------------------------------------------------------------------------------------------ */

static bool keep_mute(void *context, const struct alert_mute *m)
{
    struct mutes *all = context;
    struct alert_mute *mine = &all->all[all->n];
    *mine = *m;
    mine->cause = arena_text(&all->texts, m->cause, strlen(m->cause));
    mine->entity = arena_text(&all->texts, m->entity, strlen(m->entity));
    all->n += mine->cause && mine->entity;
    return all->n < MAX_MUTES;
}

static int is_any(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    (void)context, (void)sequence, (void)id, (void)revision, (void)payload;
    return 1;
}

/* --- a batch ----------------------------------------------------------------------------------------------------- */

int alert_desk_take(struct alert_desk *d, struct db_pool *pool, const char *data_dir, int64_t now_us, struct alert_taken *ret,
                    struct fault *f)
{
    *ret = (struct alert_taken){0};
    if (d->is_registered && !findings_read(data_dir, d->last + 1, is_any, NULL, f))
        return 0; /* nothing new: nobody is kept from writing */
    struct mutes *mutes = calloc(1, sizeof(*mutes));
    if (!mutes)
        return FAULT(f, -ENOMEM, no_memory, "alerts");
    struct db *db = db_write(pool);
    int64_t cursor = alert_db_cursor(db);
    struct take k = {.desk = d, .db = db, .mutes = mutes, .t = ret, .now_us = now_us, .last = (uint64_t)cursor};
    alert_db_mutes(db, now_us, keep_mute, mutes);
    int r = findings_read(data_dir, (uint64_t)cursor + 1, take_record, &k, f);
    if (k.last > (uint64_t)cursor)
        alert_db_set_cursor(db, (int64_t)k.last);
    r = r < 0 ? r : k.failed;
    int ended = db_end(db, !r && ret->n_records, r ? NULL : f);
    arena_fini(&mutes->texts);
    free(mutes);
    if (!r && ended)
        r = ended == DB_CONFLICT ? -EBADMSG : ended;
    r = r || (d->is_registered && k.last == d->last) ? r : findings_set_cursor(data_dir, CURSOR, k.last, f);
    if (!r) {
        d->is_registered = true;
        d->last = k.last;
    }
    return r;
}

int alert_desk_upkeep(struct alert_desk *d, struct db_pool *pool, int64_t now_us, struct fault *f)
{
    if (now_us < d->next_upkeep_us)
        return 0;
    d->next_upkeep_us = now_us + UPKEEP_US;
    struct db *db = db_write(pool);
    int64_t n = alert_db_unmute(db, now_us);
    int r = db_end(db, n > 0, f);
    return r == DB_CONFLICT ? -EBADMSG : r;
}

int alert_desk_new(const char *policy_path, const struct alert_lookups *lookups, struct alert_desk **ret, struct fault *f)
{
    struct alert_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return FAULT(f, -ENOMEM, no_memory, "alerts");
    int r = alert_policy_read(policy_path, &d->policy, f);
    if (r) {
        free(d);
        return r;
    }
    if (lookups)
        d->lookups = *lookups;
    *ret = d;
    return 0;
}

void alert_desk_free(struct alert_desk *d)
{
    free(d);
}
