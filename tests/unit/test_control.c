/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket as a hostile or broken peer uses it: nothing it sends costs the node a descriptor, a thread or memory.
 */
#include "cmocka_house.h"
#include "base/file.h"
#include "help_dir.h"
#include "node/control.h"

#include <dirent.h>
#include <grp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static unsigned open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

struct sent {
    int fd;
    const char *p;
    size_t n;
    bool then_close;
};

static void *send_all(void *argument)
{
    struct sent *s = argument;
    size_t at = 0;
    while (at < s->n) {
        ssize_t n = send(s->fd, s->p + at, s->n - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    if (s->then_close)
        shutdown(s->fd, SHUT_WR);
    return NULL;
}

static int receive(const char *p, size_t n, struct control_request *ret)
{
    int pair[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct sent s = {pair[0], p, n, true};
    assert_int_equal(pthread_create(&thread, NULL, send_all, &s), 0);
    int r = control_receive(pair[1], ret);
    close(pair[1]);
    pthread_join(thread, NULL);
    close(pair[0]);
    return r;
}

static void what_is_no_request_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *p;
        size_t n;
        int expect;
    } rows[] = {
#define ROW(name, text, expect) {name, text, sizeof(text) - 1, expect}
        ROW("nothing", "", 1),
        ROW("no end of line", "{\"op\":\"status\"}", 1),
        ROW("an empty line", "\n", 1),
        ROW("an array", "[1,2]\n", 1),
        ROW("a number", "17\n", 1),
        ROW("binary", "\x00\xff\xfe\x01\n", 1),
        ROW("a zero inside a text", "{\"op\":\"\\u0000\"}\n", 1),
        ROW("bytes that are no UTF-8", "{\"op\":\"\xff\"}\n", 1),
        ROW("a key twice", "{\"op\":\"status\",\"op\":\"import\"}\n", 1),
        ROW("two requests at once", "{\"op\":\"status\"}\n{\"op\":\"lists\"}\n", 1),
        ROW("a request", "{\"op\":\"status\"}\n", 0),
#undef ROW
    };
    unsigned before = open_fds();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct control_request r;
        print_message("%s\n", rows[i].name);
        assert_int_equal(receive(rows[i].p, rows[i].n, &r), rows[i].expect);
        if (!rows[i].expect)
            assert_string_equal(json_string_value(json_object_get(r.body, "op")), "status");
        else
            assert_null(r.body);
        control_request_fini(&r);
        assert_int_equal(open_fds(), before);
    }
}

static void a_request_that_never_ends_is_refused_at_the_limit(void **state)
{
    (void)state;
    size_t n = 4 * CONTROL_LINE_BYTES;
    char *p = malloc(n);
    struct control_request r;
    assert_non_null(p);
    memset(p, 'x', n);
    assert_int_equal(receive(p, n, &r), -EMSGSIZE);
    assert_null(r.body);
    free(p);
}

static void brackets_without_end_do_not_exhaust_the_stack(void **state)
{
    (void)state;
    size_t n = CONTROL_LINE_BYTES - 8192;
    char *p = malloc(n);
    struct control_request r;
    assert_non_null(p);
    memset(p, '[', n);
    p[n - 1] = '\n';
    assert_int_equal(receive(p, n, &r), 1);
    free(p);
}

/* send_with - @text with @n descriptors of /dev/null beside it, at most what the kernel takes at a time */
static void send_with(int fd, const char *text, size_t n)
{
    _Alignas(8) char control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec io = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(null >= 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
    assert_int_equal(sendmsg(fd, &m, 0), (ssize_t)strlen(text));
    close(null);
}

static void descriptors_beyond_the_limit_are_closed_and_the_request_refused(void **state)
{
    (void)state;
    static const struct {
        size_t first, second; /* descriptors with the two halves of the line */
        int expect;
        size_t n_fds;
    } rows[] = {
        {1, 1, 0, 2},
        {CONTROL_MAX_FDS - 1, 1, 0, CONTROL_MAX_FDS},
        {CONTROL_MAX_FDS, 1, -E2BIG, 0},
        {CONTROL_MAX_FDS + 1, 1, -E2BIG, 0},
        {253, 253, -E2BIG, 0},
    };
    unsigned before = open_fds();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int pair[2];
        struct control_request r;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        send_with(pair[0], "{\"op\":", rows[i].first);
        send_with(pair[0], "\"import\"}\n", rows[i].second);
        assert_int_equal(control_receive(pair[1], &r), rows[i].expect);
        assert_int_equal(r.n_fds, rows[i].n_fds);
        close(pair[0]);
        close(pair[1]);
        assert_int_equal(open_fds(), before + rows[i].n_fds);
        control_request_fini(&r);
        assert_int_equal(open_fds(), before);
    }
}

