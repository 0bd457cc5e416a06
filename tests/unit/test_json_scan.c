/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast scanner against the recursive one and against jansson: the same verdict on every text, the same leaves.
 * VONGGAC_SEED and VONGGAC_ROUNDS steer the random part.
 */
#include "format/json_scan.h"
#include "format/json_scan_own.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "failing_alloc.h"

static struct json_scan *fast, *plain, *between; /* the fastest, plain C, and what lies between if there is something */

static int set_up(void **state)
{
    (void)state;
    fast = json_scan_new(NULL, false);
    plain = json_scan_new(NULL, true);
    between = json_scan_new(NULL, true);
    if (between && json_index_of(JSON_INDEX_AVX2))
        between->index_text = json_index_of(JSON_INDEX_AVX2);
    return fast && plain && between ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_scan_free(fast);
    json_scan_free(plain);
    json_scan_free(between);
    return 0;
}

/* padded - the text with what the scanner may read behind it: quotes and brackets, which must not count. */
static struct text padded(const char *p, size_t n)
{
    static char *room;
    room = realloc(room, n + JSON_SCAN_PADDING);
    assert_non_null(room);
    memcpy(room, p, n);
    for (int i = 0; i < JSON_SCAN_PADDING; i++)
        room[n + (size_t)i] = "\"\\{]"[i % 4];
    return (struct text){room, n};
}

/* leaves of json_walk (arrays whole) and of json_scan (arrays taken apart) as one text, to compare */
struct dump {
    char *p;
    size_t n, size;
};

static void dump_add(struct dump *d, const char *path, size_t n_path, const char *value, size_t n, int kind)
{
    size_t need = n_path + n + 16;
    if (d->n + need > d->size) {
        d->size = 2 * (d->n + need);
        d->p = realloc(d->p, d->size);
        assert_non_null(d->p);
    }
    d->n += (size_t)snprintf(d->p + d->n, 12, "%d ", kind);
    memcpy(d->p + d->n, path, n_path);
    d->n += n_path;
    d->p[d->n++] = '=';
    memcpy(d->p + d->n, value, n);
    d->n += n;
    d->p[d->n++] = '\n';
}

static void dump_value(struct dump *d, struct text path, struct text whole, const struct json_value *v);

struct below {
    struct dump *d;
    struct text path;
};

static int below_leaf(void *context, struct text path, const struct json_value *v)
{
    struct below *b = context;
    char joined[2 * JSON_MAX_PATH];
    size_t n = b->path.n;
    memcpy(joined, b->path.p, n);
    if (n)
        joined[n++] = '.';
    memcpy(joined + n, path.p, path.n);
    dump_value(b->d, (struct text){joined, n + path.n}, v->raw, v);
    return 0;
}

static void dump_value(struct dump *d, struct text path, struct text whole, const struct json_value *v)
{
    struct json_value element;
    struct text rest = v->raw;
    (void)whole;
    if (v->kind == JSON_KIND_ARRAY) {
        bool is_empty = true;
        for (; json_element(&rest, &element); is_empty = false) {
            struct below b = {d, path};
            if (element.kind == JSON_KIND_OBJECT && element.raw.n > 2)
                assert_int_equal(json_walk(element.raw, below_leaf, &b, NULL), 0);
            else
                dump_value(d, path, element.raw, &element);
        }
        if (!is_empty)
            return;
    }
    dump_add(d, path.p, path.n, v->raw.p, v->raw.n, (int)v->kind);
}

static int walk_leaf(void *context, struct text path, const struct json_value *v)
{
    dump_value(context, path, v->raw, v);
    return 0;
}

static void dump_scan(struct dump *d, const struct json_scan *s, const char *p)
{
    char path[JSON_MAX_PATH];
    for (uint32_t i = 0; i < s->n_items; i++) {
        const struct json_item *it = &s->items[i];
        size_t n = json_scan_path(s, it->node, path);
        assert_true(n != SIZE_MAX);
        dump_add(d, path, n, p + it->at, it->n, it->kind);
    }
}

