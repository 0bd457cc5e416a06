/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of log events against linear scans: rows, words, phrases, addresses; damage is found.
 */
#include "watch/store/log_segment.h"
#include "watch/store/phrase.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

static const char *const words[] = {"Failed",   "password", "for",  "root",  "admin",   "lỗi",   "LỖI", "loi",   "đăng",
                                    "nhập",     "Dang",     "nhap", "10.0.0.1", "10.0.0.12", "1.10.0.0.1", "/etc/passwd",
                                    "user_name", "a-b",     "x=1",  "\xc3\x28", "e\xcc\x82\xcc\x81", "ế", "--", "Ünïcode",
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaneedleaaa", "99", "sshd[99]:", "l\xe7i h\xd6 th\xe8ng"};
enum { N_WORDS = sizeof words / sizeof *words };

static void add_row(struct events *e)
{
    char line[1200];
    size_t n = 0;
    for (unsigned k = random_below(8); k; k--)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", words[random_below(N_WORDS)], random_below(6) ? " " : "");
    if (random_below(4) == 0)
        n += (size_t)snprintf(line + n, sizeof line - n, "rare%u", random_below(5000));
    assert_int_equal(event_begin(e, (struct text){line, n}, (int64_t)random_below(1000)), 0);
    event_time(e, (int64_t)random_below(100000) - 50000);
    struct ip ip = ip_from_v4(0x0a000000u + random_below(500));
    if (random_below(3) == 0)
        event_put_ip(e, EV_SOURCE_IP, &ip);
    if (random_below(3) == 0)
        event_put_text(e, EV_USER_NAME, TEXT("own Text Nguyễn"));
    assert_int_equal(event_end(e), 0);
}

static bool row_matches(const struct events *e, uint32_t row, const struct phrase *p, struct buf *scratch)
{
    if (phrase_match(p, event_original(e, row), scratch))
        return true;
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        if (e->values[i].type == EVENT_KEYWORD && phrase_match(p, event_text(e, &e->values[i]), scratch))
            return true;
    return false;
}

/* a question cut out of the words rows are made of */
static size_t random_pattern(char *out, size_t n_out)
{
    char all[400];
    int n = snprintf(all, sizeof all, "%s%s%s", words[random_below(N_WORDS)], random_below(2) ? " " : "",
                     random_below(3) ? "" : words[random_below(N_WORDS)]);
    if (random_below(5) == 0)
        n = snprintf(all, sizeof all, "rare%u", random_below(5000));
    unsigned from = random_below(3) ? 0 : random_below((uint32_t)n), to = random_below(3) ? (unsigned)n : from + random_below((uint32_t)n - from) + 1;
    unsigned middle = random_below(6) ? 0 : random_below(to - from);
    return (size_t)snprintf(out, n_out, "%s%.*s%s%.*s%s", random_below(3) ? "" : "*", (int)middle, all + from, middle ? "*" : "",
                            (int)(to - from - middle), all + from + middle, random_below(3) ? "" : "*");
}

static struct log_segment *build(struct events **batches, unsigned n, struct event_names *names, uint32_t max_rows, uint32_t *ret_rows)
{
    struct log_builder *b = log_builder_new(names, max_rows);
    int fd = memfd_create("segment", 0);
    struct log_segment *s = NULL;
    struct fault f = {0};
    uint64_t n_bytes;
    *ret_rows = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t taken;
        int r = log_builder_add(b, batches[i], 0, &taken);
        *ret_rows += taken;
        assert_true(r >= 0);
        if (r == LOG_SEGMENT_FULL)
            break;
        assert_int_equal(taken, batches[i]->n);
    }
    assert_int_equal(log_builder_rows(b), *ret_rows);
    assert_int_equal(log_builder_write(b, 42, fd, &n_bytes, &f), 0);
    log_builder_free(b);
    if (log_segment_open(fd, 42, false, &s, &f))
        fail_msg("%s", f.text);
    assert_int_equal(log_segment_info(s)->n_bytes, n_bytes);
    close(fd);
    return s;
}

