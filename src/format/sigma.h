/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/sigma - Sigma 2.1 documents: detection rules, correlation rules and filters, as trees ready to be compiled.
 *
 * In:     one file's bytes, untrusted; the values of placeholders the site defines.
 * Out:    one struct sigma_rule a document, in order, understood or refused with line, reason and detail.
 * Limits: those of yaml_tree; SIGMA_VALUES_MAX values a rule after expansion, SIGMA_TEXT_MAX bytes a value,
 *         SIGMA_SEARCHES_MAX search identifiers, SIGMA_CONDITION_DEPTH brackets. Everything lives in the caller's arena.
 *         No I/O, no logging, no global state.
 * Source: Sigma specification 2.1.0: rules, modifiers, correlation rules, filters; `action:` of specification 1.
 * Fuzz:   tests/fuzz/sigma.c
 */
#pragma once

#include "base/ip.h"
#include "format/yaml_tree.h"

#define SIGMA_VALUES_MAX 65536u
#define SIGMA_TEXT_MAX 16384u
#define SIGMA_SEARCHES_MAX 512u
#define SIGMA_CONDITION_DEPTH 32u
#define SIGMA_CONDITION_MAX 512u /* words of a condition */
#define SIGMA_EXPANSIONS_MAX 1024u /* texts one value with placeholders becomes */
#define SIGMA_RELATED_MAX 256u   /* rules, group-by fields, aliases of a correlation */

/* X(ID, "name") - why a document is refused; the text for people is message sigma_reason_<name> */
#define SIGMA_REASONS(X)                                  \
    X(YAML, "yaml")                                       \
    X(ALIAS, "alias")                                     \
    X(DEEP, "deep")                                       \
    X(LARGE, "large")                                     \
    X(TWICE, "twice")                                     \
    X(KEY, "key")                                         \
    X(NO_MAP, "no_map")                                   \
    X(NO_TITLE, "no_title")                               \
    X(NO_LOGSOURCE, "no_logsource")                       \
    X(NO_DETECTION, "no_detection")                       \
    X(NO_CONDITION, "no_condition")                       \
    X(BAD_LEVEL, "bad_level")                             \
    X(BAD_SEARCH, "bad_search")                           \
    X(EMPTY_LIST, "empty_list")                           \
    X(MODIFIER, "modifier")                               \
    X(MODIFIER_MISUSE, "modifier_misuse")                 \
    X(BAD_BASE64, "wildcard_encoded")                     \
    X(BAD_NUMBER, "bad_number")                           \
    X(BAD_CIDR, "bad_cidr")                               \
    X(BAD_REGEX, "bad_regex")                             \
    X(BAD_BOOLEAN, "bad_boolean")                         \
    X(PLACEHOLDER, "placeholder")                         \
    X(VALUES, "values")                                   \
    X(CONDITION, "condition")                             \
    X(CONDITION_NAME, "condition_name")                   \
    X(AGGREGATION, "aggregation")                         \
    X(CORRELATION_TYPE, "correlation_type")               \
    X(CORRELATION_RULES, "correlation_rules")             \
    X(CORRELATION_GROUP, "correlation_group")             \
    X(CORRELATION_TIMESPAN, "correlation_timespan")       \
    X(CORRELATION_CONDITION, "correlation_condition")     \
    X(CORRELATION_FIELD, "correlation_field")             \
    X(CORRELATION_ALIAS, "correlation_alias")             \
    X(FILTER_RULES, "filter_rules")                       \
    X(UNKNOWN_RULE, "unknown_rule")                       \
    X(REFUSED_RULE, "refused_rule")                       \
    X(CYCLE, "cycle")                                     \
    X(DUPLICATE_ID, "duplicate_id")                       \
    X(UNREADABLE, "unreadable")                           \
    X(TOO_MANY, "too_many")

enum sigma_reason {
    SIGMA_FINE,
#define X(ID, name) SIGMA_##ID,
    SIGMA_REASONS(X)
#undef X
        SIGMA_N_REASONS
};
/* sigma_reason_name - "yaml", ...; static. */
const char *sigma_reason_name(enum sigma_reason reason);

/* Marks inside a pattern: bytes that valid UTF-8 never holds. */
#define SIGMA_ANY '\xff'  /* any number of characters */
#define SIGMA_ONE '\xfe'  /* one character */
#define SIGMA_DASH '\xfd' /* one of - / and the dashes U+2013, U+2014, U+2015 */

enum sigma_match {
    SIGMA_PATTERN,  /* text with marks; without marks: equal */
    SIGMA_REGEX,    /* text: PCRE */
    SIGMA_CIDR,     /* range */
    SIGMA_FIELDREF, /* text: the other field; is_start, is_end: how it lies in it */
    SIGMA_EXISTS,   /* is_true */
    SIGMA_NULL,
    SIGMA_LT,
    SIGMA_LTE,
    SIGMA_GT,
    SIGMA_GTE,
    SIGMA_NUMBER    /* equal, of a part of a time */
};

