/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flow_values.h"

#include <string.h>

int flow_values_begin(struct flow_values *v, const struct query_sink *sink)
{
    *v = (struct flow_values){.sink = *sink};
    while (v->n < QUERY_COLUMNS && query_field_row(v->n, &v->fields[v->n])) {
        v->columns[v->n] = (struct query_column){v->fields[v->n].name, v->fields[v->n].value};
        v->n++;
    }
    return sink->begin(sink->context, v->columns, v->n);
}

static struct ip address_of(const struct flow *f, unsigned column)
{
    switch (column) {
#define X(ID, member, ecs, alias) \
    case FLOW_##ID: return f->member;
        FLOW_ADDRESSES(X)
#undef X
    default: return (struct ip){0};
    }
}

static uint64_t number_of(const struct flow *f, unsigned column)
{
    switch (column - FLOW_N_ADDRESSES) {
#define X(ID, member, type, ecs, alias) \
    case FLOW_##ID: return (uint64_t)f->member;
        FLOW_NUMBERS(X)
#undef X
    default: return 0;
    }
}

static uint64_t sum_of(const struct flow *f, const struct query_field *q)
{
    uint64_t sum;
    if (__builtin_add_overflow(number_of(f, q->column), number_of(f, q->column2), &sum))
        sum = UINT64_MAX;
    return sum;
}

static void name_value(struct query_value *v, const char *name)
{
    if (!name) { /* a protocol without a name here prints its number under network.iana_number */
        v->kind = QUERY_ABSENT;
        return;
    }
    v->kind = QUERY_TEXT;
    v->text = (struct text){name, strlen(name)};
}

static void value_of(const struct flow *f, const struct flow_observer *o, const struct query_field *q,
                     struct query_value *v)
{
    *v = (struct query_value){.kind = QUERY_ABSENT};
    bool is_observer = q->kind == QUERY_FIELD_OBSERVER_IP || q->kind == QUERY_FIELD_OBSERVER_DOMAIN;
    if (is_observer ? !o : !(f->present & query_field_has(q)))
        return;
    v->kind = q->value;
    switch (q->kind) {
    case QUERY_FIELD_ADDRESS: v->ip = address_of(f, q->column); break;
    case QUERY_FIELD_NUMBER: v->number = number_of(f, q->column); break;
    case QUERY_FIELD_SUM: v->number = sum_of(f, q); break;
    case QUERY_FIELD_TRANSPORT: name_value(v, flow_transport_name(f->protocol)); break;
    case QUERY_FIELD_DIRECTION: name_value(v, query_direction_name(f->direction)); break;
    case QUERY_FIELD_OBSERVER_IP: v->ip = o->ip; break;
    case QUERY_FIELD_OBSERVER_DOMAIN: v->number = o->domain; break;
    case QUERY_FIELD_TEXT:
        if (!flow_text_get(f->texts, q->name.p, &v->text)) /* well-known names are terminated constants */
            v->kind = QUERY_ABSENT;
        break;
    case QUERY_FIELD_EVENT:
    case QUERY_FIELD_ENDS_IP:
    case QUERY_FIELD_ENDS_PORT:
    case QUERY_FIELD_LIST: v->kind = QUERY_ABSENT; break;
    }
}

int flow_values_put(struct flow_values *v, const struct flow *f, const struct flow_observer *o)
{
    for (size_t i = 0; i < v->n; i++)
        value_of(f, o, &v->fields[i], &v->values[i]);
    return v->sink.row(v->sink.context, v->values, v->n, f->present & FLOW_HAS_TEXT ? f->texts : (struct text){NULL, 0});
}
