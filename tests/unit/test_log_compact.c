/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compaction of log events: nothing lost, doubled or changed, found as before, proved by the chain after any number of
 * merges; killed and failing at every durable step.
 */
#include "help_dir.h"
#include "base/clock.h"
#include "watch/store/chain.h"
#include "watch/store/log_segment.h"
#include "watch/store/phrase.h"
#include "watch/store/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SEGMENT_ROWS = 6000 };

struct fixture {
    struct help_dir dir;
    struct event_names *names;
    struct events *e;
    uint64_t serial; /* of the next row: every row says its number */
    uint64_t salt;   /* what makes other rows of the same numbers */
    struct fault f;
};

static struct fixture *fixture_new(void)
{
    struct fixture *x = calloc(1, sizeof(*x));
    HELP_MUST(x);
    x->dir = help_dir_new();
    x->names = event_names_new();
    x->e = events_new(x->names);
    return x;
}

static void fixture_free(struct fixture *x)
{
    file_step_hook = NULL;
    events_free(x->e);
    event_names_free(x->names);
    help_dir_free(&x->dir);
    free(x);
}

static int setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void must(struct fixture *x, int r, int expected)
{
    if (r != expected)
        fail_msg("returned %d, expected %d: %s", r, expected, x->f.text);
}

/* line_of - the text of row @serial; every hundredth has a rare word. */
static size_t line_of(uint64_t serial, uint64_t salt, char line[128])
{
    return (size_t)snprintf(line, 128, "line %llu of salt%llu from 10.%u.%u.7 %s", (unsigned long long)serial, (unsigned long long)salt,
                            (unsigned)(serial / 250 % 250), (unsigned)(serial % 250), serial % 100 ? "common" : "seldom");
}

static void fill(struct fixture *x, uint32_t n)
{
    char line[128], name[32];
    events_clear(x->e);
    while (n--) {
        size_t k = line_of(x->serial, x->salt, line);
        must(x, event_begin(x->e, (struct text){line, k}, (int64_t)x->serial), 0);
        event_put_ulong(x->e, EV_EVENT_SEQUENCE, x->serial);
        event_put(x->e, EV_LOG_SOURCE_ADDRESS, TEXT("192.0.2.1"));
        int m = snprintf(name, sizeof(name), "own.field%llu", (unsigned long long)(x->serial % 40));
        event_put_name(x->e, (struct text){name, (size_t)m}, (struct text){name, (size_t)m});
        must(x, event_end(x->e), 0);
        x->serial++;
    }
}

static struct store *open_store(struct fixture *x)
{
    struct store *s = NULL;
    struct store_options o = {.names = x->names, .segment_rows = SEGMENT_ROWS};
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    return s;
}

/* seal - @n segments of @rows rows each. */
static void seal(struct fixture *x, struct store *s, unsigned n, uint32_t rows)
{
    struct store_log_writer *w;
    must(x, store_log_writer_new(s, &w, &x->f), 0);
    while (n--) {
        fill(x, rows);
        must(x, store_log_writer_append(w, x->e, &x->f), 0);
        must(x, store_log_writer_seal(w, &x->f), 0);
    }
    store_log_writer_free(w);
}

struct found {
    uint64_t n_rows, n_segments, n_seldom, n_bad;
};

static bool is_as_made(const struct events *e, uint32_t row, uint64_t salt)
{
    char line[128], name[32];
    uint64_t serial = event_get(e, row, EV_EVENT_SEQUENCE)->unsigned_number;
    struct text t = event_original(e, row);
    size_t n = line_of(serial, salt, line);
    snprintf(name, sizeof(name), "own.field%llu", (unsigned long long)(serial % 40));
    uint16_t field = event_names_find(e->names, (struct text){name, strlen(name)});
    const struct event_value *v = field == EVENT_NO_FIELD ? NULL : event_get(e, row, field);
    return t.n == n && !memcmp(t.p, line, n) && e->time_us[row] == (int64_t)serial && e->arrived_us[row] == (int64_t)serial && v &&
           text_is(event_text(e, v), name);
}

