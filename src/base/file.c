/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Whole or absent" means: write under another name, sync the content, rename,
 * sync the directory. Every place that needs it calls file_replace.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int (*file_step_hook)(const char *what);

void file_close(int *fd)
{
    if (*fd < 0)
        return;
    int e = errno;
    close(*fd);
    errno = e;
    *fd = -1;
}

void file_free(void *p)
{
    void *inner;
    memcpy(&inner, p, sizeof(inner));
    free(inner);
}

int file_read_all(int fd, size_t max_bytes, uint8_t **ret, size_t *ret_n)
{
    size_t n = 0, capacity = 65536;
    struct stat st;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size <= max_bytes)
        capacity = (size_t)st.st_size + 2;
    uint8_t *p = malloc(capacity);
    if (!p)
        return -ENOMEM;
    for (;;) {
        if (n + 1 >= capacity) {
            uint8_t *grown = capacity < SIZE_MAX / 2 ? realloc(p, capacity * 2) : NULL;
            if (!grown) {
                free(p);
                return -ENOMEM;
            }
            p = grown;
            capacity *= 2;
        }
        ssize_t got = read(fd, p + n, capacity - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        int e = got < 0 ? -errno : 0;
        if (got > 0)
            n += (size_t)got;
        if (!e && n > max_bytes)
            e = -EFBIG;
        if (e) {
            free(p);
            return e;
        }
        if (got == 0)
            break;
    }
    p[n] = 0;
    *ret = p;
    *ret_n = n;
    return 0;
}

int file_read_path(const char *path, size_t max_bytes, uint8_t **ret, size_t *ret_n)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : file_read_all(fd, max_bytes, ret, ret_n);
}

int file_write_full(int fd, const void *p, size_t n)
{
    int r = file_step("write");
    if (r)
        return r;
    const uint8_t *q = p;
    while (n) {
        ssize_t put = write(fd, q, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        if (put == 0)
            return -EIO;
        q += put;
        n -= (size_t)put;
    }
    return 0;
}

int file_pwrite_full(int fd, const void *p, size_t n, uint64_t offset)
{
    const uint8_t *at = p;
    while (n) {
        ssize_t k = pwrite(fd, at, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return k < 0 ? -errno : -EIO;
        at += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return 0;
}

int file_pread_full(int fd, void *p, size_t n, uint64_t offset)
{
    uint8_t *q = p;
    while (n) {
        ssize_t got = pread(fd, q, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EIO;
        q += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

int file_sync_dir(int dir_fd)
{
    int r = file_step("sync-directory");
    if (r)
        return r;
    /* a directory descriptor opened O_PATH cannot be synced: reopen it */
    _cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) ? -errno : 0;
}

int file_replace(int dir_fd, const char *name, const void *p, size_t n)
{
    static _Atomic unsigned serial; /* two threads may replace one name: the last whole one stays */
    char beside[256];
    if (snprintf(beside, sizeof(beside), ".%s.%d.%u.new", name, (int)getpid(), serial++) >= (int)sizeof(beside))
        return -ENAMETOOLONG;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_close_ int fd = openat(dir_fd, beside, flags, 0640);
    if (fd < 0 && errno == EEXIST && !unlinkat(dir_fd, beside, 0)) /* left by a killed process of the same id */
        fd = openat(dir_fd, beside, flags, 0640);
    if (fd < 0)
        return -errno;
    int r = file_write_full(fd, p, n);
    if (!r)
        r = file_step("sync");
    if (!r && fsync(fd))
        r = -errno;
    if (!r)
        r = file_step("rename");
    if (!r && renameat(dir_fd, beside, dir_fd, name))
        r = -errno;
    if (r) {
        unlinkat(dir_fd, beside, 0);
        return r;
    }
    return file_sync_dir(dir_fd);
}

int file_make_dirs(const char *path, unsigned mode)
{
    if (!*path)
        return -ENOENT;
    _cleanup_free_ char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, (mode_t)mode) && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    if (!mkdir(copy, (mode_t)mode))
        return 0;
    if (errno != EEXIST)
        return -errno;
    struct stat st;
    if (stat(copy, &st))
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
