/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot without a lock: read the manifest, open what it names. A file that has gone by then was replaced by a later
 * transaction: begin again with the newer manifest. Mappings outlive unlinking.
 */
#include "watch/lease/store_inside.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 20 };

struct lease_view {
    struct lease_segment **segments;
    size_t n, n_damaged;
    uint64_t n_rows;
    struct fault first_damage;
};

struct lease_readers {
    size_t n;
    struct lease_reader *all[];
};

static int open_all(struct lease_view *v, int segments_fd, const struct manifest_segment *live, size_t n, struct fault *f)
{
    v->segments = calloc(n + 1, sizeof(*v->segments));
    if (!v->segments)
        return FAULT(f, -ENOMEM, store_no_memory, LEASE_FOLDER);
    for (size_t i = 0; i < n; i++) {
        char name[LEASE_NAME_MAX];
        struct fault why = {0};
        lease_file_name(live[i].id, name);
        int r = lease_segment_open(segments_fd, name, live[i].id, &v->segments[v->n], &why);
        if (r == -ENOENT || r == -ENOMEM || r == -EMFILE) {
            if (f)
                *f = why;
            return r;
        }
        if (r) {
            if (!v->n_damaged++)
                v->first_damage = why;
            continue;
        }
        v->n_rows += live[i].n_rows;
        v->n++;
    }
    return 0;
}

static int try_open(struct lease_view *v, int dir_fd, int segments_fd, struct fault *f)
{
    struct manifest m = {0};
    struct manifest_segment *live = NULL;
    size_t n = 0;
    int r = manifest_load(dir_fd, &m, f);
    if (!r && manifest_live(&m, &live, &n))
        r = FAULT(f, -ENOMEM, store_no_memory, LEASE_FOLDER);
    if (!r)
        r = open_all(v, segments_fd, live, n, f);
    free(live);
    manifest_fini(&m);
    return r == MANIFEST_NONE ? LEASE_EMPTY : r;
}

static void forget(struct lease_view *v)
{
    for (size_t i = 0; i < v->n; i++)
        lease_segment_close(v->segments[i]);
    free(v->segments);
    *v = (struct lease_view){0};
}

int lease_view_open(const char *data_dir, struct lease_view **ret, struct fault *f)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/" LEASE_FOLDER "/segments", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_read_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    _cleanup_close_ int segments_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (segments_fd < 0 && errno == ENOENT)
        return LEASE_EMPTY;
    _cleanup_close_ int dir_fd = segments_fd < 0 ? -1 : openat(segments_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return FAULT(f, -errno, store_read_failed, path, strerrordesc_np(errno));
    struct lease_view *v = calloc(1, sizeof(*v));
    if (!v)
        return FAULT(f, -ENOMEM, store_no_memory, path);
    int r = -ENOENT;
    for (int i = 0; i < TRIES && r == -ENOENT; i++) {
        forget(v);
        r = try_open(v, dir_fd, segments_fd, f);
    }
    if (r) {
        lease_view_close(v);
        return r;
    }
    *ret = v;
    return 0;
}

struct lease_view *lease_view_new(void)
{
    return calloc(1, sizeof(struct lease_view));
}

int lease_view_add(struct lease_view *v, struct lease_segment *s)
{
    struct lease_segment **more = realloc(v->segments, (v->n + 1) * sizeof(*more));
    if (!more)
        return -ENOMEM;
    v->segments = more;
    v->segments[v->n++] = s;
    v->n_rows += lease_segment_info(s)->n_rows;
    return 0;
}

void lease_view_close(struct lease_view *v)
{
    if (!v)
        return;
    forget(v);
    free(v);
}

size_t lease_view_n_segments(const struct lease_view *v)
{
    return v->n;
}

const struct lease_segment *lease_view_segment(const struct lease_view *v, size_t i)
{
    return v->segments[i];
}

size_t lease_view_n_damaged(const struct lease_view *v, const char **ret_first)
{
    if (ret_first)
        *ret_first = v->first_damage.text;
    return v->n_damaged;
}

uint64_t lease_view_n_rows(const struct lease_view *v)
{
    return v->n_rows;
}

struct lease_readers *lease_readers_new(const struct lease_view *v)
{
    struct lease_readers *r = calloc(1, sizeof(*r) + v->n * sizeof(*r->all));
    if (!r)
        return NULL;
    for (; r->n < v->n; r->n++) {
        r->all[r->n] = malloc(sizeof(*r->all[0]));
        if (!r->all[r->n]) {
            lease_readers_free(r);
            return NULL;
        }
        r->all[r->n]->segment = NULL;
    }
    return r;
}

void lease_readers_free(struct lease_readers *r)
{
    for (size_t i = 0; r && i < r->n; i++)
        free(r->all[i]);
    free(r);
}

int lease_view_visit(const struct lease_view *v, struct lease_readers *readers, const struct ip *outside, int32_t port,
                     int64_t since_us, int64_t until_us, int (*each)(void *context, const struct lease_segment *s, const struct lease *l),
                     void *context)
{
    for (size_t i = 0; i < v->n; i++) {
        int r = lease_segment_visit(v->segments[i], readers->all[i], outside, port, since_us, until_us, each, context);
        if (r)
            return r;
    }
    return 0;
}
