/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/duty/duty_wake.h"

#include "base/uuid.h"
#include "desk/alert/alert_db.h"
#include "state/trail.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const duty_wake_state_names[] = {"running", "acknowledged", "exhausted", "ended", NULL};
const char *const duty_message_state_names[] = {"sending", "sent", "failed", "empty", "repeated", "unknown", NULL};

static const char *const STEPS[] = {
    "CREATE TABLE duty_shift(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1, "
    "unit INTEGER NOT NULL DEFAULT 0, tlp INTEGER NOT NULL DEFAULT 2, audience INTEGER NOT NULL DEFAULT 0, "
    "place INTEGER NOT NULL CHECK(place BETWEEN 0 AND 5), person INTEGER NOT NULL, from_us INTEGER NOT NULL, "
    "to_us INTEGER NOT NULL CHECK(to_us > from_us), note TEXT NOT NULL DEFAULT '', ended_us INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX duty_shift_by_place ON duty_shift(place, from_us);"
    "CREATE INDEX duty_shift_by_time ON duty_shift(from_us, id);"
    "CREATE TABLE duty_wake(id INTEGER PRIMARY KEY, alert INTEGER NOT NULL UNIQUE REFERENCES alert(id), code TEXT NOT NULL, "
    "state INTEGER NOT NULL DEFAULT 0, begun_us INTEGER NOT NULL, due_us INTEGER NOT NULL, step INTEGER NOT NULL DEFAULT 0, "
    "ended_us INTEGER NOT NULL DEFAULT 0, ended_by INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE UNIQUE INDEX duty_wake_code ON duty_wake(code) WHERE state = 0;"
    "CREATE INDEX duty_wake_running ON duty_wake(due_us) WHERE state = 0;"
    "CREATE TABLE duty_message(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, "
    "wake INTEGER NOT NULL REFERENCES duty_wake(id), step INTEGER NOT NULL, place INTEGER NOT NULL, person INTEGER NOT NULL, "
    "channel INTEGER NOT NULL, address TEXT NOT NULL, state INTEGER NOT NULL, begun_us INTEGER NOT NULL, "
    "sent_us INTEGER NOT NULL DEFAULT 0, proof TEXT NOT NULL DEFAULT '', UNIQUE(wake, step)) STRICT;"
    "CREATE INDEX duty_message_sending ON duty_message(state) WHERE state = 0;"
    "CREATE TABLE duty_answer(id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, channel INTEGER NOT NULL, address TEXT NOT NULL, "
    "text TEXT NOT NULL, wake INTEGER NOT NULL DEFAULT 0) STRICT;",
};
const struct db_migrations duty_migrations = {"duty", STEPS, sizeof(STEPS) / sizeof(STEPS[0])};

struct pass {
    struct db_pool *pool;
    const struct duty_policy *policy;
    const struct duty_sender *sender;
    const char *url;
    int64_t now_us;
    struct fault *f;
};

static void note(struct db *db, int64_t now_us, const char *action, int64_t alert, const char *detail)
{
    struct trail_entry e = {.at_us = now_us,
                            .who = TEXT("system"),
                            .action = {action, strlen(action)},
                            .kind = TEXT("alert"),
                            .object = alert,
                            .detail = {detail, strlen(detail)}};
    trail_add(db, &e);
}

int64_t duty_person_at(struct db *db, enum duty_place place, int64_t at_us)
{
    struct db_statement *s =
        db_sql(db, "SELECT person FROM duty_shift WHERE place = ?1 AND from_us <= ?2 AND to_us > ?2 AND ended_us = 0"
                   " ORDER BY from_us DESC, id DESC LIMIT 1"); /* system: who is on duty is no secret of a unit */
    db_bind(s, 1, (int64_t)place);
    db_bind(s, 2, at_us);
    int64_t person = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return person;
}

/* --- beginning and ending ---------------------------------------------------------------------------------------- */

/* code_of - six digits that no running wake has */
static void code_of(struct db *db, char out[DUTY_CODE_MAX])
{
    bool is_taken = true;
    while (is_taken && !db_failed(db)) {
        snprintf(out, DUTY_CODE_MAX, "%06u", 100000 + randombytes_uniform(900000));
        struct db_statement *s = db_sql(db, "SELECT 1 FROM duty_wake WHERE code = ?1 AND state = 0");
        db_bind_str(s, 1, out);
        is_taken = db_next(s);
        db_reset(s);
    }
}

