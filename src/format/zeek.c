/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TSV header builds the plan; with JSON every key met for the first time
 * adds a column to it, and the next line most likely has the same keys in the
 * same order.
 */
#include "format/zeek.h"

#include "format/flow_csv.h"

#include <errno.h>
#include <string.h>

enum { JSON_MAX_COLUMNS = 256 }; /* distinct keys kept: every key is looked for among them */

static const struct flow_known columns[] = {
    {"ts", FIELD_EPOCH, FLOW_START},
    {"uid", FIELD_TEXT, .text = "event.id"},
    {"id.orig_h", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"id.orig_p", FIELD_PORT, FLOW_SOURCE_PORT},
    {"id.resp_h", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"id.resp_p", FIELD_PORT, FLOW_DESTINATION_PORT},
    {"proto", FIELD_PROTOCOL, .text = "zeek.proto"},
    {"service", FIELD_TEXT, .text = "network.protocol"},
    {"duration", FIELD_DURATION, .is_proof = true},
    {"orig_bytes", FIELD_PAYLOAD, FLOW_SOURCE_BYTES, .is_proof = true},
    {"resp_bytes", FIELD_PAYLOAD, FLOW_DESTINATION_BYTES, .is_proof = true},
    {"conn_state", FIELD_TEXT, .text = "network.state", .is_proof = true},
    {"history", FIELD_TEXT, .is_proof = true},
    {"orig_pkts", FIELD_NUMBER, FLOW_SOURCE_PACKETS, .is_proof = true},
    {"orig_ip_bytes", FIELD_NUMBER, FLOW_SOURCE_BYTES, .is_proof = true},
    {"resp_pkts", FIELD_NUMBER, FLOW_DESTINATION_PACKETS, .is_proof = true},
    {"resp_ip_bytes", FIELD_NUMBER, FLOW_DESTINATION_BYTES, .is_proof = true},
    {"vlan", FIELD_SMALL, FLOW_VLAN},
    {"label", FIELD_TEXT, .text = "event.label"},
    {"community_id", FIELD_TEXT, .text = "network.community_id"},
};

static const struct flow_known *known(struct text name)
{
    return flow_known_find(columns, sizeof(columns) / sizeof(*columns), name);
}

static void set_mark(char out[ZEEK_MARK_MAX], uint8_t *ret_n, struct text t)
{
    *ret_n = (uint8_t)(t.n < ZEEK_MARK_MAX ? t.n : ZEEK_MARK_MAX);
    if (*ret_n)
        memcpy(out, t.p, *ret_n);
}

void zeek_init(struct zeek *z)
{
    *z = (struct zeek){.scratch = {.max = CSV_MAX_RECORD_BYTES}};
    set_mark(z->unset, &z->n_unset, TEXT("-"));
    set_mark(z->empty, &z->n_empty, TEXT("(empty)"));
}

void zeek_fini(struct zeek *z)
{
    buf_fini(&z->scratch);
}

/* is_connections - whether a log called so holds connections: conn, open_conn, conn_long ... */
static bool is_connections(struct text path)
{
    for (size_t i = 0; i + 4 <= path.n; i++)
        if (!memcmp(path.p + i, "conn", 4))
            return true;
    return false;
}

static struct text next_part(struct text *rest)
{
    *rest = text_trim(*rest);
    const char *p = rest->p, *end = rest->p + rest->n;
    while (p < end && *p != ' ')
        p++;
    struct text part = {rest->p, (size_t)(p - rest->p)};
    *rest = (struct text){p, (size_t)(end - p)};
    return part;
}

static int add(struct zeek *z, struct flow_plan *p, struct text name)
{
    const struct flow_known *k = known(name);
    int rc = flow_plan_add(p, name, k, "zeek.");
    z->has_proof |= k && k->is_proof;
    return rc < 0 ? rc : 0; /* too many: the reader refuses such a record anyway */
}

