/* SPDX-License-Identifier: Apache-2.0 */
#include "format/event.h"

#include "base/clock.h"
#include "format/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* texts of a batch: all its originals and what the largest events may add */
#define HEAP_MAX (EVENTS_HEAP_FULL + EVENT_ORIGINAL_MAX + 2 * EVENT_BYTES_MAX)

#define VALUES_MAX (EVENTS_ROWS * EVENT_VALUES_MAX)

static const uint8_t field_types[EVENT_N_FIELDS] = {
#define X(ID, name, type) [EV_##ID] = EVENT_##type,
    EVENT_FIELDS(X)
#undef X
};

enum event_type event_field_type(uint16_t field)
{
    return field < EVENT_N_FIELDS ? (enum event_type)field_types[field] : EVENT_KEYWORD;
}

/* --- the batch -------------------------------------------------------------------------------------- */

struct events *events_new(struct event_names *names)
{
    struct events *e = malloc(sizeof *e);
    if (!e)
        return NULL;
    /* the columns count up to n only: what a small file never fills is not touched */
    memset(&e->values, 0, sizeof *e - offsetof(struct events, values));
    e->names = names;
    e->n = 0;
    e->heap.max = HEAP_MAX;
    if (events_room(e, 1)) { /* never without a first place: readers may count from it */
        events_free(e);
        return NULL;
    }
    return e;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    free(e->values);
    buf_fini(&e->heap);
    free(e);
}

void events_clear(struct events *e)
{
    e->n = 0;
    e->n_values = 0;
    e->is_open = false;
    buf_clear(&e->heap);
}

bool events_full(const struct events *e)
{
    return e->n == EVENTS_ROWS || e->heap.n >= EVENTS_HEAP_FULL || e->n_values >= EVENTS_ROWS * 256u;
}

static bool is_ascii(struct text t)
{
    uint64_t all = 0, eight;
    size_t i = 0;
    for (; i + 8 <= t.n; i += 8) {
        memcpy(&eight, t.p + i, 8);
        all |= eight;
    }
    for (; i < t.n; i++)
        all |= (uint8_t)t.p[i];
    return !(all & UINT64_C(0x8080808080808080));
}

int event_begin(struct events *e, struct text original, int64_t arrived_us)
{
    if (original.n > EVENT_ORIGINAL_MAX)
        return EVENT_TOO_LONG;
    e->row_heap = e->heap.n;
    e->row_values = e->n_values;
    e->row_bytes = 0;
    e->is_failed = e->is_truncated = false;
    buf_add(&e->heap, original.p, original.n);
    if (e->heap.is_bad) {
        e->heap.is_bad = false; /* the rows before stay good */
        return -ENOMEM;
    }
    e->record = original.p;
    e->is_ascii = is_ascii(original);
    e->original[e->n] = e->row_heap;
    e->original_n[e->n] = (uint32_t)original.n;
    e->arrived_us[e->n] = arrived_us;
    e->time_us[e->n] = arrived_us;
    e->is_open = true;
    return 0;
}

void event_time(struct events *e, int64_t time_us)
{
    e->time_us[e->n] = time_us;
}

int events_room(struct events *e, uint32_t n)
{
    uint32_t wanted;
    if (__builtin_add_overflow(e->n_values, n, &wanted) || wanted > VALUES_MAX)
        return -ENOMEM;
    if (wanted <= e->values_capacity)
        return 0;
    uint32_t capacity = e->values_capacity ? 2 * e->values_capacity : 4096;
    capacity = capacity < wanted ? wanted : capacity;
    struct event_value *more = realloc(e->values, capacity * sizeof *more);
    if (!more)
        return -ENOMEM;
    e->values = more;
    e->values_capacity = capacity;
    return 0;
}

/* value_room - place for one more value of the open event, zeroed, or NULL. */
static struct event_value *value_room(struct events *e, uint16_t field, enum event_type type)
{
    if (field == EVENT_NO_FIELD || e->n_values - e->row_values >= EVENT_VALUES_MAX) {
        e->is_truncated = true;
        return NULL;
    }
    if (e->n_values == e->values_capacity && events_room(e, 1)) {
        e->is_failed = true;
        return NULL;
    }
    struct event_value *v = &e->values[e->n_values++];
    *v = (struct event_value){.field = field, .type = (uint8_t)type};
    return v;
}

