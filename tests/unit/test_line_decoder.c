/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_house.h"

#include "base/clock.h"
#include "failing_alloc.h"
#include "help_dir.h"
#include "watch/intake/decoders.h"

#include <errno.h>

#include <stdlib.h>
#include <string.h>

static void say(void *context, const char *file, int line, const char *what)
{
    (void)context;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

static const char *decoders_directory(void)
{
    static char path[4096];
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(path, sizeof path, "%s/content/decoders", source ? source : ".");
    return path;
}

static void every_test_in_the_decoder_files_holds(void **state)
{
    (void)state;
    struct fault f = {0};
    struct event_names *names = event_names_new();
    struct line_decoders *d = NULL;
    unsigned n_tests, n_patterns;
    int r = decoders_load(decoders_directory(), names, NULL, NULL, &d, &f);
    if (r)
        fprintf(stderr, "%s\n", f.text);
    assert_int_equal(r, 0);
    unsigned n = line_decoders_count(d, &n_patterns, &n_tests);
    int failures = line_decoders_test(d, say, NULL, &n_tests);
    printf("%u decoders, %u patterns, %u tests\n", n, n_patterns, n_tests);
    assert_int_equal(failures, 0);
    line_decoders_free(d);
    event_names_free(names);
}

/* --- decoders made for a test ----------------------------------------------------------------------- */

struct set {
    struct event_names *names;
    struct line_decoders *decoders;
    struct line_scratch *scratch;
    struct events *events;
    struct line_file file;
};

static int json_of_a_test(void *context, struct events *e, struct text payload)
{
    (*(unsigned *)context)++;
    if (payload.p[payload.n - 1] != '}')
        return 1;
    event_put(e, EV_EVENT_ID, TEXT("from json"));
    return 0;
}

static void set_new(struct set *s, const char *yaml, unsigned *n_json)
{
    struct fault f = {0};
    *s = (struct set){.names = event_names_new()};
    s->decoders = line_decoders_new(s->names);
    line_decoders_set_json(s->decoders, n_json ? json_of_a_test : NULL, n_json);
    if (line_decoders_add(s->decoders, "test.yaml", (struct text){yaml, strlen(yaml)}, &f) || line_decoders_compile(s->decoders, &f))
        fail_msg("%s", f.text);
    s->scratch = line_scratch_new(s->decoders);
    s->events = events_new(s->names);
    assert_non_null(s->scratch);
    assert_non_null(s->events);
}

static void set_free(struct set *s)
{
    line_scratch_free(s->scratch);
    events_free(s->events);
    line_decoders_free(s->decoders);
    event_names_free(s->names);
}

static int decode(struct set *s, const char *line, size_t n)
{
    struct line_origin o = {.arrived_us = INT64_C(1717200000000000), .zone_s = ZONE_VIETNAM_S, .file = &s->file}; /* 2024-06-01 */
    events_clear(s->events);
    return line_decode(s->decoders, s->scratch, s->events, (struct text){line, n}, &o);
}

static void assert_field(const struct set *s, const char *name, const char *want)
{
    char scratch[EVENT_VALUE_TEXT_MAX];
    const struct event_value *v = event_get(s->events, 0, event_names_find(s->names, (struct text){name, strlen(name)}));
    struct text is = v ? event_value_text(s->events, v, scratch) : (struct text){"", 0};
    if (!text_is(is, want))
        fail_msg("%s: want '%s', is '%.*s'", name, want, (int)is.n, is.p);
}

static void what_is_wrong_in_a_file_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *said;
    } cases[] = {
        {"decoder: a\npatterns:\n  - 'x {user.name'\n", "t.yaml:3:"},
        {"decoder: a\npatterns:\n  - 'x'\n  - '{?x'\n", "t.yaml:4:"},
        {"decoder: a\npatterns: ['{user.name:thing}']\n", "t.yaml:2:"},
        {"decoder: a\npatterns: ['{:a||b}']\n", "t.yaml:2:"},
        {"decoder: a\nwhatever: b\npatterns: [x]\n", "t.yaml:2:"},
        {"decoder: a\n", "t.yaml:1:"},
        {"patterns: [x]\n", "t.yaml:1:"},
        {"decoder: a\npatterns: [x]\n---\ndecoder: a\npatterns: [x]\n", "t.yaml:4:"},
        {"decoder: a\npatterns: [x\n", "t.yaml:3:"},
        {"decoder: &a {b: *a}\n", "t.yaml:1:"},
        {"decoder: a\nfields: {k: 'x.y:none'}\npatterns: [x]\n", "t.yaml:2:"},
        {"- a\n- b\n", "t.yaml:1:"},
        {"decoder: a\npatterns: ['{?{?{?{?{?x}}}}}']\n", "t.yaml:2:"},
    };
    struct event_names *names = event_names_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct line_decoders *d = line_decoders_new(names);
        struct fault f = {0};
        assert_int_equal(line_decoders_add(d, "t.yaml", (struct text){cases[i].yaml, strlen(cases[i].yaml)}, &f), 1);
        if (strncmp(f.text, cases[i].said, strlen(cases[i].said)) != 0)
            fail_msg("%s\nsaid: %s", cases[i].yaml, f.text);
        unsigned n_patterns, n_tests;
        assert_int_equal(line_decoders_count(d, &n_patterns, &n_tests), 0); /* nothing of it stays */
        assert_int_equal(n_patterns, 0);
        line_decoders_free(d);
    }
    event_names_free(names);
}

