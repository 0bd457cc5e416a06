/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner gives leaves with the numbers of their paths, and marks that tell the schema. Each schema has a table
 * from path number to action, filled when a path is first met; a record is then one pass over its leaves.
 */
#include "format/event_json.h"

#include "base/clock.h"
#include "format/event_json_own.h"
#include "format/event_zeek.h"
#include "format/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES = 64, TEXTS_MAX = 65000, TEXTS_BYTES = 4 << 20, SCRATCH_MAX = 16 << 20, RANK_SURE = 99 };
#define NO_ITEM UINT32_MAX

struct action {
    uint16_t field, copy;
    uint8_t op, arg, slot;
    uint8_t is_weak;
    uint16_t own;   /* put as it is, too */
    uint16_t text;  /* number of a name in .texts */
};

struct table {
    enum json_schema schema;
    char log[ZEEK_LOG_MAX]; /* of Zeek */
    uint8_t n_log;
    uint32_t generation;
    struct action *actions; /* by node */
};

struct event_json {
    struct event_names *names;
    struct event_windows *windows;
    struct winxml *xml;
    struct json_scan *scan;
    struct table tables[TABLES];
    unsigned n_tables;
    struct buf scratch;    /* a string without its escapes */
    struct buf data_name;  /* of {"@Name": ..} */
    bool has_data_name;
    struct buf texts;      /* names of OP_DATA, one behind the other */
    uint32_t n_texts, text_at[TEXTS_MAX + 1];
    /* the record in hand */
    struct events *e;
    const char *p;
    const struct event_source *source;
    uint32_t slots[SLOT_N];
    int time_rank;
    bool is_windows;
};

struct event_json *event_json_new(struct event_names *names, struct event_windows *windows, struct winxml *xml)
{
    struct event_json *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->names = names;
    j->windows = windows;
    j->xml = xml;
    j->scratch.max = SCRATCH_MAX;
    j->data_name.max = EVENT_NAME_MAX;
    j->texts.max = TEXTS_BYTES;
    j->scan = json_scan_new(json_mark_of, false);
    if (!j->scan) {
        event_json_free(j);
        return NULL;
    }
    return j;
}

void event_json_free(struct event_json *j)
{
    if (!j)
        return;
    for (unsigned i = 0; i < j->n_tables; i++)
        free(j->tables[i].actions);
    json_scan_free(j->scan);
    buf_fini(&j->scratch);
    buf_fini(&j->data_name);
    buf_fini(&j->texts);
    free(j);
}

/* --- schemas ----------------------------------------------------------------------------------------- */

static struct text item_text(struct event_json *j, const struct json_item *it)
{
    struct text raw = {j->p + it->at, it->n};
    if (!it->is_escaped)
        return raw;
    buf_clear(&j->scratch);
    char *out = (char *)buf_room(&j->scratch, raw.n);
    return out ? (struct text){out, json_unescape(raw, out)} : raw;
}

/* zeek_log - what the record says it is, else its keys, else the file's name. */
static struct text zeek_log(struct event_json *j)
{
    const struct json_scan *s = j->scan;
    struct text log;
    for (uint32_t i = 0; (s->marks & MARK_LOG_NAME) && i < s->n_items; i++) {
        if (!(s->nodes[s->items[i].node].mark & MARK_LOG_NAME))
            continue;
        return zeek_log_name((struct text){j->p + s->items[i].at, s->items[i].n});
    }
    log = zeek_log_of_path(j->source->path);
    if (log.n)
        return log;
    return json_zeek_log(s->marks);
}

/* table_of - the actions of a schema; the last one is shared when there are too many. NULL: no memory. */
static struct table *table_of(struct event_json *j, enum json_schema schema, struct text log)
{
    struct table *t = NULL;
    for (unsigned i = 0; i < j->n_tables && !t; i++)
        if (j->tables[i].schema == schema && j->tables[i].n_log == log.n && !memcmp(j->tables[i].log, log.p, log.n))
            t = &j->tables[i];
    if (!t) {
        t = &j->tables[j->n_tables < TABLES ? j->n_tables++ : TABLES - 1];
        t->schema = schema;
        t->n_log = (uint8_t)log.n;
        memcpy(t->log, log.p, log.n);
        t->generation = j->scan->generation - 1;
    }
    if (!t->actions)
        t->actions = malloc(JSON_NODES_MAX * sizeof *t->actions);
    if (t->actions && t->generation != j->scan->generation) {
        memset(t->actions, 0, JSON_NODES_MAX * sizeof *t->actions);
        t->generation = j->scan->generation;
    }
    return t->actions ? t : NULL;
}

