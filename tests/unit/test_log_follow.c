/* SPDX-License-Identifier: Apache-2.0 */
/* Followed files: every line once, whatever is done to the files, the store or the process. */
#include "base/clock.h"
#include "evtx_build.h"
#include "help_dir.h"
#include "watch/intake/log_follow.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <poll.h>
#include <zlib.h>

#include "cmocka_house.h"

struct fixture {
    struct help_dir data, logs;
    char pattern[320];
    const char *patterns[1];
    struct event_names *names;
    struct store *store;
    struct store_log_writer *writer;
    struct log_follower follower;
    pthread_t thread;
    int result;
    struct fault f;
};

static _Atomic bool is_disk_full;

static int full_disk(const char *what)
{
    return atomic_load(&is_disk_full) && strcmp(what, "journal-write") == 0 ? -ENOSPC : 0;
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->data = help_dir_new();
    x->logs = help_dir_new();
    x->names = event_names_new();
    x->patterns[0] = x->pattern;
    snprintf(x->pattern, sizeof(x->pattern), "%s/app.log", x->logs.path);
    atomic_store(&is_disk_full, false);
    file_step_hook = full_disk;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    event_names_free(x->names);
    help_dir_free(&x->data);
    help_dir_free(&x->logs);
    free(x);
    return 0;
}

static void *run(void *context)
{
    struct fixture *x = context;
    x->result = log_follower_run(&x->follower);
    return NULL;
}

static void start(struct fixture *x)
{
    struct store_options s = {.names = x->names};
    assert_int_equal(store_open(x->data.path, &s, &x->store, &x->f), 0);
    assert_int_equal(store_log_writer_new(x->store, &x->writer, &x->f), 0);
    struct log_follow_options o = {.patterns = x->patterns, .n_patterns = 1, .names = x->names, .store = x->store, .writer = x->writer};
    assert_int_equal(log_follower_init(&x->follower, &o), 0);
    assert_int_equal(pthread_create(&x->thread, NULL, run, x), 0);
}

static void end(struct fixture *x)
{
    log_follower_end(&x->follower);
    pthread_join(x->thread, NULL);
    assert_int_equal(x->result, 0);
    log_follower_fini(&x->follower);
    store_log_writer_free(x->writer);
    store_close(x->store);
}

static char *path_of(const struct fixture *x, const char *name, char out[320])
{
    snprintf(out, 320, "%s/%s", x->logs.path, name);
    return out;
}

static void append(const struct fixture *x, const char *name, const char *text)
{
    char path[320];
    FILE *to = fopen(path_of(x, name, path), "a");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

static void wait_lines(struct fixture *x, uint64_t n)
{
    for (unsigned i = 0; i < 2000 && atomic_load(&x->follower.lines) < n; i++)
        poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&x->follower.lines), n);
}

/* held - all originals of the store, each ended by '|', in the order they were journaled; caller frees. */
static char *held(struct fixture *x)
{
    struct buf out = {.max = 64 << 20};
    struct store_view *v;
    int r = store_view_open(x->data.path, &v, &x->f);
    if (r != STORE_EMPTY) {
        assert_int_equal(r, 0);
        struct events *e = events_new(x->names);
        struct log_scratch *scratch = log_scratch_new();
        for (size_t i = store_view_n_logs(v); i-- > 0;) {
            struct log_segment *s = store_view_log(v, i);
            for (uint32_t block = 0; block < log_segment_info(s)->n_blocks; block++) {
                assert_int_equal(log_segment_read(s, block, scratch, e), 0);
                for (uint32_t row = 0; row < e->n; row++) {
                    buf_add(&out, event_original(e, row).p, event_original(e, row).n);
                    buf_add_byte(&out, '|');
                }
            }
        }
        log_scratch_free(scratch);
        events_free(e);
        store_view_close(v);
    }
    buf_add_byte(&out, 0);
    assert_false(out.is_bad);
    return (char *)out.p;
}

static void must_hold(struct fixture *x, const char *expected)
{
    char *got = held(x);
    assert_string_equal(got, expected);
    free(got);
}

static void what_grows_is_read_to_its_last_whole_line(void **state)
{
    struct fixture *x = *state;
    append(x, "app.log", "one\ntwo\r\nthr");
    append(x, "app.log.swp", "not this\n");
    append(x, "other.log", "nor this\n");
    start(x);
    wait_lines(x, 2);
    append(x, "app.log", "ee\n\nfive\n");
    wait_lines(x, 5);
    end(x);
    must_hold(x, "one|two|three|five|");
    start(x);
    append(x, "app.log", "six\n");
    wait_lines(x, 1);
    end(x);
    must_hold(x, "one|two|three|five|six|");
}

