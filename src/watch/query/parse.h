/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/parse - what the parts of the parser share: the place in the text, words, and errors with a caret.
 */
#pragma once

#include "watch/query/ast.h"

struct query_parser {
    struct text text; /* a copy in the arena of the query */
    size_t at;
    struct query *q;
    const struct query_language *language;
    struct fault *fault;
    unsigned depth;
    size_t n_values;
};

/* a value as it stands: a word, or what stands between quotes (escapes untouched) */
struct query_word {
    struct text text;
    size_t at;
    bool is_quoted;
};

enum query_compare { QUERY_EQUAL, QUERY_UNEQUAL, QUERY_LESS, QUERY_LESS_EQUAL, QUERY_GREATER, QUERY_GREATER_EQUAL };

/* query_expected - QUERY_INVALID with a fault that points at @at. @want: a message without conversions. */
int query_expected(struct query_parser *p, size_t at, enum message_id want);
/* query_expected_text - the same, @want in words. */
int query_expected_text(struct query_parser *p, size_t at, const char *want);
int query_no_memory(struct query_parser *p);
#ifdef __clang_analyzer__ /* it sees one file: it is told what they answer, as of FAULT (base/fault.h) */
#define query_no_memory(p) (query_no_memory(p), -ENOMEM)
#define query_expected(...) (query_expected(__VA_ARGS__), QUERY_INVALID)
#define query_expected_text(...) (query_expected_text(__VA_ARGS__), QUERY_INVALID)
#endif

/* query_skip - over blanks; query_next_is - whether @c stands next (blanks skipped, not taken). */
void query_skip(struct query_parser *p);
bool query_next_is(struct query_parser *p, char c);
/* query_take - @c if it stands next. */
bool query_take(struct query_parser *p, char c);
/* query_keyword - the word @word, any case, if it stands next. */
bool query_keyword(struct query_parser *p, const char *word);
/* query_name - a run of letters, digits, '_', '.' and '@'; empty if none. */
struct text query_name(struct query_parser *p);
/* query_word_next - a quoted text or a run up to a blank, bracket, comma, bar or quote. Return: 0 or QUERY_INVALID. */
int query_word_next(struct query_parser *p, struct query_word *ret);
/* query_field_next - a known field or a quoted name of a stored text. */
int query_field_next(struct query_parser *p, struct query_field *ret);

/*
 * query_parse_values - what follows FIELD and the comparison: one value, a list of them, `*` or `@NAME`.
 * @ret: the node that stands for the whole comparison.
 */
int query_parse_values(struct query_parser *p, const struct query_field *field, enum query_compare compare, size_t from,
                       struct query_node **ret);
/* query_parse_address - the node of a bare address, prefix or range, meaning either end. */
int query_parse_address(struct query_parser *p, const struct ip_range *range, size_t from, struct query_node **ret);
/* query_node_new - in the arena; NULL when memory is out. */
struct query_node *query_node_new(struct query_parser *p, enum query_op op);

/* query_parse_pipes - everything after the filter. */
int query_parse_pipes(struct query_parser *p);

/* --- query/values.c: texts to sets ------------------------------------------- */

/* query_number_parse - 80, 0x50, 1.5M, 4Ki. Return: 0 or 1. */
int query_number_parse(struct text t, uint64_t *ret);
/*
 * query_interval_of - the values a word means for a numeric field under a comparison.
 * Return: 0 (@ret_is_empty: no value at all), or 1 if it is no value of this field.
 */
int query_interval_of(const struct query_language *l, const struct query_field *f, enum query_compare compare,
                      struct text word, struct query_interval *ret, bool *ret_is_empty);
/* query_wants - what a value of the field looks like, for an error. */
enum message_id query_wants(const struct query_field *f);
/* query_intervals_join - sort and join in place; returns how many are left. */
size_t query_intervals_join(struct query_interval *v, size_t n, bool is_signed);
/* query_set_build - any ranges, in any order, to a set in the arena. Return: 0 or -ENOMEM. */
int query_set_build(struct arena *a, struct ip_range *ranges, size_t n, struct address_set *ret);
