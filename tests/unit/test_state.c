/* SPDX-License-Identifier: Apache-2.0 */
/* state/state: a copy is the same office; killed, starved of disk or memory, what stands is whole. */
#include "base/clock.h"
#include "failing_alloc.h"
#include "state/state.h"
#include "state_help.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#define NOW (INT64_C(1700000000) * SECOND)

static struct help_dir dir;

static int begin(void **state)
{
    (void)state;
    dir = help_dir_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    help_dir_free(&dir);
    return 0;
}

static struct db_pool *open_state(void)
{
    struct db_pool *p = NULL;
    struct fault f = {0};
    if (state_open(dir.path, 1, true, &p, &f))
        fail_msg("%s", f.text);
    return p;
}

/* add - one person and its entry, together. Return: what the commit said. */
static int add(struct db_pool *p, int64_t i, struct fault *f)
{
    char login[32];
    int64_t id;
    snprintf(login, sizeof(login), "p%lld", (long long)i);
    const struct person who = {.login = login, .name = "N", .is_connector = true};
    struct db *db = db_write(p);
    int r = person_add(db, &who, NULL, NOW, &id);
    if (!r) {
        const struct trail_entry e = {.at_us = NOW, .who = TEXT("user:1"), .action = TEXT("person.add"), .kind = TEXT("person"), .object = id};
        trail_add(db, &e);
    }
    int e = db_end(db, !r, f);
    return r ? r : e;
}

static void must_be_whole(struct db_pool *p, int64_t n_least, int64_t n_most)
{
    struct trail_report r;
    struct fault f = {0};
    struct db *db = db_read(p);
    if (db_check(db, &f) || trail_verify(db, NULL, &r, &f))
        fail_msg("%s", f.text);
    db_end(db, false, NULL);
    assert_int_equal(r.first_wrong, 0);
    assert_int_equal(r.n_objects_wrong, 0);
    assert_int_equal(r.n_entries, r.n_objects); /* each person has its entry: both or none */
    assert_in_range(r.n_entries, n_least, n_most);
}

/* killed_while - @work in a child that is killed after @us. @work tells what it has done through @pipe. Return: the last told. */
static int64_t killed_while(void (*work)(int pipe), unsigned us)
{
    int ends[2];
    int64_t told = -1, one;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        close(ends[0]);
        work(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &one, sizeof(one)); /* it is at work */
    told = n == (ssize_t)sizeof(one) ? one : told;
    usleep(us);
    kill(child, SIGKILL);
    while (read(ends[0], &one, sizeof(one)) == (ssize_t)sizeof(one))
        told = one;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return told;
}

static void add_for_ever(int pipe)
{
    struct db_pool *p = open_state();
    int64_t first = state_number(p, "SELECT count(*) FROM person");
    for (int64_t i = first; !add(p, i, NULL); i++) {
        int64_t n = i + 1;
        if (write(pipe, &n, sizeof(n)) != (ssize_t)sizeof(n))
            return;
    }
}

static void killed_in_any_write_it_opens_whole_with_all_that_was_acknowledged(void **state)
{
    (void)state;
    uint64_t began = seed(), chance = began;
    db_pool_close(open_state());
    for (unsigned i = 0, n = rounds(12); i < n; i++) {
        int64_t told = killed_while(add_for_ever, (unsigned)(next_random(&chance) % 4000));
        struct db_pool *p = open_state();
        int64_t is = state_number(p, "SELECT count(*) FROM person");
        if (told > is || is > told + 1)
            fail_msg("VONGGAC_SEED=%llu: told %lld, there are %lld", (unsigned long long)began, (long long)told, (long long)is);
        must_be_whole(p, is, is);
        db_pool_close(p);
    }
}

/* --- copies ------------------------------------------------------------------------------------------------------ */

static void path_in(char out[400], const char *name)
{
    snprintf(out, 400, "%s/%s", dir.path, name);
}

