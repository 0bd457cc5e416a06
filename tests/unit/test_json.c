/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Against RFC 8259 by table, and against jansson on random texts.
 */
#include "format/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static int list_leaf(void *context, struct text path, const struct json_value *v)
{
    struct buf *b = context;
    char text[1024];
    size_t n = v->is_escaped ? json_unescape(v->raw, text) : v->raw.n;
    buf_printf(b, "%.*s=%d:%.*s|", (int)path.n, path.p, (int)v->kind, (int)n, v->is_escaped ? text : v->raw.p);
    return 0;
}

static void leaves_come_with_their_dotted_paths(void **state)
{
    (void)state;
    struct buf b = {.max = 4096};
    struct text t = TEXT(" {\"a\": 1, \"b\":{\"c\":\"x\\n\\u0111\\ud83d\\ude00\",\"d\":{}, \"e.f\":[1,{\"z\":[]}]},"
                         "\"\\u0067\":null,\"h\":true,\"i\":-1.5e+3 } ");
    assert_int_equal(json_walk(t, list_leaf, &b, NULL), 0);
    buf_add_byte(&b, 0);
    assert_string_equal((char *)b.p, "a=3:1|b.c=4:x\n\xc4\x91\xf0\x9f\x98\x80|b.d=6:{}|b.e.f=5:[1,{\"z\":[]}]|"
                                     "g=0:null|h=2:true|i=3:-1.5e+3|");
    buf_fini(&b);
}

static void elements_of_an_array_come_one_by_one(void **state)
{
    (void)state;
    struct text rest = TEXT("[ 1, \"a]\" ,{\"x\":[2]}, [3] ]");
    static const char *const wanted[] = {"1", "a]", "{\"x\":[2]}", "[3]"};
    struct json_value v;
    size_t n = 0;
    while (json_element(&rest, &v)) {
        assert_true(n < 4);
        assert_true(text_is(v.raw, wanted[n]));
        n++;
    }
    assert_int_equal(n, 4);
    rest = TEXT("[]");
    assert_false(json_element(&rest, &v));
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " ", "{", "}", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "01", "-", "1.",
        ".5", "1e", "1e+", "+1", "0x1", "nul", "nulll", "True", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
        "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\x01\"", "\"\t\"", "\"\xff\"", "\"\xc0\x80\"", "1 2", "[1]]", "NaN", "[1;2]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (json_walk((struct text){bad[i], strlen(bad[i])}, NULL, NULL, NULL) != JSON_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
}

static void depth_and_paths_are_bounded(void **state)
{
    (void)state;
    char text[2048];
    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    assert_int_equal(json_walk((struct text){text, 2000}, NULL, NULL, NULL), JSON_TOO_DEEP);
    assert_int_equal(json_walk((struct text){text + 1000 - JSON_MAX_DEPTH, 2 * JSON_MAX_DEPTH}, NULL, NULL, NULL), 0);
    assert_int_equal(json_walk((struct text){text + 999 - JSON_MAX_DEPTH, 2 * JSON_MAX_DEPTH + 2}, NULL, NULL, NULL),
                     JSON_TOO_DEEP);
    struct buf b = {.max = 4096};
    int n = snprintf(text, sizeof(text), "{\"%0*d\":1}", JSON_MAX_PATH, 0);
    assert_int_equal(json_walk((struct text){text, (size_t)n}, list_leaf, &b, NULL), 0);
    n = snprintf(text, sizeof(text), "{\"%0*d\":1}", JSON_MAX_PATH + 1, 0);
    assert_int_equal(json_walk((struct text){text, (size_t)n}, list_leaf, &b, NULL), JSON_LONG_PATH);
    buf_fini(&b);
}

static int stop(void *context, struct text path, const struct json_value *v)
{
    (void)context, (void)path, (void)v;
    return -5;
}

static void a_leaf_can_end_the_walk(void **state)
{
    (void)state;
    assert_int_equal(json_walk(TEXT("{\"a\":1,"), stop, NULL, NULL), -5);
}

static void written_strings_read_back_the_same(void **state)
{
    (void)state;
    char all[256];
    for (int i = 0; i < 128; i++)
        all[i] = (char)i;
    struct buf b = {.max = 4096};
    json_put_string(&b, (struct text){all, 128});
    json_t *j = json_loadb((char *)b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(j);
    assert_int_equal(json_string_length(j), 128);
    assert_memory_equal(json_string_value(j), all, 128);
    json_decref(j);
    buf_clear(&b);
    json_put_string(&b, TEXT("\xc4\x91\xff\xf0\x9f"));
    buf_add_byte(&b, 0);
    assert_string_equal((char *)b.p, "\"\xc4\x91\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    buf_fini(&b);
}

/* ---- against jansson */

static uint64_t random_state;

static unsigned next_random(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

static void random_text(struct buf *b, int depth)
{
    static const char *const scalars[] = {"1",    "-0",  "1.5e-3",        "true",  "false",     "null",     "\"a\\u0041\"", "\"\"",
                                          "\"\xc4\x91\"", "01", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "1e5", "12345678901", "\"\\/\"", "-"};
    unsigned kind = depth > 4 ? 0 : next_random(4);
    if (kind < 2) {
        buf_add_text(b, scalars[next_random(sizeof(scalars) / sizeof(*scalars))]);
        return;
    }
    unsigned n = next_random(4);
    buf_add_text(b, kind == 2 ? "[" : "{ ");
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buf_add_text(b, next_random(40) ? "," : " ");
        if (kind == 3)
            buf_printf(b, "\"k%u\":", i);
        random_text(b, depth + 1);
    }
    buf_add_text(b, kind == 2 ? " ]" : "}");
}

static void it_accepts_what_jansson_accepts(void **state)
{
    (void)state;
    const char *seed = getenv("VONGGAC_SEED"), *rounds_text = getenv("VONGGAC_ROUNDS");
    unsigned rounds = rounds_text ? (unsigned)atoi(rounds_text) * 100 : 20000, n_valid = 0;
    random_state = seed ? strtoull(seed, NULL, 10) | 1 : 20231117;
    uint64_t first = random_state;
    struct buf b = {.max = 1 << 20};
    for (unsigned i = 0; i < rounds; i++) {
        buf_clear(&b);
        random_text(&b, 0);
        unsigned flips = next_random(3) ? 0 : next_random(3);
        for (unsigned k = 0; k < flips && b.n; k++)
            b.p[next_random((unsigned)b.n)] = 
                (uint8_t)(next_random(4) ? (unsigned char)"{}[]\",:\\ 0\x80"[next_random(11)] : next_random(256));
        json_error_t error;
        json_t *j = json_loadb((char *)b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        if (!j && json_error_code(&error) == json_error_numeric_overflow)
            continue;
        bool accepts = !json_walk((struct text){(char *)b.p, b.n}, NULL, NULL, NULL);
        if (accepts != (j != NULL))
            fail_msg("VONGGAC_SEED=%llu round %u: jansson %s: %.*s", (unsigned long long)first, i,
                     j ? "accepts" : "refuses", (int)b.n, (char *)b.p);
        n_valid += accepts;
        json_decref(j);
    }
    assert_true(n_valid > rounds / 10 && n_valid < rounds * 9 / 10);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_come_with_their_dotted_paths),
        cmocka_unit_test(elements_of_an_array_come_one_by_one),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(depth_and_paths_are_bounded),
        cmocka_unit_test(a_leaf_can_end_the_walk),
        cmocka_unit_test(written_strings_read_back_the_same),
        cmocka_unit_test(it_accepts_what_jansson_accepts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
