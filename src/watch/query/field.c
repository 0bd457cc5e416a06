/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of what is not simply a column; the columns come from format/flow.
 */
#include "watch/query/field.h"

#include "format/event.h"

#include <string.h>

#define N(id) FLOW_COLUMN_NUMBER(FLOW_##id)

/* computed fields, and columns that are shown by a name of theirs: looked up before the columns */
static const struct {
    const char *name, *alias;
    enum query_field_kind kind;
    unsigned column, column2;
    enum query_kind value;
    uint64_t max;
} computed[] = {
    {"@timestamp", "time", QUERY_FIELD_NUMBER, N(START), 0, QUERY_TIME, INT64_MAX},
    {"network.bytes", "bytes", QUERY_FIELD_SUM, N(SOURCE_BYTES), N(DESTINATION_BYTES), QUERY_NUMBER, UINT64_MAX},
    {"network.packets", "packets", QUERY_FIELD_SUM, N(SOURCE_PACKETS), N(DESTINATION_PACKETS), QUERY_NUMBER, UINT64_MAX},
    {"network.transport", "transport", QUERY_FIELD_TRANSPORT, N(PROTOCOL), 0, QUERY_TEXT, UINT8_MAX},
    {"network.direction", "direction", QUERY_FIELD_DIRECTION, N(DIRECTION), 0, QUERY_TEXT, UINT8_MAX},
    {"observer.ip", "exporter", QUERY_FIELD_OBSERVER_IP, N(OBSERVER), 0, QUERY_IP, 0},
    {"observer.domain", "domain", QUERY_FIELD_OBSERVER_DOMAIN, N(OBSERVER), 0, QUERY_NUMBER, UINT32_MAX},
    {"ip", "host.ip", QUERY_FIELD_ENDS_IP, FLOW_SOURCE_IP, FLOW_DESTINATION_IP, QUERY_IP, 0},
    {"port", "", QUERY_FIELD_ENDS_PORT, N(SOURCE_PORT), N(DESTINATION_PORT), QUERY_NUMBER, UINT16_MAX},
    {"list", "", QUERY_FIELD_LIST, FLOW_SOURCE_IP, FLOW_DESTINATION_IP, QUERY_TEXT, 0},
};

static const struct {
    const char *name, *alias;
} texts[] = {
#define X(ID, ecs, alias) {ecs, alias},
    FLOW_TEXTS(X)
#undef X
};

/* what one reads first in a row; the rest follows in the order of format/flow */
static const char *const first_columns[] = {
    "event.start",     "event.end",         "source.ip",         "source.port", "destination.ip",
    "destination.port", "network.transport", "network.packets",   "network.bytes", "source.packets",
    "source.bytes",    "destination.packets", "destination.bytes", "observer.ip", "observer.domain",
};

static const char *const events[] = {
#define X(ID, ecs, type) ecs,
    EVENT_FIELDS(X)
#undef X
};

/* ECS: related.* gathers what stands in these; the stored field of that name, which some senders fill, is the last */
static const char *const related[][QUERY_RELATED_MAX + 1] = {
    {"source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip", "client.ip", "server.ip", "host.ip", "observer.ip",
     "dns.resolved_ip", "related.ip"},
    {"user.name", "user.id", "user.email", "user.target.name", "user.target.id", "user.effective.name", "source.user.name",
     "destination.user.name", "related.user"},
    {"host.name", "host.hostname", "log.syslog.hostname", "winlog.computer_name", "observer.name", "observer.hostname", "agent.name",
     "source.domain", "destination.domain", "client.domain", "server.domain", "source.address", "destination.address", "url.domain",
     "dns.question.name", "tls.client.server_name", "related.hosts"},
    {"process.hash.md5", "process.hash.sha1", "process.hash.sha256", "process.pe.imphash", "file.hash.md5", "file.hash.sha1",
     "file.hash.sha256", "file.pe.imphash", "tls.client.ja3", "tls.client.ja4", "tls.server.ja3s", "tls.server.hash.sha1", "related.hash"},
};
enum { N_RELATED = sizeof(related) / sizeof(*related) };

enum { N_COMPUTED = sizeof(computed) / sizeof(*computed), N_TEXTS = sizeof(texts) / sizeof(*texts),
       N_FIRST = sizeof(first_columns) / sizeof(*first_columns) };

static struct text from_c(const char *s)
{
    return (struct text){s, strlen(s)};
}

static bool is_called(struct text t, const char *name, const char *alias)
{
    return text_is_nocase(t, name) || (*alias && text_is_nocase(t, alias));
}

static bool is_time(unsigned column)
{
    return column == N(START) || column == N(END) || column == N(RECEIVED);
}

static struct query_field of_column(unsigned c)
{
    const struct flow_column *column = &flow_columns[c];
    struct query_field f = {.column = c, .name = from_c(column->name)};
    if (c < FLOW_N_ADDRESSES) {
        f.kind = QUERY_FIELD_ADDRESS;
        f.value = QUERY_IP;
        return f;
    }
    f.kind = QUERY_FIELD_NUMBER;
    f.value = is_time(c) ? QUERY_TIME : column->is_signed ? QUERY_SIGNED : QUERY_NUMBER;
    f.max = column->is_signed ? INT64_MAX : column->width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * column->width)) - 1;
    return f;
}

