/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_inside - the compiled form of Sigma rules, shared by the files of watch/detect/sigma.
 *
 * A slot is a small number for an event field that some rule or pipeline asks for; a list is the order of slots in which
 * a Sigma field is looked for: the first that is present counts.
 */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/arena.h"
#include "base/buf.h"
#include "watch/detect/sigma.h"
#include "watch/detect/sigma_pipeline.h"

#include <hs/hs.h>
#include <pcre2.h>

#define SIGMA_SEPARATOR '\x01' /* around each text of the pass; texts that hold it are searched all the same */
#define SIGMA_SLOTS_MAX 16384u
#define SIGMA_NO_SLOT 0u       /* slots count from 1 */
#define SIGMA_ANYWHERE UINT32_MAX /* list of a keyword */
#define SIGMA_NO_CORRELATION UINT32_MAX

enum sigma_test { SIGMA_IS, SIGMA_STARTS, SIGMA_ENDS, SIGMA_HAS, SIGMA_GLOB, SIGMA_FULL, /* any text */
                  SIGMA_MATCHES_REGEX, SIGMA_IN_RANGE, SIGMA_AS_FIELD, SIGMA_IS_THERE, SIGMA_IS_NULL, SIGMA_COMPARES, SIGMA_NEVER };

struct sigma_cvalue {
    uint8_t test;     /* enum sigma_test */
    uint8_t how;      /* COMPARES: enum sigma_match */
    bool is_true;     /* IS_THERE */
    bool is_open_start, is_open_end; /* AS_FIELD */
    uint32_t list;    /* AS_FIELD */
    uint32_t n;
    const char *p;    /* lower case unless the item is cased */
    const struct sigma_cvalue *or;
    union {
        double number;
        pcre2_code *regex;
        struct ip_range *range;
    };
};

struct sigma_citem {
    uint32_t list; /* or SIGMA_ANYWHERE */
    uint32_t n;
    uint8_t part;  /* enum sigma_part */
    bool is_all, is_not, is_cased;
    const struct sigma_cvalue *values;
};

struct sigma_cnode {
    uint8_t kind; /* enum sigma_node_kind */
    uint32_t n;
    const struct sigma_cnode **children;
    const struct sigma_citem *item;
    uint64_t cost;
};

struct sigma_list {
    uint32_t n;
    const uint16_t *slots;
};

/* bits of slots */
enum { SIGMA_KEY_VALUE = 1, SIGMA_KEY_PRESENCE = 2 };

struct sigma_crule {
    const struct sigma_rule *ast;
    struct sigma_about about;
    const struct sigma_cnode *root; /* NULL: a correlation */
    uint32_t n_sources;             /* 0: unmapped */
    const uint32_t *sources;        /* into sigma_rules.sources */
    const struct sigma_pipelines *pipelines;
    bool has_keywords;
    bool is_idle;                   /* unmapped and true of an empty event: never run */
    bool has_literals;              /* needs one of its literals */
    uint32_t pass;                  /* that finds them */
    uint32_t n_feeds;               /* correlations that count it */
    const uint32_t *feeds;
};

/* the literals of some rules, found together */
struct sigma_pass {
    hs_database_t *database;      /* NULL: no rule has one */
    uint32_t n_literals;
    const uint32_t *literal_from; /* n_literals + 1: into literal_rules */
    const uint32_t *literal_rules;
};
#define SIGMA_PASSES_MAX 64u
#define SIGMA_PASS_OWN 250u /* literals from which on a source has a pass of its own; smaller ones share that of their file */

/* a correlation, ready to count */
struct sigma_ccorrelation {
    uint32_t rule;                 /* its own index */
    const struct sigma_correlation *about;
    uint32_t n_rules;
    const uint32_t *rules;         /* in the order of the document */
    /* lists, [i * n_rules + k]: the i-th group-by or field in an event of rule k */
    const uint32_t *group, *fields;
};

struct sigma_when {
    const struct sigma_cnode *node;
};

