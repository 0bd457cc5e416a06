/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease: what is found equals a linear scan over everything given, through merges, purges, damage and failing steps. */
#include "watch/lease/store.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t state_of_random;

static uint64_t next_random(void)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((next_random() >> 20) % n);
}

/* --- a directory of its own ------------------------------------------------------------------------------- */

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st, (void)kind, (void)f;
    return remove(path);
}

static void make_directory(void)
{
    snprintf(directory, sizeof(directory), "/tmp/vonggac-lease-XXXXXX");
    assert_non_null(mkdtemp(directory));
}

static void drop_directory(void)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the model: all rows in an array ---------------------------------------------------------------------- */

enum { MODEL_ROWS = 4000, N_TEXTS = 40 };

struct model {
    struct lease rows[MODEL_ROWS]; /* numbers of texts: of the test's own names */
    bool is_found[MODEL_ROWS];
    unsigned n;
};

static struct model model;

static const char *name_of(uint32_t number)
{
    static char text[16];
    snprintf(text, sizeof(text), "t%u", number);
    return number ? text : "";
}

static struct ip random_address(void)
{
    if (below(4))
        return ip_from_v4(0x71a00000u + below(6));
    uint8_t b[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)below(4)};
    return ip_from_v6(b);
}

static struct lease random_lease(void)
{
    const int64_t base = INT64_C(1700000000) * US_PER_SECOND;
    uint16_t block = (uint16_t)(below(8) * 64), size = (uint16_t)(below(3) ? 63 : 127);
    struct lease l = {.outside = random_address(), .kind = (uint8_t)below(LEASE_RESTART), .port_last = UINT16_MAX, .prefix = 128,
                      .gateway = below(5), .source = below(3), .subscriber = below(N_TEXTS), .realm = below(2), .host = below(4)};
    int64_t from = base + (int64_t)below(100000) * (below(2) ? US_PER_SECOND : 1), to = from + (int64_t)below(4000) * US_PER_SECOND;
    l.from_us = below(10) ? from : LEASE_UNKNOWN;
    l.to_us = l.from_us == LEASE_UNKNOWN || below(10) ? to : LEASE_UNKNOWN;
    if (below(3)) {
        l.port_first = block;
        l.port_last = (uint16_t)(block + size);
    }
    if (below(2))
        l.inside = ip_from_v4(0x64400000u + below(1000));
    l.mac = below(3) ? 0 : next_random() >> 16;
    if (!below(4)) {
        l.prefix = (uint8_t)(ip_is_v4(&l.outside) ? 126 : 40 + below(89));
        l.outside = lease_mask(&l.outside, l.prefix);
    }
    l.protocol = (uint8_t)(below(2) ? 0 : 6);
    return l;
}

static bool touches(const struct lease *l, const struct ip *a, int64_t since_us, int64_t until_us)
{
    struct ip base = lease_mask(a, l->prefix);
    return ip_equal(&l->outside, &base) && (l->from_us == LEASE_UNKNOWN || l->from_us <= until_us) &&
           (l->to_us == LEASE_UNKNOWN || l->to_us >= since_us);
}

static bool has_port(const struct lease *l, int32_t port)
{
    return port < 0 || (l->port_first <= port && port <= l->port_last);
}

struct check {
    int64_t since_us, until_us;
    struct ip address;
    int32_t port;
    unsigned n;
    struct lease last;
};

static uint32_t number_of(const struct lease_segment *s, uint32_t number)
{
    struct text t = lease_segment_text(s, number);
    uint64_t v = 0;
    assert_true(!t.n || (t.p[0] == 't' && !text_u64((struct text){t.p + 1, t.n - 1}, N_TEXTS, &v)));
    return (uint32_t)v;
}

static int check_one(void *context, const struct lease_segment *s, const struct lease *found)
{
    struct check *c = context;
    struct lease l = *found;
    l.gateway = number_of(s, l.gateway);
    l.realm = number_of(s, l.realm);
    l.source = number_of(s, l.source);
    l.subscriber = number_of(s, l.subscriber);
    l.host = number_of(s, l.host);
    assert_true(touches(&l, &c->address, c->since_us, c->until_us) && has_port(&l, c->port));
    for (unsigned i = 0; i < model.n; i++) {
        const struct lease *m = &model.rows[i];
        if (model.is_found[i] || lease_compare(m, &l) || m->gateway != l.gateway || m->realm != l.realm || m->source != l.source ||
            m->subscriber != l.subscriber || m->host != l.host)
            continue;
        model.is_found[i] = true;
        c->n++;
        return 0;
    }
    fail_msg("a row that was never given");
    return 0;
}