/* --- what a path means ------------------------------------------------------------------------------- */

static uint16_t keep_text(struct event_json *j, struct text t)
{
    if (j->n_texts == TEXTS_MAX)
        return UINT16_MAX;
    buf_add(&j->texts, t.p, t.n);
    if (j->texts.is_bad) {
        j->texts.is_bad = false;
        return UINT16_MAX;
    }
    j->text_at[++j->n_texts] = (uint32_t)j->texts.n;
    return (uint16_t)(j->n_texts - 1);
}

static struct action bare_action(enum json_op op)
{
    return (struct action){.op = (uint8_t)op, .field = EVENT_NO_FIELD, .copy = EVENT_NO_FIELD, .own = EVENT_NO_FIELD};
}

static struct action data_action(struct event_json *j, enum evtx_section section, struct text name)
{
    struct action a = bare_action(OP_DATA);
    a.arg = (uint8_t)section;
    a.text = keep_text(j, name);
    return a;
}

static uint16_t add_name(struct event_json *j, const char *prefix, struct text path)
{
    char full[EVENT_NAME_MAX];
    size_t n = strlen(prefix);
    if (n + path.n > sizeof full)
        return EVENT_NO_FIELD;
    memcpy(full, prefix, n);
    memcpy(full + n, path.p, path.n);
    return event_names_add(j->names, (struct text){full, n + path.n});
}

/* clean_part - one key of the XML structure as JSON: without the marks of attributes. Empty: it is one itself. */
static struct text clean_part(struct text part)
{
    static const char *const whole[] = {"#attributes", "@attributes", "_attributes", "attributes", "$", "@", "#text", "_text", "$t", "_"};
    static const char tail[] = "_attributes";
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (text_is(part, whole[i]))
            return TEXT("");
    if (part.n > sizeof tail - 1 && !memcmp(part.p + part.n - (sizeof tail - 1), tail, sizeof tail - 1))
        part.n -= sizeof tail - 1;
    if (part.n > 1 && (part.p[0] == '@' || part.p[0] == '-' || part.p[0] == '_'))
        part = (struct text){part.p + 1, part.n - 1};
    return part;
}

/* clean_path - "Event.System.Provider.#attributes.Name" becomes "System.Provider.Name". */
static struct text clean_path(struct text path, char out[JSON_MAX_PATH])
{
    size_t n = 0;
    if (json_begins(path, "Event."))
        path = (struct text){path.p + 6, path.n - 6};
    while (path.n) {
        const char *dot = memchr(path.p, '.', path.n);
        struct text part = clean_part((struct text){path.p, dot ? (size_t)(dot - path.p) : path.n});
        if (part.n && n)
            out[n++] = '.';
        memcpy(out + n, part.p, part.n);
        n += part.n;
        path = dot ? (struct text){dot + 1, path.n - (size_t)(dot + 1 - path.p)} : TEXT("");
    }
    return (struct text){out, n};
}

static struct action windows_event_action(struct event_json *j, struct text path, struct text raw)
{
    enum evtx_section section;
    if (json_begins(raw, "Event."))
        raw = (struct text){raw.p + 6, raw.n - 6};
    if (json_begins(raw, "EventData.#attributes.") || json_begins(raw, "EventData_attributes.") || json_begins(raw, "EventData.@"))
        return text_is(path, "EventData.xmlns") ? bare_action(OP_SKIP) : data_action(j, EVTX_IN_EVENT_DATA,
            path); /* <EventData Name='..'> */
    const char *dot = memchr(path.p, '.', path.n);
    struct text head = {path.p, dot ? (size_t)(dot - path.p) : path.n};
    struct text name = dot ? (struct text){dot + 1, path.n - head.n - 1} : TEXT("");
    if (text_is(path, "xmlns") || (path.n > 6 && !memcmp(path.p + path.n - 6, ".xmlns", 6)))
        return bare_action(OP_SKIP);
    if (!event_windows_section(head, &section))
        return data_action(j, EVTX_IN_EVENT, path);
    if (section == EVTX_IN_EVENT_DATA && text_is(name, "Data.Name"))
        return bare_action(OP_DATA_NAME);
    if (section == EVTX_IN_EVENT_DATA && (text_is(name, "Data") || text_is(name, "Data.text") || text_is(name, "Data.value") ||
        text_is(name, "Data.Value")))
        return bare_action(OP_DATA_TEXT);
    return name.n ? data_action(j, section, name) : data_action(j, EVTX_IN_EVENT, head);
}

