/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled sets and both matchers against a linear scan of the rows they were made from. */
#include "cmocka_house.h"

#include "base/buf.h"
#include "failing_alloc.h"
#include "help_dir.h"
#include "watch/indicator/lists.h"
#include "watch/indicator/match.h"
#include "watch/indicator/match_internal.h"

#include <stdio.h>
#include <sys/mman.h>

static uint64_t random_state;

static uint64_t rnd(void)
{
    return next_random(&random_state);
}

/* addresses crowd into a few networks, so that ranges, neighbours and duplicates meet */
static uint32_t random_v4(void)
{
    static const uint32_t homes[] = {0, 0x01340000, 0x0a000000, 0xc0a80100, 0xffffff00, 0x7f000000, 0xcb007100};
    uint64_t r = rnd();
    unsigned spread = (unsigned)(r >> 60);
    if (spread < 3)
        return (uint32_t)r;
    return homes[(r >> 32) % COUNT_OF(homes)] + ((uint32_t)r & (spread < 10 ? 0x3ff : 0xfffff));
}

static struct ip random_v6(void)
{
    struct ip a = {{0x24, 0x00, 0xcb, 0x00}};
    uint64_t r = rnd();
    for (int i = 4; i < 16; i++)
        a.b[i] = (uint8_t)((r >> 20 & 3) == 0 || i % 4 == 3 ? rnd() & 7 : 0);
    if ((r & 15) == 0)
        a.b[0] = (uint8_t)(r >> 8);
    return a;
}

static struct ip_range random_range(void)
{
    uint64_t r = rnd();
    struct ip a = r & 1 ? ip_from_v4(random_v4()) : random_v6();
    unsigned bits = ip_is_v4(&a) ? 32 : 128;
    if (r >> 8 & 3)
        return (struct ip_range){a, a};
    if (r >> 10 & 1)
        return ip_range_from_prefix(&a, bits - (unsigned)(r >> 16) % (r >> 11 & 7 ? 13 : bits + 1));
    struct ip b = ip_is_v4(&a) ? ip_from_v4(random_v4()) : random_v6();
    return ip_compare(&a, &b) <= 0 ? (struct ip_range){a, b} : (struct ip_range){b, a};
}

/* a set of rows and the list compiled from its text */
struct sample {
    struct ip_range *ranges;
    uint64_t *rows;
    size_t n;
    struct list *list;
};

static int memory_file(const struct buf *b)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_full(fd, b->p, b->n), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct sample sample_new(size_t n)
{
    struct sample s = {.ranges = calloc(n, sizeof(*s.ranges)), .n = n};
    struct buf b = {.max = (size_t)1 << 28};
    assert_non_null(s.ranges);
    for (size_t i = 0; i < n; i++) {
        char text[2 * IP_TEXT_MAX];
        s.ranges[i] = random_range();
        ip_range_format(&s.ranges[i], text);
        buf_printf(&b, "%s\n", text);
    }
    int fd = memory_file(&b);
    struct list_report report = {0};
    struct fault f;
    int r = lists_compile(fd, &(struct list_add){.name = "sample"}, &report, &s.list, &f);
    if (r)
        fprintf(stderr, "%s\n", f.text);
    assert_int_equal(r, 0);
    assert_int_equal(report.kept, n);
    close(fd);
    buf_fini(&b);
    return s;
}

static void sample_free(struct sample *s)
{
    list_close(s->list);
    free(s->ranges);
}

static size_t n_covering(const struct sample *s, const struct ip *a)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += ip_range_has(&s->ranges[i], a) && ip_is_v4(&s->ranges[i].first) == ip_is_v4(a);
    return n;
}

/* addresses worth asking: random ones, and the edges of entries */
static struct ip random_question(const struct sample *s)
{
    uint64_t r = rnd();
    const struct ip_range *e = &s->ranges[(r >> 8) % s->n];
    struct ip below = e->first;
    switch (r & 7) {
    case 0:
        return e->first;
    case 1:
        return e->last;
    case 2:
        return ip_next(&e->last);
    case 3:
        for (int i = 15; i >= 0 && below.b[i]-- == 0; i--)
            ;
        return below;
    case 4:
        return random_v6();
    default:
        return ip_from_v4(random_v4());
    }
}

