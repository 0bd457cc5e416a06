/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a query: they are a query, or an error that says where. A query binds to nothing and still answers.
 * What must hold: an error is QUERY_INVALID with a text; columns, keys and leaves stay within their bounds.
 */
#include "watch/query/ast.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const uint32_t listed[] = {0x01020304};

static int find_list(void *context, struct text name, const struct address_set **ret)
{
    static const struct address_set set = {.v4 = listed, .n_v4 = 1};
    (void)context;
    *ret = &set;
    return !text_is(name, "bots");
}

static int take_columns(void *context, const struct query_column *columns, size_t n)
{
    (void)context;
    assert(n > 0 && n <= QUERY_COLUMNS);
    for (size_t i = 0; i < n; i++)
        assert(columns[i].name.p && columns[i].name.n);
    return 0;
}

static int take_row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    (void)context, (void)values, (void)texts;
    assert(n > 0);
    return 0;
}

static unsigned count_leaves(const struct query_node *node, unsigned depth)
{
    assert(depth < 4 * QUERY_DEPTH);
    unsigned n = node->op == QUERY_LEAF;
    assert((node->op == QUERY_LEAF) == (node->leaf != NULL));
    for (const struct query_node *c = node->children; c; c = c->next)
        n += count_leaves(c, depth + 1);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct query_language l = {.zone_s = 25200, .now_us = INT64_C(1700000000000000), .list = find_list};
    struct query *q = NULL;
    struct fault f = {0};
    int r = query_parse((const char *)p, n, &l, &q, &f);
    if (r) {
        assert(r == QUERY_INVALID && *f.text && !q);
        return 0;
    }
    assert(q->n_leaves <= QUERY_LEAVES && q->n_keys <= QUERY_KEYS && q->n_sort <= QUERY_SORT_KEYS);
    assert(count_leaves(q->filter, 0) <= q->n_leaves);
    for (unsigned i = 0; i < q->n_leaves; i++) {
        const struct query_leaf *leaf = q->leaves[i];
        assert(leaf->index == i && leaf->field.kind < QUERY_FIELD_ENDS_IP);
        for (size_t k = 1; k < leaf->set.n_v4; k++)
            assert(leaf->set.v4[k - 1] < leaf->set.v4[k]);
        for (size_t k = 1; k < leaf->set.n_v4_ranges; k++)
            assert(leaf->set.v4_ranges[k - 1].last < leaf->set.v4_ranges[k].first);
    }
    struct query_options o = {.since_us = INT64_MIN, .until_us = INT64_MAX};
    struct query_sink sink = {take_columns, take_row, NULL};
    struct query_report report;
    struct buf plan = {.max = 1 << 20};
    assert(!query_run_segments(NULL, 0, q, &o, &sink, &report, &f));
    assert(!query_explain(NULL, 0, q, &o, &plan, &f));
    buf_fini(&plan);
    query_free(q);
    return 0;
}