static struct action plain_action(uint16_t field)
{
    struct action a = bare_action(OP_PUT);
    a.field = field;
    return a;
}

/* default_action - of a path that no row speaks of. */
static struct action default_action(struct event_json *j, enum json_schema schema, struct text path, struct text raw)
{
    static const char *const nxlog[] = {"SeverityValue", "Severity", "SourceModuleName", "SourceModuleType", "EventReceivedTime",
        "@version", "port",
                                        "Category", "Opcode", "EventTypeOrignal"};
    const struct json_schema_map *m = &json_schema_maps[schema];
    if (schema == SCHEMA_WINEVENT)
        return windows_event_action(j, path, raw);
    if (schema == SCHEMA_WINLOG && json_begins(path, "winlog.event_data."))
        return data_action(j, EVTX_IN_EVENT_DATA, (struct text){path.p + 18, path.n - 18});
    if (schema == SCHEMA_WINLOG && json_begins(path, "winlog.user_data."))
        return data_action(j, EVTX_IN_USER_DATA, (struct text){path.p + 17, path.n - 17});
    if (schema == SCHEMA_WINLOG6 && json_begins(path, "event_data."))
        return data_action(j, EVTX_IN_EVENT_DATA, (struct text){path.p + 11, path.n - 11});
    if (schema == SCHEMA_WINLOG6 && json_begins(path, "user_data."))
        return data_action(j, EVTX_IN_USER_DATA, (struct text){path.p + 10, path.n - 10});
    if (schema == SCHEMA_WAZUH && json_begins(path, "data.win.eventdata."))
        return data_action(j, EVTX_IN_EVENT_DATA, (struct text){path.p + 19, path.n - 19});
    if (schema == SCHEMA_WINFLAT && json_begins(path, "EventData."))
        return data_action(j, EVTX_IN_EVENT_DATA, (struct text){path.p + 10, path.n - 10});
    if (schema == SCHEMA_WINFLAT) {
        for (size_t i = 0; i < sizeof nxlog / sizeof *nxlog; i++)
            if (text_is(path, nxlog[i]))
                return plain_action(add_name(j, "nxlog.", path));
        return data_action(j, EVTX_IN_EVENT_DATA, path);
    }
    if (text_is(path, "event.original")) /* ours is the record as it came */
        return plain_action(add_name(j, "", TEXT("log.original")));
    if (text_is(path, "event.created"))
        return plain_action(add_name(j, "", TEXT("event.ingested")));
    return plain_action(add_name(j, m->prefix, path));
}

static struct action zeek_action(struct event_json *j, struct text log, struct text path)
{
    static const uint8_t ops[] = {[ZEEK_PUT] = OP_PUT, [ZEEK_TEXT] = OP_TEXT, [ZEEK_TIME] = OP_TIME, [ZEEK_SECONDS] = OP_SECONDS,
                                  [ZEEK_IP] = OP_IP, [ZEEK_OUTCOME] = OP_BOOL_OUTCOME, [ZEEK_SKIP] = OP_SKIP};
    const struct zeek_map *m = zeek_map_find(log, path);
    if (!m)
        return plain_action(zeek_field(j->names, log, path));
    struct action a = plain_action(m->field);
    a.op = ops[m->op];
    a.arg = RANK_SURE;
    a.is_weak = m->is_weak;
    if (m->keeps_own)
        a.own = zeek_field(j->names, log, path);
    return a;
}

