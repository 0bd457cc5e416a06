/* SPDX-License-Identifier: Apache-2.0 */
/* state/audit: what was written stands; what was changed, taken out or added is found. */
#include "state/audit.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64], path[96];

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/vonggac-audit-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/audit/AUDIT", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    snprintf(path, sizeof(path), "%s/audit", directory);
    rmdir(path);
    return rmdir(directory);
}

static void add(const char *object)
{
    struct fault f = {0};
    assert_int_equal(audit_add(directory, &(struct audit_entry){.action = "lease.who", .object = object, .why = "công văn 12"}, &f), 0);
}

static struct audit_report verify(const struct sha256 *head)
{
    struct audit_report r;
    struct fault f = {0};
    assert_int_equal(audit_verify(directory, head, &r, &f), 0);
    return r;
}

static void replace(const char *from, const char *to)
{
    uint8_t *bytes;
    size_t n;
    assert_int_equal(file_read_path(path, 1 << 20, &bytes, &n), 0);
    char *at = memmem(bytes, n, from, strlen(from));
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(file_write_full(fd, bytes, n), 0);
    close(fd);
    free(bytes);
}

static void entries_follow_one_another(void **state)
{
    (void)state;
    struct audit_report r;
    struct fault f = {0};
    assert_int_equal(audit_verify(directory, NULL, &r, &f), AUDIT_EMPTY);
    for (int i = 0; i < 20; i++)
        add(i % 2 ? "113.160.0.1:1024" : "a \"quote\"\nand a line");
    r = verify(NULL);
    assert_int_equal(r.n_lines, 20);
    assert_int_equal(r.first_wrong, 0);
    struct sha256 head = r.head;
    add("more");
    assert_true(verify(&head).has_head);
    head.b[0] ^= 1;
    assert_false(verify(&head).has_head);
}

static void what_was_changed_is_found(void **state)
{
    (void)state;
    add("113.160.0.1");
    add("113.160.0.2");
    add("113.160.0.3");
    replace("113.160.0.2", "113.160.0.9");
    assert_int_equal(verify(NULL).first_wrong, 2);
    replace("113.160.0.9", "113.160.0.2");
    assert_int_equal(verify(NULL).first_wrong, 0);
    replace("\"n\":3", "\"n\":4");
    assert_int_equal(verify(NULL).first_wrong, 3);
}

static void a_torn_line_is_cut_and_the_chain_goes_on(void **state)
{
    (void)state;
    add("one");
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(file_write_full(fd, "{\"n\":2,\"at", 10), 0);
    close(fd);
    assert_true(verify(NULL).is_torn);
    add("two");
    struct audit_report r = verify(NULL);
    assert_int_equal(r.n_lines, 2);
    assert_int_equal(r.first_wrong, 0);
    assert_false(r.is_torn);
}

static int fail_it(const char *what)
{
    return strcmp(what, "audit-sync") ? 0 : -ENOSPC;
}

static void what_could_not_be_synced_is_refused(void **state)
{
    (void)state;
    struct fault f = {0};
    add("one");
    file_step_hook = fail_it;
    assert_int_equal(audit_add(directory, &(struct audit_entry){.action = "x"}, &f), -ENOSPC);
    file_step_hook = NULL;
    add("two");
    struct audit_report r = verify(NULL);
    assert_int_equal(r.n_lines, 2);
    assert_int_equal(r.first_wrong, 0);
}

static void many_writers_take_turns(void **state)
{
    (void)state;
    enum { WRITERS = 4, EACH = 25 };
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i])
            continue;
        for (int k = 0; k < EACH; k++) {
            struct fault f;
            if (audit_add(directory, &(struct audit_entry){.action = "x", .object = "y"}, &f))
                _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct audit_report r = verify(NULL);
    assert_int_equal(r.n_lines, WRITERS * EACH);
    assert_int_equal(r.first_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_follow_one_another, begin, end),
        cmocka_unit_test_setup_teardown(what_was_changed_is_found, begin, end),
        cmocka_unit_test_setup_teardown(a_torn_line_is_cut_and_the_chain_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(what_could_not_be_synced_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(many_writers_take_turns, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
