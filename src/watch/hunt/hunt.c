/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scan, three things to do with what it finds.
 */
#include "watch/hunt/hunt.h"
#include "watch/hunt/hits.h"
#include "watch/hunt/log_scan.h"
#include "watch/hunt/name_scan.h"
#include "watch/hunt/scan.h"
#include "watch/hunt/union.h"

#include <errno.h>
#include <stdlib.h>

enum { DENSE_ROWS = 512 }; /* of a block: above, columns are decoded whole */

/* what is done with what is found; all with the same context */
struct taker {
    hunt_scan_each each;                                       /* flows with a listed end */
    int (*log)(void *context, const struct hunt_row *r);       /* log events */
    int (*named)(void *context, const struct hunt_row *r);     /* flows with a listed name: perhaps given to ->each too */
    void *context;
};

/* scan - flows by their ends, flows by their names, log events. */
static int scan(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
                const unsigned *columns, size_t n_columns, const struct taker *t, struct hunt_coverage *coverage, struct fault *f)
{
    struct hunt_union all;
    if (n_lists > HUNT_LISTS)
        return FAULT(f, -E2BIG, hunt_too_many_lists, n_lists, (size_t)HUNT_LISTS);
    const struct address_set **sets = calloc(n_lists + 1, sizeof(const struct address_set *));
    if (!sets)
        return FAULT(f, -ENOMEM, no_memory, "hunt");
    for (size_t i = 0; i < n_lists; i++)
        sets[i] = list_addresses(lists[i]);
    struct names *names = names_new(lists, n_lists);
    int r = hunt_union_init(&all, sets, n_lists);
    if (r || !names)
        r = FAULT(f, -ENOMEM, no_memory, "hunt");
    else
        r = hunt_scan(v, &all.set, o, columns, n_columns, t->each, t->context, coverage, f);
    if (!r)
        r = hunt_name_scan(v, names, &all.set, o, t->named, t->context, coverage, f);
    if (!r && !o->skip_logs)
        r = hunt_log_scan(v, &all.set, names, o, t->log, t->context, coverage, f);
    hunt_union_fini(&all);
    names_free(names);
    free(sets);
    return r;
}

/* many rows of one block: decode what every one of them needs */
static int load(struct query_block *b, uint32_t n, const unsigned *columns, size_t n_columns)
{
    for (size_t i = 0; n > DENSE_ROWS && i < n_columns; i++) {
        struct segment_bounds bounds;
        segment_bounds(b->segment, b->block, columns[i], &bounds);
        int r = bounds.is_constant ? 0 : query_block_load(b, columns[i]);
        if (r)
            return r;
    }
    return 0;
}

static const unsigned row_columns[] = {
    FLOW_COLUMN_NUMBER(FLOW_START),          FLOW_COLUMN_NUMBER(FLOW_END),
    FLOW_COLUMN_NUMBER(FLOW_RECEIVED),       FLOW_COLUMN_NUMBER(FLOW_SOURCE_PORT),
    FLOW_COLUMN_NUMBER(FLOW_DESTINATION_PORT), FLOW_COLUMN_NUMBER(FLOW_PROTOCOL),
    FLOW_COLUMN_NUMBER(FLOW_SOURCE_PACKETS), FLOW_COLUMN_NUMBER(FLOW_DESTINATION_PACKETS),
    FLOW_COLUMN_NUMBER(FLOW_SOURCE_BYTES),   FLOW_COLUMN_NUMBER(FLOW_DESTINATION_BYTES),
};
enum { N_ROW_COLUMNS = sizeof(row_columns) / sizeof(*row_columns), FIRST_BYTES = N_ROW_COLUMNS - 2 };

/* --- rows ---------------------------------------------------------------------------------- */

struct give_rows {
    int (*each)(void *context, const struct hunt_row *r);
    void *context;
    int answer; /* what ended it: kept apart, for -EBADMSG of the taker is not damage of ours */
};

enum { ENDED = 1 };

static int give_rows(void *context, struct query_block *b, const uint32_t *rows, const uint8_t *ends, uint32_t n)
{
    struct give_rows *g = context;
    int r = load(b, n, row_columns, N_ROW_COLUMNS);
    for (uint32_t i = 0; !r && i < n; i++) {
        struct hunt_row row;
        r = hunt_row_read(b, rows[i], ends[i], &row);
        if (r)
            return r;
        g->answer = g->each(g->context, &row);
        r = g->answer ? ENDED : 0;
    }
    return r;
}

static int give_log(void *context, const struct hunt_row *row)
{
    struct give_rows *g = context;
    g->answer = g->each(g->context, row);
    return g->answer ? ENDED : 0;
}

static int give_named(void *context, const struct hunt_row *row)
{
    return row->is_source_listed || row->is_destination_listed ? 0 : give_log(context, row);
}

int hunt_log_events(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
                    hunt_log_each each, void *context, struct fault *f)
{
    struct hunt_coverage coverage = {.since_us = o->since_us, .until_us = o->until_us, .from_us = INT64_MAX, .to_us = INT64_MIN};
    struct hunt_union all;
    const struct address_set **sets = calloc(n_lists + 1, sizeof(const struct address_set *));
    struct names *names = names_new(lists, n_lists);
    for (size_t i = 0; sets && i < n_lists; i++)
        sets[i] = list_addresses(lists[i]);
    int r = sets && names ? hunt_union_init(&all, sets, n_lists) : -ENOMEM;
    if (r)
        r = FAULT(f, r, no_memory, "hunt");
    else {
        r = hunt_log_each_event(v, &all.set, names, o, each, context, &coverage, f);
        hunt_union_fini(&all);
    }
    names_free(names);
    free(sets);
    return r;
}

