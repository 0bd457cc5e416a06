/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of any kind through the door of the command line, twice in one command. The account balances; a file that is
 * wrong as a whole says why. First byte: format; the rest is the file.
 */
#include "watch/intake/import.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int take(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    uint64_t *rows = context;
    assert(n > 0);
    for (uint32_t i = 0; i < n; i++)
        assert(!(flows[i].present & FLOW_HAS(FLOW_OBSERVER)) || o);
    *rows += n;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    uint64_t rows = 0;
    struct import *i;
    struct import_options o = {.format = (enum import_format)(p[0] % IMPORT_N_FORMATS), .sink = take,
                               .context = &rows, .max_flows = 64};
    assert(!import_new(&o, &i));
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, p + 1, n - 1) == (ssize_t)(n - 1));
    for (int round = 0; round < 2; round++) {
        struct import_summary s;
        struct fault f;
        rows = 0;
        assert(lseek(fd, 0, SEEK_SET) == 0);
        int rc = import_file(i, fd, "fuzz", &s, &f);
        assert(rc == 0 || rc == IMPORT_REFUSED);
        assert((rc != 0) == (f.text[0] != '\0'));
        assert(s.read == s.kept + s.other + import_summary_refused(&s));
        assert(s.n_flows == rows && s.n_reasons <= IMPORT_REASONS_MAX);
        if (!rc && !strcmp(s.unit, "rows"))
            assert(s.kept == rows);
    }
    struct import_summary end;
    import_finish(i, &end);
    assert(end.read == end.kept + end.other + import_summary_refused(&end));
    import_free(i);
    close(fd);
    return 0;
}