static void check_equals_model(int rounds)
{
    struct lease_view *v;
    struct fault f = {0};
    assert_int_equal(lease_view_open(directory, &v, &f), 0);
    assert_int_equal(lease_view_n_damaged(v, NULL), 0);
    struct lease_readers *readers = lease_readers_new(v);
    assert_non_null(readers);
    for (int i = 0; i < rounds; i++) {
        struct check c = {.address = random_address(), .port = below(2) ? -1 : (int32_t)below(700)};
        unsigned expected = 0;
        c.since_us = i ? (INT64_C(1700000000) + below(100000)) * US_PER_SECOND : INT64_MIN;
        c.until_us = i ? c.since_us + (int64_t)below(3000) * US_PER_SECOND : INT64_MAX;
        memset(model.is_found, 0, sizeof(model.is_found));
        assert_int_equal(lease_view_visit(v, readers, &c.address, c.port, c.since_us, c.until_us, check_one, &c), 0);
        for (unsigned k = 0; k < model.n; k++)
            expected += touches(&model.rows[k], &c.address, c.since_us, c.until_us) && has_port(&model.rows[k], c.port);
        assert_int_equal(c.n, expected);
    }
    lease_readers_free(readers);
    lease_view_close(v);
}

static bool is_in_model(const struct lease *l)
{
    for (unsigned i = 0; i < model.n; i++)
        if (!lease_compare(&model.rows[i], l))
            return true;
    return false;
}

/* --- giving --------------------------------------------------------------------------------------------------- */

static int give_texts(struct lease_import *i, const struct lease *l, struct lease *out)
{
    const uint32_t from[] = {l->gateway, l->realm, l->source, l->subscriber, l->host};
    uint32_t *const to[] = {&out->gateway, &out->realm, &out->source, &out->subscriber, &out->host};
    *out = *l;
    for (int k = 0; k < 5; k++) {
        const char *name = name_of(from[k]);
        int r = lease_import_text(i, (struct text){name, strlen(name)}, to[k]);
        if (r)
            return r;
    }
    return 0;
}

static int import_rows(struct lease_store *s, const struct lease *rows, unsigned n, uint64_t number, struct lease_import_result *ret)
{
    struct lease_import *i;
    struct sha256 content = sha256_of(&number, sizeof(number));
    struct fault f = {0};
    int r = lease_import_begin(s, &content, "rows.csv", false, &i, &f);
    for (unsigned k = 0; !r && k < n; k++) {
        struct lease l;
        do {
            r = give_texts(i, &rows[k], &l);
            if (!r)
                r = lease_import_add(i, &l, &f);
        } while (r == LEASE_FULL);
        if (r)
            lease_import_abort(i);
    }
    return r ? r : lease_import_commit(i, ret, &f);
}

static struct lease_store *open_store(uint32_t build_rows)
{
    struct lease_store *s = NULL;
    struct fault f = {0};
    int r = lease_store_open(directory, &(struct lease_store_options){.build_rows = build_rows}, &s, &f);
    if (r)
        print_message("%s\n", f.text);
    assert_int_equal(r, 0);
    return s;
}

