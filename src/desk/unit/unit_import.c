/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of units into the tree: read and checked one by one, then put in passes, since a parent may stand below its children in the
 * file; what is left when a pass moves nothing has no parent.
 */
#include "desk/unit/unit_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES_MAX = 32, LIST_MAX = 32 };

enum column { CODE, NAME, KIND, SHORT_NAME, ALIASES, PARENT, VALID_FROM, VALID_TO, SUCCESSORS, IS_BODY, OWN_NODE, MARK, NOTE, N_COLUMNS };
static const struct sheet_column columns[N_COLUMNS] = {
    [CODE] = {"code", "ma|ma don vi|ma dinh danh|unit code", false},
    [NAME] = {"name", "ten|ten don vi|ten co quan|don vi|co quan to chuc|ten co quan to chuc|unit|unit name", true},
    [KIND] = {"kind", "loai|loai don vi|loai hinh|cap|type", false},
    [SHORT_NAME] = {"short_name", "ten viet tat|viet tat|ten ngan|abbreviation", false},
    [ALIASES] = {"aliases", "ten khac|ten goi khac|other names", false},
    [PARENT] = {"parent", "don vi cap tren|cap tren|co quan chu quan|truc thuoc|don vi quan ly|parent unit", false},
    [VALID_FROM] = {"valid_from", "hieu luc tu|tu ngay|ngay thanh lap", false},
    [VALID_TO] = {"valid_to", "hieu luc den|den ngay|ngay ket thuc", false},
    [SUCCESSORS] = {"successors", "don vi ke thua|ke thua|sap nhap vao|successor", false},
    [IS_BODY] = {"is_body", "la co quan|phap nhan", false},
    [OWN_NODE] = {"has_own_node", "co nut rieng", false},
    [MARK] = {"mark", "nguon|source", false},
    [NOTE] = {"note", "ghi chu|notes", false},
};

struct line {
    const struct table_row *row;
    struct unit_form form;
    int64_t id; /* 0: not put yet */
    bool is_done, is_refused;
};

struct import {
    struct db *db;
    const struct unit_import *o;
    struct table_report *report;
    struct unit_names *names;
    struct line *lines;
    size_t n;
    int64_t first_new; /* ids from here on were made by this import */
    int failed;
};

static void refuse(struct import *m, struct line *l, size_t column, enum table_refusal why)
{
    l->is_refused = true;
    table_refuse(m->report, l->row->line, columns[column].id, why, l->row->cells[column]);
}

/* read_line - the cells that need no look at the tree */
static void read_line(struct import *m, const struct table_row *row, struct line *l)
{
    struct table_report *r = m->report;
    struct unit_form *f = &l->form;
    int kind;
    *l = (struct line){.row = row};
    *f = (struct unit_form){.name = row->cells[NAME], .short_name = row->cells[SHORT_NAME], .code = row->cells[CODE],
                            .note = row->cells[NOTE],
                            .source = row->cells[MARK].n ? row->cells[MARK] : m->o->source};
    l->is_refused = !table_choice(r, row, columns, KIND, unit_kind_choices(), UNIT_N_KINDS, UNIT_OTHER, &kind) ||
                    !table_read_time(r, row, columns, VALID_FROM, 0, &f->from_us) ||
                    !table_read_time(r, row, columns, VALID_TO, UNIT_FOREVER, &f->to_us) ||
                    !table_yes(r, row, columns, IS_BODY, true, &f->is_body) || !table_yes(r, row, columns, OWN_NODE, false,
                                                                                          &f->has_own_node);
    if (l->is_refused)
        return;
    f->kind = (struct text){unit_kind_name((enum unit_kind)kind), strlen(unit_kind_name((enum unit_kind)kind))};
    char folded[UNIT_FOLD_BYTES];
    if (f->name.n > 300 || !unit_name_fold(NULL, f->name, folded))
        refuse(m, l, NAME, TABLE_REFUSED_BAD_NAME);
    else if (f->short_name.n > 100)
        refuse(m, l, SHORT_NAME, TABLE_REFUSED_TOO_LONG);
    else if (f->code.n > UNIT_CODE_BYTES)
        refuse(m, l, CODE, TABLE_REFUSED_TOO_LONG);
    else if (f->to_us <= f->from_us)
        refuse(m, l, VALID_TO, TABLE_REFUSED_BAD_PERIOD);
}

