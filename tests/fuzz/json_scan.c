/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan - the fast scanner with and without vector instructions agrees with json_walk, with and without a known shape; every
   leaf lies in the text. */
#include "format/json_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_scan *fast, *plain;
    if (!fast) {
        fast = json_scan_new(NULL, false);
        plain = json_scan_new(NULL, true);
        assert(fast && plain);
    }
    char *text = malloc(size + JSON_SCAN_PADDING);
    assert(text);
    memcpy(text, data, size);
    memset(text + size, '"', JSON_SCAN_PADDING);
    struct text t = {text, size};
    size_t at = 0, at_plain = 0;
    plain->generation++;          /* knows no shape: it walks */
    json_scan(fast, t, NULL);
    json_scan(fast, t, NULL);     /* the third time it is taken by its shape */
    int a = json_scan(fast, t, &at), b = json_scan(plain, t, &at_plain), c = json_walk(t, NULL, NULL, NULL);
    assert(a == b && a == c);
    assert(at == at_plain && at <= size);
    if (!a) {
        assert(fast->n_items == plain->n_items && fast->is_cut == plain->is_cut);
        for (uint32_t i = 0; i < fast->n_items; i++) {
            const struct json_item *x = &fast->items[i], *y = &plain->items[i];
            assert(x->at == y->at && x->n == y->n && x->kind == y->kind && x->is_escaped == y->is_escaped && x->is_listed == y->is_listed);
            assert(x->at <= size && x->n <= size - x->at);
            char p[JSON_MAX_PATH], q[JSON_MAX_PATH];
            size_t n = json_scan_path(fast, x->node, p);
            assert(n == json_scan_path(plain, y->node, q) && (n == SIZE_MAX || !memcmp(p, q, n)));
        }
    }
    free(text);
    return 0;
}
