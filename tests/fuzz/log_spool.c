/* SPDX-License-Identifier: Apache-2.0 */
/* A spool whose files hold anything: what is taken lies within them, and it ends. */
#include "watch/intake/log_spool.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char dir[] = "/dev/shm/vonggac-fuzz-XXXXXX", path[64];
    struct log_spool *s;
    struct spooled d, again = {.arrived_us = 5, .bytes = TEXT("last")};
    if (n < 4 || !mkdtemp(dir))
        return 0;
    snprintf(path, sizeof(path), "%s/%08x", dir, data[0] % 4u);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert(fd >= 0 && write(fd, data + 1, n - 1) == (ssize_t)(n - 1));
    close(fd);
    if (!log_spool_open(dir, (uint64_t)data[1] << 12, (uint64_t)(data[2] % 4) << 32 | data[3], &s)) {
        size_t taken = 0, left = 0;
        bool is_put = !log_spool_put(s, &again);
        for (; !log_spool_take(s, &d); left++) {
            taken += d.bytes.n;
            assert(taken <= n + again.bytes.n && left <= n);
        }
        assert(left >= is_put); /* what came last is there, whatever lies before it */
        log_spool_settle(s);
        log_spool_close(s);
    }
    for (unsigned i = 0; i < 16; i++) {
        snprintf(path, sizeof(path), "%s/%08x", dir, i);
        unlink(path);
    }
    rmdir(dir);
    return 0;
}