static void a_copy_is_put_back_and_is_the_same_office(void **state)
{
    (void)state;
    char copy[400], given[400], aside[400];
    struct state_about about;
    struct fault f = {0};
    struct sha256 head;
    uint64_t n;
    struct db_pool *p = open_state();
    for (int64_t i = 0; i < 20; i++)
        assert_int_equal(add(p, i, &f), 0);
    path_in(copy, "copy.db");
    path_in(given, "office/given.db");
    if (state_backup(dir.path, copy, NOW, &about, &f)) /* while it is open */
        fail_msg("%s", f.text);
    struct db *db = db_read(p);
    trail_head(db, &head, &n);
    db_end(db, false, NULL);
    assert_int_equal(about.n_entries, 20);
    assert_memory_equal(about.head.b, head.b, 32);
    assert_int_equal(add(p, 20, &f), 0);
    assert_int_equal(rename(copy, given), 0);
    assert_int_equal(state_restore(dir.path, given, NOW, &about, &f), -EBUSY); /* somebody has it open */
    assert_int_equal(state_number(p, "SELECT count(*) FROM person"), 21);
    db_pool_close(p);
    if (state_restore(dir.path, given, NOW, &about, &f))
        fail_msg("%s", f.text);
    assert_int_equal(about.made_us, NOW);
    assert_memory_equal(about.head.b, head.b, 32);
    p = open_state();
    assert_int_equal(state_number(p, "SELECT count(*) FROM person"), 20);
    assert_int_equal(state_number(p, "SELECT count(*) FROM trail WHERE action = 'state.restore'"), 1);
    assert_int_equal(state_number(p, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'backup%'"), 0);
    struct trail_report report;
    db = db_read(p);
    assert_int_equal(trail_verify(db, &head, &report, NULL), 0); /* the head that was printed with the copy */
    db_end(db, false, NULL);
    assert_true(report.has_head);
    db_pool_close(p);
    snprintf(aside, sizeof(aside), "%s/office/%s", dir.path, about.kept);
    assert_int_equal(state_check(aside, &about, &f), 0);
    assert_int_equal(about.n_entries, 21);
}

static void copy_for_ever(int pipe)
{
    char copy[400];
    struct state_about about;
    struct fault f = {0};
    path_in(copy, "office/copy.db");
    for (int64_t i = 0; write(pipe, &i, sizeof(i)) == (ssize_t)sizeof(i); i++)
        if (state_backup(dir.path, copy, NOW, &about, &f))
            return;
}

static void a_copy_that_is_killed_is_whole_or_absent(void **state)
{
    (void)state;
    uint64_t chance = seed();
    char copy[400];
    struct state_about about;
    struct fault f = {0};
    struct db_pool *p = open_state();
    for (int64_t i = 0; i < 50; i++)
        assert_int_equal(add(p, i, &f), 0);
    db_pool_close(p);
    path_in(copy, "office/copy.db");
    for (unsigned i = 0, n = rounds(8); i < n; i++) {
        unlink(copy);
        killed_while(copy_for_ever, (unsigned)(next_random(&chance) % 6000));
        if (!access(copy, F_OK) && state_check(copy, &about, &f))
            fail_msg("%s", f.text);
        p = open_state();
        must_be_whole(p, 50, 50);
        db_pool_close(p);
    }
}

static void restore_for_ever(int pipe)
{
    char copy[400], given[400];
    struct state_about about;
    struct fault f = {0};
    path_in(copy, "copy.db");
    path_in(given, "office/given.db");
    for (int64_t i = 0; write(pipe, &i, sizeof(i)) == (ssize_t)sizeof(i); i++) {
        struct db_pool *p = NULL;
        unlink(given);
        if (db_pool_open(copy, 1, false, &p, &f) || db_backup(p, given, &f))
            return;
        db_pool_close(p);
        if (state_restore(dir.path, given, NOW + i * SECOND, &about, &f))
            return;
    }
}

static void a_restore_that_is_killed_leaves_one_office_or_the_other(void **state)
{
    (void)state;
    uint64_t chance = seed();
    char copy[400];
    struct state_about about;
    struct fault f = {0};
    struct db_pool *p = open_state();
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(add(p, i, &f), 0);
    path_in(copy, "copy.db");
    assert_int_equal(state_backup(dir.path, copy, NOW, &about, &f), 0);
    db_pool_close(p);
    for (unsigned i = 0, n = rounds(8); i < n; i++) {
        killed_while(restore_for_ever, (unsigned)(next_random(&chance) % 9000));
        char path[400];
        path_in(path, "office/state.db");
        assert_int_equal(access(path, F_OK), 0); /* at no moment is there none */
        p = open_state();
        assert_int_equal(state_number(p, "SELECT count(*) FROM person"), 5);
        struct trail_report r;
        struct db *db = db_read(p);
        assert_int_equal(trail_verify(db, &about.head, &r, &f), 0);
        db_end(db, false, NULL);
        assert_true(r.has_head && !r.first_wrong && !r.n_objects_wrong);
        db_pool_close(p);
    }
}

static void a_damaged_state_is_put_aside_as_it_is(void **state)
{
    (void)state;
    char copy[400], given[400], path[400];
    struct state_about about;
    struct fault f = {0};
    struct db_pool *p = open_state();
    assert_int_equal(add(p, 0, &f), 0);
    path_in(copy, "copy.db");
    assert_int_equal(state_backup(dir.path, copy, NOW, &about, &f), 0);
    db_pool_close(p);
    path_in(path, "office/state.db");
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "this is no database any more, nor was it one after that accident", 64), 64);
    close(fd);
    path_in(given, "office/given.db");
    assert_int_equal(rename(copy, given), 0);
    if (state_restore(dir.path, given, NOW, &about, &f))
        fail_msg("%s", f.text);
    p = open_state();
    assert_int_equal(state_number(p, "SELECT count(*) FROM person"), 1);
    db_pool_close(p);
    snprintf(path, sizeof(path), "%s/office/%s", dir.path, about.kept);
    assert_int_equal(access(path, F_OK), 0);
}