static void begin_wake(const struct pass *p, struct db *db, int64_t alert)
{
    char code[DUTY_CODE_MAX];
    code_of(db, code);
    struct db_statement *s = db_sql(db, "INSERT INTO duty_wake(alert, code, begun_us, due_us) VALUES(?1, ?2, ?3, ?4)");
    db_bind(s, 1, alert);
    db_bind_str(s, 2, code);
    db_bind(s, 3, p->now_us);
    db_bind(s, 4, p->now_us + (p->policy->n_steps ? p->policy->ladder[0].wait_us : 0));
    db_done(s);
    note(db, p->now_us, "duty.wake", alert, "{}");
}

/* begin_wakes - alerts nobody has looked at, of the classes that wake, the oldest first */
static void begin_wakes(const struct pass *p, struct db *db)
{
    int64_t ids[DUTY_WAKES_MAX];
    size_t n = 0;
    struct db_statement *s = db_sql(db, "SELECT a.id, a.severity FROM alert a WHERE a.state = 0 AND a.state < 3 AND a.severity "
                                        ">= ?1 AND a.muted_by IS NULL AND a.raised_us <= ?2 AND NOT EXISTS(SELECT 1"
                                        " FROM duty_wake w WHERE w.alert = a.id) ORDER BY a.id");
    int least = 1; /* system: the ladder asks people by the roster, not by what they may see */
    while (least < 6 && !p->policy->wakes[least])
        least++;
    db_bind(s, 1, least);
    db_bind(s, 2, p->now_us - p->policy->after_us);
    while (n < DUTY_WAKES_MAX && least < 6 && db_next(s))
        if (p->policy->wakes[db_int(s, 1)])
            ids[n++] = db_int(s, 0);
    db_reset(s);
    for (size_t i = 0; i < n; i++)
        begin_wake(p, db, ids[i]);
}

static void end_wake(struct db *db, int64_t wake, enum duty_wake_state state, int64_t by, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE duty_wake SET state = ?2, ended_by = ?3, ended_us = ?4 WHERE id = ?1 AND state = "
                                        "0");
    db_bind(s, 1, wake);
    db_bind(s, 2, (int64_t)state);
    db_bind(s, 3, by);
    db_bind(s, 4, now_us);
    db_done(s);
}

/* end_wakes - of alerts that somebody took, or that ask nobody any more; system: the roster asks, not what people may see */
static void end_wakes(const struct pass *p, struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT w.id, a.state, a.acknowledged_us, coalesce((SELECT person FROM alert_decision d"
                                        " WHERE d.alert = a.id ORDER BY d.id LIMIT 1), 0) FROM duty_wake w JOIN alert a"
                                        " ON a.id = w.alert WHERE w.state = 0 AND (a.state > 0 OR a.muted_by IS NOT NULL)");
    while (db_next(s)) {
        int64_t wake = db_int(s, 0), by = db_int(s, 3);
        end_wake(db, wake, db_int(s, 2) && by ? DUTY_ACKNOWLEDGED : DUTY_ENDED, by, p->now_us);
    }
    db_reset(s);
}

/* --- a step ------------------------------------------------------------------------------------------------------ */

struct due {
    int64_t wake, alert, step;
    char code[DUTY_CODE_MAX];
};

static void copy(struct db_statement *s, int column, char *out, size_t n_out)
{
    struct text t = db_text(s, column);
    size_t n = t.n < n_out ? t.n : n_out - 1;
    memcpy(out, t.p, n);
    out[n] = '\0';
}

static bool next_due(const struct pass *p, struct db *db, struct due *ret)
{
    struct db_statement *s = db_sql(db, "SELECT id, alert, step, code FROM duty_wake WHERE state = 0 AND due_us <= ?1 ORDER BY "
                                        "due_us, id LIMIT 1");
    db_bind(s, 1, p->now_us);
    bool is_there = db_next(s);
    if (is_there) {
        *ret = (struct due){db_int(s, 0), db_int(s, 1), db_int(s, 2), ""};
        copy(s, 3, ret->code, sizeof(ret->code));
    }
    db_reset(s);
    return is_there;
}

/* address_of - where a person is reached; "" if he has no such address */
static void address_of(struct db *db, int64_t person, enum duty_channel by, char *out, size_t n_out)
{
    char phone[24];
    struct db_statement *s = db_sql(db, "SELECT phone, email FROM person WHERE id = ?1 AND is_disabled = 0");
    out[0] = '\0';
    db_bind(s, 1, person);
    if (db_next(s) && by == DUTY_MAIL)
        copy(s, 1, out, n_out);
    else if (person)
        snprintf(out, n_out, "%s", duty_phone(db_text(s, 0), phone));
    db_reset(s);
}

static bool was_asked(struct db *db, int64_t wake, int64_t person, enum duty_channel by)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM duty_message WHERE wake = ?1 AND person = ?2 AND channel = ?3 AND state "
                                        "IN (0, 1, 5)");
    db_bind(s, 1, wake);
    db_bind(s, 2, person);
    db_bind(s, 3, (int64_t)by);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

