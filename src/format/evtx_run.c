/* SPDX-License-Identifier: Apache-2.0 */
/* One record: the operations of its template over its substitution values, to fields. */
#include "format/evtx_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fields_grow(struct evtx *e)
{
    if (e->n_fields == EVTX_FIELDS_MAX)
        return EVTX_LIMIT;
    uint32_t capacity = e->fields_capacity * 2;
    struct evtx_field *p = reallocarray(e->fields, capacity, sizeof(*p));
    if (!p)
        return -ENOMEM;
    e->fields = p;
    e->fields_capacity = capacity;
    return 0;
}

static bool has_text_room(const struct evtx *e, size_t n)
{
    return n <= EVTX_TEXT_MAX - e->n_text;
}

/* field_add - a new field as the operation knows it; its value is still null. */
static inline int field_add(struct evtx *e, const struct evtx_op *op, struct evtx_field **ret)
{
    int s = e->n_fields < e->fields_capacity ? 0 : fields_grow(e);
    if (s)
        return s;
    struct evtx_field *f = &e->fields[e->n_fields++];
    *f = op->field;
    if (op->flags & OP_IS_DYNAMIC) {
        f->name = e->dynamic_name;
        f->n_name = e->n_dynamic_name;
        f->name_hash = evtx_name_hash(f->name, f->n_name);
    }
    if (f->is_unnamed)
        f->index = e->n_unnamed++;
    if (f->system && !e->record.system_at[f->system])
        e->record.system_at[f->system] = (uint16_t)e->n_fields;
    *ret = f;
    return 0;
}

static bool is_string(uint8_t type)
{
    return (type & ~EVTX_TYPE_ARRAY) == EVTX_STRING || (type & ~EVTX_TYPE_ARRAY) == EVTX_ANSI_STRING;
}

/* text_need - the room evtx_value may use. */
static size_t text_need(uint8_t type, size_t n)
{
    if (!is_string(type))
        return 0;
    return type == EVTX_STRING ? n / 2 * 3 : n * 3;
}

static int field_value(struct evtx *e, const struct evtx_op *op, uint8_t type, const uint8_t *p, size_t n,
                       struct evtx_field **ret)
{
    if (!has_text_room(e, text_need(type, n)))
        return EVTX_LIMIT;
    int s = field_add(e, op, ret);
    if (s)
        return s;
    e->n_text += (uint32_t)evtx_value(type, p, n, *ret, e->text + e->n_text);
    return 0;
}

static size_t string_item(const uint8_t *p, size_t n, size_t unit, size_t *ret_next)
{
    size_t i = 0;
    while (i + unit <= n && (p[i] || p[i + unit - 1]))
        i += unit;
    *ret_next = i + unit <= n ? i + unit : n;
    return i;
}

/* evtx_array_item - the next item of an array at *@at; false behind the last. A rest too short is an item too. */
bool evtx_array_item(uint8_t type, const uint8_t *p, size_t n, size_t *at, const uint8_t **ret_p, size_t *ret_n)
{
    static const uint8_t sizes[] = {
        [EVTX_INT8] = 1,   [EVTX_UINT8] = 1,   [EVTX_INT16] = 2,     [EVTX_UINT16] = 2,      [EVTX_INT32] = 4,
        [EVTX_UINT32] = 4, [EVTX_INT64] = 8,   [EVTX_UINT64] = 8,    [EVTX_REAL32] = 4,      [EVTX_REAL64] = 8,
        [EVTX_BOOL] = 4,   [EVTX_GUID] = 16,   [EVTX_FILETIME] = 8,  [EVTX_SYSTEMTIME] = 16, [EVTX_HEX32] = 4,
        [EVTX_HEX64] = 8,
    };
    uint8_t item = type & (uint8_t)~EVTX_TYPE_ARRAY;
    size_t left = n - *at, size = item < sizeof(sizes) ? sizes[item] : 0;
    if (!left)
        return false;
    *ret_p = p + *at;
    if (is_string(item)) {
        size_t next;
        *ret_n = string_item(*ret_p, left, item == EVTX_STRING ? 2 : 1, &next);
        *at += next;
        return true;
    }
    if (item == EVTX_SIZE) /* pointers: the array says not of which machine */
        size = n % 8 ? 4 : 8;
    if (item == EVTX_SID && left >= 8)
        size = 8 + 4 * (size_t)(*ret_p)[1];
    if (!size || size > left)
        size = left;
    *ret_n = size;
    *at += size;
    return true;
}

static int array(struct evtx *e, const struct evtx_op *op, const struct evtx_value *v)
{
    const uint8_t *p = e->chunk + v->at, *item;
    struct evtx_field *f;
    size_t at = 0, n;
    uint16_t index = 0;
    if (!v->n)
        return field_add(e, op, &f);
    while (evtx_array_item(v->type, p, v->n, &at, &item, &n)) {
        int s = field_value(e, op, v->type & (uint8_t)~EVTX_TYPE_ARRAY, item, n, &f);
        if (s)
            return s;
        f->is_array = true;
        if (!f->is_unnamed)
            f->index = index++;
    }
    return 0;
}

