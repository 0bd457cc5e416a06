/* SPDX-License-Identifier: Apache-2.0 */
/* The own space is an image whose entries carry a unit and a validity instead of sightings. */
#include "watch/indicator/space.h"

#include "base/file.h"
#include "watch/indicator/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct space {
    struct image image;
};

int space_open_fd(int fd, const char *what, struct space **ret, struct fault *f)
{
    struct space *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, no_memory, what);
    int r = image_map(fd, IMAGE_MAGIC_SPACE, what, &s->image, f);
    if (r) {
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int space_open(const char *path, struct space **ret, struct fault *f)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FAULT(f, -errno, list_image_unreadable, path, strerror(errno));
    return space_open_fd(fd, path, ret, f);
}

void space_close(struct space *s)
{
    if (!s)
        return;
    image_unmap(&s->image);
    free(s);
}

uint32_t space_version(const struct space *s)
{
    return s->image.h->version;
}

const struct address_set *space_addresses(const struct space *s)
{
    return &s->image.set;
}

uint64_t space_n_entries(const struct space *s)
{
    return s->image.h->n_entries;
}

static struct space_entry entry_of(const struct list_entry *e)
{
    return (struct space_entry){.range = e->range, .unit = e->unit, .valid_from_us = e->first_us, .valid_to_us = e->last_us};
}

int space_entry(const struct space *s, uint64_t i, struct space_entry *ret)
{
    struct list_entry e;
    if (image_entry(&s->image, i, &e))
        return 1;
    *ret = entry_of(&e);
    return 0;
}

struct search {
    int64_t at_us;
    struct space_entry best;
    uint64_t row;
    bool is_found;
};

static void search_hit(void *context, const struct list_entry *e)
{
    struct search *w = context;
    struct space_entry found = entry_of(e);
    if (w->at_us < found.valid_from_us || w->at_us > found.valid_to_us)
        return;
    int c = w->is_found ? image_compare_width(&found.range, &w->best.range) : -1;
    if (!c && found.valid_from_us != w->best.valid_from_us)
        c = found.valid_from_us > w->best.valid_from_us ? -1 : 1;
    if (!c)
        c = e->row > w->row ? -1 : 1; /* the later row corrects the earlier */
    if (c > 0)
        return;
    w->best = found;
    w->row = e->row;
    w->is_found = true;
}

bool space_find(const struct space *s, const struct ip *a, int64_t at_us, struct space_entry *ret)
{
    struct search w = {.at_us = at_us};
    image_cover(&s->image, a, search_hit, &w);
    if (w.is_found && ret)
        *ret = w.best;
    return w.is_found;
}
