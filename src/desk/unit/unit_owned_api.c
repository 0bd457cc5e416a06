/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of what belongs to units: prefixes, domains and ASNs, information systems and their levels, contacts. */
#include "desk/unit/unit_api.h"

#include "base/clock.h"
#include "desk/unit/unit_list_db.h"

#include <string.h>

enum { NOTE_BYTES = 2000 };

static int list(const struct web_request *q, struct web_reply *r, const char *kind)
{
    static const char *const names[] = {"unit", "at", "state"}, *const states[] = {"valid", "all"};
    struct web_list l;
    int64_t unit = 0, at_us = q->now_us, state = 0;
    if (!desk_query_number(q, r, "unit", &unit) || !desk_query_time(q, r, "at", &at_us) || !desk_query_choice(q, r, "state", states, 2,
            &state) ||
        !web_list_begin(q, r, desk_filter(q, names, 3), &l))
        return 0;
    owned_list(q->db, kind, unit, state == 1 ? 0 : at_us, &l);
    return web_list_end(q, r, &l);
}

static int show(const struct web_request *q, struct web_reply *r, int status, const char *kind, int64_t id)
{
    json_t *o = owned_show(q->db, kind, id);
    if (!o)
        return web_not_found(q, r);
    r->version = json_integer_value(json_object_get(o, "version"));
    return web_json(r, status, o);
}

/* stored - the answer after a change: its entry in the trail and the object as it stands */
static int stored(const struct web_request *q, struct web_reply *r, const char *kind, int64_t id, bool is_new, int e, const char *action)
{
    if (e)
        return desk_answer(q, r, e);
    web_audit(q, action, id, NULL, TEXT(""));
    return show(q, r, is_new ? 201 : 200, kind, id);
}

static int end(const struct web_request *q, struct web_reply *r, const char *kind, const char *action)
{
    int64_t id;
    struct unit_actor by = desk_actor(q);
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    int e = unit_owned_end(q->db, kind, id, q->version, q->now_us, &by);
    if (e)
        return desk_answer(q, r, e);
    web_audit(q, action, id, NULL, TEXT(""));
    return show(q, r, 200, kind, id);
}

/* unit_of - the unit of the body, or of the object that is there; the caller must be allowed to write there */
static int64_t unit_of(const struct web_request *q, const json_t *old)
{
    int64_t was = old ? json_integer_value(json_object_get(old, "unit")) : 0;
    int64_t unit = web_has_member(q, "unit") || !old ? web_member_int(q, "unit", 1, INT64_MAX, was, !old) : was;
    if (unit && !desk_may(q, PERMISSION_UNIT_WRITE, unit))
        web_wrong(q, "/unit", MSG_table_refused_unknown_unit);
    return unit;
}

/* old_of - the object of the path, NULL and a reply if it is not there; *@ret_id 0 without a path */
static bool old_of(const struct web_request *q, struct web_reply *r, const char *kind, bool has_path, int64_t *ret_id, json_t **ret)
{
    *ret_id = 0;
    *ret = NULL;
    if (!has_path)
        return true;
    if (!web_parameter_id(q, r, 0, ret_id))
        return false;
    *ret = owned_show(q->db, kind, *ret_id);
    if (!*ret)
        web_not_found(q, r);
    return *ret != NULL;
}

static struct text old_text(const struct web_request *q, const char *name, size_t max, const json_t *old)
{
    const char *was = json_string_value(json_object_get(old, name));
    const char *copy = was ? arena_text(q->arena, was, strlen(was)) : NULL;
    return desk_member_text(q, name, max, copy ? (struct text){copy, strlen(copy)} : TEXT(""));
}

static int choice(const struct web_request *q, const char *name, const char *const *words, const json_t *old, int otherwise, bool is_needed)
{
    const char *was = json_string_value(json_object_get(old, name));
    for (int i = 0; was && words[i]; i++)
        otherwise = strcmp(words[i], was) ? otherwise : i;
    return web_member_choice(q, name, words, otherwise, is_needed && !old);
}