/* slot - the field of one substitution; null ones are told only where the element itself is data. */
static int slot(struct evtx *e, const struct evtx_op *op, struct evtx_value v, unsigned depth)
{
    struct evtx_field *f;
    if (v.type == EVTX_TYPE_BINXML)
        return evtx_run(e, v.at, v.at + v.n, (uint32_t)(op - e->ops), depth + 1);
    if (v.type == EVTX_NULL || (v.type & EVTX_TYPE_ARRAY && !v.n)) {
        return op->flags & OP_TELLS_NULL ? field_add(e, op, &f) : 0;
    }
    if (v.type & EVTX_TYPE_ARRAY)
        return array(e, op, &v);
    return field_value(e, op, v.type, e->chunk + v.at, v.n, &f);
}

static struct evtx_value value_of(const struct evtx *e, uint32_t values, uint32_t n_values, uint16_t number)
{
    return number < n_values ? e->values[values + number] : (struct evtx_value){0};
}

/* append - text to the record's, as part of one joined value. */
static int append(struct evtx *e, const char *p, size_t n)
{
    if (!has_text_room(e, n))
        return EVTX_LIMIT;
    if (n)
        memcpy(e->text + e->n_text, p, n);
    e->n_text += (uint32_t)n;
    return 0;
}

static int append_value(struct evtx *e, struct evtx_value v)
{
    const uint8_t *p = e->chunk + v.at, *item;
    size_t at = 0, n;
    bool is_array = v.type & EVTX_TYPE_ARRAY;
    char number[EVTX_VALUE_ROOM];
    while (is_array ? evtx_array_item(v.type, p, v.n, &at, &item, &n) : !at) {
        struct evtx_field f = {0};
        uint8_t type = v.type & (uint8_t)~EVTX_TYPE_ARRAY;
        if (is_array && item != p && append(e, ",", 1))
            return EVTX_LIMIT;
        if (!is_array) {
            item = p;
            n = v.n;
            at = 1;
        }
        if (!has_text_room(e, text_need(type, n)))
            return EVTX_LIMIT;
        e->n_text += (uint32_t)evtx_value(type, item, n, &f, e->text + e->n_text);
        for (size_t i = 0; f.type == EVTX_BINARY && i < f.bytes.n; i++) {
            static const char digits[] = "0123456789ABCDEF";
            if (append(e, (char[]){digits[f.bytes.p[i] >> 4], digits[f.bytes.p[i] & 15]}, 2))
                return EVTX_LIMIT;
        }
        if (append(e, number, evtx_value_text(&f, number)))
            return EVTX_LIMIT;
    }
    return 0;
}

/* mix - one field from several pieces. A fragment between them stands for itself. */
static int mix(struct evtx *e, const struct evtx_op *op, uint32_t values, uint32_t n_values, unsigned depth)
{
    uint32_t first = e->n_text, n_span = op->n_span, head = (uint32_t)(op - e->ops);
    bool has_fragment = false;
    for (uint32_t i = 1; i <= n_span; i++) {
        const struct evtx_op *piece = &e->ops[head + i];
        struct evtx_value v = value_of(e, values, n_values, piece->slot);
        int s;
        if (piece->code == OP_TEXT)
            s = append(e, e->names + piece->text_at, piece->n_text);
        else if (v.type == EVTX_TYPE_BINXML)
            s = (has_fragment = true, 0);
        else
            s = append_value(e, v);
        if (s)
            return s;
    }
    for (uint32_t i = 1; has_fragment && i <= n_span; i++) {
        const struct evtx_op *piece = &e->ops[head + i];
        struct evtx_value v = value_of(e, values, n_values, piece->slot);
        int s = v.type == EVTX_TYPE_BINXML ? slot(e, &e->ops[head], v, depth) : 0;
        if (s)
            return s;
    }
    if (has_fragment && op->level < 2)
        return 0;
    struct evtx_field *f;
    int s = field_add(e, op, &f);
    if (s)
        return s;
    f->type = EVTX_STRING;
    f->text = (struct text){e->text + first, e->n_text - first};
    return 0;
}

static int dynamic_name(struct evtx *e, struct evtx_value v)
{
    uint32_t first = e->n_text;
    int s = append_value(e, v);
    e->dynamic_name = e->text + first;
    e->n_dynamic_name = e->n_text - first;
    return s;
}

static int literal(struct evtx *e, const struct evtx_op *op)
{
    struct evtx_field *f;
    int s = field_add(e, op, &f);
    if (s)
        return s;
    f->type = EVTX_STRING;
    f->text = (struct text){e->names + op->text_at, op->n_text};
    return 0;
}

