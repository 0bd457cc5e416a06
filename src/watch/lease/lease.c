/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/lease.h"

#include "base/clock.h"

#include <string.h>

static const char *const names[] = {
#define X(ID, name) [LEASE_##ID] = name,
    LEASE_KINDS(X)
#undef X
};

const char *lease_kind_name(enum lease_kind kind)
{
    return names[kind];
}

int lease_kind_parse(const char *p, size_t n, enum lease_kind *ret)
{
    for (int i = 0; i < LEASE_N_KINDS; i++) {
        if (strlen(names[i]) != n || memcmp(names[i], p, n))
            continue;
        *ret = (enum lease_kind)i;
        return 0;
    }
    return 1;
}

static bool is_time(int64_t us)
{
    return us >= 0 && us < INT64_C(253402300800) * US_PER_SECOND; /* year 10000 */
}

struct ip lease_mask(const struct ip *a, unsigned prefix)
{
    struct ip out = *a;
    for (unsigned i = prefix / 8; i < sizeof(out.b); i++)
        out.b[i] = (uint8_t)(i == prefix / 8 ? out.b[i] & ~(0xff >> prefix % 8) : 0);
    return out;
}

struct ip lease_mac_address(uint64_t mac)
{
    struct ip a = {{0xfe, 0x80}};
    for (int i = 0; i < 3; i++) {
        a.b[8 + i] = (uint8_t)(mac >> (40 - 8 * i));
        a.b[13 + i] = (uint8_t)(mac >> (16 - 8 * i));
    }
    a.b[8] ^= 2;
    a.b[11] = 0xff;
    a.b[12] = 0xfe;
    return a;
}

static bool is_prefix(const struct lease *l)
{
    struct ip base = lease_mask(&l->outside, l->prefix);
    return l->prefix >= 1 && l->prefix <= 128 && (l->prefix == 128 || ip_equal(&base, &l->outside)) &&
           (!ip_is_v4(&l->outside) || l->prefix > 96);
}

bool lease_is_sane(const struct lease *l)
{
    bool has_from = l->from_us != LEASE_UNKNOWN, has_to = l->to_us != LEASE_UNKNOWN;
    if (l->kind >= LEASE_N_KINDS || l->port_first > l->port_last || l->mac >> 48 || !is_prefix(l) || (!has_from && !has_to))
        return false;
    if ((has_from && !is_time(l->from_us)) || (has_to && !is_time(l->to_us)) || (has_from && has_to && l->to_us < l->from_us))
        return false;
    if (l->kind == LEASE_RELEASE && (has_from || !has_to))
        return false;
    if (l->kind == LEASE_CLOCK)
        return ip_is_zero(&l->outside) && has_from && has_to && l->mac;
    return l->kind == LEASE_RESTART ? ip_is_zero(&l->outside) && has_from : !ip_is_zero(&l->outside);
}
