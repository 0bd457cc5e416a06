/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The word index of a segment against the naive way: every line cut by term_next, character by character. Lines are kept as
 * templates and variables and their words are looked for 64 bytes at a time; the set of words must be the same.
 */
#include "watch/store/log_segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

/* a line of pieces that lie at the edges of what the two ways look at */
static size_t random_line(char *out, size_t max)
{
    static const char *const pieces[] = {"Failed", "password", " ", "  ", "=", "\"", ".", "/", ":", "10.0.0.1", "1.2.3", "1.2.3.4.5", "255.1.2.3:80",
                                         "x=1.2.3.4", "đăng nhập", "Đ", "\xcc\x81", "T\xe6 ch\xf8" "c", "\x01", "\n", "a", "Z9", "root@host",
                                         "key=\"value\"", "{\"a\": \"b\"}", "ABCDEFGHIJKLMNOP", "0123456789abcdef0", "-", "_", "12", "345", "6789"};
    size_t n = 0;
    unsigned left = random_below(40);
    while (left-- && n + 100 < max) {
        if (random_below(30) == 0) { /* a word as long as what is looked at, about */
            unsigned k = 55 + random_below(30);
            while (k--)
                out[n++] = (char)('a' + random_below(26));
            continue;
        }
        const char *p = pieces[random_below(sizeof(pieces) / sizeof(*pieces))];
        size_t k = strlen(p);
        memcpy(out + n, p, k);
        n += k;
        if (random_below(2))
            out[n++] = ' ';
    }
    return n;
}

/* --- the naive way: a sorted list of words ------------------------------------------------------------------------- */

struct words {
    char (*all)[TERM_MAX + 1];
    size_t n, capacity;
};

static void add(struct words *w, const char *p, size_t n)
{
    if (w->n == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 1024;
        w->all = realloc(w->all, w->capacity * sizeof(*w->all));
        assert_non_null(w->all);
    }
    memset(w->all[w->n], 0, sizeof(*w->all));
    memcpy(w->all[w->n++], p, n);
}

static void add_text(struct words *w, struct text t)
{
    struct text rest = t;
    struct term term;
    while (term_next(&rest, &term))
        add(w, term.p, term.n);
    for (size_t i = 0; i < t.n; i++) { /* an address begins where no word and no number with a dot goes on into it */
        bool is_begin = i == 0 || (t.p[i - 1] != '.' && !((unsigned char)t.p[i - 1] >= 0x80) && !strchr("0123456789", t.p[i - 1]) &&
                                   !term_letter(t.p + i - 1, t.p + t.n));
        if (i >= 1 && t.p[i - 1] == '.')
            is_begin = i == 1 || t.p[i - 2] < '0' || t.p[i - 2] > '9';
        unsigned n = is_begin ? term_address((struct text){t.p + i, t.n - i}) : 0;
        if (n)
            add(w, t.p + i, n);
    }
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, TERM_MAX + 1);
}

static void sort(struct words *w)
{
    size_t kept = 0;
    if (w->n)
        qsort(w->all, w->n, sizeof(*w->all), by_bytes);
    for (size_t i = 0; i < w->n; i++)
        if (!kept || memcmp(w->all[kept - 1], w->all[i], sizeof(*w->all)) != 0)
            memmove(w->all[kept++], w->all[i], sizeof(*w->all));
    w->n = kept;
}

static bool take(const void *context, struct text word)
{
    struct words *w = *(struct words *const *)context;
    add(w, word.p, word.n);
    return true;
}

/* check_lines - the originals come back byte for byte. */
static void check_lines(const struct log_segment *s, const struct events *e)
{
    struct events *back = events_new(e->names);
    struct log_scratch *scratch = log_scratch_new();
    uint32_t row = 0;
    for (uint32_t block = 0; block < log_segment_info(s)->n_blocks; block++) {
        assert_int_equal(log_segment_read(s, block, scratch, back), 0);
        for (uint32_t i = 0; i < back->n; i++, row++)
            assert_true(text_equal(event_original(back, i), event_original(e, row)));
    }
    assert_int_equal(row, e->n);
    log_scratch_free(scratch);
    events_free(back);
}

static void index_has_the_words_of_the_lines_and_no_others(void **state)
{
    (void)state;
    const char *given = getenv("VONGGAC_SEED"), *rounds = getenv("VONGGAC_ROUNDS");
    seed = given ? strtoull(given, NULL, 10) : 3;
    for (unsigned round = rounds ? (unsigned)atoi(rounds) : 40; round; round--) {
        uint64_t before = seed;
        struct event_names *names = event_names_new();
        struct events *e = events_new(names);
        struct words right = {0}, found = {0}, *to = &found;
        struct log_builder *b = log_builder_new(names, LOG_SEGMENT_ROWS);
        uint32_t n = 1 + random_below(round % 4 ? 60 : 1500), taken;
        char line[1200];
        for (uint32_t i = 0; i < n; i++) {
            struct text t = {line, random_line(line, sizeof(line))};
            assert_int_equal(event_begin(e, t, i), 0);
            assert_int_equal(event_end(e), 0);
            add_text(&right, t);
            for (int k = 0; !text_is_utf8(t.p, t.n) && k < TEXT_N_LEGACY; k++) {
                char folded[sizeof(line)];
                add_text(&right, (struct text){folded, text_fold_legacy((enum text_legacy)k, t, folded)});
            }
        }
        int fd = memfd_create("segment", 0);
        uint64_t n_bytes, bitmap[1] = {0};
        struct fault f = {0};
        struct log_segment *s;
        struct terms terms;
        assert_int_equal(log_builder_add(b, e, 0, &taken), 0);
        assert_int_equal(log_builder_write(b, 1, fd, &n_bytes, &f), 0);
        assert_int_equal(log_segment_open(fd, 1, false, &s, &f), 0);
        assert_int_equal(log_segment_terms(s, &terms), 0);
        assert_int_equal(terms_scan(&terms, take, &to, bitmap), 0);
        sort(&right);
        sort(&found);
        for (size_t i = 0; i < right.n || i < found.n; i++)
            if (i >= right.n || i >= found.n || memcmp(right.all[i], found.all[i], sizeof(*right.all)) != 0)
                fail_msg("seed %llu: word %zu is '%s', expected '%s'", (unsigned long long)before, i, i < found.n ? found.all[i] : "",
                         i < right.n ? right.all[i] : "");
        check_lines(s, e);
        log_segment_close(s);
        close(fd);
        log_builder_free(b);
        free(right.all);
        free(found.all);
        events_free(e);
        event_names_free(names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(index_has_the_words_of_the_lines_and_no_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
