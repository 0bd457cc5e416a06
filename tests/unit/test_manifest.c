/* SPDX-License-Identifier: Apache-2.0 */
/* The log of transactions: what is torn is cut, what is damaged is skipped, what is unknown is kept. */
#include "help_dir.h"
#include "watch/store/manifest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct help_dir dir;
    int fd;
    struct manifest m;
    struct manifest_log log;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->dir = help_dir_new();
    x->fd = open(x->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->log.fd = -1;
    struct fault f;
    assert_int_equal(manifest_load(x->fd, &x->m, &f), MANIFEST_NONE);
    assert_int_equal(manifest_log_open(&x->log, x->fd, &x->m, &f), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    manifest_log_close(&x->log);
    manifest_fini(&x->m);
    close(x->fd);
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

static struct manifest_segment segment_of(uint64_t id, uint64_t order)
{
    return (struct manifest_segment){.id = id, .order = order, .family = 4, .n_rows = id * 10, .n_bytes = id * 100,
                                     .event_min_us = -5, .event_max_us = 7, .arrived_min_us = 1, .arrived_max_us = 2};
}

static void commit_segment(struct fixture *x, uint64_t id, uint64_t order)
{
    struct manifest_change c = {0};
    struct fault f;
    struct manifest_segment s = segment_of(id, order);
    manifest_add_segment(&c, &s);
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, NULL, &f), 0);
    manifest_change_fini(&c);
}

static void append_raw(struct fixture *x, const char *p, size_t n)
{
    int fd = openat(x->fd, MANIFEST_NAME, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

static void reload(struct fixture *x)
{
    struct fault f = {0};
    manifest_fini(&x->m);
    assert_int_equal(manifest_load(x->fd, &x->m, &f), 0);
}

static void every_record_comes_back_as_it_was_committed(void **state)
{
    struct fixture *x = *state;
    struct manifest_change c = {0};
    struct fault f;
    uint64_t members[] = {3, 5, 9};
    struct manifest_segment s = segment_of(3, 2);
    struct manifest_dictionary d = {.id = 11, .family = 6, .level = MANIFEST_DAY, .n_bytes = 77, .members = members,
                                    .n_members = 3};
    struct manifest_note n = {.key = {0, 255, ';'}, .n_key = 3, .value = UINT64_MAX, .sequence = 12};
    struct sha256 content = sha256_of("abc", 3);
    manifest_add_segment(&c, &s);
    manifest_add_dictionary(&c, &d);
    manifest_add_journal(&c, 12, 6);
    manifest_add_import(&c, &content, 42, -1, "tệp có; dấu %\n.csv");
    manifest_add_note(&c, &n);
    manifest_add_damage(&c, 's', 8, 100, "block 3: checksum");
    manifest_set_next(&c, 99);
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, NULL, &f), 0);
    manifest_change_fini(&c);
    for (int round = 0; round < 3; round++) {
        const struct manifest_segment *got = manifest_find_segment(&x->m, 3);
        assert_non_null(got);
        assert_int_equal(got->order, 2);
        assert_int_equal(got->n_rows, 30);
        assert_int_equal(got->event_min_us, -5);
        assert_int_equal(x->m.n_dictionaries, 1);
        assert_int_equal(x->m.dictionaries[0].n_members, 3);
        assert_int_equal(x->m.dictionaries[0].members[2], 9);
        assert_int_equal(x->m.dictionaries[0].level, MANIFEST_DAY);
        assert_true(manifest_has_journal(&x->m, 12));
        const struct manifest_import *i = manifest_find_import(&x->m, &content);
        assert_non_null(i);
        assert_int_equal(i->n_rows, 42);
        assert_int_equal(i->at_us, -1);
        assert_string_equal(i->name, "t%E1%BB%87p%20c%C3%B3%3B%20d%E1%BA%A5u%20%25%0A.csv");
        assert_int_equal(x->m.notes.n, 1);
        assert_int_equal(x->m.n_damages, 1);
        assert_int_equal(x->m.next_id, 99);
        assert_int_equal(x->m.n_bad_lines, 0);
        if (round == 1) /* the third round reads a rewritten file */
            assert_int_equal(manifest_rewrite(&x->log, &x->m, &f), 0);
        reload(x);
    }
}

