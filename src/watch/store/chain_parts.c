/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/chain_inside.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int chain_parts(int store_fd, uint64_t id, uint64_t parts[CHAIN_PARTS_MAX], size_t *ret_n)
{
    uint8_t *bytes;
    size_t n;
    *ret_n = 0;
    _cleanup_close_ int fd = openat(store_fd, CHAIN_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = file_read_all(fd, CHAIN_BYTES_MAX, &bytes, &n);
    if (r)
        return r;
    struct text rest = {(const char *)bytes, n}, line;
    struct chain_line l;
    while (chain_next(&rest, &line))
        if (!chain_is_magic(line) && !chain_parse(line, &l) && l.id == id)
            for (*ret_n = 0; l.from.n && *ret_n < CHAIN_PARTS_MAX && !chain_next_id(&l.from, &parts[*ret_n]); ++*ret_n)
                ;
    free(bytes);
    return 0;
}