static void what_was_renamed_while_nobody_looked_is_read_to_its_end(void **state)
{
    struct fixture *x = *state;
    char from[320], to[320];
    append(x, "app.log", "one\n");
    start(x);
    wait_lines(x, 1);
    end(x);
    append(x, "app.log", "two\n");
    assert_int_equal(rename(path_of(x, "app.log", from), path_of(x, "app.log.2", to)), 0);
    poll(NULL, 0, 20);
    append(x, "app.log", "three\n"); /* came and went */
    assert_int_equal(rename(path_of(x, "app.log", from), path_of(x, "app.log.1", to)), 0);
    append(x, "app.log", "four\n");
    start(x);
    wait_lines(x, 3);
    poll(NULL, 0, 1200);
    wait_lines(x, 3);
    end(x);
    char *got = held(x);
    static const char *const lines[] = {"one|", "two|", "three|", "four|"};
    assert_int_equal(strlen(got), 19);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_non_null(strstr(got, lines[i]));
    free(got);
}

static void a_packed_copy_goes_on_where_reading_stood_and_another_is_read_whole(void **state)
{
    struct fixture *x = *state;
    char path[320];
    append(x, "app.log", "one\ntwo\n");
    start(x);
    wait_lines(x, 2);
    end(x);
    gzFile to = gzopen(path_of(x, "app.log.1.gz", path), "w");
    assert_int_equal(gzputs(to, "one\ntwo\nthree\nfour"), 18); /* the last line has no end */
    gzclose(to);
    assert_int_equal(remove(path_of(x, "app.log", path)), 0);
    start(x);
    wait_lines(x, 2);
    assert_int_equal(atomic_load(&x->follower.resumed), 1);
    end(x);
    must_hold(x, "one|two|three|four|");
    start(x);
    append(x, "app.log", "five\n");
    wait_lines(x, 1);
    poll(NULL, 0, 1200);
    wait_lines(x, 1);
    end(x);
    must_hold(x, "one|two|three|four|five|");
}

static void a_file_written_anew_is_read_from_its_beginning(void **state)
{
    struct fixture *x = *state;
    char path[320];
    append(x, "app.log", "one\ntwo\n");
    start(x);
    wait_lines(x, 2);
    assert_int_equal(truncate(path_of(x, "app.log", path), 0), 0);
    append(x, "app.log", "uno\ndue\ntre\n"); /* longer than before: its size alone would not show it */
    wait_lines(x, 5);
    assert_int_equal(atomic_load(&x->follower.truncated), 1);
    end(x);
    must_hold(x, "one|two|uno|due|tre|");
}

static void a_line_without_end_in_sight_comes_in_pieces(void **state)
{
    struct fixture *x = *state;
    size_t n = FOLLOW_LINE_MAX * 2 + 100;
    char *line = malloc(n + 2);
    memset(line, 'x', n);
    memcpy(line + n, "\n", 2);
    append(x, "app.log", line);
    append(x, "app.log", "behind\n");
    start(x);
    wait_lines(x, 4);
    end(x);
    char *got = held(x);
    assert_int_equal(strlen(got), n + 3 + 7);
    assert_non_null(strstr(got, "|behind|"));
    free(got);
    free(line);
}

static void a_full_disk_is_waited_for_and_an_end_meanwhile_loses_nothing(void **state)
{
    struct fixture *x = *state;
    append(x, "app.log", "one\n");
    atomic_store(&is_disk_full, true);
    start(x);
    for (unsigned i = 0; i < 1000 && !atomic_load(&x->follower.is_waiting); i++)
        poll(NULL, 0, 10);
    assert_true(atomic_load(&x->follower.is_waiting));
    end(x); /* it gives up: the position was not noted */
    must_hold(x, "");
    start(x);
    append(x, "app.log", "two\n");
    poll(NULL, 0, 300);
    atomic_store(&is_disk_full, false);
    wait_lines(x, 2);
    end(x);
    must_hold(x, "one|two|");
}

