/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mapped side: a header that is believed only after its checksum and every
 * offset were checked, then arrays used in place.
 *
 * "Which ranges cover a" walks backwards from the last range that begins at or
 * before a; a maximum per IMAGE_BLOCK entries lets it leap over ranges that end
 * too early, so that a hostile nest of ranges does not make each look-up linear.
 */
#include "watch/indicator/image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

static const size_t item_bytes[IMAGE_N_SECTIONS] = {
    [IMAGE_V4] = sizeof(uint32_t),
    [IMAGE_V4_RANGES] = sizeof(struct v4_range),
    [IMAGE_V6] = sizeof(struct ip_range),
    [IMAGE_SINGLE4] = sizeof(struct image_entry4),
    [IMAGE_RANGE4] = sizeof(struct image_entry4),
    [IMAGE_ENTRY6] = sizeof(struct image_entry6),
    [IMAGE_MAX4] = sizeof(uint32_t),
    [IMAGE_MAX6] = sizeof(struct ip),
    [IMAGE_EXTRA] = sizeof(struct image_extra),
    [IMAGE_HEAP] = 1,
    [IMAGE_NAME_BUCKETS] = sizeof(uint32_t),
    [IMAGE_NAMES] = sizeof(struct image_name),
};

static int check_header(const struct image_header *h, const char *magic, size_t n_bytes)
{
    if (memcmp(h->magic, magic, sizeof(h->magic)))
        return 1;
    if (h->byte_order != IMAGE_BYTE_ORDER || h->major != IMAGE_MAJOR || h->n_bytes != n_bytes)
        return 1;
    if (h->checksum != XXH3_64bits(h, offsetof(struct image_header, checksum)))
        return 1;
    for (size_t i = 0; i < IMAGE_N_SECTIONS; i++) {
        uint64_t size, end;
        if (__builtin_mul_overflow(h->sections[i].count, item_bytes[i], &size) ||
            __builtin_add_overflow(h->sections[i].offset, size, &end) || end > n_bytes)
            return 1;
        bool is_none = i >= IMAGE_NAME_BUCKETS && !h->sections[i].offset && !h->sections[i].count; /* of minor 0 */
        if (h->sections[i].offset % IMAGE_ALIGN || (h->sections[i].offset < sizeof(*h) && !is_none))
            return 1;
    }
    uint64_t n4 = h->sections[IMAGE_RANGE4].count, n6 = h->sections[IMAGE_ENTRY6].count;
    if (h->sections[IMAGE_MAX4].count != (n4 + IMAGE_BLOCK - 1) / IMAGE_BLOCK ||
        h->sections[IMAGE_MAX6].count != (n6 + IMAGE_BLOCK - 1) / IMAGE_BLOCK)
        return 1;
    uint64_t n_names = h->sections[IMAGE_NAMES].count, n_buckets = h->sections[IMAGE_NAME_BUCKETS].count;
    if (n_names ? n_buckets < 2 || ((n_buckets - 1) & (n_buckets - 2)) : n_buckets != 0) /* a power of two and the end */
        return 1;
    if (!h->sections[IMAGE_EXTRA].count || h->sections[IMAGE_HEAP].count < 2 ||
        h->n_entries != h->sections[IMAGE_SINGLE4].count + n4 + n6 + n_names)
        return 1;
    const uint8_t *body = (const uint8_t *)(h + 1);
    return h->body_checksum == XXH3_64bits(body, n_bytes - sizeof(*h)) ? 0 : 1;
}

