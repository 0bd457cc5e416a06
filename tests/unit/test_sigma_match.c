/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every modifier, value and condition of the Sigma specification 2.1.0: a detection, an event, whether it matches.
 * Expected values are those of the specification's text; encodings were computed with coreutils' base64 and iconv.
 */
#include "sigma_help.h"

struct fixture {
    struct help_dir dir;
    struct event_names *names;
};

static const char pipeline[] =
    "sources:\n"
    "  - product: test\n"
    "    when: {kind: test}\n"
    "    fields:\n"
    "      Mapped: [first.name, second.name]\n"
    "      '*': ['own.*', 'winlog.user_data.**.*']\n"
    "placeholders:\n"
    "  Servers: ['srv*', 'db-1']\n"
    "  Nets: ['10.0.0.0/8', '192.168.1.0/24']\n"
    "  Words: ['a.c', 'x+y']\n";

static int set_up(void **context)
{
    static struct fixture f;
    char path[512];
    f.dir = help_dir_new();
    snprintf(path, sizeof path, "%s/test.yaml", f.dir.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(pipeline, file);
    fclose(file);
    f.names = event_names_new();
    *context = &f;
    return 0;
}

static int tear_down(void **context)
{
    struct fixture *f = *context;
    event_names_free(f->names);
    help_dir_free(&f->dir);
    return 0;
}

static struct sigma_rules *rules_of(struct fixture *f, const char *text)
{
    struct sigma_load load = {.pipelines = f->dir.path, .names = f->names};
    struct sigma_rules *rules;
    struct fault fault;
    if (sigma_rules_parse(&load, "test", help_text(text), &rules, &fault))
        fail_msg("%s", fault.text);
    return rules;
}

/* matches - whether @detection (lines below "detection:") holds for the event. */
static bool matches(struct fixture *f, const char *detection, const char *event)
{
    char text[8192], json[8192];
    static struct sigma_help_hits hits;
    snprintf(text, sizeof text, "title: t\nlogsource: {product: test}\ndetection:\n%s\n", detection);
    snprintf(json, sizeof json, "{\"kind\": \"test\"%s%s}", *event ? ", " : "", event);
    struct sigma_rules *rules = rules_of(f, text);
    uint32_t n;
    const struct sigma_checked *c = sigma_rules_checked(rules, &n);
    assert_int_equal(n, 1);
    if (c[0].reason)
        fail_msg("%s\nrefused in line %u: %s %s", text, c[0].line, sigma_reason_name(c[0].reason), c[0].detail);
    struct events *e = events_new(f->names);
    help_event_text(e, json);
    struct sigma_matcher *m = sigma_matcher_new(rules);
    hits.n = 0;
    assert_int_equal(sigma_match(m, e, help_hit, &hits), 0);
    sigma_matcher_free(m);
    events_free(e);
    sigma_rules_free(rules);
    return hits.n == 1;
}

struct row {
    const char *detection, *event;
    bool expected;
};

static void run(struct fixture *f, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (matches(f, rows[i].detection, rows[i].event) != rows[i].expected)
            fail_msg("row %zu: should %s:\n%s\n%s", i, rows[i].expected ? "match" : "not match", rows[i].detection, rows[i].event);
}

/* one field, condition added */
#define S(item) "  s:\n    " item "\n  condition: s"

static void plain_values_are_compared_without_case_and_whole(void **context)
{
    static const struct row rows[] = {
        {S("F: cmd.exe"), "\"F\": \"CMD.exe\"", true},
        {S("F: cmd.exe"), "\"F\": \"cmd.exe \"", false},
        {S("F: cmd.exe"), "\"F\": \"xcmd.exe\"", false},
        {S("F: cmd.exe"), "\"G\": \"cmd.exe\"", false},
        {S("F: 4688"), "\"F\": 4688", true},
        {S("F: 4688"), "\"F\": \"4688\"", true},
        {S("F: '4688'"), "\"F\": 4688", true},
        {S("F: 0x10"), "\"F\": \"16\"", true},
        {S("F: '0x10'"), "\"F\": \"0X10\"", true},
        {S("F: -5"), "\"F\": -5", true},
        {S("F: 1.5"), "\"F\": 1.5", true},
        {S("F: true"), "\"F\": true", true},
        {S("F: true"), "\"F\": \"True\"", true},
        {S("F: 'true'"), "\"F\": true", true},
        {S("F: [a, b]"), "\"F\": \"B\"", true},
        {S("F: [a, b]"), "\"F\": \"c\"", false},
        {S("F: b"), "\"F\": [\"a\", \"b\"]", true},
        {S("F: ĐIỆN BIÊN ÄÖÜ ПРИВЕТ Σ"), "\"F\": \"điện biên äöü привет σ\"", true},
        {S("{F: a, G: b}"), "\"F\": \"a\", \"G\": \"b\"", true},
        {S("{F: a, G: b}"), "\"F\": \"a\", \"G\": \"c\"", false},
        {S("- F: a\n    - G: b"), "\"F\": \"x\", \"G\": \"b\"", true},
        {S("- {F: a, H: c}\n    - G: b"), "\"F\": \"a\", \"G\": \"x\"", false},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void wildcards_and_their_escapes_are_as_specified(void **context)
{
    static const struct row rows[] = {
        {S("F: 'prog?.exe'"), "\"F\": \"progA.exe\"", true},
        {S("F: 'prog?.exe'"), "\"F\": \"prog.exe\"", false},
        {S("F: 'prog?.exe'"), "\"F\": \"progệ.exe\"", true},
        {S("F: 'antivirus_V*.exe'"), "\"F\": \"antivirus_V21.2.1.exe\"", true},
        {S("F: 'antivirus_V*.exe'"), "\"F\": \"antivirus_V.exe\"", true},
        {S("F: 'a*b*c'"), "\"F\": \"aXbbYc\"", true},
        {S("F: 'a*b*c'"), "\"F\": \"aXbbYcd\"", false},
        {S("F: '*ab'"), "\"F\": \"aab\"", true},
        {S("F: 'ab*'"), "\"F\": \"ab\"", true},
        {S("F: '*'"), "\"F\": \"x\"", true},
        {S("F: '*'"), "\"F\": \"\"", true},
        {S("F: '*'"), "\"G\": \"x\"", false},
        {S("F: '?'"), "\"F\": \"\"", false},
        /* a plain backslash may be single or doubled */
        {S("F: 'C:\\Windows\\x.exe'"), "\"F\": \"C:\\\\Windows\\\\x.exe\"", true},
        {S("F: 'C:\\\\Windows\\\\x.exe'"), "\"F\": \"C:\\\\Windows\\\\x.exe\"", true},
        {S("F: 'a\\*b'"), "\"F\": \"a*b\"", true},
        {S("F: 'a\\*b'"), "\"F\": \"axb\"", false},
        {S("F: 'a\\?b'"), "\"F\": \"a?b\"", true},
        {S("F: 'a\\?b'"), "\"F\": \"axb\"", false},
        {S("F: 'a\\\\*'"), "\"F\": \"a\\\\anything\"", true},
        {S("F: 'a\\\\*'"), "\"F\": \"a*\"", false},
        {S("F: 'a\\\\\\*'"), "\"F\": \"a\\\\*\"", true},
        {S("F: 'a\\\\\\*'"), "\"F\": \"a\\\\b\"", false},
        {S("F: 'a\\\\\\b'"), "\"F\": \"a\\\\\\\\b\"", true},   /* three */
        {S("F: 'a\\\\\\\\b'"), "\"F\": \"a\\\\\\\\b\"", true}, /* four: two */
        {S("F|contains: 'a*c'"), "\"F\": \"xxabcxx\"", true},
        {S("F|contains: 'a?c'"), "\"F\": \"xxacxx\"", false},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void places_of_a_value_are_start_end_or_anywhere(void **context)
{
    static const struct row rows[] = {
        {S("F|contains: mimi"), "\"F\": \"a MIMIKATZ\"", true},
        {S("F|contains: mimi"), "\"F\": \"mim i\"", false},
        {S("F|startswith: adm"), "\"F\": \"Administrator\"", true},
        {S("F|startswith: adm"), "\"F\": \"xadm\"", false},
        {S("F|endswith: '\\cmd.exe'"), "\"F\": \"C:\\\\x\\\\cmd.exe\"", true},
        {S("F|endswith: '\\cmd.exe'"), "\"F\": \"C:\\\\x\\\\cmd.exe2\"", false},
        {S("F|contains|all: [a1, b2]"), "\"F\": \"xb2xa1\"", true},
        {S("F|contains|all: [a1, b2]"), "\"F\": \"xb2x\"", false},
        {S("F|all|contains: [a1, b2]"), "\"F\": \"xb2xa1\"", true},
        {S("F|contains: 445"), "\"F\": 14456", true},
        {S("F|contains: ''"), "\"F\": \"x\"", true},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void cased_neq_and_exists(void **context)
{
    static const struct row rows[] = {
        {S("F|cased: Ab"), "\"F\": \"Ab\"", true},
        {S("F|cased: Ab"), "\"F\": \"ab\"", false},
        {S("F|contains|cased: Ab"), "\"F\": \"xAbx\"", true},
        {S("F|contains|cased: Ab"), "\"F\": \"xabx\"", false},
        {S("F|cased|startswith: Ab"), "\"F\": \"AbC\"", true},
        {S("F|neq: a"), "\"F\": \"b\"", true},
        {S("F|neq: a"), "\"F\": \"A\"", false},
        {S("F|neq: [a, b]"), "\"F\": \"b\"", false},
        {S("F|neq: [a, b]"), "\"F\": \"c\"", true},
        {S("F|contains|neq: a"), "\"F\": \"bbb\"", true},
        {S("F|neq: 5"), "\"F\": 5", false},
        {S("F|exists: true"), "\"F\": \"\"", true},
        {S("F|exists: true"), "\"F\": null", true},
        {S("F|exists: yes"), "\"G\": 1", false},
        {S("{F|exists: false, G: 1}"), "\"G\": 1", true},
        {S("{F|exists: false, G: 1}"), "\"G\": 1, \"F\": 2", false},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void null_and_empty_are_told_apart(void **context)
{
    static const struct row rows[] = {
        {S("{F: null, G: 1}"), "\"G\": 1", true},
        {S("{F: null, G: 1}"), "\"G\": 1, \"F\": null", true},
        {S("{F: null, G: 1}"), "\"G\": 1, \"F\": \"\"", false},
        {S("{F: null, G: 1}"), "\"G\": 1, \"F\": \"x\"", false},
        {S("{F: ~, G: 1}"), "\"G\": 1", true},
        {S("{F: '', G: 1}"), "\"G\": 1, \"F\": \"\"", true},
        {S("{F: '', G: 1}"), "\"G\": 1", false},
        {S("{F: '', G: 1}"), "\"G\": 1, \"F\": \"x\"", false},
        {S("{F: 'null', G: 1}"), "\"G\": 1, \"F\": \"NULL\"", true},
        {"  s: {G: 1}\n  f: {F: null}\n  condition: s and not f", "\"G\": 1, \"F\": 2", true},
        {"  s: {G: 1}\n  f: {F: null}\n  condition: s and not f", "\"G\": 1", false},
        {"  s: {G: 1}\n  e1: {F: ''}\n  e2: {F: null}\n  condition: s and 1 of e*", "\"G\": 1", true},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void encodings_are_those_of_the_standards(void **context)
{
    static const struct row rows[] = {
        {S("F|base64: foobar"), "\"F\": \"Zm9vYmFy\"", true},
        {S("F|base64|contains: /bin/sh"), "\"F\": \"xx L2Jpbi9zaA==\"", true},
        /* "http://" at offsets 0, 1, 2 */
        {S("F|base64offset|contains: 'http://'"), "\"F\": \"aHR0cDovL2E=\"", true},
        {S("F|base64offset|contains: 'http://'"), "\"F\": \"eGh0dHA6Ly9h\"", true},
        {S("F|base64offset|contains: 'http://'"), "\"F\": \"eHhodHRwOi8vYQ==\"", true},
        {S("F|base64offset|contains: 'http://'"), "\"F\": \"aHR0cHM6Ly9h\"", false},
        {S("F|wide|base64offset|contains: 'IEX'"), "\"F\": \"powershell -e SQBFAFgAIAA=\"", true},
        {S("F|utf16le|base64|contains: 'IEX'"), "\"F\": \"SQBFAFgA\"", true},
        {S("F|utf16be|base64|contains: 'IEX'"), "\"F\": \"AEkARQBY\"", true},
        {S("F|utf16|base64|contains: 'IEX'"), "\"F\": \"//5JAEUAWAA=\"", true},
        {S("F|wide|contains: cmd"), "\"F\": \"xc\\u0000m\\u0000d\\u0000\"", true},
        {S("F|utf16be|contains: cmd"), "\"F\": \"\\u0000c\\u0000m\\u0000d\"", true},
        {S("F|base64offset|contains|all: ['http://', 'abc']"), "\"F\": \"aHR0cDovL2E= YWJj\"", true},
        {S("F|base64offset|contains|all: ['http://', 'abc']"), "\"F\": \"aHR0cDovL2E=\"", false},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void windash_stands_for_every_dash_and_slash(void **context)
{
    static const struct row rows[] = {
        {S("F|windash|contains: ' -f'"), "\"F\": \"x -f y\"", true},
        {S("F|windash|contains: ' -f'"), "\"F\": \"x /f y\"", true},
        {S("F|windash|contains: ' -f'"), "\"F\": \"x –f y\"", true},
        {S("F|windash|contains: ' -f'"), "\"F\": \"x —f y\"", true},
        {S("F|windash|contains: ' -f'"), "\"F\": \"x ―f y\"", true},
        {S("F|windash|contains: ' /f'"), "\"F\": \"x -F y\"", true},
        {S("F|windash|contains: ' -f'"), "\"F\": \"x +f y\"", false},
        {S("F|contains|all|windash: ['-a', '-b']"), "\"F\": \"/b –a\"", true},
        {S("F|contains|all|windash: ['-a', '-b']"), "\"F\": \"/b\"", false},
        {S("F|windash: '-a -b'"), "\"F\": \"/a –b\"", true},
        {S("F|windash|endswith: ' -s'"), "\"F\": \"cmd –s\"", true},
        {S("F|windash|startswith: '-s'"), "\"F\": \"—sx\"", true},
        {S("F|windash|contains: '–x'"), "\"F\": \"-x\"", true},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void regular_expressions_are_searched_with_case_unless_told(void **context)
{
    static const struct row rows[] = {
        {S("F|re: 'a[0-9]+b'"), "\"F\": \"xa42bx\"", true},
        {S("F|re: 'a[0-9]+b'"), "\"F\": \"xA42bx\"", false},
        {S("F|re|i: 'a[0-9]+b'"), "\"F\": \"xA42Bx\"", true},
        {S("F|re: '^abc$'"), "\"F\": \"abc\"", true},
        {S("F|re: '^abc$'"), "\"F\": \"x\\nabc\\ny\"", false},
        {S("F|re|m: '^abc$'"), "\"F\": \"x\\nabc\\ny\"", true},
        {S("F|re: 'a.c'"), "\"F\": \"a\\nc\"", false},
        {S("F|re|s: 'a.c'"), "\"F\": \"a\\nc\"", true},
        {S("F|re|i|s|m: '^A.c$'"), "\"F\": \"x\\na\\nC\"", true},
        {S("F|re: '\\d{3}\\.exe'"), "\"F\": \"123.exe\"", true},
        {S("F|re: '(foo|bar)baz'"), "\"F\": \"barbaz\"", true},
        {S("F|re|all: [foo, bar]"), "\"F\": \"barfoo\"", true},
        {S("F|re|all: [foo, bar]"), "\"F\": \"bar\"", false},
        {S("F|re: '\\\\temp\\\\'"), "\"F\": \"c:\\\\temp\\\\x\"", true},
        {S("F|re: 'colou?r'"), "\"F\": \"color\"", true},
        {S("F|re: 'ab*c'"), "\"F\": \"ac\"", true},
        {S("F|re: 'x{0}yz'"), "\"F\": \"yz\"", true},
        {S("F|re: '(?i)MiMi'"), "\"F\": \"mimi\"", true},
        {S("F|re|i: 'kernel'"), "\"F\": \"\u212aernel\"", true}, /* the Kelvin sign is a k without case */
    };
    run(*context, rows, COUNT_OF(rows));
}

static void networks_numbers_and_times_are_compared_as_such(void **context)
{
    static const struct row rows[] = {
        {S("F|cidr: 10.0.0.0/8"), "\"F\": \"10.1.2.3\"", true},
        {S("F|cidr: 10.0.0.0/8"), "\"F\": \"11.1.2.3\"", false},
        {S("F|cidr: [10.0.0.0/8, 192.168.0.0/16]"), "\"F\": \"192.168.7.7\"", true},
        {S("F|cidr: 'fe80::/10'"), "\"F\": \"fe80::1\"", true},
        {S("F|cidr: '::/0'"), "\"F\": \"10.1.1.1\"", false},
        {S("F|cidr: '::1/128'"), "\"F\": \"0:0:0:0:0:0:0:1\"", true},
        {S("F|cidr: 10.0.0.0/8"), "\"F\": \"host\"", false},
        {S("F|lt: 5"), "\"F\": 4", true},
        {S("F|lt: 5"), "\"F\": 5", false},
        {S("F|lte: 5"), "\"F\": 5", true},
        {S("F|gt: 5"), "\"F\": \"6\"", true},
        {S("F|gt: 5"), "\"F\": 5", false},
        {S("F|gte: 5.5"), "\"F\": 5.5", true},
        {S("F|gte: 10"), "\"F\": \"9\"", false}, /* numbers, not texts */
        {S("F|gt: -3"), "\"F\": -2", true},
        {S("F|gt: 5"), "\"F\": \"many\"", false},
        {S("F|gte: 16"), "\"F\": \"0x10\"", true},
        {S("F|minute: 31"), "\"F\": \"2024-02-29 08:31:07\"", true},
        {S("F|hour: 8"), "\"F\": \"2024-02-29T08:31:07Z\"", true},
        {S("F|day: 29"), "\"F\": \"2024-02-29\"", true},
        {S("F|month: 2"), "\"F\": \"2024-02-29 08:31:07.123\"", true},
        {S("F|year: 2024"), "\"F\": \"2024-02-29T08:31:07+07:00\"", true},
        {S("F|hour|gte: 20"), "\"F\": \"2024-02-29 21:00:00\"", true},
        {S("F|hour|gte: 20"), "\"F\": \"2024-02-29 08:00:00\"", false},
        {S("F|hour: [8, 9]"), "\"F\": \"2024-02-29 09:00\"", true},
        /* ISO weeks, by GNU date +%V */
        {S("F|week: 9"), "\"F\": \"2024-02-29\"", true},
        {S("F|week: 1"), "\"F\": \"2024-12-30\"", true},
        {S("F|week: 53"), "\"F\": \"2021-01-03\"", true},
        {S("F|week: 52"), "\"F\": \"2022-01-01\"", true},
        {S("F|week: 1"), "\"F\": \"2026-01-01\"", true},
        {S("F|minute: 0"), "\"F\": \"2024-02-29\"", false},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void fields_are_compared_with_other_fields(void **context)
{
    static const struct row rows[] = {
        {S("F|fieldref: G"), "\"F\": \"Ab\", \"G\": \"aB\"", true},
        {S("F|fieldref: G"), "\"F\": \"a\", \"G\": \"b\"", false},
        {S("F|fieldref: G"), "\"F\": \"a\"", false},
        {S("F|fieldref|cased: G"), "\"F\": \"Ab\", \"G\": \"aB\"", false},
        {S("F|fieldref|startswith: G"), "\"F\": \"abc\", \"G\": \"AB\"", true},
        {S("F|startswith|fieldref: G"), "\"F\": \"ab\", \"G\": \"abc\"", false},
        {S("F|fieldref|endswith: G"), "\"F\": \"abc\", \"G\": \"bc\"", true},
        {S("F|fieldref|contains: G"), "\"F\": \"abcd\", \"G\": \"bc\"", true},
        {S("F|fieldref|neq: G"), "\"F\": \"a\", \"G\": \"b\"", true},
        {S("F|fieldref|neq: G"), "\"F\": \"a\", \"G\": \"A\"", false},
        {S("F|fieldref: G"), "\"F\": 5, \"G\": \"5\"", true},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void placeholders_become_the_values_of_the_site(void **context)
{
    static const struct row rows[] = {
        {S("F|expand: '%Servers%'"), "\"F\": \"SRV-7\"", true},
        {S("F|expand: '%Servers%'"), "\"F\": \"db-1\"", true},
        {S("F|expand: '%Servers%'"), "\"F\": \"pc-1\"", false},
        {S("F: '%Servers%'"), "\"F\": \"%servers%\"", true},
        {S("F|expand: 'x-%Servers%-y'"), "\"F\": \"x-srv9-y\"", true},
        {S("F|expand|contains: '%Servers%'"), "\"F\": \"on db-1 now\"", true},
        {S("F|contains|expand: '%Servers%'"), "\"F\": \"on db-1 now\"", true},
        {S("F|expand: '\\%plain%Servers%'"), "\"F\": \"%plainsrv1\"", true},
        {S("F|expand: '%Servers%/%Servers%'"), "\"F\": \"db-1/srv5\"", true},
        {S("F|cidr|expand: '%Nets%'"), "\"F\": \"192.168.1.77\"", true},
        {S("F|cidr|expand: '%Nets%'"), "\"F\": \"192.168.2.77\"", false},
        {S("F|re|expand: '^%Words%$'"), "\"F\": \"abc\"", true},
        {S("F|re|expand: '^%Words%$'"), "\"F\": \"xxy\"", true},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void keywords_are_looked_for_in_the_whole_event(void **context)
{
    static const struct row rows[] = {
        {"  keywords: [EVILSERVICE, 'svchost.exe -n evil']\n  condition: keywords", "\"F\": \"run svchost.exe -n EVIL now\"", true},
        {"  keywords: [EVILSERVICE, 'svchost.exe -n evil']\n  condition: keywords", "\"F\": \"svchost\"", false},
        {"  keywords: [evil]\n  condition: keywords", "\"event.original\": \"raw line with Evil inside\"", true},
        {"  keywords: [evil]\n  condition: keywords", "\"a.b.c\": [\"x\", \"y evil\"]", true},
        {"  keywords: ['a*c']\n  condition: keywords", "\"F\": \"xx abbbc yy\"", true},
        {"  keywords:\n    '|all': [one, two]\n  condition: keywords", "\"F\": \"one\", \"G\": \"TWO\"", true},
        {"  keywords:\n    '|all': [one, two]\n  condition: keywords", "\"F\": \"one\"", false},
        {"  keywords:\n    '|re': ['ev[i1]l']\n  condition: keywords", "\"F\": \"ev1l\"", true},
        {"  keywords: [4711]\n  condition: keywords", "\"F\": 4711", true},
        {"  keywords: evil\n  condition: keywords", "\"F\": \"evil\"", true},
        {"  keywords:\n    - evil\n    - F: x\n  condition: keywords", "\"F\": \"x\"", true},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void conditions_bind_as_specified(void **context)
{
    static const char *const names = "  a: {A: 1}\n  b: {B: 1}\n  c: {C: 1}\n  _d: {D: 1}\n  condition: ";
    static const struct {
        const char *condition, *event;
        bool expected;
    } rows[] = {
        {"a or b and c", "\"A\": 1", true},
        {"a or b and c", "\"B\": 1", false},
        {"(a or b) and c", "\"A\": 1", false},
        {"(a or b) and c", "\"A\": 1, \"C\": 1", true},
        {"not a and b", "\"B\": 1", true},
        {"not (a and b)", "\"B\": 1", true},
        {"not a or b", "\"A\": 1, \"B\": 1", true},
        {"a and not b", "\"A\": 1, \"B\": 1", false},
        {"a and not not b", "\"A\": 1, \"B\": 1", true},
        {"1 of them", "\"C\": 1", true},
        {"1 of them", "\"D\": 1", false},
        {"any of them", "\"B\": 1", true},
        {"all of them", "\"A\": 1, \"B\": 1, \"C\": 1", true},
        {"all of them", "\"A\": 1, \"B\": 1", false},
        {"1 of a*", "\"A\": 1", true},
        {"1 of _*", "\"D\": 1", true},
        {"all of *", "\"A\": 1, \"B\": 1, \"C\": 1", false},
        {"a AND b OR c", "\"C\": 1", true},
        {"((a))", "\"A\": 1", true},
        {"[a and b, c]", "\"C\": 1", true},
        {"a and 1 of b* and not 1 of c*", "\"A\": 1, \"B\": 1", true},
        {"a and 1 of b* and not 1 of c*", "\"A\": 1, \"B\": 1, \"C\": 1", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", names, rows[i].condition);
        if (matches(*context, text, rows[i].event) != rows[i].expected)
            fail_msg("row %zu: %s with %s", i, rows[i].condition, rows[i].event);
    }
}

static void fields_go_through_the_pipeline_the_first_present_counts(void **context)
{
    static const struct row rows[] = {
        {S("Mapped: x"), "\"first.name\": \"x\"", true},
        {S("Mapped: x"), "\"second.name\": \"x\"", true},
        {S("Mapped: x"), "\"first.name\": \"y\", \"second.name\": \"x\"", false},
        {S("Other: x"), "\"own.Other\": \"x\"", true},
        {S("Other: x"), "\"Other\": \"x\"", true},
        {S("Other: x"), "\"own.Other\": \"y\", \"Other\": \"x\"", false},
        {S("Leaf: x"), "\"winlog.user_data.EventXML.Leaf\": \"x\"", true},
        {S("Leaf: x"), "\"winlog.user_data.A.B.Leaf\": \"x\"", true},
        {S("Leaf: x"), "\"winlog.user_data.A.Leafy\": \"x\"", false},
    };
    run(*context, rows, COUNT_OF(rows));
}

static void a_rule_touches_only_events_of_its_log_source(void **context)
{
    struct fixture *f = *context;
    static struct sigma_help_hits hits;
    struct sigma_rules *rules = rules_of(f,
        "title: known\nid: known\nlogsource: {product: test}\ndetection: {s: {F: x}, condition: s}\n---\n"
        "title: nobody knows\nid: unknown\nlogsource: {product: other}\ndetection: {s: {F: x}, condition: s}\n---\n"
        "title: true of nothing\nid: nothing\nlogsource: {product: other}\ndetection: {s: {F: y}, condition: not s}\n");
    struct events *e = events_new(f->names);
    help_event_text(e, "{\"kind\": \"test\", \"F\": \"x\"}");
    help_event_text(e, "{\"kind\": \"else\", \"F\": \"x\"}");
    help_event_text(e, "{\"F\": \"x\"}");
    struct sigma_matcher *m = sigma_matcher_new(rules);
    hits.n = 0;
    assert_int_equal(sigma_match(m, e, help_hit, &hits), 0);
    assert_int_equal(hits.n, 3);
    for (uint32_t i = 0; i < hits.n; i++) {
        assert_int_equal(hits.all[i].row, i);
        assert_true(text_is(sigma_rules_about(rules, hits.all[i].rule)->id, i ? "unknown" : "known"));
    }
    sigma_matcher_free(m);
    events_free(e);
    sigma_rules_free(rules);
}

static void an_expression_that_would_not_end_is_given_up_and_counted(void **context)
{
    struct fixture *f = *context;
    static struct sigma_help_hits hits;
    struct sigma_rules *rules = rules_of(f, "title: t\nlogsource: {product: test}\ndetection: {s: {F|re: '^(a+)+$'}, condition: s}\n");
    struct events *e = events_new(f->names);
    char json[200];
    snprintf(json, sizeof json, "{\"kind\": \"test\", \"F\": \"%.*sb\"}", 60, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    help_event_text(e, json);
    struct sigma_matcher *m = sigma_matcher_new(rules);
    hits.n = 0;
    assert_int_equal(sigma_match(m, e, help_hit, &hits), 0);
    assert_int_equal(hits.n, 0);
    assert_int_equal(sigma_matcher_counters(m)->regex_limits, 1);
    sigma_matcher_free(m);
    events_free(e);
    sigma_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_compared_without_case_and_whole),
        cmocka_unit_test(wildcards_and_their_escapes_are_as_specified),
        cmocka_unit_test(places_of_a_value_are_start_end_or_anywhere),
        cmocka_unit_test(cased_neq_and_exists),
        cmocka_unit_test(null_and_empty_are_told_apart),
        cmocka_unit_test(encodings_are_those_of_the_standards),
        cmocka_unit_test(windash_stands_for_every_dash_and_slash),
        cmocka_unit_test(regular_expressions_are_searched_with_case_unless_told),
        cmocka_unit_test(networks_numbers_and_times_are_compared_as_such),
        cmocka_unit_test(fields_are_compared_with_other_fields),
        cmocka_unit_test(placeholders_become_the_values_of_the_site),
        cmocka_unit_test(keywords_are_looked_for_in_the_whole_event),
        cmocka_unit_test(conditions_bind_as_specified),
        cmocka_unit_test(fields_go_through_the_pipeline_the_first_present_counts),
        cmocka_unit_test(a_rule_touches_only_events_of_its_log_source),
        cmocka_unit_test(an_expression_that_would_not_end_is_given_up_and_counted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
