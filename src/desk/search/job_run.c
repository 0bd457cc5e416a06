/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question, answered into two files: JSON lines for pages on a screen, CSV for who takes it away. A sink in front of both counts,
 * cuts at the limit, and stops when the person said so.
 */
#include "desk/search/job_own.h"

#include "base/clock.h"
#include "base/file.h"
#include "watch/hunt/hunt.h"
#include "watch/hunt/output.h"
#include "watch/hunt/record.h"
#include "watch/indicator/lists.h"
#include "watch/query/output.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CUT = 2 }; /* CUT: what the sink answers when the answer is full; no errno, no condition of a query */

struct answer {
    struct job *job;
    const struct job_options *o;
    FILE *rows;
    struct output *json, *csv;
    struct query_sink json_sink, csv_sink;
    struct fault f;
    struct list **lists;
    size_t n_lists;
    struct space *space;
    struct store_view *view;
};

/* --- the sink ---------------------------------------------------------------------------------------------------- */

static int begin(void *context, const struct query_column *columns, size_t n)
{
    struct answer *a = context;
    json_t *names = json_array();
    for (size_t i = 0; names && i < n; i++)
        json_array_append_new(names, json_stringn(columns[i].name.p, columns[i].name.n));
    json_decref(a->job->columns);
    a->job->columns = names;
    int r = a->json_sink.begin(a->json_sink.context, columns, n);
    return r ? r : a->csv_sink.begin(a->csv_sink.context, columns, n);
}

/* count - after each row: whether there may be another */
static int count(struct answer *a)
{
    struct job *job = a->job;
    uint64_t n = atomic_fetch_add(&job->n_rows, 1) + 1;
    off_t bytes = n % 256 ? 0 : ftello(a->rows);
    if (bytes > 0)
        atomic_store(&job->n_bytes, (uint64_t)bytes);
    if (atomic_load_explicit(&job->is_cancelled, memory_order_relaxed))
        return -ECANCELED;
    if (n < (uint64_t)job->request.rows_max && (bytes <= 0 || (uint64_t)bytes < a->o->bytes_max))
        return 0;
    job->is_cut = true;
    return CUT;
}

static int row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    struct answer *a = context;
    int r = a->json_sink.row(a->json_sink.context, values, n, texts);
    r = r ? r : a->csv_sink.row(a->csv_sink.context, values, n, texts);
    return r ? r : count(a);
}

static int event(void *context, const struct events *e, uint32_t at)
{
    struct answer *a = context;
    int r = a->json_sink.event(a->json_sink.context, e, at);
    r = r ? r : a->csv_sink.event(a->csv_sink.context, e, at);
    return r ? r : count(a);
}

static int progress(void *context, uint64_t done, uint64_t total)
{
    struct answer *a = context;
    atomic_store(&a->job->done, done);
    atomic_store(&a->job->total, total);
    return atomic_load(&a->job->is_cancelled) ? -ECANCELED : 0;
}

static int open_outputs(struct answer *a, FILE *rows, FILE *csv, bool is_rows)
{
    struct output_options o = {.form = OUTPUT_JSON, .zone_s = ZONE_VIETNAM_S, .is_rows = is_rows};
    a->json = output_new(rows, &o);
    o.form = OUTPUT_CSV;
    a->csv = output_new(csv, &o);
    if (!a->json || !a->csv)
        return FAULT(&a->f, -ENOMEM, no_memory, "output");
    a->json_sink = output_sink(a->json);
    a->csv_sink = output_sink(a->csv);
    return 0;
}

static struct query_sink sink(struct answer *a)
{
    bool has_event = a->json_sink.event && a->csv_sink.event;
    return (struct query_sink){.begin = begin, .row = row, .event = has_event ? event : NULL, .context = a};
}

/* --- a query ----------------------------------------------------------------------------------------------------- */

static int find_list(void *context, struct text name, const struct address_set **ret)
{
    const struct answer *a = context;
    for (size_t i = 0; i < a->n_lists; i++)
        if (text_equal(list_about(a->lists[i])->name, name)) {
            *ret = list_addresses(a->lists[i]);
            return 0;
        }
    return 1;
}