static bool has_duplicates_or_depth(json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_stack_overflow || code == json_error_null_character || code == json_error_numeric_overflow;
}

/* agree - both ways of this text; @is_easy: no blank containers in arrays, so that leaves can be compared. */
static void agree(const char *p, size_t n, bool is_easy, const char *what)
{
    struct text t = padded(p, n);
    size_t at = 0, at_plain = 0, at_walk = 0;
    for (int i = 0; i < 2; i++) { /* the third time its shape is known, if it has one; plain forgets and walks */
        json_scan(fast, t, NULL);
        json_scan(between, t, NULL);
    }
    plain->generation++;
    int a = json_scan(fast, t, &at), b = json_scan(plain, t, &at_plain), c = json_walk(t, NULL, NULL, &at_walk);
    assert_int_equal(json_scan(between, t, NULL), b);
    if (c == JSON_LONG_PATH)
        return;
    if (a != b || a != c) {
        print_error("%s: fast %d, plain %d, walk %d: %.*s\n", what, a, b, c, (int)n, p);
        fail();
    }
    if (a) {
        assert_true(at <= n);
        assert_int_equal(at, at_plain);
        return;
    }
    assert_int_equal(fast->n_items, plain->n_items);
    assert_int_equal(between->n_items, plain->n_items);
    for (uint32_t i = 0; i < fast->n_items; i++) { /* each has its own numbers of nodes */
        struct json_item x = fast->items[i], y = plain->items[i], z = between->items[i];
        x.node = y.node = z.node = 0;
        assert_memory_equal(&x, &y, sizeof x);
        assert_memory_equal(&z, &y, sizeof z);
    }
    json_error_t error;
    json_t *j = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!j && !has_duplicates_or_depth(&error)) {
        print_error("%s: jansson says %s: %.*s\n", what, error.text, (int)n, p);
        fail();
    }
    json_decref(j);
    if (!is_easy || fast->is_cut)
        return;
    struct dump x = {0}, y = {0};
    dump_scan(&x, fast, t.p);
    assert_int_equal(json_walk(t, walk_leaf, &y, NULL), 0);
    if (x.n != y.n || memcmp(x.p ? x.p : "", y.p ? y.p : "", x.n)) {
        print_error("%s: %.*s\n--- scan\n%.*s--- walk\n%.*s", what, (int)n, p, (int)x.n, x.p, (int)y.n, y.p);
        fail();
    }
    free(x.p);
    free(y.p);
}

