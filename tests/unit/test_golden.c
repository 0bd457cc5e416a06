/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores of the releases (tests/golden/VERSION) open for ever and hold what was put in.
 *
 * The rows stand here, as they were given to the release that wrote the directory. VONGGAC_GOLDEN_WRITE=DIR
 * writes a new one with this program: done once per release, then never again.
 */
#include "store_help.h"
#include "watch/store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V4(a, b, c, d) {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}}
#define V6(last) {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}}
#define ENDS (FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP))
#define TIMES (FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END))
#define COUNTS (FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS))
#define PORTS (FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_PROTOCOL))

/* where a row goes: imported first, imported later, written live and sealed, left in a journal */
enum way { FIRST, SECOND, SEALED, JOURNALED, N_WAYS };

static const struct row {
    enum way way;
    const char *label; /* NULL: no text */
    struct flow flow;
} rows[] = {
    {FIRST, "bot", {.present = ENDS | TIMES | COUNTS | PORTS, .source_ip = V4(10, 1, 2, 3),
                    .destination_ip = V4(203, 0, 113, 7), .start_us = 1313659200123456, .end_us = 1313659201000000,
                    .source_bytes = 1500, .source_packets = 3, .source_port = 49152, .destination_port = 6667,
                    .protocol = 6}},
    {FIRST, NULL, {.present = ENDS | TIMES | COUNTS, .source_ip = V4(0, 0, 0, 0),
                   .destination_ip = V4(255, 255, 255, 255), .start_us = 0, .end_us = 0}},
    {FIRST, NULL, {.present = ENDS | TIMES | COUNTS | PORTS, .source_ip = V4(10, 1, 2, 4),
                   .destination_ip = V4(203, 0, 113, 7), .start_us = 1313659200123457, .end_us = 1313659200123457,
                   .source_bytes = UINT64_MAX, .source_packets = UINT64_MAX, .source_port = 65535,
                   .destination_port = 0, .protocol = 255}},
    {FIRST, "Nhãn có dấu", {.present = ENDS | TIMES | COUNTS | PORTS, .source_ip = V6(1), .destination_ip = V6(2),
                            .start_us = 1700000000000000, .end_us = 1700000060000000, .source_bytes = 1,
                            .source_packets = 1, .source_port = 1, .destination_port = 53, .protocol = 17}},
    {SECOND, NULL, {.present = ENDS | FLOW_HAS_ADDRESS(FLOW_SOURCE_NAT_IP) | FLOW_HAS(FLOW_SOURCE_NAT_PORT) |
                               FLOW_HAS(FLOW_NAT_EVENT) | TIMES,
                    .source_ip = V4(100, 64, 0, 1), .destination_ip = V4(198, 51, 100, 9),
                    .source_nat_ip = V4(192, 0, 2, 77), .source_nat_port = 1024, .nat_event = 4,
                    .start_us = 1700000000500000, .end_us = 1700000000500000}},
    {SECOND, NULL, {.present = ENDS | TIMES | FLOW_HAS(FLOW_ICMP) | FLOW_HAS(FLOW_PROTOCOL) | FLOW_HAS(FLOW_TOS),
                    .source_ip = V4(10, 1, 2, 3), .destination_ip = V4(10, 1, 2, 4), .icmp = 2048, .protocol = 1,
                    .tos = 184, .start_us = -1000000, .end_us = 4102444800000000}},
    {SECOND, NULL, {.present = ENDS | TIMES | COUNTS, .source_ip = V4(10, 1, 2, 3), .destination_ip = V6(2),
                    .start_us = 1700000000000001, .end_us = 1700000000000002, .source_bytes = 7,
                    .source_packets = 1}}, /* NAT64: both families in one row */
    {SEALED, NULL, {.present = ENDS | TIMES | COUNTS | PORTS | FLOW_HAS(FLOW_SAMPLING) | FLOW_HAS(FLOW_CLOCK_OFFSET) |
                               FLOW_HAS(FLOW_RECEIVED),
                    .source_ip = V4(10, 9, 9, 9), .destination_ip = V4(203, 0, 113, 7), .sampling = 1000,
                    .clock_offset_us = -7200000000, .received_us = 1700000000900000, .start_us = 1700007200000000,
                    .end_us = 1700007200100000, .source_bytes = 64000, .source_packets = 1000, .source_port = 80,
                    .destination_port = 50000, .protocol = 6}},
    {JOURNALED, "late", {.present = ENDS | TIMES | COUNTS | FLOW_HAS(FLOW_SOURCE_AS) | FLOW_HAS(FLOW_VLAN),
                         .source_ip = V4(10, 1, 2, 3), .destination_ip = V4(198, 51, 100, 9), .source_as = 4294967295,
                         .vlan = 4095, .start_us = 1600000000000000, .end_us = 1600000000000001, .source_bytes = 9,
                         .source_packets = 9}},
    {JOURNALED, NULL, {.present = ENDS | TIMES, .source_ip = V6(1), .destination_ip = V6(255),
                       .start_us = 1700000000000000, .end_us = 1700000000000000}},
};