static void check_find(const struct sample *s, const struct ip *a, size_t expected)
{
    struct list_entry found[16];
    size_t n = list_find(s->list, a, found, COUNT_OF(found));
    assert_int_equal(n, expected);
    assert_int_equal(list_has(s->list, a), expected > 0);
    for (size_t i = 0; i < n && i < COUNT_OF(found); i++) {
        assert_true(ip_range_has(&found[i].range, a));
        const struct ip_range *row = &s->ranges[found[i].row - 1];
        assert_true(ip_equal(&row->first, &found[i].range.first) && ip_equal(&row->last, &found[i].range.last));
        if (i) /* most specific first: the one before is never wider when nested */
            assert_true(!(ip_range_has(&found[i - 1].range, &found[i].range.first) && ip_range_has(&found[i - 1].range, &found[i].range.last)) ||
                        (ip_equal(&found[i - 1].range.first, &found[i].range.first) && ip_equal(&found[i - 1].range.last, &found[i].range.last)));
    }
}

static void check_set(const struct address_set *s)
{
    for (size_t i = 1; i < s->n_v4; i++)
        assert_true(s->v4[i - 1] < s->v4[i]);
    for (size_t i = 0; i < s->n_v4_ranges; i++) {
        assert_true(s->v4_ranges[i].first <= s->v4_ranges[i].last);
        assert_true(!i || s->v4_ranges[i - 1].last < s->v4_ranges[i].first);
    }
    for (size_t i = 0; i < s->n_v4; i++)
        assert_false(address_set_range_v4(s, s->v4[i]));
    for (size_t i = 1; i < s->n_v6; i++)
        assert_true(ip_compare(&s->v6[i - 1].last, &s->v6[i].first) < 0);
}

#define QUESTIONS 1500u

static void check_matchers(struct sample *const *samples, size_t n_samples)
{
    struct list *lists[4];
    uint32_t v4[QUESTIONS];
    struct ip v6[QUESTIONS];
    uint64_t bits[(QUESTIONS + 63) / 64];
    for (size_t i = 0; i < n_samples; i++)
        lists[i] = samples[i]->list;
    for (size_t i = 0; i < QUESTIONS; i++) {
        v6[i] = random_question(samples[i % n_samples]);
        v4[i] = ip_is_v4(&v6[i]) ? ip_v4(&v6[i]) : random_v4();
    }
    for (int plain = 0; plain < 2; plain++) {
        struct matcher *m = matcher_new(lists, n_samples, &(struct matcher_options){.force_plain = plain});
        assert_non_null(m);
        size_t n = 1 + rnd() % QUESTIONS, n_hits = 0;
        assert_true(matcher_v4(m, v4, n, bits) <= n);
        for (size_t i = 0; i < n; i++) {
            struct ip a = ip_from_v4(v4[i]);
            bool expected = false;
            for (size_t k = 0; k < n_samples; k++)
                expected |= n_covering(samples[k], &a) > 0;
            assert_int_equal(bits[i / 64] >> (i % 64) & 1, expected);
            n_hits += expected;
        }
        assert_int_equal(matcher_v4(m, v4, n, bits), n_hits);
        matcher_v6(m, v6, n, bits);
        for (size_t i = 0; i < n; i++) {
            uint32_t which[4];
            size_t expected = 0;
            for (size_t k = 0; k < n_samples; k++)
                expected += n_covering(samples[k], &v6[i]) > 0;
            assert_int_equal(bits[i / 64] >> (i % 64) & 1, expected > 0);
            assert_int_equal(matcher_lists(m, &v6[i], which, COUNT_OF(which)), expected);
        }
        matcher_free(m);
    }
}

static void lists_and_matchers_agree_with_a_linear_scan(void **state)
{
    (void)state;
    for (unsigned round = 0; round < rounds(12); round++) {
        random_state = seed() + round;
        print_message("seed %llu\n", (unsigned long long)random_state);
        struct sample a = sample_new(1 + rnd() % 400), b = sample_new(1 + rnd() % 60);
        struct sample *both[] = {&a, &b};
        check_set(list_addresses(a.list));
        for (int i = 0; i < 300; i++) {
            struct ip q = random_question(&a);
            check_find(&a, &q, n_covering(&a, &q));
        }
        check_matchers(both, 1 + round % 2);
        sample_free(&a);
        sample_free(&b);
    }
}

