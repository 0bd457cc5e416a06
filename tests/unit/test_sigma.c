/* SPDX-License-Identifier: Apache-2.0 */
/* Sigma documents: what is refused, in which line and why; collections, filters, references; and the fast match against a naive one. */
#include "sigma_help.h"

#include "failing_alloc.h"
#include "watch/detect/sigma_correlate.h"

struct refusal {
    const char *text;
    const char *reason;
    uint32_t line;
};

static struct sigma_rules *load(struct event_names *names, const char *text)
{
    return help_rules(names, text);
}

#define HEAD "title: t\nlogsource: {product: any_test}\n"
#define D(lines) HEAD "detection:\n" lines

static void a_document_that_cannot_be_used_is_refused_with_line_and_reason(void **context)
{
    (void)context;
    static const struct refusal rows[] = {
        {"a: [b\n", "yaml", 2},
        {"title: x\nfoo: &a 1\nbar: *a\n", "alias", 2},
        {"title: x\ntitle: y\n", "twice", 2},
        {"title: x\n? [a, b]\n: c\n", "key", 2},
        {"- a\n- b\n", "no_map", 1},
        {"", "no_map", 1},
        {"logsource: {product: x}\ndetection: {s: {a: b}, condition: s}\n", "no_title", 1},
        {"title: x\ndetection: {s: {a: b}, condition: s}\n", "no_logsource", 1},
        {"title: x\nlogsource: {definition: all}\ndetection: {s: {a: b}, condition: s}\n", "no_logsource", 2},
        {"title: x\nlogsource: {product: y}\n", "no_detection", 1},
        {"title: x\nlevel: terrible\nlogsource: {product: y}\ndetection: {s: {a: b}, condition: s}\n", "bad_level", 2},
        {D("  s: {a: b}\n"), "no_condition", 4},
        {D("  s: {a: b}\n  condition:\n"), "no_condition", 5},
        {D("  s:\n  condition: s\n"), "bad_search", 4},
        {D("  s: []\n  condition: s\n"), "empty_list", 4},
        {D("  s:\n    a: []\n  condition: s\n"), "empty_list", 5},
        {D("  s:\n    a: {b: c}\n  condition: s\n"), "bad_search", 5},
        {D("  s:\n    - [a]\n  condition: s\n"), "bad_search", 5},
        {D("  s:\n    a|foo: x\n  condition: s\n"), "modifier", 5},
        {D("  s:\n    a|i: x\n  condition: s\n"), "modifier_misuse", 5},
        {D("  s:\n    a|re|cidr: x\n  condition: s\n"), "modifier_misuse", 5},
        {D("  s:\n    a|contains: null\n  condition: s\n"), "modifier_misuse", 5},
        {D("  s:\n    '|cidr': 10.0.0.0/8\n  condition: s\n"), "modifier_misuse", 5},
        {D("  s:\n    a|base64: 'x*'\n  condition: s\n"), "wildcard_encoded", 5},
        {D("  s:\n    a|contains|base64offset: x\n  condition: s\n"), "wildcard_encoded", 5},
        {D("  s:\n    a|gt: many\n  condition: s\n"), "bad_number", 5},
        {D("  s:\n    a|cidr: 10.0.0.0/33\n  condition: s\n"), "bad_cidr", 5},
        {D("  s:\n    a|cidr:\n      - 10.0.0.0/8\n      - 10.0.0.1-10.0.0.9\n  condition: s\n"), "bad_cidr", 7},
        {D("  s:\n    a|re: '('\n  condition: s\n"), "bad_regex", 5},
        {D("  s:\n    a|exists: maybe\n  condition: s\n"), "bad_boolean", 5},
        {D("  s:\n    a|expand: '%Nobody%'\n  condition: s\n"), "placeholder", 5},
        {D("  s: {a: b}\n  condition: s and\n"), "condition", 5},
        {D("  s: {a: b}\n  condition: (s\n"), "condition", 5},
        {D("  s: {a: b}\n  condition: s)\n"), "condition", 5},
        {D("  s: {a: b}\n  condition: s s\n"), "condition", 5},
        {D("  s: {a: b}\n  condition: 2 of s*\n"), "condition", 5},
        {D("  s: {a: b}\n  condition: t\n"), "condition_name", 5},
        {D("  s: {a: b}\n  condition: 1 of t*\n"), "condition_name", 5},
        {D("  s: {a: b}\n  condition: s | count() > 5\n"), "aggregation", 5},
        {"title: c\ncorrelation: {type: count}\n", "correlation_type", 2},
        {"title: c\ncorrelation: {type: event_count, timespan: 1m}\n", "correlation_rules", 2},
        {"title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1y\n", "correlation_timespan", 5},
        {"title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1m\n", "correlation_condition", 3},
        {"title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1m\n  condition: {more: 4}\n", "correlation_condition", 6},
        {"title: c\ncorrelation:\n  type: value_count\n  rules: [a]\n  timespan: 1m\n  condition: {gt: 4}\n", "correlation_field", 6},
        {"title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1m\n  condition: {gt: x}\n", "bad_number", 6},
        {"title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1m\n  condition: {gt: 4}\n  aliases: {x: {b: y}}\n", "correlation_alias", 3},
        {"title: c\ncorrelation:\n  type: event_count\n  rules: [nobody]\n  timespan: 1m\n  condition: {gt: 4}\n", "unknown_rule", 1},
        {"title: c\nname: c\ncorrelation:\n  type: event_count\n  rules: [c]\n  timespan: 1m\n  condition: {gt: 4}\n", "cycle", 1},
        {"title: f\nlogsource: {product: x}\nfilter: {s: {a: b}, condition: s}\n", "filter_rules", 3},
        {"title: f\nlogsource: {product: x}\nfilter: {rules: [nobody], s: {a: b}, condition: s}\n", "unknown_rule", 1},
    };
    struct event_names *names = event_names_new();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sigma_rules *r = load(names, rows[i].text);
        uint32_t n;
        const struct sigma_checked *c = sigma_rules_checked(r, &n);
        assert_int_equal(n, 1);
        if (strcmp(sigma_reason_name(c[0].reason), rows[i].reason) || c[0].line != rows[i].line)
            fail_msg("row %zu: %s in line %u (%s), should be %s in line %u:\n%s", i, sigma_reason_name(c[0].reason), c[0].line, c[0].detail,
                     rows[i].reason, rows[i].line, rows[i].text);
        assert_int_equal(sigma_rules_count(r), 0);
        sigma_rules_free(r);
    }
    event_names_free(names);
}