/* heap_add - @n bytes copied behind; the offset, or SIZE_MAX when a limit is met. */
static size_t heap_add(struct events *e, const void *p, size_t n)
{
    if (n > EVENT_BYTES_MAX - e->row_bytes) {
        e->is_truncated = true;
        return SIZE_MAX;
    }
    size_t at = e->heap.n;
    buf_add(&e->heap, p, n);
    if (e->heap.is_bad) {
        e->heap.is_bad = false;
        e->heap.n = at;
        e->is_failed = true;
        return SIZE_MAX;
    }
    e->row_bytes += n;
    return at;
}

/* repaired - malformed UTF-8 copied with U+FFFD in its place; three bytes for one at most. */
static size_t repaired(struct events *e, struct text t, size_t *ret_n)
{
    size_t at = e->heap.n;
    const char *p = t.p, *end = t.p + t.n;
    while (p < end) {
        char c[4];
        size_t n = text_put(text_next(&p, end), c);
        if (heap_add(e, c, n) == SIZE_MAX) {
            e->heap.n = at;
            return SIZE_MAX;
        }
    }
    *ret_n = e->heap.n - at;
    return at;
}

void event_put_text(struct events *e, uint16_t field, struct text value)
{
    size_t at, n = value.n;
    uintptr_t p = (uintptr_t)value.p, record = (uintptr_t)e->record;
    bool is_inside = p >= record && p - record <= e->original_n[e->n] && n <= e->original_n[e->n] - (p - record);
    if (n && !(is_inside && e->is_ascii) && !text_is_utf8(value.p, n))
        at = repaired(e, value, &n);
    else if (is_inside && n)
        at = e->original[e->n] + (p - record);
    else
        at = heap_add(e, value.p, n);
    if (at == SIZE_MAX)
        return;
    struct event_value *v = value_room(e, field, EVENT_KEYWORD);
    if (!v)
        return;
    v->at = at;
    v->n = (uint32_t)n;
}

void event_put_ready(struct events *e, const struct event_value *values, uint32_t n, const void *text, size_t n_text)
{
    if (e->n_values - e->row_values > EVENT_VALUES_MAX - n) {
        e->is_truncated = true;
        return;
    }
    if (events_room(e, n)) {
        e->is_failed = true;
        return;
    }
    size_t at = heap_add(e, text, n_text);
    if (at == SIZE_MAX)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct event_value *v = &e->values[e->n_values++];
        *v = values[i];
        if (v->type == EVENT_KEYWORD || v->type == EVENT_IP)
            v->at += at;
    }
}

void event_put_long(struct events *e, uint16_t field, int64_t value)
{
    struct event_value *v = value_room(e, field, EVENT_LONG);
    if (v)
        v->number = value;
}

void event_put_ulong(struct events *e, uint16_t field, uint64_t value)
{
    if (value <= INT64_MAX) {
        event_put_long(e, field, (int64_t)value);
        return;
    }
    struct event_value *v = value_room(e, field, EVENT_ULONG);
    if (v)
        v->unsigned_number = value;
}

void event_put_real(struct events *e, uint16_t field, double value)
{
    struct event_value *v = value_room(e, field, EVENT_REAL);
    if (v)
        v->real = value;
}

void event_put_bool(struct events *e, uint16_t field, bool value)
{
    struct event_value *v = value_room(e, field, EVENT_BOOL);
    if (v)
        v->number = value;
}

void event_put_ip(struct events *e, uint16_t field, const struct ip *value)
{
    size_t at = heap_add(e, value->b, sizeof value->b);
    if (at == SIZE_MAX)
        return;
    struct event_value *v = value_room(e, field, EVENT_IP);
    if (v)
        v->at = at;
}

void event_put_date(struct events *e, uint16_t field, int64_t value_us)
{
    struct event_value *v = value_room(e, field, EVENT_DATE);
    if (v)
        v->number = value_us;
}

void event_put_null(struct events *e, uint16_t field)
{
    value_room(e, field, EVENT_NULL);
}

/* --- text into what the field should hold ----------------------------------------------------------- */

/* text_long - decimal digits with an optional '-': what LONG fields hold. Return: 0 or 1. */
static int text_long(struct text t, int64_t *ret)
{
    bool is_negative = t.n && t.p[0] == '-';
    uint64_t u;
    if (text_u64((struct text){t.p + is_negative, t.n - is_negative}, INT64_MAX, &u))
        return 1;
    *ret = is_negative ? -(int64_t)u : (int64_t)u;
    return 0;
}