static void searches_find_what_a_scan_finds(void **state)
{
    (void)state;
    const char *given = getenv("VONGGAC_SEED"), *rounds = getenv("VONGGAC_ROUNDS");
    seed = given ? strtoull(given, NULL, 10) : 3;
    for (unsigned round = rounds ? (unsigned)atoi(rounds) : 4; round; round--) {
        uint64_t before = seed;
        struct event_names *names = event_names_new();
        struct events *batches[6];
        unsigned n = 1 + random_below(6);
        for (unsigned i = 0; i < n; i++) {
            batches[i] = events_new(names);
            for (uint32_t k = 1 + random_below(random_below(3) ? 400 : EVENTS_ROWS - 1); k; k--)
                add_row(batches[i]);
        }
        uint32_t n_rows;
        struct log_segment *s = build(batches, n, names, random_below(3) ? LOG_SEGMENT_ROWS : 1 + random_below(9000), &n_rows);
        const struct log_segment_info *info = log_segment_info(s);
        struct fault f = {0};
        if (log_segment_verify(s, names, &f))
            fail_msg("seed %llu: %s", (unsigned long long)before, f.text);
        assert_int_equal(info->n_rows, n_rows);
        struct log_scratch *scratch = log_scratch_new();
        struct events *e = events_new(names);
        struct buf folding = {.max = 1 << 20};
        struct terms terms;
        assert_int_equal(log_segment_terms(s, &terms), 0);
        for (unsigned q = 0; q < 60; q++) {
            char pattern[900];
            struct phrase p;
            size_t length = random_pattern(pattern, sizeof pattern);
            if (phrase_compile((struct text){pattern, length}, random_below(3) == 0, &p))
                continue;
            uint64_t bitmap[TERMS_BLOCKS_MAX / 64 + 1];
            memset(bitmap, 0xff, sizeof bitmap);
            assert_int_equal(phrase_blocks(&p, &terms, bitmap), 0);
            unsigned batch = 0, in_batch = 0;
            for (uint32_t block = 0; block < info->n_blocks; block++) {
                struct log_block_info x;
                log_segment_block(s, block, &x);
                for (uint32_t row = 0; row < x.n_rows; row++) {
                    while (in_batch == batches[batch]->n) {
                        batch++;
                        in_batch = 0;
                    }
                    if (!(bitmap[block / 64] >> block % 64 & 1) && row_matches(batches[batch], in_batch, &p, &folding))
                        fail_msg("seed %llu: '%.*s' (exact %d) is in block %u", (unsigned long long)before, (int)length, pattern,
                                 p.is_exact, block);
                    in_batch++;
                }
            }
        }
        unsigned batch = 0, in_batch = 0;
        for (uint32_t block = 0; block < info->n_blocks; block++) {
            assert_int_equal(log_segment_read(s, block, scratch, e), 0);
            for (uint32_t row = 0; row < e->n; row++, in_batch++) {
                while (in_batch == batches[batch]->n) {
                    batch++;
                    in_batch = 0;
                }
                assert_true(text_equal(event_original(e, row), event_original(batches[batch], in_batch)));
                assert_int_equal(e->time_us[row], batches[batch]->time_us[in_batch]);
            }
        }
        buf_fini(&folding);
        events_free(e);
        log_scratch_free(scratch);
        log_segment_close(s);
        for (unsigned i = 0; i < n; i++)
            events_free(batches[i]);
        event_names_free(names);
    }
}

static void phrases_match_as_their_page_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool is_exact, matches;
    } cases[] = {
        {"loi", "co LỖI o day", false, true},
        {"loi", "co LỖI o day", true, false},
        {"LỖI", "co LỖI o day", true, true},
        {"dang nhap", "Đăng nhập thất bại", false, true},
        {"đăng nhập", "dang nhap that bai", false, true},
        {"pass", "password", false, false},
        {"pass*", "the password", false, true},
        {"*word", "the password", false, true},
        {"*sswo*", "the password", false, true},
        {"sswo", "the password", false, false},
        {"fail*root", "Failed password for root", false, true},
        {"fail*roo", "Failed password for root", false, false},
        {"fail*roo*", "Failed password for root", false, true},
        {"root*fail", "Failed password for root", false, false},
        {"password for", "Failed password for root", false, true},
        {"password  for", "Failed password for root", false, false},
        {"1.2.3.4", "from 1.2.3.4 port", false, true},
        {"1.2.3.4", "from 1.2.3.45 port", false, false},
        {"1.2.3.4", "from 11.2.3.4 port", false, false},
        {"1.2.3.4", "from 1.2.3.4.5 port", false, false},
        {"1.2.3.4", "from 5.1.2.3.4 port", false, false},
        {"1.2.3.4", "from 1.2.3.4.", false, true},
        {"1.2.3", "from 1.2.3.4 port", false, true},
        {"a\\*b", "say a*b now", false, true},
        {"a\\*b", "say axb now", false, false},
        {"user_name", "the user_name is", false, true},
        {"name", "the user_name is", false, true}, /* '_' parts words */
        {"loi", "c\xe3 l\xe7i x\xb6y ra", false, true}, /* TCVN3: có lỗi xảy ra */
        {"xảy ra", "c\xe3 l\xe7i x\xb6y ra", false, true},
        {"lỗi", "co\xf9 lo\xe3i xa\xfby ra", false, true}, /* VNI: loãi, marks behind */
        {"dang nhap", "\xf1\x61\xeang nha\xe4p", false, true},
        {"loi", "c\xe3 l\xe7i", true, false},
        {"e\xcc\x82\xcc\x81", "chữ ế là", false, true},
    };
    struct buf scratch = {.max = 1 << 16};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct phrase p;
        assert_int_equal(phrase_compile((struct text){cases[i].pattern, strlen(cases[i].pattern)}, cases[i].is_exact, &p), 0);
        if (phrase_match(&p, (struct text){cases[i].text, strlen(cases[i].text)}, &scratch) != cases[i].matches)
            fail_msg("'%s' in '%s'", cases[i].pattern, cases[i].text);
    }
    struct phrase p;
    assert_int_equal(phrase_compile(TEXT(""), false, &p), 1);
    assert_int_equal(phrase_compile(TEXT("**"), false, &p), 1);
    buf_fini(&scratch);
}