/* large sets take other tables than small ones: the vector code, the plain code and binary search must agree */
static void large_sets_agree_with_binary_search(void **state)
{
    (void)state;
    static const size_t sizes[] = {1000, 250000, 600000};
    random_state = seed();
    for (size_t k = 0; k < COUNT_OF(sizes) * 2; k++) {
        size_t n = sizes[k / 2], n_v4 = 0, n_ranges = k % 2 ? 3000 : 0;
        uint32_t *v4 = calloc(n, sizeof(*v4));
        struct v4_range *ranges = calloc(n_ranges + 1, sizeof(*ranges));
        assert_non_null(v4);
        assert_non_null(ranges);
        uint32_t at = 0;
        for (size_t i = 0; i < n; i++) {
            v4[n_v4++] = at;
            if (__builtin_add_overflow(at, 1 + (uint32_t)(rnd() % (UINT32_MAX / n)), &at))
                break;
        }
        for (size_t i = 0; i < n_ranges; i++) {
            ranges[i].first = (uint32_t)(i * 1400000);
            ranges[i].last = ranges[i].first + (uint32_t)(rnd() % 2000);
        }
        struct address_set set = {.v4 = v4, .n_v4 = n_v4, .v4_ranges = ranges, .n_v4_ranges = n_ranges};
        const struct address_set *sets[] = {&set};
        struct matcher *fast = matcher_new_sets(sets, 1, NULL), *plain = matcher_new_sets(sets, 1, &(struct matcher_options){.force_plain = true});
        assert_non_null(fast);
        assert_non_null(plain);
        for (int round = 0; round < 40; round++) {
            uint32_t q[1000];
            uint64_t a[16], b[16];
            for (size_t i = 0; i < COUNT_OF(q); i++)
                q[i] = rnd() % 4 ? (uint32_t)rnd() : rnd() % 2 || !n_ranges ? v4[rnd() % n_v4] : ranges[rnd() % n_ranges].last + (uint32_t)(rnd() % 2);
            size_t n_q = COUNT_OF(q) - rnd() % 20;
            assert_int_equal(matcher_v4(fast, q, n_q, a), matcher_v4(plain, q, n_q, b));
            assert_memory_equal(a, b, (n_q + 63) / 64 * 8);
            for (size_t i = 0; i < n_q; i++) {
                struct ip one = ip_from_v4(q[i]);
                assert_int_equal(a[i / 64] >> (i % 64) & 1, address_set_has(&set, &one));
            }
        }
        matcher_free(fast);
        matcher_free(plain);
        free(v4);
        free(ranges);
    }
}