/* words - what is said of the alert */
static void words(const struct pass *p, struct db *db, const struct due *d, struct duty_message *m)
{
    char title[512], entity[256], unit[512], severity[16], sms[DUTY_SMS_MAX];
    struct db_statement *s = db_sql(db, "SELECT title, entity, coalesce((SELECT name FROM unit WHERE id = a.unit), ''), severity "
                                        "FROM alert a WHERE id = ?1"); /* system: told to who is on duty */
    db_bind(s, 1, d->alert);
    bool is_there = db_next(s);
    copy(s, 0, title, sizeof(title));
    copy(s, 1, entity, sizeof(entity));
    copy(s, 2, unit, sizeof(unit));
    int64_t level = is_there ? db_int(s, 3) : 0;
    snprintf(severity, sizeof(severity), "%s", level >= 1 && level <= 5 ? alert_severity_names[level] : "");
    db_reset(s);
    snprintf(m->subject, sizeof(m->subject), "[Vọng Gác #%lld] %s: %.200s", (long long)d->alert, severity, title);
    if (m->channel == DUTY_SMS)
        snprintf(m->text, sizeof(m->text), "%s", duty_sms(severity, title, entity, unit, d->code, sms));
    else
        snprintf(m->text, sizeof(m->text),
                 "Cảnh báo #%lld, mức %s, chưa có người nhận.\n\n%s\n%s\n%s\n\n%s/alerts/%lld\n\n"
                 "Trả lời thư này với mã %s để nhận việc.\nAlert #%lld (%s) is not acknowledged. "
                 "Answer this mail with the code %s to take it.\n",
                 (long long)d->alert, severity, title, entity, unit, p->url, (long long)d->alert, d->code, (long long)d->alert,
                 severity, d->code);
}

static void move_wake(struct db *db, int64_t wake, int64_t step, int64_t due_us)
{
    struct db_statement *s = db_sql(db, "UPDATE duty_wake SET step = ?2, due_us = ?3 WHERE id = ?1 AND state = 0");
    db_bind(s, 1, wake);
    db_bind(s, 2, step);
    db_bind(s, 3, due_us);
    db_done(s);
}

