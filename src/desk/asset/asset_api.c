/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of machines: list, one, denominators, what people decide, import. */
#include "desk/asset/asset_api.h"

#include "desk/asset/asset_list_db.h"
#include "desk/unit/desk_api.h"

#include <string.h>

enum { NOTE_BYTES = 2000, REASON_BYTES = 2000, KEYS_MAX = 200 };

#define X(ID, word, words) word,
static const char *const kind_words[] = {MACHINE_KINDS(X) NULL}, *const exposure_words[] = {MACHINE_EXPOSURES(X) NULL};
#undef X

static int answer(const struct web_request *q, struct web_reply *r, int condition)
{
    switch (condition) {
    case MACHINE_NO_SUCH:
        return web_not_found(q, r);
    case MACHINE_CHANGED:
        return web_conflict(q, r);
    case MACHINE_ENDED:
        return web_problem(q, r, 409, "record_ended");
    case MACHINE_SAME:
    case DB_CONFLICT:
        return web_problem(q, r, 409, "conflict");
    default:
        return condition;
    }
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool read_filter(const struct web_request *q, struct web_reply *r, struct machine_filter *f)
{
    static const char *const managed[] = {"no", "yes"}, *const states[] = {"present", "ended"};
    int64_t state = 0;
    const char *text = web_query(q, "q");
    *f = (struct machine_filter){.kind = -1, .protection = -1, .exposure = -1, .is_managed = -1};
    if (!desk_query_number(q, r, "unit", &f->below) || !desk_query_number(q, r, "system", &f->system) ||
        !desk_query_choice(q, r, "kind", machine_kind_names, MACHINE_N_KINDS, &f->kind) ||
        !desk_query_choice(q, r, "protection", machine_protection_names, PROTECTION_N, &f->protection) ||
        !desk_query_choice(q, r, "exposure", machine_exposure_names, EXPOSURE_N, &f->exposure) ||
        !desk_query_choice(q, r, "managed", managed, 2, &f->is_managed) || !desk_query_choice(q, r, "state", states, 2, &state))
        return false;
    f->has_ended = state == 1;
    f->units = desk_units(q, PERMISSION_ASSET_READ, &f->is_wide);
    if (text && *text)
        f->ids = machine_search(q, text_trim((struct text){text, strlen(text)}));
    return true;
}

static int get_machines(const struct web_request *q, struct web_reply *r)
{
    static const char *const names[] = {"unit", "system", "kind", "protection", "exposure", "managed", "state", "q"};
    struct machine_filter f;
    struct web_list l;
    if (!read_filter(q, r, &f) || !web_list_begin(q, r, desk_filter(q, names, 8), &l))
        return 0;
    machine_list(q->db, &f, &l);
    return web_list_end(q, r, &l);
}

static int get_counts(const struct web_request *q, struct web_reply *r)
{
    static const char *const by[] = {"unit"};
    int64_t unit = 0, group = -1;
    if (!desk_query_number(q, r, "unit", &unit) || !desk_query_choice(q, r, "by", by, 1, &group))
        return 0;
    json_t *o = machine_counts(q->db, unit);
    if (group == 0)
        json_object_set_new(o, "units", machine_counts_by_unit(q->db, unit));
    return web_json(r, 200, o);
}

static int show(const struct web_request *q, struct web_reply *r, int status, int64_t id)
{
    json_t *o = machine_show(q->db, id);
    if (!o)
        return web_not_found(q, r);
    machine_show_more(q->db, id, o);
    r->version = json_integer_value(json_object_get(o, "version"));
    return web_json(r, status, o);
}

static int get_machine(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    return web_parameter_id(q, r, 0, &id) ? show(q, r, 200, id) : 0;
}

static int get_story(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct machine_row row;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    if (machine_row_get(q->db, id, false, &row))
        return web_not_found(q, r);
    return web_json(r, 200, json_pack("{s:o}", "items", machine_story(q->db, id)));
}

static int get_links(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    if (!web_list_begin(q, r, TEXT(""), &l))
        return 0;
    machine_links(q->db, &l);
    return web_list_end(q, r, &l);
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

static struct text text_of(const struct web_request *q, const json_t *old, const char *name, size_t max)
{
    const char *was = json_string_value(json_object_get(old, name)), *copy = was ? arena_text(q->arena, was, strlen(was)) : NULL;
    return desk_member_text(q, name, max, copy ? (struct text){copy, strlen(copy)} : TEXT(""));
}

static int64_t id_of(const struct web_request *q, const json_t *old, const char *name)
{
    return web_has_member(q, name) ? web_member_int(q, name, 1, INT64_MAX, 0, false) : json_integer_value(json_object_get(old, name));
}

static int patch_machine(const struct web_request *q, struct web_reply *r)
{
    static const char *const tlp[] = {"clear", "green", "amber", "amber_strict", "red", NULL};
    int64_t id;
    struct machine_row row;
    struct unit_actor by = desk_actor(q);
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    json_t *old = machine_show(q->db, id);
    if (!old || machine_row_get(q->db, id, false, &row)) {
        json_decref(old);
        return web_not_found(q, r);
    }
    struct machine_change c = {.unit = id_of(q, old, "unit"), .system = id_of(q, old, "system"), .name = text_of(q, old, "name",
            MACHINE_NAME_MAX),
                               .note = text_of(q, old, "note", NOTE_BYTES), .tlp = web_member_choice(q, "tlp", tlp, (int)row.tlp, false),
                               .kind = (enum machine_kind)web_member_choice(q, "kind", kind_words, (int)row.kind, false),
                               .exposure = (enum machine_exposure)web_member_choice(q, "exposure", exposure_words, (int)row.exposure,
                                                                                    false)};
    json_decref(old);
    if (c.unit != row.unit && !desk_may(q, PERMISSION_ASSET_WRITE, c.unit))
        web_wrong(q, "/unit", MSG_table_refused_unknown_unit);
    if (c.system && c.system != row.system && !machine_sees_system(q->db, c.system))
        web_wrong(q, "/system", MSG_table_refused_unknown_system);
    if (!text_trim(c.name).n)
        web_wrong(q, "/name", MSG_web_needed);
    if (!web_check(q, r))
        return 0;
    int e = machine_change(q->db, id, q->version, &c, &by);
    if (e)
        return answer(q, r, e);
    web_audit(q, "machine.change", id, NULL, TEXT(""));
    return show(q, r, 200, id);
}

static int delete_machine(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct unit_actor by = desk_actor(q);
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    int e = machine_end(q->db, id, q->version, TEXT(""), &by);
    if (e)
        return answer(q, r, e);
    web_audit(q, "machine.end", id, NULL, TEXT(""));
    return show(q, r, 200, id);
}

static int post_merge(const struct web_request *q, struct web_reply *r)
{
    int64_t id, other = web_member_int(q, "machine", 1, INT64_MAX, 0, true);
    struct text why = web_member_text(q, "reason", REASON_BYTES, true);
    struct unit_actor by = desk_actor(q);
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    int e = machine_merge(q->db, other, id, q->version, why, &by);
    if (e)
        return answer(q, r, e);
    web_audit(q, "machine.merge", id, json_pack("{s:I}", "machine", (json_int_t)other), why);
    return show(q, r, 200, id);
}

static int post_split(const struct web_request *q, struct web_reply *r)
{
    int64_t id, keys[KEYS_MAX], made = 0, of = web_member_int(q, "record", 1, INT64_MAX, 0, false);
    struct text why = web_member_text(q, "reason", REASON_BYTES, true);
    const json_t *all = json_object_get(q->body, "keys");
    struct unit_actor by = desk_actor(q);
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(all) && n < KEYS_MAX; i++)
        keys[n++] = json_integer_value(json_array_get(all, i));
    if ((!n && !of) || json_array_size(all) > KEYS_MAX)
        web_wrong(q, "/keys", MSG_web_needed);
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    int e = machine_split(q->db, id, q->version, keys, n, of, why, &by, &made);
    if (e)
        return answer(q, r, e);
    web_audit(q, "machine.split", id, json_pack("{s:I}", "machine", (json_int_t)made), why);
    return show(q, r, 201, made);
}

static int patch_link(const struct web_request *q, struct web_reply *r)
{
    static const char *const verdicts[] = {"different", "same", NULL};
    int64_t id;
    int verdict = web_member_choice(q, "verdict", verdicts, 0, true);
    struct text why = web_member_text(q, "reason", REASON_BYTES, false);
    struct unit_actor by = desk_actor(q);
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    int e = machine_judge(q->db, id, verdict == 1, why, &by);
    if (e)
        return answer(q, r, e);
    web_audit(q, "machine_link.judge", id, json_pack("{s:s}", "verdict", verdicts[verdict]), why);
    return web_json(r, 200, json_pack("{s:I, s:s}", "id", (json_int_t)id, "state", verdicts[verdict]));
}

static int run_import(const struct web_request *q, struct db *db, struct table_report *report, struct fault *f)
{
    union {
        const struct web_request *in;
        void *out;
    } u = {.in = q}; /* the importer hands it back as it came */
    const char *from = web_query(q, "from"), *unit = web_query(q, "unit");
    uint64_t id = 0;
    if (unit && text_u64((struct text){unit, strlen(unit)}, INT64_MAX, &id))
        id = INT64_MAX; /* no such unit: every row is refused */
    struct machine_import o = {.words = asset_desk_words(q->desk), .by = desk_actor(q), .source = desk_source(q), .is_whole =
                               desk_is_whole(q),
                               .from = from && !strcmp(from, "antivirus") ? MACHINE_BY_ANTIVIRUS : MACHINE_BY_INVENTORY, .unit =
                                   (int64_t)id,
                               .may = desk_may_import_machine, .context = u.out};
    return machine_import(db, q->bytes, q->n_bytes, &o, report, f);
}

static int import_machines(const struct web_request *q, struct web_reply *r)
{
    const struct desk_importing m = {"machine.import", "machine", PERMISSION_ASSET_WRITE, run_import};
    return desk_import(q, r, &m);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

#define READ(pattern, flags, handler, operation) {WEB_GET, "/api/v1/" pattern, PERMISSION_ASSET_READ, flags, "machine", handler, \
                                                  operation, 0}
#define WRITE(method, pattern, flags, handler, operation) \
    {method, "/api/v1/" pattern, PERMISSION_ASSET_WRITE, WEB_WRITES | (flags), "machine", handler, operation, 0}
const struct web_route asset_routes[] = {
    READ("machines", WEB_LIST, get_machines, "listMachines"),
    READ("machines/counts", 0, get_counts, "countMachines"),
    READ("machines/links", WEB_LIST, get_links, "listMachineLinks"),
    {WEB_PATCH, "/api/v1/machines/links/{link}", PERMISSION_ASSET_WRITE, WEB_WRITES, NULL, patch_link, "judgeMachineLink", 0},
    {WEB_POST, "/api/v1/machines/import", PERMISSION_ASSET_WRITE, WEB_BYTES | WEB_NO_DB | WEB_COSTLY, "machine", import_machines,
     "importMachines",
     DESK_IMPORT_BYTES},
    READ("machines/{machine}", 0, get_machine, "getMachine"),
    WRITE(WEB_PATCH, "machines/{machine}", WEB_NEEDS_VERSION, patch_machine, "changeMachine"),
    WRITE(WEB_DELETE, "machines/{machine}", WEB_NEEDS_VERSION, delete_machine, "endMachine"),
    READ("machines/{machine}/story", 0, get_story, "getMachineStory"),
    WRITE(WEB_POST, "machines/{machine}/merge", WEB_NEEDS_VERSION, post_merge, "mergeMachine"),
    WRITE(WEB_POST, "machines/{machine}/split", WEB_NEEDS_VERSION, post_split, "splitMachine"),
};
const size_t asset_n_routes = sizeof(asset_routes) / sizeof(*asset_routes);