static void the_edges_of_the_address_space_match(void **state)
{
    (void)state;
    static const char text[] = "0.0.0.0\n255.255.255.255\n255.255.255.0/25\n0.0.1.0/24\n::1\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n";
    static const struct {
        const char *address;
        bool is_listed;
    } questions[] = {{"0.0.0.0", true}, {"0.0.0.1", false}, {"0.0.0.255", false}, {"0.0.1.0", true}, {"0.0.1.255", true}, {"0.0.2.0", false},
                     {"255.255.255.255", true}, {"255.255.255.254", false}, {"255.255.255.127", true}, {"255.255.255.128", false},
                     {"::1", true}, {"::", false}, {"::2", false}, {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
                     {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", false}, {"::ffff:0.0.1.7", true}};
    struct buf b = {.max = 4096};
    buf_add_text(&b, text);
    int fd = memory_file(&b);
    struct list *l;
    struct list_report report = {0};
    struct fault f;
    assert_int_equal(lists_compile(fd, &(struct list_add){.name = "edges"}, &report, &l, &f), 0);
    struct matcher *m = matcher_new(&l, 1, NULL);
    assert_non_null(m);
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        struct ip a;
        uint64_t bits;
        assert_int_equal(ip_parse(questions[i].address, strlen(questions[i].address), &a), 0);
        matcher_v6(m, &a, 1, &bits);
        assert_int_equal(bits, questions[i].is_listed);
        assert_int_equal(list_has(l, &a), questions[i].is_listed);
        if (ip_is_v4(&a)) {
            uint32_t v4 = ip_v4(&a);
            matcher_v4(m, &v4, 1, &bits);
            assert_int_equal(bits, questions[i].is_listed);
        }
    }
    matcher_free(m);
    list_close(l);
    close(fd);
    buf_fini(&b);
}

static void an_empty_matcher_says_no(void **state)
{
    (void)state;
    struct matcher *m = matcher_new(NULL, 0, NULL);
    uint32_t a[3] = {0, 1, UINT32_MAX};
    uint64_t bits = 7;
    assert_non_null(m);
    assert_int_equal(matcher_v4(m, a, 3, &bits), 0);
    assert_int_equal(bits, 0);
    matcher_free(m);
}

/* nests of ranges that end early must not hide the wide one that does not */
static void a_wide_range_is_found_behind_many_narrow_ones(void **state)
{
    (void)state;
    struct buf b = {.max = (size_t)1 << 24};
    buf_add_text(&b, "1.0.0.0/8\n");
    for (unsigned i = 0; i < 5000; i++)
        buf_printf(&b, "1.0.%u.%u/31\n", i / 128, i % 128 * 2);
    int fd = memory_file(&b);
    struct list *l;
    struct list_report report = {0};
    struct fault f;
    assert_int_equal(lists_compile(fd, &(struct list_add){.name = "nest"}, &report, &l, &f), 0);
    struct ip a = ip_from_v4(0x01ffffff);
    struct list_entry e;
    assert_int_equal(list_find(l, &a, &e, 1), 1);
    assert_int_equal(e.row, 1);
    a = ip_from_v4(0x01000501);
    assert_int_equal(list_find(l, &a, &e, 1), 2);
    assert_int_equal(ip_range_prefix(&e.range), 31);
    list_close(l);
    close(fd);
    buf_fini(&b);
}

static void families_of_the_narrowest_entries_are_joined_in_list_order(void **state)
{
    (void)state;
    static const char text[] = "ip,family\n1.2.3.0/24,Wide\n1.2.3.4,Mirai\n1.2.3.4,Gafgyt\n1.2.3.4,Mirai\n1.2.3.4,\n1.2.3.5,\n";
    static const struct {
        uint32_t address;
        const char *family;
    } questions[] = {{0x01020304, "Mirai;Gafgyt"}, {0x01020306, "Wide"}, {0x01020305, ""}, {0x01020405, ""}};
    struct buf b = {.max = 4096};
    buf_add_text(&b, text);
    int fd = memory_file(&b);
    struct list *l;
    struct list_report report = {0};
    struct fault f;
    char family[64];
    assert_int_equal(lists_compile(fd, &(struct list_add){.name = "families"}, &report, &l, &f), 0);
    assert_int_equal(report.warned[LIST_WARNED_duplicate], 3);
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        struct ip a = ip_from_v4(questions[i].address);
        assert_int_equal(list_family(l, &a, family, sizeof(family)), strlen(questions[i].family));
        assert_string_equal(family, questions[i].family);
    }
    struct ip a = ip_from_v4(0x01020304);
    assert_int_equal(list_family(l, &a, family, 8), 5); /* a name is whole or absent */
    assert_string_equal(family, "Mirai");
    list_close(l);
    close(fd);
    buf_fini(&b);
}

static int make_matcher(void *context)
{
    const struct address_set *const *sets = context;
    struct matcher *m = matcher_new_sets(sets, 1, NULL);
    if (!m)
        return -ENOMEM;
    struct ip a = ip_from_v4(5);
    uint64_t bits;
    matcher_v6(m, &a, 1, &bits);
    assert_int_equal(bits, 1);
    matcher_free(m);
    return 0;
}

static void every_allocation_of_a_matcher_may_fail(void **state)
{
    (void)state;
    static uint32_t v4[210000];
    for (uint32_t i = 0; i < COUNT_OF(v4); i++)
        v4[i] = i * 5;
    struct v4_range range = {0xf0000000, 0xf0000fff};
    struct ip_range v6 = {{{0x20}}, {{0x20, 1}}};
    struct address_set set = {.v4 = v4, .n_v4 = COUNT_OF(v4), .v4_ranges = &range, .n_v4_ranges = 1, .v6 = &v6, .n_v6 = 1};
    const struct address_set *sets[] = {&set};
    assert_true(failing_alloc_each("matcher", make_matcher, sets, true) >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_matcher_says_no),
        cmocka_unit_test(the_edges_of_the_address_space_match),
        cmocka_unit_test(a_wide_range_is_found_behind_many_narrow_ones),
        cmocka_unit_test(families_of_the_narrowest_entries_are_joined_in_list_order),
        cmocka_unit_test(lists_and_matchers_agree_with_a_linear_scan),
        cmocka_unit_test(large_sets_agree_with_binary_search),
        cmocka_unit_test(every_allocation_of_a_matcher_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
