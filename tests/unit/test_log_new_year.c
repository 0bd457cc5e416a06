/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stamps without a year over the turn of a year and on leap days, over UDP, over TCP and out of files, with a clock that the
 * test sets (clock_now_us is wrapped).
 */
#include "base/clock.h"
#include "help_dir.h"
#include "watch/intake/log_read.h"
#include "watch/intake/log_receive.h"
#include "watch/intake/udp.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cmocka_house.h"

int64_t __wrap_clock_now_us(void);

static _Atomic int64_t now_us;

int64_t __wrap_clock_now_us(void)
{
    return atomic_load(&now_us);
}

static int64_t at(const char *text)
{
    int64_t us;
    assert_int_equal(clock_parse(text, strlen(text), 0, &us), 0);
    return us;
}

static const struct {
    const char *now, *line, *time;
} cases[] = {
    {"2023-12-31T23:59:59.9+07:00", "<38>Dec 31 23:59:59 h sshd[1]: a", "2023-12-31T23:59:59+07:00"},
    {"2024-01-01T00:00:03+07:00", "<38>Dec 31 23:59:59 h sshd[1]: held up on its way", "2023-12-31T23:59:59+07:00"},
    {"2023-12-31T23:59:58+07:00", "<38>Jan  1 00:00:01 h sshd[1]: a clock that is ahead", "2024-01-01T00:00:01+07:00"},
    {"2024-01-01T00:00:03+07:00", "<38>Jan  1 00:00:03 h sshd[1]: a", "2024-01-01T00:00:03+07:00"},
    {"2024-02-29T12:00:01+07:00", "<38>Feb 29 12:00:00 h sshd[1]: a leap day", "2024-02-29T12:00:00+07:00"},
    {"2025-03-01T00:00:01+07:00", "<38>Feb 28 23:59:59 h sshd[1]: a", "2025-02-28T23:59:59+07:00"},
    {"2024-12-31T17:00:01Z", "<38>1 2024-12-31T23:59:59.5+07:00 h sshd 1 - - with its year", "2024-12-31T23:59:59.5+07:00"},
};

/* --- received ----------------------------------------------------------------------------------------------------- */

struct fixture {
    struct log_receiver receiver;
    pthread_t thread;
    struct event_names *names;
    struct store *store;
    struct store_log_writer *writer;
    struct help_dir dir;
    int udp, tcp;
    _Atomic unsigned n;
    int64_t times[2 * COUNT_OF(cases)];
};

static int keep_times(void *context, struct events *e)
{
    struct fixture *x = context;
    for (uint32_t i = 0; i < e->n && atomic_load(&x->n) < COUNT_OF(x->times); i++)
        x->times[atomic_fetch_add(&x->n, 1)] = e->time_us[i];
    return 0;
}

static void *run(void *context)
{
    (void)log_receiver_run(&((struct fixture *)context)->receiver);
    return NULL;
}

static void open_all(struct fixture *x)
{
    struct ip loopback = ip_from_v4(0x7f000001);
    struct fault f = {0};
    *x = (struct fixture){.dir = help_dir_new(), .names = event_names_new()};
    struct store_options o = {.names = x->names};
    assert_int_equal(store_open(x->dir.path, &o, &x->store, &f), 0);
    assert_int_equal(store_log_writer_new(x->store, &x->writer, &f), 0);
    x->udp = udp_open(&loopback, 0, 1, 1 << 20, &f);
    x->tcp = tcp_listen(&loopback, 0, &f);
    assert_true(x->udp >= 0 && x->tcp >= 0);
    struct log_receiver_options r = {.udp_fd = x->udp, .tcp_fd = x->tcp, .link_fd = -1, .names = x->names, .writer = x->writer,
                                     .zone_s = ZONE_VIETNAM_S, .hook = keep_times, .context = x};
    assert_int_equal(log_receiver_init(&x->receiver, &r), 0);
    assert_int_equal(pthread_create(&x->thread, NULL, run, x), 0);
}

