/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a unit: prefixes and NAT pools, domains and ASNs, information systems with their level, contacts. */
#include "desk/unit/unit_own.h"

#include "base/uuid.h"
#include "watch/indicator/name.h"

#include <stdio.h>
#include <string.h>

int unit_version_check(struct db_statement *s, int64_t id, int64_t version)
{
    db_bind(s, 1, id);
    bool is = db_next(s);
    int64_t stands = db_int(s, 0);
    db_reset(s);
    return !is ? UNIT_NO_SUCH : version >= 0 && version != stands ? UNIT_CHANGED : 0;
}

/* answer - of a change: what the database says, else @r */
static int answer(const struct db *db, int r)
{
    return db_failed(db) ? db_failed(db) : r;
}

/* --- prefixes ---------------------------------------------------------------------------------------------------- */

struct db_statement *unit_prefix_each(struct db *db)
{
    return db_sql(db, "SELECT p.unit, p.range, u.name, p.kind = 'nat', p.from_us, p.to_us FROM unit_prefix p JOIN unit u ON u.id = p.unit"
                      " WHERE p.kind <> 'lent' ORDER BY p.id /* system: the own space of the watch holds every unit */");
}

bool unit_prefix_next(struct db_statement *s, struct unit_prefix_row *ret)
{
    if (!db_next(s))
        return false;
    *ret = (struct unit_prefix_row){.unit = db_int(s, 0), .range = db_text(s, 1), .name = db_text(s, 2), .is_nat = db_int(s, 3),
                                    .from_us = db_int(s, 4), .to_us = db_int(s, 5)};
    return true;
}

int64_t unit_space_change(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT n FROM unit_space_change");
    int64_t n = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return n;
}

int64_t unit_prefix_holder(struct db *db, const struct ip_range *range, int64_t from_us, int64_t to_us)
{
    struct db_statement *s = db_sql(db, "SELECT unit FROM unit_prefix WHERE first <= ?1 AND last >= ?2 AND from_us < ?4 AND to_us > ?3 AND"
                                        " kind <> 'lent' ORDER BY first DESC, last LIMIT 1 /* system: asks who may write, shows"
                                        " nothing */");
    db_bind_blob(s, 1, range->first.b, 16);
    db_bind_blob(s, 2, range->last.b, 16);
    db_bind(s, 3, from_us);
    db_bind(s, 4, to_us);
    int64_t unit = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return unit;
}

static bool has_prefix(struct db *db, const struct unit_prefix_form *f, int64_t *ret_id)
{
    struct db_statement *s = db_sql(db, "SELECT id FROM unit_prefix WHERE unit = ?1 AND first = ?2 AND last = ?3 AND kind = ?4 AND"
                                        " from_us < ?6 AND"
                                        " to_us > ?5 /* system: of the unit the caller may write */");
    db_bind(s, 1, f->unit);
    db_bind_blob(s, 2, f->range.first.b, 16);
    db_bind_blob(s, 3, f->range.last.b, 16);
    db_bind_str(s, 4, f->kind);
    db_bind(s, 5, f->from_us);
    db_bind(s, 6, f->to_us);
    bool has = db_next(s);
    *ret_id = has ? db_int(s, 0) : 0;
    db_reset(s);
    return has;
}

#define PREFIX_INSERT \
    "INSERT INTO unit_prefix(unit, tlp, range, first, last, kind, from_us, to_us, note, source, changed_us) VALUES(?1, ?2, ?3, ?4," \
    " ?5, ?6, ?7," \
    " ?8, ?9, ?10, ?11) ON CONFLICT(unit, first, last, from_us) DO NOTHING"
#define PREFIX_UPDATE \
    "UPDATE unit_prefix SET version = version + 1, unit = ?1, tlp = ?2, range = ?3, first = ?4, last = ?5, kind = ?6, from_us = ?7," \
    " to_us = ?8," \
    " note = ?9, source = ?10, changed_us = ?11 WHERE id = ?12 AND sees(unit, tlp, audience, id)"

