/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter by recursive descent, straight on the text: what a character means depends on
 * whether a field or a value is expected (2001:db8::1 is a value, source.ip:80 is not).
 */
#include "watch/query/parse.h"

#include "format/event.h"
#include "watch/query/filter.h"

#include <errno.h>
#include <stdlib.h>

enum { PARSE_BYTES = 32 << 20 };

static int parse_or(struct query_parser *p, struct query_node **ret);

struct query_node *query_node_new(struct query_parser *p, enum query_op op)
{
    struct query_node *n = arena_alloc(&p->q->arena, sizeof(*n));
    if (n)
        n->op = op;
    return n;
}

static int combine(struct query_parser *p, enum query_op op, struct query_node *first, struct query_node *second,
                   struct query_node **ret)
{
    struct query_node *n = query_node_new(p, op);
    if (!n)
        return query_no_memory(p);
    n->children = first;
    first->next = second;
    *ret = n;
    return 0;
}

/* --- leaves --------------------------------------------------------------- */

/* one comparison under construction */
struct building {
    struct query_interval *intervals;
    struct ip_range *ranges;
    struct text *patterns;
    struct query_node *lists; /* @NAME: leaves of their own */
    size_t n, capacity;
};

static struct query_leaf *leaf_new(struct query_parser *p, const struct query_field *f, size_t from)
{
    if (p->q->n_leaves == QUERY_LEAVES)
        return NULL;
    struct query_leaf *l = arena_alloc(&p->q->arena, sizeof(*l));
    if (!l)
        return NULL;
    l->index = p->q->n_leaves;
    l->field = *f;
    l->column_in_text = (unsigned)from;
    l->source = text_trim((struct text){p->text.p + from, p->at - from});
    p->q->leaves[p->q->n_leaves++] = l;
    return l;
}

/* sides_of - the fields a comparison with @f looks at. Return: how many. */
static size_t sides_of(const struct query_field *f, struct query_field sides[QUERY_RELATED_MAX])
{
    size_t n = 0;
    while (query_field_related(f, n, &sides[n]))
        n++;
    if (n)
        return n;
    sides[0] = *f;
    if (f->kind != QUERY_FIELD_ENDS_IP && f->kind != QUERY_FIELD_ENDS_PORT && f->kind != QUERY_FIELD_LIST)
        return 1;
    for (size_t i = 0; i < 2; i++) {
        const char *name = flow_columns[i ? f->column2 : f->column].name;
        query_field_find((struct text){name, strlen(name)}, &sides[i]);
    }
    return 2;
}

/* The node of a leaf; a field that stands for several gives as many of them under OR. @l: what is compared, without its place. */
static int leaf_node(struct query_parser *p, const struct query_field *f, const struct query_leaf *like, size_t from,
                     struct query_node **ret)
{
    struct query_field sides[QUERY_RELATED_MAX];
    struct query_node *first = NULL, **end = &first;
    size_t n = sides_of(f, sides);
    for (size_t i = 0; i < n; i++) {
        if (p->q->n_leaves == QUERY_LEAVES)
            return query_expected(p, from, MSG_query_want_fewer);
        struct query_leaf *l = leaf_new(p, &sides[i], from);
        struct query_node *node = query_node_new(p, QUERY_LEAF);
        if (!l || !node)
            return query_no_memory(p);
        l->is_presence = like->is_presence;
        l->intervals = like->intervals;
        l->n_intervals = like->n_intervals;
        l->set = like->set;
        l->patterns = like->patterns;
        l->n_patterns = like->n_patterns;
        node->leaf = l;
        *end = node;
        end = &node->next;
    }
    *ret = first;
    if (n == 1)
        return 0;
    *ret = query_node_new(p, QUERY_OR);
    if (!*ret)
        return query_no_memory(p);
    (*ret)->children = first;
    return 0;
}

static int grow(struct query_parser *p, struct building *b)
{
    if (b->n < b->capacity)
        return 0;
    size_t capacity = b->capacity ? 2 * b->capacity : 8;
    struct query_interval *intervals = realloc(b->intervals, capacity * sizeof(*intervals));
    if (intervals)
        b->intervals = intervals;
    struct ip_range *ranges = realloc(b->ranges, capacity * sizeof(*ranges));
    if (ranges)
        b->ranges = ranges;
    struct text *patterns = realloc(b->patterns, capacity * sizeof(*patterns));
    if (patterns)
        b->patterns = patterns;
    if (!intervals || !ranges || !patterns)
        return query_no_memory(p);
    b->capacity = capacity;
    return 0;
}