static void a_torn_tail_is_ignored_by_readers_and_cut_by_the_next_writer(void **state)
{
    struct fixture *x = *state;
    struct fault f;
    commit_segment(x, 1, 1);
    uint64_t whole = x->m.n_bytes;
    commit_segment(x, 2, 2);
    uint64_t both = x->m.n_bytes;
    manifest_log_close(&x->log);
    for (uint64_t n = both - 1; n >= whole; n--) {
        int fd = openat(x->fd, MANIFEST_NAME, O_WRONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        close(fd);
        reload(x);
        assert_int_equal(x->m.n_bad_lines, 0);
        assert_non_null(manifest_find_segment(&x->m, 1));
        assert_null(manifest_find_segment(&x->m, 2));
        assert_int_equal(x->m.n_bytes, whole);
    }
    append_raw(x, "0123", 4);
    reload(x);
    assert_int_equal(manifest_log_open(&x->log, x->fd, &x->m, &f), 0);
    commit_segment(x, 2, 2);
    reload(x);
    assert_int_equal(x->m.n_bad_lines, 0);
    assert_non_null(manifest_find_segment(&x->m, 2));
    assert_int_equal(x->m.n_bytes, x->m.n_bytes_file);
}

static void a_damaged_line_in_the_middle_costs_itself_only_and_is_counted(void **state)
{
    struct fixture *x = *state;
    commit_segment(x, 1, 1);
    uint64_t at = x->m.n_bytes + 20;
    commit_segment(x, 2, 2);
    commit_segment(x, 3, 3);
    int fd = openat(x->fd, MANIFEST_NAME, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "#", 1, (off_t)at), 1);
    close(fd);
    reload(x);
    assert_true(x->m.n_bad_lines > 0);
    assert_non_null(manifest_find_segment(&x->m, 1));
    assert_null(manifest_find_segment(&x->m, 2));
    assert_non_null(manifest_find_segment(&x->m, 3));
}

static void a_lost_line_is_counted_too(void **state)
{
    struct fixture *x = *state;
    commit_segment(x, 1, 1);
    uint64_t from = x->m.n_bytes;
    commit_segment(x, 2, 2);
    uint64_t to = x->m.n_bytes;
    commit_segment(x, 3, 3);
    uint8_t *p;
    size_t n;
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", x->dir.path, MANIFEST_NAME);
    assert_int_equal(file_read_path(path, 1 << 20, &p, &n), 0);
    memmove(p + from, p + to, n - to);
    struct manifest m;
    assert_int_equal(manifest_parse(&m, (const char *)p, n - (to - from), NULL), 0);
    assert_int_equal(m.n_bad_lines, 1);
    assert_non_null(manifest_find_segment(&m, 3));
    manifest_fini(&m);
    free(p);
}

static void records_of_an_unknown_kind_survive_a_rewrite(void **state)
{
    struct fixture *x = *state;
    struct manifest_change c = {0};
    struct fault f;
    c.text.max = 1000;
    buf_add_text(&c.text, "lease 5 somebody;segment 1 4 1 2 3 4 5 6 7;pin 9");
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, NULL, &f), 0);
    manifest_change_fini(&c);
    assert_int_equal(manifest_rewrite(&x->log, &x->m, &f), 0);
    reload(x);
    assert_int_equal(x->m.n_bad_lines, 0);
    assert_non_null(manifest_find_segment(&x->m, 1));
    assert_int_equal(x->m.unknown.n, strlen("lease 5 somebody;pin 9"));
    assert_memory_equal(x->m.unknown.p, "lease 5 somebody;pin 9", x->m.unknown.n);
}

