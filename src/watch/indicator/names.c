/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter: 64-bit words, four bits of one word a key, so that a question costs one cache line.
 */
#include "watch/indicator/names.h"

#include "format/flow.h"
#include "watch/indicator/image.h"

#include <stdlib.h>
#include <string.h>

/* beside the kinds of names: hosts of listed URLs, which tell where to look for a path (filter only) */
enum { URL_HOST = NAME_HASH + 1 };
enum { LABELS_MAX = 128 };

struct names {
    struct list *const *lists;
    uint32_t *with_names; /* indexes of lists that have any */
    uint32_t n_with_names;
    uint64_t n;
    uint64_t *words;
    unsigned shift; /* of a key to the number of its word */
};

static uint64_t bits_of(uint64_t key)
{
    return UINT64_C(1) << (key & 63) | UINT64_C(1) << (key >> 6 & 63) | UINT64_C(1) << (key >> 12 & 63) | UINT64_C(1) << (key >> 18 & 63);
}

static bool may_have(const struct names *x, uint64_t key)
{
    uint64_t bits = bits_of(key);
    return (x->words[key >> x->shift] & bits) == bits;
}

static void put_key(struct names *x, uint64_t key)
{
    x->words[key >> x->shift] |= bits_of(key);
}

/* put_unicode - events may write the name as it is read: so it stands in the word index, and before bare paths. */
static void put_unicode(struct names *x, enum name_kind k, struct text canonical)
{
    char out[LIST_NAME_BYTES];
    size_t n = name_unicode(canonical, out);
    if (!n)
        return;
    put_key(x, name_key(k, (struct text){out, n}));
    if (k == NAME_URL)
        put_key(x, name_key((enum name_kind)URL_HOST, name_host((struct text){out, n})));
}

static void put_list(struct names *x, const struct image *im)
{
    const struct image_name *all = im->section[IMAGE_NAMES];
    for (size_t i = 0; i < im->count[IMAGE_NAMES]; i++) {
        put_key(x, all[i].key);
        if (all[i].kind == NAME_HASH)
            continue;
        struct text listed = image_text(im, all[i].text);
        if (all[i].kind == NAME_URL)
            put_key(x, name_key((enum name_kind)URL_HOST, name_host(listed)));
        put_unicode(x, (enum name_kind)all[i].kind, listed);
    }
}

struct names *names_new(struct list *const *lists, size_t n_lists)
{
    struct names *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->lists = lists;
    x->with_names = calloc(n_lists + 1, sizeof(*x->with_names));
    for (size_t i = 0; x->with_names && i < n_lists; i++) {
        size_t n = list_image(lists[i])->count[IMAGE_NAMES];
        x->n += n;
        if (n)
            x->with_names[x->n_with_names++] = (uint32_t)i;
    }
    unsigned log = 3;
    while (log < 40 && (UINT64_C(4) << log) < x->n)
        log++;
    x->shift = 64 - log;
    x->words = calloc((size_t)1 << log, sizeof(*x->words));
    if (!x->words || !x->with_names) {
        names_free(x);
        return NULL;
    }
    for (uint32_t i = 0; i < x->n_with_names; i++)
        put_list(x, list_image(lists[x->with_names[i]]));
    return x;
}

void names_free(struct names *x)
{
    if (!x)
        return;
    free(x->with_names);
    free(x->words);
    free(x);
}

uint64_t names_count(const struct names *x)
{
    return x ? x->n : 0;
}

/* --- looking up ------------------------------------------------------------------------------------------------------ */

struct taking {
    struct name_match *out;
    size_t n, max;
};

static void take(struct taking *t, uint32_t list, enum name_kind k, struct text listed)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->out[i].list == list && t->out[i].kind == k && text_equal(t->out[i].name, listed))
            return;
    if (t->n < t->max)
        t->out[t->n++] = (struct name_match){list, k, listed};
}

/* find_exact - @t itself in all lists; @taking NULL: the first is enough. Return: whether any has it. */
static bool find_exact(const struct names *x, enum name_kind k, struct text t, uint64_t key, struct taking *taking)
{
    bool has = false;
    for (uint32_t i = 0; i < x->n_with_names && !(has && !taking); i++) {
        const struct image *im = list_image(x->lists[x->with_names[i]]);
        size_t from, to;
        image_name_range(im, key, &from, &to);
        const struct image_name *all = im->section[IMAGE_NAMES];
        for (; from < to; from++) {
            struct text listed = image_text(im, all[from].text);
            if (all[from].kind != k || !text_equal(listed, t))
                continue;
            has = true;
            if (taking)
                take(taking, x->with_names[i], k, listed);
        }
    }
    return has;
}

