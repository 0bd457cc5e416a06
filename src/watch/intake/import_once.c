/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/import_once.h"

#include "base/file.h"
#include "watch/intake/unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int import_once_fault(const char *name, int r, struct fault *f)
{
    struct fault inner = *f;
    return FAULT(f, r, import_failed, name, inner.text);
}

static int import_file_of(const struct import_once *x, int fd, const char *name, struct import_stored *ret, struct fault *f)
{
    struct sha256 content;
    int r = sha256_of_fd(fd, &content, NULL);
    if (r || lseek(fd, 0, SEEK_SET) < 0)
        return FAULT(f, r ? r : -errno, cli_cannot_read, name, strerrordesc_np(r ? -r : errno));
    r = store_import_begin(x->store, &content, name, x->again, x->open, f);
    if (r)
        return r == STORE_ALREADY_KEPT ? FAULT(f, IMPORT_STORE_ALREADY, import_already_kept, name) : import_once_fault(name, r, f);
    r = x->read(x->context, fd, name, ret, f);
    if (r || (ret->summary.is_truncated && !ret->summary.kept && !ret->summary.n_nat)) {
        store_import_abort(*x->open);
        if (!r)
            FAULT(f, IMPORT_STORE_REFUSED, import_nothing_whole, name);
        return r < 0 ? r : IMPORT_STORE_REFUSED;
    }
    r = store_import_commit(*x->open, f);
    if (r == STORE_ALREADY_KEPT) /* somebody else brought it meanwhile */
        return FAULT(f, IMPORT_STORE_ALREADY, import_already_kept, name);
    return r ? import_once_fault(name, r, f) : 0;
}

int import_once(const struct import_once *x, int fd, const char *name, struct import_stored *ret, struct fault *f)
{
    ret->event_min_us = INT64_MAX;
    ret->event_max_us = INT64_MIN;
    if (unpack_is_device(fd)) /* before all of it is read for its checksum */
        return FAULT(f, -ENODEV, import_device, name);
    if (lseek(fd, 0, SEEK_CUR) >= 0)
        return import_file_of(x, fd, name, ret, f);
    _cleanup_close_ int copy = import_spool(fd, x->spool_dir);
    if (copy < 0)
        return FAULT(f, copy, cli_cannot_read, name, strerrordesc_np(-copy));
    return import_file_of(x, copy, name, ret, f);
}