static void addresses_lead_to_their_blocks(void **state)
{
    (void)state;
    seed = 11;
    struct event_names *names = event_names_new();
    struct events *e = events_new(names), *all[2] = {e, events_new(names)};
    for (uint32_t i = 0; i < EVENTS_ROWS; i++)
        add_row(e);
    for (uint32_t row = 0; row < e->n; row++) /* the same again, in another block */
        assert_int_equal(event_append(all[1], e, row), 0);
    uint32_t n_rows, at;
    struct log_segment *s = build(all, 2, names, LOG_SEGMENT_ROWS, &n_rows);
    assert_int_equal(log_segment_info(s)->n_blocks, 2);
    struct ip a = ip_from_v4(0x0a000000u + 1000), found;
    assert_int_equal(log_segment_lower_bound(s, &a, &at), 0);
    assert_int_equal(at, log_segment_info(s)->n_addresses);
    uint64_t bitmap[1] = {0}, expected = 0;
    a = ip_from_v4(0x0a000000u + 7);
    assert_int_equal(log_segment_lower_bound(s, &a, &at), 0);
    assert_int_equal(log_segment_address(s, at, &found), 0);
    assert_true(ip_equal(&a, &found));
    assert_int_equal(log_segment_postings(s, at, at + 1, bitmap), 0);
    for (uint32_t row = 0; row < e->n; row++) {
        const struct event_value *v = event_get(e, row, EV_SOURCE_IP);
        struct ip x = v ? event_ip(e, v) : found;
        if (v && ip_equal(&x, &a))
            expected = 3;
    }
    assert_int_equal(bitmap[0], expected);
    assert_true(log_segment_has_field(s, TEXT("user.name")));
    assert_false(log_segment_has_field(s, TEXT("user.id")));
    log_segment_close(s);
    events_free(all[1]);
    events_free(e);
    event_names_free(names);
}

static void damage_is_found(void **state)
{
    (void)state;
    seed = 5;
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    for (uint32_t i = 0; i < 500; i++)
        add_row(e);
    struct log_builder *b = log_builder_new(names, LOG_SEGMENT_ROWS);
    int fd = memfd_create("segment", 0);
    uint32_t taken;
    uint64_t n;
    struct fault f = {0};
    assert_int_equal(log_builder_add(b, e, 0, &taken), 0);
    assert_int_equal(log_builder_write(b, 1, fd, &n, &f), 0);
    log_builder_free(b);
    for (unsigned i = 0; i < 400; i++) {
        uint8_t byte;
        off_t at = (off_t)random_below((uint32_t)n);
        if (at >= 240 && at < 512)
            continue; /* padding of the header */
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        uint8_t damaged = byte ^ (uint8_t)(1u << random_below(8));
        assert_int_equal(pwrite(fd, &damaged, 1, at), 1);
        struct log_segment *s = NULL;
        int r = log_segment_open(fd, 1, false, &s, &f);
        if (!r)
            r = log_segment_verify(s, names, &f);
        log_segment_close(s);
        if (r != -EBADMSG && r != -EPROTO)
            fail_msg("a bit at %lld is not missed", (long long)at);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    for (unsigned i = 0; i < 40; i++) { /* cut */
        int cut = memfd_create("cut", 0);
        assert_int_equal(ftruncate(cut, (off_t)random_below((uint32_t)n)), 0);
        struct log_segment *s = NULL;
        assert_int_equal(log_segment_open(cut, 1, false, &s, &f), -EBADMSG);
        close(cut);
    }
    close(fd);
    events_free(e);
    event_names_free(names);
}

static int build_and_read(void *context)
{
    struct events *e = context;
    struct log_builder *b = log_builder_new(e->names, LOG_SEGMENT_ROWS);
    int fd = memfd_create("segment", 0);
    uint32_t taken;
    uint64_t n;
    struct fault f = {0};
    struct log_segment *s = NULL;
    int r = b ? log_builder_add(b, e, 0, &taken) : -ENOMEM;
    if (!r)
        r = log_builder_write(b, 1, fd, &n, &f);
    log_builder_free(b);
    if (!r)
        r = log_segment_open(fd, 1, false, &s, &f);
    if (!r)
        r = log_segment_verify(s, e->names, &f);
    log_segment_close(s);
    close(fd);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    seed = 9;
    for (uint32_t i = 0; i < 30; i++)
        add_row(e);
    assert_true(failing_alloc_each("a segment of logs", build_and_read, e, false) > 20);
    events_free(e);
    event_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phrases_match_as_their_page_says),
        cmocka_unit_test(searches_find_what_a_scan_finds),
        cmocka_unit_test(addresses_lead_to_their_blocks),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
