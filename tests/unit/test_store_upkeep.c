/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction keeps every row, retention only drops what may go, verify finds what is broken. */
#include "store_help.h"
#include "watch/store/segment_format.h"
#include "watch/store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

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

static struct store *open_store(struct fixture *x, const struct store_options *o)
{
    struct store *s = NULL;
    must(x, store_open(x->dir.path, o, &s, &x->f), 0);
    return s;
}

static void import(struct fixture *x, struct store *s, int slot, uint32_t n)
{
    struct sha256 content = sha256_of(&x->serial, sizeof(x->serial));
    struct store_import *i;
    must(x, store_import_begin(s, &content, "file", false, &i, &x->f), 0);
    help_batch(x->batch[slot], n, x->serial, &x->random);
    x->serial += n;
    must(x, store_import_append(i, x->batch[slot], &x->f), 0);
    must(x, store_import_commit(i, &x->f), 0);
    help_rows_add_batch(&x->model, x->batch[slot]);
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

/* serials_in_order - whether rows of a family stand in the order they arrived, over all segments. */
static void check_order(struct fixture *x)
{
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    uint64_t last[2] = {0, 0};
    for (size_t i = store_view_n_segments(v); i-- > 0;) {
        const struct segment *s = store_view_segment(v, i);
        int slot = segment_info(s)->family == 6;
        for (uint32_t b = 0; b < segment_info(s)->n_blocks; b++)
            for (uint32_t k = 0; k < segment_block_rows(s, b); k++) {
                uint64_t serial = 0;
                assert_int_equal(segment_get(s, b, FLOW_COLUMN_NUMBER(FLOW_SOURCE_PACKETS), k, &serial), 0);
                assert_true(serial > last[slot]);
                last[slot] = serial;
            }
    }
    store_view_close(v);
}

/* --- compaction ------------------------------------------------------------------------------------ */

static void many_small_segments_become_few_with_the_same_rows_in_the_same_order(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 4000};
    struct store *s = open_store(x, &o);
    struct store_compaction c;
    for (int i = 0; i < 60; i++)
        import(x, s, i % 4 == 3, 1 + (uint32_t)(help_random(&x->random) % 400));
    must(x, store_compact(s, &c, NULL, NULL, &x->f), 0);
    assert_true(c.segments_merged >= 50);
    assert_true(c.segments_written <= 8);
    check_model(x);
    check_order(x);
    assert_true(help_count_files(x->dir.path, "segments") <= 8);
    must(x, store_compact(s, &c, NULL, NULL, &x->f), 0);
    assert_int_equal(c.segments_merged, 0); /* once done, it is done */
    assert_int_equal(c.dictionaries_written, 0);
    store_close(s);
    store_close(open_store(x, &o));
    check_model(x);
}

static int stop_after_one(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    assert_true(done <= total);
    return 1;
}

static void compaction_can_be_stopped_after_each_step_and_resumed(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 1000};
    struct store *s = open_store(x, &o);
    struct store_compaction c;
    for (int i = 0; i < 30; i++)
        import(x, s, i & 1, 200);
    int n_steps = 0;
    do {
        must(x, store_compact(s, &c, stop_after_one, NULL, &x->f), 0);
        check_model(x);
        assert_true(++n_steps < 30);
    } while (c.segments_written || c.dictionaries_written);
    assert_true(n_steps > 3);
    store_close(s);
}

static void one_large_segment_is_not_rewritten_for_every_small_newcomer(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 4000};
    struct store *s = open_store(x, &o);
    struct store_compaction c;
    import(x, s, 0, 900);
    uint64_t written = 0;
    for (int i = 0; i < 20; i++) {
        import(x, s, 0, 10);
        must(x, store_compact(s, &c, NULL, NULL, &x->f), 0);
        written += c.segments_written;
    }
    assert_true(help_count_files(x->dir.path, "segments") <= 6);
    assert_true(written >= 10 && written <= 20); /* newcomers together, never more than one file at a time */
    check_model(x);
    store_close(s);
}

struct compacting {
    struct store *store;
    bool is_over;
};

static void *compact_and_retain(void *context)
{
    struct compacting *c = context;
    while (!__atomic_load_n(&c->is_over, __ATOMIC_ACQUIRE)) {
        HELP_MUST(!store_compact(c->store, NULL, NULL, NULL, NULL));
        HELP_MUST(!store_retain(c->store, clock_now_us(), NULL));
    }
    return NULL;
}

