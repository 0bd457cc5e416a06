/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac query and vonggac hunt: questions to the store, answered beside a running node.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/owner.h"
#include "cli/resolve_sink.h"
#include "state/audit.h"
#include "watch/hunt/hunt.h"
#include "watch/hunt/output.h"
#include "watch/hunt/record.h"
#include "watch/indicator/lists.h"
#include "watch/query/output.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned terminal_width(void)
{
    struct winsize w;
    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) ? w.ws_col : 0;
}

static enum output_form form_of(enum cli_format f)
{
    return f == CLI_CSV ? OUTPUT_CSV : f == CLI_JSON ? OUTPUT_JSON : OUTPUT_TABLE;
}

static struct output *open_output(enum cli_format format, bool is_rows)
{
    struct output_options o = {
        .form = form_of(format), .width = terminal_width(), .zone_s = ZONE_VIETNAM_S, .is_rows = is_rows};
    struct output *out = output_new(stdout, &o);
    if (!out)
        SAY(stderr, no_memory, "output");
    return out;
}

/* say_hidden - what a narrow terminal had no room for. */
static void say_hidden(const struct output *out)
{
    struct buf titles = {.max = 4096};
    output_hidden(out, &titles);
    buf_add_byte(&titles, '\0');
    if (titles.n > 1 && !titles.is_bad)
        SAY(stderr, table_columns_hidden, (const char *)titles.p);
    buf_fini(&titles);
}

/* open_view - an empty store is an empty answer, said; a missing data directory is a fault. Return: 0, STORE_EMPTY, or <0. */
static int open_view(const struct cli_args *a, struct store_view **ret, struct fault *f)
{
    if (access(a->data_dir, F_OK))
        return FAULT(f, -errno, cli_cannot_read, a->data_dir, strerror(errno));
    int r = store_view_open(a->data_dir, ret, f);
    if (r == STORE_EMPTY)
        SAY(stderr, store_is_empty, a->data_dir);
    return r;
}

static void say_damage(const struct store_view *v)
{
    for (size_t i = 0; i < store_view_n_damaged(v); i++)
        SAY(stderr, store_damaged_left_out, store_view_damaged(v, i)->file, store_view_damaged(v, i)->reason);
}

/* --- query --------------------------------------------------------------------------------- */

struct lists {
    struct list **all;
    size_t n;
    const struct store_view *view; /* of query: its log events may have fields of any name */
};

static void close_lists(struct lists *l)
{
    for (size_t i = 0; i < l->n; i++)
        list_close(l->all[i]);
    free(l->all);
}

static int find_list(void *context, struct text name, const struct address_set **ret)
{
    const struct lists *l = context;
    for (size_t i = 0; i < l->n; i++)
        if (text_equal(list_about(l->all[i])->name, name)) {
            *ret = list_addresses(l->all[i]);
            return 0;
        }
    return 1;
}

static bool has_field(void *context, struct text name)
{
    const struct lists *l = context;
    for (size_t i = 0; l->view && i < store_view_n_logs(l->view); i++)
        if (log_segment_has_field(store_view_log(l->view, i), name))
            return true;
    return false;
}

static int explain(struct store_view *v, const struct query *q, const struct query_options *o)
{
    struct buf text = {.max = (size_t)1 << 22};
    struct fault f = {0};
    size_t n = v ? store_view_n_segments(v) : 0;
    struct segment **segments = calloc(n + 1, sizeof(struct segment *));
    for (size_t i = 0; segments && i < n; i++)
        segments[i] = store_view_segment(v, i);
    int r = segments ? query_explain(segments, n, q, o, &text, &f) : FAULT(&f, -ENOMEM, no_memory, "query");
    if (!r)
        fwrite(text.p, 1, text.n, stdout);
    free(segments);
    buf_fini(&text);
    return r ? cli_fail(&f) : EXIT_DONE;
}

static int answer(const struct cli_args *a, struct store_view *v, const struct query *q, const struct query_options *o)
{
    enum cli_format format;
    struct query_report report = {0};
    struct fault f = {0};
    if (cli_format(a, &format))
        return EXIT_FAILED;
    struct output *out = open_output(format, query_is_rows(q));
    if (!out)
        return EXIT_FAILED;
    struct query_sink sink = output_sink(out);
    int r = v ? query_run(v, q, o, &sink, &report, &f) : query_run_segments(NULL, 0, q, o, &sink, &report, &f);
    int w = output_flush(out);
    say_hidden(out);
    output_free(out);
    for (uint32_t i = 0; i < report.n_damaged_segments; i++)
        SAY(stderr, query_damaged_segment, (unsigned long)report.damaged_segments[i]);
    if (r == -EPIPE || w == -EPIPE) /* who reads has seen enough */
        return EXIT_DONE;
    if (r)
        return cli_fail(&f);
    return w || report.n_damaged_blocks ? EXIT_FAILED : EXIT_DONE;
}