static int64_t old_tlp(const struct web_request *q, const json_t *old, int64_t otherwise)
{
    static const char *const words[] = {"clear", "green", "amber", "amber_strict", "red", NULL};
    return choice(q, "tlp", words, old, (int)otherwise, false);
}

static int64_t old_time(const json_t *old, const char *name, int64_t otherwise)
{
    const char *was = json_string_value(json_object_get(old, name));
    int64_t us = otherwise;
    return was && !clock_parse(was, strlen(was), 0, &us) ? us : otherwise;
}

/* --- prefixes ---------------------------------------------------------------------------------------------------- */

int owned_get_prefixes(const struct web_request *q, struct web_reply *r)
{
    return list(q, r, "prefix");
}

static int put_prefix(const struct web_request *q, struct web_reply *r, bool has_path)
{
    static const char *const kinds[] = {"own", "nat", "lent", NULL};
    int64_t id;
    json_t *old;
    struct unit_actor by = desk_actor(q);
    if (!old_of(q, r, "prefix", has_path, &id, &old))
        return 0;
    struct unit_prefix_form f = {.unit = unit_of(q, old), .tlp = old_tlp(q, old, TLP_GREEN), .kind = kinds[choice(q, "kind", kinds,
            old, 0, false)],
                                 .from_us = desk_member_from(q, "valid_from", old_time(old, "valid_from", 0)),
                                 .to_us = desk_member_end(q, "valid_to", old_time(old, "valid_to", UNIT_FOREVER)),
                                 .note = old_text(q, "note", NOTE_BYTES, old), .source = old_text(q, "source", 300, old)};
    struct text range = old_text(q, "prefix", 100, old);
    json_decref(old);
    if (ip_range_parse(range.p, range.n, &f.range, NULL))
        web_wrong(q, "/prefix", MSG_table_refused_bad_address);
    if (!web_check(q, r))
        return 0;
    if (!desk_may(q, PERMISSION_UNIT_WRITE, unit_prefix_holder(q->db, &f.range, f.from_us, f.to_us)))
        return web_problem(q, r, 403, "not_your_addresses");
    int e = unit_prefix_put(q->db, id, q->version, &f, &by, &id);
    return stored(q, r, "prefix", id, !has_path, e, has_path ? "prefix.change" : "prefix.add");
}

int owned_post_prefix(const struct web_request *q, struct web_reply *r)
{
    return put_prefix(q, r, false);
}

int owned_patch_prefix(const struct web_request *q, struct web_reply *r)
{
    return put_prefix(q, r, true);
}

int owned_delete_prefix(const struct web_request *q, struct web_reply *r)
{
    return end(q, r, "prefix", "prefix.end");
}

/* owned_publish - the own space is of all units: who publishes it may write lists at the root */
int owned_publish(const struct web_request *q, struct web_reply *r)
{
    struct fault f = {0};
    uint32_t version = 0;
    uint64_t n = 0;
    if (!desk_may(q, PERMISSION_LIST_WRITE, 0))
        return web_problem(q, r, 403, "not_allowed");
    int e = unit_publish_space(q->db, web_data_dir(q->web), &version, &n, &f);
    if (e == 1)
        return web_problem(q, r, 409, "no_prefix");
    if (e)
        return e;
    web_audit(q, "space.publish", 0, json_pack("{s:I, s:I}", "version", (json_int_t)version, "prefixes", (json_int_t)n), TEXT(""));
    return web_json(r, 201, json_pack("{s:I, s:I}", "version", (json_int_t)version, "prefixes", (json_int_t)n));
}

/* --- domains and ASNs -------------------------------------------------------------------------------------------- */

int owned_get_handles(const struct web_request *q, struct web_reply *r)
{
    return list(q, r, "handle");
}

