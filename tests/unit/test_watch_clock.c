/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole watch role in a child process, on a clock that this test sets (clock_now_us is wrapped by the linker) while the
 * steady clock goes on: set back by an hour, by a year, forth and back again. Every flow is kept, matched and found once.
 */
#include "cmocka_house.h"
#include "help_dir.h"
#include "netflow_case.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/control.h"
#include "node/watch_role.h"
#include "watch/detect/finding.h"
#include "watch/indicator/lists.h"
#include "watch/intake/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

static _Atomic int64_t *offset_us; /* shared with the child */

int64_t __real_clock_now_us(void);
int64_t __wrap_clock_now_us(void);
int64_t __wrap_clock_now_us(void)
{
    return __real_clock_now_us() + (offset_us ? atomic_load(offset_us) : 0);
}

static void add_list(const char *dir, const char *name, const char *text)
{
    struct list_add a = {.name = name, .file_name = name};
    struct list_report report = {0};
    struct fault f = {0};
    uint32_t version;
    int fd = memfd_create("list", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(lists_add(dir, fd, &a, &report, &version, &f), 0);
    close(fd);
}

static struct config *make_config(const char *dir)
{
    char path[4200];
    struct config *c;
    struct fault f = {0};
    snprintf(path, sizeof(path), "%s/node.yaml", dir);
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    fputs("log_level: error\nintake:\n  netflow:\n    - listen: 127.0.0.1:2055\n      receivers: 1\nfindings:\n  flush: 1s\n"
          "store:\n  seal_after: 2s\n", to);
    fclose(to);
    assert_int_equal(config_read(path, &c, &f), 0);
    return c;
}

/* send_flows - @n of 192.168.0.1 to 203.0.113.7 in one datagram (Cisco NetFlow Export Datagram Format, tables B-3 and B-4) */
static void send_flows(uint16_t port, unsigned n)
{
    static uint32_t sequence;
    struct built b = {.n = 0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    put_n(&b, 5, 2);
    put_n(&b, n, 2);
    put_n(&b, 3600000, 4);
    put_n(&b, 1700000000, 4);
    put_n(&b, 0, 4);
    put_n(&b, sequence, 4);
    put_n(&b, 0, 4);
    for (unsigned i = 0; i < n; i++) {
        put_n(&b, 0xc0a80001u, 4);
        put_n(&b, 0xcb007107u, 4);
        put_n(&b, 0, 4 + 2 + 2);
        put_n(&b, 1, 4);
        put_n(&b, 100, 4);
        put_n(&b, 3500000, 4);
        put_n(&b, 3500100, 4);
        put_n(&b, 1234, 2);
        put_n(&b, 6667, 2);
        put_n(&b, 0x0600, 4);
        put_n(&b, 0, 8);
    }
    sequence += n;
    assert_int_equal(sendto(fd, b.p, b.n, 0, (struct sockaddr *)&to, sizeof(to)), (ssize_t)b.n);
    close(fd);
}

static int keep(void *context, const json_t *reply)
{
    json_t **all = context;
    if (!*all)
        *all = json_incref((json_t *)(uintptr_t)json_object_get(reply, "status"));
    return 0;
}

/* figure - of the node's status; -1 when it does not answer */
static int64_t figure(const char *dir, const char *group, const char *name)
{
    json_t *all = NULL;
    int64_t n = -1;
    int fd = control_connect(dir);
    if (fd < 0)
        return -1;
    if (!control_ask(fd, json_pack("{s:s}", "op", "status"), NULL, 0) && !control_each(fd, keep, &all) && all)
        n = json_integer_value(json_object_get(json_object_get(all, group), name));
    json_decref(all);
    close(fd);
    return n;
}

static void wait_for(const char *dir, const char *group, const char *name, int64_t expected)
{
    int64_t is = -1;
    for (int i = 0; i < 100 && is != expected; i++) {
        is = figure(dir, group, name);
        if (is != expected)
            usleep(100000);
    }
    if (is != expected)
        fail_msg("%s.%s is %lld, expected %lld", group, name, (long long)is, (long long)expected);
}

struct found {
    const char *list;
    int64_t flows; /* of the last record */
};

static int last_flows(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text p)
{
    struct found *x = context;
    char key[100], copy[4096];
    (void)sequence;
    (void)id;
    (void)revision;
    snprintf(key, sizeof(key), "\"list.name\":\"%s\"", x->list);
    snprintf(copy, sizeof(copy), "%.*s", (int)p.n, p.p);
    const char *flows = strstr(copy, "\"flows\":");
    if (strstr(copy, key) && flows)
        x->flows = atoll(flows + 8);
    return 0;
}

static void wait_for_finding(const char *dir, const char *list, int64_t flows)
{
    struct found x = {.list = list};
    struct fault f = {0};
    for (int i = 0; i < 150 && x.flows != flows; i++) {
        assert_int_equal(findings_read(dir, 0, last_flows, &x, &f), 0);
        if (x.flows != flows)
            usleep(100000);
    }
    if (x.flows != flows)
        fail_msg("the finding of %s counts %lld flows, expected %lld", list, (long long)x.flows, (long long)flows);
}

static void the_clock_may_be_set_while_the_watch_runs(void **state)
{
    static const int64_t hours[] = {0, -1, -8760, 24, 0};
    struct help_dir dir = help_dir_new();
    struct fault f = {0};
    struct ip local = ip_from_v4(0x7f000001);
    struct sockaddr_in at;
    socklen_t n_at = sizeof(at);
    int ready[2], status;
    char byte;
    (void)state;
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    offset_us = shared;
    add_list(dir.path, "first", "203.0.113.7\n");
    struct config *c = make_config(dir.path);
    int fd = udp_open(&local, 0, 1, 1 << 20, &f);
    assert_true(fd >= 0 && !getsockname(fd, (struct sockaddr *)&at, &n_at) && !pipe(ready));
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        struct watch_sockets sockets = {.fds = &fd, .n = 1};
        _exit(watch_role_run(c, dir.path, &sockets, ready[1]));
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int64_t n = 0;
    for (size_t i = 0; i < COUNT_OF(hours); i++) {
        atomic_store(offset_us, hours[i] * 3600 * US_PER_SECOND);
        for (int k = 0; k < 4; k++) { /* before the watch has noticed, meanwhile, and after */
            send_flows(ntohs(at.sin_port), 10);
            n += 10;
            usleep(700000);
        }
        wait_for(dir.path, "store", "rows_kept", n);
        wait_for_finding(dir.path, "first", n);
        if (i == 2) { /* published while it is last year */
            add_list(dir.path, "second", "192.168.0.1\n");
            wait_for_finding(dir.path, "second", n);
        }
    }
    wait_for_finding(dir.path, "second", n);
    assert_true(figure(dir.path, "store", "segments_sealed") > 0);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    uint64_t n_segments, n_rows;
    assert_int_equal(store_verify(dir.path, NULL, NULL, NULL, &n_segments, &n_rows, &f), 0);
    assert_int_equal(n_rows, n);
    close(fd);
    close(ready[0]);
    config_free(c);
    help_dir_free(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_clock_may_be_set_while_the_watch_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
