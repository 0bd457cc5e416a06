/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the store: what was acknowledged is there, once, after whatever happened. */
#include "store_help.h"
#include "watch/store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

struct fixture {
    struct help_dir dir;
    struct flow_batch *batch[2];
    struct help_rows model;
    uint64_t random, serial;
    struct fault f;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->dir = help_dir_new();
    x->batch[0] = flow_batch_new(4);
    x->batch[1] = flow_batch_new(6);
    x->random = help_seed();
    x->serial = 1;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    flow_batch_free(x->batch[0]);
    flow_batch_free(x->batch[1]);
    help_rows_fini(&x->model);
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

static void must(struct fixture *x, int r, int expected)
{
    if (r != expected)
        fail_msg("returned %d, expected %d: %s", r, expected, x->f.text);
}

static struct store *open_store(struct fixture *x, uint32_t segment_rows, unsigned n_threads)
{
    struct store_options o = {.segment_rows = segment_rows, .n_build_threads = n_threads};
    struct store *s = NULL;
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    return s;
}

static struct flow_batch *next_batch(struct fixture *x, int slot, uint32_t n)
{
    help_batch(x->batch[slot], n, x->serial, &x->random);
    x->serial += n;
    return x->batch[slot];
}

static void append(struct fixture *x, struct store_writer *w, int slot, uint32_t n)
{
    struct flow_batch *b = next_batch(x, slot, n);
    must(x, store_writer_append(w, b, &x->f), 0);
    help_rows_add_batch(&x->model, b);
}

static void check_model(struct fixture *x)
{
    struct help_rows seen = {0};
    help_rows_of_store(&seen, x->dir.path);
    if (!help_rows_equal(&seen, &x->model))
        fail_msg("the store shows %zu rows, the model has %zu (seed %llu)", seen.n, x->model.n,
                 (unsigned long long)help_seed());
    help_rows_fini(&seen);
}

static void a_directory_without_a_store_says_so(void **state)
{
    struct fixture *x = *state;
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), STORE_EMPTY);
    assert_non_null(strstr(x->f.text, x->dir.path));
    store_close(open_store(x, 0, 0));
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    assert_int_equal(store_view_n_segments(v), 0);
    store_view_close(v);
    struct stat st;
    char path[300];
    snprintf(path, sizeof(path), "%s/store", x->dir.path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
}

static void a_second_writer_is_told_that_the_store_is_busy(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0), *other;
    must(x, store_open(x->dir.path, NULL, &other, &x->f), STORE_BUSY);
    store_close(s);
    must(x, store_open(x->dir.path, NULL, &other, &x->f), 0);
    store_close(other);
}

static void appended_rows_are_seen_unsealed_then_sealed_then_after_reopening(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0);
    struct store_writer *w;
    struct store_view *v;
    must(x, store_writer_new(s, &w, &x->f), 0);
    append(x, w, 0, 1000);
    append(x, w, 1, 500);
    append(x, w, 0, 1);
    check_model(x);
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    assert_int_equal(store_view_n_segments(v), 2);
    assert_true(segment_info(store_view_segment(v, 0))->is_unsealed);
    store_view_close(v);
    must(x, store_writer_seal(w, &x->f), 0);
    check_model(x);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 2);
    assert_int_equal(help_count_files(x->dir.path, "journals"), 0);
    append(x, w, 0, 7);
    store_writer_free(w);
    store_close(s);
    check_model(x);
    s = open_store(x, 0, 0);
    check_model(x);
    struct store_counters c;
    store_get_counters(s, &c);
    assert_int_equal(c.rows_recovered, 7);
    assert_int_equal(c.journal_bytes_cut, 0);
    assert_int_equal(help_count_files(x->dir.path, "journals"), 0);
    store_close(s);
}

static void full_segments_are_sealed_as_they_fill_newest_first(void **state)
{
    struct fixture *x = *state;
    for (unsigned n_threads = 0; n_threads <= 2; n_threads++) {
        struct store *s = open_store(x, 8192, n_threads);
        struct store_writer *w;
        must(x, store_writer_new(s, &w, &x->f), 0);
        for (int i = 0; i < 30; i++)
            append(x, w, i % 5 == 0, 1 + (uint32_t)(help_random(&x->random) % 3000));
        must(x, store_writer_seal(w, &x->f), 0);
        store_writer_free(w);
        struct store_counters c;
        store_get_counters(s, &c);
        assert_true(c.segments_sealed >= 3);
        store_close(s);
        check_model(x);
    }
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    uint64_t newest[2] = {UINT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < store_view_n_segments(v); i++) {
        struct segment *g = store_view_segment(v, i);
        struct flow f;
        assert_int_equal(segment_flow(g, 0, 0, NULL, &f), 0);
        int slot = segment_info(g)->family == 6;
        assert_true(f.source_packets < newest[slot]); /* serials grow with arrival */
        newest[slot] = f.source_packets;
    }
    assert_int_equal(store_view_n_damaged(v), 0);
    store_view_close(v);
}