static void what_is_found_equals_a_linear_scan(void **state)
{
    (void)state;
    const char *seed = getenv("VONGGAC_SEED"), *rounds = getenv("VONGGAC_ROUNDS");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    for (uint64_t round = 0; round < (rounds ? strtoull(rounds, NULL, 10) : 6); round++) {
        state_of_random = (first + round) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        print_message("seed %llu\n", (unsigned long long)(first + round));
        make_directory();
        model.n = 0;
        struct lease_store *s = open_store(50 + below(300));
        unsigned n_imports = 1 + below(20);
        for (unsigned i = 0; i < n_imports; i++) {
            unsigned n = below(MODEL_ROWS / 20), from = model.n;
            while (model.n < from + n) {
                struct lease l = random_lease();
                if (lease_is_sane(&l) && !is_in_model(&l))
                    model.rows[model.n++] = l;
            }
            struct lease_import_result result;
            assert_int_equal(import_rows(s, model.rows + from, n, i, &result), 0);
            assert_int_equal(result.n_rows, n);
            assert_int_equal(import_rows(s, model.rows + from, n, i, &result), LEASE_ALREADY_KEPT);
        }
        check_equals_model(100);
        struct lease_compaction c;
        struct fault f = {0};
        assert_int_equal(lease_store_compact(s, &c, &f), 0);
        check_equals_model(100);
        int64_t before = (INT64_C(1700000000) + below(100000)) * US_PER_SECOND;
        assert_int_equal(lease_store_purge(s, before, &c, &f), 0);
        unsigned kept = 0, purged = 0;
        for (unsigned i = 0; i < model.n; i++) {
            const struct lease *l = &model.rows[i];
            bool holds_on = l->to_us == LEASE_UNKNOWN && l->kind == LEASE_STATIC; /* until somebody ends it */
            if (!holds_on && (l->to_us != LEASE_UNKNOWN ? l->to_us : l->from_us) < before)
                purged++;
            else
                model.rows[kept++] = *l;
        }
        model.n = kept;
        assert_int_equal(c.n_purged, purged);
        check_equals_model(100);
        lease_store_close(s);
        s = open_store(0);
        check_equals_model(10);
        lease_store_close(s);
        drop_directory();
    }
}

static void the_same_row_counts_once(void **state)
{
    (void)state;
    make_directory();
    state_of_random = 7;
    struct lease_store *s = open_store(0);
    struct lease l, rows[3];
    struct lease_import_result result;
    do
        l = random_lease();
    while (!lease_is_sane(&l));
    rows[0] = rows[1] = rows[2] = l;
    rows[1].subscriber = l.subscriber ? 0 : 1; /* another text: another row */
    assert_int_equal(import_rows(s, rows, 3, 1, &result), 0);
    assert_int_equal(result.n_rows, 2);
    assert_int_equal(result.n_doubled, 1);
    assert_int_equal(import_rows(s, rows, 1, 2, &result), 0);
    struct lease_compaction c;
    struct fault f = {0};
    assert_int_equal(lease_store_compact(s, &c, &f), 0);
    assert_int_equal(c.n_doubled, 1);
    assert_int_equal(c.n_rows, 2);
    lease_store_close(s);
    drop_directory();
}

/* --- failing steps --------------------------------------------------------------------------------------------- */

static int steps_left;

static int fail_one_step(const char *what)
{
    (void)what;
    return steps_left-- == 0 ? -ENOSPC : 0;
}

/* one life: two imports, a merge, a purge; the step @failing of it fails. Return: whether one failed. */
static bool live_once(int failing, bool kept[2])
{
    struct lease rows[40];
    struct lease_store *s = NULL;
    struct fault f = {0};
    struct lease_import_result result;
    struct lease_compaction c;
    state_of_random = 99;
    kept[0] = kept[1] = false;
    steps_left = failing;
    file_step_hook = fail_one_step;
    int r = lease_store_open(directory, &(struct lease_store_options){.build_rows = 7}, &s, &f);
    for (int i = 0; i < 40; i++)
        do
            rows[i] = random_lease();
        while (!lease_is_sane(&rows[i]));
    for (uint64_t i = 0; !r && i < 2; i++)
        kept[i] = !import_rows(s, rows + 20 * i, 20, i, &result);
    if (!r)
        (void)lease_store_compact(s, &c, &f);
    if (!r)
        (void)lease_store_purge(s, 1, &c, &f);
    file_step_hook = NULL;
    lease_store_close(s);
    return steps_left < 0;
}

