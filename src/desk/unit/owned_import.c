/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of what belongs to units: a row names the unit and a prefix, a domain, an ASN or a contact (or several of them). A unit's name
 * that nobody has for certain waits in the queue; the row is refused and can be imported again once that is decided.
 */
#include "desk/unit/unit_own.h"

#include <stdlib.h>
#include <string.h>

enum column { UNIT, PREFIX, KIND, DOMAIN_NAME, ASN, CHANNEL, VALUE, PERSON, PURPOSE, IS_24_7, VALID_FROM, VALID_TO, VERIFIED, MARK,
             NOTE, N_COLUMNS };
static const struct sheet_column columns[N_COLUMNS] = {
    [UNIT] = {"unit", "don vi|ten don vi|ma don vi|co quan|to chuc|unit name|unit code|organization|owner", true},
    [PREFIX] = {"prefix", "dai dia chi|dai ip|dai dia chi ip|cidr|ip|network|subnet|dai mang|dia chi ip", false},
    [KIND] = {"kind", "loai|loai dai|type", false},
    [DOMAIN_NAME] = {"domain", "ten mien|domain name", false},
    [ASN] = {"asn", "so hieu mang|as number|as", false},
    [CHANNEL] = {"channel", "kenh|kenh lien lac|hinh thuc lien he", false},
    [VALUE] = {"value", "lien he|so dien thoai|email|gia tri|dau moi", false},
    [PERSON] = {"name", "ho ten|ho va ten|nguoi lien he|can bo dau moi", false},
    [PURPOSE] = {"purpose", "vai tro|chuc vu|nhiem vu|muc dich", false},
    [IS_24_7] = {"is_24_7", "truc 24 7|24 7", false},
    [VALID_FROM] = {"valid_from", "hieu luc tu|tu ngay", false},
    [VALID_TO] = {"valid_to", "hieu luc den|den ngay", false},
    [VERIFIED] = {"verified_on", "ngay kiem tra|ngay xac minh|xac minh ngay", false},
    [MARK] = {"mark", "nguon|source", false},
    [NOTE] = {"note", "ghi chu|notes", false},
};

struct import {
    struct db *db;
    const struct unit_import *o;
    struct table_report *report;
    struct unit_names *names;
};

struct times {
    int64_t from_us, to_us, verified_us;
};

static bool refuse(struct import *m, const struct table_row *row, enum column column, enum table_refusal why)
{
    table_refuse(m->report, row->line, columns[column].id, why, row->cells[column]);
    return false;
}

static bool may(const struct import *m, int64_t unit)
{
    return !m->o->may || m->o->may(m->o->context, unit);
}

static bool find_unit(struct import *m, const struct table_row *row, int64_t *ret)
{
    struct arena arena = {0};
    struct unit u;
    struct unit_found found = {0};
    bool is_code = !unit_get_by_code(m->db, row->cells[UNIT], &arena, &u);
    arena_fini(&arena);
    if (!is_code)
        unit_names_find(m->names, row->cells[UNIT], m->o->by.now_us, &found);
    *ret = is_code ? u.id : found.unit;
    if (!*ret) {
        unit_text_ask(m->db, row->cells[UNIT], m->o->words, 0, m->o->source, m->o->by.now_us, &m->o->by);
        m->report->n_queued++;
        return refuse(m, row, UNIT, TABLE_REFUSED_UNKNOWN_UNIT);
    }
    return may(m, *ret) || refuse(m, row, UNIT, TABLE_REFUSED_NOT_ALLOWED);
}

/* count - what unit.h's conditions mean to the account; Return: false: the row was refused, or the database failed. */
static bool count(struct import *m, const struct table_row *row, int r, const char *kind, int64_t id, bool *ret_new)
{
    if (r == UNIT_SAME)
        return true;
    if (r)
        return refuse(m, row, VALID_TO, TABLE_REFUSED_BAD_PERIOD);
    *ret_new = true;
    unit_note(m->db, &m->o->by, "import", kind, id, TEXT(""));
    return true;
}

static bool put_prefix(struct import *m, const struct table_row *row, int64_t unit, const struct times *t, bool *ret_new)
{
    static const char *const kinds[] = {"own", "nat", "lent"}, *const words[] = {"own|rieng|so huu", "nat|nat pool|cgnat",
                                                                                 "lent|muon|thue"};
    int kind;
    int64_t id = 0;
    struct text range = row->cells[PREFIX];
    struct unit_prefix_form f = {.unit = unit, .tlp = TLP_GREEN, .from_us = t->from_us, .to_us = t->to_us, .note = row->cells[NOTE],
                                 .source = row->cells[MARK].n ? row->cells[MARK] : m->o->source};
    if (!table_choice(m->report, row, columns, KIND, words, 3, 0, &kind))
        return false;
    f.kind = kinds[kind];
    if (ip_range_parse(range.p, range.n, &f.range, NULL))
        return refuse(m, row, PREFIX, TABLE_REFUSED_BAD_ADDRESS);
    if (!may(m, unit_prefix_holder(m->db, &f.range, f.from_us, f.to_us)))
        return refuse(m, row, PREFIX, TABLE_REFUSED_NOT_ALLOWED);
    return count(m, row, unit_prefix_put(m->db, 0, -1, &f, &m->o->by, &id), "prefix", id, ret_new);
}