static void texts_that_are_json_and_that_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int verdict;
    } table[] = {
        {"{}", 0}, {"[]", 0}, {" 1 ", 0}, {"\"\"", 0}, {"null", 0}, {"true", 0}, {"false", 0}, {"-0", 0}, {"-0.0e-1", 0},
        {"1E+2", 0}, {"{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":\"x\"}", 0}, {"[[[[]]]]", 0}, {"\"\\u0041\\ud83d\\ude00\"", 0},
        {"\"\\\\\"", 0}, {"\"\\\\\\\"\"", 0}, {"{\"\":1}", 0}, {"{\"a\":1,\"a\":2}", 0}, {"\t\r\n {\t\"a\"\n:\r1 }", 0},
        {"\"đường\"", 0},
        {"", JSON_MALFORMED}, {" ", JSON_MALFORMED}, {"{", JSON_MALFORMED}, {"}", JSON_MALFORMED}, {"[1,]", JSON_MALFORMED},
        {"{\"a\":1,}", JSON_MALFORMED}, {"{,}", JSON_MALFORMED}, {"{\"a\"}", JSON_MALFORMED}, {"{\"a\":}", JSON_MALFORMED},
        {"{a:1}", JSON_MALFORMED}, {"{1:1}", JSON_MALFORMED}, {"[1 2]", JSON_MALFORMED}, {"01", JSON_MALFORMED},
        {"1.", JSON_MALFORMED}, {".1", JSON_MALFORMED}, {"+1", JSON_MALFORMED}, {"1e", JSON_MALFORMED}, {"-", JSON_MALFORMED},
        {"0x1", JSON_MALFORMED}, {"NaN", JSON_MALFORMED}, {"Infinity", JSON_MALFORMED}, {"tru", JSON_MALFORMED},
        {"truex", JSON_MALFORMED}, {"nul l", JSON_MALFORMED}, {"\"", JSON_MALFORMED}, {"\"a", JSON_MALFORMED},
        {"\"\\\"", JSON_MALFORMED}, {"\"\\x\"", JSON_MALFORMED}, {"\"\\u12\"", JSON_MALFORMED}, {"\"\\ud800\"", JSON_MALFORMED},
        {"\"\\udc00\"", JSON_MALFORMED}, {"\"\\ud800\\u0041\"", JSON_MALFORMED}, {"\"a\nb\"", JSON_MALFORMED},
        {"\"\xc3\"", JSON_MALFORMED}, {"\"\xed\xa0\x80\"", JSON_MALFORMED}, {"\"\xc0\xaf\"", JSON_MALFORMED},
        {"\"\xf4\x90\x80\x80\"", JSON_MALFORMED}, {"\xef\xbb\xbf{}", JSON_MALFORMED}, {"{}{}", JSON_MALFORMED},
        {"[\"a\"\"b\"]", JSON_MALFORMED}, {"\"a\"b", JSON_MALFORMED}, {"[1}", JSON_MALFORMED}, {"{\"a\":1]", JSON_MALFORMED},
        {"1\f", JSON_MALFORMED}, {"1\x01", JSON_MALFORMED}, {"[true\x1f]", JSON_MALFORMED}, {"[1\v,2]", JSON_MALFORMED}, {"[1\f2]", JSON_MALFORMED}, {"{\"a\"\x1a" "1}", JSON_MALFORMED},
        {"{\"a\" 1}", JSON_MALFORMED},
        {"\\\"\"", JSON_MALFORMED}, {"/**/1", JSON_MALFORMED}, {"'a'", JSON_MALFORMED}, {"[\"\x7f\"]", 0},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 0},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", JSON_TOO_DEEP},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = strlen(table[i].text);
        if (json_scan(fast, padded(table[i].text, n), NULL) != table[i].verdict)
            fail_msg("case %zu: %s", i, table[i].text);
        agree(table[i].text, n, false, "table");
    }
}