/* find_name - @t and, of a domain, those above it. */
static bool find_name(const struct names *x, enum name_kind k, struct text t, struct taking *taking)
{
    bool has = false;
    for (unsigned labels = 0; labels < LABELS_MAX; labels++) {
        uint64_t key = name_key(k, t);
        if (may_have(x, key))
            has |= find_exact(x, k, t, key, taking);
        const char *dot = k == NAME_DOMAIN && t.n ? memchr(t.p, '.', t.n) : NULL;
        if (!dot || (has && !taking))
            break;
        t = (struct text){dot + 1, (size_t)(t.p + t.n - dot - 1)};
        if (!memchr(t.p, '.', t.n)) /* a domain has two labels or more */
            break;
    }
    return has;
}

size_t names_find(const struct names *x, enum name_kind k, struct text t, struct name_match *out, size_t max)
{
    struct taking taking = {out, 0, max};
    if (names_count(x))
        (void)find_name(x, k, t, &taking);
    return taking.n;
}

/* --- values of fields --------------------------------------------------------------------------------------------------- */

enum holds { NOTHING, DOMAIN, URL, HASH, MAIL };

static enum holds holds_of(uint16_t field)
{
    switch (field) {
    case EV_DNS_QUESTION_NAME: case EV_DNS_ANSWERS_DATA: case EV_URL_DOMAIN: case EV_TLS_SERVER_NAME: case EV_SOURCE_DOMAIN:
    case EV_DESTINATION_DOMAIN: case EV_CLIENT_DOMAIN: case EV_SERVER_DOMAIN: case EV_RELATED_HOSTS: return DOMAIN;
    case EV_URL_FULL: case EV_URL_ORIGINAL: case EV_HTTP_REFERRER: return URL;
    case EV_FILE_HASH_MD5: case EV_FILE_HASH_SHA1: case EV_FILE_HASH_SHA256: case EV_PROCESS_HASH_MD5: case EV_PROCESS_HASH_SHA1:
    case EV_PROCESS_HASH_SHA256: case EV_FILE_PE_IMPHASH: case EV_PROCESS_PE_IMPHASH: case EV_RELATED_HASH: case EV_TLS_JA3:
    case EV_TLS_JA3S: case EV_TLS_FINGERPRINT: return HASH;
    case EV_EMAIL_FROM: return MAIL;
    default: return NOTHING;
    }
}

static bool find_domain(const struct names *x, struct text t, struct taking *taking)
{
    char out[LIST_DOMAIN_BYTES];
    size_t n = name_domain(t, out);
    return n && find_name(x, NAME_DOMAIN, (struct text){out, n}, taking);
}

/* find_url - and its host. */
static bool find_url(const struct names *x, struct text t, struct taking *taking)
{
    char out[LIST_NAME_BYTES];
    size_t n = name_url(t, out);
    if (!n)
        return false;
    bool has = find_name(x, NAME_URL, (struct text){out, n}, taking);
    struct text host = name_host((struct text){out, n});
    return (has && !taking) || find_name(x, NAME_DOMAIN, host, taking) || has;
}

/* find_request - a bare path, behind the domain the event gives. */
static bool find_request(const struct names *x, const struct events *e, uint32_t row, struct text path, struct taking *taking)
{
    char whole[LIST_NAME_BYTES];
    const struct event_value *v = event_get(e, row, EV_URL_DOMAIN);
    struct text host = v && v->type == EVENT_KEYWORD ? event_text(e, v) : (struct text){"", 0};
    if (!host.n || host.n + path.n > sizeof(whole) || !may_have(x, name_key((enum name_kind)URL_HOST, name_host(host))))
        return false;
    memcpy(whole, host.p, host.n);
    memcpy(whole + host.n, path.p, path.n);
    return find_url(x, (struct text){whole, host.n + path.n}, taking);
}

