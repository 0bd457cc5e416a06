/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/gather: NAT events of exporters, by whatever path they are kept, answer who held an address: as soon as they
 * are stored, and once each after they are gathered.
 */
#include "watch/lease/gather.h"

#include "base/clock.h"
#include "netflow_case.h"
#include "watch/intake/import_store.h"
#include "watch/lease/resolve.h"
#include "watch/lease/taken.h"

#include "cmocka_house.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEGAN_S 1700000000u
#define ENDED_S (BEGAN_S + 600)
#define INSIDE 0x64400105u  /* 100.64.1.5 */
#define OUTSIDE 0xcb007109u /* 203.0.113.9 */
#define NOKIA 637u
enum { FIELDS = 12, SESSION_PORT = 20000, INSIDE_PORT = 5000, BLOCK_FIRST = 2048, BLOCK_LAST = 3071 };

static const uint8_t inside_v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
static char directory[64];
static struct built b;

/* one maker's way: a record that a translation was made, and one that it is gone */
struct way {
    const char *name;
    bool is_ipfix, is_v6;
    int port; /* to ask for */
    struct specifier made[FIELDS];
    uint8_t made_event;
    struct specifier gone[FIELDS];
    uint8_t gone_event;
};

static const struct way ways[] = {
    {"sessions as routers log them (natEvent 1, 2)", false, false, SESSION_PORT,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}, {12, 4, 0}, {11, 2, 0}, {234, 4, 0}}, 1,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}, {12, 4, 0}, {11, 2, 0}, {234, 4, 0}}, 2},
    {"sessions without a destination (RFC 8158 4.2, natEvent 4, 5)", true, false, SESSION_PORT,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}}, 4,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}}, 5},
    {"bindings (natEvent 8, 9)", true, false, SESSION_PORT,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}}, 8,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}}, 9},
    {"NAT64 sessions (natEvent 6, 7)", true, true, SESSION_PORT,
     {{323, 8, 0}, {230, 1, 0}, {27, 16, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}, {28, 16, 0}, {11, 2, 0}}, 6,
     {{323, 8, 0}, {230, 1, 0}, {27, 16, 0}, {225, 4, 0}, {4, 1, 0}, {7, 2, 0}, {227, 2, 0}, {28, 16, 0}, {11, 2, 0}}, 7},
    {"port blocks, first and last (natEvent 16, 17)", true, false, 2500,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 16,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 17},
    {"port blocks, first and how many, version 9", false, false, 3071,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {364, 2, 0}, {234, 4, 0}}, 16,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {364, 2, 0}, {234, 4, 0}}, 17},
    {"port blocks by the numbers of the draft (Juniper: 14, 15)", true, false, 2048,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 14,
     {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 15},
    {"port blocks of NAT64", true, true, 2049,
     {{323, 8, 0}, {230, 1, 0}, {27, 16, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 16,
     {{323, 8, 0}, {230, 1, 0}, {27, 16, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 17},
    {"port blocks of Cisco's CGv6: a release without the outside, no event field", false, false, 2500,
     {{234, 4, 0}, {235, 4, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 0,
     {{234, 4, 0}, {8, 4, 0}, {361, 2, 0}}, 0},
    {"sessions of Cisco's CGv6", false, false, SESSION_PORT,
     {{234, 4, 0}, {235, 4, 0}, {8, 4, 0}, {225, 4, 0}, {7, 2, 0}, {227, 2, 0}, {4, 1, 0}}, 0,
     {{234, 4, 0}, {8, 4, 0}, {7, 2, 0}, {4, 1, 0}}, 0},
    {"sessions of Nokia's format 2: made by a start alone, gone by an end", true, false, SESSION_PORT,
     {{152, 8, 0}, {7, 2, 0}, {12, 4, 0}, {11, 2, 0}, {225, 4, 0}, {227, 2, 0}, {4, 1, 0}, {91, 2, NOKIA}, {92, 2, NOKIA}, {93, 65535, NOKIA}}, 0,
     {{153, 8, 0}, {7, 2, 0}, {12, 4, 0}, {11, 2, 0}, {225, 4, 0}, {227, 2, 0}, {4, 1, 0}, {91, 2, NOKIA}, {92, 2, NOKIA}, {93, 65535, NOKIA}}, 0},
};

static size_t n_fields(const struct specifier *f)
{
    size_t n = 0;
    while (n < FIELDS && f[n].id)
        n++;
    return n;
}

static void put_value(const struct specifier *f, uint32_t at_s, uint8_t event)
{
    static const struct {
        uint16_t id;
        uint64_t value;
    } values[] = {{4, 17}, {7, INSIDE_PORT}, {8, INSIDE}, {11, 53}, {12, 0x08080808}, {225, OUTSIDE}, {227, SESSION_PORT}, {234, 77},
                  {235, 78}, {361, BLOCK_FIRST}, {362, BLOCK_LAST}, {364, BLOCK_LAST - BLOCK_FIRST + 1}};
    static const char subscriber[] = "LSN-Host@100.64.1.5";
    if (f->pen == NOKIA && f->id == 93) {
        put_n(&b, sizeof(subscriber) - 1, 1);
        put_bytes(&b, subscriber, sizeof(subscriber) - 1);
        return;
    }
    if (f->length == 16) {
        put_bytes(&b, inside_v6, 16);
        return;
    }
    uint64_t v = f->id == 323 || f->id == 152 || f->id == 153 ? (uint64_t)at_s * 1000 : f->id == 230 ? event : 1;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (!f->pen && values[i].id == f->id)
            v = values[i].value;
    put_n(&b, v, f->length);
}

static void build(const struct way *w, const struct specifier *f, uint32_t at_s, uint8_t event, uint16_t id)
{
    if (w->is_ipfix)
        ipfix_header(&b, at_s, at_s, 1);
    else
        v9_header(&b, 1, at_s, at_s, 1);
    put_template(&b, w->is_ipfix ? 2 : 0, id, f, n_fields(f));
    set_open(&b, id);
    for (size_t i = 0; i < n_fields(f); i++)
        put_value(&f[i], at_s, event);
    set_close(&b);
    if (w->is_ipfix)
        ipfix_close(&b);
}

/* keep - the datagram in @b as a file of exports into the store, sealed at once. */
static void keep(void)
{
    struct store *s;
    struct import_store *i;
    struct import_stored stored;
    struct fault f = {0};
    const struct import_store_options o = {.import.format = IMPORT_EXPORTS, .spool_dir = directory};
    int fd = memfd_create("exports", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n && lseek(fd, 0, SEEK_SET) == 0);
    assert_int_equal(store_open(directory, &(struct store_options){0}, &s, &f), 0);
    assert_int_equal(import_store_new(s, &o, &i), 0);
    int r = import_store_file(i, fd, "exports", &stored, &f);
    if (r)
        print_message("%s\n", f.text);
    assert_int_equal(r, 0);
    assert_int_equal(stored.summary.kept + stored.summary.n_nat, 1);
    assert_int_equal(stored.summary.read, stored.summary.kept + stored.summary.other);
    import_store_free(i);
    store_close(s);
    close(fd);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st, (void)kind, (void)f;
    return remove(path);
}

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/vonggac-gather-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct lease_gathered gather(void)
{
    struct lease_gathered g;
    struct fault f = {0};
    assert_int_equal(lease_gather(directory, NULL, &g, &f), 0);
    return g;
}

/* holder_at - the verdict of a fresh view; of one holder, what it says of him. */
static enum lease_verdict holder_at(const struct way *w, uint32_t at_s, struct lease_candidate *ret)
{
    struct lease_view *v;
    struct lease_resolver *r;
    struct lease_fresh fresh;
    struct lease_answer a;
    struct fault f = {0};
    struct arena arena = {.max_bytes = (size_t)64 << 20};
    const struct lease_question q = {.address = ip_from_v4(OUTSIDE), .port = w->port, .at_us = (int64_t)at_s * US_PER_SECOND};
    assert_int_equal(lease_view_open_fresh(directory, &v, &fresh, &f), 0);
    assert_int_equal(lease_resolver_new(v, NULL, &r), 0);
    assert_int_equal(lease_resolve(r, &q, &arena, &a), 0);
    if (a.n)
        *ret = a.candidates[0];
    arena_fini(&arena);
    lease_resolver_free(r);
    lease_view_close(v);
    return a.verdict;
}

static void assert_answers(const struct way *w)
{
    struct lease_candidate c = {0};
    struct ip inside = w->is_v6 ? ip_from_v6(inside_v6) : ip_from_v4(INSIDE);
    assert_int_equal(holder_at(w, BEGAN_S + 300, &c), LEASE_ONE);
    assert_true(ip_equal(&c.inside, &inside));
    assert_int_equal(c.confidence, LEASE_CERTAIN);
    assert_int_equal(c.from_us, BEGAN_S * US_PER_SECOND);
    assert_int_equal(c.to_us, ENDED_S * US_PER_SECOND);
    assert_int_equal(holder_at(w, BEGAN_S - 1, &c), LEASE_NONE);
    assert_int_equal(holder_at(w, ENDED_S + 1, &c), LEASE_NONE);
}

static void makers_say_it_in_their_ways_and_the_holder_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const struct way *w = &ways[i];
        struct lease_candidate c;
        print_message("%s\n", w->name);
        assert_int_equal(i ? begin(state) : 0, 0);
        build(w, w->made, BEGAN_S, w->made_event, 300);
        keep();
        assert_int_equal(holder_at(w, BEGAN_S + 300, &c), LEASE_ONE); /* before anything is gathered */
        assert_int_equal(c.confidence, LEASE_LIKELY);                 /* nobody told the end yet */
        assert_int_equal(i % 2 ? gather().n_rows : 1, 1);             /* the end is gathered with the begin, or later */
        build(w, w->gone, ENDED_S, w->gone_event, 301);
        keep();
        assert_answers(w);
        assert_true(gather().n_rows >= 1);
        assert_answers(w);
        assert_int_equal(gather().n_segments, 0); /* each segment once */
        assert_int_equal(i + 1 < COUNT_OF(ways) ? end(state) : 0, 0);
    }
}

static void what_says_nothing_about_anybody_is_kept_and_is_no_lease(void **state)
{
    (void)state;
    static const uint8_t events[] = {3, 12, 13, 18}; /* addresses exhausted, ports exhausted, quota, threshold: IANA natEvent */
    const struct way *w = &ways[1];
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        build(w, w->made, BEGAN_S + (uint32_t)i, events[i], 300);
        keep();
    }
    assert_int_equal(gather().n_rows, 0);
}

static void segments_merged_after_they_were_taken_are_not_taken_again(void **state)
{
    (void)state;
    struct store *s;
    struct fault f = {0};
    struct store_compaction done;
    for (uint32_t i = 0; i < 3; i++) {
        build(&ways[0], ways[0].made, BEGAN_S + i, 1, 300);
        keep();
        build(&ways[4], ways[4].made, BEGAN_S + i, 16, 300);
        keep();
    }
    assert_int_equal(gather().n_segments, 6);
    assert_int_equal(store_open(directory, &(struct store_options){0}, &s, &f), 0);
    assert_int_equal(store_compact(s, &done, NULL, NULL, &f), 0);
    assert_int_equal(done.segments_merged, 6);
    assert_int_equal(done.segments_written, 2);
    store_close(s);
    assert_int_equal(gather().n_segments, 0);
    build(&ways[0], ways[0].gone, ENDED_S, 2, 300);
    keep();
    assert_int_equal(gather().n_segments, 1);
}

static void a_torn_file_of_what_was_taken_has_segments_read_again_and_rows_count_once(void **state)
{
    (void)state;
    char path[128];
    struct lease_candidate c;
    build(&ways[4], ways[4].made, BEGAN_S, 16, 300);
    keep();
    build(&ways[4], ways[4].gone, ENDED_S, 17, 301);
    keep();
    assert_int_equal(gather().n_segments, 2);
    snprintf(path, sizeof(path), "%s/leases/TAKEN", directory);
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(gather().n_segments, 2);
    assert_answers(&ways[4]);
    assert_int_equal(holder_at(&ways[4], BEGAN_S + 300, &c), LEASE_ONE);
    assert_int_equal(c.n_rows, 1); /* the begin, told twice and kept once; the end says where it is over */
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(makers_say_it_in_their_ways_and_the_holder_is_found),
        WITH(what_says_nothing_about_anybody_is_kept_and_is_no_lease),
        WITH(segments_merged_after_they_were_taken_are_not_taken_again),
        WITH(a_torn_file_of_what_was_taken_has_segments_read_again_and_rows_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