static void descriptors_of_a_request_that_breaks_off_are_closed(void **state)
{
    (void)state;
    unsigned before = open_fds();
    int pair[2];
    struct control_request r;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    send_with(pair[0], "{\"op\":", 5);
    close(pair[0]);
    assert_int_equal(control_receive(pair[1], &r), 1);
    close(pair[1]);
    assert_int_equal(open_fds(), before);
}

/* --- over a real socket -------------------------------------------------------------- */

static int keep_exit(void *context, const json_t *reply)
{
    const json_t *exit_status = json_object_get(reply, "exit");
    if (exit_status)
        *(int *)context = (int)json_integer_value(exit_status);
    return 0;
}

static void a_question_and_its_descriptors_arrive_and_so_does_the_answer(void **state)
{
    (void)state;
    struct help_dir dir = help_dir_new();
    struct fault f = {0};
    struct control_request r;
    int status = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = control_listen(dir.path, &f);
    assert_true(fd >= 0);
    int peer = control_connect(dir.path);
    assert_true(peer >= 0);
    assert_int_equal(control_ask(peer, json_pack("{s:s}", "op", "import"), &null, 1), 0);
    int node = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(node >= 0);
    assert_true(control_may(node));
    assert_int_equal(control_receive(node, &r), 0);
    assert_int_equal(r.n_fds, 1);
    control_request_fini(&r);
    assert_int_equal(control_send(node, json_pack("{s:s}", "what", "progress")), 0);
    assert_int_equal(control_send(node, json_pack("{s:b, s:i}", "done", 1, "exit", 2)), 0);
    assert_int_equal(control_each(peer, keep_exit, &status), 0);
    assert_int_equal(status, 2);
    close(node);
    close(peer);
    close(fd);
    close(null);
    help_dir_free(&dir);
}

static void a_node_that_goes_away_is_noticed_on_both_sides(void **state)
{
    (void)state;
    int pair[2], status = -1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(control_send(pair[0], json_pack("{s:s}", "what", "progress")), 0);
    close(pair[0]);
    assert_int_equal(control_each(pair[1], keep_exit, &status), -EPIPE);
    assert_int_equal(status, -1);
    assert_int_equal(control_send(pair[1], json_pack("{s:s}", "what", "progress")), -EPIPE);
    close(pair[1]);
}

static void no_socket_is_no_node_and_a_path_too_long_is_said(void **state)
{
    (void)state;
    struct help_dir dir = help_dir_new();
    struct fault f = {0};
    char path[8192];
    assert_int_equal(control_connect(dir.path), -ENOENT);
    snprintf(path, sizeof(path), "%s/%0200d", dir.path, 7);
    assert_int_equal(control_connect(path), -ENOENT);
    snprintf(path, sizeof(path), "%s/%05000d", dir.path, 7); /* longer than any path may be */
    assert_int_equal(control_connect(path), -ENAMETOOLONG);
    assert_int_equal(control_listen(path, &f), -ENAMETOOLONG);
    assert_true(strlen(f.text) > 0);
    help_dir_free(&dir);
}

