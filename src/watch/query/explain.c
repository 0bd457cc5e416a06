/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binds the filter as a run would, and says what that left over. Only dictionaries and directories are read.
 */
#include "watch/query/filter.h"

#include <errno.h>
#include <stdlib.h>

enum { SEGMENTS_SHOWN = 20 };

struct totals {
    unsigned long long n_codes, n_blocks;
    bool used_postings;
};

static void explain_leaves(const struct query *q, const struct totals *leaves, struct buf *out)
{
    for (unsigned i = 0; i < q->n_leaves; i++) {
        const struct query_leaf *l = q->leaves[i];
        char text[512], source[128], name[96];
        const char *by = l->field.kind == QUERY_FIELD_TEXT ? message_text(MSG_query_explain_by_reading)
                         : leaves[i].used_postings         ? message_text(MSG_query_explain_by_postings)
                                                           : message_text(MSG_query_explain_by_bounds);
        text_escape(l->source.p, l->source.n, source, sizeof(source));
        text_escape(l->field.name.p, l->field.name.n, name, sizeof(name));
        if (l->field.kind == QUERY_FIELD_ADDRESS && !l->is_presence)
            SAY_TO(text, sizeof(text), query_explain_address, source, name, leaves[i].n_codes, leaves[i].n_blocks, by);
        else
            SAY_TO(text, sizeof(text), query_explain_leaf, source, name, leaves[i].n_blocks, by);
        buf_add_text(out, text);
        buf_add_byte(out, '\n');
    }
}

static void explain_end(const struct query *q, struct buf *out)
{
    const char *way = message_text(q->is_grouped ? MSG_query_explain_groups
                                   : q->n_sort   ? MSG_query_explain_sorted
                                                 : MSG_query_explain_rows);
    buf_add_text(out, way);
    buf_add_byte(out, '\n');
}

int query_explain(struct segment *const *segments, size_t n, const struct query *q, const struct query_options *o,
                  struct buf *out, struct fault *f)
{
    struct query_filter *filter = query_filter_new(q, o->since_us, o->until_us);
    struct totals *leaves = calloc(q->n_leaves + 1, sizeof(*leaves));
    struct buf lines = {.max = 1 << 16};
    unsigned long long n_rows = 0, n_blocks = 0, n_read = 0, n_segments_read = 0;
    int r = filter && leaves ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < n; i++) {
        const struct segment_info *info = segment_info(segments[i]);
        uint32_t n_candidates = 0;
        char text[256];
        r = query_filter_bind(filter, segments[i], &n_candidates);
        r = r == -EBADMSG ? 0 : r; /* damage is the business of a run */
        n_rows += info->n_rows;
        n_blocks += info->n_blocks;
        n_read += n_candidates;
        n_segments_read += n_candidates != 0;
        for (unsigned l = 0; l < q->n_leaves; l++) {
            const struct query_leaf_plan *plan = query_filter_plan(filter, l);
            leaves[l].n_codes += plan->n_codes;
            leaves[l].n_blocks += plan->n_blocks;
            leaves[l].used_postings = leaves[l].used_postings || plan->used_postings;
        }
        if (i >= SEGMENTS_SHOWN)
            continue;
        SAY_TO(text, sizeof(text), query_explain_segment, (unsigned long long)info->id, n_candidates, info->n_blocks,
               query_filter_window_blocks(filter));
        buf_add_text(&lines, text);
        buf_add_byte(&lines, '\n');
    }
    if (!r) {
        char text[512];
        SAY_TO(text, sizeof(text), query_explain_total, (unsigned long long)n, n_rows, n_blocks, n_segments_read, n_read);
        buf_add_text(out, text);
        buf_add_byte(out, '\n');
        explain_leaves(q, leaves, out);
        explain_end(q, out);
        buf_add(out, lines.p, lines.n);
    }
    buf_fini(&lines);
    free(leaves);
    query_filter_free(filter);
    if (!r && out->is_bad)
        r = -ENOMEM;
    return r ? FAULT(f, r, no_memory, "query") : 0;
}
