/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: everything durable under a temporary name first, then two renames: the version, then `current`. */
#include "watch/indicator/registry.h"

#include "base/file.h"
#include "base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_number(const char *name, uint32_t *ret)
{
    uint64_t v;
    if (name[0] == '0' || text_u64((struct text){name, strlen(name)}, UINT32_MAX - 1, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

static int each_name(int dir_fd, void (*each)(void *context, const char *name), void *context)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *d = fdopendir(fd);
    if (!d) {
        int e = -errno;
        close(fd);
        return e;
    }
    for (struct dirent *e; (e = readdir(d));)
        each(context, e->d_name);
    closedir(d);
    return 0;
}

static void unlink_name(void *context, const char *name)
{
    unlinkat(*(const int *)context, name, 0);
}

static void remove_staged(int chain_fd, const char *name)
{
    _cleanup_close_ int fd = openat(chain_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        (void)each_name(fd, unlink_name, &fd);
    unlinkat(chain_fd, name, AT_REMOVEDIR);
}

struct look {
    int chain_fd;
    uint32_t highest, n;
};

static void look_name(void *context, const char *name)
{
    struct look *w = context;
    uint32_t v;
    if (is_number(name, &v)) {
        w->highest = v > w->highest ? v : w->highest;
        w->n++;
    } else if (w->chain_fd >= 0 && !strncmp(name, ".staged-", 8)) {
        remove_staged(w->chain_fd, name);
    } else if (w->chain_fd >= 0 && !strncmp(name, ".current.", 9)) {
        unlinkat(w->chain_fd, name, 0);
    }
}

static int copy_raw(struct registry_job *j, int fd)
{
    static const size_t piece_bytes = (size_t)1 << 18;
    struct sha256_state hash;
    _cleanup_free_ uint8_t *piece = malloc(piece_bytes);
    ssize_t got;
    if (!piece)
        return -ENOMEM;
    sha256_init(&hash);
    while ((got = read(fd, piece, piece_bytes)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        int r = got < 0 ? -errno : file_write_full(j->raw_fd, piece, (size_t)got);
        if (r)
            return r;
        sha256_add(&hash, piece, (size_t)got);
        j->raw_bytes += (uint64_t)got;
    }
    struct sha256 sum = sha256_end(&hash);
    sha256_format(&sum, j->raw_sha256.hex);
    int r = file_step("sync");
    if (r || fsync(j->raw_fd) || lseek(j->raw_fd, 0, SEEK_SET) < 0)
        return r ? r : -errno;
    return 0;
}

/* lock_chain - the directory made if missing, and locked. One that was removed while we waited for it is made again. */
static int lock_chain(struct registry_job *j)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        struct stat st;
        int r = file_make_dirs(j->dir, 0750);
        if (r)
            return r;
        file_close(&j->chain_fd);
        j->chain_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (j->chain_fd < 0 && errno == ENOENT)
            continue;
        if (j->chain_fd < 0 || flock(j->chain_fd, LOCK_EX) || fstat(j->chain_fd, &st))
            return -errno;
        if (st.st_nlink)
            return 0;
    }
    return -EBUSY;
}

static int stage(struct registry_job *j, int fd)
{
    int r = lock_chain(j);
    if (r)
        return r;
    struct look w = {.chain_fd = j->chain_fd};
    r = each_name(j->chain_fd, look_name, &w);
    if (r)
        return r;
    j->version = w.highest + 1;
    snprintf(j->staging, sizeof(j->staging), ".staged-%u", j->version);
    if (mkdirat(j->chain_fd, j->staging, 0750))
        return -errno;
    j->version_fd = openat(j->chain_fd, j->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->version_fd < 0)
        return -errno;
    j->raw_fd = openat(j->version_fd, "raw", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    return j->raw_fd < 0 ? -errno : copy_raw(j, fd);
}

int registry_begin(struct registry_job *j, const char *dir, int fd, struct fault *f)
{
    memset(j, 0, sizeof(*j));
    j->chain_fd = j->version_fd = j->raw_fd = -1;
    j->dir = dir;
    int r = stage(j, fd);
    return r ? FAULT(f, r, list_not_kept, dir, strerror(-r)) : 0;
}

int registry_compile(struct registry_job *j, struct image_builder *b, const struct image_about *about, struct fault *f)
{
    struct sha256 sum;
    _cleanup_close_ int fd = openat(j->version_fd, "compiled", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    int r = fd < 0 ? -errno : image_builder_write(b, fd, about);
    if (!r)
        r = file_step("sync");
    if (!r && fsync(fd))
        r = -errno;
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = -errno;
    if (!r)
        r = sha256_of_fd(fd, &sum, &j->compiled_bytes);
    if (r)
        return FAULT(f, r, list_not_kept, "compiled", strerror(-r));
    sha256_format(&sum, j->compiled_sha256.hex);
    return 0;
}

static int publish(struct registry_job *j, const char *manifest, size_t n)
{
    char number[16];
    int m = snprintf(number, sizeof(number), "%u", j->version);
    int r = file_replace(j->version_fd, "manifest", manifest, n);
    if (!r)
        r = file_sync_dir(j->version_fd);
    if (!r)
        r = file_step("rename");
    if (!r && renameat(j->chain_fd, j->staging, j->chain_fd, number))
        r = -errno;
    if (r)
        return r;
    j->staging[0] = '\0';
    r = file_sync_dir(j->chain_fd);
    if (r)
        return r;
    number[m] = '\n';
    return file_replace(j->chain_fd, "current", number, (size_t)m + 1);
}

int registry_publish(struct registry_job *j, const char *manifest, size_t n, struct fault *f)
{
    int r = publish(j, manifest, n);
    return r ? FAULT(f, r, list_not_kept, "manifest", strerror(-r)) : 0;
}

void registry_end(struct registry_job *j)
{
    if (j->staging[0] && j->chain_fd >= 0) {
        remove_staged(j->chain_fd, j->staging);
        (void)rmdir(j->dir); /* only if nothing else is in it; under its lock */
    }
    file_close(&j->raw_fd);
    file_close(&j->version_fd);
    file_close(&j->chain_fd);
}

int registry_current(const char *dir, uint32_t *ret)
{
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int current = fd < 0 ? -1 : openat(fd, "current", O_RDONLY | O_CLOEXEC);
    if (current < 0)
        return errno == ENOENT ? 1 : -errno;
    _cleanup_free_ uint8_t *p = NULL;
    size_t n;
    uint64_t v;
    int r = file_read_all(current, 64, &p, &n);
    if (r)
        return r;
    if (text_u64(text_trim((struct text){(const char *)p, n}), UINT32_MAX - 1, &v) || !v)
        return -EBADMSG;
    *ret = (uint32_t)v;
    return 0;
}

uint32_t registry_n_versions(const char *dir)
{
    struct look w = {.chain_fd = -1};
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)each_name(fd, look_name, &w);
    return w.n;
}