static bool has_field(void *context, struct text name)
{
    const struct answer *a = context;
    for (size_t i = 0; a->view && i < store_view_n_logs(a->view); i++)
        if (log_segment_has_field(store_view_log(a->view, i), name))
            return true;
    return false;
}

static json_t *query_coverage(const struct query_report *r, const struct store_view *v)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "segments", (json_int_t)r->n_segments, "rows", (json_int_t)r->n_rows,
                     "rows_matched", (json_int_t)r->n_rows_matched, "damaged_blocks", (json_int_t)r->n_damaged_blocks,
                     "damaged_segments", (json_int_t)r->n_damaged_segments, "damaged_files",
                     (json_int_t)(v ? store_view_n_damaged(v) : 0));
}

static int run_query(struct answer *a, FILE *rows, FILE *csv)
{
    const struct job_request *q = &a->job->request;
    struct query_language language = {.zone_s = ZONE_VIETNAM_S,
                                      .now_us = clock_now_us(),
                                      .list = find_list,
                                      .has_field = has_field,
                                      .context = a,
                                      .only = q->sees_all ? NULL : q->only,
                                      .n_only = q->n_only};
    struct query_options o = {
        .since_us = q->since_us, .until_us = q->until_us, .n_threads = 1, .progress = progress, .progress_context = a};
    struct query_report report = {0};
    struct query *parsed;
    int r = query_parse(q->text, strlen(q->text), &language, &parsed, &a->f);
    if (r)
        return r > 0 ? -EINVAL : r;
    if (a->view)
        query_scope(parsed, store_view_n_segments(a->view) > 0, store_view_n_logs(a->view) > 0);
    r = open_outputs(a, rows, csv, query_is_rows(parsed));
    struct query_sink s = sink(a);
    if (!r)
        r = a->view ? query_run(a->view, parsed, &o, &s, &report, &a->f)
                    : query_run_segments(NULL, 0, parsed, &o, &s, &report, &a->f);
    a->job->coverage = query_coverage(&report, a->view);
    query_free(parsed);
    return r;
}

/* --- a hunt ------------------------------------------------------------------------------------------------------ */

static bool may_see(const struct job_request *q, const struct ip *a)
{
    for (size_t i = 0; i < q->n_only; i++)
        if (ip_range_has(&q->only[i], a))
            return true;
    return q->sees_all;
}

static int give_hit(void *context, const struct hunt_hit *h)
{
    struct hunt_output *o = context;
    const struct answer *a = o->sink.context;
    bool may = a->job->request.sees_all || (!h->lacks_own && may_see(&a->job->request, &h->own));
    return may ? hunt_output_hit(o, h) : 0;
}

static int give_row(void *context, const struct hunt_row *r)
{
    struct hunt_output *o = context;
    const struct answer *a = o->sink.context;
    const struct job_request *q = &a->job->request;
    bool may = q->sees_all || (r->has_source && may_see(q, &r->source)) || (r->has_destination && may_see(q, &r->destination));
    return may ? hunt_output_row(o, r) : 0;
}

static void refused(void *context, uint64_t line, enum list_refusal why, struct text value)
{
    struct answer *a = context;
    char shown[128];
    if (json_array_size(a->job->warnings) >= 100)
        return;
    text_escape(value.p, value.n, shown, sizeof(shown));
    json_array_append_new(a->job->warnings, json_pack("{s:I, s:s, s:s}", "line", (json_int_t)line, "reason",
                                                      list_refusal_name(why), "value", shown));
}