static void every_place_of_a_block_of_64_bytes_counts(void **state)
{
    (void)state;
    static const char *const tails[] = {"\"a\\\\\"", "\"\\\\\\\"b\"", "-12.5e3", "{\"k\":\"v\"}", "\"\\u00e9\"", "\"\x01\"",
                                        "\"\xc3\xa9\"", "[1,2]", "\"\\", "tru", "true", "\"abc"};
    char text[512];
    for (size_t lead = 0; lead < 140; lead++)
        for (size_t k = 0; k < sizeof tails / sizeof *tails; k++) {
            int n = snprintf(text, sizeof text, "[\"%.*s\",%s]", (int)lead,
                             "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                             "0123456789012345678901234567890123456789012345678901234567890123456789", tails[k]);
            agree(text, (size_t)n, true, "block");
            agree(text, (size_t)n - 1, true, "block cut");
        }
}

static void paths_are_numbers_that_stay(void **state)
{
    (void)state;
    static const char first[] = "{\"a\":{\"b\":1,\"c\":[\"x\",{\"d\":2}]},\"long_key_of_more_than_eight\":3}";
    static const char second[] = "{\"long_key_of_more_than_eight\":4,\"long_key_of_more_than_nine\":5,\"a\":{\"b\":6}}";
    static const char third[] = "{\"\\u0061\":{\"\\u0062\":7}}";
    char path[JSON_MAX_PATH];
    assert_int_equal(json_scan(fast, padded(first, sizeof first - 1), NULL), 0);
    assert_int_equal(fast->n_items, 4);
    static const char *const paths[] = {"a.b", "a.c", "a.c.d", "long_key_of_more_than_eight"};
    uint32_t nodes[4];
    for (int i = 0; i < 4; i++) {
        size_t n = json_scan_path(fast, fast->items[i].node, path);
        assert_true(text_is((struct text){path, n}, paths[i]));
        nodes[i] = fast->items[i].node;
    }
    assert_false(fast->items[0].is_listed);
    assert_true(fast->items[1].is_listed);
    assert_int_equal(json_scan(fast, padded(second, sizeof second - 1), NULL), 0);
    assert_int_equal(fast->items[0].node, nodes[3]);
    assert_int_not_equal(fast->items[1].node, nodes[3]);
    assert_int_equal(fast->items[2].node, nodes[0]);
    assert_int_equal(json_scan(fast, padded(third, sizeof third - 1), NULL), 0);
    assert_int_equal(fast->items[0].node, nodes[0]); /* escaped keys are the same keys */
}

static uint64_t mark_of(struct text path)
{
    return text_is(path, "a.b") ? 1 : text_is(path, "c") ? 2 : 0;
}

static void marks_tell_which_paths_a_text_has(void **state)
{
    (void)state;
    struct json_scan *s = json_scan_new(mark_of, false);
    assert_non_null(s);
    assert_int_equal(json_scan(s, padded("{\"a\":{\"b\":1},\"c\":2}", 19), NULL), 0);
    assert_int_equal(s->marks, 3);
    assert_int_equal(json_scan(s, padded("{\"a\":{\"x\":1},\"c\":2}", 19), NULL), 0);
    assert_int_equal(s->marks, 2);
    json_scan_free(s);
}

static void too_many_paths_and_leaves_are_checked_but_not_given(void **state)
{
    (void)state;
    static char text[4000000];
    size_t n = 0;
    text[n++] = '[';
    for (int i = 0; i < 2 * JSON_ITEMS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", i ? "," : "", i);
    text[n++] = ']';
    assert_int_equal(json_scan(fast, padded(text, n), NULL), 0);
    assert_true(fast->is_cut);
    assert_int_equal(fast->n_items, JSON_ITEMS_MAX);
    n = 0;
    text[n++] = '{';
    for (int i = 0; i < 2 * JSON_NODES_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"k%d\":{\"x%d\":{}}", i ? "," : "", i, i);
    text[n++] = '}';
    assert_int_equal(json_scan(fast, padded(text, n), NULL), 0);
    assert_true(fast->is_cut);
    text[n - 1] = ']';
    assert_int_equal(json_scan(fast, padded(text, n), NULL), JSON_MALFORMED);
    uint32_t generation = fast->generation;
    assert_int_equal(json_scan(fast, padded("{\"a\":1}", 7), NULL), 0);
    assert_int_not_equal(fast->generation, generation);
    assert_false(fast->is_cut);
    assert_int_equal(fast->n_items, 1);
    memset(text, 'k', 600);
    memcpy(text, "{\"", 2);
    memcpy(text + 600, "\":1,\"b\":2}", 10);
    assert_int_equal(json_scan(fast, padded(text, 610), NULL), 0);
    assert_true(fast->is_cut);
    assert_int_equal(fast->n_items, 1);
}

/* --- random texts ----------------------------------------------------------------------------------- */

static uint64_t seed = 1;

static uint32_t roll(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % below;
}

static size_t make(char *out, size_t room, unsigned depth)
{
    static const char *const scalars[] = {"0", "-1", "12345678901234567890", "1.5", "2e10", "true", "false", "null", "\"\"",
        "\"abc\"", "\"a\\\"b\"", "\"\\\\\"", "\"C:\\\\Windows\\\\x.exe\"", "\"\\u1edd\\n\"", "\"\xe1\xbb\x9d {[,]}:\"",
        "\"0123456789012345678901234567890123456789012345678901234567890123456789\"", "\"\xf0\x9f\x98\x80\""};
    static const char *const blanks[] = {"", "", "", " ", "\n", "\t  "};
    size_t n = 0;
    unsigned kind = depth > 4 || room < 400 ? 0 : roll(4);
    if (kind < 2)
        return (size_t)snprintf(out, room, "%s", scalars[roll(sizeof scalars / sizeof *scalars)]);
    unsigned count = 1 + roll(4);
    out[n++] = kind == 2 ? '{' : '[';
    for (unsigned i = 0; i < count && room - n > 300; i++) {
        n += (size_t)snprintf(out + n, room - n, "%s%s", i ? "," : "", blanks[roll(6)]);
        if (kind == 2)
            n += (size_t)snprintf(out + n, room - n, "\"%s%u\"%s:%s", roll(2) ? "key_longer_" : "k", roll(5), blanks[roll(6)], blanks[roll(6)]);
        n += make(out + n, room - n - 20, depth + 1);
        n += (size_t)snprintf(out + n, room - n, "%s", blanks[roll(6)]);
    }
    out[n++] = kind == 2 ? '}' : ']';
    return n;
}

static void random_and_mutated_texts_get_the_same_verdict_and_leaves(void **state)
{
    (void)state;
    const char *s = getenv("VONGGAC_SEED"), *r = getenv("VONGGAC_ROUNDS");
    uint64_t first = s ? strtoull(s, NULL, 0) : 20261120;
    unsigned rounds = r ? (unsigned)strtoul(r, NULL, 0) : 3000;
    static char text[8192];
    static const char strange[] = "{}[],:\"\\ \n\t0-.eE1tfn\x01\x7f\xc3\xa9\xed\xff/";
    for (unsigned k = 0; k < rounds; k++) {
        char what[64];
        seed = (first + k) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        snprintf(what, sizeof what, "VONGGAC_SEED=%llu VONGGAC_ROUNDS=1", (unsigned long long)(first + k));
        size_t n = make(text, 4096, 0);
        agree(text, n, true, what);
        for (int m = 0; m < 4 && n; m++) {
            uint32_t at = roll((uint32_t)n);
            switch (roll(3)) {
            case 0: text[at] = strange[roll(sizeof strange - 1)]; break;
            case 1: memmove(text + at, text + at + 1, --n - at); break;
            default: memmove(text + at + 1, text + at, n++ - at); text[at] = strange[roll(sizeof strange - 1)];
            }
            agree(text, n, false, what);
        }
    }
}

/* known - three times: walked, walked and kept, taken. */
static void known(struct text t)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(json_scan(fast, t, NULL), 0);
    assert_true(fast->shape);
}

static void a_known_shape_is_checked_as_strictly_as_any(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1,\"key_of_nine\":\"v\",\"a_key_of_more_than_sixteen_bytes\":{\"b\":[true,null,-1.5e3,\"x\",{},[]]}}",
        "[\"one\",{\"k\":\"\\u00e9\\\\\"},\"\xc3\xa9\"]", " { \"eight678\" : 12345678901234567890 , \"x\" : [ 0 ] } "};
    static const char strange[] = "{}[],:\"\\ \n0-.eEtfn\x01\x80\xc3x1";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strlen(texts[i]);
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k + 1 < sizeof strange; k++) {
                char text[256];
                known(padded(texts[i], n));
                memcpy(text, texts[i], n);
                text[at] = strange[k];
                struct text t = padded(text, n);
                size_t where = n + 1, where_plain = n + 1;
                plain->generation++;
                int a = json_scan(fast, t, &where), b = json_scan(plain, t, &where_plain);
                if (a != b || where != where_plain)
                    fail_msg("%d for %d at %zu or %zu: %s", a, b, where, where_plain, text);
                assert_true(a || fast->n_items == plain->n_items);
                for (uint32_t x = 0; !a && x < fast->n_items; x++) {
                    char path[JSON_MAX_PATH], other[JSON_MAX_PATH];
                    size_t m = json_scan_path(fast, fast->items[x].node, path);
                    assert_int_equal(m, json_scan_path(plain, plain->items[x].node, other));
                    assert_memory_equal(path, other, m);
                    struct json_item one = fast->items[x], two = plain->items[x];
                    one.node = two.node = 0;
                    assert_memory_equal(&one, &two, sizeof one);
                }
            }
    }
}