int hunt_rows(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
              int (*each)(void *context, const struct hunt_row *r), void *context, struct hunt_coverage *ret, struct fault *f)
{
    struct give_rows g = {each, context, 0};
    struct taker t = {give_rows, give_log, give_named, &g};
    int r = scan(v, lists, n_lists, o, row_columns, N_ROW_COLUMNS, &t, ret, f);
    return r == ENDED ? g.answer : r;
}

/* --- hits ------------------------------------------------------------------------------------ */

struct count_hits {
    struct hits *hits;
    uint64_t n_foreign;
};

static int count_hits(void *context, struct query_block *b, const uint32_t *rows, const uint8_t *ends, uint32_t n)
{
    struct count_hits *c = context;
    int r = load(b, n, row_columns, N_ROW_COLUMNS);
    for (uint32_t i = 0; !r && i < n; i++) {
        struct hunt_row row;
        bool is_foreign = false;
        r = hunt_row_read(b, rows[i], ends[i], &row);
        if (!r)
            r = hits_add(c->hits, &row, &is_foreign);
        c->n_foreign += is_foreign;
    }
    return r;
}

static int count_log(void *context, const struct hunt_row *row)
{
    struct count_hits *c = context;
    bool is_foreign = false;
    int r = hits_add(c->hits, row, &is_foreign);
    c->n_foreign += is_foreign;
    return r;
}

/* count_named - its ends were counted as a flow's. */
static int count_named(void *context, const struct hunt_row *row)
{
    struct hunt_row only = *row;
    only.is_source_listed = only.is_destination_listed = false;
    return count_log(context, &only);
}

int hunt_hits(struct store_view *v, struct list *const *lists, size_t n_lists, const struct space *space,
              const struct hunt_options *o, int (*each)(void *context, const struct hunt_hit *h), void *context,
              struct hunt_coverage *ret, struct fault *f)
{
    size_t memory_bytes = o->memory_bytes ? o->memory_bytes : HUNT_MEMORY_BYTES;
    struct count_hits c = {.hits = hits_new(lists, n_lists, space, memory_bytes)};
    if (!c.hits)
        return FAULT(f, -ENOMEM, no_memory, "hunt");
    struct taker t = {count_hits, count_log, count_named, &c};
    int r = scan(v, lists, n_lists, o, row_columns, N_ROW_COLUMNS, &t, ret, f);
    ret->n_rows_foreign = c.n_foreign;
    ret->n_hits = hits_n(c.hits);
    if (!r)
        r = hits_each(c.hits, each, context);
    hits_free(c.hits);
    return r == -ENOMEM ? FAULT(f, r, hunt_memory, memory_bytes >> 20) : r;
}

/* --- totals ------------------------------------------------------------------------------------- */

static int add_totals(void *context, struct query_block *b, const uint32_t *rows, const uint8_t *ends, uint32_t n)
{
    struct hunt_totals *t = context, add = {0};
    (void)ends;
    int r = load(b, n, row_columns + FIRST_BYTES, 2);
    for (uint32_t i = 0; !r && i < n; i++) {
        uint64_t has, source = 0, destination = 0;
        r = query_block_has(b, rows[i], &has);
        if (!r && has & FLOW_HAS(FLOW_SOURCE_BYTES))
            r = query_block_number(b, FLOW_COLUMN_NUMBER(FLOW_SOURCE_BYTES), rows[i], &source);
        if (!r && has & FLOW_HAS(FLOW_DESTINATION_BYTES))
            r = query_block_number(b, FLOW_COLUMN_NUMBER(FLOW_DESTINATION_BYTES), rows[i], &destination);
        uint64_t bytes = query_add(source, destination);
        add.rows++;
        add.bytes = query_add(add.bytes, bytes);
        add.bytes_max = bytes > add.bytes_max ? bytes : add.bytes_max;
    }
    if (r)
        return r;
    t->rows += add.rows;
    t->bytes = query_add(t->bytes, add.bytes);
    t->bytes_max = add.bytes_max > t->bytes_max ? add.bytes_max : t->bytes_max;
    return 0;
}

static int add_log(void *context, const struct hunt_row *row)
{
    struct hunt_totals *t = context;
    t->rows++;
    t->bytes = query_add(t->bytes, row->bytes);
    t->bytes_max = row->bytes > t->bytes_max ? row->bytes : t->bytes_max;
    return 0;
}

static int add_named(void *context, const struct hunt_row *row)
{
    return row->is_source_listed || row->is_destination_listed ? 0 : add_log(context, row);
}

int hunt_total(struct store_view *v, struct list *const *lists, size_t n_lists, const struct hunt_options *o,
               struct hunt_totals *ret, struct hunt_coverage *ret_coverage, struct fault *f)
{
    *ret = (struct hunt_totals){0};
    struct taker t = {add_totals, add_log, add_named, ret};
    return scan(v, lists, n_lists, o, row_columns + FIRST_BYTES, 2, &t, ret_coverage, f);
}
