/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/field - the names of the query language and the values behind them.
 *
 * Every column of format/flow is a field under its ECS name and its alias; beside them stand
 * fields that are computed (network.bytes, network.packets, network.transport, observer.domain,
 * @timestamp) and the two-sided ones that mean either end (ip, port, list). A quoted name is a
 * stored text of that name. The well-known fields of log events (format/event_fields) are fields too; flows lack them.
 * related.ip, .user, .hosts and .hash mean any field that holds such a value (query_field_related): nothing is stored for them.
 * No I/O, no allocation.
 */
#pragma once

#include "base/clock.h"
#include "format/flow.h"

enum query_kind {
    QUERY_ABSENT, /* the row has no such field */
    QUERY_IP,
    QUERY_NUMBER, /* .number */
    QUERY_SIGNED, /* .time_us as a plain number */
    QUERY_TIME,   /* .time_us */
    QUERY_REAL,
    QUERY_TEXT,
};

struct query_value {
    enum query_kind kind;
    union {
        struct ip ip;
        uint64_t number;
        int64_t time_us;
        double real;
        struct text text; /* borrowed */
    };
};

/* query_value_compare - absent first, then by kind, then by value; texts bytewise. */
int query_value_compare(const struct query_value *a, const struct query_value *b);

enum query_field_kind {
    QUERY_FIELD_ADDRESS,
    QUERY_FIELD_NUMBER,
    QUERY_FIELD_SUM,       /* column + column2, saturating; there if either is */
    QUERY_FIELD_TRANSPORT, /* network.iana_number by name */
    QUERY_FIELD_DIRECTION, /* network.direction by name */
    QUERY_FIELD_OBSERVER_IP,
    QUERY_FIELD_OBSERVER_DOMAIN,
    QUERY_FIELD_TEXT,      /* of flows a stored text; of log events the field of that name */
    QUERY_FIELD_EVENT,     /* of log events only: a number, address or time */
    QUERY_FIELD_ENDS_IP,   /* filters only: source.ip or destination.ip */
    QUERY_FIELD_ENDS_PORT, /* filters only: source.port or destination.port */
    QUERY_FIELD_LIST,      /* filters only: either end in a named list */
};

struct query_field {
    enum query_field_kind kind;
    unsigned column, column2; /* of format/flow */
    struct text name;         /* static, or borrowed from the query */
    enum query_kind value;    /* the kind of its values when present */
    uint64_t max;             /* numbers: the greatest one */
    uint8_t related;          /* not 0: in a filter it stands for several fields */
};

/* query_field_find - by name or alias, any case. Return: true if there is one. */
bool query_field_find(struct text name, struct query_field *ret);
/* query_field_related - member @i of what @f stands for, itself included. Return: false when there are no more. */
#define QUERY_RELATED_MAX 20u
bool query_field_related(const struct query_field *f, size_t i, struct query_field *ret);
/* query_field_text - the field of a stored text that has a name of its own. */
struct query_field query_field_text(struct text name);
/* query_field_near - the known name most like @name, NULL if none is near. */
const char *query_field_near(struct text name);
/*
 * query_field_row - the columns of a whole row, in the order in which csv and json give them: what one reads
 * first, then every other column of format/flow in its order, then the well-known texts.
 * Return: false when @i is past the last.
 */
bool query_field_row(size_t i, struct query_field *ret);
/* query_field_has - the bits of `present` of which any means that a row has the field (texts: FLOW_HAS_TEXT). */
uint64_t query_field_has(const struct query_field *f);
/* query_direction_name - of an IPFIX flowDirection; NULL if it has none. */
const char *query_direction_name(uint64_t direction);