/* find_unit - by code, else by a name that decides; 0: nobody for certain */
static int64_t find_unit(struct import *m, struct text t, int64_t at_us)
{
    struct arena arena = {0};
    struct unit u;
    struct unit_found found;
    int r = unit_get_by_code(m->db, t, &arena, &u);
    arena_fini(&arena);
    if (!r)
        return u.id;
    unit_names_find(m->names, t, at_us ? at_us : m->o->by.now_us, &found);
    if (!found.unit && at_us) /* the tree of today may be meant by a row that tells of the past */
        unit_names_find(m->names, t, m->o->by.now_us, &found);
    return found.unit;
}

static bool may(const struct import *m, int64_t unit)
{
    return !m->o->may || (unit && unit >= m->first_new) || m->o->may(m->o->context, unit);
}

/* the unit this row is a version of: by its code, else by its own name at its time */
static int64_t find_self(struct import *m, const struct line *l)
{
    struct arena arena = {0};
    struct unit u;
    struct unit_found found = {0};
    int r = l->form.code.n ? unit_get_by_code(m->db, l->form.code, &arena, &u) : UNIT_NO_SUCH;
    arena_fini(&arena);
    if (!r)
        return u.id;
    if (!l->form.code.n)
        unit_names_find(m->names, l->form.name, l->form.from_us ? l->form.from_us : m->o->by.now_us, &found);
    return found.how == UNIT_BY_NAME ? found.unit : 0;
}

static void add_aliases(struct import *m, const struct line *l)
{
    struct text all = l->row->cells[ALIASES];
    for (unsigned i = 0; i < LIST_MAX && all.n; i++) {
        const char *end = memchr(all.p, '|', all.n);
        size_t n = end ? (size_t)(end - all.p) : all.n;
        unit_alias_add(m->db, l->id, text_trim((struct text){all.p, n}), "alias", l->form.from_us, l->form.to_us);
        all = end ? (struct text){end + 1, all.n - n - 1} : TEXT("");
    }
}

/* complete - a unit that is there: an empty cell, or a column that the file has not, leaves what stands. */
static void complete(struct line *l, const struct unit *old)
{
    const struct text *cells = l->row->cells;
    struct unit_form *f = &l->form;
    const struct unit_form *o = &old->form;
    bool is_past = f->from_us < old->since_us;
    if (!cells[VALID_FROM].n && !is_past)
        f->from_us = old->since_us;
    f->code = o->code.n || text_is(cells[CODE], old->uuid) ? o->code : f->code;
    f->source = cells[MARK].n ? f->source : o->source;
    f->note = cells[NOTE].n ? f->note : o->note;
    f->is_body = cells[IS_BODY].n ? f->is_body : o->is_body;
    f->has_own_node = cells[OWN_NODE].n ? f->has_own_node : o->has_own_node;
    if (is_past)
        return;
    f->kind = cells[KIND].n ? f->kind : o->kind;
    f->short_name = cells[SHORT_NAME].n ? f->short_name : o->short_name;
    f->parent = cells[PARENT].n ? f->parent : o->parent;
    f->to_us = cells[VALID_TO].n || f->from_us > old->since_us ? f->to_us : o->to_us;
}

/* put_line - with its parent known */
static void put_line(struct import *m, struct line *l)
{
    struct unit old;
    int64_t self = find_self(m, l);
    bool is_new = !self;
    if (self && !unit_get(m->db, self, true, &m->report->arena, &old))
        complete(l, &old);
    if ((self && !may(m, self)) || !may(m, l->form.parent)) {
        refuse(m, l, NAME, TABLE_REFUSED_NOT_ALLOWED);
        return;
    }
    int r = self ? unit_put(m->db, self, -1, &l->form, &m->o->by) : unit_add(m->db, &l->form, &m->o->by, &self);
    if (r < 0) {
        m->failed = r;
        return;
    }
    if (r && r != UNIT_SAME) {
        refuse(m, l, r == UNIT_CIRCLE ? PARENT : VALID_FROM, r == UNIT_CIRCLE ? TABLE_REFUSED_CIRCLE : TABLE_REFUSED_BAD_PERIOD);
        return;
    }
    l->id = self;
    l->is_done = true;
    m->report->n_kept++;
    if (is_new)
        m->report->n_new++;
    else if (r == UNIT_SAME)
        m->report->n_same++;
    else
        m->report->n_changed++;
    add_aliases(m, l);
}