struct sigma_rules {
    struct arena arena;
    struct event_names *names;
    struct sigma_pipelines pipelines;
    struct sigma_crule *rules;
    uint32_t n_rules;
    struct sigma_ccorrelation *correlations;
    uint32_t n_correlations;
    struct sigma_checked *checked;
    uint32_t n_checked;
    /* fields */
    uint32_t n_slots;               /* slots are 1..n_slots */
    struct text *slot_names;        /* by slot */
    uint16_t *slot_fields;          /* by slot: number of the name, EVENT_NO_FIELD for winlog.user_data.**.X */
    uint8_t *slot_keys;             /* by slot: SIGMA_KEY_* */
    uint32_t n_slots_capacity;
    uint32_t *slot_hash;            /* slot by name, open addressing, SIGMA_SLOTS_MAX * 2 */
    struct sigma_list *lists;
    uint32_t n_lists, lists_capacity;
    uint32_t *list_hash, list_hash_n;
    /* sources: one per pipeline source */
    struct sigma_when *whens;
    /* literals, apart for log sources that have many of them: an event is looked through for what may concern it */
    struct sigma_pass *passes;
    uint32_t n_passes, n_literals;
    uint64_t keyword_passes; /* bits: of rules with keywords; the others look at fields only */
    pcre2_code **regexes;
    uint32_t n_regexes, regexes_capacity;
};

/* sigma_field.c: slots and lists while compiling. 0 / UINT32_MAX when full or memory is out. */
uint32_t sigma_slot(struct sigma_rules *r, struct text name);
/* sigma_field_list - the slots of @field as rule sources @sources see it. Return: list, or UINT32_MAX. */
uint32_t sigma_field_list(struct sigma_rules *r, const uint32_t *sources, uint32_t n_sources, struct text field);
/* sigma_raw_list - one event field by its own name. */
uint32_t sigma_raw_list(struct sigma_rules *r, struct text name);
/* sigma_slot_find - SIGMA_NO_SLOT when no rule asks for it. */
uint32_t sigma_slot_find(const struct sigma_rules *r, struct text name);
/* sigma_slot_of_name - of a field of events, also through winlog.user_data.**.X. */
uint32_t sigma_slot_of_name(const struct sigma_rules *r, struct text name);

/* sigma_compile.c */
struct sigma_source_set {
    const uint32_t *sources;
    uint32_t n;
    bool is_raw; /* names of events themselves */
};
/* sigma_compile_node - Return: 0; 1 with @rule refused; -ENOMEM. */
int sigma_compile_node(struct sigma_rules *r, const struct sigma_source_set *s, struct sigma_node *node, struct sigma_rule *rule,
                       const struct sigma_cnode **ret);
bool sigma_node_has_keywords(const struct sigma_cnode *node);
/* sigma_literal.c: the database. Return: 0 or -ENOMEM. */
int sigma_literals_build(struct sigma_rules *r);
/* sigma_regex_literal - the longest text every match of the expression holds; .n 0 when unknown. In @arena. */
struct text sigma_regex_literal(struct arena *arena, const struct sigma_value *v);

/* sigma_match.c: within a match, the first value of a list in the row in hand; NULL when there is none. */
const struct event_value *sigma_matcher_value(struct sigma_matcher *m, uint32_t list);

/* sigma_link.c: what rules say of each other. Return: 0 or -ENOMEM. */
struct sigma_loaded {
    struct sigma_rule *rule;
    const char *file;
    uint32_t compiled; /* index in sigma_rules.rules, UINT32_MAX: none */
    uint8_t state;     /* of correlations: SIGMA_NEW .. */
};
int sigma_link_filters(struct sigma_rules *r, struct sigma_loaded *all, uint32_t n);
int sigma_link_correlations(struct sigma_rules *r, struct sigma_loaded *all, uint32_t n);
void sigma_link_ids(struct sigma_loaded *all, uint32_t n);

/* sigma_text.c */
/* sigma_lower - same length; letters that have a lower case of the same length get it. */
void sigma_lower(const char *p, size_t n, char *out);
/* sigma_glob - @pattern with marks against the whole of @p. */
bool sigma_glob(const char *pattern, size_t n_pattern, const char *p, size_t n);