static void what_is_refused_leaves_the_rest(void **context)
{
    (void)context;
    struct event_names *names = event_names_new();
    struct sigma_rules *r = load(names,
        "title: good\nid: a\nlogsource: {product: any_test}\ndetection: {s: {a: b}, condition: s}\n---\n"
        "title: bad\nid: b\nlogsource: {product: any_test}\ndetection: {s: {a|re: '['}, condition: s}\n---\n"
        "title: again\nid: a\nlogsource: {product: any_test}\ndetection: {s: {a: b}, condition: s}\n---\n"
        "title: counts the bad one\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m, group-by: [x]}\n");
    uint32_t n;
    const struct sigma_checked *c = sigma_rules_checked(r, &n);
    assert_int_equal(n, 4);
    assert_int_equal(c[0].reason, SIGMA_FINE);
    assert_int_equal(c[1].reason, SIGMA_BAD_REGEX);
    assert_int_equal(c[2].reason, SIGMA_DUPLICATE_ID);
    assert_int_equal(c[3].reason, SIGMA_REFUSED_RULE);
    assert_int_equal(sigma_rules_count(r), 1);
    sigma_rules_free(r);
    event_names_free(names);
}

/* hits_of - which rules match one event, by id, joined by blanks. */
static const char *hits_of(const char *rules, const char *event)
{
    static struct sigma_help_hits hits;
    static char ids[1024];
    struct event_names *names = event_names_new();
    struct sigma_rules *r = load(names, rules);
    struct sigma_matcher *m = sigma_matcher_new(r);
    struct events *e = events_new(names);
    help_event_text(e, event);
    hits.n = 0;
    assert_int_equal(sigma_match(m, e, help_hit, &hits), 0);
    ids[0] = 0;
    for (uint32_t i = 0; i < hits.n; i++) {
        const struct sigma_about *a = sigma_rules_about(r, hits.all[i].rule);
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%.*s", *ids ? " " : "", (int)a->id.n, a->id.p);
    }
    events_free(e);
    sigma_matcher_free(m);
    sigma_rules_free(r);
    event_names_free(names);
    return ids;
}

