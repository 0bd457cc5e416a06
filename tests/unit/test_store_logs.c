/* SPDX-License-Identifier: Apache-2.0 */
/* Log events in the store: journaled, sealed, imported, read beside a writer, recovered after every failing step. */
#include "help_dir.h"
#include "watch/store/chain.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct help_dir dir;
    struct event_names *names;
    struct events *e;
    uint64_t serial; /* of the next row: every row says its number */
    struct fault f;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->dir = help_dir_new();
    x->names = event_names_new();
    x->e = events_new(x->names);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    events_free(x->e);
    event_names_free(x->names);
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

static void must(struct fixture *x, int r, int expected)
{
    if (r != expected)
        fail_msg("returned %d, expected %d: %s", r, expected, x->f.text);
}

static struct store *open_store(struct fixture *x, unsigned n_threads)
{
    struct store *s = NULL;
    struct store_options o = {.names = x->names, .n_build_threads = n_threads};
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    return s;
}

static void fill(struct fixture *x, uint32_t n)
{
    char line[64];
    events_clear(x->e);
    while (n--) {
        int k = snprintf(line, sizeof(line), "line number %llu of this log", (unsigned long long)x->serial);
        must(x, event_begin(x->e, (struct text){line, (size_t)k}, (int64_t)x->serial), 0);
        event_put_ulong(x->e, EV_EVENT_SEQUENCE, x->serial++);
        must(x, event_end(x->e), 0);
    }
}

/* count - rows of the store, which must be the numbers [0, n) but for those in @may_miss, each once. */
static uint64_t count(struct fixture *x, uint64_t n)
{
    struct store_view *v;
    int r = store_view_open(x->dir.path, &v, &x->f);
    if (r == STORE_EMPTY)
        return 0;
    must(x, r, 0);
    assert_int_equal(store_view_n_damaged(v), 0);
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    struct log_scratch *scratch = log_scratch_new();
    bool *seen = calloc(n + 1, sizeof(*seen));
    uint64_t found = 0;
    for (size_t i = 0; i < store_view_n_logs(v); i++) {
        struct log_segment *s = store_view_log(v, i);
        for (uint32_t block = 0; block < log_segment_info(s)->n_blocks; block++) {
            assert_int_equal(log_segment_read(s, block, scratch, e), 0);
            for (uint32_t row = 0; row < e->n; row++) {
                uint64_t serial = event_get(e, row, EV_EVENT_SEQUENCE)->unsigned_number;
                assert_true(serial < n && !seen[serial]);
                seen[serial] = true;
                found++;
            }
        }
    }
    free(seen);
    log_scratch_free(scratch);
    events_free(e);
    event_names_free(names);
    store_view_close(v);
    return found;
}

static void verify(struct fixture *x, uint64_t n_rows)
{
    uint64_t segments, rows;
    must(x, store_verify(x->dir.path, NULL, NULL, NULL, &segments, &rows, &x->f), 0);
    assert_int_equal(rows, n_rows);
}

static void rows_are_there_journaled_sealed_and_after_a_new_start(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 1);
    struct store_log_writer *w;
    must(x, store_log_writer_new(s, &w, &x->f), 0);
    for (unsigned i = 0; i < 20; i++) {
        fill(x, 1 + i * 37);
        must(x, store_log_writer_append(w, x->e, &x->f), 0);
        must(x, store_log_writer_tick(w, (int64_t)i * 300000, &x->f), 0);
        assert_int_equal(count(x, x->serial), x->serial);
        if (i == 9)
            must(x, store_log_writer_seal(w, &x->f), 0);
    }
    must(x, store_log_writer_sync(w, &x->f), 0);
    store_log_writer_free(w);
    store_close(s);
    verify(x, x->serial);
    s = open_store(x, 0); /* the journal becomes a segment */
    store_close(s);
    assert_int_equal(count(x, x->serial), x->serial);
    verify(x, x->serial);
}

static void a_full_segment_is_sealed_by_itself(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.names = x->names, .segment_rows = 20000};
    struct store *s;
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    struct store_log_writer *w;
    must(x, store_log_writer_new(s, &w, &x->f), 0);
    for (unsigned i = 0; i < 12; i++) {
        fill(x, EVENTS_ROWS);
        must(x, store_log_writer_append(w, x->e, &x->f), 0);
    }
    store_log_writer_free(w);
    struct store_counters c;
    store_get_counters(s, &c);
    assert_true(c.segments_sealed >= 3);
    store_close(s);
    assert_int_equal(count(x, x->serial), x->serial);
    verify(x, x->serial);
}

static void an_import_is_all_or_nothing(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 1);
    struct sha256 content = sha256_of("a", 1);
    struct store_import *i;
    must(x, store_import_begin(s, &content, "log", false, &i, &x->f), 0);
    fill(x, 5000);
    must(x, store_import_append_logs(i, x->e, &x->f), 0);
    assert_int_equal(count(x, x->serial), 0);
    store_import_abort(i);
    assert_int_equal(count(x, x->serial), 0);
    x->serial = 0;
    must(x, store_import_begin(s, &content, "log", false, &i, &x->f), 0);
    fill(x, 5000);
    must(x, store_import_append_logs(i, x->e, &x->f), 0);
    must(x, store_import_commit(i, &x->f), 0);
    assert_int_equal(count(x, x->serial), 5000);
    must(x, store_import_begin(s, &content, "log", false, &i, &x->f), STORE_ALREADY_KEPT);
    struct store_compaction done;
    must(x, store_compact(s, &done, NULL, NULL, &x->f), 0);
    store_close(s);
    verify(x, 5000);
}

