/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule is the hash of its text taken from the end, so that one walk over a name from its end to its beginning meets the
 * hash of every suffix there is.
 */
#include "format/domain_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { RULE = 1, WILDCARD = 2, EXCEPT = 4, BELOW = 8, LABEL = 16 };

struct slot {
    uint64_t hash; /* 0: free */
    uint8_t kinds;
};

struct domain_rules {
    struct slot *slots;
    uint32_t n, n_slots; /* a power of two, at most half full */
};

#define HASH_START UINT64_C(0xcbf29ce484222325) /* FNV-1a 64 */
#define HASH_PRIME UINT64_C(0x100000001b3)

static uint64_t step(uint64_t h, char c)
{
    return (h ^ (uint8_t)c) * HASH_PRIME;
}

static uint64_t backwards(const char *p, size_t n)
{
    uint64_t h = HASH_START;
    while (n)
        h = step(h, p[--n]);
    return h;
}

struct domain_rules *domain_rules_new(void)
{
    return calloc(1, sizeof(struct domain_rules));
}

void domain_rules_free(struct domain_rules *r)
{
    if (r)
        free(r->slots);
    free(r);
}

static struct slot *find(struct slot *slots, uint32_t n_slots, uint64_t h)
{
    h |= !h;
    uint32_t i = (uint32_t)(h ^ h >> 32) & (n_slots - 1);
    while (slots[i].hash && slots[i].hash != h)
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

static uint8_t kinds_of(const struct domain_rules *r, uint64_t h)
{
    return r && r->n_slots ? find(r->slots, r->n_slots, h)->kinds : 0;
}

static int grow(struct domain_rules *r)
{
    uint32_t n_slots = r->n_slots ? r->n_slots * 2 : 1024;
    struct slot *slots = calloc(n_slots, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < r->n_slots; i++)
        if (r->slots[i].hash)
            *find(slots, n_slots, r->slots[i].hash) = r->slots[i];
    free(r->slots);
    r->slots = slots;
    r->n_slots = n_slots;
    return 0;
}

/* add - Return: 0, 1 (full) or -ENOMEM. */
static int add(struct domain_rules *r, struct text name, enum kind kind)
{
    if (r->n >= DOMAIN_RULES_MAX)
        return 1;
    if (r->n * 2 >= r->n_slots && grow(r))
        return -ENOMEM;
    uint64_t h = backwards(name.p, name.n);
    struct slot *s = find(r->slots, r->n_slots, h);
    r->n += !s->hash;
    s->hash = h | !h;
    s->kinds |= (uint8_t)kind;
    return 0;
}

/* --- lists --------------------------------------------------------------------------------------------------------- */

static bool next_line(struct text *rest, struct text *line)
{
    if (!rest->n)
        return false;
    const char *end = memchr(rest->p, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    *line = text_trim((struct text){rest->p, n});
    n += end != NULL;
    *rest = (struct text){rest->p + n, rest->n - n};
    return true;
}

/* lower - a name as a rule writes it. Return: its length, 0: none of ours. */
static size_t lower(struct text t, char out[DOMAIN_NAME_BYTES])
{
    if (t.n && t.p[t.n - 1] == '.')
        t.n--;
    if (!t.n || t.n > DOMAIN_NAME_BYTES || t.p[0] == '.')
        return 0;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= ' ' || c >= 0x7f || (c == '.' && (i + 1 == t.n || t.p[i + 1] == '.')))
            return 0;
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : (char)c;
    }
    return t.n;
}

static struct text first_word(struct text line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == ' ' || line.p[i] == '\t')
            return (struct text){line.p, i};
    return line;
}

static int take(struct domain_rules *r, struct text rule, enum kind kind, struct domain_rules_read *ret)
{
    char name[DOMAIN_NAME_BYTES];
    size_t n = lower(rule, name);
    if (!n) {
        ret->passed_over++;
        return 0;
    }
    int e = add(r, (struct text){name, n}, kind);
    ret->rules += !e;
    return e;
}