static struct query_field of_event(uint16_t i)
{
    struct query_field f = {.kind = QUERY_FIELD_EVENT, .column = FLOW_COLUMN_TEXT, .name = from_c(events[i]), .max = UINT64_MAX};
    switch (event_field_type(i)) {
    case EVENT_LONG:
    case EVENT_ULONG: f.value = QUERY_NUMBER; return f;
    case EVENT_IP: f.value = QUERY_IP; return f;
    case EVENT_DATE: f.value = QUERY_TIME; return f;
    case EVENT_KEYWORD:
    case EVENT_TEXT:
    case EVENT_REAL:
    case EVENT_BOOL:
    case EVENT_NULL:
    case EVENT_N_TYPES: break;
    }
    return query_field_text(f.name);
}

struct query_field query_field_text(struct text name)
{
    return (struct query_field){QUERY_FIELD_TEXT, FLOW_COLUMN_TEXT, 0, name, QUERY_TEXT, 0, 0};
}

static const char *last_of(size_t group)
{
    size_t n = 0;
    while (related[group][n + 1])
        n++;
    return related[group][n];
}

static uint8_t related_of(const char *name)
{
    for (size_t i = 0; i < N_RELATED; i++)
        if (!strcmp(last_of(i), name))
            return (uint8_t)(i + 1);
    return 0;
}

static bool event_field(struct text name, struct query_field *ret)
{
    for (uint32_t i = 0; i < EVENT_N_FIELDS; i++)
        if (text_is_nocase(name, events[i])) {
            *ret = of_event((uint16_t)i);
            ret->related = related_of(events[i]);
            return true;
        }
    return false;
}

bool query_field_related(const struct query_field *f, size_t i, struct query_field *ret)
{
    const char *name = f->related && i < QUERY_RELATED_MAX ? related[f->related - 1][i] : NULL;
    /* host.ip alone means either end of a flow, which is there already */
    if (!name || ((!query_field_find(from_c(name), ret) || ret->kind >= QUERY_FIELD_ENDS_IP) && !event_field(from_c(name), ret)))
        return false;
    ret->related = 0;
    return true;
}

bool query_field_find(struct text name, struct query_field *ret)
{
    for (size_t i = 0; i < N_COMPUTED; i++)
        if (is_called(name, computed[i].name, computed[i].alias)) {
            *ret = (struct query_field){computed[i].kind,  computed[i].column, computed[i].column2, from_c(computed[i].name),
                                        computed[i].value, computed[i].max, 0};
            return true;
        }
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++)
        if (is_called(name, flow_columns[c].name, flow_columns[c].alias)) {
            *ret = of_column(c);
            return true;
        }
    for (size_t i = 0; i < N_TEXTS; i++)
        if (is_called(name, texts[i].name, texts[i].alias)) {
            *ret = query_field_text(from_c(texts[i].name));
            return true;
        }
    return event_field(name, ret);
}

/* edit distance with early end; names are short */
static unsigned distance(struct text a, const char *b)
{
    enum { MAX = 40 };
    size_t n_b = strlen(b);
    if (a.n >= MAX || n_b >= MAX)
        return MAX;
    unsigned row[MAX + 1];
    for (unsigned j = 0; j <= n_b; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n_b; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (a.p[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[n_b];
}

static void nearer(struct text name, const char *candidate, unsigned *best, const char **ret)
{
    unsigned d = *candidate ? distance(name, candidate) : 99;
    if (d < *best) {
        *best = d;
        *ret = candidate;
    }
}

const char *query_field_near(struct text name)
{
    unsigned best = name.n > 6 ? 5 : 3; /* farther is no help */
    const char *found = NULL;
    for (size_t i = 0; i < N_COMPUTED; i++)
        nearer(name, computed[i].name, &best, &found);
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++)
        nearer(name, flow_columns[c].name, &best, &found);
    for (size_t i = 0; i < N_TEXTS; i++)
        nearer(name, texts[i].name, &best, &found);
    for (size_t i = 0; i < EVENT_N_FIELDS; i++)
        nearer(name, events[i], &best, &found);
    return found;
}

static bool is_first_column(const char *name)
{
    for (size_t i = 0; i < N_FIRST; i++)
        if (!strcmp(first_columns[i], name))
            return true;
    return false;
}

bool query_field_row(size_t i, struct query_field *ret)
{
    if (i < N_FIRST)
        return query_field_find(from_c(first_columns[i]), ret);
    i -= N_FIRST;
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
        if (is_first_column(flow_columns[c].name))
            continue;
        if (!i--)
            return query_field_find(from_c(flow_columns[c].name), ret);
    }
    if (i >= N_TEXTS)
        return false;
    *ret = query_field_text(from_c(texts[i].name));
    return true;
}

uint64_t query_field_has(const struct query_field *f)
{
    if (f->kind == QUERY_FIELD_EVENT)
        return 0;
    uint64_t has = UINT64_C(1) << f->column;
    if (f->kind == QUERY_FIELD_SUM || f->kind >= QUERY_FIELD_ENDS_IP)
        has |= UINT64_C(1) << f->column2;
    return has;
}

const char *query_direction_name(uint64_t direction)
{
    return direction == 0 ? "ingress" : direction == 1 ? "egress" : NULL;
}

static int order64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int query_value_compare(const struct query_value *a, const struct query_value *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    switch (a->kind) {
    case QUERY_ABSENT:
        return 0;
    case QUERY_IP:
        return ip_compare(&a->ip, &b->ip);
    case QUERY_NUMBER:
        return order64(a->number, b->number);
    case QUERY_SIGNED:
    case QUERY_TIME:
        return (a->time_us > b->time_us) - (a->time_us < b->time_us);
    case QUERY_REAL:
        return (a->real > b->real) - (a->real < b->real);
    case QUERY_TEXT:
        break;
    }
    size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
    int order = n ? memcmp(a->text.p, b->text.p, n) : 0;
    return order ? order : order64(a->text.n, b->text.n);
}