static void a_filter_takes_out_what_it_describes(void **context)
{
    (void)context;
    static const char rules[] =
        "title: a\nid: a\nlogsource: {product: any_test}\ndetection: {s: {a: x}, condition: s}\n---\n"
        "title: b\nid: b\nname: by_name\nlogsource: {product: any_test}\ndetection: {s: {a: x}, condition: s}\n---\n"
        "title: c\nid: c\nlogsource: {product: any_test}\ndetection: {s: {a: x}, condition: s}\n---\n"
        "title: o\nid: o\nlogsource: {product: other_test}\ndetection: {s: {a: x}, condition: s}\n---\n"
        "title: f1\nlogsource: {product: any_test}\nfilter: {rules: [a, by_name], selection: {u|startswith: adm_}, condition: selection}\n---\n"
        "title: f2\nlogsource: {product: any_test}\nfilter: {rules: [c], selection: {u: root}, condition: not selection}\n---\n"
        "title: f3\nlogsource: {product: other_test}\nfilter: {rules: any, selection: {h: test}, condition: selection}\n";
    assert_string_equal(hits_of(rules, "{\"a\": \"x\"}"), "a b c o");
    assert_string_equal(hits_of(rules, "{\"a\": \"x\", \"u\": \"adm_1\"}"), "c o");
    assert_string_equal(hits_of(rules, "{\"a\": \"x\", \"u\": \"root\"}"), "a b o");
    assert_string_equal(hits_of(rules, "{\"a\": \"x\", \"h\": \"test\"}"), "a b c");
}

static void a_collection_shares_its_global_part(void **context)
{
    (void)context;
    static const char rules[] =
        "action: global\ntitle: shared\ndetection: {g: {a: x}, condition: g and s}\n---\n"
        "id: one\nlogsource: {product: any_test}\ndetection: {s: {b: 1}}\n---\n"
        "id: two\nlogsource: {product: any_test}\ndetection: {s: {b: 2}}\n---\n"
        "action: reset\n---\n"
        "title: own\nid: three\nlogsource: {product: any_test}\ndetection: {s: {b: 2}, condition: s}\n---\n"
        "action: repeat\nid: four\ndetection: {s: {b: 3}}\n";
    assert_string_equal(hits_of(rules, "{\"a\": \"x\", \"b\": 1}"), "one");
    assert_string_equal(hits_of(rules, "{\"a\": \"x\", \"b\": 2}"), "two three");
    assert_string_equal(hits_of(rules, "{\"b\": 2}"), "three");
    assert_string_equal(hits_of(rules, "{\"b\": 3}"), "four");
}

/* --- the fast way against the naive way ----------------------------------------------------------------- */

