/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents: what kind each is, its head, its detection; `action: global` of specification 1 merged into those behind.
 */
#include "format/sigma_inside.h"

#include <errno.h>
#include <string.h>

static const char *const reason_names[SIGMA_N_REASONS] = {
    "fine",
#define X(ID, name) name,
    SIGMA_REASONS(X)
#undef X
};

const char *sigma_reason_name(enum sigma_reason reason)
{
    return reason < SIGMA_N_REASONS ? reason_names[reason] : "?";
}

static const char *const level_names[] = {"", "informational", "low", "medium", "high", "critical"};

const char *sigma_level_name(enum sigma_level level)
{
    return level_names[level];
}

int sigma_refuse(struct sigma_parser *p, enum sigma_reason reason, uint32_t line, struct text detail)
{
    char shown[256];
    size_t n = 0;
    for (size_t i = 0; i < detail.n && n < sizeof shown; i++) /* marks as they were written */
        shown[n++] = detail.p[i] == SIGMA_ANY ? '*' : detail.p[i] == SIGMA_ONE ? '?' : detail.p[i] == SIGMA_DASH ? '-' : detail.p[i];
    p->rule->reason = reason;
    p->rule->line = line;
    text_escape(shown, n, p->rule->detail, sizeof p->rule->detail);
    return 1;
}

/* text_of - of a scalar entry; empty when it is missing. */
static struct text text_of(const struct yaml_tree *map, const char *key)
{
    const struct yaml_tree *t = yaml_tree_get(map, key);
    return t && t->kind == YAML_SCALAR && !yaml_tree_is_null(t) ? text_trim(t->text) : (struct text){0};
}

int sigma_parse_texts(struct sigma_parser *p, const struct yaml_tree *t, enum sigma_reason reason, struct text **ret, uint32_t *ret_n)
{
    uint32_t n = t->kind == YAML_LIST ? t->n : 1;
    if (!n || n > SIGMA_RELATED_MAX || t->kind == YAML_MAP)
        return sigma_refuse(p, reason, t->line, t->key);
    struct text *all = arena_alloc(p->arena, n * sizeof *all);
    if (!all)
        return -ENOMEM;
    *ret = all;
    *ret_n = n;
    for (const struct yaml_tree *e = t->kind == YAML_LIST ? t->first : t; e && n; e = e->next, n--) {
        *all = text_trim(e->text);
        if (e->kind != YAML_SCALAR || !all++->n)
            return sigma_refuse(p, reason, e->line, e->text);
    }
    return 0;
}

static int parse_head(struct sigma_parser *p, const struct yaml_tree *document)
{
    struct sigma_rule *r = p->rule;
    r->title = text_of(document, "title");
    r->id = text_of(document, "id");
    r->name = text_of(document, "name");
    r->status = text_of(document, "status");
    r->author = text_of(document, "author");
    struct text level = text_of(document, "level");
    for (enum sigma_level l = SIGMA_INFORMATIONAL; l <= SIGMA_CRITICAL; l++)
        if (text_is_nocase(level, level_names[l]))
            r->level = l;
    if (level.n && !r->level)
        return sigma_refuse(p, SIGMA_BAD_LEVEL, yaml_tree_get(document, "level")->line, level);
    const struct yaml_tree *tags = yaml_tree_get(document, "tags");
    if (tags && tags->kind == YAML_LIST && tags->n && tags->n <= SIGMA_RELATED_MAX) {
        r->tags = arena_alloc(p->arena, tags->n * sizeof *r->tags);
        if (!r->tags)
            return -ENOMEM;
        for (const struct yaml_tree *t = tags->first; t; t = t->next)
            if (t->kind == YAML_SCALAR && t->text.n)
                r->tags[r->n_tags++] = t->text;
    }
    return r->title.n ? 0 : sigma_refuse(p, SIGMA_NO_TITLE, document->line, (struct text){0});
}