int domain_suffixes_read(struct domain_rules *r, struct text list, struct domain_rules_read *ret)
{
    struct text line;
    int e = 0;
    *ret = (struct domain_rules_read){0};
    while (!e && next_line(&list, &line)) {
        if (!line.n || (line.n > 1 && line.p[0] == '/' && line.p[1] == '/'))
            continue;
        struct text rule = first_word(line); /* the format: up to the first blank */
        enum kind kind = RULE;
        size_t skip = 0;
        if (rule.p[0] == '!') {
            kind = EXCEPT;
            skip = 1;
        } else if (rule.n > 1 && rule.p[0] == '*' && rule.p[1] == '.') {
            kind = WILDCARD;
            skip = 2;
        }
        e = take(r, (struct text){rule.p + skip, rule.n - skip}, kind, ret);
    }
    return e;
}

int domain_exceptions_read(struct domain_rules *r, struct text list, struct domain_rules_read *ret)
{
    struct text line;
    int e = 0;
    *ret = (struct domain_rules_read){0};
    while (!e && next_line(&list, &line)) {
        if (!line.n || line.p[0] == '#')
            continue;
        struct text rule = first_word(line);
        bool is_label = rule.n > 2 && rule.p[rule.n - 1] == '*' && rule.p[rule.n - 2] == '.';
        e = take(r, (struct text){rule.p, rule.n - (is_label ? 2 : 0)}, is_label ? LABEL : BELOW, ret);
    }
    return e;
}

/* --- names --------------------------------------------------------------------------------------------------------- */

/* labels_of - where labels begin, from the last to the first. Return: how many. */
static unsigned labels_of(const struct domain_name *d, uint16_t starts[DOMAIN_NAME_BYTES])
{
    unsigned n = 0;
    for (size_t i = d->n; i--;)
        if (!i || d->name[i - 1] == '.')
            starts[n++] = (uint16_t)i;
    return n;
}

/* suffix_labels - of how many labels the public suffix is; @starts from the last label on. */
static unsigned suffix_labels(const struct domain_rules *r, const struct domain_name *d, const uint16_t *starts, unsigned n)
{
    unsigned best = 1;
    uint64_t h = HASH_START;
    size_t at = d->n;
    for (unsigned i = 0; i < n; i++) {
        while (at > starts[i])
            h = step(h, d->name[--at]);
        uint8_t kinds = kinds_of(r, h);
        if (kinds & EXCEPT)
            return i; /* the rule without its first label */
        if (kinds & RULE && i + 1 > best)
            best = i + 1;
        if (kinds & WILDCARD && i + 2 > best && i + 2 <= n)
            best = i + 2;
        if (at)
            h = step(h, d->name[--at]); /* the dot */
    }
    return best;
}

int domain_name_read(const struct domain_rules *suffixes, struct text name, struct domain_name *ret)
{
    uint16_t starts[DOMAIN_NAME_BYTES];
    ret->n = lower(name, ret->name);
    if (!ret->n)
        return 1;
    unsigned n = labels_of(ret, starts), k = suffix_labels(suffixes, ret, starts, n);
    ret->n_labels = n;
    ret->below = ret->label = ret->registered = (struct text){ret->name, 0};
    if (!k) /* an exception of one label: cannot be in a sound list */
        k = 1;
    ret->suffix = (struct text){ret->name + starts[k - 1], ret->n - starts[k - 1]};
    if (k == n)
        return 0;
    ret->registered = (struct text){ret->name + starts[k], ret->n - starts[k]};
    ret->label = (struct text){ret->name + starts[k], (size_t)(starts[k - 1] - starts[k]) - 1};
    ret->below = (struct text){ret->name, starts[k] ? (size_t)starts[k] - 1 : 0};
    return 0;
}

bool domain_is_excepted(const struct domain_rules *rules, const struct domain_name *d)
{
    uint64_t whole = HASH_START, label = HASH_START;
    for (size_t i = d->n; i--;) {
        char c = d->name[i];
        if (c == '.')
            label = HASH_START;
        else
            label = step(label, c);
        whole = step(whole, c);
        if (i && d->name[i - 1] != '.')
            continue;
        if (c != '.' && (kinds_of(rules, whole) & BELOW || kinds_of(rules, label) & LABEL))
            return true;
    }
    return false;
}
