/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/remote: any bytes as an answer; what becomes of it is read as leases are, and rows given are sane. First byte: the format. */
#include "watch/lease/read.h"
#include "watch/lease/remote.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int take(void *context, const struct lease_row *r)
{
    (void)context;
    struct lease l = r->l;
    l.gateway = l.realm = l.source = l.subscriber = l.host = 0;
    assert(lease_is_sane(&l));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    const struct remote_system s = {.format = p[0] & 1 ? REMOTE_CSV : REMOTE_JSON, .rows = p[0] & 2 ? "a.b" : NULL, .n_columns = 4,
                                    .columns = {{"inside_ip", "i"}, {"from", "f"}, {"event", "e"}, {p[0] & 4 ? "port" : "host", "p"}}};
    const struct lease_question q = {.address = ip_from_v4(0xcb007107), .port = p[0] & 8 ? 4100 : -1, .at_us = 1771125128000000};
    const struct lease_read_options o = {.format = LEASE_FORMAT_CSV, .at_us = LEASE_UNKNOWN, .kind = LEASE_N_KINDS, .name = "fuzz", .row = take};
    struct buf out = {.max = (size_t)1 << 22};
    struct lease_account a;
    struct fault f = {0};
    uint64_t n_rows = 0;
    int rc = remote_answer(&s, &q, (struct text){(const char *)p + 1, n - 1}, &out, &n_rows, &f);
    assert(n_rows <= REMOTE_ROWS + 1 && (!rc || f.text[0]));
    int fd = rc ? -1 : memfd_create("fuzz", 0);
    if (fd >= 0 && write(fd, out.p, out.n) == (ssize_t)out.n && lseek(fd, 0, SEEK_SET) == 0) {
        rc = lease_read(fd, &o, &a, &f);
        assert(rc || a.read == n_rows); /* each row of the answer is one row there, whatever stands in it */
    }
    if (fd >= 0)
        close(fd);
    buf_fini(&out);
    return 0;
}
