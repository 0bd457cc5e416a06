/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte even: a datagram as it comes. Odd: frames, which are protected here as a client would, so that the fuzzer
 * reaches what stands behind the encryption. Invariant: pieces lie inside the packet and frames decide the answer.
 */
#include "../unit/quic_build.h"
#include "format/quic.h"

#include <assert.h>
#include <stdlib.h>

static void take(void *context, uint64_t offset, const uint8_t *p, size_t n)
{
    size_t *left = context;
    uint64_t sum = offset;
    assert(n <= *left);
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    __asm__ volatile("" : : "r"(sum));
    *left -= n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t id[4] = {1, 2, 3, 4};
    if (!n)
        return 0;
    size_t left = n, n_packet = n - 1;
    if (!(p[0] & 1)) {
        int e = quic_initial_read(p + 1, n_packet, take, &left);
        assert(e >= 0 && e <= QUIC_MALFORMED);
        return 0;
    }
    if (n_packet > 2000)
        return 0;
    uint8_t *packet = malloc(n_packet + 64);
    if (!packet)
        return 0;
    size_t n_built = quic_build(id, 4, 7, p + 1, n_packet, packet);
    int e = quic_initial_read(packet, n_built, take, &left);
    assert(e == 0 || e == QUIC_MALFORMED);
    free(packet);
    return 0;
}