/* text_real - digits, sign, point, exponent and nothing else: no inf, nan or hexadecimal. Return: 0 or 1. */
static int text_real(struct text t, double *ret)
{
    char copy[64], *end;
    if (!t.n || t.n >= sizeof copy)
        return 1;
    for (size_t i = 0; i < t.n; i++)
        if (!((t.p[i] >= '0' && t.p[i] <= '9') || (t.p[i] && strchr("+-.eE", t.p[i]))))
            return 1;
    memcpy(copy, t.p, t.n);
    copy[t.n] = 0;
    *ret = strtod(copy, &end);
    return *end || !isfinite(*ret);
}

void event_put(struct events *e, uint16_t field, struct text value)
{
    if (!value.n)
        return;
    int64_t number;
    double real;
    struct ip ip;
    switch (event_field_type(field)) {
    case EVENT_LONG:
        if (!text_long(value, &number)) {
            event_put_long(e, field, number);
            return;
        }
        break;
    case EVENT_REAL:
        if (!text_real(value, &real)) {
            event_put_real(e, field, real);
            return;
        }
        break;
    case EVENT_BOOL:
        if (text_is_nocase(value, "true") || text_is_nocase(value, "false")) {
            event_put_bool(e, field, value.n == 4);
            return;
        }
        break;
    case EVENT_IP:
        if (!ip_parse(value.p, value.n, &ip)) {
            event_put_ip(e, field, &ip);
            return;
        }
        break;
    case EVENT_DATE:
        if (value.n >= 20 && value.p[4] == '-' && !clock_parse(value.p, value.n, 0, &number)) {
            event_put_date(e, field, number);
            return;
        }
        break;
    case EVENT_KEYWORD:
    case EVENT_TEXT:
    case EVENT_ULONG:
    case EVENT_NULL:
    case EVENT_N_TYPES: break;
    }
    event_put_text(e, field, value);
}

void event_put_name(struct events *e, struct text name, struct text value)
{
    event_put(e, event_names_add(e->names, name), value);
}

void event_copy(struct events *e, uint16_t field, const struct event_value *v)
{
    struct event_value copy = *v; /* value_room may move it */
    struct event_value *to = value_room(e, field, (enum event_type)copy.type);
    if (!to)
        return;
    *to = copy;
    to->field = field;
}

void event_put_part(struct events *e, uint16_t field, const struct event_value *v, uint32_t from, uint32_t n)
{
    struct event_value copy = *v;
    if (copy.type != EVENT_KEYWORD || from > copy.n || n > copy.n - from)
        return;
    struct event_value *to = value_room(e, field, EVENT_KEYWORD);
    if (!to)
        return;
    to->at = copy.at + from;
    to->n = n;
}

const struct event_value *event_find(const struct events *e, uint16_t field)
{
    for (uint32_t i = e->row_values; i < e->n_values; i++)
        if (e->values[i].field == field)
            return &e->values[i];
    return NULL;
}

int event_end(struct events *e)
{
    if (e->is_truncated) {
        if (e->n_values - e->row_values >= EVENT_VALUES_MAX)
            e->n_values--; /* the last value gives its place to the mark */
        event_put_bool(e, EV_EVENT_TRUNCATED, true);
    }
    if (e->is_failed) {
        event_cancel(e);
        return -ENOMEM;
    }
    e->value_end[e->n++] = e->n_values;
    e->is_open = false;
    e->record = NULL;
    return 0;
}

int event_append(struct events *e, const struct events *from, uint32_t row)
{
    int r = event_begin(e, event_original(from, row), from->arrived_us[row]);
    if (r)
        return -ENOMEM;
    event_time(e, from->time_us[row]);
    size_t original = from->original[row], end = original + from->original_n[row];
    for (uint32_t i = event_from(from, row); i < from->value_end[row]; i++) {
        const struct event_value *v = &from->values[i];
        bool has_bytes = v->type == EVENT_KEYWORD || v->type == EVENT_IP;
        size_t n = v->type == EVENT_IP ? sizeof(struct ip) : v->n, at = v->at;
        if (has_bytes && at >= original && at + n <= end)
            at = e->original[e->n] + (at - original);
        else if (has_bytes && (at = heap_add(e, from->heap.p + at, n)) == SIZE_MAX)
            continue;
        struct event_value *to = value_room(e, v->field, (enum event_type)v->type);
        if (!to)
            continue;
        *to = *v;
        if (has_bytes)
            to->at = at;
    }
    return event_end(e);
}

void event_cancel(struct events *e)
{
    e->heap.n = e->row_heap;
    e->n_values = e->row_values;
    e->is_open = false;
    e->record = NULL;
}

/* --- reading ---------------------------------------------------------------------------------------- */