static void a_batch_larger_than_a_segment_is_kept_whole(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 100, 0);
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    append(x, w, 0, 8192);
    append(x, w, 0, 3);
    append(x, w, 1, 150);
    store_writer_free(w);
    store_close(s);
    check_model(x);
    store_close(open_store(x, 100, 0));
    check_model(x);
}

/* child - what @work leaves when it is killed without a word. */
static void in_a_killed_child(struct fixture *x, void (*work)(struct fixture *x))
{
    pid_t pid = fork();
    if (pid == 0) {
        work(x);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void append_and_note(struct fixture *x)
{
    struct store_options o = {.segment_rows = 8192};
    struct store *s;
    struct store_writer *w;
    uint64_t key = 5;
    HELP_MUST(!store_open(x->dir.path, &o, &s, NULL) && !store_writer_new(s, &w, NULL));
    for (int i = 0; i < 9; i++) {
        HELP_MUST(!store_writer_note(w, &key, sizeof(key), 100 + (uint64_t)i));
        HELP_MUST(!store_writer_append(w, next_batch(x, i % 3 == 2, 2000), NULL));
    }
}

static int sum_notes(void *context, const void *key, size_t n_key, uint64_t value)
{
    (void)key, (void)n_key;
    *(uint64_t *)context += value;
    return 0;
}

static void a_killed_writer_loses_nothing_and_its_notes_stay(void **state)
{
    struct fixture *x = *state;
    uint64_t random = x->random, serial = x->serial, notes = 0;
    in_a_killed_child(x, append_and_note);
    x->random = random;
    x->serial = serial;
    for (int i = 0; i < 9; i++)
        help_rows_add_batch(&x->model, next_batch(x, i % 3 == 2, 2000));
    check_model(x); /* a reader before any writer has cleaned up */
    struct store *s = open_store(x, 8192, 1);
    check_model(x);
    assert_int_equal(store_each_note(s, sum_notes, &notes), 0);
    assert_int_equal(notes, 108);
    store_close(s);
    s = open_store(x, 8192, 0); /* and still when no journal holds them any more */
    notes = 0;
    assert_int_equal(store_each_note(s, sum_notes, &notes), 0);
    assert_int_equal(notes, 108);
    store_close(s);
}

static void notes_without_rows_survive_a_seal(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0);
    struct store_writer *w;
    uint64_t notes = 0;
    must(x, store_writer_new(s, &w, &x->f), 0);
    assert_int_equal(store_writer_note(w, "k", 1, 41), 0);
    assert_int_equal(store_writer_note(w, "k", 1, 42), 0);
    assert_int_equal(store_writer_note(w, "", 0, 1), -EINVAL);
    must(x, store_writer_seal(w, &x->f), 0);
    store_writer_free(w);
    store_close(s);
    s = open_store(x, 0, 0);
    assert_int_equal(store_each_note(s, sum_notes, &notes), 0);
    assert_int_equal(notes, 42);
    store_close(s);
    check_model(x);
}

static void a_torn_journal_tail_is_cut_and_counted(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0);
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    append(x, w, 0, 100);
    store_writer_free(w);
    store_close(s);
    char command[600];
    snprintf(command, sizeof(command), "%s/store/journals", x->dir.path);
    DIR *d = opendir(command);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            int fd = openat(dirfd(d), e->d_name, O_WRONLY | O_APPEND | O_CLOEXEC);
            assert_int_equal(write(fd, "VGFJ-torn", 9), 9);
            close(fd);
        }
    closedir(d);
    check_model(x);
    s = open_store(x, 0, 0);
    struct store_counters c;
    store_get_counters(s, &c);
    assert_int_equal(c.journal_bytes_cut, 9);
    assert_int_equal(c.rows_recovered, 100);
    store_close(s);
    check_model(x);
}