static int add_list(struct query_parser *p, const struct query_field *f, struct text name, size_t at, struct building *b)
{
    struct query_leaf like = {0};
    const struct query_language *l = p->language;
    const struct address_set *set;
    if (!name.n || !l->list || l->list(l->context, name, &set))
        return query_expected(p, at, MSG_query_want_list);
    like.set = *set;
    struct query_node *node;
    int r = leaf_node(p, f, &like, at, &node);
    if (r)
        return r;
    node->next = b->lists;
    b->lists = node;
    return 0;
}

static int add_address(struct query_parser *p, const struct query_word *w, enum query_compare compare, struct building *b)
{
    struct ip_range *r = &b->ranges[b->n];
    if (ip_range_parse(w->text.p, w->text.n, r, NULL))
        return query_expected(p, w->at, MSG_query_want_address);
    struct ip least, greatest;
    bool is_v4 = ip_is_v4(&r->first);
    least = is_v4 ? ip_from_v4(0) : (struct ip){0};
    greatest = is_v4 ? ip_from_v4(UINT32_MAX) : (struct ip){0};
    if (!is_v4)
        memset(greatest.b, 0xff, 16);
    bool is_empty = false;
    switch (compare) {
    case QUERY_EQUAL:
    case QUERY_UNEQUAL:
        break;
    case QUERY_LESS:
        is_empty = ip_equal(&r->first, &least);
        r->last = r->first;
        for (size_t i = 16; i-- > 0 && r->last.b[i]-- == 0;) /* the address before */
            ;
        r->first = least;
        break;
    case QUERY_LESS_EQUAL:
        r->first = least;
        break;
    case QUERY_GREATER:
        is_empty = ip_equal(&r->last, &greatest);
        r->first = ip_next(&r->last);
        r->last = greatest;
        break;
    case QUERY_GREATER_EQUAL:
        r->last = greatest;
        break;
    }
    if (!is_empty)
        b->n++;
    return 0;
}

static int add_value(struct query_parser *p, const struct query_field *f, enum query_compare compare, struct building *b)
{
    struct query_word w;
    int r = query_word_next(p, &w);
    if (r)
        return r;
    if (!w.text.n && !w.is_quoted)
        return query_expected(p, w.at, query_wants(f));
    if (++p->n_values > QUERY_VALUES)
        return query_expected(p, w.at, MSG_query_want_fewer);
    r = grow(p, b);
    if (r)
        return r;
    if (f->kind == QUERY_FIELD_LIST)
        return add_list(p, f, w.text, w.at, b);
    if (f->value == QUERY_IP) {
        bool is_list = !w.is_quoted && w.text.p[0] == '@';
        if (is_list && f->kind != QUERY_FIELD_OBSERVER_IP && compare <= QUERY_UNEQUAL)
            return add_list(p, f, (struct text){w.text.p + 1, w.text.n - 1}, w.at, b);
        return add_address(p, &w, compare, b);
    }
    if (f->kind == QUERY_FIELD_TEXT) {
        b->patterns[b->n++] = w.text;
        return 0;
    }
    bool is_empty;
    if (query_interval_of(p->language, f, compare, w.text, &b->intervals[b->n], &is_empty))
        return query_expected(p, w.at, query_wants(f));
    b->n += !is_empty;
    return 0;
}

/* what was collected, as a leaf, beside the leaves of lists */
static int finish(struct query_parser *p, const struct query_field *f, struct building *b, size_t from, struct query_node **ret)
{
    struct query_leaf like = {0};
    struct arena *a = &p->q->arena;
    if (b->n || !b->lists) {
        if (f->value == QUERY_IP) {
            if (query_set_build(a, b->ranges, b->n, &like.set))
                return query_no_memory(p);
        } else if (f->kind == QUERY_FIELD_TEXT) {
            like.patterns = arena_alloc(a, (b->n + 1) * sizeof(*like.patterns));
            if (!like.patterns)
                return query_no_memory(p);
            if (b->n)
                memcpy(like.patterns, b->patterns, b->n * sizeof(*like.patterns));
            like.n_patterns = b->n;
        } else {
            like.n_intervals =
                query_intervals_join(b->intervals, b->n, f->value == QUERY_TIME || f->value == QUERY_SIGNED);
            like.intervals = arena_alloc(a, (b->n + 1) * sizeof(*like.intervals));
            if (!like.intervals)
                return query_no_memory(p);
            if (like.n_intervals)
                memcpy(like.intervals, b->intervals, like.n_intervals * sizeof(*like.intervals));
        }
        struct query_node *node;
        int r = leaf_node(p, f, &like, from, &node);
        if (r)
            return r;
        node->next = b->lists;
        b->lists = node;
    }
    *ret = b->lists;
    if (!b->lists->next)
        return 0;
    struct query_node *any = query_node_new(p, QUERY_OR);
    if (!any)
        return query_no_memory(p);
    any->children = b->lists;
    *ret = any;
    return 0;
}