static void the_longer_and_the_shorter_text_are_told_apart(void **state)
{
    (void)state;
    struct set s;
    set_new(&s, "decoder: d\npatterns:\n  - 'short {a:text} from {b:text}'\n  - 'long {a:long} from {b:text}'\n"
                "  - 'opt{? {a:int}}{?: {b:word}}'\n  - 'con {a:=one two} {b:x|yy}'\n", NULL);
    assert_int_equal(decode(&s, "short x from y from z", 21), 0);
    assert_field(&s, "a", "x");
    assert_int_equal(decode(&s, "long x from y from z", 20), 0);
    assert_field(&s, "a", "x from y");
    assert_int_equal(decode(&s, "opt 12: w", 9), 0);
    assert_field(&s, "a", "12");
    assert_field(&s, "b", "w");
    assert_int_equal(decode(&s, "opt: w", 6), 0);
    assert_field(&s, "a", "");
    assert_int_equal(decode(&s, "opt 1x", 6), LINE_KEPT);
    assert_int_equal(decode(&s, "con one two yy", 14), 0);
    assert_field(&s, "b", "yy");
    set_free(&s);
}

static void a_pattern_and_a_line_made_to_explode_run_out_of_steps(void **state)
{
    (void)state;
    struct set s;
    char line[60000];
    memset(line, 'a', sizeof line);
    set_new(&s, "decoder: d\npatterns: ['{*}a{*}a{*}a{*}a{*}a{*}a{*}a{*}aaab']\n", NULL);
    memcpy(line + sizeof line - 6, "aaabaa", 6);
    assert_int_equal(decode(&s, line, sizeof line), LINE_KEPT);
    assert_int_equal(line_scratch_counts(s.scratch)->n_exhausted, 1);
    assert_int_equal(event_original(s.events, 0).n, sizeof line);
    set_free(&s);
}

static void lines_of_quotes_alone_take_no_longer_than_their_length(void **state)
{
    (void)state;
    struct set s;
    const size_t n = (size_t)1 << 20;
    char *line = malloc(n + 1);
    assert_non_null(line);
    for (size_t i = 0; i < n; i++)
        line[i] = "\\\""[i % 2];
    set_new(&s, "decoder: d\npatterns: ['{*}{a:quoted}x{*}{b:quoted}y']\n---\ndecoder: k\npatterns: ['K{:kv}']\n", NULL);
    int64_t from = clock_steady_us();
    assert_int_equal(decode(&s, line, n), LINE_KEPT);
    for (size_t i = 1; i < n; i++)
        line[i] = "a=\""[i % 3];
    line[0] = 'K';
    assert_in_range(decode(&s, line, n), 0, LINE_KEPT);
    assert_int_equal(decode(&s, line, n + 1), LINE_KEPT); /* longer than any pattern sees */
    assert_true(clock_steady_us() - from < 20 * US_PER_SECOND);
    set_free(&s);
    free(line);
}

