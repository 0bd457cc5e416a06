/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The building side of an image: rows are appended to flat arrays in their
 * final form, sorted once, and streamed to the file section by section; only
 * the header is written twice (first as zeros), so a torn file never looks valid.
 *
 * Texts and extras are shared through a direct-mapped memory of recent ones:
 * lists repeat their few families, and the cost stays bounded when they do not.
 */
#include "base/file.h"
#include "watch/indicator/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static int grow(void **p, size_t *room, size_t n, size_t item)
{
    if (n < *room)
        return 0;
    size_t want = *room ? *room + *room / 2 : 256, bytes;
    if (want <= n)
        want = n + 1;
    if (__builtin_mul_overflow(want, item, &bytes))
        return -EFBIG;
    void *grown = realloc(*p, bytes);
    if (!grown)
        return -ENOMEM;
    *p = grown;
    *room = want;
    return 0;
}

#define GROW(array, room, n) \
    ({ \
        void *p_ = (array); \
        int r_ = grow(&p_, &(room), (n), sizeof(*(array))); \
        (array) = p_; \
        r_; \
    })

int image_builder_init(struct image_builder *b)
{
    memset(b, 0, sizeof(*b));
    if (GROW(b->heap.p, b->heap.room, 2) || GROW(b->extra, b->room_extra, 0))
        return -ENOMEM;
    b->heap.p[0] = b->heap.p[1] = 0;
    b->heap.n = 2;
    b->extra[0] = (struct image_extra){0};
    b->n_extra = 1;
    return 0;
}

void image_builder_fini(struct image_builder *b)
{
    free(b->single4);
    free(b->range4);
    free(b->entry6);
    free(b->extra);
    free(b->names);
    free(b->heap.p);
    memset(b, 0, sizeof(*b));
}

static int add_text(struct image_builder *b, struct text t, uint32_t *ret)
{
    *ret = 0;
    if (!t.n)
        return 0;
    if (t.n > UINT16_MAX)
        t.n = UINT16_MAX;
    uint32_t *slot = &b->recent_text[XXH3_64bits(t.p, t.n) % IMAGE_RECENT];
    const uint8_t *at = b->heap.p + *slot;
    if (*slot && (size_t)(at[0] | at[1] << 8) == t.n && !memcmp(at + 2, t.p, t.n)) {
        *ret = *slot;
        return 0;
    }
    size_t end = b->heap.n + 2 + t.n;
    if (end > UINT32_MAX)
        return -EFBIG;
    int r = GROW(b->heap.p, b->heap.room, end);
    if (r)
        return r;
    uint8_t *p = b->heap.p + b->heap.n;
    p[0] = (uint8_t)t.n;
    p[1] = (uint8_t)(t.n >> 8);
    memcpy(p + 2, t.p, t.n);
    *ret = *slot = (uint32_t)b->heap.n;
    b->heap.n = end;
    return 0;
}

static int add_extra(struct image_builder *b, const struct list_row *row, uint32_t *ret)
{
    struct image_extra x;
    memset(&x, 0, sizeof(x));
    x.first_us = row->first_us;
    x.last_us = row->last_us;
    x.count = row->count;
    x.asn = row->asn;
    int r = add_text(b, row->family, &x.family);
    if (!r)
        r = add_text(b, row->unit, &x.unit);
    if (!r)
        r = add_text(b, row->note, &x.note);
    if (!r)
        r = add_text(b, row->isp, &x.isp);
    if (!r)
        r = add_text(b, row->province, &x.province);
    if (r)
        return r;
    if (!memcmp(&x, &b->extra[0], sizeof(x))) {
        *ret = 0;
        return 0;
    }
    uint32_t *slot = &b->recent_extra[XXH3_64bits(&x, sizeof(x)) % IMAGE_RECENT];
    if (*slot && !memcmp(&b->extra[*slot], &x, sizeof(x))) {
        *ret = *slot;
        return 0;
    }
    if (b->n_extra >= UINT32_MAX)
        return -EFBIG;
    r = GROW(b->extra, b->room_extra, b->n_extra);
    if (r)
        return r;
    *ret = *slot = (uint32_t)b->n_extra;
    b->extra[b->n_extra++] = x;
    return 0;
}

static int add_name(struct image_builder *b, const struct list_row *row, uint32_t extra)
{
    struct image_name e = {.key = name_key(row->kind, row->name), .extra = extra, .row = (uint32_t)row->row, .port = row->port,
                           .role = (uint8_t)row->role, .kind = (uint8_t)row->kind};
    int r = add_text(b, row->name, &e.text);
    if (!r)
        r = GROW(b->names, b->room_names, b->n_names);
    if (!r)
        b->names[b->n_names++] = e;
    return r;
}

