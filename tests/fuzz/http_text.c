/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of an HTTP request: what is taken is a clean path, clean texts, and lies inside the input. */
#include "net/http_text.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    do { \
        if (!(x)) \
            abort(); \
    } while (0)

static void check_path(const char *p)
{
    size_t n = strlen(p);
    CHECK(n && p[0] == '/' && text_is_utf8(p, n) && !strstr(p, "/../") && !strstr(p, "//") && !strchr(p, '\\'));
    CHECK(n < 3 || strcmp(p + n - 3, "/..") != 0);
    for (size_t i = 0; i < n; i++)
        CHECK((unsigned char)p[i] >= 0x20);
}

static void check_query(const char *query)
{
    struct arena arena = {0};
    struct text rest = {query, strlen(query)}, name, value;
    size_t n, before = rest.n + 1;
    while (http_query_next(&rest, &name, &value)) {
        CHECK(rest.n < before);
        before = rest.n;
        CHECK(name.p >= query && name.p + name.n <= query + strlen(query) && value.p + value.n <= query + strlen(query));
        const char *text = http_decode(&arena, value, true, &n);
        CHECK(!text || (n <= value.n && strlen(text) == n && text_is_utf8(text, n)));
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t;
    const char *query;
    if (size > 1 << 16)
        return 0;
    char *text = malloc(size + 1), *target = malloc(size + 1);
    if (!text || !target)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    memcpy(target, text, size + 1);
    if (!http_target_split(target, &query))
        check_path(target);
    check_query(query);
    if (http_cookie(text, "__Host-vonggac", &t))
        CHECK(t.p >= text && t.p + t.n <= text + strlen(text) && !memchr(t.p, ';', t.n));
    if (http_bearer(text, &t))
        CHECK(t.p >= text && t.p + t.n <= text + strlen(text));
    CHECK(http_entity_version(text) >= -2);
    (void)http_accepts_gzip(text);
    free(text);
    free(target);
    return 0;
}