static int set_fields(struct zeek *z, struct flow_plan *p, const struct csv_record *record)
{
    flow_plan_clear(p);
    z->has_fields = true;
    z->has_proof = false;
    z->n_parts = 0;
    z->n_columns = record->n - 1;
    for (uint32_t i = 1; i < record->n; i++) {
        struct text name = text_trim(record->fields[i]);
        if (name.n && memchr(name.p, ' ', name.n)) {
            z->glued = i - 1;
            z->n_parts = 1;
        }
        if (add(z, p, name))
            return -ENOMEM;
    }
    if (!z->n_parts)
        return 0;
    struct text rest = text_trim(record->fields[z->glued + 1]);
    for (z->n_parts = 0; rest.n && p->n < CSV_MAX_FIELDS; z->n_parts++)
        if (add(z, p, next_part(&rest)))
            return -ENOMEM;
    return 0;
}

/* separator_of - "#separator \x09": the only directive that is not written with the separator itself. */
static char separator_of(struct text value)
{
    static const char digits[] = "0123456789abcdef";
    value = text_trim(value);
    if (value.n == 4 && value.p[0] == '\\' && value.p[1] == 'x') {
        const char *high = value.p[2] ? strchr(digits, value.p[2] | 32) : NULL;
        const char *low = value.p[3] ? strchr(digits, value.p[3] | 32) : NULL;
        return high && low ? (char)((unsigned)(high - digits) << 4 | (unsigned)(low - digits)) : 0;
    }
    return value.n == 1 ? *value.p : 0;
}

int zeek_directive(struct zeek *z, struct flow_plan *p, const struct csv_record *record)
{
    static const char separator[] = "#separator";
    struct text name = record->fields[0], value = record->n > 1 ? record->fields[1] : (struct text){0};
    size_t n = sizeof(separator) - 1;
    z->separator = 0;
    if (record->raw.n > n && !memcmp(record->raw.p, separator, n)) {
        char c = separator_of((struct text){record->raw.p + n, record->raw.n - n});
        z->separator = c == '\n' || c == '\r' ? 0 : c;
        z->has_fields = z->is_other_log = false; /* another file begins */
    } else if (text_is(name, "#fields")) {
        return set_fields(z, p, record);
    } else if (text_is(name, "#path")) {
        z->is_other_log = !is_connections(value);
    } else if (text_is(name, "#unset_field")) {
        set_mark(z->unset, &z->n_unset, value);
    } else if (text_is(name, "#empty_field")) {
        set_mark(z->empty, &z->n_empty, value);
    }
    return 0;
}

static bool is_there(const struct zeek *z, struct text t)
{
    return t.n && !(t.n == z->n_unset && !memcmp(t.p, z->unset, t.n)) &&
           !(t.n == z->n_empty && !memcmp(t.p, z->empty, t.n));
}

static int put_parts(const struct zeek *z, struct flow_row *r, const struct flow_plan *p, struct text value)
{
    for (uint32_t i = 0; i < z->n_parts; i++) {
        struct text part = next_part(&value);
        if (i + 1 == z->n_parts)
            part.n += value.n;
        if (is_there(z, part) && flow_row_put(r, p, z->n_columns + i, part))
            return 1;
    }
    return 0;
}

static void finish_icmp(struct flow *f)
{
    if (f->protocol != 1 || !(f->present & FLOW_HAS(FLOW_PROTOCOL)))
        return;
    if (!ip_is_v4(&f->source_ip))
        f->protocol = 58;
    f->icmp = (uint16_t)((f->source_port & 255) << 8 | (f->destination_port & 255));
    f->present |= FLOW_HAS(FLOW_ICMP);
}