static struct action look_up(struct event_json *j, const struct table *t, uint32_t node)
{
    char full[JSON_MAX_PATH], clean[JSON_MAX_PATH];
    size_t n = json_scan_path(j->scan, node, full);
    if (n == SIZE_MAX || !n)
        return bare_action(OP_PUT);
    struct text path = json_short_path((struct text){full, n}), raw = path;
    if (t->schema == SCHEMA_ZEEK)
        return zeek_action(j, (struct text){t->log, t->n_log}, path);
    if (t->schema == SCHEMA_WINEVENT)
        path = clean_path(path, clean);
    const struct json_schema_map *m = &json_schema_maps[t->schema];
    for (unsigned i = 0; i < m->n; i++) {
        if (!text_is(path, m->rows[i].path))
            continue;
        const struct json_map *row = &m->rows[i];
        struct action a = {.field = row->field, .copy = row->copy, .op = row->op, .arg = row->arg, .slot = row->slot,
            .own = EVENT_NO_FIELD};
        if (row->op == OP_DATA) {
            a = data_action(j, EVTX_IN_EVENT_DATA, path);
            a.slot = row->slot;
        } else if (row->field == EVENT_NO_FIELD && (row->op == OP_PUT || row->op == OP_TEXT)) {
            a.field = add_name(j, m->prefix, path);
        } else if (m->keeps_own && row->op != OP_SKIP) {
            a.own = add_name(j, m->prefix, path);
            a.is_weak = t->schema == SCHEMA_GENERIC;
            if (a.own == a.field || text_is(path, "@timestamp")) /* its name is the one of ECS */
                a.own = EVENT_NO_FIELD;
        }
        return a;
    }
    return default_action(j, t->schema, path, raw);
}

/* --- values -------------------------------------------------------------------------------------------- */

/* put_number - under a name that is not ECS: the number it is; what no number of ours can hold stays text. */
static void put_number(struct event_json *j, uint16_t field, struct text t)
{
    char copy[64], *end;
    uint64_t u;
    bool is_negative = t.p[0] == '-';
    if (field < EVENT_N_FIELDS) {
        event_put(j->e, field, t);
        return;
    }
    if (!text_u64((struct text){t.p + is_negative, t.n - is_negative}, UINT64_MAX, &u) && (!is_negative || u <= INT64_MAX)) {
        if (is_negative)
            event_put_long(j->e, field, -(int64_t)u);
        else
            event_put_ulong(j->e, field, u);
        return;
    }
    if (t.n < sizeof copy && (memchr(t.p, '.', t.n) || memchr(t.p, 'e', t.n) || memchr(t.p, 'E', t.n))) {
        memcpy(copy, t.p, t.n);
        copy[t.n] = 0;
        double real = strtod(copy, &end);
        if (isfinite(real)) {
            event_put_real(j->e, field, real);
            return;
        }
    }
    event_put_text(j->e, field, t);
}

static void put(struct event_json *j, uint16_t field, const struct json_item *it)
{
    if (field == EVENT_NO_FIELD) {
        j->e->is_truncated = true;
        return;
    }
    struct text t = item_text(j, it);
    bool is_text = field < EVENT_N_FIELDS && event_field_type(field) != EVENT_BOOL;
    switch ((enum json_kind)it->kind) {
    case JSON_KIND_STRING:
        if (t.n && field < EVENT_N_FIELDS)
            event_put(j->e, field, t);
        else
            event_put_text(j->e, field, t);
        return;
    case JSON_KIND_NUMBER: put_number(j, field, t); return;
    case JSON_KIND_TRUE:
    case JSON_KIND_FALSE:
        if (is_text)
            event_put_text(j->e, field, t);
        else
            event_put_bool(j->e, field, it->kind == JSON_KIND_TRUE);
        return;
    case JSON_KIND_NULL: event_put_null(j->e, field); return;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: return; /* empty ones say nothing */
    }
}

/* time_of - @is_time: any number is one. Seconds, milli-, micro- or nanoseconds since 1970 by their size,
    or any text that is a time. Return: 0 or 1. */
static int time_of(struct event_json *j, const struct json_item *it, bool is_time, int64_t *ret)
{
    struct text t = text_trim(item_text(j, it));
    const char *dot = t.n ? memchr(t.p, '.', t.n) : NULL;
    size_t n = dot ? (size_t)(dot - t.p) : t.n;
    uint64_t v, fraction = 0, scale = 100000;
    if (it->kind != JSON_KIND_NUMBER && it->kind != JSON_KIND_STRING)
        return 1;
    if (!n || text_u64((struct text){t.p, n}, UINT64_MAX / 2, &v))
        return t.n < 8 || clock_parse(t.p, t.n, j->source->zone_s, ret);
    for (size_t i = n + 1; i < t.n; i++, scale /= 10) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return 1;
        fraction += (uint64_t)(t.p[i] - '0') * scale;
    }
    if (v < 100000000 && !is_time) /* before 1973: a count of something */
        return 1;
    *ret = (int64_t)(v < 100000000000 ? v * 1000000 + fraction : v < 100000000000000 ? v * 1000 : v < 100000000000000000 ? v : v / 1000);
    return 0;
}

