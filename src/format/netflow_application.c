/* SPDX-License-Identifier: Apache-2.0 */
#include "format/netflow_application.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t key_of(struct text id)
{
    uint64_t h = id.n;
    for (size_t i = 0; i < id.n; i++) {
        h = (h ^ (unsigned char)id.p[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static uint32_t place(const struct netflow_applications *a, uint64_t key)
{
    uint32_t low = 0, high = a->n;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (a->entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t grown(const struct netflow_applications *a)
{
    return a->capacity ? a->capacity * 2 : 16;
}

size_t netflow_application_growth(const struct netflow_applications *a)
{
    return (grown(a) - a->capacity) * sizeof(*a->entries);
}

static int make_place(struct netflow_applications *a, uint32_t at, bool may_grow)
{
    if (a->n == NETFLOW_APPLICATIONS_MAX || (a->n == a->capacity && !may_grow))
        return NETFLOW_APPLICATIONS_FULL;
    if (a->n == a->capacity) {
        struct netflow_application *p = realloc(a->entries, grown(a) * sizeof(*p));
        if (!p)
            return -ENOMEM;
        a->capacity = grown(a);
        a->entries = p;
    }
    memmove(&a->entries[at + 1], &a->entries[at], (a->n - at) * sizeof(*a->entries));
    a->n++;
    return 0;
}

/* cut - at most @max bytes, not through a character. */
static size_t cut(struct text t, size_t max)
{
    size_t n = t.n < max ? t.n : max;
    while (n && n < t.n && ((unsigned char)t.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

int netflow_application_learn(struct netflow_applications *a, struct text id, struct text name, bool may_grow)
{
    if (!id.n || !name.n)
        return 1;
    uint64_t key = key_of(id);
    uint32_t at = place(a, key);
    if (at == a->n || a->entries[at].key != key) {
        int r = make_place(a, at, may_grow);
        if (r)
            return r;
    }
    struct netflow_application *e = &a->entries[at];
    e->key = key;
    e->n = (uint8_t)cut(name, NETFLOW_APPLICATION_NAME);
    memcpy(e->name, name.p, e->n);
    return 0;
}

struct text netflow_application_name(const struct netflow_applications *a, struct text id)
{
    if (!a->n || !id.n)
        return (struct text){0};
    uint64_t key = key_of(id);
    uint32_t at = place(a, key);
    if (at == a->n || a->entries[at].key != key)
        return (struct text){0};
    return (struct text){a->entries[at].name, a->entries[at].n};
}

void netflow_applications_fini(struct netflow_applications *a)
{
    free(a->entries);
    *a = (struct netflow_applications){0};
}