/* --- the chain ---------------------------------------------------------------------------------------- */

static int count_wrong(void *context, uint64_t id, const char *reason)
{
    (void)id, (void)reason;
    ++*(unsigned *)context;
    return 0;
}

static unsigned wrongs(struct fixture *x, const struct sha256 *head, struct chain_report *ret)
{
    unsigned n = 0;
    must(x, store_verify_chain(x->dir.path, head, count_wrong, &n, ret, &x->f), 0);
    return n;
}

static void change_byte(struct fixture *x, const char *file, off_t at)
{
    char path[400];
    uint8_t byte;
    snprintf(path, sizeof(path), "%s/store/%s", x->dir.path, file);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void what_was_sealed_is_proved_or_not(void **state)
{
    struct fixture *x = *state;
    struct chain_report report;
    struct store *s = open_store(x, 0);
    struct store_log_writer *w;
    must(x, store_log_writer_new(s, &w, &x->f), 0);
    for (unsigned i = 0; i < 4; i++) {
        fill(x, 500);
        must(x, store_log_writer_append(w, x->e, &x->f), 0);
        must(x, store_log_writer_seal(w, &x->f), 0);
    }
    store_log_writer_free(w);
    store_close(s);
    assert_int_equal(wrongs(x, NULL, &report), 0);
    assert_int_equal(report.n_lines, 4);
    assert_int_equal(report.n_present, 4);
    assert_int_equal(report.n_unchained, 0);
    struct sha256 head = report.head;
    assert_int_equal(wrongs(x, &head, &report), 0);
    assert_true(report.has_head);
    head.b[3] ^= 1;
    wrongs(x, &head, &report);
    assert_false(report.has_head);
    change_byte(x, "segments/2.seg", 600); /* id 1 is its journal */
    assert_int_equal(wrongs(x, NULL, &report), 1);
    change_byte(x, "segments/2.seg", 600);
    change_byte(x, "CHAIN", 30); /* the first line */
    assert_int_equal(wrongs(x, NULL, &report), 1);
    assert_int_equal(report.n_lines, 0);
    change_byte(x, "CHAIN", 30);
    assert_int_equal(wrongs(x, NULL, &report), 0);
}

static void a_lost_chain_is_begun_anew_and_says_so(void **state)
{
    struct fixture *x = *state;
    struct chain_report report;
    char path[400];
    struct store *s = open_store(x, 0);
    struct sha256 content = sha256_of("b", 1);
    struct store_import *i;
    must(x, store_import_begin(s, &content, "log", false, &i, &x->f), 0);
    fill(x, 100);
    must(x, store_import_append_logs(i, x->e, &x->f), 0);
    must(x, store_import_commit(i, &x->f), 0);
    store_close(s);
    wrongs(x, NULL, &report);
    struct sha256 head = report.head;
    snprintf(path, sizeof(path), "%s/store/CHAIN", x->dir.path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(wrongs(x, NULL, &report), 0);
    assert_int_equal(report.n_unchained, 1);
    s = open_store(x, 0);
    store_close(s);
    wrongs(x, &head, &report);
    assert_int_equal(report.n_unchained, 0);
    assert_true(report.has_head); /* the same segments in the same order give the same links */
}

/* --- every durable step fails once ----------------------------------------------------------------------- */

static unsigned steps, failing;

static int fail_once(const char *what)
{
    (void)what;
    return ++steps == failing ? -ENOSPC : 0;
}

/* work - Return: rows acknowledged. */
static uint64_t work(struct fixture *x)
{
    struct store *s;
    struct store_options o = {.names = x->names, .segment_rows = 9000};
    uint64_t acknowledged = 0;
    if (store_open(x->dir.path, &o, &s, &x->f))
        return 0;
    struct store_log_writer *w;
    must(x, store_log_writer_new(s, &w, &x->f), 0);
    for (unsigned i = 0; i < 6; i++) {
        fill(x, 3000);
        if (store_log_writer_append(w, x->e, &x->f))
            x->serial -= 3000;
        else
            acknowledged += 3000;
        (void)store_log_writer_tick(w, (int64_t)i * 2000000, &x->f);
    }
    (void)store_log_writer_seal(w, &x->f);
    store_log_writer_free(w);
    store_close(s);
    return acknowledged;
}

static void every_step_may_fail(void **state)
{
    struct fixture *x = *state;
    for (failing = 1; failing < 500; failing++) {
        struct help_dir dir = x->dir;
        x->dir = help_dir_new();
        x->serial = 0;
        steps = 0;
        file_step_hook = fail_once;
        uint64_t acknowledged = work(x);
        file_step_hook = NULL;
        struct store *s = open_store(x, 0);
        store_close(s);
        if (count(x, x->serial) != acknowledged)
            fail_msg("step %u: %llu rows of %llu", failing, (unsigned long long)count(x, x->serial),
                     (unsigned long long)acknowledged);
        verify(x, acknowledged);
        struct chain_report report;
        if (acknowledged && (wrongs(x, NULL, &report) || report.n_unchained))
            fail_msg("step %u: the chain lacks %llu", failing, (unsigned long long)report.n_unchained);
        help_dir_free(&x->dir);
        x->dir = dir;
        if (steps < failing)
            break;
    }
    assert_true(failing > 15 && failing < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_there_journaled_sealed_and_after_a_new_start, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_segment_is_sealed_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(an_import_is_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_sealed_is_proved_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_chain_is_begun_anew_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(every_step_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
