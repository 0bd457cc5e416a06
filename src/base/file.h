/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/file - files that are whole or absent.
 * Return, unless said: 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* file_close - a cleanup function: closes *@fd if it is open, keeps errno. */
void file_close(int *fd);
#define _cleanup_close_ __attribute__((cleanup(file_close)))
/* file_free - a cleanup function for malloc'ed pointers. */
void file_free(void *p);
#define _cleanup_free_ __attribute__((cleanup(file_free)))

/* file_read_all - the whole content, terminated by a zero that does not count. -EFBIG above @max_bytes. Caller frees. */
int file_read_all(int fd, size_t max_bytes, uint8_t **ret, size_t *ret_n);
int file_read_path(const char *path, size_t max_bytes, uint8_t **ret, size_t *ret_n);

/* file_write_full, file_pread_full, file_pwrite_full - all of it or an error (-EIO for an unexpected end). */
int file_write_full(int fd, const void *p, size_t n);
int file_pread_full(int fd, void *p, size_t n, uint64_t offset);
int file_pwrite_full(int fd, const void *p, size_t n, uint64_t offset);

/* file_replace - write beside, sync, rename over @name in directory @dir_fd, sync the directory; mode 0640. */
int file_replace(int dir_fd, const char *name, const void *p, size_t n);
/* file_sync_dir - make a rename or a new name in @dir_fd durable. */
int file_sync_dir(int dir_fd);
/* file_make_dirs - mkdir -p with @mode for what is missing. */
int file_make_dirs(const char *path, unsigned mode);

/*
 * For torture tests: every durable step (write, sync, rename, unlink) of this
 * module and of watch/store passes file_step, which does nothing unless a test
 * has set file_step_hook. The hook may return -errno to make that step fail.
 */
extern int (*file_step_hook)(const char *what);
static inline int file_step(const char *what)
{
    return file_step_hook ? file_step_hook(what) : 0;
}
