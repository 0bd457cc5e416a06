/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick way to the pattern of a line against the slow one, which tries them all in order: on the lines of all tests in
 * content/decoders, those of $VONGGAC_SHARED/data/logs, and on what becomes of them when bytes change, vanish, come twice, or
 * two lines are mixed.
 */
#include "cmocka_house.h"

#include "base/clock.h"
#include "format/line_impl.h"
#include "watch/intake/decoders.h"

#include <stdio.h>
#include <unistd.h>

#define LINES_MAX 16384u
#define LINE_BYTES 4096u

struct both {
    struct event_names *names;
    struct line_decoders *decoders;
    struct line_scratch *quick, *plain;
    struct events *events;
    struct text lines[LINES_MAX]; /* those of the tests, then copies of real ones */
    size_t n_tests, n_lines;
    struct buf a, b;
    unsigned n_compared, n_understood, n_exhausted;
    uint64_t state;
};

static unsigned random_below(struct both *x, size_t n)
{
    return (unsigned)((next_random(&x->state) >> 16) % (n ? n : 1));
}

/* add_real - lines of a packed set of logs, no more than a quarter of the places for one set. */
static void add_real(struct both *x, const char *name, const char *which)
{
    const char *shared = getenv("VONGGAC_SHARED");
    char command[4096], *line = NULL;
    size_t capacity = 0, most = x->n_lines + LINES_MAX / 4;
    snprintf(command, sizeof command, "%s/data/logs/%s", shared ? shared : "../shared", name);
    if (access(command, R_OK)) {
        print_message("skipped: %s is not there\n", command);
        return;
    }
    snprintf(command, sizeof command, "tar -xJOf '%s/data/logs/%s' --wildcards '%s'", shared ? shared : "../shared", name, which);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    for (ssize_t n; (n = getline(&line, &capacity, p)) > 0;) {
        n -= line[n - 1] == '\n';
        if (n < 30 || line[0] == '#' || x->n_lines == most || x->n_lines == LINES_MAX)
            continue;
        char *copy = malloc((size_t)n);
        assert_non_null(copy);
        memcpy(copy, line, (size_t)n);
        x->lines[x->n_lines++] = (struct text){copy, (size_t)n};
    }
    free(line);
    pclose(p);
}

static void both_new(struct both *x)
{
    struct fault f = {0};
    char path[4096];
    const char *source = getenv("VONGGAC_SOURCE");
    *x = (struct both){.names = event_names_new(), .a = {.max = 1 << 20}, .b = {.max = 1 << 20}};
    snprintf(path, sizeof path, "%s/content/decoders", source ? source : ".");
    if (decoders_load(path, x->names, NULL, NULL, &x->decoders, &f))
        fail_msg("%s", f.text);
    x->quick = line_scratch_new(x->decoders);
    x->plain = line_scratch_new(x->decoders);
    x->events = events_new(x->names);
    assert_true(x->quick && x->plain && x->events);
    line_scratch_set_plain(x->plain);
    for (const struct line_test *t = x->decoders->tests; t && x->n_lines < LINES_MAX; t = t->next)
        x->lines[x->n_lines++] = t->text;
    x->n_tests = x->n_lines;
    assert_true(x->n_tests > 80);
    add_real(x, "fail2ban-logs.tar.xz", "*");
    add_real(x, "crowdsec-hub-tests.tar.xz", "*.log");
}

static void both_free(struct both *x)
{
    for (size_t i = x->n_tests; i < x->n_lines; i++) {
        union { /* of our own allocation */
            const char *text;
            char *copy;
        } line = {x->lines[i].p};
        free(line.copy);
    }
    line_scratch_free(x->quick);
    line_scratch_free(x->plain);
    events_free(x->events);
    line_decoders_free(x->decoders);
    event_names_free(x->names);
    buf_fini(&x->a);
    buf_fini(&x->b);
}