int unit_prefix_put(struct db *db, int64_t id, int64_t version, const struct unit_prefix_form *f, const struct unit_actor *by,
                    int64_t *ret_id)
{
    char range[2 * IP_TEXT_MAX];
    size_t n = ip_range_format(&f->range, range);
    if (f->to_us <= f->from_us)
        return UNIT_BAD_PERIOD;
    int r = id ? unit_version_check(db_sql(db, "SELECT version FROM unit_prefix WHERE id = ?1 AND sees(unit, tlp, audience, id)"), id,
                                    version) : 0;
    if (r || (!id && has_prefix(db, f, ret_id)))
        return r ? r : UNIT_SAME;
    struct db_statement *s = id ? db_sql(db, PREFIX_UPDATE) : db_sql(db, PREFIX_INSERT);
    db_bind(s, 1, f->unit);
    db_bind(s, 2, f->tlp);
    db_bind_text(s, 3, (struct text){range, n});
    db_bind_blob(s, 4, f->range.first.b, 16);
    db_bind_blob(s, 5, f->range.last.b, 16);
    db_bind_str(s, 6, f->kind);
    db_bind(s, 7, f->from_us);
    db_bind(s, 8, f->to_us);
    db_bind_text(s, 9, f->note);
    db_bind_text(s, 10, f->source);
    db_bind(s, 11, by->now_us);
    if (id)
        db_bind(s, 12, id);
    int64_t changed = db_done(s);
    *ret_id = id ? id : db_new_id(db);
    return answer(db, changed ? 0 : UNIT_SAME);
}

/* --- domains and ASNs -------------------------------------------------------------------------------------------- */

size_t unit_handle_value(const char *kind, struct text value, char out[256])
{
    uint64_t asn;
    char name[LIST_DOMAIN_BYTES];
    value = text_trim(value);
    if (!strcmp(kind, "asn")) {
        if (value.n > 2 && (value.p[0] | 32) == 'a' && (value.p[1] | 32) == 's')
            value = (struct text){value.p + 2, value.n - 2};
        return text_u64(value, UINT32_MAX, &asn) || !asn ? 0 : (size_t)snprintf(out, 256, "%llu", (unsigned long long)asn);
    }
    size_t n = name_domain(value, name);
    memcpy(out, name, n);
    out[n] = '\0';
    return n;
}