int owned_post_handle(const struct web_request *q, struct web_reply *r)
{
    static const char *const kinds[] = {"domain", "asn", NULL};
    char value[256];
    int64_t id;
    struct unit_actor by = desk_actor(q);
    struct unit_handle_form f = {.unit = unit_of(q, NULL), .kind = kinds[choice(q, "kind", kinds, NULL, 0, true)],
                                 .from_us = desk_member_from(q, "valid_from", 0), .to_us = desk_member_end(q, "valid_to", UNIT_FOREVER),
                                 .note = old_text(q, "note", NOTE_BYTES, NULL)};
    size_t n = unit_handle_value(f.kind, web_member_text(q, "value", 253, true), value);
    if (!n)
        web_wrong(q, "/value", MSG_table_refused_bad_address);
    if (!web_check(q, r))
        return 0;
    f.value = (struct text){value, n};
    return stored(q, r, "handle", id, true, unit_handle_put(q->db, &f, &by, &id), "handle.add");
}

int owned_delete_handle(const struct web_request *q, struct web_reply *r)
{
    return end(q, r, "handle", "handle.end");
}

/* --- systems ----------------------------------------------------------------------------------------------------- */

int owned_get_systems(const struct web_request *q, struct web_reply *r)
{
    return list(q, r, "system");
}

static int show_system(const struct web_request *q, struct web_reply *r, int status, int64_t id)
{
    json_t *o = owned_show(q->db, "system", id);
    if (!o)
        return web_not_found(q, r);
    json_object_set_new(o, "levels", system_levels(q->db, id));
    r->version = json_integer_value(json_object_get(o, "version"));
    return web_json(r, status, o);
}

int owned_get_system(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    return web_parameter_id(q, r, 0, &id) ? show_system(q, r, 200, id) : 0;
}

static int put_system(const struct web_request *q, struct web_reply *r, bool has_path)
{
    static const char *const exposures[] = {"internet", "internal", "unknown", NULL};
    int64_t id;
    json_t *old;
    char folded[UNIT_FOLD_BYTES];
    struct unit_actor by = desk_actor(q);
    if (!old_of(q, r, "system", has_path, &id, &old))
        return 0;
    int64_t was = json_integer_value(json_object_get(old, "operator"));
    struct system_form f = {.unit = unit_of(q, old), .tlp = old_tlp(q, old, TLP_AMBER), .name = old_text(q, "name", 300, old),
                            .kind = old_text(q, "kind", 100, old), .note = old_text(q, "note", NOTE_BYTES, old),
                            .exposure = exposures[choice(q, "exposure", exposures, old, 2, false)],
                            .operator_unit = web_has_member(q, "operator") ? web_member_int(q, "operator", 1, INT64_MAX, 0, false) : was};
    struct unit u;
    json_decref(old);
    if (!f.name.n || f.name.n >= UNIT_NAME_BYTES || !unit_name_fold(NULL, f.name, folded))
        web_wrong(q, "/name", MSG_table_refused_bad_name);
    if (f.operator_unit && f.operator_unit != was && unit_get(q->db, f.operator_unit, false, q->arena, &u))
        web_wrong(q, "/operator", MSG_table_refused_unknown_unit);
    if (!web_check(q, r))
        return 0;
    int e = system_put(q->db, id, q->version, &f, &by, &id);
    return stored(q, r, "system", id, !has_path, e, has_path ? "system.change" : "system.add");
}

int owned_post_system(const struct web_request *q, struct web_reply *r)
{
    return put_system(q, r, false);
}

int owned_patch_system(const struct web_request *q, struct web_reply *r)
{
    return put_system(q, r, true);
}

int owned_delete_system(const struct web_request *q, struct web_reply *r)
{
    return end(q, r, "system", "system.end");
}

