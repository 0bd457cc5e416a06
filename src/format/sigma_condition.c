/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The condition: or, and, not, "1 of", "all of", brackets; by recursive descent over words.
 */
#include "format/sigma_inside.h"

#include <errno.h>
#include <string.h>

struct condition {
    struct sigma_parser *p;
    const struct sigma_named *searches;
    uint32_t n_searches, line;
    struct text words[SIGMA_CONDITION_MAX];
    uint32_t n, at;
    unsigned depth;
};

struct sigma_node *sigma_node_new(struct arena *arena, enum sigma_node_kind kind, uint32_t n)
{
    struct sigma_node *node = arena_alloc(arena, sizeof *node);
    struct sigma_node **children = n ? arena_alloc(arena, n * sizeof *children) : NULL;
    if (!node || (n && !children))
        return NULL;
    *node = (struct sigma_node){.kind = kind, .n = n, .children = children};
    return node;
}

static int wrong(struct condition *c)
{
    return sigma_refuse(c->p, SIGMA_CONDITION, c->line, c->at < c->n ? c->words[c->at] : TEXT("the end"));
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

/* split - words and brackets. */
static int split(struct condition *c, struct text t)
{
    for (size_t i = 0; i < t.n;) {
        if (is_blank(t.p[i])) {
            i++;
            continue;
        }
        size_t from = i++;
        if (t.p[from] == '|')
            return sigma_refuse(c->p, SIGMA_AGGREGATION, c->line, (struct text){t.p + from, t.n - from});
        while (t.p[from] != '(' && t.p[from] != ')' && i < t.n && !is_blank(t.p[i]) && t.p[i] != '(' && t.p[i] != ')' &&
               t.p[i] != '|')
            i++;
        if (c->n == SIGMA_CONDITION_MAX)
            return sigma_refuse(c->p, SIGMA_VALUES, c->line, TEXT("condition"));
        c->words[c->n++] = (struct text){t.p + from, i - from};
    }
    return 0;
}

static bool take(struct condition *c, const char *word)
{
    if (c->at == c->n || !text_is_nocase(c->words[c->at], word))
        return false;
    c->at++;
    return true;
}

/* like - @name against a pattern whose '*' is any run of characters. */
static bool like(struct text pattern, struct text name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, back = 0;
    while (n < name.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            back = n;
        } else if (p < pattern.n && pattern.p[p] == name.p[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

/* several - "of" was read: them, or a pattern of names. */
static int several(struct condition *c, enum sigma_node_kind kind, struct sigma_node **ret)
{
    if (c->at == c->n || text_is(c->words[c->at], "(") || text_is(c->words[c->at], ")"))
        return wrong(c);
    struct text pattern = c->words[c->at++];
    bool is_them = text_is_nocase(pattern, "them");
    struct sigma_node *node = sigma_node_new(c->p->arena, kind, c->n_searches);
    if (!node)
        return -ENOMEM;
    node->n = 0;
    for (uint32_t i = 0; i < c->n_searches; i++) {
        struct text name = c->searches[i].name;
        if (is_them ? !(name.n && name.p[0] == '_') : like(pattern, name))
            node->children[node->n++] = c->searches[i].node;
    }
    if (!node->n)
        return sigma_refuse(c->p, SIGMA_CONDITION_NAME, c->line, pattern);
    *ret = node;
    return 0;
}

static int either(struct condition *c, struct sigma_node **ret);

static int one(struct condition *c, struct sigma_node **ret)
{
    if (c->at == c->n)
        return wrong(c);
    if (take(c, "(")) {
        if (++c->depth > SIGMA_CONDITION_DEPTH)
            return sigma_refuse(c->p, SIGMA_DEEP, c->line, TEXT("condition"));
        int e = either(c, ret);
        c->depth--;
        return e ? e : take(c, ")") ? 0 : wrong(c);
    }
    struct text word = c->words[c->at];
    bool is_of = c->at + 1 < c->n && text_is_nocase(c->words[c->at + 1], "of");
    if (is_of && (text_is(word, "1") || text_is_nocase(word, "any") || text_is_nocase(word, "all"))) {
        c->at += 2;
        return several(c, text_is_nocase(word, "all") ? SIGMA_AND : SIGMA_OR, ret);
    }
    if (is_of || text_is(word, ")") || text_is_nocase(word, "and") || text_is_nocase(word, "or"))
        return wrong(c);
    for (uint32_t i = 0; i < c->n_searches; i++)
        if (text_equal(c->searches[i].name, word)) {
            c->at++;
            *ret = c->searches[i].node;
            return 0;
        }
    /* two words without "and" or "or" between are no condition at all */
    const struct text *next = c->at + 1 < c->n ? &c->words[c->at + 1] : NULL;
    if (next && !text_is_nocase(*next, "and") && !text_is_nocase(*next, "or") && !text_is(*next, ")"))
        return wrong(c);
    return sigma_refuse(c->p, SIGMA_CONDITION_NAME, c->line, word);
}

static int negated(struct condition *c, struct sigma_node **ret)
{
    bool is_not = false;
    while (take(c, "not"))
        is_not = !is_not;
    int e = one(c, ret);
    if (e || !is_not)
        return e;
    struct sigma_node *node = sigma_node_new(c->p->arena, SIGMA_NOT, 1);
    if (!node)
        return -ENOMEM;
    node->children[0] = *ret;
    *ret = node;
    return 0;
}

/* chain - operands joined by one word. */
static int chain(struct condition *c, const char *word, enum sigma_node_kind kind,
                 int (*operand)(struct condition *, struct sigma_node **), struct sigma_node **ret)
{
    struct sigma_node *some[SIGMA_CONDITION_MAX / 2 + 1];
    uint32_t n = 0;
    do {
        int e = operand(c, &some[n++]);
        if (e)
            return e;
    } while (take(c, word));
    if (n == 1) {
        *ret = some[0];
        return 0;
    }
    struct sigma_node *node = sigma_node_new(c->p->arena, kind, n);
    if (!node)
        return -ENOMEM;
    memcpy(node->children, some, n * sizeof *some);
    *ret = node;
    return 0;
}

static int both(struct condition *c, struct sigma_node **ret)
{
    return chain(c, "and", SIGMA_AND, negated, ret);
}

static int either(struct condition *c, struct sigma_node **ret)
{
    return chain(c, "or", SIGMA_OR, both, ret);
}

static int parse_one(struct sigma_parser *p, const struct yaml_tree *t, const struct sigma_named *searches, uint32_t n,
                     struct sigma_node **ret)
{
    if (t->kind != YAML_SCALAR || yaml_tree_is_null(t) || !text_trim(t->text).n)
        return sigma_refuse(p, SIGMA_NO_CONDITION, t->line, (struct text){0});
    struct condition c = {.p = p, .searches = searches, .n_searches = n, .line = t->line};
    int e = split(&c, t->text);
    if (!e)
        e = either(&c, ret);
    if (!e && c.at != c.n)
        e = wrong(&c);
    return e;
}

int sigma_parse_condition(struct sigma_parser *p, const struct yaml_tree *t, const struct sigma_named *searches,
                          uint32_t n, struct sigma_node **ret)
{
    if (t->kind == YAML_SCALAR)
        return parse_one(p, t, searches, n, ret);
    if (t->kind != YAML_LIST || !t->n || t->n > SIGMA_SEARCHES_MAX)
        return sigma_refuse(p, SIGMA_NO_CONDITION, t->line, (struct text){0});
    struct sigma_node *node = sigma_node_new(p->arena, SIGMA_OR, t->n);
    if (!node)
        return -ENOMEM;
    uint32_t i = 0;
    for (const struct yaml_tree *entry = t->first; entry; entry = entry->next) {
        int e = parse_one(p, entry, searches, n, &node->children[i++]);
        if (e)
            return e;
    }
    *ret = node;
    return 0;
}