static int values(struct query_parser *p, const struct query_field *f, enum query_compare compare, struct building *b)
{
    bool may_list = compare <= QUERY_UNEQUAL;
    if (!may_list || !query_take(p, '('))
        return add_value(p, f, compare, b);
    do {
        int r = add_value(p, f, compare, b);
        if (r)
            return r;
    } while (query_take(p, ',') || query_keyword(p, "or"));
    if (!query_take(p, ')'))
        return query_expected(p, p->at, MSG_query_want_or_close);
    return 0;
}

/*
 * named - syslog's facility and severity stand in events as numbers: a comparison of their names (@node) also holds for
 * the codes whose name is like one of @b (NULL: any). Return: 0 or what the parser answers.
 */
static int named(struct query_parser *p, const struct query_field *f, const struct building *b, size_t from, struct query_node **node)
{
    enum { CODES = 24 };
    bool is_facility = text_is(f->name, "log.syslog.facility.name");
    uint16_t field = is_facility ? EV_LOG_SYSLOG_FACILITY_NAME : EV_LOG_SYSLOG_SEVERITY_NAME, unused;
    struct query_field code;
    struct query_interval *intervals;
    struct query_leaf like = {.is_presence = !b};
    if (!is_facility && !text_is(f->name, "log.syslog.severity.name"))
        return 0;
    query_field_find(is_facility ? TEXT("log.syslog.facility.code") : TEXT("log.syslog.severity.code"), &code);
    like.intervals = intervals = arena_alloc(&p->q->arena, CODES * sizeof(*intervals));
    if (!intervals)
        return query_no_memory(p);
    for (uint64_t i = 0; b && i < CODES; i++) {
        const char *name = event_code_name(field, i, &unused);
        bool is_like = false;
        for (size_t k = 0; name && k < b->n && !is_like; k++)
            is_like = query_text_matches(b->patterns[k], (struct text){name, strlen(name)});
        if (is_like)
            intervals[like.n_intervals++] = (struct query_interval){i, i};
    }
    if (b && !like.n_intervals)
        return 0;
    like.n_intervals = query_intervals_join(intervals, like.n_intervals, false);
    struct query_node *by_code;
    int r = leaf_node(p, &code, &like, from, &by_code);
    return r ? r : combine(p, QUERY_OR, *node, by_code, node);
}

static int presence(struct query_parser *p, const struct query_field *f, size_t from, struct query_node **ret)
{
    struct query_leaf like = {.is_presence = true};
    int r = leaf_node(p, f, &like, from, ret);
    return r ? r : named(p, f, NULL, from, ret);
}

static bool takes_star(struct query_parser *p)
{
    query_skip(p);
    bool is_end = p->at + 1 >= p->text.n || strchr(" \t\n\v\f\r()|,", p->text.p[p->at + 1]);
    return query_next_is(p, '*') && is_end && query_take(p, '*');
}

int query_parse_values(struct query_parser *p, const struct query_field *f, enum query_compare compare, size_t from,
                       struct query_node **ret)
{
    bool may_order = f->kind != QUERY_FIELD_TEXT && f->kind != QUERY_FIELD_LIST && f->kind != QUERY_FIELD_OBSERVER_IP;
    if (compare > QUERY_UNEQUAL && !may_order)
        return query_expected(p, from, MSG_query_want_equality);
    struct query_node *node;
    int r;
    if (compare <= QUERY_UNEQUAL && f->kind != QUERY_FIELD_LIST && takes_star(p)) {
        r = presence(p, f, from, &node);
    } else {
        struct building b = {0};
        r = values(p, f, compare, &b);
        if (!r)
            r = finish(p, f, &b, from, &node);
        if (!r)
            r = named(p, f, &b, from, &node);
        free(b.intervals);
        free(b.ranges);
        free(b.patterns);
    }
    if (r)
        return r;
    if (compare != QUERY_UNEQUAL) {
        *ret = node;
        return 0;
    }
    struct query_node *has, *not = query_node_new(p, QUERY_NOT);
    if (!not)
        return query_no_memory(p);
    not->children = node;
    r = presence(p, f, from, &has);
    return r ? r : combine(p, QUERY_AND, has, not, ret);
}