struct sigma_value {
    enum sigma_match match;
    bool is_true;                    /* EXISTS */
    bool is_open_start, is_open_end; /* FIELDREF: more may stand before, behind */
    bool is_nocase, is_multiline, is_dotall; /* REGEX */
    bool is_number;                  /* PATTERN from a number without quotes */
    double number;                   /* LT.. and NUMBER */
    struct ip_range range;
    struct text text;
    const struct sigma_value *or; /* another form of the same value: base64 offsets, placeholders */
};

enum sigma_part { SIGMA_WHOLE, SIGMA_MINUTE, SIGMA_HOUR, SIGMA_DAY, SIGMA_WEEK, SIGMA_MONTH, SIGMA_YEAR };

struct sigma_item {
    struct text field; /* empty: anywhere in the event */
    enum sigma_part part;
    bool is_all;   /* every value, else any */
    bool is_not;   /* neq */
    bool is_cased;
    uint32_t line;
    uint32_t n;
    struct sigma_value *values;
};

enum sigma_node_kind { SIGMA_AND, SIGMA_OR, SIGMA_NOT, SIGMA_LEAF };

/* a tree whose branches may be shared; no cycles */
struct sigma_node {
    enum sigma_node_kind kind;
    uint32_t n;
    struct sigma_node **children; /* NOT has one */
    const struct sigma_item *item; /* LEAF */
    const void *memo, *memo_of;    /* of whoever compiles it: what it became, and for whom */
};

struct sigma_logsource {
    struct text category, product, service; /* empty: not said */
};

enum sigma_level { SIGMA_LEVEL_NONE, SIGMA_INFORMATIONAL, SIGMA_LOW, SIGMA_MEDIUM, SIGMA_HIGH, SIGMA_CRITICAL };
const char *sigma_level_name(enum sigma_level level); /* "" for none */

enum sigma_kind { SIGMA_DETECTION, SIGMA_CORRELATION, SIGMA_FILTER };
enum sigma_correlation_type { SIGMA_EVENT_COUNT, SIGMA_VALUE_COUNT, SIGMA_TEMPORAL, SIGMA_TEMPORAL_ORDERED, SIGMA_VALUE_SUM,
    SIGMA_VALUE_AVG, SIGMA_VALUE_PERCENTILE };
enum sigma_compare { SIGMA_CMP_GT = 1, SIGMA_CMP_GTE, SIGMA_CMP_LT, SIGMA_CMP_LTE, SIGMA_CMP_EQ, SIGMA_CMP_NEQ };

struct sigma_alias {
    struct text alias, rule, field;
};

struct sigma_correlation {
    enum sigma_correlation_type type;
    bool may_generate;
    uint32_t n_rules, n_group, n_fields, n_aliases, n_compares;
    struct text *rules, *group, *fields;
    struct sigma_alias *aliases;
    struct {
        enum sigma_compare how;
        double to;
    } compares[6];      /* all must hold */
    double percentile;  /* VALUE_PERCENTILE: of "percentile:", else 50 */
    int64_t timespan_us;
};

struct sigma_rule {
    struct sigma_rule *next;
    enum sigma_kind kind;
    enum sigma_reason reason; /* SIGMA_FINE: understood */
    uint32_t line;            /* of the document, or of what is wrong */
    char detail[96];          /* what is wrong, printable */
    struct text title, id, name, status, author;
    enum sigma_level level;
    uint32_t n_tags;
    struct text *tags;
    struct sigma_logsource logsource;
    struct sigma_node *root; /* DETECTION; FILTER: what its condition says */
    bool is_keep;                  /* FILTER: the condition begins with "not": what it says stays, else it is what goes */
    uint32_t n_rules;              /* FILTER; 0: any */
    struct text *rules;
    struct sigma_correlation *correlation;
};

struct sigma_placeholder {
    struct text name;
    const struct text *values;
    uint32_t n;
};
struct sigma_options {
    const struct sigma_placeholder *placeholders;
    uint32_t n_placeholders;
};

/*
 * sigma_parse - @p, @n borrowed for the call. @ret_first: the documents; a file that is no YAML gives one refused rule.
 * Return: 0 or -ENOMEM (also when the arena is full).
 */
int sigma_parse(const char *p, size_t n, const struct sigma_options *o, struct arena *arena, struct sigma_rule **ret_first);

/*
 * sigma_search - one search (a map, a list) outside of a rule, as pipelines use it.
 * Return: 0; 1 with reason, line and detail in @r; -ENOMEM.
 */
int sigma_search(const struct yaml_tree *t, struct arena *arena, struct sigma_rule *r, struct sigma_node **ret);
