/* SPDX-License-Identifier: Apache-2.0 */
/* state/db: what was kept stands, what was not is gone; readers see one moment; steps are taken once; a copy is whole. */
#include "state/db.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64], path[96], copy[96];
static const char *const STEPS[] = {"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL CHECK(length(b) < 9)) STRICT;",
                                    "ALTER TABLE t ADD COLUMN c INTEGER; INSERT INTO t(b, c) VALUES('first', 7);"};

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/vonggac-db-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/state.db", directory);
    snprintf(copy, sizeof(copy), "%s/copy.db", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    char name[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, ENDS[i]);
        unlink(name);
        snprintf(name, sizeof(name), "%s%s", copy, ENDS[i]);
        unlink(name);
    }
    return rmdir(directory);
}

static struct db_pool *open_pool(const char *at, unsigned n_steps)
{
    struct fault f = {0};
    struct db_pool *p = NULL;
    const struct db_migrations m = {"t", STEPS, n_steps}, *const all[] = {&m};
    if (db_pool_open(at, 2, true, &p, &f) || db_migrate(p, all, 1, &f))
        fail_msg("%s", f.text);
    return p;
}

static void add(struct db *db, const char *b)
{
    struct db_statement *s = db_sql(db, "INSERT INTO t(b) VALUES(?1)");
    db_bind_str(s, 1, b);
    db_done(s);
}

static int64_t count(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT count(*) FROM t");
    int64_t n = db_next(s) ? db_int(s, 0) : -1;
    db_reset(s);
    return n;
}

static void what_is_kept_stands_and_what_is_not_is_gone(void **state)
{
    (void)state;
    struct db_pool *p = open_pool(path, 2);
    struct db *db = db_write(p);
    add(db, "second");
    assert_true(db_new_id(db) > 1);
    assert_int_equal(db_end(db, true, NULL), 0);
    db = db_write(p);
    add(db, "third");
    assert_int_equal(db_end(db, false, NULL), 0);
    db = db_read(p);
    assert_int_equal(count(db), 2);
    assert_int_equal(db_end(db, false, NULL), 0);
    db_pool_close(p);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_broken_constraint_undoes_the_whole_transaction_and_is_said(void **state)
{
    (void)state;
    struct fault f = {0};
    struct db_pool *p = open_pool(path, 2);
    struct db *db = db_write(p);
    add(db, "fits");
    add(db, "does not fit");
    add(db, "later");
    assert_int_equal(db_failed(db), DB_CONFLICT);
    assert_int_equal(db_end(db, true, &f), DB_CONFLICT);
    assert_non_null(strstr(f.text, "CHECK"));
    db = db_read(p);
    assert_int_equal(count(db), 1);
    db_end(db, false, NULL);
    db_pool_close(p);
}

static void a_reader_sees_one_moment_and_cannot_write(void **state)
{
    (void)state;
    struct db_pool *p = open_pool(path, 2);
    struct db *reader = db_read(p);
    assert_int_equal(count(reader), 1);
    struct db *writer = db_write(p);
    add(writer, "new");
    assert_int_equal(db_end(writer, true, NULL), 0);
    assert_int_equal(count(reader), 1);
    add(reader, "never");
    assert_int_equal(db_failed(reader), -EROFS);
    assert_int_equal(db_end(reader, true, NULL), -EROFS);
    reader = db_read(p);
    assert_int_equal(count(reader), 2);
    db_end(reader, false, NULL);
    db_pool_close(p);
}

static void steps_are_taken_once_and_a_newer_file_is_refused(void **state)
{
    (void)state;
    struct fault f = {0};
    struct db_pool *p = open_pool(path, 1);
    struct db *db = db_read(p);
    assert_int_equal(count(db), 0);
    db_end(db, false, NULL);
    db_pool_close(p);
    for (int again = 0; again < 2; again++) {
        p = open_pool(path, 2);
        db = db_read(p);
        assert_int_equal(count(db), 1);
        db_end(db, false, NULL);
        const struct db_migrations m = {"t", STEPS, 1}, *const all[] = {&m};
        assert_int_equal(db_migrate(p, all, 1, &f), -EPROTO);
        db_pool_close(p);
    }
}

static void a_copy_made_while_another_writes_is_whole(void **state)
{
    (void)state;
    struct fault f = {0};
    struct db_pool *p = open_pool(path, 2);
    struct db *db = db_write(p);
    for (int i = 0; i < 1000; i++)
        add(db, "row");
    assert_int_equal(db_end(db, true, NULL), 0);
    db = db_write(p);
    add(db, "open");
    assert_int_equal(db_backup(p, copy, &f), 0);
    assert_int_equal(db_end(db, true, NULL), 0);
    db_pool_close(p);
    p = open_pool(copy, 2);
    db = db_read(p);
    assert_int_equal(count(db), 1001);
    db_end(db, false, NULL);
    db_pool_close(p);
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    struct fault f = {0};
    struct db_pool *p = NULL;
    assert_int_equal(db_pool_open(path, 1, false, &p, &f), -ENOENT);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    char text[4096];
    memset(text, 'x', sizeof(text));
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    close(fd);
    assert_int_equal(db_pool_open(path, 1, true, &p, &f), -EBADMSG);
    assert_non_null(strstr(f.text, path));
}

static void a_killed_writer_leaves_whole_transactions(void **state)
{
    (void)state;
    db_pool_close(open_pool(path, 2));
    for (int round = 0; round < 5; round++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (!child) {
            struct db_pool *p = open_pool(path, 2);
            for (;;) {
                struct db *db = db_write(p);
                add(db, "a");
                add(db, "b");
                if (db_end(db, true, NULL) || write(told[1], "x", 1) != 1)
                    _exit(1);
            }
        }
        close(told[1]);
        char byte;
        for (int i = 0; i <= round * 3; i++)
            assert_int_equal(read(told[0], &byte, 1), 1);
        kill(child, SIGKILL);
        int64_t n_told = round * 3 + 1;
        while (read(told[0], &byte, 1) == 1)
            n_told++;
        waitpid(child, NULL, 0);
        close(told[0]);
        struct db_pool *p = open_pool(path, 2);
        struct db *db = db_write(p);
        int64_t n = count(db);
        assert_true(n >= 1 + 2 * n_told && n <= 1 + 2 * n_told + 2);
        assert_int_equal((n - 1) % 2, 0);
        db_many(db, "DELETE FROM t WHERE a > 1;");
        assert_int_equal(db_end(db, true, NULL), 0);
        db_pool_close(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_stands_and_what_is_not_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_constraint_undoes_the_whole_transaction_and_is_said, begin, end),
        cmocka_unit_test_setup_teardown(a_reader_sees_one_moment_and_cannot_write, begin, end),
        cmocka_unit_test_setup_teardown(steps_are_taken_once_and_a_newer_file_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_made_while_another_writes_is_whole, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_database_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_killed_writer_leaves_whole_transactions, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