static void ticks_seal_by_age_also_when_the_clock_is_set_back(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.seal_after_us = 10 * US_PER_SECOND};
    struct store *s;
    struct store_writer *w;
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    must(x, store_writer_new(s, &w, &x->f), 0);
    append(x, w, 0, 10);
    int64_t now = 1000 * US_PER_SECOND;
    must(x, store_writer_tick(w, now, &x->f), 0);
    must(x, store_writer_tick(w, now + 9 * US_PER_SECOND, &x->f), 0);
    assert_int_equal(help_count_files(x->dir.path, "journals"), 1);
    now -= 500 * US_PER_SECOND;
    must(x, store_writer_tick(w, now, &x->f), 0);
    assert_int_equal(help_count_files(x->dir.path, "journals"), 1);
    must(x, store_writer_tick(w, now + 10 * US_PER_SECOND, &x->f), 0);
    assert_int_equal(help_count_files(x->dir.path, "journals"), 0);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 1);
    store_writer_free(w);
    store_close(s);
    check_model(x);
}

/* --- imports ------------------------------------------------------------------------------------- */

static void an_import_is_seen_only_after_its_commit(void **state)
{
    struct fixture *x = *state;
    for (unsigned n_threads = 0; n_threads <= 2; n_threads++) {
        struct store *s = open_store(x, 3000, n_threads);
        struct store_import *i;
        struct sha256 content = sha256_of(&n_threads, sizeof(n_threads));
        must(x, store_import_begin(s, &content, "a.csv", false, &i, &x->f), 0);
        struct help_rows staged = {0};
        for (int k = 0; k < 8; k++) {
            struct flow_batch *b = next_batch(x, k % 4 == 3, 2500);
            must(x, store_import_append(i, b, &x->f), 0);
            help_rows_add_batch(&staged, b);
        }
        check_model(x);
        must(x, store_import_commit(i, &x->f), 0);
        for (size_t k = 0; k < staged.n; k++)
            help_rows_add(&x->model, staged.p[k]);
        help_rows_fini(&staged);
        check_model(x);
        must(x, store_import_begin(s, &content, "b.csv", false, &i, &x->f), STORE_ALREADY_KEPT);
        assert_non_null(strstr(x->f.text, "a.csv"));
        must(x, store_import_begin(s, &content, "b.csv", true, &i, &x->f), 0);
        store_import_abort(i);
        store_close(s);
    }
}

static void an_aborted_import_leaves_nothing(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 1000, 1);
    struct store_import *i;
    struct sha256 content = sha256_of("x", 1);
    must(x, store_import_begin(s, &content, "a.csv", false, &i, &x->f), 0);
    for (int k = 0; k < 5; k++)
        must(x, store_import_append(i, next_batch(x, k & 1, 700), &x->f), 0);
    store_import_abort(i);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 0);
    must(x, store_import_begin(s, &content, "a.csv", false, &i, &x->f), 0);
    must(x, store_import_commit(i, &x->f), 0); /* an empty file is kept as imported too */
    must(x, store_import_begin(s, &content, "a.csv", false, &i, &x->f), STORE_ALREADY_KEPT);
    store_close(s);
    check_model(x);
}

static void import_without_commit(struct fixture *x)
{
    struct store_options o = {.segment_rows = 1000};
    struct store *s;
    struct store_import *i;
    struct sha256 content = sha256_of("y", 1);
    HELP_MUST(!store_open(x->dir.path, &o, &s, NULL));
    HELP_MUST(!store_import_begin(s, &content, "y.csv", false, &i, NULL));
    for (int k = 0; k < 5; k++)
        HELP_MUST(!store_import_append(i, next_batch(x, 0, 900), NULL));
}

static void a_killed_import_leaves_nothing_and_can_be_repeated(void **state)
{
    struct fixture *x = *state;
    in_a_killed_child(x, import_without_commit);
    assert_true(help_count_files(x->dir.path, "segments") > 0);
    check_model(x);
    struct store *s = open_store(x, 1000, 0);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 0);
    struct store_import *i;
    struct sha256 content = sha256_of("y", 1);
    must(x, store_import_begin(s, &content, "y.csv", false, &i, &x->f), 0);
    store_import_abort(i);
    store_close(s);
}

/* --- beside each other ------------------------------------------------------------------------------ */

struct loader {
    struct fixture *x;
    struct store *store;
    int index;
    struct help_rows rows;
};