/* pass - Return: lines put. */
static size_t pass(struct import *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n && !m->failed; i++) {
        struct line *l = &m->lines[i];
        if (l->is_done || l->is_refused)
            continue;
        struct text parent = l->row->cells[PARENT];
        l->form.parent = parent.n ? find_unit(m, parent, l->form.from_us) : 0;
        if (parent.n && !l->form.parent)
            continue;
        put_line(m, l);
        n++;
    }
    return n;
}

static void run_passes(struct import *m)
{
    for (unsigned i = 0; i < PASSES_MAX && !m->failed; i++) {
        unit_names_free(m->names);
        m->names = NULL;
        m->failed = unit_names_load(m->db, m->o->words, true, &m->names);
        if (m->failed || !pass(m))
            break;
    }
    for (size_t i = 0; i < m->n && !m->failed; i++) {
        struct line *l = &m->lines[i];
        if (l->is_done || l->is_refused)
            continue;
        refuse(m, l, PARENT, TABLE_REFUSED_UNKNOWN_PARENT);
        if (!m->o->is_whole) {
            unit_text_ask(m->db, l->row->cells[PARENT], m->o->words, 0, m->o->source, l->form.from_us, &m->o->by);
            m->report->n_queued++;
        }
    }
}

/* link_successors - of a row that is in; a successor nobody knows is named in the report, the row stays */
static void link_successors(struct import *m, const struct line *l)
{
    struct text all = l->row->cells[SUCCESSORS];
    bool is_split = all.n && memchr(all.p, '|', all.n);
    for (unsigned i = 0; i < LIST_MAX && all.n; i++) {
        const char *end = memchr(all.p, '|', all.n);
        size_t n = end ? (size_t)(end - all.p) : all.n;
        struct text one = text_trim((struct text){all.p, n});
        int64_t later = find_unit(m, one, l->form.to_us == UNIT_FOREVER ? 0 : l->form.to_us);
        if (later && later != l->id)
            unit_link(m->db, l->id, later, is_split ? "split" : "merged", l->form.to_us == UNIT_FOREVER ? m->o->by.now_us : l->form.to_us,
                      l->form.source);
        else
            table_warn(m->report, l->row->line, columns[SUCCESSORS].id, TABLE_REFUSED_UNKNOWN_UNIT, one);
        all = end ? (struct text){end + 1, all.n - n - 1} : TEXT("");
    }
}

int unit_import(struct db *db, const uint8_t *p, size_t n, const struct unit_import *o, struct table_report *report, struct fault *f)
{
    struct import m = {.db = db, .o = o, .report = report};
    struct table_row *rows = NULL;
    size_t n_rows = 0;
    int r = table_read(p, n, columns, N_COLUMNS, report, &rows, &n_rows, f);
    if (r)
        return r;
    m.first_new = unit_next_id(db);
    m.lines = calloc(n_rows ? n_rows : 1, sizeof(*m.lines));
    m.failed = m.lines ? 0 : -ENOMEM;
    for (m.n = 0; m.n < n_rows && !m.failed; m.n++)
        read_line(&m, &rows[m.n], &m.lines[m.n]);
    if (!m.failed)
        run_passes(&m);
    if (!m.failed && m.names) { /* names of what came in last */
        unit_names_free(m.names);
        m.names = NULL;
        m.failed = unit_names_load(db, o->words, true, &m.names);
    }
    for (size_t i = 0; i < m.n && !m.failed; i++)
        if (m.lines[i].is_done)
            link_successors(&m, &m.lines[i]);
    if (!m.failed)
        unit_succeed(db, &o->by);
    free(m.lines);
    free(rows);
    unit_names_free(m.names);
    if (m.failed || db_failed(db))
        return m.failed ? FAULT(f, m.failed, no_memory, "unit_import") : db_failed(db);
    bool is_refused = (o->is_whole && report->n_refused) || table_is_mostly_bad(report);
    return is_refused ? UNIT_IMPORT_REFUSED : 0;
}