static int parse_logsource(struct sigma_parser *p, const struct yaml_tree *document)
{
    const struct yaml_tree *t = yaml_tree_get(document, "logsource");
    if (!t || t->kind != YAML_MAP)
        return sigma_refuse(p, SIGMA_NO_LOGSOURCE, t ? t->line : document->line, (struct text){0});
    struct sigma_logsource *l = &p->rule->logsource;
    *l = (struct sigma_logsource){text_of(t, "category"), text_of(t, "product"), text_of(t, "service")};
    return l->category.n || l->product.n || l->service.n ? 0 : sigma_refuse(p, SIGMA_NO_LOGSOURCE, t->line, (struct text){0});
}

/* parse_searches - the named searches of @t, whose other entries are in @others (closed by NULL), then the condition. */
static int parse_searches(struct sigma_parser *p, const struct yaml_tree *t, const char *const *others, struct sigma_node **ret)
{
    if (t->n > SIGMA_SEARCHES_MAX)
        return sigma_refuse(p, SIGMA_VALUES, t->line, t->key);
    struct sigma_named *named = arena_alloc(p->arena, (t->n + 1) * sizeof *named);
    if (!named)
        return -ENOMEM;
    uint32_t n = 0;
    const struct yaml_tree *condition = NULL;
    for (const struct yaml_tree *e = t->first; e; e = e->next) {
        bool is_other = false;
        for (const char *const *o = others; *o; o++)
            is_other = is_other || text_is(e->key, *o);
        if (text_is(e->key, "condition"))
            condition = e;
        if (is_other)
            continue;
        named[n].name = e->key;
        int error = sigma_parse_search(p, e, &named[n++].node);
        if (error)
            return error;
    }
    if (!condition)
        return sigma_refuse(p, SIGMA_NO_CONDITION, t->line, (struct text){0});
    return sigma_parse_condition(p, condition, named, n, ret);
}

static int parse_detection(struct sigma_parser *p, const struct yaml_tree *document)
{
    static const char *const others[] = {"condition", "timeframe", NULL};
    const struct yaml_tree *t = yaml_tree_get(document, "detection");
    if (!t || t->kind != YAML_MAP)
        return sigma_refuse(p, SIGMA_NO_DETECTION, t ? t->line : document->line, (struct text){0});
    int e = parse_logsource(p, document);
    return e ? e : parse_searches(p, t, others, &p->rule->root);
}

static int parse_filter(struct sigma_parser *p, const struct yaml_tree *document, const struct yaml_tree *t)
{
    static const char *const others[] = {"condition", "rules", NULL};
    struct sigma_rule *r = p->rule;
    r->kind = SIGMA_FILTER;
    const struct yaml_tree *rules = yaml_tree_get(t, "rules");
    if (!rules)
        return sigma_refuse(p, SIGMA_FILTER_RULES, t->line, (struct text){0});
    int e = parse_logsource(p, document);
    if (!e && !(rules->kind == YAML_SCALAR && text_is(rules->text, "any")))
        e = sigma_parse_texts(p, rules, SIGMA_FILTER_RULES, &r->rules, &r->n_rules);
    if (!e)
        e = parse_searches(p, t, others, &r->root);
    if (!e)
        r->is_keep = r->root->kind == SIGMA_NOT;
    return e;
}

static int parse_document(struct sigma_parser *p, const struct yaml_tree *document)
{
    if (document->kind != YAML_MAP)
        return sigma_refuse(p, SIGMA_NO_MAP, document->line, (struct text){0});
    int e = parse_head(p, document);
    if (e)
        return e;
    const struct yaml_tree *t = yaml_tree_get(document, "correlation");
    if (t)
        return sigma_parse_correlation(p, document, t);
    t = yaml_tree_get(document, "filter");
    return t ? parse_filter(p, document, t) : parse_detection(p, document);
}

/* --- action: global ---------------------------------------------------------------------------------- */