int image_map(int fd, const char *magic, const char *what, struct image *ret, struct fault *f)
{
    struct stat st;
    if (fstat(fd, &st))
        return FAULT(f, -errno, list_image_unreadable, what, strerror(errno));
    if (st.st_size < (off_t)sizeof(struct image_header))
        return FAULT(f, -EBADMSG, list_image_damaged, what);
    size_t n = (size_t)st.st_size;
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return FAULT(f, -errno, list_image_unreadable, what, strerror(errno));
    struct image im = {.h = p, .n_bytes = n};
    if (check_header(im.h, magic, n)) {
        munmap(p, n);
        return FAULT(f, -EBADMSG, list_image_damaged, what);
    }
    for (size_t i = 0; i < IMAGE_N_SECTIONS; i++) {
        im.section[i] = (const uint8_t *)p + im.h->sections[i].offset;
        im.count[i] = im.h->sections[i].count;
    }
    im.set = (struct address_set){.v4 = im.section[IMAGE_V4],
                                  .n_v4 = im.count[IMAGE_V4],
                                  .v4_ranges = im.section[IMAGE_V4_RANGES],
                                  .n_v4_ranges = im.count[IMAGE_V4_RANGES],
                                  .v6 = im.section[IMAGE_V6],
                                  .n_v6 = im.count[IMAGE_V6]};
    *ret = im;
    return 0;
}

void image_unmap(struct image *im)
{
    if (!im->h)
        return;
    void *p;
    memcpy(&p, &im->h, sizeof(p)); /* munmap takes no const */
    munmap(p, im->n_bytes);
    im->h = NULL;
}

struct text image_text(const struct image *im, uint32_t offset)
{
    const uint8_t *heap = im->section[IMAGE_HEAP];
    size_t n = im->count[IMAGE_HEAP], length;
    if (!offset || n < 2 || offset > n - 2)
        return (struct text){"", 0};
    length = (size_t)heap[offset] | (size_t)heap[offset + 1] << 8;
    if (length > n - 2 - offset)
        return (struct text){"", 0};
    return (struct text){(const char *)heap + offset + 2, length};
}

int image_compare_width(const struct ip_range *a, const struct ip_range *b)
{
    struct ip wa, wb;
    unsigned carry_a = 0, carry_b = 0;
    for (int i = 15; i >= 0; i--) {
        unsigned da = 256u + a->last.b[i] - a->first.b[i] - carry_a, db = 256u + b->last.b[i] - b->first.b[i] - carry_b;
        carry_a = da < 256;
        carry_b = db < 256;
        wa.b[i] = (uint8_t)da;
        wb.b[i] = (uint8_t)db;
    }
    return ip_compare(&wa, &wb);
}

static void fill(const struct image *im, struct list_entry *e, uint32_t extra, uint32_t row, uint8_t role, uint16_t port)
{
    const struct image_extra *x = im->section[IMAGE_EXTRA];
    x += extra < im->count[IMAGE_EXTRA] ? extra : 0;
    e->role = role;
    e->port = port;
    e->row = row;
    e->first_us = x->first_us;
    e->last_us = x->last_us;
    e->count = x->count;
    e->asn = x->asn;
    e->family = image_text(im, x->family);
    e->unit = image_text(im, x->unit);
    e->note = image_text(im, x->note);
    e->isp = image_text(im, x->isp);
    e->province = image_text(im, x->province);
}

static void fill4(const struct image *im, const struct image_entry4 *s, struct list_entry *e)
{
    e->kind = NAME_NONE;
    e->name = (struct text){"", 0};
    e->range = (struct ip_range){ip_from_v4(s->first), ip_from_v4(s->last)};
    fill(im, e, s->extra, s->row, s->role, s->port);
}

static void fill6(const struct image *im, const struct image_entry6 *s, struct list_entry *e)
{
    e->kind = NAME_NONE;
    e->name = (struct text){"", 0};
    e->range = (struct ip_range){s->first, s->last};
    fill(im, e, s->extra, s->row, s->role, s->port);
}

static void fill_name(const struct image *im, const struct image_name *s, struct list_entry *e)
{
    e->range = (struct ip_range){0};
    e->kind = s->kind <= NAME_HASH ? (enum name_kind)s->kind : NAME_NONE;
    e->name = image_text(im, s->text);
    fill(im, e, s->extra, s->row, s->role, s->port);
}

