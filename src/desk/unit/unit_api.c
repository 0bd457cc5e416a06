/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of units: the list, the tree of a day, one unit, what changes it, import and export, names that wait for a person. */
#include "desk/unit/unit_api.h"

#include "desk/unit/unit_list_db.h"

#include <errno.h>
#include <string.h>

enum { TREE_MAX = 20000, SEARCH_MAX = 5000, NAME_BYTES = 300, NOTE_BYTES = 2000 };

#define X(ID, word, words) word,
static const char *const kind_words[] = {UNIT_KINDS(X) NULL};
#undef X

static const struct unit_words *words_of(const struct web_request *q)
{
    return unit_desk_words(q->desk);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* search - ids of units of which some name holds ?q=. Return: false: the reply is written, or nothing is found (*ret_r). */
static int search(const struct web_request *q, struct text *ret)
{
    const char *value = web_query(q, "q");
    char folded[UNIT_FOLD_BYTES];
    struct text t = {value, value ? strlen(value) : 0};
    size_t n = t.n && t.n < UNIT_NAME_BYTES ? unit_name_fold(words_of(q), t, folded) : 0;
    if (!n) {
        *ret = t.n ? TEXT("[]") : TEXT("");
        return 0;
    }
    struct unit_names *names = NULL;
    int64_t *ids = arena_alloc(q->arena, SEARCH_MAX * sizeof(*ids));
    int r = ids ? unit_names_load(q->db, words_of(q), false, &names) : -ENOMEM;
    if (r)
        return r;
    *ret = desk_ids(q, ids, unit_names_search(names, (struct text){folded, n}, ids, SEARCH_MAX));
    unit_names_free(names);
    return 0;
}

static int get_units(const struct web_request *q, struct web_reply *r)
{
    static const char *const names[] = {"q", "kind", "parent", "unit", "at", "state"}, *const states[] = {"valid", "all"};
    struct unit_filter f = {.parent = -1, .at_us = q->now_us};
    struct web_list l;
    int64_t kind = -1, state = 0;
    if (!desk_query_choice(q, r, "kind", kind_words, UNIT_N_KINDS, &kind) || !desk_query_number(q, r, "parent", &f.parent) ||
        !desk_query_number(q, r, "unit", &f.below) || !desk_query_time(q, r, "at", &f.at_us) || !desk_query_choice(q, r, "state",
                states, 2, &state))
        return 0;
    f.kind = kind >= 0 ? kind_words[kind] : NULL;
    f.at_us = state == 1 ? 0 : f.at_us;
    int e = search(q, &f.ids);
    if (e || !web_list_begin(q, r, desk_filter(q, names, 6), &l))
        return e;
    unit_list(q->db, &f, &l);
    return web_list_end(q, r, &l);
}

static int export_units(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    if (!web_list_begin(q, r, TEXT(""), &l))
        return 0;
    unit_export(q->db, &l);
    return web_list_end(q, r, &l);
}

static int get_tree(const struct web_request *q, struct web_reply *r)
{
    int64_t at_us = q->now_us, parent = -1;
    if (!desk_query_time(q, r, "at", &at_us) || !desk_query_number(q, r, "parent", &parent))
        return 0;
    json_t *rows = unit_tree_rows(q->db, at_us, parent, TREE_MAX);
    bool is_cut = json_array_size(rows) == TREE_MAX;
    return web_json(r, 200, json_pack("{s:o, s:o, s:b}", "at", web_time(at_us), "items", rows, "is_cut", (int)is_cut));
}

static int show(const struct web_request *q, struct web_reply *r, int status, int64_t id, bool has_more)
{
    json_t *o = unit_show(q->db, id, status == 201);
    if (!o)
        return web_not_found(q, r);
    if (has_more)
        unit_show_more(q->db, id, o);
    r->version = json_integer_value(json_object_get(o, "version"));
    return web_json(r, status, o);
}

static int get_unit(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    return web_parameter_id(q, r, 0, &id) ? show(q, r, 200, id, true) : 0;
}

/* candidates - with what the person who asks may know of them */
static json_t *candidates_json(const struct web_request *q, const struct unit_found *found)
{
    json_t *all = json_array();
    for (unsigned i = 0; all && i < found->n; i++) {
        const struct unit_candidate *c = &found->candidates[i];
        json_t *unit = unit_show(q->db, c->unit, false);
        if (!unit)
            continue;
        json_array_append_new(all, json_pack("{s:I, s:O, s:I, s:o, s:o, s:b}", "unit", (json_int_t)c->unit, "name",
                                             json_object_get(unit, "name"),
                                             "score", (json_int_t)c->score, "valid_from", web_time(c->from_us > 0 ? c->from_us : 0),
                                                 "valid_to",
                                             web_time(c->to_us == UNIT_FOREVER ? 0 : c->to_us), "is_valid", (int)c->is_valid));
        json_decref(unit);
    }
    return all;
}

static int find(const struct web_request *q, struct text name, int64_t at_us, struct unit_found *ret)
{
    struct unit_names *names = NULL;
    int e = unit_names_load(q->db, words_of(q), false, &names);
    if (!e)
        unit_names_find(names, name, at_us, ret);
    unit_names_free(names);
    return e;
}

static int resolve(const struct web_request *q, struct web_reply *r)
{
    static const char *const hows[] = {"name", "alias", "decision", "folded", "none"};
    const char *name = web_query(q, "name");
    int64_t at_us = q->now_us, today[8];
    struct unit_found found = {0};
    if (!name || !*name)
        return web_problem(q, r, 400, "bad_query");
    if (!desk_query_time(q, r, "at", &at_us))
        return 0;
    int e = find(q, (struct text){name, strlen(name)}, at_us, &found);
    if (e)
        return e;
    json_t *unit = found.unit ? unit_show(q->db, found.unit, false) : NULL, *after = json_array();
    size_t n = unit ? unit_today(q->db, found.unit, q->now_us, today, 8) : 0;
    for (size_t i = 0; i < n; i++) {
        json_t *one = unit_show(q->db, today[i], false);
        if (one)
            json_array_append_new(after, one);
    }
    return web_json(r, 200, json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "name", name, "at", web_time(at_us), "unit", unit ? unit
                                      : json_null(), "how",
                                      hows[found.how], "today", after, "candidates", candidates_json(q, &found)));
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

static struct unit_form read_form(const struct web_request *q, const struct unit *old)
{
    const struct unit_form *o = &old->form;
    struct unit_form f = {.name = desk_member_text(q, "name", NAME_BYTES, o->name), .short_name = desk_member_text(q, "short_name",
            100, o->short_name),
                          .code = desk_member_text(q, "code", UNIT_CODE_BYTES, o->code), .note = desk_member_text(q, "note",
                                  NOTE_BYTES, o->note),
                          .source = desk_member_text(q, "source", 300, o->source), .kind = o->kind,
                          .parent = web_has_member(q, "parent") ? web_member_int(q, "parent", 0, INT64_MAX, 0, false) : o->parent,
                          .is_body = web_member_bool(q, "is_body", o->is_body), .has_own_node = web_member_bool(q, "has_own_node",
                                  o->has_own_node),
                          .from_us = desk_member_from(q, "valid_from", old->since_us), .to_us = desk_member_end(q, "valid_to", o->to_us)};
    int kind = web_member_choice(q, "kind", kind_words, -1, !o->kind.n);
    if (kind >= 0)
        f.kind = (struct text){kind_words[kind], strlen(kind_words[kind])};
    char folded[UNIT_FOLD_BYTES];
    if (f.name.n >= UNIT_NAME_BYTES || !unit_name_fold(NULL, f.name, folded))
        web_wrong(q, "/name", MSG_table_refused_bad_name);
    return f;
}

/* may_stand - has the caller the right to put a unit below @parent; what he does not see is not there */
static bool may_stand(const struct web_request *q, int64_t parent)
{
    return desk_may(q, PERMISSION_UNIT_WRITE, parent);
}

static int post_unit(const struct web_request *q, struct web_reply *r)
{
    const struct unit none = {.form = {.to_us = UNIT_FOREVER, .is_body = true, .name = TEXT(""), .short_name = TEXT(""), .code =
                                       TEXT(""), .kind = TEXT(""),
                                       .note = TEXT(""), .source = TEXT("")}};
    struct unit_form f = read_form(q, &none);
    struct unit_actor by = desk_actor(q);
    int64_t id;
    if (!may_stand(q, f.parent))
        web_wrong(q, "/parent", MSG_table_refused_unknown_parent);
    if (!web_check(q, r))
        return 0;
    int e = unit_add(q->db, &f, &by, &id);
    if (e)
        return desk_answer(q, r, e);
    web_audit(q, "unit.add", id, NULL, TEXT(""));
    return show(q, r, 201, id, false);
}

static int patch_unit(const struct web_request *q, struct web_reply *r)
{
    struct unit old;
    struct unit_actor by = desk_actor(q);
    int64_t id;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    int e = unit_get(q->db, id, false, q->arena, &old);
    if (e)
        return desk_answer(q, r, e);
    struct unit_form f = read_form(q, &old);
    if (f.parent != old.form.parent && !may_stand(q, f.parent))
        web_wrong(q, "/parent", MSG_table_refused_unknown_parent);
    if (!web_check(q, r))
        return 0;
    e = unit_put(q->db, id, q->version, &f, &by);
    if (e && e != UNIT_SAME)
        return desk_answer(q, r, e);
    web_audit(q, "unit.change", id, NULL, TEXT(""));
    return show(q, r, 200, id, true);
}

static int post_successor(const struct web_request *q, struct web_reply *r)
{
    static const char *const kinds[] = {"renamed", "merged", "split", "moved", NULL};
    int64_t id, later = web_member_int(q, "unit", 1, INT64_MAX, 0, true), at_us = web_member_time(q, "at", true);
    int kind = web_member_choice(q, "kind", kinds, 1, false);
    struct unit_actor by = desk_actor(q);
    struct unit old, next;
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    if (unit_get(q->db, id, false, q->arena, &old) || unit_get(q->db, later, false, q->arena, &next))
        return web_not_found(q, r);
    if (q->version >= 0 && q->version != old.version)
        return web_conflict(q, r);
    if (id == later || unit_is_below(q->db, later, id))
        return desk_answer(q, r, UNIT_CIRCLE);
    struct unit_form f = old.form;
    f.from_us = old.since_us;
    f.to_us = at_us;
    int e = f.to_us == old.form.to_us ? 0 : unit_put(q->db, id, -1, &f, &by);
    if (e && e != UNIT_SAME)
        return desk_answer(q, r, e);
    unit_link(q->db, id, later, kinds[kind], at_us, by.who);
    unit_succeed(q->db, &by);
    web_audit(q, "unit.succeed", id, json_pack("{s:I}", "later", (json_int_t)later), TEXT(""));
    return show(q, r, 200, id, true);
}

static int post_alias(const struct web_request *q, struct web_reply *r)
{
    static const char *const kinds[] = {"alias", "abbreviation", "former", "foreign", NULL};
    int64_t id, from_us = web_member_time(q, "valid_from", false), to_us = desk_member_end(q, "valid_to", UNIT_FOREVER);
    struct text name = web_member_text(q, "name", NAME_BYTES, true);
    int kind = web_member_choice(q, "kind", kinds, 0, false);
    struct unit old;
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    if (unit_get(q->db, id, false, q->arena, &old))
        return web_not_found(q, r);
    if (to_us <= from_us)
        return desk_answer(q, r, UNIT_BAD_PERIOD);
    unit_alias_add(q->db, id, text_trim(name), kinds[kind], from_us, to_us);
    web_audit(q, "unit.alias", id, json_pack("{s:o}", "name", web_string(name)), TEXT(""));
    return show(q, r, 200, id, true);
}

static int run_import(const struct web_request *q, struct db *db, struct table_report *report, struct fault *f)
{
    union {
        const struct web_request *in;
        void *out;
    } u = {.in = q}; /* the importer hands it back as it came */
    struct unit_import o = {.words = words_of(q), .by = desk_actor(q), .source = desk_source(q), .is_whole = desk_is_whole(q),
                            .may = desk_may_import_unit, .context = u.out};
    return unit_import(db, q->bytes, q->n_bytes, &o, report, f);
}

static int import_units(const struct web_request *q, struct web_reply *r)
{
    const struct desk_importing m = {"unit.import", "unit", PERMISSION_UNIT_WRITE, run_import};
    return desk_import(q, r, &m);
}

/* --- names that wait --------------------------------------------------------------------------------------------- */

static int get_texts(const struct web_request *q, struct web_reply *r)
{
    static const char *const names[] = {"state"}, *const states[] = {"open", "matched", "refused"};
    struct web_list l;
    int64_t state = -1;
    if (!desk_query_choice(q, r, "state", states, 3, &state) || !web_list_begin(q, r, desk_filter(q, names, 1), &l))
        return 0;
    unit_text_list(q->db, state >= 0 ? states[state] : NULL, &l);
    return web_list_end(q, r, &l);
}

static int get_text(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct unit_found found = {0};
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    json_t *o = unit_text_show(q->db, id);
    if (!o)
        return web_not_found(q, r);
    const char *text = json_string_value(json_object_get(o, "text"));
    int e = find(q, (struct text){text, strlen(text)}, q->now_us, &found);
    json_object_set_new(o, "candidates", candidates_json(q, &found));
    r->version = json_integer_value(json_object_get(o, "version"));
    if (!e)
        return web_json(r, 200, o);
    json_decref(o);
    return e;
}

static int patch_text(const struct web_request *q, struct web_reply *r)
{
    int64_t id, unit = web_member_int(q, "unit", 1, INT64_MAX, 0, false);
    struct unit_actor by = desk_actor(q);
    struct unit u;
    if (!web_has_member(q, "unit"))
        web_wrong(q, "/unit", MSG_web_needed);
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    if (unit && unit_get(q->db, unit, false, q->arena, &u)) {
        web_wrong(q, "/unit", MSG_table_refused_unknown_unit);
        web_check(q, r);
        return 0;
    }
    int e = unit_text_decide(q->db, id, q->version, unit, &by);
    if (e)
        return desk_answer(q, r, e);
    web_audit(q, "unit_name.decide", id, json_pack("{s:I}", "unit", (json_int_t)unit), TEXT(""));
    json_t *o = unit_text_show(q->db, id);
    r->version = json_integer_value(json_object_get(o, "version"));
    return web_json(r, 200, o);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

#define READ(pattern, kind, flags, handler, operation) {WEB_GET, "/api/v1/" pattern, PERMISSION_UNIT_READ, flags, kind, handler, \
                                                        operation, 0}
#define WRITE(method, pattern, kind, flags, handler, operation) \
    {method, "/api/v1/" pattern, PERMISSION_UNIT_WRITE, WEB_WRITES | (flags), kind, handler, operation, 0}
#define UPLOAD(pattern, handler, operation) \
    {WEB_POST, "/api/v1/" pattern, PERMISSION_UNIT_WRITE, WEB_BYTES | WEB_NO_DB | WEB_COSTLY, NULL, handler, operation, DESK_IMPORT_BYTES}
const struct web_route unit_routes[] = {
    READ("units", "unit", WEB_LIST, get_units, "listUnits"),
    WRITE(WEB_POST, "units", "unit", 0, post_unit, "addUnit"),
    READ("units/tree", "unit", 0, get_tree, "getUnitTree"),
    READ("units/export", "unit", WEB_LIST, export_units, "exportUnits"),
    READ("units/resolve", "unit", 0, resolve, "resolveUnit"),
    UPLOAD("units/import", import_units, "importUnits"),
    READ("units/{unit}", "unit", 0, get_unit, "getUnit"),
    WRITE(WEB_PATCH, "units/{unit}", "unit", WEB_NEEDS_VERSION, patch_unit, "changeUnit"),
    WRITE(WEB_POST, "units/{unit}/successors", "unit", 0, post_successor, "addSuccessor"),
    WRITE(WEB_POST, "units/{unit}/aliases", "unit", 0, post_alias, "addAlias"),
    READ("unit-names", "unit_text", WEB_LIST, get_texts, "listUnitNames"),
    READ("unit-names/{name}", "unit_text", 0, get_text, "getUnitName"),
    WRITE(WEB_PATCH, "unit-names/{name}", "unit_text", WEB_NEEDS_VERSION, patch_text, "decideUnitName"),
    READ("prefixes", "prefix", WEB_LIST, owned_get_prefixes, "listPrefixes"),
    WRITE(WEB_POST, "prefixes", "prefix", 0, owned_post_prefix, "addPrefix"),
    UPLOAD("prefixes/import", owned_import, "importPrefixes"),
    {WEB_POST, "/api/v1/prefixes/publish", PERMISSION_LIST_WRITE, WEB_WRITES | WEB_COSTLY, NULL, owned_publish, "publishSpace", 0},
    WRITE(WEB_PATCH, "prefixes/{prefix}", "prefix", WEB_NEEDS_VERSION, owned_patch_prefix, "changePrefix"),
    WRITE(WEB_DELETE, "prefixes/{prefix}", "prefix", WEB_NEEDS_VERSION, owned_delete_prefix, "endPrefix"),
    READ("handles", "handle", WEB_LIST, owned_get_handles, "listHandles"),
    WRITE(WEB_POST, "handles", "handle", 0, owned_post_handle, "addHandle"),
    WRITE(WEB_DELETE, "handles/{handle}", "handle", WEB_NEEDS_VERSION, owned_delete_handle, "endHandle"),
    READ("systems", "system", WEB_LIST, owned_get_systems, "listSystems"),
    WRITE(WEB_POST, "systems", "system", 0, owned_post_system, "addSystem"),
    READ("systems/{system}", "system", 0, owned_get_system, "getSystem"),
    WRITE(WEB_PATCH, "systems/{system}", "system", WEB_NEEDS_VERSION, owned_patch_system, "changeSystem"),
    WRITE(WEB_DELETE, "systems/{system}", "system", WEB_NEEDS_VERSION, owned_delete_system, "endSystem"),
    WRITE(WEB_POST, "systems/{system}/levels", "system", 0, owned_post_level, "addLevel"),
    READ("contacts", "contact", WEB_LIST | WEB_SENSITIVE, owned_get_contacts, "listContacts"),
    WRITE(WEB_POST, "contacts", "contact", 0, owned_post_contact, "addContact"),
    WRITE(WEB_PATCH, "contacts/{contact}", "contact", WEB_NEEDS_VERSION, owned_patch_contact, "changeContact"),
    WRITE(WEB_DELETE, "contacts/{contact}", "contact", WEB_NEEDS_VERSION, owned_delete_contact, "endContact"),
    WRITE(WEB_POST, "contacts/{contact}/verified", "contact", WEB_NEEDS_VERSION, owned_verify_contact, "verifyContact"),
};
const size_t unit_n_routes = sizeof(unit_routes) / sizeof(*unit_routes);
