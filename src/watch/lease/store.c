/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening for writing and importing. An import writes whole segments that no transaction names; its commit names them all
 * together with the SHA-256 of the input. Until then a crash leaves files the next writer removes.
 */
#include "watch/lease/store_inside.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FOLDER_MODE = 0750, WAIT_STEP_MS = 20 };

/* --- opening ------------------------------------------------------------------------------------------------ */

static int take_lock(struct lease_store *s)
{
    s->lock_fd = openat(s->dir_fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->lock_fd < 0)
        return -errno;
    int64_t until_us = clock_steady_us() + s->options.wait_us;
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_steady_us() >= until_us)
            return LEASE_BUSY;
        (void)nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000L}, NULL);
    }
    return 0;
}

static int open_folders(struct lease_store *s, const char *data_dir)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/" LEASE_FOLDER "/segments", data_dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int r = file_step("create");
    if (!r)
        r = file_make_dirs(path, FOLDER_MODE);
    if (r)
        return r;
    s->segments_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->dir_fd = s->segments_fd < 0 ? -1 : openat(s->segments_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->dir_fd < 0 ? -errno : 0;
}

void lease_store_unlink(const struct lease_store *s, uint64_t id)
{
    char name[LEASE_NAME_MAX];
    lease_file_name(id, name);
    if (!file_step("unlink"))
        (void)unlinkat(s->segments_fd, name, 0);
}

static bool parse_name(const char *name, uint64_t *ret_id)
{
    const char *dot = strchr(name, '.');
    struct text digits = {name, dot ? (size_t)(dot - name) : 0};
    return dot && !strcmp(dot, ".lse") && !text_u64(digits, UINT64_MAX, ret_id);
}

/* sweep - files of imports and merges that did not end. A damaged manifest may have forgotten: then nothing is removed. */
static int sweep(struct lease_store *s, size_t *ret_n)
{
    int fd = openat(s->segments_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int e = -errno;
        file_close(&fd);
        return e;
    }
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t id = 0;
        if (!parse_name(e->d_name, &id) || manifest_find_segment(&s->manifest, id))
            continue;
        ++*ret_n;
        if (s->manifest.next_id <= id && id < UINT64_MAX - 1)
            s->manifest.next_id = id + 1;
        if (!s->manifest.n_bad_lines && s->manifest.n_bytes)
            lease_store_unlink(s, id);
    }
    closedir(d);
    return 0;
}

static int read_manifest(struct lease_store *s, struct fault *f)
{
    size_t n_files = 0;
    int r = manifest_load(s->dir_fd, &s->manifest, f);
    if (r < 0)
        return r;
    if (!s->manifest.next_id)
        s->manifest.next_id = 1;
    r = sweep(s, &n_files);
    if (r)
        return FAULT(f, r, store_read_failed, LEASE_FOLDER "/segments", strerrordesc_np(-r));
    if (n_files && !s->manifest.n_bytes)
        return FAULT(f, -ENOENT, store_manifest_lost, LEASE_FOLDER "/" MANIFEST_NAME);
    return manifest_log_open(&s->log, s->dir_fd, &s->manifest, f);
}

