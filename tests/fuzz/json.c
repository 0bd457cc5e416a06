/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner against jansson: both accept or both refuse (jansson also refuses numbers it cannot hold, and goes
 * deeper); a string of ours reads back the same in theirs.
 */
#include "format/json.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int leaf(void *context, struct text path, const struct json_value *v)
{
    struct text *whole = context;
    assert(path.n <= JSON_MAX_PATH);
    assert(v->raw.p >= whole->p && v->raw.p + v->raw.n <= whole->p + whole->n);
    if (v->kind == JSON_KIND_STRING) {
        char *out = malloc(v->raw.n + 1);
        assert(out);
        size_t n = json_unescape(v->raw, out);
        assert(n <= v->raw.n && text_is_utf8(out, n));
        free(out);
    }
    if (v->kind == JSON_KIND_ARRAY) {
        struct text rest = v->raw;
        struct json_value element;
        while (json_element(&rest, &element))
            assert(element.raw.p >= whole->p && element.raw.p + element.raw.n <= whole->p + whole->n);
    }
    return 0;
}

static void write_and_read(const uint8_t *p, size_t n)
{
    struct buf b = {.max = 1 << 24};
    json_put_string(&b, (struct text){(const char *)p, n});
    assert(!b.is_bad);
    json_t *j = json_loadb((const char *)b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert(j && json_is_string(j));
    if (text_is_utf8((const char *)p, n))
        assert(json_string_length(j) == n && !memcmp(json_string_value(j), p, n));
    json_decref(j);
    assert(!json_walk((struct text){(const char *)b.p, b.n}, NULL, NULL, NULL));
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct text t = {(const char *)p, n};
    json_error_t error;
    int rc = json_walk(t, leaf, &t, NULL);
    json_t *j = json_loadb(t.p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    bool is_number = !j && json_error_code(&error) == json_error_numeric_overflow;
    if (rc == 0)
        assert(j || is_number);
    else if (rc == JSON_MALFORMED)
        assert(!j || memchr(p, 0, n)); /* jansson takes a NUL behind the value for the end */
    json_decref(j);
    write_and_read(p, n);
    return 0;
}
