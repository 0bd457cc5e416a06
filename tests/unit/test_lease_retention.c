/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/retention: how long leases are kept, and that nothing of a purged one is left in any file of the store. */
#include "watch/lease/retention.h"

#include "base/clock.h"
#include "base/file.h"

#include "cmocka_house.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#define DAY US_PER_DAY
#define NOW (INT64_C(1700000000) * US_PER_SECOND)
enum { OUTSIDE = 0x71a00001, ROWS = 3000 };

static char directory[64];
static const char *wanted;
static unsigned n_files, n_with;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st, (void)kind, (void)f;
    return remove(path);
}

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/vonggac-retention-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int look_for(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    uint8_t *p = NULL;
    size_t n = 0;
    (void)st, (void)f;
    if (kind != FTW_F)
        return 0;
    assert_int_equal(file_read_path(path, (size_t)64 << 20, &p, &n), 0);
    n_files++;
    n_with += n && memmem(p, n, wanted, strlen(wanted)) != NULL;
    free(p);
    return 0;
}

/* files_with - in how many files of the directory @key stands. */
static unsigned files_with(const char *key)
{
    wanted = key;
    n_files = n_with = 0;
    assert_int_equal(nftw(directory, look_for, 16, FTW_PHYS), 0);
    assert_true(n_files > 0);
    return n_with;
}

static void put(struct lease_import *i, enum lease_kind kind, int64_t from_us, int64_t to_us, const char *subscriber, uint32_t n)
{
    struct fault f = {0};
    const struct lease_row r = {.l = {.outside = ip_from_v4(OUTSIDE + n), .from_us = from_us, .to_us = to_us, .port_last = UINT16_MAX,
                                      .prefix = 128, .kind = (uint8_t)kind},
                                .gateway = TEXT("bras-1"), .subscriber = {subscriber, strlen(subscriber)}};
    assert_int_equal(lease_import_row(i, &r, &f), 0);
}

static void keep_rows(void)
{
    struct lease_store *s;
    struct lease_import *i;
    struct lease_import_result result;
    struct fault f = {0};
    assert_int_equal(lease_store_open(directory, &(struct lease_store_options){.build_rows = 500}, &s, &f), 0);
    assert_int_equal(lease_import_begin(s, NULL, "rows", true, &i, &f), 0);
    for (uint32_t n = 0; n < ROWS; n++) {
        bool is_old = n % 3 == 0;
        int64_t from_us = NOW - (is_old ? 500 : 100) * DAY;
        put(i, LEASE_RADIUS, from_us, from_us + DAY / 24, is_old ? "thue-bao-da-xoa" : "thue-bao-con-giu", n);
    }
    put(i, LEASE_RADIUS, NOW - 500 * DAY, LEASE_UNKNOWN, "khong-ai-bao-ket-thuc", 7);
    put(i, LEASE_STATIC, NOW - 500 * DAY, LEASE_UNKNOWN, "cap-phat-tinh", 8);
    put(i, LEASE_RADIUS, LEASE_UNKNOWN, NOW - 500 * DAY, "khong-ai-bao-bat-dau", 9);
    assert_int_equal(lease_import_commit(i, &result, &f), 0);
    assert_int_equal(result.n_rows, ROWS + 3);
    lease_store_close(s);
}

static void after_a_purge_no_byte_of_a_purged_key_is_in_any_file(void **state)
{
    (void)state;
    struct lease_compaction c;
    struct lease_proof proof;
    struct fault f = {0};
    keep_rows();
    assert_true(files_with("thue-bao-da-xoa") > 0);
    assert_int_equal(lease_purge(directory, NOW - 400 * DAY, 0, &c, &proof, &f), 0);
    assert_int_equal(c.n_purged, ROWS / 3 + 2);
    assert_int_equal(proof.n_rows, ROWS - ROWS / 3 + 1);
    assert_int_equal(proof.n_older, 0);
    assert_int_equal(proof.n_unused_texts, 0);
    assert_int_equal(files_with("thue-bao-da-xoa"), 0);
    assert_int_equal(files_with("khong-ai-bao"), 0);
    assert_true(files_with("thue-bao-con-giu") > 0);
    assert_true(files_with("cap-phat-tinh") > 0); /* it holds until somebody ends it */
    assert_int_equal(lease_purge(directory, NOW - 400 * DAY, 0, &c, &proof, &f), 0);
    assert_int_equal(c.n_purged + c.n_written, 0); /* nothing is written anew for nothing */
}