static int decode(struct both *x, struct line_scratch *s, struct text line, struct buf *out)
{
    struct line_file file = {0};
    struct line_origin o = {.arrived_us = INT64_C(1717200000000000), .zone_s = ZONE_VIETNAM_S, .file = &file};
    events_clear(x->events);
    buf_clear(out);
    int r = line_decode(x->decoders, s, x->events, line, &o);
    if (r == 0 || r == LINE_KEPT)
        event_json(x->events, 0, out);
    return r;
}

/* compare - unless the quick way ran out of its steps, which all patterns of a line share. */
static void compare(struct both *x, struct text line)
{
    uint64_t before = line_scratch_counts(x->quick)->n_exhausted;
    int r = decode(x, x->quick, line, &x->a);
    if (line_scratch_counts(x->quick)->n_exhausted != before) {
        x->n_exhausted++;
        return;
    }
    int plain = decode(x, x->plain, line, &x->b);
    x->n_compared++;
    x->n_understood += r == 0;
    if (r != plain || x->a.n != x->b.n || memcmp(x->a.p, x->b.p, x->a.n) != 0)
        fail_msg("line: %.*s\nquick %d: %.*s\nplain %d: %.*s", (int)line.n, line.p, r, (int)x->a.n, (char *)x->a.p, plain, (int)x->b.n,
                 (char *)x->b.p);
}

static void both_ways_agree_on_the_lines_of_all_tests(void **state)
{
    (void)state;
    struct both *x = malloc(sizeof *x);
    assert_non_null(x);
    both_new(x);
    for (size_t i = 0; i < x->n_lines; i++)
        compare(x, x->lines[i]);
    printf("%u lines compared, %u understood, %u out of steps\n", x->n_compared, x->n_understood, x->n_exhausted);
    assert_true(x->n_understood > x->n_tests * 9 / 10 && x->n_exhausted == 0);
    both_free(x);
    free(x);
}

/* mutate - @out: room for LINE_BYTES. */
static size_t mutate(struct both *x, char *out)
{
    struct text t = x->lines[random_below(x, x->n_lines)], other = x->lines[random_below(x, x->n_lines)];
    size_t n = t.n < LINE_BYTES / 2 ? t.n : LINE_BYTES / 2, from, length;
    memcpy(out, t.p, n);
    for (unsigned k = 1 + random_below(x, 3); k && n; k--) {
        from = random_below(x, n);
        length = 1 + random_below(x, n - from < 40 ? n - from : 40);
        length = length > n - from ? n - from : length;
        switch (random_below(x, 5)) {
        case 0: out[from] = (char)(1 + random_below(x, 255)); break;
        case 1: out[from] = " :=\"[]{}|,0aA"[random_below(x, 13)]; break;
        case 2: /* gone */
            memmove(out + from, out + from + length, n - from - length);
            n -= length;
            break;
        case 3: /* twice */
            if (n + length < LINE_BYTES) {
                memmove(out + from + length, out + from, n - from);
                n += length;
            }
            break;
        default: /* goes on as another line does */
            length = other.n > from ? other.n - from : 0;
            length = length < LINE_BYTES - from ? length : LINE_BYTES - from;
            memcpy(out + from, other.p + (length ? from : 0), length);
            n = from + length;
        }
    }
    return n;
}

static void both_ways_agree_on_lines_that_went_wrong(void **state)
{
    (void)state;
    struct both *x = malloc(sizeof *x);
    assert_non_null(x);
    both_new(x);
    char line[LINE_BYTES];
    x->state = seed();
    printf("seed %llu\n", (unsigned long long)seed());
    for (unsigned i = 0, n = rounds(3000); i < n; i++)
        compare(x, (struct text){line, mutate(x, line)});
    printf("%u lines compared, %u understood, %u out of steps\n", x->n_compared, x->n_understood, x->n_exhausted);
    assert_true(x->n_understood > x->n_compared / 20 && x->n_exhausted < x->n_compared / 20);
    both_free(x);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_agree_on_the_lines_of_all_tests),
        cmocka_unit_test(both_ways_agree_on_lines_that_went_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