static void a_newer_major_version_is_refused_and_a_newer_minor_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
    } cases[] = {
        {"vonggac-manifest 1.0 utf-8\n", 0},        {"vonggac-manifest 1.7 utf-8\n", 0},
        {"vonggac-manifest 2.0 utf-8\n", -EPROTO},  {"vonggac-manifest x.0 utf-8\n", -EBADMSG},
        {"something else\n", -EBADMSG},             {"something else", -EBADMSG},
        {"vonggac-mani", MANIFEST_NONE},            {"", MANIFEST_NONE},
        {"vonggac-manifest 1\n", -EBADMSG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct manifest m;
        struct fault f = {0};
        assert_int_equal(manifest_parse(&m, cases[i].text, strlen(cases[i].text), &f), cases[i].r);
        assert_true(cases[i].r >= 0 || f.text[0]);
        manifest_fini(&m);
    }
}

static void live_segments_stand_in_order_of_arrival_and_removed_ones_are_gone(void **state)
{
    struct fixture *x = *state;
    static const uint64_t orders[] = {4, 1, 3, 2};
    struct manifest_change c = {0};
    struct manifest_segment *live;
    struct fault f;
    size_t n;
    for (uint64_t i = 0; i < 4; i++)
        commit_segment(x, 10 + i, orders[i]);
    manifest_del_segment(&c, 12);
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, NULL, &f), 0);
    manifest_change_fini(&c);
    assert_int_equal(manifest_live(&x->m, &live, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(live[0].id, 11);
    assert_int_equal(live[1].id, 13);
    assert_int_equal(live[2].id, 10);
    free(live);
}

static void many_removals_keep_the_state_small_and_right(void **state)
{
    struct fixture *x = *state;
    struct manifest_change c = {0};
    struct fault f;
    for (uint64_t id = 1; id <= 5000; id++) {
        struct manifest_segment s = segment_of(id, id);
        manifest_add_segment(&c, &s);
        if (id % 5)
            manifest_del_segment(&c, id);
    }
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, NULL, &f), 0);
    manifest_change_fini(&c);
    for (uint64_t id = 1; id <= 5000; id++)
        assert_int_equal(manifest_find_segment(&x->m, id) != NULL, id % 5 == 0);
    assert_true(x->m.n_segments < 3500);
}

static const char *fail_at;
static int fail_with;

static int fail_step(const char *what)
{
    return fail_at && !strcmp(what, fail_at) ? -fail_with : 0;
}

static void a_failed_commit_changes_nothing_and_the_next_one_works(void **state)
{
    struct fixture *x = *state;
    static const char *const steps[] = {"manifest-write", "manifest-sync"};
    commit_segment(x, 1, 1);
    for (size_t i = 0; i < 2; i++) {
        struct manifest_change c = {0};
        struct fault f = {0};
        struct manifest_segment s = segment_of(50, 50);
        bool is_uncertain = true;
        manifest_add_segment(&c, &s);
        fail_at = steps[i];
        fail_with = ENOSPC;
        file_step_hook = fail_step;
        assert_int_equal(manifest_commit(&x->log, &x->m, &c, &is_uncertain, &f), -ENOSPC);
        file_step_hook = NULL;
        assert_false(is_uncertain);
        assert_non_null(strstr(f.text, "MANIFEST"));
        assert_null(manifest_find_segment(&x->m, 50));
        manifest_change_fini(&c);
        commit_segment(x, 2 + i, 2 + i);
    }
    reload(x);
    assert_null(manifest_find_segment(&x->m, 50));
    assert_non_null(manifest_find_segment(&x->m, 3));
    assert_int_equal(x->m.n_bad_lines, 0);
}

static int fail_sync_and_undo(const char *what)
{
    return !strcmp(what, "manifest-sync") || !strcmp(what, "manifest-undo") ? -EIO : 0;
}