static bool naive_glob(const char *p, const char *end, const char *s, const char *s_end)
{
    if (p == end)
        return s == s_end;
    if (*p == SIGMA_ANY) {
        for (const char *t = s;; t++) {
            if (naive_glob(p + 1, end, t, s_end))
                return true;
            if (t == s_end)
                return false;
        }
    }
    if (s == s_end)
        return false;
    if (*p == SIGMA_DASH)
        return (*s == '-' || *s == '/') && naive_glob(p + 1, end, s + 1, s_end);
    if (*p == SIGMA_ONE || *p == *s || ((*p | 32) == (*s | 32) && (*p | 32) >= 'a' && (*p | 32) <= 'z'))
        return naive_glob(p + 1, end, s + 1, s_end);
    return false;
}

/* of the values the random rules hold: patterns, numbers, null, exists */
static bool naive_value(const struct sigma_item *item, const struct sigma_value *v, const char *text)
{
    char wrapped[256];
    size_t n = 0;
    switch ((int)v->match) {
    case SIGMA_EXISTS: return v->is_true == (text != NULL);
    case SIGMA_NULL: return !text;
    case SIGMA_GT: return text && *text && !text[strspn(text, "0123456789")] && atof(text) > v->number;
    case SIGMA_LTE: return text && *text && !text[strspn(text, "0123456789")] && atof(text) <= v->number;
    default: break;
    }
    if (!text)
        return false;
    if (!item->field.n)
        wrapped[n++] = SIGMA_ANY;
    memcpy(wrapped + n, v->text.p, v->text.n);
    n += v->text.n;
    if (!item->field.n)
        wrapped[n++] = SIGMA_ANY;
    if (item->is_cased) {
        /* the random rules case only plain equality */
        return strlen(text) == v->text.n && !memcmp(text, v->text.p, v->text.n);
    }
    return naive_glob(wrapped, wrapped + n, text, text + strlen(text));
}

struct naive_event {
    const char *fields[4]; /* A, B, C, D; NULL: not there */
};

static bool naive_one(const struct sigma_item *item, const struct sigma_value *v, const struct naive_event *e)
{
    for (; v; v = v->or) {
        if (item->field.n && naive_value(item, v, e->fields[item->field.p[0] - 'A']))
            return true;
        for (int i = 0; !item->field.n && i < 4; i++)
            if (e->fields[i] && naive_value(item, v, e->fields[i]))
                return true;
        if (!item->field.n && naive_value(item, v, "")) /* the original */
            return true;
    }
    return false;
}

static bool naive_node(const struct sigma_node *node, const struct naive_event *e)
{
    bool any = false, all = true;
    if (node->kind == SIGMA_LEAF) {
        for (uint32_t i = 0; i < node->item->n; i++) {
            bool is_true = naive_one(node->item, &node->item->values[i], e);
            any = any || is_true;
            all = all && is_true;
        }
        return (node->item->is_all ? all : any) != node->item->is_not;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        bool is_true = naive_node(node->children[i], e);
        any = any || is_true;
        all = all && is_true;
    }
    return node->kind == SIGMA_AND ? all : node->kind == SIGMA_OR ? any : !any;
}

static const char *const atoms[] = {"ab", "bc", "cab", "-a", "/b", "a", "", "17", "4", "abcab", "x y", "*", "?", "a*b", "b?a", "ABC"};

static void random_text(uint64_t *s, char *out, unsigned most, bool is_pattern)
{
    *out = 0;
    for (unsigned n = (unsigned)(next_random(s) % most) + 1; n; n--)
        strcat(out, atoms[next_random(s) % (is_pattern ? COUNT_OF(atoms) : 11)]);
}

