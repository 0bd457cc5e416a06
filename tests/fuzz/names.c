/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, suffix rules and the table of scores. First byte: what the rest is; a blank line parts a list from names.
 * Invariants: the parts of a name lie in it, in order; a name is excepted with all below it; a score lies in 0..1.
 */
#include "format/domain_name.h"
#include "format/name_score.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void check_name(const struct domain_name *d)
{
    const char *end = d->name + d->n;
    assert(d->n && d->n <= DOMAIN_NAME_BYTES && d->suffix.n && d->suffix.p + d->suffix.n == end);
    if (!d->registered.n) {
        assert(!d->label.n && !d->below.n && d->suffix.n == d->n);
        return;
    }
    assert(d->registered.p + d->registered.n == end && d->registered.n == d->label.n + 1 + d->suffix.n);
    assert(d->label.n && d->label.p == d->registered.p && d->label.p[d->label.n] == '.');
    assert(d->below.n ? d->below.n + 1 + d->registered.n == d->n : d->registered.n == d->n);
    assert(!d->label.n || !memchr(d->label.p, '.', d->label.n));
}

static void names_of(const struct domain_rules *suffixes, const struct domain_rules *exceptions, struct text t)
{
    struct domain_name d, longer;
    char below[DOMAIN_NAME_BYTES + 2];
    if (domain_name_read(suffixes, t, &d))
        return;
    check_name(&d);
    if (!domain_is_excepted(exceptions, &d) || d.n + 2 > DOMAIN_NAME_BYTES)
        return;
    memcpy(below, "x.", 2);
    memcpy(below + 2, d.name, d.n);
    assert(!domain_name_read(suffixes, (struct text){below, d.n + 2}, &longer) && domain_is_excepted(exceptions, &longer));
}

static void score(const uint8_t *p, size_t n)
{
    static struct name_model m;
    uint32_t line;
    double s;
    bool is_whole = !name_model_parse(&m, (struct text){(const char *)p, n}, &line);
    assert(is_whole || line <= n + 1);
    for (unsigned i = 0; i < NAME_WEIGHTS; i++)
        m.weights[i] = 0.25 * (i % 5) - 0.5;
    if (!name_score(&m, (struct text){(const char *)p, n < NAME_SCORE_MAX ? n : NAME_SCORE_MAX}, &s))
        assert(s >= 0 && s <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!n)
        return 0;
    if (*p & 1) {
        score(p + 1, n - 1);
        return 0;
    }
    struct domain_rules *suffixes = domain_rules_new(), *exceptions = domain_rules_new();
    struct domain_rules_read read;
    struct text t = {(const char *)p + 1, n - 1};
    const char *gap = t.n ? memmem(t.p, t.n, "\n\n", 2) : NULL;
    struct text list = gap ? (struct text){t.p, (size_t)(gap - t.p)} : t;
    if (suffixes && exceptions && domain_suffixes_read(suffixes, list, &read) >= 0 && domain_exceptions_read(exceptions, list, &read) >= 0) {
        struct text rest = gap ? (struct text){gap + 2, t.n - list.n - 2} : t;
        while (rest.n) {
            const char *end = memchr(rest.p, '\n', rest.n);
            size_t length = end ? (size_t)(end - rest.p) : rest.n;
            names_of(suffixes, exceptions, (struct text){rest.p, length});
            length += end != NULL;
            rest = (struct text){rest.p + length, rest.n - length};
        }
    }
    domain_rules_free(suffixes);
    domain_rules_free(exceptions);
    return 0;
}