static void *load(void *context)
{
    struct loader *l = context;
    struct store_writer *w;
    uint64_t random = 77 + (uint64_t)l->index, serial = (uint64_t)(l->index + 1) << 32;
    struct flow_batch *b[2] = {flow_batch_new(4), flow_batch_new(6)};
    HELP_MUST(!store_writer_new(l->store, &w, NULL));
    for (int i = 0; i < 40; i++) {
        struct flow_batch *one = b[i % 7 == 0];
        help_batch(one, 1 + (uint32_t)(help_random(&random) % 2000), serial, &random);
        serial += one->n;
        HELP_MUST(!store_writer_append(w, one, NULL));
        HELP_MUST(!store_writer_tick(w, i * 300000, NULL));
        help_rows_add_batch(&l->rows, one);
    }
    if (l->index % 2)
        HELP_MUST(!store_writer_seal(w, NULL));
    store_writer_free(w);
    flow_batch_free(b[0]);
    flow_batch_free(b[1]);
    return NULL;
}

static void two_writer_threads_lose_and_double_nothing(void **state)
{
    struct fixture *x = *state;
    for (unsigned n_threads = 0; n_threads <= 2; n_threads += 2) {
        struct store *s = open_store(x, 8192, n_threads);
        struct loader l[2] = {{x, s, (int)n_threads, {0}}, {x, s, (int)n_threads + 1, {0}}};
        pthread_t t[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&t[i], NULL, load, &l[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(t[i], NULL);
        store_close(s);
        for (int i = 0; i < 2; i++) {
            for (size_t k = 0; k < l[i].rows.n; k++)
                help_rows_add(&x->model, l[i].rows.p[k]);
            help_rows_fini(&l[i].rows);
        }
        check_model(x);
    }
    store_close(open_store(x, 8192, 0));
    check_model(x);
}

static void write_for_readers(struct fixture *x)
{
    struct store_options o = {.segment_rows = 8192, .n_build_threads = 1};
    struct store *s;
    struct store_writer *w;
    HELP_MUST(!store_open(x->dir.path, &o, &s, NULL) && !store_writer_new(s, &w, NULL));
    for (int i = 0; i < 120; i++) {
        HELP_MUST(!store_writer_append(w, next_batch(x, 0, 1000), NULL));
        if (i % 10 == 9) {
            HELP_MUST(!store_writer_seal(w, NULL));
            HELP_MUST(!store_compact(s, NULL, NULL, NULL, NULL));
        }
    }
}

static void readers_beside_a_writing_process_see_a_growing_prefix(void **state)
{
    struct fixture *x = *state;
    pid_t pid = fork();
    if (pid == 0) {
        write_for_readers(x);
        _exit(0);
    }
    uint64_t before = 0;
    int status = 0, n_views = 0;
    while (waitpid(pid, &status, WNOHANG) == 0 || n_views == 0) {
        struct store_view *v;
        int r = store_view_open(x->dir.path, &v, &x->f);
        if (r == STORE_EMPTY)
            continue;
        must(x, r, 0);
        uint64_t n = 0, highest = 0;
        for (size_t i = 0; i < store_view_n_segments(v); i++) {
            const struct segment *s = store_view_segment(v, i);
            n += segment_info(s)->n_rows;
            for (uint32_t b = 0; b < segment_info(s)->n_blocks; b++) {
                struct segment_bounds bounds;
                segment_bounds(s, b, FLOW_COLUMN_NUMBER(FLOW_SOURCE_PACKETS), &bounds);
                highest = bounds.max > highest ? bounds.max : highest;
            }
        }
        /* serials 1..n without a hole: whole batches, nothing twice, nothing missing */
        assert_int_equal(highest, n);
        assert_int_equal(n % 1000, 0);
        assert_true(n >= before);
        assert_int_equal(store_view_n_damaged(v), 0);
        before = n;
        n_views++;
        store_view_close(v);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_view_of_many_segments_keeps_few_descriptors(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 10, 0);
    for (int i = 0; i < 200; i++) {
        struct sha256 content = sha256_of(&i, sizeof(i));
        struct store_import *import;
        struct flow_batch *b = next_batch(x, i & 1, 10);
        must(x, store_import_begin(s, &content, "x", false, &import, &x->f), 0);
        must(x, store_import_append(import, b, &x->f), 0);
        must(x, store_import_commit(import, &x->f), 0);
        help_rows_add_batch(&x->model, b);
    }
    store_close(s);
    struct rlimit before, few = {48, 48};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    check_model(x);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* --- failures ------------------------------------------------------------------------------------------- */

static const char *fail_at;
static int fail_with;

static int fail_step(const char *what)
{
    return !strcmp(what, fail_at) ? -fail_with : 0;
}

static void a_full_disk_is_reported_and_nothing_acknowledged_is_lost(void **state)
{
    struct fixture *x = *state;
    static const char *const steps[] = {"journal-create", "journal-write", "manifest-write", "manifest-sync",
                                        "segment-create", "segment-sync", "sync-directory", "write"};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct store *s = open_store(x, 8192, 0);
        struct store_writer *w;
        must(x, store_writer_new(s, &w, &x->f), 0);
        append(x, w, 0, 500);
        fail_at = steps[i];
        fail_with = ENOSPC;
        file_step_hook = fail_step;
        bool is_reported = false;
        for (int k = 0; k < 3; k++) {
            struct flow_batch *b = next_batch(x, k & 1, 300);
            x->f.text[0] = 0;
            int r = store_writer_append(w, b, &x->f);
            if (r == 0)
                help_rows_add_batch(&x->model, b);
            assert_true(r == 0 || (r == -ENOSPC && x->f.text[0]));
            is_reported |= r != 0;
        }
        is_reported |= store_writer_seal(w, &x->f) == -ENOSPC;
        assert_true(is_reported);
        file_step_hook = NULL;
        check_model(x);
        append(x, w, 0, 50); /* there is room again: it goes on */
        must(x, store_writer_tick(w, clock_now_us(), &x->f), 0);
        must(x, store_writer_seal(w, &x->f), 0);
        store_writer_free(w);
        store_close(s);
        check_model(x);
    }
}

static void a_writer_that_goes_on_counts_what_a_full_disk_cannot_take(void **state)
{
    struct fixture *x = *state;
    static const char *const steps[] = {"journal-create", "journal-write", "manifest-write", "segment-create"};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct store *s = open_store(x, 8192, 0);
        struct store_writer *w;
        struct store_counters before, after;
        struct fault why;
        must(x, store_writer_new(s, &w, &x->f), 0);
        store_writer_go_on(w);
        assert_false(store_writer_trouble(w, &why));
        append(x, w, 0, 500);
        fail_at = steps[i];
        fail_with = ENOSPC;
        file_step_hook = fail_step;
        for (int k = 0; k < 3; k++) {
            struct flow_batch *b = next_batch(x, k & 1, 300);
            store_get_counters(s, &before);
            must(x, store_writer_append(w, b, &x->f), 0);
            store_get_counters(s, &after);
            /* the account of every batch balances: kept or dropped, as a whole */
            assert_int_equal(after.rows_kept - before.rows_kept + after.rows_dropped - before.rows_dropped, b->n);
            assert_true(after.rows_dropped == before.rows_dropped || after.rows_kept == before.rows_kept);
            if (after.rows_kept != before.rows_kept)
                help_rows_add_batch(&x->model, b);
            else
                assert_true(store_writer_trouble(w, &why) && why.code == -ENOSPC && why.text[0]);
            must(x, store_writer_tick(w, clock_now_us(), &x->f), 0);
        }
        file_step_hook = NULL;
        check_model(x);
        usleep(250000); /* it is tried again after a moment */
        append(x, w, 0, 50);
        append(x, w, 1, 50);
        assert_false(store_writer_trouble(w, &why));
        must(x, store_writer_seal(w, &x->f), 0);
        store_writer_free(w);
        store_close(s);
        check_model(x);
    }
}

static void a_directory_that_cannot_be_written_is_a_clear_message(void **state)
{
    struct fixture *x = *state;
    store_close(open_store(x, 0, 0));
    fail_at = "create";
    fail_with = EROFS;
    file_step_hook = fail_step;
    struct store *s;
    char path[300];
    snprintf(path, sizeof(path), "%s/new", x->dir.path);
    must(x, store_open(path, NULL, &s, &x->f), -EROFS);
    assert_non_null(strstr(x->f.text, path));
    file_step_hook = NULL;
    snprintf(path, sizeof(path), "%s/store/LOCK/x", x->dir.path);
    must(x, store_open(path, NULL, &s, &x->f), -ENOTDIR);
}

static void a_lost_manifest_is_never_taken_for_an_empty_store(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0);
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    append(x, w, 0, 10);
    must(x, store_writer_seal(w, &x->f), 0);
    store_writer_free(w);
    store_close(s);
    char from[300], to[300];
    snprintf(from, sizeof(from), "%s/store/MANIFEST", x->dir.path);
    snprintf(to, sizeof(to), "%s/kept", x->dir.path);
    assert_int_equal(rename(from, to), 0);
    must(x, store_open(x->dir.path, NULL, &s, &x->f), -ENOENT);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 1);
    assert_int_equal(rename(to, from), 0);
    check_model(x);
}