int query_parse_address(struct query_parser *p, const struct ip_range *range, size_t from, struct query_node **ret)
{
    struct query_field ends;
    struct query_leaf like = {0};
    struct ip_range copy = *range;
    query_field_find(TEXT("ip"), &ends);
    if (query_set_build(&p->q->arena, &copy, 1, &like.set))
        return query_no_memory(p);
    return leaf_node(p, &ends, &like, from, ret);
}

/* --- structure --------------------------------------------------------------- */

static bool take_compare(struct query_parser *p, enum query_compare *ret)
{
    static const struct {
        char text[3];
        enum query_compare compare;
    } operators[] = {{"!=", QUERY_UNEQUAL}, {"<=", QUERY_LESS_EQUAL}, {">=", QUERY_GREATER_EQUAL}, {"==", QUERY_EQUAL},
                     {":", QUERY_EQUAL},    {"=", QUERY_EQUAL},       {"<", QUERY_LESS},           {">", QUERY_GREATER}};
    query_skip(p);
    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        size_t n = strlen(operators[i].text);
        if (p->text.n - p->at >= n && !memcmp(p->text.p + p->at, operators[i].text, n)) {
            p->at += n;
            *ret = operators[i].compare;
            return true;
        }
    }
    return false;
}

/* is_phrase - whether a word or quoted words stand here that no operator follows, or '=' before such. */
static bool is_phrase(struct query_parser *p)
{
    size_t from = p->at;
    struct fault *f = p->fault;
    struct query_word w;
    enum query_compare compare;
    p->fault = NULL;
    bool is = query_take(p, '=');
    if (!is) {
        /* a name ends where an operator begins, a word does not */
        bool is_quoted = query_next_is(p, '"');
        struct text name = {0};
        bool has = is_quoted ? !query_word_next(p, &w) : (name = query_name(p)).n != 0;
        is = has && !take_compare(p, &compare);
        if (!has) { /* it begins with something else than a name */
            query_skip(p);
            is = p->at < p->text.n && !strchr("()|,:=!<>", p->text.p[p->at]) && !query_word_next(p, &w) && !take_compare(p, &compare);
        } else if (is && !is_quoted) { /* a field whose operator is missing */
            struct query_field known;
            is = !memchr(name.p, '.', name.n) || !query_field_find(name, &known);
        }
    }
    p->at = from;
    p->fault = f;
    return is;
}

static int phrase(struct query_parser *p, struct query_node **ret)
{
    size_t from = p->at;
    bool is_exact = query_take(p, '=');
    struct query_word w;
    int r = query_word_next(p, &w);
    if (r)
        return r;
    if (p->q->n_leaves == QUERY_LEAVES)
        return query_expected(p, from, MSG_query_want_fewer);
    struct query_field any = query_field_text(TEXT("event.original"));
    struct query_leaf *l = leaf_new(p, &any, from);
    *ret = query_node_new(p, QUERY_LEAF);
    if (!l || !*ret)
        return query_no_memory(p);
    l->phrase = arena_alloc(&p->q->arena, sizeof(*l->phrase));
    if (!l->phrase)
        return query_no_memory(p);
    if (phrase_compile(w.text, is_exact, l->phrase))
        return query_expected(p, w.at, MSG_query_want_words);
    (*ret)->leaf = l;
    return 0;
}

static int comparison(struct query_parser *p, struct query_node **ret)
{
    query_skip(p);
    size_t from = p->at;
    struct query_word w;
    struct ip_range range;
    if (!query_next_is(p, '"') && !query_word_next(p, &w) && w.text.n && !ip_range_parse(w.text.p, w.text.n, &range, NULL))
        return query_parse_address(p, &range, from, ret);
    p->at = from;
    if (is_phrase(p))
        return phrase(p, ret);
    struct query_field field;
    int r = query_field_next(p, &field);
    if (r)
        return r;
    enum query_compare compare;
    if (!take_compare(p, &compare))
        return query_expected(p, p->at, MSG_query_want_operator);
    return query_parse_values(p, &field, compare, from, ret);
}

static int parse_unary(struct query_parser *p, struct query_node **ret)
{
    if (p->depth >= QUERY_DEPTH)
        return query_expected(p, p->at, MSG_query_want_shallow);
    p->depth++;
    int r;
    if (query_keyword(p, "not")) {
        struct query_node *n = query_node_new(p, QUERY_NOT);
        r = n ? parse_unary(p, &n->children) : query_no_memory(p);
        *ret = n;
    } else if (query_take(p, '(')) {
        r = parse_or(p, ret);
        if (!r && !query_take(p, ')'))
            r = query_expected(p, p->at, MSG_query_want_close);
    } else if (takes_star(p)) {
        *ret = query_node_new(p, QUERY_TRUE);
        r = *ret ? 0 : query_no_memory(p);
    } else {
        r = comparison(p, ret);
    }
    p->depth--;
    return r;
}