static void compaction_retention_and_import_may_run_at_once(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 500, .n_build_threads = 1, .budget_bytes = UINT64_C(1) << 40};
    struct compacting c = {.store = open_store(x, &o)};
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, compact_and_retain, &c), 0);
    for (int i = 0; i < 40; i++)
        import(x, c.store, i & 1, 100);
    __atomic_store_n(&c.is_over, true, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    store_close(c.store);
    check_model(x);
}

static void a_damaged_segment_does_not_stop_the_others_from_being_merged(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 10000};
    struct store *s = open_store(x, &o);
    for (int i = 0; i < 6; i++)
        import(x, s, 0, 50);
    char path[300];
    snprintf(path, sizeof(path), "%s/store/segments/1.seg", x->dir.path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "####", 4, 0), 4);
    close(fd);
    must(x, store_compact(s, NULL, NULL, NULL, &x->f), 0);
    must(x, store_compact(s, NULL, NULL, NULL, &x->f), 0);
    struct store_counters c;
    store_get_counters(s, &c);
    assert_int_equal(c.segments_damaged, 1);
    store_close(s);
    struct help_rows seen = {0};
    help_rows_of_store(&seen, x->dir.path);
    assert_int_equal(seen.n, 250);
    help_rows_fini(&seen);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 1);
    assert_int_equal(help_count_files(x->dir.path, "damaged"), 2);
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    assert_int_equal(store_view_n_damaged(v), 1); /* the record stays: a hunt says what it could not search */
    assert_int_equal(store_view_damaged(v, 0)->n_rows, 50);
    store_view_close(v);
}

static void read_header(const char *path, struct segment_header *h)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_pread_full(fd, h, sizeof(*h), 0), 0);
    close(fd);
}

static void a_segment_of_an_earlier_major_format_is_written_anew(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, NULL);
    struct segment_header h;
    struct store_compaction c;
    char path[300];
    import(x, s, 0, 300);
    snprintf(path, sizeof(path), "%s/store/segments/1.seg", x->dir.path);
    read_header(path, &h);
    assert_int_equal(h.major, SEGMENT_MAJOR);
    h.major = SEGMENT_MAJOR - 1; /* the layout is the same; only the rewriting is in question */
    h.checksum = XXH3_64bits(&h, offsetof(struct segment_header, checksum));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
    close(fd);
    check_model(x);
    must(x, store_compact(s, &c, NULL, NULL, &x->f), 0);
    assert_int_equal(c.segments_written, 1);
    must(x, store_compact(s, &c, NULL, NULL, &x->f), 0);
    assert_int_equal(c.segments_written, 0);
    store_close(s);
    check_model(x);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 1);
    assert_int_equal(access(path, F_OK), -1);
}

/* --- retention -------------------------------------------------------------------------------------------- */

static uint64_t bytes_of(struct fixture *x)
{
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    uint64_t n = store_view_bytes(v);
    store_view_close(v);
    return n;
}

static void what_arrived_first_goes_first_until_the_budget_holds(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 1000};
    struct store *s = open_store(x, &o);
    for (int i = 0; i < 10; i++)
        import(x, s, 0, 1000);
    store_close(s);
    uint64_t all = bytes_of(x);
    o.budget_bytes = all / 2;
    s = open_store(x, &o);
    must(x, store_retain(s, clock_now_us(), &x->f), 0);
    struct store_counters c;
    store_get_counters(s, &c);
    assert_true(c.segments_retired >= 5 && c.segments_retired <= 7);
    assert_int_equal(c.retention_blocked, 0);
    assert_true(bytes_of(x) <= o.budget_bytes);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 10 - c.segments_retired);
    must(x, store_retain(s, clock_now_us(), &x->f), 0);
    struct store_counters again;
    store_get_counters(s, &again);
    assert_int_equal(again.segments_retired, c.segments_retired);
    struct store_view *v; /* the oldest serials are gone, the newest are there */
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    uint64_t serial = 0;
    assert_int_equal(segment_get(store_view_segment(v, store_view_n_segments(v) - 1), 0,
                                 FLOW_COLUMN_NUMBER(FLOW_SOURCE_PACKETS), 0, &serial), 0);
    assert_int_equal(serial, c.segments_retired * 1000 + 1);
    store_view_close(v);
    store_close(s);
}

