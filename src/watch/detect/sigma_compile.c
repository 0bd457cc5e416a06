/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees of format/sigma to the compiled form: fields become lists, patterns the cheapest test that says the same,
 * and what is cheap to test stands first.
 */
#include "watch/detect/sigma_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COST_MAX 4000000u /* some milliseconds an event, every test made */

struct compiler {
    struct sigma_rules *r;
    const struct sigma_source_set *s;
    struct sigma_rule *rule;
};

static int refuse(struct compiler *c, enum sigma_reason reason, uint32_t line, struct text detail)
{
    c->rule->reason = reason;
    c->rule->line = line;
    text_escape(detail.p, detail.n, c->rule->detail, sizeof c->rule->detail);
    return 1;
}

static uint32_t list_of(struct compiler *c, struct text field)
{
    return c->s->is_raw ? sigma_raw_list(c->r, field) : sigma_field_list(c->r, c->s->sources, c->s->n, field);
}

/* --- values ------------------------------------------------------------------------------------------ */

static bool has_marks(const char *p, size_t n)
{
    return memchr(p, SIGMA_ANY, n) || memchr(p, SIGMA_ONE, n) || memchr(p, SIGMA_DASH, n);
}

/* compile_pattern - @is_anywhere: a keyword, which may stand in the middle. */
static int compile_pattern(struct compiler *c, const struct sigma_value *v, bool is_anywhere, bool is_cased, struct sigma_cvalue *out)
{
    size_t n = v->text.n;
    char *p = arena_alloc(&c->r->arena, n + 3);
    if (!p)
        return -ENOMEM;
    size_t at = 0;
    if (is_anywhere && !(n && v->text.p[0] == SIGMA_ANY))
        p[at++] = SIGMA_ANY;
    if (is_cased)
        memcpy(p + at, v->text.p, n);
    else
        sigma_lower(v->text.p, n, p + at);
    at += n;
    if (is_anywhere && !(at && p[at - 1] == SIGMA_ANY))
        p[at++] = SIGMA_ANY;
    bool is_open_start = at && p[0] == SIGMA_ANY, is_open_end = at > 1 && p[at - 1] == SIGMA_ANY;
    if (at == 1 && is_open_start) {
        out->test = SIGMA_FULL;
        return 0;
    }
    const char *inner = p + is_open_start;
    size_t n_inner = at - is_open_start - is_open_end;
    if (!n_inner && is_open_start) {
        out->test = SIGMA_FULL;
        return 0;
    }
    if (n_inner && has_marks(inner, n_inner)) {
        out->test = SIGMA_GLOB;
        out->p = p;
        out->n = (uint32_t)at;
        return 0;
    }
    out->test = is_open_start && is_open_end ? SIGMA_HAS : is_open_start ? SIGMA_ENDS : is_open_end ? SIGMA_STARTS : SIGMA_IS;
    out->p = inner;
    out->n = (uint32_t)n_inner;
    return 0;
}

static int keep_regex(struct sigma_rules *r, pcre2_code *code)
{
    if (r->n_regexes == r->regexes_capacity) {
        uint32_t capacity = r->regexes_capacity ? 2 * r->regexes_capacity : 128;
        pcre2_code **more = realloc(r->regexes, capacity * sizeof(*more));
        if (!more)
            return -ENOMEM;
        r->regexes = more;
        r->regexes_capacity = capacity;
    }
    r->regexes[r->n_regexes++] = code;
    return 0;
}

static int compile_regex(struct compiler *c, const struct sigma_value *v, uint32_t line, struct sigma_cvalue *out)
{
    if (v->text.n > SIGMA_REGEX_MAX)
        return refuse(c, SIGMA_VALUES, line, v->text);
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | (v->is_nocase ? PCRE2_CASELESS : 0) |
                       (v->is_multiline ? PCRE2_MULTILINE : 0) | (v->is_dotall ? PCRE2_DOTALL : 0);
    int error;
    size_t at;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return -ENOMEM;
    pcre2_set_parens_nest_limit(context, 100);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)v->text.p, v->text.n, options, &error, &at, context);
    pcre2_compile_context_free(context);
    if (!code && error == PCRE2_ERROR_HEAP_FAILED)
        return -ENOMEM;
    if (!code) {
        PCRE2_UCHAR why[96];
        pcre2_get_error_message(error, why, sizeof why);
        return refuse(c, SIGMA_BAD_REGEX, line, (struct text){(const char *)why, strlen((const char *)why)});
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
    if (keep_regex(c->r, code)) {
        pcre2_code_free(code);
        return -ENOMEM;
    }
    out->test = SIGMA_MATCHES_REGEX;
    out->regex = code;
    out->p = v->text.p;
    out->n = (uint32_t)v->text.n;
    return 0;
}

static int compile_value(struct compiler *c, const struct sigma_item *item, const struct sigma_value *v, struct sigma_cvalue *out)
{
    switch (v->match) {
    case SIGMA_PATTERN: return compile_pattern(c, v, !item->field.n, item->is_cased, out);
    case SIGMA_REGEX: return compile_regex(c, v, item->line, out);
    case SIGMA_CIDR:
        out->test = SIGMA_IN_RANGE;
        out->range = arena_alloc(&c->r->arena, sizeof *out->range);
        if (!out->range)
            return -ENOMEM;
        *out->range = v->range;
        return 0;
    case SIGMA_FIELDREF:
        out->test = SIGMA_AS_FIELD;
        out->is_open_start = v->is_open_start;
        out->is_open_end = v->is_open_end;
        out->list = list_of(c, v->text);
        return out->list == UINT32_MAX ? -ENOMEM : 0;
    case SIGMA_EXISTS:
        out->test = SIGMA_IS_THERE;
        out->is_true = v->is_true;
        return 0;
    case SIGMA_NULL: out->test = SIGMA_IS_NULL; return 0;
    case SIGMA_LT:
    case SIGMA_LTE:
    case SIGMA_GT:
    case SIGMA_GTE:
    case SIGMA_NUMBER: break;
    }
    out->test = SIGMA_COMPARES;
    out->how = (uint8_t)v->match;
    out->number = v->number;
    return 0;
}

