/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma - Sigma rules over batches of log events, streaming.
 *
 * sigma_rules_load reads directories of rules, maps their log sources and fields through the pipelines of
 * content/sigma/pipelines, and compiles what it can; what it cannot is refused with file, line and reason while the rest
 * loads. The result never changes: any number of threads may match with it, each through its own struct sigma_matcher;
 * a reload is a new struct sigma_rules and the swap of a pointer.
 *
 *   In   struct events
 *   Out  (row, rule) through a callback, rules of a row in ascending order
 *   How  which rules an event can concern at all is looked up by the values that decide on its log source (channel,
 *        event id, dataset ...); one Vectorscan pass over its lower-cased texts then finds the literals without which a
 *        rule cannot hold; only rules that are left evaluate their condition, exactly.
 *   Limits  SIGMA_RULES_MAX rules, SIGMA_RULES_BYTES memory of a load; regular expressions run under SIGMA_REGEX_*;
 *        no allocation per event once buffers have grown. The counters of a matcher say what was cut.
 *
 * Case: ASCII, Latin, Greek and Cyrillic letters are compared without case unless `cased`; regular expressions are
 * searched anywhere in a value, with case. A field that an event holds several times matches when one of its values does.
 * '' is an empty text that is there; null is no value or no field.
 */
#pragma once

#include "base/fault.h"
#include "format/event.h"
#include "format/sigma.h"

#define SIGMA_RULES_MAX 65536u
#define SIGMA_RULES_BYTES ((size_t)1 << 30)
#define SIGMA_FILES_MAX 65536u
#define SIGMA_REGEX_MAX 8192u             /* bytes of an expression */
#define SIGMA_REGEX_MATCH_LIMIT 200000u   /* steps */
#define SIGMA_REGEX_DEPTH_LIMIT 2000u
#define SIGMA_REGEX_HEAP_KIB 1024u

struct sigma_rules;

/* what a finding says of a rule; texts live as long as the rules */
struct sigma_about {
    struct text id, title, name, status;
    enum sigma_level level;
    enum sigma_kind kind; /* DETECTION or CORRELATION */
    const char *file;
    uint32_t line;
    const struct text *tags;
    uint32_t n_tags;
    struct sigma_logsource logsource;
    bool is_mapped;   /* a pipeline knows its log source; else it only runs over events nobody knows */
    bool is_reported; /* false: only feeds correlations */
};

/* one line of `rules check`; kept for refused documents too, in order of file and line */
struct sigma_checked {
    const char *file;
    uint32_t line;
    enum sigma_kind kind;
    enum sigma_reason reason; /* SIGMA_FINE */
    const char *detail;
    struct text id, title, status;
    enum sigma_level level;
    struct sigma_logsource logsource;
    bool is_mapped;
};

struct sigma_load {
    const char *const *paths; /* directories (walked, *.yml and *.yaml, links not followed) or files */
    size_t n_paths;
    const char *pipelines;    /* directory; NULL: content/sigma/pipelines */
    struct event_names *names; /* the fields rules ask for are added; borrowed while the rules live */
};

/* sigma_rules_load - Return: 0 (some rules may be refused); -ENOENT, -ENOMEM ... with @f. */
int sigma_rules_load(const struct sigma_load *load, struct sigma_rules **ret, struct fault *f);
/* sigma_rules_parse - the same from one text in memory, called @file in reports: tests, and rules that come by a link. */
int sigma_rules_parse(const struct sigma_load *load, const char *file, struct text text, struct sigma_rules **ret, struct fault *f);
void sigma_rules_free(struct sigma_rules *r);
uint32_t sigma_rules_count(const struct sigma_rules *r);
/* sigma_rules_memory_us - how far back a correlation may look: twice the longest timespan; 0: there is none. */
int64_t sigma_rules_memory_us(const struct sigma_rules *r);
const struct sigma_about *sigma_rules_about(const struct sigma_rules *r, uint32_t rule);
/* sigma_rules_checked - every document, refused ones included. */
const struct sigma_checked *sigma_rules_checked(const struct sigma_rules *r, uint32_t *ret_n);
/* how the rules are found again: literals in the pass, rules that need no literal */
struct sigma_shape {
    uint32_t n_rules, n_literals, n_passes, n_without_literal, n_slots, n_sources, n_regexes;
    size_t memory_bytes;
};
struct sigma_shape sigma_rules_shape(const struct sigma_rules *r);

/* --- matching ---------------------------------------------------------------------------------------- */

struct sigma_matcher;
struct sigma_counters {
    uint64_t events, scanned_bytes, candidates, matches;
    uint64_t routes_made;
    uint64_t regex_limits; /* expressions that were given up, counted as no match */
};

/* sigma_matcher_new - for one thread. Return: NULL when memory is out. */
struct sigma_matcher *sigma_matcher_new(const struct sigma_rules *rules);
void sigma_matcher_free(struct sigma_matcher *m);
const struct sigma_counters *sigma_matcher_counters(const struct sigma_matcher *m);

/*
 * sigma_matcher_met - which rules an event of their log source came for, ever: added to @rules, a bit each in
 * SIGMA_RULE_WORDS words. What a rule of other log sources waits for, nobody sends. Return: whether there are new ones.
 * sigma_matcher_has_met - whether there would be. Both by the thread of @m. Correlations have no log source.
 */
#define SIGMA_RULE_WORDS(n_rules) (((size_t)(n_rules) + 63) / 64)
bool sigma_matcher_met(struct sigma_matcher *m, uint64_t *rules);
bool sigma_matcher_has_met(const struct sigma_matcher *m);

/* @rule: an index for sigma_rules_about. Return: 0, or <0 which ends the match and is handed up. */
typedef int sigma_match_fn(void *context, const struct events *e, uint32_t row, uint32_t rule);

/*
 * sigma_match - every row of @e against every rule; rules that only feed correlations are given to @match too
 * (is_reported tells). Return: 0, -ENOMEM, or what @match answered below 0.
 */
int sigma_match(struct sigma_matcher *m, const struct events *e, sigma_match_fn *match, void *context);