/* merge - @over's entries into a copy of @under: maps are merged, all else is replaced. NULL: memory is out. */
static struct yaml_tree *merge(struct arena *arena, const struct yaml_tree *under, const struct yaml_tree *over)
{
    struct yaml_tree *all = arena_alloc(arena, sizeof *all);
    if (!all)
        return NULL;
    *all = *over;
    all->first = NULL;
    all->n = 0;
    struct yaml_tree **tail = &all->first;
    for (int pass = 0; pass < 2; pass++)
        for (const struct yaml_tree *e = pass ? under->first : over->first; e; e = e->next) {
            const struct yaml_tree *twin = NULL;
            for (const struct yaml_tree *o = pass ? over->first : under->first; o && !twin; o = o->next)
                twin = text_equal(o->key, e->key) ? o : NULL;
            if (pass && twin)
                continue; /* came with the first pass */
            bool is_both_map = twin && twin->kind == YAML_MAP && e->kind == YAML_MAP;
            struct yaml_tree *copy = is_both_map ? merge(arena, twin, e) : arena_alloc(arena, sizeof *copy);
            if (!copy)
                return NULL;
            if (!is_both_map)
                *copy = *e;
            copy->key = e->key;
            copy->next = NULL;
            *tail = copy;
            tail = &copy->next;
            all->n++;
        }
    return all;
}

static struct sigma_rule *rule_new(struct arena *arena, uint32_t line)
{
    struct sigma_rule *r = arena_alloc(arena, sizeof *r);
    if (r)
        r->line = line;
    return r;
}

static enum sigma_reason tree_reason(enum yaml_tree_reason reason)
{
    switch (reason) {
    case YAML_TREE_ALIAS: return SIGMA_ALIAS;
    case YAML_TREE_DEEP: return SIGMA_DEEP;
    case YAML_TREE_LARGE: return SIGMA_LARGE;
    case YAML_TREE_TWICE: return SIGMA_TWICE;
    case YAML_TREE_KEY: return SIGMA_KEY;
    case YAML_TREE_SYNTAX:
    case YAML_TREE_FINE: break;
    }
    return SIGMA_YAML;
}

/* parse_documents - one rule per document, `action` obeyed. */
static int parse_documents(const struct sigma_options *o, struct arena *arena, const struct yaml_trees *trees, struct sigma_rule ***tail)
{
    const struct yaml_tree *global = NULL, *before = NULL;
    for (const struct yaml_tree *t = trees->first; t; t = t->next) {
        struct text action = text_of(t, "action");
        if (text_is(action, "reset")) {
            global = NULL;
            if (t->n == 1)
                continue;
        }
        if (text_is(action, "global")) {
            global = global && t->kind == YAML_MAP ? merge(arena, global, t) : t;
            if (!global)
                return -ENOMEM;
            continue;
        }
        const struct yaml_tree *under = text_is(action, "repeat") ? before : global, *whole = t;
        if (under && under->kind == YAML_MAP && t->kind == YAML_MAP && !(whole = merge(arena, under, t)))
            return -ENOMEM;
        before = whole;
        struct sigma_rule *r = rule_new(arena, t->line);
        if (!r)
            return -ENOMEM;
        struct sigma_parser p = {.options = o, .arena = arena, .rule = r};
        if (parse_document(&p, whole) < 0)
            return -ENOMEM;
        **tail = r;
        *tail = &r->next;
    }
    return 0;
}

int sigma_parse(const char *p, size_t n, const struct sigma_options *o, struct arena *arena, struct sigma_rule **ret_first)
{
    struct yaml_trees trees;
    struct yaml_tree_fault f;
    *ret_first = NULL;
    int e = yaml_tree_parse(p, n, arena, &trees, &f);
    if (e < 0)
        return e;
    struct sigma_rule **tail = ret_first;
    int error = parse_documents(o, arena, &trees, &tail);
    if (error)
        return error;
    if (!e && *ret_first)
        return 0;
    struct sigma_rule *r = rule_new(arena, e ? f.line : 1);
    if (!r)
        return -ENOMEM;
    r->reason = e ? tree_reason(f.reason) : SIGMA_NO_MAP;
    memcpy(r->detail, f.detail, sizeof r->detail);
    *tail = r;
    return 0;
}

int sigma_search(const struct yaml_tree *t, struct arena *arena, struct sigma_rule *r, struct sigma_node **ret)
{
    struct sigma_parser p = {.arena = arena, .rule = r};
    return sigma_parse_search(&p, t, ret);
}
