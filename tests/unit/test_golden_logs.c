/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores of log events of earlier formats (tests/golden_logs/VERSION) open for ever and hold what was put in.
 *
 * The rows stand here, as they were given to the program that wrote the directory: some in a sealed segment, the rest in
 * a journal left open. VONGGAC_GOLDEN_WRITE=DIR writes a new one with this program: once per format, then never again.
 */
#include "base/file.h"
#include "help_dir.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_SEALED = 5000, N_JOURNALED = 40, N_ROWS = N_SEALED + N_JOURNALED };

#define BEGIN_US INT64_C(1772334000000000)

/* line_of - row @i: words and numbers, lines of letters only, bytes that are no UTF-8, an empty line, long ones. */
static size_t line_of(uint32_t i, char out[512])
{
    switch (i % 8) {
    case 0: return (size_t)sprintf(out, "sshd[%u]: Failed password for root from 192.0.2.%u port %u ssh2", 300 + i % 7, i % 250, i);
    case 1: return (size_t)sprintf(out, "dịch vụ khởi động lại lần %u", i);
    case 2: return (size_t)sprintf(out, "no number stands here");
    case 3: return (size_t)sprintf(out, "T\xe6 ch\xf8" "c %u", i);
    case 4: return 0;
    case 5: return (size_t)sprintf(out, "%0*u", 1 + (int)(i % 400), i);
    case 6: return (size_t)sprintf(out, "\1\2 key=\"%c\" other='x%u'\nsecond line\r\n", 'a' + (int)(i % 26), i);
    default: return (size_t)sprintf(out, "{\"a\": \"%u\", \"b\": [%u, %u]}", i, i / 3, i % 5);
    }
}

static void add_row(struct events *e, uint32_t i)
{
    char line[512];
    size_t n = line_of(i, line);
    struct ip ip = ip_from_v4(0xc0000200u + i % 250);
    assert_int_equal(event_begin(e, (struct text){line, n}, BEGIN_US + i), 0);
    event_time(e, BEGIN_US - (int64_t)i * 1000);
    event_put_ulong(e, EV_EVENT_SEQUENCE, i);
    if (i % 3)
        event_put_ip(e, EV_SOURCE_IP, &ip);
    if (i % 8 == 0)
        event_put_text(e, EV_USER_NAME, (struct text){line + 31, 4});
    if (i % 16 == 1)
        event_put_text(e, EV_MESSAGE, TEXT("stands in no original"));
    assert_int_equal(event_end(e), 0);
}

static void append(struct store_log_writer *w, struct events *e, uint32_t from, uint32_t to)
{
    struct fault f;
    events_clear(e);
    for (uint32_t i = from; i < to; i++)
        add_row(e, i);
    assert_int_equal(store_log_writer_append(w, e, &f), 0);
}