static void a_step_that_fails_loses_and_doubles_nothing(void **state)
{
    (void)state;
    int failing = 0;
    for (bool has_failed = true; has_failed; failing++) {
        bool kept[2];
        make_directory();
        has_failed = live_once(failing, kept);
        struct lease_store *s = open_store(7); /* the next life opens, whatever happened */
        lease_store_close(s);
        struct lease_view *v = NULL;
        struct fault f = {0};
        int r = lease_view_open(directory, &v, &f);
        uint64_t n = r ? 0 : lease_view_n_rows(v);
        if (!r)
            assert_int_equal(lease_view_n_damaged(v, NULL), 0);
        lease_view_close(v);
        assert_true(n == (kept[0] ? 20u : 0u) + (kept[1] ? 20u : 0u));
        drop_directory();
    }
    assert_true(failing > 30);
}

static void a_damaged_file_is_left_out_and_said(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        make_directory();
        state_of_random = 5;
        struct lease_store *s = open_store(0);
        struct lease rows[100];
        struct lease_import_result result;
        for (int i = 0; i < 100; i++)
            do
                rows[i] = random_lease();
            while (!lease_is_sane(&rows[i]));
        assert_int_equal(import_rows(s, rows, 100, 1, &result), 0);
        lease_store_close(s);
        char path[128];
        snprintf(path, sizeof(path), "%s/leases/segments/1.lse", directory);
        int fd = open(path, O_RDWR);
        struct stat st;
        assert_true(fd >= 0 && !fstat(fd, &st));
        off_t at = st.st_size * round / 60;
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        struct lease_view *v;
        struct fault f = {0};
        struct lease seen[LEASE_BLOCK_ROWS];
        uint32_t n = 0;
        const char *why = "";
        assert_int_equal(lease_view_open(directory, &v, &f), 0);
        bool is_said = lease_view_n_damaged(v, &why) == 1 && *why;
        if (!is_said && lease_segment_block(lease_view_segment(v, 0), 0, seen, &n) == -EBADMSG)
            is_said = true;
        assert_true(is_said || (at >= 120 && at < 256)); /* behind the header's fields nothing is read */
        lease_view_close(v);
        drop_directory();
    }
}

static void hours_tell_when_a_gateway_was_heard(void **state)
{
    (void)state;
    make_directory();
    struct lease_store *s = open_store(0);
    const int64_t hour = 3600 * US_PER_SECOND;
    struct lease rows[2] = {
        {.outside = ip_from_v4(0x01020304), .from_us = 10 * hour, .to_us = 12 * hour + 1, .port_last = 9, .gateway = 3, .prefix = 128},
        {.outside = ip_from_v4(0x01020304), .from_us = 10 * hour + 5, .to_us = 20 * hour, .port_first = 10, .port_last = 19, .gateway = 3, .prefix = 128,
         .flags = LEASE_TO_PLANNED, .kind = LEASE_DHCP},
    };
    struct lease_import_result result;
    assert_int_equal(import_rows(s, rows, 2, 1, &result), 0);
    lease_store_close(s);
    struct lease_view *v;
    struct fault f = {0};
    size_t n;
    assert_int_equal(lease_view_open(directory, &v, &f), 0);
    const struct lease_hour *h = lease_segment_hours(lease_view_segment(v, 0), &n);
    assert_int_equal(n, 2);
    assert_int_equal(h[0].hour, 10);
    assert_int_equal(h[0].n, 2);
    assert_int_equal(h[1].hour, 12);
    assert_int_equal(h[1].n, 1);
    lease_view_close(v);
    drop_directory();
}

static void one_writes_at_a_time(void **state)
{
    (void)state;
    make_directory();
    struct lease_store *a = open_store(0), *b = NULL;
    struct fault f = {0};
    assert_int_equal(lease_store_open(directory, NULL, &b, &f), LEASE_BUSY);
    assert_true(*f.text);
    lease_store_close(a);
    b = open_store(0);
    lease_store_close(b);
    struct lease_view *v;
    assert_int_equal(lease_view_open(directory, &v, &f), 0);
    assert_int_equal(lease_view_n_rows(v), 0);
    lease_view_close(v);
    drop_directory();
    assert_int_equal(lease_view_open(directory, &v, &f), LEASE_EMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_equals_a_linear_scan),
        cmocka_unit_test(the_same_row_counts_once),
        cmocka_unit_test(a_step_that_fails_loses_and_doubles_nothing),
        cmocka_unit_test(a_damaged_file_is_left_out_and_said),
        cmocka_unit_test(hours_tell_when_a_gateway_was_heard),
        cmocka_unit_test(one_writes_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
