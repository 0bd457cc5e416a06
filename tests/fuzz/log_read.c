/* SPDX-License-Identifier: Apache-2.0 */
/* log_read - any file in any format: the account balances and nothing is read twice. */
#include "watch/intake/log_read.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct sums {
    uint64_t n, n_refused, offset;
};

static int take(void *context, struct events *e)
{
    struct sums *s = context;
    s->n += e->n;
    return 0;
}

static void refused(void *context, const struct log_refused *r)
{
    struct sums *s = context;
    assert(r->reason && r->reason[0]);
    s->n_refused++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct event_names *names;
    struct log_account a;
    struct sums s = {0};
    struct fault f = {0};
    if (!size)
        return 0;
    if (!names || event_names_count(names) > EVENT_NAMES_MAX / 2) {
        event_names_free(names);
        names = event_names_new();
        assert(names);
    }
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1) && !lseek(fd, 0, SEEK_SET));
    struct log_options o = {.format = (enum log_format)(data[0] % LOG_N_FORMATS), .arrived_us = 1, .may_recover = data[0] & 0x80};
    int rc = log_read(fd, &o, names, NULL, take, refused, &s, &a, &f);
    assert(rc >= 0);
    assert(a.read == a.kept + log_account_refused(&a) && a.kept == s.n && s.n_refused == log_account_refused(&a));
    close(fd);
    return 0;
}