const struct event_value *event_get(const struct events *e, uint32_t row, uint16_t field)
{
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        if (e->values[i].field == field)
            return &e->values[i];
    return NULL;
}

struct text event_value_text(const struct events *e, const struct event_value *v, char out[EVENT_VALUE_TEXT_MAX])
{
    struct ip ip;
    switch ((enum event_type)v->type) {
    case EVENT_KEYWORD:
    case EVENT_TEXT: return event_text(e, v);
    case EVENT_LONG: return (struct text){out, (size_t)snprintf(out, EVENT_VALUE_TEXT_MAX, "%" PRId64, v->number)};
    case EVENT_ULONG: return (struct text){out, (size_t)snprintf(out, EVENT_VALUE_TEXT_MAX, "%" PRIu64, v->unsigned_number)};
    case EVENT_REAL: {
        /* the shortest form that reads back as the same number */
        int n = snprintf(out, EVENT_VALUE_TEXT_MAX, "%.15g", v->real);
        if (strtod(out, NULL) != v->real)
            n = snprintf(out, EVENT_VALUE_TEXT_MAX, "%.17g", v->real);
        return (struct text){out, (size_t)n};
    }
    case EVENT_BOOL: return v->number ? TEXT("true") : TEXT("false");
    case EVENT_IP:
        ip = event_ip(e, v);
        return (struct text){out, ip_format(&ip, out)};
    case EVENT_DATE: return (struct text){out, clock_format_utc(v->number, out)};
    case EVENT_NULL:
    case EVENT_N_TYPES: break;
    }
    return TEXT("");
}

static void put_value(const struct events *e, const struct event_value *v, struct buf *out)
{
    char scratch[EVENT_VALUE_TEXT_MAX];
    struct text t = event_value_text(e, v, scratch);
    switch ((enum event_type)v->type) {
    case EVENT_LONG:
    case EVENT_ULONG:
    case EVENT_REAL:
    case EVENT_BOOL: buf_add(out, t.p, t.n); return;
    case EVENT_NULL: buf_add_text(out, "null"); return;
    case EVENT_KEYWORD:
    case EVENT_TEXT:
    case EVENT_IP:
    case EVENT_DATE:
    case EVENT_N_TYPES: break;
    }
    json_put_string(out, t);
}

static void put_key(struct buf *out, struct text name)
{
    buf_add_byte(out, ',');
    json_put_string(out, name);
    buf_add_byte(out, ':');
}

const char *event_code_name(uint16_t field, uint64_t code, uint16_t *ret_code_field)
{
    static const char *const facilities[] = {"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
                                             "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
                                             "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
    static const char *const severities[] = {"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"};
    bool is_facility = field == EV_LOG_SYSLOG_FACILITY_NAME;
    if (!is_facility && field != EV_LOG_SYSLOG_SEVERITY_NAME)
        return NULL;
    *ret_code_field = is_facility ? EV_LOG_SYSLOG_FACILITY : EV_LOG_SYSLOG_SEVERITY;
    if (is_facility)
        return code < sizeof(facilities) / sizeof(*facilities) ? facilities[code] : NULL;
    return code < sizeof(severities) / sizeof(*severities) ? severities[code] : NULL;
}

void event_json(const struct events *e, uint32_t row, struct buf *out)
{
    char time[TIME_TEXT_MAX];
    uint32_t from = event_from(e, row), to = e->value_end[row];
    clock_format_utc(e->time_us[row], time);
    buf_printf(out, "{\"@timestamp\":\"%s\"", time);
    clock_format_utc(e->arrived_us[row], time);
    buf_printf(out, ",\"event.created\":\"%s\"", time);
    for (uint32_t i = from; i < to; i++) {
        uint16_t field = e->values[i].field;
        bool is_first = true, is_list = false;
        for (uint32_t k = from; k < i && is_first; k++)
            is_first = e->values[k].field != field;
        if (!is_first)
            continue;
        for (uint32_t k = i + 1; k < to && !is_list; k++)
            is_list = e->values[k].field == field;
        put_key(out, event_name(e->names, field));
        if (is_list)
            buf_add_byte(out, '[');
        put_value(e, &e->values[i], out);
        for (uint32_t k = i + 1; is_list && k < to; k++)
            if (e->values[k].field == field) {
                buf_add_byte(out, ',');
                put_value(e, &e->values[k], out);
            }
        if (is_list)
            buf_add_byte(out, ']');
    }
    put_key(out, TEXT("event.original"));
    json_put_string(out, event_original(e, row));
    buf_add_byte(out, '}');
}
