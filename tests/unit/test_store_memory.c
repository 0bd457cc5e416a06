/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out once, at every allocation in turn: what was acknowledged stays, and the store goes on. */
#include "failing_alloc.h"
#include "store_help.h"
#include "watch/store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MAX_POINTS = 5000, N_BATCHES = 5 };

struct work {
    struct help_dir dir;
    struct flow_batch *batches[N_BATCHES]; /* made beforehand: only the store's own allocations fail */
    bool is_kept[N_BATCHES];
    struct address_set set;
    struct store *store;
    struct fault f;
    bool is_refused;
};

/* refused - a failure is one of memory, in words. */
static bool refused(struct work *w, int r)
{
    if (r == 0)
        return false;
    if (r != -ENOMEM || !w->f.text[0])
        fail_msg("out of memory was reported as %d: %s", r, w->f.text);
    w->is_refused = true;
    return true;
}

static void append(struct work *w, struct store_writer *writer, int i)
{
    w->is_kept[i] = !refused(w, store_writer_append(writer, w->batches[i], &w->f));
}

static void write_rows(struct work *w)
{
    struct store_writer *writer = NULL;
    if (refused(w, store_writer_new(w->store, &writer, &w->f)))
        return;
    append(w, writer, 0);
    (void)store_writer_note(writer, "key", 3, 1);
    append(w, writer, 1);
    (void)refused(w, store_writer_tick(writer, INT64_C(5000000), &w->f));
    (void)refused(w, store_writer_seal(writer, &w->f));
    append(w, writer, 2);
    store_writer_free(writer);
}

static void import_rows(struct work *w, int k)
{
    struct store_import *i = NULL;
    struct sha256 content = sha256_of(&k, sizeof(k));
    int r = store_import_begin(w->store, &content, "file", false, &i, &w->f);
    if (!r) {
        r = store_import_append(i, w->batches[k], &w->f);
        if (r)
            store_import_abort(i);
        else
            r = store_import_commit(i, &w->f);
    }
    w->is_kept[k] = !refused(w, r);
}

static int count(void *context, struct segment *s, const uint32_t *codes, size_t n)
{
    (void)s, (void)codes;
    *(size_t *)context += n;
    return 0;
}

static void read_rows(struct work *w)
{
    struct store_view *v = NULL;
    size_t n = 0;
    if (refused(w, store_view_open(w->dir.path, &v, &w->f)))
        return;
    (void)refused(w, store_view_find(v, &w->set, INT64_MIN, INT64_MAX, 2, count, &n, &w->f));
    store_view_close(v);
}

static void work(struct work *w)
{
    struct store_options o = {.segment_rows = 100};
    uint64_t n_segments, n_rows;
    if (refused(w, store_open(w->dir.path, &o, &w->store, &w->f)))
        return;
    write_rows(w);
    import_rows(w, 3);
    import_rows(w, 4);
    (void)refused(w, store_compact(w->store, NULL, NULL, NULL, &w->f));
    (void)refused(w, store_retain(w->store, 0, &w->f));
    read_rows(w);
    store_close(w->store);
    (void)refused(w, store_verify(w->dir.path, NULL, NULL, NULL, &n_segments, &n_rows, &w->f));
}

static void check(struct work *w, unsigned point)
{
    struct help_rows seen = {0}, model = {0};
    struct store *s;
    for (int i = 0; i < N_BATCHES; i++)
        if (w->is_kept[i])
            help_rows_add_batch(&model, w->batches[i]);
    int r = store_open(w->dir.path, NULL, &s, &w->f);
    if (r)
        fail_msg("allocation %u failed, then the store does not open: %s", point, w->f.text);
    store_close(s);
    help_rows_of_store(&seen, w->dir.path);
    if (!help_rows_equal(&seen, &model))
        fail_msg("allocation %u failed, then the store shows %zu rows and acknowledged %zu", point, seen.n, model.n);
    help_rows_fini(&seen);
    help_rows_fini(&model);
}

static void every_allocation_may_fail_once_and_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    struct v4_range all = {0, UINT32_MAX};
    struct flow_batch *batches[N_BATCHES];
    uint64_t random = 1;
    for (uint32_t i = 0; i < N_BATCHES; i++) {
        batches[i] = flow_batch_new(4);
        help_batch(batches[i], i < 3 ? 20 : 150, 1000 * (i + 1), &random);
    }
    unsigned n_refused = 0, point = 1, step = help_rounds(0) ? 1 : 3;
    bool has_failed = true;
    for (; has_failed && point < MAX_POINTS; point += step) {
        struct work w = {.dir = help_dir_new()};
        memcpy(w.batches, batches, sizeof(batches));
        w.set = (struct address_set){.v4_ranges = &all, .n_v4_ranges = 1};
        failing_alloc_arm(point);
        work(&w);
        has_failed = failing_alloc_has_failed();
        failing_alloc_arm(0);
        n_refused += w.is_refused;
        assert_true(has_failed || !w.is_refused);
        check(&w, point);
        help_dir_free(&w.dir);
    }
    for (int i = 0; i < N_BATCHES; i++)
        flow_batch_free(batches[i]);
    print_message("             %u allocations, every %u. failed once, %u times something was refused\n", point, step,
                  n_refused);
    assert_false(has_failed);
    assert_true(n_refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail_once_and_nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests_name("store_memory", tests, NULL, NULL);
}
