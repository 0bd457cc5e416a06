/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_value - one encoded value to what a flow holds: shared by the ways of decoding records
 * (netflow_record: rows, netflow_columns: columns), so that both mean the same. Included by them only.
 *
 * Source: RFC 7011 6.1 (encodings), 6.2 (reduced size).
 */
#pragma once

#include "base/cursor.h"
#include "format/netflow5.h"
#include "format/netflow_record.h"

/* year 9999; what is later, or zero, is no time */
#define NETFLOW_LATEST_US UINT64_C(253402300799999999)

static inline uint64_t netflow_load_any(const uint8_t *p, uint32_t length)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < length; i++)
        v = v << 8 | p[i];
    return v;
}

/* netflow_load_uint - @length 0..8. */
static inline uint64_t netflow_load_uint(const uint8_t *p, uint32_t length)
{
    switch (length) {
    case 1: return p[0];
    case 2: return load_be16(p);
    case 4: return load_be32(p);
    case 8: return load_be64(p);
    default: return netflow_load_any(p, length);
    }
}

static inline int64_t netflow_scaled_us(uint64_t v, uint64_t unit_us)
{
    return v > NETFLOW_LATEST_US / unit_us ? 0 : (int64_t)(v * unit_us); /* so the product cannot overflow */
}

static inline int64_t netflow_before_us(uint64_t before, int64_t exported_us)
{
    return before > (uint64_t)exported_us ? 0 : exported_us - (int64_t)before;
}

/*
 * netflow_uptime_clock - IPFIX knows when sysUpTime began only from systemInitTimeMilliseconds (160). Without it the raw
 * value is kept as -1 - milliseconds: no time, but the difference of two is still the duration.
 */
struct netflow_uptime_clock {
    int64_t exported_us;
    uint32_t now_ms;
    bool is_known;
};

static inline struct netflow_uptime_clock netflow_uptime_clock(const struct netflow_clock *k)
{
    return (struct netflow_uptime_clock){
        .exported_us = k->exported_us,
        .now_ms = k->has_uptime ? k->uptime_ms : (uint32_t)(uint64_t)((k->exported_us - k->init_us) / 1000),
        .is_known = k->has_uptime || k->has_init,
    };
}

static inline int64_t netflow_uptime_time(const struct netflow_uptime_clock *u, uint32_t ms)
{
    return u->is_known ? netflow_uptime_us(u->exported_us, u->now_ms, ms) : -1 - (int64_t)ms;
}

static inline bool netflow_is_near(int64_t a, int64_t b)
{
    const int64_t ten_years_us = INT64_C(3650) * 86400 * 1000000;
    return a > b - ten_years_us && a < b + ten_years_us;
}

/*
 * netflow_ntp_us - RFC 7011 6.1.9. Some exporters put plain microseconds or nanoseconds since 1970 there: taken as such
 * when the NTP reading is more than ten years off the export time and the plain reading is not.
 */
static inline int64_t netflow_ntp_us(uint64_t v, int64_t exported_us)
{
    const int64_t ntp_to_unix_s = INT64_C(2208988800), era_s = INT64_C(1) << 32; /* RFC 5905: 1900 to 1970 */
    if (!v)
        return 0;
    int64_t s = (int64_t)(v >> 32) - ntp_to_unix_s;
    if (!(v >> 63)) /* RFC 5905 6: before 1968 means the era that begins in 2036 */
        s += era_s;
    int64_t us = s * 1000000 + (int64_t)(((v & 0xffffffff) * 1000000) >> 32);
    if (netflow_is_near(us, exported_us))
        return us;
    if (v < NETFLOW_LATEST_US && netflow_is_near((int64_t)v, exported_us))
        return (int64_t)v;
    if (netflow_is_near((int64_t)(v / 1000), exported_us))
        return (int64_t)(v / 1000);
    return us;
}