static void nothing_younger_than_the_legal_minimum_goes_and_the_alarm_counts(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 1000, .budget_bytes = 1, .keep_at_least_us = 30 * US_PER_DAY};
    struct store *s = open_store(x, &o);
    for (int i = 0; i < 3; i++)
        import(x, s, i & 1, 100); /* events of 2023 */
    must(x, store_retain(s, clock_now_us(), &x->f), 0);
    must(x, store_retain(s, clock_now_us() + 29 * US_PER_DAY, &x->f), 0);
    must(x, store_retain(s, clock_now_us() - 100 * US_PER_DAY, &x->f), 0); /* the clock was set back */
    check_model(x);
    struct store_counters c;
    store_get_counters(s, &c);
    assert_int_equal(c.retention_blocked, 3);
    assert_int_equal(c.segments_retired, 0);
    must(x, store_retain(s, clock_now_us() + 31 * US_PER_DAY, &x->f), 0);
    store_get_counters(s, &c);
    assert_int_equal(c.segments_retired, 3);
    store_close(s);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 0);
}

static void dictionaries_go_with_the_last_of_their_segments(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 100};
    struct store *s = open_store(x, &o);
    for (int i = 0; i < 6; i++)
        import(x, s, 0, 100);
    must(x, store_compact(s, NULL, NULL, NULL, &x->f), 0);
    assert_int_equal(help_count_files(x->dir.path, "dictionaries"), 1);
    store_close(s);
    o.budget_bytes = 1;
    s = open_store(x, &o);
    must(x, store_retain(s, clock_now_us() + 1, &x->f), 0);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 0);
    assert_int_equal(help_count_files(x->dir.path, "dictionaries"), 0);
    store_close(s);
}

/* --- verify ------------------------------------------------------------------------------------------------ */

struct verdict {
    size_t n;
    char file[96];
    char reason[160];
};

static int take_damage(void *context, const struct store_damage *d)
{
    struct verdict *v = context;
    v->n++;
    memcpy(v->file, d->file, sizeof(v->file));
    memcpy(v->reason, d->reason, sizeof(v->reason));
    return 0;
}

static struct verdict verify(struct fixture *x, uint64_t *ret_rows)
{
    struct verdict v = {0};
    uint64_t n_segments;
    must(x, store_verify(x->dir.path, NULL, take_damage, &v, &n_segments, ret_rows, &x->f), 0);
    return v;
}

static void a_sound_store_verifies_with_all_its_rows(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 300};
    struct store *s = open_store(x, &o);
    for (int i = 0; i < 10; i++)
        import(x, s, i & 1, 50 + (uint32_t)i * 60);
    must(x, store_compact(s, NULL, NULL, NULL, &x->f), 0);
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    help_batch(x->batch[0], 9, x->serial, &x->random);
    must(x, store_writer_append(w, x->batch[0], &x->f), 0);
    uint64_t n_rows;
    assert_int_equal(verify(x, &n_rows).n, 0);
    assert_int_equal(n_rows, x->model.n + 9);
    store_writer_free(w);
    store_close(s);
}

static void a_flipped_byte_anywhere_is_found_and_the_file_set_aside(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 300};
    struct store *s = open_store(x, &o);
    import(x, s, 0, 40);
    struct help_rows kept = {0};
    for (size_t i = 0; i < x->model.n; i++)
        help_rows_add(&kept, x->model.p[i]);
    import(x, s, 1, 200);
    store_close(s);
    char path[300];
    uint8_t *p;
    size_t n;
    snprintf(path, sizeof(path), "%s/store/segments/2.seg", x->dir.path);
    assert_int_equal(file_read_path(path, 1 << 24, &p, &n), 0);
    s = open_store(x, &o); /* while somebody writes, verify only reports */
    unsigned n_rounds = help_rounds(60), n_harmless = 0;
    for (unsigned round = 0; round < n_rounds; round++) {
        size_t at = (size_t)(help_random(&x->random) % n);
        uint8_t byte = p[at] ^ (uint8_t)(1u << help_random(&x->random) % 8);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        uint64_t n_rows;
        struct verdict v = verify(x, &n_rows);
        if (v.n == 0) { /* filling between parts holds nothing: then every row must still be as it was */
            check_model(x);
            assert_int_equal(n_rows, 240);
            n_harmless++;
        } else if (v.n != 1 || n_rows != 40 || !v.reason[0] || strcmp(v.file, "store/segments/2.seg") != 0)
            fail_msg("byte %zu of %zu flipped: %zu damages, %llu sound rows", at, n, v.n, (unsigned long long)n_rows);
        assert_int_equal(pwrite(fd, &p[at], 1, (off_t)at), 1);
        close(fd);
    }
    assert_true(n_harmless <= n_rounds / 4);
    uint64_t n_rows;
    assert_int_equal(verify(x, &n_rows).n, 0);
    store_close(s);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    uint8_t byte = p[n / 2] ^ 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(n / 2)), 1);
    close(fd);
    assert_int_equal(verify(x, &n_rows).n, 1);
    assert_int_equal(help_count_files(x->dir.path, "segments"), 1);
    assert_int_equal(help_count_files(x->dir.path, "damaged"), 2);
    assert_int_equal(verify(x, &n_rows).n, 0); /* what is left is sound */
    struct help_rows seen = {0};
    help_rows_of_store(&seen, x->dir.path);
    assert_true(help_rows_equal(&seen, &kept));
    help_rows_fini(&seen);
    help_rows_fini(&kept);
    free(p);
}