static bool find_value(const struct names *x, const struct events *e, uint32_t row, const struct event_value *v, struct taking *taking)
{
    enum holds holds = v->type == EVENT_KEYWORD ? holds_of(v->field) : NOTHING;
    if (holds == NOTHING)
        return false;
    struct text t = event_text(e, v);
    char hash[64];
    switch (holds) {
    case DOMAIN: return find_domain(x, t, taking);
    case URL:
        if (v->field == EV_URL_ORIGINAL && t.n && *t.p == '/')
            return find_request(x, e, row, t, taking);
        return memchr(t.p, '.', t.n) && find_url(x, t, taking);
    case HASH:
        t.n = name_hash(t, hash);
        return t.n && find_name(x, NAME_HASH, (struct text){hash, t.n}, taking);
    case MAIL: {
        const char *at = t.n ? memrchr(t.p, '@', t.n) : NULL;
        return at && find_domain(x, (struct text){at + 1, (size_t)(t.p + t.n - at - 1)}, taking);
    }
    case NOTHING: break;
    }
    return false;
}

size_t names_of_event(const struct names *x, const struct events *e, uint32_t row, struct name_match out[NAMES_OF_EVENT])
{
    struct taking taking = {out, 0, NAMES_OF_EVENT};
    for (uint32_t i = event_from(e, row); names_count(x) && i < e->value_end[row]; i++)
        (void)find_value(x, e, row, &e->values[i], &taking);
    return taking.n;
}

bool names_in_event(const struct names *x, const struct events *e, uint32_t row)
{
    for (uint32_t i = event_from(e, row); names_count(x) && i < e->value_end[row]; i++)
        if (find_value(x, e, row, &e->values[i], NULL))
            return true;
    return false;
}

/* --- values of the word index ----------------------------------------------------------------------------------------------- */

/* may_domain - by keys only: the exact text is not known. */
static bool may_domain(const struct names *x, struct text t)
{
    while (t.n && t.p[t.n - 1] == '.')
        t.n--;
    for (unsigned labels = 0; labels < LABELS_MAX && t.n; labels++) {
        if (may_have(x, name_key(NAME_DOMAIN, t)) || (!labels && may_have(x, name_key((enum name_kind)URL_HOST, t))))
            return true;
        const char *dot = memchr(t.p, '.', t.n);
        if (!dot)
            break;
        t = (struct text){dot + 1, (size_t)(t.p + t.n - dot - 1)};
    }
    return false;
}

bool names_may_hold(const struct names *x, struct text folded, size_t n_max)
{
    char out[LIST_NAME_BYTES];
    bool is_cut = folded.n + 4 > n_max;
    if (!names_count(x))
        return false;
    size_t n = name_hash(folded, out);
    if (n)
        return may_have(x, name_key(NAME_HASH, (struct text){out, n}));
    const char *at = memrchr(folded.p, '@', folded.n);
    if (at && !memchr(folded.p, '/', folded.n))
        return may_domain(x, (struct text){at + 1, (size_t)(folded.p + folded.n - at - 1)});
    if (!memchr(folded.p, '/', folded.n))
        return is_cut || may_domain(x, folded);
    n = name_url(folded, out);
    if (!n || (is_cut && n < LIST_KEY_BYTES))
        return is_cut;
    struct text url = {out, n};
    return may_have(x, name_key(NAME_URL, url)) || may_domain(x, name_host(url));
}

/* --- flows ------------------------------------------------------------------------------------------------------------------- */

size_t names_of_texts(const struct names *x, struct text packed, struct name_match out[NAMES_OF_EVENT])
{
    struct taking taking = {out, 0, NAMES_OF_EVENT};
    struct text name, value;
    char hash[64];
    while (names_count(x) && flow_text_next(&packed, &name, &value)) {
        if (text_is(name, "tls.client.ja3")) {
            size_t n = name_hash(value, hash);
            if (n)
                (void)find_name(x, NAME_HASH, (struct text){hash, n}, &taking);
        } else if (text_is(name, "dns.question.name") || text_is(name, "tls.client.server_name") || text_is(name, "url.domain")) {
            const char *colon = value.n ? memchr(value.p, ':', value.n) : NULL; /* of a Host header: with a port */
            (void)find_domain(x, colon ? (struct text){value.p, (size_t)(colon - value.p)} : value, &taking);
        }
    }
    return taking.n;
}
