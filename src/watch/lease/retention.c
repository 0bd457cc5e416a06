/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/retention.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "RETENTION"
enum { FILE_MAX = 256, TENTH = 10 };

static int open_leases(const char *data_dir)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/leases", data_dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int lease_retention_load(const char *data_dir, struct lease_retention *ret, struct fault *f)
{
    uint8_t *p = NULL;
    size_t n = 0;
    *ret = (struct lease_retention){0};
    _cleanup_close_ int dir_fd = open_leases(data_dir);
    _cleanup_close_ int fd = dir_fd < 0 ? -1 : openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    int r = file_read_all(fd, FILE_MAX, &p, &n);
    char text[FILE_MAX + 1] = "";
    if (!r)
        memcpy(text, p, n);
    free(p);
    if (r || sscanf(text, "keep_at_least=%" SCNd64 " keep_at_most=%" SCNd64, &ret->keep_at_least_us, &ret->keep_at_most_us) != 2)
        return FAULT(f, r ? r : -EBADMSG, store_read_failed, "leases/" NAME, strerrordesc_np(r ? -r : EBADMSG));
    return 0;
}

int lease_retention_save(const char *data_dir, const struct lease_retention *r, struct fault *f)
{
    struct lease_retention before = {0};
    char text[FILE_MAX], path[4096];
    if (!lease_retention_load(data_dir, &before, f) && before.keep_at_least_us == r->keep_at_least_us &&
        before.keep_at_most_us == r->keep_at_most_us)
        return 0;
    snprintf(path, sizeof(path), "%s/leases", data_dir);
    int rc = file_make_dirs(path, 0750);
    _cleanup_close_ int dir_fd = rc ? -1 : open_leases(data_dir);
    if (!rc && dir_fd < 0)
        rc = dir_fd;
    int n = snprintf(text, sizeof(text), "keep_at_least=%" PRId64 " keep_at_most=%" PRId64 "\n", r->keep_at_least_us, r->keep_at_most_us);
    if (!rc)
        rc = file_replace(dir_fd, NAME, text, (size_t)n);
    return rc ? FAULT(f, rc, store_write_failed, "leases/" NAME, strerrordesc_np(-rc)) : 0;
}

int64_t lease_retention_every_us(const struct lease_retention *r)
{
    int64_t every = r->keep_at_most_us / TENTH < US_PER_DAY ? r->keep_at_most_us / TENTH : US_PER_DAY;
    int64_t room = r->keep_at_most_us - r->keep_at_least_us;
    return every < room ? every : room;
}

int64_t lease_retention_limit(const struct lease_retention *r, int64_t now_us)
{
    if (!r->keep_at_most_us)
        return INT64_MIN;
    return now_us - r->keep_at_most_us + lease_retention_every_us(r);
}

/* --- purge and proof ------------------------------------------------------------------------------------------------ */

static void mark(uint8_t *used, const struct lease *l)
{
    const uint32_t numbers[] = {l->gateway, l->realm, l->source, l->subscriber, l->host};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        used[numbers[i] / 8] |= (uint8_t)(1 << numbers[i] % 8);
}

static bool are_numbers_sane(const struct lease *l, uint32_t n)
{
    return l->gateway < n && l->realm < n && l->source < n && l->subscriber < n && l->host < n;
}

static int prove_segment(const struct lease_segment *s, int64_t before_us, struct lease *rows, struct lease_proof *p)
{
    uint32_t n_texts = lease_segment_n_texts(s);
    uint8_t *used = calloc(n_texts / 8 + 1, 1);
    int r = used ? 0 : -ENOMEM;
    for (uint32_t b = 0; !r && b < lease_segment_n_blocks(s); b++) {
        uint32_t n = 0;
        r = lease_segment_block(s, b, rows, &n);
        for (uint32_t i = 0; !r && i < n; i++) {
            r = are_numbers_sane(&rows[i], n_texts) ? 0 : -EBADMSG;
            p->n_older += lease_told_us(&rows[i]) < before_us;
            if (!r)
                mark(used, &rows[i]);
        }
        p->n_rows += n;
    }
    for (uint32_t i = 1; !r && i < n_texts; i++)
        p->n_unused_texts += !(used[i / 8] >> i % 8 & 1);
    free(used);
    return r;
}

static int prove(const char *data_dir, int64_t before_us, struct lease_proof *p, struct fault *f)
{
    struct lease_view *v;
    const char *why = "";
    *p = (struct lease_proof){0};
    int r = lease_view_open(data_dir, &v, f);
    if (r)
        return r;
    struct lease *rows = malloc(LEASE_BLOCK_ROWS * sizeof(*rows));
    if (!rows)
        r = -ENOMEM;
    if (!r && lease_view_n_damaged(v, &why)) /* what cannot be read proves nothing */
        r = FAULT(f, -EBADMSG, store_read_failed, "leases", why);
    for (size_t i = 0; !r && i < lease_view_n_segments(v); i++)
        r = prove_segment(lease_view_segment(v, i), before_us, rows, p);
    free(rows);
    lease_view_close(v);
    return r && !f->code ? FAULT(f, r, store_read_failed, "leases", strerrordesc_np(-r)) : r;
}

int lease_purge(const char *data_dir, int64_t before_us, int64_t wait_us, struct lease_compaction *ret, struct lease_proof *proof,
                struct fault *f)
{
    struct lease_store *s;
    struct lease_view *v;
    *ret = (struct lease_compaction){0};
    int r = lease_view_open(data_dir, &v, f);
    if (r)
        return r;
    lease_view_close(v);
    r = lease_store_open(data_dir, &(struct lease_store_options){.wait_us = wait_us}, &s, f);
    if (r)
        return r;
    r = lease_store_purge(s, before_us, ret, f);
    lease_store_close(s);
    return r ? r : prove(data_dir, before_us, proof, f);
}