static void put_time(struct event_json *j, int rank, const struct json_item *it)
{
    int64_t us;
    if ((j->time_rank && j->time_rank <= rank) || time_of(j, it, rank == RANK_SURE, &us))
        return;
    event_time(j->e, us);
    j->time_rank = rank;
}

static void put_lower(struct event_json *j, uint16_t field, const struct json_item *it)
{
    char lower[32];
    struct text t = item_text(j, it);
    if (t.n > sizeof lower) {
        event_put_text(j->e, field, t);
        return;
    }
    for (size_t i = 0; i < t.n; i++)
        lower[i] = (char)(t.p[i] >= 'A' && t.p[i] <= 'Z' ? t.p[i] | 0x20 : t.p[i]);
    event_put(j->e, field, (struct text){lower, t.n});
}

static void put_seconds(struct event_json *j, uint16_t field, struct text t)
{
    char copy[64], *end;
    if (!t.n || t.n >= sizeof copy)
        return;
    memcpy(copy, t.p, t.n);
    copy[t.n] = 0;
    double s = strtod(copy, &end);
    if (!*end && s >= 0 && s < 9e9)
        event_put_long(j->e, field, (int64_t)llround(s * 1e6) * 1000);
}

static void put_ip(struct event_json *j, uint16_t field, struct text t)
{
    struct ip ip;
    if (!ip_parse(t.p, t.n, &ip))
        event_put_ip(j->e, field, &ip);
}

/* data_name - of EventData as the schema spells it: Wazuh's begin with a small letter; Winlogbeat's user data have their
 * element's name apart. */
static struct text data_name(struct event_json *j, enum json_schema schema, const struct action *a, char out[EVENT_NAME_MAX])
{
    struct text name = {(const char *)j->texts.p + j->text_at[a->text], j->text_at[a->text + 1] - j->text_at[a->text]};
    size_t n = 0;
    if (schema == SCHEMA_WAZUH && name.n && name.n <= EVENT_NAME_MAX) {
        memcpy(out, name.p, name.n);
        if (out[0] >= 'a' && out[0] <= 'z')
            out[0] = (char)(out[0] & ~0x20);
        return (struct text){out, name.n};
    }
    if (a->arg == EVTX_IN_USER_DATA && (schema == SCHEMA_WINLOG || schema == SCHEMA_WINLOG6) && j->slots[SLOT_XML_NAME] != NO_ITEM) {
        const struct json_item *it = &j->scan->items[j->slots[SLOT_XML_NAME]];
        if (it->n + 1 + name.n > EVENT_NAME_MAX)
            return name;
        memcpy(out, j->p + it->at, it->n);
        n = it->n;
        out[n++] = '.';
        memcpy(out + n, name.p, name.n);
        return (struct text){out, n + name.n};
    }
    return name;
}

static bool is_value(const struct json_item *it)
{
    return it->kind != JSON_KIND_ARRAY && it->kind != JSON_KIND_OBJECT;
}

static struct text windows_text(struct event_json *j, const struct json_item *it)
{
    return it->kind == JSON_KIND_NULL ? TEXT("") : item_text(j, it);
}

static void put_data(struct event_json *j, enum json_schema schema, const struct action *a, const struct json_item *it)
{
    char name[EVENT_NAME_MAX];
    if (a->text == UINT16_MAX)
        j->e->is_truncated = true;
    else if (is_value(it) && !(a->arg == EVTX_IN_SYSTEM && it->kind == JSON_KIND_NULL))
        event_windows_data(j->windows, (enum evtx_section)a->arg, data_name(j, schema, a, name), windows_text(j, it));
}

/* put_data_text - {"@Name": n, "#text": t}, in either order; without a name it is one of <Data>. */
static void put_data_text(struct event_json *j, const struct table *t, uint32_t i)
{
    const struct json_item *it = &j->scan->items[i], *next = it + 1;
    struct text name = TEXT("Data");
    struct text value = windows_text(j, it);
    bool has_next = i + 1 < j->scan->n_items && t->actions[next->node].op == OP_DATA_NAME;
    if (j->has_data_name)
        name = (struct text){(const char *)j->data_name.p, j->data_name.n};
    else if (has_next && !next->is_escaped)
        name = (struct text){j->p + next->at, next->n};
    if (is_value(it) && (name.n != 4 || j->has_data_name || value.n))
        event_windows_data(j->windows, EVTX_IN_EVENT_DATA, name, value);
    j->has_data_name = false;
}

