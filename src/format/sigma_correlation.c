/* SPDX-License-Identifier: Apache-2.0 */
/* Correlation documents: type, rules, group-by, timespan, condition, aliases. */
#include "format/sigma_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_type(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_correlation *c)
{
    static const char *const names[] = {"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg",
        "value_percentile"};
    const struct yaml_tree *type = yaml_tree_get(t, "type");
    for (unsigned i = 0; type && i < sizeof names / sizeof *names; i++)
        if (type->kind == YAML_SCALAR && text_is(type->text, names[i])) {
            c->type = (enum sigma_correlation_type)i;
            return 0;
        }
    return sigma_refuse(p, SIGMA_CORRELATION_TYPE, type ? type->line : t->line, type ? type->text : (struct text){0});
}

/* parse_timespan - a number and s, m, h or d (w, M and y are known to converters, not to the specification). */
static int parse_timespan(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_correlation *c)
{
    const struct yaml_tree *span = yaml_tree_get(t, "timespan");
    if (!span)
        span = yaml_tree_get(t, "timeframe"); /* as the first drafts called it */
    if (!span || span->kind != YAML_SCALAR || span->text.n < 2)
        return sigma_refuse(p, SIGMA_CORRELATION_TIMESPAN, span ? span->line : t->line, span ? span->text : (struct text){0});
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    const char *unit = memchr(units, span->text.p[span->text.n - 1], 4);
    uint64_t n;
    if (!unit || text_u64((struct text){span->text.p, span->text.n - 1}, 366 * 86400u, &n) || !n ||
        (int64_t)n * seconds[unit - units] > INT64_C(366) * 86400)
        return sigma_refuse(p, SIGMA_CORRELATION_TIMESPAN, span->line, span->text);
    c->timespan_us = (int64_t)n * seconds[unit - units] * 1000000;
    return 0;
}

static int parse_compare(struct sigma_parser *p, const struct yaml_tree *e, struct sigma_correlation *c)
{
    static const char *const names[] = {"", "gt", "gte", "lt", "lte", "eq", "neq"};
    char copy[40], *end;
    if (e->kind != YAML_SCALAR || !e->text.n || e->text.n >= sizeof copy)
        return sigma_refuse(p, SIGMA_CORRELATION_CONDITION, e->line, e->key);
    memcpy(copy, e->text.p, e->text.n);
    copy[e->text.n] = 0;
    double to = strtod(copy, &end);
    if (*end || !(to > -1e18 && to < 1e18) || copy[strspn(copy, "+-.0123456789eE")])
        return sigma_refuse(p, SIGMA_BAD_NUMBER, e->line, e->text);
    if (text_is(e->key, "percentile")) {
        c->percentile = to;
        return to >= 0 && to <= 100 ? 0 : sigma_refuse(p, SIGMA_BAD_NUMBER, e->line, e->text);
    }
    for (unsigned i = SIGMA_CMP_GT; i <= SIGMA_CMP_NEQ; i++)
        if (text_is(e->key, names[i]) && c->n_compares < 6) {
            c->compares[c->n_compares].how = (enum sigma_compare)i;
            c->compares[c->n_compares++].to = to;
            return 0;
        }
    return sigma_refuse(p, SIGMA_CORRELATION_CONDITION, e->line, e->key);
}

static int parse_conditions(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_correlation *c)
{
    bool is_temporal = c->type == SIGMA_TEMPORAL || c->type == SIGMA_TEMPORAL_ORDERED;
    bool needs_field = !is_temporal && c->type != SIGMA_EVENT_COUNT;
    const struct yaml_tree *condition = yaml_tree_get(t, "condition");
    c->percentile = 50;
    if (!condition && is_temporal)
        return 0;
    if (!condition || condition->kind != YAML_MAP)
        return sigma_refuse(p, SIGMA_CORRELATION_CONDITION, condition ? condition->line : t->line, (struct text){0});
    int e = 0;
    for (const struct yaml_tree *entry = condition->first; entry && !e; entry = entry->next)
        e = text_is(entry->key, "field") ? sigma_parse_texts(p, entry, SIGMA_CORRELATION_FIELD, &c->fields, &c->n_fields)
                                         : parse_compare(p, entry, c);
    if (!e && !c->n_compares)
        e = sigma_refuse(p, SIGMA_CORRELATION_CONDITION, condition->line, (struct text){0});
    if (!e && (needs_field ? !c->n_fields || (c->n_fields > 1 && c->type != SIGMA_VALUE_COUNT) : c->n_fields > 0))
        e = sigma_refuse(p, SIGMA_CORRELATION_FIELD, condition->line, (struct text){0});
    return e;
}

