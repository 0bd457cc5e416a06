/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a set of addresses: the dictionaries, merged or not, must say what reading every row says. */
#include "store_help.h"
#include "watch/store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct help_dir dir;
    uint64_t random, serial;
    struct fault f;
};

/* a set and the room it stands in */
struct random_set {
    uint32_t v4[64];
    struct v4_range ranges[8];
    struct ip_range v6[64];
    struct address_set set;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->dir = help_dir_new();
    x->random = help_seed();
    x->serial = 1;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

static void must(struct fixture *x, int r, int expected)
{
    if (r != expected)
        fail_msg("returned %d, expected %d: %s", r, expected, x->f.text);
}

static struct store *open_store(struct fixture *x)
{
    struct store_options o = {.segment_rows = 500};
    struct store *s = NULL;
    must(x, store_open(x->dir.path, &o, &s, &x->f), 0);
    return s;
}

/* fill - several imports and an open journal, so that sealed and unsealed segments stand side by side. */
static struct store *fill(struct fixture *x, unsigned n_imports)
{
    struct store *s = open_store(x);
    struct flow_batch *b[2] = {flow_batch_new(4), flow_batch_new(6)};
    for (unsigned i = 0; i < n_imports; i++) {
        struct sha256 content = sha256_of(&x->serial, sizeof(x->serial));
        struct store_import *import;
        must(x, store_import_begin(s, &content, "x", false, &import, &x->f), 0);
        struct flow_batch *one = b[i % 3 == 2];
        help_batch(one, 1 + (uint32_t)(help_random(&x->random) % 900), x->serial, &x->random);
        x->serial += one->n;
        must(x, store_import_append(import, one, &x->f), 0);
        must(x, store_import_commit(import, &x->f), 0);
    }
    struct store_writer *w;
    must(x, store_writer_new(s, &w, &x->f), 0);
    for (int slot = 0; slot < 2; slot++) {
        help_batch(b[slot], 60, x->serial, &x->random);
        x->serial += 60;
        must(x, store_writer_append(w, b[slot], &x->f), 0);
        flow_batch_free(b[slot]);
    }
    store_writer_free(w);
    return s;
}

static int by_v4(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int by_first(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return ip_compare(&x->first, &y->first);
}

static bool has(const struct address_set *set, const struct ip *a)
{
    for (size_t i = 0; ip_is_v4(a) && i < set->n_v4; i++)
        if (set->v4[i] == ip_v4(a))
            return true;
    for (size_t i = 0; ip_is_v4(a) && i < set->n_v4_ranges; i++)
        if (set->v4_ranges[i].first <= ip_v4(a) && ip_v4(a) <= set->v4_ranges[i].last)
            return true;
    for (size_t i = 0; !ip_is_v4(a) && i < set->n_v6; i++)
        if (ip_range_has(&set->v6[i], a))
            return true;
    return false;
}

/* make_set - sorted, disjoint, from addresses that occur and some that do not; sometimes wide ranges. */
static void make_set(struct random_set *r, uint64_t *random, bool with_wide)
{
    memset(r, 0, sizeof(*r));
    size_t n = 0, n_v6 = 0;
    if (with_wide)
        r->ranges[r->set.n_v4_ranges++] = (struct v4_range){0x0a008000, 0x0aff0000};
    else if (help_random(random) % 2)
        r->ranges[r->set.n_v4_ranges++] = (struct v4_range){0x0a001000, 0x0a0020ff};
    r->set.v4_ranges = r->ranges;
    for (size_t i = help_random(random) % 40; i-- > 0;) {
        struct ip a = help_address(6, random);
        if (help_random(random) % 4 == 0)
            a.b[15] ^= 1;
        if (has(&r->set, &a))
            continue;
        if (ip_is_v4(&a))
            r->v4[n++] = ip_v4(&a);
        else
            r->v6[n_v6++] = (struct ip_range){a, a};
        r->set = (struct address_set){r->v4, n, r->ranges, r->set.n_v4_ranges, r->v6, n_v6};
    }
    qsort(r->v4, n, sizeof(*r->v4), by_v4);
    qsort(r->v6, n_v6, sizeof(*r->v6), by_first);
}

struct hits {
    struct help_rows addresses; /* segment id mixed with the address */
    size_t n_calls, stop_after;
    uint64_t last_order;
    struct store_view *view;
    size_t at;
};

static uint64_t mark(const struct segment *s, const struct ip *a)
{
    return XXH3_64bits_withSeed(a->b, 16, segment_info(s)->id);
}

static int take(void *context, struct segment *s, const uint32_t *codes, size_t n)
{
    struct hits *h = context;
    assert_true(n > 0);
    while (store_view_segment(h->view, h->at) != s) /* newest first: never back */
        assert_true(++h->at < store_view_n_segments(h->view));
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || codes[i] > codes[i - 1]);
        struct ip a = segment_address(s, codes[i]);
        help_rows_add(&h->addresses, mark(s, &a));
    }
    return ++h->n_calls == h->stop_after ? 77 : 0;
}

