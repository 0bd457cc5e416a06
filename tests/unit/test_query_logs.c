/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to log events against a linear scan over what was put in. */
#include "help_dir.h"
#include "watch/query/query.h"
#include "watch/store/phrase.h"
#include "watch/store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MAX_ROWS = 40000 };

struct model_row {
    int64_t time_us;
    char user[16], line[128];
    uint32_t source;  /* 0: none */
    int64_t port;     /* -1: none */
    unsigned serial;
};

static struct model_row *rows;
static unsigned n_rows;
static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(help_random(&random_state) % n);
}

static const char *const users[] = {"root", "Admin", "ngoc", "Ngọc", "svc_backup", "a.b-c"};
static const char *const words[] = {"accepted", "failed", "Đăng", "dang", "session", "10.0.0.7", "rare", "timeout"};

static void add_row(struct events *e)
{
    struct model_row *m = &rows[n_rows];
    *m = (struct model_row){.time_us = (int64_t)below(1000) * 1000000, .port = -1, .serial = n_rows};
    int n = snprintf(m->line, sizeof(m->line), "%s %s user=%s n%u", words[below(8)], words[below(7)], users[below(6)], n_rows);
    assert_int_equal(event_begin(e, (struct text){m->line, (size_t)n}, 5000000), 0);
    event_time(e, m->time_us);
    if (below(3)) {
        snprintf(m->user, sizeof(m->user), "%s", users[below(6)]);
        event_put(e, EV_USER_NAME, (struct text){m->user, strlen(m->user)});
    }
    if (below(3)) {
        m->source = 0x0a000000u + below(40);
        struct ip ip = ip_from_v4(m->source);
        event_put_ip(e, EV_SOURCE_IP, &ip);
    }
    if (below(2)) {
        m->port = below(100);
        event_put_long(e, EV_SOURCE_PORT, m->port);
    }
    event_put_long(e, event_names_add(e->names, TEXT("own.serial")), m->serial);
    assert_int_equal(event_end(e), 0);
    n_rows++;
}

/* --- a filter and what it means ----------------------------------------------------------------------------- */

struct filter {
    enum op { ALL, USER, SOURCE, PORT, WORD, EXACT, AND, OR, NOT } op;
    const char *text;
    uint32_t first, last;
    struct filter *a, *b;
};

static struct filter pool[64];
static unsigned n_pool;

static struct filter *random_filter(unsigned depth)
{
    struct filter *f = &pool[n_pool++];
    *f = (struct filter){.op = below(10) == 0 ? ALL : (enum op)(USER + below(5))};
    if (depth && below(2))
        f->op = (enum op)(AND + below(3));
    switch (f->op) {
    case USER: f->text = users[below(6)]; break;
    case SOURCE:
        f->first = 0x0a000000u + below(45);
        f->last = f->first + below(6);
        break;
    case PORT:
        f->first = below(110);
        f->last = f->first + below(20);
        break;
    case WORD:
    case EXACT: f->text = words[below(8)]; break;
    case AND:
    case OR:
        f->a = random_filter(depth - 1);
        f->b = random_filter(depth - 1);
        break;
    case NOT: f->a = random_filter(depth - 1); break;
    case ALL: break;
    }
    return f;
}

static void write_filter(const struct filter *f, struct buf *b)
{
    char ip[2][IP_TEXT_MAX];
    struct ip x = ip_from_v4(f->first), y = ip_from_v4(f->last);
    switch (f->op) {
    case ALL: buf_add_text(b, "*"); break;
    case USER: buf_printf(b, "user.name : \"%s\"", f->text); break;
    case SOURCE:
        ip_format(&x, ip[0]);
        ip_format(&y, ip[1]);
        buf_printf(b, "source.ip : %s-%s", ip[0], ip[1]);
        break;
    case PORT: buf_printf(b, "source.port : %u-%u", f->first, f->last); break;
    case WORD: buf_printf(b, "\"%s\"", f->text); break;
    case EXACT: buf_printf(b, "=\"%s\"", f->text); break;
    case AND:
    case OR:
        buf_add_text(b, "(");
        write_filter(f->a, b);
        buf_add_text(b, f->op == AND ? " and " : " or ");
        write_filter(f->b, b);
        buf_add_text(b, ")");
        break;
    case NOT:
        buf_add_text(b, "not ");
        write_filter(f->a, b);
        break;
    }
}