/* sockets' own addresses hold 108 bytes: at the edge and far beyond it a data directory is served alike */
static void a_data_directory_may_have_a_long_path(void **state)
{
    (void)state;
    struct help_dir dir = help_dir_new();
    struct fault f = {0};
    unsigned before = open_fds();
    for (size_t length = 85; length < 700; length += length < 95 ? 1 : 200) {
        char path[1024];
        int n = snprintf(path, sizeof(path), "%s", dir.path);
        while ((size_t)n < length) { /* names of at most 200 bytes */
            size_t piece = length - (size_t)n - 1 < 200 ? length - (size_t)n - 1 : 200;
            n += snprintf(path + n, sizeof(path) - (size_t)n, "/%0*d", (int)(piece ? piece : 1), 7);
        }
        assert_int_equal(file_make_dirs(path, 0750), 0);
        int listening = control_listen(path, &f);
        assert_true(listening >= 0);
        int fd = control_connect(path);
        assert_true(fd >= 0);
        close(fd);
        close(listening);
        listening = control_listen(path, &f); /* the socket of a node that died is replaced */
        assert_true(listening >= 0);
        close(listening);
        assert_int_equal(control_connect(path), -ECONNREFUSED);
    }
    assert_int_equal(open_fds(), before);
    help_dir_free(&dir);
}

/* ask_as - the answer of control_may for a peer of this user and group, asked in the child of a fork */
static int ask_as(const char *dir, uid_t uid, gid_t gid, const gid_t *more)
{
    pid_t child = fork();
    if (!child) {
        int e = setgroups(more ? 1 : 0, more) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid);
        int fd = e ? -1 : control_connect(dir);
        char byte;
        if (fd >= 0)
            (void)!read(fd, &byte, 1); /* until the node has looked */
        _exit(0);
    }
    return child;
}

static void only_root_the_owner_and_its_group_may_command(void **state)
{
    (void)state;
    enum { OWNER = 61001, GROUP = 61002, STRANGER = 61003, MEMBER = 61004 };
    static const gid_t group[] = {GROUP};
    static const struct {
        uid_t uid;
        gid_t gid;
        const gid_t *more;
        bool may;
    } rows[] = {
        {0, 0, NULL, true},
        {OWNER, STRANGER, NULL, true},
        {MEMBER, GROUP, NULL, true},
        {MEMBER, STRANGER, group, true},
        {STRANGER, STRANGER, NULL, false},
    };
    if (geteuid()) {
        print_message("skipped: only root can be others\n");
        skip();
    }
    struct help_dir dir = help_dir_new();
    struct fault f = {0};
    char path[300];
    assert_int_equal(chmod(dir.path, 0755), 0);
    int fd = control_listen(dir.path, &f);
    assert_true(fd >= 0);
    snprintf(path, sizeof(path), "%s/run", dir.path);
    assert_int_equal(chmod(path, 0755), 0); /* the directory's own guard is not what is tested */
    snprintf(path, sizeof(path), "%s/run/control.sock", dir.path);
    assert_int_equal(chmod(path, 0666), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        pid_t child = ask_as(dir.path, rows[i].uid, rows[i].gid, rows[i].more);
        int node = -1;
        for (unsigned tries = 0; node < 0 && tries < 1000; tries++) {
            node = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
            if (node < 0)
                usleep(5000);
        }
        assert_true(node >= 0);
        assert_int_equal(setegid(GROUP), 0);
        assert_int_equal(seteuid(OWNER), 0);
        bool may = control_may(node);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setegid(0), 0);
        assert_int_equal(may, rows[i].may);
        close(node);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    close(fd);
    help_dir_free(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_request_is_refused_and_leaves_nothing),
        cmocka_unit_test(a_request_that_never_ends_is_refused_at_the_limit),
        cmocka_unit_test(brackets_without_end_do_not_exhaust_the_stack),
        cmocka_unit_test(descriptors_beyond_the_limit_are_closed_and_the_request_refused),
        cmocka_unit_test(descriptors_of_a_request_that_breaks_off_are_closed),
        cmocka_unit_test(a_question_and_its_descriptors_arrive_and_so_does_the_answer),
        cmocka_unit_test(a_node_that_goes_away_is_noticed_on_both_sides),
        cmocka_unit_test(no_socket_is_no_node_and_a_path_too_long_is_said),
        cmocka_unit_test(a_data_directory_may_have_a_long_path),
        cmocka_unit_test(only_root_the_owner_and_its_group_may_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