int owned_post_level(const struct web_request *q, struct web_reply *r)
{
    static const char *const states[] = {"drafted", "submitted", "appraised", "approved", "ended", NULL};
    int64_t id;
    struct unit_actor by = desk_actor(q);
    struct system_level_form f = {.level = web_member_int(q, "level", 1, 5, 1, true), .decided_us = web_member_time(q, "decided_at", true),
                                  .state = states[web_member_choice(q, "state", states, 3, true)], .number = old_text(q, "number", 100,
                                          NULL),
                                  .body = old_text(q, "body", 300, NULL), .law = old_text(q, "law", 300, NULL),
                                  .note = old_text(q, "note", NOTE_BYTES, NULL)};
    bool is_approved = !strcmp(f.state, "approved");
    if (is_approved && !text_trim(f.number).n)
        web_wrong(q, "/number", MSG_web_needed);
    if (is_approved && !text_trim(f.body).n)
        web_wrong(q, "/body", MSG_web_needed);
    if (!web_parameter_id(q, r, 0, &id) || !web_check(q, r))
        return 0;
    int e = system_level_add(q->db, id, &f, &by);
    if (e)
        return desk_answer(q, r, e);
    web_audit(q, "system.level", id, json_pack("{s:I, s:s}", "level", (json_int_t)f.level, "state", f.state), TEXT(""));
    return show_system(q, r, 201, id);
}

/* --- contacts ---------------------------------------------------------------------------------------------------- */

int owned_get_contacts(const struct web_request *q, struct web_reply *r)
{
    return list(q, r, "contact");
}

static int put_contact(const struct web_request *q, struct web_reply *r, bool has_path)
{
    static const char *const channels[] = {"phone", "hotline", "sms", "email", "address", "other", NULL};
    int64_t id;
    json_t *old;
    struct unit_actor by = desk_actor(q);
    if (!old_of(q, r, "contact", has_path, &id, &old))
        return 0;
    struct contact_form f = {.unit = unit_of(q, old), .tlp = old_tlp(q, old, TLP_AMBER), .name = old_text(q, "name", 200, old),
                             .purpose = old_text(q, "purpose", 200, old), .value = old_text(q, "value", 300, old),
                             .note = old_text(q, "note", NOTE_BYTES, old), .channel = channels[choice(q, "channel", channels, old, 5,
                                                                                                      true)],
                             .place = web_member_int(q, "place", 0, 1000, json_integer_value(json_object_get(old, "place")), false),
                             .is_24_7 = web_member_bool(q, "is_24_7", json_is_true(json_object_get(old, "is_24_7"))),
                             .from_us = desk_member_from(q, "valid_from", old_time(old, "valid_from", 0)),
                             .to_us = desk_member_end(q, "valid_to", old_time(old, "valid_to", UNIT_FOREVER)),
                             .verified_us = desk_member_from(q, "verified_on", old_time(old, "verified_on", 0))};
    json_decref(old);
    if (!text_trim(f.value).n)
        web_wrong(q, "/value", MSG_web_needed);
    if (!web_check(q, r))
        return 0;
    int e = contact_put(q->db, id, q->version, &f, &by, &id);
    return stored(q, r, "contact", id, !has_path, e, has_path ? "contact.change" : "contact.add");
}

int owned_post_contact(const struct web_request *q, struct web_reply *r)
{
    return put_contact(q, r, false);
}

int owned_patch_contact(const struct web_request *q, struct web_reply *r)
{
    return put_contact(q, r, true);
}

int owned_delete_contact(const struct web_request *q, struct web_reply *r)
{
    return end(q, r, "contact", "contact.end");
}

int owned_verify_contact(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct unit_actor by = desk_actor(q);
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    return stored(q, r, "contact", id, false, contact_verify(q->db, id, q->version, q->now_us, &by), "contact.verify");
}

/* --- import ------------------------------------------------------------------------------------------------------ */

static int run_import(const struct web_request *q, struct db *db, struct table_report *report, struct fault *f)
{
    union {
        const struct web_request *in;
        void *out;
    } u = {.in = q}; /* the importer hands it back as it came */
    struct unit_import o = {.words = unit_desk_words(q->desk), .by = desk_actor(q), .source = desk_source(q), .is_whole = desk_is_whole(q),
                            .may = desk_may_import_unit, .context = u.out};
    return owned_import_rows(db, q->bytes, q->n_bytes, &o, report, f);
}

int owned_import(const struct web_request *q, struct web_reply *r)
{
    const struct desk_importing m = {"prefix.import", "prefix", PERMISSION_UNIT_WRITE, run_import};
    return desk_import(q, r, &m);
}