static bool lower_equal(const char *a, const char *b)
{
    return text_is_nocase((struct text){a, strlen(a)}, b);
}

static bool means(const struct filter *f, const struct model_row *m, struct buf *scratch)
{
    struct phrase p;
    switch (f->op) {
    case ALL: return true;
    case USER: return m->user[0] && lower_equal(m->user, f->text);
    case SOURCE: return m->source && m->source >= f->first && m->source <= f->last;
    case PORT: return m->port >= 0 && (uint32_t)m->port >= f->first && (uint32_t)m->port <= f->last;
    case WORD:
    case EXACT:
        assert_int_equal(phrase_compile((struct text){f->text, strlen(f->text)}, f->op == EXACT, &p), 0);
        return phrase_match(&p, (struct text){m->line, strlen(m->line)}, scratch) ||
               phrase_match(&p, (struct text){m->user, strlen(m->user)}, scratch);
    case AND: return means(f->a, m, scratch) && means(f->b, m, scratch);
    case OR: return means(f->a, m, scratch) || means(f->b, m, scratch);
    case NOT: return !means(f->a, m, scratch);
    }
    return false;
}

/* --- the store's answer ---------------------------------------------------------------------------------------- */

struct answer {
    bool seen[MAX_ROWS];
    unsigned n, n_groups;
    uint64_t sum_of_groups;
};

static int begin(void *context, const struct query_column *columns, size_t n)
{
    (void)context, (void)columns, (void)n;
    return 0;
}

static int take_row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    struct answer *a = context;
    (void)texts;
    assert_int_equal(n, 1);
    uint64_t serial = 0;
    if (values[0].kind == QUERY_TEXT)
        assert_int_equal(text_u64(values[0].text, MAX_ROWS, &serial), 0);
    else
        serial = values[0].number;
    assert_true(serial < n_rows && !a->seen[serial]);
    a->seen[serial] = true;
    a->n++;
    return 0;
}

static int take_group(void *context, const struct query_value *values, size_t n, struct text texts)
{
    struct answer *a = context;
    (void)texts;
    a->n_groups++;
    a->sum_of_groups += values[n - 1].number;
    return 0;
}

static bool has_field(void *context, struct text name)
{
    (void)context;
    return text_is(name, "own.serial");
}

static void ask(struct store_view *v, const char *text, const struct query_options *o,
                int (*row)(void *, const struct query_value *, size_t, struct text), struct answer *a)
{
    struct query_language language = {.has_field = has_field};
    struct query_sink sink = {.begin = begin, .row = row, .context = a};
    struct query_report report;
    struct query *q;
    struct fault f = {0};
    if (query_parse(text, strlen(text), &language, &q, &f))
        fail_msg("%s: %s", text, f.text);
    if (query_run(v, q, o, &sink, &report, &f))
        fail_msg("%s: %s", text, f.text);
    assert_int_equal(report.n_damaged_blocks, 0);
    query_free(q);
}

static void build_store(const char *dir, struct event_names *names)
{
    struct store_options o = {.names = names};
    struct store *s;
    struct store_log_writer *w;
    struct fault f = {0};
    struct events *e = events_new(names);
    assert_int_equal(store_open(dir, &o, &s, &f), 0);
    assert_int_equal(store_log_writer_new(s, &w, &f), 0);
    for (unsigned k = 1 + below(5); k; k--) {
        for (uint32_t n = 1 + below(below(3) ? 300 : 6000); n; n--)
            add_row(e);
        assert_int_equal(store_log_writer_append(w, e, &f), 0);
        events_clear(e);
        if (below(2))
            assert_int_equal(store_log_writer_seal(w, &f), 0);
    }
    store_log_writer_free(w);
    if (below(2)) /* the same answers from merged segments */
        assert_int_equal(store_compact(s, NULL, NULL, NULL, &f), 0);
    store_close(s);
    events_free(e);
}