static void a_cut_file_is_found(void **state)
{
    struct fixture *x = *state;
    struct store *s = open_store(x, NULL);
    import(x, s, 0, 100);
    char path[300];
    snprintf(path, sizeof(path), "%s/store/segments/1.seg", x->dir.path);
    assert_int_equal(truncate(path, 100), 0);
    uint64_t n_rows;
    assert_int_equal(verify(x, &n_rows).n, 1);
    store_close(s);
}

/* --- everything at random ---------------------------------------------------------------------------------- */

static void one_random_step(struct fixture *x, struct store **s, struct store_writer **w, struct store_options *o)
{
    uint64_t r = help_random(&x->random);
    int slot = r % 5 == 0;
    uint32_t n = 1 + (uint32_t)(r >> 20) % 700;
    switch ((r >> 8) % 12) {
    case 0: import(x, *s, slot, n); return;
    case 1: must(x, store_writer_seal(*w, &x->f), 0); return;
    case 2: must(x, store_compact(*s, NULL, NULL, NULL, &x->f), 0); return;
    case 3:
        store_writer_free(*w);
        store_close(*s);
        o->segment_rows = 200 + (uint32_t)(r >> 40) % 3000;
        o->n_build_threads = (unsigned)(r >> 33) % 3;
        *s = open_store(x, o);
        must(x, store_writer_new(*s, w, &x->f), 0);
        return;
    case 4: must(x, store_writer_tick(*w, (int64_t)(r >> 16), &x->f), 0); return;
    default:
        help_batch(x->batch[slot], n, x->serial, &x->random);
        x->serial += n;
        must(x, store_writer_append(*w, x->batch[slot], &x->f), 0);
        help_rows_add_batch(&x->model, x->batch[slot]);
    }
}

static void random_work_equals_a_plain_array(void **state)
{
    struct fixture *x = *state;
    struct store_options o = {.segment_rows = 1000};
    struct store *s = open_store(x, &o);
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    unsigned n = help_rounds(120);
    for (unsigned i = 0; i < n; i++) {
        one_random_step(x, &s, &w, &o);
        if (i % 20 == 19)
            check_model(x);
    }
    store_writer_free(w);
    store_close(s);
    check_model(x);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_small_segments_become_few_with_the_same_rows_in_the_same_order),
        TEST(compaction_can_be_stopped_after_each_step_and_resumed),
        TEST(one_large_segment_is_not_rewritten_for_every_small_newcomer),
        TEST(compaction_retention_and_import_may_run_at_once),
        TEST(a_damaged_segment_does_not_stop_the_others_from_being_merged),
        TEST(a_segment_of_an_earlier_major_format_is_written_anew),
        TEST(what_arrived_first_goes_first_until_the_budget_holds),
        TEST(nothing_younger_than_the_legal_minimum_goes_and_the_alarm_counts),
        TEST(dictionaries_go_with_the_last_of_their_segments),
        TEST(a_sound_store_verifies_with_all_its_rows),
        TEST(a_flipped_byte_anywhere_is_found_and_the_file_set_aside),
        TEST(a_cut_file_is_found),
        TEST(random_work_equals_a_plain_array),
    };
    return cmocka_run_group_tests_name("store_upkeep", tests, NULL, NULL);
}
