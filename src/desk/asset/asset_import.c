/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories and lists of antivirus consoles: each row is one sighting. */
#include "desk/asset/asset_own.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum column { NAME, IP, MAC, SERIAL, AGENT, UNIT, SYSTEM, KIND, OS, EXPOSURE, PRODUCT, PROTECTION, LAST_CONTACT, LAST_SEEN, NOTE,
             N_COLUMNS };
static const struct sheet_column columns[N_COLUMNS] = {
    [NAME] = {"name", "ten may|ten may tinh|ten thiet bi|ten|hostname|host name|host|computer name|computer|device name|may tinh|ten"
                      " may chu|names",
              false},
    [IP] = {"ip", "dia chi ip|ip address|ip addresses|ipv4|dia chi|address|addresses|dia chi ip noi bo", false},
    [MAC] = {"mac", "dia chi mac|mac address|mac addresses|dia chi vat ly", false},
    [SERIAL] = {"serial", "so serial|serial number|so may|so seri|service tag|serial no", false},
    [AGENT] = {"agent_id", "ma tac tu|agent|agent uuid|device id|ma thiet bi|client id|guid|id thiet bi", false},
    [UNIT] = {"unit", "don vi|ten don vi|don vi su dung|don vi quan ly|phong ban|co quan|bo phan|department|group|nhom|unit name", false},
    [SYSTEM] = {"system", "he thong|he thong thong tin|ten he thong|thuoc he thong", false},
    [KIND] = {"kind", "loai|loai may|loai thiet bi|type|device type|chung loai", false},
    [OS] = {"os", "he dieu hanh|operating system|phien ban he dieu hanh|os version", false},
    [EXPOSURE] = {"exposure", "vung mang|ket noi internet|pham vi|zone", false},
    [PRODUCT] = {"product", "phan mem diet virus|phan mem phong chong ma doc|phan mem antivirus|antivirus|av|giai phap|san"
                            " pham|protection product",
                 false},
    [PROTECTION] = {"protection", "trang thai bao ve|trang thai|tinh trang|trang thai antivirus|trang thai phong chong ma"
                                  " doc|status|state", false},
    [LAST_CONTACT] = {"last_contact", "lan ket noi cuoi|ket noi lan cuoi|cap nhat lan cuoi|last update|last connection|protection last"
                                      " contact at",
                      false},
    [LAST_SEEN] = {"last_seen", "lan cuoi|thoi gian|ngay kiem ke|ngay|last seen at|date|time", false},
    [NOTE] = {"note", "ghi chu|notes|mo ta|description", false},
};

struct import {
    struct db *db;
    const struct machine_import *o;
    struct table_report *report;
    struct unit_names *names;
};

/* several values in one cell, by comma, semicolon or blank (but in names and ids) */
static void split(struct text cell, bool has_blanks, struct text out[MACHINE_VALUES])
{
    unsigned n = 0;
    size_t i = 0;
    while (i < cell.n && n < MACHINE_VALUES) {
        size_t from = i;
        while (i < cell.n && !strchr(has_blanks ? ",;|" : ",;| ", cell.p[i]))
            i++;
        struct text one = text_trim((struct text){cell.p + from, i - from});
        if (one.n)
            out[n++] = one;
        i++;
    }
}

static bool read_keys(struct import *m, const struct table_row *row, struct machine_sighting *s)
{
    static const struct {
        enum column column;
        enum identity_kind kind;
        bool has_blanks;
    } all[] = {{AGENT, IDENTITY_AGENT, true}, {SERIAL, IDENTITY_SERIAL, true}, {MAC, IDENTITY_MAC, false}, {NAME, IDENTITY_NAME, true},
               {IP, IDENTITY_IP, false}};
    bool has_any = false;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        char form[IDENTITY_KEY_BYTES];
        split(row->cells[all[i].column], all[i].has_blanks, s->keys[all[i].kind]);
        struct text first = s->keys[all[i].kind][0];
        bool is_usable = first.n && identity_canonical(all[i].kind, first, form);
        has_any |= is_usable;
        struct ip ip;
        if (all[i].kind == IDENTITY_IP && first.n && ip_parse(first.p, first.n, &ip)) {
            table_refuse(m->report, row->line, columns[IP].id, TABLE_REFUSED_BAD_ADDRESS, first);
            return false;
        }
    }
    if (!has_any)
        table_refuse(m->report, row->line, "", TABLE_REFUSED_NO_KEY, row->cells[NAME]);
    return has_any;
}