static void a_refused_row_leaves_no_name_behind(void **state)
{
    (void)state;
    struct lease_store *s;
    struct lease_import *i;
    struct lease_import_result result;
    struct fault f = {0};
    const struct lease_row bad = {.l = {.from_us = 1, .to_us = LEASE_UNKNOWN, .prefix = 128}, .subscriber = TEXT("khong-duoc-nhan")};
    assert_int_equal(lease_store_open(directory, NULL, &s, &f), 0);
    assert_int_equal(lease_import_begin(s, NULL, "rows", true, &i, &f), 0);
    put(i, LEASE_DHCP, NOW, NOW + DAY, "co-nhan", 1);
    assert_int_equal(lease_import_row(i, &bad, &f), -EINVAL);
    assert_int_equal(lease_import_commit(i, &result, &f), 0);
    lease_store_close(s);
    assert_int_equal(files_with("khong-duoc-nhan"), 0);
    assert_true(files_with("co-nhan") > 0);
}

static void nothing_grows_older_than_allowed_nor_goes_before_it_may(void **state)
{
    (void)state;
    static const struct lease_retention cases[] = {
        {365 * DAY, 400 * DAY}, {0, 400 * DAY}, {365 * DAY, 365 * DAY + US_PER_SECOND}, {0, 10 * US_PER_SECOND}, {30 * DAY, 31 * DAY},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct lease_retention *r = &cases[i];
        int64_t limit = lease_retention_limit(r, NOW), every = lease_retention_every_us(r);
        assert_true(every > 0 && every <= DAY);
        assert_true(limit <= NOW - r->keep_at_least_us);
        /* what this purge leaves is not too old when the next one comes */
        assert_true(limit + every >= NOW + every - r->keep_at_most_us);
        assert_true(limit >= NOW - r->keep_at_most_us + every);
    }
    assert_int_equal(lease_retention_limit(&(struct lease_retention){.keep_at_least_us = DAY}, NOW), INT64_MIN);
}

static void what_the_node_was_told_is_there_for_others(void **state)
{
    (void)state;
    const struct lease_retention r = {365 * DAY, 400 * DAY};
    struct lease_retention back;
    struct fault f = {0};
    assert_int_equal(lease_retention_load(directory, &back, &f), 0);
    assert_int_equal(back.keep_at_least_us + back.keep_at_most_us, 0);
    assert_int_equal(lease_retention_save(directory, &r, &f), 0);
    assert_int_equal(lease_retention_load(directory, &back, &f), 0);
    assert_int_equal(back.keep_at_least_us, r.keep_at_least_us);
    assert_int_equal(back.keep_at_most_us, r.keep_at_most_us);
}

static void where_there_are_no_leases_nothing_is_made(void **state)
{
    (void)state;
    struct lease_compaction c;
    struct lease_proof proof;
    struct fault f = {0};
    assert_int_equal(lease_purge(directory, NOW, 0, &c, &proof, &f), LEASE_EMPTY);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(after_a_purge_no_byte_of_a_purged_key_is_in_any_file),
        WITH(a_refused_row_leaves_no_name_behind),
        WITH(nothing_grows_older_than_allowed_nor_goes_before_it_may),
        WITH(what_the_node_was_told_is_there_for_others),
        WITH(where_there_are_no_leases_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