/* check_best - the newest or oldest rows: none that is left out is better than one that is given. */
static void check_best(struct store_view *v, struct buf *text, const struct query_options *o, const struct filter *filter, unsigned n_matching,
                       struct answer *a, struct buf *scratch)
{
    unsigned wanted = 1 + below(60);
    bool is_newest = below(2);
    buf_printf(text, " | sort @timestamp%s, own.serial | limit %u | fields own.serial", is_newest ? " desc" : "", wanted);
    buf_add_byte(text, 0);
    memset(a, 0, sizeof(*a));
    ask(v, (const char *)text->p, o, take_row, a);
    assert_int_equal(a->n, n_matching < wanted ? n_matching : wanted);
    int64_t worst = INT64_MAX, best = INT64_MIN;
    for (unsigned k = 0; k < n_rows; k++) {
        int64_t t = is_newest ? rows[k].time_us : -rows[k].time_us;
        if (a->seen[k])
            worst = t < worst ? t : worst;
        else if (rows[k].time_us >= o->since_us && rows[k].time_us <= o->until_us && means(filter, &rows[k], scratch))
            best = t > best ? t : best;
    }
    assert_true(!a->n || best <= worst);
}

static void random_filters_give_the_rows_of_a_linear_scan(void **state)
{
    (void)state;
    random_state = help_seed();
    rows = calloc(MAX_ROWS, sizeof(*rows));
    struct answer *a = malloc(sizeof(*a));
    struct buf scratch = {.max = 1 << 16};
    for (unsigned round = help_rounds(3); round; round--) {
        uint64_t before = random_state;
        struct help_dir dir = help_dir_new();
        struct event_names *names = event_names_new();
        struct store_view *v;
        struct fault f = {0};
        n_rows = 0;
        build_store(dir.path, names);
        assert_int_equal(store_view_open(dir.path, &v, &f), 0);
        for (unsigned i = 0; i < 40; i++) {
            struct buf text = {.max = 1 << 16};
            struct query_options o = {.since_us = INT64_MIN, .until_us = INT64_MAX};
            n_pool = 0;
            const struct filter *filter = random_filter(3);
            if (below(3) == 0) {
                o.since_us = (int64_t)below(1000) * 1000000;
                o.until_us = o.since_us + (int64_t)below(500) * 1000000;
            }
            write_filter(filter, &text);
            size_t n_filter = text.n;
            buf_add_text(&text, " | fields own.serial");
            buf_add_byte(&text, 0);
            memset(a, 0, sizeof(*a));
            ask(v, (const char *)text.p, &o, take_row, a);
            unsigned expected = 0;
            for (unsigned k = 0; k < n_rows; k++) {
                bool is = rows[k].time_us >= o.since_us && rows[k].time_us <= o.until_us && means(filter, &rows[k], &scratch);
                expected += is;
                if (is != a->seen[k])
                    fail_msg("seed %llu: %s: row %u '%s' user '%s'", (unsigned long long)before, (const char *)text.p, k, rows[k].line,
                             rows[k].user);
            }
            text.n = n_filter;
            buf_add_text(&text, below(2) ? " | count by user.name, source.ip" : " | timeline 60s");
            buf_add_byte(&text, 0);
            memset(a, 0, sizeof(*a));
            ask(v, (const char *)text.p, &o, take_group, a);
            assert_int_equal(a->sum_of_groups, expected);
            text.n = n_filter;
            buf_add_text(&text, " | sort source.port desc, own.serial | limit 50 | fields own.serial");
            buf_add_byte(&text, 0);
            memset(a, 0, sizeof(*a));
            ask(v, (const char *)text.p, &o, take_row, a);
            assert_int_equal(a->n, expected < 50 ? expected : 50);
            text.n = n_filter;
            check_best(v, &text, &o, filter, expected, a, &scratch);
            buf_fini(&text);
        }
        store_view_close(v);
        event_names_free(names);
        help_dir_free(&dir);
    }
    buf_fini(&scratch);
    free(a);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_filters_give_the_rows_of_a_linear_scan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