int cli_query(const struct cli_args *a)
{
    struct lists lists = {0};
    struct query_language language = {
        .zone_s = ZONE_VIETNAM_S, .now_us = clock_now_us(), .list = find_list, .has_field = has_field, .context = &lists};
    struct query_options o = {.n_threads = cli_threads(a)};
    struct store_view *view = NULL;
    struct query *q;
    struct fault f = {0};
    if (cli_window(a, &o.since_us, &o.until_us))
        return EXIT_FAILED;
    if (lists_open_all(a->data_dir, &lists.all, &lists.n, &f)) /* a query without lists works all the same */
        lists = (struct lists){0};
    int status = EXIT_FAILED;
    struct fault no_view = {0};
    int r = open_view(a, &view, &no_view);
    lists.view = view;
    if (query_parse(a->operands[0], strlen(a->operands[0]), &language, &q, &f)) {
        cli_fail(&f);
    } else {
        if (view)
            query_scope(q, store_view_n_segments(view) > 0, store_view_n_logs(view) > 0);
        if (r < 0)
            cli_fail(&no_view);
        else
            status = a->value[CLI_EXPLAIN] ? explain(view, q, &o) : answer(a, view, q, &o);
        query_free(q);
    }
    if (view) {
        say_damage(view);
        if (store_view_n_damaged(view) && status == EXIT_DONE)
            status = EXIT_FAILED;
        store_view_close(view);
    }
    close_lists(&lists);
    return status;
}

/* --- hunt ------------------------------------------------------------------------------------ */

struct hunting {
    const struct cli_args *args;
    struct lists lists;
    struct space *space;
    struct hunt_options options;
    struct hunt_coverage coverage;
    uint64_t n_refused;
    struct resolve_sink *resolve; /* NULL: not asked for */
};

static void count_refused(void *context, uint64_t row, enum list_refusal why, struct text value)
{
    struct hunting *h = context;
    char shown[120];
    static const char *const names[] = {
#define X(id, expected) #id,
        LIST_REFUSALS(X)
#undef X
    };
    if (++h->n_refused <= 20)
        SAY(stderr, list_row_refused, row, text_escape(value.p, value.n, shown, sizeof(shown)),
            message_find("list_refused_", names[why]));
}

static const char *file_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* file_list - --file: a list that is not kept, named after the file. */
static int file_list(struct hunting *h, const char *path, struct fault *f)
{
    struct list_add add = {.name = file_part(path), .file_name = path};
    struct list_report report = {.refused_row = count_refused, .context = h};
    _cleanup_close_ int fd = cli_open(path);
    if (fd < 0) { /* said already */
        f->code = -EIO;
        return f->code;
    }
    h->lists.all = calloc(1, sizeof(struct list *));
    if (!h->lists.all)
        return FAULT(f, -ENOMEM, no_memory, "list");
    int r = lists_compile(fd, &add, &report, &h->lists.all[0], f);
    if (!r)
        h->lists.n = 1;
    return r;
}

/* is_named_before - a list named twice is hunted once: a record counts once per list. */
static bool is_named_before(const struct cli_args *a, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(a->operands[k], a->operands[i]))
            return true;
    return false;
}

static int named_lists(struct hunting *h, struct fault *f)
{
    const struct cli_args *a = h->args;
    if (!a->n_operands)
        return lists_open_all(a->data_dir, &h->lists.all, &h->lists.n, f);
    h->lists.all = calloc(a->n_operands, sizeof(struct list *));
    if (!h->lists.all)
        return FAULT(f, -ENOMEM, no_memory, "lists");
    for (size_t i = 0; i < a->n_operands; i++) {
        if (is_named_before(a, i))
            continue;
        int r = lists_open(a->data_dir, a->operands[i], 0, &h->lists.all[h->lists.n], f);
        if (r)
            return r;
        h->lists.n++;
    }
    return 0;
}

static int show_progress(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    fprintf(stderr, "\r\033[K  %s/%s", message_count(done), message_count(total));
    return 0;
}

