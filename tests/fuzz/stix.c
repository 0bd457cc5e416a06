/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a STIX pattern: nothing is given from one that is malformed. */
#include "format/stix.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int count(void *context, const struct stix_address *a)
{
    ++*(unsigned *)context;
    assert(a->value.n <= STIX_VALUE_MAX && a->where <= STIX_DESTINATION);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    unsigned n_given = 0;
    struct text t = {(const char *)p, n};
    int checked = stix_pattern(t, NULL, NULL);
    assert(checked == 0 || checked == STIX_MALFORMED);
    assert(stix_pattern(t, count, &n_given) == checked);
    assert(!checked || !n_given);
    return 0;
}