static void close_all(struct fixture *x)
{
    log_receiver_end(&x->receiver);
    pthread_join(x->thread, NULL);
    log_receiver_fini(&x->receiver);
    store_log_writer_free(x->writer);
    store_close(x->store);
    close(x->udp);
    close(x->tcp);
    event_names_free(x->names);
    help_dir_free(&x->dir);
}

static int connected(int type, int listener)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void give(struct fixture *x, int fd, const char *line, unsigned n_expected)
{
    char text[256];
    int n = snprintf(text, sizeof(text), "%s\n", line);
    assert_int_equal(write(fd, text, (size_t)n), n);
    for (unsigned i = 0; i < 3000 && atomic_load(&x->n) < n_expected; i++)
        poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&x->n), n_expected);
}

static void messages_over_udp_and_tcp_have_the_year_of_their_arrival(void **state)
{
    (void)state;
    struct fixture *x = malloc(sizeof(*x));
    assert_non_null(x);
    atomic_store(&now_us, at(cases[0].now));
    open_all(x);
    int fds[] = {connected(SOCK_DGRAM, x->udp), connected(SOCK_STREAM, x->tcp)};
    for (unsigned i = 0; i < COUNT_OF(cases); i++)
        for (unsigned k = 0; k < 2; k++) {
            atomic_store(&now_us, at(cases[i].now));
            give(x, fds[k], cases[i].line, 2 * i + k + 1);
            if (x->times[2 * i + k] != at(cases[i].time))
                fail_msg("%s over %s at %s", cases[i].line, k ? "TCP" : "UDP", cases[i].now);
        }
    close(fds[0]);
    close(fds[1]);
    close_all(x);
    free(x);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int keep_rows(void *context, struct events *e)
{
    struct events *all = context;
    for (uint32_t i = 0; i < e->n; i++)
        assert_int_equal(event_append(all, e, i), 0);
    return 0;
}

static void read_lines(const char *lines, const char *written, int year, struct events *all, struct event_names *names)
{
    struct help_dir dir = help_dir_new();
    char path[4200];
    struct log_account a;
    struct fault f = {0};
    snprintf(path, sizeof(path), "%s/messages", dir.path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    struct timespec times[2] = {{.tv_sec = at(written) / US_PER_SECOND}, {.tv_sec = at(written) / US_PER_SECOND}};
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    struct log_options o = {.zone_s = ZONE_VIETNAM_S, .year = year, .path = path};
    events_clear(all);
    assert_int_equal(log_read(fd, &o, names, NULL, keep_rows, NULL, all, &a, &f), 0);
    close(fd);
    help_dir_free(&dir);
}

static void lines_of_files_have_the_year_in_which_the_file_was_written(void **state)
{
    (void)state;
    struct event_names *names = event_names_new();
    struct events *all = events_new(names);
    atomic_store(&now_us, at("2030-06-01T00:00:00+07:00")); /* read long after */
    read_lines("Dec 31 23:59:59 h sshd[1]: a\nJan  1 00:00:00 h sshd[1]: b\n", "2024-01-01T00:00:05+07:00", 0, all, names);
    assert_int_equal(all->n, 2);
    assert_int_equal(all->time_us[0], at("2023-12-31T23:59:59+07:00"));
    assert_int_equal(all->time_us[1], at("2024-01-01T00:00:00+07:00"));
    read_lines("Feb 29 10:00:00 h sshd[1]: a\n", "2024-03-01T00:00:00+07:00", 0, all, names);
    assert_int_equal(all->time_us[0], at("2024-02-29T10:00:00+07:00"));
    read_lines("Dec 31 23:59:59 h sshd[1]: a\nJan  1 00:00:00 h sshd[1]: b\n", "2030-05-01T00:00:00+07:00", 2020, all, names);
    assert_int_equal(all->time_us[0], at("2020-12-31T23:59:59+07:00")); /* as the operator said, going on in the next */
    assert_int_equal(all->time_us[1], at("2021-01-01T00:00:00+07:00"));
    events_free(all);
    event_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_over_udp_and_tcp_have_the_year_of_their_arrival),
        cmocka_unit_test(lines_of_files_have_the_year_in_which_the_file_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