static void put_data_name(struct event_json *j, const struct table *t, uint32_t i)
{
    const struct json_item *it = &j->scan->items[i];
    struct text name = item_text(j, it);
    if (i && t->actions[it[-1].node].op == OP_DATA_TEXT && it[-1].node != it->node && !j->has_data_name && i + 1 < j->scan->n_items &&
        t->actions[it[1].node].op != OP_DATA_TEXT)
        return; /* its text stood before it */
    if (j->has_data_name) /* the one before had no text at all */
        event_windows_data(j->windows, EVTX_IN_EVENT_DATA, (struct text){(const char *)j->data_name.p, j->data_name.n}, TEXT(""));
    buf_clear(&j->data_name);
    buf_add(&j->data_name, name.p, name.n);
    j->has_data_name = !j->data_name.is_bad && name.n;
}

static void put_data_xml(struct event_json *j, const struct json_item *it)
{
    uint32_t n_values = j->e->n_values;
    struct text t = item_text(j, it);
    struct text trimmed = text_trim(t);
    if (it->kind != JSON_KIND_STRING || !trimmed.n)
        return;
    if (trimmed.p[0] == '<' && !winxml_event(j->xml, trimmed, j->windows, NULL))
        return;
    j->e->n_values = n_values; /* what came before a fault in it */
    event_windows_data(j->windows, EVTX_IN_EVENT_DATA, TEXT("EventData"), t);
}

/* put_event_type - NXLog's word for the level, else Sysmon's field of the same name. */
static void put_event_type(struct event_json *j, const struct json_item *it)
{
    static const char *const words[] = {"INFO", "WARNING", "ERROR", "AUDIT_SUCCESS", "AUDIT_FAILURE", "VERBOSE", "CRITICAL", "DEBUG"};
    struct text t = item_text(j, it);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_is(t, words[i])) {
            event_put_text(j->e, event_names_add(j->names, TEXT("nxlog.EventType")), t);
            return;
        }
    event_windows_data(j->windows, EVTX_IN_EVENT_DATA, TEXT("EventType"), t);
}

static void apply(struct event_json *j, const struct table *t, const struct action *a, uint32_t i)
{
    const struct json_item *it = &j->scan->items[i];
    if (a->slot && j->slots[a->slot] == NO_ITEM)
        j->slots[a->slot] = i;
    if (a->own != EVENT_NO_FIELD && a->op != OP_SKIP)
        put(j, a->own, it);
    if (a->is_weak && a->op != OP_TIME && event_find(j->e, a->field))
        return;
    switch ((enum json_op)a->op) {
    case OP_PUT: put(j, a->field, it); break;
    case OP_TEXT:
        if (is_value(it) && it->kind != JSON_KIND_NULL)
            event_put_text(j->e, a->field, item_text(j, it));
        break;
    case OP_LOWER: put_lower(j, a->field, it); break;
    case OP_TIME: put_time(j, a->arg, it); break;
    case OP_DATE: {
        int64_t us;
        if (!time_of(j, it, false, &us))
            event_put_date(j->e, a->field, us);
        break;
    }
    case OP_SECONDS: put_seconds(j, a->field, item_text(j, it)); break;
    case OP_IP: put_ip(j, a->field, item_text(j, it)); break;
    case OP_BOOL_OUTCOME: event_put_words(j->e, a->field, it->kind == JSON_KIND_TRUE ? "success" : "failure"); break;
    case OP_SYSTEM:
        if (is_value(it) && it->kind != JSON_KIND_NULL)
            event_windows_system(j->windows, (enum evtx_system)a->arg, item_text(j, it));
        break;
    case OP_DATA: put_data(j, t->schema, a, it); break;
    case OP_DATA_NAME: put_data_name(j, t, i); break;
    case OP_DATA_TEXT: put_data_text(j, t, i); break;
    case OP_DATA_XML: put_data_xml(j, it); break;
    case OP_EVENT_TYPE: put_event_type(j, it); break;
    case OP_SKIP:
    case OP_NONE: break;
    }
    if (a->copy != EVENT_NO_FIELD && is_value(it))
        a->copy == EV_DNS_RESOLVED_IP || a->copy == EV_SOURCE_IP ? put_ip(j, a->copy, item_text(j, it)) : put(j, a->copy, it);
}