/* put_message - the step as it is taken; *@m is filled where something is to be sent */
static enum duty_message_state put_message(const struct pass *p, struct db *db, const struct due *d, struct duty_message *m)
{
    const struct duty_step *step = &p->policy->ladder[d->step];
    *m = (struct duty_message){.wake = d->wake,
                               .alert = d->alert,
                               .at_us = p->now_us,
                               .channel = step->by,
                               .person = duty_person_at(db, step->to, p->now_us)};
    address_of(db, m->person, step->by, m->address, sizeof(m->address));
    enum duty_message_state state = !m->person || !*m->address                    ? DUTY_EMPTY
                                    : was_asked(db, d->wake, m->person, step->by) ? DUTY_REPEATED
                                                                                  : DUTY_SENDING;
    if (uuid7_make(p->now_us, m->uuid))
        state = DUTY_FAILED;
    struct db_statement *s = db_sql(db, "INSERT INTO duty_message(uuid, wake, step, place, person, channel, address, state, "
                                        "begun_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    db_bind_str(s, 1, m->uuid);
    db_bind(s, 2, d->wake);
    db_bind(s, 3, d->step);
    db_bind(s, 4, (int64_t)step->to);
    db_bind(s, 5, m->person);
    db_bind(s, 6, (int64_t)step->by);
    db_bind_str(s, 7, m->address);
    db_bind(s, 8, (int64_t)state);
    db_bind(s, 9, p->now_us);
    db_done(s);
    m->id = db_new_id(db);
    if (state == DUTY_SENDING)
        words(p, db, d, m);
    return state;
}

/*
 * due_after - when step @step is due: its wait counts from the last message that went out, so that whoever got it has his time also where
 * places between are empty; where nothing went out yet, nobody is waited for.
 */
static int64_t due_after(const struct pass *p, struct db *db, int64_t wake, int64_t step)
{
    struct db_statement *s = db_sql(db, "SELECT coalesce(max(sent_us), 0) FROM duty_message WHERE wake = ?1");
    db_bind(s, 1, wake);
    int64_t sent = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    /* after the last step its own wait passes again before the ladder counts as exhausted */
    int64_t last = (int64_t)p->policy->n_steps - 1;
    int64_t due = sent ? sent + p->policy->ladder[step < last ? step : last].wait_us : p->now_us;
    return due > p->now_us ? due : p->now_us;
}

/* take_step - first moment. Return: 1: @m is to be sent; 0: nothing is due any more, or the step sends nothing; -errno. */
static int take_step(const struct pass *p, struct duty_message *m, bool *ret_is_due)
{
    struct due d;
    struct db *db = db_write(p->pool);
    enum duty_message_state state = DUTY_EMPTY;
    *ret_is_due = next_due(p, db, &d);
    if (*ret_is_due && d.step >= p->policy->n_steps) {
        end_wake(db, d.wake, DUTY_EXHAUSTED, 0, p->now_us);
        note(db, p->now_us, "duty.exhausted", d.alert, "{}");
    } else if (*ret_is_due) {
        state = put_message(p, db, &d, m);
        /* nothing is due while the message is on its way */
        move_wake(db, d.wake, d.step + 1, state == DUTY_SENDING ? INT64_MAX : due_after(p, db, d.wake, d.step + 1));
    }
    int r = db_end(db, *ret_is_due, p->f);
    return r ? (r == DB_CONFLICT ? -EBADMSG : r) : state == DUTY_SENDING;
}

/* keep_outcome - third moment */
static int keep_outcome(const struct pass *p, const struct duty_message *m, bool is_sent, const char *proof)
{
    char detail[512];
    struct db *db = db_write(p->pool);
    struct db_statement *s = db_sql(db, "UPDATE duty_message SET state = ?2, sent_us = ?3, proof = ?4 WHERE id = ?1");
    db_bind(s, 1, m->id);
    db_bind(s, 2, is_sent ? DUTY_SENT : DUTY_FAILED);
    db_bind(s, 3, is_sent ? p->now_us : 0);
    db_bind_str(s, 4, proof);
    db_done(s);
    s = db_sql(db, "SELECT step FROM duty_wake WHERE id = ?1");
    db_bind(s, 1, m->wake);
    int64_t step = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    move_wake(db, m->wake, step, due_after(p, db, m->wake, step));
    snprintf(detail, sizeof(detail), "{\"message\":\"%s\",\"channel\":\"%s\",\"person\":%lld,\"is_sent\":%s}", m->uuid,
             duty_channel_names[m->channel], (long long)m->person, is_sent ? "true" : "false");
    note(db, p->now_us, "duty.message", m->alert, detail);
    int r = db_end(db, true, p->f);
    return r == DB_CONFLICT ? -EBADMSG : r;
}

static int steps(const struct pass *p)
{
    struct duty_message *m = malloc(sizeof(*m));
    bool is_due = true;
    int r = m ? 0 : FAULT(p->f, -ENOMEM, no_memory, "duty");
    while (!r && is_due) {
        char proof[256] = "";
        r = take_step(p, m, &is_due);
        if (r > 0) {
            int sent = p->sender->send(p->sender->context, m, proof, sizeof(proof));
            r = keep_outcome(p, m, !sent, proof);
        }
    }
    free(m);
    return r;
}

/* --- a pass ------------------------------------------------------------------------------------------------------ */

/* has_work - whether a writing transaction is needed at all */
static bool has_work(const struct pass *p, int64_t *ret_next_us)
{
    struct db *db = db_read(p->pool);
    struct db_statement *s = db_sql(db, "SELECT coalesce(min(due_us), ?1), count(*) FROM duty_wake WHERE state = 0");
    db_bind(s, 1, INT64_MAX);
    bool has = db_next(s);
    *ret_next_us = has ? db_int(s, 0) : INT64_MAX;
    has = has && db_int(s, 1) > 0;
    db_reset(s);
    s = db_sql(db,
               "SELECT EXISTS(SELECT 1 FROM alert a WHERE a.state < 3 AND a.severity >= ?1 AND a.state = 0"
               " AND a.muted_by IS NULL AND NOT EXISTS(SELECT 1 FROM duty_wake w WHERE w.alert = a.id))"); /* system: as above */
    int least = 1;
    while (least < 6 && !p->policy->wakes[least])
        least++;
    db_bind(s, 1, least);
    has |= db_next(s) && db_int(s, 0);
    db_reset(s);
    db_end(db, false, NULL);
    return has;
}

static void forget_sending(const struct pass *p, struct db *db)
{
    struct db_statement *s = db_sql(db, "UPDATE duty_wake SET due_us = ?1 WHERE state = 0 AND id IN (SELECT wake FROM "
                                        "duty_message WHERE state = 0)");
    db_bind(s, 1, p->now_us);
    db_done(s);
    s = db_sql(db, "UPDATE duty_message SET state = ?1 WHERE state = 0");
    db_bind(s, 1, DUTY_UNKNOWN);
    db_done(s);
}

int duty_pass(struct db_pool *pool, const struct duty_policy *policy, const struct duty_sender *sender, const char *url,
              bool is_first, int64_t now_us, int64_t *ret_next_us, struct fault *f)
{
    struct pass p = {pool, policy, sender, url, now_us, f};
    *ret_next_us = INT64_MAX;
    if (!is_first && !has_work(&p, ret_next_us))
        return 0;
    struct db *db = db_write(pool);
    if (is_first)
        forget_sending(&p, db);
    end_wakes(&p, db);
    begin_wakes(&p, db);
    int r = db_end(db, true, f);
    r = r ? (r == DB_CONFLICT ? -EBADMSG : r) : steps(&p);
    has_work(&p, ret_next_us);
    return r;
}

/* --- an answer --------------------------------------------------------------------------------------------------- */

struct asked {
    int64_t wake, alert, person;
};

/* find_asked - the running wake whose code stands in the answer, asked for at this address */
static bool find_asked(struct db *db, enum duty_channel channel, struct text address, struct text text, struct asked *ret)
{
    struct db_statement *s = db_sql(db, "SELECT w.id, w.alert, m.person, w.code FROM duty_wake w JOIN duty_message m ON m.wake = "
                                        "w.id WHERE w.state = 0 AND m.channel = ?1 AND lower(m.address) = lower(?2)"
                                        " ORDER BY w.id DESC, m.id DESC");
    bool is_found = false;
    db_bind(s, 1, (int64_t)channel);
    db_bind_text(s, 2, address);
    while (!is_found && db_next(s)) {
        char code[DUTY_CODE_MAX];
        copy(s, 3, code, sizeof(code));
        is_found = duty_code_in(text, code);
        *ret = (struct asked){db_int(s, 0), db_int(s, 1), db_int(s, 2)};
    }
    db_reset(s);
    return is_found;
}

int duty_answer(struct db_pool *pool, enum duty_channel channel, struct text address, struct text text, int64_t now_us,
                int64_t *ret_alert, struct fault *f)
{
    char phone[24], who[32];
    struct asked asked = {0};
    struct db *db = db_write(pool);
    if (channel == DUTY_SMS) {
        duty_phone(address, phone);
        address = (struct text){phone, strlen(phone)};
    }
    bool is_ours = find_asked(db, channel, address, text, &asked);
    if (is_ours) {
        struct alert_decision d = {.alert = asked.alert,
                                   .person = asked.person,
                                   .at_us = now_us,
                                   .state = ALERT_OPEN,
                                   .assignee = asked.person,
                                   .reason = duty_channel_names[channel]};
        snprintf(who, sizeof(who), "user:%lld", (long long)asked.person);
        int64_t id = alert_db_decide(db, &d, alert_db_version(db, asked.alert));
        end_wake(db, asked.wake, DUTY_ACKNOWLEDGED, asked.person, now_us);
        struct trail_entry e = {.at_us = now_us,
                                .who = {who, strlen(who)},
                                .action = TEXT("duty.answer"),
                                .kind = TEXT("alert_decision"),
                                .object = id,
                                .detail = TEXT("{}"),
                                .address = address};
        trail_add(db, &e);
    }
    struct db_statement *s = db_sql(db, "INSERT INTO duty_answer(at_us, channel, address, text, wake) VALUES(?1, ?2, ?3, ?4, "
                                        "?5)");
    db_bind(s, 1, now_us);
    db_bind(s, 2, (int64_t)channel);
    db_bind_text(s, 3, address);
    db_bind_text(s, 4, (struct text){text.p, text.n < 2000 ? text.n : 2000});
    db_bind(s, 5, asked.wake && is_ours ? asked.wake : 0);
    db_done(s);
    int r = db_end(db, true, f);
    *ret_alert = is_ours && !r ? asked.alert : 0;
    return r == DB_CONFLICT ? -EBADMSG : r;
}
