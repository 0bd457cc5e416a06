/* SPDX-License-Identifier: Apache-2.0 */
/* A list is an image and what its header says about it; look-ups gather what image_cover finds. */
#include "watch/indicator/list.h"
#include "watch/indicator/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct list {
    struct image image;
    struct list_about about;
};

int list_open_fd(int fd, const char *what, struct list **ret, struct fault *f)
{
    struct list *l = calloc(1, sizeof(*l));
    if (!l)
        return FAULT(f, -ENOMEM, no_memory, what);
    int r = image_map(fd, IMAGE_MAGIC_LIST, what, &l->image, f);
    if (r) {
        free(l);
        return r;
    }
    const struct image_header *h = l->image.h;
    l->about = (struct list_about){
        .name = image_text(&l->image, h->name),
        .letter = image_text(&l->image, h->letter),
        .source = image_text(&l->image, h->source),
        .family = image_text(&l->image, h->family),
        .file_name = image_text(&l->image, h->file_name),
        .version = h->version,
        .kind = h->kind <= LIST_CUMULATIVE ? (enum list_kind)h->kind : LIST_UNKNOWN,
        .date_us = h->date_us,
        .valid_until_us = h->valid_until_us,
        .added_us = h->added_us,
        .n_entries = h->n_entries,
        .n_addresses_v4 = h->n_addresses_v4,
        .n_names = l->image.count[IMAGE_NAMES],
    };
    *ret = l;
    return 0;
}

int list_open(const char *path, struct list **ret, struct fault *f)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FAULT(f, -errno, list_image_unreadable, path, strerror(errno));
    return list_open_fd(fd, path, ret, f);
}

void list_close(struct list *l)
{
    if (!l)
        return;
    image_unmap(&l->image);
    free(l);
}

const struct image *list_image(const struct list *l)
{
    return &l->image;
}

const struct list_about *list_about(const struct list *l)
{
    return &l->about;
}

const struct address_set *list_addresses(const struct list *l)
{
    return &l->image.set;
}

uint64_t list_n_entries(const struct list *l)
{
    return l->about.n_entries;
}

int list_entry(const struct list *l, uint64_t i, struct list_entry *ret)
{
    return image_entry(&l->image, i, ret);
}

bool list_has(const struct list *l, const struct ip *a)
{
    return address_set_has(&l->image.set, a);
}

static int by_specific(const struct list_entry *a, const struct list_entry *b)
{
    int c = image_compare_width(&a->range, &b->range);
    if (c)
        return c;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (int)a->role - (int)b->role;
}

struct finder {
    struct list_entry *out;
    size_t n_out, n;
};

static void find_hit(void *context, const struct list_entry *e)
{
    struct finder *w = context;
    size_t held = w->n < w->n_out ? w->n : w->n_out, at = held;
    w->n++;
    while (at > 0 && by_specific(e, &w->out[at - 1]) < 0)
        at--;
    if (at >= w->n_out)
        return;
    size_t moved = held < w->n_out ? held - at : held - at - 1;
    memmove(&w->out[at + 1], &w->out[at], moved * sizeof(*w->out));
    w->out[at] = *e;
}

size_t list_find(const struct list *l, const struct ip *a, struct list_entry *out, size_t n_out)
{
    struct finder w = {.out = out, .n_out = n_out};
    image_cover(&l->image, a, find_hit, &w);
    return w.n;
}

/* distinct families of the narrowest entries; more than this on one address are not named */
#define FAMILIES_MAX 64u

struct families {
    struct {
        struct text name;
        uint64_t row;
    } of[FAMILIES_MAX];
    size_t n;
    struct ip_range narrowest;
    bool is_any;
};

static void family_hit(void *context, const struct list_entry *e)
{
    struct families *w = context;
    int c = w->is_any ? image_compare_width(&e->range, &w->narrowest) : -1;
    if (c > 0)
        return;
    if (c < 0) {
        w->n = 0;
        w->narrowest = e->range;
        w->is_any = true;
    }
    if (!e->family.n)
        return;
    for (size_t i = 0; i < w->n; i++)
        if (text_equal(w->of[i].name, e->family)) {
            w->of[i].row = e->row < w->of[i].row ? e->row : w->of[i].row;
            return;
        }
    if (w->n < FAMILIES_MAX) {
        w->of[w->n].name = e->family;
        w->of[w->n++].row = e->row;
    }
}

/* join - the families found, in order of the list. */
static size_t join(struct families *w, char *out, size_t n_out)
{
    if (!n_out)
        return 0;
    size_t n = 0;
    for (size_t done = 0; done < w->n; done++) {
        size_t least = done;
        for (size_t i = done + 1; i < w->n; i++)
            if (w->of[i].row < w->of[least].row)
                least = i;
        struct text t = w->of[least].name;
        w->of[least] = w->of[done];
        if (n + (done > 0) + t.n >= n_out)
            break; /* a name is given whole or not at all */
        if (done)
            out[n++] = ';';
        memcpy(out + n, t.p, t.n);
        n += t.n;
    }
    out[n] = '\0';
    return n;
}

size_t list_family(const struct list *l, const struct ip *a, char *out, size_t n_out)
{
    struct families w;
    w.n = 0;
    w.is_any = false;
    image_cover(&l->image, a, family_hit, &w);
    return join(&w, out, n_out);
}

/* --- names --------------------------------------------------------------------------------------------- */

/* each_of_name - the entries that are exactly @t. */
static void each_of_name(const struct list *l, enum name_kind k, struct text t, image_hit hit, void *context)
{
    const struct image *im = &l->image;
    size_t from, to;
    image_name_range(im, name_key(k, t), &from, &to);
    uint64_t first = im->count[IMAGE_SINGLE4] + im->count[IMAGE_RANGE4] + im->count[IMAGE_ENTRY6];
    for (; from < to; from++) {
        struct list_entry e;
        if (!image_entry(im, first + from, &e) && e.kind == k && text_equal(e.name, t))
            hit(context, &e);
    }
}

/* as they come: by row, since entries of one key stand so */
static void append_hit(void *context, const struct list_entry *e)
{
    struct finder *w = context;
    if (w->n < w->n_out)
        w->out[w->n] = *e;
    w->n++;
}

size_t list_find_name(const struct list *l, enum name_kind k, struct text t, struct list_entry *out, size_t n_out)
{
    struct finder w = {.out = out, .n_out = n_out};
    for (;;) {
        each_of_name(l, k, t, append_hit, &w);
        const char *dot = k == NAME_DOMAIN && t.n ? memchr(t.p, '.', t.n) : NULL;
        if (!dot)
            return w.n;
        t = (struct text){dot + 1, (size_t)(t.p + t.n - dot - 1)};
    }
}

size_t list_name_family(const struct list *l, enum name_kind k, struct text t, char *out, size_t n_out)
{
    struct families w;
    w.n = 0;
    w.is_any = false;
    each_of_name(l, k, t, family_hit, &w); /* all as wide as each other */
    return join(&w, out, n_out);
}