static int run_program(struct evtx *e, const struct evtx_program *g, uint32_t values, uint32_t n_values, unsigned depth)
{
    uint32_t end = g->first + g->n;
    int s = 0;
    e->n_steps += g->n;
    if (e->n_steps > EVTX_STEPS_MAX)
        return EVTX_LIMIT;
    for (uint32_t i = g->first; i < end && !s; i++) {
        const struct evtx_op *op = &e->ops[i];
        struct evtx_value v = value_of(e, values, n_values, op->slot);
        struct evtx_field *f = NULL;
        switch ((enum evtx_code)op->code) {
        case OP_SLOT:
            s = slot(e, op, v, depth);
            break;
        case OP_TEXT:
            s = literal(e, op);
            break;
        case OP_NULL:
            s = field_add(e, op, &f);
            break;
        case OP_MIX:
            s = mix(e, op, values, n_values, depth);
            i += op->n_span;
            break;
        case OP_NAME:
            s = dynamic_name(e, v);
            break;
        case OP_DEPEND:
            i += v.type == EVTX_NULL ? op->n_span : 0;
            break;
        }
    }
    return s;
}

static int run_either(struct evtx *e, const struct evtx_program *g, uint32_t values, uint32_t n_values, unsigned depth)
{
    e->has_event = true;
    return e->out ? evtx_xml_program(e, g, values, n_values, depth) : run_program(e, g, values, n_values, depth);
}

/*
 * instance: token (1), reserved (1), template id (4), offset of its definition (4), [the definition, where it is
 * first used], number of values (4), for each size (2), type (1), reserved (1); then the values
 */
static int instance(struct evtx *e, uint32_t *at, uint32_t end, uint32_t context, unsigned depth)
{
    uint32_t i = *at, program, first = e->n_values;
    e->failed_at = i;
    if (end - i < 14)
        return EVTX_RECORD_SHORT;
    uint32_t id = load_le32(e->chunk + i + 2), definition = load_le32(e->chunk + i + 6);
    i += 10;
    bool is_inline = definition == i;
    if (is_inline && (end - i < 24 || load_le32(e->chunk + i + 4) != id))
        return EVTX_BAD_TEMPLATE;
    int s = evtx_template(e, definition, id, context, &program);
    if (s)
        return s;
    e->failed_at = i;
    if (is_inline) {
        uint64_t size = 24 + (uint64_t)load_le32(e->chunk + i + 20);
        if (size > end - i)
            return EVTX_RECORD_SHORT;
        i += (uint32_t)size;
    }
    uint32_t n = end - i < 4 ? UINT32_MAX : load_le32(e->chunk + i);
    if (n > (end - i) / 4 - 1 || n > EVTX_VALUES_MAX - first)
        return EVTX_RECORD_SHORT;
    const uint8_t *descriptor = e->chunk + i + 4;
    i += 4 + 4 * n;
    struct evtx_value *v = e->values + first;
    for (uint32_t k = 0; k < n; k++, descriptor += 4) {
        v[k] = (struct evtx_value){.at = i, .n = load_le16(descriptor), .type = descriptor[2]};
        i += v[k].n;
    }
    if (i > end)
        return EVTX_RECORD_SHORT;
    *at = i;
    e->n_values = first + n;
    s = run_either(e, &e->programs[program], first, n, depth);
    e->n_values = first;
    return s;
}

/* free_element - used once and forgotten, but for its text: the fields of this record still name it. */
static int free_element(struct evtx *e, uint32_t *at, uint32_t end, uint32_t context, unsigned depth)
{
    struct evtx_mark mark = evtx_mark(e);
    struct evtx_program g;
    int s = evtx_element(e, at, end, context, &g);
    s = s ? s : run_either(e, &g, e->n_values, 0, depth);
    if (!e->out)
        mark.n_names = e->n_names;
    evtx_forget(e, mark);
    return s;
}

/* evtx_run - the fragment at @at..@end: headers, instances of templates, free elements. */
int evtx_run(struct evtx *e, uint32_t at, uint32_t end, uint32_t context, unsigned depth)
{
    if (depth >= EVTX_DEPTH_MAX)
        return EVTX_TOO_DEEP;
    while (at < end) {
        int s = 0;
        if (++e->n_steps > EVTX_STEPS_MAX)
            return EVTX_LIMIT;
        switch (e->chunk[at] & ~TOKEN_MORE) {
        case TOKEN_END:
            return 0;
        case TOKEN_HEADER:
            at = end - at < 4 ? end : at + 4;
            break;
        case TOKEN_TEMPLATE:
            s = instance(e, &at, end, context, depth);
            break;
        case TOKEN_OPEN:
            s = free_element(e, &at, end, context, depth);
            break;
        default:
            e->failed_at = at;
            return EVTX_BAD_TOKEN;
        }
        if (s)
            return s;
    }
    return 0;
}