int image_entry(const struct image *im, uint64_t i, struct list_entry *ret)
{
    if (i < im->count[IMAGE_SINGLE4]) {
        fill4(im, (const struct image_entry4 *)im->section[IMAGE_SINGLE4] + i, ret);
        return 0;
    }
    i -= im->count[IMAGE_SINGLE4];
    if (i < im->count[IMAGE_RANGE4]) {
        fill4(im, (const struct image_entry4 *)im->section[IMAGE_RANGE4] + i, ret);
        return 0;
    }
    i -= im->count[IMAGE_RANGE4];
    if (i < im->count[IMAGE_ENTRY6]) {
        fill6(im, (const struct image_entry6 *)im->section[IMAGE_ENTRY6] + i, ret);
        return 0;
    }
    i -= im->count[IMAGE_ENTRY6];
    if (i >= im->count[IMAGE_NAMES])
        return 1;
    fill_name(im, (const struct image_name *)im->section[IMAGE_NAMES] + i, ret);
    return 0;
}

void image_name_range(const struct image *im, uint64_t key, size_t *ret_from, size_t *ret_to)
{
    size_t n_buckets = im->count[IMAGE_NAME_BUCKETS], n = im->count[IMAGE_NAMES];
    *ret_from = *ret_to = 0;
    if (n_buckets < 2)
        return;
    unsigned bits = 63 - (unsigned)__builtin_clzll(n_buckets - 1);
    const uint32_t *starts = im->section[IMAGE_NAME_BUCKETS];
    size_t bucket = bits ? key >> (64 - bits) : 0, from = starts[bucket], end = starts[bucket + 1] < n ? starts[bucket + 1] : n;
    const struct image_name *names = im->section[IMAGE_NAMES];
    for (size_t to = end; from < to;) { /* many of one bucket are somebody's work: never a linear search */
        size_t middle = from + (to - from) / 2;
        if (names[middle].key < key)
            from = middle + 1;
        else
            to = middle;
    }
    *ret_from = from;
    while (from < end && names[from].key == key)
        from++;
    *ret_to = from;
}

/* n_from4 - how many entries begin at or before @a. */
static size_t n_from4(const struct image_entry4 *e, size_t n, uint32_t a)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e[middle].first <= a)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t n_from6(const struct image_entry6 *e, size_t n, const struct ip *a)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&e[middle].first, a) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void cover4(const struct image *im, uint32_t a, image_hit hit, void *context)
{
    struct list_entry found;
    const struct image_entry4 *e = im->section[IMAGE_SINGLE4];
    for (size_t i = n_from4(e, im->count[IMAGE_SINGLE4], a); i > 0 && e[i - 1].first == a; i--) {
        fill4(im, &e[i - 1], &found);
        hit(context, &found);
    }
    e = im->section[IMAGE_RANGE4];
    const uint32_t *most = im->section[IMAGE_MAX4];
    size_t i = n_from4(e, im->count[IMAGE_RANGE4], a);
    while (i > 0) {
        if (i % IMAGE_BLOCK == 0 && most[i / IMAGE_BLOCK - 1] < a) {
            i -= IMAGE_BLOCK;
            continue;
        }
        i--;
        if (e[i].last < a)
            continue;
        fill4(im, &e[i], &found);
        hit(context, &found);
    }
}

static void cover6(const struct image *im, const struct ip *a, image_hit hit, void *context)
{
    struct list_entry found;
    const struct image_entry6 *e = im->section[IMAGE_ENTRY6];
    const struct ip *most = im->section[IMAGE_MAX6];
    size_t i = n_from6(e, im->count[IMAGE_ENTRY6], a);
    while (i > 0) {
        if (i % IMAGE_BLOCK == 0 && ip_compare(&most[i / IMAGE_BLOCK - 1], a) < 0) {
            i -= IMAGE_BLOCK;
            continue;
        }
        i--;
        if (ip_compare(&e[i].last, a) < 0)
            continue;
        fill6(im, &e[i], &found);
        hit(context, &found);
    }
}

void image_cover(const struct image *im, const struct ip *a, image_hit hit, void *context)
{
    if (ip_is_v4(a))
        cover4(im, ip_v4(a), hit, context);
    else
        cover6(im, a, hit, context);
}