/* look - everything read: the rows are the numbers [0, n), each once, whole; and the index leads to all with the rare word. */
static struct found look(struct fixture *x, uint64_t n)
{
    struct found found = {0};
    struct store_view *v;
    int r = store_view_open(x->dir.path, &v, &x->f);
    if (r == STORE_EMPTY)
        return found;
    must(x, r, 0);
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    struct log_scratch *scratch = log_scratch_new();
    bool *seen = calloc(n + 1, sizeof(*seen));
    struct phrase p;
    assert_int_equal(phrase_compile(TEXT("Seldom"), false, &p), 0);
    found.n_segments = store_view_n_logs(v);
    found.n_bad = store_view_n_damaged(v);
    for (size_t i = 0; i < found.n_segments; i++) {
        struct log_segment *s = store_view_log(v, i);
        uint64_t may[TERMS_BLOCKS_MAX / 64];
        struct terms t;
        memset(may, 0xff, sizeof(may));
        assert_int_equal(log_segment_terms(s, &t), 0);
        assert_int_equal(phrase_blocks(&p, &t, may), 0);
        for (uint32_t block = 0; block < log_segment_info(s)->n_blocks; block++) {
            assert_int_equal(log_segment_read(s, block, scratch, e), 0);
            for (uint32_t row = 0; row < e->n; row++) {
                uint64_t serial = event_get(e, row, EV_EVENT_SEQUENCE)->unsigned_number;
                bool is_first = serial < n && !seen[serial];
                found.n_bad += !is_first || !is_as_made(e, row, x->salt);
                found.n_rows += is_first;
                if (is_first)
                    seen[serial] = true;
                found.n_seldom += is_first && serial % 100 == 0 && may[block / 64] >> block % 64 & 1;
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

static void is_whole(struct fixture *x, uint64_t n_segments)
{
    struct found found = look(x, x->serial);
    assert_int_equal(found.n_rows, x->serial);
    assert_int_equal(found.n_bad, 0);
    assert_int_equal(found.n_seldom, (x->serial + 99) / 100);
    if (n_segments)
        assert_int_equal(found.n_segments, n_segments);
    uint64_t segments, rows;
    must(x, store_verify(x->dir.path, NULL, NULL, NULL, &segments, &rows, &x->f), 0);
    assert_int_equal(rows, x->serial);
}

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

static struct store_compaction compact(struct fixture *x, struct store *s)
{
    struct store_compaction done;
    must(x, store_compact(s, &done, NULL, NULL, &x->f), 0);
    return done;
}

static void small_segments_become_one_and_the_chain_still_proves_them(void **state)
{
    struct fixture *x = *state;
    struct chain_report report;
    struct store *s = open_store(x);
    seal(x, s, 9, 101);
    assert_int_equal(wrongs(x, NULL, &report), 0);
    assert_int_equal(report.n_present, 9);
    struct sha256 head = report.head;
    struct store_compaction done = compact(x, s);
    assert_int_equal(done.segments_merged, 9);
    assert_int_equal(done.segments_written, 1);
    is_whole(x, 1);
    assert_int_equal(wrongs(x, &head, &report), 0);
    assert_true(report.has_head); /* what was written down before the merge holds after it */
    assert_int_equal(report.n_lines, 10);
    assert_int_equal(report.n_present, 1);
    assert_int_equal(report.n_merged, 9);
    assert_int_equal(report.n_gone + report.n_unchained, 0);
    done = compact(x, s);
    assert_int_equal(done.segments_merged, 0);
    seal(x, s, 10, 101); /* as many again: merged with the merged */
    done = compact(x, s);
    assert_int_equal(done.segments_merged, 11);
    is_whole(x, 1);
    assert_int_equal(wrongs(x, &head, &report), 0);
    assert_int_equal(report.n_merged, 19);
    assert_int_equal(report.n_gone, 0);
    store_close(s);
    s = open_store(x); /* nothing is made up for: all have their lines */
    store_close(s);
    assert_int_equal(wrongs(x, &head, &report), 0);
    assert_int_equal(report.n_lines, 21);
}

static void what_does_not_fit_one_segment_stays_apart(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x);
    seal(x, s, 3, SEGMENT_ROWS / 4);     /* not small */
    seal(x, s, 13, SEGMENT_ROWS / 4 - 1); /* four fit */
    compact(x, s);
    is_whole(x, 3 + 3 + 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(compact(x, s).segments_merged, 0);
    store_close(s);
}

static void retention_takes_merged_ones_too_and_they_count_as_gone(void **state)
{
    struct fixture *x = *state;
    struct chain_report report;
    struct store *s = open_store(x);
    seal(x, s, 5, 1000);
    compact(x, s);
    store_close(s);
    struct store_options o = {.names = x->names, .segment_rows = SEGMENT_ROWS, .budget_bytes = 1};
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    must(x, store_retain(s, INT64_C(4000000000000000), &x->f), 0);
    store_close(s);
    assert_int_equal(look(x, x->serial).n_rows, 0);
    assert_int_equal(wrongs(x, NULL, &report), 0);
    assert_int_equal(report.n_gone, 5);
}

static void logs_may_have_a_minimum_of_their_own(void **state)
{
    struct fixture *x = *state;
    enum { DAY = 86400 };
    struct store *s = open_store(x);
    struct store_counters c;
    seal(x, s, 3, 100);
    store_close(s);
    struct store_options o = {.names = x->names, .budget_bytes = 1, .keep_logs_at_least_us = INT64_C(1000000) * DAY};
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    must(x, store_retain(s, clock_now_us(), &x->f), 0);
    store_get_counters(s, &c);
    assert_int_equal(c.segments_retired, 0);
    assert_int_equal(c.retention_blocked, 1);
    must(x, store_retain(s, clock_now_us() + 2 * o.keep_logs_at_least_us, &x->f), 0);
    store_get_counters(s, &c);
    assert_int_equal(c.segments_retired, 3);
    store_close(s);
}

/* --- who merges other rows is found out ------------------------------------------------------------------------- */

static void path_of(const struct fixture *x, const char *file, char out[400])
{
    snprintf(out, 400, "%s/store/%s", x->dir.path, file);
}

static uint64_t merged_id(struct fixture *x)
{
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    assert_int_equal(store_view_n_logs(v), 1);
    uint64_t id = log_segment_info(store_view_log(v, 0))->id;
    store_view_close(v);
    return id;
}

static void copy_file(const char *from, const char *to)
{
    uint8_t *bytes;
    size_t n;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_TRUNC);
    HELP_MUST(in >= 0 && out >= 0 && !file_read_all(in, 1 << 24, &bytes, &n) && !file_write_full(out, bytes, n));
    free(bytes);
    close(in);
    close(out);
}

/* forge_line - the last line of the chain, as one who owns the disk would write it for the file that is there now. */
static void forge_line(struct fixture *x, uint64_t id, uint64_t n_rows, const struct log_digest *rows, const uint64_t *from, size_t n_from)
{
    char path[400];
    uint8_t *bytes;
    size_t n;
    path_of(x, "CHAIN", path);
    int fd = open(path, O_RDWR);
    HELP_MUST(fd >= 0 && !file_read_all(fd, 1 << 20, &bytes, &n));
    size_t end = n - 1;
    while (bytes[end - 1] != '\n')
        end--;
    HELP_MUST(!ftruncate(fd, (off_t)end));
    free(bytes);
    close(fd);
    path_of(x, "", path);
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
    int segments_fd = openat(dir_fd, "segments", O_RDONLY | O_DIRECTORY);
    struct chain c;
    struct chain_segment said = {.id = id, .n_rows = n_rows, .rows = rows, .from = from, .n_from = n_from};
    must(x, chain_open(&c, dir_fd, segments_fd, &x->f), 0);
    must(x, chain_add(&c, &said, &x->f), 0);
    chain_close(&c);
    close(segments_fd);
    close(dir_fd);
}

static void other_rows_of_a_merged_segment_are_found_out(void **state)
{
    struct fixture *x = *state, *y = fixture_new();
    struct chain_report report;
    y->salt = 1;
    struct store *s = open_store(x), *t = open_store(y);
    seal(x, s, 3, 50);
    seal(y, t, 3, 50);
    compact(x, s);
    compact(y, t);
    store_close(s);
    store_close(t);
    uint64_t id = merged_id(x), from[] = {2, 4, 6}, swapped[] = {4, 2, 6}, twice[] = {2, 2, 6};
    assert_int_equal(merged_id(y), id);
    assert_int_equal(wrongs(x, NULL, &report), 0);
    char mine[400], others[400], name[64];
    snprintf(name, sizeof(name), "segments/%llu.seg", (unsigned long long)id);
    path_of(x, name, mine);
    path_of(y, name, others);
    forge_line(x, id, 150, NULL, swapped, 3);
    assert_int_equal(wrongs(x, NULL, &report), 1);
    forge_line(x, id, 150, NULL, twice, 3);
    assert_int_equal(wrongs(x, NULL, &report), 1);
    forge_line(x, id, 150, NULL, from, 2);
    assert_int_equal(wrongs(x, NULL, &report), 1);
    forge_line(x, id, 150, NULL, from, 3);
    assert_int_equal(wrongs(x, NULL, &report), 0);
    copy_file(others, mine);
    assert_int_equal(wrongs(x, NULL, &report), 2); /* another file, and other rows */
    forge_line(x, id, 150, NULL, from, 3);
    assert_int_equal(wrongs(x, NULL, &report), 1); /* a chain that fits it, but other rows */
    assert_int_equal(report.n_merged, 0);
    fixture_free(y);
}

/* --- killed and failing at every durable step -------------------------------------------------------------------- */

static unsigned steps, target;
static bool is_kill;

static int hook(const char *what)
{
    (void)what;
    if (++steps != target)
        return 0;
    if (is_kill)
        kill(getpid(), SIGKILL);
    return -ENOSPC;
}

/* make - a store with much to merge, the same each time. */
static void make(struct fixture *x)
{
    struct store *s = open_store(x);
    seal(x, s, 4, 200);
    compact(x, s);
    seal(x, s, 6, 200);
    store_close(s);
}

/* compact_under_hook - Return: whether every step was passed. */
static bool compact_under_hook(struct fixture *x)
{
    struct store *s;
    struct store_options o = {.names = x->names, .segment_rows = SEGMENT_ROWS};
    steps = 0;
    file_step_hook = hook;
    if (!store_open(x->dir.path, &o, &s, &x->f)) {
        (void)store_compact(s, NULL, NULL, NULL, &x->f);
        store_close(s);
    }
    file_step_hook = NULL;
    return steps < target;
}

static bool one_step(struct fixture *x)
{
    bool is_over = false;
    if (!is_kill)
        is_over = compact_under_hook(x);
    else {
        pid_t pid = fork();
        HELP_MUST(pid >= 0);
        if (!pid)
            _exit(compact_under_hook(x) ? 3 : 4);
        int status;
        HELP_MUST(waitpid(pid, &status, 0) == pid);
        is_over = WIFEXITED(status) && WEXITSTATUS(status) == 3;
    }
    return is_over;
}

static void every_step(bool kills)
{
    is_kill = kills;
    bool is_over = false;
    for (target = 1; !is_over && target < 300; target++) {
        struct fixture *x = fixture_new();
        struct chain_report report;
        make(x);
        is_over = one_step(x);
        is_whole(x, 0); /* for readers at once */
        assert_int_equal(wrongs(x, NULL, &report), 0);
        struct store *s = open_store(x); /* the next writer goes on where it was left */
        compact(x, s);
        seal(x, s, 1, 10);
        store_close(s);
        is_whole(x, 2);
        assert_int_equal(wrongs(x, NULL, &report), 0);
        assert_int_equal(report.n_unchained + report.n_gone, 0);
        fixture_free(x);
    }
    assert_true(target > 8 && target < 300);
}

static void every_step_may_fail(void **state)
{
    (void)state;
    every_step(false);
}

static void killed_at_every_step_nothing_is_lost(void **state)
{
    (void)state;
    every_step(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_segments_become_one_and_the_chain_still_proves_them, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_one_segment_stays_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(retention_takes_merged_ones_too_and_they_count_as_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(logs_may_have_a_minimum_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(other_rows_of_a_merged_segment_are_found_out, setup, teardown),
        cmocka_unit_test(every_step_may_fail),
        cmocka_unit_test(killed_at_every_step_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