static bool is_words(const struct query_node *n)
{
    return n->op == QUERY_LEAF && n->leaf->phrase;
}

/* has_more_words - words side by side mean all of them */
static bool has_more_words(struct query_parser *p)
{
    static const char *const words[] = {"and", "or", "not"};
    query_skip(p);
    size_t from = p->at;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (query_keyword(p, words[i])) {
            p->at = from;
            return false;
        }
    return p->at < p->text.n && is_phrase(p);
}

/* a chain of one operator is one node, however long */
static int parse_chain(struct query_parser *p, const char *word, enum query_op op,
                       int (*part)(struct query_parser *p, struct query_node **ret), struct query_node **ret)
{
    struct query_node *first = NULL, *last, *chain = NULL;
    int r = part(p, &first);
    last = first;
    while (!r && (query_keyword(p, word) || (op == QUERY_AND && is_words(last) && has_more_words(p)))) {
        struct query_node *next = NULL;
        r = part(p, &next);
        if (r)
            break;
        if (!chain) {
            chain = query_node_new(p, op);
            if (!chain)
                return query_no_memory(p);
            chain->children = first;
        }
        last->next = next;
        last = next;
    }
    *ret = chain ? chain : first;
    return r;
}

static int parse_and(struct query_parser *p, struct query_node **ret)
{
    return parse_chain(p, "and", QUERY_AND, parse_unary, ret);
}

static int parse_or(struct query_parser *p, struct query_node **ret)
{
    return parse_chain(p, "or", QUERY_OR, parse_and, ret);
}

/* narrow - the tree is joined, never the text: nothing that is typed reaches around it */
static int narrow(struct query_parser *p)
{
    const struct query_language *l = p->language;
    struct query_field ends;
    struct query_leaf like = {0};
    struct query_node *node;
    if (!l->only)
        return 0;
    struct ip_range *copy = calloc(l->n_only + 1, sizeof(*copy));
    if (!copy)
        return query_no_memory(p);
    memcpy(copy, l->only, l->n_only * sizeof(*copy));
    int r = query_set_build(&p->q->arena, copy, l->n_only, &like.set) ? query_no_memory(p) : 0;
    free(copy);
    query_field_find(TEXT("ip"), &ends);
    r = r ? r : leaf_node(p, &ends, &like, 0, &node);
    return r ? r : combine(p, QUERY_AND, p->q->filter, node, &p->q->filter);
}

static int parse_all(struct query_parser *p)
{
    int r;
    query_skip(p);
    if (p->at == p->text.n || query_next_is(p, '|')) {
        p->q->filter = query_node_new(p, QUERY_TRUE);
        r = p->q->filter ? 0 : query_no_memory(p);
    } else {
        r = parse_or(p, &p->q->filter);
    }
    if (r)
        return r;
    query_skip(p);
    if (p->at < p->text.n && p->text.p[p->at] != '|')
        return query_expected(p, p->at, MSG_query_want_and_or);
    r = narrow(p);
    return r ? r : query_parse_pipes(p);
}

int query_parse(const char *text, size_t n, const struct query_language *l, struct query **ret, struct fault *f)
{
    if (n > QUERY_TEXT_BYTES)
        return FAULT(f, QUERY_INVALID, query_too_long, n, (size_t)QUERY_TEXT_BYTES);
    struct query *q = calloc(1, sizeof(*q));
    if (!q)
        return FAULT(f, -ENOMEM, no_memory, "query");
    q->arena.max_bytes = PARSE_BYTES;
    q->zone_s = l->zone_s;
    q->top = q->limit = q->limit_before = UINT64_MAX;
    const char *copy = arena_text(&q->arena, text, n);
    if (!copy) {
        query_free(q);
        return FAULT(f, -ENOMEM, no_memory, "query");
    }
    q->text = (struct text){copy, n};
    struct query_parser p = {.text = q->text, .q = q, .language = l, .fault = f};
    int r = parse_all(&p);
    if (r) {
        query_free(q);
        return r;
    }
    *ret = q;
    return 0;
}

void query_free(struct query *q)
{
    if (!q)
        return;
    arena_fini(&q->arena);
    free(q);
}

bool query_is_rows(const struct query *q)
{
    return q->is_rows;
}
