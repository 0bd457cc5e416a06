/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/registry - one chain of versions in a directory: raw, compiled, manifest, current.
 *
 * A version is written into a directory with a temporary name, every file and the directory synced, then renamed
 * to its number; `current` is replaced last. A crash leaves the old version current; what it left half done has a
 * name that begins with '.' and is swept by the next writer. One writer at a time (a lock on the chain's directory).
 */
#pragma once

#include "watch/indicator/image.h"

struct registry_job {
    int chain_fd;    /* DIR/lists/NAME or DIR/space, locked */
    int version_fd;  /* the version being made */
    int raw_fd;      /* its raw file, at offset 0 after registry_begin */
    const char *dir; /* borrowed until registry_end */
    uint32_t version;
    char staging[32];
    struct sha256_text {
        char hex[65];
    } raw_sha256, compiled_sha256;
    uint64_t raw_bytes, compiled_bytes;
};

/* registry_begin - lock the chain in @dir (made if missing), stage the next version, copy @fd into raw. Return: 0 or -errno. */
int registry_begin(struct registry_job *j, const char *dir, int fd, struct fault *f);
/* registry_compile - the image into the staged version. Return: 0 or -errno. */
int registry_compile(struct registry_job *j, struct image_builder *b, const struct image_about *about, struct fault *f);
/* registry_publish - manifest, rename, current. Return: 0 or -errno. */
int registry_publish(struct registry_job *j, const char *manifest, size_t n, struct fault *f);
/*
 * registry_end - release; an unpublished version is removed, and the chain's directory with it when it would have
 * been the first. Always called after a registry_begin.
 */
void registry_end(struct registry_job *j);

/* registry_current - the published number in @dir. Return: 0, 1 (none), or -errno. */
int registry_current(const char *dir, uint32_t *ret);
/* registry_n_versions - how many numbered versions @dir holds. */
uint32_t registry_n_versions(const char *dir);