static void random_item(uint64_t *s, char *out)
{
    static const char *const modifiers[] = {"", "", "|contains", "|contains|all", "|startswith", "|endswith", "|neq", "|cased", "|windash|contains", "|contains|neq"};
    char value[64];
    unsigned what = (unsigned)(next_random(s) % 14);
    char field = (char)('A' + next_random(s) % 4);
    if (what == 10)
        sprintf(out, "%c|exists: %s", field, next_random(s) % 2 ? "true" : "false");
    else if (what == 11)
        sprintf(out, "%c: null", field);
    else if (what == 12)
        sprintf(out, "%c|%s: %u", field, next_random(s) % 2 ? "gt" : "lte", (unsigned)(next_random(s) % 50));
    else if (what == 13) {
        random_text(s, value, 2, false);
        sprintf(out, "'%s': ['%s']", next_random(s) % 2 ? "|all" : "|contains", value);
    } else {
        sprintf(out, "%c%s: [", field, modifiers[what]);
        for (unsigned n = (unsigned)(next_random(s) % 3) + 1; n; n--) {
            random_text(s, value, 3, what != 7);
            sprintf(out + strlen(out), "'%s'%s", value, n > 1 ? ", " : "]");
        }
    }
}

static void random_rule(uint64_t *s, unsigned id, char *out)
{
    static const char *const conditions[] = {"s1", "s1 and not s2", "1 of s*", "all of s*", "s1 or (s2 and not s3)", "not s1 and s3", "s1 and 1 of them", "not (s1 or s2)"};
    char item[512];
    sprintf(out, "title: r\nid: r%u\nlogsource: {product: any_test}\ndetection:\n", id);
    for (int i = 1; i <= 3; i++) {
        random_item(s, item);
        char field = item[0];
        sprintf(out + strlen(out), "  s%d:\n    %s\n", i, item);
        random_item(s, item);
        if (item[0] != field && next_random(s) % 2)
            sprintf(out + strlen(out), "    %s\n", item);
    }
    sprintf(out + strlen(out), "  condition: %s\n---\n", conditions[next_random(s) % COUNT_OF(conditions)]);
}

#define RULES 60u
#define EVENTS 200u

static void compiled_rules_match_what_a_naive_reading_matches(void **context)
{
    (void)context;
    uint64_t s = seed();
    static struct sigma_help_hits hits;
    for (unsigned round = 0; round < rounds(20); round++) {
        uint64_t begun = s;
        struct event_names *names = event_names_new();
        char *text = calloc(RULES, 4096);
        for (unsigned i = 0; i < RULES; i++)
            random_rule(&s, i, text + strlen(text));
        /* every event has the field that makes rules of no known source run: none of a known one */
        struct sigma_rules *r = load(names, text);
        struct arena arena = {0};
        struct sigma_rule *first;
        assert_int_equal(sigma_parse(text, strlen(text), NULL, &arena, &first), 0);
        struct events *e = events_new(names);
        static struct naive_event naive[EVENTS];
        static char values[EVENTS][4][64];
        for (unsigned k = 0; k < EVENTS; k++) {
            assert_int_equal(event_begin(e, TEXT(""), 1), 0);
            for (unsigned f = 0; f < 4; f++) {
                naive[k].fields[f] = NULL;
                if (next_random(&s) % 4 == 0)
                    continue;
                random_text(&s, values[k][f], 4, false);
                naive[k].fields[f] = values[k][f];
                char name[2] = {(char)('A' + f), 0};
                event_put_text(e, event_names_add(names, help_text(name)), help_text(values[k][f]));
            }
            assert_int_equal(event_end(e), 0);
        }
        struct sigma_matcher *m = sigma_matcher_new(r);
        hits.n = 0;
        assert_int_equal(sigma_match(m, e, help_hit, &hits), 0);
        uint32_t at = 0;
        for (unsigned k = 0; k < EVENTS; k++) {
            uint32_t compiled = 0;
            for (const struct sigma_rule *rule = first; rule; rule = rule->next) {
                if (rule->reason)
                    continue;
                bool is_idle = naive_node(rule->root, &(struct naive_event){{NULL}});
                bool expected = !is_idle && naive_node(rule->root, &naive[k]);
                bool got = at < hits.n && hits.all[at].row == k && hits.all[at].rule == compiled;
                char *begin = strstr(text, "title");
                for (uint32_t skip = compiled; got != expected && skip; skip--)
                    begin = strstr(begin + 1, "title");
                if (got != expected)
                    *strstr(begin, "---") = 0;
                if (got != expected)
                    fail_msg("VONGGAC_SEED=%llu: %.*s should %smatch A='%s' B='%s' C='%s' D='%s'\n%s", (unsigned long long)begun, (int)rule->id.n, rule->id.p,
                             expected ? "" : "not ", naive[k].fields[0], naive[k].fields[1], naive[k].fields[2], naive[k].fields[3], begin);
                at += got;
                compiled++;
            }
        }
        assert_int_equal(at, hits.n);
        sigma_matcher_free(m);
        events_free(e);
        arena_fini(&arena);
        sigma_rules_free(r);
        event_names_free(names);
        free(text);
    }
}