static void the_columns_of_a_w3c_file_are_those_it_names(void **state)
{
    (void)state;
    struct set s;
    set_new(&s, "decoder: iis\nformat: w3c\nrequire: [c-ip]\nfields: {date: '@date', time: '@time', c-ip: source.ip}\n", NULL);
    assert_int_equal(decode(&s, "2024-05-01 01:02:03 192.0.2.1", 29), LINE_KEPT); /* nothing has been named yet */
    assert_int_equal(decode(&s, "#Fields: c-ip time date x", 25), 0);
    assert_int_equal(decode(&s, "192.0.2.1 01:02:03 2024-05-01 y z", 33), 0);
    assert_field(&s, "source.ip", "192.0.2.1");
    assert_int_equal(s.events->time_us[0], INT64_C(1714525323000000)); /* date -ud '2024-05-01 01:02:03' +%s */
    assert_int_equal(decode(&s, "#Fields: other columns", 22), LINE_KEPT);
    assert_int_equal(decode(&s, "192.0.2.1 01:02:03 2024-05-01 y z", 33), LINE_KEPT);
    set_free(&s);
}

static void json_behind_a_header_is_handed_over(void **state)
{
    (void)state;
    struct set s;
    unsigned n = 0;
    static const char good[] = "<13>Jun  1 10:00:00 h app: {\"a\":1}", bad[] = "<13>Jun  1 10:00:00 h app: {\"a\":1";
    set_new(&s, "decoder: d\npatterns: ['nothing like it']\n", &n);
    assert_int_equal(decode(&s, good, sizeof good - 1), 0);
    assert_field(&s, "event.id", "from json");
    assert_field(&s, "process.name", "app");
    assert_int_equal(decode(&s, bad, sizeof bad - 1), LINE_KEPT);
    assert_int_equal(n, 2);
    set_free(&s);
}

/* --- whatever the line ------------------------------------------------------------------------------ */

static struct text random_line(uint64_t *random, char *out, size_t room)
{
    static const char *const pieces[] = {"<13>", "1 ", "2024-05-01T08:00:00Z ", "Feb 29 10:00:00 ", "h sshd[1]: ", "Failed password for ",
        " from 192.0.2.1", " port 22", "CEF:0|a|b|", "k=v ", "msg='", "\"", "[17/May/2024:10:05:03 +0700] ", "- - ", "\xff\xfe", "\t",
        "#Fields: date time c-ip cs-method sc-status ", "date=2024-01-01 devid=x type=y logid=z ", "%ASA-6-302013: ", "{", "}", "::", "type=A msg=audit(1:2): "};
    size_t n = 0;
    for (uint64_t k = help_random(random) % 12; k; k--) {
        const char *piece = pieces[help_random(random) % COUNT_OF(pieces)];
        size_t length = strlen(piece);
        if (n + length + 1 > room)
            break;
        memcpy(out + n, piece, length);
        n += length;
        if (help_random(random) % 4 == 0)
            out[n++] = (char)(help_random(random) % 255 + 1);
    }
    return (struct text){out, n};
}

static void every_line_is_understood_or_kept_and_its_original_untouched(void **state)
{
    (void)state;
    struct fault f = {0};
    struct set s = {.names = event_names_new()};
    uint64_t random = seed();
    assert_int_equal(decoders_load(decoders_directory(), s.names, NULL, NULL, &s.decoders, &f), 0);
    s.scratch = line_scratch_new(s.decoders);
    s.events = events_new(s.names);
    for (unsigned i = 0; i < rounds(3000); i++) {
        char bytes[600];
        uint64_t before = random;
        struct text line = random_line(&random, bytes, sizeof bytes);
        int r = decode(&s, line.p, line.n);
        while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
            line.n--;
        bool is_right = r == LINE_EMPTY ? s.events->n == 0 : (r == 0 || r == LINE_KEPT) && s.events->n == 1;
        if (is_right && s.events->n)
            is_right = text_equal(event_original(s.events, 0), line) && s.events->time_us[0] != EVENT_NO_TIME &&
                       !!event_get(s.events, 0, EV_EVENT_DECODER) == (r == 0);
        if (!is_right)
            fail_msg("VONGGAC_SEED=%llu: %.*s", (unsigned long long)before, (int)line.n, line.p);
    }
    const struct line_counts *c = line_scratch_counts(s.scratch);
    assert_int_equal(c->n_lines, c->n_understood + c->n_kept + c->n_empty);
    set_free(&s);
}