int zeek_row(struct zeek *z, struct flow_row *r, const struct flow_plan *p, const struct csv_record *record)
{
    flow_row_begin(r);
    if (!z->has_fields)
        return flow_row_refuse(r, FLOW_TEXT_NO_HEADER, record->raw);
    if (z->is_other_log || !z->has_proof)
        return flow_row_refuse(r, FLOW_TEXT_OTHER_LOG, record->raw);
    if (record->n < z->n_columns)
        return flow_row_refuse(r, FLOW_TEXT_TOO_FEW_COLUMNS, record->raw);
    for (uint32_t i = 0; i < z->n_columns && i < p->n; i++) {
        struct text value = record->fields[i];
        if (z->n_parts && i == z->glued) {
            if (put_parts(z, r, p, value))
                return 1;
        } else if (is_there(z, value) && flow_row_put(r, p, i, value)) {
            return 1;
        }
    }
    if (flow_row_finish(r))
        return 1;
    finish_icmp(&r->flow);
    return 0;
}

/* ---- JSON */

struct json_row {
    struct zeek *z;
    struct flow_row *r;
    struct flow_plan *p;
    bool is_refused, has_proof, is_ecs, is_other_log;
};

static int column_of(struct json_row *j, struct text path, uint32_t *ret)
{
    int found = flow_plan_find(j->p, path, &j->z->hint);
    if (found < 0) {
        if (j->p->n >= JSON_MAX_COLUMNS)
            return 1;
        const struct flow_known *k = known(path), *ecs = k ? NULL : flow_csv_known_ecs(path);
        int rc = flow_plan_add(j->p, path, k ? k : ecs, ecs || memchr(path.p, '.', path.n) ? "" : "zeek.");
        if (rc)
            return rc;
        found = (int)j->p->n - 1;
    }
    *ret = (uint32_t)found;
    return 0;
}

static int take_leaf(void *context, struct text path, const struct json_value *v)
{
    struct json_row *j = context;
    struct text value = v->raw;
    if (j->is_refused || !path.n || path.n > 255 || v->kind == JSON_KIND_NULL || v->kind == JSON_KIND_OBJECT)
        return 0;
    if (v->is_escaped) {
        buf_clear(&j->z->scratch);
        char *out = (char *)buf_room(&j->z->scratch, value.n);
        if (!out)
            return -ENOMEM;
        value = (struct text){out, json_unescape(value, out)};
    }
    uint32_t column = 0;
    int rc = column_of(j, path, &column);
    if (rc)
        return rc < 0 ? rc : 0; /* more keys than anybody's log has: the rest is not kept */
    const struct flow_field *f = &j->p->fields[column];
    j->has_proof |= f->is_proof;
    j->is_ecs |= f->kind == FIELD_ADDRESS && text_is(path, flow_columns[f->arg].name);
    j->is_other_log |= text_is(path, "_path") && !is_connections(value);
    j->is_refused = flow_row_put(j->r, j->p, column, value);
    return 0;
}

int zeek_json_row(struct zeek *z, struct flow_row *r, struct flow_plan *p, struct text line)
{
    struct json_row j = {.z = z, .r = r, .p = p};
    flow_row_begin(r);
    z->hint = 0;
    line = text_trim(line);
    size_t at = 0;
    int rc = line.n && *line.p == '{' ? json_walk(line, take_leaf, &j, &at) : JSON_MALFORMED;
    if (rc < 0)
        return rc;
    if (rc)
        return flow_row_refuse(r, FLOW_TEXT_BAD_JSON, (struct text){line.p + at, line.n - at});
    if (j.is_other_log)
        return flow_row_refuse(r, FLOW_TEXT_OTHER_LOG, line);
    if (j.is_refused)
        return 1;
    if (!j.has_proof && !j.is_ecs && (r->flow.present & FLOW_HAS_ADDRESS(FLOW_SOURCE_IP)))
        return flow_row_refuse(r, FLOW_TEXT_OTHER_LOG, line);
    if (flow_row_finish(r))
        return 1;
    if (!j.is_ecs)
        finish_icmp(&r->flow);
    return 0;
}