static void a_damaged_manifest_line_removes_no_file(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0);
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    for (int i = 0; i < 3; i++) {
        append(x, w, 0, 10);
        must(x, store_writer_seal(w, &x->f), 0);
    }
    store_writer_free(w);
    store_close(s);
    char path[300];
    uint8_t *p;
    size_t n;
    snprintf(path, sizeof(path), "%s/store/MANIFEST", x->dir.path);
    assert_int_equal(file_read_path(path, 1 << 20, &p, &n), 0);
    char *line = strstr((char *)p, "segment ");
    assert_non_null(line);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "#", 1, line - (char *)p + 10), 1);
    close(fd);
    free(p);
    store_close(open_store(x, 0, 0));
    assert_int_equal(help_count_files(x->dir.path, "segments"), 2);
    assert_true(help_count_files(x->dir.path, "damaged") >= 3); /* segment, reason, the log itself */
    struct help_rows seen = {0};
    help_rows_of_store(&seen, x->dir.path);
    assert_int_equal(seen.n, 20);
    help_rows_fini(&seen);
}

static void a_damaged_or_missing_segment_is_listed_and_the_rest_serves_on(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, 0, 0);
    struct store_writer *w;
    char paths[3][600];
    must(x, store_writer_new(s, &w, &x->f), 0);
    for (int i = 0; i < 3; i++) {
        append(x, w, 0, 10);
        must(x, store_writer_seal(w, &x->f), 0);
    }
    store_writer_free(w);
    store_close(s);
    snprintf(paths[0], sizeof(paths[0]), "%s/store/segments", x->dir.path);
    DIR *d = opendir(paths[0]);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            snprintf(paths[n++], sizeof(paths[0]), "%s/store/segments/%.40s", x->dir.path, e->d_name);
    closedir(d);
    assert_int_equal(n, 3);
    assert_int_equal(unlink(paths[0]), 0);
    int fd = open(paths[1], O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "####", 4, 0), 4);
    close(fd);
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    assert_int_equal(store_view_n_segments(v), 1);
    assert_int_equal(store_view_n_damaged(v), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(store_view_damaged(v, i)->n_rows, 10);
        assert_true(store_view_damaged(v, i)->reason[0]);
        assert_non_null(strstr(store_view_damaged(v, i)->file, ".seg"));
    }
    store_view_close(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_without_a_store_says_so),
        TEST(a_second_writer_is_told_that_the_store_is_busy),
        TEST(appended_rows_are_seen_unsealed_then_sealed_then_after_reopening),
        TEST(full_segments_are_sealed_as_they_fill_newest_first),
        TEST(a_batch_larger_than_a_segment_is_kept_whole),
        TEST(a_killed_writer_loses_nothing_and_its_notes_stay),
        TEST(notes_without_rows_survive_a_seal),
        TEST(a_torn_journal_tail_is_cut_and_counted),
        TEST(ticks_seal_by_age_also_when_the_clock_is_set_back),
        TEST(an_import_is_seen_only_after_its_commit),
        TEST(an_aborted_import_leaves_nothing),
        TEST(a_killed_import_leaves_nothing_and_can_be_repeated),
        TEST(two_writer_threads_lose_and_double_nothing),
        TEST(readers_beside_a_writing_process_see_a_growing_prefix),
        TEST(a_view_of_many_segments_keeps_few_descriptors),
        TEST(a_full_disk_is_reported_and_nothing_acknowledged_is_lost),
        TEST(a_writer_that_goes_on_counts_what_a_full_disk_cannot_take),
        TEST(a_directory_that_cannot_be_written_is_a_clear_message),
        TEST(a_lost_manifest_is_never_taken_for_an_empty_store),
        TEST(a_damaged_manifest_line_removes_no_file),
        TEST(a_damaged_or_missing_segment_is_listed_and_the_rest_serves_on),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