static int parse_aliases(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_correlation *c)
{
    const struct yaml_tree *aliases = yaml_tree_get(t, "aliases");
    if (!aliases)
        return 0;
    uint32_t n = 0;
    for (const struct yaml_tree *a = aliases->first; a; a = a->next) {
        if (a->kind != YAML_MAP || aliases->kind != YAML_MAP)
            return sigma_refuse(p, SIGMA_CORRELATION_ALIAS, a->line, a->key);
        n += a->n;
    }
    if (!n || n > SIGMA_RELATED_MAX)
        return sigma_refuse(p, SIGMA_CORRELATION_ALIAS, aliases->line, (struct text){0});
    c->aliases = arena_alloc(p->arena, n * sizeof *c->aliases);
    if (!c->aliases)
        return -ENOMEM;
    for (const struct yaml_tree *a = aliases->first; a; a = a->next)
        for (const struct yaml_tree *e = a->first; e; e = e->next) {
            if (e->kind != YAML_SCALAR || !e->text.n)
                return sigma_refuse(p, SIGMA_CORRELATION_ALIAS, e->line, e->key);
            c->aliases[c->n_aliases++] = (struct sigma_alias){a->key, e->key, e->text};
        }
    return 0;
}

/* an alias must name rules of this correlation */
static int check_aliases(struct sigma_parser *p, const struct yaml_tree *t, const struct sigma_correlation *c)
{
    for (uint32_t i = 0; i < c->n_aliases; i++) {
        bool is_known = false;
        for (uint32_t k = 0; k < c->n_rules; k++)
            is_known = is_known || text_equal(c->rules[k], c->aliases[i].rule);
        if (!is_known)
            return sigma_refuse(p, SIGMA_CORRELATION_ALIAS, t->line, c->aliases[i].rule);
    }
    return 0;
}

int sigma_parse_correlation(struct sigma_parser *p, const struct yaml_tree *document, const struct yaml_tree *t)
{
    struct sigma_correlation *c = arena_alloc(p->arena, sizeof *c);
    if (!c)
        return -ENOMEM;
    p->rule->kind = SIGMA_CORRELATION;
    p->rule->correlation = c;
    if (t->kind != YAML_MAP)
        return sigma_refuse(p, SIGMA_CORRELATION_TYPE, t->line, (struct text){0});
    const struct yaml_tree *rules = yaml_tree_get(t, "rules"), *group = yaml_tree_get(t, "group-by");
    const struct yaml_tree *generate = yaml_tree_get(t, "generate");
    if (!generate)
        generate = yaml_tree_get(document, "generate");
    if (generate && yaml_tree_bool(generate, &c->may_generate))
        return sigma_refuse(p, SIGMA_BAD_BOOLEAN, generate->line, generate->text);
    int e = parse_type(p, t, c);
    if (!e)
        e = rules ? sigma_parse_texts(p, rules, SIGMA_CORRELATION_RULES, &c->rules, &c->n_rules)
                  : sigma_refuse(p, SIGMA_CORRELATION_RULES, t->line, (struct text){0});
    if (!e && group)
        e = sigma_parse_texts(p, group, SIGMA_CORRELATION_GROUP, &c->group, &c->n_group);
    if (!e)
        e = parse_timespan(p, t, c);
    if (!e)
        e = parse_conditions(p, t, c);
    if (!e)
        e = parse_aliases(p, t, c);
    return e ? e : check_aliases(p, t, c);
}