static void values_of_any_length_keep_a_shape(void **state)
{
    (void)state;
    known(padded("{\"a\":\"\",\"b\":1}", 14));
    uint32_t shape = fast->shape, node = fast->items[1].node;
    static const char longer[] = "{\"a\":\"\\\"0123456789012345678901234567890123456789012345678901234567890123456789\", \"b\": false }";
    assert_int_equal(json_scan(fast, padded(longer, sizeof longer - 1), NULL), 0);
    assert_int_equal(fast->shape, shape);
    assert_true(fast->items[0].is_escaped);
    assert_int_equal(fast->items[0].n, 72);
    assert_int_equal(fast->items[1].node, node);
    assert_int_equal(fast->items[1].kind, JSON_KIND_FALSE);
    static const char other[] = "{\"a\":\"\",\"c\":1}";
    assert_int_equal(json_scan(fast, padded(other, sizeof other - 1), NULL), 0);
    assert_int_not_equal(fast->shape, shape);
    assert_int_not_equal(fast->items[1].node, node);
}

static void more_shapes_than_are_kept_are_still_right(void **state)
{
    (void)state;
    char text[2048];
    for (int round = 0; round < 3; round++)
        for (int i = 1; i < 200; i++) {
            size_t n = (size_t)snprintf(text, sizeof text, "{\"n\":[");
            for (int k = 0; k < i; k++)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", k ? "," : "", k);
            n += (size_t)snprintf(text + n, sizeof text - n, "]}");
            agree(text, n, true, "shapes");
        }
}