/* --- finishing ----------------------------------------------------------------------------------------- */

static struct text slot_text(struct event_json *j, enum json_slot slot)
{
    return j->slots[slot] == NO_ITEM ? TEXT("") : item_text(j, &j->scan->items[j->slots[slot]]);
}

static void finish_eve(struct event_json *j)
{
    static const struct {
        const char *name, *kind, *category, *type;
    } types[] = {
        {"alert", "alert", "intrusion_detection", NULL}, {"flow", "event", "network", "connection"},
        {"netflow", "event", "network", "connection"},
        {"dns", "event", "network", "protocol"}, {"http", "event", "web", "access"}, {"tls", "event", "network", "protocol"},
        {"fileinfo", "event", "file", "info"}, {"smtp", "event", "email", "info"}, {"ssh", "event", "network", "protocol"},
        {"anomaly", "event", "network", "error"}, {"stats", "metric", NULL, NULL}, {"drop", "event", "network", "denied"},
        {"krb5", "event", "authentication", "info"}, {"engine", "event", "process", "info"},
    };
    struct text type = slot_text(j, SLOT_TYPE), action = slot_text(j, SLOT_ACTION);
    const char *kind = "event", *category = "network", *what = "protocol";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (text_is(type, types[i].name)) {
            kind = types[i].kind;
            category = types[i].category;
            what = types[i].type;
        }
    if (action.n)
        what = text_is(action, "blocked") ? "denied" : "allowed";
    event_put_words(j->e, EV_EVENT_KIND, kind);
    if (category)
        event_put_words(j->e, EV_EVENT_CATEGORY, category);
    if (what)
        event_put_words(j->e, EV_EVENT_TYPE, what);
}

/*
 * finish_flat_time - flat Windows events have a time without zone beside one with: the first is the event's, and how
 * far they are apart, to the quarter of an hour, is its zone.
 */
static void finish_flat_time(struct event_json *j)
{
    const int64_t quarter = INT64_C(900) * US_PER_SECOND;
    int64_t local = 0, zoned = 0;
    bool has_local = j->slots[SLOT_TIME_LOCAL] != NO_ITEM && !time_of(j, &j->scan->items[j->slots[SLOT_TIME_LOCAL]], false, &local);
    bool has_zoned = j->slots[SLOT_TIME_ZONED] != NO_ITEM && !time_of(j, &j->scan->items[j->slots[SLOT_TIME_ZONED]], false, &zoned);
    struct text t = slot_text(j, SLOT_TIME_LOCAL);
    bool names_zone = t.n > 20 && (t.p[t.n - 1] == 'Z' || memchr(t.p + 19, '+', t.n - 19) || memchr(t.p + 19, '-', t.n - 19));
    if (!has_local && !has_zoned)
        return;
    if (has_local && has_zoned && !names_zone) {
        int64_t apart = local - zoned, steps = (apart + (apart < 0 ? -quarter / 2 : quarter / 2)) / quarter;
        local = steps > -96 && steps < 96 ? local - steps * quarter : zoned;
    }
    event_windows_time(j->windows, has_local ? local : zoned);
    j->time_rank = 1;
}

/* finish_audit - "1604994496.155:92733": the time is before the colon. */
static void finish_audit(struct event_json *j)
{
    struct text id = slot_text(j, SLOT_TIME_LOCAL), success = slot_text(j, SLOT_STATUS);
    const char *colon = id.n ? memchr(id.p, ':', id.n) : NULL;
    int64_t us;
    if (colon && !clock_parse(id.p, (size_t)(colon - id.p), 0, &us)) {
        event_time(j->e, us);
        j->time_rank = 1;
    }
    if (success.n)
        event_put_words(j->e, EV_EVENT_OUTCOME, text_is(success, "yes") ? "success" : "failure");
    event_put_words(j->e, EV_EVENT_KIND, "event");
}