struct work {
    struct event_names *names;
    char pipelines[512];
};

static int ignore(void *context, const struct sigma_correlated *c)
{
    (void)context;
    (void)c;
    return 0;
}

struct feeding {
    struct sigma_matcher *m;
    struct sigma_correlator *c;
};

static int feed(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    struct feeding *f = context;
    return sigma_correlator_add(f->c, f->m, e, row, rule, 0, ignore, NULL);
}

static int load_and_match(void *context)
{
    static const char text[] =
        "title: a\nid: a\nlogsource: {product: any_test}\ndetection: {s: {a|contains: [xyz, uvw], b|re: 'q+r', c|base64offset|contains: hello}, k: [word], condition: s or k}\n---\n"
        "title: c\ncorrelation: {type: event_count, rules: [a], timespan: 1m, group-by: [u], condition: {gte: 1}}\n---\n"
        "title: f\nlogsource: {product: any_test}\nfilter: {rules: [a], s: {u: v}, condition: s}\n";
    struct work *w = context;
    struct sigma_rules *r = NULL;
    struct fault f = {0};
    struct sigma_load l = {.pipelines = w->pipelines, .names = w->names};
    int e = sigma_rules_parse(&l, "test", help_text(text), &r, &f);
    struct feeding feeding = {0};
    struct events *events = e ? NULL : events_new(w->names);
    if (!e) {
        feeding.m = sigma_matcher_new(r);
        feeding.c = sigma_correlator_new(r, 1 << 20);
        e = events && feeding.m && feeding.c ? 0 : -ENOMEM;
    }
    if (!e)
        e = event_begin(events, TEXT("some word in it"), 1);
    if (!e) {
        event_put_name(events, TEXT("u"), TEXT("x"));
        e = event_end(events);
    }
    if (!e)
        e = sigma_match(feeding.m, events, feed, &feeding);
    sigma_correlator_free(feeding.c);
    sigma_matcher_free(feeding.m);
    events_free(events);
    sigma_rules_free(r);
    return e;
}

static void every_allocation_may_fail_once(void **context)
{
    (void)context;
    struct work w = {.names = event_names_new()};
    struct help_dir dir = help_dir_new();
    char path[600];
    snprintf(w.pipelines, sizeof w.pipelines, "%s", dir.path);
    snprintf(path, sizeof path, "%s/p.yaml", dir.path);
    FILE *f = fopen(path, "w");
    fputs("sources:\n  - product: x\n    when: {kind: x}\n    fields: {A: [b, c]}\nplaceholders: {P: [q]}\n", f);
    fclose(f);
    assert_true(failing_alloc_each("loading and matching rules", load_and_match, &w, true) > 30);
    event_names_free(w.names);
    help_dir_free(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_that_cannot_be_used_is_refused_with_line_and_reason),
        cmocka_unit_test(what_is_refused_leaves_the_rest),
        cmocka_unit_test(a_filter_takes_out_what_it_describes),
        cmocka_unit_test(a_collection_shares_its_global_part),
        cmocka_unit_test(compiled_rules_match_what_a_naive_reading_matches),
        cmocka_unit_test(every_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