enum { N_ROWS = sizeof(rows) / sizeof(*rows) };

static const struct flow_observer observer = {.ip = V4(192, 0, 2, 1), .domain = 256};

/* row_of - as a flow with its text; the observer's number is 0 in every batch here. */
static struct flow row_of(size_t i, struct buf *texts)
{
    struct flow f = rows[i].flow;
    f.present |= FLOW_HAS(FLOW_OBSERVER);
    texts->max = 4096;
    buf_clear(texts);
    if (rows[i].label) {
        flow_text_add(texts, "event.label", (struct text){rows[i].label, strlen(rows[i].label)});
        f.texts = (struct text){(const char *)texts->p, texts->n};
        f.present |= FLOW_HAS_TEXT;
    }
    return f;
}

static void batch_of(enum way way, int family, struct flow_batch *b)
{
    struct buf texts = {0};
    uint32_t index, taken;
    flow_batch_clear(b);
    HELP_MUST(!flow_batch_observer(b, &observer, &index) && index == 0);
    for (size_t i = 0; i < N_ROWS; i++) {
        struct flow f = row_of(i, &texts);
        if (rows[i].way == way && flow_needs_v6(&f) == (family == 6))
            HELP_MUST(!flow_batch_add(b, &f, 1, &taken));
    }
    buf_fini(&texts);
}

static void expected_rows(struct help_rows *out)
{
    struct buf texts = {0};
    for (size_t i = 0; i < N_ROWS; i++) {
        struct flow f = row_of(i, &texts);
        help_rows_add(out, help_fingerprint(&f, &observer));
    }
    buf_fini(&texts);
}

/* --- writing one ---------------------------------------------------------------------------------- */

static void write_import(struct store *s, enum way way, struct flow_batch *const b[2])
{
    struct sha256 content = sha256_of(&"\x00\x01"[way], 1);
    struct store_import *i;
    HELP_MUST(!store_import_begin(s, &content, way == FIRST ? "đầu tiên.csv" : "second.csv", false, &i, NULL));
    for (int k = 0; k < 2; k++) {
        batch_of(way, b[k]->family, b[k]);
        HELP_MUST(!store_import_append(i, b[k], NULL));
    }
    HELP_MUST(!store_import_commit(i, NULL));
}

static void write_live(struct store *s, struct flow_batch *const b[2])
{
    struct store_writer *w;
    HELP_MUST(!store_writer_new(s, &w, NULL));
    for (enum way way = SEALED; way <= JOURNALED; way++) {
        for (int k = 0; k < 2; k++) {
            batch_of(way, b[k]->family, b[k]);
            HELP_MUST(!store_writer_note(w, "192.0.2.1/256", 13, way == SEALED ? 41 : 42));
            HELP_MUST(!store_writer_append(w, b[k], NULL));
        }
        if (way == SEALED) {
            HELP_MUST(!store_writer_seal(w, NULL));
            HELP_MUST(!store_compact(s, NULL, NULL, NULL, NULL)); /* dictionaries too */
        }
    }
    store_writer_free(w);
}

static void write_golden(const char *dir)
{
    /* rows per segment so that none is small: they stay apart, under a merged dictionary */
    struct store_options o = {.segment_rows = 3};
    struct flow_batch *b[2] = {flow_batch_new(4), flow_batch_new(6)};
    struct store *s;
    HELP_MUST(b[0] && b[1] && !store_open(dir, &o, &s, NULL));
    write_import(s, FIRST, b);
    write_import(s, SECOND, b);
    write_live(s, b);
    store_close(s);
    flow_batch_free(b[0]);
    flow_batch_free(b[1]);
}