int unit_handle_put(struct db *db, const struct unit_handle_form *f, const struct unit_actor *by, int64_t *ret_id)
{
    if (f->to_us <= f->from_us)
        return UNIT_BAD_PERIOD;
    struct db_statement *s = db_sql(db, "INSERT INTO unit_handle(unit, kind, value, from_us, to_us, note, changed_us) VALUES(?1, ?2,"
                                        " ?3, ?4, ?5, ?6, ?7)"
                                        " ON CONFLICT(kind, value, unit, from_us) DO NOTHING");
    db_bind(s, 1, f->unit);
    db_bind_str(s, 2, f->kind);
    db_bind_text(s, 3, f->value);
    db_bind(s, 4, f->from_us);
    db_bind(s, 5, f->to_us);
    db_bind_text(s, 6, f->note);
    db_bind(s, 7, by->now_us);
    int64_t n = db_done(s);
    *ret_id = db_new_id(db);
    return answer(db, n ? 0 : UNIT_SAME);
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

struct ending {
    const char *kind, *version, *end;
};
static const struct ending endings[] = {
    {"prefix", "SELECT version FROM unit_prefix WHERE id = ?1 AND sees(unit, tlp, audience, id)",
     "UPDATE unit_prefix SET version = version + 1, to_us = ?2, changed_us = ?3 WHERE id = ?1 AND from_us < ?2 AND sees(unit, tlp,"
     " audience, id)"},
    {"handle", "SELECT version FROM unit_handle WHERE id = ?1 AND sees(unit, tlp, audience, id)",
     "UPDATE unit_handle SET version = version + 1, to_us = ?2, changed_us = ?3 WHERE id = ?1 AND from_us < ?2 AND sees(unit, tlp,"
     " audience, id)"},
    {"contact", "SELECT version FROM contact WHERE id = ?1 AND sees(unit, tlp, audience, id)",
     "UPDATE contact SET version = version + 1, to_us = ?2, changed_us = ?3 WHERE id = ?1 AND from_us < ?2 AND sees(unit, tlp,"
     " audience, id)"},
    {"system", "SELECT version FROM system WHERE id = ?1 AND sees(unit, tlp, audience, id)",
     "UPDATE system SET version = version + 1, ended_us = ?2, changed_us = ?3 WHERE id = ?1 AND sees(unit, tlp, audience, id)"},
};

int unit_owned_end(struct db *db, const char *kind, int64_t id, int64_t version, int64_t at_us, const struct unit_actor *by)
{
    const struct ending *e = NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
        if (!strcmp(endings[i].kind, kind))
            e = &endings[i];
    int r = e ? unit_version_check(db_sql(db, e->version), id, version) : UNIT_NO_SUCH;
    if (r)
        return r;
    struct db_statement *s = db_sql(db, e->end);
    db_bind(s, 1, id);
    db_bind(s, 2, at_us);
    db_bind(s, 3, by->now_us);
    return answer(db, db_done(s) ? 0 : UNIT_BAD_PERIOD);
}

int64_t unit_of_owned(struct db *db, const char *kind, int64_t id)
{
    static const struct {
        const char *kind, *sql;
    } all[] = {{"prefix", "SELECT unit FROM unit_prefix WHERE id = ?1 AND sees(unit, tlp, audience, id)"},
               {"handle", "SELECT unit FROM unit_handle WHERE id = ?1 AND sees(unit, tlp, audience, id)"},
               {"contact", "SELECT unit FROM contact WHERE id = ?1 AND sees(unit, tlp, audience, id)"},
               {"system", "SELECT unit FROM system WHERE id = ?1 AND sees(unit, tlp, audience, id)"}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (!strcmp(all[i].kind, kind)) {
            struct db_statement *s = db_sql(db, all[i].sql);
            db_bind(s, 1, id);
            int64_t unit = db_next(s) ? db_int(s, 0) : 0;
            db_reset(s);
            return unit;
        }
    return 0;
}

/* --- information systems ----------------------------------------------------------------------------------------- */

#define SYSTEM_INSERT \
    "INSERT INTO system(unit, operator, tlp, name, folded, kind, note, exposure, created_us, changed_us, uuid) VALUES(?1, ?2, ?3," \
    " ?4, ?5, ?6, ?7," \
    " ?8, ?9, ?9, ?10) ON CONFLICT(unit, folded) DO NOTHING"
#define SYSTEM_UPDATE \
    "UPDATE system SET version = version + 1, unit = ?1, operator = ?2, tlp = ?3, name = ?4, folded = ?5, kind = ?6, note = ?7," \
    " exposure = ?8," \
    " changed_us = ?9 WHERE id = ?10 AND sees(unit, tlp, audience, id)"

int system_put(struct db *db, int64_t id, int64_t version, const struct system_form *f, const struct unit_actor *by, int64_t *ret_id)
{
    char folded[UNIT_FOLD_BYTES], uuid[UUID_TEXT_MAX] = "";
    size_t n = unit_name_fold(NULL, f->name, folded);
    int r = id ? unit_version_check(db_sql(db, "SELECT version FROM system WHERE id = ?1 AND sees(unit, tlp, audience, id)"), id, version)
               : uuid7_make(by->now_us, uuid);
    if (r)
        return r;
    struct db_statement *s = id ? db_sql(db, SYSTEM_UPDATE) : db_sql(db, SYSTEM_INSERT);
    db_bind(s, 1, f->unit);
    if (f->operator_unit)
        db_bind(s, 2, f->operator_unit);
    db_bind(s, 3, f->tlp);
    db_bind_text(s, 4, f->name);
    db_bind_text(s, 5, (struct text){folded, n});
    db_bind_text(s, 6, f->kind);
    db_bind_text(s, 7, f->note);
    db_bind_str(s, 8, f->exposure);
    db_bind(s, 9, by->now_us);
    if (id)
        db_bind(s, 10, id);
    else
        db_bind_str(s, 10, uuid);
    int64_t changed = db_done(s);
    *ret_id = id ? id : db_new_id(db);
    return answer(db, changed ? 0 : UNIT_SAME);
}

int system_level_add(struct db *db, int64_t system, const struct system_level_form *f, const struct unit_actor *by)
{
    int r = unit_version_check(db_sql(db, "UPDATE system SET version = version + 1 WHERE id = ?1 AND sees(unit, tlp, audience, id)"
                                          " RETURNING version"),
                               system, -1);
    if (r)
        return r;
    struct db_statement *s = db_sql(db, "INSERT INTO system_level(system, level, state, number, decided_us, body, law, note,"
                                        " entered_us, entered_by)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    db_bind(s, 1, system);
    db_bind(s, 2, f->level);
    db_bind_str(s, 3, f->state);
    db_bind_text(s, 4, f->number);
    db_bind(s, 5, f->decided_us);
    db_bind_text(s, 6, f->body);
    db_bind_text(s, 7, f->law);
    db_bind_text(s, 8, f->note);
    db_bind(s, 9, by->now_us);
    db_bind_text(s, 10, by->who);
    db_done(s);
    return answer(db, 0);
}

int64_t system_level(struct db *db, int64_t system, int64_t at_us)
{
    struct db_statement *s = db_sql(db, "SELECT CASE state WHEN 'approved' THEN level ELSE 0 END FROM system_level WHERE system = ?1"
                                        " AND decided_us <= ?2"
                                        " AND state IN ('approved', 'ended') ORDER BY decided_us DESC, id DESC LIMIT 1"
                                        " /* system: a number for who already sees the system */");
    db_bind(s, 1, system);
    db_bind(s, 2, at_us);
    int64_t level = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return level;
}

/* --- contacts ---------------------------------------------------------------------------------------------------- */

#define CONTACT_INSERT \
    "INSERT INTO contact(unit, tlp, name, purpose, channel, value, place, is_24_7, from_us, to_us, verified_us, verified_by, note," \
    " changed_us)" \
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT(unit, channel, value, from_us) DO NOTHING"
#define CONTACT_UPDATE \
    "UPDATE contact SET version = version + 1, unit = ?1, tlp = ?2, name = ?3, purpose = ?4, channel = ?5, value = ?6, place = ?7," \
    " is_24_7 = ?8," \
    " from_us = ?9, to_us = ?10, verified_us = ?11, verified_by = ?12, note = ?13, changed_us = ?14 WHERE id = ?15 AND sees(unit, tlp," \
    " audience, id)"

int contact_put(struct db *db, int64_t id, int64_t version, const struct contact_form *f, const struct unit_actor *by, int64_t *ret_id)
{
    int r = id ? unit_version_check(db_sql(db, "SELECT version FROM contact WHERE id = ?1 AND sees(unit, tlp, audience, id)"), id,
                                    version) : 0;
    if (r || f->to_us <= f->from_us)
        return r ? r : UNIT_BAD_PERIOD;
    struct db_statement *s = id ? db_sql(db, CONTACT_UPDATE) : db_sql(db, CONTACT_INSERT);
    db_bind(s, 1, f->unit);
    db_bind(s, 2, f->tlp);
    db_bind_text(s, 3, f->name);
    db_bind_text(s, 4, f->purpose);
    db_bind_str(s, 5, f->channel);
    db_bind_text(s, 6, f->value);
    db_bind(s, 7, f->place);
    db_bind(s, 8, f->is_24_7);
    db_bind(s, 9, f->from_us);
    db_bind(s, 10, f->to_us);
    if (f->verified_us)
        db_bind(s, 11, f->verified_us);
    db_bind_text(s, 12, f->verified_us ? by->who : TEXT(""));
    db_bind_text(s, 13, f->note);
    db_bind(s, 14, by->now_us);
    if (id)
        db_bind(s, 15, id);
    int64_t changed = db_done(s);
    *ret_id = id ? id : db_new_id(db);
    return answer(db, changed ? 0 : UNIT_SAME);
}

int contact_verify(struct db *db, int64_t id, int64_t version, int64_t at_us, const struct unit_actor *by)
{
    int r = unit_version_check(db_sql(db, "SELECT version FROM contact WHERE id = ?1 AND sees(unit, tlp, audience, id)"), id, version);
    if (r)
        return r;
    struct db_statement *s = db_sql(db, "UPDATE contact SET version = version + 1, verified_us = ?2, verified_by = ?3, changed_us = ?4"
                                        " WHERE id = ?1"
                                        " AND sees(unit, tlp, audience, id)");
    db_bind(s, 1, id);
    db_bind(s, 2, at_us);
    db_bind_text(s, 3, by->who);
    db_bind(s, 4, by->now_us);
    return answer(db, db_done(s) ? 0 : UNIT_NO_SUCH);
}
