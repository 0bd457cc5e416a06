/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What documents say of each other: ids that stand twice, filters and the rules they narrow, correlations and the
 * rules they count.
 */
#include "watch/detect/sigma_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void refuse(struct sigma_loaded *l, enum sigma_reason reason, struct text detail)
{
    l->rule->reason = reason;
    text_escape(detail.p, detail.n, l->rule->detail, sizeof l->rule->detail);
}

struct by_id {
    struct text id;
    uint32_t index;
};

static int compare_ids(const void *a, const void *b)
{
    const struct by_id *x = a, *y = b;
    size_t n = x->id.n < y->id.n ? x->id.n : y->id.n;
    int c = n ? memcmp(x->id.p, y->id.p, n) : 0;
    if (!c)
        c = x->id.n < y->id.n ? -1 : x->id.n > y->id.n;
    return c ? c : x->index < y->index ? -1 : 1;
}

/* the first one stays */
void sigma_link_ids(struct sigma_loaded *all, uint32_t n)
{
    struct by_id *ids = calloc(n + 1, sizeof *ids);
    uint32_t n_ids = 0;
    if (!ids)
        return; /* two of one id are a nuisance, no harm */
    for (uint32_t i = 0; i < n; i++)
        if (!all[i].rule->reason && all[i].rule->id.n)
            ids[n_ids++] = (struct by_id){all[i].rule->id, i};
    qsort(ids, n_ids, sizeof *ids, compare_ids);
    for (uint32_t i = 1; i < n_ids; i++)
        if (text_equal(ids[i].id, ids[i - 1].id))
            refuse(&all[ids[i].index], SIGMA_DUPLICATE_ID, ids[i].id);
    free(ids);
}

/* find - by id or name; of several the one in the same file. Return: index or UINT32_MAX. */
static uint32_t find(const struct sigma_loaded *all, uint32_t n, struct text who, const char *file)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const struct sigma_rule *r = all[i].rule;
        if (r->kind == SIGMA_FILTER || !(text_equal(r->id, who) || text_equal(r->name, who)))
            continue;
        if (all[i].file == file)
            return i;
        if (found == UINT32_MAX)
            found = i;
    }
    return found;
}

/* --- filters ----------------------------------------------------------------------------------------- */

static bool covers(struct text a, struct text b)
{
    return !a.n || text_equal(a, b);
}

/* narrow - the rule holds and what the filter takes out does not. */
static int narrow(struct sigma_rules *r, struct sigma_rule *rule, const struct sigma_rule *filter)
{
    struct sigma_node *both = arena_alloc(&r->arena, sizeof *both), *not = arena_alloc(&r->arena, sizeof *not);
    struct sigma_node **children = arena_alloc(&r->arena, 3 * sizeof *children);
    if (!both || !not || !children)
        return -ENOMEM;
    *not = (struct sigma_node){.kind = SIGMA_NOT, .n = 1, .children = children + 2};
    children[2] = filter->root;
    children[0] = rule->root;
    children[1] = filter->is_keep ? filter->root : not;
    *both = (struct sigma_node){.kind = SIGMA_AND, .n = 2, .children = children};
    rule->root = both;
    return 0;
}

static int apply(struct sigma_rules *r, struct sigma_loaded *all, uint32_t n, struct sigma_loaded *filter)
{
    const struct sigma_rule *f = filter->rule;
    for (uint32_t i = 0; i < f->n_rules; i++)
        if (find(all, n, f->rules[i], filter->file) == UINT32_MAX) {
            refuse(filter, SIGMA_UNKNOWN_RULE, f->rules[i]);
            return 0;
        }
    for (uint32_t i = 0; i < n; i++) {
        struct sigma_rule *rule = all[i].rule;
        bool is_meant = !f->n_rules;
        for (uint32_t k = 0; k < f->n_rules && !is_meant; k++)
            is_meant = text_equal(f->rules[k], rule->id) || text_equal(f->rules[k], rule->name);
        if (!is_meant || rule->reason || rule->kind != SIGMA_DETECTION || !covers(f->logsource.category, rule->logsource.category) ||
            !covers(f->logsource.product, rule->logsource.product) || !covers(f->logsource.service, rule->logsource.service))
            continue;
        if (narrow(r, rule, f))
            return -ENOMEM;
    }
    return 0;
}

int sigma_link_filters(struct sigma_rules *r, struct sigma_loaded *all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (all[i].rule->kind == SIGMA_FILTER && !all[i].rule->reason && apply(r, all, n, &all[i]))
            return -ENOMEM;
    return 0;
}

/* --- correlations ------------------------------------------------------------------------------------ */

enum { STATE_NEW, STATE_OPEN, STATE_DONE };
#define CHAIN_MAX 16u

struct linker {
    struct sigma_rules *r;
    struct sigma_loaded *all;
    uint32_t n;
};

/* field_lists - [i * n_rules + k] for @n names. */
static const uint32_t *field_lists(struct linker *l, const struct sigma_correlation *c, const struct text *names, uint32_t n,
    const uint32_t *rules)
{
    uint32_t *lists = arena_alloc(&l->r->arena, ((size_t)n * c->n_rules + 1) * sizeof *lists);
    for (uint32_t i = 0; lists && i < n; i++)
        for (uint32_t k = 0; k < c->n_rules; k++) {
            const struct sigma_crule *rule = &l->r->rules[rules[k]];
            struct text field = names[i];
            for (uint32_t a = 0; a < c->n_aliases; a++)
                if (text_equal(c->aliases[a].alias, names[i]) && text_equal(c->aliases[a].rule, c->rules[k]))
                    field = c->aliases[a].field;
            uint32_t list = sigma_field_list(l->r, rule->sources, rule->n_sources, field);
            if (list == UINT32_MAX)
                return NULL;
            lists[i * c->n_rules + k] = list;
        }
    return lists;
}

