/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/read: any bytes as any format; rows given are sane and the account balances. First byte: the format. */
#include "watch/lease/read.h"

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
    const struct lease_read_options o = {.format = (enum lease_format)(p[0] % LEASE_N_FORMATS), .zone_s = 7 * 3600, .at_us = 1000000,
                                         .kind = LEASE_N_KINDS, .name = "fuzz", .row = take};
    struct lease_account a;
    struct fault f = {0};
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, p + 1, n - 1) != (ssize_t)(n - 1) || lseek(fd, 0, SEEK_SET))
        return 0;
    int rc = lease_read(fd, &o, &a, &f);
    close(fd);
    uint64_t sum = a.kept + a.joined + a.other;
    for (int i = 0; i < LEASE_N_REFUSALS; i++)
        sum += a.refused[i];
    assert(rc || a.read == sum);
    return 0;
}