int lease_store_open(const char *data_dir, const struct lease_store_options *o, struct lease_store **ret, struct fault *f)
{
    struct lease_store *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, store_no_memory, data_dir);
    s->dir_fd = s->segments_fd = s->lock_fd = s->log.fd = -1;
    if (o)
        s->options = *o;
    int r = open_folders(s, data_dir);
    if (!r)
        r = take_lock(s);
    if (r == LEASE_BUSY)
        (void)FAULT(f, r, lease_busy, data_dir);
    else if (r)
        (void)FAULT(f, r, store_write_failed, data_dir, strerrordesc_np(-r));
    else
        r = read_manifest(s, f);
    if (r) {
        lease_store_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void lease_store_close(struct lease_store *s)
{
    if (!s)
        return;
    manifest_log_close(&s->log);
    manifest_fini(&s->manifest);
    file_close(&s->lock_fd);
    file_close(&s->segments_fd);
    file_close(&s->dir_fd);
    free(s);
}

/* --- import ------------------------------------------------------------------------------------------------ */

struct lease_import {
    struct lease_store *store;
    struct sha256 content;
    bool has_content;
    char *name;
    struct lease_builder *builder;
    struct lease_segment_info *segments;
    size_t n, room;
    uint64_t n_doubled;
    struct manifest_change change;
};

int lease_import_begin(struct lease_store *s, const struct sha256 *content, const char *name, bool again, struct lease_import **ret,
                       struct fault *f)
{
    const struct manifest_import *kept = again || !content ? NULL : manifest_find_import(&s->manifest, content);
    if (kept) {
        char before[256];
        manifest_unescape(kept->name, before, sizeof(before));
        return FAULT(f, LEASE_ALREADY_KEPT, store_already_kept, name, before);
    }
    struct lease_import *i = calloc(1, sizeof(*i));
    if (i) {
        i->store = s;
        i->has_content = content != NULL;
        if (content)
            i->content = *content;
        i->name = strdup(name);
        i->builder = lease_builder_new(s->options.build_rows);
    }
    if (!i || !i->name || !i->builder) {
        lease_import_abort(i);
        return FAULT(f, -ENOMEM, store_no_memory, name);
    }
    *ret = i;
    return 0;
}

int lease_import_text(struct lease_import *i, struct text x, uint32_t *ret)
{
    return lease_builder_text(i->builder, x, ret);
}

static int stage(struct lease_import *i, struct fault *f)
{
    char name[LEASE_NAME_MAX];
    if (i->n == i->room) {
        size_t room = i->room ? i->room * 2 : 16;
        struct lease_segment_info *more = realloc(i->segments, room * sizeof(*more));
        if (!more)
            return FAULT(f, -ENOMEM, store_no_memory, i->name);
        i->segments = more;
        i->room = room;
    }
    uint64_t id = i->store->manifest.next_id++, n_doubled = 0;
    lease_file_name(id, name);
    i->segments[i->n] = (struct lease_segment_info){.id = id};
    i->n++; /* also a file that fails is removed by an abort */
    int r = lease_builder_write(i->builder, i->store->segments_fd, name, id, &i->segments[i->n - 1], &n_doubled, f);
    i->n_doubled += n_doubled;
    return r;
}

int lease_import_add(struct lease_import *i, const struct lease *l, struct fault *f)
{
    int r = lease_builder_add(i->builder, l);
    if (r != LEASE_FULL)
        return r;
    r = stage(i, f);
    return r ? r : LEASE_FULL;
}

static int number_texts(struct lease_import *i, const struct lease_row *r, struct lease *l)
{
    const struct text texts[] = {r->gateway, r->realm, r->source, r->subscriber, r->host};
    uint32_t *const numbers[] = {&l->gateway, &l->realm, &l->source, &l->subscriber, &l->host};
    *l = r->l;
    for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++) {
        int rc = lease_import_text(i, texts[k], numbers[k]);
        if (rc)
            return rc;
    }
    return 0;
}

int lease_import_row(struct lease_import *i, const struct lease_row *r, struct fault *f)
{
    struct lease l;
    int rc = lease_is_sane(&r->l) ? 0 : -EINVAL; /* before its texts get numbers: no name stays without a row */
    if (rc)
        return rc;
    do {
        rc = number_texts(i, r, &l);
        if (!rc)
            rc = lease_import_add(i, &l, f);
    } while (rc == LEASE_FULL);
    return rc;
}

int lease_import_commit(struct lease_import *i, struct lease_import_result *ret, struct fault *f)
{
    struct lease_store *s = i->store;
    int64_t now_us = clock_now_us();
    bool is_uncertain = false;
    *ret = (struct lease_import_result){.n_doubled = 0};
    int r = lease_builder_n(i->builder) ? stage(i, f) : 0;
    if (!r && i->n) {
        r = file_sync_dir(s->segments_fd);
        if (r)
            (void)FAULT(f, r, store_write_failed, i->name, strerrordesc_np(-r));
    }
    for (size_t k = 0; !r && k < i->n; k++) {
        const struct manifest_segment m = lease_manifest_segment(&i->segments[k], i->segments[k].id, now_us);
        manifest_add_segment(&i->change, &m);
        ret->n_rows += m.n_rows;
    }
    ret->n_doubled = i->n_doubled;
    if (!r) {
        manifest_set_next(&i->change, s->manifest.next_id);
        if (i->has_content)
            manifest_add_import(&i->change, &i->content, ret->n_rows, now_us, i->name);
        r = manifest_commit(&s->log, &s->manifest, &i->change, &is_uncertain, f);
    }
    if (!r || is_uncertain)
        i->n = 0; /* the files are the store's now, or may be */
    lease_import_abort(i);
    return r;
}

void lease_import_abort(struct lease_import *i)
{
    if (!i)
        return;
    for (size_t k = 0; k < i->n; k++)
        lease_store_unlink(i->store, i->segments[k].id);
    manifest_change_fini(&i->change);
    lease_builder_free(i->builder);
    free(i->segments);
    free(i->name);
    free(i);
}
