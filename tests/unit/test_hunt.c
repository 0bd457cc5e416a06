/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hunt and a query over a small store whose answer is known by counting; coverage, gaps and the record that is kept;
 * every allocation failing once. Random stores: tests/property/hunt_brute.c.
 */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "help_dir.h"
#include "base/clock.h"
#include "watch/hunt/output.h"
#include "watch/hunt/record.h"
#include "watch/indicator/lists.h"
#include "watch/store/store.h"

#include <jansson.h>
#include <sys/mman.h>

#define HOUR_US (3600 * US_PER_SECOND)
/* 2026-11-20T00:00:00Z */
#define DAY_US INT64_C(1795132800000000)

struct world {
    struct help_dir dir;
    struct list *list;
    struct space *space;
};

static int import_batch(void *context, struct flow_batch *b)
{
    struct fault f = {0};
    return store_import_append(context, b, &f);
}

static struct flow flow_of(const char *source, const char *destination, int64_t start_us, uint16_t port, uint64_t bytes)
{
    struct flow f = {.start_us = start_us, .end_us = start_us + US_PER_SECOND, .source_port = 40000, .destination_port = port,
                     .protocol = 6, .source_bytes = bytes, .source_packets = 1};
    f.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_PROTOCOL) |
                FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS);
    HELP_MUST(!ip_parse(source, strlen(source), &f.source_ip) && !ip_parse(destination, strlen(destination), &f.destination_ip));
    return f;
}

static int memory_file(const char *text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    HELP_MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !lseek(fd, 0, SEEK_SET));
    return fd;
}

static void world_init(struct world *w)
{
    struct flow flows[] = {
        flow_of("10.0.0.1", "203.0.113.9", DAY_US, 443, 100),               /* own to a listed one */
        flow_of("203.0.113.9", "10.0.0.1", DAY_US + US_PER_SECOND, 80, 50), /* and back */
        flow_of("10.0.0.2", "198.51.100.1", DAY_US + 5 * HOUR_US, 25, 7),   /* a listed own address talks */
        flow_of("10.0.0.2", "203.0.113.9", DAY_US + 5 * HOUR_US, 443, 1),   /* both are listed */
        flow_of("192.0.2.1", "203.0.113.9", DAY_US + 5 * HOUR_US, 443, 1),  /* not ours */
        flow_of("10.0.0.3", "192.0.2.1", DAY_US + 5 * HOUR_US, 443, 1),     /* not listed */
    };
    struct store *s;
    struct store_import *import;
    struct sha256 sum = {{0}};
    struct fault f = {0};
    *w = (struct world){.dir = help_dir_new()};
    struct store_options o = {0};
    HELP_MUST(!store_open(w->dir.path, &o, &s, &f));
    for (unsigned i = 0; i < 2; i++) { /* two segments, five hours between them */
        memset(&sum, (int)i + 1, sizeof(sum));
        HELP_MUST(!store_import_begin(s, &sum, "part", false, &import, &f));
        struct flow_sorter sorter = {.sink = import_batch, .context = import};
        HELP_MUST(!flow_sorter_put(&sorter, flows + 2 * i, i ? 4 : 2, NULL) && !flow_sorter_flush(&sorter));
        flow_sorter_fini(&sorter);
        HELP_MUST(!store_import_commit(import, &f));
    }
    store_close(s);
    struct list_report report = {0};
    struct list_add a = {.name = "t11", .file_name = "t11.csv"};
    int fd = memory_file("ip,family\n203.0.113.9,mirai\n10.0.0.2,\n");
    HELP_MUST(!lists_compile(fd, &a, &report, &w->list, &f));
    close(fd);
    fd = memory_file("prefix,unit\n10.0.0.0/8,So X\n");
    HELP_MUST(!space_compile(fd, "space", &report, &w->space, &f));
    close(fd);
}

static void world_fini(struct world *w)
{
    list_close(w->list);
    space_close(w->space);
    help_dir_free(&w->dir);
}

static const struct hunt_options all_time = {.since_us = INT64_MIN, .until_us = INT64_MAX};

/* csv of the hits; Return: what the hunt said */
static int hunt(struct world *w, const struct hunt_options *o, struct hunt_coverage *c, char **ret)
{
    struct store_view *v = NULL;
    struct fault f = {0};
    size_t n;
    FILE *to = open_memstream(ret, &n);
    struct output_options csv = {.form = OUTPUT_CSV};
    struct output *out = to ? output_new(to, &csv) : NULL;
    int r = out ? store_view_open(w->dir.path, &v, &f) : -ENOMEM;
    struct hunt_output hits = {0};
    if (!r) {
        hits.sink = output_sink(out);
        r = hunt_output_hits(&hits);
    }
    if (!r)
        r = hunt_hits(v, &w->list, 1, w->space, o, hunt_output_hit, &hits, c, &f);
    if (!r)
        r = output_flush(out);
    if (v)
        store_view_close(v);
    output_free(out);
    if (to)
        fclose(to);
    return r;
}

static const char wanted[] =
    "own,unit,remote,list,family,direction,first_seen,last_seen,flows,packets,bytes,ports,listed\n"
    "10.0.0.2,So X,,t11,,outbound,2026-11-20T05:00:00.000000Z,2026-11-20T05:00:01.000000Z,1,1,7,25,own\n"
    "10.0.0.2,So X,203.0.113.9,t11,mirai,outbound,2026-11-20T05:00:00.000000Z,2026-11-20T05:00:01.000000Z,1,1,1,443,both\n"
    "10.0.0.1,So X,203.0.113.9,t11,mirai,outbound,2026-11-20T00:00:00.000000Z,2026-11-20T00:00:02.000000Z,2,2,150,443;40000,"
    "remote\n";