static int run(struct hunting *h, struct store_view *v, struct output *out, bool is_table, struct fault *f)
{
    struct hunt_output o = {.sink = output_sink(out), .is_table = is_table};
    bool rows = h->args->value[CLI_ROWS] != NULL;
    if (h->resolve)
        o.sink = resolve_sink(h->resolve);
    int r = rows ? hunt_output_rows(&o) : hunt_output_hits(&o);
    if (!r && v && !rows && h->resolve && h->resolve->resolver) { /* first the rows, with their ports; then the hits they make */
        struct hunt_coverage ignored;
        r = hunt_rows(v, h->lists.all, h->lists.n, &h->options, resolve_rows_take, &h->resolve->rows, &ignored, f);
    }
    if (r || !v)
        return r;
    if (rows)
        r = hunt_rows(v, h->lists.all, h->lists.n, &h->options, hunt_output_row, &o, &h->coverage, f);
    else
        r = hunt_hits(v, h->lists.all, h->lists.n, h->space, &h->options, hunt_output_hit, &o, &h->coverage, f);
    if (h->options.progress)
        fputs("\r\033[K", stderr);
    return r;
}

static void say_coverage(struct hunting *h)
{
    struct buf text = {.max = 65536};
    for (size_t i = 0; i < h->lists.n; i++)
        hunt_list_text(h->lists.all[i], clock_now_us(), ZONE_VIETNAM_S, &text);
    hunt_coverage_text(&h->coverage, ZONE_VIETNAM_S, &text);
    fwrite(text.p, 1, text.n, stderr);
    buf_fini(&text);
}

/* begin_resolving - with --resolve: who held the own addresses; a purpose shows subscribers, and is kept. */
static int begin_resolving(struct hunting *h, struct resolve_sink *room, struct output *out, struct fault *f)
{
    const struct cli_args *a = h->args;
    const char *why = a->value[CLI_PURPOSE];
    const struct query_sink inner = output_sink(out);
    if (!a->value[CLI_RESOLVE])
        return 0;
    int r = resolve_sink_init(room, a->data_dir, &inner, why != NULL, f);
    if (r)
        return r;
    h->resolve = room;
    const struct audit_entry entry = {.action = "hunt.resolve", .object = a->value[CLI_FILE] ? a->value[CLI_FILE] : "lists", .why = why};
    return why ? audit_add(a->data_dir, &entry, f) : 0;
}

static int hunt_in(struct hunting *h, struct store_view *v)
{
    struct fault f = {0};
    enum cli_format format;
    if (cli_format(h->args, &format))
        return EXIT_FAILED;
    struct output *out = open_output(format, false);
    if (!out)
        return EXIT_FAILED;
    struct resolve_sink resolve;
    int r = begin_resolving(h, &resolve, out, &f);
    if (!r)
        r = run(h, v, out, format == CLI_TABLE, &f);
    int w = output_flush(out);
    say_hidden(out);
    output_free(out);
    if (h->resolve)
        resolve_sink_fini(h->resolve);
    h->resolve = NULL;
    if (r == -EPIPE || w == -EPIPE)
        return EXIT_DONE;
    if (r)
        return cli_fail(&f);
    if (v) {
        say_coverage(h);
        say_damage(v);
        if (hunt_record_write(cli_become_owner(h->args->data_dir), &h->coverage, h->lists.all, h->lists.n, h->space != NULL,
                              clock_now_us(), &f) < 0)
            cli_fail(&f); /* the answer stands; that it was asked could not be kept */
    }
    bool is_damaged = h->coverage.n_damaged || h->coverage.n_damaged_blocks || (v && store_view_n_damaged(v));
    return w || is_damaged ? EXIT_FAILED : h->n_refused ? EXIT_REFUSED : EXIT_DONE;
}

int cli_hunt(const struct cli_args *a)
{
    struct hunting h = {.args = a, .options = {.n_threads = cli_threads(a)}};
    struct store_view *view = NULL;
    struct fault f = {0};
    if (cli_window(a, &h.options.since_us, &h.options.until_us))
        return EXIT_FAILED;
    if (a->value[CLI_FILE] && a->n_operands) {
        SAY(stderr, cli_usage, "hunt", "[LIST...|--file FILE]");
        return EXIT_FAILED;
    }
    if (isatty(STDERR_FILENO) && !(a->value[CLI_ROWS] && isatty(STDOUT_FILENO))) /* rows stream out: no line between them */
        h.options.progress = show_progress;
    int status = EXIT_FAILED;
    int r = a->value[CLI_FILE] ? file_list(&h, a->value[CLI_FILE], &f) : named_lists(&h, &f);
    if (!r)
        r = space_open_current(a->data_dir, &h.space, &f);
    if (r >= 0 && !f.code)
        r = open_view(a, &view, &f);
    if (r < 0 || f.code) {
        if (f.text[0])
            cli_fail(&f);
    } else {
        if (!h.lists.n)
            SAY(stderr, hunt_no_lists);
        status = hunt_in(&h, view);
    }
    if (view)
        store_view_close(view);
    if (h.space)
        space_close(h.space);
    close_lists(&h.lists);
    return status;
}