static void links_and_what_is_no_file_are_left_alone(void **state)
{
    struct fixture *x = *state;
    char path[320], to[320];
    append(x, "secret", "not for the log\n");
    assert_int_equal(symlink(path_of(x, "secret", to), path_of(x, "app.log", path)), 0);
    assert_int_equal(mkfifo(path_of(x, "app.log.1", to), 0600), 0);
    start(x);
    poll(NULL, 0, 800);
    assert_int_equal(remove(path), 0);
    append(x, "app.log", "one\n");
    wait_lines(x, 1);
    end(x);
    must_hold(x, "one|");
}

/* --- event logs ------------------------------------------------------------------------------------------- */

static void add_record(struct evtx_build *b, uint64_t id, uint64_t filetime)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
    build_record(b, id, filetime);
    build_open(b, "Event", false);
    build_gt(b);
    build_leaf(b, "N", text, -1);
    build_close(b);
    build_record_end(b);
}

/* put_log - an event log of chunks, each of the records from..to (to 0: there is no more chunk), as a file. */
static void put_log(const struct fixture *x, const uint64_t chunks[4][2], size_t n_cut, uint64_t filetime)
{
    static struct evtx_build b;
    char path[320];
    memset(&b, 0, sizeof(b));
    build_file(&b, 1); /* the header of a live log is out of date */
    for (size_t i = 0; i < 4 && chunks[i][1]; i++) {
        build_chunk(&b);
        for (uint64_t id = chunks[i][0]; id <= chunks[i][1]; id++)
            add_record(&b, id, filetime + id);
        size_t end = b.n;
        build_chunk_end(&b);
        memset(b.p + end - (i + 1 == 4 || !chunks[i + 1][1] ? n_cut : 0), 0, n_cut); /* the last record is not whole yet */
    }
    FILE *to = fopen(path_of(x, "System.evtx", path), "r+");
    to = to ? to : fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(b.p, 1, b.n, to), b.n);
    assert_int_equal(ftruncate(fileno(to), (off_t)b.n), 0);
    fclose(to);
}

static void must_hold_records(struct fixture *x, const uint64_t (*runs)[2])
{
    char want[20000];
    size_t n = 0;
    for (; (*runs)[1]; runs++)
        for (uint64_t id = (*runs)[0]; id <= (*runs)[1]; id++)
            n += (size_t)snprintf(want + n, sizeof(want) - n, "<Event><N>%llu</N></Event>|", (unsigned long long)id);
    want[n] = 0;
    must_hold(x, want);
}

static void an_event_log_is_read_by_number_while_it_grows_and_goes_round(void **state)
{
    struct fixture *x = *state;
    const uint64_t first = UINT64_C(132000000000000000);
    snprintf(x->pattern, sizeof(x->pattern), "%s/System.evtx", x->logs.path);
    put_log(x, (uint64_t[4][2]){{1, 5}}, 0, first);
    start(x);
    wait_lines(x, 5);
    put_log(x, (uint64_t[4][2]){{1, 8}}, 12, first); /* 8 is being written */
    wait_lines(x, 7);
    put_log(x, (uint64_t[4][2]){{1, 8}, {9, 10}}, 0, first);
    wait_lines(x, 10);
    end(x);
    put_log(x, (uint64_t[4][2]){{11, 13}, {9, 10}}, 0, first); /* nobody looked; the first chunk was taken again */
    start(x);
    wait_lines(x, 3);
    put_log(x, (uint64_t[4][2]){{20, 22}, {23, 23}}, 0, first); /* 14..19 came and went */
    wait_lines(x, 7);
    assert_int_equal(atomic_load(&x->follower.overwritten), 6);
    put_log(x, (uint64_t[4][2]){{1, 2}}, 0, first + 1000); /* cleared */
    wait_lines(x, 9);
    end(x);
    must_hold_records(x, (uint64_t[][2]){{1, 13}, {20, 23}, {1, 2}, {0, 0}});
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_grows_is_read_to_its_last_whole_line),
        T(what_was_renamed_while_nobody_looked_is_read_to_its_end),
        T(a_packed_copy_goes_on_where_reading_stood_and_another_is_read_whole),
        T(a_file_written_anew_is_read_from_its_beginning),
        T(a_line_without_end_in_sight_comes_in_pieces),
        T(a_full_disk_is_waited_for_and_an_end_meanwhile_loses_nothing),
        T(links_and_what_is_no_file_are_left_alone),
        T(an_event_log_is_read_by_number_while_it_grows_and_goes_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