static void hits_come_last_seen_first_each_record_once(void **state)
{
    struct world w;
    struct hunt_coverage c;
    char *csv = NULL;
    (void)state;
    world_init(&w);
    assert_int_equal(hunt(&w, &all_time, &c, &csv), 0);
    assert_string_equal(csv, wanted);
    free(csv);
    assert_int_equal(c.n_rows, 6);
    assert_int_equal(c.n_rows_listed, 5);
    assert_int_equal(c.n_rows_foreign, 1);
    assert_int_equal(c.n_hits, 3);
    assert_int_equal(c.n_segments, 2);
    assert_int_equal(c.n_gaps, 1);
    assert_true(c.gaps[0].from_us == DAY_US + 2 * US_PER_SECOND && c.gaps[0].to_us == DAY_US + 5 * HOUR_US);
    assert_true(c.from_us == DAY_US && c.to_us == DAY_US + 5 * HOUR_US + US_PER_SECOND);
    world_fini(&w);
}

static void too_little_memory_is_a_clear_fault(void **state)
{
    struct world w;
    struct store_view *v;
    struct fault f = {0};
    struct hunt_coverage c;
    struct hunt_options o = {.since_us = INT64_MIN, .until_us = INT64_MAX, .memory_bytes = 100};
    struct hunt_output none = {0};
    (void)state;
    world_init(&w);
    HELP_MUST(!store_view_open(w.dir.path, &v, &f));
    assert_int_equal(hunt_hits(v, &w.list, 1, w.space, &o, hunt_output_hit, &none, &c, &f), -ENOMEM);
    assert_non_null(strstr(f.text, "--rows"));
    store_view_close(v);
    world_fini(&w);
}

static void the_record_is_json_and_says_what_was_searched(void **state)
{
    struct world w;
    struct hunt_coverage c;
    struct fault f = {0};
    char *csv = NULL, path[400];
    (void)state;
    world_init(&w);
    assert_int_equal(hunt(&w, &all_time, &c, &csv), 0);
    free(csv);
    assert_int_equal(hunt_record_write(w.dir.path, &c, &w.list, 1, true, DAY_US, &f), 0);
    assert_int_equal(hunt_record_write(w.dir.path, &c, &w.list, 1, true, DAY_US, &f), 0); /* the same second again */
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/hunts/20261120T000000Z-%d.json", w.dir.path, i);
        json_error_t e;
        json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
        assert_non_null(j);
        assert_int_equal(json_integer_value(json_object_get(j, "rows_listed")), 5);
        assert_int_equal(json_array_size(json_object_get(j, "gaps")), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(j, "lists"), 0), "name")), "t11");
        assert_string_equal(json_string_value(json_object_get(j, "from")), "2026-11-20T00:00:00.000000Z");
        json_decref(j);
    }
    world_fini(&w);
}

static int hunt_once(void *context)
{
    struct hunt_coverage c = {0};
    char *csv = NULL;
    int r = hunt(context, &all_time, &c, &csv);
    if (!r && !c.n_damaged) /* a part that could not be read is named */
        assert_string_equal(csv, wanted);
    free(csv);
    return r;
}

static int take_columns(void *context, const struct query_column *columns, size_t n)
{
    (void)context, (void)columns, (void)n;
    return 0;
}

static int take_row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    (void)values, (void)n, (void)texts;
    ++*(unsigned *)context;
    return 0;
}

struct question {
    struct world *w;
    const char *text;
    unsigned n_rows;
};

static int ask_once(void *context)
{
    const struct question *a = context;
    struct query_language l = {0};
    struct query_options o = {.since_us = DAY_US, .until_us = INT64_MAX};
    struct query_report report = {0};
    struct fault f = {0};
    struct store_view *v = NULL;
    struct query *q = NULL;
    unsigned n = 0;
    struct query_sink sink = {take_columns, take_row, &n};
    int r = query_parse(a->text, strlen(a->text), &l, &q, &f);
    r = r ? r : store_view_open(a->w->dir.path, &v, &f);
    r = r ? r : query_run(v, q, &o, &sink, &report, &f);
    if (!r && !report.n_damaged_blocks && !store_view_n_damaged(v))
        assert_int_equal(n, a->n_rows);
    if (v)
        store_view_close(v);
    query_free(q);
    return r;
}

static void a_failed_allocation_never_shortens_an_answer(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct question questions[] = {
        {&w, "ip : 10.0.0.0/8 and not dport : 25 | sort bytes", 4},
        {&w, "* | top 3 src by sum(bytes)", 3},
        {&w, "* | count by src, dport", 6},
        {&w, "src : (10.0.0.1 or 10.0.0.2) | fields src, start", 3},
    };
    failing_alloc_each("hunting", hunt_once, &w, true);
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        failing_alloc_each(questions[i].text, ask_once, &questions[i], true);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_come_last_seen_first_each_record_once),
        cmocka_unit_test(too_little_memory_is_a_clear_fault),
        cmocka_unit_test(the_record_is_json_and_says_what_was_searched),
        cmocka_unit_test(a_failed_allocation_never_shortens_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