/* join_sources - a correlation sees fields as the rules it counts do. */
static int join_sources(struct linker *l, struct sigma_crule *to, const uint32_t *rules, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += l->r->rules[rules[i]].n_sources;
    uint32_t *all = arena_alloc(&l->r->arena, (sum + 1) * sizeof *all);
    if (!all)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < l->r->rules[rules[i]].n_sources; k++) {
            uint32_t source = l->r->rules[rules[i]].sources[k], at = 0;
            while (at < to->n_sources && all[at] != source)
                at++;
            all[at] = source;
            to->n_sources += at == to->n_sources;
        }
    to->sources = all;
    to->about.is_mapped = to->n_sources > 0;
    return 0;
}

static int link_one(struct linker *l, uint32_t index, unsigned depth);

/* resolve - the rules of a correlation, themselves linked first. Return: 0; 1 refused; -ENOMEM. */
static int resolve(struct linker *l, struct sigma_loaded *me, unsigned depth, uint32_t *rules)
{
    const struct sigma_correlation *c = me->rule->correlation;
    for (uint32_t i = 0; i < c->n_rules; i++) {
        uint32_t at = find(l->all, l->n, c->rules[i], me->file);
        enum sigma_reason reason = at == UINT32_MAX ? SIGMA_UNKNOWN_RULE
                                   : l->all[at].state == STATE_OPEN || depth == CHAIN_MAX ? SIGMA_CYCLE : SIGMA_FINE;
        if (!reason && l->all[at].rule->kind == SIGMA_CORRELATION && link_one(l, at, depth + 1) < 0)
            return -ENOMEM;
        if (!reason && (l->all[at].rule->reason || l->all[at].compiled == UINT32_MAX))
            reason = SIGMA_REFUSED_RULE;
        if (reason) {
            refuse(me, reason, c->rules[i]);
            return 1;
        }
        rules[i] = l->all[at].compiled;
    }
    return 0;
}

static int link_one(struct linker *l, uint32_t index, unsigned depth)
{
    struct sigma_loaded *me = &l->all[index];
    const struct sigma_correlation *c = me->rule->correlation;
    if (me->state == STATE_DONE || me->rule->reason)
        return 0;
    me->state = STATE_OPEN;
    uint32_t *rules = arena_alloc(&l->r->arena, c->n_rules * sizeof *rules);
    int e = rules ? resolve(l, me, depth, rules) : -ENOMEM;
    me->state = STATE_DONE;
    if (e)
        return e < 0 ? e : 0;
    struct sigma_ccorrelation *out = &l->r->correlations[l->r->n_correlations];
    *out = (struct sigma_ccorrelation){.rule = l->r->n_rules, .about = c, .n_rules = c->n_rules, .rules = rules};
    struct sigma_crule *rule = &l->r->rules[l->r->n_rules];
    rule->ast = me->rule;
    rule->about.file = me->file;
    if (join_sources(l, rule, rules, c->n_rules))
        return -ENOMEM;
    out->group = field_lists(l, c, c->group, c->n_group, rules);
    out->fields = field_lists(l, c, c->fields, c->n_fields, rules);
    if (!out->group || !out->fields)
        return -ENOMEM;
    me->compiled = l->r->n_rules++;
    l->r->n_correlations++;
    return 0;
}

/* feeds - by rule, which correlations count it; a rule that is counted is silent unless one says generate. */
static int feeds(struct sigma_rules *r)
{
    for (uint32_t i = 0; i < r->n_correlations; i++)
        for (uint32_t k = 0; k < r->correlations[i].n_rules; k++)
            r->rules[r->correlations[i].rules[k]].n_feeds++;
    for (uint32_t i = 0; i < r->n_rules; i++) {
        uint32_t *to = arena_alloc(&r->arena, (r->rules[i].n_feeds + 1) * sizeof *to);
        if (!to)
            return -ENOMEM;
        r->rules[i].about.is_reported = !r->rules[i].n_feeds;
        r->rules[i].feeds = to;
        r->rules[i].n_feeds = 0;
        for (uint32_t c = 0; c < r->n_correlations; c++)
            for (uint32_t k = 0; k < r->correlations[c].n_rules; k++) {
                if (r->correlations[c].rules[k] != i)
                    continue;
                if (!r->rules[i].n_feeds || to[r->rules[i].n_feeds - 1] != c)
                    to[r->rules[i].n_feeds++] = c;
                r->rules[i].about.is_reported |= r->correlations[c].about->may_generate;
            }
    }
    return 0;
}

int sigma_link_correlations(struct sigma_rules *r, struct sigma_loaded *all, uint32_t n)
{
    struct linker l = {r, all, n};
    uint32_t n_correlations = 0;
    for (uint32_t i = 0; i < n; i++)
        n_correlations += all[i].rule->kind == SIGMA_CORRELATION;
    r->correlations = arena_alloc(&r->arena, (n_correlations + 1) * sizeof *r->correlations);
    if (!r->correlations)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        if (all[i].rule->kind == SIGMA_CORRELATION && link_one(&l, i, 0) < 0)
            return -ENOMEM;
    return feeds(r);
}

int64_t sigma_rules_memory_us(const struct sigma_rules *r)
{
    int64_t longest_us = 0, twice_us;
    for (uint32_t i = 0; i < r->n_correlations; i++)
        longest_us = r->correlations[i].about->timespan_us > longest_us ? r->correlations[i].about->timespan_us : longest_us;
    return __builtin_mul_overflow(longest_us, 2, &twice_us) ? INT64_MAX / 2 : twice_us;
}