static void write_golden(const char *dir)
{
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    struct store_options o = {.names = names};
    struct store *s;
    struct store_log_writer *w;
    struct fault f = {0};
    assert_int_equal(store_open(dir, &o, &s, &f), 0);
    assert_int_equal(store_log_writer_new(s, &w, &f), 0);
    append(w, e, 0, 4500);
    append(w, e, 4500, 4510);
    append(w, e, 4510, N_SEALED);
    assert_int_equal(store_log_writer_seal(w, &f), 0);
    append(w, e, N_SEALED, N_SEALED + 1);
    append(w, e, N_SEALED + 1, N_ROWS);
    store_log_writer_free(w);
    store_close(s);
    events_free(e);
    event_names_free(names);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void check_row(const struct events *e, uint32_t row, bool *seen)
{
    char line[512];
    const struct event_value *v = event_get(e, row, EV_EVENT_SEQUENCE);
    assert_non_null(v);
    uint32_t i = (uint32_t)v->unsigned_number;
    assert_true(i < N_ROWS && !seen[i]);
    seen[i] = true;
    size_t n = line_of(i, line);
    assert_true(text_equal(event_original(e, row), (struct text){line, n}));
    assert_int_equal(e->time_us[row], BEGIN_US - (int64_t)i * 1000);
    assert_int_equal(e->arrived_us[row], BEGIN_US + i);
    const struct event_value *ip = event_get(e, row, EV_SOURCE_IP), *user = event_get(e, row, EV_USER_NAME), *message = event_get(e, row, EV_MESSAGE);
    assert_int_equal(ip != NULL, i % 3 != 0);
    if (ip) {
        struct ip is = event_ip(e, ip), right = ip_from_v4(0xc0000200u + i % 250);
        assert_true(ip_equal(&is, &right));
    }
    assert_int_equal(user != NULL, i % 8 == 0);
    if (user)
        assert_true(text_equal(event_text(e, user), (struct text){line + 31, 4}));
    assert_int_equal(message != NULL, i % 16 == 1);
    if (message)
        assert_true(text_equal(event_text(e, message), TEXT("stands in no original")));
}

static void check_rows(const char *dir)
{
    struct store_view *v;
    struct fault f = {0};
    bool *seen = calloc(N_ROWS, sizeof(*seen));
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    struct log_scratch *scratch = log_scratch_new();
    uint32_t n = 0;
    assert_int_equal(store_view_open(dir, &v, &f), 0);
    assert_int_equal(store_view_n_damaged(v), 0);
    for (size_t k = 0; k < store_view_n_logs(v); k++) {
        struct log_segment *s = store_view_log(v, k);
        for (uint32_t b = 0; b < log_segment_info(s)->n_blocks; b++) {
            assert_int_equal(log_segment_read(s, b, scratch, e), 0);
            for (uint32_t row = 0; row < e->n; row++, n++)
                check_row(e, row, seen);
        }
    }
    assert_int_equal(n, N_ROWS);
    store_view_close(v);
    log_scratch_free(scratch);
    events_free(e);
    event_names_free(names);
    free(seen);
}

static void check_store(const char *dir)
{
    struct fault f = {0};
    struct store *s;
    uint64_t n_segments, n_rows;
    check_rows(dir);
    assert_int_equal(store_open(dir, NULL, &s, &f), 0);
    check_rows(dir);
    assert_int_equal(store_compact(s, NULL, NULL, NULL, &f), 0);
    store_close(s);
    check_rows(dir);
    assert_int_equal(store_verify(dir, NULL, NULL, NULL, &n_segments, &n_rows, &f), 0);
    assert_int_equal(n_rows, N_ROWS);
}

static void copy_tree(int from, int to, const char *name)
{
    assert_int_equal(mkdirat(to, name, 0750), 0);
    _cleanup_close_ int a = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int b = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fdopendir(openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_true(a >= 0 && b >= 0 && d);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        uint8_t *p;
        size_t n;
        if (e->d_name[0] == '.')
            continue;
        assert_int_equal(fstatat(a, e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        if (S_ISDIR(st.st_mode)) {
            copy_tree(a, b, e->d_name);
            continue;
        }
        _cleanup_close_ int file = openat(a, e->d_name, O_RDONLY | O_CLOEXEC);
        assert_int_equal(file_read_all(file, 1 << 24, &p, &n), 0);
        assert_int_equal(file_replace(b, e->d_name, p, n), 0);
        free(p);
    }
    closedir(d);
}

static void every_format_opens_for_ever(void **state)
{
    (void)state;
    char path[3000], release[4000];
    const char *source = getenv("VONGGAC_SOURCE");
    unsigned n = 0;
    snprintf(path, sizeof(path), "%s/tests/golden_logs", source && *source ? source : ".");
    _cleanup_close_ int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
            continue;
        struct help_dir copy = help_dir_new();
        _cleanup_close_ int to = open(copy.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        copy_tree(from, to, e->d_name);
        snprintf(release, sizeof(release), "%s/%s", copy.path, e->d_name);
        check_store(release);
        help_dir_free(&copy);
        n++;
    }
    closedir(d);
    assert_true(n >= 1);
}

static void what_is_written_now_is_read_now(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    write_golden(d.path);
    check_store(d.path);
    help_dir_free(&d);
}

int main(void)
{
    const char *to = getenv("VONGGAC_GOLDEN_WRITE");
    if (to && *to) {
        write_golden(to);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_now_is_read_now),
        cmocka_unit_test(every_format_opens_for_ever),
    };
    return cmocka_run_group_tests_name("golden_logs", tests, NULL, NULL);
}
