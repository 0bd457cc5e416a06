/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents: STIX 2.0/2.1 bundles and envelopes, arrays of rows, and objects that hold such arrays. A row
 * is an indicator (or an element); its number counts the objects from 1. What a
 * bundle says by relationship (this indicator indicates that malware) names the
 * family.
 */
#include "base/clock.h"
#include "format/stix.h"
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_BYTES ((size_t)256 << 20)

struct indicator {
    struct list_parse *p;
    struct list_row row;
    bool is_c2;
    int refused; /* a refusal plus 1 */
    uint64_t n;
    bool is_giving;
};

static struct text text_at(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? (struct text){json_string_value(v), json_string_length(v)} : (struct text){"", 0};
}

/* called twice: once to see that all addresses parse, once to hand them on */
static int take_address(void *context, const struct stix_address *a)
{
    struct indicator *in = context;
    bool had_host_bits;
    uint16_t port;
    in->n++;
    int r = list_address_parse(a->value, &in->row.range, &port, &had_host_bits);
    if (r && a->where == STIX_NAME) {
        char name[LIST_NAME_BYTES];
        in->row.kind = name_parse(a->value, name, &in->row.name.n);
        in->row.name.p = name;
        bool is_none = in->row.kind == NAME_NONE || in->p->o->is_space; /* no fault of what else the pattern names */
        in->n -= is_none;
        if (!is_none && in->is_giving) {
            in->row.port = 0;
            in->row.role = in->is_c2 ? LIST_C2 : LIST_BOT;
            list_row_put(in->p, &in->row, false, a->value);
        }
        return in->p->rc < 0 ? in->p->rc : 0;
    }
    in->row.kind = NAME_NONE;
    if (r) {
        in->refused = LIST_REFUSED_bad_address + 1;
        return 0;
    }
    if (!in->is_giving)
        return 0;
    in->row.port = port ? port : a->port;
    in->row.role = a->where == STIX_DESTINATION || (in->is_c2 && (a->where == STIX_ADDRESS || a->where == STIX_NAME)) ? LIST_C2 : LIST_BOT;
    list_row_put(in->p, &in->row, had_host_bits, a->value);
    return in->p->rc < 0 ? in->p->rc : 0;
}

static bool names_control(struct text t)
{
    static const char *const words[] = {"command-and-control", "command and control", "c2", "c&c", "cnc", "botnet_cc", "c2-server"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_is_nocase(t, words[i]))
            return true;
    return false;
}

static bool any_control(json_t *array, const char *key)
{
    size_t i;
    json_t *v;
    json_array_foreach(array, i, v) {
        struct text t = key ? text_at(v, key) : (struct text){json_string_value(v), json_string_length(v)};
        if (t.p && names_control(t))
            return true;
    }
    return false;
}

static int time_at(const json_t *o, const char *key, int64_t *ret)
{
    struct text t = text_at(o, key);
    return t.n && clock_parse(t.p, t.n, 0, ret) ? 1 : 0;
}

static void take_indicator(struct list_parse *p, uint64_t number, const json_t *o, struct text family)
{
    struct indicator in = {.p = p, .row = {.row = number, .family = family, .note = text_at(o, "name")}};
    struct text pattern = text_at(o, "pattern"), type = text_at(o, "pattern_type");
    if (type.n && !text_is(type, "stix")) {
        list_row_refuse(p, number, LIST_REFUSED_other_kind, type);
        return;
    }
    if (!pattern.n || stix_pattern(pattern, take_address, &in)) {
        list_row_refuse(p, number, LIST_REFUSED_bad_pattern, pattern);
        return;
    }
    if (in.refused || !in.n) {
        list_row_refuse(p, number, in.refused ? LIST_REFUSED_bad_address : LIST_REFUSED_other_kind, pattern);
        return;
    }
    if (time_at(o, "valid_from", &in.row.first_us) || time_at(o, "valid_until", &in.row.last_us)) {
        list_row_refuse(p, number, LIST_REFUSED_bad_time, text_at(o, "valid_from"));
        return;
    }
    if (p->o->is_space) {
        in.row.first_us = in.row.first_us ? in.row.first_us : INT64_MIN;
        in.row.last_us = in.row.last_us ? in.row.last_us : INT64_MAX;
    }
    in.is_c2 = any_control(json_object_get(o, "labels"), NULL) || any_control(json_object_get(o, "indicator_types"), NULL) ||
               any_control(json_object_get(o, "kill_chain_phases"), "phase_name");
    p->report->rows++;
    p->report->kept++;
    in.is_giving = true;
    stix_pattern(pattern, take_address, &in);
}

/* families - indicator id -> malware name, from the relationships of a bundle */
static json_t *families_of(json_t *objects)
{
    json_t *names = json_object(), *families = json_object();
    size_t i;
    json_t *o;
    json_array_foreach(objects, i, o) {
        struct text type = text_at(o, "type");
        const char *id = json_string_value(json_object_get(o, "id"));
        json_t *name = json_object_get(o, "name");
        if (id && name && (text_is(type, "malware") || text_is(type, "tool")))
            json_object_set(names, id, name);
    }
    json_array_foreach(objects, i, o) {
        const char *source = json_string_value(json_object_get(o, "source_ref"));
        const char *target = json_string_value(json_object_get(o, "target_ref"));
        if (!source || !target || !text_is(text_at(o, "type"), "relationship") || !text_is(text_at(o, "relationship_type"), "indicates"))
            continue;
        json_t *name = json_object_get(names, target);
        if (name && !json_object_get(families, source))
            json_object_set(families, source, name);
    }
    json_decref(names);
    return families;
}