/* --- no room ----------------------------------------------------------------------------------------------------- */

static void on_a_full_disk_nothing_is_half_written_and_it_goes_on_when_there_is_room(void **state)
{
    (void)state;
    struct fault f = {0};
    struct db_pool *p = open_state();
    struct db *db = db_write(p);
    struct db_statement *s = db_sql(db, "SELECT page_count + 3 FROM pragma_page_count");
    char sql[80];
    assert_true(db_next(s));
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld", (long long)db_int(s, 0));
    db_many(db, sql); /* SQLite's own way to say that the disk is full */
    state_keep(db);
    int r = 0;
    int64_t i = 0;
    for (; i < 2000 && !r; i++)
        r = add(p, i, &f);
    assert_int_equal(r, -ENOSPC);
    assert_true(f.text[0] != '\0');
    must_be_whole(p, i - 1, i - 1);
    assert_int_equal(add(p, i, &f), -ENOSPC);
    db = db_write(p);
    db_many(db, "PRAGMA max_page_count=1073741823");
    state_keep(db);
    assert_int_equal(add(p, i, &f), 0);
    must_be_whole(p, i, i);
    db_pool_close(p);
}

static int open_once(void *context)
{
    struct db_pool *p = NULL;
    struct fault f = {0};
    (void)context;
    int r = state_open(dir.path, 1, true, &p, &f);
    if (!r) {
        static int64_t i;
        r = add(p, i++, &f);
    }
    db_pool_close(p);
    return r;
}

static void every_allocation_of_opening_and_writing_may_fail(void **state)
{
    (void)state;
    failing_alloc_each("opening the state", open_once, NULL, false);
    struct db_pool *p = open_state();
    must_be_whole(p, 1, 100000);
    db_pool_close(p);
}

static int read_roles(void *context)
{
    static const char TEXT_OF[] = "roles:\n  a: {vi: x, en: x, permissions: [alert.read]}\n";
    struct roles *r = NULL;
    struct fault f = {0};
    (void)context;
    int e = roles_parse("roles.yaml", (struct text){TEXT_OF, sizeof(TEXT_OF) - 1}, &r, &f);
    free(r);
    return e;
}

static void every_allocation_of_reading_roles_may_fail(void **state)
{
    (void)state;
    failing_alloc_each("roles", read_roles, NULL, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(killed_in_any_write_it_opens_whole_with_all_that_was_acknowledged),
        TEST(a_copy_is_put_back_and_is_the_same_office),
        TEST(a_copy_that_is_killed_is_whole_or_absent),
        TEST(a_restore_that_is_killed_leaves_one_office_or_the_other),
        TEST(a_damaged_state_is_put_aside_as_it_is),
        TEST(on_a_full_disk_nothing_is_half_written_and_it_goes_on_when_there_is_room),
        TEST(every_allocation_of_opening_and_writing_may_fail),
        TEST(every_allocation_of_reading_roles_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