/* expected - by reading every row of every segment whose events touch the time. */
static void expected(struct store_view *v, const struct address_set *set, int64_t since_us, int64_t until_us,
                     struct help_rows *out)
{
    for (size_t i = 0; i < store_view_n_segments(v); i++) {
        const struct segment *s = store_view_segment(v, i);
        const struct segment_info *info = segment_info(s);
        if (info->event_max_us < since_us || info->event_min_us > until_us)
            continue;
        for (uint32_t code = 0; code < info->n_entries; code++) {
            struct ip a = segment_address(s, code);
            if (has(set, &a))
                help_rows_add(out, mark(s, &a));
        }
    }
}

static void compare_all(struct fixture *x, const char *when)
{
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    for (unsigned round = 0; round < help_rounds(12); round++) {
        struct random_set r;
        uint64_t before = x->random;
        make_set(&r, &x->random, round % 5 == 4);
        int64_t since = INT64_MIN, until = INT64_MAX;
        if (round % 4 == 3) {
            since = INT64_C(1700000000000000) + (int64_t)(help_random(&x->random) % 3600000000);
            until = since + 1000000;
        }
        struct help_rows right = {0};
        expected(v, &r.set, since, until, &right);
        for (unsigned n_threads = 0; n_threads <= 4; n_threads += 2) {
            struct hits h = {.view = v};
            must(x, store_view_find(v, &r.set, since, until, n_threads, take, &h, &x->f), 0);
            if (!help_rows_equal(&h.addresses, &right))
                fail_msg("%s: found %zu, expected %zu (random %llu, threads %u)", when, h.addresses.n, right.n,
                         (unsigned long long)before, n_threads);
            help_rows_fini(&h.addresses);
        }
        help_rows_fini(&right);
    }
    assert_int_equal(store_view_n_damaged(v), 0);
    store_view_close(v);
}

static void the_segments_own_dictionaries_find_what_every_row_says(void **state)
{
    struct fixture *x = *state;
    store_close(fill(x, 12));
    compare_all(x, "without merged dictionaries");
}

static void merged_dictionaries_find_the_same(void **state)
{
    struct fixture *x = *state;
    struct store_compaction c;
    struct store *s = fill(x, 12);
    must(x, store_compact(s, &c, NULL, NULL, &x->f), 0);
    assert_true(c.dictionaries_written >= 2);
    store_close(s);
    assert_true(help_count_files(x->dir.path, "dictionaries") >= 2);
    compare_all(x, "with merged dictionaries");
    store_close(fill(x, 5)); /* some segments beside the dictionaries */
    compare_all(x, "with newer segments");
}

static void a_damaged_merged_dictionary_costs_nothing(void **state)
{
    struct fixture *x = *state;
    struct store *s = fill(x, 9);
    must(x, store_compact(s, NULL, NULL, NULL, &x->f), 0);
    store_close(s);
    char path[700];
    snprintf(path, sizeof(path), "%s/store/dictionaries", x->dir.path);
    DIR *d = opendir(path);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0))
            continue;
        int fd = openat(dirfd(d), e->d_name, O_RDWR | O_CLOEXEC);
        for (off_t at = st.st_size / 2; at < st.st_size / 2 + 64; at += 8)
            assert_int_equal(pwrite(fd, "damaged", 7, at), 7);
        close(fd);
    }
    closedir(d);
    compare_all(x, "with damaged merged dictionaries");
}

static void the_caller_may_stop(void **state)
{
    struct fixture *x = *state;
    store_close(fill(x, 6));
    struct store_view *v;
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    struct v4_range all = {0, UINT32_MAX};
    struct address_set set = {.v4_ranges = &all, .n_v4_ranges = 1};
    for (unsigned n_threads = 0; n_threads <= 3; n_threads++) {
        struct hits h = {.view = v, .stop_after = 2};
        assert_int_equal(store_view_find(v, &set, INT64_MIN, INT64_MAX, n_threads, take, &h, &x->f), 77);
        assert_int_equal(h.n_calls, 2);
        help_rows_fini(&h.addresses);
    }
    store_view_close(v);
}

static void an_empty_set_and_an_empty_store_find_nothing(void **state)
{
    struct fixture *x = *state;
    struct address_set set = {0};
    struct store_view *v;
    store_close(open_store(x));
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    struct hits h = {.view = v};
    must(x, store_view_find(v, &set, INT64_MIN, INT64_MAX, 2, take, &h, &x->f), 0);
    store_view_close(v);
    store_close(fill(x, 3));
    must(x, store_view_open(x->dir.path, &v, &x->f), 0);
    h.view = v;
    must(x, store_view_find(v, &set, INT64_MIN, INT64_MAX, 2, take, &h, &x->f), 0);
    assert_int_equal(h.n_calls, 0);
    store_view_close(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_segments_own_dictionaries_find_what_every_row_says),
        TEST(merged_dictionaries_find_the_same),
        TEST(a_damaged_merged_dictionary_costs_nothing),
        TEST(the_caller_may_stop),
        TEST(an_empty_set_and_an_empty_store_find_nothing),
    };
    return cmocka_run_group_tests_name("store_find", tests, NULL, NULL);
}