int image_builder_add(struct image_builder *b, const struct list_row *row)
{
    uint32_t extra;
    if (row->row > UINT32_MAX || b->n_single4 + b->n_range4 + b->n_entry6 + b->n_names >= UINT32_MAX)
        return -EFBIG;
    int r = add_extra(b, row, &extra);
    if (r || row->kind != NAME_NONE)
        return r ? r : add_name(b, row, extra);
    if (!ip_is_v4(&row->range.first)) {
        r = GROW(b->entry6, b->room_entry6, b->n_entry6);
        if (!r)
            b->entry6[b->n_entry6++] = (struct image_entry6){.first = row->range.first, .last = row->range.last, .extra = extra,
                                                             .row = (uint32_t)row->row, .port = row->port, .role = (uint8_t)row->role};
        return r;
    }
    struct image_entry4 e = {.first = ip_v4(&row->range.first), .last = ip_v4(&row->range.last), .extra = extra,
                             .row = (uint32_t)row->row, .port = row->port, .role = (uint8_t)row->role};
    if (e.first == e.last) {
        r = GROW(b->single4, b->room_single4, b->n_single4);
        if (!r)
            b->single4[b->n_single4++] = e;
        return r;
    }
    r = GROW(b->range4, b->room_range4, b->n_range4);
    if (!r)
        b->range4[b->n_range4++] = e;
    return r;
}

/* rows come in order and the sort is stable: entries of one address keep the order of the list */
static int sort_singles(struct image_entry4 *e, size_t n)
{
    bool is_sorted = true;
    for (size_t i = 1; i < n && is_sorted; i++)
        is_sorted = e[i - 1].first <= e[i].first;
    if (is_sorted)
        return 0;
    struct image_entry4 *other = malloc(n * sizeof(*e));
    if (!other)
        return -ENOMEM;
    struct image_entry4 *from = e, *to = other;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        size_t start[256] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            start[from[i].first >> shift & 0xff]++;
        for (size_t i = 0; i < 256; i++) {
            size_t count = start[i];
            start[i] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            to[start[from[i].first >> shift & 0xff]++] = from[i];
        struct image_entry4 *swap = from;
        from = to;
        to = swap;
    }
    free(other); /* four passes: the result is back in @e */
    return 0;
}

static int by_range4(const void *pa, const void *pb)
{
    const struct image_entry4 *a = pa, *b = pb;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last > b->last ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->role - b->role;
}

static int by_range6(const void *pa, const void *pb)
{
    const struct image_entry6 *a = pa, *b = pb;
    int c = ip_compare(&a->first, &b->first);
    if (!c)
        c = ip_compare(&b->last, &a->last);
    if (c)
        return c;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->role - b->role;
}

static struct text heap_text(const struct image_builder *b, uint32_t at)
{
    const uint8_t *p = b->heap.p + at;
    return (struct text){(const char *)p + 2, (size_t)p[0] | (size_t)p[1] << 8};
}

static int by_key(const void *pa, const void *pb, void *context)
{
    const struct image_name *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    struct text x = heap_text(context, a->text), y = heap_text(context, b->text);
    int c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    if (!c)
        c = (x.n > y.n) - (x.n < y.n);
    if (c || a->kind != b->kind)
        return c ? c : a->kind - b->kind;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->role - b->role;
}

int image_builder_sort(struct image_builder *b)
{
    int r = b->n_single4 ? sort_singles(b->single4, b->n_single4) : 0;
    if (r)
        return r;
    if (b->n_range4)
        qsort(b->range4, b->n_range4, sizeof(*b->range4), by_range4);
    if (b->n_entry6)
        qsort(b->entry6, b->n_entry6, sizeof(*b->entry6), by_range6);
    if (b->n_names)
        qsort_r(b->names, b->n_names, sizeof(*b->names), by_key, b);
    return 0;
}

static void duplicates4(const struct image_entry4 *e, size_t n, void (*each)(void *, uint64_t, const struct ip_range *), void *context)
{
    unsigned seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (!i || e[i].first != e[i - 1].first || e[i].last != e[i - 1].last)
            seen = 0;
        struct ip_range r = {ip_from_v4(e[i].first), ip_from_v4(e[i].last)};
        if (seen & e[i].role)
            each(context, e[i].row, &r);
        seen |= e[i].role;
    }
}

void image_builder_duplicates(const struct image_builder *b, void (*each)(void *, uint64_t, const struct ip_range *), void *context)
{
    duplicates4(b->single4, b->n_single4, each, context);
    duplicates4(b->range4, b->n_range4, each, context);
    unsigned seen = 0;
    for (size_t i = 0; i < b->n_entry6; i++) {
        const struct image_entry6 *e = &b->entry6[i];
        if (!i || !ip_equal(&e->first, &e[-1].first) || !ip_equal(&e->last, &e[-1].last))
            seen = 0;
        struct ip_range r = {e->first, e->last};
        if (seen & e->role)
            each(context, e->row, &r);
        seen |= e->role;
    }
}

