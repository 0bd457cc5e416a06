/* SPDX-License-Identifier: Apache-2.0 */
/* What the confined role may and may not do with files: tried in a child, which tells by its exit status. */
#include "help_dir.h"
#include "node/privileges.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmocka_house.h"

static struct help_dir data, logs, other;

static int setup(void **state)
{
    (void)state;
    data = help_dir_new();
    logs = help_dir_new();
    other = help_dir_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    help_dir_free(&data);
    help_dir_free(&logs);
    help_dir_free(&other);
    return 0;
}

static int try_open(const char *dir, int flags)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/file", dir);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/* Each answers 1 when what it says does not hold. */
#define CHECK(bit, condition) ((condition) ? 0 : 1 << (bit))

static int confined(void)
{
    const char *const dirs[] = {logs.path, "/there/is/no/such/directory"};
    enum landlock_state landlock;
    struct fault f;
    const char *const own[] = {data.path, "/there/is/no/such/directory"};
    const struct file_rights rights = {own, dirs, 2, 2};
    if (privileges_confine_watch(&rights, &landlock, &f))
        return 255;
    if (landlock == LANDLOCK_ABSENT)
        return 254;
    return CHECK(0, try_open(data.path, O_RDWR) == 0) | CHECK(1, try_open(logs.path, O_RDONLY) == 0) |
           CHECK(2, try_open(logs.path, O_WRONLY) == EACCES) | CHECK(3, try_open(other.path, O_RDONLY) == EACCES) |
           CHECK(4, try_open("/etc", O_RDONLY | O_CREAT) != 0) | CHECK(5, fork() < 0 && errno == EPERM) |
           CHECK(6, socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
}

static void the_role_reads_the_named_directories_and_writes_its_own_only(void **state)
{
    int status;
    const char *const all[] = {data.path, logs.path, other.path};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        assert_int_equal(try_open(all[i], O_RDWR | O_CREAT), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        _exit(confined());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 254) {
        print_message("skipped: this kernel has no landlock\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int confined_gate(void)
{
    enum landlock_state landlock;
    struct fault f;
    int pair[2];
    if (privileges_confine_gate(&landlock, &f))
        return 255;
    if (landlock == LANDLOCK_ABSENT)
        return 254;
    return CHECK(0, try_open(data.path, O_RDONLY) != 0) | CHECK(1, try_open("/etc", O_RDONLY) != 0) |
           CHECK(2, fork() < 0 && errno == EPERM) | CHECK(3, socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM) |
           CHECK(4, socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM) |
           CHECK(5, socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) | CHECK(6, prctl(PR_GET_DUMPABLE) == 0);
}

static void the_gate_opens_no_file_and_no_socket_but_pairs(void **state)
{
    int status;
    (void)state;
    assert_int_equal(try_open(data.path, O_RDWR | O_CREAT), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        _exit(confined_gate());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 254) {
        print_message("skipped: this kernel has no landlock\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* the data directory as a node lays it out: the watch and the office each have their own part */
static int confined_watch_beside_office(void)
{
    char store[300], office[300];
    enum landlock_state landlock;
    struct fault f;
    snprintf(store, sizeof(store), "%s/store", data.path);
    snprintf(office, sizeof(office), "%s/office", data.path);
    const char *const own[] = {store};
    const struct file_rights rights = {own, NULL, 1, 0};
    if (privileges_confine_watch(&rights, &landlock, &f))
        return 255;
    if (landlock == LANDLOCK_ABSENT)
        return 254;
    return CHECK(0, try_open(store, O_RDWR) == 0) | CHECK(1, try_open(office, O_RDONLY) == EACCES) |
           CHECK(2, try_open(office, O_WRONLY | O_CREAT) == EACCES) | CHECK(3, try_open(data.path, O_WRONLY | O_CREAT) == EACCES) |
           CHECK(4, socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
}

static int confined_office(void)
{
    char store[300], office[300];
    enum landlock_state landlock;
    struct fault f;
    snprintf(store, sizeof(store), "%s/store", data.path);
    snprintf(office, sizeof(office), "%s/office", data.path);
    const char *const own[] = {office}, *const reads[] = {data.path};
    const struct file_rights rights = {own, reads, 1, 1};
    if (privileges_confine_office(&rights, &landlock, &f))
        return 255;
    if (landlock == LANDLOCK_ABSENT)
        return 254;
    return CHECK(0, try_open(office, O_RDWR) == 0) | CHECK(1, try_open(store, O_RDONLY) == 0) | CHECK(2, try_open(store, O_WRONLY) == EACCES) |
           CHECK(3, try_open(other.path, O_RDONLY) == EACCES) | CHECK(4, fork() < 0 && errno == EPERM) |
           CHECK(5, socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM && socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EPERM) |
           CHECK(6, prctl(PR_GET_DUMPABLE) == 0 && execl("/bin/true", "true", (char *)NULL) < 0 && errno != 0);
}

static void watch_and_office_do_not_touch_each_other_s_files(void **state)
{
    static int (*const roles[])(void) = {confined_watch_beside_office, confined_office};
    char path[300];
    int status;
    (void)state;
    static const char *const names[] = {"store", "office"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", data.path, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(try_open(path, O_RDWR | O_CREAT), 0);
    }
    assert_int_equal(try_open(other.path, O_RDWR | O_CREAT), 0);
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child)
            _exit(roles[i]());
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 254) {
            print_message("skipped: this kernel has no landlock\n");
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_role_reads_the_named_directories_and_writes_its_own_only, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_and_office_do_not_touch_each_other_s_files, setup, teardown),
        cmocka_unit_test_setup_teardown(the_gate_opens_no_file_and_no_socket_but_pairs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