/* --- drafts ----------------------------------------------------------------------------------------- */

static void a_draft_is_a_decoder_that_understands_its_line(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "<13>Jun  1 10:00:00 h newd[7]: Login of user lan from 203.0.113.4:5000 refused, code 17 ('bad \"thing\"')",
        "<13>Jun  1 10:00:00 h newd: {odd} 'quoted' 192.0.2.1 -> 192.0.2.2 took 12 ms",
        "<13>Jun  1 10:00:00 h newd: a=1 b=2 c=x d=\"y z\"",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct buf out = {.max = 65536};
        struct line_clock clock = {.arrived_us = INT64_C(1717200000000000), .zone_s = ZONE_VIETNAM_S};
        line_draft((struct text){lines[i], strlen(lines[i])}, &clock, &out);
        buf_add_byte(&out, 0);
        struct set s;
        unsigned n_tests;
        set_new(&s, (const char *)out.p, NULL);
        assert_int_equal(line_decoders_test(s.decoders, say, NULL, &n_tests), 0);
        assert_int_equal(n_tests, 1);
        if (!i) {
            assert_int_equal(decode(&s, lines[i], strlen(lines[i])), 0);
            assert_field(&s, "user.name", "lan");
            assert_field(&s, "source.ip", "203.0.113.4");
            assert_field(&s, "source.port", "5000");
        }
        set_free(&s);
        buf_fini(&out);
    }
}

static int build_and_decode(void *context)
{
    static const char yaml[] = "decoder: d\nset: {a.b: c}\nmap: [{from: x, to: y, values: {a: b}}]\nfields: {k: v}\n"
                               "patterns: ['a{x:word}b {:kv}']\ntests: [{line: a}]\n";
    struct fault f = {0};
    struct event_names *names = context;
    struct line_decoders *d = line_decoders_new(names);
    int r = d ? line_decoders_add(d, "t", (struct text){yaml, sizeof yaml - 1}, &f) : -ENOMEM;
    if (!r)
        r = line_decoders_compile(d, &f);
    struct line_scratch *s = r ? NULL : line_scratch_new(d);
    struct events *e = s ? events_new(names) : NULL;
    struct line_origin o = {.arrived_us = 1};
    if (!r)
        r = e ? line_decode(d, s, e, TEXT("axb k=v"), &o) : -ENOMEM;
    assert_true(!e || e->n == (r >= 0));
    events_free(e);
    line_scratch_free(s);
    line_decoders_free(d);
    return r;
}

static void out_of_memory_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    struct event_names *names = event_names_new();
    assert_non_null(names);
    assert_in_range(failing_alloc_each("decoders", build_and_decode, names, true), 5, 1000);
    event_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_test_in_the_decoder_files_holds),
        cmocka_unit_test(what_is_wrong_in_a_file_is_told_with_its_line),
        cmocka_unit_test(the_longer_and_the_shorter_text_are_told_apart),
        cmocka_unit_test(a_pattern_and_a_line_made_to_explode_run_out_of_steps),
        cmocka_unit_test(lines_of_quotes_alone_take_no_longer_than_their_length),
        cmocka_unit_test(the_columns_of_a_w3c_file_are_those_it_names),
        cmocka_unit_test(json_behind_a_header_is_handed_over),
        cmocka_unit_test(every_line_is_understood_or_kept_and_its_original_untouched),
        cmocka_unit_test(a_draft_is_a_decoder_that_understands_its_line),
        cmocka_unit_test(out_of_memory_is_told_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