static void numbers_of_sixteen_digits_at_most_are_read_at_once(void **state)
{
    (void)state;
    static const char *const right[] = {"0", "7", "10", "99", "123", "1234", "65535", "999999", "1234567", "12345678", "123456789",
                                        "4294967295", "12345678901", "123456789012345", "9999999999999999"};
    static const char *const none[] = {"", "-1", "1.5", "1e3", "12E2", "12345678.5", "1.12345678901", "12345678901234567", "1234567+8"};
    uint64_t v, want;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        size_t n = strlen(right[i]);
        assert_int_equal(text_u64((struct text){right[i], n}, UINT64_MAX, &want), 0);
        assert_true(json_u64(padded(right[i], n).p, (uint32_t)n, &v));
        assert_int_equal(v, want);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(json_u64(padded(none[i], strlen(none[i])).p, (uint32_t)strlen(none[i]), &v));
}

static void an_empty_text_may_be_the_first(void **state)
{
    (void)state;
    struct json_scan *s = json_scan_new(NULL, false);
    assert_non_null(s);
    assert_int_equal(json_scan(s, padded("", 0), NULL), JSON_MALFORMED);
    json_scan_free(s);
}

static int scan_once(void *context)
{
    (void)context;
    static const char text[7 + JSON_SCAN_PADDING] = "{\"a\":1}";
    struct json_scan *s = json_scan_new(NULL, false);
    if (!s)
        return -ENOMEM;
    int rc = json_scan(s, (struct text){text, 7}, NULL);
    json_scan_free(s);
    return rc;
}

static void memory_that_is_out_is_said(void **state)
{
    (void)state;
    assert_true(failing_alloc_each("scanning", scan_once, NULL, true) > 3); /* a key without memory is left out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_json_and_that_are_not),
        cmocka_unit_test(every_place_of_a_block_of_64_bytes_counts),
        cmocka_unit_test(paths_are_numbers_that_stay),
        cmocka_unit_test(marks_tell_which_paths_a_text_has),
        cmocka_unit_test(too_many_paths_and_leaves_are_checked_but_not_given),
        cmocka_unit_test(random_and_mutated_texts_get_the_same_verdict_and_leaves),
        cmocka_unit_test(a_known_shape_is_checked_as_strictly_as_any),
        cmocka_unit_test(values_of_any_length_keep_a_shape),
        cmocka_unit_test(more_shapes_than_are_kept_are_still_right),
        cmocka_unit_test(numbers_of_sixteen_digits_at_most_are_read_at_once),
        cmocka_unit_test(an_empty_text_may_be_the_first),
        cmocka_unit_test(memory_that_is_out_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