/* typed_list - the addresses and names that were typed, as a list nobody published */
static int typed_list(struct answer *a)
{
    const char *text = a->job->request.text;
    struct list_add add = {.name = "typed", .file_name = "typed"};
    struct list_report report = {.refused_row = refused, .context = a};
    int fd = memfd_create("hunt", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : file_write_full(fd, text, strlen(text));
    a->lists = calloc(1, sizeof(*a->lists));
    a->job->warnings = json_array();
    if (r || !a->lists || lseek(fd, 0, SEEK_SET) < 0)
        r = FAULT(&a->f, r ? r : -ENOMEM, no_memory, "hunt");
    else
        r = lists_compile(fd, &add, &report, &a->lists[0], &a->f);
    a->n_lists = r ? 0 : 1;
    file_close(&fd);
    return r > 0 ? -EINVAL : r;
}

/* named_lists - keeps those that were asked for; all of them when none was named */
static int named_lists(struct answer *a)
{
    const struct job_request *q = &a->job->request;
    size_t n = 0;
    for (size_t i = 0; i < a->n_lists; i++) {
        bool is_wanted = !q->n_lists;
        for (size_t k = 0; k < q->n_lists; k++)
            is_wanted = is_wanted || text_is(list_about(a->lists[i])->name, q->lists[k]);
        if (is_wanted)
            a->lists[n++] = a->lists[i];
        else
            list_close(a->lists[i]);
    }
    a->n_lists = n;
    return n ? 0 : FAULT(&a->f, -ENOENT, hunt_no_lists);
}

static void keep_coverage(struct answer *a, const struct hunt_coverage *c)
{
    struct buf text = {.max = (size_t)1 << 20};
    hunt_record_json(c, a->lists, a->n_lists, a->space != NULL, clock_now_us(), &text);
    a->job->coverage = text.is_bad ? NULL : json_loadb((const char *)text.p, text.n, 0, NULL);
    buf_fini(&text);
}

static int run_hunt(struct answer *a, FILE *rows, FILE *csv)
{
    const struct job_request *q = &a->job->request;
    struct hunt_options o = {
        .since_us = q->since_us, .until_us = q->until_us, .n_threads = 1, .progress = progress, .progress_context = a};
    struct hunt_coverage coverage = {.since_us = q->since_us, .until_us = q->until_us, .from_us = INT64_MAX, .to_us = INT64_MIN};
    int r = q->text ? typed_list(a) : named_lists(a);
    r = r ? r : open_outputs(a, rows, csv, false);
    if (r)
        return r;
    struct hunt_output out = {.sink = sink(a)};
    r = q->is_rows ? hunt_output_rows(&out) : hunt_output_hits(&out);
    if (!r && a->view)
        r = q->is_rows ? hunt_rows(a->view, a->lists, a->n_lists, &o, give_row, &out, &coverage, &a->f)
                       : hunt_hits(a->view, a->lists, a->n_lists, a->space, &o, give_hit, &out, &coverage, &a->f);
    keep_coverage(a, &coverage);
    return r;
}

/* --- both -------------------------------------------------------------------------------------------------------- */

static int open_all(struct answer *a)
{
    const struct job_request *q = &a->job->request;
    int r = space_open_current(a->o->data_dir, &a->space, &a->f);
    if (r >= 0 && !(q->kind == JOB_HUNT && q->text))
        r = lists_open_all(a->o->data_dir, &a->lists, &a->n_lists, &a->f);
    if (r >= 0)
        r = store_view_open(a->o->data_dir, &a->view, &a->f);
    return r < 0 ? r : 0; /* an empty store is an empty answer */
}

static int close_all(struct answer *a, int r)
{
    int w = a->json ? output_flush(a->json) : 0;
    int c = a->csv ? output_flush(a->csv) : 0;
    output_free(a->json);
    output_free(a->csv);
    if (a->view)
        store_view_close(a->view);
    for (size_t i = 0; i < a->n_lists; i++)
        list_close(a->lists[i]);
    free(a->lists);
    if (a->space)
        space_close(a->space);
    return r ? r : w ? w : c;
}

int job_run(struct job *job, const struct job_options *o, FILE *rows, FILE *csv)
{
    struct answer a = {.job = job, .o = o, .rows = rows};
    int r = open_all(&a);
    if (!r)
        r = job->request.kind == JOB_QUERY ? run_query(&a, rows, csv) : run_hunt(&a, rows, csv);
    r = close_all(&a, r == CUT ? 0 : r);
    off_t bytes = ftello(rows);
    atomic_store(&job->n_bytes, bytes > 0 ? (uint64_t)bytes : 0);
    if (r && r != -ECANCELED)
        snprintf(job->fault, sizeof(job->fault), "%s", a.f.text);
    return r;
}