void image_builder_same_names(const struct image_builder *b, void (*each)(void *, uint64_t, struct text), void *context)
{
    for (size_t i = 1; i < b->n_names; i++) {
        const struct image_name *e = &b->names[i], *before = e - 1;
        struct text name = heap_text(b, e->text);
        if (e->key == before->key && e->role == before->role && e->kind == before->kind && text_equal(name, heap_text(b, before->text)))
            each(context, e->row, name);
    }
}

/* a sink that buffers, hashes the body and remembers the first error */
#define SINK_BYTES ((size_t)1 << 20)
struct sink {
    int fd, error;
    uint8_t *p;
    size_t n;
    uint64_t at; /* file offset of the next byte */
    XXH3_state_t *hash;
};

static void sink_flush(struct sink *s)
{
    if (!s->error && s->n) {
        XXH3_64bits_update(s->hash, s->p, s->n);
        s->error = file_write_full(s->fd, s->p, s->n);
    }
    s->n = 0;
}

static void sink_put(struct sink *s, const void *p, size_t n)
{
    const uint8_t *q = p;
    s->at += n;
    while (n) {
        size_t now = SINK_BYTES - s->n < n ? SINK_BYTES - s->n : n;
        memcpy(s->p + s->n, q, now);
        s->n += now;
        q += now;
        n -= now;
        if (s->n == SINK_BYTES)
            sink_flush(s);
    }
}

static void begin(struct sink *s, struct image_header *h, enum image_section i)
{
    static const uint8_t zeros[IMAGE_ALIGN];
    if (s->at % IMAGE_ALIGN)
        sink_put(s, zeros, IMAGE_ALIGN - s->at % IMAGE_ALIGN);
    h->sections[i].offset = s->at;
    h->sections[i].count = 0;
}

static void put_whole(struct sink *s, struct image_header *h, enum image_section i, const void *p, size_t n, size_t item)
{
    begin(s, h, i);
    if (n)
        sink_put(s, p, n * item);
    h->sections[i].count = n;
}

static void saturating_add(uint64_t *sum, uint64_t v)
{
    if (__builtin_add_overflow(*sum, v, sum))
        *sum = UINT64_MAX;
}

/* next_merged - the union of overlapping and touching ranges from *@i on; false at the end */
static bool next_merged(const struct image_builder *b, size_t *i, struct v4_range *ret)
{
    if (*i >= b->n_range4)
        return false;
    *ret = (struct v4_range){b->range4[*i].first, b->range4[*i].last};
    for (++*i; *i < b->n_range4; ++*i) {
        const struct image_entry4 *e = &b->range4[*i];
        if (ret->last != UINT32_MAX && e->first > ret->last + 1)
            break;
        if (e->last > ret->last)
            ret->last = e->last;
    }
    return true;
}

static void put_v4(struct sink *s, struct image_header *h, const struct image_builder *b)
{
    struct v4_range r;
    size_t at = 0;
    begin(s, h, IMAGE_V4);
    bool more = next_merged(b, &at, &r);
    for (size_t i = 0; i < b->n_single4; i++) {
        uint32_t a = b->single4[i].first;
        if (i && a == b->single4[i - 1].first)
            continue;
        while (more && r.last < a)
            more = next_merged(b, &at, &r);
        if (more && r.first <= a)
            continue;
        sink_put(s, &a, sizeof(a));
        h->sections[IMAGE_V4].count++;
    }
    h->n_addresses_v4 = h->sections[IMAGE_V4].count;
    begin(s, h, IMAGE_V4_RANGES);
    for (at = 0; next_merged(b, &at, &r); h->sections[IMAGE_V4_RANGES].count++) {
        sink_put(s, &r, sizeof(r));
        saturating_add(&h->n_addresses_v4, (uint64_t)r.last - r.first + 1);
    }
}

static void put_v6(struct sink *s, struct image_header *h, const struct image_builder *b)
{
    begin(s, h, IMAGE_V6);
    for (size_t i = 0; i < b->n_entry6;) {
        struct ip_range r = {b->entry6[i].first, b->entry6[i].last};
        for (i++; i < b->n_entry6 && ip_compare(&b->entry6[i].first, &r.last) <= 0; i++)
            if (ip_compare(&b->entry6[i].last, &r.last) > 0)
                r.last = b->entry6[i].last;
        sink_put(s, &r, sizeof(r));
        h->sections[IMAGE_V6].count++;
    }
}