static void a_commit_that_cannot_be_taken_back_stops_the_log(void **state)
{
    struct fixture *x = *state;
    struct manifest_change c = {0};
    struct fault f;
    struct manifest_segment s = segment_of(50, 50);
    bool is_uncertain = false;
    manifest_add_segment(&c, &s);
    file_step_hook = fail_sync_and_undo;
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, &is_uncertain, &f), -EIO);
    file_step_hook = NULL;
    assert_true(is_uncertain);
    manifest_add_segment(&c, &s);
    assert_int_equal(manifest_commit(&x->log, &x->m, &c, NULL, &f), -EIO);
    manifest_change_fini(&c);
}

static void a_failed_rewrite_leaves_the_old_log_in_use(void **state)
{
    struct fixture *x = *state;
    static const char *const steps[] = {"manifest-rewrite", "write", "sync", "rename"};
    struct fault f;
    for (size_t i = 0; i < 4; i++) {
        commit_segment(x, 1 + i, 1);
        fail_at = steps[i];
        fail_with = ENOSPC;
        file_step_hook = fail_step;
        assert_int_equal(manifest_rewrite(&x->log, &x->m, &f), -ENOSPC);
        file_step_hook = NULL;
        commit_segment(x, 100 + i, 1);
        reload(x);
        assert_non_null(manifest_find_segment(&x->m, 100 + i));
    }
}

static void the_latest_note_of_a_key_wins_by_sequence(void **state)
{
    (void)state;
    struct manifest_notes n = {0};
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(manifest_note_set(&n, &i, sizeof(i), i, 10), 0);
    uint64_t key = 77;
    assert_int_equal(manifest_note_set(&n, &key, sizeof(key), 1, 11), 0);
    assert_int_equal(manifest_note_set(&n, &key, sizeof(key), 2, 9), 0);
    assert_int_equal(n.n, 1000);
    for (size_t i = 0; i < n.n_slots; i++)
        if (n.slots[i].n_key && !memcmp(n.slots[i].key, &key, sizeof(key)))
            assert_int_equal(n.slots[i].value, 1);
    assert_int_equal(manifest_note_set(&n, &key, 0, 2, 9), -EINVAL);
    assert_int_equal(manifest_note_set(&n, "", MANIFEST_KEY_MAX + 1, 2, 9), -EINVAL);
    free(n.slots);
}

static void random_bytes_never_harm(void **state)
{
    struct fixture *x = *state;
    uint64_t seed = help_seed();
    for (uint64_t id = 1; id < 9; id++)
        commit_segment(x, id, id);
    uint8_t *p;
    size_t n;
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", x->dir.path, MANIFEST_NAME);
    assert_int_equal(file_read_path(path, 1 << 20, &p, &n), 0);
    for (unsigned round = 0; round < help_rounds(300); round++) {
        uint8_t *copy = malloc(n);
        memcpy(copy, p, n);
        for (uint64_t k = help_random(&seed) % 6; k-- > 0;)
            copy[help_random(&seed) % n] = (uint8_t)help_random(&seed);
        struct manifest m;
        struct fault f;
        (void)manifest_parse(&m, (const char *)copy, n, &f);
        manifest_fini(&m);
        free(copy);
    }
    free(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_record_comes_back_as_it_was_committed),
        TEST(a_torn_tail_is_ignored_by_readers_and_cut_by_the_next_writer),
        TEST(a_damaged_line_in_the_middle_costs_itself_only_and_is_counted),
        TEST(a_lost_line_is_counted_too),
        TEST(records_of_an_unknown_kind_survive_a_rewrite),
        cmocka_unit_test(a_newer_major_version_is_refused_and_a_newer_minor_is_read),
        TEST(live_segments_stand_in_order_of_arrival_and_removed_ones_are_gone),
        TEST(many_removals_keep_the_state_small_and_right),
        TEST(a_failed_commit_changes_nothing_and_the_next_one_works),
        TEST(a_commit_that_cannot_be_taken_back_stops_the_log),
        TEST(a_failed_rewrite_leaves_the_old_log_in_use),
        cmocka_unit_test(the_latest_note_of_a_key_wins_by_sequence),
        TEST(random_bytes_never_harm),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