/* --- reading them ---------------------------------------------------------------------------------- */

static void copy_file(int from_dir, int to_dir, const char *name)
{
    uint8_t *p;
    size_t n;
    _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
    HELP_MUST(from >= 0 && !file_read_all(from, 1 << 24, &p, &n));
    HELP_MUST(!file_replace(to_dir, name, p, n));
    free(p);
}

static void copy_tree(int from, int to, const char *name)
{
    HELP_MUST(!mkdirat(to, name, 0750));
    _cleanup_close_ int a = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int b = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fdopendir(openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    HELP_MUST(a >= 0 && b >= 0 && d);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.')
            continue;
        HELP_MUST(!fstatat(a, e->d_name, &st, AT_SYMLINK_NOFOLLOW));
        if (S_ISDIR(st.st_mode))
            copy_tree(a, b, e->d_name);
        else
            copy_file(a, b, e->d_name);
    }
    closedir(d);
}

static void check_rows(const char *dir)
{
    struct help_rows seen = {0}, right = {0};
    help_rows_of_store(&seen, dir);
    expected_rows(&right);
    if (!help_rows_equal(&seen, &right))
        fail_msg("%s shows %zu rows, %zu were put in (or some differ)", dir, seen.n, right.n);
    help_rows_fini(&seen);
    help_rows_fini(&right);
}

static int count_entries(void *context, struct segment *s, const uint32_t *codes, size_t n)
{
    (void)s, (void)codes;
    *(size_t *)context += n;
    return 0;
}

/* check_find - 203.0.113.7 stands in three rows, in @n_segments segments. */
static void check_find(const char *dir, size_t n_segments)
{
    struct store_view *v;
    struct fault f;
    uint32_t one = 0xcb007107;
    size_t n = 0;
    struct address_set set = {.v4 = &one, .n_v4 = 1};
    assert_int_equal(store_view_open(dir, &v, &f), 0);
    assert_int_equal(store_view_n_damaged(v), 0);
    assert_int_equal(store_view_find(v, &set, INT64_MIN, INT64_MAX, 1, count_entries, &n, &f), 0);
    assert_int_equal(n, n_segments);
    store_view_close(v);
}

static int take_note(void *context, const void *key, size_t n_key, uint64_t value)
{
    assert_int_equal(n_key, 13);
    assert_memory_equal(key, "192.0.2.1/256", 13);
    *(uint64_t *)context += value;
    return 0;
}

static void check_writing(const char *dir)
{
    struct fault f = {0};
    struct store *s;
    struct store_import *i;
    struct sha256 content = sha256_of("\x00", 1);
    uint64_t notes = 0, n_segments, n_rows;
    assert_int_equal(store_open(dir, NULL, &s, &f), 0);
    check_rows(dir);
    assert_int_equal(store_each_note(s, take_note, &notes), 0);
    assert_int_equal(notes, 42);
    assert_int_equal(store_import_begin(s, &content, "x", false, &i, &f), STORE_ALREADY_KEPT);
    assert_int_equal(store_compact(s, NULL, NULL, NULL, &f), 0);
    store_close(s);
    check_rows(dir);
    check_find(dir, 1); /* compaction has made one of them */
    assert_int_equal(store_verify(dir, NULL, NULL, NULL, &n_segments, &n_rows, &f), 0);
    assert_int_equal(n_rows, N_ROWS);
}

static void golden_path(char *out, size_t n)
{
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(out, n, "%s/tests/golden", source && *source ? source : ".");
}

static void every_release_opens_for_ever(void **state)
{
    (void)state;
    char path[3000];
    unsigned n = 0;
    golden_path(path, sizeof(path));
    _cleanup_close_ int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        char release[4000];
        if (e->d_name[0] == '.' || fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
            continue;
        snprintf(release, sizeof(release), "%s/%s", path, e->d_name);
        check_rows(release); /* a reader changes nothing: as it lies there */
        check_find(release, 2);
        struct help_dir copy = help_dir_new();
        _cleanup_close_ int to = open(copy.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        copy_tree(from, to, e->d_name);
        snprintf(release, sizeof(release), "%s/%s", copy.path, e->d_name);
        check_writing(release);
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
    check_rows(d.path);
    check_find(d.path, 2);
    check_writing(d.path);
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
        cmocka_unit_test(every_release_opens_for_ever),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
