/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as one NetFlow v5 datagram: no record more than are there, and every kept one is whole. */
#include "format/netflow5.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct flow flows[NETFLOW5_MAX_RECORDS];
    struct netflow5_header h = {0};
    int r = netflow5_decode(p, n, INT64_C(1700000000000000), flows, &h);
    assert(r >= 0 && r <= NETFLOW5_COUNT);
    if (r)
        return 0;
    assert(h.n_present && h.n_present <= h.n_claimed && h.n_claimed <= NETFLOW5_MAX_RECORDS);
    assert(NETFLOW5_HEADER_BYTES + h.n_present * (size_t)NETFLOW5_RECORD_BYTES <= n);
    for (uint32_t i = 0; i < h.n_present; i++) {
        assert(ip_is_v4(&flows[i].source_ip) && ip_is_v4(&flows[i].destination_ip));
        assert(!(flows[i].present >> FLOW_N_COLUMNS));
        assert(!!(flows[i].present & FLOW_HAS(FLOW_SAMPLING)) == (h.sampling > 1));
    }
    return 0;
}
