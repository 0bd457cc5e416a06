/* SPDX-License-Identifier: Apache-2.0 */
/* Folders, seeds and a random source for tests that write files. */
#pragma once

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELP_MUST(condition)                                                             \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                     \
        }                                                                                \
    } while (0)

struct help_dir {
    char path[256];
};

__attribute__((unused)) static struct help_dir help_dir_new(void)
{
    struct help_dir d;
    const char *base = getenv("TMPDIR");
    if (!base || !*base) /* in memory if possible: thousands of syncs would wait for a disk and prove nothing more */
        base = access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm";
    snprintf(d.path, sizeof(d.path), "%s/vonggac-test-XXXXXX", base);
    HELP_MUST(mkdtemp(d.path));
    return d;
}

__attribute__((unused)) static int help_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

__attribute__((unused)) static void help_dir_free(struct help_dir *d)
{
    chmod(d->path, 0700);
    nftw(d->path, help_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* splitmix64 */
__attribute__((unused)) static uint64_t help_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

__attribute__((unused)) static uint64_t help_seed(void)
{
    const char *p = getenv("VONGGAC_SEED");
    return p && *p ? strtoull(p, NULL, 10) : 20240229;
}

__attribute__((unused)) static unsigned help_rounds(unsigned otherwise)
{
    const char *p = getenv("VONGGAC_ROUNDS");
    unsigned long n = p && *p ? strtoul(p, NULL, 10) : 0;
    return n ? (unsigned)n : otherwise;
}