/* cost_of - testing it, roughly: what is cheap stands first, and what costs too much is refused. */
static uint64_t cost_of(const struct sigma_citem *item)
{
    static const uint8_t of_test[] = {[SIGMA_IS] = 1, [SIGMA_STARTS] = 1, [SIGMA_ENDS] = 1, [SIGMA_HAS] = 8, [SIGMA_GLOB] = 20,
        [SIGMA_FULL] = 1,
        [SIGMA_MATCHES_REGEX] = 200, [SIGMA_IN_RANGE] = 4, [SIGMA_AS_FIELD] = 4, [SIGMA_IS_THERE] = 1, [SIGMA_IS_NULL] = 1,
            [SIGMA_COMPARES] = 4, [SIGMA_NEVER] = 1};
    uint64_t sum = 1;
    for (uint32_t i = 0; i < item->n; i++)
        for (const struct sigma_cvalue *v = &item->values[i]; v; v = v->or)
            sum += of_test[v->test];
    return item->list == SIGMA_ANYWHERE ? 20 * sum : sum;
}

static int compile_item(struct compiler *c, const struct sigma_item *item, struct sigma_cnode **ret)
{
    struct sigma_citem *out = arena_alloc(&c->r->arena, sizeof *out);
    struct sigma_cnode *node = arena_alloc(&c->r->arena, sizeof *node);
    struct sigma_cvalue *values = arena_alloc(&c->r->arena, item->n * sizeof *values);
    if (!out || !node || !values)
        return -ENOMEM;
    *out = (struct sigma_citem){.n = item->n, .part = (uint8_t)item->part, .is_all = item->is_all, .is_not = item->is_not,
                                .is_cased = item->is_cased, .values = values};
    out->list = item->field.n ? list_of(c, item->field) : SIGMA_ANYWHERE;
    if (item->field.n && out->list == UINT32_MAX)
        return -ENOMEM;
    for (uint32_t i = 0; i < item->n; i++) {
        struct sigma_cvalue *to = &values[i];
        for (const struct sigma_value *v = &item->values[i]; v; v = v->or) {
            int e = compile_value(c, item, v, to);
            if (e)
                return e;
            if (!v->or)
                break;
            struct sigma_cvalue *more = arena_alloc(&c->r->arena, sizeof *more);
            if (!more)
                return -ENOMEM;
            to->or = more;
            to = more;
        }
    }
    *node = (struct sigma_cnode){.kind = SIGMA_LEAF, .item = out, .cost = cost_of(out)};
    *ret = node;
    return 0;
}

/* --- nodes ------------------------------------------------------------------------------------------- */

static void cheap_first(const struct sigma_cnode **children, uint32_t n)
{
    if (n > 64) /* an insertion sort; so many come from lists of keywords, which are alike */
        return;
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k && children[k]->cost < children[k - 1]->cost; k--) {
            const struct sigma_cnode *node = children[k];
            children[k] = children[k - 1];
            children[k - 1] = node;
        }
}

static int compile_node(struct compiler *c, struct sigma_node *node, const struct sigma_cnode **ret);

static int compile_branch(struct compiler *c, struct sigma_node *node, struct sigma_cnode **ret)
{
    struct sigma_cnode *out = arena_alloc(&c->r->arena, sizeof *out);
    const struct sigma_cnode **children = arena_alloc(&c->r->arena, node->n * sizeof *children);
    if (!out || !children)
        return -ENOMEM;
    uint64_t sum = 1;
    for (uint32_t i = 0; i < node->n; i++) {
        int e = compile_node(c, node->children[i], &children[i]);
        if (e)
            return e;
        sum += children[i]->cost;
    }
    if (sum > COST_MAX)
        return refuse(c, SIGMA_VALUES, c->rule->line, TEXT("condition"));
    cheap_first(children, node->n);
    *out = (struct sigma_cnode){.kind = (uint8_t)node->kind, .n = node->n, .children = children, .cost = sum};
    *ret = out;
    return 0;
}

/* compile_node - a search that a condition names twice is compiled once. */
static int compile_node(struct compiler *c, struct sigma_node *node, const struct sigma_cnode **ret)
{
    if (node->memo && node->memo_of == c->rule) {
        *ret = node->memo;
        return 0;
    }
    struct sigma_cnode *out;
    int e = node->kind == SIGMA_LEAF ? compile_item(c, node->item, &out) : compile_branch(c, node, &out);
    if (e)
        return e;
    node->memo = *ret = out;
    node->memo_of = c->rule;
    return 0;
}

int sigma_compile_node(struct sigma_rules *r, const struct sigma_source_set *s, struct sigma_node *node, struct sigma_rule *rule,
                       const struct sigma_cnode **ret)
{
    struct compiler c = {.r = r, .s = s, .rule = rule};
    return compile_node(&c, node, ret);
}

bool sigma_node_has_keywords(const struct sigma_cnode *node)
{
    if (node->kind == SIGMA_LEAF)
        return node->item->list == SIGMA_ANYWHERE;
    for (uint32_t i = 0; i < node->n; i++)
        if (sigma_node_has_keywords(node->children[i]))
            return true;
    return false;
}