static bool put_handle(struct import *m, const struct table_row *row, enum column column, const char *kind, int64_t unit,
                       const struct times *t,
                       bool *ret_new)
{
    char value[256];
    int64_t id = 0;
    size_t n = unit_handle_value(kind, row->cells[column], value);
    const struct unit_handle_form f = {.unit = unit, .kind = kind, .value = {value, n}, .from_us = t->from_us, .to_us = t->to_us,
                                       .note = row->cells[NOTE]};
    if (!n)
        return refuse(m, row, column, TABLE_REFUSED_BAD_ADDRESS);
    return count(m, row, unit_handle_put(m->db, &f, &m->o->by, &id), "handle", id, ret_new);
}

/* channel_of - as it is written, else what the value looks like */
static bool channel_of(struct import *m, const struct table_row *row, const char **ret)
{
    static const char *const channels[] = {"phone", "hotline", "sms", "email", "address", "other"};
    static const char *const words[] = {"phone|dien thoai|dt|tel", "hotline|duong day nong", "sms|tin nhan", "email|thu dien tu|mail",
                                        "address|dia chi", "other|khac"};
    struct text v = row->cells[VALUE];
    int at;
    if (!table_choice(m->report, row, columns, CHANNEL, words, 6, memchr(v.p, '@', v.n) ? 3 : v.n && strchr("+0123456789(", v.p[0])
                      ? 0 : 5, &at))
        return false;
    *ret = channels[at];
    return true;
}

static bool put_contact(struct import *m, const struct table_row *row, int64_t unit, const struct times *t, bool *ret_new)
{
    int64_t id = 0;
    struct contact_form f = {.unit = unit, .tlp = TLP_AMBER, .from_us = t->from_us, .to_us = t->to_us, .verified_us = t->verified_us,
                             .name = row->cells[PERSON], .purpose = row->cells[PURPOSE], .value = row->cells[VALUE], .note =
                                 row->cells[NOTE]};
    if (f.value.n > 300)
        return refuse(m, row, VALUE, TABLE_REFUSED_TOO_LONG);
    if (!channel_of(m, row, &f.channel) || !table_yes(m->report, row, columns, IS_24_7, false, &f.is_24_7))
        return false;
    return count(m, row, contact_put(m->db, 0, -1, &f, &m->o->by, &id), "contact", id, ret_new);
}

static void take(struct import *m, const struct table_row *row)
{
    struct times t;
    int64_t unit;
    bool is_new = false, is_fine = false;
    if (!table_read_time(m->report, row, columns, VALID_FROM, 0, &t.from_us) || !table_read_time(m->report, row, columns, VALID_TO,
                                                                                                 UNIT_FOREVER,
                                                                                       &t.to_us) ||
        !table_read_time(m->report, row, columns, VERIFIED, 0, &t.verified_us) || !find_unit(m, row, &unit))
        return;
    if (!row->cells[PREFIX].n && !row->cells[DOMAIN_NAME].n && !row->cells[ASN].n && !row->cells[VALUE].n) {
        refuse(m, row, PREFIX, TABLE_REFUSED_MISSING);
        return;
    }
    is_fine = (!row->cells[PREFIX].n || put_prefix(m, row, unit, &t, &is_new)) &&
              (!row->cells[DOMAIN_NAME].n || put_handle(m, row, DOMAIN_NAME, "domain", unit, &t, &is_new)) &&
              (!row->cells[ASN].n || put_handle(m, row, ASN, "asn", unit, &t, &is_new)) &&
              (!row->cells[VALUE].n || put_contact(m, row, unit, &t, &is_new));
    if (!is_fine)
        return;
    m->report->n_kept++;
    if (is_new)
        m->report->n_new++;
    else
        m->report->n_same++;
}

int owned_import_rows(struct db *db, const uint8_t *p, size_t n, const struct unit_import *o, struct table_report *report, struct fault *f)
{
    struct import m = {.db = db, .o = o, .report = report};
    struct table_row *rows = NULL;
    size_t n_rows = 0;
    int r = table_read(p, n, columns, N_COLUMNS, report, &rows, &n_rows, f);
    if (r)
        return r;
    r = unit_names_load(db, o->words, true, &m.names);
    for (size_t i = 0; i < n_rows && !r && !db_failed(db); i++)
        take(&m, &rows[i]);
    free(rows);
    unit_names_free(m.names);
    if (r || db_failed(db))
        return r ? FAULT(f, r, no_memory, "owned_import") : db_failed(db);
    return (o->is_whole && report->n_refused) || table_is_mostly_bad(report) ? UNIT_IMPORT_REFUSED : 0;
}