/* find_unit - the unit of the row; a name nobody has for certain waits in the queue and the machine stands under the default. */
static bool find_unit(struct import *m, const struct table_row *row, struct machine_sighting *s)
{
    struct text name = row->cells[UNIT];
    struct unit_found found = {0};
    struct arena arena = {0};
    struct unit u;
    s->unit = m->o->unit;
    if (name.n && !unit_get_by_code(m->db, name, &arena, &u))
        found.unit = u.id;
    else if (name.n)
        unit_names_find(m->names, name, s->at_us, &found);
    arena_fini(&arena);
    if (found.unit)
        s->unit = found.unit;
    if (m->o->may && !m->o->may(m->o->context, s->unit)) {
        table_refuse(m->report, row->line, columns[UNIT].id, TABLE_REFUSED_NOT_ALLOWED, name);
        return false;
    }
    if (name.n && !found.unit) {
        s->unit_text = unit_text_ask(m->db, name, m->o->words, m->o->unit, m->o->source, s->at_us, &m->o->by);
        m->report->n_queued++;
        if (!s->unit_text)
            table_warn(m->report, row->line, columns[UNIT].id, TABLE_REFUSED_BAD_NAME, name);
    }
    return true;
}

static bool read_row(struct import *m, const struct table_row *row, struct machine_sighting *s)
{
    struct table_report *r = m->report;
    int kind, exposure, protection;
    *s = (struct machine_sighting){.source = m->o->from, .seen_by = m->o->source, .only_seen = m->o->may, .os = row->cells[OS],
                                   .product = row->cells[PRODUCT],
                                   .note = row->cells[NOTE]};
    if (!table_read_time(r, row, columns, LAST_SEEN, m->o->by.now_us, &s->at_us) || !table_read_time(r, row, columns, LAST_CONTACT, 0,
                                                                                           &s->protection_us) ||
        !table_choice(r, row, columns, KIND, machine_kind_choices, MACHINE_N_KINDS, MACHINE_UNKNOWN, &kind) ||
        !table_choice(r, row, columns, EXPOSURE, machine_exposure_choices, EXPOSURE_N, EXPOSURE_UNKNOWN, &exposure) ||
        !table_choice(r, row, columns, PROTECTION, machine_protection_choices, PROTECTION_N, PROTECTION_UNKNOWN, &protection))
        return false;
    if (s->at_us > m->o->by.now_us + US_PER_DAY) {
        table_refuse(r, row->line, columns[LAST_SEEN].id, TABLE_REFUSED_BAD_TIME, row->cells[LAST_SEEN]);
        return false;
    }
    s->kind = (enum machine_kind)kind;
    s->exposure = (enum machine_exposure)exposure;
    s->protection = (enum machine_protection)protection;
    if (!read_keys(m, row, s) || !find_unit(m, row, s))
        return false;
    struct text system = row->cells[SYSTEM];
    s->system = system.n && s->unit ? machine_find_system(m->db, s->unit, system) : 0;
    if (system.n && !s->system)
        table_warn(r, row->line, columns[SYSTEM].id, TABLE_REFUSED_UNKNOWN_SYSTEM, system);
    return true;
}

static int take(struct import *m, const struct table_row *row)
{
    struct machine_sighting s;
    struct machine_seen seen;
    if (!read_row(m, row, &s))
        return 0;
    int r = machine_see(m->db, &s, &m->o->by, &seen);
    if (r < 0)
        return r;
    if (r) {
        table_refuse(m->report, row->line, "", TABLE_REFUSED_NO_KEY, row->cells[NAME]);
        return 0;
    }
    m->report->n_kept++;
    if (seen.is_new)
        m->report->n_new++;
    else if (seen.is_changed)
        m->report->n_changed++;
    else
        m->report->n_same++;
    return 0;
}

int machine_import(struct db *db, const uint8_t *p, size_t n, const struct machine_import *o, struct table_report *report, struct fault *f)
{
    struct import m = {.db = db, .o = o, .report = report};
    struct table_row *rows = NULL;
    size_t n_rows = 0;
    int r = table_read(p, n, columns, N_COLUMNS, report, &rows, &n_rows, f);
    if (r)
        return r;
    r = unit_names_load(db, o->words, true, &m.names);
    for (size_t i = 0; i < n_rows && !r; i++)
        r = take(&m, &rows[i]);
    free(rows);
    unit_names_free(m.names);
    if (r)
        return FAULT(f, r, no_memory, "machine_import");
    return (o->is_whole && report->n_refused) || table_is_mostly_bad(report) ? UNIT_IMPORT_REFUSED : 0;
}