static void finish(struct event_json *j, const struct table *t)
{
    const struct json_schema_map *m = t->schema < SCHEMA_ZEEK ? &json_schema_maps[t->schema] : NULL;
    if (j->has_data_name)
        event_windows_data(j->windows, EVTX_IN_EVENT_DATA, (struct text){(const char *)j->data_name.p, j->data_name.n}, TEXT(""));
    if (t->schema == SCHEMA_EVE)
        finish_eve(j);
    else if (t->schema == SCHEMA_WINFLAT || t->schema == SCHEMA_AZURE)
        finish_flat_time(j);
    else if (t->schema == SCHEMA_AUDITD)
        finish_audit(j);
    else if (t->schema == SCHEMA_CLOUDTRAIL)
        event_put_words(j->e, EV_EVENT_OUTCOME, j->slots[SLOT_ERROR] != NO_ITEM ? "failure" : "success");
    else if (t->schema == SCHEMA_WAZUH)
        event_put_words(j->e, EV_EVENT_KIND, "alert");
    else if (t->schema == SCHEMA_ZEEK)
        zeek_put_kind(j->e, (struct text){t->log, t->n_log}, "zeek-json");
    if (t->schema == SCHEMA_CLOUDTRAIL)
        event_put_words(j->e, EV_CLOUD_PROVIDER, "aws");
    if (j->is_windows)
        event_windows_end(j->windows, t->schema == SCHEMA_WINLOG || t->schema == SCHEMA_WINLOG6 || t->schema == SCHEMA_WAZUH);
    if (m && m->module)
        event_put_words(j->e, EV_EVENT_MODULE, m->module);
    if (m && m->dataset)
        event_put_words(j->e, EV_EVENT_DATASET, m->dataset);
    if (m)
        event_put_words(j->e, EV_EVENT_DECODER, m->decoder);
    if (!j->time_rank && !j->is_windows)
        event_put_words(j->e, EV_EVENT_TIME_SOURCE, "arrival");
}

/* find_xml_name - needed before the fields it belongs to, wherever it stands. */
static void find_xml_name(struct event_json *j)
{
    for (uint32_t i = 0; i < j->scan->n_items; i++)
        if (j->scan->nodes[j->scan->items[i].node].mark & MARK_XML_NAME)
            j->slots[SLOT_XML_NAME] = i;
}

int event_json_put(struct event_json *j, struct events *e, size_t at, size_t n, const struct event_source *source, size_t *ret_at)
{
    size_t original = e->original[e->n] + at;
    if (!buf_room(&e->heap, JSON_SCAN_PADDING)) { /* the scanner reads behind the record */
        e->heap.is_bad = false;
        return -ENOMEM;
    }
    int rc = json_scan(j->scan, (struct text){(const char *)e->heap.p + original, n}, ret_at);
    if (rc)
        return rc;
    const struct json_scan *s = j->scan;
    struct text trimmed = text_trim((struct text){e->record + at, n});
    if (!trimmed.n || trimmed.p[0] != '{') {
        if (ret_at)
            *ret_at = 0;
        return EVENT_JSON_NO_OBJECT;
    }
    enum json_schema schema = json_schema_of(s->marks);
    if (schema == SCHEMA_GENERIC && (s->marks & MARK_TS) && zeek_log_of_path(source->path).n)
        schema = SCHEMA_ZEEK;
    j->e = e;
    j->p = e->record + at;
    j->source = source;
    struct table *t = table_of(j, schema, schema == SCHEMA_ZEEK ? zeek_log(j) : TEXT(""));
    if (!t)
        return -ENOMEM;
    memset(j->slots, 0xff, sizeof j->slots);
    j->time_rank = 0;
    j->has_data_name = false;
    j->is_windows = schema == SCHEMA_WINEVENT || schema == SCHEMA_WINLOG || schema == SCHEMA_WINLOG6 || schema == SCHEMA_WINFLAT ||
                    schema == SCHEMA_AZURE || (s->marks & MARK_WAZUH_WINDOWS);
    if (j->is_windows)
        event_windows_begin(j->windows, e, source->zone_s);
    if (s->marks & MARK_XML_NAME)
        find_xml_name(j);
    for (uint32_t i = 0; i < s->n_items; i++) {
        struct action *a = &t->actions[s->items[i].node];
        if (a->op == OP_NONE)
            *a = look_up(j, t, s->items[i].node);
        apply(j, t, a, i);
        if (a->op == OP_PUT && a->field == EVENT_NO_FIELD)
            a->op = OP_NONE; /* no room for its sender: for another there may be */
    }
    if (s->is_cut)
        e->is_truncated = true;
    finish(j, t);
    return 0;
}