static void take_element(struct list_parse *p, uint64_t number, const json_t *o)
{
    if (json_is_string(o)) {
        struct list_cells cells = {.of[LIST_COLUMN_IP] = {json_string_value(o), json_string_length(o)}};
        list_row_cells(p, number, &cells, cells.of[LIST_COLUMN_IP]);
        return;
    }
    char *line = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);
    size_t n = line ? strlen(line) : 0;
    char *scratch = line ? malloc(2 * n + 1) : NULL;
    if (scratch && n <= LIST_MAX_ROW_BYTES)
        list_row_json(p, number, (struct text){line, n}, scratch);
    else if (scratch)
        list_row_refuse(p, number, LIST_REFUSED_too_long, (struct text){line, 200});
    else
        p->rc = -ENOMEM;
    free(scratch);
    free(line);
}

/* take_objects - @before: rows that earlier arrays of the document gave. Return: how many elements there were */
static uint64_t take_objects(struct list_parse *p, json_t *objects, bool is_bundle, uint64_t before)
{
    json_t *families = families_of(objects), *o;
    size_t i;
    json_array_foreach(objects, i, o) {
        if (p->rc)
            break;
        bool is_indicator = text_is(text_at(o, "type"), "indicator") && json_object_get(o, "pattern");
        const char *id = json_string_value(json_object_get(o, "id"));
        if (is_indicator)
            take_indicator(p, before + i + 1, o, id ? text_at(families, id) : (struct text){"", 0});
        else if (!is_bundle)
            take_element(p, before + i + 1, o);
    }
    json_decref(families);
    return json_array_size(objects);
}

/* is_about - arrays that say where a document comes from, not what it lists */
static bool is_about(const char *key)
{
    return !strncmp(key, "ref", 3) || !strncmp(key, "external_ref", 12) || !strncmp(key, "link", 4) || !strncmp(key, "source", 6);
}

/* take_arrays - a registry's or a feed's document: rows in arrays below a few names; scalars beside them describe it */
static uint64_t take_arrays(struct list_parse *p, json_t *o, unsigned depth, uint64_t before)
{
    const char *key;
    json_t *v;
    uint64_t n = 0;
    json_object_foreach(o, key, v) {
        json_t *first = json_array_get(v, 0);
        bool is_address = false;
        if (json_is_string(first) && !is_about(key))
            is_address = list_is_indicator((struct text){json_string_value(first), json_string_length(first)}, p->o->is_space);
        if (is_address || json_is_object(first))
            n += take_objects(p, v, false, before + n);
        else if (json_is_object(v) && depth)
            n += take_arrays(p, v, depth - 1, before + n);
    }
    return n;
}

static bool names_address(json_t *o, bool is_space)
{
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) {
        int zone_s = 0;
        enum list_column c = list_column_of((struct text){key, strlen(key)}, is_space, &zone_s);
        if ((c == LIST_COLUMN_IP || c == LIST_COLUMN_C2_IP || c == LIST_COLUMN_FIRST_IP || list_column_holds_names(c)) && json_is_string(v))
            return true;
    }
    return false;
}

static void take_one(struct list_parse *p, json_t *o)
{
    bool is_row = !json_is_object(o) || names_address(o, p->o->is_space) || json_object_get(o, "pattern");
    if (!is_row && take_arrays(p, o, 2, 0))
        return;
    json_t *one = json_array();
    if (json_array_append(one, o))
        p->rc = -ENOMEM;
    else
        take_objects(p, one, false, 0);
    json_decref(one);
}

void list_row_stix_line(struct list_parse *p, uint64_t row, struct text line)
{
    json_t *o = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(o))
        take_indicator(p, row, o, (struct text){"", 0});
    else
        list_row_refuse(p, row, LIST_REFUSED_bad_json, line);
    json_decref(o);
}

struct feed {
    struct list_source *source;
    size_t n;
    int error;
};

static size_t feed(void *buffer, size_t n, void *context)
{
    struct feed *f = context;
    ssize_t got = list_source_read(f->source, buffer, n);
    if (got > 0 && (f->n += (size_t)got) > DOCUMENT_BYTES)
        got = -EFBIG;
    if (got >= 0)
        return (size_t)got;
    f->error = (int)got;
    return (size_t)-1;
}

int list_read_json_document(struct list_parse *p)
{
    struct feed f = {.source = &p->source};
    json_error_t e;
    json_t *all = json_load_callback(feed, &f, 0, &e);
    if (!all && f.error)
        return FAULT(p->fault, f.error, list_read_failed, strerror(-f.error));
    if (!all && json_error_code(&e) == json_error_out_of_memory)
        return FAULT(p->fault, -ENOMEM, no_memory, "list_read");
    if (!all)
        return FAULT(p->fault, -EBADMSG, list_bad_document, e.line, e.column, e.text);
    json_t *objects = json_object_get(all, "objects");
    if (json_is_array(objects))
        take_objects(p, objects, true, 0);
    else if (json_is_array(all))
        take_objects(p, all, false, 0);
    else
        take_one(p, all);
    json_decref(all);
    return p->rc;
}