static void put_maxima(struct sink *s, struct image_header *h, const struct image_builder *b)
{
    begin(s, h, IMAGE_MAX4);
    for (size_t i = 0; i < b->n_range4; i += IMAGE_BLOCK) {
        uint32_t most = 0;
        for (size_t k = i; k < i + IMAGE_BLOCK && k < b->n_range4; k++)
            most = b->range4[k].last > most ? b->range4[k].last : most;
        sink_put(s, &most, sizeof(most));
        h->sections[IMAGE_MAX4].count++;
    }
    begin(s, h, IMAGE_MAX6);
    for (size_t i = 0; i < b->n_entry6; i += IMAGE_BLOCK) {
        struct ip most = b->entry6[i].last;
        for (size_t k = i; k < i + IMAGE_BLOCK && k < b->n_entry6; k++)
            if (ip_compare(&b->entry6[k].last, &most) > 0)
                most = b->entry6[k].last;
        sink_put(s, &most, sizeof(most));
        h->sections[IMAGE_MAX6].count++;
    }
}

/* put_buckets - about one name a bucket */
static void put_buckets(struct sink *s, struct image_header *h, const struct image_builder *b)
{
    begin(s, h, IMAGE_NAME_BUCKETS);
    if (!b->n_names)
        return;
    unsigned bits = 63 - (unsigned)__builtin_clzll(b->n_names);
    uint32_t at = 0;
    for (uint64_t bucket = 0; bucket < UINT64_C(1) << bits; bucket++) {
        while (at < b->n_names && (bits ? b->names[at].key >> (64 - bits) : 0) < bucket)
            at++;
        sink_put(s, &at, sizeof(at));
    }
    at = (uint32_t)b->n_names;
    sink_put(s, &at, sizeof(at));
    h->sections[IMAGE_NAME_BUCKETS].count = (UINT64_C(1) << bits) + 1;
}

static int fill_about(struct image_builder *b, struct image_header *h, const struct image_about *a)
{
    memcpy(h->magic, a->magic, sizeof(h->magic));
    h->major = IMAGE_MAJOR;
    h->minor = IMAGE_MINOR;
    h->byte_order = IMAGE_BYTE_ORDER;
    h->version = a->version;
    h->kind = a->kind;
    h->date_us = a->date_us;
    h->valid_until_us = a->valid_until_us;
    h->added_us = a->added_us;
    h->n_entries = b->n_single4 + b->n_range4 + b->n_entry6 + b->n_names;
    int r = add_text(b, a->name, &h->name);
    if (!r)
        r = add_text(b, a->letter, &h->letter);
    if (!r)
        r = add_text(b, a->source, &h->source);
    if (!r)
        r = add_text(b, a->family, &h->family);
    if (!r)
        r = add_text(b, a->file_name, &h->file_name);
    return r;
}

static int write_header(int fd, const struct image_header *h)
{
    int r = file_step("write");
    if (r)
        return r;
    ssize_t put = pwrite(fd, h, sizeof(*h), 0);
    return put == (ssize_t)sizeof(*h) ? 0 : put < 0 ? -errno : -EIO;
}

int image_builder_write(struct image_builder *b, int fd, const struct image_about *about)
{
    struct image_header h;
    memset(&h, 0, sizeof(h));
    int r = fill_about(b, &h, about);
    if (r)
        return r;
    struct image_header blank;
    memset(&blank, 0, sizeof(blank));
    r = file_write_full(fd, &blank, sizeof(blank));
    if (r)
        return r;
    struct sink s = {.fd = fd, .at = sizeof(h), .p = malloc(SINK_BYTES), .hash = XXH3_createState()};
    if (s.p && s.hash) {
        XXH3_64bits_reset(s.hash);
        put_v4(&s, &h, b);
        put_v6(&s, &h, b);
        put_whole(&s, &h, IMAGE_SINGLE4, b->single4, b->n_single4, sizeof(*b->single4));
        put_whole(&s, &h, IMAGE_RANGE4, b->range4, b->n_range4, sizeof(*b->range4));
        put_whole(&s, &h, IMAGE_ENTRY6, b->entry6, b->n_entry6, sizeof(*b->entry6));
        put_maxima(&s, &h, b);
        put_whole(&s, &h, IMAGE_EXTRA, b->extra, b->n_extra, sizeof(*b->extra));
        put_whole(&s, &h, IMAGE_HEAP, b->heap.p, b->heap.n, 1);
        put_buckets(&s, &h, b);
        put_whole(&s, &h, IMAGE_NAMES, b->names, b->n_names, sizeof(*b->names));
        sink_flush(&s);
        r = s.error;
        h.body_checksum = XXH3_64bits_digest(s.hash);
    } else {
        r = -ENOMEM;
    }
    XXH3_freeState(s.hash);
    free(s.p);
    if (r)
        return r;
    h.n_bytes = s.at;
    h.checksum = XXH3_64bits(&h, offsetof(struct image_header, checksum));
    return write_header(fd, &h);
}
